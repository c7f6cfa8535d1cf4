//! Parquet files written by another hand, read as the CSV of the same values is.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs::File;
use std::io::{Seek, Write};
use std::sync::Arc;

use expect_test::{Expect, expect};
use parquet::basic::Compression;
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type,
    Int96, Int96Type,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use schema::{Declaration, Schema};
use tabular::{Joined, KeyHasher, ReadLimits, TableError, Upload, read_csv, read_parquet};

/// A file of this schema; `fill` writes one row group.
fn file(
    schema: &str,
    compression: Compression,
    fill: &dyn Fn(&mut SerializedRowGroupWriter<'_, File>),
) -> File {
    let file = tempfile::tempfile().unwrap();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = Arc::new(
        WriterProperties::builder()
            .set_compression(compression)
            .build(),
    );
    let mut writer =
        SerializedFileWriter::new(file.try_clone().unwrap(), schema, properties).unwrap();
    for _ in 0..2 {
        let mut group = writer.next_row_group().unwrap();
        fill(&mut group);
        group.close().unwrap();
    }
    writer.close().unwrap();
    file
}

fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &[T::T],
    levels: Option<&[i16]>,
) {
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<T>()
        .write_batch(values, levels, None)
        .unwrap();
    column.close().unwrap();
}

fn texts(texts: &[&str]) -> Vec<ByteArray> {
    texts.iter().map(|&text| ByteArray::from(text)).collect()
}

fn hasher() -> KeyHasher {
    KeyHasher::new([5; 16])
}

fn read(file: File, key: Option<&str>, schema: Option<&Schema>) -> Result<Upload, TableError> {
    read_parquet(file, key, schema, &hasher(), &ReadLimits::default())
}

fn declared(yaml: &str) -> Schema {
    Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap()
}

const KINDS: &str = "message table {
    required binary text (STRING);
    optional int32 whole;
    optional int64 big;
    optional double decimal;
    required float single;
    required boolean flag;
    optional int32 day (DATE);
    required int64 moment (TIMESTAMP(MICROS, true));
    required int96 old;
    required int32 price (DECIMAL(9, 2));
}";

fn all_kinds(group: &mut SerializedRowGroupWriter<'_, File>) {
    column::<ByteArrayType>(group, &texts(&["x", "", "é, \"z\""]), None);
    column::<Int32Type>(group, &[7, -8], Some(&[1, 0, 1]));
    column::<Int64Type>(group, &[1 << 40, -1, 0], Some(&[1, 1, 1]));
    column::<DoubleType>(group, &[0.5, 3.0], Some(&[0, 1, 1]));
    column::<FloatType>(group, &[0.1, 2.0, f32::NAN], None);
    column::<BoolType>(group, &[true, false, true], None);
    column::<Int32Type>(group, &[16_436], Some(&[0, 1, 0]));
    column::<Int64Type>(group, &[0, 1_420_113_600_000_000, -1], None);
    let mut noon = Int96::new();
    noon.set_data(0, 0, 2_440_589);
    column::<Int96Type>(group, &[noon, noon, noon], None);
    column::<Int32Type>(group, &[1_250, -5, 0], None);
}

/// What `all_kinds` writes, once.
const AS_CSV: &str = "text,whole,big,decimal,single,flag,day,moment,old,price
x,7,1099511627776,,0.1,true,,1970-01-01,1970-01-02,12.50
,,-1,0.5,2,false,2015-01-01,2015-01-01T12:00:00Z,1970-01-02,-0.05
\"é, \"\"z\"\"\",-8,0,3,NaN,true,,1969-12-31T23:59:59.999999Z,1970-01-02,0.00
";

#[test]
fn every_kind_is_read_as_from_csv() {
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::ZSTD(Default::default()),
    ] {
        let parquet = read(file(KINDS, compression, &all_kinds), None, None).unwrap();
        let rows = AS_CSV.split_once('\n').unwrap().1;
        let csv = read_csv(
            (AS_CSV.to_owned() + rows).as_bytes(),
            None,
            None,
            &hasher(),
            &ReadLimits::default(),
        )
        .unwrap();
        assert_eq!(parquet.rows(), 6);
        assert_eq!(parquet.warnings(), csv.warnings());
        let (parquet, csv) = (
            Joined::single(parquet).dangerous_into_coded(),
            Joined::single(csv).dangerous_into_coded(),
        );
        assert_eq!(parquet.schema(), csv.schema());
        assert_eq!(parquet.dangerous_codes(), csv.dangerous_codes());
    }
}

#[test]
fn declared_columns_are_coded_and_the_owner_is_told() {
    let schema = declared(
        "{whole: {integer: {min: 0, max: 9}, nullable: true}, text: {categories: [x], other: true, \
         nullable: true}}",
    );
    let upload = read(
        file(KINDS, Compression::SNAPPY, &all_kinds),
        None,
        Some(&schema),
    )
    .unwrap();
    expect![[r#"
        columns `big`, `decimal`, `single`, `flag`, `day`, `moment`, `old` and `price` are not declared and left out
        column `whole`: 2 fields are outside the declared range 0 to 9 and counted as the nearest bound (first on row 3)
        column `text`: 2 fields are not among the declared categories and counted as `other` (first on row 3)
    "#]]
    .assert_eq(&(upload.warnings().join("\n") + "\n"));
    let table = Joined::single(upload).dangerous_into_coded();
    assert_eq!(table.dangerous_codes()[0], [7, 10, 0, 7, 10, 0]);
}

fn check_refused(result: Result<Upload, TableError>, expected: Expect) {
    expected.assert_eq(&format!("{}\n", result.unwrap_err()));
}

#[test]
fn ids_of_a_parquet_file_match_those_of_a_csv_file() {
    let schema = "message table { required int64 id; required binary a (STRING); }";
    let one_group = |group: &mut SerializedRowGroupWriter<'_, File>| {
        column::<Int64Type>(group, &[1, 2, 3], None);
        column::<ByteArrayType>(group, &texts(&["x", "y", "z"]), None);
    };
    check_refused(
        read(
            file(schema, Compression::SNAPPY, &one_group),
            Some("id"),
            None,
        ),
        expect![[r#"
            3 rows repeat the id of an earlier row (for example `1`, `2` and `3`); each id may have one row, unless max_rows_per_id allows more
        "#]],
    );
    check_refused(
        read(
            file(schema, Compression::SNAPPY, &one_group),
            Some("key"),
            None,
        ),
        expect![[r#"
            there is no column `key`, by which rows are matched; the columns are `id` and `a`
        "#]],
    );

    let first = std::cell::Cell::new(0);
    let parquet = file(schema, Compression::SNAPPY, &|group| {
        let start = first.replace(3);
        column::<Int64Type>(group, &[start + 1, start + 2, start + 3], None);
        column::<ByteArrayType>(group, &texts(&["x", "y", "z"]), None);
    });
    let parquet = read(parquet, Some("id"), None).unwrap();
    let csv = read_csv(
        "id,b\n9,q\n5,p\n2,r\n".as_bytes(),
        Some("id"),
        None,
        &hasher(),
        &ReadLimits::default(),
    )
    .unwrap();
    let joined =
        Joined::join(vec![("A".into(), parquet), ("B".into(), csv)]).dangerous_into_coded();
    assert_eq!(joined.schema().columns()[0].label(0), "y");
    assert_eq!(joined.dangerous_codes(), [[0, 0], [1, 0]]);
}

#[test]
fn an_index_that_pandas_wrote_is_left_out_and_told_unless_it_is_wanted() {
    let schema = "message table {
        required binary a (STRING);
        required int64 __index_level_0__;
    }";
    let fill = |group: &mut SerializedRowGroupWriter<'_, File>| {
        column::<ByteArrayType>(group, &texts(&["x", "y"]), None);
        column::<Int64Type>(group, &[0, 1], None);
    };
    let upload = read(file(schema, Compression::SNAPPY, &fill), None, None).unwrap();
    expect![[r#"
        column `__index_level_0__` is the index that pandas wrote beside the columns and is left out; give it a name to keep it
    "#]]
    .assert_eq(&(upload.warnings().join("\n") + "\n"));
    assert_eq!(upload.column_names().collect::<Vec<_>>(), ["a"]);

    let index = "__index_level_0__";
    // Read as the key, which its numbers are not fit for: each stands in both row groups.
    let keyed = read(file(schema, Compression::SNAPPY, &fill), Some(index), None);
    assert!(matches!(keyed, Err(TableError::RepeatedIds { .. })));
    let wanted = declared("__index_level_0__: {integer: {min: 0, max: 9}}");
    let upload = read(
        file(schema, Compression::SNAPPY, &fill),
        None,
        Some(&wanted),
    )
    .unwrap();
    assert!(upload.column_names().any(|name| name == index));
}

#[test]
fn what_is_not_flat_is_left_out_or_refused_if_wanted() {
    let schema = "message table {
        required binary a (STRING);
        optional group list (LIST) { repeated group list { optional int32 element; } }
        required fixed_len_byte_array(3) raw;
        required int32 time (TIME(MILLIS, true));
    }";
    let fill = |group: &mut SerializedRowGroupWriter<'_, File>| {
        column::<ByteArrayType>(group, &texts(&["x"]), None);
        let mut list = group.next_column().unwrap().unwrap();
        list.typed::<Int32Type>()
            .write_batch(&[1, 2], Some(&[3, 3]), Some(&[0, 1]))
            .unwrap();
        list.close().unwrap();
        let raw: Vec<parquet::data_type::FixedLenByteArray> = vec![ByteArray::from("abc").into()];
        column::<parquet::data_type::FixedLenByteArrayType>(group, &raw, None);
        column::<Int32Type>(group, &[1], None);
    };
    // Without a schema it is wanted as well.
    check_refused(
        read(file(schema, Compression::SNAPPY, &fill), None, None),
        expect![[r#"
            column `list` is nested (a list or a structure), which is not supported; write it as text, numbers or dates
        "#]],
    );
    let flat = declared("a: {categories: [x]}");
    let upload = read(file(schema, Compression::SNAPPY, &fill), None, Some(&flat)).unwrap();
    expect![[r#"
        column `list` is of a type that is not supported and is left out
        column `raw` is of a type that is not supported and is left out
        column `time` is of a type that is not supported and is left out
    "#]]
    .assert_eq(&(upload.warnings().join("\n") + "\n"));
    assert_eq!(upload.column_names().collect::<Vec<_>>(), ["a"]);
    let nested = declared("list: {categories: [x]}");
    check_refused(
        read(
            file(schema, Compression::SNAPPY, &fill),
            None,
            Some(&nested),
        ),
        expect![[r#"
            column `list` is nested (a list or a structure), which is not supported; write it as text, numbers or dates
        "#]],
    );
    let raw = declared("raw: {categories: [x]}");
    check_refused(
        read(file(schema, Compression::SNAPPY, &fill), None, Some(&raw)),
        expect![[r#"
            column `raw` is of bytes without a known meaning, which is not supported; write it as text, numbers or dates
        "#]],
    );
    check_refused(
        read(
            file(schema, Compression::SNAPPY, &fill),
            Some("time"),
            Some(&flat),
        ),
        expect![[r#"
            column `time` is a time of day, which is not supported; write it as text, numbers or dates
        "#]],
    );
}

#[test]
fn texts_are_checked_as_in_csv() {
    let schema = "message table { required binary a; }";
    let refused = |bytes: &'static [u8]| {
        let fill = |group: &mut SerializedRowGroupWriter<'_, File>| {
            column::<ByteArrayType>(
                group,
                &[ByteArray::from("fine"), ByteArray::from(bytes)],
                None,
            );
        };
        read(file(schema, Compression::SNAPPY, &fill), None, None)
    };
    check_refused(
        refused(b"caf\xe9"),
        expect![[r#"
            row 2, column `a`: not UTF-8 text; save the file with the encoding UTF-8, or on the command line name the encoding it has, such as --encoding latin1
        "#]],
    );
    check_refused(
        refused(b"\0"),
        expect![[r#"
        row 2, column `a`: a NUL byte, which no text holds; is the file damaged or not text at all?
    "#]],
    );
    check_refused(
        refused(&[b'x'; 70_000]),
        expect![[r#"
        row 2, column `a`: a field of more than 65536 bytes; shorten it, or leave the column out
    "#]],
    );
}

#[test]
fn limits_and_empty_files_are_told() {
    let limited = |limits: ReadLimits| {
        read_parquet(
            file(KINDS, Compression::SNAPPY, &all_kinds),
            None,
            None,
            &hasher(),
            &limits,
        )
    };
    check_refused(
        limited(ReadLimits {
            max_rows: 5,
            ..ReadLimits::default()
        }),
        expect![[r#"
            the table has more than 5 rows, which is the most allowed
        "#]],
    );
    check_refused(
        limited(ReadLimits {
            max_bytes: 99,
            ..ReadLimits::default()
        }),
        expect![[r#"
            the file has more than 99 bytes, which is the most allowed
        "#]],
    );
    check_refused(
        limited(ReadLimits {
            max_columns: 3,
            ..ReadLimits::default()
        }),
        expect![[r#"
            the table has 10 columns; at most 3 are allowed
        "#]],
    );
    check_refused(
        limited(ReadLimits {
            max_memory_bytes: 10_000,
            ..ReadLimits::default()
        }),
        expect![[r#"
            the table takes more than the 10000 bytes of memory that there are for it; leave rows or columns out, or declare columns that hold many different texts
        "#]],
    );
    check_refused(
        read(tempfile::tempfile().unwrap(), None, None),
        expect![[r#"
            the file is empty; a table begins with a line of column names
        "#]],
    );
    let empty = file(
        "message table { required int32 a; }",
        Compression::SNAPPY,
        &|group| column::<Int32Type>(group, &[], None),
    );
    check_refused(
        read(empty, None, None),
        expect![[r#"
        the file has column names but no rows
    "#]],
    );
}

fn with_bytes(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn bytes_of(mut file: File) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    std::io::Read::read_to_end(&mut file, &mut bytes).unwrap();
    bytes
}

#[test]
fn what_is_not_a_parquet_file_is_refused() {
    check_refused(
        read(with_bytes(b"id,a\n1,x\n"), None, None),
        expect![[r#"
        the Parquet file cannot be read: its end is not that of a Parquet file; is it damaged?
    "#]],
    );
    check_refused(
        read(with_bytes(b"PAR"), None, None),
        expect![[r#"
        the Parquet file cannot be read: it is too short; is it damaged?
    "#]],
    );
}

/// Cut off anywhere, or with any byte changed, a file is read or refused, and the process lives on.
#[test]
fn a_damaged_file_is_an_error_and_never_a_panic() {
    let bytes = bytes_of(file(KINDS, Compression::UNCOMPRESSED, &all_kinds));
    // The decoder's own panics are caught; keep their reports out of the test's output.
    std::panic::set_hook(Box::new(|_| {}));
    for length in (0..bytes.len()).step_by(7) {
        assert!(
            read(with_bytes(&bytes[..length]), None, None).is_err(),
            "cut off at {length}"
        );
    }
    let mut refused = 0;
    for at in 0..bytes.len() {
        for flip in [0xff, 0x01, 0x80] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            refused += usize::from(read(with_bytes(&damaged), None, None).is_err());
        }
    }
    drop(std::panic::take_hook());
    assert!(
        refused > bytes.len(),
        "only {refused} of {} were noticed",
        bytes.len() * 3
    );
}
