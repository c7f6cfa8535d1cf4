//! From rho-zCDP to (epsilon, delta) by CKS20, proposition 12 (in some versions corollary 13):
//!
//! rho-zCDP implies (epsilon, delta)-DP with
//! `delta = inf over alpha > 1 of
//! exp((alpha - 1)(alpha rho - epsilon)) / (alpha - 1) * (1 - 1/alpha)^alpha`.
//!
//! Every alpha gives a valid delta, so that the search for the best one need not be exact: only the
//! evaluation at the alpha found must not err downwards.

use crate::accounting::Slack;

/// The least delta of CKS20 for rho > 0 and 0 <= epsilon <= 10^6, rounded up; within [0, 1].
pub(crate) fn delta(rho: f64, epsilon: f64, slack: Slack) -> f64 {
    // A near-best alpha suffices: the bound holds for each.
    let order = best_order(rho, epsilon);
    let (value, magnitude) = ln_delta_at(rho, epsilon, order);
    let ulps = slack.of_few();
    // The step up also covers the absolute rounding of numbers too small to be normal.
    ((value + ulps * magnitude).exp() * (1.0 + ulps))
        .next_up()
        .min(1.0)
}

/// `alpha - 1` at which `ln_delta_at` is least. It is convex in alpha (second derivative
/// `2 rho + 1/(alpha - 1) - 1/alpha > 0`), so its derivative has one root: bisection on a log
/// scale.
fn best_order(rho: f64, epsilon: f64) -> f64 {
    let derivative = |a: f64| (1.0 + 2.0 * a) * rho - epsilon - (1.0 / a).ln_1p();
    // The bound holds for any alpha: the ends of the search only decide how tight it is.
    let (mut low, mut high) = (-40.0_f64, 80.0_f64);
    for _ in 0..64 {
        let middle = (low + high) / 2.0;
        if derivative(middle.exp()) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    // An end of the interval and not its middle: any alpha would do.
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
    use crate::accounting::STATED;

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
            // ... and ours is an evaluation of the same bound, so it cannot be far below the
            // grid's.
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
    fn all_the_rho_there_is_promises_nothing_at_epsilon_0() {
        assert_eq!(delta(128.0, 0.0, STATED), 1.0);
    }
}
