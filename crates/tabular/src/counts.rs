//! Contingency counts.
//!
//! Columns with few codes are first bundled: two columns of 8 and 12 codes become one of 96. One
//! increment a row in the table of two bundles then counts for every pair of columns across them,
//! and the tables asked for are sums of its cells.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use privacy::Counts;
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::codes::{Code, Codes, Wiped, with_codes};
use crate::table::{CodedTable, Recoding};

/// Rows handled together: their cell numbers stay in the nearest cache.
const TILE: usize = 1 << 12;

/// Rows that are bundled together. Bounds the memory of bundles.
const SLAB: usize = 1 << 20;

/// Rows that are worth a task of their own.
const ROWS_PER_TASK: usize = 1 << 16;

/// Bytes that the counts of all rows may take together, unless the slabs of rows take turns.
const SHARED_BYTES: usize = 64 << 20;

/// Most codes of a bundle of columns: the table of two bundles then fits in the second cache.
const BUNDLE: usize = 1 << 7;

/// Most cells of a table of bundles.
const BUNDLED_CELLS: usize = 1 << 16;

impl CodedTable {
    /// The contingency table of these columns, the last one varying fastest. No column gives one
    /// cell: the number of rows.
    ///
    /// Adding or removing everything of one id changes the cells by at most
    /// [`rows_per_id`](Self::rows_per_id) in all: by 1 in one cell for each of its rows.
    ///
    /// # Panics
    /// If there is no such column, or there are more than 2^31 cells.
    #[must_use]
    pub fn counts(&self, clique: &[usize]) -> Counts {
        // A clique of its own is a batch of one: there is one way of counting.
        only(self.counts_of(&[clique.to_vec()]))
    }

    /// The contingency tables of several sets of columns, counted in parallel in one pass over the
    /// rows.
    ///
    /// # Panics
    /// As [`counts`](Self::counts) does.
    #[must_use]
    pub fn counts_of(&self, cliques: &[Vec<usize>]) -> Vec<Counts> {
        let schema = self.schema().columns().iter();
        let columns = schema
            .zip(&self.columns)
            .map(|(column, codes)| CountedColumn {
                codes,
                map: None,
                size: column.size(),
            });
        count(&columns.collect::<Vec<_>>(), self.rows, cliques)
    }

    /// As [`counts_of`](Self::counts_of), under other codes. Nothing is copied: codes are replaced
    /// while they are counted.
    ///
    /// # Panics
    /// As [`counts`](Self::counts) does, and if the recoding is for another number of columns.
    #[must_use]
    pub fn recoded_counts_of(&self, recoding: &Recoding, cliques: &[Vec<usize>]) -> Vec<Counts> {
        assert_eq!(
            // A recoding that is short of a map would count some columns uncoded, and give cells of
            // another meaning.
            recoding.maps.len(),
            self.columns.len(),
            "there is a map for each column"
        );
        let recodings = recoding.maps.iter().zip(&recoding.sizes);
        let recoded = self.columns.iter().zip(recodings);
        let columns = recoded.map(|(codes, (map, &size))| CountedColumn {
            codes,
            map: Some(map),
            size,
        });
        count(&columns.collect::<Vec<_>>(), self.rows, cliques)
    }
}

fn only(counts: Vec<Counts>) -> Counts {
    counts
        .into_iter()
        .next()
        .expect("one clique gives one table")
}

fn count(columns: &[CountedColumn], rows: usize, cliques: &[Vec<usize>]) -> Vec<Counts> {
    // What is counted how is planned from sizes and the number of rows alone, never from codes.
    let plan = Plan::new(columns, rows, cliques);
    let totals = plan.count(columns, rows);
    plan.in_order(totals)
}

/// A column as it is counted: its codes, and how they are recoded.
struct CountedColumn<'a> {
    codes: &'a Codes,
    /// The code to count instead of each code.
    map: Option<&'a [u32]>,
    size: usize,
}

impl CountedColumn<'_> {
    fn size(&self) -> u32 {
        u32::try_from(self.size).expect("sizes are below 2^31")
    }

    /// The codes of some rows are put behind what is in `cells`, as a further digit.
    fn append_digit(&self, rows: Range<usize>, cells: &mut [u32]) {
        let size = self.size();
        with_codes!(self.codes, codes => {
            let cells = cells.iter_mut().zip(&codes[rows]);
            match self.map {
                Some(map) => {
                    cells.for_each(|(cell, &code)| *cell = *cell * size + map[code.index()]);
                }
                None => cells.for_each(|(cell, &code)| *cell = *cell * size + code.widen()),
            }
        });
    }
}

/// Which tables to count, and which sums of their cells were asked for.
struct Plan {
    bundles: Vec<Bundle>,
    tables: Vec<Table>,
}

/// Columns whose codes together are the digits of one code, the last one varying fastest.
struct Bundle {
    columns: Vec<usize>,
    size: usize,
}

struct Table {
    axes: Axes,
    cells: usize,
    marginals: Vec<Marginal>,
}

/// What the cells of a table are numbered by.
enum Axes {
    /// The columns of the one clique that was asked for.
    Columns(Vec<usize>),
    /// One bundle or two.
    Bundles(Vec<usize>),
}

/// A sum over cells of a table.
struct Marginal {
    /// Position among what was asked for.
    clique: usize,
    cells: usize,
    /// What the codes of the table's first and second bundle add to the number of the cell.
    steps: [Vec<u32>; 2],
}

/// One for each marginal of each table.
type Totals = Vec<Vec<Wiped<u32>>>;

impl Plan {
    fn new(columns: &[CountedColumn], rows: usize, cliques: &[Vec<usize>]) -> Plan {
        let bundles = bundles(columns, rows, cliques);
        let mut bundle_of = vec![0; columns.len()];
        for (i, bundle) in bundles.iter().enumerate() {
            bundle
                .columns
                .iter()
                .for_each(|&column| bundle_of[column] = i);
        }
        let mut plan = Plan {
            bundles,
            tables: Vec::new(),
        };
        let mut by_bundles: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
        for (i, clique) in cliques.iter().enumerate() {
            let mut touched: Vec<usize> = clique.iter().map(|&column| bundle_of[column]).collect();
            touched.sort_unstable();
            touched.dedup();
            // More than two bundles, or too large a table, would cost more than counting the clique
            // by itself.
            let cells = touched.iter().map(|&b| plan.bundles[b].size);
            if (1..=2).contains(&touched.len()) && cells.product::<usize>() <= BUNDLED_CELLS {
                by_bundles.entry(touched).or_default().push(i);
            } else {
                plan.count_alone(columns, cliques, i);
            }
        }
        for (bundles, together) in by_bundles {
            // For a single clique the table of two bundles has only more cells than its own.
            match together[..] {
                [clique] => plan.count_alone(columns, cliques, clique),
                _ => plan.count_together(columns, cliques, bundles, &together),
            }
        }
        plan
    }

    fn count_alone(&mut self, columns: &[CountedColumn], cliques: &[Vec<usize>], clique: usize) {
        let cells = cells(columns, &cliques[clique]);
        self.tables.push(Table {
            axes: Axes::Columns(cliques[clique].clone()),
            cells,
            marginals: vec![Marginal {
                clique,
                cells,
                steps: Default::default(),
            }],
        });
    }

    fn count_together(
        &mut self,
        columns: &[CountedColumn],
        cliques: &[Vec<usize>],
        bundles: Vec<usize>,
        together: &[usize],
    ) {
        let steps = |clique: &[usize], bundle: Option<&usize>| match bundle {
            Some(&bundle) => self.bundles[bundle].steps(columns, clique),
            None => vec![0],
        };
        let marginal = |&i: &usize| Marginal {
            clique: i,
            cells: cells(columns, &cliques[i]),
            steps: [0, 1].map(|axis| steps(&cliques[i], bundles.get(axis))),
        };
        self.tables.push(Table {
            cells: bundles.iter().map(|&b| self.bundles[b].size).product(),
            marginals: together.iter().map(marginal).collect(),
            axes: Axes::Bundles(bundles),
        });
    }

    fn zeros(&self) -> Totals {
        let zeros = |marginal: &Marginal| vec![0; marginal.cells].into();
        let table = |table: &Table| table.marginals.iter().map(zeros).collect();
        self.tables.iter().map(table).collect()
    }

    fn count(&self, columns: &[CountedColumn], rows: usize) -> Totals {
        // Twice the threads, so that a slow one does not keep all others waiting.
        let tasks = 2 * rayon::current_num_threads();
        let cells = self.tables.iter().flat_map(|table| &table.marginals);
        let bytes = cells
            .map(|marginal| marginal.cells * size_of::<u32>())
            .sum::<usize>();
        // Rows are shared out where there are too few tables to keep all threads busy, and where a
        // copy of all tables a task is affordable.
        let share_rows = self.tables.len() < tasks && bytes * tasks <= SHARED_BYTES;
        let slab = match share_rows {
            true => rows.div_ceil(tasks).clamp(ROWS_PER_TASK, SLAB),
            false => SLAB,
        };
        let slabs = (0..rows.div_ceil(slab)).map(|i| i * slab..rows.min((i + 1) * slab));
        let mut totals = self.zeros();
        if share_rows {
            let counted = slabs.collect::<Vec<_>>().into_par_iter().map(|rows| {
                let mut totals = self.zeros();
                self.add_rows(columns, rows, &mut totals);
                totals
            });
            totals = counted.reduce_with(sum).unwrap_or(totals);
        } else {
            // Slabs in turn, tables in parallel: each count is then in memory once.
            slabs.for_each(|rows| self.add_rows(columns, rows, &mut totals));
        }
        totals
    }

    fn add_rows(&self, columns: &[CountedColumn], rows: Range<usize>, totals: &mut Totals) {
        // Packing a bundle reads all its columns: only those that some table needs.
        let mut used = vec![false; self.bundles.len()];
        for table in &self.tables {
            if let Axes::Bundles(bundles) = &table.axes {
                bundles.iter().for_each(|&i| used[i] = true);
            }
        }
        let packed: Vec<Option<Codes>> = (0..self.bundles.len())
            .into_par_iter()
            .map(|i| used[i].then(|| self.bundles[i].pack(columns, rows.clone())))
            .collect();
        let bundle = |&i: &usize| CountedColumn {
            codes: packed[i].as_ref().expect("every bundle in use is packed"),
            map: None,
            size: self.bundles[i].size,
        };
        let tables = self.tables.par_iter().zip(totals);
        tables.for_each(|(table, totals)| match &table.axes {
            Axes::Columns(axes) => {
                let axes: Vec<&CountedColumn> =
                    axes.iter().map(|&column| &columns[column]).collect();
                table.add_rows(&axes, rows.clone(), totals);
            }
            Axes::Bundles(axes) => {
                let axes: Vec<CountedColumn> = axes.iter().map(bundle).collect();
                table.add_rows(&axes.iter().collect::<Vec<_>>(), 0..rows.len(), totals);
            }
        });
    }

    fn in_order(&self, totals: Totals) -> Vec<Counts> {
        let marginals = self.tables.iter().flat_map(|table| &table.marginals);
        let mut counts: Vec<(usize, Wiped<u32>)> = marginals
            .map(|marginal| marginal.clique)
            .zip(totals.into_iter().flatten())
            .collect();
        // Back in the order asked for: tables were grouped by their bundles.
        counts.sort_by_key(|&(clique, _)| clique);
        counts
            .into_iter()
            // Wiped buffers become `Counts`, which are wiped as well.
            .map(|(_, table)| Counts::from_exact(table.into_vec()))
            .collect()
    }
}

/// Bundles of the columns in these cliques, such that the table of two has few cells for this many
/// rows.
fn bundles(columns: &[CountedColumn], rows: usize, cliques: &[Vec<usize>]) -> Vec<Bundle> {
    // A table of bundles should have fewer cells than an eighth of the rows, or summing it up costs
    // more than it saved.
    let most = (rows / 8).isqrt().min(BUNDLE);
    let mut used: Vec<usize> = cliques.iter().flatten().copied().collect();
    // Large columns first: they leave gaps that small ones fill (first-fit decreasing would take
    // the first that fits, this the fullest).
    used.sort_unstable_by_key(|&i| (Reverse(columns[i].size), i));
    used.dedup();
    let mut bundles: Vec<Bundle> = Vec::new();
    for column in used {
        let size = columns[column].size;
        let fits = |bundle: &&mut Bundle| bundle.size * size <= most;
        match bundles
            .iter_mut()
            .filter(fits)
            .max_by_key(|bundle| bundle.size)
        {
            Some(bundle) => {
                bundle.columns.push(column);
                bundle.size *= size;
            }
            None => bundles.push(Bundle {
                columns: vec![column],
                size,
            }),
        }
    }
    bundles
}

impl Bundle {
    fn pack(&self, columns: &[CountedColumn], rows: Range<usize>) -> Codes {
        let mut packed = Codes::with_capacity(self.size, rows.len());
        let axes: Vec<&CountedColumn> = self
            .columns
            .iter()
            .map(|&column| &columns[column])
            .collect();
        for_tiles(&axes, rows, |codes| packed.extend(codes));
        packed
    }

    /// What each code adds to the number of the clique's cell.
    fn steps(&self, columns: &[CountedColumn], clique: &[usize]) -> Vec<u32> {
        // A bundle may have hundreds of columns of one code each: only those of the clique are
        // looked at.
        let size_after =
            |rest: &[usize]| -> u32 { rest.iter().map(|&c| columns[c].size()).product() };
        let mut steps = vec![0; self.size];
        for (i, column) in clique.iter().enumerate() {
            let Some(place) = self.columns.iter().position(|own| own == column) else {
                continue;
            };
            let (step, size) = (size_after(&clique[i + 1..]), columns[*column].size());
            let period = size_after(&self.columns[place + 1..]);
            for (code, sum) in (0..).zip(&mut steps) {
                *sum += code / period % size * step;
            }
        }
        steps
    }
}

impl Table {
    fn add_rows(&self, axes: &[&CountedColumn], rows: Range<usize>, totals: &mut [Wiped<u32>]) {
        // A table too large for a cache gains nothing by copies, and would double its memory.
        if self.cells > BUNDLED_CELLS {
            let table = totals[0].as_mut_slice();
            return for_tiles(axes, rows, |cells| tally::<1>(cells, table, self.cells));
        }
        let mut counts: Wiped<u32> = vec![0; self.cells * self.copies()].into();
        let copies = counts.as_mut_slice();
        match self.copies() {
            4 => for_tiles(axes, rows, |cells| tally::<4>(cells, copies, self.cells)),
            2 => for_tiles(axes, rows, |cells| tally::<2>(cells, copies, self.cells)),
            _ => for_tiles(axes, rows, |cells| tally::<1>(cells, copies, self.cells)),
        }
        let (first, others) = copies.split_at_mut(self.cells);
        others
            .chunks_exact(self.cells)
            .for_each(|copy| add(first, copy));
        match self.axes {
            Axes::Columns(_) => add(totals[0].as_mut_slice(), first),
            Axes::Bundles(_) => {
                for (marginal, total) in self.marginals.iter().zip(totals) {
                    marginal.add(first, total.as_mut_slice());
                }
            }
        }
    }

    /// Small tables are counted in several copies, row by row in turn: where most rows fall into
    /// one cell, each increment would otherwise wait for the one before it.
    fn copies(&self) -> usize {
        match self.cells {
            0..=1024 => 4,
            1025..=4096 => 2,
            _ => 1,
        }
    }
}

impl Marginal {
    fn add(&self, table: &[u32], total: &mut [u32]) {
        let [first, second] = &self.steps;
        // In tables that are read row by row the second bundle is the inner loop: its steps are
        // next to each other.
        for (row, &start) in table.chunks_exact(second.len()).zip(first) {
            for (count, &step) in row.iter().zip(second) {
                total[(start + step) as usize] += count;
            }
        }
    }
}

/// Cells of a clique's table.
fn cells(columns: &[CountedColumn], clique: &[usize]) -> usize {
    let cells = clique.iter().try_fold(1_u32, |cells, &column| {
        // Checked at each step: the product of many columns could wrap to a small number, and then
        // index beyond.
        let cells = cells.checked_mul(columns[column].size())?;
        (cells <= 1 << 31).then_some(cells)
    });
    cells.expect("a contingency table has at most 2^31 cells") as usize
}

/// Calls `f` with the numbers of the cells that the rows fall in, a tile of rows at a time.
fn for_tiles(axes: &[&CountedColumn], mut rows: Range<usize>, mut f: impl FnMut(&[u32])) {
    // Cell numbers of a tile tell the codes of its rows, and so are wiped like them.
    let mut tile = Zeroizing::new([0; TILE]);
    while !rows.is_empty() {
        let end = rows.end.min(rows.start + TILE);
        // Digit by digit, one column at a time: each inner loop reads one array.
        let cells = &mut tile[..end - rows.start];
        cells.fill(0);
        axes.iter()
            .for_each(|axis| axis.append_digit(rows.start..end, cells));
        f(cells);
        rows.start = end;
    }
}

/// Adds the rows' cells to the copies of a table that lie one after the other.
fn tally<const COPIES: usize>(rows: &[u32], table: &mut [u32], cells: usize) {
    let mut copies = table.chunks_exact_mut(cells);
    let mut copies: [&mut [u32]; COPIES] =
        std::array::from_fn(|_| copies.next().expect("the table holds that many copies"));
    let (groups, rest) = rows.as_chunks::<COPIES>();
    for group in groups {
        // Each copy takes every second or fourth row, so that increments of one cell do not wait
        // for each other.
        for (copy, &cell) in copies.iter_mut().zip(group) {
            copy[cell as usize] += 1;
        }
    }
    for &cell in rest {
        copies[0][cell as usize] += 1;
    }
}

fn sum(mut total: Totals, part: Totals) -> Totals {
    for (total, part) in total.iter_mut().flatten().zip(part.iter().flatten()) {
        add(total.as_mut_slice(), part.as_slice());
    }
    total
}

fn add(total: &mut [u32], part: &[u32]) {
    for (total, part) in total.iter_mut().zip(part) {
        *total += part;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use schema::{Declaration, Schema};

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

    fn made_up_columns(sizes: &[usize], rows: usize, seed: u64) -> Vec<Vec<u32>> {
        let mut state = seed | 1;
        let mut below = |bound: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            u32::try_from((state >> 33) % bound as u64).unwrap()
        };
        let column = |&size: &usize| (0..rows).map(|_| below(size)).collect();
        sizes.iter().map(column).collect()
    }

    /// No column, each column, each pair in both orders, and some larger sets.
    fn cliques(columns: usize) -> Vec<Vec<usize>> {
        let singles = (0..columns).map(|i| vec![i]);
        let pairs = (0..columns).flat_map(|i| (0..columns).map(move |j| vec![i, j]));
        let larger = (3..columns).flat_map(|i| [vec![i, 0, i - 1], vec![i - 1, i - 2, i, i - 3]]);
        std::iter::once(vec![])
            .chain(singles)
            .chain(pairs)
            .chain(larger)
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn counts_match_counting_one_by_one(
            rows in 0_usize..10_000,
            sizes in proptest::collection::vec(
                prop_oneof![4 => 1_usize..6, 1 => 250_usize..260],
                3..8,
            ),
            seed: u64,
        ) {
            let columns = made_up_columns(&sizes, rows, seed);
            let table = CodedTable::from_codes(schema(&sizes), &columns).unwrap();
            let mut cliques = cliques(sizes.len());
            cliques.retain(|clique| clique.iter().map(|&i| sizes[i]).product::<usize>() < 1 << 20);
            for (clique, counts) in cliques.iter().zip(table.counts_of(&cliques)) {
                prop_assert_eq!(counts.dangerous_reveal(), naive(&sizes, &columns, clique));
            }
            prop_assert_eq!(
                table.counts(&[1, 0]).dangerous_reveal(),
                naive(&sizes, &columns, &[1, 0])
            );
        }

        #[test]
        fn recoded_counts_match_counting_new_codes_one_by_one(
            rows in 0_usize..3_000,
            sizes in proptest::collection::vec(prop_oneof![1_usize..9, 290_usize..300], 4),
            new_sizes in proptest::collection::vec(1_usize..7, 4),
            seed: u64,
        ) {
            let columns = made_up_columns(&sizes, rows, seed);
            let maps: Vec<Vec<u32>> = sizes.iter().zip(&new_sizes).map(|(&size, &new)| {
                made_up_columns(&[new], size, seed ^ 7).remove(0)
            }).collect();
            let new_columns: Vec<Vec<u32>> = columns.iter().zip(&maps).map(|(codes, map)| {
                codes.iter().map(|&code| map[code as usize]).collect()
            }).collect();
            let table = CodedTable::from_codes(schema(&sizes), &columns).unwrap();
            let recoding = Recoding::new(table.schema(), maps, new_sizes.clone());
            let cliques = cliques(4);
            let counted = table.recoded_counts_of(&recoding, &cliques);
            for (clique, counts) in cliques.iter().zip(counted) {
                prop_assert_eq!(counts.dangerous_reveal(), naive(&new_sizes, &new_columns, clique));
            }
        }
    }

    #[test]
    fn pairs_of_narrow_columns_share_tables() {
        let sizes = [10, 2, 3, 9, 4, 300, 12, 5];
        let columns = made_up_columns(&sizes, 200_000, 1);
        let table = CodedTable::from_codes(schema(&sizes), &columns).unwrap();
        let pairs: Vec<Vec<usize>> = (0..8)
            .flat_map(|i| (0..i).map(move |j| vec![j, i]))
            .collect();
        let coded: Vec<CountedColumn> = sizes
            .iter()
            .zip(&table.columns)
            .map(|(&size, codes)| CountedColumn {
                codes,
                map: None,
                size,
            })
            .collect();
        assert!(Plan::new(&coded, 200_000, &pairs).tables.len() <= 10);
        for (pair, counts) in pairs.iter().zip(table.counts_of(&pairs)) {
            assert_eq!(counts.dangerous_reveal(), naive(&sizes, &columns, pair));
        }
    }

    #[test]
    fn more_rows_than_a_slab_are_put_together_again() {
        let sizes = [3, 7, 2, 5, 11];
        let columns = made_up_columns(&sizes, SLAB + 1234, 3);
        let table = CodedTable::from_codes(schema(&sizes), &columns).unwrap();
        let cliques = cliques(5);
        for (clique, counts) in cliques.iter().zip(table.counts_of(&cliques)) {
            assert_eq!(counts.dangerous_reveal(), naive(&sizes, &columns, clique));
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
    fn no_cliques_give_no_tables() {
        let table = CodedTable::from_codes(schema(&[2]), &[vec![0, 1, 1]]).unwrap();
        assert_eq!(table.counts_of(&[]).len(), 0);
    }
}
