//! The enclave's program, static and the same wherever it is built.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use super::read;
use crate::run::first_line_of;

const TARGET: &str = "x86_64-unknown-linux-musl";
const PROGRAM: &str = "synclave-enclave";
/// Ends options within one variable of Cargo's.
const SEPARATOR: &str = "\u{1f}";

/// Builds `synclave-enclave` from the sources in `root`. Paths of this machine are replaced before
/// they get into it.
pub(super) fn build(root: &Path) -> anyhow::Result<Vec<u8>> {
    eprintln!("building {PROGRAM} for {TARGET}");
    let sysroot = first_line_of("rustc", "--print=sysroot")?;
    let replaced = [
        (root.to_path_buf(), "/synclave"),
        (cargo_home(), "/cargo"),
        (PathBuf::from(sysroot), "/rust"),
    ];
    let options = |option: &str, separator: &str| {
        let options: Vec<String> = replaced
            .iter()
            .map(|(path, name)| format!("{option}={}={name}", path.display()))
            .collect();
        options.join(separator)
    };
    let target = root.join("target");
    let status = Command::new("cargo")
        .args([
            "build",
            "--locked",
            "--package",
            "synclave-enclave",
            "--bin",
            PROGRAM,
        ])
        .args(["--profile", "image", "--target", TARGET])
        .current_dir(root)
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_INCREMENTAL", "0")
        .env_remove("RUSTFLAGS")
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            options("--remap-path-prefix", SEPARATOR),
        )
        .env(
            "CFLAGS_x86_64_unknown_linux_musl",
            options("-ffile-prefix-map", " "),
        )
        .env("SOURCE_DATE_EPOCH", "0")
        .status()
        .context("could not start `cargo`")?;
    ensure!(
        status.success(),
        "{PROGRAM} could not be built. It needs Rust's target {TARGET} and a C compiler for it \
         (Debian's musl-tools); `scripts/install-tools` installs both"
    );
    read(&target.join(TARGET).join("image").join(PROGRAM))
}

/// That a program is x86-64, and needs no loader, which the image does not have.
pub(super) fn check_static(program: &[u8]) -> anyhow::Result<()> {
    ensure!(
        program.starts_with(b"\x7fELF\x02\x01") && program.get(18..20) == Some(&[62, 0]),
        "the program is not an x86-64 ELF file"
    );
    ensure!(
        !has_interpreter(program).context("the program's headers are cut off")?,
        "the program is not static: it asks for a dynamic loader, and there is none in the image"
    );
    Ok(())
}

/// Whether an ELF file has a program header of the type `PT_INTERP`; nothing if its headers are not
/// whole.
fn has_interpreter(elf: &[u8]) -> Option<bool> {
    const INTERPRETER: u32 = 3;
    let start = u64::from_le_bytes(*elf.get(32..)?.first_chunk()?);
    let size = u16::from_le_bytes(*elf.get(54..)?.first_chunk()?);
    let count = u16::from_le_bytes(*elf.get(56..)?.first_chunk()?);
    for index in 0..usize::from(count) {
        let at = usize::try_from(start)
            .ok()?
            .checked_add(index * usize::from(size))?;
        if u32::from_le_bytes(*elf.get(at..)?.first_chunk()?) == INTERPRETER {
            return Some(true);
        }
    }
    Some(false)
}

fn cargo_home() -> PathBuf {
    if let Some(named) = std::env::var_os("CARGO_HOME") {
        return named.into();
    }
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    home.join(".cargo")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header of an ELF file for `machine`, and one program header of the type `kind`.
    fn elf(machine: u8, kind: u8) -> Vec<u8> {
        let mut bytes = vec![0; 64 + 56];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[18] = machine;
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = 1;
        bytes[64] = kind;
        bytes
    }

    fn refusal(program: &[u8]) -> String {
        check_static(program).expect_err("not static").to_string()
    }

    #[test]
    fn only_a_program_that_needs_no_loader_is_packed() {
        check_static(&elf(62, 1)).expect("it only loads itself");
        assert!(refusal(&elf(62, 3)).contains("dynamic loader"));
        assert!(refusal(&elf(183, 1)).contains("not an x86-64"));
        assert!(refusal(b"#!/bin/sh").contains("not an x86-64"));
        assert!(refusal(&elf(62, 1)[..64]).contains("cut off"));
    }

    #[test]
    fn this_very_test_needs_a_loader_and_is_refused() {
        let path = std::env::current_exe().expect("tests are files");
        assert!(refusal(&read(&path).expect("it can be read")).contains("dynamic loader"));
    }
}
