//! That the same sources give the same image in another folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use image::Image;

use super::Packed;
use crate::run;

/// Builds again from a copy of the tree in the tools folder, where only the compiled dependencies
/// of an earlier check are kept.
pub(super) fn same_elsewhere(
    here: &Packed,
    root: &Path,
    build: impl FnOnce(&Path) -> anyhow::Result<Packed>,
) -> anyhow::Result<()> {
    let elsewhere = run::tools().join("image-check/another-folder");
    eprintln!("building again in {}", elsewhere.display());
    copy_tree(root, &elsewhere)?;
    let there = build(&elsewhere)?;
    if here.eif() != there.eif() {
        bail!(
            "the image is not the same in another folder: {}",
            difference(here, &there)?
        );
    }
    ensure!(
        here.measurements() == there.measurements(),
        "measurements.json is not the same in another folder"
    );
    eprintln!("the same image came out of another folder");
    Ok(())
}

/// The first section that differs, and how.
fn difference(here: &Packed, there: &Packed) -> anyhow::Result<String> {
    let (a, b) = (Image::parse(here.eif())?, Image::parse(there.eif())?);
    for (a, b) in a.sections().iter().zip(b.sections()) {
        if a.bytes() == b.bytes() {
            continue;
        }
        let same = a.bytes().iter().zip(b.bytes()).take_while(|(a, b)| a == b);
        return Ok(format!(
            "its {} at {} has {} and {} bytes, which differ from byte {} on",
            a.kind(),
            a.offset(),
            a.bytes().len(),
            b.bytes().len(),
            same.count()
        ));
    }
    Ok("one has more sections".into())
}

/// Everything that git knows or would add, as it is now.
fn copy_tree(root: &Path, to: &Path) -> anyhow::Result<()> {
    remove_all_but_target(to)?;
    for file in files(root)? {
        let target = to.join(&file);
        let parent = target.parent().context("files lie in folders")?;
        fs::create_dir_all(parent)?;
        fs::copy(root.join(&file), &target).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

fn remove_all_but_target(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name == "target") {
            continue;
        }
        if path.is_dir() {
            fs::remove_dir_all(path)?;
        } else {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn files(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .context("could not start `git`, which tells what belongs to the tree")?;
    ensure!(
        output.status.success(),
        "`git ls-files` failed; --check needs a clone that git trusts: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let names = String::from_utf8(output.stdout)?;
    let files = names.split('\0').filter(|name| !name.is_empty());
    Ok(files
        .map(PathBuf::from)
        .filter(|file| root.join(file).is_file())
        .collect())
}
