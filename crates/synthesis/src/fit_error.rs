use std::num::NonZeroU32;

use privacy::{Epsilon, InvalidParameter, LedgerError, UnsafeBudget};
use tabular::{DiscoveryError, SourceError};

use crate::constraints::ConstraintError;
use crate::parameters::ParameterError;
use crate::plan::MAX_ROW_TESTS;
use crate::prior::PublicPriorError;
use crate::rounds::RoundsError;
use crate::workload::WorkloadError;

/// Why a plan cannot be carried out. It follows from public facts alone: options, columns, budget.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A parameter of the method is unknown or unusable.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The budget protects hardly anybody.
    #[error(transparent)]
    UnsafeBudget(#[from] UnsafeBudget),
    /// No ledger can be opened with the budget.
    #[error(transparent)]
    Budget(#[from] InvalidParameter),
    /// The budget is too small to be shared out.
    #[error(
        "an epsilon of {:e} is too small for {method} to share out among these columns: it needs \
         {:e} at least, and far more to be of use",
        epsilon.get(),
        least.get()
    )]
    BudgetTooSmall {
        /// Name of the method.
        method: &'static str,
        /// The epsilon that was given.
        epsilon: Epsilon,
        /// What would do, rounded up to two significant digits.
        least: Epsilon,
    },
    /// Whether enough rows meet cannot be found out for a part of the budget.
    #[error(
        "a minimum_rows of {rows} cannot be tested with an epsilon of {epsilon}: so that an empty \
         join hardly ever passes, {MAX_ROW_TESTS} tests would take more than half of the budget; \
         raise epsilon to {} at least{}, or leave minimum_rows out",
        least.get(),
        .enough.map_or_else(String::new, |rows| format!(", or minimum_rows to {rows}"))
    )]
    MinimumRows {
        /// The number that was to be tested.
        rows: NonZeroU32,
        /// The epsilon that was given.
        epsilon: Epsilon,
        /// What would do, rounded up to two significant digits.
        least: Epsilon,
        /// The smallest number of rows that can be tested with the epsilon, if there is one.
        enough: Option<NonZeroU32>,
    },
    /// The share of the budget for discovery is not between 0 and 1.
    #[error("the share of the budget for discovery is {0}, but it must lie between 0 and 1")]
    DiscoveryShare(f64),
    /// The plan was checked for declared columns, and the table has others or needs bins.
    #[error(
        "the plan was checked for columns that are all declared, and the table has columns or bins \
         that have to be discovered; check it for what the table has"
    )]
    Undeclared,
    /// The method measures the same whatever workload and target are.
    #[error(
        "{method} takes no workload or target: it measures the same whatever they are; use \
         {others}, or leave them out"
    )]
    TakesNoWorkload {
        /// Name of the method.
        method: &'static str,
        /// Those that take one, as a list with "or".
        others: String,
    },
    /// The method cannot start from public data.
    #[error("{method} takes no public data; use {others}")]
    TakesNoPrior {
        /// Name of the method.
        method: &'static str,
        /// Those that take it, as a list with "or".
        others: String,
    },
    /// The method takes so many columns only.
    #[error("{method} takes at most {limit} columns, and there are {columns}: use GRAIN")]
    TooManyColumns {
        /// Name of the method.
        method: &'static str,
        /// How many there are.
        columns: usize,
        /// The most it takes.
        limit: usize,
    },
    /// The network would be too large for a model's file.
    #[error(
        "the generator of {method} could have up to {parameters} weights for these columns, and at \
         most {most} fit into a model; make `generator_dim` or `embedding_dim` smaller, or leave \
         columns out"
    )]
    Network {
        /// Name of the method.
        method: &'static str,
        /// How many weights there would be, at most.
        parameters: usize,
        /// The most there may be.
        most: usize,
    },
    /// The workload or the target is not about these columns.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The public data is not about these columns.
    #[error(transparent)]
    Prior(#[from] PublicPriorError),
    /// No model can hold the constraints.
    #[error(transparent)]
    Constraints(#[from] ConstraintError),
    /// A method of rounds cannot serve the workload.
    #[error(transparent)]
    Rounds(#[from] RoundsError),
}

/// Why there is no model. What was spent until then stays spent; with a ledger of the caller's, its
/// record says how much.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// The plan cannot be carried out on these columns. Where all were declared, nothing was spent.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The plan's noise is for fewer rows of one id than the table may have. Nothing was spent.
    #[error(
        "one id may have {table} rows in the table, and the plan is for {plan}; make it for as many"
    )]
    RowsPerId {
        /// What the table allows.
        table: NonZeroU32,
        /// What the plan is for.
        plan: NonZeroU32,
    },
    /// By a noisy count that was paid for, fewer rows met than the plan wants. Nothing else was
    /// spent.
    #[error("fewer rows met than minimum_rows asks for")]
    TooFewRows,
    /// The plan's tests of the number of rows are all made. Nothing was spent.
    #[error("whether enough rows meet was tested {MAX_ROW_TESTS} times, and is not tested again")]
    NoTestLeft,
    /// The columns could not be found out.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// The table could not be counted.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The ledger refused a spend.
    #[error("the fit could not be paid for")]
    Ledger(#[from] LedgerError),
    /// No model can be estimated from what was measured.
    #[error("no model could be estimated from the measurements: {0}")]
    Estimation(marginals::Error),
    /// The caller asked to stop.
    #[error("the fit was cancelled")]
    Cancelled,
}

impl From<marginals::Error> for FitError {
    fn from(error: marginals::Error) -> FitError {
        match error {
            marginals::Error::Cancelled => FitError::Cancelled,
            other => FitError::Estimation(other),
        }
    }
}

impl From<ParameterError> for FitError {
    fn from(error: ParameterError) -> FitError {
        FitError::Plan(error.into())
    }
}
