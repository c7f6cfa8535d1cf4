//! What a method of synthesis is to the engine.

use std::fmt::Debug;

use privacy::Accounting;
use schema::Schema;

use crate::fit_error::{FitError, PlanError};
use crate::fitted::Fitted;
use crate::parameters::ParameterError;
use crate::prior::PublicPrior;
use crate::run::Run;
use crate::workload::Workload;

/// A method with its options. Everything but [`PreparedFit::fit`] depends on public facts alone.
pub(crate) trait Mechanism: Debug + Send + Sync {
    /// How the costs of its measurements and selections add up: the tightest accounting that covers
    /// all of them.
    fn accounting(&self) -> Accounting;

    /// Whether it adapts to a workload. The others measure the same whatever the workload is.
    fn takes_workload(&self) -> bool {
        false
    }

    /// Columns of a marginal of the workload, at most: it would not heed what is larger.
    fn most_columns_of_marginal(&self) -> usize {
        usize::MAX
    }

    /// Whether it can start from public data.
    fn takes_prior(&self) -> bool {
        false
    }

    /// Whether a model's total is fitted to everything that was measured, and not to the columns
    /// alone. What is told of the number of rows must be about the very number that is drawn.
    fn counts_rows_in_all(&self) -> bool {
        false
    }

    /// Whether its options lie within their ranges. Those of some methods cannot be made otherwise.
    fn check_options(&self) -> Result<(), ParameterError> {
        Ok(())
    }

    /// Whether its options suit a table of this many columns.
    fn check_columns(&self, _columns: usize) -> Result<(), PlanError> {
        Ok(())
    }

    /// Into how many parts as small as the smallest the whole budget goes, or a few more.
    fn parts(&self, sizes: &[usize]) -> f64;

    /// Bytes that a fit may hold at once, whatever the columns, where that is more than any method
    /// takes: counts of all that it may choose from, and the model.
    fn most_memory(&self) -> u64 {
        0
    }

    /// All that can be decided before anything is spent.
    fn prepare(
        &self,
        schema: &Schema,
        workload: &Workload,
    ) -> Result<Box<dyn PreparedFit>, PlanError>;
}

/// A method that knows what it is to fit.
pub(crate) trait PreparedFit {
    /// [`Mechanism::most_memory`], for the columns at hand.
    fn memory(&self) -> u64 {
        0
    }

    /// Spends all that remains of the run's ledger. A prior is given only where the method takes
    /// one.
    fn fit(
        self: Box<Self>,
        run: &mut Run<'_>,
        prior: Option<&PublicPrior>,
    ) -> Result<Fitted, FitError>;
}

/// Budgets of columns are in proportion to their weights: into how many parts as small as the
/// smallest of them they go together.
pub(crate) fn parts_of_columns(sizes: &[usize]) -> f64 {
    let weights = || sizes.iter().map(|&size| crate::run::column_weight(size));
    let smallest = weights().fold(f64::INFINITY, f64::min);
    (weights().sum::<f64>() / smallest).max(1.0)
}
