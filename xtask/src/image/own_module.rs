//! Our own kernel module, for kernels that do not read devices from their command line.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use image::Module;

use super::read;

const NAME: &str = "virtio_mmio_cmdline";

/// Builds the module from the sources in `root`, against the headers in the folder of Debian's
/// unpacked packages. What it gives depends on neither folder.
pub(super) fn build(root: &Path, packages: &Path, release: &str) -> anyhow::Result<Module> {
    let headers = packages.join(format!("usr/src/linux-headers-{release}"));
    point_headers_here(packages, &headers)?;
    let work = root.join("target/kernel-module");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work)?;
    for file in ["Kbuild", "virtio_mmio_cmdline.c"] {
        let source = root.join("deploy/kernel").join(file);
        fs::copy(&source, work.join(file)).with_context(|| source.display().to_string())?;
    }
    let unnamed = |folder: &Path| format!("-ffile-prefix-map={}=.", folder.display());
    run(Command::new("make")
        .args(["--silent", "modules"])
        .arg(format!("--directory={}", headers.display()))
        .arg(format!("M={}", work.display()))
        .arg(format!("KCFLAGS={} {}", unnamed(&work), unnamed(packages)))
        // Of a build that this one is part of.
        .env_remove("MAKEFLAGS"))?;
    let file = work.join(format!("{NAME}.ko"));
    run(Command::new("strip")
        .args(["--strip-debug", "--remove-section=.note.gnu.build-id"])
        .arg(&file))?;
    Module::parse(read(&file)?).with_context(|| file.display().to_string())
}

/// Debian's headers expect to lie below /usr/src. Their `vmlinux` is there for type information
/// only, which needs another tool.
fn point_headers_here(packages: &Path, headers: &Path) -> anyhow::Result<()> {
    let makefile = headers.join("Makefile");
    let problem = || format!("the kernel's headers in {}", headers.display());
    let text = fs::read_to_string(&makefile).with_context(problem)?;
    if let Some(rest) = text.strip_prefix("include /usr/src/") {
        let text = format!("include {}/usr/src/{rest}", packages.display());
        fs::write(&makefile, text).with_context(problem)?;
    }
    let vmlinux = headers.join("vmlinux");
    if vmlinux.exists() {
        fs::remove_file(vmlinux).with_context(problem)?;
    }
    Ok(())
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| {
        format!(
            "could not start `{program}`, which builds the kernel module; \
                 `scripts/install-tools` installs what it takes"
        )
    })?;
    ensure!(
        output.status.success(),
        "`{program}` could not build the kernel module: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
