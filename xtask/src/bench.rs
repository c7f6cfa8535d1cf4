//! Measurements, each by an example program of the crate it measures, built in release mode.

use std::path::PathBuf;

use clap::Args;

use crate::run;

/// What to measure with.
#[derive(Args)]
pub(crate) struct Options {
    /// The Adult table as integer codes; its domain lies beside it as adult-domain.json
    #[arg(long, default_value = "../shared/data/adult.csv")]
    adult: PathBuf,
}

/// Runs every measurement; one whose table is missing is skipped, and says so.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let adult = run::root().join(&options.adult);
    if adult.exists() {
        eprintln!("\n=== MST on Adult: CPU seconds, memory, distances ===");
        let domain = adult.with_file_name("adult-domain.json");
        let files = [adult, domain].map(|path| path.display().to_string());
        example("synthesis", "adult", &[&files[0], &files[1]])?;
    } else {
        eprintln!(
            "\n=== MST on Adult: skipped, no table at {} (give one with --adult) ===",
            adult.display()
        );
    }
    eprintln!("\n=== Reading a CSV of 1 million rows and 10 columns into codes ===");
    example("tabular", "csv_speed", &[])?;
    eprintln!("\n=== A proxied upload of 1 GB: attested channel against plain TCP ===");
    example("client", "upload_throughput", &[])
}

fn example(package: &str, name: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = vec![
        "cargo",
        "run",
        "--quiet",
        "--release",
        "--package",
        package,
        "--example",
        name,
        "--",
    ];
    command.extend(arguments);
    run::program(&command, &[])
}
