//! Whether a count is large enough, told under the budget as a yes or a no.

use std::num::NonZeroU32;

use crate::counts::Counts;
use crate::ledger::{Ledger, LedgerError};
use crate::parameters::Delta;
use crate::record::sigma_of_counts;
use crate::rho::Rho;
use crate::rng::NoiseRng;
use crate::threshold::threshold;

/// A test of whether a count reaches a least number, which says yes or no.
///
/// The count gets the noise of [`Ledger::measure`], and passes if what comes out reaches a
/// threshold: as high as it can be so that a count of the least number fails with a probability of
/// at most [`ERROR`](Self::ERROR), and never so low that a count of 0 passes with more. Between the
/// two, a count passes with a probability that rises with it. Threshold and noise follow from
/// public facts alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CountTest {
    least: NonZeroU32,
    rows_per_id: NonZeroU32,
    rho: Rho,
    threshold: i64,
}

impl CountTest {
    /// The most that the probability of either error may be, for one test: three tests together
    /// let a count of 0 pass in fewer than one of a hundred cases.
    pub const ERROR: f64 = 1.0 / 300.0;

    /// Standard deviations beyond which a normal distribution has less than [`Self::ERROR`].
    const DEVIATIONS: f64 = 2.714;

    /// A test that costs this rho, of a count that one id changes by at most `rows_per_id`; `None`
    /// if its noise is too large for so small a number.
    pub fn costing(rho: Rho, least: NonZeroU32, rows_per_id: NonZeroU32) -> Option<Self> {
        let beyond = noise_at_most(rho, rows_per_id)?;
        // The count of the least number fails if noise takes more than `beyond` away from it.
        let threshold = i64::from(least.get()).checked_sub(beyond)?;
        (threshold > beyond).then_some(Self {
            least,
            rows_per_id,
            rho,
            threshold,
        })
    }

    /// A test that costs one part in `parts` of all that a ledger has, or as much more as it takes;
    /// `None` if the whole of it would not do.
    pub fn taking(parts: u32, least: NonZeroU32, ledger: &Ledger) -> Option<Self> {
        let needed = Self::least_cost(least, ledger.rows_per_id());
        let needed = Rho::rounded_up(needed)?.max(ledger.total().share(1, parts));
        let test = Self::costing(needed, least, ledger.rows_per_id())?;
        (needed <= ledger.total()).then_some(test)
    }

    /// The rho that such a test costs at least. It may be more than there can be.
    pub fn least_cost(least: NonZeroU32, rows_per_id: NonZeroU32) -> f64 {
        // Noise is rounded, so that half a row more is as good.
        let beyond = f64::from((least.get() - 1) / 2) + 0.5;
        let sigma_of_one = beyond / Self::DEVIATIONS / f64::from(rows_per_id.get());
        1.0 / (2.0 * sigma_of_one.powi(2))
    }

    /// The smallest number that can be tested for this rho; `None` if that is beyond 2^32.
    pub fn least_number(rho: Rho, rows_per_id: NonZeroU32) -> Option<NonZeroU32> {
        let beyond = u32::try_from(noise_at_most(rho, rows_per_id)?).ok()?;
        NonZeroU32::new(beyond.checked_mul(2)?.checked_add(1)?)
    }

    /// The number that is to be reached.
    pub fn least(&self) -> NonZeroU32 {
        self.least
    }

    /// What one test costs.
    pub fn rho(&self) -> Rho {
        self.rho
    }

    /// What the noisy count must reach.
    pub fn threshold(&self) -> i64 {
        self.threshold
    }

    /// Standard deviation of the noise, before it is rounded.
    pub fn sigma(&self) -> f64 {
        sigma_of_counts(self.rho, self.rows_per_id.get())
    }

    /// Tests a count, which is the only cell, and spends what that costs. Only the answer leaves,
    /// and it is paid for as the noisy count would be.
    ///
    /// # Errors
    /// As [`Ledger::measure`]; nothing was drawn then.
    ///
    /// # Panics
    /// If there is not exactly one cell, or the ledger is for more rows per id than the test.
    pub fn passes(
        &self,
        label: &str,
        count: &Counts,
        ledger: &mut Ledger,
        rng: &mut NoiseRng,
    ) -> Result<bool, LedgerError> {
        assert_eq!(count.len(), 1, "one count is tested");
        assert!(
            ledger.rows_per_id() <= self.rows_per_id,
            "the threshold is for the noise that is drawn"
        );
        let noisy = ledger.measure(label, count, self.rho, rng)?;
        Ok(noisy.values()[0] >= self.threshold)
    }
}

/// What noise of this cost exceeds with a probability of at most [`CountTest::ERROR`].
fn noise_at_most(rho: Rho, rows_per_id: NonZeroU32) -> Option<i64> {
    let error = Delta::new(CountTest::ERROR).expect("between 0 and 1");
    threshold(sigma_of_counts(rho, rows_per_id.get()), 1, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// P[Z > x] by Simpson's rule over 12 more standard deviations, in 20,000 steps.
    fn exact_tail(x: f64) -> f64 {
        let step = 12.0 / 20_000.0;
        let density = |i: u32| (-(x + step * f64::from(i)).powi(2) / 2.0).exp();
        let weight = |i: u32| match i {
            0 | 20_000 => 1.0,
            i => 2.0 + 2.0 * f64::from(i % 2),
        };
        let sum: f64 = (0..=20_000).map(|i| weight(i) * density(i)).sum();
        sum * step / 3.0 / (2.0 * std::f64::consts::PI).sqrt()
    }

    /// The probability that this count passes, in closed form: rounding shifts it by half a row.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    fn passes(test: &CountTest, count: u32) -> f64 {
        let deviations = (test.threshold() as f64 - 0.5 - f64::from(count)) / test.sigma();
        match deviations >= 0.0 {
            true => exact_tail(deviations),
            false => 1.0 - exact_tail(-deviations),
        }
    }

    fn number(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    fn units_above(rho: f64) -> Rho {
        Rho::rounded_up(rho).unwrap()
    }

    #[test]
    fn an_empty_count_passes_rarely_and_the_least_number_fails_rarely() {
        for rows in [1, 3, 50] {
            for least in [10 * rows, 101 * rows, 1_000 * rows, 20_000 * rows] {
                let cheapest = CountTest::least_cost(number(least), number(rows));
                for rho in [1.0, 1.5, 30.0].map(|times| units_above(times * cheapest)) {
                    let test = CountTest::costing(rho, number(least), number(rows)).unwrap();
                    let (empty, full) = (passes(&test, 0), passes(&test, least));
                    assert!(empty <= CountTest::ERROR, "{test:?}: {empty}");
                    assert!(1.0 - full <= CountTest::ERROR, "{test:?}: {full}");
                    // As high as it can be: one more row would fail too many.
                    let next = CountTest {
                        threshold: test.threshold + 1,
                        ..test
                    };
                    assert!(1.0 - passes(&next, least) > CountTest::ERROR, "{test:?}");
                }
            }
        }
    }

    #[test]
    fn what_a_test_costs_at_least_is_hardly_more_than_it_must() {
        for (least, rows) in [(1, 1), (2, 1), (30, 1), (1_000, 4), (1_000_000, 1)] {
            let (least, rows) = (number(least), number(rows));
            let cost = CountTest::least_cost(least, rows);
            assert!(
                CountTest::costing(units_above(cost), least, rows).is_some(),
                "{cost}"
            );
            let less = CountTest::costing(units_above(cost * 0.99), least, rows);
            assert_eq!(less, None, "{least} of {rows}");
        }
    }

    #[test]
    fn the_least_number_for_a_cost_is_the_least() {
        for (cost, rows) in [(1e-4, 1), (3e-5, 2), (2e-6, 1)] {
            let (rho, rows) = (units_above(cost), number(rows));
            let least = CountTest::least_number(rho, rows).unwrap();
            assert!(CountTest::costing(rho, least, rows).is_some());
            let less = number(least.get() - 1);
            assert_eq!(CountTest::costing(rho, less, rows), None);
        }
        assert_eq!(CountTest::least_number(Rho::ZERO, number(1)), None);
    }
}
