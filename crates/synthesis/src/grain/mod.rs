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
//! 3. What was measured is drawn to the model's expectation where it is mostly noise, and the model
//!    is fitted anew.
//! 4. At the end the distances between the table and the final model are measured: they are the
//!    model's stated errors.
//!
//! All noise is Gaussian, so that costs add up under Gaussian differential privacy, and everything
//! but the measurements is post-processing. The one-shot scores and the split of the budget are
//! those of SWIFT (in google/dpsynth, 2026), selection against the current model is that of AIM
//! (McKenna, Mullins, Sheldon and Miklau 2022, arXiv:2201.12677). What was tried for the choices
//! here, and what it gave, is in `bench/GRAIN.md`.

mod candidates;
mod choice;
mod levels;
mod smoothing;
mod tuning;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use marginals::{
    Clique, EstimationOptions, MAX_TREE_CELLS, MarkovRandomField, Measurement, TreeSizer,
    estimate_total, estimate_watched, project_to_simplex,
};
use privacy::{Accounting, Rho};
use schema::Schema;
use serde_json::{Map, Value};
use tabular::Recoding;

use crate::batches::batches;
use crate::compression::Compression;
use crate::constraints::Constraints;
use crate::errors::measure_errors;
use crate::fit_error::{FitError, PlanError};
use crate::fitted::{Coarse, Fitted};
use crate::measured::Measured;
use crate::mechanism::{Mechanism, PreparedFit, parts_of_columns};
use crate::parameters::{ParameterError, WholeNumber, whole_numbers};
use crate::prior::PublicPrior;
use crate::run::Run;
use crate::workload::Workload;
use candidates::{
    Candidate, Pair, coarsest_levels, count_pairs, counted_levels, expected_pairs,
    merged_at_all_resolutions, most_cells, score, transposed,
};
use choice::{Bounds, choose};
use levels::{Hierarchy, Levels};
use smoothing::{shrink_residual, smooth_counts};
use tuning::{
    MOST_PAIRS, ROUNDS, SHARE_OF_COLUMNS, SHARE_OF_ERRORS, SHARE_OF_ROUND, SHARE_OF_SCORES,
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
    // Without pairs their scores would be paid for and say nothing.
    let of_pairs = if pairs.is_empty() { 0.0 } else { 1.0 };
    let shares = [
        SHARE_OF_COLUMNS,
        of_pairs * SHARE_OF_SCORES,
        SHARE_OF_ERRORS,
        1.0 - SHARE_OF_COLUMNS - of_pairs * SHARE_OF_SCORES - SHARE_OF_ERRORS,
    ];
    // Errors are set aside at the start: what comes later takes "all that is left", which must not
    // be all.
    let [for_columns, for_scores, for_errors, rest] =
        <[Rho; 4]>::try_from(whole.split(&shares).expect("shares are positive"))
            .expect("as many as there are shares");
    let mut one_ways = OneWays::new(columns);
    one_ways.measure(run, for_columns)?;
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
        fit.measure_pairs(run, &pairs, for_scores, for_errors, *max_cells)?;
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
                // GRAIN measures pairs only: a larger marginal counts for each of its pairs, and a
                // relation that shows in three columns alone (an exclusive or) is not found.
                *pairs.entry([a, b]).or_default() += weight;
            }
        }
    }
    pairs.into_iter().collect()
}

/// What is known of the columns on their own: each measured once or more.
struct OneWays {
    measured: Vec<Vec<Measured>>,
}

impl OneWays {
    fn new(columns: usize) -> OneWays {
        OneWays {
            measured: vec![Vec::new(); columns],
        }
    }

    fn measure(&mut self, run: &mut Run<'_>, rho: Rho) -> Result<(), FitError> {
        let measured = run.measure_columns(rho)?;
        self.measured
            .iter_mut()
            .zip(measured)
            .for_each(|(all, new)| all.push(new));
        Ok(())
    }

    /// Nothing, where the budget is too small to be split.
    fn measure_if_any(&mut self, run: &mut Run<'_>, rho: Rho) -> Result<(), FitError> {
        const LEAST: f64 = 1e-9;
        // So little would buy noise of many thousand rows, and splitting it among columns could
        // give parts that round down to nothing.
        if rho.get() < LEAST {
            Ok(())
        } else {
            self.measure(run, rho)
        }
    }

    /// The inverse-variance mean of a column's measurements, and its sigma.
    fn mean(&self, column: usize) -> (Vec<f64>, f64) {
        let mut sums = vec![0.0; self.measured[column][0].values.len()];
        let mut precision = 0.0;
        for measured in &self.measured[column] {
            // Inverse variances give the unbiased mean of least variance.
            let weight = measured.sigma.powi(-2);
            precision += weight;
            sums.iter_mut()
                .zip(measured.values())
                .for_each(|(sum, value)| *sum += weight * value);
        }
        sums.iter_mut().for_each(|sum| *sum /= precision);
        (sums, precision.powf(-0.5))
    }

    fn total(&self) -> f64 {
        let of_column = |column: usize| {
            let (values, sigma) = self.mean(column);
            let domain = marginals::Domain::new(vec![values.len()]).expect("a column has a code");
            Measurement::new(&domain, Clique::new([0]), values, sigma)
                .expect("noisy counts are finite")
        };
        let columns: Vec<Measurement> = (0..self.measured.len()).map(of_column).collect();
        estimate_total(&columns)
    }

    /// What to give the columns of the rest, as a multiple of what pairs get: more where columns'
    /// noise is large against the table, for then pairs are beyond reach and columns are not.
    fn scarcity(&self) -> f64 {
        use tuning::{ENOUGH_NOISE, MOST_SCARCITY, SCARCE_NOISE};
        let total = self.total();
        let distance = |column: usize| {
            let (values, sigma) = self.mean(column);
            values.len() as f64 * sigma * std::f64::consts::FRAC_2_PI.sqrt() / 2.0 / total
        };
        let mean = (0..self.measured.len()).map(distance).sum::<f64>() / self.measured.len() as f64;
        // On a logarithmic scale: noise of twice the size matters as much wherever it starts from.
        let position = (mean / ENOUGH_NOISE).ln() / (SCARCE_NOISE / ENOUGH_NOISE).ln();
        MOST_SCARCITY * position.clamp(0.0, 1.0)
    }
}

/// A measured pair.
struct MeasuredPair {
    columns: [usize; 2],
    levels: [usize; 2],
    noisy: Vec<i64>,
    /// With less noise and some bias.
    shrunk: Vec<f64>,
    sigma: f64,
}

struct Fit {
    one_ways: OneWays,
    constraints: Constraints,
    compressions: Vec<Compression>,
    total: f64,
    hierarchy: Hierarchy,
    /// For each column the smoothed counts of the model's codes, and the sigma of each.
    masses: Vec<(Vec<f64>, Vec<f64>)>,
    pairs: Vec<MeasuredPair>,
    public: Vec<PublicPair>,
}

/// A relation that public data has. The private data decides where it was measured.
struct PublicPair {
    columns: [usize; 2],
    levels: [usize; 2],
    probabilities: Vec<f64>,
}

impl Fit {
    fn new(run: &Run<'_>, one_ways: OneWays) -> Fit {
        let constraints = Constraints::of(run.schema());
        let compression = |column: usize| {
            let (values, sigma) = one_ways.mean(column);
            // A constraint allows or forbids single codes, which a merged code could not tell
            // apart.
            if values.len() <= tuning::MOST_CODES || constraints.touch(column) {
                Compression::none(values.len())
            } else {
                Compression::of(&values, sigma)
            }
        };
        let columns = one_ways.measured.len();
        // Levels need smoothed masses, and those the compression: hence the empty hierarchy at
        // first.
        let mut fit = Fit {
            compressions: (0..columns).map(compression).collect(),
            total: one_ways.total(),
            hierarchy: Hierarchy::new(Vec::new()),
            masses: Vec::new(),
            pairs: Vec::new(),
            public: Vec::new(),
            constraints,
            one_ways,
        };
        fit.update_masses();
        let levels = fit.masses.iter().map(|(masses, _)| Levels::of(masses));
        fit.hierarchy = Hierarchy::new(levels.collect());
        fit
    }

    fn update_masses(&mut self) {
        self.total = self.one_ways.total();
        let of_column = |(column, compression): (usize, &Compression)| {
            let (values, sigma) = self.one_ways.mean(column);
            // Smoothed before the projection: the filter takes noise to be symmetric, which it no
            // longer is once negative counts are cut off.
            let masses = project_to_simplex(&smooth_counts(&values, sigma), self.total);
            let (masses, terms) = compression.merge(&masses);
            // A merged code is a sum of independent counts, whose variances add up.
            let sigmas = terms.iter().map(|terms| sigma * terms.sqrt()).collect();
            (masses, sigmas)
        };
        self.masses = self
            .compressions
            .iter()
            .enumerate()
            .map(of_column)
            .collect();
    }

    fn measure_pairs(
        &mut self,
        run: &mut Run<'_>,
        pairs: &[([usize; 2], f64)],
        for_scores: Rho,
        for_errors: Rho,
        max_cells: u128,
    ) -> Result<(), FitError> {
        let mut model = self.start(run, &self.hierarchy)?;
        // One part for each round, and one for a first pass over very many pairs.
        let parts = for_scores
            .split(&[1.0; ROUNDS + 1])
            .expect("there are rounds");
        // Scores share one sensitivity, which grows with the square root of their number: of very
        // many pairs at all resolutions, each would drown.
        let pairs = if pairs.len() > MOST_PAIRS {
            self.strongest(run, &model, pairs, parts[ROUNDS])?
        } else {
            pairs.to_vec()
        };
        run.at("counting pairs", 0, pairs.len())?;
        let recoding = self.recoding(run.schema(), &counted_levels(&self.hierarchy));
        // Exact counts are taken once. Only what is scored or measured of them leaves, and is paid
        // for.
        let pairs = count_pairs(run, &recoding, &self.hierarchy, &pairs)?;
        for (round, part) in parts.into_iter().take(ROUNDS).enumerate() {
            let candidates = score(run, &self.hierarchy, &model, &pairs, part)?;
            // What later rounds need for their scores must not be taken by this one's measurements.
            let later = for_scores_of_later_rounds(for_scores, part, round);
            let left = run
                .ledger
                .remaining()
                .checked_sub(for_errors)
                .and_then(|left| left.checked_sub(later));
            let Some(left) = left.filter(|left| *left > Rho::ZERO) else {
                break;
            };
            let share = SHARE_OF_ROUND[round];
            let budget = if share < 1.0 {
                left.split(&[share, 1.0 - share])
                    .expect("shares are positive")[0]
            } else {
                left
            };
            let for_pairs = if round + 1 < ROUNDS {
                max_cells / tuning::PART_OF_CELLS_BEFORE_LAST
            } else {
                max_cells
            };
            let bounds = Bounds {
                sigma: run.ledger.sigma(budget),
                cells: self.cells_with(for_pairs),
                // A forest first: many coarse pairs would leave no room for the few fine ones that
                // carry strong relations. It was the largest step on such tables (bench/GRAIN.md).
                forest: round == 0,
            };
            let chosen = choose(&self.hierarchy, &self.fixed_cliques(), &candidates, bounds);
            // What this round leaves goes to the next, and at last to the columns.
            if chosen.is_empty() {
                continue;
            }
            self.measure_chosen(run, &model, &pairs, &candidates, &chosen, budget)?;
            if round + 1 < ROUNDS {
                model = self.estimate(run, &self.hierarchy)?;
            }
        }
        Ok(())
    }

    /// The strongest relations of public data, as far as a quarter of the model holds them.
    fn take_public_pairs(
        &mut self,
        pairs: &[([usize; 2], f64)],
        prior: &PublicPrior,
        max_cells: u128,
    ) -> Result<(), FitError> {
        let pairs = &self.strongest_in_public(pairs, prior)?;
        let (mut candidates, mut tables) = (Vec::new(), Vec::new());
        let most_cells = most_cells(pairs.len());
        self.each_public_table(prior, pairs, most_cells, |pair, levels, table| {
            let (columns, weight) = pairs[pair];
            let across = self.hierarchy.levels[columns[1]].size(levels[1]);
            candidates.push(Candidate {
                pair,
                columns,
                levels,
                cells: table.len() as f64,
                weight,
                // In rows, as noisy scores are, so that the same rule chooses.
                error: self.total * distance_from_independence(&table, across),
            });
            tables.push(table);
        })?;
        let bounds = Bounds {
            sigma: tuning::PUBLIC_NOISE,
            cells: self.cells_with(max_cells / tuning::PART_OF_CELLS_FOR_PUBLIC),
            // Public data has no noise to be wary of: what is strong is taken, cycles or not.
            forest: false,
        };
        for (i, _) in choose(
            &self.hierarchy,
            &self.constraints.cliques(),
            &candidates,
            bounds,
        ) {
            let Candidate {
                columns, levels, ..
            } = candidates[i];
            self.public.push(PublicPair {
                columns,
                levels,
                probabilities: std::mem::take(&mut tables[i]),
            });
        }
        Ok(())
    }

    /// Of very many pairs those that are least independent in public data, at their coarsest
    /// resolution.
    fn strongest_in_public(
        &self,
        pairs: &[([usize; 2], f64)],
        prior: &PublicPrior,
    ) -> Result<Vec<([usize; 2], f64)>, FitError> {
        // The coarsest levels have at most four groups, but a column of five codes has no coarser
        // level.
        /// Of a pair at its coarsest resolution.
        const MOST_CELLS: usize = 25;
        if pairs.len() <= MOST_PAIRS {
            return Ok(pairs.to_vec());
        }
        let mut strengths = vec![0.0; pairs.len()];
        self.each_public_table(prior, pairs, MOST_CELLS, |pair, levels, table| {
            let (columns, weight) = pairs[pair];
            let across = self.hierarchy.levels[columns[1]].size(levels[1]);
            strengths[pair] = weight * distance_from_independence(&table, across);
        })?;
        Ok(strongest_of(pairs, &strengths))
    }

    /// What public data says of pairs, at each resolution of at most this many cells, finest first.
    /// Pairs whose full table is too large to count are left out.
    fn each_public_table(
        &self,
        prior: &PublicPrior,
        pairs: &[([usize; 2], f64)],
        most_cells: usize,
        mut found: impl FnMut(usize, [usize; 2], Vec<f64>),
    ) -> Result<(), FitError> {
        /// Of a pair over all codes, and of pairs that are in memory together.
        const MOST_CELLS: usize = 1 << 22;
        let size = |column: usize| prior.field().domain().size(column);
        let cells: Vec<usize> = pairs.iter().map(|&([a, b], _)| size(a) * size(b)).collect();
        for batch in batches(&cells, MOST_CELLS) {
            let batch: Vec<usize> = batch.filter(|&i| cells[i] <= MOST_CELLS).collect();
            let cliques: Vec<Clique> = batch.iter().map(|&i| Clique::new(pairs[i].0)).collect();
            let tables = prior.field().marginals(&cliques)?;
            for (i, full) in batch.into_iter().zip(tables) {
                let columns = pairs[i].0;
                let codes = self.to_codes(columns, &full);
                let hierarchy = &self.hierarchy;
                for (levels, table) in
                    merged_at_all_resolutions(hierarchy, columns, most_cells, &codes)
                {
                    found(i, levels, table);
                }
            }
        }
        Ok(())
    }

    /// A pair over all codes, summed into the model's codes.
    fn to_codes(&self, columns: [usize; 2], full: &[f64]) -> Vec<f64> {
        let [rows, across] = columns.map(|column| self.compressions[column].map());
        let [height, width] = columns.map(|column| self.compressions[column].size());
        let mut sums = vec![0.0; height * width];
        for (row, cells) in rows.iter().zip(full.chunks_exact(across.len())) {
            cells
                .iter()
                .zip(&across)
                .for_each(|(p, column)| sums[*row as usize * width + *column as usize] += p);
        }
        sums
    }

    /// How to count a table at these levels of its columns.
    fn recoding(&self, schema: &Schema, counted: &[usize]) -> Recoding {
        let map = |(column, compression): (usize, &Compression)| -> Vec<u32> {
            let groups = self.hierarchy.levels[column].map(counted[column]);
            compression
                .map()
                .into_iter()
                .map(|code| groups[code as usize])
                .collect()
        };
        let maps = self.compressions.iter().enumerate().map(map).collect();
        let sizes = counted
            .iter()
            .enumerate()
            .map(|(column, &level)| self.hierarchy.levels[column].size(level))
            .collect();
        Recoding::new(schema, maps, sizes)
    }

    /// Of very many pairs those that seem least independent, at their coarsest resolution: nothing
    /// finer is counted.
    fn strongest(
        &self,
        run: &mut Run<'_>,
        independent: &MarkovRandomField,
        pairs: &[([usize; 2], f64)],
        rho: Rho,
    ) -> Result<Vec<([usize; 2], f64)>, FitError> {
        /// Pairs whose tables are in memory together.
        const BATCH: usize = 1 << 14;
        // Tables of at most 25 cells can be counted for any number of pairs, and coarse levels keep
        // most of a relation.
        let levels = coarsest_levels(&self.hierarchy);
        let recoding = self.recoding(run.schema(), &levels);
        let mut scores = Vec::with_capacity(pairs.len());
        for batch in pairs.chunks(BATCH) {
            run.at("comparing columns", scores.len(), pairs.len())?;
            let cliques: Vec<Clique> = batch.iter().map(|&(pair, _)| Clique::new(pair)).collect();
            let coarse: Vec<([usize; 2], [usize; 2])> = batch
                .iter()
                .map(|&(columns, _)| (columns, columns.map(|column| levels[column])))
                .collect();
            let expected = expected_pairs(&self.hierarchy, independent, &coarse)?;
            let counts = run.count_recoded(&cliques, Some(&recoding))?;
            let counted = counts.into_iter().zip(expected);
            scores.extend(counted.map(|(counts, expected)| counts.l1_distance(&expected)));
        }
        let noisy = run
            .ledger
            .measure_scores("errors of all pairs", &scores, rho, run.rng)?;
        let strengths = pairs.iter().zip(&noisy.values);
        let strengths: Vec<f64> = strengths
            .map(|((_, weight), error)| weight * error)
            .collect();
        Ok(strongest_of(pairs, &strengths))
    }

    fn measure_chosen(
        &mut self,
        run: &mut Run<'_>,
        model: &MarkovRandomField,
        pairs: &[Pair],
        candidates: &[Candidate],
        chosen: &[(usize, f64)],
        budget: Rho,
    ) -> Result<(), FitError> {
        let weights: Vec<f64> = chosen.iter().map(|&(_, share)| share).collect();
        let shares = budget.split(&weights).expect("shares are positive");
        let places: Vec<([usize; 2], [usize; 2])> = chosen
            .iter()
            .map(|&(candidate, _)| (candidates[candidate].columns, candidates[candidate].levels))
            .collect();
        // One model for the whole round: to fit anew after each pair is what AIM does, and what
        // takes its time.
        let expected = expected_pairs(&self.hierarchy, model, &places)?;
        for (i, ((&(candidate, _), rho), expected)) in
            chosen.iter().zip(shares).zip(expected).enumerate()
        {
            run.at("measuring pairs", i, chosen.len())?;
            let Candidate {
                pair,
                columns,
                levels,
                ..
            } = candidates[candidate];
            let counts = pairs[pair].counts_at(&self.hierarchy, levels);
            let label = run.label(&Clique::new(columns));
            let noisy = run.ledger.measure(&label, &counts, rho, run.rng)?;
            let residual: Vec<f64> = noisy
                .values()
                .iter()
                .zip(&expected)
                .map(|(&value, e)| value as f64 - e)
                .collect();
            let across = self.hierarchy.levels[columns[1]].size(levels[1]);
            // Towards the model and not towards zero: what it expects is the best guess where noise
            // prevails.
            let kept = shrink_residual(&residual, across, noisy.sigma());
            self.pairs.push(MeasuredPair {
                columns,
                levels,
                // The file and the receipt state what was measured; only the fit uses what was
                // shrunk.
                noisy: noisy.values().to_vec(),
                shrunk: expected.iter().zip(kept).map(|(e, r)| e + r).collect(),
                sigma: noisy.sigma(),
            });
        }
        Ok(())
    }

    /// Cells of a junction tree with `for_pairs` for pairs, besides those that it has in any case.
    fn cells_with(&self, for_pairs: u128) -> u128 {
        let structure = [self.hierarchy.chains(), self.constraints.cliques()].concat();
        let without = TreeSizer::new(self.hierarchy.domain(), &structure).cells();
        // Chains and constraints must be held in any case, and grow with the table: pairs have a
        // room of their own, so that a table of many columns is not left with none.
        without.saturating_add(for_pairs).min(MAX_TREE_CELLS)
    }

    /// What a model's junction tree must hold besides the pairs yet to be chosen.
    fn fixed_cliques(&self) -> Vec<Clique> {
        let measured = self
            .pairs
            .iter()
            .map(|pair| self.hierarchy.clique(pair.columns, pair.levels));
        let public = self
            .public
            .iter()
            .map(|pair| self.hierarchy.clique(pair.columns, pair.levels));
        measured
            .chain(public)
            .chain(self.constraints.cliques())
            .collect()
    }

    /// The model that every estimation starts from: of independent columns, or with the relations
    /// of public data.
    fn start(
        &self,
        run: &mut Run<'_>,
        hierarchy: &Hierarchy,
    ) -> Result<MarkovRandomField, FitError> {
        let masses: Vec<Vec<f64>> = self
            .masses
            .iter()
            .map(|(masses, _)| masses.clone())
            .collect();
        let mut start = hierarchy.independent(&masses, self.total)?;
        if !self.constraints.is_empty() {
            // Imposed on the start, constraints survive every pass: factors are multiplied, and
            // what is impossible stays so.
            start = self
                .constraints
                .imposed_on(hierarchy.domain(), Some(&start), self.total)?;
        }
        if self.public.is_empty() {
            return Ok(start);
        }
        let pair = |pair: &PublicPair| {
            let counts: Vec<f64> = pair.probabilities.iter().map(|p| p * self.total).collect();
            let counts = in_order_of_attributes(hierarchy, pair.columns, pair.levels, &counts);
            let clique = hierarchy.clique(pair.columns, pair.levels);
            Measurement::new(
                hierarchy.domain(),
                clique,
                counts,
                tuning::PUBLIC_SIGMA * self.total,
            )
        };
        let pairs = self
            .public
            .iter()
            .map(pair)
            .collect::<Result<Vec<Measurement>, _>>()?;
        self.estimate_from(run, hierarchy, &start, pairs, 0.0)
    }

    fn estimate(
        &self,
        run: &mut Run<'_>,
        hierarchy: &Hierarchy,
    ) -> Result<MarkovRandomField, FitError> {
        let start = self.start(run, hierarchy)?;
        let pair = |pair: &MeasuredPair| {
            let counts = in_order_of_attributes(hierarchy, pair.columns, pair.levels, &pair.shrunk);
            Measurement::new(
                hierarchy.domain(),
                hierarchy.clique(pair.columns, pair.levels),
                counts,
                pair.sigma,
            )
        };
        let pairs = self
            .pairs
            .iter()
            .map(pair)
            .collect::<Result<Vec<Measurement>, _>>()?;
        let cells: usize = self.pairs.iter().map(|pair| pair.shrunk.len()).sum();
        // The loss is |m - y|^2 / (2 sigma^2), which for the true counts is half a cell each in
        // expectation; to go lower is to fit the noise.
        let target_loss = tuning::SHARE_OF_EXPECTED_LOSS * cells as f64 / 2.0;
        self.estimate_from(run, hierarchy, &start, pairs, target_loss)
    }

    /// A model of the columns and these pairs.
    fn estimate_from(
        &self,
        run: &mut Run<'_>,
        hierarchy: &Hierarchy,
        start: &MarkovRandomField,
        pairs: Vec<Measurement>,
        target_loss: f64,
    ) -> Result<MarkovRandomField, FitError> {
        let domain = hierarchy.domain();
        let column = |(column, (masses, sigmas)): (usize, &(Vec<f64>, Vec<f64>))| {
            Measurement::with_sigmas(domain, Clique::new([column]), masses.clone(), sigmas)
        };
        let mut measurements = self
            .masses
            .iter()
            .enumerate()
            .map(column)
            .collect::<Result<Vec<Measurement>, _>>()?;
        measurements.extend(pairs);
        let public = self
            .public
            .iter()
            .map(|pair| hierarchy.clique(pair.columns, pair.levels));
        let structure: Vec<Clique> = hierarchy
            .chains()
            .into_iter()
            .chain(self.constraints.cliques())
            .chain(public)
            .collect();
        // The time of a pass is that of the tree's cells, so that these say how many passes can be
        // had.
        let held = measurements.iter().map(Measurement::clique);
        let held: Vec<Clique> = held.chain(&structure).cloned().collect();
        let most_passes = most_passes(TreeSizer::new(domain, &held).cells());
        let options = EstimationOptions {
            total: Some(self.total),
            warm_start: Some(start),
            structure: &structure,
            max_iterations: most_passes,
            target_loss,
            ..EstimationOptions::default()
        };
        let mut watch =
            |passes: usize, _: f64| match run.at("fitting the model", passes, most_passes) {
                Ok(()) => ControlFlow::Continue(()),
                // The next report of progress asks again, and ends the fit.
                Err(_) => ControlFlow::Break(()),
            };
        Ok(estimate_watched(domain, &measurements, &options, &mut watch)?.model)
    }

    /// The last fit, in which only levels remain that something was measured at; and how far it is
    /// from the table.
    fn into_fitted(self, run: &mut Run<'_>, workload: &Workload) -> Result<Fitted, FitError> {
        let ends =
            |columns: [usize; 2], levels: [usize; 2]| [0, 1].map(|i| (columns[i], levels[i]));
        let measured = self
            .pairs
            .iter()
            .flat_map(|pair| ends(pair.columns, pair.levels));
        let public = self
            .public
            .iter()
            .flat_map(|pair| ends(pair.columns, pair.levels));
        // A level at which nothing was measured only makes the model's tree and file larger.
        let used: BTreeSet<(usize, usize)> = measured.chain(public).collect();
        let hierarchy = Hierarchy::keeping(self.hierarchy.levels.clone(), |column, level| {
            used.contains(&(column, level))
        });
        let field = if self.pairs.is_empty() {
            // Its factors are those of columns and constraints, and a model's file has one for each
            // node.
            self.start(run, &hierarchy)?.by_nodes()?
        } else {
            self.estimate(run, &hierarchy)?
        };
        // Against exact counts, for the budget set aside: an error estimated from the same noise
        // that the model was fitted to would flatter it.
        let errors = measure_errors(run, &field, &self.compressions, workload)?;
        let columns = self.compressions.len();
        let coarse = hierarchy.places()[columns..]
            .iter()
            .map(|&(column, level)| Coarse {
                column,
                groups: hierarchy.levels[column].map(level).to_vec(),
            });
        let pairs = self.pairs.iter().map(|pair| Measured {
            columns: hierarchy.clique(pair.columns, pair.levels),
            values: in_order_of_attributes(&hierarchy, pair.columns, pair.levels, &pair.noisy),
            sigma: pair.sigma,
        });
        let measured = self
            .one_ways
            .measured
            .into_iter()
            .flatten()
            .chain(pairs)
            .collect();
        Ok(Fitted {
            compressions: self.compressions,
            coarse: coarse.collect(),
            field,
            measured,
            errors,
        })
    }
}

/// The [`MOST_PAIRS`] of largest strength, in their order.
fn strongest_of(pairs: &[([usize; 2], f64)], strengths: &[f64]) -> Vec<([usize; 2], f64)> {
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    order.sort_by(|&a, &b| strengths[b].total_cmp(&strengths[a]));
    order.truncate(MOST_PAIRS);
    order.sort_unstable();
    order.into_iter().map(|i| pairs[i]).collect()
}

/// Passes over a model's junction tree of this many cells: as many as take a second or two.
fn most_passes(cells: u128) -> usize {
    let [fewest, most] = tuning::PASSES;
    let passes = (tuning::CELLS_OF_ALL_PASSES / cells.max(1)).clamp(fewest, most);
    usize::try_from(passes).expect("at most 1000")
}

/// What scores of the rounds after this one will cost.
fn for_scores_of_later_rounds(for_scores: Rho, part: Rho, round: usize) -> Rho {
    let later = ROUNDS - 1 - round;
    (0..later).fold(Rho::ZERO, |sum, _| {
        // Parts of a budget that exists cannot overflow; if they could, too much would be set
        // aside.
        sum.checked_add(part).unwrap_or(for_scores)
    })
}

/// A pair's cells, row-major in the order of the attributes, which need not be that of the columns.
fn in_order_of_attributes<T: Copy>(
    hierarchy: &Hierarchy,
    columns: [usize; 2],
    levels: [usize; 2],
    cells: &[T],
) -> Vec<T> {
    let [first, second] = [0, 1].map(|i| hierarchy.attribute(columns[i], levels[i]));
    if first < second {
        cells.to_vec()
    } else {
        transposed(cells, hierarchy.domain().size(second))
    }
}

/// L1 distance of a distribution over two columns from the product of its marginals.
fn distance_from_independence(probabilities: &[f64], columns: usize) -> f64 {
    let rows: Vec<f64> = probabilities
        .chunks_exact(columns)
        .map(|row| row.iter().sum())
        .collect();
    let mut across = vec![0.0; columns];
    for row in probabilities.chunks_exact(columns) {
        across.iter_mut().zip(row).for_each(|(sum, p)| *sum += p);
    }
    let product = rows
        .iter()
        .flat_map(|row| across.iter().map(move |column| row * column));
    probabilities
        .iter()
        .zip(product)
        .map(|(p, q)| (p - q).abs())
        .sum()
}
