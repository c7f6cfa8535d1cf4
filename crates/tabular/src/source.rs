//! The text of a table on its way to the parser.

use std::io::{self, Read};

use crate::account::{Account, NoRoom};
use crate::codes::Wiped;
use crate::error::TableError;
use crate::read_limits::ReadLimits;
use crate::read_options::Delimiter;
use crate::separator::{MOST_LOOKED_AT, Separator, SpaceFilter, State, has_line_of_names};
use crate::text::Peeked;

/// Counts the bytes, stops at the limits, and remembers the last records as they stood, so that the
/// end of the file can be looked at closely.
pub(crate) struct Source<'a> {
    input: Peeked<Box<dyn Read + 'a>>,
    account: &'a Account,
    /// How long a record there is room for.
    room: u64,
    delimiter: u8,
    /// Where spaces after delimiters are left out.
    spaces: Option<SpaceFilter>,
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
enum Stop {
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

impl<'a> Source<'a> {
    pub(crate) fn new(
        input: Peeked<Box<dyn Read + 'a>>,
        limits: &ReadLimits,
        account: &'a Account,
    ) -> Result<Self, TableError> {
        account.take(SHORT_RECORD * RECORD_BYTES)?;
        Ok(Self {
            input,
            account,
            room: SHORT_RECORD,
            delimiter: b',',
            spaces: None,
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

    /// Looks at the line of names, for which there is room already as for any record, and goes on
    /// by what separates them.
    pub(crate) fn separate(&mut self, given: Option<Delimiter>) -> Result<Separator, TableError> {
        let line = self.input.peek_until(MOST_LOOKED_AT, has_line_of_names)?;
        let separator = Separator::of(line, given);
        let delimiter = separator.delimiter;
        self.delimiter = delimiter.byte();
        self.spaces = separator.spaced.then(|| SpaceFilter::new(delimiter));
        Ok(separator)
    }

    /// Why reading stopped, if a limit stopped it and not the input.
    pub(crate) fn refusal(&mut self, error: io::Error, line: u64) -> TableError {
        match self.stop.take() {
            Some(Stop::TooManyBytes) => TableError::TooManyBytes {
                limit: self.max_bytes,
            },
            Some(Stop::RecordTooLong) => TableError::RecordTooLong {
                line,
                limit: self.max_record_bytes,
            },
            Some(Stop::NoRoom(no_room)) => no_room.into(),
            None => error.into(),
        }
    }
}

impl Source<'_> {
    /// The parser begins a record at this byte.
    #[inline]
    pub(crate) fn begin_record(&mut self, byte: u64) {
        if byte > self.record {
            self.previous = self.record;
            self.record = byte;
        }
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
            state = state.after(byte, self.delimiter);
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
        self.lines_before += line_feeds(&self.recent.as_slice()[..forget]);
        self.recent.forget_front(forget);
        self.recent_start += forget as u64;
        self.recent.extend_from_slice(bytes);
    }
}

fn line_feeds(bytes: &[u8]) -> u64 {
    // In pieces whose count fits into a byte: the compiler then counts many bytes at once.
    let pieces = bytes.chunks(usize::from(u8::MAX));
    let of_piece = |piece: &[u8]| {
        piece
            .iter()
            .map(|byte| u8::from(*byte == b'\n'))
            .sum::<u8>()
    };
    pieces.map(|piece| u64::from(of_piece(piece))).sum()
}

/// Its room is given back.
impl Drop for Source<'_> {
    fn drop(&mut self) {
        self.account.give(self.room * RECORD_BYTES);
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.next_bytes(buffer)?;
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

impl Source<'_> {
    fn next_bytes(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.input.read(buffer)?;
            let Some(spaces) = &mut self.spaces else {
                return Ok(count);
            };
            let kept = spaces.apply(&mut buffer[..count]);
            // Nothing but spaces is not the end.
            if kept > 0 || count == 0 {
                return Ok(kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_feeds_are_counted_however_many_they_are() {
        for length in [0, 1, 254, 255, 256, 1_000] {
            let text: Vec<u8> = "\n".repeat(length).into();
            assert_eq!(line_feeds(&text), length as u64);
            assert_eq!(
                line_feeds(&[text, b"a,\r".to_vec()].concat()),
                length as u64
            );
        }
    }
}
