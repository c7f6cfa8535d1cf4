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

/// For gamma below 1. The number of rounds k before the first failure of Bernoulli(gamma / k) is even
/// (counting as CKS20 does: odd) with probability exp(-gamma).
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
    while rng.below(k) == 0 {
        k += 1;
    }
    k % 2 == 1
}

/// How often in a row Bernoulli(exp(-1)) succeeds; at most `GEOMETRIC_LIMIT`.
fn geometric(rng: &mut NoiseRng) -> u64 {
    let mut successes = 0;
    while successes < GEOMETRIC_LIMIT && bernoulli_exp_minus_one(rng) {
        successes += 1;
    }
    successes
}

/// An integer x >= 0 with probability proportional to exp(-x / 2^bits), bits <= 32: the inner part of
/// CKS20, algorithm 2. Below (2^32 + 1) 2^bits <= 2^65.
fn dyadic_geometric(rng: &mut NoiseRng, bits: u32) -> u128 {
    loop {
        let low = rng.bits(bits);
        if bernoulli_exp_fraction(rng, low, bits) {
            return (u128::from(geometric(rng)) << bits) + u128::from(low);
        }
    }
}

/// The discrete Laplace distribution: y with probability proportional to exp(-epsilon |y|), for
/// epsilon = units / 2^32 and units >= 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DiscreteLaplace {
    units: u64,
}

impl DiscreteLaplace {
    const EPSILON_BITS: u32 = 32;
    /// An epsilon of 256, far beyond any ledger.
    const LARGEST_UNITS: f64 = (1_u64 << 40) as f64;

    /// Epsilon is rounded down to whole units; none if nothing is left.
    pub(crate) fn at_most(epsilon: Epsilon) -> Option<Self> {
        let units = (epsilon.get() * (1_u64 << Self::EPSILON_BITS) as f64).min(Self::LARGEST_UNITS);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "above 0 and at most 2^40; the fraction is dropped"
        )]
        let units = units as u64;
        (units > 0).then_some(Self { units })
    }

    /// Exact: at most 41 bits.
    #[expect(clippy::cast_precision_loss, reason = "at most 41 bits")]
    pub(crate) fn epsilon(self) -> f64 {
        self.units as f64 / (1_u64 << Self::EPSILON_BITS) as f64
    }

    /// epsilon^2 / 2, rounded up to units; none if beyond [`Rho::MAX`].
    pub(crate) fn rho(self) -> Option<Rho> {
        // (units 2^-32)^2 / 2 in units of 2^-48.
        Rho::from_units(
            (u128::from(self.units) * u128::from(self.units))
                .div_ceil(1 << (2 * Self::EPSILON_BITS + 1 - Rho::UNIT_BITS)),
        )
    }

    /// CKS20, algorithm 2, with scale t / s = 2^32 / units. The quotient is at most 2^65 / units,
    /// beyond 2^62 only if units < 8 and the geometric part beyond 2^29: clamped there.
    pub(crate) fn sample(self, rng: &mut NoiseRng) -> i64 {
        loop {
            let magnitude = dyadic_geometric(rng, Self::EPSILON_BITS) / u128::from(self.units);
            let negative = rng.bits(1) == 1;
            if negative && magnitude == 0 {
                continue; // 0 would otherwise be counted twice
            }
            return signed(magnitude, negative);
        }
    }
}

/// The discrete Gaussian distribution: y with probability proportional to exp(-y^2 / (2 sigma^2)), for
/// 1 / (2 sigma^2) = `units` / 2^48, so that with sensitivity 1 it costs exactly `units` of
/// [`Rho`], without rounding.
///
/// CKS20, algorithm 3, accepts a discrete Laplace draw y of scale t with probability
/// `exp(-(|y| - sigma^2 / t)^2 / (2 sigma^2))`, whose exponent expands to
/// `|y|^2 / (2 sigma^2) - |y| / t + sigma^2 / (2 t^2)`.
///
/// Departures: t is the power of two 2^m nearest to sigma on a log scale, instead of floor(sigma) + 1,
/// and the constant, which is the same for all y, is rounded up to a multiple of 2^-48. Any t >= 1 and any constant
/// that keeps the exponent from going below 0 give the same distribution; acceptance stays between 0.65
/// and 0.76 for sigma >= 1, against at most 0.76.
///
/// In units of 2^-48 the exponent is the integer `y^2 units - |y| 2^(48 - m) + constant`.
///
/// No overflow: 1 <= units < 2^53, thus 2^-6 <= sigma^2 <= 2^47 and 0 <= m <= 24. Either m = 0, or
/// 2^(2m) <= 2 sigma^2 = 2^48 / units. A draw has |y| <= (2^32 + 1) 2^m < 2^33 2^m, so
/// y^2 units < 2^66 2^53 = 2^119 in the first case and < 2^66 2^48 = 2^114 in the second;
/// |y| 2^(48 - m) < 2^81; constant <= 2^94 + 1. Their sum stays below 2^120.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DiscreteGaussian {
    units: u64,
    scale_bits: u32,
    constant: u128,
}

impl DiscreteGaussian {
    const BITS: u32 = Rho::UNIT_BITS;

    /// For a rho above 0.
    pub(crate) fn costing(rho: Rho) -> Self {
        let units = rho.units();
        assert!(units >= 1, "noise that costs nothing is infinite");
        // sigma^2 = 2^47 / units lies in [2^e, 2^(e+1)) for e = 47 - ceil(log2(units)).
        let ceil_log2 = u64::BITS - (units - 1).leading_zeros();
        let scale_bits = (Self::BITS - 1).saturating_sub(ceil_log2).div_ceil(2);
        // sigma^2 / (2 t^2) = 2^46 / (units 2^(2m)), in units of 2^-48.
        let constant =
            (1_u128 << (2 * Self::BITS - 2 - 2 * scale_bits)).div_ceil(u128::from(units));
        Self {
            units,
            scale_bits,
            constant,
        }
    }

    pub(crate) fn sample(self, rng: &mut NoiseRng) -> i64 {
        loop {
            let magnitude = dyadic_geometric(rng, self.scale_bits);
            let negative = rng.bits(1) == 1;
            if negative && magnitude == 0 {
                continue; // 0 would otherwise be counted twice
            }
            if bernoulli_exp(rng, self.exponent(magnitude), Self::BITS) {
                return signed(magnitude, negative);
            }
        }
    }

    /// Of the acceptance probability of |y|, negated, in units of 2^-48.
    fn exponent(self, magnitude: u128) -> u128 {
        magnitude * magnitude * u128::from(self.units) + self.constant
            - (magnitude << (Self::BITS - self.scale_bits))
    }
}

fn signed(magnitude: u128, negative: bool) -> i64 {
    let magnitude = i64::try_from(magnitude).unwrap_or(i64::MAX).min(1 << 62);
    if negative { -magnitude } else { magnitude }
}
