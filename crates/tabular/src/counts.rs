//! Contingency counts.

use std::ops::Range;

use privacy::Counts;
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::codes::{Code, Codes, Wiped, with_codes};
use crate::table::CodedTable;

/// Rows handled together: their codes and cell numbers stay in the nearest cache while all cliques are counted.
const TILE: usize = 1 << 12;

/// Rows that are worth a task of their own.
const ROWS_PER_TASK: usize = 1 << 16;

/// Bytes that the tables of all parts of the rows may take together, unless there is one part only.
const PART_BYTES: usize = 64 << 20;

impl CodedTable {
    /// The contingency table of these columns, the last one varying fastest. No column gives one cell: the number of
    /// rows.
    ///
    /// Adding or removing everything of one id changes one cell by at most 1.
    ///
    /// # Panics
    /// If there is no such column, or there are more than 2^31 cells.
    #[must_use]
    pub fn counts(&self, clique: &[usize]) -> Counts {
        self.counts_of(&[clique.to_vec()])
            .pop()
            .expect("one clique gives one table")
    }

    /// The contingency tables of several sets of columns, counted in parallel in one pass over the rows.
    ///
    /// # Panics
    /// As [`counts`](Self::counts) does.
    #[must_use]
    pub fn counts_of(&self, cliques: &[Vec<usize>]) -> Vec<Counts> {
        let plans: Vec<Plan> = cliques.iter().map(|clique| self.plan(clique)).collect();
        let threads = rayon::current_num_threads();
        let per_task = plans.len().div_ceil(threads * 2).max(1);
        let parts = (threads * 2)
            .div_ceil(plans.len().max(1))
            .min(self.rows / ROWS_PER_TASK + 1)
            .min(affordable_parts(&plans))
            .max(1);
        let rows_per_part = self.rows.div_ceil(parts).max(1);
        plans
            .par_chunks(per_task)
            .flat_map_iter(|plans| {
                let partial: Vec<Vec<Wiped<u32>>> = (0..parts)
                    .into_par_iter()
                    .map(|part| {
                        let start = (part * rows_per_part).min(self.rows);
                        let end = (start + rows_per_part).min(self.rows);
                        count_rows(plans, start..end)
                    })
                    .collect();
                sum(partial)
                    .into_iter()
                    .map(|table| Counts::from_exact(table.into_vec()))
            })
            .collect()
    }

    fn plan(&self, clique: &[usize]) -> Plan<'_> {
        let columns = self.schema().columns();
        let columns: Vec<(&Codes, u32)> = clique
            .iter()
            .map(|&i| {
                (
                    &self.columns[i],
                    u32::try_from(columns[i].size()).expect("sizes are below 2^31"),
                )
            })
            .collect();
        let cells = columns
            .iter()
            .try_fold(1u32, |cells, (_, size)| {
                cells.checked_mul(*size).filter(|cells| *cells <= 1 << 31)
            })
            .expect("a contingency table has at most 2^31 cells");
        Plan {
            columns,
            cells: cells as usize,
        }
    }
}

/// Into how many parts the rows may be cut, each with tables of its own.
fn affordable_parts(plans: &[Plan]) -> usize {
    let bytes: usize = plans.iter().map(Plan::bytes).sum();
    PART_BYTES / bytes.max(1)
}

/// A contingency table to count.
struct Plan<'a> {
    columns: Vec<(&'a Codes, u32)>,
    cells: usize,
}

impl Plan<'_> {
    /// Small tables are counted in several copies, row by row in turn: where most rows fall into one cell, each
    /// increment would otherwise wait for the one before it.
    fn copies(&self) -> usize {
        match self.cells {
            0..=1024 => 4,
            1025..=4096 => 2,
            _ => 1,
        }
    }

    /// Bytes of the table with its copies.
    fn bytes(&self) -> usize {
        self.cells * self.copies() * size_of::<u32>()
    }

    fn count_tile(&self, rows: Range<usize>, cells: &mut [u32; TILE], table: &mut [u32]) {
        let cells = &mut cells[..rows.len()];
        match self.columns.split_first() {
            None => cells.fill(0),
            Some(((first, _), others)) => {
                with_codes!(first, codes => {
                    for (cell, &code) in cells.iter_mut().zip(&codes[rows.clone()]) {
                        *cell = code.widen();
                    }
                });
                for (column, size) in others {
                    with_codes!(column, codes => {
                        for (cell, &code) in cells.iter_mut().zip(&codes[rows.clone()]) {
                            *cell = *cell * size + code.widen();
                        }
                    });
                }
            }
        }
        match self.copies() {
            4 => tally::<4>(cells, table, self.cells),
            2 => tally::<2>(cells, table, self.cells),
            _ => tally::<1>(cells, table, self.cells),
        }
    }
}

/// Adds the rows' cells to the copies of a table that lie one after the other.
fn tally<const COPIES: usize>(rows: &[u32], table: &mut [u32], cells: usize) {
    let mut copies = table.chunks_exact_mut(cells);
    let mut copies: [&mut [u32]; COPIES] =
        std::array::from_fn(|_| copies.next().expect("the table holds that many copies"));
    let (groups, rest) = rows.as_chunks::<COPIES>();
    for group in groups {
        for (copy, &cell) in copies.iter_mut().zip(group) {
            copy[cell as usize] += 1;
        }
    }
    for &cell in rest {
        copies[0][cell as usize] += 1;
    }
}

fn count_rows(plans: &[Plan], rows: Range<usize>) -> Vec<Wiped<u32>> {
    let mut tables: Vec<Wiped<u32>> = plans
        .iter()
        .map(|plan| vec![0; plan.cells * plan.copies()].into())
        .collect();
    let mut cells = Zeroizing::new([0; TILE]);
    let mut start = rows.start;
    while start < rows.end {
        let end = (start + TILE).min(rows.end);
        for (plan, table) in plans.iter().zip(&mut tables) {
            plan.count_tile(start..end, &mut cells, table.as_mut_slice());
        }
        start = end;
    }
    for (plan, table) in plans.iter().zip(&mut tables) {
        fold_copies(table, plan.cells);
    }
    tables
}

/// Adds the copies of a table together.
fn fold_copies(table: &mut Wiped<u32>, cells: usize) {
    let (first, others) = table.as_mut_slice().split_at_mut(cells);
    for copy in others.chunks_exact(cells) {
        add(first, copy);
    }
    table.truncate(cells);
}

fn sum(parts: Vec<Vec<Wiped<u32>>>) -> Vec<Wiped<u32>> {
    parts
        .into_iter()
        .reduce(|mut total, part| {
            for (total, part) in total.iter_mut().zip(&part) {
                add(total.as_mut_slice(), part.as_slice());
            }
            total
        })
        .unwrap_or_default()
}

fn add(total: &mut [u32], part: &[u32]) {
    for (total, part) in total.iter_mut().zip(part) {
        *total += part;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Declaration, Schema};
    use proptest::prelude::*;

    fn schema(sizes: &[usize]) -> Schema {
        let yaml: String = sizes
            .iter()
            .enumerate()
            .map(|(i, size)| format!("c{i}: {{integer: {{min: 1, max: {size}, bins: {size}}}}}\n"))
            .collect();
        Schema::new(Declaration::from_yaml(&yaml).unwrap()).unwrap()
    }

    fn naive(sizes: &[usize], columns: &[Vec<u32>], clique: &[usize]) -> Vec<u32> {
        let mut cells = vec![0; clique.iter().map(|&i| sizes[i]).product()];
        (0..columns[0].len()).for_each(|row| {
            let code = |i: usize| columns[i][row] as usize;
            cells[clique.iter().fold(0, |cell, &i| cell * sizes[i] + code(i))] += 1;
        });
        cells
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn counts_match_counting_one_by_one(
            rows in 0usize..10_000,
            sizes in proptest::collection::vec(prop_oneof![1usize..6, 250usize..260, 300usize..301], 3),
            seed: u64,
        ) {
            let mut state = seed | 1;
            let columns: Vec<Vec<u32>> = sizes.iter().map(|&size| (0..rows).map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                u32::try_from((state >> 33) % size as u64).unwrap()
            }).collect()).collect();
            let table = CodedTable::from_codes(schema(&sizes), &columns).unwrap();
            let cliques = vec![vec![], vec![0], vec![1, 0], vec![0, 1], vec![2], vec![2, 0]];
            for (clique, counts) in cliques.iter().zip(table.counts_of(&cliques)) {
                prop_assert_eq!(counts.dangerous_reveal(), naive(&sizes, &columns, clique));
            }
        }
    }

    #[test]
    fn many_rows_are_split_and_put_together_again() {
        let rows = 5 * ROWS_PER_TASK + 17;
        let columns: Vec<Vec<u32>> = [3u32, 70_000]
            .iter()
            .map(|size| {
                (0..)
                    .map(|row: u32| row.wrapping_mul(2_654_435_761) % size)
                    .take(rows)
                    .collect()
            })
            .collect();
        let table = CodedTable::from_codes(schema(&[3, 70_000]), &columns).unwrap();
        for clique in [vec![0], vec![1], vec![0, 1]] {
            assert_eq!(
                table.counts(&clique).dangerous_reveal(),
                naive(&[3, 70_000], &columns, &clique)
            );
        }
    }

    #[test]
    fn tables_of_many_cells_are_not_held_for_each_part_of_the_rows() {
        let plan = |cells| Plan {
            columns: Vec::new(),
            cells,
        };
        assert_eq!(affordable_parts(&[plan(1 << 27)]), 0);
        assert_eq!(affordable_parts(&[plan(1 << 20), plan(1 << 20)]), 8);
        assert_eq!(affordable_parts(&[plan(1 << 10)]), 4 << 10);
    }

    #[test]
    fn no_cliques_give_no_tables() {
        let table = CodedTable::from_codes(schema(&[2]), &[vec![0, 1, 1]]).unwrap();
        assert_eq!(table.counts_of(&[]).len(), 0);
    }
}
