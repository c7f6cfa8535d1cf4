//! Tables whose pairs all fit into one model: nothing has to be chosen, so that no budget goes into
//! scores, and little into columns, which the pairs measure as well.

use marginals::{Clique, Domain, TreeSizer};
use privacy::Rho;
use schema::Schema;

use super::candidates::{count_pairs, counted_levels, most_cells, whole_pairs};
use super::fit::Fit;
use super::pairs::share_of;
use super::triples::Triples;
use super::tuning;
use crate::constraints::Constraints;
use crate::fit_error::FitError;
use crate::run::Run;

/// Whether a model of at most so many cells holds all these pairs at all codes. Follows from public
/// facts alone.
pub(super) fn all_fit(schema: &Schema, pairs: &[([usize; 2], f64)], max_cells: u128) -> bool {
    let sizes = schema.sizes();
    let cells = |pair: &[usize; 2]| sizes[pair[0]].saturating_mul(sizes[pair[1]]);
    let most = most_cells(pairs.len());
    if pairs.is_empty()
        || sizes.iter().any(|&size| size > tuning::MOST_CODES)
        || pairs.iter().any(|(pair, _)| cells(pair) > most)
    {
        return false;
    }
    let domain = Domain::new(sizes).expect("every column has a code");
    let held = pairs.iter().map(|&(pair, _)| Clique::new(pair));
    let held: Vec<Clique> = held.chain(Constraints::new(schema).cliques()).collect();
    TreeSizer::new(&domain, &held).cells() <= max_cells
}

/// Expected distance between the pairs and their counts, in the mean, if they were measured for
/// rho: by noise alone, as a share of the rows.
pub(super) fn expected_noise(
    run: &Run<'_>,
    pairs: &[([usize; 2], f64)],
    rho: Rho,
    total: f64,
) -> f64 {
    let sizes = run.schema().sizes();
    let cells = |pair: &[usize; 2]| (sizes[pair[0]] * sizes[pair[1]]) as f64;
    let shares: Vec<f64> = pairs
        .iter()
        .map(|(pair, weight)| share(*weight, cells(pair)))
        .collect();
    let all: f64 = shares.iter().sum();
    let sigma = run.ledger.sigma(rho);
    let distance = |((pair, _), share): (&([usize; 2], f64), &f64)| {
        let sigma = sigma * (all / share).sqrt();
        cells(pair) * sigma * std::f64::consts::FRAC_2_PI.sqrt() / 2.0 / total
    };
    pairs.iter().zip(&shares).map(distance).sum::<f64>() / pairs.len() as f64
}

/// What a pair gets of a budget for all: the split that minimises the weighted sum of the expected
/// L1 noises under a fixed sum of 1 / sigma^2 (Lagrange). Xiao et al., "An optimal and scalable
/// matrix mechanism for noisy marginals under convex loss functions" (2023), have closed forms of
/// this kind for the residuals of marginals; here the pairs themselves are measured, as a ledger's
/// noise is independent in all cells.
fn share(weight: f64, cells: f64) -> f64 {
    (weight * cells).powf(2.0 / 3.0)
}

impl Fit {
    /// Measures all pairs at all codes for the given total.
    pub(super) fn measure_all_pairs(
        &mut self,
        run: &mut Run<'_>,
        pairs: &[([usize; 2], f64)],
        budget: Rho,
        triples: &Triples,
        for_triples: Rho,
        max_cells: u128,
    ) -> Result<(), FitError> {
        // What the scores of triples leave is shared with those that will be measured.
        let left = budget.checked_sub(for_triples);
        let left = left.filter(|_| triples.can_be_told(run, for_triples, self.total));
        let of_triples = left.map(|left| share_of(left, tuning::SHARE_OF_TRIPLES));
        let of_pairs = left
            .zip(of_triples)
            .and_then(|(left, it)| left.checked_sub(it));
        let budget = of_pairs.unwrap_or(budget);
        run.at("counting pairs", 0, pairs.len())?;
        let recoding = self.recoding(run.schema(), &counted_levels(&self.hierarchy));
        let pairs = count_pairs(run, &recoding, &self.hierarchy, pairs)?;
        let candidates = whole_pairs(&self.hierarchy, &pairs);
        let chosen: Vec<(usize, f64)> = candidates
            .iter()
            .enumerate()
            .map(|(i, candidate)| (i, share(candidate.weight, candidate.cells)))
            .collect();
        let model = self.start(run, &self.hierarchy)?;
        self.measure_chosen(run, &model, &pairs, &candidates, &chosen, budget)?;
        // The first look at the columns was short. By the pairs they are known far better, and it
        // is towards these columns that pairs are to be drawn.
        self.set_masses(Fit::mean_with_pairs);
        let model = self.start(run, &self.hierarchy)?;
        self.shrink_pairs(0, &model)?;
        if let Some(share) = of_triples.filter(|share| *share > Rho::ZERO) {
            let model = self.estimate(run, &self.hierarchy)?;
            let cells = self.cells_with(max_cells);
            self.measure_triples(run, &model, triples, [for_triples, share], cells)?;
        }
        Ok(())
    }

    /// What is known of a column's counts: its own measurements, and the sums of its pairs.
    fn mean_with_pairs(&self, column: usize) -> (Vec<f64>, f64) {
        let (mut values, sigma) = self.one_ways.mean(column);
        let mut precision = sigma.powi(-2);
        values.iter_mut().for_each(|value| *value *= precision);
        for pair in &self.pairs {
            let Some(place) = pair.columns.iter().position(|&it| it == column) else {
                continue;
            };
            let sizes = [0, 1].map(|i| self.hierarchy.levels[pair.columns[i]].size(0));
            // A sum of independent counts, whose variances add up.
            let weight = (sizes[1 - place] as f64 * pair.sigma.powi(2)).recip();
            precision += weight;
            for (cell, &count) in pair.noisy.iter().enumerate() {
                let code = [cell / sizes[1], cell % sizes[1]][place];
                values[code] += weight * count as f64;
            }
        }
        values.iter_mut().for_each(|value| *value /= precision);
        (values, precision.powf(-0.5))
    }
}
