//! The folder that an agreement is read from.

use std::io;
use std::path::{Path, PathBuf};

use crate::agreement::{Agreement, AgreementError, MAX_FILE_BYTES};
use crate::bounded_file::read_file;

/// Why a folder holds no agreement.
#[derive(Debug, thiserror::Error)]
pub enum RoomFolderError {
    /// A file that cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The files are not an agreement.
    #[error(transparent)]
    Agreement(#[from] AgreementError),
}

impl Agreement {
    /// Reads `service.yaml` and `runtime.yaml` in `folder`, byte for byte.
    ///
    /// # Errors
    /// [`RoomFolderError`]. What the files say is not checked here.
    pub fn read_from(folder: &Path) -> Result<Self, RoomFolderError> {
        let (service, runtime) = (read(folder, "service.yaml")?, read(folder, "runtime.yaml")?);
        Ok(Agreement::new(service, runtime)?)
    }
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>, RoomFolderError> {
    let path = folder.join(name);
    read_file(&path, MAX_FILE_BYTES as u64).map_err(|source| RoomFolderError::File { path, source })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_files_are_taken_byte_for_byte() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("service.yaml"), "a: 1\r\n").unwrap();
        fs::write(folder.path().join("runtime.yaml"), "b: \u{e9}").unwrap();
        let agreement = Agreement::read_from(folder.path()).unwrap();
        assert_eq!(
            (agreement.service_yaml(), agreement.runtime_yaml()),
            ("a: 1\r\n", "b: \u{e9}")
        );
    }

    #[test]
    fn a_missing_or_endless_file_is_said_so() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("service.yaml"), "a: 1").unwrap();
        let error = Agreement::read_from(folder.path()).unwrap_err();
        assert!(
            matches!(&error, RoomFolderError::File { path, .. } if path.ends_with("runtime.yaml")),
            "{error}"
        );

        let endless = vec![b'#'; MAX_FILE_BYTES + 1];
        fs::write(folder.path().join("runtime.yaml"), endless).unwrap();
        let error = Agreement::read_from(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("runtime.yaml") && error.contains("1048576 bytes"),
            "{error}"
        );
    }
}
