//! Estimation of models from noisy marginals.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::ops::ControlFlow;

use marginals::{
    Clique, Domain, Error, Estimate, EstimationOptions, Factor, MarkovRandomField, Measurement,
    estimate, estimate_watched,
};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

const CLIQUE_SETS: [&[&[usize]]; 6] = [
    &[&[0], &[1], &[2], &[3], &[4]],
    &[&[0, 1], &[1, 2], &[2, 3], &[3, 4], &[0], &[4]],
    &[&[0, 1], &[0, 2], &[0, 3], &[0, 4]],
    &[&[0, 1], &[1, 2], &[2, 3], &[0, 3], &[4]],
    &[&[0, 1, 2], &[2, 3, 4], &[1, 4]],
    &[&[1, 3]],
];

fn domain() -> Domain {
    Domain::new(vec![3, 4, 2, 5, 3]).unwrap()
}

/// Counts of a random table of the given number of records, and Gaussian noise.
struct Source {
    joint: Vec<f64>,
    rng: ChaCha8Rng,
}

impl Source {
    fn new(records: f64, seed: u64) -> Source {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let cells = usize::try_from(domain().cells(&Clique::new(0..5))).unwrap();
        let weights: Vec<f64> = (0..cells)
            .map(|_| (f64::from(rng.next_u32()) / f64::from(u32::MAX)).powi(6))
            .collect();
        let sum: f64 = weights.iter().sum();
        Source {
            joint: weights.iter().map(|w| w / sum * records).collect(),
            rng,
        }
    }

    fn counts(&self, clique: &Clique) -> Vec<f64> {
        let mut counts = vec![0.0; usize::try_from(domain().cells(clique)).unwrap()];
        for (mut rest, count) in self.joint.iter().enumerate() {
            let mut codes = [0; 5];
            for a in (0..5).rev() {
                (codes[a], rest) = (rest % domain().size(a), rest / domain().size(a));
            }
            counts[clique
                .iter()
                .fold(0, |i, a| i * domain().size(a) + codes[a])] += count;
        }
        counts
    }

    fn normal(&mut self) -> f64 {
        let mut uniform = || (f64::from(self.rng.next_u32()) + 0.5) / 2_f64.powi(32);
        let (a, b) = (uniform(), uniform());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }

    fn measure(&mut self, cliques: &[&[usize]], sigma: f64) -> Vec<Measurement> {
        let measure = |attributes: &&[usize]| {
            let clique = Clique::new(attributes.iter().copied());
            let noisy = self
                .counts(&clique)
                .iter()
                .map(|count| count + sigma * self.normal())
                .collect();
            Measurement::new(&domain(), clique, noisy, sigma).unwrap()
        };
        cliques.iter().map(measure).collect()
    }
}

/// The loss by its definition.
fn loss(model: &MarkovRandomField, measurements: &[Measurement]) -> f64 {
    let one = |m: &Measurement| -> f64 {
        let mu = model.marginal(m.clique()).unwrap();
        m.values()
            .iter()
            .zip(m.weights())
            .zip(mu)
            .map(|((y, w), mu)| 0.5 * w * (mu - y).powi(2))
            .sum()
    };
    measurements.iter().map(one).sum()
}

fn exactly() -> EstimationOptions<'static> {
    EstimationOptions {
        max_iterations: 20_000,
        tolerance: 1e-9,
        ..EstimationOptions::default()
    }
}

fn assert_monotone(fit: &Estimate) {
    for pair in fit.losses.windows(2) {
        assert!(
            pair[1] <= pair[0] * (1.0 + 1e-9) + 1e-12,
            "the loss grew from {} to {}",
            pair[0],
            pair[1]
        );
    }
}

#[test]
fn nearly_exact_measurements_are_reproduced() {
    for (seed, cliques) in (0..).zip(CLIQUE_SETS) {
        for records in [100.0, 1e7] {
            let mut source = Source::new(records, seed);
            let measurements = source.measure(cliques, 1e-6 * records);
            let fit = estimate(&domain(), &measurements, &exactly()).unwrap();
            assert_monotone(&fit);
            assert!((fit.model.total() / records - 1.0).abs() < 1e-4);
            for attributes in cliques {
                let clique = Clique::new(attributes.iter().copied());
                for (found, count) in fit
                    .model
                    .marginal(&clique)
                    .unwrap()
                    .iter()
                    .zip(source.counts(&clique))
                {
                    assert!(
                        (found - count).abs() < 2e-5 * records,
                        "{clique} of {records}: {found} instead of {count}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_reported_loss_is_that_of_the_model() {
    for (seed, cliques) in (0..).zip(CLIQUE_SETS) {
        let mut source = Source::new(1000.0, seed);
        let mut measurements = source.measure(cliques, 20.0);
        measurements.extend(source.measure(cliques, 5.0)); // each clique twice
        let fit = estimate(&domain(), &measurements, &EstimationOptions::default()).unwrap();
        let (reported, actual) = (*fit.losses.last().unwrap(), loss(&fit.model, &measurements));
        assert!(
            (reported / actual - 1.0).abs() < 1e-6,
            "{reported} for {actual}"
        );
    }
}

#[test]
fn a_long_plain_mirror_descent_finds_nothing_better() {
    for (seed, cliques) in (0..).zip(CLIQUE_SETS) {
        let mut source = Source::new(500.0, seed);
        let measurements = source.measure(cliques, 15.0);
        let fit = estimate(&domain(), &measurements, &exactly()).unwrap();
        assert_monotone(&fit);
        let ours = loss(&fit.model, &measurements);
        let plain = loss(
            &mirror_descent(&measurements, fit.model.total(), 4000),
            &measurements,
        );
        assert!(
            ours <= plain * (1.0 + 1e-4) + 1e-6,
            "{ours} after {} passes, plain mirror descent {plain}",
            fit.passes
        );
    }
}

/// Entropic mirror descent with a fixed step below the inverse Lipschitz constant, on the public
/// interface only.
fn mirror_descent(
    measurements: &[Measurement],
    total: f64,
    iterations: usize,
) -> MarkovRandomField {
    let step = 1.0 / (total * total * measurements.iter().map(|m| m.weights()[0]).sum::<f64>());
    let mut logs: Vec<Vec<f64>> = measurements
        .iter()
        .map(|m| vec![0.0; m.values().len()])
        .collect();
    let model = |logs: &[Vec<f64>]| {
        let factors = measurements
            .iter()
            .zip(logs)
            .map(|(m, l)| Factor::new(&domain(), m.clique().clone(), l.clone()).unwrap());
        MarkovRandomField::new(domain(), factors.collect(), total).unwrap()
    };
    for _ in 0..iterations {
        let current = model(&logs);
        for (m, logs) in measurements.iter().zip(&mut logs) {
            let mu = current.marginal(m.clique()).unwrap();
            for (((log, mu), y), w) in logs.iter_mut().zip(mu).zip(m.values()).zip(m.weights()) {
                *log -= step * total * w * (mu - y);
            }
        }
    }
    model(&logs)
}

#[test]
fn nothing_measured_means_uniform() {
    let options = EstimationOptions {
        total: Some(360.0),
        ..EstimationOptions::default()
    };
    let fit = estimate(&domain(), &[], &options).unwrap();
    let cells = fit.model.marginal(&Clique::new(0..5)).unwrap();
    assert!(cells.iter().all(|count| (count - 1.0).abs() < 1e-9));
    assert_eq!(fit.model.total(), 360.0);
}

#[test]
fn what_was_measured_apart_is_independent() {
    let mut source = Source::new(100.0, 1);
    let fit = estimate(&domain(), &source.measure(CLIQUE_SETS[0], 1.0), &exactly()).unwrap();
    let (a, b) = (
        fit.model.marginal(&Clique::new([0])).unwrap(),
        fit.model.marginal(&Clique::new([3])).unwrap(),
    );
    let pair = fit.model.marginal(&Clique::new([0, 3])).unwrap();
    for (i, count) in pair.iter().enumerate() {
        let expected = a[i / 5] * b[i % 5] / fit.model.total();
        assert!((count - expected).abs() < 1e-9);
    }
}

#[test]
fn a_warm_start_goes_on_where_the_other_ended_and_keeps_what_is_impossible() {
    let mut source = Source::new(1000.0, 5);
    let measurements = source.measure(CLIQUE_SETS[3], 5.0);
    let cold = estimate(&domain(), &measurements, &EstimationOptions::default()).unwrap();
    let options = EstimationOptions {
        warm_start: Some(&cold.model),
        ..EstimationOptions::default()
    };
    let warm = estimate(&domain(), &measurements, &options).unwrap();
    assert!(
        (warm.losses[0] / cold.losses.last().unwrap() - 1.0).abs() < 1e-9,
        "it starts where the first one ended"
    );
    assert!(
        warm.passes < cold.passes,
        "{} passes after {}",
        warm.passes,
        cold.passes
    );

    let mut logs = vec![0.0; 15];
    logs[7] = f64::NEG_INFINITY;
    let forbids = Factor::new(&domain(), Clique::new([0, 3]), logs).unwrap();
    let start = MarkovRandomField::new(domain(), vec![forbids], 1000.0).unwrap();
    let options = EstimationOptions {
        warm_start: Some(&start),
        ..EstimationOptions::default()
    };
    let fit = estimate(&domain(), &measurements, &options).unwrap();
    assert_eq!(fit.model.marginal(&Clique::new([0, 3])).unwrap()[7], 0.0);
}

#[test]
fn noise_far_above_the_counts_still_gives_a_model() {
    for sigma in [1e3, 1e8] {
        let mut source = Source::new(2.0, 9);
        let fit = estimate(
            &domain(),
            &source.measure(CLIQUE_SETS[4], sigma),
            &EstimationOptions::default(),
        )
        .unwrap();
        assert!(fit.model.total() >= 1.0);
        let counts = fit.model.marginal(&Clique::new([1, 4])).unwrap();
        assert!(counts.iter().all(|c| c.is_finite() && *c >= 0.0));
    }
}

#[test]
fn a_watcher_sees_each_iteration_and_can_stop_it() {
    let mut source = Source::new(100.0, 2);
    let measurements = source.measure(CLIQUE_SETS[1], 1.0);
    let mut seen = Vec::new();
    let result = estimate_watched(&domain(), &measurements, &exactly(), &mut |passes, loss| {
        seen.push((passes, loss));
        if seen.len() == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert_eq!(result.unwrap_err(), Error::Cancelled);
    assert_eq!(seen.len(), 3);
    assert!(
        seen.windows(2)
            .all(|pair| pair[0].0 < pair[1].0 && pair[0].1 >= pair[1].1)
    );
}

#[test]
fn a_target_loss_ends_the_descent_early() {
    let mut source = Source::new(1000.0, 4);
    let measurements = source.measure(CLIQUE_SETS[3], 5.0);
    let full = estimate(&domain(), &measurements, &exactly()).unwrap();
    let target_loss = 2.0 * full.losses.last().unwrap();
    let options = EstimationOptions {
        target_loss,
        ..exactly()
    };
    let early = estimate(&domain(), &measurements, &options).unwrap();
    assert!(early.passes < full.passes);
    assert!(
        *early.losses.last().unwrap() <= target_loss
            && early.losses[early.losses.len() - 2] > target_loss
    );
}

#[test]
fn measurements_of_another_domain_are_refused() {
    let other = Domain::new(vec![2, 2]).unwrap();
    let foreign = Measurement::new(&other, Clique::new([0]), vec![1.0, 1.0], 1.0).unwrap();
    assert!(matches!(
        estimate(&domain(), &[foreign], &EstimationOptions::default()),
        Err(Error::WrongLength { .. })
    ));
}

#[test]
fn a_start_that_cannot_be_carried_over_within_memory_is_left_behind_but_for_what_it_rules_out() {
    // Between the two large attributes and the root lie the two that are in the root: 12^2 * 1000^2
    // cells.
    let domain = Domain::new(vec![2, 12, 12, 2, 1000, 1000]).unwrap();
    let cliques = [vec![0, 1, 2], vec![1, 2, 3], vec![1, 3, 4], vec![2, 3, 5]];
    let factor = |attributes: &Vec<usize>| {
        let clique = Clique::new(attributes.iter().copied());
        let cells = usize::try_from(domain.cells(&clique)).unwrap();
        Factor::new(&domain, clique, vec![0.0; cells]).unwrap()
    };
    let mut factors: Vec<Factor> = cliques.iter().map(factor).collect();
    let ruled_out = Clique::new([3]);
    factors.push(Factor::new(&domain, ruled_out.clone(), vec![0.0, f64::NEG_INFINITY]).unwrap());
    let before = MarkovRandomField::new(domain.clone(), factors, 100.0).unwrap();
    let across = Clique::new([0, 4, 5]);
    assert!(
        matches!(before.marginal(&across), Err(Error::TooLarge { .. })),
        "the case tests nothing any more"
    );
    let measured =
        Measurement::new(&domain, across.clone(), vec![100.0 / 2e6; 2_000_000], 1.0).unwrap();
    let structure = [ruled_out.clone()];
    let options = EstimationOptions {
        warm_start: Some(&before),
        structure: &structure,
        max_iterations: 2,
        ..EstimationOptions::default()
    };
    let model = estimate(&domain, &[measured], &options).unwrap().model;
    assert_eq!(model.marginal(&ruled_out).unwrap()[1], 0.0);
}
