//! Parquet files byte by byte, which may lie about what is in them.

use std::io::Write;

/// A page of a column.
#[derive(Clone)]
pub struct Page {
    /// It holds a dictionary, not records.
    pub is_dictionary: bool,
    /// How many values the header says there are.
    pub values: i32,
    /// The encoding of the values, by its number in the format.
    pub encoding: i32,
    /// How many bytes the header says that the page has when unpacked.
    pub unpacked: i32,
    /// The page as it is in the file.
    pub bytes: Vec<u8>,
}

/// A required column.
#[derive(Clone)]
pub struct Column {
    /// The name that was given.
    pub name: String,
    /// Its physical type, by its number in the format: 1 for whole numbers of 32 bits, 6 for texts.
    pub physical: i32,
    /// How its pages are compressed, by the number in the format: 0 for not at all, 1 Snappy, 2
    /// gzip, 6 Zstandard.
    pub codec: i32,
    /// One after the other.
    pub pages: Vec<Page>,
}

/// A file with one row group of this many rows, as the footer says.
#[must_use]
pub fn parquet(rows: i64, columns: &[Column]) -> Vec<u8> {
    let mut file = b"PAR1".to_vec();
    let mut chunks = Vec::new();
    for column in columns {
        let start = file.len();
        let mut data = start;
        for page in &column.pages {
            if !page.is_dictionary && data == start {
                data = file.len();
            }
            file.extend(header(page));
            file.extend_from_slice(&page.bytes);
        }
        chunks.push(chunk(column, rows, start, data, file.len()));
    }
    let group = structure(&[(1, list(&chunks)), (2, long(0)), (3, long(rows))]);
    let root = structure(&[(4, text("schema")), (5, int(columns.len()))]);
    let leaves = columns.iter().map(|column| {
        let kind = if column.physical == 6 {
            vec![(6, int(0))]
        } else {
            vec![]
        };
        let fields = vec![
            (1, int(column.physical)),
            (3, int(0)),
            (4, text(&column.name)),
        ];
        structure(&[fields, kind].concat())
    });
    let schema: Vec<Vec<u8>> = std::iter::once(root).chain(leaves).collect();
    let footer = structure(&[
        (1, int(1)),
        (2, list(&schema)),
        (3, long(rows)),
        (4, list(&[group])),
    ]);
    file.extend_from_slice(&footer);
    file.extend(
        u32::try_from(footer.len())
            .expect("a short footer")
            .to_le_bytes(),
    );
    file.extend_from_slice(b"PAR1");
    file
}

/// A column of the texts `1`, `2` and so on, not compressed.
#[must_use]
pub fn numbered(name: &str, rows: i32) -> Column {
    let bytes = (1..=rows).flat_map(|row| plain(row.to_string().as_bytes()));
    let bytes: Vec<u8> = bytes.collect();
    Column {
        name: name.to_owned(),
        physical: 6,
        codec: 0,
        pages: vec![Page {
            is_dictionary: false,
            values: rows,
            encoding: 0,
            unpacked: i32::try_from(bytes.len()).expect("a short column"),
            bytes,
        }],
    }
}

/// A text as the encoding `PLAIN` has it.
#[must_use]
pub fn plain(text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("a short text");
    [&length.to_le_bytes()[..], text].concat()
}

/// A file of about 3 MB with ids and a column `a`, whose one page says that it has 1 KiB and
/// unpacks to over 3 GB.
///
/// # Panics
/// Never: gzip takes whatever it is given.
#[must_use]
pub fn inflating() -> Vec<u8> {
    let member = 1 << 24;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&vec![0; member]).expect("writing to memory");
    let member = gzip.finish().expect("writing to memory");
    let page = Page {
        is_dictionary: false,
        values: 1,
        encoding: 0,
        unpacked: 1 << 10,
        bytes: member.repeat(190),
    };
    let column = Column {
        name: "a".to_owned(),
        physical: 6,
        codec: 2,
        pages: vec![page],
    };
    parquet(1, &[numbered("id", 1), column])
}

fn header(page: &Page) -> Vec<u8> {
    let own = match page.is_dictionary {
        true => vec![(1, int(page.values)), (2, int(page.encoding))],
        false => vec![
            (1, int(page.values)),
            (2, int(page.encoding)),
            (3, int(3)),
            (4, int(3)),
        ],
    };
    let own = (
        if page.is_dictionary { 7 } else { 5 },
        (STRUCT, structure(&own)),
    );
    structure(&[
        (1, int(if page.is_dictionary { 2 } else { 0 })),
        (2, int(page.unpacked)),
        (3, int(page.bytes.len())),
        own,
    ])
}

fn chunk(column: &Column, rows: i64, start: usize, data: usize, end: usize) -> Vec<u8> {
    let encodings = (9, vec![0x15, 0]);
    let path = [&[0x18][..], &binary(column.name.as_bytes())].concat();
    let mut fields = vec![
        (1, int(column.physical)),
        (2, encodings),
        (3, (9, path)),
        (4, int(column.codec)),
        (5, long(rows)),
        (6, long(1)),
        (7, long(as_long(end - start))),
        (9, long(as_long(data))),
    ];
    if data > start {
        fields.push((11, long(as_long(start))));
    }
    structure(&[(2, long(0)), (3, (STRUCT, structure(&fields)))])
}

const STRUCT: u8 = 12;

/// A field's type and bytes in Thrift's compact protocol.
type Value = (u8, Vec<u8>);

fn int(value: impl TryInto<i64>) -> Value {
    let value = value.try_into().unwrap_or(i64::MAX);
    (5, varint(zigzag(value)))
}

fn long(value: i64) -> Value {
    (6, varint(zigzag(value)))
}

fn text(text: &str) -> Value {
    (8, binary(text.as_bytes()))
}

fn binary(bytes: &[u8]) -> Vec<u8> {
    [varint(bytes.len() as u64), bytes.to_vec()].concat()
}

fn list(structures: &[Vec<u8>]) -> Value {
    let head = [vec![0xf0 | STRUCT], varint(structures.len() as u64)].concat();
    (9, [head, structures.concat()].concat())
}

fn structure(fields: &[(i16, Value)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut last = 0;
    for (number, (kind, value)) in fields {
        let step = u8::try_from(number - last).expect("fields in order");
        bytes.push(step << 4 | kind);
        bytes.extend_from_slice(value);
        last = *number;
    }
    bytes.push(0);
    bytes
}

fn as_long(value: usize) -> i64 {
    i64::try_from(value).expect("a file in memory")
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

/// A number in groups of seven bits.
#[must_use]
pub fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).expect("seven bits");
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
