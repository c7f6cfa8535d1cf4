//! What the footer of a Parquet file says: the columns, and where their pages are.
//!
//! The footer is read here and not by the crate `parquet`, whose memory and stack follow what a
//! footer claims: a schema of a few bytes can name 2^31 children or nest without end. What is made
//! here is never more than a small multiple of the footer's own bytes, which the table's account
//! has made room for. Source: Apache Parquet, `parquet-format/src/main/thrift/parquet.thrift`.

use parquet::file::reader::ChunkReader;

use crate::account::Account;
use crate::error::TableError;
use crate::thrift::{BINARY, LIST, Malformed, STRUCT, Thrift};

/// The bytes at the beginning and at the end of every file.
const MAGIC: &[u8] = b"PAR1";

/// Bytes that are held for each column of a row group and each element of the schema, with room to
/// spare.
const ENTRY: u64 = 256;

/// The parts of a footer that are needed to read the file.
pub(crate) struct Footer {
    /// The columns, in the order in which each row group has them.
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) row_groups: Vec<RowGroup>,
}

/// A column as the schema describes it. Numbers that are not given are -1.
pub(crate) struct Leaf {
    /// That of the top of the schema, where the column is a part of something.
    pub(crate) name: String,
    /// It is part of another column, or a list.
    pub(crate) nested: bool,
    pub(crate) optional: bool,
    pub(crate) physical: i64,
    /// Bytes of each value, of those that all have as many.
    pub(crate) length: i64,
    pub(crate) converted: i64,
    pub(crate) scale: i64,
    pub(crate) logical: Logical,
}

/// A column's logical type: which one, and its own two fields.
#[derive(Clone, Copy, Default)]
pub(crate) struct Logical {
    pub(crate) kind: i64,
    pub(crate) first: i64,
    pub(crate) second: i64,
}

#[derive(Default)]
pub(crate) struct RowGroup {
    pub(crate) rows: u64,
    pub(crate) chunks: Vec<Chunk>,
}

/// One column of one row group.
#[derive(Clone, Copy)]
pub(crate) struct Chunk {
    pub(crate) codec: i64,
    /// Where its pages are in the file.
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl From<Malformed> for TableError {
    fn from(_: Malformed) -> Self {
        damaged("its contents make no sense")
    }
}

pub(crate) fn damaged(what: &str) -> TableError {
    TableError::Parquet(format!("{what}; is it damaged?"))
}

impl Footer {
    pub(crate) fn read(input: &impl ChunkReader, account: &Account) -> Result<Self, TableError> {
        let tail = input.len().checked_sub(8);
        let tail = tail.ok_or_else(|| damaged("it is too short"))?;
        // The last eight bytes: the length of the footer, and the magic again.
        let end = input.get_bytes(tail, 8)?;
        match &end[4..] {
            MAGIC => {}
            b"PARE" => return Err(TableError::Parquet("it is encrypted".to_owned())),
            _ => return Err(damaged("its end is not that of a Parquet file")),
        }
        let length = u32::from_le_bytes([end[0], end[1], end[2], end[3]]);
        let start = tail.checked_sub(length.into());
        let start = start.ok_or_else(|| damaged("its footer is longer than the file"))?;
        // Four times: the bytes themselves, and what is made of them.
        account.take(u64::from(length) * 4)?;
        let bytes = input.get_bytes(start, length as usize)?;
        let (mut leaves, mut row_groups) = (Vec::new(), Vec::new());
        Thrift::new(&bytes).fields(|thrift, field, kind| {
            match (field, kind) {
                (2, LIST) => leaves = schema(thrift, account)?,
                (4, LIST) => {
                    row_groups = structures(thrift, account, |thrift| row_group(thrift, account))?;
                }
                _ => thrift.skip(kind)?,
            }
            Ok::<_, TableError>(())
        })?;
        let footer = Self { leaves, row_groups };
        footer.check(start)?;
        Ok(footer)
    }

    /// Every row group has every column, and all pages are before the footer.
    fn check(&self, footer: u64) -> Result<(), TableError> {
        // Checked once here, so that pages can be found by position alone.
        for group in &self.row_groups {
            if group.chunks.len() != self.leaves.len() {
                return Err(damaged("its row groups disagree about the columns"));
            }
            if group.chunks.iter().any(|chunk| chunk.end > footer) {
                return Err(damaged("its footer names pages that are not there"));
            }
        }
        Ok(())
    }
}

/// A list of structures, each read by `read`.
fn structures<T>(
    thrift: &mut Thrift<'_>,
    account: &Account,
    mut read: impl FnMut(&mut Thrift<'_>) -> Result<T, TableError>,
) -> Result<Vec<T>, TableError> {
    let (kind, count) = thrift.list()?;
    if kind != STRUCT && count > 0 {
        return Err(Malformed.into());
    }
    // Before the list is read: its length is a claim, though never of more than the bytes left.
    account.take(count as u64 * ENTRY)?;
    (0..count).map(|_| read(thrift)).collect()
}

/// A node of the schema's tree.
struct Element {
    name: String,
    numbers: [i64; 10],
    logical: Logical,
}

const CHILDREN: usize = 5;

impl Element {
    fn read(thrift: &mut Thrift<'_>) -> Result<Self, TableError> {
        let mut element = Self {
            name: String::new(),
            // -1 for what is not given: 0 means something in each of these fields.
            numbers: [-1; 10],
            logical: Logical::default(),
        };
        thrift.fields(|thrift, field, kind| {
            match (field, kind) {
                (4, BINARY) => element.name = text(thrift.binary()?)?,
                (10, STRUCT) => element.logical = Logical::read(thrift)?,
                // Numbers of any width: writers differ in which they take.
                (1..10, 4..=6) => {
                    let number = usize::try_from(field).map_err(|_| Malformed)?;
                    element.numbers[number] = thrift.int()?;
                }
                _ => thrift.skip(kind)?,
            }
            Ok::<_, TableError>(())
        })?;
        Ok(element)
    }

    fn leaf(&self, top: Option<&str>) -> Leaf {
        let [_, physical, length, repetition, _, _, converted, scale, ..] = self.numbers;
        Leaf {
            name: top.unwrap_or(&self.name).to_owned(),
            // A list (repetition 2) has several values a row, and cannot be a column of ours.
            nested: top.is_some() || repetition == 2,
            optional: repetition == 1,
            physical,
            length,
            converted,
            scale,
            logical: self.logical,
        }
    }
}

fn text(bytes: &[u8]) -> Result<String, TableError> {
    let text = str::from_utf8(bytes).map_err(|_| Malformed)?;
    Ok(text.to_owned())
}

/// The columns: the leaves of the schema's tree, whose nodes come before their children.
fn schema(thrift: &mut Thrift<'_>, account: &Account) -> Result<Vec<Leaf>, TableError> {
    let mut elements = structures(thrift, account, Element::read)?.into_iter();
    // The root is not a column.
    let root = elements.next().ok_or(Malformed)?;
    // Of each open node, how many children are still to come.
    // Counted by hand and not by recursion: a footer may nest as deep as it is long.
    let mut open = vec![root.numbers[CHILDREN]];
    let mut top: Option<String> = None;
    let mut leaves: Vec<Leaf> = Vec::new();
    for element in elements {
        while open.last().is_some_and(|left| *left <= 0) {
            open.pop();
        }
        *open.last_mut().ok_or(Malformed)? -= 1;
        // Back at the top: the next name is that of another column.
        if open.len() == 1 {
            top = None;
        }
        match element.numbers[CHILDREN] {
            children if children > 0 => {
                open.push(children);
                top.get_or_insert(element.name);
            }
            _ => {
                let leaf = element.leaf(top.as_deref());
                account.take(leaf.name.len() as u64)?;
                leaves.push(leaf);
            }
        }
    }
    // Children that were promised and never came.
    match open.iter().all(|left| *left <= 0) {
        true => Ok(leaves),
        false => Err(Malformed.into()),
    }
}

impl Logical {
    /// The logical type is that field of a union which is there.
    fn read(thrift: &mut Thrift<'_>) -> Result<Self, Malformed> {
        let mut logical = Self::default();
        thrift.fields(|thrift, field, kind| {
            if kind != STRUCT {
                return thrift.skip(kind);
            }
            logical.kind = field;
            thrift.fields(|thrift, field, kind| {
                let value = match kind {
                    // The unit of a time is again that field of a union which is there.
                    STRUCT => {
                        let mut unit = 0;
                        thrift.fields(|thrift, field, kind| {
                            unit = field;
                            thrift.skip(kind)
                        })?;
                        unit
                    }
                    1 | 2 => (kind == 1).into(),
                    4..=6 => thrift.int()?,
                    _ => return thrift.skip(kind),
                };
                match field {
                    1 => logical.first = value,
                    2 => logical.second = value,
                    _ => {}
                }
                Ok(())
            })
        })?;
        Ok(logical)
    }
}

fn row_group(thrift: &mut Thrift<'_>, account: &Account) -> Result<RowGroup, TableError> {
    let mut group = RowGroup::default();
    thrift.fields(|thrift, field, kind| {
        match (field, kind) {
            (1, LIST) => group.chunks = structures(thrift, account, chunk)?,
            (3, 6) => group.rows = u64::try_from(thrift.int()?).map_err(|_| Malformed)?,
            _ => thrift.skip(kind)?,
        }
        Ok::<_, TableError>(())
    })?;
    Ok(group)
}

fn chunk(thrift: &mut Thrift<'_>) -> Result<Chunk, TableError> {
    const CODEC: usize = 4;
    const LENGTH: usize = 7;
    const DATA: usize = 9;
    const DICTIONARY: usize = 11;
    let mut numbers = [-1; 12];
    thrift.fields(|thrift, field, kind| match (field, kind) {
        (3, STRUCT) => thrift.numbers(&mut numbers),
        _ => thrift.skip(kind),
    })?;
    // Some writers give 0 where there is no dictionary.
    let dictionary = Some(numbers[DICTIONARY]).filter(|at| (1..numbers[DATA]).contains(at));
    let start = u64::try_from(dictionary.unwrap_or(numbers[DATA])).map_err(|_| Malformed)?;
    let length = u64::try_from(numbers[LENGTH]).map_err(|_| Malformed)?;
    Ok(Chunk {
        codec: numbers[CODEC],
        start,
        // Start and length are both claims, and may wrap together.
        end: start.checked_add(length).ok_or(Malformed)?,
    })
}
