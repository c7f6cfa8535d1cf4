//! The exact delta of each mechanism, by adding up its privacy loss, is never above the stated one.

use privacy::{Delta, Epsilon, Rho};

use crate::{epsilon, rho};

/// The values of a privacy loss on a lattice, `offset + step * i`, with their probabilities.
#[derive(Clone)]
struct Loss {
    offset: f64,
    step: f64,
    probabilities: Vec<f64>,
}

impl Loss {
    /// Of discrete Gaussian noise around 0 against around 1: rho (1 - 2x) at x... with x running
    /// downwards, so that the loss grows.
    fn of_gaussian(rho: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "13 sigma")]
        let reach = (13.0 / (2.0 * rho).sqrt()).ceil() as i32 + 2;
        let weight = |x: i32| (-rho * f64::from(x).powi(2)).exp();
        let normaliser: f64 = (-reach..=reach).map(weight).sum();
        let probabilities = (-reach..=reach).map(|x| weight(x) / normaliser).collect();
        Self {
            offset: rho * (1.0 - 2.0 * f64::from(reach)),
            step: 2.0 * rho,
            probabilities,
        }
    }

    /// Of discrete Laplace noise around 0 against around 1: epsilon from 0 downwards, else -epsilon.
    fn of_laplace(epsilon: f64) -> Self {
        let up_to_0 = 1.0 / (1.0 + (-epsilon).exp());
        Self {
            offset: -epsilon,
            step: 2.0 * epsilon,
            probabilities: vec![1.0 - up_to_0, up_to_0],
        }
    }

    /// Of the exponential mechanism on two candidates whose scores are `gap` apart, one id moving each by 1
    /// in opposite directions.
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

/// That this loss, composed so often, stays below what rho-zCDP states; returns the largest ratio of the two.
fn check(what: &str, loss: &Loss, cost: f64, times: u32) -> f64 {
    let composed = loss.composed(times);
    assert!(cost * f64::from(times) < 31.0, "beyond any ledger");
    let total = rho(cost * f64::from(times) * (1.0 + 1e-9) + 2.0_f64.powi(-48));
    let mut closest = 0.0_f64;
    for wanted in [0.1, 1e-2, 1e-4, 1e-6, 1e-9, 1e-12] {
        let epsilon = total.epsilon_at(Delta::new(wanted).unwrap());
        let (truth, stated) = (composed.delta(epsilon.get()), total.delta_at(epsilon).get());
        assert!(
            truth <= stated,
            "{what}, {times} times, epsilon {epsilon}: {truth} > {stated}"
        );
        closest = closest.max(truth / stated);
    }
    closest
}

#[test]
fn the_conversion_covers_discrete_gaussian_noise_and_is_not_far_above_it() {
    for sigma in [0.45_f64, 1.0, 3.0, 10.0, 40.0] {
        let cost = 0.5 / (sigma * sigma);
        let loss = Loss::of_gaussian(cost);
        for times in [1, 2, 5, 12] {
            let closest = check(&format!("sigma {sigma}"), &loss, cost, times);
            // A looser conversion than that of CKS20 would show here.
            assert!(closest > 0.1, "sigma {sigma}, {times} times: {closest}");
        }
    }
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
    let loss = Loss::of_gaussian(0.5);
    let epsilon = epsilon(4.0);
    let truth = loss.delta(epsilon.get());
    assert!(truth <= Rho::try_from(0.5).unwrap().delta_at(epsilon).get());
    assert!(truth > rho(0.5 * 2.0 / 3.0).delta_at(epsilon).get());
}

#[test]
fn more_rho_or_more_epsilon_never_give_the_opposite() {
    let mut previous: Option<(Rho, Epsilon)> = None;
    for i in 1..200 {
        let total =
            Rho::from_epsilon_delta(epsilon(0.02 * f64::from(i)), Delta::new(1e-9).unwrap());
        let back = total.epsilon_at(Delta::new(1e-9).unwrap());
        if let Some((rho, epsilon)) = previous {
            assert!(total > rho && back > epsilon);
        }
        previous = Some((total, back));
    }
}
