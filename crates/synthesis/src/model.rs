use marginals::MarkovRandomField;
use privacy::LedgerRecord;
use tabular::Schema;

use crate::compression::Compression;
use crate::measured::Measured;
use crate::method::Method;
use crate::report::Report;
use crate::sample::SampleStream;

/// A fitted model: all that a ledger paid for, and nothing else of the data.
///
/// It, its file, its report and any number of rows drawn from it may be shown to anyone.
#[derive(Debug, Clone)]
pub struct Model {
    pub(crate) schema: Schema,
    pub(crate) method: Method,
    /// One for each column.
    pub(crate) compressions: Vec<Compression>,
    /// Over the compressed columns.
    pub(crate) field: MarkovRandomField,
    pub(crate) measured: Vec<Measured>,
    pub(crate) ledger: LedgerRecord,
}

impl Model {
    pub(crate) fn new(
        schema: Schema,
        method: Method,
        compressions: Vec<Compression>,
        field: MarkovRandomField,
        measured: Vec<Measured>,
        ledger: LedgerRecord,
    ) -> Model {
        Model {
            schema,
            method,
            compressions,
            field,
            measured,
            ledger,
        }
    }

    /// The columns of the table, and of every row drawn.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// How it was made.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// What the ledger recorded when the fit ended.
    #[must_use]
    pub fn ledger(&self) -> &LedgerRecord {
        &self.ledger
    }

    /// About as many rows as the table had: the noisy total, at least 1.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a total is at least 1, and a saturating cast is meant"
    )]
    pub fn default_rows(&self) -> u64 {
        self.field.total().round() as u64
    }

    /// So many synthetic rows. A seed always gives the same rows; without one they are different every time.
    ///
    /// Rows are drawn with low variance: together they have the model's marginals up to rounding, in random order.
    /// This is post-processing and costs no budget, however often it is done.
    ///
    /// # Panics
    /// If no seed is given and the operating system has no entropy.
    #[must_use]
    pub fn sample(&self, rows: u64, seed: Option<u64>) -> SampleStream<'_> {
        SampleStream::new(&self.schema, &self.field, &self.compressions, rows, seed)
    }

    /// How close the model is to what was measured. Costs nothing and reveals nothing more.
    #[must_use]
    pub fn report(&self) -> Report {
        Report::new(self)
    }
}
