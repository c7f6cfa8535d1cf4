use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a privacy parameter was refused.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum InvalidParameter {
    /// Not a finite number above zero.
    #[error(
        "epsilon is {0}, but it must be a finite number above 0; common choices lie between 0.1 \
         and 10"
    )]
    Epsilon(f64),
    /// Not strictly between 0 and 1.
    #[error(
        "delta is {0}, but it must lie between 0 and 1; choose far less than one over the number \
         of people, such as 1e-9"
    )]
    Delta(f64),
    /// Not a whole number of units of 2^-48 within [0, 32).
    #[error("rho is {0}, but it must be a multiple of 2^-48, at least 0 and below 32")]
    Rho(f64),
    /// The part of delta to keep for thresholding is not strictly between 0 and 1.
    #[error(
        "the share of delta kept for thresholding is {0}, but it must lie between 0 and 1 and \
         leave some on both sides"
    )]
    ThresholdShare(f64),
    /// One id may have more rows than accounting is made for.
    #[error("an id may have {0} rows, but the most is 65536; keep fewer rows of each id")]
    RowsPerId(NonZeroU32),
    /// A weight is negative, not finite, or none is above zero.
    #[error(
        "a budget cannot be split by the weights given: each must be finite and at least 0, and \
         one above 0"
    )]
    Weights,
}

/// The epsilon of (epsilon, delta)-differential privacy: finite and above 0.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Epsilon(f64);

impl Epsilon {
    /// Refuses what is not a finite number above 0.
    pub fn new(value: f64) -> Result<Self, InvalidParameter> {
        if value.is_finite() && value > 0.0 {
            Ok(Self(value))
        } else {
            Err(InvalidParameter::Epsilon(value))
        }
    }

    /// Epsilon as a number, in nats.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Epsilon {
    type Error = InvalidParameter;

    fn try_from(value: f64) -> Result<Self, InvalidParameter> {
        Self::new(value)
    }
}

impl From<Epsilon> for f64 {
    fn from(epsilon: Epsilon) -> f64 {
        epsilon.0
    }
}

impl fmt::Display for Epsilon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No mistyped epsilon fills the screen with digits.
        const MANY_DIGITS: f64 = 1e7;
        match self.0 {
            value if value >= MANY_DIGITS => write!(f, "{value:e}"),
            value => value.fmt(f),
        }
    }
}

/// The delta of (epsilon, delta)-differential privacy: above 0 and below 1.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Delta(f64);

impl Delta {
    /// Refuses what does not lie strictly between 0 and 1.
    pub fn new(value: f64) -> Result<Self, InvalidParameter> {
        if value > 0.0 && value < 1.0 {
            Ok(Self(value))
        } else {
            Err(InvalidParameter::Delta(value))
        }
    }

    /// Delta as a number, a probability.
    pub fn get(self) -> f64 {
        self.0
    }

    /// `numerator / denominator` of it, rounded down, so that shares never add up to more than the
    /// whole. None when nothing is left after rounding.
    ///
    /// # Panics
    ///
    /// If the numerator exceeds the denominator, or the denominator is 0.
    pub fn share(self, numerator: u32, denominator: u32) -> Option<Self> {
        assert!(
            denominator > 0 && numerator <= denominator,
            "a share is at most the whole"
        );
        if numerator == denominator {
            return Some(self);
        }
        // Rounding to nearest may go up, and shares of a whole must not add up to more than it.
        // Product and quotient are each rounded to nearest, so that they err by at most half a unit
        // in the last place each: two steps down end at or below the exact share.
        let nearest = self.0 * f64::from(numerator) / f64::from(denominator);
        Self::new(nearest.next_down().next_down()).ok()
    }

    /// In units of 2^-127, rounded down: for what may be spent.
    pub(crate) fn units_down(self) -> u128 {
        self.units().0
    }

    /// In units of 2^-127, rounded up: for what is spent.
    pub(crate) fn units_up(self) -> u128 {
        let (floor, exact) = self.units();
        if exact { floor } else { floor + 1 }
    }

    /// The largest delta that is at most this many units of 2^-127.
    pub(crate) fn from_units_down(units: u128) -> Option<Self> {
        let nearest = Self::new(units_to_f64(units)).ok()?;
        if nearest.units_up() <= units {
            Some(nearest)
        } else {
            Self::new(nearest.0.next_down()).ok()
        }
    }

    /// Floor in units of 2^-127, and whether that is exact (it is from 2^-74 on: 53 bits suffice).
    fn units(self) -> (u128, bool) {
        const MANTISSA_BITS: u32 = f64::MANTISSA_DIGITS - 1;
        let bits = self.0.to_bits();
        let fraction = bits & ((1 << MANTISSA_BITS) - 1);
        let exponent = bits >> MANTISSA_BITS; // the sign is 0
        // value = mantissa * 2^(max(exponent, 1) - 1075)
        let mantissa = u128::from(if exponent == 0 {
            fraction
        } else {
            fraction | 1 << MANTISSA_BITS
        });
        // In units: mantissa * 2^(max(exponent, 1) - 948). As the value is below 1, exponent <=
        // 1022 and the shift to the left is at most 74, so that 53 + 74 = 127 bits hold the result.
        let exponent = exponent.max(1);
        if exponent >= 948 {
            return (mantissa << (exponent - 948), true);
        }
        let shift = 948 - exponent;
        if shift >= 128 {
            return (0, false);
        }
        let floor = mantissa >> shift;
        (floor, floor << shift == mantissa)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "rounds to nearest; callers correct for it"
)]
fn units_to_f64(units: u128) -> f64 {
    units as f64 * 2.0_f64.powi(-127)
}

impl TryFrom<f64> for Delta {
    type Error = InvalidParameter;

    fn try_from(value: f64) -> Result<Self, InvalidParameter> {
        Self::new(value)
    }
}

impl From<Delta> for f64 {
    fn from(delta: Delta) -> f64 {
        delta.0
    }
}

impl fmt::Display for Delta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:e}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn epsilon_is_finite_and_above_0() {
        for value in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(
                matches!(Epsilon::new(value), Err(InvalidParameter::Epsilon(_))),
                "{value}"
            );
        }
        assert_eq!(Epsilon::new(5e-324).map(Epsilon::get), Ok(5e-324));
    }

    #[test]
    fn delta_is_between_0_and_1() {
        for value in [0.0, 1.0, -0.1, f64::NAN, f64::INFINITY] {
            assert!(
                matches!(Delta::new(value), Err(InvalidParameter::Delta(_))),
                "{value}"
            );
        }
        assert_eq!(Delta::new(1e-9).map(Delta::get), Ok(1e-9));
    }

    #[test]
    fn parameters_are_checked_when_read() {
        assert!(serde_json::from_str::<Epsilon>("-1").is_err());
        assert!(serde_json::from_str::<Delta>("1").is_err());
        assert_eq!(serde_json::from_str::<Delta>("1e-9").unwrap().get(), 1e-9);
    }

    #[test]
    fn fixed_point_holds_delta_exactly_down_to_2_pow_minus_74() {
        let delta = |value| Delta::new(value).unwrap();
        assert_eq!(delta(0.5).units_down(), 1 << 126);
        assert_eq!(delta(0.5).units_up(), 1 << 126);
        assert_eq!(delta(2.0_f64.powi(-127)).units_down(), 1);
        assert_eq!(delta(1.5 * 2.0_f64.powi(-127)).units_down(), 1);
        assert_eq!(delta(1.5 * 2.0_f64.powi(-127)).units_up(), 2);
        assert_eq!(delta(5e-324).units_down(), 0);
        assert_eq!(delta(5e-324).units_up(), 1);
        assert_eq!(
            delta(1.0_f64.next_down()).units_up(),
            (1 << 127) - (1 << 74)
        );
    }

    proptest! {
        #[test]
        fn fixed_point_brackets_delta(ln in -120.0..-1e-9_f64) {
            let delta = Delta::new(ln.exp()).unwrap();
            let (down, up) = (delta.units_down(), delta.units_up());
            prop_assert!(up - down <= 1);
            prop_assert!(units_to_f64(down) <= delta.get() && delta.get() <= units_to_f64(up));
            if ln > -51.0 {
                prop_assert_eq!(down, up);
                prop_assert_eq!(Delta::from_units_down(down), Some(delta));
            }
        }

        #[test]
        fn a_delta_from_units_is_the_largest_that_fits(units in 1_u128..1 << 127) {
            let delta = Delta::from_units_down(units).unwrap();
            prop_assert!(delta.units_up() <= units);
            let above = Delta::new(delta.get().next_up());
            prop_assert!(above.is_err() || above.unwrap().units_up() > units);
        }

        #[test]
        fn shares_of_delta_add_up_to_at_most_the_whole(
            ln in -40.0..-1e-3_f64,
            parts in 1_u32..1000,
        ) {
            let whole = Delta::new(ln.exp()).unwrap();
            let share = whole.share(1, parts).unwrap();
            prop_assert!(share.units_up() * u128::from(parts) <= whole.units_down());
            prop_assert!(share.get() >= whole.get() / f64::from(parts) * (1.0 - 1e-15));
        }
    }
}
