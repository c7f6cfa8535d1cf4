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

/// Beyond this epsilon the conversion is not evaluated, which keeps products finite: a smaller epsilon
/// gives a larger delta, so the result stays valid.
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
    // The step up also covers the absolute rounding of numbers too small to be normal.
    ((value + ulps * magnitude).exp() * (1.0 + ulps))
        .next_up()
        .min(1.0)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// rho and epsilon from tiny to large, in steps of a factor.
    fn grid() -> impl Iterator<Item = (f64, f64)> {
        let rhos = (0..30).map(|i| 1e-8 * 2.1_f64.powi(i));
        rhos.flat_map(|rho| (0..24).map(move |i| (rho, 1e-4 * 2.0_f64.powi(i))))
    }

    #[test]
    fn no_order_of_a_fine_grid_gives_a_smaller_delta() {
        for (rho, epsilon) in grid() {
            let stated = delta(rho, epsilon, STATED);
            let best = (0..40_000)
                .map(|i| {
                    ln_delta_at(rho, epsilon, (-20.0 + f64::from(i) * 1.5e-3).exp())
                        .0
                        .exp()
                })
                .fold(1.0, f64::min);
            assert!(
                stated <= best * (1.0 + 1e-9) || best < 1e-300,
                "rho {rho}, epsilon {epsilon}"
            );
            // ... and ours is an evaluation of the same bound, so it cannot be far below the grid's.
            assert!(
                stated >= best * (1.0 - 2e-3) || best < 1e-300,
                "rho {rho}, epsilon {epsilon}"
            );
        }
    }

    #[test]
    fn the_bound_is_the_textbook_expression() {
        let (rho, epsilon) = (0.3_f64, 2.0_f64);
        for alpha in [1.01_f64, 1.5, 2.0, 7.0, 40.0] {
            let textbook = ((alpha - 1.0) * (alpha * rho - epsilon)).exp() / (alpha - 1.0)
                * (1.0 - 1.0 / alpha).powf(alpha);
            let (ours, _) = ln_delta_at(rho, epsilon, alpha - 1.0);
            assert!((ours.exp() / textbook - 1.0).abs() < 1e-12, "alpha {alpha}");
        }
    }

    #[test]
    fn delta_falls_with_epsilon_and_grows_with_rho() {
        for (rho, epsilon) in grid() {
            let here = delta(rho, epsilon, STATED);
            assert!(
                delta(rho, epsilon * 1.01, STATED) <= here,
                "rho {rho}, epsilon {epsilon}"
            );
            assert!(
                delta(rho * 1.01, epsilon, STATED) >= here,
                "rho {rho}, epsilon {epsilon}"
            );
        }
    }

    #[test]
    fn epsilon_inverts_delta() {
        for (rho, _) in grid() {
            for wanted in [0.3, 1e-3, 1e-9, 1e-20, 1e-100] {
                let found = epsilon(rho, wanted, STATED);
                assert!(
                    delta(rho, found, STATED) <= wanted,
                    "rho {rho}, delta {wanted}"
                );
                let less = found * (1.0 - 1e-9);
                assert!(
                    found == 0.0 || delta(rho, less, STATED) > wanted,
                    "rho {rho}, delta {wanted}"
                );
            }
        }
    }

    #[test]
    fn what_is_stated_passes_a_check_with_less_slack() {
        for (rho, epsilon) in grid() {
            assert!(delta(rho, epsilon, CHECKED) <= delta(rho, epsilon, STATED));
        }
    }

    #[test]
    fn extremes_are_numbers() {
        assert_eq!(delta(0.0, 0.0, STATED), 0.0);
        assert_eq!(delta(128.0, 0.0, STATED), 1.0);
        assert_eq!(
            delta(2.0_f64.powi(-48), f64::MAX, STATED),
            0.0_f64.next_up()
        );
        assert_eq!(epsilon(0.0, 1e-9, STATED), 0.0);
        assert_eq!(epsilon(1e-6, 0.5, STATED), 0.0);
        assert!(epsilon(128.0, 5e-324, STATED).is_finite());
    }
}
