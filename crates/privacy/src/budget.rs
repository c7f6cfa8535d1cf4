use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::conversion;

/// Why a privacy parameter was refused.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum InvalidParameter {
    /// Not a finite number above zero.
    #[error(
        "epsilon is {0}, but it must be a finite number above 0; common choices lie between 0.1 and 10"
    )]
    Epsilon(f64),
    /// Not strictly between 0 and 1.
    #[error(
        "delta is {0}, but it must lie between 0 and 1; choose far less than one over the number of people, such as 1e-9"
    )]
    Delta(f64),
    /// Not a whole number of units of 2^-48 within [0, 32).
    #[error("rho is {0}, but it must be a multiple of 2^-48, at least 0 and below 32")]
    Rho(f64),
    /// The part of delta to keep for thresholding is not strictly between 0 and 1.
    #[error("the share of delta kept for thresholding is {0}, but it must lie between 0 and 1")]
    ThresholdShare(f64),
    /// A weight is negative, not finite, or none is above zero.
    #[error(
        "a budget cannot be split by the weights given: each must be finite and at least 0, and one above 0"
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

    /// The number, in nats.
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
        self.0.fmt(f)
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

    /// The probability.
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

    /// The largest delta that is at most so many units of 2^-127.
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
        // In units: mantissa * 2^(max(exponent, 1) - 948). As the value is below 1, exponent <= 1022
        // and the shift to the left is at most 74, so that 53 + 74 = 127 bits hold the result.
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

/// A budget or cost in zero-concentrated differential privacy, as an exact multiple of 2^-48 below 32.
///
/// Sums and splits are exact, and so is every value as an `f64` (53 bits). A rho of 32 already allows
/// measurements with noise of standard deviation 1/8, that is none: more would buy nothing.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Rho(u64);

impl Rho {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The most there is: 32 - 2^-48.
    pub const MAX: Self = Self((1 << 53) - 1);
    /// `Rho` counts in units of 2^-`UNIT_BITS`.
    pub(crate) const UNIT_BITS: u32 = 48;
    const UNITS_PER_ONE: f64 = (1_u64 << Self::UNIT_BITS) as f64;

    /// The largest rho whose conversion by CKS20 stays within (epsilon, delta), at most [`Rho::MAX`].
    ///
    /// It can be zero, when epsilon is so small (below some 1e-6) that a single unit is too much.
    pub fn from_epsilon_delta(epsilon: Epsilon, delta: Delta) -> Self {
        let within = |rho: Self| {
            conversion::delta(rho.get(), epsilon.get(), conversion::STATED) <= delta.get()
        };
        // Invariant: `low` is within, `high` is not (or is one past the largest).
        let (mut low, mut high) = (0, Self::MAX.0 + 1);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if within(Self(middle)) {
                low = middle;
            } else {
                high = middle;
            }
        }
        Self(low)
    }

    /// The least epsilon (rounded up) such that rho-zCDP implies (epsilon, delta)-DP by CKS20.
    pub fn epsilon_at(self, delta: Delta) -> Epsilon {
        Epsilon(
            conversion::epsilon(self.get(), delta.get(), conversion::STATED).max(f64::MIN_POSITIVE),
        )
    }

    /// The least delta (rounded up) such that rho-zCDP implies (epsilon, delta)-DP by CKS20. It
    /// saturates just below 1, where nothing is promised.
    pub fn delta_at(self, epsilon: Epsilon) -> Delta {
        let delta = conversion::delta(self.get(), epsilon.get(), conversion::STATED);
        Delta(delta.clamp(f64::MIN_POSITIVE, 1.0_f64.next_down()))
    }

    /// `numerator / denominator` of it, rounded down.
    ///
    /// # Panics
    ///
    /// If the numerator exceeds the denominator, or the denominator is 0.
    pub fn share(self, numerator: u32, denominator: u32) -> Self {
        assert!(
            denominator > 0 && numerator <= denominator,
            "a share is at most the whole"
        );
        let units = u128::from(self.0) * u128::from(numerator) / u128::from(denominator);
        Self(u64::try_from(units).expect("a share is at most the whole"))
    }

    /// Parts in proportion to the weights that add up to exactly the whole. Each is its exact share
    /// (of weights rounded to a relative 2^-32) rounded down, and the heaviest takes what remains; a part may be zero.
    pub fn split(self, weights: &[f64]) -> Result<Vec<Self>, InvalidParameter> {
        let heaviest = weights.iter().copied().fold(0.0, f64::max);
        if !(heaviest > 0.0
            && weights
                .iter()
                .all(|weight| weight.is_finite() && *weight >= 0.0))
        {
            return Err(InvalidParameter::Weights);
        }
        // Weights become integers of at most 32 bits, so that the products below fit in 128 bits.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "each ratio lies within [0, 1]"
        )]
        let weights: Vec<u128> = weights
            .iter()
            .map(|weight| (weight / heaviest * f64::from(u32::MAX)).round() as u128)
            .collect();
        let sum: u128 = weights.iter().sum();
        let mut parts: Vec<Self> = weights
            .iter()
            .map(|weight| {
                let units = u128::from(self.0) * weight / sum;
                Self(u64::try_from(units).expect("a part is at most the whole"))
            })
            .collect();
        let rest = self.0 - parts.iter().map(|part| part.0).sum::<u64>();
        let largest = (0..parts.len())
            .max_by_key(|&i| weights[i])
            .expect("a weight is above 0");
        parts[largest].0 += rest;
        Ok(parts)
    }

    /// The number; exact.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub fn get(self) -> f64 {
        self.0 as f64 / Self::UNITS_PER_ONE
    }

    /// The standard deviation of the noise of a measurement that costs this: the square root of
    /// 1 / (2 rho). Infinite at zero.
    pub fn sigma(self) -> f64 {
        (1.0 / (2.0 * self.get())).sqrt()
    }

    /// None above [`Rho::MAX`].
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Some(Self(self.0 + other.0)).filter(|sum| *sum <= Self::MAX)
    }

    /// None below zero.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    pub(crate) fn units(self) -> u64 {
        self.0
    }

    /// None when there are too many units.
    pub(crate) fn from_units(units: u128) -> Option<Self> {
        u64::try_from(units)
            .ok()
            .map(Self)
            .filter(|rho| *rho <= Self::MAX)
    }
}

impl TryFrom<f64> for Rho {
    type Error = InvalidParameter;

    fn try_from(value: f64) -> Result<Self, InvalidParameter> {
        let units = value * Self::UNITS_PER_ONE; // exact: a power of two
        if !(0.0..=Self::MAX.get() * Self::UNITS_PER_ONE).contains(&units) || units.fract() != 0.0 {
            return Err(InvalidParameter::Rho(value));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a whole number of at most 53 bits"
        )]
        Ok(Self(units as u64))
    }
}

impl From<Rho> for f64 {
    fn from(rho: Rho) -> f64 {
        rho.get()
    }
}

impl fmt::Display for Rho {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6}", self.get())
    }
}
