//! Ramdisks: cpio archives of the form `newc`, the same for the same entries.
//!
//! Described in the kernel's `Documentation/driver-api/early-userspace/buffer-format.rst`. Every
//! entry belongs to user 0 and group 0, is of the time 0, has one link, and is numbered in the
//! order of writing; nothing of the machine that writes it comes through.
// The crate `cpio` writes what it is told, also a path twice or one whose folder is missing, which
// the kernel would unpack in its own way: what may be written is decided here.

use std::collections::BTreeMap;
use std::io::Write;

use cpio::newc::{self, ModeFileType};

const PERMISSIONS: u32 = 0o7777;
const TRAILER: &str = "TRAILER!!!";
/// Why writing cannot fail.
const IN_MEMORY: &str = "memory takes as many bytes as were announced";

/// An archive being written. Entries are written in the order of the calls.
#[derive(Debug, Clone, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: BTreeMap<String, bool>,
}

impl Archive {
    /// One without entries.
    pub fn new() -> Archive {
        Archive::default()
    }

    /// With a folder.
    ///
    /// # Errors
    /// When the path is not a plain one, is there already, or its parent is not a folder of this
    /// archive; see [`InvalidArchive`].
    pub fn folder(self, path: &str, permissions: u32) -> Result<Archive, InvalidArchive> {
        self.entry(path, ModeFileType::Directory, permissions, (0, 0), &[])
    }

    /// With a file.
    ///
    /// # Errors
    /// As [`Archive::folder`]; also when it is 4 GiB or longer.
    pub fn file(
        self,
        path: &str,
        permissions: u32,
        contents: &[u8],
    ) -> Result<Archive, InvalidArchive> {
        self.entry(path, ModeFileType::Regular, permissions, (0, 0), contents)
    }

    /// With a character device.
    ///
    /// # Errors
    /// As [`Archive::folder`].
    pub fn character_device(
        self,
        path: &str,
        permissions: u32,
        device: (u32, u32),
    ) -> Result<Archive, InvalidArchive> {
        self.entry(path, ModeFileType::Char, permissions, device, &[])
    }

    /// The archive's bytes, with the entry that ends it.
    pub fn finish(self) -> Vec<u8> {
        newc::trailer(self.bytes).expect(IN_MEMORY)
    }

    fn entry(
        mut self,
        path: &str,
        kind: ModeFileType,
        permissions: u32,
        (major, minor): (u32, u32),
        contents: &[u8],
    ) -> Result<Archive, InvalidArchive> {
        self.check(path)?;
        let size = u32::try_from(contents.len())
            .map_err(|_| InvalidArchive::TooLarge { path: path.into() })?;
        let is_folder = matches!(kind, ModeFileType::Directory);
        self.entries.insert(path.into(), is_folder);
        let inode = u32::try_from(self.entries.len()).expect("entries fit into memory");
        // Owner, links and time keep the library's constants, so that the same files give the same
        // archive, and the same PCR0, on every machine.
        let mut entry = newc::Builder::new(path)
            .ino(inode)
            .mode(permissions & PERMISSIONS)
            .set_mode_file_type(kind)
            .rdev_major(major)
            .rdev_minor(minor)
            .write(self.bytes, size);
        entry.write_all(contents).expect(IN_MEMORY);
        self.bytes = entry.finish().expect(IN_MEMORY);
        Ok(self)
    }

    fn check(&self, path: &str) -> Result<(), InvalidArchive> {
        // The name that ends an archive would end it here, and `..` lets a file land outside its
        // folder.
        let plain = |name: &str| !matches!(name, "" | "." | "..") && !name.contains('\0');
        if !path.split('/').all(plain) || path == TRAILER {
            return Err(InvalidArchive::Path { path: path.into() });
        }
        if self.entries.contains_key(path) {
            return Err(InvalidArchive::Repeated { path: path.into() });
        }
        match path.rsplit_once('/') {
            Some((parent, _)) if self.entries.get(parent) != Some(&true) => {
                Err(InvalidArchive::NoParent { path: path.into() })
            }
            _ => Ok(()),
        }
    }
}

/// Why an entry cannot be in an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidArchive {
    /// Absolute, or with an empty, `.` or `..` part.
    #[error("{path:?} is not a plain relative path")]
    Path {
        /// The path that was given.
        path: String,
    },
    /// A path is added a second time.
    #[error("{path:?} is in the archive already")]
    Repeated {
        /// The path that was given.
        path: String,
    },
    /// The kernel makes no folders on its own.
    #[error("the folder that {path:?} lies in is not in the archive before it")]
    NoParent {
        /// The path that was given.
        path: String,
    },
    /// The form has 32 bits for sizes.
    #[error("{path:?} is 4 GiB or longer")]
    TooLarge {
        /// The path that was given.
        path: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::sha384;

    fn small() -> Result<Archive, InvalidArchive> {
        Archive::new()
            .folder("dev", 0o755)?
            .character_device("dev/console", 0o600, (5, 1))?
            .file("init", 0o755, b"hello")
    }

    #[test]
    fn an_archive_is_what_the_format_says_byte_for_byte() {
        let bytes = small().expect("plain paths").finish();
        // Written out by hand from the kernel's description.
        let expected = concat!(
            "070701",
            "00000001",
            "000041ed",
            "00000000",
            "00000000",
            "00000001",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "00000004",
            "00000000",
            "dev\0\0\0",
            "070701",
            "00000002",
            "00002180",
            "00000000",
            "00000000",
            "00000001",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "00000005",
            "00000001",
            "0000000c",
            "00000000",
            "dev/console\0\0\0",
            "070701",
            "00000003",
            "000081ed",
            "00000000",
            "00000000",
            "00000001",
            "00000000",
            "00000005",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "00000005",
            "00000000",
            "init\0\0",
            "hello\0\0\0",
            "070701",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "00000001",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "00000000",
            "0000000b",
            "00000000",
            "TRAILER!!!\0\0\0\0",
        );
        assert_eq!(
            bytes.escape_ascii().to_string(),
            expected.as_bytes().escape_ascii().to_string()
        );
        assert_eq!(bytes.len() % 4, 0);
    }

    #[test]
    fn the_same_entries_give_the_same_bytes_and_another_order_gives_others() {
        let swapped = Archive::new()
            .file("init", 0o755, b"hello")
            .and_then(|archive| archive.folder("dev", 0o755))
            .and_then(|archive| archive.character_device("dev/console", 0o600, (5, 1)));
        let [a, b, c] = [small(), small(), swapped]
            .map(|archive| sha384(&archive.expect("plain paths").finish()));
        assert_eq!(a, b);
        assert_ne!(a, c);
    }

    #[test]
    fn paths_that_the_kernel_would_take_otherwise_are_refused() {
        for path in [
            "",
            "/init",
            "a//b",
            "dev/../init",
            ".",
            "dev/",
            "a\0b",
            TRAILER,
        ] {
            let refused = small().and_then(|archive| archive.file(path, 0o644, b""));
            let expected = InvalidArchive::Path { path: path.into() };
            assert_eq!(refused.expect_err(path), expected);
        }
        let again = small().and_then(|archive| archive.file("dev/console", 0o644, b""));
        assert!(matches!(again, Err(InvalidArchive::Repeated { .. })));
        for path in ["proc/x", "init/x"] {
            let orphan = small().and_then(|archive| archive.file(path, 0o644, b""));
            assert!(
                matches!(orphan, Err(InvalidArchive::NoParent { .. })),
                "{path}"
            );
        }
    }
}
