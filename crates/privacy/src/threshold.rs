//! How high a noisy count must be so that a key that only one id has stays hidden.

use crate::{Delta, Rho};

/// The least T for which our bound on P[X > T] is at most delta, X being discrete Gaussian noise of
/// cost rho.
///
/// None when there is no such T up to 2^40: for rho = 0 and for a delta below 1e-300.
pub(crate) fn threshold(rho: Rho, delta: Delta) -> Option<i64> {
    let enough = |t: i64| tail_bound(rho, t, 1e-12) <= delta.get();
    let (mut low, mut high) = (-1, 1_i64 << 40);
    if rho == Rho::ZERO || !enough(high) {
        return None;
    }
    // Invariant: `high` is enough, `low` is not (or is below any allowed T). The bound falls with T.
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if enough(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

/// An upper bound on P[X > t] for t >= 0 and P[X = x] proportional to exp(-rho x^2), raised by a
/// relative `slack`.
///
/// With m = t + 1, terms from x = m on fall by the factor exp(-rho (2x + 1)) <= exp(-rho (2m + 1))
/// each, so that their sum is at most exp(-rho m^2) / (1 - exp(-rho (2m + 1))). The normaliser is at
/// least its three middle terms and, by Poisson summation, at least sqrt(pi / rho). Rounding errs by
/// less than 1e-12 relatively where the exponent is below 700; beyond that, 1e-300 is taken.
pub(crate) fn tail_bound(rho: Rho, t: i64, slack: f64) -> f64 {
    let rho = rho.get();
    #[expect(clippy::cast_precision_loss, reason = "t is at most 2^40")]
    let m = (t + 1) as f64;
    let sum = (-rho * m * m).exp() / -(-rho * (2.0 * m + 1.0)).exp_m1();
    let normaliser = (1.0 + 2.0 * (-rho).exp()).max((std::f64::consts::PI / rho).sqrt());
    sum.max(1e-300) / normaliser * (1.0 + slack)
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "a few hundred standard deviations"
)]
mod tests {
    use super::*;

    /// P[X > t] by adding up, smallest terms first; beyond 40 sigma nothing is left to see.
    fn exact_tail(rho: f64, t: i64) -> f64 {
        let reach = (40.0 / (2.0 * rho).sqrt()).ceil() as i64 + t + 2;
        let term = |x: i64| (-rho * (x as f64).powi(2)).exp();
        let tail: f64 = (t + 1..=reach).rev().map(term).sum();
        let half: f64 = (1..=reach).rev().map(term).sum();
        tail / (2.0 * half + 1.0)
    }

    fn rho(sigma: f64) -> Rho {
        let units = (0.5 / (sigma * sigma) * 2.0_f64.powi(48)).round() as u128;
        Rho::from_units(units).unwrap()
    }

    #[test]
    fn the_bound_is_above_the_exact_tail_and_close_to_it() {
        for sigma in [0.13, 0.3, 0.7, 1.0, 2.5, 10.0, 88.0, 1234.0] {
            let rho = rho(sigma);
            for deviations in [1.0, 2.0, 4.0, 6.0, 9.0] {
                let t = (deviations * sigma).ceil() as i64;
                let (exact, bound) = (exact_tail(rho.get(), t), tail_bound(rho, t, 1e-12));
                assert!(bound >= exact, "sigma {sigma}, t {t}: {bound} < {exact}");
                let slack = 1.0 + 1.1 / (deviations * deviations);
                assert!(
                    bound <= exact * slack || exact < 1e-290,
                    "sigma {sigma}, t {t}: {bound} > {exact}"
                );
            }
            for t in [0, 1, 2] {
                assert!(
                    tail_bound(rho, t, 1e-12) >= exact_tail(rho.get(), t),
                    "sigma {sigma}, t {t}"
                );
            }
        }
    }

    #[test]
    fn the_threshold_keeps_delta_and_one_less_is_hardly_enough() {
        for sigma in [0.3, 1.0, 10.0, 300.0] {
            for wanted in [0.4, 1e-3, 1e-6, 1e-9, 1e-15, 1e-40] {
                let (rho, delta) = (rho(sigma), Delta::new(wanted).unwrap());
                let t = threshold(rho, delta).unwrap();
                assert!(
                    exact_tail(rho.get(), t) <= wanted,
                    "sigma {sigma}, delta {wanted}"
                );
                assert!(
                    t == 0 || tail_bound(rho, t - 1, 1e-12) > wanted,
                    "sigma {sigma}, delta {wanted}"
                );
            }
        }
    }

    #[test]
    fn there_is_a_threshold_for_the_widest_noise_and_none_for_infinite_noise() {
        let delta = Delta::new(1e-12).unwrap();
        let t = threshold(Rho::from_units(1).unwrap(), delta).unwrap();
        let deviations = t as f64 / 2.0_f64.powf(23.5);
        assert!((7.0..7.1).contains(&deviations), "{deviations}");
        assert_eq!(threshold(Rho::ZERO, delta), None);
    }
}
