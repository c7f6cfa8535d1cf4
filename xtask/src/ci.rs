//! The whole check, step by step.

use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;

use crate::run;

/// How much to check.
#[derive(Args)]
pub(crate) struct Options {
    /// Leave out what takes minutes, such as statistics over many seeds, fuzzing, the image and the
    /// demo
    #[arg(long)]
    skip_slow: bool,

    /// Then also check what takes hours: an hour of fuzzing for each target, and the image on
    /// QEMU's own Nitro machine
    #[arg(long, conflicts_with = "skip_slow")]
    nightly: bool,
}

/// Which runs a step is part of.
#[derive(Clone, Copy)]
enum Part {
    Always,
    Slow,
    Nightly,
}

struct Step {
    name: &'static str,
    command: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    part: Part,
}

const fn step(name: &'static str, command: &'static [&'static str]) -> Step {
    Step {
        name,
        command,
        environment: &[],
        part: Part::Always,
    }
}

const fn slow(name: &'static str, command: &'static [&'static str]) -> Step {
    Step {
        part: Part::Slow,
        ..step(name, command)
    }
}

const fn nightly(name: &'static str, command: &'static [&'static str]) -> Step {
    Step {
        part: Part::Nightly,
        ..step(name, command)
    }
}

const STEPS: &[Step] = &[
    step("format", &["cargo", "fmt", "--all", "--check"]),
    step("spelling", &["typos"]),
    step("tidiness", &["cargo", "xtask", "tidy"]),
    step(
        "licences, bans, sources",
        &[
            "cargo-deny",
            "--all-features",
            "check",
            "bans",
            "licenses",
            "sources",
        ],
    ),
    step("tests", &["cargo", "test", "--workspace"]),
    step(
        "lints",
        &[
            "cargo",
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    ),
    Step {
        name: "documentation",
        command: &["cargo", "doc", "--workspace", "--no-deps"],
        environment: &[("RUSTDOCFLAGS", "-D warnings")],
        part: Part::Always,
    },
    // With the programs that the tests have built.
    step(
        "the book",
        &[
            "cargo",
            "xtask",
            "book",
            "--check",
            "--programs",
            "target/debug",
        ],
    ),
    slow(
        "slow tests",
        &["cargo", "test", "--workspace", "--", "--ignored"],
    ),
    slow(
        "fuzzing, for half a minute",
        &["cargo", "xtask", "fuzz", "--seconds", "30"],
    ),
    slow(
        "release build",
        &[
            "cargo",
            "build",
            "--release",
            "--package",
            "synclave-cli",
            "--package",
            "synclave-enclave",
            "--package",
            "synclave-host",
        ],
    ),
    slow(
        "the enclave image, twice",
        &["cargo", "xtask", "image", "--check"],
    ),
    slow(
        "the enclave on an emulated host",
        &["cargo", "xtask", "vm", "--image", "target/image"],
    ),
    // The program that was just built: `cargo run` would build it again, with fewer features.
    slow(
        "the demo",
        &["target/release/synclave", "demo", "--output", "target/demo"],
    ),
    slow(
        "the workshop from outside",
        &["python3", "scripts/workshop.py", "target/release"],
    ),
    // Without the optimiser's last pass, which takes minutes: `--nightly` tests what is shipped.
    slow(
        "the Python package",
        &["cargo", "xtask", "python", "--profile", "dev"],
    ),
    slow(
        "what the outer tier needs",
        &["bash", "scripts/install-outer"],
    ),
    slow(
        "the outer tier",
        &["cargo", "xtask", "outer", "--programs", "target/release"],
    ),
    slow(
        "the local page in a browser",
        &[
            "cargo",
            "xtask",
            "page",
            "--programs",
            "target/release",
            "--image",
            "target/image",
            "--large",
        ],
    ),
    slow(
        "what building for Windows needs",
        &["bash", "scripts/install-windows"],
    ),
    slow(
        "the program for Windows compiles",
        &[
            "cargo",
            "xtask",
            "windows",
            "--check-only",
            "--profile",
            "dev",
        ],
    ),
    nightly(
        "the program for Windows, under Wine",
        &[
            "cargo",
            "xtask",
            "windows",
            "--profile",
            "dev",
            "--programs",
            "target/release",
        ],
    ),
    nightly(
        "the Python package as it is shipped",
        &["cargo", "xtask", "python"],
    ),
    nightly(
        "lints of the Python package",
        &[
            "cargo",
            "clippy",
            "--manifest-path",
            "python/Cargo.toml",
            "--",
            "-D",
            "warnings",
        ],
    ),
    nightly(
        "what the conformance check needs",
        &["bash", "scripts/install-conformance"],
    ),
    nightly(
        "the enclave on QEMU's own Nitro machine",
        &[
            "cargo",
            "xtask",
            "vm",
            "--image",
            "target/image",
            "--conformance",
        ],
    ),
    nightly(
        "fuzzing, for an hour each",
        &["cargo", "xtask", "fuzz", "--seconds-each", "3600"],
    ),
];

impl Options {
    fn include(&self, part: Part) -> bool {
        match part {
            Part::Always => true,
            Part::Slow => !self.skip_slow,
            Part::Nightly => self.nightly,
        }
    }
}

/// Runs the steps in order and stops at the first that fails.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let mut times: Vec<(&str, Duration)> = Vec::new();
    for step in STEPS.iter().filter(|step| options.include(step.part)) {
        eprintln!("\n=== {} ===", step.name);
        let start = Instant::now();
        run::program(step.command, step.environment)
            .with_context(|| format!("the step \"{}\" failed", step.name))?;
        times.push((step.name, start.elapsed()));
    }
    eprintln!("\nAll steps passed:");
    for (name, time) in times {
        eprintln!("  {:>5} s  {name}", time.as_secs());
    }
    Ok(())
}
