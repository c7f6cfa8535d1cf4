//! The folder that an agreement is read from.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use protocol::{Agreement, MAX_FILE_BYTES};

use crate::Error;

/// Reads `service.yaml` and `runtime.yaml` in `folder`, byte for byte.
///
/// # Errors
/// [`Error::RoomFile`], [`Error::Files`]. What the files say is not checked here.
pub fn read_agreement(folder: &Path) -> Result<Agreement, Error> {
    Ok(Agreement::new(
        read(folder, "service.yaml")?,
        read(folder, "runtime.yaml")?,
    )?)
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>, Error> {
    let path = folder.join(name);
    let mut content = Vec::new();
    // One byte more than is allowed, so that a file that is too long is seen to be.
    let limit = MAX_FILE_BYTES as u64 + 1;
    match File::open(&path).and_then(|file| file.take(limit).read_to_end(&mut content)) {
        Ok(_) => Ok(content),
        Err(source) => Err(Error::RoomFile { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::read_agreement;
    use crate::Error;

    #[test]
    fn the_files_are_taken_byte_for_byte() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("service.yaml"), "a: 1\r\n").unwrap();
        fs::write(folder.path().join("runtime.yaml"), "b: \u{e9}").unwrap();
        let agreement = read_agreement(folder.path()).unwrap();
        assert_eq!(
            (agreement.service_yaml(), agreement.runtime_yaml()),
            ("a: 1\r\n", "b: \u{e9}")
        );
    }

    #[test]
    fn a_missing_or_endless_file_is_said_so() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("service.yaml"), "a: 1").unwrap();
        let error = read_agreement(folder.path()).unwrap_err();
        assert!(
            matches!(&error, Error::RoomFile { path, .. } if path.ends_with("runtime.yaml")),
            "{error}"
        );

        fs::write(
            folder.path().join("runtime.yaml"),
            vec![b'#'; protocol::MAX_FILE_BYTES + 1],
        )
        .unwrap();
        assert!(matches!(
            read_agreement(folder.path()),
            Err(Error::Files(_))
        ));
    }
}
