//! The exact delta of each mechanism, by adding up its privacy loss, is never above the stated one.

use privacy::{Accounting, Delta, Epsilon, Rho};

use crate::{delta, epsilon, rho};

/// The values of a privacy loss on a lattice, `offset + step * i`, with their probabilities.
#[derive(Clone)]
struct Loss {
    offset: f64,
    step: f64,
    probabilities: Vec<f64>,
}

impl Loss {
    /// Of discrete Laplace noise around 0 against around 1: epsilon from 0 downwards, else
    /// -epsilon.
    fn of_laplace(epsilon: f64) -> Self {
        let up_to_0 = 1.0 / (1.0 + (-epsilon).exp());
        Self {
            offset: -epsilon,
            step: 2.0 * epsilon,
            probabilities: vec![1.0 - up_to_0, up_to_0],
        }
    }

    /// Of the exponential mechanism on two candidates whose scores are `gap` apart, one id moving
    /// each by 1 in opposite directions.
    fn of_selection(epsilon: f64, gap: f64) -> Self {
        let first = |gap: f64| 1.0 / (1.0 + (-epsilon * gap / 2.0).exp());
        let (here, there) = (first(gap), first(gap - 2.0));
        let (low, high) = (((1.0 - here) / (1.0 - there)).ln(), (here / there).ln());
        Self {
            offset: low,
            step: high - low,
            probabilities: vec![1.0 - here, here],
        }
    }

    fn composed(&self, times: u32) -> Self {
        let mut probabilities = vec![1.0];
        for _ in 0..times {
            let mut next = vec![0.0; probabilities.len() + self.probabilities.len() - 1];
            for (i, p) in probabilities.iter().enumerate() {
                for (j, q) in self.probabilities.iter().enumerate() {
                    next[i + j] += p * q;
                }
            }
            probabilities = next;
        }
        Self {
            offset: self.offset * f64::from(times),
            step: self.step,
            probabilities,
        }
    }

    /// E[max(0, 1 - exp(epsilon - loss))].
    fn delta(&self, epsilon: f64) -> f64 {
        let loss = |i: usize| self.offset + self.step * i as f64;
        self.probabilities
            .iter()
            .enumerate()
            .map(|(i, p)| p * -(epsilon - loss(i)).min(0.0).exp_m1())
            .sum()
    }
}

/// That this loss, composed so often, stays below what rho-zCDP states; returns the largest ratio
/// of the two.
fn check(what: &str, loss: &Loss, cost: f64, times: u32) -> f64 {
    let composed = loss.composed(times);
    assert!(cost * f64::from(times) < 31.0, "beyond any ledger");
    let total = rho(cost * f64::from(times) * (1.0 + 1e-9) + 2.0_f64.powi(-48));
    let mut closest = 0.0_f64;
    for wanted in [0.1, 1e-2, 1e-4, 1e-6, 1e-9, 1e-12] {
        let epsilon = Accounting::Zcdp.epsilon(total, Delta::new(wanted).unwrap());
        let (truth, stated) = (
            composed.delta(epsilon.get()),
            Accounting::Zcdp.delta(total, epsilon).get(),
        );
        assert!(
            truth <= stated,
            "{what}, {times} times, epsilon {epsilon}: {truth} > {stated}"
        );
        closest = closest.max(truth / stated);
    }
    closest
}

/// E[max(0, 1 - exp(epsilon - loss))] for Gaussian noise around 0 against around mu, in standard
/// deviations, by Simpson's rule: the loss at x is mu^2 / 2 - mu x.
fn gaussian_delta(mu: f64, epsilon: f64) -> f64 {
    let end = mu / 2.0 - epsilon / mu; // where the loss is epsilon
    let (steps, reach) = (40_000, 14.0);
    let integrand = |i: u32| {
        let x = end - reach * f64::from(i) / f64::from(steps);
        (-x * x / 2.0).exp() * -(epsilon - mu * mu / 2.0 + mu * x).min(0.0).exp_m1()
    };
    let weight = |i: u32| match i {
        _ if i == 0 || i == steps => 1.0,
        _ => f64::from(2 + 2 * (i % 2)),
    };
    let sum: f64 = (0..=steps).rev().map(|i| weight(i) * integrand(i)).sum();
    sum * reach / f64::from(steps) / 3.0 / (2.0 * std::f64::consts::PI).sqrt()
}

#[test]
fn the_conversions_cover_gaussian_noise_and_that_of_gaussian_accounting_is_exact() {
    for sigma in [0.3_f64, 1.0, 3.0, 10.0, 40.0] {
        for times in [1, 2, 5] {
            let mu = f64::from(times).sqrt() / sigma;
            let total = rho(mu * mu / 2.0);
            for wanted in [0.1, 1e-2, 1e-4, 1e-6, 1e-9, 1e-12] {
                let what = format!("sigma {sigma}, {times} times, delta {wanted}");
                let epsilon = Accounting::Gdp.epsilon(total, delta(wanted));
                let truth = gaussian_delta(mu, epsilon.get());
                assert!(truth <= wanted * (1.0 + 1e-9), "{what}: {truth}");
                // At epsilon 0 there may be delta to spare.
                assert!(
                    epsilon.get() < 1e-9 || truth >= wanted * (1.0 - 1e-6),
                    "{what}: {truth}"
                );
                let epsilon = Accounting::Zcdp.epsilon(total, delta(wanted));
                let (truth, stated) = (
                    gaussian_delta(mu, epsilon.get()),
                    Accounting::Zcdp.delta(total, epsilon).get(),
                );
                assert!(truth <= stated, "{what}: {truth} > {stated}");
                // A looser conversion than that of CKS20 would show here.
                assert!(
                    epsilon.get() < 1e-9 || truth > 0.05 * stated,
                    "{what}: {truth}, {stated}"
                );
            }
        }
    }
}

#[test]
fn rounding_to_integers_only_loses() {
    for sigma in [0.25_f64, 0.5, 1.0, 4.0] {
        let above = |x: f64| normal_tail(x / sigma);
        // Of noise around the mean, rounded.
        let probability = |x: i32, mean: f64| {
            let (low, high) = (f64::from(x) - mean - 0.5, f64::from(x) - mean + 0.5);
            // On the side on which nothing cancels.
            if low > 0.0 {
                above(low) - above(high)
            } else {
                above(-high) - above(-low)
            }
        };
        let total = rho(0.5 / (sigma * sigma));
        for epsilon in [0.1, 1.0, 3.0, 8.0].map(epsilon) {
            let reach = 40 + 12 * i32::from(sigma > 1.0);
            let truth: f64 = (-reach..=reach)
                .map(|x| (probability(x, 0.0) - epsilon.get().exp() * probability(x, 1.0)).max(0.0))
                .sum();
            let stated = Accounting::Gdp.delta(total, epsilon).get();
            assert!(
                truth <= stated * (1.0 + 1e-9) + 1e-15,
                "sigma {sigma}, epsilon {epsilon}: {truth} > {stated}"
            );
        }
    }
}

/// P[Z > x] by Simpson's rule.
fn normal_tail(x: f64) -> f64 {
    let (steps, reach) = (4_000, 12.0 + x.abs());
    let density = |i: u32| (-(x + reach * f64::from(i) / f64::from(steps)).powi(2) / 2.0).exp();
    let weight = |i: u32| match i {
        _ if i == 0 || i == steps => 1.0,
        _ => f64::from(2 + 2 * (i % 2)),
    };
    let sum: f64 = (0..=steps).rev().map(|i| weight(i) * density(i)).sum();
    sum * reach / f64::from(steps) / 3.0 / (2.0 * std::f64::consts::PI).sqrt()
}

#[test]
fn the_conversion_covers_discrete_laplace_noise() {
    for epsilon in [0.05_f64, 0.3, 1.0, 1.4] {
        for times in [1, 3, 10, 30] {
            check(
                &format!("epsilon {epsilon}"),
                &Loss::of_laplace(epsilon),
                epsilon * epsilon / 2.0,
                times,
            );
        }
    }
}

#[test]
fn the_conversion_covers_selection() {
    for epsilon in [0.05, 0.3, 1.0, 2.5] {
        for gap in [-3.0, 0.0, 1.0, 2.0, 3.0, 6.0] {
            for times in [1, 3, 10, 30] {
                let what = format!("epsilon {epsilon}, gap {gap}");
                check(
                    &what,
                    &Loss::of_selection(epsilon, gap),
                    epsilon * epsilon / 8.0,
                    times,
                );
            }
        }
    }
}

#[test]
fn a_cost_that_is_a_third_too_small_would_be_noticed() {
    let (mu, epsilon) = (1.0, epsilon(4.0));
    let truth = gaussian_delta(mu, epsilon.get());
    for accounting in [Accounting::Zcdp, Accounting::Gdp] {
        assert!(truth <= accounting.delta(rho(0.5), epsilon).get());
        assert!(truth > accounting.delta(rho(0.5 * 2.0 / 3.0), epsilon).get());
    }
}

#[test]
fn more_rho_or_more_epsilon_never_give_the_opposite() {
    let mut previous: Option<(Rho, Epsilon)> = None;
    for i in 1..200 {
        let total = Accounting::Zcdp.total(epsilon(0.02 * f64::from(i)), Delta::new(1e-9).unwrap());
        let back = Accounting::Zcdp.epsilon(total, Delta::new(1e-9).unwrap());
        if let Some((rho, epsilon)) = previous {
            assert!(total > rho && back > epsilon);
        }
        previous = Some((total, back));
    }
}
