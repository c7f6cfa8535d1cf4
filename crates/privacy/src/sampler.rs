//! Exact integer noise after CKS20, algorithms 1 to 3, over dyadic rationals in 128-bit integers.
//!
//! No floating point takes part. All denominators are powers of two, for which the three algorithms
//! are rearranged (each departure is stated where it happens); the distributions are unchanged.

use crate::rng::NoiseRng;
use crate::{Epsilon, Rho};

/// The geometric parts of the samplers end here, so that what follows fits in its integers. A draw
/// gets so far with probability exp(-2^32), which nobody will see; the loop would take seconds.
const GEOMETRIC_LIMIT: u64 = 1 << 32;

/// True with probability exp(-gamma), gamma = numerator / 2^bits, bits <= 64: CKS20, algorithm 1.
///
/// Leaves at the first failure, after 1.6 rounds on average, however large gamma is.
pub(crate) fn bernoulli_exp(rng: &mut NoiseRng, numerator: u128, bits: u32) -> bool {
    let whole = numerator.checked_shr(bits).unwrap_or(0);
    let fraction = numerator - (whole << bits);
    let fraction = u64::try_from(fraction).expect("a remainder modulo 2^bits is below 2^64");
    for _ in 0..whole {
        if !bernoulli_exp_minus_one(rng) {
            return false;
        }
    }
    bernoulli_exp_fraction(rng, fraction, bits)
}

/// For gamma below 1. The first k = 1, 2, ... at which Bernoulli(gamma / k) fails is odd with
/// probability exp(-gamma).
///
/// Departure: Bernoulli(gamma / k) is drawn as the conjunction of the independent Bernoulli(gamma)
/// and Bernoulli(1 / k), which needs no product of k and the denominator. k cannot overflow: it
/// reaches n with probability below 1 / n!.
fn bernoulli_exp_fraction(rng: &mut NoiseRng, numerator: u64, bits: u32) -> bool {
    let mut k = 1;
    while rng.bits(bits) < numerator && rng.below(k) == 0 {
        k += 1;
    }
    k % 2 == 1
}

/// The same for gamma = 1, where Bernoulli(gamma) always succeeds.
fn bernoulli_exp_minus_one(rng: &mut NoiseRng) -> bool {
    let mut k = 1;
    // Von Neumann's trick: with gamma = 1 only the draws of 1 / k are left.
    while rng.below(k) == 0 {
        k += 1;
    }
    k % 2 == 1
}

/// How often in a row Bernoulli(exp(-1)) succeeds; at most `GEOMETRIC_LIMIT`.
fn geometric(rng: &mut NoiseRng) -> u64 {
    let mut successes = 0;
    // A bound on time only: see GEOMETRIC_LIMIT.
    while successes < GEOMETRIC_LIMIT && bernoulli_exp_minus_one(rng) {
        successes += 1;
    }
    successes
}

/// An integer x >= 0 with probability proportional to exp(-x / 2^bits), bits <= 32: the inner part
/// of CKS20, algorithm 2. Below (2^32 + 1) 2^bits <= 2^65.
fn dyadic_geometric(rng: &mut NoiseRng, bits: u32) -> u128 {
    loop {
        // Low bits are uniform and accepted with exp(-low / 2^bits); the whole part is geometric.
        // Together they are exp(-x / 2^bits).
        let low = rng.bits(bits);
        if bernoulli_exp_fraction(rng, low, bits) {
            return (u128::from(geometric(rng)) << bits) + u128::from(low);
        }
    }
}

/// The discrete Laplace distribution: y with probability proportional to exp(-lambda |y|), for
/// lambda = units / 2^32 and units >= 1. Integers of which one id moves the sum by at most
/// `sensitivity` get epsilon-differential privacy for epsilon = sensitivity lambda.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DiscreteLaplace {
    units: u64,
    sensitivity: u32,
}

impl DiscreteLaplace {
    const LAMBDA_BITS: u32 = 32;
    /// An epsilon of 256, far beyond any ledger.
    const LARGEST_UNITS: f64 = (1_u64 << 40) as f64;

    /// Lambda is epsilon / sensitivity, rounded down to whole units; none if nothing is left.
    pub(crate) fn at_most(epsilon: Epsilon, sensitivity: u32) -> Option<Self> {
        let units = (epsilon.get() * (1_u64 << Self::LAMBDA_BITS) as f64).min(Self::LARGEST_UNITS);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "above 0 and at most 2^40; the fraction is dropped"
        )]
        // Rounded down: a smaller lambda is more noise, never less than was promised.
        let units = units as u64 / u64::from(sensitivity);
        (units > 0).then_some(Self { units, sensitivity })
    }

    /// Exact: at most 41 bits.
    pub(crate) fn epsilon(self) -> f64 {
        self.in_numbers(self.epsilon_units())
    }

    /// The inverse of the scale; exact.
    pub(crate) fn lambda(self) -> f64 {
        self.in_numbers(self.units)
    }

    fn epsilon_units(self) -> u64 {
        self.units * u64::from(self.sensitivity)
    }

    #[expect(clippy::cast_precision_loss, reason = "at most 41 bits")]
    fn in_numbers(self, units: u64) -> f64 {
        units as f64 / (1_u64 << Self::LAMBDA_BITS) as f64
    }

    /// epsilon^2 / 2, rounded up to units; none if beyond [`Rho::MAX`].
    pub(crate) fn rho(self) -> Option<Rho> {
        // (units 2^-32)^2 / 2 in units of 2^-48.
        // Rounded up: what is charged is never less than what is drawn costs.
        Rho::from_units(
            u128::from(self.epsilon_units())
                .pow(2)
                .div_ceil(1 << (2 * Self::LAMBDA_BITS + 1 - Rho::UNIT_BITS)),
        )
    }

    /// CKS20, algorithm 2, with scale t / s = 2^32 / units. The quotient is at most 2^65 / units,
    /// beyond 2^62 only if units < 8 and the geometric part beyond 2^29: clamped there.
    pub(crate) fn sample(self, rng: &mut NoiseRng) -> i64 {
        loop {
            let magnitude = dyadic_geometric(rng, Self::LAMBDA_BITS) / u128::from(self.units);
            let negative = rng.bits(1) == 1;
            if negative && magnitude == 0 {
                continue; // 0 would otherwise be counted twice
            }
            return signed(magnitude, negative);
        }
    }
}

fn signed(magnitude: u128, negative: bool) -> i64 {
    let magnitude = i64::try_from(magnitude).unwrap_or(i64::MAX).min(1 << 62);
    if negative { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// That this many successes have this probability, within 4.5 standard deviations.
    fn check_frequency(what: &str, draws: u32, probability: f64, mut draw: impl FnMut() -> bool) {
        let successes = (0..draws).filter(|_| draw()).count() as f64;
        let expected = f64::from(draws) * probability;
        let deviation = (expected * (1.0 - probability)).sqrt();
        assert!(
            (successes - expected).abs() <= 4.5 * deviation,
            "{what}: {successes}, not {expected}"
        );
    }

    #[test]
    fn bernoulli_exp_has_its_probability() {
        let mut rng = NoiseRng::dangerous_from_seed(11);
        let cases: [(u128, u32); 12] = [
            (0, 0),
            (0, 48),
            (1, 0),
            (1, 1),
            (1, 10),
            (1023, 10),
            (1 << 48, 48),
            (3 << 47, 48),
            ((1 << 63) + 12_345, 64),
            (u128::from(u64::MAX), 64),
            (5 << 62, 64),
            (77 << 28, 32),
        ];
        for (numerator, bits) in cases {
            let gamma = numerator as f64 / 2.0_f64.powi(i32::try_from(bits).unwrap());
            let what = format!("exp(-{gamma})");
            check_frequency(&what, 200_000, (-gamma).exp(), || {
                bernoulli_exp(&mut rng, numerator, bits)
            });
        }
    }

    #[test]
    fn a_hopeless_bernoulli_leaves_early() {
        let mut rng = NoiseRng::dangerous_from_seed(12);
        assert!((0..1000).all(|_| !bernoulli_exp(&mut rng, u128::MAX, 53)));
    }

    #[test]
    fn geometric_draws_have_their_probabilities() {
        let mut rng = NoiseRng::dangerous_from_seed(13);
        let failure = 1.0 - (-1.0_f64).exp();
        for successes in 0..6_u64 {
            let probability = failure * (-(successes as f64)).exp();
            check_frequency("geometric", 100_000, probability, || {
                geometric(&mut rng) == successes
            });
        }
        for (x, bits) in [(0, 0), (3, 0), (0, 3), (7, 3), (8, 3), (23, 3)] {
            let scale = f64::from(1 << bits);
            let probability = (1.0 - (-1.0 / scale).exp()) * (-(x as f64) / scale).exp();
            check_frequency("dyadic", 100_000, probability, || {
                dyadic_geometric(&mut rng, bits) == x
            });
        }
    }

    proptest! {
        #[test]
        fn laplace_noise_costs_at_least_half_its_epsilon_squared(
            lambda in 1e-9..1e-4_f64,
            sensitivity in prop_oneof![Just(1_u32), 1..=1_u32 << 16],
        ) {
            let epsilon = lambda * f64::from(sensitivity);
            let noise = DiscreteLaplace::at_most(Epsilon::new(epsilon).unwrap(), sensitivity);
            let noise = noise.unwrap();
            let step = 2.4e-10 * f64::from(sensitivity);
            prop_assert!(noise.epsilon() <= epsilon && noise.epsilon() > epsilon - step);
            prop_assert!(
                (noise.lambda() * f64::from(sensitivity) / noise.epsilon() - 1.0).abs() < 1e-15
            );
            let units = u128::from(noise.units) * u128::from(sensitivity);
            let rho = u128::from(noise.rho().unwrap().units());
            // rho 2^-48 >= (units 2^-32)^2 / 2, and one unit less would not do.
            prop_assert!(rho << 17 >= units * units);
            prop_assert!((rho - 1) << 17 < units * units);
        }
    }

    #[test]
    fn an_epsilon_below_one_unit_pays_for_no_noise_and_a_huge_one_costs_more_than_there_is() {
        assert!(DiscreteLaplace::at_most(Epsilon::new(2.0_f64.powi(-33)).unwrap(), 1).is_none());
        assert_eq!(
            DiscreteLaplace::at_most(Epsilon::new(f64::MAX).unwrap(), 1)
                .unwrap()
                .rho(),
            None
        );
        assert_eq!(
            DiscreteLaplace::at_most(Epsilon::new(8.0).unwrap(), 1)
                .unwrap()
                .rho(),
            None
        );
    }
}
