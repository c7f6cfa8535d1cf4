//! The whole check, step by step.

use std::fs::{self, File};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
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

    /// Leave out the steps before this one, as after a run in which it failed
    #[arg(long, value_name = "STEP", default_value = STEPS[0].name)]
    from: String,
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
    /// Whether it runs at the same time as the step before it. A step that measures times runs
    /// alone.
    beside: bool,
}

const fn step(name: &'static str, command: &'static [&'static str]) -> Step {
    Step {
        name,
        command,
        environment: &[],
        part: Part::Always,
        beside: false,
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

impl Step {
    const fn beside(self) -> Self {
        Self {
            beside: true,
            ..self
        }
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
        ..step("documentation", &[])
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
        "what building for Windows needs",
        &["bash", "scripts/install-windows"],
    )
    .beside(),
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
        "what the outer tier needs",
        &["bash", "scripts/install-outer"],
    )
    .beside(),
    // Without the optimiser's last pass, which takes minutes: `--nightly` tests what is shipped.
    slow(
        "the Python package",
        &["cargo", "xtask", "python", "--profile", "dev"],
    )
    .beside(),
    slow(
        "the enclave image, twice",
        &["cargo", "xtask", "image", "--check"],
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
    )
    .beside(),
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
            "--large",
        ],
    ),
    slow(
        "fuzzing, for half a minute",
        &["cargo", "xtask", "fuzz", "--seconds", "30"],
    ),
    nightly(
        "the local page before the enclave's image",
        &[
            "cargo",
            "xtask",
            "page",
            "--programs",
            "target/release",
            "--image",
            "target/image",
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

/// Runs the steps in order, those beside one another at the same time, and stops at the first that
/// fails.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let first = STEPS.iter().position(|step| step.name == options.from);
    let first = first.with_context(|| format!("there is no step \"{}\"", options.from))?;
    let steps = STEPS[first..].iter();
    let steps: Vec<&Step> = steps.filter(|step| options.include(step.part)).collect();
    let mut times: Vec<(&str, Duration)> = Vec::new();
    for together in steps.chunk_by(|_, next| next.beside) {
        let (first, beside) = together.split_first().context("a chunk without a step")?;
        thread::scope(|scope| {
            let beside: Vec<_> = beside
                .iter()
                .map(|step| scope.spawn(|| step.run_quietly()))
                .collect();
            times.push((first.name, first.run()?));
            for (step, running) in together[1..].iter().zip(beside) {
                let ended = running.join();
                let took = ended.map_err(|_| anyhow!("the step \"{}\" panicked", step.name))??;
                times.push((step.name, took));
            }
            anyhow::Ok(())
        })?;
    }
    eprintln!("\nAll steps passed:");
    for (name, time) in times {
        eprintln!("  {:>5} s  {name}", time.as_secs());
    }
    Ok(())
}

impl Step {
    /// Runs it, and says how long that took.
    fn run(&self) -> anyhow::Result<Duration> {
        eprintln!("\n=== {} ===", self.name);
        let start = Instant::now();
        run::program(self.command, self.environment).with_context(|| self.failed())?;
        Ok(start.elapsed())
    }

    /// The same, with what it prints shown at its end, so that two steps' lines do not mix.
    fn run_quietly(&self) -> anyhow::Result<Duration> {
        let start = Instant::now();
        let output = run::root().join("target/ci");
        fs::create_dir_all(&output)?;
        let output = output.join(format!("{}.log", self.name.replace(' ', "-")));
        let ended = run::program_into(self.command, self.environment, &File::create(&output)?);
        let took = start.elapsed();
        eprintln!("\n=== {}, at the same time ===", self.name);
        eprintln!("{}", String::from_utf8_lossy(&fs::read(&output)?));
        ended.with_context(|| self.failed())?;
        Ok(took)
    }

    fn failed(&self) -> String {
        format!("the step \"{}\" failed", self.name)
    }
}
