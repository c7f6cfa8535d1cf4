use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::gaussian::RoundedGaussian;
use crate::ledger::saturating_sum;
use crate::rng::NoiseRng;

// No Clone, no Serialize, no accessor outside this crate, as for counts.
/// The exact, unreleased sum over rows of clipped gradients, in whole units.
///
/// Whoever makes one vouches that adding or removing one row adds or removes one vector whose L2
/// norm is at most [`GradientSum::NORM`], which depends on that row and on public facts alone, and
/// that one id has at most as many rows as the [`Ledger`](crate::Ledger) was told. Only
/// [`PaidGradients`] turns it into something to show; the values are overwritten on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct GradientSum {
    units: Vec<i64>,
}

impl GradientSum {
    /// The largest norm of one row's gradient, in units: what gradients are clipped to.
    pub const NORM: i64 = 1 << Self::NORM_BITS;
    pub(crate) const NORM_BITS: u32 = 20;

    /// Takes the sums, one per coordinate. They were added up as integers: a sum of floats depends
    /// on its order, and one row could move it by more than its own gradient.
    pub fn from_exact(units: Vec<i64>) -> Self {
        Self { units }
    }

    /// The number of coordinates, which is public.
    pub fn len(&self) -> usize {
        self.units.len()
    }

    /// Whether there is no coordinate at all.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }
}

impl fmt::Debug for GradientSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GradientSum({} coordinates)", self.units.len())
    }
}

/// Noise for a fixed number of gradient sums, which
/// [`Ledger::open_gradients`](crate::Ledger::open_gradients) has charged before the first is drawn.
///
/// It can be neither cloned nor made otherwise: no more sums are released than were paid for.
#[derive(Debug)]
pub struct PaidGradients {
    noise: RoundedGaussian,
    coordinates: usize,
    left: u32,
}

impl PaidGradients {
    pub(crate) fn new(noise: RoundedGaussian, coordinates: usize, steps: u32) -> Self {
        Self {
            noise,
            coordinates,
            left: steps,
        }
    }

    /// How many sums can still be released.
    pub fn left(&self) -> u32 {
        self.left
    }

    /// Adds independent, exactly drawn Gaussian noise to each coordinate. In shares of the largest
    /// norm: 1 is [`GradientSum::NORM`].
    ///
    /// Each sum may be of gradients at parameters that the sums before led to.
    ///
    /// # Panics
    /// If no sum is left, or it has another number of coordinates than was paid for.
    pub fn release(&mut self, sum: &GradientSum, rng: &mut NoiseRng) -> Vec<f64> {
        assert_eq!(
            sum.len(),
            self.coordinates,
            "a gradient has the coordinates that were paid for"
        );
        self.left = self
            .left
            .checked_sub(1)
            .expect("no more gradients are released than were paid for");
        #[expect(clippy::cast_precision_loss, reason = "what is noisy may be rounded")]
        let value = |units: i64| units as f64 / GradientSum::NORM as f64;
        sum.units
            .iter()
            .map(|&units| value(saturating_sum(units, self.noise.sample(rng))))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Accounting, Delta, Epsilon, Ledger, LedgerError, LedgerOptions, Mechanism};

    use super::*;

    fn ledger() -> Ledger {
        let (epsilon, delta) = (Epsilon::new(1.0).unwrap(), Delta::new(1e-6).unwrap());
        Ledger::open(LedgerOptions::new(epsilon, delta, Accounting::Gdp)).unwrap()
    }

    #[test]
    fn a_sum_is_released_with_the_noise_that_is_recorded() {
        let mut ledger = ledger();
        let rho = ledger.total().share(1, 2);
        let mut paid = ledger.open_gradients("steps", 3000, 4, rho).unwrap();
        let (mut rng, mut squares) = (NoiseRng::dangerous_from_seed(1), 0.0);
        let sum = GradientSum::from_exact(vec![7 * GradientSum::NORM; 3000]);
        for left in (0..4).rev() {
            let noisy = paid.release(&sum, &mut rng);
            squares += noisy.iter().map(|x| (x - 7.0).powi(2)).sum::<f64>();
            assert_eq!(paid.left(), left);
        }
        let record = ledger.close();
        record.check().unwrap();
        let Mechanism::GaussianGradients { sigma, .. } = *record.entries()[0].mechanism() else {
            panic!("{record:?}");
        };
        // Four sums for rho together: each costs 1 / (2 sigma^2).
        assert!((4.0 / (2.0 * sigma * sigma) / rho.get() - 1.0).abs() < 1e-9);
        let drawn = (squares / 12_000.0).sqrt();
        assert!((drawn / sigma - 1.0).abs() < 0.03, "{drawn} {sigma}");
    }

    #[test]
    #[should_panic(expected = "no more gradients are released than were paid for")]
    fn no_more_sums_are_released_than_were_paid_for() {
        let mut ledger = ledger();
        let rho = ledger.total();
        let mut paid = ledger.open_gradients("steps", 1, 1, rho).unwrap();
        let mut rng = NoiseRng::dangerous_from_seed(1);
        for _ in 0..2 {
            paid.release(&GradientSum::from_exact(vec![1]), &mut rng);
        }
    }

    #[test]
    fn what_the_budget_does_not_cover_and_steps_of_nothing_are_refused() {
        let mut ledger = ledger();
        let rho = ledger.total();
        assert!(matches!(
            ledger.open_gradients("steps", 1, 0, rho),
            Err(LedgerError::NoCandidate { .. })
        ));
        ledger.open_gradients("steps", 1, 1, rho).unwrap();
        assert!(ledger.open_gradients("steps", 1, 1, rho).is_err());
    }

    #[test]
    fn private_values_are_not_printed() {
        let sum = GradientSum::from_exact(vec![4711]);
        assert_eq!(format!("{sum:?}"), "GradientSum(1 coordinates)");
    }
}
