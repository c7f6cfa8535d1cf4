//! Measurements, each by an example program of the crate it measures, built in release mode.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use crate::run;

/// What to measure with.
#[derive(Args)]
pub(crate) struct Options {
    /// The Adult table as integer codes; its domain lies beside it as adult-domain.json
    #[arg(long, default_value = "../shared/data/adult.csv")]
    adult: PathBuf,

    /// More tables to measure the methods on, each with its schema
    #[arg(long, value_name = "CSV:SCHEMA", value_parser = table_and_schema)]
    table: Vec<(PathBuf, PathBuf)>,

    /// The methods
    #[arg(long, value_delimiter = ',', default_value = "INDEPENDENT,MST,GRAIN")]
    methods: Vec<String>,

    /// The budgets
    #[arg(long, value_delimiter = ',', default_value = "0.1,1,3,10")]
    epsilons: Vec<String>,

    /// Runs of each method at each budget, over which the figures are means
    #[arg(long, default_value_t = 5)]
    runs: u32,
}

/// Runs every measurement; one whose table is missing is skipped, and says so.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let adult = run::root().join(&options.adult);
    if adult.exists() {
        methods(&adult, &adult.with_file_name("adult-domain.json"), options)?;
        eprintln!("\n=== Estimation alone: 14 columns and 24 pairs of Adult, noise of size 10 ===");
        example("marginals", "adult_estimation", &["10", text(&adult)?])?;
    } else {
        eprintln!(
            "\n=== Adult: skipped, no table at {} (give one with --adult) ===",
            adult.display()
        );
    }
    for (table, schema) in &options.table {
        methods(table, schema, options)?;
    }
    eprintln!("\n=== All 3,240 pairs of 1 million rows and 81 columns ===");
    example("tabular", "count_pairs", &[])?;
    eprintln!("\n=== 1 million rows from a model of 81 columns ===");
    example("marginals", "sample_rows", &[])?;
    eprintln!("\n=== Tables of hundreds and thousands of columns: CPU seconds ===");
    example("synthesis", "wide_tables", &[])?;
    eprintln!("\n=== Reading a CSV of 1 million rows and 10 columns into codes ===");
    example("tabular", "csv_speed", &[])?;
    eprintln!("\n=== A proxied upload of 1 GB: attested channel against plain TCP ===");
    example("client", "upload_throughput", &[])?;
    eprintln!(
        "\nBeside other programs, with classifiers and memory of whole runs: bench/run \
         (bench/README.md)"
    );
    Ok(())
}

/// Every method at every budget on one table, each in a process of its own, so that its peak of
/// memory is its own.
fn methods(table: &Path, schema: &Path, options: &Options) -> anyhow::Result<()> {
    eprintln!(
        "\n=== {}: CPU seconds, megabytes, mean distances of 1-, 2- and 3-way marginals ===",
        table.display()
    );
    eprintln!("| method | epsilon | runs | reading | fit | sample | MB | TVD1 | TVD2 | TVD3 |");
    eprintln!("|---|---|---|---|---|---|---|---|---|---|");
    for epsilon in &options.epsilons {
        for method in &options.methods {
            let runs = options.runs.to_string();
            let arguments = [text(table)?, text(schema)?, method, epsilon, &runs];
            example("synthesis", "measure", &arguments)?;
        }
    }
    Ok(())
}

fn table_and_schema(text: &str) -> Result<(PathBuf, PathBuf), String> {
    let (table, schema) = text
        .split_once(':')
        .ok_or("name a table and its schema, as in people.csv:people.yaml")?;
    let here = |path: &str| std::path::absolute(path).map_err(|error| error.to_string());
    Ok((here(table)?, here(schema)?))
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is not Unicode", path.display()))
}

fn example(package: &str, name: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let package = format!("synclave-{package}");
    let mut command = vec![
        "cargo",
        "run",
        "--quiet",
        "--release",
        "--package",
        &package,
        "--example",
        name,
        "--",
    ];
    command.extend(arguments);
    run::program(&command, &[])
}
