//! The book under `docs/`: the pages that are made from the programs, its links, and its build.

mod commands;
mod http;
mod links;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use clap::Args;

use crate::run;

/// What to do, and with which programs.
#[derive(Args)]
pub(crate) struct Options {
    /// Change nothing in the tree: fail if a generated page differs, or a link points nowhere
    #[arg(long)]
    check: bool,

    /// Take the help of the programs in this folder; by default they are built, in debug mode
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
}

/// A page that nobody edits.
struct Page {
    /// Below `docs/src/reference`.
    name: &'static str,
    text: String,
}

/// Writes or compares the generated pages, checks all links, and builds the book to `target/book`.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let folder = run::root().join("docs/src/reference");
    let mut differing = Vec::new();
    for page in pages(options)? {
        let path = folder.join(page.name);
        if fs::read_to_string(&path).is_ok_and(|there| there == page.text) {
            continue;
        }
        if options.check {
            differing.push(page.name);
        } else {
            fs::write(&path, page.text)
                .with_context(|| format!("could not write {}", path.display()))?;
            eprintln!("wrote {}", path.display());
        }
    }
    ensure!(
        differing.is_empty(),
        "differ from what the programs say: {}; `cargo xtask book` writes them anew",
        differing.join(", ")
    );
    let broken = links::broken()?;
    if !broken.is_empty() {
        bail!("links that point nowhere:\n  {}", broken.join("\n  "));
    }
    run::program(&["mdbook", "build", "docs"], &[])
}

fn pages(options: &Options) -> anyhow::Result<Vec<Page>> {
    let programs = match &options.programs {
        Some(folder) => std::path::absolute(folder)?,
        None => built()?,
    };
    let (paths, errors) = http::pages()?;
    let page = |name, text| Page { name, text };
    Ok(vec![
        page("commands.md", commands::page(&programs)?),
        page("paths.md", paths),
        page("errors.md", errors),
    ])
}

fn built() -> anyhow::Result<PathBuf> {
    let packages = ["synclave-cli", "synclave-enclave", "synclave-host"];
    let packages = packages.map(|it| ["--package", it]);
    run::program(&[&["cargo", "build"][..], &packages.concat()].concat(), &[])?;
    Ok(run::root().join("target/debug"))
}

/// The first lines of a generated page.
fn heading(title: &str, from: &str) -> String {
    format!("<!-- Written by `cargo xtask book` from {from}. Do not edit. -->\n\n# {title}\n")
}
