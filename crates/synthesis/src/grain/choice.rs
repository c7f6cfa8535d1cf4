use marginals::{Clique, TreeSizer};

use super::candidates::Candidate;
use super::levels::Hierarchy;
use super::tuning::{
    MOST_CHOICE_WORK, NOISE_GROWS_AS_CELLS_TO, NOISE_THAT_REMAINS, REFERENCE_CELLS,
};

/// What a round may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// The noise of a measurement that takes the round's whole budget.
    pub(crate) sigma: f64,
    /// Cells of the model's junction tree.
    pub(crate) cells: u128,
    /// Whether only pairs that join unconnected columns are wanted.
    pub(crate) forest: bool,
}

/// Chooses pairs and resolutions: greedily by what the error is expected to fall by, less what the
/// noise adds.
///
/// With a budget split in proportion to (weight * cells)^(2/3), which is the best split for a sum
/// of expected L1 noises, their noise is sigma * sqrt(2/pi) * (sum of (weight *
/// cells)^(2/3))^(3/2), where cells are counted as far as their noise remains. A pair is taken at
/// one resolution, and may be exchanged for a finer or coarser one. Returns positions of candidates
/// with their shares of the budget, which are not normalised. Depends on nothing private: errors
/// are those that were measured.
pub(crate) fn choose(
    hierarchy: &Hierarchy,
    measured: &[Clique],
    candidates: &[Candidate],
    bounds: Bounds,
) -> Vec<(usize, f64)> {
    let pairs = candidates
        .iter()
        .map(|candidate| candidate.pair + 1)
        .max()
        .unwrap_or(0);
    // The model has to hold what was measured before, whatever is chosen now.
    let fixed: Vec<Clique> = hierarchy
        .chains()
        .into_iter()
        .chain(measured.iter().cloned())
        .collect();
    let mut choice = Choice {
        hierarchy,
        tree: TreeSizer::new(hierarchy.domain(), &fixed),
        fixed,
        candidates,
        share_of: candidates.iter().map(share).collect(),
        of_pair: vec![None; pairs],
        component_of: (0..hierarchy.levels.len()).collect(),
        shares: 0.0,
        bounds,
        work: 0,
    };
    let mut too_large = vec![false; candidates.len()];
    // Greedy, since the bound on the tree makes the best set a hard problem (it is a knapsack whose
    // weights depend on each other). SWIFT builds its tree first and drops pairs afterwards; here
    // each pair is weighed when it is taken.
    while let Some(best) = choice.best(&too_large) {
        too_large[best] = !choice.take_if_it_fits(best);
        // A bound in work and not in seconds: the same noise must give the same model on any
        // machine.
        if choice.work > MOST_CHOICE_WORK {
            break;
        }
    }
    let taken = choice.of_pair.iter().flatten();
    taken.map(|&i| (i, choice.share_of[i])).collect()
}

struct Choice<'a> {
    hierarchy: &'a Hierarchy,
    /// Cliques that the tree has in any case.
    fixed: Vec<Clique>,
    /// Of those and the candidates taken.
    tree: TreeSizer,
    candidates: &'a [Candidate],
    /// Of the budget, for each candidate.
    share_of: Vec<f64>,
    /// The candidate taken of each pair.
    of_pair: Vec<Option<usize>>,
    /// For each column a name of what it is connected to by what was taken.
    component_of: Vec<usize>,
    shares: f64,
    bounds: Bounds,
    work: u64,
}

fn share(candidate: &Candidate) -> f64 {
    // Large pairs come out of a fit with far less of their noise than small ones.
    let noisy_cells =
        REFERENCE_CELLS * (candidate.cells / REFERENCE_CELLS).powf(NOISE_GROWS_AS_CELLS_TO);
    // Minimises the sum of w_i c_i sigma_i under a fixed sum of 1 / sigma_i^2 (Lagrange).
    (candidate.weight * noisy_cells).powf(2.0 / 3.0)
}

fn gain(candidate: &Candidate) -> f64 {
    // As if a measured pair had no error left but its noise, which is charged apart.
    candidate.weight * candidate.error
}

impl Choice<'_> {
    /// The candidate of largest net gain for its share of the budget, if any gains.
    fn best(&self, too_large: &[bool]) -> Option<usize> {
        let noise = |shares: f64| {
            let per_cell =
                // E|N(0, s)| = s sqrt(2 / pi).
                NOISE_THAT_REMAINS * std::f64::consts::FRAC_2_PI.sqrt() * self.bounds.sigma;
            per_cell * shares.max(0.0).powf(1.5)
        };
        let now = noise(self.shares);
        let rank = |i: usize| {
            let candidate = &self.candidates[i];
            let taken = self.of_pair[candidate.pair];
            let [a, b] = candidate.columns.map(|column| self.component_of[column]);
            // A pair that is taken already may still change its resolution in a forest: that makes
            // no cycle.
            if too_large[i] || taken == Some(i) || taken.is_none() && self.bounds.forest && a == b {
                return None;
            }
            let more_gain = gain(candidate) - taken.map_or(0.0, |i| gain(&self.candidates[i]));
            let more_share = self.share_of[i] - taken.map_or(0.0, |i| self.share_of[i]);
            let net = more_gain - (noise(self.shares + more_share) - now);
            // A forest has few places, which the largest gains deserve; otherwise the budget is
            // what is scarce.
            let price = if self.bounds.forest {
                1.0
            } else {
                more_share.max(1e-9).sqrt()
            };
            (net > 0.0).then_some((net / price, i))
        };
        let ranks = (0..self.candidates.len()).filter_map(rank);
        // `total_cmp` orders NaN too: nothing may panic once budget is spent.
        ranks.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, i)| i)
    }

    /// Takes a candidate, in exchange for another of its pair if one was taken, unless the tree
    /// would be too large.
    fn take_if_it_fits(&mut self, candidate: usize) -> bool {
        let Candidate { pair, columns, .. } = self.candidates[candidate];
        let clique = self.clique(candidate);
        // Exchanged, not added: two resolutions of one pair would pay twice for the same relation.
        let without = self.of_pair[pair].map(|old| self.tree_without(old));
        let tree = without.as_ref().unwrap_or(&self.tree);
        // Counted also where it does not fit: trying is what takes the time.
        self.work += (tree.attributes_between(&clique) as u64).pow(2);
        if let Some(tree) = &without {
            self.work += tree.work();
        }
        if tree.cells_with(&clique) > self.bounds.cells {
            return false;
        }
        if let Some(tree) = without {
            self.tree = tree;
        }
        self.tree.add(&clique);
        self.of_pair[pair] = Some(candidate);
        let [kept, gone] = columns.map(|column| self.component_of[column]);
        let joined = self.component_of.iter_mut().filter(|of| **of == gone);
        joined.for_each(|of| *of = kept);
        // Summed anew: differences would add up rounding errors.
        let taken = self.of_pair.iter().flatten();
        self.shares = taken.map(|&i| self.share_of[i]).sum();
        true
    }

    fn tree_without(&self, old: usize) -> TreeSizer {
        let others = self.of_pair.iter().flatten().filter(|&&i| i != old);
        let cliques: Vec<Clique> = self
            .fixed
            .iter()
            .cloned()
            .chain(others.map(|&i| self.clique(i)))
            .collect();
        TreeSizer::new(self.hierarchy.domain(), &cliques)
    }

    fn clique(&self, candidate: usize) -> Clique {
        let Candidate {
            columns, levels, ..
        } = &self.candidates[candidate];
        self.hierarchy.clique(*columns, *levels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grain::levels::Levels;

    const WIDE: Bounds = Bounds {
        sigma: 1.0,
        cells: 1 << 20,
        forest: false,
    };

    fn hierarchy(columns: usize) -> Hierarchy {
        Hierarchy::new(vec![Levels::from_masses(&[1.0; 8]); columns])
    }

    fn candidate(pair: usize, columns: [usize; 2], level: usize, error: f64) -> Candidate {
        let cells = if level == 0 { 64.0 } else { 16.0 };
        Candidate {
            pair,
            columns,
            levels: [level; 2],
            cells,
            weight: 1.0,
            error,
        }
    }

    #[test]
    fn what_gains_less_than_its_noise_is_left_out() {
        let candidates = [
            candidate(0, [0, 1], 0, 1000.0),
            candidate(1, [1, 2], 0, 3.0),
        ];
        let chosen = choose(&hierarchy(3), &[], &candidates, WIDE);
        assert!(
            chosen.len() == 1 && chosen[0].0 == 0 && (chosen[0].1 - 16.0).abs() < 1e-9,
            "{chosen:?}"
        );
    }

    #[test]
    fn a_pair_is_taken_at_the_resolution_that_its_noise_allows() {
        let candidates = [
            candidate(0, [0, 1], 0, 1000.0),
            candidate(0, [0, 1], 1, 900.0),
        ];
        let at = |sigma| choose(&hierarchy(2), &[], &candidates, Bounds { sigma, ..WIDE })[0].0;
        assert_eq!((at(0.1), at(20.0)), (0, 1));
        assert!(
            choose(
                &hierarchy(2),
                &[],
                &candidates,
                Bounds { sigma: 1e4, ..WIDE }
            )
            .is_empty()
        );
    }

    #[test]
    fn weights_count() {
        let mut candidates = [
            candidate(0, [0, 1], 0, 100.0),
            candidate(1, [1, 2], 0, 100.0),
        ];
        candidates[1].weight = 10.0;
        let chosen = choose(
            &hierarchy(3),
            &[],
            &candidates,
            Bounds { sigma: 5.0, ..WIDE },
        );
        assert!(chosen.iter().any(|&(i, _)| i == 1));
        let share_of = |wanted: usize| {
            chosen
                .iter()
                .find(|&&(i, _)| i == wanted)
                .map_or(0.0, |&(_, share)| share)
        };
        assert!(share_of(1) > 2.0 * share_of(0));
    }

    #[test]
    fn a_forest_has_no_cycle() {
        let candidates = [
            candidate(0, [0, 1], 0, 900.0),
            candidate(1, [1, 2], 0, 800.0),
            candidate(2, [0, 2], 0, 700.0),
        ];
        let chosen: Vec<usize> = choose(
            &hierarchy(3),
            &[],
            &candidates,
            Bounds {
                forest: true,
                ..WIDE
            },
        )
        .iter()
        .map(|c| c.0)
        .collect();
        assert_eq!(chosen, [0, 1]);
        assert_eq!(choose(&hierarchy(3), &[], &candidates, WIDE).len(), 3);
    }

    #[test]
    fn the_tree_stays_within_its_bound() {
        let candidates = [
            candidate(0, [0, 1], 0, 900.0),
            candidate(1, [1, 2], 0, 800.0),
            candidate(2, [0, 2], 0, 700.0),
        ];
        // Two pairs of 64 cells and three chains of 32 fit, a triple of 512 does not.
        let chosen = choose(
            &hierarchy(3),
            &[],
            &candidates,
            Bounds { cells: 300, ..WIDE },
        );
        assert_eq!(chosen.len(), 2);
    }
}
