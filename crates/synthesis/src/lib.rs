//! The synthesizers, the fitted model, and the quality report.
//!
//! [`fit`] spends what remains of a [`Ledger`](privacy::Ledger) on noisy marginals of a coded table and fits a Markov
//! random field to them. Everything private passes through that ledger: what [`fit`] returns, and all that is
//! done with it afterwards, may be shown to anyone. The one exception is [`evaluate`], which compares synthetic rows with
//! real ones and is for the owner of the real ones.
//!
//! Neighbouring tables, here and throughout, differ by everything of one id.
#![forbid(unsafe_code)]

mod adaptive;
mod aim;
mod batches;
mod budget;
mod checksum;
mod compression;
mod conditional;
mod constraints;
mod errors;
mod evaluation;
mod file;
mod fit;
mod grain;
mod hidden;
mod measured;
mod method;
mod model;
mod mst;
mod mwem;
mod public;
mod report;
mod sample;
mod workload;

pub use conditional::{Conditional, Impossible};
pub use evaluation::{
    Distances, Evaluation, EvaluationError, PairComparison, WorstMarginal, evaluate,
};
pub use file::ModelFileError;
pub use fit::{FitError, Progress, check_constraints, fit, fit_with_prior};
pub use hidden::{ColumnReport, RowCount};
pub use method::{Method, ParameterError, UnknownMethod};
pub use model::Model;
pub use public::{PublicPrior, PublicPriorError};
pub use report::{ErrorReport, MarginalError, MarginalReport, Report};
pub use sample::SampleStream;
pub use workload::{NamedMarginal, Workload, WorkloadError};
