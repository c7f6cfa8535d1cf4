//! From rho-zCDP to (epsilon, delta) by CKS20, proposition 12 (in some versions corollary 13):
//!
//! rho-zCDP implies (epsilon, delta)-DP with
//! `delta = inf over alpha > 1 of exp((alpha - 1)(alpha rho - epsilon)) / (alpha - 1) * (1 - 1/alpha)^alpha`.
//!
//! Every alpha gives a valid delta, so that the search for the best one need not be exact: only the
//! evaluation at the alpha found must not err downwards.

/// How many units in the last place each term may err; the result is raised by so much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slack(f64);

/// For what we state and allot. The logarithm and exponential of any usual libm err by at most 1
/// unit in the last place, and a handful of operations follow: 32 is ample.
pub(crate) const STATED: Slack = Slack(32.0);

/// For checking what another machine stated: its libm may differ from ours by a few units, but not by
/// the difference of the two slacks.
pub(crate) const CHECKED: Slack = Slack(16.0);

/// Beyond this epsilon the conversion is not evaluated: a smaller epsilon gives a larger delta, so the result
/// stays valid. It keeps products finite.
const LARGEST_EPSILON: f64 = 1e6;

/// The least delta of CKS20 for rho >= 0 and epsilon >= 0, rounded up; within [0, 1].
pub(crate) fn delta(rho: f64, epsilon: f64, slack: Slack) -> f64 {
    if rho <= 0.0 {
        return 0.0;
    }
    let epsilon = epsilon.min(LARGEST_EPSILON);
    let order = best_order(rho, epsilon);
    let (value, magnitude) = ln_delta_at(rho, epsilon, order);
    let ulps = slack.0 * f64::EPSILON;
    ((value + ulps * magnitude).exp() * (1.0 + ulps)).clamp(f64::MIN_POSITIVE, 1.0)
}

/// The least epsilon >= 0 with `delta(rho, epsilon) <= delta`, rounded up.
pub(crate) fn epsilon(rho: f64, wanted: f64, slack: Slack) -> f64 {
    let within = |epsilon| delta(rho, epsilon, slack) <= wanted;
    if within(0.0) {
        return 0.0;
    }
    // Bun and Steinke 2016, proposition 1.3, which is looser: a first guess from above.
    let mut high = rho + 2.0 * (rho * -wanted.ln()).sqrt();
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

/// `alpha - 1` at which `ln_delta_at` is least. It is convex in alpha (second derivative
/// `2 rho + 1/(alpha - 1) - 1/alpha > 0`), so its derivative has one root: bisection on a log scale.
fn best_order(rho: f64, epsilon: f64) -> f64 {
    let derivative = |a: f64| (1.0 + 2.0 * a) * rho - epsilon - (1.0 / a).ln_1p();
    let (mut low, mut high) = (-40.0_f64, 80.0_f64);
    for _ in 0..64 {
        let middle = (low + high) / 2.0;
        if derivative(middle.exp()) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    high.exp()
}

/// Logarithm of the bound at `alpha = 1 + a`, and the sum of the absolute values of its terms, to
/// which its rounding error is proportional.
fn ln_delta_at(rho: f64, epsilon: f64, a: f64) -> (f64, f64) {
    let terms = [
        a * (1.0 + a) * rho,
        -a * epsilon,
        -(1.0 + a) * (1.0 / a).ln_1p(),
        -a.ln(),
    ];
    (
        terms.iter().sum(),
        terms.iter().map(|term| term.abs()).sum(),
    )
}
