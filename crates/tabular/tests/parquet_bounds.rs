//! Parquet files that lie about themselves cost no more memory and time than they may.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::cell::Cell;
use std::io::Write;

use bytes::Bytes;
use schema::{Declaration, Schema};
use tabular::{
    KeyHasher, ReadLimits, TableError, Upload, read_csv, read_parquet, read_parquet_while,
};
use testkit::parquet::{Column, Page, inflating, numbered, parquet, plain, varint};

/// Bytes for each table.
const MEMORY: u64 = 64 << 20;

fn limits() -> ReadLimits {
    ReadLimits {
        max_memory_bytes: MEMORY,
        max_bytes: 16 << 20,
        ..ReadLimits::default()
    }
}

fn read(file: Vec<u8>) -> Result<Upload, TableError> {
    let hasher = KeyHasher::new([5; 16]);
    read_parquet(Bytes::from(file), Some("id"), None, &hasher, &limits())
}

fn column(codec: i32, pages: Vec<Page>) -> Column {
    Column {
        name: "a".to_owned(),
        physical: 6,
        codec,
        pages,
    }
}

fn data(values: i32, encoding: i32, unpacked: i32, bytes: Vec<u8>) -> Page {
    Page {
        is_dictionary: false,
        values,
        encoding,
        unpacked,
        bytes,
    }
}

/// A file with one id, and a column `a` with this page.
fn one(codec: i32, page: Page) -> Vec<u8> {
    parquet(1, &[numbered("id", 1), column(codec, vec![page])])
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn length(bytes: &[u8]) -> i32 {
    i32::try_from(bytes.len()).unwrap()
}

#[test]
fn an_honest_page_is_read_whatever_it_is_packed_with() {
    let text = plain(b"x");
    let packed = [
        (0, text.clone()),
        (1, snap::raw::Encoder::new().compress_vec(&text).unwrap()),
        (2, gzip(&text)),
        (6, zstd::bulk::compress(&text, 3).unwrap()),
    ];
    for (codec, packed) in packed {
        let page = data(1, 0, length(&text), packed);
        assert_eq!(read(one(codec, page)).unwrap().rows(), 1, "codec {codec}");
    }
}

#[test]
fn a_page_that_unpacks_to_more_than_it_says_is_refused() {
    let large = vec![0; 1 << 24];
    let packed = [
        (1, snap::raw::Encoder::new().compress_vec(&large).unwrap()),
        (2, gzip(&large)),
        (6, zstd::bulk::compress(&large, 3).unwrap()),
    ];
    for (codec, packed) in packed {
        let refused = read(one(codec, data(1, 0, 1 << 10, packed))).unwrap_err();
        assert!(matches!(refused, TableError::Parquet(_)), "{refused}");
    }
    assert!(matches!(read(inflating()), Err(TableError::Parquet(_))));
}

/// A frame that asks for a window of 2 GiB, in which every length is that of the page.
#[test]
fn a_page_has_no_window_besides_its_own_place() {
    let mut context = zstd::bulk::Compressor::new(3).unwrap();
    context
        .set_parameter(zstd::zstd_safe::CParameter::WindowLog(27))
        .unwrap();
    let text = plain(b"x");
    let packed = context.compress(&text).unwrap();
    assert!(read(one(6, data(1, 0, length(&text), packed))).is_ok());
}

#[test]
fn a_page_that_says_it_is_larger_than_there_is_memory_is_refused_before_any_is_taken() {
    for codec in [1, 2, 6] {
        let page = data(1, 0, 128 << 20, b"short".to_vec());
        let refused = read(one(codec, page)).unwrap_err();
        assert!(
            matches!(refused, TableError::TooMuchMemory { .. }),
            "{refused}"
        );
    }
}

#[test]
fn a_dictionary_of_two_thousand_million_values_is_refused() {
    let dictionary = Page {
        is_dictionary: true,
        values: i32::MAX,
        encoding: 0,
        unpacked: 5,
        bytes: plain(b"x"),
    };
    let indices = data(1, 8, 3, vec![1, 2, 0]);
    let file = parquet(
        1,
        &[numbered("id", 1), column(0, vec![dictionary, indices])],
    );
    let refused = read(file).unwrap_err();
    assert!(
        matches!(refused, TableError::TooMuchMemory { .. }),
        "{refused}"
    );
}

/// The decoder makes room for as many lengths as the page says, of which it has none.
#[test]
fn lists_of_lengths_are_no_longer_than_the_page() {
    let deltas = |count: u64| [varint(128), varint(4), varint(count), varint(0)].concat();
    let (many, one_length) = (deltas(1 << 40), deltas(1));
    let pages = [
        data(1, 6, 100, many.clone()),
        data(1, 7, 100, many.clone()),
        data(1, 7, 100, [one_length, many].concat()),
    ];
    for page in pages {
        let refused = read(one(0, page)).unwrap_err();
        assert!(matches!(refused, TableError::Parquet(_)), "{refused}");
    }
}

/// A dictionary whose one text of 64,000 bytes is named by every row: 65 KB that stand for 1.3 TB.
fn one_long_text(rows: i32) -> Vec<u8> {
    let bytes = plain(&[b'x'; 64_000]);
    let dictionary = Page {
        is_dictionary: true,
        values: 1,
        encoding: 0,
        unpacked: length(&bytes),
        bytes,
    };
    // One run of as many zeros as there are rows.
    let run = [vec![1], varint(u64::try_from(rows).unwrap() << 1), vec![0]].concat();
    let indices = data(rows, 8, length(&run), run);
    parquet(rows.into(), &[column(0, vec![dictionary, indices])])
}

#[test]
fn a_small_file_costs_no_more_than_its_length_and_the_longest_are_worth() {
    let hasher = KeyHasher::new([5; 16]);
    let file = Bytes::from(one_long_text(20_000_000));
    let limits = |max_bytes| ReadLimits {
        max_bytes,
        ..limits()
    };
    let default = ReadLimits::default().max_bytes;
    for (max_bytes, expected) in [(default, 256 << 20), (1 << 20, 16 << 20)] {
        let file = file.clone();
        let refused = read_parquet(file, None, None, &hasher, &limits(max_bytes)).unwrap_err();
        assert!(
            matches!(refused, TableError::TooMuchUnpacked { limit } if limit == expected),
            "{refused}"
        );
    }
}

#[test]
fn reading_ends_when_nobody_waits_for_it() {
    let hasher = KeyHasher::new([5; 16]);
    let file = Bytes::from(one_long_text(20_000_000));
    let asked = Cell::new(0);
    let wanted = || {
        asked.set(asked.get() + 1);
        asked.get() < 3
    };
    let limits = ReadLimits::default();
    let refused = read_parquet_while(file, None, None, &hasher, &limits, &wanted).unwrap_err();
    assert!(matches!(refused, TableError::Unwanted), "{refused}");
    assert_eq!(asked.get(), 3);
}

/// Pages without records cost time only, and are counted all the same.
#[test]
fn pages_without_end_are_stopped() {
    let empty = vec![0; 1 << 20];
    let page = data(
        0,
        0,
        length(&empty),
        zstd::bulk::compress(&empty, 3).unwrap(),
    );
    let column = column(6, vec![page; 1_000]);
    let refused = read(parquet(1, &[numbered("id", 1), column])).unwrap_err();
    assert!(
        matches!(refused, TableError::TooMuchUnpacked { .. }),
        "{refused}"
    );
}

/// Room for long records, and for a footer, is free again when the table is whole.
#[test]
fn a_table_is_counted_without_what_it_was_read_with() {
    let hasher = KeyHasher::new([5; 16]);
    let schema = Declaration::from_yaml("a: {integer: {min: 0, max: 9}}").unwrap();
    let schema = Schema::new(schema).unwrap();
    let (key, schema) = (Some("id"), Some(&schema));
    let csv = format!("id,a,note\n1,5,{}\n", "x".repeat(60_000));
    let from_csv = read_csv(csv.as_bytes(), key, schema, &hasher, &limits()).unwrap();
    let mut columns = vec![numbered("id", 1), numbered("a", 1)];
    columns.extend((0..1_000).map(|number| numbered(&format!("left out {number}"), 1)));
    let file = Bytes::from(parquet(1, &columns));
    let from_parquet = read_parquet(file, key, schema, &hasher, &limits()).unwrap();
    for upload in [from_csv, from_parquet] {
        let bytes = upload.joined_bytes(1);
        assert!(bytes < 64 << 10, "{bytes}");
    }
}

/// 4,096 values that are all of this length, laid out stream by stream, in a page of no bytes.
fn streams_of_nothing(length: u32) -> Vec<u8> {
    let head = "504152311500150015002c1580401512150615060000";
    let before = "1502193c4804726f6f74150400150e15";
    let after = "1500180163250a150000150425001802696400168040191c192c26081c150e35003624\
                 26080000262c1c150435003600262c00002680400000";
    let footer = [hex(before), varint(2 * u64::from(length)), hex(after)].concat();
    let end = u32::try_from(footer.len()).unwrap().to_le_bytes();
    [&hex(head)[..], &footer, &end, b"PAR1"].concat()
}

fn hex(digits: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(pair).collect()
}

#[test]
fn values_of_one_length_have_room_made_for_them_only_if_they_can_be_there() {
    // An abort for want of memory would end the test, and an enclave with all tables in it.
    for length in [i32::MAX.cast_unsigned(), 1 << 20, 1 << 11, 16, 0] {
        let refused = read_parquet(
            Bytes::from(streams_of_nothing(length)),
            None,
            None,
            &KeyHasher::new([5; 16]),
            &limits(),
        );
        let refused = refused.unwrap_err();
        assert!(
            matches!(refused, TableError::Parquet(_)),
            "{length}: {refused}"
        );
    }
}
