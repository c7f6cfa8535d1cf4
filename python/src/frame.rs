//! Data frames: their columns as Arrow's arrays, in the very buffers that Python holds.

use arrow_array::cast::AsArray;
use arrow_array::ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader};
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, DataType, SchemaRef, TimeUnit};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use tabular::{HeldColumn, HeldValue};

use crate::failure::Failure;

/// A table that another library holds.
pub(crate) struct Frame {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

type Values<'a> = Box<dyn Iterator<Item = HeldValue<'a>> + 'a>;

const MILLIS_OF_DAY: i64 = 86_400_000;

impl Frame {
    /// Takes over the stream that the object gives of itself. No value is copied.
    pub(crate) fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = object.py();
        let capsule = object.call_method0("__arrow_c_stream__")?;
        let capsule = capsule.cast_into::<PyCapsule>()?;
        let stream = capsule.pointer_checked(Some(c"arrow_array_stream"))?;
        #[expect(
            unsafe_code,
            reason = "the capsule's name says that it holds such a stream (Arrow's PyCapsule \
                      interface); it is moved out, and its place marked as released"
        )]
        let reader = unsafe {
            RecordBatchStreamReader::from_raw(stream.cast::<FFI_ArrowArrayStream>().as_ptr())
        };
        let of_arrow = |error: ArrowError| {
            Failure::input(format!("could not read the table: {error}")).into_exception(py)
        };
        let reader = reader.map_err(of_arrow)?;
        let schema = reader.schema();
        // With the lock: the stream's own code may be Python's.
        let batches = reader.collect::<Result<Vec<_>, _>>().map_err(of_arrow)?;
        Ok(Self { schema, batches })
    }

    pub(crate) fn rows(&self) -> u64 {
        self.batches
            .iter()
            .map(|batch| batch.num_rows() as u64)
            .sum()
    }

    pub(crate) fn columns(&self) -> Vec<HeldColumn<'_>> {
        let fields = self.schema.fields().iter().enumerate();
        let column = |(index, field): (usize, &std::sync::Arc<arrow_schema::Field>)| HeldColumn {
            name: field.name().clone(),
            values: match unsupported(field.data_type()) {
                Some(what) => Err(what),
                None => Ok(Box::new(
                    (self.batches.iter()).flat_map(move |batch| values(batch.column(index))),
                )),
            },
        };
        fields.map(column).collect()
    }
}

/// For each column whose type means nothing here its name, and what it is in words. A fit leaves
/// such columns out.
#[pyfunction]
pub(crate) fn unsupported_columns(
    table: &Bound<'_, PyAny>,
) -> PyResult<Vec<(String, &'static str)>> {
    let frame = Frame::of(table)?;
    let fields = frame.schema.fields().iter();
    let left_out = fields.filter_map(|field| {
        let what = unsupported(field.data_type())?;
        Some((field.name().clone(), what))
    });
    Ok(left_out.collect())
}

/// What a column of this type is, in words, if its values mean nothing here.
fn unsupported(of: &DataType) -> Option<&'static str> {
    match of {
        DataType::Null
        | DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Float32
        | DataType::Float64
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::Date32
        | DataType::Date64
        | DataType::Timestamp(..) => None,
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale) => {
            (!(0..=38).contains(scale)).then_some("a decimal of an impossible scale")
        }
        DataType::Decimal256(..) => Some("a decimal of 256 bits"),
        DataType::Dictionary(_, values) => match &**values {
            DataType::Dictionary(..) => Some("a category of categories"),
            plain => unsupported(plain),
        },
        DataType::Float16 => Some("a number of 16 bits"),
        DataType::Time32(_) | DataType::Time64(_) => Some("a time of day"),
        DataType::Duration(_) | DataType::Interval(_) => Some("a length of time"),
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => Some("of bytes without a known meaning"),
        _ => Some("nested (a list or a structure)"),
    }
}

/// The values of one array of a supported type.
fn values(array: &dyn Array) -> Values<'_> {
    match array.data_type() {
        DataType::Boolean => {
            let values = array.as_boolean().iter();
            Box::new(values.map(|value| value.map_or(HeldValue::Missing, HeldValue::Boolean)))
        }
        DataType::Int8 => numbers::<Int8Type>(array, |value| HeldValue::Integer(value.into())),
        DataType::Int16 => numbers::<Int16Type>(array, |value| HeldValue::Integer(value.into())),
        DataType::Int32 => numbers::<Int32Type>(array, |value| HeldValue::Integer(value.into())),
        DataType::Int64 => numbers::<Int64Type>(array, HeldValue::Integer),
        DataType::UInt8 => numbers::<UInt8Type>(array, |value| HeldValue::Unsigned(value.into())),
        DataType::UInt16 => numbers::<UInt16Type>(array, |value| HeldValue::Unsigned(value.into())),
        DataType::UInt32 => numbers::<UInt32Type>(array, |value| HeldValue::Unsigned(value.into())),
        DataType::UInt64 => numbers::<UInt64Type>(array, HeldValue::Unsigned),
        // pandas has no other mark for a number that is missing, and polars two.
        DataType::Float32 => numbers::<Float32Type>(array, |value| match value.is_nan() {
            true => HeldValue::Missing,
            false => HeldValue::Float(value),
        }),
        DataType::Float64 => numbers::<Float64Type>(array, |value| match value.is_nan() {
            true => HeldValue::Missing,
            false => HeldValue::Double(value),
        }),
        DataType::Utf8 => texts(array.as_string::<i32>().iter()),
        DataType::LargeUtf8 => texts(array.as_string::<i64>().iter()),
        DataType::Utf8View => texts(array.as_string_view().iter()),
        DataType::Date32 => numbers::<Date32Type>(array, |value| HeldValue::Day(value.into())),
        DataType::Date64 => numbers::<Date64Type>(array, |value| {
            HeldValue::Day(value.div_euclid(MILLIS_OF_DAY))
        }),
        DataType::Timestamp(unit, zone) => moments(array, *unit, zone.is_some()),
        DataType::Decimal32(_, scale) => decimals::<Decimal32Type>(array, *scale),
        DataType::Decimal64(_, scale) => decimals::<Decimal64Type>(array, *scale),
        DataType::Decimal128(_, scale) => decimals::<Decimal128Type>(array, *scale),
        DataType::Dictionary(..) => categories(array),
        // A column without any value.
        _ => Box::new(std::iter::repeat_n(HeldValue::Missing, array.len())),
    }
}

fn numbers<'a, T: ArrowPrimitiveType>(
    array: &'a dyn Array,
    held: impl Fn(T::Native) -> HeldValue<'a> + 'a,
) -> Values<'a> {
    let values = array.as_primitive::<T>().iter();
    Box::new(values.map(move |value| value.map_or(HeldValue::Missing, &held)))
}

fn decimals<T: ArrowPrimitiveType>(array: &dyn Array, scale: i8) -> Values<'_>
where
    T::Native: Into<i128>,
{
    let scale = scale.cast_unsigned();
    numbers::<T>(array, move |value| HeldValue::Decimal {
        value: value.into(),
        scale,
    })
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>> + 'a) -> Values<'a> {
    Box::new(values.map(|value| value.map_or(HeldValue::Missing, HeldValue::Text)))
}

/// A time with a zone is kept in UTC by Arrow, whatever the zone's name is.
fn moments(array: &dyn Array, unit: TimeUnit, utc: bool) -> Values<'_> {
    let held = |per_second: i64| {
        move |value: i64| HeldValue::Timestamp {
            value,
            per_second,
            utc,
        }
    };
    match unit {
        TimeUnit::Second => numbers::<TimestampSecondType>(array, held(1)),
        TimeUnit::Millisecond => numbers::<TimestampMillisecondType>(array, held(1_000)),
        TimeUnit::Microsecond => numbers::<TimestampMicrosecondType>(array, held(1_000_000)),
        TimeUnit::Nanosecond => numbers::<TimestampNanosecondType>(array, held(1_000_000_000)),
    }
}

fn categories(array: &dyn Array) -> Values<'_> {
    let dictionary = array.as_any_dictionary();
    let known: Vec<HeldValue<'_>> = values(dictionary.values()).collect();
    let keys = values(dictionary.keys());
    let at = move |key: i128| {
        let key = usize::try_from(key).ok();
        key.and_then(|key| known.get(key).copied())
            .unwrap_or(HeldValue::Missing)
    };
    Box::new(keys.map(move |key| match key {
        HeldValue::Integer(key) => at(key.into()),
        HeldValue::Unsigned(key) => at(key.into()),
        _ => HeldValue::Missing,
    }))
}
