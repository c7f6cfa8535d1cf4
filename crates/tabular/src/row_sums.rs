//! Sums over rows of vectors of whole numbers, such as clipped gradients.

use std::ops::Range;

use privacy::GradientSum;
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::codes::{Code, Wiped, with_codes};
use crate::table::{CodedTable, Recoding};

/// What each row adds to a sum.
///
/// Whoever implements it vouches that a row adds a vector of at most [`GradientSum::NORM`] in L2,
/// which depends on that row and on public facts alone: every guarantee about the sum rests on it.
pub trait RowSum: Sync {
    /// How many coordinates the vectors have.
    fn coordinates(&self) -> usize;

    /// Adds the vectors of some rows, given as one slice of codes for each column.
    fn add(&self, columns: &[&[u32]], sums: &mut [i64]);
}

/// Rows that are decoded together.
const TILE: usize = 1 << 10;

impl CodedTable {
    /// The sum over all rows, under other codes. Whole numbers: the same on any number of threads.
    pub(crate) fn sum_of(&self, recoding: &Recoding, what: &dyn RowSum) -> GradientSum {
        let zeros = || Wiped::from(vec![0_i64; what.coordinates()]);
        let slab = self
            .rows
            .div_ceil(2 * rayon::current_num_threads())
            .max(TILE);
        let slabs: Vec<Range<usize>> = (0..self.rows.div_ceil(slab))
            .map(|i| i * slab..self.rows.min((i + 1) * slab))
            .collect();
        let sum = slabs.into_par_iter().map(|rows| {
            let mut sums = zeros();
            self.add_slab(recoding, what, rows, sums.as_mut_slice());
            sums
        });
        let sum = sum.reduce(zeros, |mut total, part| {
            let sums = total.as_mut_slice().iter_mut().zip(part.as_slice());
            sums.for_each(|(total, part)| *total += part);
            total
        });
        GradientSum::from_exact(sum.into_vec())
    }

    fn add_slab(
        &self,
        recoding: &Recoding,
        what: &dyn RowSum,
        rows: Range<usize>,
        sums: &mut [i64],
    ) {
        // The codes of a tile tell the rows, and so are wiped like them.
        let mut tile = Zeroizing::new(vec![0_u32; TILE * self.columns.len()]);
        for start in rows.clone().step_by(TILE) {
            let rows = start..rows.end.min(start + TILE);
            let columns = self.columns.iter().zip(&recoding.maps);
            for ((codes, map), tile) in columns.zip(tile.chunks_exact_mut(TILE)) {
                with_codes!(codes, codes => {
                    let cells = tile.iter_mut().zip(&codes[rows.clone()]);
                    cells.for_each(|(cell, &code)| *cell = map[code.index()]);
                });
            }
            let columns: Vec<&[u32]> = tile
                .chunks_exact(TILE)
                .map(|codes| &codes[..rows.len()])
                .collect();
            what.add(&columns, sums);
        }
    }
}

#[cfg(test)]
mod tests {
    use privacy::{Accounting, Delta, Epsilon, Ledger, LedgerOptions};
    use schema::{Declaration, Schema};

    use super::*;
    use crate::CountSource;

    /// Counts each pair of a first and a second code.
    struct Pairs;

    impl RowSum for Pairs {
        fn coordinates(&self) -> usize {
            6
        }

        fn add(&self, columns: &[&[u32]], sums: &mut [i64]) {
            for (a, b) in columns[0].iter().zip(columns[1]) {
                sums[(a * 3 + b) as usize] += GradientSum::NORM;
            }
        }
    }

    #[test]
    fn each_row_is_added_once_under_its_new_codes() {
        let yaml = "a: {integer: {min: 0, max: 3}}\nb: {integer: {min: 0, max: 2}}\n";
        let schema = Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap();
        let columns = [4, 3].map(|size| (0..9001_u32).map(|row| row / 5 % size).collect());
        let table = CodedTable::from_codes(schema, &columns).unwrap();
        let maps = vec![vec![0, 0, 1, 1], vec![2, 1, 0]];
        let recoding = Recoding::new(table.schema(), maps, vec![2, 3]);
        let mut expected = vec![0_i64; 6];
        for row in 0..9001_u32 {
            expected[(row / 5 % 4 / 2 * 3 + 2 - row / 5 % 3) as usize] += 1;
        }
        // What a sum is comes out with noise alone: of a budget so large that there is as good as
        // none.
        let options = LedgerOptions::new(
            Epsilon::new(50.0).unwrap(),
            Delta::new(1e-3).unwrap(),
            Accounting::Gdp,
        );
        let mut ledger = Ledger::open(options).unwrap();
        let whole = ledger.total();
        let mut paid = ledger.open_gradients("pairs", 6, 1, whole).unwrap();
        let sum = table.sum_rows(&recoding, &Pairs).unwrap();
        let noisy = paid.release(&sum, &mut privacy::NoiseRng::dangerous_from_seed(1));
        for (noisy, expected) in noisy.iter().zip(&expected) {
            assert!((noisy - *expected as f64).abs() < 2.0, "{noisy} {expected}");
        }
    }
}
