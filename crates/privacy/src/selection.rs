//! The exponential mechanism, exactly: candidate i with probability proportional to exp(epsilon q_i
//! / (2 sensitivity)), where one id moves each score q_i by at most the sensitivity.
//!
//! That is epsilon-bounded-range, and so costs epsilon^2 / 8 in rho (Cesar and Rogers 2021,
//! arXiv:2004.07223; Rogers and Steinke 2021): half the exponent's factor for general scores, and
//! the constant 1/8 instead of the 1/2 of pure epsilon-DP.

use crate::Rho;
use crate::counts::Score;
use crate::rng::NoiseRng;
use crate::sampler::bernoulli_exp;

/// What a score's unit is worth, epsilon / sensitivity, in units of 2^-32, so that exponents are
/// exact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SelectionEpsilon {
    units: u64,
    sensitivity: u32,
}

impl SelectionEpsilon {
    const BITS: u32 = 32;

    /// The largest epsilon with epsilon^2 / 8 <= rho.
    pub(crate) fn affordable(rho: Rho, sensitivity: u32) -> Self {
        // (sensitivity units 2^-32)^2 <= 8 rho.units 2^-48 = rho.units 2^-45; the product is below
        // 2^72.
        // In whole numbers: isqrt rounds down, a floating-point root might round up and cost more
        // than rho.
        let square = u128::from(rho.units()) << (2 * Self::BITS - (Rho::UNIT_BITS - 3));
        let units = square.isqrt() / u128::from(sensitivity);
        Self {
            units: u64::try_from(units).expect("the root of a number below 2^72 is below 2^36"),
            sensitivity,
        }
    }

    /// Exact: fewer than 53 bits.
    #[expect(clippy::cast_precision_loss, reason = "below 2^36")]
    pub(crate) fn get(self) -> f64 {
        (self.units * u64::from(self.sensitivity)) as f64 / (1_u64 << Self::BITS) as f64
    }
}

/// One of the candidates, of which there is at least one.
///
/// A candidate drawn uniformly is accepted with probability exp(-epsilon (max - q) / (2
/// sensitivity)). Of n candidates the best is always accepted, so that n tries are expected at
/// most; a hopeless one fails early.
pub(crate) fn exponential_mechanism(
    rng: &mut NoiseRng,
    scores: &[Score],
    epsilon: SelectionEpsilon,
) -> usize {
    // The largest score is never shown; that candidates are accepted in relation to it cancels out
    // of the probabilities.
    let best = scores
        .iter()
        .map(Score::units)
        .max()
        .expect("there is a candidate");
    // Rejection draws exactly, where a softmax in floating point would not; its time depends on the
    // scores (SECURITY.md, on timing).
    loop {
        let candidate = usize::try_from(rng.below(scores.len() as u64)).expect("an index");
        // |score| <= 2^62 and epsilon < 2^36 units: the product is below 2^99.
        let gap = best.abs_diff(scores[candidate].units());
        let exponent = u128::from(gap) * u128::from(epsilon.units);
        if bernoulli_exp(
            rng,
            exponent,
            // One bit more divides by 2: exp(-epsilon gap / 2).
            Score::FRACTION_BITS + SelectionEpsilon::BITS + 1,
        ) {
            return candidate;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn epsilon_is_the_largest_that_rho_affords(
            bits in 0_u32..53,
            units in any::<u64>(),
            sensitivity in prop_oneof![Just(1_u32), 1..=1_u32 << 16],
        ) {
            let units = u128::from(units & ((1 << bits) - 1) | 1 << bits);
            let rho = Rho::from_units(units).unwrap();
            let epsilon = SelectionEpsilon::affordable(rho, sensitivity);
            let (steps, step) = (u128::from(epsilon.units), u128::from(sensitivity));
            // (epsilon 2^-32)^2 / 8 <= units 2^-48
            prop_assert!((steps * step).pow(2) <= units << 19);
            prop_assert!(((steps + 1) * step).pow(2) > units << 19);
        }
    }
}
