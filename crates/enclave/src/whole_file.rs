//! Files that are written whole or not at all.

use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// Puts `content` at `path`, in place of what was there; a reader sees the old file or the new one,
/// never a part.
///
/// # Errors
/// Those of the operating system; then nothing has changed.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    // In the same folder: only within one file system does a rename replace a file at once.
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = temporary(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// As any new file of the person's, under their umask; by itself a temporary file would be private.
#[cfg(unix)]
fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let everyone = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    let mut builder = tempfile::Builder::new();
    builder.permissions(everyone).tempfile_in(folder)
}

/// With the access list of its folder, as any new file.
#[cfg(windows)]
fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    NamedTempFile::new_in(folder)
}

#[cfg(test)]
mod tests {
    use std::fs;

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.pem");
        for content in ["first, and longer", "second"] {
            super::write_whole(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(super::write_whole(&folder.path().join("none/root.pem"), b"x").is_err());
    }
}
