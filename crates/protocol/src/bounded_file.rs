//! Reading files of which it is known how long they can be.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Bytes at the start of a file by which every kind can be told apart.
const START_BYTES: u64 = 64;

/// Reads a whole file that has at most `limit` bytes. What never ends, such as a device or a pipe,
/// is read up to that limit and refused.
///
/// # Errors
/// Those of the operating system; [`ErrorKind::FileTooLarge`] with a sentence that names the limit.
/// The caller adds the file's name.
pub fn read_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    BoundedFile::open(path)?.read(limit)
}

/// As [`read_file`], for text.
///
/// # Errors
/// As [`read_file`]; [`ErrorKind::InvalidData`] for what is not UTF-8.
pub fn read_text_file(path: &Path, limit: u64) -> io::Result<String> {
    let text = String::from_utf8(read_file(path, limit)?);
    text.map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// An open file whose first bytes tell what it is, and so how long it can be.
#[derive(Debug)]
pub struct BoundedFile {
    file: File,
    start: Vec<u8>,
}

impl BoundedFile {
    /// Opens a file and reads its first bytes.
    ///
    /// # Errors
    /// Those of the operating system; [`ErrorKind::IsADirectory`] for a folder.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Windows says of a folder that access is denied.
        let why = |error| match path.is_dir() {
            true => ErrorKind::IsADirectory.into(),
            false => error,
        };
        let mut file = File::open(path).map_err(why)?;
        let mut start = Vec::new();
        file.by_ref().take(START_BYTES).read_to_end(&mut start)?;
        Ok(Self { file, start })
    }

    /// The first bytes: 64, or all where there are fewer.
    pub fn start(&self) -> &[u8] {
        &self.start
    }

    /// The open file, to ask the operating system about.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Reads the rest, and gives the whole.
    ///
    /// # Errors
    /// As [`read_file`].
    pub fn read(self, limit: u64) -> io::Result<Vec<u8>> {
        let too_large = || {
            let sentence =
                format!("it has more than the {limit} bytes that are read of such a file");
            Err(io::Error::new(ErrorKind::FileTooLarge, sentence))
        };
        let metadata = self.file.metadata()?;
        // Pipes and devices have no length to go by.
        if metadata.is_file() && metadata.len() > limit {
            return too_large();
        }
        let mut content = self.start;
        // One byte more than is allowed, so that a file that is too long is seen to be.
        let left = (limit + 1).saturating_sub(content.len() as u64);
        self.file.take(left).read_to_end(&mut content)?;
        if content.len() as u64 > limit {
            return too_large();
        }
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_read_whole_up_to_its_limit_and_refused_beyond() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for length in [0, 1, 63, 64, 65, 1000] {
            fs::write(&path, vec![b'x'; length]).unwrap();
            assert_eq!(read_file(&path, 1000).unwrap().len(), length);
            assert_eq!(read_text_file(&path, length as u64).unwrap().len(), length);
            if let Some(limit) = length.checked_sub(1) {
                let error = read_file(&path, limit as u64).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::FileTooLarge);
                assert!(error.to_string().contains(&format!("{limit} bytes")));
            }
        }
    }

    #[test]
    fn text_is_utf8() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"caf\xe9").unwrap();
        let error = read_text_file(&path, 1000).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }

    #[cfg(unix)]
    #[test]
    fn what_never_ends_is_refused() {
        let error = read_file(Path::new("/dev/zero"), 1000).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
    }

    #[test]
    fn a_folder_is_called_one() {
        let folder = tempfile::tempdir().unwrap();
        let error = read_file(folder.path(), 1000).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IsADirectory);
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_read_to_its_end_and_no_further_than_the_limit() {
        use std::io::Write;
        use std::os::fd::AsRawFd;

        for (sent, taken) in [(100, true), (5000, false)] {
            let (reader, mut writer) = io::pipe().unwrap();
            let writing = std::thread::spawn(move || writer.write_all(&vec![b'x'; sent]));
            let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
            let read = read_file(Path::new(&path), 1000);
            assert_eq!(read.is_ok_and(|content| content.len() == sent), taken);
            drop(reader);
            drop(writing.join().unwrap());
        }
    }
}
