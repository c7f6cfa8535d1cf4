use std::io::{self, Write};
use std::sync::Arc;

use marginals::{Clique, MarkovRandomField, RowStream, Sampling, Urn};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use schema::{Condition, Schema};
use tabular::{Format, RowWriter};

use crate::compression::Compression;

/// Synthetic rows, in chunks. Memory does not grow with their number.
#[derive(Debug)]
pub struct SampleStream {
    schema: Arc<Schema>,
    /// What every row satisfies.
    condition: Option<Arc<Condition>>,
    rows: RowStream<ChaCha8Rng>,
    /// For each column, how rows get their rare codes.
    rare: Vec<RareCodes>,
    values: ChaCha8Rng,
}

impl SampleStream {
    /// Rows of a chunk, but the last.
    const CHUNK: usize = 1 << 14;

    /// Rows of a field over compressed columns.
    pub(crate) fn new(
        schema: &Arc<Schema>,
        field: &MarkovRandomField,
        compressions: &Arc<[Compression]>,
        rows: u64,
        seed: Option<u64>,
    ) -> SampleStream {
        let mut rng = match seed {
            Some(seed) => ChaCha8Rng::seed_from_u64(seed),
            None => from_entropy(),
        };
        let rare_codes = |(column, compression): (usize, &Compression)| {
            let rare_share = compression.rare_code().map_or(0.0, |code| {
                let counts = field
                    .marginal(&Clique::new([column]))
                    .expect("each column is in a table of the model");
                counts[code as usize] / field.total()
            });
            // Generators of their own for rare codes, values and rows: how much one draws does not
            // change what the others give.
            RareCodes::new(
                Arc::clone(compressions),
                column,
                rare_share * rows as f64,
                ChaCha8Rng::from_rng(&mut rng),
            )
        };
        let rare = compressions.iter().enumerate().map(rare_codes).collect();
        let values = ChaCha8Rng::from_rng(&mut rng);
        let rows = field.rows(rows, Sampling::Rounded, &mut rng);
        SampleStream {
            schema: Arc::clone(schema),
            condition: None,
            rows,
            rare,
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
        self.rows.left()
    }

    /// The next rows, as one vector of codes for each column of the schema; `None` after the last.
    pub fn next_chunk(&mut self) -> Option<Vec<Vec<u32>>> {
        let mut columns = self.rows.next_chunk(SampleStream::CHUNK)?;
        // What comes after the columns are coarser groupings of them.
        columns.truncate(self.rare.len());
        for (codes, rare) in columns.iter_mut().zip(&mut self.rare) {
            codes.iter_mut().for_each(|code| *code = rare.expand(*code));
        }
        Some(columns)
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

/// Turns codes of the model into codes of the column.
#[derive(Debug)]
struct RareCodes {
    compressions: Arc<[Compression]>,
    column: usize,
    shares: Vec<f64>,
    /// About as many draws as there will be rare rows; filled again should there be more.
    urn: Urn,
    refill: u64,
    rng: ChaCha8Rng,
}

impl RareCodes {
    #[expect(clippy::cast_possible_truncation, reason = "a share of a u64")]
    fn new(
        compressions: Arc<[Compression]>,
        column: usize,
        expected: f64,
        rng: ChaCha8Rng,
    ) -> RareCodes {
        let rare = compressions[column].rare().iter();
        let shares = rare.map(|&(_, share)| share).collect();
        RareCodes {
            compressions,
            column,
            shares,
            urn: Urn::new(&[]),
            refill: (expected.ceil() as u64).max(1),
            rng,
        }
    }

    fn expand(&mut self, code: u32) -> u32 {
        let compression = &self.compressions[self.column];
        if Some(code) != compression.rare_code() {
            return compression.kept()[code as usize];
        }
        if self.urn.left() == 0 {
            // Shared out, not drawn one by one: of the rare rows expected, each code gets its
            // share, rounded up or down.
            self.urn = Urn::shared_out(&self.shares, self.refill, &mut self.rng);
        }
        let drawn = self
            .urn
            .draw(&mut self.rng)
            .expect("a filled urn is not empty");
        compression.rare()[drawn].0
    }
}
