//! What AIM and MWEM, the methods of rounds, take and refuse.

use marginals::Clique;
use schema::Schema;
use serde_json::{Map, Value};

use crate::parameters::{ParameterError, WholeNumber, whole_numbers};

// Bounds of options are wide on purpose: they catch slips of the pen, and keep numbers in the range
// of the types.
const ROUNDS: WholeNumber = WholeNumber {
    name: "rounds",
    least: 1,
    most: 1_000_000,
};
const MAX_MODEL_MB: WholeNumber = WholeNumber {
    name: "max_model_mb",
    least: 1,
    most: 1024,
};
const MAX_ITERATIONS: WholeNumber = WholeNumber {
    name: "max_iterations",
    least: 1,
    most: 100_000,
};

const BYTES_PER_CELL: f64 = 8.0;
// Mebibytes, as in the reference code of private-pgm, whose cells are `f64` as ours are.
const MB: f64 = 1_048_576.0;

/// Exact counts of all candidates are held at once: 512 MiB.
const MAX_COUNTED_CELLS: u128 = 1 << 27;

/// Options of a method of rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundOptions {
    /// How many rounds the budget is laid out for, from 1 to 1,000,000. By default AIM has 16 for
    /// each column, of which it needs one at least, and MWEM one.
    pub rounds: Option<u32>,
    /// The largest model in units of 2^20 bytes, from 1 to 1024.
    pub max_model_mb: u32,
    /// Passes of belief propagation in the estimate of each round, at most: from 1 to 100,000.
    pub max_iterations: u32,
}

/// Why a method of rounds cannot serve a workload. Nothing was spent.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RoundsError {
    /// The first measurements, one of each column, would take the whole budget.
    #[error(
        "{method} measures each of the {columns} columns before its rounds begin, at the price of \
         a round each: give at least {columns} as `rounds`, not {rounds}, or leave it out"
    )]
    TooFewRounds {
        /// Name of the method.
        method: &'static str,
        /// The number that was given.
        rounds: u32,
        /// Columns of the table.
        columns: usize,
    },
    /// The tables of the marginals to choose from do not fit into memory.
    #[error(
        "{method} counts all marginals that it may choose from, which have {cells} cells together, \
         and at most {limit} fit into memory: give a workload of fewer or smaller marginals, \
         declare fewer categories or bins, or use MST"
    )]
    TooManyCells {
        /// Name of the method.
        method: &'static str,
        /// Cells of all tables, saturating.
        cells: u128,
        /// The most there may be.
        limit: u128,
    },
    /// There are too many marginals to choose from.
    #[error(
        "{method} chooses among the workload's marginals and all of their parts, which are more \
         than {limit}: give a workload of fewer or smaller marginals"
    )]
    TooManyMarginals {
        /// Name of the method.
        method: &'static str,
        /// The most there may be.
        limit: usize,
    },
    /// No marginal of the workload fits into the first round's model.
    #[error(
        "with any marginal of the workload the first model of {method} has more than the \
         {cells:.0} cells that are allowed it: raise `max_model_mb`, lower `rounds`, or declare \
         fewer categories or bins"
    )]
    NoMarginalFits {
        /// Name of the method.
        method: &'static str,
        /// Cells that the first model may have.
        cells: f64,
    },
}

impl RoundOptions {
    pub(crate) fn read(
        method: &'static str,
        default: RoundOptions,
        params: &Map<String, Value>,
    ) -> Result<RoundOptions, ParameterError> {
        let known = [&ROUNDS, &MAX_MODEL_MB, &MAX_ITERATIONS];
        let sentence = "it has `rounds`, `max_model_mb` and `max_iterations`";
        let [rounds, max_model_mb, max_iterations] =
            whole_numbers(method, params, known, sentence)?;
        let small = |number: Option<u64>| {
            number.map(|number| u32::try_from(number).expect("no range goes beyond it"))
        };
        Ok(RoundOptions {
            rounds: small(rounds),
            max_model_mb: small(max_model_mb).unwrap_or(default.max_model_mb),
            max_iterations: small(max_iterations).unwrap_or(default.max_iterations),
        })
    }

    pub(crate) fn check(&self, method: &'static str) -> Result<(), ParameterError> {
        if let Some(rounds) = self.rounds {
            ROUNDS.check(method, rounds.into())?;
        }
        MAX_MODEL_MB.check(method, self.max_model_mb.into())?;
        MAX_ITERATIONS.check(method, self.max_iterations.into())?;
        Ok(())
    }

    /// Bytes of the exact counts of this many cells, and of the largest model with its estimate.
    pub(crate) fn memory(&self, counted_cells: u128) -> u64 {
        const COPIES_OF_MODEL: u64 = 3;
        let counts = u64::try_from(4 * counted_cells).unwrap_or(u64::MAX);
        let model = COPIES_OF_MODEL * (u64::from(self.max_model_mb) << 20);
        counts.saturating_add(model)
    }

    pub(crate) fn most_memory(&self) -> u64 {
        self.memory(MAX_COUNTED_CELLS)
    }

    /// Cells of the largest model.
    pub(crate) fn max_model_cells(&self) -> f64 {
        f64::from(self.max_model_mb) * MB / BYTES_PER_CELL
    }
}

/// The cells of these marginals, whose exact counts must fit into memory.
pub(crate) fn counted_cells<'a>(
    method: &'static str,
    cliques: impl IntoIterator<Item = &'a Clique>,
    schema: &Schema,
) -> Result<u128, RoundsError> {
    let sizes = schema.sizes();
    let cells_of = |clique: &Clique| {
        // In 128 bits and saturating: the product of a stranger's workload may be of any size.
        let sizes = clique.iter().map(|a| sizes[a] as u128);
        sizes.fold(1, u128::saturating_mul)
    };
    let cells = cliques
        .into_iter()
        .map(cells_of)
        .fold(0, u128::saturating_add);
    if cells > MAX_COUNTED_CELLS {
        return Err(RoundsError::TooManyCells {
            method,
            cells,
            limit: MAX_COUNTED_CELLS,
        });
    }
    Ok(cells)
}
