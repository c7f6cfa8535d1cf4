//! Tables as people have them: compressed, in other encodings, with other separators, as JSON.
#![expect(clippy::unwrap_used, reason = "tests may")]

use std::io::{self, Read, Write};

use expect_test::{Expect, expect};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use schema::{Declaration, Schema};
use tabular::{
    Joined, KeyHasher, ReadLimits, ReadOptions, TableError, Upload, read_table, write_csv,
};

fn hasher() -> KeyHasher {
    KeyHasher::new([3; 16])
}

fn read_with(
    bytes: &[u8],
    options: &ReadOptions,
    limits: &ReadLimits,
) -> Result<Upload, TableError> {
    read_table(bytes, options, None, None, &hasher(), limits, &|| true)
}

fn read(bytes: &[u8]) -> Result<Upload, TableError> {
    read_with(bytes, &ReadOptions::default(), &ReadLimits::default())
}

/// How the table was read, its columns, and the texts of each row in the end.
fn described(read: Result<Upload, TableError>) -> String {
    let upload = match read {
        Ok(upload) => upload,
        Err(refused) => return format!("refused: {refused}\n"),
    };
    let mut lines = vec![upload.read_as().to_string()];
    let names: Vec<&str> = upload.column_names().collect();
    lines.push(names.join(" / "));
    lines.extend(
        upload
            .warnings()
            .iter()
            .map(|warning| format!("note: {warning}")),
    );
    let table = Joined::single(upload).dangerous_into_coded();
    let columns = table.schema().columns().to_vec();
    let codes = table.dangerous_codes();
    for row in 0..codes.first().map_or(0, Vec::len) {
        let labels = columns.iter().zip(&codes);
        let labels = labels.map(|(column, codes)| column.label(codes[row] as usize));
        lines.push(labels.collect::<Vec<_>>().join(" / "));
    }
    lines.join("\n") + "\n"
}

fn check(bytes: impl AsRef<[u8]>, expected: Expect) {
    expected.assert_eq(&described(read(bytes.as_ref())));
}

fn check_with(bytes: impl AsRef<[u8]>, options: &[(&str, &str)], expected: Expect) {
    let mut of_file = ReadOptions::default();
    for (option, value) in options {
        match *option {
            "delimiter" => of_file.delimiter = Some(value.parse().unwrap()),
            _ => of_file.encoding = Some(value.parse().unwrap()),
        }
    }
    expected.assert_eq(&described(read_with(
        bytes.as_ref(),
        &of_file,
        &ReadLimits::default(),
    )));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn utf16(text: &str, big: bool) -> Vec<u8> {
    let units = format!("\u{feff}{text}");
    let bytes = |unit: u16| match big {
        true => unit.to_be_bytes(),
        false => unit.to_le_bytes(),
    };
    units.encode_utf16().flat_map(bytes).collect()
}

const TABLE: &str = "city;n\nMálaga;x\nKöln;y\nŁódź;x\n";

#[test]
fn separators_are_found_in_the_line_of_names() {
    check(
        TABLE,
        expect![[r#"
        CSV separated by semicolons, in UTF-8
        city / n
        Málaga / x
        Köln / y
        Łódź / x
    "#]],
    );
    check(
        "a\tb\nx\ty, z\n",
        expect![[r#"
        CSV separated by tabs, in UTF-8
        a / b
        x / y, z
    "#]],
    );
    check(
        "a|b\nx|y, z\n",
        expect![[r#"
        CSV separated by pipes, in UTF-8
        a / b
        x / y, z
    "#]],
    );
    check(
        "sep=;\na;b\nx;y\n",
        expect![[r#"
        CSV separated by semicolons, in UTF-8
        a / b
        x / y
    "#]],
    );
    check(
        "a, b\n x, y\nz,  \"u, v\"\nw,t\n",
        expect![[r#"
        CSV separated by commas and spaces, in UTF-8
        a / b
        x / y
        z / u, v
        w / t
    "#]],
    );
    check(
        "age\nx;y\n",
        expect![[r#"
        CSV separated by commas, in UTF-8
        age
        x;y
    "#]],
    );
    check_with(
        "a;b,c\nx;y,z\n",
        &[("delimiter", ",")],
        expect![[r#"
        CSV separated by commas, in UTF-8
        a;b / c
        x;y / z
    "#]],
    );
    check_with(
        "a~b\nx~y\n",
        &[("delimiter", "~")],
        expect![[r#"
        CSV separated by `~`s, in UTF-8
        a / b
        x / y
    "#]],
    );
}

#[test]
fn compressed_files_are_unpacked() {
    let packed = gzip(TABLE.as_bytes());
    check(
        &packed,
        expect![[r#"
        CSV separated by semicolons, in UTF-8, compressed with gzip
        city / n
        Málaga / x
        Köln / y
        Łódź / x
    "#]],
    );
    check(
        [gzip(b"a,b\nx,y\n"), gzip(b"z,y\n")].concat(),
        expect![[r#"
        CSV separated by commas, in UTF-8, compressed with gzip
        a / b
        x / y
        z / y
    "#]],
    );
    let zstd = zstd::bulk::compress(TABLE.as_bytes(), 3).unwrap();
    check(
        &zstd,
        expect![[r#"
        CSV separated by semicolons, in UTF-8, compressed with Zstandard
        city / n
        Málaga / x
        Köln / y
        Łódź / x
    "#]],
    );
    check(
        gzip(&utf16(TABLE, true)),
        expect![[r#"
        CSV separated by semicolons, in UTF-16BE, compressed with gzip
        city / n
        Málaga / x
        Köln / y
        Łódź / x
    "#]],
    );
    check(
        gzip(b""),
        expect![[r#"
        refused: the file is empty; a table begins with a line of column names
    "#]],
    );
    check(
        &packed[..packed.len() - 9],
        expect![[r#"
        refused: the gzip file is cut off; copy or download it again, to its end
    "#]],
    );
    check(
        &zstd[..zstd.len() - 2],
        expect![[r#"
        refused: the Zstandard file is cut off; copy or download it again, to its end
    "#]],
    );
    check(
        [&packed[..], b"and more than a header"].concat(),
        expect![[r#"
            refused: the gzip file is damaged, or something else comes after it
        "#]],
    );
    check(
        gzip(&packed),
        expect![[r#"
        refused: the file is compressed twice; unpack it once
    "#]],
    );
    check(
        gzip(b"PAR1.."),
        expect![[r#"
        refused: this is a Parquet file, not a CSV file; send it by itself, and with a name or content type that says so
    "#]],
    );
}

#[test]
fn encodings_are_told_by_mark_or_by_name() {
    check(
        utf16(TABLE, false),
        expect![[r#"
        CSV separated by semicolons, in UTF-16LE
        city / n
        Málaga / x
        Köln / y
        Łódź / x
    "#]],
    );
    check(
        utf16(TABLE, true),
        expect![[r#"
        CSV separated by semicolons, in UTF-16BE
        city / n
        Málaga / x
        Köln / y
        Łódź / x
    "#]],
    );
    let latin1 = b"city\nK\xf6ln\n";
    check(
        latin1,
        expect![[r#"
        refused: line 2, column `city`: not UTF-8 text; save the file with the encoding UTF-8, or on the command line name the encoding it has, such as --encoding latin1
    "#]],
    );
    check_with(
        latin1,
        &[("encoding", "latin1")],
        expect![[r#"
        CSV separated by commas, in windows-1252
        city
        Köln
    "#]],
    );
    // The mark is right whatever was said.
    check_with(
        utf16(TABLE, true),
        &[("encoding", "latin1")],
        expect![[r#"
        CSV separated by semicolons, in UTF-16BE
        city / n
        Málaga / x
        Köln / y
        Łódź / x
    "#]],
    );
    check_with(
        "\u{feff}a\nö\n",
        &[("encoding", "latin1")],
        expect![[r#"
        CSV separated by commas, in UTF-8
        a
        ö
    "#]],
    );
    check(
        &utf16("a\nx\n", false)[2..],
        expect![[r#"
        refused: this is a text in UTF-16, not a CSV file; save it with the encoding UTF-8, or on the command line name its encoding with --encoding utf-16le or utf-16be
    "#]],
    );
    check_with(
        &utf16("a\nx\n", false)[2..],
        &[("encoding", "utf-16le")],
        expect![[r#"
        CSV separated by commas, in UTF-16LE
        a
        x
    "#]],
    );
    check(
        &utf16("a\nx\ny\n", false)[..11],
        expect![[r#"
        refused: line 3: not a text in UTF-16LE, which ends within a character; was the file cut off?
    "#]],
    );
    check_with(
        b"a\nx\n\x81\xff\n",
        &[("encoding", "shift_jis")],
        expect![[r#"
        refused: line 3: not a text in Shift_JIS; name the encoding it has, or save the file as UTF-8
    "#]],
    );
}

#[test]
fn objects_are_rows() {
    check(
        r#"{"name": "a \"b\" é \u00e9", "n": 1.50, "yes": true, "none": null}
{"n": 12345678901234567890123, "name": "x", "none": null, "yes": null}

{"yes":false,"name":"a\nb", "none": null, "n": null}"#,
        expect![[r#"
            JSON, one object after the other, in UTF-8
            name / n / yes / none
            note: column `name`: 1 different value with control or invisible characters will count as `other`
            a "b" é é / 1 to 2 / true / null
            x / 12345663615315212000000 to 12345699644112231000000 / null / null
            other / null / false / null
        "#]],
    );
    check(
        "[{\"a\": 1, \"b\": \"x\"},\n {\"a\": 2, \"b\": \"\"}\n]\n",
        expect![[r#"
        JSON, an array of objects, in UTF-8
        a / b
        1 / x
        2 / null
    "#]],
    );
    check(
        gzip(b"{\"a\": \"x\"}\n"),
        expect![[r#"
        JSON, one object after the other, in UTF-8, compressed with gzip
        a
        x
    "#]],
    );
    check(
        "  \n[ ]",
        expect![[r#"
        refused: the file is empty; a table begins with a line of column names
    "#]],
    );
}

#[test]
fn a_field_that_few_objects_have_names_no_column() {
    let table = |rare: u32, first: &str| -> String {
        let object = |row: u32| match row < rare {
            true => format!("{{\"a\": {row}, \"secret_since\": 1}}\n"),
            false => format!("{{\"a\": {row}}}\n"),
        };
        first.to_owned() + &(0..200).map(object).collect::<String>()
    };
    // Whether the first object has it or a later one is all the same.
    for first in ["", "{\"a\": 5}\n"] {
        let refusal = read(table(19, first).as_bytes()).unwrap_err().to_string();
        assert!(
            refusal.contains("the field `secret_since` is in 19 of 20"),
            "{refusal}"
        );
        let upload = read(table(20, first).as_bytes()).unwrap();
        let names: Vec<&str> = upload.column_names().collect();
        assert_eq!(names, ["a", "secret_since"]);
        let told = upload.warnings().join("; ");
        assert!(told.contains("have no field `secret_since`"), "{told}");
    }
    // Names are looked for in the first objects alone, so that memory stays bounded.
    let late = "{\"a\": 1}\n".repeat(20_000) + "{\"a\": 1, \"b\": 2}\n";
    let refusal = read(late.as_bytes()).unwrap_err().to_string();
    assert!(
        refusal.starts_with("line 20001: the field `b` is in none"),
        "{refusal}"
    );
}

#[test]
fn objects_that_are_no_table_are_refused_where_they_are() {
    check(
        "{\"a\": 1}\n{\"a\": [1]}\n",
        expect![[r#"
        refused: line 2: the field `a` is a list or an object; a table in JSON has one object for each row, whose fields are texts, numbers, true, false or null (in pandas: orient="records")
    "#]],
    );
    check(
        "{\"a\": {\"b\": 1}}\n",
        expect![[r#"
        refused: line 1: the field `a` is a list or an object; a table in JSON has one object for each row, whose fields are texts, numbers, true, false or null (in pandas: orient="records")
    "#]],
    );
    check(
        "{\"a\": 1}\n{\"b\": 1}\n",
        expect![[r#"
        refused: the field `a` is in 1 of 2 objects, and others will read its name: one that fewer than 20 have, and not all, tells of them; write it in every object, as null where it has no value, take it out, or declare it in a schema
    "#]],
    );
    check(
        "{\"a\": 1}\n{\"a\": 1, \"a\": 2}\n",
        expect![[r#"
        refused: line 2: the field `a` comes twice in one object
    "#]],
    );
    check(
        "{\"a\": 1}\n\n{\"a\" 1}\n",
        expect![[r#"
        refused: line 3: this is not JSON: expected `:`
    "#]],
    );
    check(
        "{\"a\": 1}\n{\"a\": \"x\n",
        expect![[r#"
        refused: line 2: the object is not closed; was the file cut off?
    "#]],
    );
    check(
        "[{\"a\": 1}, {\"a\": 2}",
        expect![[r#"
        refused: line 1: the array is not closed; was the file cut off?
    "#]],
    );
    check(
        "[{\"a\": 1} {\"a\": 2}]",
        expect![[r#"
        refused: line 1: a comma is missing between two objects
    "#]],
    );
    check(
        "[{\"a\": 1}] 7",
        expect![[r#"
        refused: line 1: something follows the end of the array
    "#]],
    );
    check(
        "{\"a\": 1}\n[2]\n",
        expect![[r#"
        refused: line 2: a row is an object, which begins with `{`; something else is here
    "#]],
    );
    check(
        "{\"a\": \"\\u0000\"}\n",
        expect![[r#"
        refused: line 1, column `a`: a NUL byte, which no text holds; is the file damaged or not text at all?
    "#]],
    );
    check(
        b"{\"a\": \"\xe9\"}\n",
        expect![[r#"
        refused: line 1: this is not JSON: invalid unicode code point
    "#]],
    );
    check(
        "{}\n",
        expect![[r#"
        refused: the table has no column besides the key
    "#]],
    );
}

#[test]
fn a_decimal_comma_between_commas_is_named() {
    check(
        "a,height\nx,1,80\n",
        expect![[r#"
        refused: line 2 has 3 fields where the header has 2; if numbers are written with a decimal comma, put quotes around them, or separate the fields by semicolons
    "#]],
    );
    check(
        "a,height\nx,1.80,\n",
        expect![[r#"
        refused: line 2 has 3 fields where the header has 2; if each row ends with a comma that the line of names lacks, add one to it, or take them off the rows
    "#]],
    );
    check(
        "a;height\nx;1;80\n",
        expect![[r#"
            refused: line 2 has 3 fields where the header has 2; if each row begins with a name or number of its own, as R writes them, give that column a name too, or write the table without (in R: row.names = FALSE)
        "#]],
    );
}

#[test]
fn a_small_file_does_not_stand_for_any_number_of_bytes() {
    let zeros = format!("{}\n", "0".repeat(60_000)).repeat(5_000);
    let bomb = gzip(format!("a\n{zeros}").as_bytes());
    let refused = read(&bomb).unwrap_err();
    assert!(
        matches!(refused, TableError::TooMuchUnpacked { limit } if limit == 256 << 20),
        "{refused}"
    );
    let limits = ReadLimits {
        max_bytes: 1 << 20,
        ..ReadLimits::default()
    };
    let refused = read_with(&bomb, &ReadOptions::default(), &limits).unwrap_err();
    assert!(
        matches!(refused, TableError::TooManyBytes { .. }),
        "{refused}"
    );
}

#[test]
fn a_decoder_takes_no_more_memory_than_there_is() {
    let mut packed = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    packed.window_log(26).unwrap();
    packed
        .write_all(format!("a\n{}", "x\n".repeat(1 << 20)).as_bytes())
        .unwrap();
    let packed = packed.finish().unwrap();
    assert_eq!(read(&packed).unwrap().rows(), 1 << 20);
    let limits = ReadLimits {
        max_memory_bytes: 64 << 20,
        ..ReadLimits::default()
    };
    let refused = read_with(&packed, &ReadOptions::default(), &limits).unwrap_err();
    assert!(
        matches!(refused, TableError::PackedDamaged { .. }),
        "{refused}"
    );
    let limits = ReadLimits {
        max_memory_bytes: 8 << 20,
        ..ReadLimits::default()
    };
    let refused = read_with(&packed, &ReadOptions::default(), &limits).unwrap_err();
    assert!(
        matches!(refused, TableError::TooMuchMemory { .. }),
        "{refused}"
    );
}

#[test]
fn nobody_unpacks_what_nobody_waits_for() {
    let packed = gzip(TABLE.as_bytes());
    let (options, limits) = (ReadOptions::default(), ReadLimits::default());
    let wanted = || false;
    let read = read_table(
        &packed[..],
        &options,
        None,
        None,
        &hasher(),
        &limits,
        &wanted,
    );
    assert!(matches!(read, Err(TableError::Unwanted)));
}

#[test]
fn a_source_that_breaks_off_is_not_taken_for_a_damaged_file() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
    let packed = gzip(TABLE.as_bytes());
    let (options, limits) = (ReadOptions::default(), ReadLimits::default());
    for length in [2, 8, packed.len() - 8] {
        let input = packed[..length].chain(Broken);
        let read = read_table(input, &options, None, None, &hasher(), &limits, &|| true);
        assert!(matches!(read, Err(TableError::Read(_))), "{length}");
    }
}

#[test]
fn a_declared_table_is_the_same_in_every_form() {
    let yaml = "{city: {categories: [Málaga, Köln, Łódź]}, n: {categories: [x, y]}}";
    let schema = Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap();
    let codes = |bytes: &[u8]| {
        let (options, limits) = (ReadOptions::default(), ReadLimits::default());
        let schema = Some(&schema);
        let read = read_table(bytes, &options, None, schema, &hasher(), &limits, &|| true);
        Joined::single(read.unwrap())
            .dangerous_into_coded()
            .dangerous_codes()
    };
    let expected = codes(TABLE.replace(';', ",").as_bytes());
    assert_eq!(expected, [[0, 1, 2], [0, 1, 0]]);
    let objects = r#"[{"city": "Málaga", "n": "x"}, {"n": "y", "city": "K\u00f6ln"},
                      {"city": "Łódź", "n": "x"}]"#;
    for bytes in [
        TABLE.as_bytes(),
        TABLE.replace(';', "\t").as_bytes(),
        TABLE.replace(';', "; ").as_bytes(),
        &gzip(TABLE.as_bytes()),
        &utf16(TABLE, false),
        objects.as_bytes(),
    ] {
        assert_eq!(codes(bytes), expected);
    }
}

#[test]
fn names_that_could_mislead_are_quoted_where_they_are_written() {
    for name in [
        "a;b;c", "x|y|z", "{}", "[]", "sep=~", "sep=;", "PAR1", "BZh9", "plain",
    ] {
        let yaml = format!("{{{name:?}: {{categories: [x, y]}}, b: {{categories: [x]}}}}");
        let schema = Schema::new(Declaration::from_yaml(&yaml).unwrap()).unwrap();
        let mut written = Vec::new();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        write_csv(
            &schema,
            &[vec![1, 0], vec![0, 0]],
            &mut rng,
            &mut written,
            true,
        )
        .unwrap();
        let upload = read(&written).unwrap();
        let names: Vec<&str> = upload.column_names().collect();
        assert_eq!(names, [name, "b"], "{}", String::from_utf8_lossy(&written));
    }
}

/// A reader that gives what it has in pieces of a few bytes.
struct Slowly<'a>(&'a [u8], usize);

impl Read for Slowly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(self.0.len()).min(buffer.len());
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

proptest! {
    /// Where a stream is cut into pieces changes nothing.
    #[test]
    fn pieces_do_not_matter(
        rows in proptest::collection::vec("[a-zé\",; ]{0,6}", 1..8),
        piece in 1usize..9,
        form in 0..5,
    ) {
        let quoted = |row: &String| format!("\"{}\"; \"z\"\n", row.replace('"', "\"\""));
        let csv: String = rows.iter().map(quoted).collect();
        let csv = format!("name; b\n{csv}");
        let object = |row: &String| format!("{}\n", serde_json::json!({"name": row, "b": "z"}));
        let json: String = rows.iter().map(object).collect();
        let bytes = match form {
            0 => csv.into_bytes(),
            1 => utf16(&csv, true),
            2 => gzip(csv.as_bytes()),
            3 => zstd::bulk::compress(csv.as_bytes(), 1).unwrap(),
            _ => json.into_bytes(),
        };
        let (options, limits) = (ReadOptions::default(), ReadLimits::default());
        let slowly = Slowly(&bytes, piece);
        let pieces = read_table(slowly, &options, None, None, &hasher(), &limits, &|| true);
        let (pieces, whole) = (described(pieces), described(read(&bytes)));
        prop_assert_eq!(&pieces, &whole);
        prop_assert_eq!(whole.lines().count(), 2 + rows.len(), "{}", whole);
    }
}
