//! CSV to codes, streaming.

use std::io::{self, Read};

use csv::{ByteRecord, ReaderBuilder};

use schema::Schema;

use crate::account::Account;
use crate::error::{ColumnRef, RecordPosition, TableError};
use crate::ids::KeyHasher;
use crate::read_limits::ReadLimits;
use crate::source::{Source, Stop};
use crate::upload::{Intake, Upload};

const BUFFER: usize = 1 << 16;

/// Reads a CSV file (RFC 4180: commas, quotes doubled within quotes, a header; UTF-8 with or
/// without a byte order mark; any line ends) into codes as it streams in. Memory holds the codes
/// and one record.
///
/// With a `key`, that column is hashed and every row must have an id there: one of its own, unless
/// [`ReadLimits::max_rows_per_id`] takes repeated ones in. With a `schema`, its columns are
/// taken and the others left out; without one every column is kept as it is until its domain is
/// [discovered](crate::Joined::into_coded). Columns without a name are left out.
///
/// A blank line between or after the rows is nothing in a table of several columns. In a table of
/// one column it is a row whose field is empty, as R, Excel and others write it; the line end of
/// the last row begins no row of its own.
///
/// Empty fields are null. What happens to values outside the declared domain does not depend on the
/// data: a number or date beyond the bounds counts as the nearest bound; other text counts as
/// `other` if the column has that, else as null if it is nullable, else as the first category or
/// lowest bin. Each is counted in [`Upload::warnings`].
///
/// # Errors
/// [`TableError`], at the first thing that is wrong; repeated ids at the end, when they have been
/// counted.
pub fn read_csv(
    mut input: impl Read,
    key: Option<&str>,
    schema: Option<&Schema>,
    hasher: &KeyHasher,
    limits: &ReadLimits,
) -> Result<Upload, TableError> {
    read(&mut input, key, schema, hasher, limits)
}

/// Compiled once and in this crate, whatever the input is, and so optimised as this crate is.
fn read(
    input: &mut dyn Read,
    key: Option<&str>,
    schema: Option<&Schema>,
    hasher: &KeyHasher,
    limits: &ReadLimits,
) -> Result<Upload, TableError> {
    let account = Account::new(limits.max_memory_bytes);
    let source = Source::open(input, limits, &account)?;
    let mut csv = Csv {
        reader: ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(BUFFER)
            .from_reader(source),
        record: ByteRecord::new(),
        header: Vec::new(),
        line: 1,
        start: 0,
        limits,
    };
    csv.read_header()?;
    let mut intake = Intake::new(
        &csv.header,
        RecordPosition::Line,
        key,
        schema,
        hasher,
        limits,
        &account,
    )?;
    let rows = csv.read_rows(&mut intake)?;
    // The table does not hold the records it was read from.
    drop(csv);
    intake.finish(rows)
}

struct Csv<'a, R: Read> {
    reader: csv::Reader<Source<'a, R>>,
    record: ByteRecord,
    header: Vec<String>,
    /// Where the record being read starts, blank lines before it included: the line, and the byte.
    line: u64,
    start: u64,
    limits: &'a ReadLimits,
}

impl<R: Read> Csv<'_, R> {
    fn read_header(&mut self) -> Result<(), TableError> {
        if !self.next()? {
            self.check_end()?;
            return Err(TableError::EmptyFile);
        }
        if self.record.len() > self.limits.max_columns {
            return Err(TableError::TooManyColumns {
                found: self.record.len(),
                limit: self.limits.max_columns,
            });
        }
        if self.reader.get_ref().has_ended() {
            self.check_end()?;
        }
        self.check_text()?;
        self.header = self
            .record
            .iter()
            .map(|name| String::from_utf8_lossy(name.trim_ascii()).into_owned())
            .collect();
        if let [only] = self.header.as_slice()
            && let Some(separator) = [';', '\t', '|'].into_iter().find(|&c| only.contains(c))
        {
            return Err(TableError::OtherSeparator { separator });
        }
        Ok(())
    }

    fn read_rows(&mut self, intake: &mut Intake) -> Result<u32, TableError> {
        let targets = intake.targets.clone();
        let (mut rows, mut blank): (u32, u32) = (0, 0);
        loop {
            let more = self.next()?;
            if let [only] = targets.as_slice() {
                for line in self.blank_lines() {
                    intake.begin_row(rows)?;
                    intake.push(*only, b"", line)?;
                    (rows, blank) = (rows + 1, blank + 1);
                }
            }
            if !more {
                break;
            }
            intake.begin_row(rows)?;
            if self.record.len() != targets.len() {
                return Err(self.wrong_length(targets.len()));
            }
            self.check_text()?;
            let line = self.line();
            for (&target, field) in targets.iter().zip(self.record.iter()) {
                intake.push(target, field, line)?;
            }
            rows += 1;
        }
        self.check_end()?;
        intake.warn_of_blank_lines(blank);
        Ok(rows)
    }

    /// The next record; false at the end.
    fn next(&mut self) -> Result<bool, TableError> {
        let start = self.reader.position();
        self.line = start.line();
        self.start = start.byte();
        self.reader.get_mut().begin_record(self.start);
        self.reader
            .read_byte_record(&mut self.record)
            .map_err(|error| match self.reader.get_mut().take_stop() {
                Some(stop) => self.stopped(stop),
                None => TableError::Read(io_error(error)),
            })
    }

    fn stopped(&self, stop: Stop) -> TableError {
        match stop {
            Stop::TooManyBytes => TableError::TooManyBytes {
                limit: self.limits.max_bytes,
            },
            Stop::RecordTooLong => TableError::RecordTooLong {
                line: self.line,
                limit: self.limits.max_record_bytes(),
            },
            Stop::NoRoom(no_room) => no_room.into(),
        }
    }

    /// Refuses bytes that are not text, and fields that are too long.
    #[inline]
    fn check_text(&self) -> Result<(), TableError> {
        let bytes = self.record.as_slice();
        // One look at the whole record: ordinary rows are ASCII and short.
        if bytes.is_ascii() && !bytes.contains(&0) && bytes.len() <= self.limits.max_field_bytes {
            return Ok(());
        }
        self.check_each_field()
    }

    #[cold]
    fn check_each_field(&self) -> Result<(), TableError> {
        for (i, field) in self.record.iter().enumerate() {
            let at = RecordPosition::Line(self.line());
            let column = || match self.header.get(i) {
                Some(name) if !name.is_empty() => ColumnRef::Name(name.clone()),
                _ => ColumnRef::Number(i + 1),
            };
            if field.len() > self.limits.max_field_bytes {
                return Err(TableError::FieldTooLong {
                    at,
                    column: column(),
                    limit: self.limits.max_field_bytes,
                });
            }
            if field.contains(&0) {
                return Err(TableError::Nul {
                    at,
                    column: column(),
                });
            }
            if str::from_utf8(field).is_err() {
                return Err(TableError::NotUtf8 {
                    at,
                    column: column(),
                });
            }
        }
        Ok(())
    }

    /// A record of the wrong length: cut off by the end of the file inside quotes, or simply
    /// ragged.
    fn wrong_length(&mut self, expected: usize) -> TableError {
        let (line, found) = (self.line(), self.record.len());
        // Read on first: inside quotes the rest of the file is one field, and "a quote is open" is
        // the better answer.
        if let Ok(false) = self.next()
            && let Err(unclosed) = self.check_end()
        {
            return unclosed;
        }
        TableError::Ragged {
            line,
            found,
            expected,
        }
    }

    /// At the end of the file: was a quote left open?
    fn check_end(&self) -> Result<(), TableError> {
        match self.reader.get_ref().open_quote() {
            Some(line) => Err(TableError::UnclosedQuote { line }),
            None => Ok(()),
        }
    }

    /// The blank lines before the record, or at the end before the end of the file.
    fn blank_lines(&self) -> impl Iterator<Item = u64> + use<R> {
        let first = self.line;
        let blank = self.reader.get_ref().blank_lines(self.start);
        blank.into_iter().map(move |feeds| first + feeds)
    }

    /// The line on which the record starts, blank lines before it skipped.
    fn line(&self) -> u64 {
        self.record.position().map_or(0, |position| {
            position.line() + self.reader.get_ref().blank_lines_at(position.byte())
        })
    }
}

fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

#[cfg(test)]
mod refusals;
#[cfg(test)]
mod tests;
