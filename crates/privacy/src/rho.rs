use std::fmt;

use serde::{Deserialize, Serialize};

use crate::parameters::InvalidParameter;

/// A budget or cost, as an exact multiple of 2^-48 below 32: rho of zero-concentrated differential
/// privacy, or mu^2 / 2 of Gaussian differential privacy (see [`Accounting`](crate::Accounting)).
///
/// Sums and splits are exact, and so is every value as an `f64` (53 bits). A rho of 32 already
/// allows measurements with noise of standard deviation 1/8, that is none: more would buy nothing.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Rho(u64);

impl Rho {
    /// A budget of 0, which pays for nothing.
    pub const ZERO: Self = Self(0);
    // 53 bits, so that every value is exact as an f64, in JSON and back.
    /// The most there is: 32 - 2^-48.
    pub const MAX: Self = Self((1 << 53) - 1);
    /// `Rho` counts in units of 2^-`UNIT_BITS`.
    pub(crate) const UNIT_BITS: u32 = 48;
    const UNITS_PER_ONE: f64 = (1_u64 << Self::UNIT_BITS) as f64;

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
        // In 128 bits: the product of two numbers of 53 and 32 bits leaves 64.
        let units = u128::from(self.0) * u128::from(numerator) / u128::from(denominator);
        Self(u64::try_from(units).expect("a share is at most the whole"))
    }

    /// Parts in proportion to the weights, adding up to exactly the whole. Each is its exact share
    /// (by weights that are rounded to 2^-32 of the heaviest) rounded down, and the heaviest takes
    /// what remains. A part may be zero.
    pub fn split(self, weights: &[f64]) -> Result<Vec<Self>, InvalidParameter> {
        // The heaviest weight is the unit: rounding is then relative to it, and a tiny weight may
        // become zero.
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
        // The heaviest takes what rounding left, where it matters least in proportion.
        let rest = self.0 - parts.iter().map(|part| part.0).sum::<u64>();
        let largest = (0..parts.len())
            .max_by_key(|&i| weights[i])
            .expect("a weight is above 0");
        parts[largest].0 += rest;
        Ok(parts)
    }

    /// The budget as a number, which is exact.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub fn get(self) -> f64 {
        self.0 as f64 / Self::UNITS_PER_ONE
    }

    /// The square root of 1 / (2 rho): the standard deviation of Gaussian noise that costs this
    /// where one id has one row (see [`Ledger::sigma`](crate::Ledger::sigma)). Infinite at zero.
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

    /// The least budget that is this much or more; none above [`Rho::MAX`], and for what is no
    /// number.
    pub(crate) fn rounded_up(value: f64) -> Option<Self> {
        let units = (value * Self::UNITS_PER_ONE).ceil().max(0.0);
        let rho = Self::try_from(units / Self::UNITS_PER_ONE);
        rho.ok().filter(|_| !value.is_nan())
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
        // A receipt's number must be a whole number of units: anything else was not written by a
        // ledger.
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
        f.write_str(&readable(self.get()))
    }
}

/// For a person: six places, or four digits of a small number.
pub(crate) fn readable(rho: f64) -> String {
    if rho == 0.0 || rho >= 1e-3 {
        format!("{rho:.6}")
    } else {
        format!("{rho:.3e}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rho(units: u64) -> Rho {
        Rho(units)
    }

    #[test]
    fn refuses_numbers_that_are_not_whole_units() {
        let unit = 2.0_f64.powi(-48);
        for value in [
            -unit,
            unit / 2.0,
            1.0 + 1.5 * unit,
            32.0,
            f64::NAN,
            f64::INFINITY,
        ] {
            assert!(Rho::try_from(value).is_err(), "{value}");
        }
        assert_eq!(Rho::try_from(32.0 - unit), Ok(Rho::MAX));
        assert_eq!(Rho::try_from(-0.0), Ok(Rho::ZERO));
    }

    #[test]
    fn even_a_small_rho_can_be_read() {
        let printed = [0, 1, 1 << 40, Rho::MAX.0].map(|units| rho(units).to_string());
        assert_eq!(printed, ["0.000000", "3.553e-15", "0.003906", "32.000000"]);
    }

    #[test]
    fn sums_stay_in_range() {
        assert_eq!(Rho::MAX.checked_add(rho(1)), None);
        assert_eq!(rho(1).checked_sub(rho(2)), None);
        assert_eq!(rho(3).checked_sub(rho(2)), Some(rho(1)));
    }

    #[test]
    fn splits_follow_their_weights() {
        let parts = rho(100).split(&[1.0, 0.0, 3.0]).unwrap();
        assert_eq!(parts, [rho(25), rho(0), rho(75)]);
        assert_eq!(
            rho(10)
                .split(&[1.0; 3])
                .unwrap()
                .iter()
                .map(|part| part.0)
                .sum::<u64>(),
            10
        );
        assert_eq!(
            Rho::MAX.split(&[f64::MAX, f64::MAX]).unwrap()[0].0,
            (1 << 52) - 1
        );
        for weights in [
            &[][..],
            &[0.0],
            &[-1.0, 2.0],
            &[f64::NAN, 1.0],
            &[f64::INFINITY],
        ] {
            assert_eq!(
                rho(10).split(weights),
                Err(InvalidParameter::Weights),
                "{weights:?}"
            );
        }
    }

    fn any_rho() -> impl Strategy<Value = Rho> {
        (0_u32..=53, any::<u64>()).prop_map(|(bits, units)| Rho(units & ((1 << bits) - 1)))
    }

    proptest! {
        #[test]
        fn a_split_adds_up_to_exactly_the_whole(
            whole in any_rho(),
            weights in prop::collection::vec(
                prop_oneof![Just(0.0), 1e-300..1e300, 0.0..1.0],
                1..20,
            ),
        ) {
            prop_assume!(weights.iter().any(|weight| *weight > 0.0));
            let parts = whole.split(&weights).unwrap();
            prop_assert_eq!(parts.len(), weights.len());
            prop_assert_eq!(parts.iter().map(|part| part.0).sum::<u64>(), whole.0);
        }

        #[test]
        fn shares_never_exceed_the_whole(whole in any_rho(), denominator in 1..u32::MAX) {
            let share = whole.share(1, denominator);
            prop_assert!(u128::from(share.0) * u128::from(denominator) <= u128::from(whole.0));
            prop_assert!((u128::from(share.0) + 1) * u128::from(denominator) > u128::from(whole.0));
        }

        #[test]
        fn a_number_on_the_wire_is_the_same_rho(rho in any_rho()) {
            let text = serde_json::to_string(&rho).unwrap();
            prop_assert_eq!(serde_json::from_str::<Rho>(&text).unwrap(), rho);
        }
    }
}
