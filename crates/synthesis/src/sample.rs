use std::io::{self, Write};
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use schema::{Condition, Schema};
use tabular::{ColumnValues, Format, RowWriter, ValueDrawer};

use crate::generator::{CodeStream, Drawing, Generator};

/// Synthetic rows, in chunks. Memory does not grow with their number.
#[derive(Debug)]
pub struct SampleStream {
    schema: Arc<Schema>,
    /// What every row satisfies.
    condition: Option<Arc<Condition>>,
    codes: Box<dyn CodeStream>,
    /// For values within the codes' bins.
    values: ChaCha8Rng,
}

impl SampleStream {
    /// Rows of a chunk, but the last.
    const CHUNK: usize = 1 << 14;

    pub(crate) fn new(
        schema: &Arc<Schema>,
        generator: &dyn Generator,
        rows: u64,
        seed: Option<u64>,
    ) -> SampleStream {
        schema
            .check_rows(rows)
            .unwrap_or_else(|refused| panic!("{refused}"));
        let rng = match seed {
            Some(seed) => ChaCha8Rng::seed_from_u64(seed),
            None => from_entropy(),
        };
        let Drawing { codes, values } = generator.draw(rows, rng);
        SampleStream {
            schema: Arc::clone(schema),
            condition: None,
            codes,
            values,
        }
    }

    /// The same rows, whose values are written within a condition that their codes satisfy.
    pub(crate) fn within(self, condition: &Arc<Condition>) -> SampleStream {
        SampleStream {
            condition: Some(Arc::clone(condition)),
            ..self
        }
    }

    /// Rows not yet drawn.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.codes.left()
    }

    /// The next rows, as one vector of codes for each column of the schema; `None` after the last.
    pub fn next_chunk(&mut self) -> Option<Vec<Vec<u32>>> {
        self.codes.next_chunk(SampleStream::CHUNK)
    }

    /// Writes the remaining rows as CSV with a header. Bins become values drawn uniformly from
    /// them.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write_csv(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.write(Format::Csv, out, &mut |_| ())
    }

    /// Writes the remaining rows as a JSON array of objects.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write_json(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.write(Format::Json, out, &mut |_| ())
    }

    /// Appends the values of the next rows to those of each output column, and returns how many
    /// rows it were; 0 after the last. A seed gives the values that [`write`](Self::write) writes,
    /// in types.
    ///
    /// # Panics
    /// If there are not as many columns, of the schema's kinds, or the drawer is another's.
    pub fn next_values(&mut self, drawer: &mut ValueDrawer, values: &mut [ColumnValues]) -> u64 {
        let left = self.left();
        if let Some(codes) = self.next_chunk() {
            drawer.draw(&codes, &mut self.values, values);
        }
        left - self.left()
    }

    /// What turns the codes of these rows into values, for [`next_values`](Self::next_values).
    #[must_use]
    pub fn value_drawer(&self) -> ValueDrawer {
        let drawer = ValueDrawer::new(&self.schema);
        match &self.condition {
            Some(condition) => drawer.within(condition),
            None => drawer,
        }
    }

    /// The columns of the rows.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Writes the remaining rows, and tells after each chunk how many rows it had.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write(
        &mut self,
        format: Format,
        out: &mut impl Write,
        written: &mut dyn FnMut(u64),
    ) -> io::Result<()> {
        let mut writer = RowWriter::new(format, &self.schema);
        if let Some(condition) = &self.condition {
            writer = writer.within(condition);
        }
        loop {
            let left = self.left();
            let Some(columns) = self.next_chunk() else {
                break;
            };
            writer.write(&columns, &mut self.values, out)?;
            written(left - self.left());
        }
        writer.finish(out)
    }
}

fn from_entropy() -> ChaCha8Rng {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).expect("the operating system has entropy");
    ChaCha8Rng::from_seed(seed)
}
