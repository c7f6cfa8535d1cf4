//! Files that their owner alone may open: how they are made, and how one is found to be open to
//! others.
//!
//! On Unix that is a matter of the file's mode. On Windows it is one of its access list, which a
//! new file takes from its folder: in `C:\Users\NAME` only that user, the administrators and the
//! system are listed, and in other folders mostly every user of the machine.
//!
//! ```
//! # fn main() -> std::io::Result<()> {
//! # let folder = tempfile::tempdir()?;
//! let key = folder.path().join("key");
//! drop(private_file::create_new(&key)?);
//! assert_eq!(private_file::exposure(&std::fs::File::open(&key)?)?, None);
//! # Ok(())
//! # }
//! ```

// Only the part for Windows has unsafe code: the standard library cannot make a file with an access
// list, nor read one.
#![cfg_attr(not(windows), forbid(unsafe_code))]

#[cfg(any(windows, test))]
mod access_list;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

/// Makes a file for writing that its owner alone may open, and nobody else at any moment: mode 600
/// on Unix, on Windows an access list with the user alone that does not follow the folder's.
///
/// It neither overwrites a file nor follows a link that somebody put there. A file system without
/// rights, such as FAT on a memory stick, ignores them; [`exposure`] tells.
///
/// # Errors
/// Those of the operating system; [`io::ErrorKind::AlreadyExists`] where there is a file.
pub fn create_new(path: &Path) -> io::Result<File> {
    system::create_new(path)
}

/// Finds out whether others than its owner may open a file. On Windows administrators and the
/// system are no others, as they can open every file; nor is root on Unix.
///
/// `None` is also the answer for what is not a regular file: a pipe has ended before anybody else
/// comes.
///
/// # Errors
/// Those of the operating system.
pub fn exposure(file: &File) -> io::Result<Option<Exposure>> {
    match file.metadata()?.is_file() {
        true => system::exposure(file),
        false => Ok(None),
    }
}

/// That others may open a file, and by what. [`Display`](fmt::Display) tells the latter, such as
/// "mode 0644".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure(system::Exposure);

impl Exposure {
    /// What the owner is to run to close the file at this path to others, in backquotes.
    #[must_use]
    pub fn remedy(&self, path: &Path) -> String {
        self.0.remedy(path)
    }
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
