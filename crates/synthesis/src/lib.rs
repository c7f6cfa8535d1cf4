//! The synthesizers, the fitted model, and the quality report.
//!
//! [`fit`] spends what remains of a [`Ledger`](privacy::Ledger) on noisy marginals of a coded table and fits a Markov
//! random field to them. Everything private passes through that ledger: what [`fit`] returns, and all that is
//! done with it afterwards, may be shown to anyone. The one exception is [`evaluate`], which compares synthetic rows with
//! real ones and is for the owner of the real ones.
//!
//! Neighbouring tables, here and throughout, differ by everything of one id.
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate self as synthesis;

mod adaptive;
mod aim;
mod batches;
mod body;
mod budget;
mod checksum;
mod columns;
#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod common;
mod compression;
mod conditional;
mod constraints;
mod errors;
mod evaluation;
mod file;
#[cfg(test)]
mod file_attacks;
mod fit_error;
mod fitted;
mod grain;
mod hidden;
mod independent;
mod measured;
mod mechanism;
mod method;
mod model;
mod mst;
mod mwem;
mod parameters;
mod plan;
mod prior;
mod public;
mod report;
mod rounds;
mod run;
mod sample;
mod workload;

pub use aim::AimOptions;
pub use conditional::{Conditional, Impossible};
pub use constraints::ConstraintError;
pub use evaluation::{
    Distances, Evaluation, EvaluationError, PairComparison, WorstMarginal, evaluate,
};
pub use file::ModelFileError;
pub use fit_error::{FitError, PlanError};
pub use grain::GrainOptions;
pub use hidden::{ColumnReport, RowCount};
pub use method::{Method, MethodOptions, UnknownMethod};
pub use model::Model;
pub use mst::MstOptions;
pub use mwem::MwemOptions;
pub use parameters::ParameterError;
pub use plan::{CheckedPlan, DEFAULT_DISCOVERY_SHARE, FitPlan, KnownColumns, OpenFit};
pub use prior::{PublicPrior, PublicPriorError};
pub use report::{ErrorReport, FormulaReport, MarginalError, MarginalReport, Report};
pub use rounds::{RoundOptions, RoundsError};
pub use run::{Progress, Watcher};
pub use sample::SampleStream;
pub use workload::{NamedMarginal, Workload, WorkloadError};
