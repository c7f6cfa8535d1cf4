use std::fmt;

use serde::{Deserialize, Serialize};

use crate::parameters::{Delta, Epsilon};
use crate::rho::Rho;
use crate::{gdp, zcdp};

/// How costs add up, and how they become (epsilon, delta). Either way a cost is stated as a
/// [`Rho`].
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Accounting {
    /// Zero-concentrated differential privacy, for every mechanism: rho-zCDP adds up (Bun and
    /// Steinke 2016, arXiv:1605.02065) and is converted by CKS20.
    Zcdp,
    /// Gaussian differential privacy (Dong, Roth and Su 2022, arXiv:1905.02383), for Gaussian noise
    /// alone: mu-GDP with mu^2 = 2 rho adds up in squares and is converted exactly. For the same
    /// (epsilon, delta) there is more rho to spend: 8 to 18 % where epsilon is 0.1 to 10 and delta
    /// 1e-9 to 1e-5.
    Gdp,
}

impl Accounting {
    /// The largest rho whose conversion stays within (epsilon, delta), at most [`Rho::MAX`].
    ///
    /// It can be zero, when epsilon is so small (below some 1e-6) that a single unit is too much.
    pub fn total(self, epsilon: Epsilon, delta: Delta) -> Rho {
        // Bisection over whole units, so that the result is the largest that exists and not about
        // that.
        let within = |rho: Rho| self.delta_of(rho.get(), epsilon.get(), STATED) <= delta.get();
        // Invariant: `low` is within, `high` is not (or is one past the largest).
        let (mut low, mut high) = (0, u128::from(Rho::MAX.units()) + 1);
        let rho = |units| Rho::from_units(units).expect("at most the largest rho");
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if within(rho(middle)) {
                low = middle;
            } else {
                high = middle;
            }
        }
        rho(low)
    }

    /// The least epsilon (rounded up) such that what costs rho is (epsilon, delta)-differentially
    /// private.
    pub fn epsilon(self, rho: Rho, delta: Delta) -> Epsilon {
        let epsilon = self.epsilon_of(rho.get(), delta.get(), STATED);
        Epsilon::new(epsilon.max(f64::MIN_POSITIVE)).expect("finite, and raised above 0")
    }

    /// The least delta (rounded up) such that what costs rho is (epsilon, delta)-differentially
    /// private. It saturates just below 1, where nothing is promised.
    pub fn delta(self, rho: Rho, epsilon: Epsilon) -> Delta {
        let delta = self.delta_of(rho.get(), epsilon.get(), STATED);
        let delta = delta.clamp(f64::MIN_POSITIVE, 1.0_f64.next_down());
        Delta::new(delta).expect("clamped to within 0 and 1")
    }

    /// The least delta for rho >= 0 and epsilon >= 0, rounded up; within [0, 1].
    pub(crate) fn delta_of(self, rho: f64, epsilon: f64, slack: Slack) -> f64 {
        if rho <= 0.0 {
            return 0.0;
        }
        // A smaller epsilon gives a larger delta: the clamp errs on the safe side.
        let epsilon = epsilon.min(LARGEST_EPSILON);
        match self {
            Self::Zcdp => zcdp::delta(rho, epsilon, slack),
            Self::Gdp => gdp::delta(rho, epsilon, slack),
        }
    }

    /// The least epsilon >= 0 with `delta_of(rho, epsilon) <= wanted`, rounded up.
    pub(crate) fn epsilon_of(self, rho: f64, wanted: f64, slack: Slack) -> f64 {
        let within = |epsilon| self.delta_of(rho, epsilon, slack) <= wanted;
        if within(0.0) {
            return 0.0;
        }
        // Bun and Steinke 2016, proposition 1.3, which is looser: a first guess from above.
        let mut high = rho + 2.0 * (rho * -wanted.ln()).sqrt();
        // From above, since the answer must be an upper bound at each step.
        while !within(high) {
            high *= 2.0;
            assert!(
                high < LARGEST_EPSILON,
                "rho is below 2^20 and delta at least 2^-1074"
            );
        }
        let mut low = 0.0;
        loop {
            let middle = low + (high - low) / 2.0;
            // Until two neighbouring floats are left, and then the upper one: epsilons are rounded
            // up.
            if middle <= low || middle >= high {
                return high;
            }
            if within(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
    }
}

impl fmt::Display for Accounting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zcdp => "zCDP",
            Self::Gdp => "GDP",
        })
    }
}

/// Beyond this epsilon conversions are not evaluated, which keeps products finite: a smaller
/// epsilon gives a larger delta, so the result stays valid.
const LARGEST_EPSILON: f64 = 1e6;

/// How much an evaluation may err, in units of 2^-52 for each of a handful of operations; the
/// result is raised by that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slack(f64);

impl Slack {
    /// For a handful of operations, of which the logarithm and exponential of any usual libm err by
    /// at most 1 unit in the last place.
    pub(crate) fn of_few(self) -> f64 {
        self.0 * f64::EPSILON
    }

    /// For a few hundred operations of the same kinds.
    pub(crate) fn of_many(self) -> f64 {
        64.0 * self.of_few()
    }
}

/// For what we state and allot.
pub(crate) const STATED: Slack = Slack(32.0);

/// For checking what another machine stated: its libm may differ from ours by a few units, but not
/// by the difference of the two slacks.
pub(crate) const CHECKED: Slack = Slack(16.0);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOTH: [Accounting; 2] = [Accounting::Zcdp, Accounting::Gdp];

    /// rho and epsilon from tiny to large, in steps of a factor.
    fn grid() -> impl Iterator<Item = (f64, f64)> {
        let rhos = (0..30).map(|i| 1e-8 * 2.1_f64.powi(i));
        rhos.flat_map(|rho| (0..24).map(move |i| (rho, 1e-4 * 2.0_f64.powi(i))))
    }

    #[test]
    fn delta_falls_with_epsilon_and_grows_with_rho() {
        for accounting in BOTH {
            for (rho, epsilon) in grid() {
                let here = accounting.delta_of(rho, epsilon, STATED);
                assert!(
                    accounting.delta_of(rho, epsilon * 1.01, STATED) <= here,
                    "{accounting}, rho {rho}, epsilon {epsilon}"
                );
                assert!(
                    accounting.delta_of(rho * 1.01, epsilon, STATED) >= here,
                    "{accounting}, rho {rho}, epsilon {epsilon}"
                );
            }
        }
    }

    #[test]
    fn epsilon_inverts_delta() {
        for accounting in BOTH {
            for (rho, _) in grid() {
                for wanted in [0.3, 1e-3, 1e-9, 1e-20, 1e-100] {
                    let found = accounting.epsilon_of(rho, wanted, STATED);
                    assert!(
                        accounting.delta_of(rho, found, STATED) <= wanted,
                        "{accounting}, rho {rho}, delta {wanted}"
                    );
                    let less = found * (1.0 - 1e-9);
                    assert!(
                        found == 0.0 || accounting.delta_of(rho, less, STATED) > wanted,
                        "{accounting}, rho {rho}, delta {wanted}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_stated_passes_a_check_with_less_slack() {
        for accounting in BOTH {
            for (rho, epsilon) in grid() {
                let [checked, stated] =
                    [CHECKED, STATED].map(|slack| accounting.delta_of(rho, epsilon, slack));
                assert!(checked <= stated);
            }
        }
    }

    #[test]
    fn extremes_are_numbers() {
        for accounting in BOTH {
            let delta = |rho, epsilon| accounting.delta_of(rho, epsilon, STATED);
            assert_eq!(delta(0.0, 0.0), 0.0);
            assert_eq!(delta(2.0_f64.powi(-48), f64::MAX), 0.0_f64.next_up());
            assert_eq!(accounting.epsilon_of(0.0, 1e-9, STATED), 0.0);
            assert_eq!(accounting.epsilon_of(1e-6, 0.5, STATED), 0.0);
            assert!(accounting.epsilon_of(128.0, 5e-324, STATED).is_finite());
        }
    }

    #[test]
    fn epsilon_1_and_delta_1e_9_give_the_known_rho() {
        let (epsilon, delta) = (Epsilon::new(1.0).unwrap(), Delta::new(1e-9).unwrap());
        let rho = Accounting::Zcdp.total(epsilon, delta);
        assert!((rho.get() - 0.014_973).abs() < 5e-7, "{}", rho.get());
    }

    #[test]
    fn an_epsilon_too_small_for_one_unit_gives_nothing_and_a_huge_one_the_maximum() {
        let delta = Delta::new(1e-9).unwrap();
        for accounting in BOTH {
            let total = |epsilon| accounting.total(Epsilon::new(epsilon).unwrap(), delta);
            assert_eq!(total(1e-9), Rho::ZERO);
            assert_eq!(total(f64::MAX), Rho::MAX);
        }
    }

    #[test]
    fn nothing_costs_nothing() {
        for accounting in BOTH {
            let delta = accounting.delta(Rho::ZERO, Epsilon::new(f64::MIN_POSITIVE).unwrap());
            assert_eq!(delta.get(), f64::MIN_POSITIVE);
            let epsilon = accounting.epsilon(Rho::ZERO, Delta::new(f64::MIN_POSITIVE).unwrap());
            assert_eq!(epsilon.get(), f64::MIN_POSITIVE);
        }
    }

    proptest! {
        #[test]
        fn the_largest_rho_is_within_and_one_unit_more_is_not(
            ln_epsilon in -8.0..4.0_f64,
            ln_delta in -60.0..-0.1_f64,
            accounting in prop::sample::select(&BOTH[..]),
        ) {
            let (epsilon, delta) = (
                Epsilon::new(ln_epsilon.exp()).unwrap(),
                Delta::new(ln_delta.exp()).unwrap(),
            );
            let rho = accounting.total(epsilon, delta);
            prop_assert!(accounting.delta(rho, epsilon) <= delta);
            // Delta falls with epsilon but for a trace of rounding, on which the search for epsilon
            // can end.
            let back = accounting.epsilon(rho, delta).get();
            prop_assert!(back <= epsilon.get() * (1.0 + 1e-9), "{back}");
            if rho < Rho::MAX {
                let more = rho.checked_add(Rho::from_units(1).unwrap()).unwrap();
                prop_assert!(accounting.delta(more, epsilon) > delta);
            }
        }

        #[test]
        fn gaussian_accounting_never_allots_less(
            ln_epsilon in -8.0..4.0_f64,
            ln_delta in -60.0..-0.7_f64,
        ) {
            let (epsilon, delta) = (
                Epsilon::new(ln_epsilon.exp()).unwrap(),
                Delta::new(ln_delta.exp()).unwrap(),
            );
            prop_assert!(
                Accounting::Gdp.total(epsilon, delta) >= Accounting::Zcdp.total(epsilon, delta)
            );
        }
    }
}
