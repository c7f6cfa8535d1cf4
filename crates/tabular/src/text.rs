//! From the bytes of a file to text in UTF-8: compression and encoding are told by the first bytes.

use std::io::{self, Read};

use encoding_rs::{Encoding, UTF_8};
use zeroize::Zeroizing;

use crate::account::Account;
use crate::error::TableError;
use crate::read_limits::ReadLimits;
use crate::read_options::{Packing, ReadOptions};
use crate::transcode::Transcoded;
use crate::unpacked::Unpacked;

/// The text of a file, without a byte order mark.
pub(crate) struct Text<'a> {
    pub(crate) bytes: Peeked<Box<dyn Read + 'a>>,
    pub(crate) packing: Option<Packing>,
    pub(crate) encoding: &'static Encoding,
}

impl<'a> Text<'a> {
    /// Looks at the first bytes, and refuses what is plainly no text.
    pub(crate) fn open(
        input: Box<dyn Read + 'a>,
        options: &ReadOptions,
        limits: &ReadLimits,
        account: &'a Account,
        wanted: &'a dyn Fn() -> bool,
    ) -> Result<Self, TableError> {
        let mut bytes = Peeked::new(input);
        let packing = Packing::of(bytes.peek(SIGNATURE)?);
        if let Some(packing) = packing {
            let input: Box<dyn Read + 'a> = Box::new(bytes);
            let unpacked = Unpacked::new(packing, input, limits, account, wanted)?;
            bytes = Peeked::new(Box::new(unpacked));
        }
        let start = bytes.peek(SIGNATURE)?;
        if Packing::of(start).is_some() && packing.is_some() {
            return Err(TableError::PackedTwice);
        }
        if let Some((what, advice)) = foreign(start, options) {
            return Err(TableError::NotCsv { what, advice });
        }
        // A mark is written by programs, which know; an option by people, who may err.
        let (encoding, mark) = match Encoding::for_bom(start) {
            Some((encoding, mark)) => (encoding, mark),
            None => (options.encoding.map_or(UTF_8, |encoding| encoding.0), 0),
        };
        bytes.skip(mark);
        if encoding != UTF_8 {
            bytes = Peeked::new(Box::new(Transcoded::new(encoding, bytes)));
        }
        Ok(Self {
            bytes,
            packing,
            encoding,
        })
    }
}

/// Bytes that tell a kind of file.
const SIGNATURE: usize = 4;

/// Files that begin in a way no text does.
fn foreign(start: &[u8], options: &ReadOptions) -> Option<(&'static str, &'static str)> {
    const WITHOUT_MARK: &str = "save it with the encoding UTF-8, or on the command line name its \
                                encoding with --encoding utf-16le or utf-16be";
    match *start {
        [0xff, 0xfe, 0, 0] | [0, 0, 0xfe, 0xff] => {
            Some(("a text in UTF-32", "save it with the encoding UTF-8"))
        }
        [a, 0, b, 0] if a != 0 && b != 0 && options.encoding.is_none() => {
            Some(("a text in UTF-16", WITHOUT_MARK))
        }
        [0, a, 0, b] if a != 0 && b != 0 && options.encoding.is_none() => {
            Some(("a text in UTF-16", WITHOUT_MARK))
        }
        [b'P', b'K', 3, 4] => Some((
            "an Excel workbook or a zip archive",
            "save the sheet as CSV or Parquet, or unpack the archive",
        )),
        [b'P', b'A', b'R', b'1'] => Some((
            "a Parquet file",
            "send it by itself, and with a name or content type that says so",
        )),
        [0xd0, 0xcf, 0x11, 0xe0] => Some(("an old Excel workbook", "save the sheet as CSV")),
        [b'B', b'Z', b'h', b'1'..=b'9'] => Some(("a bzip2 archive", "unpack it")),
        [0xfd, b'7', b'z', b'X'] => Some(("an xz archive", "unpack it")),
        [b'7', b'z', 0xbc, 0xaf] => Some(("a 7-Zip archive", "unpack it")),
        _ => None,
    }
}

/// Bytes whose beginning was looked at.
pub(crate) struct Peeked<R> {
    input: R,
    head: Zeroizing<Vec<u8>>,
    /// How many of the head's bytes were handed on.
    taken: usize,
}

impl<R: Read> Peeked<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            head: Zeroizing::new(Vec::new()),
            taken: 0,
        }
    }

    /// The next bytes: as many as asked for, fewer at the end only.
    pub(crate) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        self.peek_until(count, |bytes| bytes.len() >= count)
    }

    /// The next bytes, until they are enough, or `most`, or all.
    pub(crate) fn peek_until(
        &mut self,
        most: usize,
        enough: impl Fn(&[u8]) -> bool,
    ) -> io::Result<&[u8]> {
        loop {
            let held = self.head.len() - self.taken;
            if held >= most || enough(&self.head[self.taken..]) {
                break;
            }
            // A new place, not `Vec`'s own growth, which would leave bytes of the table behind.
            let piece = held.clamp(SIGNATURE, PIECE).min(most - held);
            let mut head = Zeroizing::new(vec![0; held + piece]);
            head[..held].copy_from_slice(&self.head[self.taken..]);
            let read = read_some(&mut self.input, &mut head[held..])?;
            head.truncate(held + read);
            (self.head, self.taken) = (head, 0);
            if read == 0 {
                break;
            }
        }
        Ok(&self.head[self.taken..])
    }

    /// Leaves out bytes that were looked at.
    pub(crate) fn skip(&mut self, count: usize) {
        self.taken = (self.taken + count).min(self.head.len());
    }
}

/// Bytes that are looked at together.
const PIECE: usize = 16 << 10;

fn read_some(input: &mut impl Read, place: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(place) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

impl<R: Read> Read for Peeked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = &self.head[self.taken..];
        if rest.is_empty() {
            self.head = Zeroizing::new(Vec::new());
            self.taken = 0;
            return self.input.read(buffer);
        }
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        Ok(count)
    }
}
