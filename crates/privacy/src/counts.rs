use std::fmt;

use serde::Serialize;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::Rho;

/// Exact, unreleased counts over cells that do not depend on the data.
///
/// Whoever makes one vouches that adding or removing everything of one id changes one cell by at
/// most 1. Only a [`Ledger`](crate::Ledger) turns it into something to show; the values are
/// overwritten on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Counts {
    cells: Vec<u32>,
}

impl Counts {
    /// Takes the counts, one per cell. The cells must be the same for every data set: an array over a
    /// declared domain, say, and not one cell per value that was seen (see [`KeyCounts`]).
    pub fn from_exact(cells: Vec<u32>) -> Self {
        Self { cells }
    }

    /// The number of cells, which is public.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there is no cell at all.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// How far the counts are from a public model of them: the sum over cells of |count - model|.
    ///
    /// The model is first rounded to multiples of 2^-20 and clamped to within 2^40 of 0 (what is not
    /// a number counts as 0), and the sum is taken in integers and clamped at 2^42. One id more or
    /// less therefore moves the score by at most exactly 1, whatever the model.
    ///
    /// # Panics
    ///
    /// If the model has another number of cells.
    pub fn l1_distance(&self, model: &[f64]) -> Score {
        assert_eq!(
            self.cells.len(),
            model.len(),
            "a model has as many cells as the counts"
        );
        let sum: u128 = self
            .cells
            .iter()
            .zip(model)
            .map(|(&count, &model)| {
                let count = i64::from(count) << Score::FRACTION_BITS;
                u128::from(count.abs_diff(Score::fixed_point(model)))
            })
            .sum();
        // Each term is below 2^61 and a slice has fewer than 2^60 counts of 4 bytes: the sum fits.
        Score(i64::try_from(sum).unwrap_or(i64::MAX).min(Score::LARGEST))
    }

    /// Counts over fewer cells: cell `i` is added to cell `map[i]`. One id still changes one cell by at most 1.
    ///
    /// # Panics
    ///
    /// If the map has another number of cells, or points beyond `new_len`.
    #[must_use]
    pub fn merge_cells(&self, map: &[u32], new_len: usize) -> Self {
        assert_eq!(self.cells.len(), map.len(), "each cell is mapped");
        let mut cells = vec![0_u32; new_len];
        for (&count, &to) in self.cells.iter().zip(map) {
            let cell = &mut cells[to as usize];
            // Saturation moves sums together, never apart.
            *cell = cell.saturating_add(count);
        }
        Self { cells }
    }

    /// The exact counts. For a person's evaluation of data that they own; never for something to publish.
    pub fn dangerous_reveal(mut self) -> Vec<u32> {
        std::mem::take(&mut self.cells)
    }

    pub(crate) fn cells(&self) -> &[u32] {
        &self.cells
    }
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Counts({} cells)", self.cells.len())
    }
}

/// Exact, unreleased counts of keys that were *observed*: which keys there are, and how many, is itself private.
///
/// Whoever makes one vouches that adding or removing everything of one id changes the count of one
/// key by at most 1, that key appearing or disappearing with its first or last id. Only
/// [`Ledger::release_keys`](crate::Ledger::release_keys) turns it into something to show.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct KeyCounts {
    keys: Vec<u32>,
}

impl KeyCounts {
    /// Takes one count per observed key.
    pub fn from_exact(keys: Vec<u32>) -> Self {
        Self { keys }
    }

    pub(crate) fn keys(&self) -> &[u32] {
        &self.keys
    }
}

impl fmt::Debug for KeyCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyCounts(..)")
    }
}

/// The unreleased score of a candidate, in fixed point: one id more or less moves it by at most 1.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Score(i64);

impl Score {
    /// Scores count in units of 2^-20.
    pub(crate) const FRACTION_BITS: u32 = 20;
    /// Scores are clamped here, which never moves two of them apart.
    pub(crate) const LARGEST: i64 = 1 << 62;
    const LARGEST_MODEL: f64 = (1_u64 << 40) as f64;

    #[expect(
        clippy::cast_possible_truncation,
        reason = "clamped to 2^60, and NaN becomes 0"
    )]
    fn fixed_point(model: f64) -> i64 {
        let clamped = model.clamp(-Self::LARGEST_MODEL, Self::LARGEST_MODEL);
        (clamped * f64::from(1 << Self::FRACTION_BITS)).round() as i64
    }

    pub(crate) fn units(&self) -> i64 {
        self.0
    }
}

impl fmt::Debug for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Score(..)")
    }
}

/// Counts with noise, paid for from a ledger: they may be shown to anyone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NoisyCounts {
    values: Vec<i64>,
    sigma: f64,
    rho: Rho,
}

impl NoisyCounts {
    pub(crate) fn new(values: Vec<i64>, sigma: f64, rho: Rho) -> Self {
        Self { values, sigma, rho }
    }

    /// One value per cell, each the exact count plus independent integer noise of mean 0; may be negative.
    pub fn values(&self) -> &[i64] {
        &self.values
    }

    /// The standard deviation of the noise in each cell (for the discrete Gaussian its parameter
    /// sigma, which from 1 on exceeds the standard deviation by less than 1e-6 of it).
    pub fn sigma(&self) -> f64 {
        self.sigma
    }

    /// What the measurement cost.
    pub fn rho(&self) -> Rho {
        self.rho
    }
}
