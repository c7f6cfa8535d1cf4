//! Ordered values cut into bins.

use std::fmt;

use crate::day::Day;
use crate::moment::Moment;

/// Where an ordered column begins and ends, and how it is cut into bins.
#[derive(Debug, Clone, PartialEq)]
pub struct Range<T> {
    /// The smallest value, itself within the range.
    pub min: T,
    /// The largest value, itself within the range.
    pub max: T,
    /// How the values between are put together.
    pub bins: Bins<T>,
}

/// How many bins a range is cut into when the declaration does not say.
pub const DEFAULT_BINS: u32 = 32;

/// How an ordered column is cut into bins.
#[derive(Debug, Clone, PartialEq)]
pub enum Bins<T> {
    /// This many bins of equal width. A range of no more whole numbers or days than that gets one
    /// bin for each value.
    Uniform(u32),
    /// This many bins of about equal mass, found under differential privacy after the join. Until
    /// then the column is held on a uniform grid of [`FINE_CELLS`] cells.
    Quantile(u32),
    /// Bins that begin at these values, ascending and above `min`; the first begins at `min`.
    Cuts(Vec<T>),
}

/// Cells of the uniform grid from which equal-mass bins are put together.
pub const FINE_CELLS: u32 = 1024;

/// The values an ordered column can hold: whole numbers, numbers, days, moments, and nothing else.
pub trait Ordered: Copy + PartialOrd + fmt::Display + sealed::Sealed {
    /// Starts of at most `bins` bins of equal width from `min` to `max`, ascending, the first at
    /// `min`.
    fn uniform_starts(min: Self, max: Self, bins: u32) -> Vec<Self>;
    /// False for what cannot bound a range.
    fn is_finite(self) -> bool {
        true
    }
    /// The next smaller value, if there is one.
    fn before(self) -> Option<Self>;
    /// The next larger value, if there is one.
    fn after(self) -> Option<Self>;
    /// How far it is above another value; in days and seconds for dates and times.
    fn above(self, other: Self) -> f64;
    /// The same roughly and quickly, for a value above the other.
    #[doc(hidden)]
    fn roughly_above(self, other: Self) -> f64;
    /// Whether a range may consist of a single value.
    const SINGLE_VALUE: bool;
}

mod sealed {
    use crate::day::Day;
    use crate::moment::Moment;

    pub trait Sealed {}

    impl Sealed for i64 {}
    impl Sealed for f64 {}
    impl Sealed for Day {}
    impl Sealed for Moment {}
}

impl Ordered for i64 {
    const SINGLE_VALUE: bool = true;

    fn uniform_starts(min: i64, max: i64, bins: u32) -> Vec<i64> {
        // In 128 bits: the whole range of 64 bits has 2^64 values.
        let values = i128::from(max) - i128::from(min) + 1;
        let bins = values.min(i128::from(bins));
        (0..bins)
            .map(|i| {
                let start = i128::from(min) + i * values / bins;
                i64::try_from(start).expect("a start lies between min and max")
            })
            .collect()
    }

    fn above(self, other: i64) -> f64 {
        let distance = i128::from(self) - i128::from(other);
        #[expect(clippy::cast_precision_loss, reason = "to be shown to a person")]
        let distance = distance as f64;
        distance
    }

    #[inline]
    fn roughly_above(self, other: i64) -> f64 {
        // Below 2^64, as the value is above the other.
        #[expect(clippy::cast_precision_loss, reason = "roughly")]
        let distance = self.wrapping_sub(other).cast_unsigned() as f64;
        distance
    }

    fn before(self) -> Option<i64> {
        self.checked_sub(1)
    }

    fn after(self) -> Option<i64> {
        self.checked_add(1)
    }
}

impl Ordered for Day {
    const SINGLE_VALUE: bool = true;

    fn uniform_starts(min: Day, max: Day, bins: u32) -> Vec<Day> {
        i64::uniform_starts(min.number().into(), max.number().into(), bins)
            .into_iter()
            .map(|day| Day::from_number(day).expect("a start lies between min and max"))
            .collect()
    }

    fn above(self, other: Day) -> f64 {
        i64::from(self.number()).above(other.number().into())
    }

    #[inline]
    fn roughly_above(self, other: Day) -> f64 {
        f64::from(self.number() - other.number())
    }

    fn before(self) -> Option<Day> {
        Day::from_number(i64::from(self.number()) - 1)
    }

    fn after(self) -> Option<Day> {
        Day::from_number(i64::from(self.number()) + 1)
    }
}

impl Ordered for Moment {
    const SINGLE_VALUE: bool = true;

    fn uniform_starts(min: Moment, max: Moment, bins: u32) -> Vec<Moment> {
        i64::uniform_starts(min.number(), max.number(), bins)
            .into_iter()
            .map(|second| Moment::from_number(second).expect("a start lies between min and max"))
            .collect()
    }

    fn above(self, other: Moment) -> f64 {
        self.number().above(other.number())
    }

    #[inline]
    fn roughly_above(self, other: Moment) -> f64 {
        self.number().roughly_above(other.number())
    }

    fn before(self) -> Option<Moment> {
        Moment::from_number(self.number() - 1)
    }

    fn after(self) -> Option<Moment> {
        Moment::from_number(self.number() + 1)
    }
}

impl Ordered for f64 {
    const SINGLE_VALUE: bool = false;

    fn uniform_starts(min: f64, max: f64, bins: u32) -> Vec<f64> {
        let mut starts: Vec<f64> = (0..bins)
            .map(|i| {
                let t = f64::from(i) / f64::from(bins);
                // Not `min + t * (max - min)`: the difference of two finite numbers can be
                // infinite.
                min * (1.0 - t) + max * t
            })
            .collect();
        // A range of few representable numbers has fewer bins.
        starts.dedup_by(|later, earlier| *later <= *earlier);
        starts
    }

    fn is_finite(self) -> bool {
        self.is_finite()
    }

    fn above(self, other: f64) -> f64 {
        self - other
    }

    #[inline]
    fn roughly_above(self, other: f64) -> f64 {
        self - other
    }

    fn before(self) -> Option<f64> {
        Some(self.next_down()).filter(|value| value.is_finite())
    }

    fn after(self) -> Option<f64> {
        Some(self.next_up()).filter(|value| value.is_finite())
    }
}

/// A checked range with the start of each bin worked out. Code `i` stands for the values from
/// `start(i)` to just below `start(i + 1)`; the last bin includes `max`.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid<T> {
    range: Range<T>,
    starts: Vec<T>,
    /// Bins in each unit of the range, where they have the same width; else 0.
    density: f64,
}

/// What can be wrong with a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// `min` or `max` is infinite or not a number.
    #[error("`min` and `max` must be finite numbers")]
    NotFinite,
    /// `min` is above `max`, or equals it though a single number has no width.
    #[error("`min` must be below `max`")]
    Empty,
    /// The range is to be cut into 0 bins.
    #[error("`bins` must be at least 1")]
    NoBins,
    /// The cuts do not ascend, or one of them is not above `min` or is above `max`.
    #[error("`cuts` must ascend, above `min` and not above `max`")]
    CutsNotAscending,
}

impl<T: Ordered> Grid<T> {
    /// Checks a range and works out where its bins begin. How many bins a range may have is not
    /// checked; the place that is taken grows with them.
    ///
    /// # Errors
    /// If the range makes no sense.
    pub fn new(range: Range<T>) -> Result<Self, RangeError> {
        let Range { min, max, .. } = range;
        if !min.is_finite() || !max.is_finite() {
            return Err(RangeError::NotFinite);
        }
        if !(min < max || T::SINGLE_VALUE && min == max) {
            return Err(RangeError::Empty);
        }
        let starts = match &range.bins {
            Bins::Uniform(0) | Bins::Quantile(0) => return Err(RangeError::NoBins),
            Bins::Uniform(bins) => T::uniform_starts(min, max, *bins),
            // Never fewer cells than bins are wanted, or some could not be found.
            Bins::Quantile(bins) => T::uniform_starts(min, max, FINE_CELLS.max(*bins)),
            Bins::Cuts(cuts) => {
                let starts: Vec<T> = std::iter::once(min).chain(cuts.iter().copied()).collect();
                let ascending = starts.windows(2).all(|pair| pair[0] < pair[1]);
                let within = starts.iter().all(|start| *start <= max);
                if !(ascending && within) {
                    return Err(RangeError::CutsNotAscending);
                }
                starts
            }
        };
        let density = match range.bins {
            Bins::Uniform(_) | Bins::Quantile(_) => density(&starts, max),
            Bins::Cuts(_) => 0.0,
        };
        Ok(Self {
            range,
            starts,
            density,
        })
    }

    /// The range as declared or discovered.
    #[must_use]
    pub fn range(&self) -> &Range<T> {
        &self.range
    }

    /// Number of bins, which is the number of codes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a grid has at least one bin")]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Where the bin begins; `bin` is below [`len`](Self::len).
    #[must_use]
    pub fn start(&self, bin: usize) -> T {
        self.starts[bin]
    }

    /// Where the next bin begins, or `max` for the last one.
    #[must_use]
    pub fn end(&self, bin: usize) -> T {
        self.starts.get(bin + 1).copied().unwrap_or(self.range.max)
    }

    /// The bin a value falls into, and whether it had to be moved to the nearest bound first.
    #[inline]
    #[must_use]
    pub fn bin(&self, value: T) -> (usize, bool) {
        if value < self.range.min {
            (0, true)
        } else if value > self.range.max {
            (self.starts.len() - 1, true)
        } else {
            (self.bin_within(value), false)
        }
    }

    #[inline]
    fn bin_within(&self, value: T) -> usize {
        if self.density > 0.0 {
            let steps = value.roughly_above(self.range.min) * self.density;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "from zero to about the number of bins"
            )]
            let guess = (steps as usize).min(self.starts.len() - 1);
            // Nearly always right; what rounding did to it is seen by the starts themselves.
            let below = self.starts[guess] <= value;
            if below && self.starts.get(guess + 1).is_none_or(|next| value < *next) {
                return guess;
            }
        }
        self.starts[1..].partition_point(|start| *start <= value)
    }

    /// How many equal-mass bins are still to be found, if they are.
    pub(crate) fn wanted_quantiles(&self) -> Option<u32> {
        match self.range.bins {
            Bins::Quantile(bins) => Some(bins),
            Bins::Uniform(_) | Bins::Cuts(_) => None,
        }
    }

    /// The same range with bins that begin at these bins of the present grid (ascending, without
    /// 0).
    pub(crate) fn merged(&self, first_bins: &[usize]) -> Self {
        let cuts: Vec<T> = first_bins.iter().map(|&bin| self.starts[bin]).collect();
        Self {
            starts: std::iter::once(self.range.min)
                .chain(cuts.iter().copied())
                .collect(),
            range: Range {
                bins: Bins::Cuts(cuts),
                ..self.range.clone()
            },
            density: 0.0,
        }
    }
}

/// Bins in each unit of a range that ends at `max`, if that is a number.
#[expect(clippy::cast_precision_loss, reason = "a guess is made of it")]
fn density<T: Ordered>(starts: &[T], max: T) -> f64 {
    // Whole numbers and days fill a range from its first to its last: one more than lies between.
    let ends = max.after().unwrap_or(max);
    let density = starts.len() as f64 / ends.roughly_above(starts[0]);
    if density.is_finite() { density } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn uniform<T: Ordered>(min: T, max: T, bins: u32) -> Grid<T> {
        Grid::new(Range {
            min,
            max,
            bins: Bins::Uniform(bins),
        })
        .unwrap()
    }

    #[test]
    fn few_whole_numbers_get_one_bin_each() {
        let grid = uniform(3, 7, 32);
        assert_eq!(grid.starts, [3, 4, 5, 6, 7]);
        assert_eq!(uniform(i64::MIN, i64::MAX, 2).starts, [i64::MIN, 0]);
        assert_eq!(uniform(5, 5, 32).starts, [5]);
    }

    #[test]
    fn values_outside_go_to_the_nearest_bound() {
        let grid = uniform(0, 120, 32);
        assert_eq!(grid.bin(-1), (0, true));
        assert_eq!(grid.bin(0), (0, false));
        assert_eq!(grid.bin(120), (31, false));
        assert_eq!(grid.bin(121), (31, true));
        let grid = uniform(0.0, 1.0, 4);
        assert_eq!(grid.bin(1.0), (3, false));
        assert_eq!(grid.bin(0.25), (1, false));
        assert_eq!(grid.bin(1e9), (3, true));
    }

    #[test]
    fn ranges_that_make_no_sense_are_refused() {
        let check = |min: f64, max: f64, bins: Bins<f64>| Grid::new(Range { min, max, bins }).err();
        assert_eq!(
            check(0.0, f64::INFINITY, Bins::Uniform(2)),
            Some(RangeError::NotFinite)
        );
        assert_eq!(
            check(f64::NAN, 1.0, Bins::Uniform(2)),
            Some(RangeError::NotFinite)
        );
        assert_eq!(check(1.0, 1.0, Bins::Uniform(2)), Some(RangeError::Empty));
        assert_eq!(check(2.0, 1.0, Bins::Uniform(2)), Some(RangeError::Empty));
        assert_eq!(check(0.0, 1.0, Bins::Uniform(0)), Some(RangeError::NoBins));
        assert_eq!(
            check(0.0, 1.0, Bins::Cuts(vec![0.5, 0.4])),
            Some(RangeError::CutsNotAscending)
        );
        assert_eq!(
            check(0.0, 1.0, Bins::Cuts(vec![0.0])),
            Some(RangeError::CutsNotAscending)
        );
        assert_eq!(
            check(0.0, 1.0, Bins::Cuts(vec![2.0])),
            Some(RangeError::CutsNotAscending)
        );
        assert_eq!(
            check(0.0, 1.0, Bins::Cuts(vec![f64::NAN])),
            Some(RangeError::CutsNotAscending)
        );
    }

    proptest! {
        #[test]
        fn every_whole_number_lies_in_its_bin(
            min: i64,
            width in 0i64..1_000_000,
            bins in 1u32..100,
            at in 0.0..=1.0,
        ) {
            let max = min.saturating_add(width);
            let grid = uniform(min, max, bins);
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a \
                value in the range")]
            let value = min + ((max - min) as f64 * at) as i64;
            let (bin, moved) = grid.bin(value);
            prop_assert!(!moved);
            prop_assert_eq!(bin, grid.starts[1..].partition_point(|start| *start <= value));
            prop_assert!(grid.start(bin) <= value);
            prop_assert!(value < grid.end(bin) || bin + 1 == grid.len());
        }

        #[test]
        fn every_number_lies_in_its_bin(
            min in prop_oneof![-1e3f64..1e3, any::<f64>()],
            width in prop_oneof![1e-9f64..1e3, Just(f64::MAX)],
            bins in 1u32..2_000,
            at in 0.0..=1.0,
        ) {
            let max = min + width;
            prop_assume!(min.is_finite() && max.is_finite() && min < max);
            let grid = uniform(min, max, bins);
            let between: f64 = min * (1.0 - at) + max * at;
            for value in [between.clamp(min, max), min, max, grid.start(grid.len() / 2)] {
                let expected = grid.starts[1..].partition_point(|start| *start <= value);
                prop_assert_eq!(grid.bin(value), (expected, false));
            }
        }

        #[test]
        fn every_day_lies_in_its_bin(
            first in -700_000i64..0,
            days in 0i64..20_000,
            bins in 1u32..500,
            at in 0i64..20_000,
        ) {
            let day = |number: i64| Day::from_number(number).unwrap();
            let grid = uniform(day(first), day(first + days), bins);
            let value = day(first + at.min(days));
            let expected = grid.starts[1..].partition_point(|start| *start <= value);
            prop_assert_eq!(grid.bin(value), (expected, false));
        }
    }
}
