//! Fuzzing what strangers send, with cargo-fuzz, which `scripts/install-tools` installs.

mod campaign;

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use crate::run;
use campaign::Campaign;

/// What to fuzz, and for how long.
#[derive(Args)]
pub(crate) struct Options {
    /// The targets; by default all of them
    #[arg(value_name = "TARGET", value_parser = known_target)]
    targets: Vec<&'static Target>,

    /// Seconds for all targets together
    #[arg(long, default_value_t = 60)]
    seconds: u64,

    /// Seconds for each target
    #[arg(long, conflicts_with = "seconds")]
    seconds_each: Option<u64>,

    /// Run this number of targets at a time; by default one for each core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
}

/// One reader of what strangers send; `fuzz/fuzz_targets` has its program, `fuzz/seeds` what it
/// begins with.
#[derive(Debug)]
struct Target {
    name: &'static str,
    /// The longest input worth trying: somewhat more than what is looked at.
    longest: u32,
}

const TARGETS: &[Target] = &[
    target("documents", 17_000),
    target("models", 32_000),
    target("receipts", 16_000),
    target("images", 8_000),
    target("service_yaml", 4_000),
    target("runtime_yaml", 4_000),
    target("csv", 4_000),
    target("parquet", 8_000),
    target("conditions", 500),
    target("websocket", 4_000),
    target("proxy_protocol", 1_200),
];

const fn target(name: &'static str, longest: u32) -> Target {
    Target { name, longest }
}

fn known_target(name: &str) -> Result<&'static Target, String> {
    let found = TARGETS.iter().find(|target| target.name == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        format!("unknown target; choose from {}", names.join(", "))
    })
}

/// Builds all targets once, and runs those named. An input that is found to be bad is left in
/// `fuzz/artifacts`, and what was learnt in `target/fuzz`, for the next run.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let programs = build()?;
    let targets: Vec<&'static Target> = match options.targets.as_slice() {
        [] => TARGETS.iter().collect(),
        named => named.to_vec(),
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = options.jobs.map_or(cores, usize::from).min(targets.len());
    let shared = options.seconds * jobs as u64 / targets.len() as u64;
    let campaign = Campaign {
        programs,
        seconds: options.seconds_each.unwrap_or(shared).max(1),
    };
    let failed = campaign.run_all(targets, jobs)?;
    if !failed.is_empty() {
        bail!("fuzzing found something in {}", failed.join(", "));
    }
    Ok(())
}

/// Gives the folder of the targets' programs, which are built apart from everything else, with a
/// sanitizer.
fn build() -> anyhow::Result<PathBuf> {
    const FOLDER: &str = "target/fuzz-build";
    let platform = run::first_line_of("rustc", "--print=host-tuple")?;
    let command = [
        "cargo-fuzz",
        "build",
        "--target",
        &platform,
        "--target-dir",
        FOLDER,
    ];
    // The sanitizers are unstable options of the compiler.
    run::program(&command, &[("RUSTC_BOOTSTRAP", "1")])?;
    Ok(run::root().join(FOLDER).join(platform).join("release"))
}
