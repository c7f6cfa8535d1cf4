//! Files are written whole or not at all.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::NamedTempFile;

use crate::interrupt::unfinished;

/// A file with all it should hold, under a temporary name in the same folder. A file that is in its
/// place stays until it is [kept](keep).
pub(crate) struct Prepared {
    path: PathBuf,
    file: NamedTempFile,
}

/// Writes a file that takes its place only once it is whole.
pub(crate) fn write(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    keep(vec![prepare(path, write)?])
}

/// Writes all of a file under a temporary name.
pub(crate) fn prepare(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<Prepared> {
    // In the same folder: only within one file system does a rename replace a file at once.
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let problem = || format!("could not write {}", path.display());
    // Under the lock: an interruption between creating and noting it would leave it behind.
    let mut file = {
        let mut unfinished = unfinished();
        let file = temporary(folder).with_context(problem)?;
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
