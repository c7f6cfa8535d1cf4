//! Pairs of columns: which to measure, at which resolution, and the measuring.

use marginals::{Clique, MarkovRandomField};
use privacy::Rho;

use super::candidates::{
    Candidate, Pair, coarsest_levels, count_pairs, counted_levels, expected_pairs, score,
};
use super::choice::{Bounds, choose};
use super::fit::{Fit, MeasuredPair};
use super::smoothing::shrink_residual;
use super::triples::Triples;
use super::tuning::{self, MOST_PAIRS, ROUNDS, SHARE_OF_ROUND};
use crate::fit_error::FitError;
use crate::run::Run;

impl Fit {
    pub(super) fn measure_pairs(
        &mut self,
        run: &mut Run<'_>,
        pairs: &[([usize; 2], f64)],
        Budgets {
            for_scores,
            for_triples,
            for_errors,
        }: Budgets,
        triples: &Triples,
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
            // Before the last round: what the model lacks of a triple is then hardly the fault of
            // its pairs, and the tree has room.
            if round + 1 == ROUNDS && triples.can_be_told(run, for_triples, self.total) {
                let later = for_errors.checked_add(part).unwrap_or(for_errors);
                let left = run.ledger.remaining().checked_sub(later);
                let left = left.and_then(|left| left.checked_sub(for_triples));
                let budget = share_of(left.unwrap_or(Rho::ZERO), tuning::SHARE_OF_TRIPLES);
                if budget > Rho::ZERO {
                    let cells = self.cells_with(max_cells / tuning::PART_OF_CELLS_BEFORE_LAST);
                    self.measure_triples(run, &model, triples, [for_triples, budget], cells)?;
                }
            }
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
            let budget = share_of(left, share);
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

    pub(super) fn measure_chosen(
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
        let before = self.pairs.len();
        for (i, (&(candidate, _), rho)) in chosen.iter().zip(shares).enumerate() {
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
            self.pairs.push(MeasuredPair {
                columns,
                levels,
                noisy: noisy.values().to_vec(),
                shrunk: Vec::new(),
                sigma: noisy.sigma(),
            });
        }
        // One model for the whole round: to fit anew after each pair is what AIM does, and what
        // takes its time.
        self.shrink_pairs(before, model)
    }

    /// Draws the pairs measured from a position on to what a model expects of them, where they are
    /// mostly noise. The file and the receipt state what was measured; only the fit uses what is
    /// shrunk.
    pub(super) fn shrink_pairs(
        &mut self,
        from: usize,
        model: &MarkovRandomField,
    ) -> Result<(), FitError> {
        let pairs = &mut self.pairs[from..];
        let places: Vec<([usize; 2], [usize; 2])> = pairs
            .iter()
            .map(|pair| (pair.columns, pair.levels))
            .collect();
        let expected = expected_pairs(&self.hierarchy, model, &places)?;
        for (pair, expected) in pairs.iter_mut().zip(expected) {
            let cells = pair.noisy.iter().zip(&expected);
            let residual: Vec<f64> = cells.map(|(&value, e)| value as f64 - e).collect();
            let across = self.hierarchy.levels[pair.columns[1]].size(pair.levels[1]);
            // Towards the model and not towards zero: what it expects is the best guess where noise
            // prevails.
            let kept = shrink_residual(&residual, across, pair.sigma);
            pair.shrunk = expected.iter().zip(kept).map(|(e, r)| e + r).collect();
        }
        Ok(())
    }
}

/// What a fit has set aside before pairs are measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budgets {
    pub(super) for_scores: Rho,
    pub(super) for_triples: Rho,
    pub(super) for_errors: Rho,
}

pub(super) fn share_of(whole: Rho, share: f64) -> Rho {
    if share < 1.0 {
        whole
            .split(&[share, 1.0 - share])
            .expect("shares are positive")[0]
    } else {
        whole
    }
}

/// The [`MOST_PAIRS`] of largest strength, in their order.
pub(super) fn strongest_of(
    pairs: &[([usize; 2], f64)],
    strengths: &[f64],
) -> Vec<([usize; 2], f64)> {
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    order.sort_by(|&a, &b| strengths[b].total_cmp(&strengths[a]));
    order.truncate(MOST_PAIRS);
    order.sort_unstable();
    order.into_iter().map(|i| pairs[i]).collect()
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
