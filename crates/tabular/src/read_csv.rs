//! CSV to codes, streaming.

use std::io::{self, Read};

use csv::{ByteRecord, ReaderBuilder};

use crate::account::Account;
use crate::error::{ColumnRef, Place, TableError};
use crate::ids::KeyHasher;
use crate::limits::Limits;
use crate::schema::Schema;
use crate::source::{Source, Stop};
use crate::upload::{Intake, Upload};

const BUFFER: usize = 1 << 16;

/// Reads a CSV file (RFC 4180: commas, quotes doubled within quotes, a header; UTF-8 with or without a byte order mark; any
/// line ends) into codes as it streams in. Memory holds the codes and one record.
///
/// With a `key`, that column is hashed and every row must have an id there: one of its own, unless
/// [`Limits::max_rows_per_id`] takes repeated ones in. With a `schema`, its columns are
/// taken and the others left out; without one every column is kept as it is until its domain is
/// [discovered](crate::Joined::into_coded). Columns without a name are left out.
///
/// A blank line between or after the rows is nothing in a table of several columns. In a table of
/// one column it is a row whose field is empty, as R, Excel and others write it; the line end of
/// the last row begins no row of its own.
///
/// Empty fields are null. What happens to values outside the declared domain does not depend on the data: a number or date beyond
/// the bounds counts as the nearest bound; other text counts as `other` if the column has that, else as null if it is
/// nullable, else as the first category or lowest bin. Each is counted in [`Upload::warnings`].
///
/// # Errors
/// [`TableError`], at the first thing that is wrong; repeated ids at the end, when they have been counted.
pub fn read_csv(
    input: impl Read,
    key: Option<&str>,
    schema: Option<&Schema>,
    hasher: &KeyHasher,
    limits: &Limits,
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
        Place::Line,
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
    limits: &'a Limits,
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

    /// Refuses bytes that are no text, and fields that are too long.
    #[inline]
    fn check_text(&self) -> Result<(), TableError> {
        let bytes = self.record.as_slice();
        if bytes.is_ascii() && !bytes.contains(&0) && bytes.len() <= self.limits.max_field_bytes {
            return Ok(());
        }
        self.check_each_field()
    }

    #[cold]
    fn check_each_field(&self) -> Result<(), TableError> {
        for (i, field) in self.record.iter().enumerate() {
            let at = Place::Line(self.line());
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

    /// A record of the wrong length: cut off by the end of the file inside quotes, or simply ragged.
    fn wrong_length(&mut self, expected: usize) -> TableError {
        let (line, found) = (self.line(), self.record.len());
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
mod tests {
    use super::*;
    use crate::Declaration;
    use expect_test::{Expect, expect};

    fn read(
        bytes: &[u8],
        key: Option<&str>,
        schema: Option<&str>,
        limits: &Limits,
    ) -> Result<Upload, TableError> {
        let schema = schema.map(|yaml| Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap());
        read_csv(
            bytes,
            key,
            schema.as_ref(),
            &KeyHasher::new([3; 16]),
            limits,
        )
    }

    fn describe(result: Result<Upload, TableError>) -> String {
        match result {
            Ok(upload) => {
                let columns: Vec<&str> = upload.column_names().collect();
                let mut lines = vec![format!("{} rows of {}", upload.rows(), columns.join(", "))];
                lines.extend(upload.warnings().iter().cloned());
                lines.join("\n") + "\n"
            }
            Err(error) => format!("{error}\n"),
        }
    }

    /// Keyed by `id`, nothing declared.
    fn check(bytes: impl AsRef<[u8]>, expected: Expect) {
        expected.assert_eq(&describe(read(
            bytes.as_ref(),
            Some("id"),
            None,
            &Limits::default(),
        )));
    }

    const SCHEMA: &str = "{buying: {categories: [low, high]}, age: {integer: {min: 0, max: 99}}}";

    fn check_declared(bytes: &str, expected: Expect) {
        expected.assert_eq(&describe(read(
            bytes.as_bytes(),
            Some("id"),
            Some(SCHEMA),
            &Limits::default(),
        )));
    }

    fn check_limits(bytes: &str, limits: Limits, expected: Expect) {
        expected.assert_eq(&describe(read(bytes.as_bytes(), Some("id"), None, &limits)));
    }

    #[test]
    fn a_plain_table_is_read() {
        check(
            "id,a\n1,x\n2,y\n",
            expect![[r#"
            2 rows of a
        "#]],
        );
        check(
            "id,a\r\n1,x\r\n2,y",
            expect![[r#"
            2 rows of a
        "#]],
        );
        check(
            "\u{feff}id,a\n1,x\n",
            expect![[r#"
            1 rows of a
        "#]],
        );
        check(
            "id,a\n\n1,\"x\n, \"\"y\"\"\"\n\n\n2,y\n\n",
            expect![[r#"
            2 rows of a
            column `a`: 1 different value with control or invisible characters will count as `other`
        "#]],
        );
    }

    #[test]
    fn a_blank_line_is_a_row_where_there_is_one_column() {
        let rows = |text: &str| {
            let result = read(text.as_bytes(), None, None, &Limits::default());
            result.map_or(0, |upload| upload.rows())
        };
        for (text, expected) in [
            ("a\nx\n", 1),
            ("a\nx", 1),
            ("a\nx\n\n", 2),
            ("a\n\nx\n", 2),
            ("a\n\n\n\nx\ny\n", 5),
            ("a\n\n", 1),
            ("a\n\"\"\nx\n\"\"\n", 3),
            ("a\n\"\"", 1),
            ("\n\na\nx\n", 1),
            ("a\r\nx\r\n", 1),
            ("a\r\n\r\nx\r\n\r\n", 3),
            ("a\r\n\"\"\r\n\r\n", 2),
            ("a\r\r\nx\n", 2),
            ("a\rx\r\ry", 3),
            ("a\n\"x\n\n\"\n\n", 2),
            ("a\n  \n", 1),
            // Several columns: as ever.
            ("a,b\nx,y\n\n\nz,w\n\n", 2),
            ("a,\nx,\n\n", 1),
        ] {
            assert_eq!(rows(text), expected, "{text:?}");
        }
        let many = format!("a\n{}", "\n".repeat(200_000));
        assert_eq!(rows(&many), 200_000);
        let limits = Limits {
            max_rows: 2,
            ..Limits::default()
        };
        assert!(read(b"a\n\n\n", None, None, &limits).is_ok());
        let refused = read(b"a\n\n\n\n", None, None, &limits).unwrap_err();
        assert!(matches!(refused, TableError::TooManyRows { limit: 2 }));
    }

    #[test]
    fn blank_lines_are_told_to_the_owner_with_their_line() {
        let schema = "{age: {integer: {min: 0, max: 99}}}";
        for text in ["age\n1\n\n2\n\n", "age\r\n1\r\n\r\n2\r\n\r\n"] {
            let result = read(text.as_bytes(), None, Some(schema), &Limits::default());
            expect![[r#"
                4 rows of age
                2 lines are blank and count as rows with an empty field, as the file has one column
                column `age`: 2 fields are empty though the column is not nullable, and counted as the lowest bin (first on line 3)
            "#]]
            .assert_eq(&describe(result));
        }
    }

    #[test]
    fn nothing_to_read_is_said() {
        check(
            "",
            expect![[r#"
            the file is empty; a table begins with a line of column names
        "#]],
        );
        check(
            "\u{feff}",
            expect![[r#"
            the file is empty; a table begins with a line of column names
        "#]],
        );
        check(
            "\n\n",
            expect![[r#"
            the file is empty; a table begins with a line of column names
        "#]],
        );
        check(
            "id,a\n",
            expect![[r#"
            the file has column names but no rows
        "#]],
        );
        check(
            "id\n1\n",
            expect![[r#"
            the table has no column besides the key
        "#]],
        );
    }

    #[test]
    fn other_kinds_of_files_are_recognised() {
        check(
            b"\xff\xfei\0d\0",
            expect![[r#"
            this is a text in UTF-16, not a CSV file; save it with the encoding UTF-8
        "#]],
        );
        check(
            b"i\0d\0,\0a\0",
            expect![[r#"
            this is a text in UTF-16, not a CSV file; save it with the encoding UTF-8
        "#]],
        );
        check(
            b"\0i\0d\0,\0a",
            expect![[r#"
            this is a text in UTF-16, not a CSV file; save it with the encoding UTF-8
        "#]],
        );
        check(
            b"PK\x03\x04rest",
            expect![[r#"
            this is an Excel workbook or a zip archive, not a CSV file; export the sheet as CSV, or unpack it
        "#]],
        );
        check(
            b"PAR1rest",
            expect![[r#"
            this is a Parquet file, not a CSV file; say so by its name or content type
        "#]],
        );
        check(
            b"\x1f\x8brest",
            expect![[r#"
            this is a gzip archive, not a CSV file; unpack it
        "#]],
        );
        check(
            "id;a\n1;x\n",
            expect![[r#"
            the fields seem to be separated by ';'; separate them by commas
        "#]],
        );
    }

    #[test]
    fn headers_are_checked() {
        check(
            "id,a,b,a\n1,x,y,z\n",
            expect![[r#"
            columns 2 and 4 are both named `a`; rename one of them
        "#]],
        );
        check(
            "id,\"a\nb\"\n1,x\n",
            expect![[r#"
            the name of column 2 cannot be used: it has the character U+000A at position 2, a control character; remove it
        "#]],
        );
        check(
            ",id,a,\n0,1,x,\n",
            expect![[r#"
            1 rows of a
            column 1 has no name and is left out
            column 4 has no name and is left out
        "#]],
        );
        check(
            b"id,\xe9\n1,x\n",
            expect![[r#"
            line 1, column 2: not UTF-8 text; save the file with the encoding UTF-8
        "#]],
        );
        check(
            "Id,a\n1,x\n",
            expect![[r#"
            there is no column `id`, by which rows are matched (did you mean `Id`?); the columns are `Id` and `a`
        "#]],
        );
        check(
            "name,a\n1,x\n",
            expect![[r#"
            there is no column `id`, by which rows are matched; the columns are `name` and `a`
        "#]],
        );
    }

    #[test]
    fn ids_are_checked() {
        check(
            "id,a\n1,x\n  ,y\n",
            expect![[r#"
            line 3: the id in column `id` is empty; every row needs one
        "#]],
        );
        check(
            "id,a\n1,x\n2,y\n 1,z\n2,z\n3,z\n",
            expect![[r#"
                2 rows repeat the id of an earlier row (for example `1` and `2`); each id may have one row, unless max_rows_per_id allows more
            "#]],
        );
        check(
            "id,a\n7,x\n07,y\n",
            expect![[r#"
            2 rows of a
        "#]],
        );
    }

    #[test]
    fn ragged_rows_are_refused_with_their_line() {
        check(
            "id,a\n1,x\n2\n3,z\n",
            expect![[r#"
            line 3 has 1 field where the header has 2; is a comma or a quote missing or too many?
        "#]],
        );
        check(
            "id,a\n1,x\n\n\n2,y,z\n",
            expect![[r#"
            line 5 has 3 fields where the header has 2; is a comma or a quote missing or too many?
        "#]],
        );
        check(
            "id,a\n1,\"x\ny\"\n2,y,z\n",
            expect![[r#"
            line 4 has 3 fields where the header has 2; is a comma or a quote missing or too many?
        "#]],
        );
    }

    #[test]
    fn an_open_quote_is_refused_with_the_line_it_was_opened_on() {
        check(
            "id,a\n1,x\n2,\"y\n3,z\n",
            expect![[r#"
            the file ends inside a quoted field of the record that starts on line 3; close the quote, or was the file cut off?
        "#]],
        );
        check(
            "id,a\n1,x\n\n\"2,y\n3,z\n",
            expect![[r#"
            the file ends inside a quoted field of the record that starts on line 4; close the quote, or was the file cut off?
        "#]],
        );
        check(
            "id,\"a\n1,x\n",
            expect![[r#"
            the file ends inside a quoted field of the record that starts on line 1; close the quote, or was the file cut off?
        "#]],
        );
        check(
            "id,a\n1,x\n2,\"y\"\"\n",
            expect![[r#"
            the file ends inside a quoted field of the record that starts on line 3; close the quote, or was the file cut off?
        "#]],
        );
        check(
            "id,a\n1,x\n2,\"",
            expect![[r#"
            the file ends inside a quoted field of the record that starts on line 3; close the quote, or was the file cut off?
        "#]],
        );
    }

    #[test]
    fn a_quote_within_a_plain_field_is_a_character() {
        check(
            "id,a\n1,5\" pipe\n2,y\n",
            expect![[r#"
            2 rows of a
        "#]],
        );
        check(
            "id,a\n1,\"5\"\" pipe\"\n2,y\"\n",
            expect![[r#"
            2 rows of a
        "#]],
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_line_and_column() {
        check(
            b"id,a\n1,x\n2,caf\xe9\n",
            expect![[r#"
            line 3, column `a`: not UTF-8 text; save the file with the encoding UTF-8
        "#]],
        );
        check(
            b"id,a\n1,x\n2,\0\n",
            expect![[r#"
            line 3, column `a`: a NUL byte, which no text holds; is the file damaged or not text at all?
        "#]],
        );
        check(
            "id,a\n1,café\n".as_bytes(),
            expect![[r#"
            1 rows of a
        "#]],
        );
    }

    #[test]
    fn limits_hold() {
        let few = |f: fn(&mut Limits)| {
            let mut limits = Limits::default();
            f(&mut limits);
            limits
        };
        check_limits(
            "id,a,b\n1,x,y\n",
            few(|l| l.max_columns = 2),
            expect![[r#"
            the table has 3 columns; at most 2 are allowed
        "#]],
        );
        check_limits(
            "id,a\n1,x\n2,y\n",
            few(|l| l.max_rows = 1),
            expect![[r#"
            the table has more than 1 rows, which is the most allowed
        "#]],
        );
        check_limits(
            "id,a\n1,x\n2,y\n",
            few(|l| l.max_bytes = 10),
            expect![[r#"
            the file has more than 10 bytes, which is the most allowed
        "#]],
        );
        check_limits(
            "id,a\n1,x\n2,yyyy\n",
            few(|l| l.max_field_bytes = 3),
            expect![[r#"
                line 3, column `a`: a field of more than 3 bytes; shorten it, or leave the column out
            "#]],
        );
        check_limits(
            "id,a\n1,x\n2,y\n3,z\n",
            few(|l| l.max_distinct = 2),
            expect![[r#"
                column `a` holds too many different values to be kept as they are; declare what it holds, or leave it out
            "#]],
        );
    }

    #[test]
    fn a_record_without_end_is_stopped() {
        let mut table = "id,a\n1,x\n2,\"".to_owned();
        table.extend(std::iter::repeat_n("3,z\n", 6 << 20));
        check(
            table,
            expect![[r#"
            the record that starts on line 3 goes on for more than 16777216 bytes; is a quote left open there?
        "#]],
        );
    }

    #[test]
    fn declared_columns_are_taken_and_others_left_out() {
        check_declared(
            "age,id,buying\n7,1,low\n8,2,high\n",
            expect![[r#"
            2 rows of buying, age
        "#]],
        );
        check_declared(
            "id,age,x,buying,,y\n1,7,,low,,\n",
            expect![[r#"
            1 rows of buying, age
            columns `x` and `y` are not declared and left out
            column 5 has no name and is left out
        "#]],
        );
        check_declared(
            "id,age\n1,7\n",
            expect![[r#"
            declared but missing: `buying`; the columns are `id` and `age`
        "#]],
        );
        check_declared(
            "id,Age,buyign\n1,7,low\n",
            expect![[r#"
            declared but missing: `buying` (did you mean `buyign`?), `age` (did you mean `Age`?); the columns are `id`, `Age` and `buyign`
        "#]],
        );
        let key_declared = read(
            b"id,age\n1,2\n",
            Some("age"),
            Some(SCHEMA),
            &Limits::default(),
        );
        expect![[r#"
            `age` is the key by which rows are matched and cannot be declared as a column too; take it out of the declaration
        "#]].assert_eq(&describe(key_declared));
    }

    #[test]
    fn values_outside_the_domain_are_counted_for_the_owner() {
        check_declared(
            "id,age,buying\n1,7,low\n2,100,mid\n\n3,x,\n4,-1,low\n",
            expect![[r#"
                4 rows of buying, age
                column `buying`: 1 field is not among the declared categories and counted as `low`, the first category (first on line 3)
                column `buying`: 1 field is empty though the column is not nullable, and counted as `low`, the first category (first on line 5)
                column `age`: 2 fields are outside the declared range 0 to 99 and counted as the nearest bound (first on line 3)
                column `age`: 1 field is not a whole number and counted as the lowest bin (first on line 5)
            "#]],
        );
    }

    #[test]
    fn a_table_takes_no_more_memory_than_allowed() {
        let limit = 6 << 20;
        let read_rows = |rows: usize, schema| {
            let limits = Limits {
                max_memory_bytes: limit,
                ..Limits::default()
            };
            let rows = (0..rows).map(|row| format!("{row},{},low\n", row % 99));
            let csv = "id,age,buying\n".to_owned() + &rows.collect::<String>();
            read(csv.as_bytes(), Some("id"), schema, &limits)
        };
        for schema in [Some(SCHEMA), None] {
            assert_eq!(read_rows(20_000, schema).unwrap().rows(), 20_000);
            let refused = read_rows(100_000, schema).unwrap_err();
            assert_eq!(
                refused.to_string(),
                format!(
                    "the table takes more than the {limit} bytes of memory that there are for it; leave rows or columns out, or declare columns that hold many different texts"
                )
            );
        }
    }

    /// 16 million empty fields in one record would take more than ten times their bytes.
    #[test]
    fn a_record_of_very_many_fields_takes_no_more_memory_than_allowed() {
        let limits = Limits {
            max_memory_bytes: 16 << 20,
            ..Limits::default()
        };
        let csv = "id,a\n1,".to_owned() + &",".repeat(8 << 20);
        let refused = read(csv.as_bytes(), Some("id"), None, &limits).unwrap_err();
        assert!(
            matches!(refused, TableError::TooMuchMemory { .. }),
            "{refused}"
        );
    }

    #[test]
    fn a_source_that_breaks_off_is_an_error() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::new(io::ErrorKind::ConnectionReset, "reset"))
            }
        }
        let input = b"id,a\n1,x\n".chain(Broken);
        let result = read_csv(
            input,
            Some("id"),
            None,
            &KeyHasher::new([3; 16]),
            &Limits::default(),
        );
        expect![[r#"
            the table could not be read to its end: reset
        "#]]
        .assert_eq(&describe(result));
    }
}
