//! Relations taken over from public data, which cost nothing.

use marginals::Clique;

use super::candidates::{Candidate, merged_at_all_resolutions, most_cells};
use super::choice::{Bounds, choose};
use super::fit::{Fit, PublicPair};
use super::pairs::strongest_of;
use super::tuning::{self, MOST_PAIRS};
use crate::batches::batches;
use crate::fit_error::FitError;
use crate::prior::PublicPrior;

impl Fit {
    /// The strongest relations of public data, as far as a quarter of the model holds them.
    pub(super) fn take_public_pairs(
        &mut self,
        pairs: &[([usize; 2], f64)],
        prior: &PublicPrior,
        max_cells: u128,
    ) -> Result<(), FitError> {
        let pairs = &self.strongest_in_public(pairs, prior)?;
        let (mut candidates, mut tables) = (Vec::new(), Vec::new());
        let most_cells = most_cells(pairs.len());
        self.each_public_table(prior, pairs, most_cells, |pair, levels, table| {
            let (columns, weight) = pairs[pair];
            let across = self.hierarchy.levels[columns[1]].size(levels[1]);
            candidates.push(Candidate {
                pair,
                columns,
                levels,
                cells: table.len() as f64,
                weight,
                // In rows, as noisy scores are, so that the same rule chooses.
                error: self.total * distance_from_independence(&table, across),
            });
            tables.push(table);
        })?;
        let bounds = Bounds {
            sigma: tuning::PUBLIC_NOISE,
            cells: self.cells_with(max_cells / tuning::PART_OF_CELLS_FOR_PUBLIC),
            // Public data has no noise to be wary of: what is strong is taken, cycles or not.
            forest: false,
        };
        for (i, _) in choose(
            &self.hierarchy,
            &self.constraints.cliques(),
            &candidates,
            bounds,
        ) {
            let Candidate {
                columns, levels, ..
            } = candidates[i];
            self.public.push(PublicPair {
                columns,
                levels,
                probabilities: std::mem::take(&mut tables[i]),
            });
        }
        Ok(())
    }

    /// Of very many pairs those that are least independent in public data, at their coarsest
    /// resolution.
    fn strongest_in_public(
        &self,
        pairs: &[([usize; 2], f64)],
        prior: &PublicPrior,
    ) -> Result<Vec<([usize; 2], f64)>, FitError> {
        // The coarsest levels have at most four groups, but a column of five codes has no coarser
        // level.
        /// Of a pair at its coarsest resolution.
        const MOST_CELLS: usize = 25;
        if pairs.len() <= MOST_PAIRS {
            return Ok(pairs.to_vec());
        }
        let mut strengths = vec![0.0; pairs.len()];
        self.each_public_table(prior, pairs, MOST_CELLS, |pair, levels, table| {
            let (columns, weight) = pairs[pair];
            let across = self.hierarchy.levels[columns[1]].size(levels[1]);
            strengths[pair] = weight * distance_from_independence(&table, across);
        })?;
        Ok(strongest_of(pairs, &strengths))
    }

    /// What public data says of pairs, at each resolution of at most this many cells, finest first.
    /// Pairs whose full table is too large to count are left out.
    fn each_public_table(
        &self,
        prior: &PublicPrior,
        pairs: &[([usize; 2], f64)],
        most_cells: usize,
        mut found: impl FnMut(usize, [usize; 2], Vec<f64>),
    ) -> Result<(), FitError> {
        /// Of a pair over all codes, and of pairs that are in memory together.
        const MOST_CELLS: usize = 1 << 22;
        let size = |column: usize| prior.field().domain().size(column);
        let cells: Vec<usize> = pairs.iter().map(|&([a, b], _)| size(a) * size(b)).collect();
        for batch in batches(&cells, MOST_CELLS) {
            let batch: Vec<usize> = batch.filter(|&i| cells[i] <= MOST_CELLS).collect();
            let cliques: Vec<Clique> = batch.iter().map(|&i| Clique::new(pairs[i].0)).collect();
            let tables = prior.field().marginals(&cliques)?;
            for (i, full) in batch.into_iter().zip(tables) {
                let columns = pairs[i].0;
                let codes = self.to_codes(columns, &full);
                let hierarchy = &self.hierarchy;
                for (levels, table) in
                    merged_at_all_resolutions(hierarchy, columns, most_cells, &codes)
                {
                    found(i, levels, table);
                }
            }
        }
        Ok(())
    }

    /// A pair over all codes, summed into the model's codes.
    fn to_codes(&self, columns: [usize; 2], full: &[f64]) -> Vec<f64> {
        let [rows, across] = columns.map(|column| self.compressions[column].map());
        let [height, width] = columns.map(|column| self.compressions[column].size());
        let mut sums = vec![0.0; height * width];
        for (row, cells) in rows.iter().zip(full.chunks_exact(across.len())) {
            cells
                .iter()
                .zip(&across)
                .for_each(|(p, column)| sums[*row as usize * width + *column as usize] += p);
        }
        sums
    }
}

/// L1 distance of a distribution over two columns from the product of its marginals.
fn distance_from_independence(probabilities: &[f64], columns: usize) -> f64 {
    let rows: Vec<f64> = probabilities
        .chunks_exact(columns)
        .map(|row| row.iter().sum())
        .collect();
    let mut across = vec![0.0; columns];
    for row in probabilities.chunks_exact(columns) {
        across.iter_mut().zip(row).for_each(|(sum, p)| *sum += p);
    }
    let product = rows
        .iter()
        .flat_map(|row| across.iter().map(move |column| row * column));
    probabilities
        .iter()
        .zip(product)
        .map(|(p, q)| (p - q).abs())
        .sum()
}
