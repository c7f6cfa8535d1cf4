use std::collections::BTreeSet;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use serde::Serialize;
use tabular::CodedTable;

/// Synthetic rows against real ones. **Not private**: for the owner of the real rows, on their own
/// machine.
///
/// Distances are total variation distances between normalised marginals: 0 if equal, 1 if nothing
/// is shared.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Evaluation {
    /// Real rows.
    pub real_rows: usize,
    /// Synthetic rows.
    pub synthetic_rows: usize,
    /// Over all single columns.
    pub one_way: Distances,
    /// Over all pairs of columns, or 5,000 of them.
    pub two_way: Distances,
    /// Over 200 triples of columns, or all if there are no more.
    pub three_way: Distances,
    /// Each pair of columns.
    pub pairs: Vec<PairComparison>,
}

/// Distances over many marginals.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Distances {
    /// How many marginals were compared.
    pub marginals: usize,
    /// Mean distance; 0 if there is no marginal.
    pub mean: f64,
    /// Largest distance.
    pub max: f64,
    /// The ten largest, largest first.
    pub worst: Vec<WorstMarginal>,
}

/// A marginal with a large distance.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WorstMarginal {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Its distance.
    pub distance: f64,
}

/// A pair of columns in the real and the synthetic rows.
///
/// Association is Cramer's V with Bergsma's bias correction (2013): 0 for independent columns, 1 if
/// each determines the other.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PairComparison {
    /// Names of the columns.
    pub columns: [String; 2],
    /// Distance of the two-way marginals.
    pub distance: f64,
    /// Association in the real rows.
    pub real_association: f64,
    /// Association in the synthetic rows.
    pub synthetic_association: f64,
}

/// Why two tables cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// They are coded differently.
    #[error("the two tables are not coded under the same schema")]
    OtherSchema,
    /// There is nothing to compare.
    #[error("the {which} table has no rows, so there is nothing to compare")]
    NoRows {
        /// `real` or `synthetic`.
        which: &'static str,
    },
}

/// Compares two tables coded under one schema. **Not private**: see [`Evaluation`].
///
/// # Errors
/// If the schemas differ or a table is empty.
pub fn evaluate(real: &CodedTable, synthetic: &CodedTable) -> Result<Evaluation, EvaluationError> {
    if real.schema() != synthetic.schema() {
        return Err(EvaluationError::OtherSchema);
    }
    Ok(compare(&Both::new(real, synthetic)?))
}

/// Compares one half of a table's rows with the other, as [`evaluate`] compares real rows (here the
/// one half) with synthetic ones (the other). **Not private**: see [`Evaluation`].
///
/// Rows of one population are that far apart by chance alone, so that no better can be asked of
/// synthetic rows. Which half a row is in is drawn at random, and always the same for as many rows.
/// `None` if there are fewer than two rows.
#[must_use]
pub fn evaluate_halves(table: &CodedTable) -> Option<Evaluation> {
    let columns = table.dangerous_codes();
    let rows = columns.first().map_or(0, Vec::len);
    let half = rows / 2;
    if half == 0 {
        return None;
    }
    let order = shuffled(rows);
    let part = |rows: &[usize]| -> Vec<Vec<u32>> {
        let of_column = |codes: &Vec<u32>| rows.iter().map(|&row| codes[row]).collect();
        columns.iter().map(of_column).collect()
    };
    let (one, other) = order.split_at(half);
    let names = table.schema().columns().iter();
    Some(compare(&Both {
        names: names.map(|column| column.name().to_owned()).collect(),
        sizes: table.schema().sizes(),
        real: part(one),
        synthetic: part(other),
        real_rows: one.len(),
        synthetic_rows: other.len(),
    }))
}

/// The numbers below `count` in random order, always the same (Durstenfeld 1964, algorithm 235).
fn shuffled(count: usize) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut numbers: Vec<usize> = (0..count).collect();
    for i in (1..count).rev() {
        // The upper half of a product of 128 bits: below i + 1, and even enough to share out rows.
        let product = u128::from(rng.next_u64()) * (i as u128 + 1);
        let j = usize::try_from(product >> 64).expect("at most i");
        numbers.swap(i, j);
    }
    numbers
}

fn compare(both: &Both) -> Evaluation {
    let columns = both.sizes.len();
    let pair_tallies = choose(columns, 2, MOST_PAIRS).into_iter().map(|set| {
        let tally = both.tally(&set);
        let (distance, association) = (both.distance(&tally), both.associations(&set, &tally));
        (set, distance, association)
    });
    let (mut two_way, mut pairs) = (Vec::new(), Vec::new());
    for (set, distance, [real_association, synthetic_association]) in pair_tallies {
        let columns = [both.names[set[0]].clone(), both.names[set[1]].clone()];
        pairs.push(PairComparison {
            columns,
            distance,
            real_association,
            synthetic_association,
        });
        two_way.push((set, distance));
    }
    Evaluation {
        real_rows: both.real_rows,
        synthetic_rows: both.synthetic_rows,
        one_way: both.distances(choose(columns, 1, usize::MAX)),
        two_way: both.summary(two_way),
        three_way: both.distances(choose(columns, 3, MOST_TRIPLES)),
        pairs,
    }
}

const MOST_PAIRS: usize = 5000;
const MOST_TRIPLES: usize = 200;

/// All sets of `k` columns in order, or `most` of them, always the same.
fn choose(columns: usize, k: usize, most: usize) -> Vec<Vec<usize>> {
    let count = (0..k).fold(1.0, |count, i| {
        count * (columns as f64 - i as f64).max(0.0) / (i as f64 + 1.0)
    });
    let mut sets: BTreeSet<Vec<usize>> = BTreeSet::new();
    if count <= most as f64 {
        sets.extend((0..columns).map(|a| vec![a]));
        for _ in 1..k {
            let longer = |set: &Vec<usize>| {
                let set = set.clone();
                (set[set.len() - 1] + 1..columns)
                    .map(move |next| [set.as_slice(), &[next]].concat())
            };
            sets = sets.iter().flat_map(longer).collect();
        }
    } else {
        // A fixed seed, so that two evaluations of one schema compare the same sets. (The remainder
        // is slightly uneven, which does not matter for a choice of what to look at.)
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        while sets.len() < most {
            let set: BTreeSet<usize> = (0..k).map(|_| rng.next_u32() as usize % columns).collect();
            if set.len() == k {
                sets.insert(set.into_iter().collect());
            }
        }
    }
    sets.into_iter().collect()
}

struct Both {
    names: Vec<String>,
    sizes: Vec<usize>,
    real: Vec<Vec<u32>>,
    synthetic: Vec<Vec<u32>>,
    real_rows: usize,
    synthetic_rows: usize,
}

/// Real and synthetic rows in each cell that has any, with the cell's codes as one number.
type Tally = Vec<(u128, [u32; 2])>;

impl Both {
    fn new(real: &CodedTable, synthetic: &CodedTable) -> Result<Both, EvaluationError> {
        let columns = real.schema().columns();
        let both = Both {
            names: columns
                .iter()
                .map(|column| column.name().to_owned())
                .collect(),
            sizes: real.schema().sizes(),
            real: real.dangerous_codes(),
            synthetic: synthetic.dangerous_codes(),
            real_rows: 0,
            synthetic_rows: 0,
        };
        let rows = |columns: &[Vec<u32>]| columns.first().map_or(0, Vec::len);
        let (real_rows, synthetic_rows) = (rows(&both.real), rows(&both.synthetic));
        for (rows, which) in [(real_rows, "real"), (synthetic_rows, "synthetic")] {
            if rows == 0 {
                return Err(EvaluationError::NoRows { which });
            }
        }
        Ok(Both {
            real_rows,
            synthetic_rows,
            ..both
        })
    }

    fn tally(&self, set: &[usize]) -> Tally {
        // Up to here every cell is counted (8 MiB). Beyond, the rows are sorted, which takes memory
        // by their number instead.
        const DENSE: u128 = 1 << 20;
        let cells = set.iter().fold(1_u128, |cells, &a| {
            cells.saturating_mul(self.sizes[a] as u128)
        });
        let tables = [
            (&self.real, self.real_rows),
            (&self.synthetic, self.synthetic_rows),
        ];
        let key = |columns: &[Vec<u32>], row: usize| {
            set.iter().fold(0_u128, |key, &a| {
                key * self.sizes[a] as u128 + u128::from(columns[a][row])
            })
        };
        if cells <= DENSE {
            let mut counts = vec![[0_u32; 2]; usize::try_from(cells).expect("at most 2^20")];
            for (which, (columns, rows)) in tables.into_iter().enumerate() {
                (0..rows).for_each(|row| {
                    counts[usize::try_from(key(columns, row)).expect("at most 2^20")][which] += 1
                });
            }
            return (0..)
                .zip(counts)
                // Cells that neither table has add nothing to a distance.
                .filter(|(_, count)| *count != [0, 0])
                .collect();
        }
        let mut keys: Vec<(u128, usize)> = Vec::with_capacity(self.real_rows + self.synthetic_rows);
        for (which, (columns, rows)) in tables.into_iter().enumerate() {
            keys.extend((0..rows).map(|row| (key(columns, row), which)));
        }
        keys.sort_unstable();
        let count = |group: &[(u128, usize)]| {
            let mut counts = [0; 2];
            group.iter().for_each(|&(_, which)| counts[which] += 1);
            (group[0].0, counts)
        };
        keys.chunk_by(|a, b| a.0 == b.0).map(count).collect()
    }

    fn distance(&self, tally: &Tally) -> f64 {
        let [real_rows, synthetic_rows] = [self.real_rows as f64, self.synthetic_rows as f64];
        let apart = |&(_, [r, s]): &(u128, [u32; 2])| {
            (f64::from(r) / real_rows - f64::from(s) / synthetic_rows).abs()
        };
        tally.iter().map(apart).sum::<f64>() / 2.0
    }

    fn distances(&self, sets: Vec<Vec<usize>>) -> Distances {
        let distance = |set: Vec<usize>| {
            let distance = self.distance(&self.tally(&set));
            (set, distance)
        };
        self.summary(sets.into_iter().map(distance).collect())
    }

    fn summary(&self, mut distances: Vec<(Vec<usize>, f64)>) -> Distances {
        const WORST: usize = 10;
        distances.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let named = |(set, distance): &(Vec<usize>, f64)| WorstMarginal {
            columns: set.iter().map(|&a| self.names[a].clone()).collect(),
            distance: *distance,
        };
        let sum: f64 = distances.iter().map(|(_, distance)| distance).sum();
        Distances {
            marginals: distances.len(),
            mean: sum / distances.len().max(1) as f64,
            max: distances.first().map_or(0.0, |(_, distance)| *distance),
            worst: distances.iter().take(WORST).map(named).collect(),
        }
    }

    /// Of a pair, in the real and the synthetic rows.
    fn associations(&self, pair: &[usize], tally: &Tally) -> [f64; 2] {
        let (rows, columns) = (self.sizes[pair[0]], self.sizes[pair[1]]);
        [0, 1].map(|which| {
            let (mut of_row, mut of_column) = (vec![0.0; rows], vec![0.0; columns]);
            let split = |key: u128| {
                let index =
                    |i: u128| usize::try_from(i).expect("a code is below its column's size");
                (index(key / columns as u128), index(key % columns as u128))
            };
            for (key, counts) in tally {
                let (row, column) = split(*key);
                of_row[row] += f64::from(counts[which]);
                of_column[column] += f64::from(counts[which]);
            }
            let term = |(key, counts): &(u128, [u32; 2])| {
                let (row, column) = split(*key);
                let count = f64::from(counts[which]);
                if count > 0.0 {
                    count * count / (of_row[row] * of_column[column])
                } else {
                    0.0
                }
            };
            let chi_square_per_row = tally.iter().map(term).sum::<f64>() - 1.0;
            let used = |counts: &[f64]| counts.iter().filter(|&&count| count > 0.0).count() as f64;
            cramers_v(
                chi_square_per_row,
                used(&of_row),
                used(&of_column),
                of_row.iter().sum(),
            )
        })
    }
}

/// Bergsma (2013), "A bias-correction for Cramer's V and Tschuprow's T".
fn cramers_v(chi_square_per_row: f64, rows: f64, columns: f64, n: f64) -> f64 {
    if n < 2.0 {
        return 0.0;
    }
    let corrected = (chi_square_per_row - (rows - 1.0) * (columns - 1.0) / (n - 1.0)).max(0.0);
    let shrunk = |k: f64| k - (k - 1.0).powi(2) / (n - 1.0);
    let freedom = shrunk(rows).min(shrunk(columns)) - 1.0;
    if freedom > 0.0 {
        (corrected / freedom).sqrt().min(1.0)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_sets_are_chosen_while_they_are_few() {
        assert_eq!(choose(3, 2, 10), [[0, 1], [0, 2], [1, 2]]);
        assert_eq!(choose(2, 3, 10), Vec::<Vec<usize>>::new());
        assert_eq!(choose(14, 3, 10_000).len(), 364);
        let some = choose(2000, 3, 200);
        assert_eq!(some.len(), 200);
        assert_eq!(some, choose(2000, 3, 200));
    }

    #[test]
    fn halves_have_every_row_once_and_are_near_each_other() {
        let mut order = shuffled(1000);
        assert_ne!(order[..500], (0..500).collect::<Vec<usize>>());
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<usize>>());

        let yaml = "a: {categories: [x, y]}\nb: {categories: [p, q, r]}\n";
        let schema = schema::Schema::new(schema::Declaration::from_yaml(yaml).unwrap()).unwrap();
        let table = |rows: u32| {
            // Sorted rows: halves in the order of the file would share nothing.
            let codes = [2, 3].map(|size| (0..rows).map(|row| row * size / rows).collect());
            CodedTable::from_codes(schema.clone(), &codes).unwrap()
        };
        let halves = evaluate_halves(&table(1001)).unwrap();
        assert_eq!((halves.real_rows, halves.synthetic_rows), (500, 501));
        assert!(halves.one_way.max < 0.1, "{}", halves.one_way.max);
        assert_eq!(halves, evaluate_halves(&table(1001)).unwrap());
        assert_eq!(evaluate_halves(&table(1)), None);
    }

    #[test]
    fn cramers_v_is_1_for_a_function_and_0_for_independent_columns() {
        assert!((cramers_v(2.0, 3.0, 3.0, 1e6) - 1.0).abs() < 1e-5);
        assert_eq!(cramers_v(0.0, 3.0, 3.0, 1000.0), 0.0);
        assert_eq!(cramers_v(0.0, 1.0, 5.0, 1000.0), 0.0, "a constant column");
        // A tenth of the rows of a large table: sampling error alone gives chi-square its degrees
        // of freedom.
        assert!(cramers_v(81.0 / 999.0, 10.0, 10.0, 1000.0) < 1e-9);
    }
}
