use std::io::{self, Write};

use marginals::{RowStream, Sampling, Urn};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use tabular::{Format, RowWriter, Schema};

use crate::Model;
use crate::compression::Compression;

/// Synthetic rows, in chunks. Memory does not grow with their number.
#[derive(Debug)]
pub struct SampleStream<'a> {
    schema: &'a Schema,
    rows: RowStream<ChaCha8Rng>,
    /// For each column, how rows get their rare codes.
    rare: Vec<RareCodes<'a>>,
    values: ChaCha8Rng,
}

impl<'a> SampleStream<'a> {
    /// Rows of a chunk, but the last.
    const CHUNK: usize = 1 << 14;

    pub(crate) fn new(model: &'a Model, rows: u64, seed: Option<u64>) -> SampleStream<'a> {
        let mut rng = match seed {
            Some(seed) => ChaCha8Rng::seed_from_u64(seed),
            None => from_entropy(),
        };
        let rare_codes = |(column, compression): (usize, &'a Compression)| {
            let rare_share = compression.rare_code().map_or(0.0, |code| {
                let clique = marginals::Clique::new([column]);
                let counts = model
                    .field
                    .marginal(&clique)
                    .expect("each column is in a table of the model");
                counts[code as usize] / model.field.total()
            });
            RareCodes::new(
                compression,
                rare_share * rows as f64,
                ChaCha8Rng::from_rng(&mut rng),
            )
        };
        let rare = model
            .compressions
            .iter()
            .enumerate()
            .map(rare_codes)
            .collect();
        let values = ChaCha8Rng::from_rng(&mut rng);
        let rows = model.field.rows(rows, Sampling::Rounded, &mut rng);
        SampleStream {
            schema: &model.schema,
            rows,
            rare,
            values,
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
        for (codes, rare) in columns.iter_mut().zip(&mut self.rare) {
            codes.iter_mut().for_each(|code| *code = rare.expand(*code));
        }
        Some(columns)
    }

    /// Writes the remaining rows as CSV with a header. Bins become values drawn uniformly from them.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write_csv(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.write(Format::Csv, out)
    }

    /// Writes the remaining rows as a JSON array of objects.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write_json(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.write(Format::Json, out)
    }

    fn write(&mut self, format: Format, out: &mut impl Write) -> io::Result<()> {
        let mut writer = RowWriter::new(format, self.schema);
        while let Some(columns) = self.next_chunk() {
            writer.write(&columns, &mut self.values, out)?;
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
struct RareCodes<'a> {
    compression: &'a Compression,
    shares: Vec<f64>,
    /// About as many draws as there will be rare rows; filled again should there be more.
    urn: Urn,
    refill: u64,
    rng: ChaCha8Rng,
}

impl<'a> RareCodes<'a> {
    #[expect(clippy::cast_possible_truncation, reason = "a share of a u64")]
    fn new(compression: &'a Compression, expected: f64, rng: ChaCha8Rng) -> RareCodes<'a> {
        let shares = compression.rare().iter().map(|&(_, share)| share).collect();
        RareCodes {
            compression,
            shares,
            urn: Urn::new(&[]),
            refill: (expected.ceil() as u64).max(1),
            rng,
        }
    }

    fn expand(&mut self, code: u32) -> u32 {
        if Some(code) != self.compression.rare_code() {
            return self.compression.kept()[code as usize];
        }
        if self.urn.left() == 0 {
            self.urn = Urn::shared_out(&self.shares, self.refill, &mut self.rng);
        }
        let drawn = self
            .urn
            .draw(&mut self.rng)
            .expect("a filled urn is not empty");
        self.compression.rare()[drawn].0
    }
}
