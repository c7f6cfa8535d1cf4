//! The bytes of a CSV file on their way to the parser.

use std::io::{self, Read};

use zeroize::Zeroizing;

use crate::account::{Account, NoRoom};
use crate::codes::Wiped;
use crate::error::TableError;
use crate::read_limits::ReadLimits;

/// Counts the bytes, stops at the limits, and remembers the last records as they stood, so that the
/// end of the file can be looked at closely.
pub(crate) struct Source<'a, R> {
    input: R,
    account: &'a Account,
    /// How long a record there is room for.
    room: u64,
    /// Bytes looked at beforehand and not yet handed on.
    peeked: Zeroizing<Vec<u8>>,
    read: u64,
    max_bytes: u64,
    max_record_bytes: u64,
    /// The bytes from `recent_start` on: the record being read and the one before it.
    recent: Wiped<u8>,
    recent_start: u64,
    /// Where the record being read starts, and the one before it.
    record: u64,
    previous: u64,
    /// How many lines end before `recent_start`.
    lines_before: u64,
    ended: bool,
    stop: Option<Stop>,
}

/// The limit at which reading was stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    TooManyBytes,
    RecordTooLong,
    NoRoom(NoRoom),
}

/// Bytes of memory for each byte of a record: it is kept as it stood, and so is the one before it;
/// the parser has its fields, which may be all empty, and where each of them ends; and each of
/// these may be twice as long as it need be, or be moving.
const RECORD_BYTES: u64 = 36;

/// Records up to this many bytes need no more room than there is from the beginning.
const SHORT_RECORD: u64 = 128 << 10;

impl<'a, R: Read> Source<'a, R> {
    /// Looks at the first bytes: drops a UTF-8 byte order mark, and refuses what is plainly not
    /// CSV.
    pub(crate) fn open(
        mut input: R,
        limits: &ReadLimits,
        account: &'a Account,
    ) -> Result<Self, TableError> {
        account.take(SHORT_RECORD * RECORD_BYTES)?;
        let mut peeked = Zeroizing::new(Vec::with_capacity(4));
        input.by_ref().take(4).read_to_end(&mut peeked)?;
        if let Some((what, advice)) = foreign(&peeked) {
            return Err(TableError::NotCsv { what, advice });
        }
        if peeked.starts_with(b"\xef\xbb\xbf") {
            peeked.drain(..3);
        }
        Ok(Self {
            input,
            account,
            room: SHORT_RECORD,
            peeked,
            read: 0,
            max_bytes: limits.max_bytes,
            max_record_bytes: limits.max_record_bytes(),
            recent: Wiped::new(),
            recent_start: 0,
            record: 0,
            previous: 0,
            lines_before: 0,
            ended: false,
            stop: None,
        })
    }
}

impl<R> Source<'_, R> {
    /// The parser begins a record at this byte.
    #[inline]
    pub(crate) fn begin_record(&mut self, byte: u64) {
        if byte > self.record {
            self.previous = self.record;
            self.record = byte;
        }
    }

    pub(crate) fn take_stop(&mut self) -> Option<Stop> {
        self.stop.take()
    }

    /// Whether everything was handed on.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// At the end of the file: the line on which the record starts that a quote was left open in.
    pub(crate) fn open_quote(&self) -> Option<u64> {
        let mut line = self.lines_before + 1;
        let mut record_line = line;
        let mut state = State::RecordStart;
        for &byte in self.recent.as_slice() {
            if state == State::RecordStart {
                record_line = line;
            }
            if byte == b'\n' {
                line += 1;
            }
            state = state.after(byte);
        }
        (state == State::Quoted).then_some(record_line)
    }

    /// Blank lines at this byte of the file, if it is still remembered.
    pub(crate) fn blank_lines_at(&self, byte: u64) -> u64 {
        let recent = byte
            .checked_sub(self.recent_start)
            .and_then(|at| self.recent.as_slice().get(usize::try_from(at).ok()?..))
            .unwrap_or_default();
        let blank = recent
            .iter()
            .take_while(|byte| matches!(byte, b'\n' | b'\r'));
        blank.filter(|byte| **byte == b'\n').count() as u64
    }

    /// Makes room for the record being read, if it is longer than all before it.
    fn make_room(&mut self) -> Result<(), NoRoom> {
        let length = self.read - self.record;
        if length > self.room {
            self.account.take((length - self.room) * RECORD_BYTES)?;
            self.room = length;
        }
        Ok(())
    }

    /// The lines that are blank from this byte of the file on, where a record could begin: for
    /// each, how many line feeds lie before it. Empty if the byte is no longer remembered.
    ///
    /// The parser ends a record at `\r`, so that the `\n` after it may be the end of the record
    /// before.
    pub(crate) fn blank_lines(&self, byte: u64) -> Vec<u64> {
        let Some(start) = byte
            .checked_sub(self.recent_start)
            .and_then(|at| usize::try_from(at).ok())
            .filter(|start| *start <= self.recent.len())
        else {
            return Vec::new();
        };
        let (before, from) = self.recent.as_slice().split_at(start);
        let mut after_return = before.last() == Some(&b'\r');
        let (mut blank, mut feeds) = (Vec::new(), 0);
        for byte in from.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')) {
            // The second half of a line end begins no line.
            if !(*byte == b'\n' && after_return) {
                blank.push(feeds);
            }
            feeds += u64::from(*byte == b'\n');
            after_return = *byte == b'\r';
        }
        blank
    }

    /// Remembers what is handed on, and forgets what lies before the previous record.
    fn remember(&mut self, bytes: &[u8]) {
        let forget = usize::try_from(self.previous - self.recent_start).unwrap_or(usize::MAX);
        let forget = forget.min(self.recent.len());
        let lines = self.recent.as_slice()[..forget]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        self.lines_before += lines as u64;
        self.recent.forget_front(forget);
        self.recent_start += forget as u64;
        self.recent.extend_from_slice(bytes);
    }
}

/// Its room is given back.
impl<R> Drop for Source<'_, R> {
    fn drop(&mut self) {
        self.account.give(self.room * RECORD_BYTES);
    }
}

impl<R: Read> Read for Source<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = if self.peeked.is_empty() {
            self.input.read(buffer)?
        } else {
            let count = self.peeked.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.peeked[..count]);
            self.peeked.drain(..count);
            count
        };
        self.read += count as u64;
        self.ended = count == 0;
        self.stop = if self.read > self.max_bytes {
            Some(Stop::TooManyBytes)
        } else if self.read - self.record > self.max_record_bytes {
            Some(Stop::RecordTooLong)
        } else if let Err(no_room) = self.make_room() {
            Some(Stop::NoRoom(no_room))
        } else {
            None
        };
        if self.stop.is_some() {
            return Err(io::Error::other("a limit is exceeded"));
        }
        self.remember(&buffer[..count]);
        Ok(count)
    }
}

/// The states of the parser as far as quotes go; those of crate `csv`: a quote opens a quoted field
/// only at its start.
#[derive(Clone, Copy, PartialEq)]
enum State {
    RecordStart,
    FieldStart,
    Plain,
    Quoted,
    QuoteInQuoted,
}

impl State {
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Quoted, b'"') => Self::QuoteInQuoted,
            (Self::Quoted, _)
            | (Self::QuoteInQuoted | Self::RecordStart | Self::FieldStart, b'"') => Self::Quoted,
            (_, b',') => Self::FieldStart,
            (_, b'\n' | b'\r') => Self::RecordStart,
            _ => Self::Plain,
        }
    }
}

/// Files that begin as no CSV file does.
fn foreign(start: &[u8]) -> Option<(&'static str, &'static str)> {
    const AS_UTF8: &str = "save it with the encoding UTF-8";
    match *start {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some(("a text in UTF-16", AS_UTF8)),
        [a, 0, b, 0] if a != 0 && b != 0 => Some(("a text in UTF-16", AS_UTF8)),
        [0, a, 0, b] if a != 0 && b != 0 => Some(("a text in UTF-16", AS_UTF8)),
        [b'P', b'K', 3, 4] => Some((
            "an Excel workbook or a zip archive",
            "export the sheet as CSV, or unpack it",
        )),
        [0x1f, 0x8b, ..] => Some(("a gzip archive", "unpack it")),
        [0x28, 0xb5, 0x2f, 0xfd] => Some(("a zstd archive", "unpack it")),
        [b'P', b'A', b'R', b'1'] => Some(("a Parquet file", "say so by its name or content type")),
        [0xd0, 0xcf, 0x11, 0xe0] => Some(("an old Excel workbook", "export the sheet as CSV")),
        _ => None,
    }
}
