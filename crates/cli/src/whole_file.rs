//! Files are written whole or not at all.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::NamedTempFile;

use crate::exit::BadInput;
use crate::file_identity::{Place, folder_of};
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
    let mut taken: Vec<(String, Place)> = Vec::new();
    for (what, path) in given(inputs) {
        taken.push((what, Place::of(&path).unwrap_or(Place::as_given(path))));
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
        if let Some(why) = cannot_be_replaced(&path) {
            return refuse(why.to_owned());
        }
        let Some(place) = Place::of(&path) else {
            return refuse("there is no such folder; make it first".to_owned());
        };
        let same = |(_, taken): &&(String, Place)| taken.holds_one_file_with(&place);
        if let Some((other, _)) = taken.iter().find(same) {
            return refuse(format!("that is {other}, which would be lost"));
        }
        taken.push((what, place));
    }
    Ok(())
}

#[cfg(unix)]
fn cannot_be_replaced(_: &Path) -> Option<&'static str> {
    // A rename asks nothing of the file whose place it takes.
    None
}

/// Windows does not replace a file that another program has open, as Excel has its workbooks, nor
/// one that is marked as read-only.
#[cfg(windows)]
fn cannot_be_replaced(path: &Path) -> Option<&'static str> {
    use std::os::windows::fs::OpenOptionsExt;

    use crate::file_identity::is_device_name;
    // Win32's names of them.
    const GENERIC_WRITE: u32 = 0x4000_0000;
    const DELETE: u32 = 0x0001_0000;
    const ERROR_SHARING_VIOLATION: i32 = 32;

    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if is_device_name(&name) {
        return Some("it is the name of a device, and no regular file");
    }
    let opened = fs::OpenOptions::new()
        .access_mode(GENERIC_WRITE | DELETE)
        .open(path);
    let error = opened.err()?;
    match (error.raw_os_error(), error.kind()) {
        (Some(ERROR_SHARING_VIOLATION), _) => {
            Some("another program has it open; close it there first")
        }
        (_, std::io::ErrorKind::PermissionDenied) => {
            Some("it is read-only, or you may not change it")
        }
        // It is not there, which is as well.
        _ => None,
    }
}

/// A file with all it should hold, under a temporary name in the same folder. What stands in its
/// place stays until it is [kept](keep).
pub(crate) struct Prepared {
    /// As the person gave it.
    shown: PathBuf,
    /// Where the file will be.
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
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    // In the same folder: only within one file system does a rename replace a file at once. And
    // under the lock: an interruption between creating and noting it would leave it behind.
    let mut file = {
        let mut unfinished = unfinished();
        let file = temporary(folder_of(&place)).with_context(problem)?;
        unfinished.files.push(file.path().to_owned());
        file
    };
    {
        let mut buffered = BufWriter::new(file.as_file_mut());
        write(&mut buffered)?;
        buffered.flush().with_context(problem)?;
    }
    Ok(Prepared {
        shown: path.to_owned(),
        path: place,
        file,
    })
}

/// Lets files take their places. An interruption comes before all of them or after.
pub(crate) fn keep(files: Vec<Prepared>) -> anyhow::Result<()> {
    let mut unfinished = unfinished();
    for Prepared { shown, path, file } in files {
        let temporary = file.path().to_owned();
        // A rename, so that readers see the old file or the new one, and never half of it.
        file.persist(&path)
            .with_context(|| format!("could not write {}", shown.display()))?;
        unfinished.files.retain(|file| *file != temporary);
        unfinished.kept = true;
    }
    Ok(())
}

/// As any new file of the person's, under their umask; by itself a temporary file would be private.
#[cfg(unix)]
fn temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    let everyone = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    let mut builder = tempfile::Builder::new();
    builder.permissions(everyone).tempfile_in(folder)
}

/// With the access list of its folder, as any new file.
#[cfg(windows)]
fn temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    NamedTempFile::new_in(folder)
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
