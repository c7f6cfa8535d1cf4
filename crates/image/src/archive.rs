//! Ramdisks: cpio archives of the form `newc`, the same for the same entries.
//!
//! Described in the kernel's `Documentation/driver-api/early-userspace/buffer-format.rst`. Every
//! entry belongs to user 0 and group 0, is of the time 0, has one link, and is numbered in the
//! order of writing; nothing of the machine that writes it comes through.
// Not the crate `cpio`: it writes what it is told, also a path twice or one whose folder is
// missing, which the kernel would unpack in its own way.

use std::collections::BTreeMap;

const MAGIC: &str = "070701";
const FOLDER: u32 = 0o040_000;
const CHARACTER_DEVICE: u32 = 0o020_000;
const REGULAR_FILE: u32 = 0o100_000;
const PERMISSIONS: u32 = 0o7777;
const TRAILER: &str = "TRAILER!!!";
/// The kernel wants what follows a name or a file on a multiple of four; loaders put archives one
/// after the other on such.
const ALIGNMENT: usize = 4;

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
        self.entry(path, FOLDER | (permissions & PERMISSIONS), (0, 0), &[])
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
        let mode = REGULAR_FILE | (permissions & PERMISSIONS);
        self.entry(path, mode, (0, 0), contents)
    }

    /// With a character device.
    ///
    /// # Errors
    /// As [`Archive::folder`].
    pub fn character_device(
        self,
        path: &str,
        permissions: u32,
        (major, minor): (u32, u32),
    ) -> Result<Archive, InvalidArchive> {
        let mode = CHARACTER_DEVICE | (permissions & PERMISSIONS);
        self.entry(path, mode, (major, minor), &[])
    }

    /// The archive's bytes, with the entry that ends it.
    pub fn finish(mut self) -> Vec<u8> {
        self.write(TRAILER, 0, 0, (0, 0), &[], 0);
        self.bytes
    }

    fn entry(
        mut self,
        path: &str,
        mode: u32,
        device: (u32, u32),
        contents: &[u8],
    ) -> Result<Archive, InvalidArchive> {
        self.check(path)?;
        let size = u32::try_from(contents.len())
            .map_err(|_| InvalidArchive::TooLarge { path: path.into() })?;
        self.entries.insert(path.into(), mode & FOLDER == FOLDER);
        let inode = u32::try_from(self.entries.len()).expect("entries fit into memory");
        self.write(path, inode, mode, device, contents, size);
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

    fn write(
        &mut self,
        path: &str,
        inode: u32,
        mode: u32,
        (major, minor): (u32, u32),
        contents: &[u8],
        size: u32,
    ) {
        let name_size = u32::try_from(path.len() + 1).expect("paths are short");
        // Owner, links and time are constants, so that the same files give the same archive, and
        // the same PCR0, on every machine.
        let (user, group, links, time, check) = (0, 0, 1, 0, 0);
        let fields = [
            inode, mode, user, group, links, time, size, 0, 0, major, minor, name_size, check,
        ];
        self.bytes.extend(MAGIC.as_bytes());
        for field in fields {
            self.bytes.extend(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(contents);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes
            .resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
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
        assert_eq!(bytes.len() % ALIGNMENT, 0);
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
