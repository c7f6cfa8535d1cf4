//! Parquet to codes.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use parquet::basic::Repetition;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray};
use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader;
use parquet::schema::types::{ColumnDescriptor, ColumnPath, Type as SchemaType};
use zeroize::Zeroizing;

use schema::{Column, Kind, Schema};

use crate::account::Account;
use crate::error::{ColumnRef, RecordPosition, TableError};
use crate::field::check_field;
use crate::ids::KeyHasher;
use crate::parquet_footer::{Footer, Leaf, damaged};
use crate::parquet_page::{Pages, SHARED, Slot};
use crate::parquet_value::{Form, form_of, physical_type};
use crate::read_limits::ReadLimits;
use crate::read_options::{ReadAs, TableFormat};
use crate::thrift::Malformed;
use crate::upload::{Intake, Target, Upload};
use crate::work::Work;

/// Records decoded at a time.
const BATCH: usize = 1 << 12;

/// Bytes of a text that need no growth of its buffer.
const TEXT: usize = 1 << 10;

/// What a field counts besides its text, in bytes.
const FIELD_WORK: u64 = 8;

/// Reads a Parquet file, from a [`File`](std::fs::File) or from bytes in memory, into the same
/// codes that [`read_csv`](crate::read_csv) gives for the same values as text.
///
/// Texts, whole and decimal numbers, booleans (`true`, `false`), dates and timestamps
/// (`2015-01-31`, with `T10:30:00` after it unless it is midnight) and nulls are understood,
/// uncompressed or compressed with Snappy, gzip or Zstandard. Nested columns and other types are
/// left out, or refused if they are declared. An index without a name that pandas wrote as a column
/// (`__index_level_0__`) is left out unless it is the key or declared.
///
/// Neither the footer nor the pages are believed about their sizes: no more memory is taken than
/// [`ReadLimits::max_memory_bytes`], the file itself not counted, and no more is unpacked than 256
/// times the file's length or 256 MiB, whichever is more, nor than 16 times
/// [`ReadLimits::max_bytes`].
///
/// # Errors
/// [`TableError`]; a damaged file is [`TableError::Parquet`].
pub fn read_parquet(
    input: impl ChunkReader,
    key: Option<&str>,
    schema: Option<&Schema>,
    hasher: &KeyHasher,
    limits: &ReadLimits,
) -> Result<Upload, TableError> {
    read_parquet_while(input, key, schema, hasher, limits, &|| true)
}

/// As [`read_parquet`], for as long as somebody waits for it: `wanted` is asked many times a
/// second.
///
/// # Errors
/// As [`read_parquet`], and [`TableError::Unwanted`].
pub fn read_parquet_while(
    input: impl ChunkReader,
    key: Option<&str>,
    schema: Option<&Schema>,
    hasher: &KeyHasher,
    limits: &ReadLimits,
    wanted: &dyn Fn() -> bool,
) -> Result<Upload, TableError> {
    // Told apart from a damaged file: an export that failed often leaves an empty one.
    if input.len() == 0 {
        return Err(TableError::EmptyFile);
    }
    if input.len() > limits.max_bytes {
        return Err(TableError::TooManyBytes {
            limit: limits.max_bytes,
        });
    }
    // The decoder checks much, and still panics on some damaged files. Nothing of it outlives the
    // panic, and its messages hold positions and lengths.
    // A panic must not end the enclave, nor tell more than that the file is damaged.
    let decoding = Decoding::begin();
    let read = catch_unwind(AssertUnwindSafe(|| {
        read(&input, key, schema, hasher, limits, wanted)
    }));
    drop(decoding);
    read.unwrap_or_else(|_| Err(damaged("its contents make no sense")))
}

thread_local! {
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread decodes a file, so that a panic is the file's fault, which will be told to
/// its owner alone: where in the decoder it was says what is in the file.
#[must_use]
pub fn is_decoding() -> bool {
    DECODING.get()
}

struct Decoding;

impl Decoding {
    fn begin() -> Self {
        DECODING.set(true);
        Self
    }
}

impl Drop for Decoding {
    fn drop(&mut self) {
        DECODING.set(false);
    }
}

fn read<R: ChunkReader>(
    input: &R,
    key: Option<&str>,
    schema: Option<&Schema>,
    hasher: &KeyHasher,
    limits: &ReadLimits,
    wanted: &dyn Fn() -> bool,
) -> Result<Upload, TableError> {
    // Both bounds exist before the first byte of the footer is believed.
    let account = Account::new(limits.max_memory_bytes);
    let work = Work::for_file(input.len(), limits.max_bytes);
    let footer = Footer::read(input, &account)?;
    let of_footer = account.used();
    let (names, columns, left_out) = readable(&footer.leaves, key, schema)?;
    let mut intake = Intake::new(
        &names,
        RecordPosition::Row,
        key,
        schema,
        hasher,
        limits,
        &account,
    )?;
    // From the footer's own counts, and saturating: they may say anything.
    let rows = footer
        .row_groups
        .iter()
        .fold(0, |rows: u64, group| rows.saturating_add(group.rows));
    let too_many = TableError::TooManyRows {
        limit: limits.max_rows,
    };
    let rows = u32::try_from(rows)
        .ok()
        .filter(|rows| *rows <= limits.max_rows);
    let rows = rows.ok_or(too_many)?;
    // All at once: growing would hold codes twice, and the number of rows is bounded by now.
    intake.reserve(rows as usize)?;
    for column in left_out {
        intake.warn(match is_index(&column) {
            true => format!(
                "column `{column}` is the index that pandas wrote beside the columns and is left \
                 out; give it a name to keep it"
            ),
            false => {
                format!("column `{column}` is of a type that is not supported and is left out")
            }
        });
    }
    let mut before: u32 = 0;
    for group in &footer.row_groups {
        let in_group = u32::try_from(group.rows).map_err(|_| disagree())?;
        // Column by column, as the file has them: one page of one column is in memory at a time.
        for (&(index, form), &target) in columns.iter().zip(&intake.targets.clone()) {
            if target == Target::Nowhere {
                continue;
            }
            let leaf = &footer.leaves[index];
            let mut column = ColumnIntake {
                leaf,
                form,
                target,
                intake: &mut intake,
                row: before,
                text: Zeroizing::new(Vec::with_capacity(TEXT)),
                limits,
                work: &work,
                wanted,
            };
            let mut pages = Pages::new(input, &account, &work, group.chunks[index], leaf);
            column.read(&mut pages, in_group)?;
        }
        before = before.checked_add(in_group).ok_or_else(disagree)?;
    }
    // The table does not hold the footer it was read by.
    drop(footer);
    account.give(of_footer);
    intake.finish(rows, ReadAs::whole(TableFormat::Parquet))
}

fn disagree() -> TableError {
    damaged("its row groups disagree about the number of rows")
}

impl From<ParquetError> for TableError {
    fn from(error: ParquetError) -> Self {
        match error {
            ParquetError::General(text) | ParquetError::EOF(text) | ParquetError::NYI(text) => {
                Self::Parquet(text)
            }
            other => Self::Parquet(other.to_string()),
        }
    }
}

/// The names of the columns that can be read, for each its place among the leaves and its form, and
/// the names of the others.
type Readable = (Vec<String>, Vec<(usize, Form)>, Vec<String>);

/// The columns that can be read. Others are left out, unless they are asked for by name.
fn readable(
    leaves: &[Leaf],
    key: Option<&str>,
    schema: Option<&Schema>,
) -> Result<Readable, TableError> {
    // What cannot be read is left out, unless somebody asked for it by name: a column that quietly
    // vanished from an agreement would be worse than a refusal.
    let (mut names, mut columns, mut left_out) = (Vec::new(), Vec::new(), Vec::<String>::new());
    for (index, leaf) in leaves.iter().enumerate() {
        let name = &leaf.name;
        let form = match leaf.nested {
            true => Err("nested (a list or a structure)"),
            false => form_of(leaf),
        };
        let is_wanted =
            key == Some(name) || schema.is_some_and(|schema| schema.position(name).is_some());
        match form {
            // Numbers of rows, or of what they were before some were left out.
            Ok(_) if is_index(name) && !is_wanted => left_out.push(name.clone()),
            Ok(form) => {
                names.push(name.clone());
                columns.push((index, for_declared(form, name, schema)));
            }
            // Without a schema every column is wanted.
            Err(what) if is_wanted || schema.is_none() && leaf.nested => {
                let column = name.clone();
                return Err(TableError::UnsupportedType { column, what });
            }
            Err(_) if left_out.last() == Some(name) => {}
            Err(_) => left_out.push(name.clone()),
        }
    }
    Ok((names, columns, left_out))
}

/// Whether a column is an index without a name, as pandas calls it in a file.
fn is_index(name: &str) -> bool {
    let level = name.strip_prefix("__index_level_");
    level
        .and_then(|rest| rest.strip_suffix("__"))
        .is_some_and(|level| !level.is_empty() && level.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The form of a column whose declaration may ask for another.
fn for_declared(form: Form, name: &str, schema: Option<&Schema>) -> Form {
    let column = schema.and_then(|schema| Some(&schema.columns()[schema.position(name)?]));
    match column.map(Column::kind) {
        Some(Kind::Datetime(_)) => form.with_midnight(),
        _ => form,
    }
}

/// A decoder of the pages that will be put into the slot.
fn decoder(leaf: &Leaf, slot: &Slot) -> Result<ColumnReader, TableError> {
    let physical = physical_type(leaf.physical).ok_or_else(|| damaged("it has an unknown type"))?;
    // A column without its place in the schema: the decoder sees no tree that could nest.
    let node = SchemaType::primitive_type_builder("column", physical)
        .with_repetition(match leaf.optional {
            true => Repetition::OPTIONAL,
            false => Repetition::REQUIRED,
        })
        .with_length(i32::try_from(leaf.length).map_err(|_| Malformed)?)
        .build()?;
    let path = ColumnPath::new(vec!["column".to_owned()]);
    let column = ColumnDescriptor::new(Arc::new(node), leaf.optional.into(), 0, path);
    Ok(get_column_reader(Arc::new(column), Box::new(slot.clone())))
}

/// Decoded values. Numbers are overwritten on drop; texts are views of the decoder's own pages.
struct Values<T: Clone + Default>(Vec<T>);

impl<T: Clone + Default> Drop for Values<T> {
    // Texts need no such care here: they are views of pages that are wiped themselves.
    fn drop(&mut self) {
        self.0.fill(T::default());
        // So that the writes are not left out.
        std::hint::black_box(&self.0);
    }
}

/// One column of one row group on its way into the table.
struct ColumnIntake<'a, 'i> {
    leaf: &'a Leaf,
    form: Form,
    target: Target,
    intake: &'a mut Intake<'i>,
    row: u32,
    text: Zeroizing<Vec<u8>>,
    limits: &'a ReadLimits,
    work: &'a Work,
    wanted: &'a dyn Fn() -> bool,
}

impl ColumnIntake<'_, '_> {
    fn read<R: ChunkReader>(
        &mut self,
        pages: &mut Pages<'_, R>,
        rows: u32,
    ) -> Result<(), TableError> {
        let form = self.form;
        let slot = Slot::default();
        let of = (&slot, pages, rows as usize);
        match decoder(self.leaf, &slot)? {
            ColumnReader::BoolColumnReader(reader) => self.each(reader, of, |text, value| {
                form.push_bool(text, *value);
                0
            }),
            ColumnReader::Int32ColumnReader(reader) => self.each(reader, of, |text, value| {
                form.push_int32(text, *value);
                0
            }),
            ColumnReader::Int64ColumnReader(reader) => self.each(reader, of, |text, value| {
                form.push_int64(text, *value);
                0
            }),
            ColumnReader::Int96ColumnReader(reader) => self.each(reader, of, |text, value| {
                form.push_int96(text, value);
                0
            }),
            ColumnReader::FloatColumnReader(reader) => self.each(reader, of, |text, value| {
                form.push_float(text, *value);
                0
            }),
            ColumnReader::DoubleColumnReader(reader) => self.each(reader, of, |text, value| {
                form.push_double(text, *value);
                0
            }),
            ColumnReader::ByteArrayColumnReader(reader) => {
                let write = |text: &mut Vec<u8>, value: &ByteArray| {
                    form.push_bytes(text, value.data());
                    value.len()
                };
                self.each(reader, of, write)
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                let write = |text: &mut Vec<u8>, value: &FixedLenByteArray| {
                    form.push_bytes(text, value.data());
                    value.len()
                };
                self.each(reader, of, write)
            }
        }
    }

    /// Takes in every value of the column as text, nulls as empty ones. `write` returns how many
    /// bytes the decoder has put together for a value, which its text need not have: a number is
    /// short, however many zeros it begins with.
    fn each<T: DataType, R: ChunkReader>(
        &mut self,
        mut reader: ColumnReaderImpl<T>,
        (slot, pages, rows): (&Slot, &mut Pages<'_, R>, usize),
        write: impl Fn(&mut Vec<u8>, &T::T) -> usize,
    ) -> Result<(), TableError> {
        let (mut levels, mut values) = (Zeroizing::new(Vec::new()), Values(Vec::new()));
        let mut left = rows;
        while left > 0 {
            // A chunk that ends before its rows are there contradicts the footer.
            let page = pages.next(left)?.ok_or_else(disagree)?;
            slot.put(page.page);
            // Values that share bytes with those before them can each be as long as the page: few
            // at a time.
            let batch = page.shared.map_or(BATCH, |bytes| SHARED / bytes.max(1));
            let batch = batch.clamp(1, BATCH);
            let mut of_page = page.records;
            // Once more than there are records: so the decoder takes a dictionary in.
            loop {
                // Asked for each batch: a client that has gone must not keep a thread for minutes.
                if !(self.wanted)() {
                    return Err(TableError::Unwanted);
                }
                let most = of_page.clamp(1, batch);
                let (records, _, _) =
                    reader.read_records(most, Some(&mut levels), None, &mut values.0)?;
                if self.leaf.optional {
                    // The decoder has filled them.
                } else {
                    levels.resize(records, 0);
                }
                self.take_values(&levels, &values.0, &write)?;
                levels.clear();
                values.0.clear();
                of_page = of_page.checked_sub(records).ok_or_else(disagree)?;
                if of_page == 0 {
                    break;
                }
                // No record and no end: the decoder would go on for ever.
                if records == 0 {
                    return Err(disagree());
                }
            }
            left -= page.records;
        }
        Ok(())
    }

    fn take_values<T>(
        &mut self,
        levels: &[i16],
        values: &[T],
        write: &impl Fn(&mut Vec<u8>, &T) -> usize,
    ) -> Result<(), TableError> {
        let mut values = values.iter();
        for &level in levels {
            self.text.clear();
            // The level says whether there is a value: 1 of an optional column, 0 of a required
            // one.
            if level == i16::from(self.leaf.optional) {
                let decoded = write(&mut self.text, values.next().ok_or_else(disagree)?);
                // The text itself is counted with its field.
                self.work
                    .take(decoded.saturating_sub(self.text.len()) as u64)?;
            }
            self.take_text()?;
        }
        Ok(())
    }

    fn take_text(&mut self) -> Result<(), TableError> {
        let at = u64::from(self.row) + 1;
        // Work counts fields as well as bytes: a column of nulls has no bytes, and costs time all
        // the same.
        self.work.take(FIELD_WORK + self.text.len() as u64)?;
        // Numbers were written by us, and are short and UTF-8.
        if self.form == Form::Text {
            let column = || ColumnRef::Name(self.leaf.name.clone());
            check_field(&self.text, RecordPosition::Row(at), column, self.limits)?;
        }
        self.intake.push(self.target, &self.text, at)?;
        self.row += 1;
        Ok(())
    }
}
