//! GRAIN: Gaussian measurements, resolution chosen a pair, in three rounds. The default method.
//!
//! 1. Every column is measured, budgets in proportion to size^(2/3), and smoothed. Columns become
//!    coarser in levels of at most 64, 32, 16, 8 and 4 groups of about equal mass. In the model a
//!    coarser level is an attribute of its own, which the finer one determines: what is related
//!    coarsely is modelled coarsely, so that a junction tree holds far more pairs.
//! 2. In each round the L1 distance between table and model is measured for all pairs at all their
//!    resolutions, in one vector of noisy scores. Pairs and resolutions are then chosen by what the
//!    distance should fall by less what their noise adds; the best split of the budget among them
//!    has a closed form. The first round takes a spanning forest, the others what the model of the
//!    round before misses, as far as the junction tree stays within its bound.
//!    Before the last round triples are scored at their coarsest levels, and those are measured
//!    that the model of pairs misses: clearly, if the workload names them, and otherwise by a tenth
//!    of the rows.
//! 3. What was measured is drawn to the model's expectation where it is mostly noise, and the model
//!    is fitted anew.
//! 4. At the end the distances between the table and the final model are measured: they are the
//!    model's stated errors.
//!
//! Where one model holds all pairs at all their codes, as far as schema and `max_cells` say, and
//! there are enough rows for them, there is nothing to choose: no scores are paid for, columns get
//! a tenth of their share, and all else measures all pairs, split by the closed form.
//!
//! All noise is Gaussian, so that costs add up under Gaussian differential privacy, and everything
//! but the measurements is post-processing. The one-shot scores and the split of the budget are
//! those of SWIFT (in google/dpsynth, 2026), selection against the current model is that of AIM
//! (McKenna, Mullins, Sheldon and Miklau 2022, arXiv:2201.12677). What was tried for the choices
//! here, and what it gave, is in `bench/GRAIN.md`.

mod candidates;
mod choice;
mod estimate;
mod fit;
pub(crate) mod levels;
mod one_ways;
mod pairs;
mod public_pairs;
mod small;
mod smoothing;
mod triples;
mod tuning;

use marginals::MAX_TREE_CELLS;
use privacy::{Accounting, Rho};
use schema::Schema;
use serde_json::{Map, Value};

use crate::fit_error::{FitError, PlanError};
use crate::fitted::Fitted;
use crate::mechanism::{Mechanism, PreparedFit, parts_of_columns};
use crate::parameters::{ParameterError, WholeNumber, whole_numbers};
use crate::prior::PublicPrior;
use crate::run::Run;
use crate::workload::Workload;
use fit::Fit;
use one_ways::OneWays;
use pairs::Budgets;
use triples::Triples;
use tuning::{
    MOST_NOISE_OF_ALL_PAIRS, SHARE_OF_COLUMNS, SHARE_OF_ERRORS, SHARE_OF_FIRST_LOOK,
    SHARE_OF_SCORES, SHARE_OF_TRIPLE_SCORES,
};

const NAME: &str = "GRAIN";
const MAX_CELLS: WholeNumber = WholeNumber {
    name: "max_cells",
    least: 1000,
    most: 1 << 27,
};
// A parameter that is accepted must not fail later for want of memory, when budget is spent.
const _: () = assert!(MAX_CELLS.most as u128 == MAX_TREE_CELLS);

/// Options of [GRAIN](crate::Method::Grain).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrainOptions {
    /// Cells of the model's junction tree, besides those of the columns and constraints alone: from
    /// 1,000 to 2^27.
    pub max_cells: u64,
}

impl Default for GrainOptions {
    fn default() -> GrainOptions {
        GrainOptions {
            max_cells: tuning::DEFAULT_CELLS,
        }
    }
}

impl GrainOptions {
    pub(crate) fn read(params: &Map<String, Value>) -> Result<GrainOptions, ParameterError> {
        let [max_cells] = whole_numbers(NAME, params, [&MAX_CELLS], "it has `max_cells`")?;
        let default = GrainOptions::default();
        Ok(GrainOptions {
            max_cells: max_cells.unwrap_or(default.max_cells),
        })
    }
}

impl Mechanism for GrainOptions {
    fn accounting(&self) -> Accounting {
        // All noise is Gaussian, and GDP composes it exactly: zCDP's conversion to epsilon would
        // cost accuracy for the same guarantee.
        Accounting::Gdp
    }

    fn takes_prior(&self) -> bool {
        true
    }

    fn takes_workload(&self) -> bool {
        true
    }

    fn check_options(&self) -> Result<(), ParameterError> {
        MAX_CELLS.check(NAME, self.max_cells).map(drop)
    }

    /// The least part is a column's in its share of the whole, or scores of a round.
    fn parts(&self, sizes: &[usize]) -> f64 {
        // The scores of a round get a fiftieth of the whole, which is less than a column's part
        // where there are few columns: 20 is between the two, and only catches budgets that nothing
        // comes of.
        20.0 * parts_of_columns(sizes)
    }

    fn most_columns_of_marginal(&self) -> usize {
        3
    }

    fn prepare(&self, _: &Schema, workload: &Workload) -> Result<Box<dyn PreparedFit>, PlanError> {
        Ok(Box::new(Grain {
            max_cells: self.max_cells.into(),
            workload: workload.clone(),
        }))
    }
}

/// What a fit does, as far as it follows from public facts.
struct Grain {
    max_cells: u128,
    workload: Workload,
}

impl PreparedFit for Grain {
    fn fit(
        self: Box<Self>,
        run: &mut Run<'_>,
        prior: Option<&PublicPrior>,
    ) -> Result<Fitted, FitError> {
        fit(run, &self, prior)
    }
}

fn fit(
    run: &mut Run<'_>,
    Grain {
        max_cells,
        workload,
    }: &Grain,
    prior: Option<&PublicPrior>,
) -> Result<Fitted, FitError> {
    let whole = run.ledger.remaining();
    let columns = run.schema().columns().len();
    let pairs = weighted_pairs(workload);
    let small = prior.is_none() && small::all_fit(run.schema(), &pairs, *max_cells);
    // Without pairs their scores would be paid for and say nothing.
    let of_pairs = if pairs.is_empty() {
        0.0
    } else {
        SHARE_OF_SCORES
    };
    let triples = Triples::new(workload);
    let of_triples = if triples.is_empty() {
        0.0
    } else {
        SHARE_OF_TRIPLE_SCORES
    };
    let shares = [
        SHARE_OF_COLUMNS,
        of_pairs,
        of_triples,
        SHARE_OF_ERRORS,
        1.0 - SHARE_OF_COLUMNS - of_pairs - of_triples - SHARE_OF_ERRORS,
    ];
    // Errors are set aside at the start: what comes later takes "all that is left", which must not
    // be all.
    let [for_columns, for_scores, for_triples, for_errors, rest] =
        <[Rho; 5]>::try_from(whole.split(&shares).expect("shares are positive"))
            .expect("as many as there are shares");
    let mut one_ways = OneWays::new(columns);
    if small {
        // A first look at the columns tells how many rows there are, and so whether all pairs can
        // be told from noise.
        let [first, second] = [SHARE_OF_FIRST_LOOK, 1.0 - SHARE_OF_FIRST_LOOK];
        let parts = for_columns.split(&[first, second]);
        let [first, second] = <[Rho; 2]>::try_from(parts.expect("shares are positive"))
            .expect("as many as there are shares");
        one_ways.measure(run, first)?;
        let for_pairs = run.ledger.remaining().checked_sub(for_errors);
        let for_pairs = for_pairs.expect("a tenth of the columns' share was spent");
        if small::expected_noise(run, &pairs, for_pairs, one_ways.total())
            <= MOST_NOISE_OF_ALL_PAIRS
        {
            let mut fit = Fit::new(run, one_ways);
            // A part set aside for triples would be lost to the pairs if none is strong.
            let triples = triples.if_asked_for();
            fit.measure_all_pairs(run, &pairs, for_pairs, &triples, for_triples, *max_cells)?;
            return fit.into_fitted(run, workload);
        }
        one_ways.measure(run, second)?;
    } else {
        one_ways.measure(run, for_columns)?;
    }
    // How scarce rows are is read off released counts, so that this split costs nothing.
    let more = rest
        .split(&[one_ways.scarcity(), 1.0])
        .expect("the second is positive")[0];
    one_ways.measure_if_any(run, more)?;
    let mut fit = Fit::new(run, one_ways);
    // After the columns: private counts, not public ones, decide where levels are cut.
    if let Some(prior) = prior {
        fit.take_public_pairs(&pairs, prior, *max_cells)?;
    }
    if !pairs.is_empty() {
        let budgets = Budgets {
            for_scores,
            for_triples,
            for_errors,
        };
        fit.measure_pairs(run, &pairs, budgets, &triples, *max_cells)?;
    }
    // Rounds may have found nothing worth measuring. Columns can always use what is left.
    let unspent = run
        .ledger
        .remaining()
        .checked_sub(for_errors)
        .unwrap_or(Rho::ZERO);
    fit.one_ways.measure_if_any(run, unspent)?;
    fit.update_masses();
    // The last spend, since errors are of a model that is not changed afterwards.
    fit.into_fitted(run, workload)
}

/// The workload's pairs and those within its larger marginals, each with the sum of their weights.
fn weighted_pairs(workload: &Workload) -> Vec<([usize; 2], f64)> {
    let mut pairs = std::collections::BTreeMap::<[usize; 2], f64>::new();
    for (clique, weight) in workload.marginals() {
        let columns = clique.attributes();
        for (i, &a) in columns.iter().enumerate() {
            for &b in &columns[i + 1..] {
                // A triple counts for each of its pairs too: it is looked at once these are known.
                *pairs.entry([a, b]).or_default() += weight;
            }
        }
    }
    pairs.into_iter().collect()
}
