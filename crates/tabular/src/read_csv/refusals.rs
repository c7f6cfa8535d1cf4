//! What is not a table, and what is too large for one.

use std::io;

use expect_test::{Expect, expect};

use super::tests::{SCHEMA, check, describe, read};
use super::*;

fn check_limits(bytes: &str, limits: ReadLimits, expected: Expect) {
    expected.assert_eq(&describe(read(bytes.as_bytes(), Some("id"), None, &limits)));
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
        b"i\0d\0,\0a\0",
        expect![[r#"
        this is a text in UTF-16, not a CSV file; save it with the encoding UTF-8, or on the command line name its encoding with --encoding utf-16le or utf-16be
    "#]],
    );
    check(
        b"\0i\0d\0,\0a",
        expect![[r#"
        this is a text in UTF-16, not a CSV file; save it with the encoding UTF-8, or on the command line name its encoding with --encoding utf-16le or utf-16be
    "#]],
    );
    check(
        b"PK\x03\x04rest",
        expect![[r#"
        this is an Excel workbook or a zip archive, not a CSV file; save the sheet as CSV or Parquet, or unpack the archive
    "#]],
    );
    check(
        b"PAR1rest",
        expect![[r#"
        this is a Parquet file, not a CSV file; send it by itself, and with a name or content type that says so
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
        line 1, column 2: not UTF-8 text; save the file with the encoding UTF-8, or on the command line name the encoding it has, such as --encoding latin1
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
fn a_ragged_row_is_refused_with_its_probable_reason() {
    let check = |file: &str, hint: &str| {
        let found = read(file.as_bytes(), None, None, &ReadLimits::default());
        let error = found.err().unwrap().to_string();
        assert!(error.contains(hint), "{file:?}: {error}");
    };
    check("# by SAS\nage,sex\n70,m\n", "a title or a comment");
    check("Clients\n\nage,sex\n70,m\n", "a title or a comment");
    check("\"age\",\"sex\"\n\"1\",34,\"m\"\n", "row.names = FALSE");
    check("age,sex\nanna,34,m\n", "row.names = FALSE");
    check(
        "a,b\n17,y,\n",
        "ends with a comma that the line of names lacks",
    );
    check("a,b\n1.5,2,5\n", "decimal comma");
    check("a,b\n1,2\n1,2,3\n", "decimal comma");
    check("a,b\n1,2\nx,y,z\n", "missing or too many");
    check("a,b\n1\n", "missing or too many");
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
fn bytes_that_are_not_text_are_refused_with_line_and_column() {
    check(
        b"id,a\n1,x\n2,caf\xe9\n",
        expect![[r#"
        line 3, column `a`: not UTF-8 text; save the file with the encoding UTF-8, or on the command line name the encoding it has, such as --encoding latin1
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
    let few = |f: fn(&mut ReadLimits)| {
        let mut limits = ReadLimits::default();
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
fn a_table_takes_no_more_memory_than_allowed() {
    let limit = 6 << 20;
    let read_rows = |rows: usize, schema| {
        let limits = ReadLimits {
            max_memory_bytes: limit,
            ..ReadLimits::default()
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
                "the table takes more than the {limit} bytes of memory that there are for it; \
                 leave rows or columns out, or declare columns that hold many different texts"
            )
        );
    }
}

/// 16 million empty fields in one record would take more than ten times their bytes.
#[test]
fn a_record_of_very_many_fields_takes_no_more_memory_than_allowed() {
    let limits = ReadLimits {
        max_memory_bytes: 16 << 20,
        ..ReadLimits::default()
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
        &ReadLimits::default(),
    );
    expect![[r#"
        the table could not be read to its end: reset
    "#]]
    .assert_eq(&describe(result));
}
