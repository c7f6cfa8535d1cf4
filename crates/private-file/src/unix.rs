//! Files and their modes.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// What group and others may do with a file.
const OTHERS: u32 = 0o077;

/// The permissions of owner, group and others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exposure {
    mode: u32,
}

pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // With the mode from the start: between creating and changing it others could open the file.
    options.write(true).create_new(true).mode(0o600).open(path)
}

pub(crate) fn exposure(file: &File) -> io::Result<Option<crate::Exposure>> {
    let mode = file.metadata()?.permissions().mode() & 0o777;
    Ok((mode & OTHERS != 0).then_some(crate::Exposure(Exposure { mode })))
}

impl Exposure {
    pub(crate) fn remedy(&self, path: &Path) -> String {
        format!("`chmod 600 {}`", shell_word(path))
    }
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mode {:04o}", self.mode)
    }
}

/// The path as a shell takes it.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    match text.bytes().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_new_file_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let file = create_new(&path).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let again = create_new(&path).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_file_that_others_may_open_is_told_with_its_mode_and_the_command_that_closes_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let file = create_new(&path).unwrap();
        let found = |mode| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            crate::exposure(&file).unwrap().map(|it| it.to_string())
        };
        for mode in [0o600, 0o400, 0o700] {
            assert_eq!(found(mode), None, "{mode:o}");
        }
        for mode in [0o644, 0o640, 0o604, 0o660] {
            assert_eq!(found(mode), Some(format!("mode {mode:04o}")));
        }
        assert_eq!(
            Exposure { mode: 0o644 }.remedy("my keys/it's.der".as_ref()),
            r"`chmod 600 'my keys/it'\''s.der'`"
        );
    }
}
