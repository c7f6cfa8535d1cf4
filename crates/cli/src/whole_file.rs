//! Files are written whole or not at all.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use tempfile::NamedTempFile;

/// Writes a file through a temporary one in the same folder, which takes its place only once `write` has succeeded. What stood there before stays
/// until then.
pub(crate) fn write(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let problem = || format!("could not write {}", path.display());
    let mut file = temporary(folder).with_context(problem)?;
    {
        let mut buffered = BufWriter::new(file.as_file_mut());
        write(&mut buffered)?;
        buffered.flush().with_context(problem)?;
    }
    file.persist(path).with_context(problem)?;
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
