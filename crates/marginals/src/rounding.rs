//! Rounding a table of expected counts to whole ones, with sums kept.
//!
//! Dependent rounding of a bipartite graph (Gandhi, Khuller, Parthasarathy and Srinivasan 2006):
//! each cell becomes its floor or ceiling, the latter with probability its fraction; row sums,
//! which are whole, are kept exactly; the sums of each class of a second partition of the cells are
//! rounded to their floor or ceiling too. Fractions are multiples of 2^-32, so that all of this is
//! integer arithmetic.

use rand_core::Rng;

use crate::urn::below;

const ONE: u64 = 1 << 32;

/// A partition of the cells of a table.
pub(crate) struct Partition {
    /// The class of each cell.
    pub(crate) class_of: Vec<usize>,
    /// How many classes there are.
    pub(crate) classes: usize,
}

/// Whole counts near `expected`, in rows that add up to `row_totals`.
///
/// The classes of the first partition add up to what is expected of them, rounded up or down, as
/// far as the row totals permit. Those of further partitions come close.
pub(crate) fn round_table<R: Rng>(
    mut expected: Vec<f64>,
    row_totals: &[u64],
    partitions: &[Partition],
    rng: &mut R,
) -> Vec<u64> {
    let columns = expected.len() / row_totals.len();
    let (main, others) = partitions
        .split_first()
        .expect("there is at least one partition");
    // What is expected now, before rows and classes are moved to sums that can be kept.
    let wanted: Vec<Vec<f64>> = others
        .iter()
        .map(|partition| sums(&expected, partition))
        .collect();
    // Rows must be whole already: rounding keeps their sums, it does not make them.
    fit_rows_and_classes(&mut expected, row_totals, main);
    let mut fractions = vec![0; expected.len()];
    let mut counts = vec![0; expected.len()];
    for (row, &total) in row_totals.iter().enumerate() {
        let cells = row * columns..(row + 1) * columns;
        split_row(
            &expected[cells.clone()],
            total,
            &mut counts[cells.clone()],
            &mut fractions[cells],
        );
    }
    // Only cells that chance rounded may be swapped: the others are whole by themselves.
    let open: Vec<bool> = fractions.iter().map(|&fraction| fraction > 0).collect();
    round_fractions(&mut fractions, columns, main, rng);
    for (count, &fraction) in counts.iter_mut().zip(&fractions) {
        *count += u64::from(fraction == ONE);
    }
    if !others.is_empty() {
        swap_towards(
            &wanted,
            &mut counts,
            &mut fractions,
            &open,
            columns,
            partitions,
        );
    }
    counts
}

/// Moves rows to their totals and classes to the sums they have now, in turn. Ends on rows.
///
/// Cells share what is missing in proportion to their size, but no cell counts as more than 1: no
/// cell has to move far, as a large one would in iterative proportional fitting, and small ones
/// stay positive.
fn fit_rows_and_classes(expected: &mut [f64], row_totals: &[u64], partition: &Partition) {
    const SWEEPS: usize = 30;
    const CLOSE_ENOUGH: f64 = 0.01;
    let columns = expected.len() / row_totals.len();
    let wanted = sums(expected, partition);
    // Capped, or a large cell would take all that is missing: it would move far in counts, though
    // little in proportion.
    let weights: Vec<f64> = expected.iter().map(|x| x.min(1.0)).collect();
    let class_weights = sums(&weights, partition);
    for sweep in 0..SWEEPS {
        let rows = expected
            .chunks_exact_mut(columns)
            .zip(weights.chunks_exact(columns));
        for ((row, weights), &total) in rows.zip(row_totals) {
            let missing = total as f64 - row.iter().sum::<f64>();
            let step = per_weight(missing, weights.iter().sum());
            row.iter_mut()
                .zip(weights)
                // Negative cells would make a cycle of rounding lose mass; the next sweep gives
                // back what is cut here.
                .for_each(|(x, w)| *x = (*x + step * w).max(0.0));
        }
        let found = sums(expected, partition);
        let missing = wanted
            .iter()
            .zip(&found)
            .map(|(wanted, found)| wanted - found);
        let furthest = missing.clone().map(f64::abs).fold(0.0, f64::max);
        // Rows last: their totals are those of the parent's counts, and have to hold exactly.
        // Classes may be off.
        if furthest < CLOSE_ENOUGH || sweep == SWEEPS - 1 {
            return;
        }
        let steps: Vec<f64> = missing
            .zip(&class_weights)
            .map(|(missing, &weight)| per_weight(missing, weight))
            .collect();
        let cells = expected.iter_mut().zip(&weights).zip(&partition.class_of);
        cells.for_each(|((x, w), &class)| *x = (*x + steps[class] * w).max(0.0));
    }
}

fn per_weight(amount: f64, weight: f64) -> f64 {
    if weight > 0.0 { amount / weight } else { 0.0 }
}

fn sums(cells: &[f64], partition: &Partition) -> Vec<f64> {
    let mut sums = vec![0.0; partition.classes];
    cells
        .iter()
        .zip(&partition.class_of)
        .for_each(|(x, &class)| sums[class] += x);
    sums
}

/// Makes every fraction 0 or [`ONE`].
fn round_fractions<R: Rng>(
    fractions: &mut [u64],
    columns: usize,
    partition: &Partition,
    rng: &mut R,
) {
    let rows = fractions.len() / columns;
    let mut graph = Graph::new(rows + 1, partition.classes);
    let mut pending: Vec<Option<usize>> = vec![None; partition.classes];
    for row in 0..rows {
        let cells = row * columns..(row + 1) * columns;
        // Within a row and class first, in time linear in the cells; the graph then has one edge a
        // class and row.
        let classes = &partition.class_of[cells.clone()];
        settle_within_classes(&mut fractions[cells.clone()], classes, &mut pending, rng);
        for (cell, &class) in cells.zip(classes) {
            pending[class] = None;
            if fractions[cell] > 0 && fractions[cell] < ONE {
                graph.add(row, class, Some(cell), fractions[cell]);
            }
        }
    }
    // A class's sum need not be whole, and a vertex whose sum is not might end a walk.
    graph.make_class_sums_whole(rows);
    graph.round(rng);
    for edge in &graph.edges {
        if let Some(cell) = edge.cell {
            fractions[cell] = edge.fraction;
        }
    }
}

/// Brings the sums of all but the first partition closer to what is wanted, by swapping a cell that
/// was rounded up with one rounded down in the same row and class of the first partition.
fn swap_towards(
    wanted: &[Vec<f64>],
    counts: &mut [u64],
    fractions: &mut [u64],
    open: &[bool],
    columns: usize,
    partitions: &[Partition],
) {
    const SWEEPS: usize = 4;
    /// Each swap looks at all cells of a group. A large table may give up before its sums are as
    /// close as they might be.
    const MOST_LOOKS_AT_A_CELL: usize = 2048;
    // Looks and not seconds: the same seed gives the same rows on any machine.
    let mut looks = counts.len().saturating_mul(MOST_LOOKS_AT_A_CELL);
    let (main, others) = partitions
        .split_first()
        .expect("there is at least one partition");
    let as_floats: Vec<f64> = counts.iter().map(|&count| count as f64).collect();
    let mut surplus: Vec<Vec<f64>> = others
        .iter()
        .map(|partition| sums(&as_floats, partition))
        .collect();
    for (surplus, wanted) in surplus.iter_mut().zip(wanted) {
        surplus.iter_mut().zip(wanted).for_each(|(s, w)| *s -= w);
    }
    let mut groups: Vec<usize> = (0..counts.len()).filter(|&cell| open[cell]).collect();
    let group_of = |cell: usize| (cell / columns, main.class_of[cell]);
    // Sorted into groups once: swaps stay within a row and a class, so that the sums kept before
    // stay kept.
    groups.sort_by_key(|&cell| group_of(cell));
    for _ in 0..SWEEPS {
        let mut swapped = false;
        for group in groups.chunk_by(|&a, &b| group_of(a) == group_of(b)) {
            for _ in 0..group.len() {
                let Some(left) = looks.checked_sub(group.len()) else {
                    return;
                };
                looks = left;
                let excess = |cell: usize| -> f64 {
                    others
                        .iter()
                        .zip(&surplus)
                        .map(|(partition, surplus)| surplus[partition.class_of[cell]])
                        .sum()
                };
                let (ups, downs) = (
                    group.iter().filter(|&&c| fractions[c] == ONE),
                    group.iter().filter(|&&c| fractions[c] == 0),
                );
                let Some(&up) = ups.max_by(|&&a, &&b| excess(a).total_cmp(&excess(b))) else {
                    break;
                };
                let Some(&down) = downs.min_by(|&&a, &&b| excess(a).total_cmp(&excess(b))) else {
                    break;
                };
                let moved = others
                    .iter()
                    .filter(|partition| partition.class_of[up] != partition.class_of[down])
                    .count();
                // A swap changes the sum of squared surpluses by 2 (moved - excess(up) +
                // excess(down)).
                if excess(up) - excess(down) <= moved as f64 {
                    break; // the sum of squares would not fall
                }
                for (partition, surplus) in others.iter().zip(&mut surplus) {
                    surplus[partition.class_of[up]] -= 1.0;
                    surplus[partition.class_of[down]] += 1.0;
                }
                (fractions[up], fractions[down]) = (0, ONE);
                counts[up] -= 1;
                counts[down] += 1;
                swapped = true;
            }
        }
        if !swapped {
            return;
        }
    }
}

/// Whole parts and fractions of a row's cells. The fractions add up to a whole number, exactly.
fn split_row(weights: &[f64], total: u64, counts: &mut [u64], fractions: &mut [u64]) {
    fractions.fill(0);
    if total == 0 {
        return;
    }
    let mass: f64 = weights.iter().sum();
    // A row that should be impossible but has a record above: spread it evenly.
    let expected = |weight: f64| {
        if mass > 0.0 {
            total as f64 * (weight / mass)
        } else {
            total as f64 / weights.len() as f64
        }
    };
    let mut missing = i128::from(total) * i128::from(ONE);
    for ((count, fraction), &weight) in counts.iter_mut().zip(&mut *fractions).zip(weights) {
        (*count, *fraction) = fixed_point(expected(weight));
        missing -= i128::from(*count) * i128::from(ONE) + i128::from(*fraction);
    }
    // Rounding errors: they go to the largest cell, which they cannot exhaust.
    let largest = (0..weights.len())
        .max_by(|&a, &b| weights[a].total_cmp(&weights[b]))
        .expect("a row has a cell");
    let corrected =
        i128::from(counts[largest]) * i128::from(ONE) + i128::from(fractions[largest]) + missing;
    let corrected =
        u128::try_from(corrected).expect("the largest cell exceeds the rounding errors");
    counts[largest] =
        u64::try_from(corrected / u128::from(ONE)).expect("no cell exceeds its row's total");
    fractions[largest] =
        u64::try_from(corrected % u128::from(ONE)).expect("a remainder below 2^32");
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "whole parts are below u64::MAX: they are shares of a u64"
)]
fn fixed_point(x: f64) -> (u64, u64) {
    let whole = x.floor();
    ((whole as u64), ((x - whole) * ONE as f64) as u64)
}

/// Leaves at most one fraction in each class of the row, by moving mass between pairs of cells at
/// random so that each expectation is kept.
fn settle_within_classes<R: Rng>(
    fractions: &mut [u64],
    classes: &[usize],
    pending: &mut [Option<usize>],
    rng: &mut R,
) {
    for cell in 0..fractions.len() {
        if fractions[cell] == 0 {
            continue;
        }
        let Some(other) = pending[classes[cell]] else {
            pending[classes[cell]] = Some(cell);
            continue;
        };
        let (a, b) = (fractions[other], fractions[cell]);
        // Of two outcomes each has the probability that keeps both expectations: where the sum is
        // at most one, one cell takes it all; where it is more, one becomes whole and the other has
        // the rest.
        (fractions[other], fractions[cell]) = if a + b <= ONE {
            match below(rng, a + b) < a {
                true => (a + b, 0),
                false => (0, a + b),
            }
        } else {
            match below(rng, 2 * ONE - a - b) < ONE - a {
                true => (a + b - ONE, ONE),
                false => (ONE, a + b - ONE),
            }
        };
        let open = |i: usize| (fractions[i] > 0 && fractions[i] < ONE).then_some(i);
        pending[classes[cell]] = open(other).or(open(cell));
    }
}

/// Fractional cells as edges between the rows (and one more, which makes up the classes' sums) and
/// the classes.
struct Graph {
    rows: usize,
    edges: Vec<Edge>,
    /// Edges at each vertex, rows first; settled edges are dropped when met.
    around: Vec<Vec<usize>>,
}

struct Edge {
    row: usize,
    class: usize,
    cell: Option<usize>,
    fraction: u64,
}

impl Edge {
    fn is_open(&self) -> bool {
        self.fraction > 0 && self.fraction < ONE
    }
}

impl Graph {
    fn new(rows: usize, classes: usize) -> Graph {
        Graph {
            rows,
            edges: Vec::new(),
            around: vec![Vec::new(); rows + classes],
        }
    }

    fn add(&mut self, row: usize, class: usize, cell: Option<usize>, fraction: u64) {
        self.around[row].push(self.edges.len());
        self.around[self.rows + class].push(self.edges.len());
        self.edges.push(Edge {
            row,
            class,
            cell,
            fraction,
        });
    }

    fn make_class_sums_whole(&mut self, spare_row: usize) {
        let classes = self.around.len() - self.rows;
        let mut sums = vec![0_u64; classes];
        self.edges
            .iter()
            .for_each(|edge| sums[edge.class] = (sums[edge.class] + edge.fraction) % ONE);
        for (class, sum) in sums.into_iter().enumerate().filter(|&(_, sum)| sum > 0) {
            self.add(spare_row, class, None, ONE - sum);
        }
    }

    /// Rounds every edge. All vertices' sums are whole, so a vertex with an open edge has another,
    /// a walk along open edges closes a cycle, and shifting mass around it settles at least one
    /// edge.
    fn round<R: Rng>(&mut self, rng: &mut R) {
        // Positions on the path tell at once where a cycle closes.
        let mut position: Vec<Option<usize>> = vec![None; self.around.len()];
        let mut path: Vec<usize> = Vec::new();
        for start in 0..self.rows {
            let mut at = start;
            position[start] = Some(0);
            while let Some(edge) = self.open_edge(at, path.last().copied()) {
                path.push(edge);
                at = self.other_end(edge, at);
                let Some(closed) = position[at] else {
                    position[at] = Some(path.len());
                    continue;
                };
                self.shift_around(&path[closed..], rng);
                let mut behind = at;
                for edge in path.drain(closed..) {
                    behind = self.other_end(edge, behind);
                    position[behind] = None;
                }
                position[at] = Some(closed);
            }
            position[start] = None;
        }
    }

    /// An open edge at the vertex other than the one just walked.
    fn open_edge(&mut self, vertex: usize, walked: Option<usize>) -> Option<usize> {
        let around = &mut self.around[vertex];
        let mut i = around.len();
        while i > 0 {
            i -= 1;
            let edge = around[i];
            if !self.edges[edge].is_open() {
                around.swap_remove(i);
            } else if Some(edge) != walked {
                return Some(edge);
            }
        }
        None
    }

    fn other_end(&self, edge: usize, vertex: usize) -> usize {
        let Edge { row, class, .. } = self.edges[edge];
        if vertex == row {
            self.rows + class
        } else {
            row
        }
    }

    /// Adds to every second edge of a cycle what it takes from the others, one way or the other, as
    /// far as fractions allow; the odds keep every expectation.
    fn shift_around<R: Rng>(&mut self, cycle: &[usize], rng: &mut R) {
        let room = |grows: usize| {
            let limit = |(i, &edge): (usize, &usize)| {
                let fraction = self.edges[edge].fraction;
                if i % 2 == grows {
                    ONE - fraction
                } else {
                    fraction
                }
            };
            cycle
                .iter()
                .enumerate()
                .map(limit)
                .min()
                .expect("a cycle has edges")
        };
        let (first, second) = (room(0), room(1));
        let (grows, amount) = if below(rng, first + second) < second {
            (0, first)
        } else {
            (1, second)
        };
        for (i, &edge) in cycle.iter().enumerate() {
            let fraction = &mut self.edges[edge].fraction;
            *fraction = if i % 2 == grows {
                *fraction + amount
            } else {
                *fraction - amount
            };
        }
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "small whole numbers")]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn partition(class_of: Vec<usize>, classes: usize) -> Partition {
        Partition { class_of, classes }
    }

    #[test]
    fn settling_two_fractions_of_a_class_keeps_both_expectations() {
        const DRAWS: u32 = 20_000;
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for (a, b) in [(0.9, 0.2), (0.2, 0.9), (0.9, 0.9), (0.3, 0.4), (0.5, 0.5)] {
            let start = [a, b].map(|x: f64| fixed_point(x).1);
            let mut sums = [0.0; 2];
            for _ in 0..DRAWS {
                let mut fractions = start;
                settle_within_classes(&mut fractions, &[0, 0], &mut [None], &mut rng);
                for (sum, fraction) in sums.iter_mut().zip(fractions) {
                    *sum += fraction as f64 / ONE as f64;
                }
            }
            for (sum, expected) in sums.into_iter().zip([a, b]) {
                let mean = sum / f64::from(DRAWS);
                // Five standard deviations at most: a fraction varies by less than a half.
                let most = 5.0 * 0.5 / f64::from(DRAWS).sqrt();
                assert!(
                    (mean - expected).abs() < most,
                    "{a}, {b}: {mean} for {expected}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn rows_are_exact_and_cells_and_classes_a_neighbour_of_what_is_expected(
            rows in 1_usize..12,
            columns in 1_usize..12,
            classes in 1_usize..8,
            fractions in prop::collection::vec(prop_oneof![Just(0.0), 1e-9_f64..1.0], 144),
            scale in prop_oneof![Just(1.0), Just(1e7)],
            picks in prop::collection::vec(0_usize..8, 144),
            seed: u64,
        ) {
            // A table whose rows add up to whole numbers, so that no row has to be scaled.
            let mut expected: Vec<f64> =
                fractions[..rows * columns].iter().map(|x| x * scale).collect();
            let mut totals = Vec::new();
            for row in expected.chunks_exact_mut(columns) {
                let sum: f64 = row.iter().sum();
                row[0] += sum.ceil() - sum;
                totals.push(row.iter().sum::<f64>().round() as u64);
            }
            let class_of: Vec<usize> = picks[..rows * columns]
                .iter()
                .map(|pick| pick % classes)
                .collect();
            let main = partition(class_of, classes);
            let class_expected = sums(&expected, &main);
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let counts: Vec<u64> = round_table(
                expected.clone(),
                &totals,
                std::slice::from_ref(&main),
                &mut rng,
            );
            for (row, total) in totals.iter().enumerate() {
                prop_assert_eq!(
                    counts[row * columns..(row + 1) * columns].iter().sum::<u64>(),
                    *total
                );
            }
            let counts: Vec<f64> = counts.iter().map(|&count| count as f64).collect();
            for (count, expected) in counts
                .iter()
                .chain(&sums(&counts, &main))
                .zip(expected.iter().chain(&class_expected))
            {
                prop_assert!((count - expected).abs() < 1.0 + 1e-6, "{} for {}", count, expected);
            }
        }
    }

    #[test]
    fn row_totals_that_differ_from_the_expectation_are_met_and_class_sums_kept() {
        let expected: Vec<f64> = (0..200).map(|i| f64::from(i % 13) * 0.37).collect();
        let main = partition((0..200).map(|i| i % 10).collect(), 10);
        let wanted = sums(&expected, &main);
        let mut totals: Vec<u64> = expected
            .chunks(10)
            .map(|row| row.iter().sum::<f64>() as u64)
            .collect();
        totals[3] += expected.iter().sum::<f64>().round() as u64 - totals.iter().sum::<u64>();
        let counts = round_table(
            expected.clone(),
            &totals,
            std::slice::from_ref(&main),
            &mut ChaCha8Rng::seed_from_u64(1),
        );
        let found: Vec<f64> = counts.iter().map(|&count| count as f64).collect();
        assert!(
            counts
                .chunks(10)
                .map(|row| row.iter().sum::<u64>())
                .eq(totals)
        );
        assert!(
            sums(&found, &main)
                .iter()
                .zip(wanted)
                .all(|(f, w)| (f - w).abs() < 1.1)
        );
    }

    #[test]
    fn sums_of_further_partitions_come_close() {
        let expected = vec![0.3; 1000];
        let by_digit =
            |divisor: usize| partition((0..1000).map(|i| i / divisor % 10).collect(), 10);
        let partitions = [by_digit(1), by_digit(10), by_digit(100)];
        let counts = round_table(
            expected,
            &[300],
            &partitions,
            &mut ChaCha8Rng::seed_from_u64(1),
        );
        let counts: Vec<f64> = counts.iter().map(|&count| count as f64).collect();
        for partition in &partitions {
            assert!(
                sums(&counts, partition)
                    .iter()
                    .all(|sum| (sum - 30.0).abs() <= 1.0),
                "{:?}",
                sums(&counts, partition)
            );
        }
    }

    #[test]
    fn each_cell_is_rounded_up_as_often_as_its_fraction_says() {
        let weights = [0.7, 0.2, 0.1, 0.05, 0.55, 0.4, 0.33, 0.33, 0.34];
        let columns = partition(vec![0, 1, 2, 0, 1, 2, 0, 1, 2], 3);
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut ups = [0.0; 9];
        const TIMES: u32 = 40_000;
        for _ in 0..TIMES {
            let counts = round_table(
                weights.to_vec(),
                &[1, 1, 1],
                std::slice::from_ref(&columns),
                &mut rng,
            );
            ups.iter_mut()
                .zip(counts)
                .for_each(|(up, count)| *up += count as f64);
        }
        for (up, weight) in ups.iter().zip(weights) {
            let deviation = (up / f64::from(TIMES) - weight)
                / (weight * (1.0 - weight) / f64::from(TIMES)).sqrt();
            assert!(
                deviation.abs() < 4.5,
                "{deviation} standard deviations off at {weight}"
            );
        }
    }
}
