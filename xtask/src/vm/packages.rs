//! What the emulator runs, outside the tree: QEMU as Debian packs it, and the vsock device.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;

use crate::debian::Apt;
use crate::run;

/// Newer than the stable release's, which lacks the device that a security module can stand behind.
const QEMU_RELEASE: &str = "trixie";
const VSOCK_VERSION: &str = "0.3.0";

/// The folder with everything; what is missing is fetched first, and told.
pub(crate) fn fetch() -> anyhow::Result<PathBuf> {
    let folder = run::tools().join("vm");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    unless_there(
        &folder.join("qemu"),
        "QEMU, from Debian's backports (38 MB, 90 packages)",
        |into| {
            let state = folder.join("apt-qemu");
            Apt::open(&state, QEMU_RELEASE)?
                .unpack_with_dependencies(&["qemu-system-x86"], into)?;
            Ok(fs::remove_dir_all(state)?)
        },
    )?;
    unless_there(
        &folder.join("bin"),
        "the vsock device, built from source (about two CPU minutes)",
        |into| install_vsock(&folder, into),
    )?;
    Ok(folder)
}

/// Fills a folder that is not there: whole, or not at all.
fn unless_there(
    folder: &Path,
    what: &str,
    fill: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if folder.exists() {
        return Ok(());
    }
    eprintln!("fetching {what}");
    let start = Instant::now();
    let partial = folder.with_extension("partial");
    fs::create_dir_all(folder.parent().unwrap_or(folder))?;
    if partial.exists() {
        fs::remove_dir_all(&partial)?;
    }
    fill(&partial).with_context(|| format!("could not fetch {what}"))?;
    fs::rename(&partial, folder)?;
    eprintln!(
        "  it is in {} ({} s)",
        folder.display(),
        start.elapsed().as_secs()
    );
    Ok(())
}

fn install_vsock(folder: &Path, into: &Path) -> anyhow::Result<()> {
    let root = folder.join("cargo-install");
    let root = root
        .to_str()
        .context("the tools folder's name is not Unicode")?;
    let command = [
        "cargo",
        "install",
        "--quiet",
        "--locked",
        "--root",
        root,
        "--version",
        VSOCK_VERSION,
        "vhost-device-vsock",
    ];
    run::program(&command, &[])?;
    Ok(fs::rename(Path::new(root).join("bin"), into)?)
}
