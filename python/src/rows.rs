//! Synthetic rows, as Arrow's arrays.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, DictionaryArray, Float64Array, Int32Array, Int64Array,
    RecordBatch, RecordBatchIterator, StringArray, TimestampSecondArray,
};
use arrow_schema::{ArrowError, DataType, Field, SchemaRef, TimeUnit};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use schema::{Column, Kind, OutputColumn, Schema};
use synthesis::{Progress, SampleStream};
use tabular::ColumnValues;

use crate::failure::Failure;
use crate::work::Watch;

/// Rows drawn from a model: an Arrow stream, whose types follow from the model's schema alone.
#[pyclass(frozen, module = "synclave._native")]
pub(crate) struct Rows {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    described: Vec<Described>,
}

/// Name, kind, whether values may be missing, and categories.
pub(crate) type Described = (String, &'static str, bool, Vec<String>);

/// What the columns of a schema are, for those who choose a frame's types.
pub(crate) fn described(schema: &Schema) -> Vec<Described> {
    let column = |column: OutputColumn<'_>| {
        let name = column.name().to_owned();
        match column {
            OutputColumn::Coded(column) => {
                let (kind, may_be_none) = (column.kind().name(), may_be_none(column));
                (name, kind, may_be_none, categories(column))
            }
            OutputColumn::Identifiers(_) => (name, "identifier", false, Vec::new()),
        }
    };
    schema.output_columns().map(column).collect()
}

/// Whether a value may be missing: `other` is a text among texts, and nothing among numbers.
fn may_be_none(column: &Column) -> bool {
    let is_text = matches!(column.kind(), Kind::Categories(_));
    column.is_nullable() || column.has_other() && !is_text
}

/// All texts that a column of categories can hold, in their declared order.
fn categories(column: &Column) -> Vec<String> {
    let Kind::Categories(texts) = column.kind() else {
        return Vec::new();
    };
    let other = column.has_other().then(|| column.other_text().to_owned());
    texts.iter().cloned().chain(other).collect()
}

impl Rows {
    /// Draws the whole stream.
    pub(crate) fn draw(mut stream: SampleStream, watch: &Watch) -> Result<Self, Failure> {
        let total = stream.left();
        let makers: Vec<Maker> = stream.schema().output_columns().map(Maker::new).collect();
        let fields: Vec<Field> = makers.iter().map(|maker| maker.field.clone()).collect();
        let schema = Arc::new(arrow_schema::Schema::new(fields));
        let described = described(stream.schema());
        let mut drawer = stream.value_drawer();
        let mut batches = Vec::new();
        loop {
            let columns = stream.schema().output_columns();
            let mut values: Vec<ColumnValues> = columns.map(ColumnValues::none_of).collect();
            if stream.next_values(&mut drawer, &mut values) == 0 {
                break;
            }
            let arrays = makers.iter().zip(values);
            let arrays = arrays.map(|(maker, values)| maker.array(values)).collect();
            let batch = RecordBatch::try_new(Arc::clone(&schema), arrays);
            batches.push(batch.map_err(anyhow::Error::from)?);
            let progress = Progress {
                stage: "drawing rows",
                done: total - stream.left(),
                total,
            };
            if watch.tell(progress).is_break() {
                break;
            }
        }
        Ok(Self {
            schema,
            batches,
            described,
        })
    }
}

/// What makes the arrays of one column.
struct Maker {
    field: Field,
    /// Of a column of categories: all of them, and where each is.
    texts: Option<(ArrayRef, HashMap<String, i32>)>,
}

impl Maker {
    fn new(column: OutputColumn<'_>) -> Self {
        let OutputColumn::Coded(column) = column else {
            return Self {
                field: Field::new(column.name(), DataType::Utf8, false),
                texts: None,
            };
        };
        let data_type = match column.kind() {
            Kind::Categories(_) => {
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
            }
            Kind::Integer(_) => DataType::Int64,
            Kind::Number(_) => DataType::Float64,
            Kind::Date(_) => DataType::Date32,
            Kind::Datetime(_) => DataType::Timestamp(TimeUnit::Second, None),
            Kind::Boolean => DataType::Boolean,
        };
        let texts = matches!(column.kind(), Kind::Categories(_)).then(|| {
            let texts = categories(column);
            let array: ArrayRef = Arc::new(StringArray::from(texts.clone()));
            (array, texts.into_iter().zip(0..).collect())
        });
        Self {
            field: Field::new(column.name(), data_type, may_be_none(column)),
            texts,
        }
    }

    fn array(&self, values: ColumnValues) -> ArrayRef {
        match values {
            ColumnValues::Text(values) => {
                // Of new identifiers no two are the same.
                let Some((texts, places)) = &self.texts else {
                    return Arc::new(values.into_iter().collect::<StringArray>());
                };
                let mut known = HashMap::new();
                let keys: Int32Array = values
                    .iter()
                    .map(|value| {
                        let value = value.as_ref()?;
                        // By its address, which a drawer's texts keep, and once by itself.
                        let place = known.entry(Arc::as_ptr(value).cast::<u8>());
                        Some(*place.or_insert_with(|| places[&**value]))
                    })
                    .collect();
                let array = DictionaryArray::<Int32Type>::try_new(keys, Arc::clone(texts));
                Arc::new(array.expect("every key is a place among the texts"))
            }
            ColumnValues::Integer(values) => Arc::new(Int64Array::from(values)),
            ColumnValues::Number(values) => Arc::new(Float64Array::from(values)),
            ColumnValues::Date(values) => {
                let days = values.iter().map(|day| day.map(|day| day.number()));
                Arc::new(days.collect::<Date32Array>())
            }
            ColumnValues::Datetime(values) => {
                let moments = values.iter().map(|moment| moment.map(|it| it.number()));
                Arc::new(moments.collect::<TimestampSecondArray>())
            }
            ColumnValues::Boolean(values) => Arc::new(BooleanArray::from(values)),
        }
    }
}

#[pymethods]
impl Rows {
    /// Arrow's PyCapsule interface. The rows are shared, not copied.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // A wish that may be left unfulfilled; consumers convert what they get.
        drop(requested_schema);
        let batches: Vec<Result<RecordBatch, ArrowError>> =
            self.batches.iter().cloned().map(Ok).collect();
        let reader = RecordBatchIterator::new(batches, Arc::clone(&self.schema));
        let stream = FFI_ArrowArrayStream::new(Box::new(reader));
        PyCapsule::new_with_value(py, stream, c"arrow_array_stream")
    }

    /// For each column its name, its kind, whether values may be missing, and its categories.
    fn columns(&self) -> Vec<Described> {
        self.described.clone()
    }
}
