//! Select, measure, estimate, over and over: what AIM and MWEM share.

use std::ops::ControlFlow;
use std::sync::Arc;

use marginals::{
    Clique, Domain, EstimationOptions, JunctionTree, MAX_TREE_CELLS, MarkovRandomField,
    Measurement, TreeSizer, estimate_watched,
};
use privacy::{Counts, Rho, Score};
use rayon::prelude::*;

use crate::batches::batches;
use crate::compression::Compression;
use crate::constraints::Constraints;
use crate::fit_error::FitError;
use crate::fitted::Fitted;
use crate::measured::Measured;
use crate::random_field::RandomField;
use crate::run::Run;

/// Cells that are counted or scored together: enough to share the work, few enough for memory.
const BATCH_CELLS: usize = 1 << 22;

/// A marginal that may be measured.
struct Candidate {
    clique: Clique,
    /// The score's factor.
    weight: f64,
    counts: Counts,
}

/// What a round is paid with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Price {
    pub(crate) select: Rho,
    pub(crate) measure: Rho,
}

impl Price {
    /// Nine tenths of `whole / rounds` for measuring, one for selecting.
    pub(crate) fn of_one(whole: Rho, rounds: u32) -> Price {
        // AIM's alpha of .9; MWEM+PGM splits a round the same way here.
        Price {
            select: whole.share(1, 10 * rounds),
            measure: whole.share(9, 10 * rounds),
        }
    }

    pub(crate) fn sum(self) -> Rho {
        // Saturates towards refusal: no ledger has so much left.
        self.select.checked_add(self.measure).unwrap_or(Rho::MAX)
    }
}

/// A model, what it was estimated from, and what may be measured next.
pub(crate) struct Adaptive {
    domain: Domain,
    candidates: Vec<Candidate>,
    measured: Vec<Measured>,
    /// The sets of columns with constraints. Every junction tree holds them, so that what the first
    /// model held impossible stays so.
    constraints: Vec<Clique>,
    field: MarkovRandomField,
    /// What the next junction tree holds besides what was measured: the constraints, or more where
    /// that makes it smaller.
    structure: Vec<Clique>,
    /// How much triangulating is left for the sizes of candidates' trees.
    work_left: u64,
    /// What there was to spend.
    whole: Rho,
    max_iterations: usize,
}

impl Adaptive {
    /// Counts every candidate once: no round goes back to the rows. The model is uniform but for
    /// the schema's constraints.
    pub(crate) fn start(
        run: &mut Run<'_>,
        weighted: Vec<(Clique, f64)>,
        max_iterations: usize,
    ) -> Result<Adaptive, FitError> {
        let sizes = run.schema().sizes();
        let domain = Domain::new(sizes.clone()).expect("a schema's sizes are those of a domain");
        let cells_of = |(clique, _): &(Clique, f64)| clique.iter().map(|a| sizes[a]).product();
        let cells: Vec<usize> = weighted.iter().map(cells_of).collect();
        let mut candidates = Vec::with_capacity(weighted.len());
        for batch in batches(&cells, BATCH_CELLS) {
            run.at("counting", batch.start, weighted.len())?;
            let batch = &weighted[batch];
            let cliques: Vec<Clique> = batch.iter().map(|(clique, _)| clique.clone()).collect();
            let counted = batch.iter().zip(run.count(&cliques)?);
            candidates.extend(counted.map(|((clique, weight), counts)| Candidate {
                clique: clique.clone(),
                weight: *weight,
                counts,
            }));
        }
        let constraints = Constraints::new(run.schema());
        Ok(Adaptive {
            // A total of 1: nothing was measured yet, and the first fit takes its total from what
            // then is.
            field: constraints.imposed_on(&domain, None, 1.0)?,
            constraints: constraints.cliques(),
            structure: constraints.cliques(),
            work_left: MOST_WORK,
            domain,
            candidates,
            measured: Vec::new(),
            whole: run.ledger.remaining(),
            max_iterations,
        })
    }

    /// Cells of a candidate's table.
    pub(crate) fn cells(&self, candidate: usize) -> f64 {
        self.candidates[candidate].counts.len() as f64
    }

    /// Candidates of some weight with which the model's junction tree would have no more cells than
    /// this, or which are part of what was measured before.
    ///
    /// A tree that is easily found, the model's own with the candidate put in, is looked at first.
    /// Constraints connect all columns from the start, and to triangulate anew for each candidate
    /// in each round would take nearly all of the time: that is done for those which come next in
    /// size, within a fixed amount of work.
    pub(crate) fn within(&mut self, max_cells: f64) -> Vec<usize> {
        /// How much smaller the easy tree must be. It is larger than one found anew, and it grows
        /// from round to round.
        const ROOM: f64 = 8.0;
        /// A round takes at most this part of the work that is left, so that later ones have some.
        const PART_OF_WORK: u64 = 8;
        let limit = max_cells.min(MAX_TREE_CELLS as f64);
        let known = self.maximal_measured();
        let tree = EasyTree::from_field(&self.field);
        let mut sized: Vec<(u128, usize)> = (0..self.candidates.len())
            .into_par_iter()
            // Without weight a score would be 0 whatever the model is, and so above those that
            // noise explains.
            .filter(|&i| self.candidates[i].weight != 0.0)
            .map(|i| {
                let clique = &self.candidates[i].clique;
                // Part of what was measured: the tree holds it already, and measuring it again only
                // sharpens it.
                match known.iter().any(|known| clique.is_subset(known)) {
                    true => (0, i),
                    false => (tree.cells_with(clique), i),
                }
            })
            .collect();
        // By size, then by place: an order that threads do not change.
        sized.sort_unstable();
        let easy = sized.partition_point(|(cells, _)| ROOM * *cells as f64 <= limit);
        let mut open: Vec<usize> = sized[..easy].iter().map(|&(_, i)| i).collect();
        let larger = &sized[easy..];
        if !larger.is_empty() {
            let held: Vec<Clique> = known.iter().chain(&self.constraints).cloned().collect();
            // From scratch: the sizer counts the cells of a tree found anew, which is often smaller
            // than the easy one.
            let sizer = TreeSizer::new(&self.domain, &held);
            let clique = |i: usize| &self.candidates[i].clique;
            let (mut work, most) = (0, self.work_left / PART_OF_WORK);
            let affordable = larger.iter().take_while(|&&(_, i)| {
                work += (sizer.attributes_between(clique(i)) as u64).pow(2);
                work <= most
            });
            // Something must be open: that anything fits was made sure beforehand, by this size.
            let tried = match affordable.count() {
                _ if open.is_empty() => larger.len(),
                count => count,
            };
            let fits = |&(_, i): &(u128, usize)| {
                (sizer.cells_with(clique(i)) as f64 <= limit).then_some(i)
            };
            let fitting: Vec<usize> = larger[..tried].par_iter().filter_map(fits).collect();
            open.extend(fitting);
            // What was not affordable is dropped for this round, and may come again when the tree
            // has changed.
            self.work_left -= work.min(most);
        }
        open.sort_unstable();
        open
    }

    /// Selects the candidate that the model is worst at: the score is the weight times the L1
    /// distance of exact and modelled counts, less `noise_per_cell` for each cell.
    pub(crate) fn select(
        &self,
        run: &mut Run<'_>,
        open: &[usize],
        noise_per_cell: f64,
        rho: Rho,
    ) -> Result<usize, FitError> {
        // Scores may move by at most 1 for a row: divided by the heaviest weight, none moves by
        // more. The exponential mechanism is charged for exactly that.
        let heaviest = open
            .iter()
            .map(|&i| self.candidates[i].weight)
            .fold(0.0, f64::max);
        let score = |candidate: &Candidate, model: &[f64]| {
            let distance = candidate.counts.l1_distance(model);
            // The expected L1 noise of a measurement: what errs by less would not become better by
            // it (as in AIM).
            let charged = distance.less(noise_per_cell * model.len() as f64);
            charged.times(candidate.weight / heaviest)
        };
        let cells: Vec<usize> = open
            .iter()
            .map(|&i| self.candidates[i].counts.len())
            .collect();
        let mut scored: Vec<(usize, Score)> = Vec::with_capacity(open.len());
        for batch in batches(&cells, BATCH_CELLS) {
            let batch = &open[batch];
            let cliques: Vec<Clique> = batch
                .iter()
                .map(|&i| self.candidates[i].clique.clone())
                .collect();
            // In parallel, but each score is computed by one thread: sums of floating-point numbers
            // depend on their order.
            let modelled = self.field.each_marginal(&cliques).into_par_iter();
            let scores = modelled.zip(batch).map(|(model, &i)| match model {
                Ok(model) => Ok(Some((i, score(&self.candidates[i], &model)))),
                // Whether a model's marginal can be had within memory follows from what was
                // released.
                Err(marginals::Error::TooLarge { .. }) => Ok(None),
                Err(error) => Err(error),
            });
            let scores = scores.collect::<Result<Vec<_>, _>>()?;
            scored.extend(scores.into_iter().flatten());
        }
        let (open, scores): (Vec<usize>, Vec<Score>) = scored.into_iter().unzip();
        // Only positions among scores go in: what is selected is post-processing of what was drawn.
        let chosen = run
            .ledger
            .select("the next marginal", scores, rho, run.rng)?;
        Ok(open[chosen])
    }

    pub(crate) fn measure(
        &mut self,
        run: &mut Run<'_>,
        candidate: usize,
        rho: Rho,
    ) -> Result<(), FitError> {
        let Candidate { clique, counts, .. } = &self.candidates[candidate];
        let noisy = run
            .ledger
            .measure(&run.label(clique), counts, rho, run.rng)?;
        self.measured.push(Measured::new(clique.clone(), &noisy));
        let held: Vec<Clique> = self.maximal_measured();
        let held: Vec<Clique> = held.iter().chain(&self.constraints).cloned().collect();
        // The tree is settled here and not in the next round, so that what was checked to fit is
        // what is built.
        let easy = EasyTree::from_field(&self.field).smaller_with(clique, &held);
        self.structure = easy.unwrap_or_else(|| self.constraints.clone());
        Ok(())
    }

    /// The model's counts of a candidate.
    pub(crate) fn modelled(&self, candidate: usize) -> Result<Vec<f64>, FitError> {
        // As it was scored: the same tables on the way.
        let clique = std::slice::from_ref(&self.candidates[candidate].clique);
        let mut marginals = self.field.each_marginal(clique);
        Ok(marginals.pop().expect("one for one clique")?)
    }

    /// Fits the model to all that was measured, starting from the last one.
    pub(crate) fn estimate(&mut self, run: &mut Run<'_>) -> Result<(), FitError> {
        let measurements = self
            .measured
            .iter()
            .map(|m| Measurement::new(&self.domain, m.columns.clone(), m.values(), m.sigma))
            .collect::<Result<Vec<Measurement>, _>>()?;
        let cells = self
            .measured
            .iter()
            .map(|m| m.values.len() as f64)
            .sum::<f64>();
        let options = EstimationOptions {
            // From the last model: most of it is right already.
            warm_start: Some(&self.field),
            structure: &self.structure,
            max_iterations: self.max_iterations,
            tolerance: TOLERANCE,
            target_loss: SHARE_OF_EXPECTED_LOSS * cells / 2.0,
            ..EstimationOptions::default()
        };
        let whole = self.whole;
        // Progress is the share of the budget: how many rounds come is not known beforehand.
        let mut watch = |_: usize, _: f64| match tell(run, whole) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        self.field = estimate_watched(&self.domain, &measurements, &options, &mut watch)?.model;
        Ok(())
    }

    /// Tells how much of the budget is spent.
    pub(crate) fn tell(&self, run: &mut Run<'_>) -> Result<(), FitError> {
        tell(run, self.whole)
    }

    pub(crate) fn into_fitted(self) -> Fitted {
        let sizes = self.domain.sizes();
        Fitted {
            generator: Arc::new(RandomField {
                compressions: sizes.iter().map(|&size| Compression::none(size)).collect(),
                coarse: Vec::new(),
                field: self.field,
            }),
            measured: self.measured,
            errors: None,
        }
    }

    /// What was measured, without what is part of another measurement.
    fn maximal_measured(&self) -> Vec<Clique> {
        let mut cliques: Vec<&Clique> = self.measured.iter().map(|m| &m.columns).collect();
        // Larger ones first: then what is part of another is met after it.
        cliques.sort_by_key(|clique| std::cmp::Reverse(clique.len()));
        let mut maximal: Vec<Clique> = Vec::new();
        for clique in cliques {
            if !maximal.iter().any(|known| clique.is_subset(known)) {
                maximal.push(clique.clone());
            }
        }
        maximal
    }
}

/// The work on exact sizes of trees in one fit: for each candidate whose tree is found anew, the
/// square of the number of attributes between its own. Some three CPU seconds.
const MOST_WORK: u64 = 1 << 25;

/// A model's junction tree, and the one that is easily made of it to hold one more clique.
struct EasyTree<'a> {
    domain: &'a Domain,
    tree: &'a JunctionTree,
    /// Of each node.
    cells: Vec<u128>,
}

impl<'a> EasyTree<'a> {
    fn from_field(field: &'a MarkovRandomField) -> EasyTree<'a> {
        EasyTree::new(field.domain(), field.tree())
    }

    fn new(domain: &'a Domain, tree: &'a JunctionTree) -> EasyTree<'a> {
        let nodes = tree.nodes().iter();
        EasyTree {
            domain,
            tree,
            cells: nodes.map(|node| domain.cells(node.clique())).collect(),
        }
    }

    /// Cells of the tree with a clique; more than there can be of one that is neither a column nor
    /// a pair.
    fn cells_with(&self, clique: &Clique) -> u128 {
        let joined = |ends| self.tree.cells_if_joined(self.domain, &self.cells, ends);
        ends(clique).map_or(u128::MAX, joined)
    }

    /// The cliques of the tree with a clique, if it is smaller than one of all that is held found
    /// anew. A candidate is open if either is small enough.
    fn smaller_with(&self, clique: &Clique, held: &[Clique]) -> Option<Vec<Clique>> {
        let ends = ends(clique)?;
        let anew = JunctionTree::new(self.domain, held).cells(self.domain);
        let is_smaller = self.cells_with(clique) < anew;
        is_smaller.then(|| self.tree.joined(self.domain, &self.cells, ends))
    }
}

/// The attributes of a pair, or the only one twice.
fn ends(clique: &Clique) -> Option<[usize; 2]> {
    match *clique.attributes() {
        [a] => Some([a, a]),
        [a, b] => Some([a, b]),
        _ => None,
    }
}

/// A round's estimate ends when 20 iterations lower the loss by less than this share of it.
const TOLERANCE: f64 = 1e-3;

/// It also ends at this share of the loss that the true counts have in expectation, half the number
/// of cells: below that it would fit the noise. On the Adult table that is as accurate as going on,
/// in a quarter of the time.
const SHARE_OF_EXPECTED_LOSS: f64 = 0.6;

fn tell(run: &mut Run<'_>, whole: Rho) -> Result<(), FitError> {
    const STEPS: usize = 1000;
    let left = run.ledger.remaining().get() / whole.get();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 1000"
    )]
    let done = (STEPS as f64 * (1.0 - left)) as usize;
    run.at("choosing and measuring", done, STEPS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A candidate is let in where the easy tree is small enough, even if a triangulation of
        /// all that is held would be larger.
        #[test]
        fn a_tree_is_no_larger_than_the_one_by_which_its_candidate_was_let_in(
            sizes in prop::collection::vec(2_usize..40, 6..14),
            picks in prop::collection::vec(prop::collection::vec(0_usize..14, 2), 6..24),
        ) {
            let domain = Domain::new(sizes.clone()).unwrap();
            let clique = |pick: &Vec<usize>| Clique::new(pick.iter().map(|a| a % sizes.len()));
            let (mut tree, mut held) = (JunctionTree::new(&domain, &[]), Vec::new());
            for candidate in picks.iter().map(clique) {
                let easy = EasyTree::new(&domain, &tree);
                let cells = easy.cells_with(&candidate);
                held.push(candidate.clone());
                let anew = JunctionTree::new(&domain, &held).cells(&domain);
                let structure = easy.smaller_with(&candidate, &held).unwrap_or_default();
                let together: Vec<Clique> = held.iter().cloned().chain(structure).collect();
                let next = JunctionTree::new(&domain, &together);
                prop_assert!(next.cells(&domain) <= cells.min(anew));
                tree = next;
            }
        }
    }
}
