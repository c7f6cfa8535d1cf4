use std::fmt;

use serde::Serialize;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::Rho;

// No Clone, no Serialize, no accessor outside this crate: whoever wants the numbers must go through
// a ledger.
/// Exact, unreleased counts over cells that do not depend on the data.
///
/// Whoever makes one vouches that adding or removing one row changes one cell by at most 1, and
/// that one id has at most as many rows as the [`Ledger`](crate::Ledger) was told. Only a ledger
/// turns it into something to show; the values are overwritten on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Counts {
    cells: Vec<u32>,
}

impl Counts {
    /// Takes the counts, one per cell. The cells must be the same for every data set: an array over
    /// a declared domain, say, and not one cell per value that was seen (see [`KeyCounts`]).
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
    /// The model is first rounded to multiples of 2^-20 and clamped to within 2^40 of 0 (what is
    /// not a number counts as 0), and the sum is taken in integers and clamped at 2^42. One row
    /// more or less therefore moves the score by at most exactly 1, whatever the model.
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
                // In fixed point, since a sum of floats depends on its order, and one row could
                // move it by more than 1 (Casacuberta et al. 2022, arXiv:2207.10635).
                let count = i64::from(count) << Score::FRACTION_BITS;
                u128::from(count.abs_diff(Score::fixed_point(model)))
            })
            .sum();
        // Each term is below 2^61 and a slice has fewer than 2^60 counts of 4 bytes: the sum fits.
        Score(i64::try_from(sum).unwrap_or(i64::MAX).min(Score::LARGEST))
    }

    /// The counts of the cells with a public sign, added up: those of sign 1 less those of sign -1.
    /// One row more or less moves the score by at most exactly 1, the sign of its cell.
    ///
    /// # Panics
    ///
    /// If there is another number of signs, or one is neither 1 nor 0 nor -1.
    pub fn signed_sum(&self, signs: &[i8]) -> Score {
        assert_eq!(self.cells.len(), signs.len(), "each cell has a sign");
        assert!(
            signs.iter().all(|sign| sign.abs() <= 1),
            "a larger sign would let one row move the score by more than 1"
        );
        // Each term is below 2^52 in absolute value; 2^75 of them would be needed to overflow.
        let sum: i128 = self
            .cells
            .iter()
            .zip(signs)
            .map(|(&count, &sign)| i128::from(sign) * (i128::from(count) << Score::FRACTION_BITS))
            .sum();
        let largest = i128::from(Score::LARGEST);
        Score(i64::try_from(sum.clamp(-largest, largest)).expect("just clamped"))
    }

    /// Counts over fewer cells: cell `i` is added to cell `map[i]`. One row still changes one cell
    /// by at most 1. The map must come from public facts or from what was released.
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

    /// Adds the counts of other rows of the same table: those of one part of it to those of
    /// another. Both stay closed.
    ///
    /// # Panics
    ///
    /// If they have another number of cells.
    pub fn add(&mut self, other: &Counts) {
        assert_eq!(
            self.cells.len(),
            other.cells.len(),
            "parts of a table have the same cells"
        );
        for (cell, &more) in self.cells.iter_mut().zip(&other.cells) {
            *cell = cell.saturating_add(more);
        }
    }

    /// The exact counts. For a person's evaluation of data that they own; never for something to
    /// publish.
    pub fn dangerous_reveal(mut self) -> Vec<u32> {
        // Takes the value, so that what was revealed is no longer under the guard of this type.
        std::mem::take(&mut self.cells)
    }

    pub(crate) fn cells(&self) -> &[u32] {
        &self.cells
    }
}

// A derived Debug would print what nobody may see, in any panic message or log.
impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Counts({} cells)", self.cells.len())
    }
}

/// Exact, unreleased counts of keys that were *observed*: which keys there are, and how many, is
/// itself private.
///
/// Whoever makes one vouches that adding or removing one row changes the count of one key by at
/// most 1, that key appearing or disappearing with its first or last row, and that one id has at
/// most as many rows as the ledger was told. Only
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

// Not Copy: a score that is wiped on drop must not leave copies behind.
/// The unreleased score of a candidate, in fixed point: one row more or less moves it by at most 1.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Score(i64);

impl Score {
    /// Scores count in units of 2^-20.
    pub(crate) const FRACTION_BITS: u32 = 20;
    /// Scores are clamped here, which never moves two of them apart.
    pub(crate) const LARGEST: i64 = 1 << 62;
    const LARGEST_MODEL: f64 = (1_u64 << 40) as f64;

    /// The score less a public amount, such as what noise alone is expected to contribute. The
    /// amount is rounded and clamped as the models of [`Counts::l1_distance`] are, so that one row
    /// still moves the score by at most exactly 1.
    #[must_use]
    pub fn less(self, amount: f64) -> Self {
        // Clamping moves scores together, never apart; |score| <= 2^62 and |amount| <= 2^60.
        Self((self.0 - Self::fixed_point(amount)).clamp(-Self::LARGEST, Self::LARGEST))
    }

    /// The score times a public share of at most 1, such as a candidate's weight over the largest
    /// weight. The share is rounded to a multiple of 2^-32 (what is not a number counts as 0, and
    /// beyond 0 and 1 it is clamped), the product down to a unit.
    ///
    /// One row still moves the score by at most exactly 1, and k rows by at most k: with a share of
    /// at most 1, two scores that are at most k 2^20 units apart have products at most k 2^20
    /// apart, and as that is a whole number so have the products rounded down.
    #[must_use]
    pub fn times(self, share: f64) -> Self {
        const SHARE_BITS: u32 = 32;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "at most 2^32, and NaN becomes 0"
        )]
        let share = (share.clamp(0.0, 1.0) * (1_u64 << SHARE_BITS) as f64).round() as i128;
        // Shifting right rounds down; the product is below 2^95, and no larger than the score once
        // shifted.
        let product = (i128::from(self.0) * share) >> SHARE_BITS;
        Self(i64::try_from(product).expect("no further from 0 than the score"))
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "clamped to 2^60, and NaN becomes 0"
    )]
    // NaN compares false with everything, and `clamp` passes it on; the cast makes it 0.
    fn fixed_point(model: f64) -> i64 {
        let clamped = model.clamp(-Self::LARGEST_MODEL, Self::LARGEST_MODEL);
        (clamped * f64::from(1 << Self::FRACTION_BITS)).round() as i64
    }

    /// The scores, in units of 2^-`FRACTION_BITS`.
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

    /// One value per cell: the exact count plus independent integer noise of mean 0. May be
    /// negative.
    pub fn values(&self) -> &[i64] {
        &self.values
    }

    /// The standard deviation of the noise in each cell; of Gaussian noise that before it is
    /// rounded, which adds at most 1/12 to the variance.
    pub fn sigma(&self) -> f64 {
        self.sigma
    }

    /// The cost of the measurement in rho.
    pub fn rho(&self) -> Rho {
        self.rho
    }
}

/// Scores with noise, paid for from a ledger: they may be shown to anyone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NoisyScores {
    /// One per score, in their order: the exact score plus independent Gaussian noise of mean 0,
    /// rounded to a multiple of 2^-20.
    pub values: Vec<f64>,
    /// The standard deviation of the noise.
    pub sigma: f64,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: i64 = 1 << Score::FRACTION_BITS;

    #[test]
    fn a_distance_is_the_sum_of_absolute_differences() {
        let counts = Counts::from_exact(vec![3, 0, 10]);
        assert_eq!(counts.l1_distance(&[3.0, 0.0, 10.0]).units(), 0);
        assert_eq!(counts.l1_distance(&[1.5, 0.25, 12.0]).units(), ONE * 15 / 4);
        assert_eq!(counts.l1_distance(&[4.0, -1.0, 10.0]).units(), ONE * 2);
    }

    #[test]
    fn parts_of_a_table_add_up_and_never_wrap() {
        let mut counts = Counts::from_exact(vec![3, 0, u32::MAX]);
        counts.add(&Counts::from_exact(vec![4, 1, 1]));
        assert_eq!(counts.dangerous_reveal(), [7, 1, u32::MAX]);
    }

    #[test]
    fn a_model_that_is_not_a_number_counts_as_0_and_a_huge_one_is_clamped() {
        let counts = Counts::from_exact(vec![3, 5]);
        assert_eq!(counts.l1_distance(&[f64::NAN, 5.0]).units(), 3 * ONE);
        let largest = (1_i64 << 40) * ONE;
        assert_eq!(
            counts.l1_distance(&[f64::INFINITY, 5.0]).units(),
            largest - 3 * ONE
        );
        assert_eq!(
            counts.l1_distance(&[-f64::MAX, 5.0]).units(),
            largest + 3 * ONE
        );
        let many = Counts::from_exact(vec![0; 8]);
        assert_eq!(
            many.l1_distance(&[f64::INFINITY; 8]).units(),
            Score::LARGEST
        );
    }

    #[test]
    fn a_public_amount_lowers_a_score_and_never_beyond_its_bounds() {
        let score = Counts::from_exact(vec![3]).l1_distance(&[0.0]);
        assert_eq!(score.clone().less(0.75).units(), ONE * 9 / 4);
        assert_eq!(score.clone().less(5.0).units(), -2 * ONE);
        assert_eq!(score.clone().less(f64::NAN).units(), 3 * ONE);
        assert_eq!(
            score.clone().less(f64::INFINITY).units(),
            3 * ONE - (1 << 60)
        );
        let lowest = (0..9).fold(score, |score, _| score.less(f64::MAX));
        assert_eq!(lowest.units(), -Score::LARGEST);
    }

    #[test]
    fn a_public_share_lowers_a_score_in_proportion() {
        let score = Counts::from_exact(vec![3]).l1_distance(&[0.0]);
        assert_eq!(score.clone().times(1.0).units(), 3 * ONE);
        assert_eq!(score.clone().times(0.25).units(), ONE * 3 / 4);
        assert_eq!(score.clone().less(5.0).times(0.5).units(), -ONE);
        assert_eq!(score.clone().times(f64::NAN).units(), 0);
        assert_eq!(score.clone().times(-1.0).units(), 0);
        assert_eq!(score.clone().times(7.0).units(), 3 * ONE);
        let lowest = (0..9).fold(score, |score, _| score.less(f64::MAX));
        assert_eq!(lowest.clone().times(1.0).units(), lowest.units());
    }

    #[test]
    fn private_values_are_not_printed() {
        let counts = Counts::from_exact(vec![4711, 4712]);
        assert_eq!(format!("{counts:?}"), "Counts(2 cells)");
        assert_eq!(
            format!("{:?}", counts.l1_distance(&[0.0, 0.0])),
            "Score(..)"
        );
        assert_eq!(
            format!("{:?}", KeyCounts::from_exact(vec![4711])),
            "KeyCounts(..)"
        );
    }

    #[test]
    fn a_signed_sum_is_the_difference_of_two_groups_of_cells() {
        let counts = Counts::from_exact(vec![7, 2, 40, 1]);
        assert_eq!(counts.signed_sum(&[1, -1, 0, 1]).units(), 6 * ONE);
        let many = Counts::from_exact(vec![u32::MAX; 1 << 11]);
        assert_eq!(many.signed_sum(&[-1; 1 << 11]).units(), -Score::LARGEST);
    }

    #[test]
    #[should_panic(expected = "a larger sign")]
    fn a_weight_beyond_a_sign_is_a_bug() {
        Counts::from_exact(vec![1]).signed_sum(&[2]);
    }

    #[test]
    fn merging_adds_up_cells() {
        let merged = Counts::from_exact(vec![1, 2, 3, u32::MAX]).merge_cells(&[2, 0, 2, 0], 3);
        assert_eq!(merged.dangerous_reveal(), [u32::MAX, 0, 4]);
    }

    #[test]
    #[should_panic(expected = "as many cells")]
    fn a_model_of_another_shape_is_a_bug() {
        Counts::from_exact(vec![1]).l1_distance(&[1.0, 2.0]);
    }

    fn any_model() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<f64>(),
            -10.0..50.0,
            Just(f64::NAN),
            Just(f64::INFINITY),
            1e11..1e13
        ]
    }

    proptest! {
        #[test]
        fn one_row_moves_a_score_by_at_most_exactly_1(
            cells in prop::collection::vec((0..40_u32, any_model()), 1..12),
            at in any::<prop::sample::Index>(),
            amount in any_model(),
            share in prop_oneof![0.0..=1.0, Just(1.0), any_model()],
        ) {
            let (mut counts, model): (Vec<u32>, Vec<f64>) = cells.into_iter().unzip();
            let units = |counts| {
                let distance = Counts::from_exact(counts).l1_distance(&model);
                distance.less(amount).times(share).units()
            };
            let before = units(counts.clone());
            let at = at.index(counts.len());
            counts[at] += 1;
            let after = units(counts);
            prop_assert!(before.abs_diff(after) <= ONE as u64);
        }

        #[test]
        fn one_row_moves_a_signed_sum_by_at_most_exactly_1(
            cells in prop::collection::vec(
                (prop_oneof![0..40_u32, Just(u32::MAX - 1)], -1..=1_i8),
                1..12,
            ),
            at in any::<prop::sample::Index>(),
        ) {
            let (mut counts, signs): (Vec<u32>, Vec<i8>) = cells.into_iter().unzip();
            let before = Counts::from_exact(counts.clone()).signed_sum(&signs).units();
            let at = at.index(counts.len());
            counts[at] += 1;
            let after = Counts::from_exact(counts).signed_sum(&signs).units();
            prop_assert_eq!(after - before, i64::from(signs[at]) * ONE);
        }

        #[test]
        fn one_row_changes_one_merged_cell_by_at_most_1(
            cells in prop::collection::vec(
                (prop_oneof![0..40_u32, Just(u32::MAX - 1)], 0..4_u32),
                1..12,
            ),
            at in any::<prop::sample::Index>(),
        ) {
            let (mut counts, map): (Vec<u32>, Vec<u32>) = cells.into_iter().unzip();
            let before = Counts::from_exact(counts.clone()).merge_cells(&map, 4).dangerous_reveal();
            let at = at.index(counts.len());
            counts[at] += 1;
            let after = Counts::from_exact(counts).merge_cells(&map, 4).dangerous_reveal();
            let differences: Vec<u32> = before.iter().zip(&after).map(|(a, b)| b - a).collect();
            prop_assert!(differences.iter().sum::<u32>() <= 1, "{:?}", differences);
        }
    }
}
