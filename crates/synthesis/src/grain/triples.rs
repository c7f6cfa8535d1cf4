//! Relations that show in three columns alone, such as an exclusive or: found at coarse levels, and
//! measured there.

use std::collections::BTreeMap;

use marginals::{Clique, MarkovRandomField, TreeSizer};
use privacy::{Counts, Rho, Score};

use super::candidates::coarsest_levels;
use super::fit::{Fit, MeasuredTriple};
use super::smoothing::shrink_residual;
use super::tuning::{
    LEAST_ERROR, MOST_NOISE_OF_TRIPLES, MOST_TRIPLES, MOST_TRIPLES_MEASURED, NOISE_THAT_REMAINS,
};
use crate::fit_error::FitError;
use crate::run::Run;
use crate::workload::Workload;

/// The triples that are looked at.
pub(super) struct Triples {
    all: Vec<WeightedTriple>,
    /// Whether a workload names some or has a target.
    asked_for: bool,
}

struct WeightedTriple {
    /// Ascending.
    columns: [usize; 3],
    weight: f64,
    /// In the workload: measured wherever the model misses it clearly, and the others only where it
    /// misses them by much.
    named: bool,
}

impl Triples {
    /// Those that the workload names and those of its target; or else all whose pairs are in the
    /// workload. Of too many none, since noise would hide all.
    pub(super) fn new(workload: &Workload) -> Triples {
        let asked = asked_for(workload);
        let asked_for = !asked.is_empty();
        let mut all = match asked_for {
            true => asked,
            false => within_pairs(workload),
        };
        if all.len() > MOST_TRIPLES {
            all.clear();
        }
        Triples { all, asked_for }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// None, if nobody asked for any.
    pub(super) fn if_asked_for(mut self) -> Triples {
        if !self.asked_for {
            self.all.clear();
        }
        self
    }

    /// Whether their scores for rho say anything of a table of so many rows.
    pub(super) fn can_be_told(&self, run: &Run<'_>, rho: Rho, total: f64) -> bool {
        let sigma = (self.all.len() as f64).sqrt() * run.ledger.sigma(rho);
        // A score is an L1 distance, twice the share of the rows that lie elsewhere.
        !self.all.is_empty() && sigma / 2.0 / total <= MOST_NOISE_OF_TRIPLES
    }
}

/// All triples of which every pair is in the workload, in order; a few more than are of use where
/// there are very many.
fn within_pairs(workload: &Workload) -> Vec<WeightedTriple> {
    let pairs = workload.marginals().iter();
    let pairs: BTreeMap<[usize; 2], f64> = pairs
        .filter_map(|(clique, weight)| match clique.attributes() {
            &[a, b] => Some(([a, b], *weight)),
            _ => None,
        })
        .collect();
    let mut triples = Vec::new();
    for (&[a, b], &of_ab) in &pairs {
        for (&[_, c], of_bc) in pairs.range([b, 0]..[b + 1, 0]) {
            if let Some(of_ac) = pairs.get(&[a, c]) {
                triples.push(WeightedTriple {
                    columns: [a, b, c],
                    weight: (of_ab + of_ac + of_bc) / 3.0,
                    named: false,
                });
            }
        }
        if triples.len() > MOST_TRIPLES {
            break;
        }
    }
    triples
}

/// Those that the workload names, and those of the target with two columns that the workload pairs
/// it with.
fn asked_for(workload: &Workload) -> Vec<WeightedTriple> {
    let mut triples = BTreeMap::<[usize; 3], WeightedTriple>::new();
    let mut add = |columns: [usize; 3], weight: f64, named: bool| {
        triples.entry(columns).or_insert(WeightedTriple {
            columns,
            weight,
            named,
        });
    };
    for (clique, weight) in workload.marginals() {
        if let &[a, b, c] = clique.attributes() {
            add([a, b, c], *weight, true);
        }
    }
    if let Some(target) = workload.target() {
        let beside = |(clique, weight): &(Clique, f64)| match *clique.attributes() {
            [a, b] if a == target => Some((b, *weight)),
            [a, b] if b == target => Some((a, *weight)),
            _ => None,
        };
        let beside: Vec<(usize, f64)> = workload.marginals().iter().filter_map(beside).collect();
        for (i, &(a, of_a)) in beside.iter().enumerate() {
            for &(b, of_b) in &beside[i + 1..] {
                let mut columns = [target, a, b];
                columns.sort_unstable();
                add(columns, (of_a + of_b) / 2.0, false);
            }
        }
    }
    triples.into_values().collect()
}

/// A triple at its coarsest levels, counted.
struct Triple<'a> {
    of: &'a WeightedTriple,
    /// Of the model's attributes, whose order is that of the cells.
    clique: Clique,
    counts: Counts,
}

impl Fit {
    /// Measures how far the model is from each triple, in one vector of noisy scores for
    /// `for_scores`, and for `budget` those that it misses most. `max_cells` bounds the junction
    /// tree.
    pub(super) fn measure_triples(
        &mut self,
        run: &mut Run<'_>,
        model: &MarkovRandomField,
        Triples { all, .. }: &Triples,
        [for_scores, budget]: [Rho; 2],
        max_cells: u128,
    ) -> Result<(), FitError> {
        run.at("comparing triples", 0, all.len())?;
        let triples = self.count_triples(run, all)?;
        let cliques: Vec<Clique> = triples.iter().map(|it| it.clique.clone()).collect();
        let expected = model.marginals(&cliques)?;
        let scores = triples.iter().zip(&expected);
        let scores: Vec<Score> = scores
            .map(|(triple, expected)| triple.counts.l1_distance(expected))
            .collect();
        // A row changes each score by at most one: in one vector their noise grows with the square
        // root of their number.
        let noisy = run
            .ledger
            .measure_scores("errors of triples", &scores, for_scores, run.rng)?;
        // Standard deviations: one of 20 vectors of 78 scores has such a one by chance.
        let clear = 3.2 * noisy.sigma;
        let much = clear.max(2.0 * LEAST_ERROR * self.total);
        let sigma = run.ledger.sigma(budget);
        let chosen =
            self.strongest_triples(&triples, &noisy.values, [clear, much], sigma, max_cells);
        if chosen.is_empty() {
            return Ok(());
        }
        let shares = budget.split(&vec![1.0; chosen.len()]);
        for (i, rho) in chosen.into_iter().zip(shares.expect("shares are positive")) {
            let (triple, expected) = (&triples[i], &expected[i]);
            let label = run.label(&Clique::new(triple.of.columns));
            let noisy = run.ledger.measure(&label, &triple.counts, rho, run.rng)?;
            let cells = noisy.values().iter().zip(expected);
            let residual: Vec<f64> = cells.map(|(&value, e)| value as f64 - e).collect();
            let last = triple.clique.attributes().last().expect("there are three");
            let across = self.hierarchy.domain().size(*last);
            let kept = shrink_residual(&residual, across, noisy.sigma());
            self.triples.push(MeasuredTriple {
                places: triple
                    .clique
                    .iter()
                    .map(|it| self.hierarchy.places()[it])
                    .collect(),
                noisy: noisy.values().to_vec(),
                shrunk: expected.iter().zip(kept).map(|(e, r)| e + r).collect(),
                sigma: noisy.sigma(),
            });
        }
        Ok(())
    }

    fn count_triples<'a>(
        &self,
        run: &Run<'_>,
        triples: &'a [WeightedTriple],
    ) -> Result<Vec<Triple<'a>>, FitError> {
        let levels = coarsest_levels(&self.hierarchy);
        let recoding = self.recoding(run.schema(), &levels);
        let cliques: Vec<Clique> = triples.iter().map(|it| Clique::new(it.columns)).collect();
        let counted = run.count_recoded(&cliques, Some(&recoding))?;
        let triple = |(of, counts): (&'a WeightedTriple, Counts)| {
            let attributes = of
                .columns
                .map(|it| self.hierarchy.attribute(it, levels[it]));
            let sizes = of
                .columns
                .map(|it| self.hierarchy.levels[it].size(levels[it]));
            let map = in_order_of(attributes, sizes);
            Triple {
                of,
                clique: Clique::new(attributes),
                counts: counts.merge_cells(&map, map.len()),
            }
        };
        Ok(triples.iter().zip(counted).map(triple).collect())
    }

    /// Those whose error is above the least that counts, greedily as far as it is expected to fall
    /// by more than what measuring them adds. `sigma` is the noise of one that takes the whole
    /// budget.
    fn strongest_triples(
        &self,
        triples: &[Triple<'_>],
        errors: &[f64],
        [of_named, of_others]: [f64; 2],
        sigma: f64,
        max_cells: u128,
    ) -> Vec<usize> {
        let is_missed = |&i: &usize| match triples[i].of.named {
            true => errors[i] > of_named,
            false => errors[i] > of_others,
        };
        let mut order: Vec<usize> = (0..triples.len()).filter(is_missed).collect();
        let gain = |i: usize| triples[i].of.weight * errors[i];
        order.sort_by(|&a, &b| gain(b).total_cmp(&gain(a)));
        let held = [self.hierarchy.chains(), self.fixed_cliques()].concat();
        let mut tree = TreeSizer::new(self.hierarchy.domain(), &held);
        let mut chosen = Vec::new();
        for i in order {
            // So many share the budget, and each has this much noise.
            let noise = |count: f64| {
                let per_cell = std::f64::consts::FRAC_2_PI.sqrt() * sigma * count.sqrt();
                NOISE_THAT_REMAINS * per_cell * triples[i].counts.len() as f64 * count
            };
            let count = chosen.len() as f64;
            let charge = noise(count + 1.0) - noise(count);
            if chosen.len() < MOST_TRIPLES_MEASURED
                && errors[i] > charge
                && tree.cells_with(&triples[i].clique) <= max_cells
            {
                tree.add(&triples[i].clique);
                chosen.push(i);
            }
        }
        chosen
    }
}

/// For each cell of three attributes, row-major in the order in which they are given, its number in
/// ascending order of the attributes.
fn in_order_of(attributes: [usize; 3], sizes: [usize; 3]) -> Vec<u32> {
    let step = |i: usize| -> usize {
        let faster = (0..3).filter(|&j| attributes[j] > attributes[i]);
        faster.map(|j| sizes[j]).product()
    };
    let steps = [0, 1, 2].map(step);
    let mut map = Vec::with_capacity(sizes.iter().product());
    for a in 0..sizes[0] {
        for b in 0..sizes[1] {
            for c in 0..sizes[2] {
                let cell = a * steps[0] + b * steps[1] + c * steps[2];
                map.push(u32::try_from(cell).expect("at most a few groups a column"));
            }
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_numbered_in_the_order_of_the_attributes() {
        assert_eq!(in_order_of([0, 1, 2], [1, 2, 3]), [0, 1, 2, 3, 4, 5]);
        // The first of the columns has the last of the attributes.
        assert_eq!(in_order_of([7, 1, 2], [2, 1, 3]), [0, 2, 4, 1, 3, 5]);
        assert_eq!(in_order_of([1, 9, 4], [1, 2, 2]), [0, 2, 1, 3]);
    }
}
