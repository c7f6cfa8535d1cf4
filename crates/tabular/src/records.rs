//! The records of a CSV file, one after the other.

use std::io::{self, Read};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use crate::codes::Wiped;

/// Splits CSV into records and fields as `csv_core` does. Ordinary records are found eight bytes at
/// a time and their fields lie where they were read to; `csv_core`, which looks at each byte and
/// copies it, gets what is left: quotes within fields, blank lines, line ends in fields, records
/// that are not in the buffer as a whole.
pub(crate) struct Records<R> {
    input: R,
    parser: Reader,
    delimiter: u8,
    /// Read ahead; what lies from `at` to `filled` was not taken yet.
    buffer: Wiped<u8>,
    at: usize,
    filled: usize,
    /// Whether the input has ended, and whether its last record was given out.
    ended: bool,
    done: bool,
    /// Where the next record begins: the byte of the file, and the line, blank lines not counted.
    byte: u64,
    line: u64,
    count: u64,
    record: Place,
    /// Of an ordinary record the first and last byte of each field in the buffer.
    spans: Vec<(u32, u32)>,
    /// Of another record the bytes of its fields, and where each of them ends.
    bytes: Wiped<u8>,
    ends: Vec<usize>,
}

/// Where the fields of the record are.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// In the buffer, over this many bytes; `ascii` of a record that may have no other characters,
    /// and none that is null.
    Buffer { bytes: usize, ascii: bool },
    /// Put together, this many.
    Apart { fields: usize },
}

const BUFFER: usize = 1 << 16;

impl<R: Read> Records<R> {
    pub(crate) fn new(input: R, delimiter: u8) -> Self {
        Self {
            input,
            parser: ReaderBuilder::new().delimiter(delimiter).build(),
            delimiter,
            buffer: vec![0; BUFFER].into(),
            at: 0,
            filled: 0,
            ended: false,
            done: false,
            byte: 0,
            line: 1,
            count: 0,
            record: Place::Apart { fields: 0 },
            spans: Vec::new(),
            bytes: vec![0; 1 << 10].into(),
            ends: vec![0; 1 << 6],
        }
    }

    pub(crate) fn input(&self) -> &R {
        &self.input
    }

    pub(crate) fn input_mut(&mut self) -> &mut R {
        &mut self.input
    }

    /// Where the next record begins: the byte of the file, and the line, as counted from 1 without
    /// blank lines right before it.
    pub(crate) fn position(&self) -> (u64, u64) {
        (self.byte, self.line)
    }

    /// How many records there were.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Goes on to the next record; false at the end.
    #[inline]
    pub(crate) fn next(&mut self) -> io::Result<bool> {
        // The first record is the parser's: it may begin with a byte order mark.
        let found = self.count > 0 && self.find()? || self.parse()?;
        self.count += u64::from(found);
        Ok(found)
    }

    /// Whether the fields of the record are looked at already: they are ASCII without null
    /// characters, and none is longer than this.
    #[inline]
    pub(crate) fn is_plain(&self, longest: usize) -> bool {
        matches!(self.record, Place::Buffer { bytes, ascii: true } if bytes <= longest)
    }

    /// How many fields the record has.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        match self.record {
            Place::Buffer { .. } => self.spans.len(),
            Place::Apart { fields } => fields,
        }
    }

    /// One of the record's fields.
    #[inline]
    pub(crate) fn get(&self, field: usize) -> Option<&[u8]> {
        match self.record {
            Place::Buffer { .. } => {
                let &(start, end) = self.spans.get(field)?;
                Some(&self.buffer.as_slice()[start as usize..end as usize])
            }
            Place::Apart { fields } => {
                let ends = &self.ends[..fields];
                let start = field.checked_sub(1).map_or(0, |before| ends[before]);
                Some(&self.bytes.as_slice()[start..*ends.get(field)?])
            }
        }
    }

    /// The fields of the record.
    #[inline]
    pub(crate) fn fields(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).filter_map(|field| self.get(field))
    }

    /// Whether the next record is an ordinary one, which is then the record.
    #[inline]
    fn find(&mut self) -> io::Result<bool> {
        let mut scan = self.scan();
        // Once only: of a record that trickles in, each byte would be looked at again and again.
        if scan == Scan::Incomplete && !self.ended && self.filled - self.at < BUFFER {
            self.read_more()?;
            scan = self.scan();
        }
        let Scan::Record { bytes, ascii } = scan else {
            return Ok(false);
        };
        self.at += bytes;
        self.byte += bytes as u64;
        self.line += 1;
        self.record = Place::Buffer { bytes, ascii };
        Ok(true)
    }

    #[inline]
    fn scan(&mut self) -> Scan {
        let bytes = &self.buffer.as_slice()[self.at..self.filled];
        scan(bytes, self.at, self.delimiter, &mut self.spans)
    }

    /// Reads behind what was not taken yet.
    fn read_more(&mut self) -> io::Result<()> {
        let buffer = self.buffer.as_mut_slice();
        buffer.copy_within(self.at..self.filled, 0);
        (self.at, self.filled) = (0, self.filled - self.at);
        let count = loop {
            match self.input.read(&mut buffer[self.filled..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.filled += count;
        self.ended = count == 0;
        Ok(())
    }

    /// The next record, byte by byte.
    #[cold]
    fn parse(&mut self) -> io::Result<bool> {
        if self.done {
            return Ok(false);
        }
        self.parser.set_line(self.line);
        let (mut written, mut fields) = (0, 0);
        loop {
            if self.at == self.filled && !self.ended {
                self.read_more()?;
            }
            let input = &self.buffer.as_slice()[self.at..self.filled];
            let bytes = &mut self.bytes.as_mut_slice()[written..];
            let (result, taken, more, ends) =
                self.parser
                    .read_record(input, bytes, &mut self.ends[fields..]);
            self.at += taken;
            self.byte += taken as u64;
            self.line = self.parser.line();
            written += more;
            fields += ends;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    let more = std::iter::repeat_n(0, self.bytes.len());
                    self.bytes.extend(more);
                }
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                ReadRecordResult::Record => {
                    self.record = Place::Apart { fields };
                    return Ok(true);
                }
                ReadRecordResult::End => {
                    self.record = Place::Apart { fields: 0 };
                    self.done = true;
                    return Ok(false);
                }
            }
        }
    }
}

/// What the bytes begin with.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Scan {
    /// A record of so many bytes, its line end included.
    Record { bytes: usize, ascii: bool },
    /// A record that has not ended yet.
    Incomplete,
    /// What only the parser understands.
    Unusual,
}

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x80 * EACH;

/// Finds the fields of the record at the beginning; their places are told as they would be `offset`
/// bytes later.
#[inline]
fn scan(bytes: &[u8], offset: usize, delimiter: u8, spans: &mut Vec<(u32, u32)>) -> Scan {
    spans.clear();
    if matches!(bytes.first(), Some(b'\n' | b'\r')) {
        return Scan::Unusual;
    }
    let mut record = Unfinished {
        bytes,
        offset,
        delimiter,
        spans,
        start: 0,
        quoted: false,
        closed: None,
        has_null: false,
    };
    let delimiters = u64::from(delimiter) * EACH;
    let quotes = u64::from(b'"') * EACH;
    let mut other_than_ascii = 0;
    let mut before = 0;
    while before < bytes.len() {
        let (word, within) = word_at(bytes, before);
        other_than_ascii |= word & HIGH;
        let mut marks = (controls(word) | equal(word, delimiters) | equal(word, quotes)) & within;
        while marks != 0 {
            let at = before + (marks.trailing_zeros() / 8) as usize;
            marks &= marks - 1;
            match record.meet(at) {
                Met::Within => {}
                Met::End(length) => {
                    return Scan::Record {
                        bytes: length,
                        // What comes after the record in its last word may be said of it as well:
                        // then its fields are looked at once more.
                        ascii: other_than_ascii == 0 && !record.has_null,
                    };
                }
                Met::Other(scan) => return scan,
            }
        }
        before += 8;
    }
    Scan::Incomplete
}

/// Eight bytes, the first of them lowest, and a mask of those that there are.
#[inline]
fn word_at(bytes: &[u8], at: usize) -> (u64, u64) {
    if let Some(word) = bytes[at..].first_chunk() {
        return (u64::from_le_bytes(*word), HIGH);
    }
    let mut word = [0; 8];
    let rest = &bytes[at..];
    word[..rest.len()].copy_from_slice(rest);
    (u64::from_le_bytes(word), HIGH >> (8 * (8 - rest.len())))
}

/// The high bit of each byte that is a control character.
#[inline]
fn controls(word: u64) -> u64 {
    // The high bits keep the bytes from borrowing from each other.
    !((word | HIGH) - 0x20 * EACH) & !word & HIGH
}

/// The high bit of each byte that is that of the pattern.
#[inline]
fn equal(word: u64, pattern: u64) -> u64 {
    let differs = word ^ pattern;
    !(((differs & !HIGH) + !HIGH) | differs) & HIGH
}

/// A record whose fields are being found.
struct Unfinished<'a> {
    bytes: &'a [u8],
    offset: usize,
    delimiter: u8,
    spans: &'a mut Vec<(u32, u32)>,
    /// Where the field begins, behind its quote if it has one.
    start: usize,
    quoted: bool,
    /// Where its quotes end.
    closed: Option<usize>,
    has_null: bool,
}

enum Met {
    /// The record goes on.
    Within,
    /// It has this many bytes.
    End(usize),
    Other(Scan),
}

impl Unfinished<'_> {
    /// Looks at a byte that is a control character, a delimiter or a quote.
    #[inline]
    fn meet(&mut self, at: usize) -> Met {
        match self.bytes[at] {
            byte if byte == self.delimiter => {
                if !self.quoted {
                    self.end_field(at);
                    self.start = at + 1;
                }
                Met::Within
            }
            // Lines that end in a field are counted by the parser.
            b'\n' | b'\r' if self.quoted => Met::Other(Scan::Unusual),
            b'\n' => {
                self.end_field(at);
                Met::End(at + 1)
            }
            b'\r' => match self.bytes.get(at + 1) {
                Some(b'\n') => {
                    self.end_field(at);
                    Met::End(at + 2)
                }
                Some(_) => Met::Other(Scan::Unusual),
                None => Met::Other(Scan::Incomplete),
            },
            b'"' => self.meet_quote(at),
            byte => {
                self.has_null |= byte == 0;
                Met::Within
            }
        }
    }

    #[inline]
    fn meet_quote(&mut self, at: usize) -> Met {
        if !self.quoted {
            if at != self.start || self.closed.is_some() {
                return Met::Other(Scan::Unusual);
            }
            self.quoted = true;
            self.start = at + 1;
            return Met::Within;
        }
        match self.bytes.get(at + 1) {
            Some(&next) if next == self.delimiter || next == b'\n' || next == b'\r' => {
                self.quoted = false;
                self.closed = Some(at);
                Met::Within
            }
            Some(_) => Met::Other(Scan::Unusual),
            None => Met::Other(Scan::Incomplete),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "a place in the buffer")]
    #[inline]
    fn end_field(&mut self, at: usize) {
        let end = self.closed.take().unwrap_or(at);
        let place = |at: usize| (self.offset + at) as u32;
        self.spans.push((place(self.start), place(end)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An input that gives at most so many bytes at once.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(buffer.len()).min(self.0.len());
            let (now, later) = self.0.split_at(count);
            buffer[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    /// Fields of each record, and the line on which it begins.
    type Found = Vec<(Vec<Vec<u8>>, u64)>;

    fn blank_lines(bytes: &[u8]) -> u64 {
        let blank = bytes
            .iter()
            .take_while(|byte| matches!(byte, b'\n' | b'\r'));
        blank.filter(|byte| **byte == b'\n').count() as u64
    }

    fn found(text: &[u8], delimiter: u8, at_once: usize) -> Found {
        let mut records = Records::new(Trickle(text, at_once), delimiter);
        let mut found = Vec::new();
        loop {
            let (byte, line) = records.position();
            if !records.next().unwrap() {
                assert!(!records.next().unwrap());
                return found;
            }
            let line = line + blank_lines(&text[usize::try_from(byte).unwrap()..]);
            let fields: Vec<Vec<u8>> = records.fields().map(<[u8]>::to_vec).collect();
            if records.is_plain(usize::MAX) {
                assert!(fields.concat().is_ascii() && !fields.concat().contains(&0));
            }
            found.push((fields, line));
        }
    }

    /// By the `csv` crate.
    fn expected(text: &[u8], delimiter: u8) -> Found {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(text);
        let mut record = csv::ByteRecord::new();
        let mut found = Vec::new();
        while reader.read_byte_record(&mut record).unwrap() {
            let start = record.position().unwrap();
            let byte = usize::try_from(start.byte()).unwrap();
            let line = start.line() + blank_lines(&text[byte..]);
            found.push((record.iter().map(<[u8]>::to_vec).collect(), line));
        }
        found
    }

    fn check(text: &[u8]) {
        for (delimiter, at_once) in [(b',', 1), (b',', 7), (b'\t', 64), (b';', usize::MAX)] {
            let text: Vec<u8> = text
                .iter()
                .map(|byte| if *byte == b',' { delimiter } else { *byte })
                .collect();
            let expected = expected(&text, delimiter);
            assert_eq!(found(&text, delimiter, at_once), expected, "{text:?}");
        }
    }

    #[test]
    fn records_of_every_form_are_those_of_the_csv_crate() {
        for text in [
            "",
            "a",
            "a,b\n1,2\n3,4",
            "a,b\r\n1,2\r\n3,4\r\n",
            "a,b\r1,2\r3,4\r",
            "a,b\n\n1,2\n\r\n\n3,4\n\n",
            "a,b\n\"1\",\"2\"\n\"\",\"\"\n\"3\",\"4\"\r\n\"5\",",
            "a,b\n\"1\"x,2\"\n\"3\"\"4\",\"5,6\"\n",
            "a,b\n\"1\n2\",3\n4,\"5\r\n6\"\n7,8\n",
            "a\nan open \"quote\n\"and another\n1\n",
            "a,b\n\u{e4},\0\n1,2\n",
            ",,,\n,,\n\n,\n",
            "a,b\nlong enough for several words at once,and so is this one\nx,\n",
        ] {
            check(text.as_bytes());
        }
    }

    #[test]
    fn a_byte_order_mark_is_left_out_at_the_beginning_alone() {
        let text = "\u{feff}a,b\n\u{feff}1,2\n".as_bytes();
        assert_eq!(found(text, b',', usize::MAX), expected(text, b','));
    }

    #[test]
    fn records_longer_than_the_buffer_are_read() {
        let long = "x".repeat(BUFFER);
        let text = format!("a,b\n1,2\n{long},\"{long}\"\n3,4\n{long}");
        check(text.as_bytes());
        check("1,22,333\n".repeat(20_000).as_bytes());
        check("\"1\",\"2,2\"\r\n".repeat(20_000).as_bytes());
    }

    #[test]
    fn ordinary_records_are_not_put_together() {
        let text: &[u8] = b"a,b\n1,2\n\"3\",\"4,5\"\r\n\xc3\xa4,6\n7,8\n";
        let mut records = Records::new(text, b',');
        let mut in_buffer = Vec::new();
        while records.next().unwrap() {
            in_buffer.push(matches!(records.record, Place::Buffer { .. }));
        }
        assert_eq!(in_buffer, [false, true, true, true, true]);
    }

    proptest! {
        #[test]
        fn records_are_those_of_the_csv_crate(
            text in proptest::collection::vec(
                prop_oneof![
                    4 => proptest::sample::select(b"ab1".as_slice()),
                    2 => Just(b','),
                    2 => proptest::sample::select(b"\n\r\"".as_slice()),
                    1 => any::<u8>(),
                ],
                0..120,
            ),
            plain in "[ab,]{0,12}",
        ) {
            check(&text);
            check(&[plain.as_bytes(), b"\n", &text].concat());
        }

        #[test]
        fn eight_bytes_are_told_apart_as_one_is(bytes: [u8; 8], pattern in 0u8..128) {
            let word = u64::from_le_bytes(bytes);
            let marks = |of: &dyn Fn(u8) -> bool| {
                let marks = bytes.map(|byte| if of(byte) { 0x80 } else { 0 });
                u64::from_le_bytes(marks)
            };
            prop_assert_eq!(controls(word), marks(&|byte| byte < 0x20));
            let found = equal(word, u64::from(pattern) * EACH);
            prop_assert_eq!(found, marks(&|byte| byte == pattern));
        }
    }
}
