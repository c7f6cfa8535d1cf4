//! Decompression of a whole file while it streams in.

use std::cell::Cell;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

use crate::account::Account;
use crate::error::TableError;
use crate::read_limits::ReadLimits;
use crate::read_options::Packing;
use crate::work;

/// Bytes of memory beside the window.
const BUFFERS: u64 = 512 << 10;
/// The window of gzip, and of Zstandard the smallest and the largest that is allowed, as powers of
/// two. 8 MiB are what its levels up to 19 take, 128 MiB what `--ultra` and `--long` may.
const GZIP_WINDOW: u32 = 15;
const LEAST_WINDOW: u32 = 23;
const LARGEST_WINDOW: u32 = 27;

/// The bytes that a compressed file stands for. Its decoder takes no more memory than the account
/// has, and gives no more bytes than a file of its length may stand for.
pub(crate) struct Unpacked<'a> {
    decoder: Box<dyn Read + 'a>,
    packing: Packing,
    file: Rc<FileSoFar>,
    unpacked: u64,
    max_bytes: u64,
    account: &'a Account,
    /// Taken of the account.
    memory: u64,
    wanted: &'a dyn Fn() -> bool,
}

/// What the decoder has taken of the file.
#[derive(Default)]
struct FileSoFar {
    bytes: Cell<u64>,
    /// The file itself could not be read: an error is not the fault of its contents.
    broken: Cell<bool>,
}

struct Watched<'a> {
    input: Box<dyn Read + 'a>,
    file: Rc<FileSoFar>,
}

impl<'a> Unpacked<'a> {
    pub(crate) fn new(
        packing: Packing,
        input: Box<dyn Read + 'a>,
        limits: &ReadLimits,
        account: &'a Account,
        wanted: &'a dyn Fn() -> bool,
    ) -> Result<Self, TableError> {
        let window = match packing {
            Packing::Gzip => GZIP_WINDOW,
            // An eighth of what there is for the table.
            Packing::Zstandard => (account.left() / 8 + 1)
                .ilog2()
                .clamp(LEAST_WINDOW, LARGEST_WINDOW),
        };
        let memory = (1 << window) + BUFFERS;
        account.take(memory)?;
        let file = Rc::new(FileSoFar::default());
        let input = BufReader::new(Watched {
            input,
            file: Rc::clone(&file),
        });
        let decoder: Box<dyn Read + 'a> = match packing {
            Packing::Gzip => Box::new(MultiGzDecoder::new(input)),
            Packing::Zstandard => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
                decoder.window_log_max(window)?;
                Box::new(decoder)
            }
        };
        Ok(Self {
            decoder,
            packing,
            file,
            unpacked: 0,
            max_bytes: limits.max_bytes,
            account,
            memory,
            wanted,
        })
    }

    fn refusal(&self, error: io::Error) -> io::Error {
        if self.file.broken.get() {
            return error;
        }
        let packing = self.packing;
        match error.kind() {
            io::ErrorKind::UnexpectedEof => TableError::PackedCutOff { packing },
            _ => TableError::PackedDamaged { packing },
        }
        .into_io()
    }
}

impl Read for Unpacked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // A few bytes may stand for minutes of work: somebody must still wait for it.
        if !(self.wanted)() {
            return Err(TableError::Unwanted.into_io());
        }
        let count = match self.decoder.read(buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => return Err(self.refusal(error)),
        };
        self.unpacked += count as u64;
        let limit = work::most_for(self.file.bytes.get(), self.max_bytes);
        if self.unpacked > limit {
            return Err(TableError::TooMuchUnpacked { limit }.into_io());
        }
        Ok(count)
    }
}

/// Its memory is given back.
impl Drop for Unpacked<'_> {
    fn drop(&mut self) {
        self.account.give(self.memory);
    }
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer);
        match &read {
            Ok(count) => self.file.bytes.set(self.file.bytes.get() + *count as u64),
            Err(error) => self
                .file
                .broken
                .set(error.kind() != io::ErrorKind::Interrupted),
        }
        read
    }
}
