//! The local page: its types, and what a browser makes of it.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::{run, vm};

/// How much of the page is checked, with which programs.
#[derive(Args)]
pub(crate) struct Options {
    /// Folder of the programs; they hold the page's files as they were when they were built
    #[arg(long, value_name = "DIR", default_value = "target/debug")]
    programs: PathBuf,

    /// Upload a table of 500 MB, and not a small one
    #[arg(long, conflicts_with = "image")]
    large: bool,

    /// A folder with synclave.eif and measurements.json: only that two people go the whole way, to
    /// that image on an emulated host
    #[arg(long, value_name = "DIR")]
    image: Option<PathBuf>,
}

/// Checks the types by TypeScript's compiler and runs the tests in Chromium, in simulated rooms;
/// pictures of each step are then in `target/page`.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let tools = run::tools().join("page");
    let tools = tools.to_str().context("a path that is not UTF-8")?;
    run::program(&["bash", "scripts/install-page", tools], &[])?;
    let compiler = format!("{tools}/node_modules/.bin/tsc");
    run::program(&[&compiler, "--project", "page/jsconfig.json"], &[])?;
    let programs = run::root().join(&options.programs);
    let environment = [
        (
            "SYNCLAVE_PROGRAMS",
            programs.to_str().context("a path that is not UTF-8")?,
        ),
        ("SYNCLAVE_PAGE_TOOLS", tools),
        (
            "SYNCLAVE_PAGE_UPLOAD_MB",
            if options.large { "500" } else { "60" },
        ),
    ];
    // One after another: they measure times, and each has a room and a browser of its own.
    let test = [
        "node",
        "--test",
        "--test-concurrency=1",
        "--test-reporter=spec",
        "--test-timeout=300000",
    ];
    let Some(image) = &options.image else {
        let tests = tests()?;
        let tests: Vec<&str> = tests.iter().map(String::as_str).collect();
        return run::program(&[&test[..], &tests].concat(), &environment);
    };
    let (image, emulator) = (run::root().join(image), vm::tools()?);
    let of_image = [
        (
            "SYNCLAVE_PAGE_IMAGE",
            image.to_str().context("a path that is not UTF-8")?,
        ),
        (
            "SYNCLAVE_EMULATOR_TOOLS",
            emulator.to_str().context("a path that is not UTF-8")?,
        ),
    ];
    let journey = [&test[..], &["page/tests/journey.test.mjs"]].concat();
    run::program(&journey, &[&environment[..], &of_image].concat())
}

/// The files of tests, in the order of their names.
fn tests() -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(run::root().join("page/tests"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".test.mjs") {
            names.push(format!("page/tests/{name}"));
        }
    }
    names.sort();
    Ok(names)
}
