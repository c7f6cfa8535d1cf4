//! Files are written whole or not at all.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::NamedTempFile;

use crate::exit::BadInput;
use crate::interrupt::unfinished;

/// The name that stands for standard input or output.
pub(crate) const STANDARD: &str = "-";

/// Refuses, before anything is spent, outputs that cannot be written, would take the place of a
/// file that is read, or of each other. Each path comes with what it is for.
pub(crate) fn check_outputs(
    outputs: &[(&str, Option<&Path>)],
    inputs: &[(&str, Option<&Path>)],
) -> Result<(), BadInput> {
    let given = |all: &[(&str, Option<&Path>)]| -> Vec<(String, PathBuf)> {
        let given = all.iter().filter_map(|(what, path)| Some((what, (*path)?)));
        given
            .map(|(what, path)| ((*what).to_owned(), path.to_owned()))
            .collect()
    };
    let mut taken: Vec<(String, PathBuf)> = Vec::new();
    for (what, path) in given(inputs) {
        taken.push((what, identity(&path).unwrap_or(path)));
    }
    for (what, path) in given(outputs) {
        let shown = path.display();
        let refuse = |why: String| Err(BadInput(format!("{what} cannot be {shown}: {why}")));
        if path == Path::new(STANDARD) {
            return refuse("standard output is for the rows alone; name a file".to_owned());
        }
        if let Ok(metadata) = fs::metadata(&path)
            && !metadata.is_file()
        {
            let kind = if metadata.is_dir() {
                "it is a folder; name a file in it"
            } else {
                "it is no regular file, and a file would take its place"
            };
            return refuse(kind.to_owned());
        }
        let Some(place) = identity(&path) else {
            return refuse("there is no such folder; make it first".to_owned());
        };
        if let Some((other, _)) = taken.iter().find(|(_, taken)| is_same_file(taken, &place)) {
            return refuse(format!("that is {other}, which would be lost"));
        }
        taken.push((what, place));
    }
    Ok(())
}

/// Where a file is, links followed; of one that is not there yet, where it will be.
fn identity(path: &Path) -> Option<PathBuf> {
    if let Ok(found) = fs::canonicalize(path) {
        return Some(found);
    }
    let folder = fs::canonicalize(folder_of(path)).ok()?;
    Some(folder.join(path.file_name()?))
}

/// The same place, or one file under two names.
fn is_same_file(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    let has_one_inode = || {
        use std::os::unix::fs::MetadataExt;
        let inode = |path| fs::metadata(path).map(|it| (it.dev(), it.ino()));
        matches!((inode(a), inode(b)), (Ok(a), Ok(b)) if a == b)
    };
    #[cfg(not(unix))]
    let has_one_inode = || false;
    a == b || has_one_inode()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A file with all it should hold, under a temporary name in the same folder. What stands in its
/// place stays until it is [kept](keep).
pub(crate) struct Prepared {
    path: PathBuf,
    file: NamedTempFile,
}

/// Writes a file that takes its place only once it is whole.
pub(crate) fn write(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    keep(vec![prepare(path, write)?])
}

/// Writes all of a file under a temporary name.
pub(crate) fn prepare(
    path: &Path,
    write: impl FnOnce(&mut (dyn Write + Send)) -> anyhow::Result<()>,
) -> anyhow::Result<Prepared> {
    let problem = || format!("could not write {}", path.display());
    // A link stays, and what it leads to is replaced.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    // In the same folder: only within one file system does a rename replace a file at once. And
    // under the lock: an interruption between creating and noting it would leave it behind.
    let mut file = {
        let mut unfinished = unfinished();
        let file = temporary(folder_of(path)).with_context(problem)?;
        unfinished.files.push(file.path().to_owned());
        file
    };
    {
        let mut buffered = BufWriter::new(file.as_file_mut());
        write(&mut buffered)?;
        buffered.flush().with_context(problem)?;
    }
    let path = path.to_owned();
    Ok(Prepared { path, file })
}

/// Lets files take their places. An interruption comes before all of them or after.
pub(crate) fn keep(files: Vec<Prepared>) -> anyhow::Result<()> {
    let mut unfinished = unfinished();
    for Prepared { path, file } in files {
        let temporary = file.path().to_owned();
        // A rename, so that readers see the old file or the new one, and never half of it.
        file.persist(&path)
            .with_context(|| format!("could not write {}", path.display()))?;
        unfinished.files.retain(|file| *file != temporary);
        unfinished.kept = true;
    }
    Ok(())
}

/// As any new file of the person's, under their umask; by itself a temporary file would be private.
fn temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    let everyone = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(everyone);
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        write(&path, |out| Ok(out.write_all(b"first")?)).unwrap();
        let failed = write(&path, |out| {
            out.write_all(b"half")?;
            anyhow::bail!("the disk is on fire")
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
