//! The synthesizers, the fitted model, and the quality report.
//!
//! A [`FitPlan`] says which method is to fit which columns under which guarantee. Once checked, it
//! fits a [`Model`] to a table: from there on nothing is private any more.
//!
//! ```
//! use std::ops::ControlFlow;
//!
//! use privacy::{Delta, Epsilon, NoiseRng};
//! use synthesis::{FitPlan, GrainOptions};
//! use schema::{Declaration, Schema};
//! use tabular::Joined;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let declaration = "age: {integer: {min: 0, max: 99}}\nsmokes: {categories: ['no', 'yes']}\n";
//! let schema = Schema::new(Declaration::from_yaml(declaration)?)?;
//! let table = Joined::from_csv("age,smokes\n34,yes\n71,no\n".as_bytes(), Some(&schema))?;
//!
//! let plan = FitPlan::new(GrainOptions::default(), Epsilon::new(1.0)?, Delta::new(1e-9)?);
//! let plan = plan.check(schema)?;
//! let mut progress = |_| ControlFlow::Continue(());
//! let model = plan.fit(table, &mut NoiseRng::from_os()?, &mut progress)?;
//!
//! let mut rows = Vec::new();
//! model.sample(1000, None).write_csv(&mut rows)?;
//! assert_eq!(rows.iter().filter(|&&byte| byte == b'\n').count(), 1001);
//! # Ok(())
//! # }
//! ```
//!
//! Everything private passes through one [`Ledger`](privacy::Ledger), which the fit opens: what it
//! returns, and all that is done with it afterwards, may be shown to anyone. The one exception is
//! [`evaluate`], which compares synthetic rows with real ones and is for the owner of the real
//! ones.
//!
//! Neighbouring tables, here and throughout, differ by everything of one id.
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate self as synthesis;

mod adaptive;
mod aim;
mod answers;
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
mod copula;
mod dpctgan;
mod errors;
mod evaluation;
mod file;
#[cfg(test)]
mod file_attacks;
mod fit_error;
mod fitted;
mod generator;
mod grain;
mod hidden;
mod independent;
mod measured;
mod mechanism;
mod method;
mod model;
mod mst;
mod mwem;
mod network;
mod parameters;
mod patectgan;
mod plan;
mod prior;
mod public;
mod random_field;
mod report;
mod rounds;
mod run;
mod sample;
mod unseen;
mod workload;

pub use aim::AimOptions;
pub use answers::{Basis, CountAnswer, Statistic, StatisticError, TooManyCounts, ValueAnswer};
pub use conditional::{Conditional, Impossible};
pub use constraints::ConstraintError;
pub use dpctgan::DpctganOptions;
pub use evaluation::{
    Distances, Evaluation, EvaluationError, PairComparison, WorstMarginal, evaluate,
    evaluate_halves,
};
pub use file::ModelFileError;
pub use fit_error::{FitError, PlanError};
pub use grain::GrainOptions;
pub use hidden::{ColumnReport, NoisyOneWay, OneWay, RowCount};
pub use measured::NoisyMarginal;
pub use method::{Method, MethodOptions, UnknownMethod};
pub use model::Model;
pub use mst::MstOptions;
pub use mwem::MwemOptions;
pub use network::Widths;
pub use parameters::ParameterError;
pub use patectgan::PatectganOptions;
pub use plan::{CheckedPlan, DISCOVERY_SHARES, FitPlan, KnownColumns, MAX_ROW_TESTS, OpenFit};
pub use prior::{PublicPrior, PublicPriorError};
pub use report::{
    AgainstIndependent, ErrorReport, FormulaReport, IdentifierReport, MarginalError,
    MarginalReport, Report,
};
pub use rounds::{RoundOptions, RoundsError};
pub use run::{Progress, Watcher};
pub use sample::SampleStream;
pub use workload::{NamedMarginal, Workload, WorkloadError};
