//! How high a noisy count must be so that a key that only one id has stays hidden.

use crate::Delta;
use crate::accounting::{STATED, Slack};
use crate::normal::{NOWHERE, upper_tail};

/// The least T for which our bound on the probability that one of `keys` keys gets noise above T is
/// at most delta, the noise being that of a Gaussian of this sigma, rounded.
///
/// None when there is no such T up to 2^60: for infinite noise and for a delta below 1e-300.
pub(crate) fn threshold(sigma: f64, keys: u32, delta: Delta) -> Option<i64> {
    let enough = |t: i64| tail_bound(sigma, keys, t, STATED) <= delta.get();
    // From -1, which stands for "no threshold is enough yet", up to what an i64 holds with a sum of
    // rows.
    let (mut low, mut high) = (-1, 1_i64 << 60);
    if !enough(high) {
        return None;
    }
    // Invariant: `high` is enough, `low` is not (or is below any allowed T). The bound falls with
    // T.
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

/// An upper bound on `keys` times P[round(sigma Z) > t], for t >= 0 and standard normal Z.
///
/// The event is sigma Z > t + 1/2. Where that is so improbable that rounding is hard to bound,
/// 1e-300 is taken.
pub(crate) fn tail_bound(sigma: f64, keys: u32, t: i64, slack: Slack) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "the deviations are lowered")]
    let least = t as f64 + 0.5;
    // Sum, quotient and sigma itself err by a few units in the last place.
    let deviations = least / sigma * (1.0 - slack.of_few());
    if deviations.is_nan() {
        return 1.0;
    }
    // Smaller tails come near denormal numbers, whose rounding no slack bounds.
    let one = upper_tail(deviations.min(NOWHERE), slack).max(1e-300);
    // A union bound over the keys that one id can have.
    one * f64::from(keys) * (1.0 + slack.of_few())
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "a few hundred standard deviations"
)]
mod tests {
    use crate::accounting::CHECKED;

    use super::*;

    /// P[Z > x] by Simpson's rule over 12 more standard deviations, in 20,000 steps.
    fn exact_tail(x: f64) -> f64 {
        let step = 12.0 / 20_000.0;
        let density = |i: u32| (-(x + step * f64::from(i)).powi(2) / 2.0).exp();
        let weight = |i: u32| {
            if i == 0 || i == 20_000 {
                1.0
            } else {
                2.0 + 2.0 * f64::from(i % 2)
            }
        };
        let sum: f64 = (0..=20_000).rev().map(|i| weight(i) * density(i)).sum();
        sum * step / 3.0 / (2.0 * std::f64::consts::PI).sqrt()
    }

    #[test]
    fn the_bound_is_above_the_exact_tail_by_next_to_nothing() {
        for sigma in [0.125, 0.3, 0.7, 1.0, 2.5, 10.0, 88.0, 1234.0] {
            for deviations in [0.0, 1.0, 2.0, 4.0, 6.0, 9.0_f64] {
                let t = (deviations * sigma).ceil() as i64;
                let exact = exact_tail((t as f64 + 0.5) / sigma);
                let bound = tail_bound(sigma, 1, t, STATED);
                assert!(
                    (bound / exact - 1.0).abs() < 1e-9 || exact < 1e-290,
                    "sigma {sigma}, t {t}: {bound} for {exact}"
                );
                assert!(tail_bound(sigma, 1, t, CHECKED) < bound || exact < 1e-290);
                assert!((tail_bound(sigma, 7, t, STATED) / bound - 7.0).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn the_threshold_keeps_delta_and_one_less_is_not_enough() {
        for sigma in [0.3, 1.0, 10.0, 300.0] {
            for wanted in [0.4, 1e-3, 1e-6, 1e-9, 1e-15, 1e-40] {
                for keys in [1, 3, 1000] {
                    let t = threshold(sigma, keys, Delta::new(wanted).unwrap()).unwrap();
                    let tail = |t: i64| f64::from(keys) * exact_tail((t as f64 + 0.5) / sigma);
                    assert!(tail(t) <= wanted, "sigma {sigma}, delta {wanted}");
                    assert!(
                        t == 0 || tail(t - 1) > wanted,
                        "sigma {sigma}, delta {wanted}"
                    );
                }
            }
        }
    }

    #[test]
    fn there_is_a_threshold_for_the_widest_noise_and_none_for_infinite_noise() {
        let delta = Delta::new(1e-12).unwrap();
        let sigma = 2.0_f64.powf(23.5);
        let deviations = threshold(sigma, 1, delta).unwrap() as f64 / sigma;
        assert!((7.03..7.04).contains(&deviations), "{deviations}");
        assert_eq!(threshold(f64::INFINITY, 1, delta), None);
        assert_eq!(threshold(1.0, 1, Delta::new(1e-301).unwrap()), None);
    }
}
