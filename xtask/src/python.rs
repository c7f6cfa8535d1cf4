//! The Python package: built as a wheel, installed where nothing of it was, and tested there.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use crate::run;

/// What of the package is checked.
#[derive(Args)]
pub(crate) struct Options {
    /// Build with this profile of Cargo's; `dev` is quick to build, and its engine is optimised
    #[arg(long, default_value = "release")]
    profile: String,

    /// Leave out the notebooks
    #[arg(long)]
    skip_notebooks: bool,
}

/// Builds the wheel, installs it, checks its types, and runs its tests and the notebooks.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let folder = run::root().join("target/python");
    let (tools, wheels) = (folder.join("tools"), folder.join("wheels"));
    // An older wheel must not be tested in place of this one.
    drop(fs::remove_dir_all(&wheels));
    run::program(&["bash", "scripts/install-python", text(&tools)?], &[])?;
    let python = tools.join("bin/python3");
    let python = text(&python)?;
    // Third-party crates are built once for both workspaces where they share a folder.
    let target = run::root().join("target");
    let shared = [("CARGO_TARGET_DIR", text(&target)?)];
    let manifest = ["--manifest-path", "python/Cargo.toml"];
    run::program(&[&["cargo", "fmt", "--check"], &manifest[..]].concat(), &[])?;
    let allowed = [
        "--all-features",
        "--config",
        "deny.toml",
        "check",
        "bans",
        "licenses",
        "sources",
    ];
    run::program(
        &[&["cargo-deny"], &manifest[..], &allowed[..]].concat(),
        &[],
    )?;
    // As in the other workspace, whose lints and features of third-party crates these are.
    let features = ["--features", "shared-build"];
    let lints = ["--all-targets", "--", "-D", "warnings"];
    let clippy = [&["cargo", "clippy"], &manifest[..], &features, &lints].concat();
    run::program(&clippy, &shared)?;
    let mut profile = vec!["--profile", &options.profile];
    if options.profile == "dev" {
        // What people install has no more than it needs.
        profile.extend(features);
    }
    let maturin = tools.join("bin/maturin");
    let build = [text(&maturin)?, "build", "--out", text(&wheels)?];
    run::program(&[&build[..], &manifest[..], &profile[..]].concat(), &shared)?;
    let wheel = only_file(&wheels)?;
    let install = ["-m", "pip", "install", "--quiet", "--no-deps"];
    let wheel = [
        "--force-reinstall",
        "--disable-pip-version-check",
        text(&wheel)?,
    ];
    run::program(&[&[python], &install[..], &wheel[..]].concat(), &[])?;
    // A room that lies, which the package must refuse.
    let example = ["--workspace", "--example", FALSE_ROOM];
    run::program(&[&["cargo", "build"], &example[..]].concat(), &[])?;
    let false_room = target.join("debug/examples").join(FALSE_ROOM);
    let lies = [("SYNCLAVE_FALSE_ROOM", text(&false_room)?)];
    // From a folder in which no copy of the package lies beside the tests.
    run::program(&[python, "-m", "pytest", "--quiet", "python/tests"], &lies)?;
    types(&tools)?;
    if !options.skip_notebooks {
        run::program(&[python, "notebooks/execute.py"], &[])?;
    }
    Ok(())
}

/// Both type checkers that people use, over the package as it is installed and over every call.
fn types(tools: &Path) -> anyhow::Result<()> {
    let bin = tools.join("bin");
    let every_call = "python/tests/every_call.py";
    let python = bin.join("python3");
    for checked in [&["-p", "synclave"][..], &[every_call]] {
        let mypy = [text(&python)?, "-m", "mypy", "--strict", "--config-file="];
        run::program(&[&mypy, checked].concat(), &[])?;
    }
    let pyright = bin.join("basedpyright");
    let mut path = std::ffi::OsString::from(&bin);
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let path = path.to_str().context("a PATH that is not UTF-8")?;
    for checked in [
        &["--verifytypes", "synclave", "--ignoreexternal"][..],
        &["--level", "error", every_call],
    ] {
        run::program(&[&[text(&pyright)?], checked].concat(), &[("PATH", path)])?;
    }
    Ok(())
}

const FALSE_ROOM: &str = "false_room";

/// The file of a folder that holds one.
pub(crate) fn only_file(folder: &Path) -> anyhow::Result<PathBuf> {
    let mut files = fs::read_dir(folder).with_context(|| format!("{}", folder.display()))?;
    let file = files
        .next()
        .with_context(|| format!("{} has no file", folder.display()))??;
    Ok(file.path())
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path that is not UTF-8")
}
