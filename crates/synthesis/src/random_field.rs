//! A Markov random field over a table's columns: the kind of model that most methods here fit.

use std::io;
use std::sync::Arc;

use marginals::{Clique, MarkovRandomField, RowStream, Sampling, Urn};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use schema::Condition;

use crate::Model;
use crate::body::BodyRef;
use crate::compression::Compression;
use crate::fitted::Coarse;
use crate::generator::{CodeStream, Drawing, Generator};

/// A random field over compressed columns.
#[derive(Debug, Clone)]
pub(crate) struct RandomField {
    /// One for each column.
    pub(crate) compressions: Arc<[Compression]>,
    /// Attributes of the field after those of the columns.
    pub(crate) coarse: Vec<Coarse>,
    /// Over the compressed columns, and the coarse ones after them.
    pub(crate) field: MarkovRandomField,
}

/// Of more rows, what chance does to a pair is far below what noise did to the model.
const MOST_HERDED_ROWS: u64 = 1_000_000;

impl RandomField {
    /// The counts of a column's codes of the model.
    fn counts(&self, column: usize) -> Vec<f64> {
        let counts = self.field.marginal(&Clique::new([column]));
        counts.expect("each column is in a table of the model")
    }

    /// The column that each attribute of the field is about.
    fn columns_of_attributes(&self) -> Vec<usize> {
        let coarse = self.coarse.iter().map(|coarse| coarse.column);
        (0..self.compressions.len()).chain(coarse).collect()
    }

    /// What holds of some columns under a condition on them and perhaps others. `None` if it is
    /// impossible.
    pub(crate) fn given_columns(
        &self,
        condition: &Condition,
        is_meant: impl Fn(usize) -> bool,
    ) -> Option<RandomField> {
        // How codes share a code of the model is another under the condition.
        let mut compressions = self.compressions.to_vec();
        let evidence: Vec<(usize, Vec<f64>)> = condition
            .columns()
            .filter(|&column| is_meant(column))
            .map(|column| {
                let weights = condition.weights(column).expect("it is about this column");
                let (likelihoods, given) = self.compressions[column].given(weights);
                compressions[column] = given;
                (column, likelihoods)
            })
            .collect();
        let field = match self.field.condition(&evidence) {
            Ok(field) => field,
            Err(marginals::Error::Impossible) => return None,
            Err(other) => unreachable!("a condition on the schema fits the model: {other}"),
        };
        Some(RandomField {
            compressions: compressions.into(),
            coarse: self.coarse.clone(),
            field,
        })
    }
}

impl Generator for RandomField {
    fn total(&self) -> f64 {
        self.field.total()
    }

    fn expected(&self, measured: &Clique) -> Vec<f64> {
        let counts = self.field.marginal(measured);
        let counts = counts.expect("a measured marginal is in a table of the model");
        match measured.attributes() {
            [column] => self.compressions[*column].expand(&counts),
            _ => counts,
        }
    }

    fn column_of(&self, attribute: usize) -> usize {
        let columns = self.compressions.len();
        attribute
            .checked_sub(columns)
            .map_or(attribute, |coarse| self.coarse[coarse].column)
    }

    fn groups(&self, attribute: usize) -> Option<Vec<u32>> {
        let mut codes = self.compressions[self.column_of(attribute)].map();
        if let Some(coarse) = attribute.checked_sub(self.compressions.len()) {
            let groups = &self.coarse[coarse].groups;
            codes
                .iter_mut()
                .for_each(|code| *code = groups[*code as usize]);
        }
        Some(codes)
    }

    fn draw(&self, rows: u64, mut rng: ChaCha8Rng) -> Drawing {
        let rare_codes = |(column, compression): (usize, &Compression)| {
            let rare_share = compression.rare_code().map_or(0.0, |code| {
                self.counts(column)[code as usize] / self.field.total()
            });
            // Generators of their own for rare codes, values and rows: how much one draws does not
            // change what the others give.
            RareCodes::new(
                Arc::clone(&self.compressions),
                column,
                rare_share * rows as f64,
                ChaCha8Rng::from_rng(&mut rng),
            )
        };
        let compressions = self.compressions.iter().enumerate();
        let rare = compressions.map(rare_codes).collect();
        let values = ChaCha8Rng::from_rng(&mut rng);
        let rows = if rows <= MOST_HERDED_ROWS {
            self.field
                .herded_rows(rows, &self.columns_of_attributes(), &mut rng)
        } else {
            self.field.rows(rows, Sampling::Rounded, &mut rng)
        };
        Drawing {
            codes: Box::new(FieldRows { rows, rare }),
            values,
        }
    }

    fn given(&self, condition: &Condition) -> Option<Arc<dyn Generator>> {
        let given = self.given_columns(condition, |_| true)?;
        Some(Arc::new(given))
    }

    fn body(&self, model: &Model) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        ciborium::into_writer(&BodyRef::new(model, self), &mut bytes).map_err(io::Error::other)?;
        Ok(bytes)
    }

    fn random_field(&self) -> Option<&RandomField> {
        Some(self)
    }
}

/// Rows of a field over compressed columns.
#[derive(Debug)]
struct FieldRows {
    rows: RowStream<ChaCha8Rng>,
    /// For each column, how rows get their rare codes.
    rare: Vec<RareCodes>,
}

impl CodeStream for FieldRows {
    fn left(&self) -> u64 {
        self.rows.left()
    }

    fn next_chunk(&mut self, rows: usize) -> Option<Vec<Vec<u32>>> {
        let mut columns = self.rows.next_chunk(rows)?;
        // Coarse columns stand after those of the table.
        columns.truncate(self.rare.len());
        for (codes, rare) in columns.iter_mut().zip(&mut self.rare) {
            codes.iter_mut().for_each(|code| *code = rare.expand(*code));
        }
        Some(columns)
    }
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
