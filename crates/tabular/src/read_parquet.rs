//! Parquet to codes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use zeroize::Zeroizing;

use crate::error::{ColumnRef, Place, TableError};
use crate::ids::KeyHasher;
use crate::limits::Limits;
use crate::parquet_value::{Form, form_of};
use crate::schema::Schema;
use crate::upload::{Intake, Target, Upload};

/// Records decoded at a time.
const BATCH: usize = 1 << 12;

/// Bytes of a text that need no growth of its buffer.
const TEXT: usize = 1 << 10;

/// Reads a Parquet file, from a [`File`](std::fs::File) or from bytes in memory, into the same codes that
/// [`read_csv`](crate::read_csv) gives for the same values as text.
///
/// Texts, whole and decimal numbers, booleans (`true`, `false`), dates and timestamps (`2015-01-31`, with `T10:30:00` after it
/// unless it is midnight) and nulls are understood, uncompressed or compressed with Snappy, gzip or Zstandard. Nested
/// columns and other types are left out, or refused if they are declared.
///
/// # Errors
/// [`TableError`]; a damaged file is [`TableError::Parquet`].
pub fn read_parquet(
    input: impl ChunkReader + 'static,
    key: Option<&str>,
    schema: Option<&Schema>,
    hasher: &KeyHasher,
    limits: &Limits,
) -> Result<Upload, TableError> {
    if input.len() == 0 {
        return Err(TableError::EmptyFile);
    }
    if input.len() > limits.max_bytes {
        return Err(TableError::TooManyBytes {
            limit: limits.max_bytes,
        });
    }
    // The decoder checks much, and still panics on some damaged files. Nothing of it outlives the panic, and its messages
    // hold positions and lengths.
    catch_unwind(AssertUnwindSafe(|| {
        read(input, key, schema, hasher, limits)
    }))
    .unwrap_or_else(|_| {
        Err(TableError::Parquet(
            "its contents make no sense; is it damaged?".to_owned(),
        ))
    })
}

fn read(
    input: impl ChunkReader + 'static,
    key: Option<&str>,
    schema: Option<&Schema>,
    hasher: &KeyHasher,
    limits: &Limits,
) -> Result<Upload, TableError> {
    let file = SerializedFileReader::new(input)?;
    let metadata = file.metadata();
    let rows = metadata.row_groups().iter().map(|group| group.num_rows());
    let rows: u64 = rows
        .map(|rows| u64::try_from(rows).unwrap_or(u64::MAX))
        .fold(0, u64::saturating_add);

    let Leaves {
        names,
        leaves,
        left_out,
    } = leaves(
        metadata.file_metadata().schema_descr().columns(),
        key,
        schema,
    )?;
    let mut intake = Intake::new(&names, Place::Row, key, schema, hasher, limits)?;
    let (max_rows, too_many) = intake.room();
    let rows = u32::try_from(rows).ok().filter(|rows| *rows <= max_rows);
    let rows = rows.ok_or(too_many)?;
    for column in left_out {
        intake.warn(format!(
            "column `{column}` is of a type that is not supported and is left out"
        ));
    }
    let mut before: u32 = 0;
    for (i, group) in metadata.row_groups().iter().enumerate() {
        let in_group = u32::try_from(group.num_rows()).map_err(|_| damaged())?;
        let unpacked = group
            .columns()
            .iter()
            .map(|column| column.uncompressed_size());
        if unpacked
            .map(|bytes| u64::try_from(bytes).unwrap_or(u64::MAX))
            .any(|bytes| bytes > limits.max_bytes)
        {
            return Err(TableError::TooManyBytes {
                limit: limits.max_bytes,
            });
        }
        let group = file.get_row_group(i)?;
        for (leaf, &target) in leaves.iter().zip(&intake.targets.clone()) {
            if target != Target::Nowhere {
                let mut column = Column {
                    leaf,
                    target,
                    intake: &mut intake,
                    row: before,
                    text: Zeroizing::new(Vec::with_capacity(TEXT)),
                    limits,
                };
                column.read(group.get_column_reader(leaf.index)?, in_group)?;
            }
        }
        before = before.checked_add(in_group).ok_or_else(damaged)?;
    }
    if before != rows {
        return Err(damaged());
    }
    intake.finish(rows)
}

fn damaged() -> TableError {
    TableError::Parquet(
        "its row groups disagree about the number of rows; is it damaged?".to_owned(),
    )
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

/// A flat column of a supported type.
struct Leaf {
    index: usize,
    name: String,
    max_level: i16,
    form: Form,
}

struct Leaves {
    names: Vec<String>,
    leaves: Vec<Leaf>,
    left_out: Vec<String>,
}

/// The columns that can be read. Others are left out, unless they are asked for by name.
fn leaves(
    columns: &[std::sync::Arc<ColumnDescriptor>],
    key: Option<&str>,
    schema: Option<&Schema>,
) -> Result<Leaves, TableError> {
    let mut found = Leaves {
        names: Vec::new(),
        leaves: Vec::new(),
        left_out: Vec::new(),
    };
    for (index, column) in columns.iter().enumerate() {
        let path = column.path().parts();
        let name = path.first().cloned().unwrap_or_default();
        let form = if path.len() > 1 || column.max_rep_level() > 0 {
            Err("nested")
        } else {
            form_of(column)
        };
        match form {
            Ok(form) => {
                found.names.push(name.clone());
                found.leaves.push(Leaf {
                    index,
                    name,
                    max_level: column.max_def_level(),
                    form,
                });
            }
            Err(what)
                if key == Some(&name)
                    || schema.is_some_and(|schema| schema.position(&name).is_some()) =>
            {
                return Err(TableError::ParquetType { column: name, what });
            }
            Err(_) if found.left_out.last() == Some(&name) => {}
            Err(_) => found.left_out.push(name),
        }
    }
    Ok(found)
}

/// Decoded values. Numbers are overwritten on drop; texts are views of the decoder's own pages.
struct Values<T: Clone + Default>(Vec<T>);

impl<T: Clone + Default> Drop for Values<T> {
    fn drop(&mut self) {
        self.0.fill(T::default());
        // So that the writes are not left out.
        std::hint::black_box(&self.0);
    }
}

/// One column of one row group on its way into the table.
struct Column<'a> {
    leaf: &'a Leaf,
    target: Target,
    intake: &'a mut Intake,
    row: u32,
    text: Zeroizing<Vec<u8>>,
    limits: &'a Limits,
}

impl Column<'_> {
    fn read(&mut self, reader: ColumnReader, rows: u32) -> Result<(), TableError> {
        let form = self.leaf.form;
        match reader {
            ColumnReader::BoolColumnReader(reader) => {
                self.each(reader, rows, |text, value| form.push_bool(text, *value))
            }
            ColumnReader::Int32ColumnReader(reader) => {
                self.each(reader, rows, |text, value| form.push_int32(text, *value))
            }
            ColumnReader::Int64ColumnReader(reader) => {
                self.each(reader, rows, |text, value| form.push_int64(text, *value))
            }
            ColumnReader::Int96ColumnReader(reader) => {
                self.each(reader, rows, |text, value| form.push_int96(text, value))
            }
            ColumnReader::FloatColumnReader(reader) => {
                self.each(reader, rows, |text, value| form.push_float(text, *value))
            }
            ColumnReader::DoubleColumnReader(reader) => {
                self.each(reader, rows, |text, value| form.push_double(text, *value))
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                self.each(reader, rows, |text, value| {
                    form.push_bytes(text, value.data())
                })
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                self.each(reader, rows, |text, value| {
                    form.push_bytes(text, value.data())
                })
            }
        }
    }

    /// Takes in every value of the column as text, nulls as empty ones.
    fn each<T: DataType>(
        &mut self,
        mut reader: ColumnReaderImpl<T>,
        rows: u32,
        write: impl Fn(&mut Vec<u8>, &T::T),
    ) -> Result<(), TableError> {
        let (mut levels, mut values) = (Zeroizing::new(Vec::new()), Values(Vec::new()));
        let mut left = rows as usize;
        while left > 0 {
            levels.clear();
            values.0.clear();
            let (records, _, _) =
                reader.read_records(left.min(BATCH), Some(&mut levels), None, &mut values.0)?;
            if records == 0 {
                return Err(damaged());
            }
            if self.leaf.max_level == 0 {
                levels.resize(records, 0);
            }
            let mut values = values.0.iter();
            for &level in levels.iter() {
                self.text.clear();
                if level == self.leaf.max_level {
                    write(&mut self.text, values.next().ok_or_else(damaged)?);
                }
                self.take_text()?;
            }
            left = left.checked_sub(records).ok_or_else(damaged)?;
        }
        Ok(())
    }

    fn take_text(&mut self) -> Result<(), TableError> {
        let at = u64::from(self.row) + 1;
        if self.leaf.form == Form::Text {
            self.check_text(Place::Row(at))?;
        }
        self.intake.push(self.target, &self.text, at)?;
        self.row += 1;
        Ok(())
    }

    fn check_text(&self, at: Place) -> Result<(), TableError> {
        let column = || ColumnRef::Name(self.leaf.name.clone());
        if self.text.len() > self.limits.max_field_bytes {
            return Err(TableError::FieldTooLong {
                at,
                column: column(),
                limit: self.limits.max_field_bytes,
            });
        }
        if self.text.contains(&0) {
            return Err(TableError::Nul {
                at,
                column: column(),
            });
        }
        if str::from_utf8(&self.text).is_err() {
            return Err(TableError::NotUtf8 {
                at,
                column: column(),
            });
        }
        Ok(())
    }
}
