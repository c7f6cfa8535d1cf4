//! Values that very many rows share, such as `9999-12-31`, -1 or 0: each gets a bin of its own, and
//! all other values the resolution that they have without it.

use schema::{Bins, DEFAULT_BINS, Grid, Range};

use super::keys::Countable;
use super::ladder::{CLEAR, Ladder};
use super::{Measured, Released};

/// The share of a column's fields from which on a value gets a bin of its own: that of one of
/// [`DEFAULT_BINS`] bins of equal mass.
const SHARE: f64 = 1.0 / 32.0;

/// The most values that get one.
const MOST: usize = 8;

/// A value, and about how many rows have it.
pub(super) type Spike<T> = (T, f64);

/// Of the numbers that were released with their counts, the most frequent. `filled` is about how
/// many fields there are, which were counted with noise of standard deviation `sigma`. None where
/// it is not clear that there are others: then these are looked for like any.
pub(super) fn among<T: Countable>(
    values: &[(T, u32)],
    released: &Released,
    (filled, sigma): (f64, f64),
) -> Vec<Spike<T>> {
    #[expect(clippy::cast_precision_loss, reason = "noisy counts are rough already")]
    let counted = released
        .keys
        .iter()
        .map(|(key, count)| (values[*key].0, *count as f64));
    let mut found: Vec<Spike<T>> = counted.filter(|it| it.1 >= SHARE * filled).collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found.truncate(MOST);
    #[expect(clippy::cast_precision_loss, reason = "at most eight")]
    let noise = ((found.len() as f64).sqrt() * released.sigma).hypot(sigma);
    if filled - rows(&found) <= CLEAR * noise {
        found.clear();
    }
    found
}

/// The cells in which the bounds of a column are looked for: those of the ladder, and one for each
/// value that tables often have in place of none. What the cells are does not depend on any row;
/// each row is in one cell at most.
pub(super) struct BoundCells<T> {
    rungs: Vec<T>,
    /// Not those that are known.
    stand_ins: Vec<T>,
    known: Vec<Spike<T>>,
}

impl<T: Ladder> BoundCells<T> {
    /// Without the values that are known to be frequent, which are left out of all cells.
    pub(super) fn new(known: Vec<Spike<T>>) -> Self {
        let mut stand_ins = T::stand_ins();
        stand_ins.retain(|value| !has(&known, *value));
        Self {
            rungs: T::rungs(),
            stand_ins,
            known,
        }
    }

    pub(super) fn rungs(&self) -> &[T] {
        &self.rungs
    }

    /// Rows in each cell.
    pub(super) fn counts(&self, values: impl Iterator<Item = (T, u32)>) -> Vec<u32> {
        let mut counts = vec![0; self.rungs.len() + self.stand_ins.len()];
        for (value, rows) in values.filter(|(value, _)| !has(&self.known, *value)) {
            let stand_in = self.stand_ins.iter().position(|own| *own == value);
            let cell = match stand_in {
                Some(at) => self.rungs.len() + at,
                None => self.rung(value),
            };
            counts[cell] += rows;
        }
        counts
    }

    fn rung(&self, value: T) -> usize {
        self.rungs[1..].partition_point(|start| *start <= value)
    }

    /// The counts of the ladder's cells without frequent values, and these values.
    pub(super) fn split(&self, measured: &Measured, filled: f64) -> (Measured, Vec<Spike<T>>) {
        let (of_rungs, of_stand_ins) = measured.values.split_at(self.rungs.len());
        let mut values = of_rungs.to_vec();
        let mut spikes = self.known.clone();
        for (value, &count) in self.stand_ins.iter().zip(of_stand_ins) {
            if count > CLEAR * measured.sigma && count >= SHARE * filled {
                spikes.push((*value, count));
                continue;
            }
            // A value like any other belongs to its cell: added where that makes the cell clearer,
            // in units of the noise of one count.
            let cell = &mut values[self.rung(*value)];
            *cell = match measured.sigma > 0.0 {
                true => cell.max((*cell + count) / std::f64::consts::SQRT_2),
                false => *cell + count,
            };
        }
        let sigma = measured.sigma;
        (Measured { values, sigma }, spikes)
    }
}

/// Whether a value is one of the frequent ones.
pub(super) fn has<T: PartialEq>(spikes: &[Spike<T>], value: T) -> bool {
    spikes.iter().any(|(own, _)| *own == value)
}

/// The rows of all of them.
pub(super) fn rows<T>(spikes: &[Spike<T>]) -> f64 {
    spikes.iter().map(|(_, rows)| rows).sum()
}

/// A range in whose bins the frequent values are alone, and so is what lies between them and the
/// other values, which reach from the first of these starts to `last`.
pub(super) fn grid<T: Ladder>(
    mut starts: Vec<T>,
    last: T,
    spikes: &[Spike<T>],
    decimals: Option<usize>,
) -> Option<Grid<T>> {
    let (mut min, mut max) = (*starts.first()?, last);
    starts.extend(last.next_to(decimals));
    for &(value, _) in spikes {
        min = if value < min { value } else { min };
        max = if value > max { value } else { max };
        starts.push(value);
        starts.extend(value.next_to(decimals));
    }
    starts.retain(|start| *start > min && *start <= max);
    starts.sort_by(|a, b| a.partial_cmp(b).expect("ends of bins are finite"));
    starts.dedup();
    // Few values: a code for each tells all.
    let bins = match T::values_between(min, max) <= u64::from(DEFAULT_BINS) {
        true => Bins::Uniform(DEFAULT_BINS),
        false => Bins::Cuts(starts),
    };
    Grid::new(Range { min, max, bins }).ok()
}

#[cfg(test)]
mod tests {
    use schema::Day;

    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn a_stand_in_that_stands_out_is_not_in_the_ladder() {
        let cells = BoundCells::<Day>::new(Vec::new());
        let values = [
            (day("9999-12-31"), 600),
            (day("2020-05-05"), 400),
            (day("1970-01-01"), 5),
        ];
        let counts = cells.counts(values.into_iter());
        assert_eq!(counts.iter().sum::<u32>(), 1005, "each row is in one cell");
        let values = counts.into_iter().map(f64::from).collect();
        let measured = Measured { values, sigma: 0.1 };
        let (ladder, spikes) = cells.split(&measured, 1005.0);
        assert_eq!(spikes, [(day("9999-12-31"), 600.0)]);
        assert_eq!(*ladder.values.last().unwrap(), 0.0);
        assert!(ladder.values[cells.rung(day("1970-07-01"))] > 3.0);
        // One in a thousand is a day like any other.
        let (_, spikes) = cells.split(&measured, 1e6);
        assert!(spikes.is_empty());
    }

    #[test]
    fn frequent_values_and_what_is_beside_them_have_bins_of_their_own() {
        let starts = |grid: Option<Grid<i64>>| -> Vec<i64> {
            let grid = grid.unwrap();
            (0..grid.len()).map(|bin| grid.start(bin)).collect()
        };
        let ages: Vec<i64> = (0..10).map(|it| it * 10).collect();
        let spikes = [(-1, 50.0), (999, 70.0), (40, 90.0)];
        let found = starts(grid(ages.clone(), 99, &spikes, Some(0)));
        let expected = [-1, 0, 10, 20, 30, 40, 41, 50, 60, 70, 80, 90, 100, 999];
        assert_eq!(found, expected);
        let far = starts(grid(ages, 99, &[(-99, 50.0)], Some(0)));
        assert_eq!(far[..3], [-99, -98, 0]);
        let short = starts(grid(vec![2, 5], 9, &[(0, 5.0)], Some(0)));
        assert_eq!(short.len(), 10, "a code for each");
        let amounts = grid(vec![100.0, 200.0], 300.0, &[(0.0, 70.0)], Some(2)).unwrap();
        let found: Vec<f64> = (0..amounts.len()).map(|bin| amounts.start(bin)).collect();
        assert_eq!(found, [0.0, 0.01, 100.0, 200.0]);
        assert_eq!(amounts.range().max, 300.0);
    }
}
