//! CSV to codes, streaming.

use std::io::Read;

use schema::Schema;

use crate::account::Account;
use crate::error::{ColumnRef, RaggedHint, RecordPosition, TableError};
use crate::field::check_field;
use crate::header::check_names;
use crate::ids::KeyHasher;
use crate::read_limits::ReadLimits;
use crate::read_options::{Delimiter, ReadAs, ReadOptions, TableFormat};
use crate::records::Records;
use crate::source::Source;
use crate::text::Text;
use crate::upload::{Intake, Upload};

/// Reads a CSV file (RFC 4180: quotes doubled within quotes, a header; any line ends) into codes as
/// it streams in. Memory holds the codes and one record.
///
/// Fields are separated by what separates the names of the header: commas, semicolons, tabs or
/// pipes, and a space after each of them where each of those in the header has one. The file may be
/// compressed with gzip or Zstandard, and is UTF-8, or UTF-16 with a byte order mark. All of that
/// is decided by the first bytes and the header; [`read_table`](crate::read_table) takes it from
/// its options.
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
/// data: a number or date beyond the bounds counts as the nearest bound; what is not understood
/// counts as `other` if the column has that, else as null if it is nullable, else its row is left
/// out. Each is counted in [`Upload::warnings`], and more of them than the column's tolerance
/// refuse the table.
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
    let (options, wanted) = (ReadOptions::default(), || true);
    let text = Text::open(Box::new(input), &options, limits, &account, &wanted)?;
    read_text(text, &options, key, schema, hasher, limits, &account)
}

/// Reads CSV that was found out to be that.
pub(crate) fn read_text(
    text: Text<'_>,
    options: &ReadOptions,
    key: Option<&str>,
    schema: Option<&Schema>,
    hasher: &KeyHasher,
    limits: &ReadLimits,
    account: &Account,
) -> Result<Upload, TableError> {
    let (packing, encoding) = (text.packing, text.encoding);
    let mut source = Source::new(text.bytes, limits, account)?;
    let separator = source.separate(options.delimiter)?;
    let mut csv = Csv {
        records: Records::new(source, separator.delimiter.byte()),
        header: Vec::new(),
        line: 1,
        start: 0,
        delimiter: separator.delimiter,
        limits,
    };
    if separator.announced {
        csv.next()?;
    }
    csv.read_header()?;
    check_names(&csv.header, key, schema)?;
    let mut intake = Intake::new(
        &csv.header,
        RecordPosition::Line,
        key,
        schema,
        hasher,
        limits,
        account,
    )?;
    let rows = csv.read_rows(&mut intake)?;
    // The table does not hold the records it was read from.
    drop(csv);
    let format = TableFormat::Csv {
        delimiter: separator.delimiter,
        spaced: separator.spaced,
    };
    let read_as = ReadAs {
        format,
        packing,
        encoding,
    };
    intake.finish(rows, read_as)
}

struct Csv<'a> {
    records: Records<Source<'a>>,
    header: Vec<String>,
    /// Where the record being read starts, blank lines before it included: the line, and the byte.
    line: u64,
    start: u64,
    delimiter: Delimiter,
    limits: &'a ReadLimits,
}

impl Csv<'_> {
    fn read_header(&mut self) -> Result<(), TableError> {
        if !self.next()? {
            self.check_end()?;
            return Err(TableError::EmptyFile);
        }
        if self.records.len() > self.limits.max_columns {
            return Err(TableError::TooManyColumns {
                found: self.records.len(),
                limit: self.limits.max_columns,
            });
        }
        if self.records.input().has_ended() {
            self.check_end()?;
        }
        self.check_text()?;
        self.header = self
            .records
            .fields()
            .map(|name| String::from_utf8_lossy(name.trim_ascii()).into_owned())
            .collect();
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
            if self.records.len() != targets.len() {
                return Err(self.wrong_length(targets.len()));
            }
            self.check_text()?;
            let line = self.line();
            for (&target, field) in targets.iter().zip(self.records.fields()) {
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
        (self.start, self.line) = self.records.position();
        self.records.input_mut().begin_record(self.start);
        self.records
            .next()
            .map_err(|error| self.records.input_mut().refusal(error, self.line))
    }

    /// Refuses bytes that are not text, and fields that are too long.
    #[inline]
    fn check_text(&self) -> Result<(), TableError> {
        // Ordinary rows are ASCII and short.
        match self.records.is_plain(self.limits.max_field_bytes) {
            true => Ok(()),
            false => self.check_each_field(),
        }
    }

    #[cold]
    fn check_each_field(&self) -> Result<(), TableError> {
        for (i, field) in self.records.fields().enumerate() {
            let at = RecordPosition::Line(self.line());
            let column = || match self.header.get(i) {
                Some(name) if !name.is_empty() => ColumnRef::Name(name.clone()),
                _ => ColumnRef::Number(i + 1),
            };
            check_field(field, at, column, self.limits)?;
        }
        Ok(())
    }

    /// A record of the wrong length: cut off by the end of the file inside quotes, or simply
    /// ragged.
    fn wrong_length(&mut self, expected: usize) -> TableError {
        let (line, found) = (self.line(), self.records.len());
        let hint = self.ragged_hint(expected);
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
            delimiter: self.delimiter,
            hint,
        }
    }

    /// What is probably the reason that the record is longer or shorter than the header. The lines
    /// of names tell most, and so does the first row, which has what all others have.
    fn ragged_hint(&self, expected: usize) -> RaggedHint {
        let found = self.records.len();
        let is_comment = self
            .header
            .first()
            .is_some_and(|name| name.starts_with('#'));
        if found > expected && (expected == 1 || is_comment) {
            return RaggedHint::Title;
        }
        // The header is the first record.
        let is_first_row = self.records.count() <= 2;
        let (first, last) = (
            self.records.get(0),
            self.records.get(found.saturating_sub(1)),
        );
        let digits = |field: &[u8]| field.iter().all(u8::is_ascii_digit);
        if is_first_row && found == expected + 1 {
            if last.is_some_and(<[u8]>::is_empty) {
                return RaggedHint::TrailingSeparators;
            }
            // Numbers of rows, and not the halves of a number at the end.
            let counts = first.is_some_and(|field| field == b"0" || field == b"1");
            if counts && !last.is_some_and(digits) {
                return RaggedHint::RowNames;
            }
        }
        match found > expected && self.has_decimal_commas() {
            true => RaggedHint::DecimalCommas,
            false if is_first_row && found == expected + 1 => RaggedHint::RowNames,
            false => RaggedHint::None,
        }
    }

    /// Whether two fields look like the halves of a number with a decimal comma.
    fn has_decimal_commas(&self) -> bool {
        let digits = |field: &[u8]| !field.is_empty() && field.iter().all(u8::is_ascii_digit);
        let whole = |field: &[u8]| digits(field.strip_prefix(b"-").unwrap_or(field));
        let fields: Vec<&[u8]> = self.records.fields().collect();
        let halves = |pair: &[&[u8]]| whole(pair[0]) && digits(pair[1]);
        self.delimiter == Delimiter::COMMA && fields.windows(2).any(halves)
    }

    /// At the end of the file: was a quote left open?
    fn check_end(&self) -> Result<(), TableError> {
        match self.records.input().open_quote() {
            Some(line) => Err(TableError::UnclosedQuote { line }),
            None => Ok(()),
        }
    }

    /// The blank lines before the record, or at the end before the end of the file.
    fn blank_lines(&self) -> impl Iterator<Item = u64> + use<> {
        let first = self.line;
        let blank = self.records.input().blank_lines(self.start);
        blank.into_iter().map(move |feeds| first + feeds)
    }

    /// The line on which the record starts, blank lines before it skipped.
    fn line(&self) -> u64 {
        self.line + self.records.input().blank_lines_at(self.start)
    }
}

#[cfg(test)]
mod refusals;
#[cfg(test)]
mod tests;
