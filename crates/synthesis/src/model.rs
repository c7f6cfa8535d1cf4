use std::sync::Arc;

use marginals::Clique;
use privacy::{DomainSource, LedgerRecord, Prior};
use schema::Schema;

use crate::errors::MeasuredErrors;
use crate::fitted::Fitted;
use crate::generator::Generator;
use crate::hidden::{OneWay, RowCount};
use crate::measured::Measured;
use crate::method::Method;
use crate::report::Report;
use crate::sample::SampleStream;
use crate::unseen::Unseen;

/// A fitted model: all that a ledger paid for, and nothing else of the data.
///
/// It, its file, its report and any number of rows drawn from it may be shown to anyone, unless its
/// [domain](Model::domain) was taken from the data.
#[derive(Debug, Clone)]
pub struct Model {
    pub(crate) schema: Arc<Schema>,
    pub(crate) method: Method,
    /// What differs from one kind of model to another.
    pub(crate) generator: Arc<dyn Generator>,
    /// The part of it of which rows are drawn.
    pub(crate) drawn: Arc<dyn Generator>,
    /// What is not drawn.
    pub(crate) unseen: Unseen,
    pub(crate) measured: Vec<Measured>,
    pub(crate) errors: Option<MeasuredErrors>,
    pub(crate) ledger: LedgerRecord,
}

/// The most rows a table can have been: beyond this, whole numbers are no longer told apart.
pub(crate) const LARGEST_TOTAL: f64 = (1_u64 << 53) as f64;

impl Model {
    pub(crate) fn new(
        schema: impl Into<Arc<Schema>>,
        method: Method,
        fitted: Fitted,
        ledger: LedgerRecord,
    ) -> Model {
        let schema = schema.into();
        let mut unseen = Unseen::new(&schema, &fitted.measured);
        let drawn = unseen.left_of(&fitted.generator, &schema);
        Model {
            schema,
            method,
            generator: fitted.generator,
            drawn,
            unseen,
            measured: fitted.measured,
            errors: fitted.errors,
            ledger,
        }
    }

    /// The expected counts of a column's codes among as many drawn rows as the generator's total.
    pub(crate) fn expected_of(&self, column: usize) -> Vec<f64> {
        let counts = self.generator.expected(&Clique::new([column]));
        self.unseen.without(column, counts)
    }

    /// How far the distribution of drawn rows is from the generator's at most, in any marginal: the
    /// probability of what is not drawn.
    pub(crate) fn left_out(&self) -> f64 {
        (1.0 - self.drawn.total() / self.generator.total()).max(0.0)
    }

    /// Rows that are drawn where no number is asked for, at most. A table may have more; a model
    /// whose total is noise, or whose file a stranger made, must not fill a disk.
    pub const MAX_DEFAULT_ROWS: u64 = 10_000_000;

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

    /// Where the columns' values and ranges came from. Taken [from the
    /// data](DomainSource::FromData) they leave no guarantee, whatever the budget was.
    #[must_use]
    pub fn domain(&self) -> DomainSource {
        self.ledger.domain()
    }

    /// The public data that the fit started from. Files of older programs do not say it of a method
    /// that can start from some.
    #[must_use]
    pub fn prior(&self) -> &Prior {
        match (self.ledger.prior(), self.method) {
            (Prior::NotRecorded, method) if !method.takes_prior() => &Prior::None,
            (recorded, _) => recorded,
        }
    }

    /// What the ledger recorded when the fit ended.
    #[must_use]
    pub fn ledger(&self) -> &LedgerRecord {
        &self.ledger
    }

    /// How many rows the table has, as far as the noise lets it be known.
    #[must_use]
    pub fn row_count(&self) -> RowCount {
        RowCount::new(self)
    }

    /// About as many rows as the table had: the noisy total, or the standard deviation of its noise
    /// where that is more; at least 1.
    #[must_use]
    pub fn noisy_rows(&self) -> u64 {
        rows(self.generator.total())
    }

    /// [`noisy_rows`](Self::noisy_rows), but at most [`MAX_DEFAULT_ROWS`](Self::MAX_DEFAULT_ROWS)
    /// and [`Schema::most_rows`].
    #[must_use]
    pub fn default_rows(&self) -> u64 {
        self.noisy_rows().min(most_default_rows(&self.schema))
    }

    /// Draws this many synthetic rows. A seed always gives the same rows; without one they are
    /// different every time.
    ///
    /// Rows are drawn with low variance: together they have the marginals of the model's cliques up
    /// to rounding, in random order. Of up to a million rows of a random field (which all methods
    /// but COPULA, DPCTGAN and PATECTGAN fit), values are chosen such that the rows follow the
    /// model in its other pairs too, several times as closely as independent draws would. No row
    /// has an `other`, or a bin of more than half of a column's range, of which no row is seen in
    /// the table: whose noisy count is below three standard deviations of its noise (but for the
    /// columns that COPULA relates). This is post-processing and costs no budget, however often it
    /// is done.
    ///
    /// The stream outlives the model: it holds what it needs of it.
    ///
    /// # Panics
    /// If [`Schema::check_rows`] refuses this many, or no seed is given and the operating system
    /// has no entropy.
    #[must_use]
    pub fn sample(&self, rows: u64, seed: Option<u64>) -> SampleStream {
        SampleStream::new(&self.schema, self.drawn.as_ref(), rows, seed)
    }

    /// How often each code of the column at this position is, as released and in synthetic rows.
    ///
    /// # Panics
    /// If there is no such column.
    #[must_use]
    pub fn one_way(&self, column: usize) -> OneWay {
        OneWay::new(self, column)
    }

    /// How close the model is to what was measured. Costs nothing and reveals nothing more.
    #[must_use]
    pub fn report(&self) -> Report {
        Report::new(self)
    }
}

/// The most rows that are drawn where no number is asked for.
pub(crate) fn most_default_rows(schema: &Schema) -> u64 {
    let most = schema.most_rows().unwrap_or(u64::MAX);
    most.min(Model::MAX_DEFAULT_ROWS)
}

/// A total as a number of rows, at least 1.
#[expect(
    clippy::cast_possible_truncation,
    reason = "positive, and a saturating cast is meant"
)]
pub(crate) fn rows(total: f64) -> u64 {
    (total.round() as u64).max(1)
}
