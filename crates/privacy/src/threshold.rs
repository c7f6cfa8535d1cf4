//! How high a noisy count must be so that a key that only one id has stays hidden.

use crate::{Delta, Rho};

/// The least T for which our bound on P[X > T] is at most delta, X being discrete Gaussian noise of cost rho.
///
/// None when there is no such T below 2^40, which happens only for rho = 0.
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

/// An upper bound on P[X > t] for t >= 0 and P[X = x] proportional to exp(-rho x^2), raised by a relative `slack`.
///
/// With m = t + 1, terms from x = m on fall by the factor exp(-rho (2x + 1)) <= exp(-rho (2m + 1)) each, so that their sum is at most
/// exp(-rho m^2) / (1 - exp(-rho (2m + 1))). The normaliser is at least its three middle terms, and, by
/// Poisson summation, at least sqrt(pi / rho). Rounding errs by less than 1e-12 relatively wherever
/// the exponent is below 700, beyond which the result is 1e-300 for all purposes.
pub(crate) fn tail_bound(rho: Rho, t: i64, slack: f64) -> f64 {
    let rho = rho.get();
    #[expect(clippy::cast_precision_loss, reason = "t is at most 2^40")]
    let m = (t + 1) as f64;
    let sum = (-rho * m * m).exp() / -(-rho * (2.0 * m + 1.0)).exp_m1();
    let normaliser = (1.0 + 2.0 * (-rho).exp()).max((std::f64::consts::PI / rho).sqrt());
    sum.max(1e-300) / normaliser * (1.0 + slack)
}
