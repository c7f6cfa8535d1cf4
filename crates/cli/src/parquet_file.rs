//! Synthetic rows as a Parquet file: typed, in row groups, of which one at a time is in memory.

use std::io::Write;
use std::sync::Arc;

use anyhow::Context;
use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::column::writer::{ColumnWriter, ColumnWriterImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};
use schema::{Kind, OutputColumn, Schema};
use synthesis::SampleStream;
use tabular::ColumnValues;

/// Values of a row group, all columns together: some tens of megabytes.
const GROUP_VALUES: usize = 1 << 21;

/// Writes all rows: whole numbers as INT64, numbers as DOUBLE, dates as DATE, dates with times as
/// TIMESTAMP in microseconds without a zone, booleans as BOOLEAN, categories as STRING, and missing
/// values as null.
pub(crate) fn write(
    mut samples: SampleStream,
    out: &mut (dyn Write + Send),
    written: &mut dyn FnMut(u64),
) -> anyhow::Result<()> {
    let mut drawer = samples.value_drawer();
    let schema = samples.schema().clone();
    let columns: Vec<OutputColumn> = schema.output_columns().collect();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut file = SerializedFileWriter::new(out, message(&schema)?, properties)?;
    let group_rows = (GROUP_VALUES / columns.len()).max(1) as u64;
    loop {
        let mut values: Vec<ColumnValues> =
            columns.iter().copied().map(ColumnValues::none_of).collect();
        let mut rows = 0;
        while rows < group_rows {
            match samples.next_values(&mut drawer, &mut values) {
                0 => break,
                more => {
                    rows += more;
                    written(more);
                }
            }
        }
        if rows == 0 {
            break;
        }
        let mut group = file.next_row_group()?;
        for (column, values) in columns.iter().zip(&values) {
            let mut writer = group.next_column()?.context("a writer for each column")?;
            write_column(&mut writer, values, may_be_null(*column))?;
            writer.close()?;
        }
        group.close()?;
    }
    file.close()?;
    Ok(())
}

/// Whether a code of the column has no value: an empty field, or `other` among what is not text.
fn may_be_null(column: OutputColumn<'_>) -> bool {
    let OutputColumn::Coded(column) = column else {
        return false;
    };
    let is_text = matches!(column.kind(), Kind::Categories(_));
    column.is_nullable() || column.has_other() && !is_text
}

fn message(schema: &Schema) -> anyhow::Result<TypePtr> {
    let field = |column: OutputColumn<'_>| -> anyhow::Result<TypePtr> {
        let kind = match column {
            OutputColumn::Coded(column) => Some(column.kind()),
            OutputColumn::Identifiers(_) => None,
        };
        let (physical, logical) = match kind {
            Some(Kind::Categories(_)) | None => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Some(Kind::Integer(_)) => (Physical::INT64, None),
            Some(Kind::Number(_)) => (Physical::DOUBLE, None),
            Some(Kind::Date(_)) => (Physical::INT32, Some(LogicalType::Date)),
            Some(Kind::Datetime(_)) => (
                Physical::INT64,
                Some(LogicalType::timestamp(false, TimeUnit::MICROS)),
            ),
            Some(Kind::Boolean) => (Physical::BOOLEAN, None),
        };
        let repetition = match may_be_null(column) {
            true => Repetition::OPTIONAL,
            false => Repetition::REQUIRED,
        };
        let field = Type::primitive_type_builder(column.name(), physical)
            .with_logical_type(logical)
            .with_repetition(repetition)
            .build()?;
        Ok(Arc::new(field))
    };
    let fields = schema
        .output_columns()
        .map(field)
        .collect::<anyhow::Result<_>>()?;
    let message = Type::group_type_builder("schema")
        .with_fields(fields)
        .build()?;
    Ok(Arc::new(message))
}

fn write_column(
    writer: &mut SerializedColumnWriter<'_>,
    values: &ColumnValues,
    nullable: bool,
) -> anyhow::Result<()> {
    match (writer.untyped(), values) {
        (ColumnWriter::ByteArrayColumnWriter(writer), ColumnValues::Text(values)) => {
            write_values(writer, values, nullable, |text| ByteArray::from(&**text))
        }
        (ColumnWriter::Int64ColumnWriter(writer), ColumnValues::Integer(values)) => {
            write_values(writer, values, nullable, |whole| *whole)
        }
        (ColumnWriter::DoubleColumnWriter(writer), ColumnValues::Number(values)) => {
            write_values(writer, values, nullable, |number| *number)
        }
        (ColumnWriter::Int32ColumnWriter(writer), ColumnValues::Date(values)) => {
            write_values(writer, values, nullable, |day| day.number())
        }
        (ColumnWriter::Int64ColumnWriter(writer), ColumnValues::Datetime(values)) => {
            write_values(writer, values, nullable, |moment| {
                moment.number() * 1_000_000
            })
        }
        (ColumnWriter::BoolColumnWriter(writer), ColumnValues::Boolean(values)) => {
            write_values(writer, values, nullable, |truth| *truth)
        }
        _ => unreachable!("the file's types are those of the schema"),
    }
}

fn write_values<T: DataType, V>(
    writer: &mut ColumnWriterImpl<'_, T>,
    values: &[Option<V>],
    nullable: bool,
    value: impl Fn(&V) -> T::T,
) -> anyhow::Result<()> {
    // For each row whether it has a value; the values of those that have one follow each other.
    let levels: Vec<i16> = values.iter().map(|it| i16::from(it.is_some())).collect();
    let values: Vec<T::T> = values.iter().flatten().map(value).collect();
    writer.write_batch(&values, nullable.then_some(&levels[..]), None)?;
    Ok(())
}
