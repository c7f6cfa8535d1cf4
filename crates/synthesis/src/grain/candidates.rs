use marginals::{Clique, MarkovRandomField};
use privacy::{Counts, Rho, Score};
use tabular::Recoding;

use super::levels::Hierarchy;
use super::tuning::{CELLS_TOGETHER, GROUPS, PAIR_CELLS};
use crate::fit_error::FitError;
use crate::run::Run;

/// Cells of a pair at its finest resolution: more where there are few pairs, which are all in
/// memory together.
pub(crate) fn most_cells(pairs: usize) -> usize {
    let [fewest, most] = PAIR_CELLS;
    (CELLS_TOGETHER / pairs.max(1)).clamp(fewest, most)
}

/// Two columns, and the resolutions at which they may be measured.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) columns: [usize; 2],
    /// In the workload.
    pub(crate) weight: f64,
    resolutions: Vec<Resolution>,
    /// At the first of the resolutions.
    counts: Counts,
}

/// Levels of two columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resolution {
    pub(crate) levels: [usize; 2],
    /// Position in [`GROUPS`]: how fine it is.
    class: usize,
}

/// A pair at a resolution that could be measured next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Candidate {
    /// Position of the pair.
    pub(crate) pair: usize,
    pub(crate) columns: [usize; 2],
    pub(crate) levels: [usize; 2],
    pub(crate) cells: f64,
    pub(crate) weight: f64,
    /// Estimated L1 distance between the table and the model.
    pub(crate) error: f64,
}

/// The resolutions of a pair, of at most this many cells each, finest first.
fn resolutions(hierarchy: &Hierarchy, columns: [usize; 2], most_cells: usize) -> Vec<Resolution> {
    let mut resolutions: Vec<Resolution> = Vec::new();
    for (class, groups) in GROUPS.into_iter().enumerate() {
        let levels = columns.map(|column| hierarchy.levels[column].at_most(groups));
        // Two bounds on groups can give the same levels, where a column has few codes.
        let new = resolutions.last().is_none_or(|last| last.levels != levels);
        if new && cells(hierarchy, columns, levels) <= most_cells {
            resolutions.push(Resolution { levels, class });
        }
    }
    resolutions
}

fn cells(hierarchy: &Hierarchy, columns: [usize; 2], levels: [usize; 2]) -> usize {
    (0..2)
        .map(|i| hierarchy.levels[columns[i]].size(levels[i]))
        .product()
}

/// The levels at which columns are counted: as fine as any pair is measured.
pub(crate) fn counted_levels(hierarchy: &Hierarchy) -> Vec<usize> {
    levels_of(hierarchy, GROUPS[0])
}

/// The levels of columns at the coarsest resolution of their pairs.
pub(crate) fn coarsest_levels(hierarchy: &Hierarchy) -> Vec<usize> {
    levels_of(hierarchy, GROUPS[GROUPS.len() - 1])
}

fn levels_of(hierarchy: &Hierarchy, groups: usize) -> Vec<usize> {
    let levels = hierarchy.levels.iter();
    levels.map(|levels| levels.at_most(groups)).collect()
}

/// Counts pairs, each at its finest resolution. The recoding is to [`counted_levels`].
pub(crate) fn count_pairs(
    run: &Run<'_>,
    recoding: &Recoding,
    hierarchy: &Hierarchy,
    pairs: &[([usize; 2], f64)],
) -> Result<Vec<Pair>, FitError> {
    /// Cells that are counted together: enough to share a pass over the rows, few enough for
    /// memory.
    const BATCH_CELLS: usize = 1 << 22;
    let counted = counted_levels(hierarchy);
    let most_cells = most_cells(pairs.len());
    let mut counts = Vec::with_capacity(pairs.len());
    let mut rest = pairs;
    // Batches share one pass over the rows. The sum uses cells as counted, which can be far more
    // than what is kept after merging.
    while !rest.is_empty() {
        let mut sum = 0;
        let within = |&&(columns, _): &&([usize; 2], f64)| {
            sum += cells(hierarchy, columns, columns.map(|column| counted[column]));
            sum <= BATCH_CELLS
        };
        // At least one, or a pair that is larger than a batch would never be counted.
        let batch = rest.iter().take_while(within).count().max(1);
        let (now, later) = rest.split_at(batch);
        let cliques: Vec<Clique> = now.iter().map(|&(pair, _)| Clique::new(pair)).collect();
        let of_pair = |(&(columns, weight), counts): (&([usize; 2], f64), Counts)| {
            let resolutions = resolutions(hierarchy, columns, most_cells);
            let levels = columns.map(|column| counted[column]);
            let map = cell_map(hierarchy, columns, levels, resolutions[0].levels);
            // Merged while still private: sums of exact counts are exact counts, and coarse scores
            // need no second pass.
            let counts = counts.merge_cells(&map, cells(hierarchy, columns, resolutions[0].levels));
            Pair {
                columns,
                weight,
                resolutions,
                counts,
            }
        };
        let counted = run.count_recoded(&cliques, Some(recoding))?;
        counts.extend(now.iter().zip(counted).map(of_pair));
        rest = later;
    }
    Ok(counts)
}

impl Pair {
    /// At one of its resolutions.
    pub(crate) fn counts_at(&self, hierarchy: &Hierarchy, levels: [usize; 2]) -> Counts {
        let map = cell_map(hierarchy, self.columns, self.resolutions[0].levels, levels);
        self.counts
            .merge_cells(&map, cells(hierarchy, self.columns, levels))
    }

    /// Levels of the finest resolution.
    pub(crate) fn finest(&self) -> [usize; 2] {
        self.resolutions[0].levels
    }

    /// What the model expects at each resolution, from what it expects at the finest.
    fn merged(&self, hierarchy: &Hierarchy, finest: &[f64]) -> Vec<Vec<f64>> {
        let merged = |resolution: &Resolution| {
            let map = cell_map(
                hierarchy,
                self.columns,
                self.resolutions[0].levels,
                resolution.levels,
            );
            let mut sums = vec![0.0; cells(hierarchy, self.columns, resolution.levels)];
            map.iter()
                .zip(finest)
                .for_each(|(&to, value)| sums[to as usize] += value);
            sums
        };
        self.resolutions.iter().map(merged).collect()
    }
}

/// A table over the codes of two columns at each resolution of the pair, of at most this many
/// cells.
pub(crate) fn merged_at_all_resolutions(
    hierarchy: &Hierarchy,
    columns: [usize; 2],
    most_cells: usize,
    table: &[f64],
) -> Vec<([usize; 2], Vec<f64>)> {
    let merged = |resolution: Resolution| {
        let map = cell_map(hierarchy, columns, [0, 0], resolution.levels);
        let mut sums = vec![0.0; cells(hierarchy, columns, resolution.levels)];
        map.iter()
            .zip(table)
            .for_each(|(&to, value)| sums[to as usize] += value);
        (resolution.levels, sums)
    };
    resolutions(hierarchy, columns, most_cells)
        .into_iter()
        .map(merged)
        .collect()
}

/// What a model over all levels expects of pairs at given levels, row-major in the order of the
/// columns.
pub(crate) fn expected_pairs(
    hierarchy: &Hierarchy,
    model: &MarkovRandomField,
    pairs: &[([usize; 2], [usize; 2])],
) -> Result<Vec<Vec<f64>>, FitError> {
    let cliques: Vec<Clique> = pairs
        .iter()
        .map(|&(columns, levels)| hierarchy.clique(columns, levels))
        .collect();
    let tables = model.marginals(&cliques)?;
    let in_order = |(&(columns, levels), table): (&([usize; 2], [usize; 2]), Vec<f64>)| {
        let [first, second] = [0, 1].map(|i| hierarchy.attribute(columns[i], levels[i]));
        // A clique is sorted by attribute, and coarser levels come after all columns: a fine level
        // of the second column precedes a coarse one of the first.
        if first < second {
            return table;
        }
        // The table's rows are those of the attribute that comes first.
        transposed(&table, hierarchy.domain().size(first))
    };
    Ok(pairs.iter().zip(tables).map(in_order).collect())
}

/// A matrix of `columns` columns with its rows and columns exchanged, row-major.
pub(crate) fn transposed<T: Copy>(cells: &[T], columns: usize) -> Vec<T> {
    (0..columns)
        .flat_map(|column| cells[column..].iter().step_by(columns).copied())
        .collect()
}

/// The cell of a pair at coarse levels for each cell at fine ones, row-major.
fn cell_map(
    hierarchy: &Hierarchy,
    columns: [usize; 2],
    fine: [usize; 2],
    coarse: [usize; 2],
) -> Vec<u32> {
    let [rows, across] = [0, 1].map(|i| hierarchy.levels[columns[i]].between(fine[i], coarse[i]));
    let width = u32::try_from(hierarchy.levels[columns[1]].size(coarse[1]))
        .expect("a column has fewer than 2^32 codes");
    rows.iter()
        .flat_map(|row| across.iter().map(move |column| row * width + column))
        .collect()
}

/// Each pair at its finest resolution, not scored.
pub(crate) fn whole_pairs(hierarchy: &Hierarchy, pairs: &[Pair]) -> Vec<Candidate> {
    let whole = |(i, pair): (usize, &Pair)| Candidate {
        pair: i,
        columns: pair.columns,
        levels: pair.finest(),
        cells: cells(hierarchy, pair.columns, pair.finest()) as f64,
        weight: pair.weight,
        error: 0.0,
    };
    pairs.iter().enumerate().map(whole).collect()
}

/// Measures how far the model is from every pair at every resolution, in one spend.
pub(crate) fn score(
    run: &mut Run<'_>,
    hierarchy: &Hierarchy,
    model: &MarkovRandomField,
    pairs: &[Pair],
    rho: Rho,
) -> Result<Vec<Candidate>, FitError> {
    let (mut scores, mut candidates, mut classes) = (Vec::<Score>::new(), Vec::new(), Vec::new());
    let finest: Vec<([usize; 2], [usize; 2])> = pairs
        .iter()
        .map(|pair| (pair.columns, pair.finest()))
        .collect();
    let finest = expected_pairs(hierarchy, model, &finest)?;
    for (i, (pair, finest)) in pairs.iter().zip(finest).enumerate() {
        run.at("scoring pairs", i, pairs.len())?;
        for (resolution, expected) in pair.resolutions.iter().zip(pair.merged(hierarchy, &finest)) {
            scores.push(
                pair.counts_at(hierarchy, resolution.levels)
                    .l1_distance(&expected),
            );
            classes.push(resolution.class);
            candidates.push(Candidate {
                pair: i,
                columns: pair.columns,
                levels: resolution.levels,
                cells: expected.len() as f64,
                weight: pair.weight,
                error: 0.0,
            });
        }
    }
    // One-shot scores, as in SWIFT: a row changes each score by at most one, so that in one vector
    // their noise grows with the square root of their number.
    let noisy = run
        .ledger
        .measure_scores("errors of pairs", &scores, rho, run.rng)?;
    // Within a class: scores at a fine resolution are larger by sampling error alone, and a common
    // mean would draw all fine ones down.
    let errors = shrunk(&noisy.values, &classes, noisy.sigma);
    candidates
        .iter_mut()
        .zip(errors)
        .for_each(|(candidate, error)| candidate.error = error);
    Ok(candidates)
}

/// Scores of each class drawn towards their mean, as far as noise explains how they differ (James
/// and Stein 1961, Efron and Morris 1973). The largest of many noisy numbers is large by noise;
/// this keeps it from being believed.
fn shrunk(values: &[f64], classes: &[usize], sigma: f64) -> Vec<f64> {
    let summary = |class: usize| {
        let own = || {
            values
                .iter()
                .zip(classes)
                .filter(move |&(_, &c)| c == class)
                .map(|(value, _)| value)
        };
        let count = own().count() as f64;
        let mean = own().sum::<f64>() / count;
        let energy: f64 = own().map(|value| (value - mean).powi(2)).sum();
        let signal = if energy > 0.0 {
            // The positive part of the estimator of Efron and Morris, which shrinks towards the
            // mean and so loses three degrees of freedom.
            (1.0 - (count - 3.0).max(0.0) * sigma * sigma / energy).max(0.0)
        } else {
            0.0
        };
        (mean, signal)
    };
    let summaries: Vec<(f64, f64)> = (0..GROUPS.len()).map(summary).collect();
    let shrunk = |(value, &class): (&f64, &usize)| {
        let (mean, signal) = summaries[class];
        // A distance is not negative, whatever the noise says.
        (mean + signal * (value - mean)).max(0.0)
    };
    values.iter().zip(classes).map(shrunk).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grain::levels::Levels;

    #[test]
    fn resolutions_get_coarser_down_to_four_groups() {
        let hierarchy = Hierarchy::new(
            [100, 9, 2, 300]
                .map(|codes| Levels::from_masses(&vec![1.0; codes]))
                .into(),
        );
        let sizes = |columns: [usize; 2]| -> Vec<[usize; 2]> {
            let sizes =
                |r: &Resolution| [0, 1].map(|i| hierarchy.levels[columns[i]].size(r.levels[i]));
            resolutions(&hierarchy, columns, most_cells(1000))
                .iter()
                .map(sizes)
                .collect()
        };
        assert_eq!(
            sizes([0, 1]),
            [[100, 9], [64, 9], [32, 9], [16, 9], [8, 8], [4, 4]][..4]
                .iter()
                .copied()
                .chain([[8, 4], [4, 4]])
                .collect::<Vec<_>>()[..]
        );
        assert_eq!(sizes([2, 3]), [[2, 64], [2, 32], [2, 16], [2, 8], [2, 4]]);
        assert_eq!(
            sizes([0, 3]),
            [[100, 64], [64, 64], [32, 32], [16, 16], [8, 8], [4, 4]]
        );
        assert_eq!((most_cells(91), most_cells(2000)), (40_000, 4194));
    }

    #[test]
    fn scores_of_noise_become_their_mean_and_clear_ones_stay() {
        let noise: Vec<f64> = (0..100).map(|i| 50.0 + f64::from(i % 7) - 3.0).collect();
        let shrunk_noise = shrunk(&noise, &[1; 100], 2.1);
        assert!(
            shrunk_noise.iter().all(|x| (x - 50.0).abs() < 0.2),
            "{shrunk_noise:?}"
        );
        let clear: Vec<f64> = (0..100).map(|i| f64::from(i) * 100.0).collect();
        let kept = shrunk(&clear, &[0; 100], 2.0);
        assert!(kept.iter().zip(&clear).all(|(a, b)| (a - b).abs() < 1.0));
    }
}
