//! Whether two paths lead to one file.

use std::fs;
use std::path::{Path, PathBuf};

/// Where a file is, or where one that is not there yet will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place(PathBuf);

impl Place {
    /// With links followed. `None` where there is no such folder.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        if let Ok(found) = fs::canonicalize(path) {
            return Some(Self(found));
        }
        let folder = fs::canonicalize(folder_of(path)).ok()?;
        Some(Self(folder.join(path.file_name()?)))
    }

    /// What the path says, of a file that is not looked for.
    pub(crate) fn as_given(path: PathBuf) -> Self {
        Self(path)
    }

    /// Whether writing one would write the other: the same place, or one file under two names.
    pub(crate) fn holds_one_file_with(&self, other: &Self) -> bool {
        is_one_name(&self.0, &other.0) || is_one_file(&self.0, &other.0)
    }
}

/// Whether both lead to one file that is there, by links or by two names of it.
#[cfg(unix)]
pub(crate) fn is_one_file(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let inode = |path| fs::metadata(path).map(|it| (it.dev(), it.ino()));
    matches!((inode(a), inode(b)), (Ok(a), Ok(b)) if a == b)
}

/// Whether both lead to one file that is there, by links or by two names of it.
#[cfg(windows)]
pub(crate) fn is_one_file(a: &Path, b: &Path) -> bool {
    // Files are opened for it: a pipe would take that for its reader.
    a.is_file() && b.is_file() && same_file::is_same_file(a, b).unwrap_or(false)
}

#[cfg(unix)]
fn is_one_name(a: &Path, b: &Path) -> bool {
    a == b
}

/// Windows looks names up without regard to case.
#[cfg(windows)]
fn is_one_name(a: &Path, b: &Path) -> bool {
    let folded = |path: &Path| path.to_string_lossy().to_lowercase();
    folded(a) == folded(b)
}

/// The folder that a path's file is in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Whether Windows takes a file's name for one of its devices, whatever ending it has.
#[cfg(any(windows, test))]
pub(crate) fn is_device_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let stem = stem.trim_end().to_ascii_uppercase();
    let is_numbered = |device| {
        let number = stem.strip_prefix(device).map(str::as_bytes);
        matches!(number, Some([b'1'..=b'9']))
    };
    ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str())
        || is_numbered("COM")
        || is_numbered("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_windows_devices_are_known() {
        for name in [
            "nul",
            "NUL.csv",
            "Con",
            "aux.tar.gz",
            "com1",
            "LPT9.xlsx",
            "prn .",
        ] {
            assert!(is_device_name(name), "{name}");
        }
        for name in [
            "null.csv", "console", "com.csv", "com0", "com10", "rows.nul", "",
        ] {
            assert!(!is_device_name(name), "{name}");
        }
    }

    #[test]
    fn one_file_under_two_names_is_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["a", "b"] {
            fs::write(path(name), "the same bytes").unwrap();
        }
        fs::hard_link(path("a"), path("linked")).unwrap();
        assert!(is_one_file(&path("a"), &path("linked")));
        assert!(!is_one_file(&path("a"), &path("b")));
        let place = |name: &str| Place::of(&path(name)).unwrap();
        assert!(place("a").holds_one_file_with(&place("linked")));
        assert!(place("new").holds_one_file_with(&place("new")));
        assert!(!place("new").holds_one_file_with(&place("a")));
        assert_eq!(
            place("NEW").holds_one_file_with(&place("new")),
            cfg!(windows)
        );
    }
}
