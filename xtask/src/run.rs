//! Running other programs from the repository's root.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// The repository's root folder.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .expect("xtask lies in the repository's root")
        .to_path_buf()
}

/// Where `scripts/install-tools` puts what the checks need besides Rust.
pub(crate) fn tools() -> PathBuf {
    if let Some(named) = std::env::var_os("SYNCLAVE_TOOLS") {
        return named.into();
    }
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("."), PathBuf::from);
    home.join(".cache/synclave/tools")
}

/// Runs a program of the tools folder or of the PATH in the repository's root; its output goes
/// straight through.
pub(crate) fn program(command: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<()> {
    end(command, environment, |_| Ok(()))
}

/// The same, with its output in a file.
pub(crate) fn program_into(
    command: &[&str],
    environment: &[(&str, &str)],
    output: &File,
) -> anyhow::Result<()> {
    end(command, environment, |program| {
        program
            .stdout(output.try_clone()?)
            .stderr(output.try_clone()?);
        Ok(())
    })
}

fn end(
    command: &[&str],
    environment: &[(&str, &str)],
    prepare: impl FnOnce(&mut Command) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (name, arguments) = command.split_first().context("an empty command")?;
    let installed = tools().join("bin").join(name);
    let program = if installed.exists() {
        installed
    } else {
        PathBuf::from(name)
    };
    let mut program = Command::new(&program);
    program
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(root());
    prepare(&mut program)?;
    let status = program.status().with_context(|| {
        format!("could not start `{name}`; `scripts/install-tools` installs what the checks need")
    })?;
    if !status.success() {
        bail!("`{}` ended with {status}", command.join(" "));
    }
    Ok(())
}

/// What a program prints about itself, on one line.
pub(crate) fn first_line_of(program: &str, argument: &str) -> anyhow::Result<String> {
    let output = Command::new(program)
        .arg(argument)
        .output()
        .with_context(|| format!("could not start `{program}`"))?;
    match String::from_utf8_lossy(&output.stdout).lines().next() {
        Some(line) if output.status.success() => Ok(line.to_owned()),
        _ => bail!("`{program} {argument}` ended with {}", output.status),
    }
}
