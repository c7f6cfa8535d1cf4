use privacy::{NoiseRng, Rho};

use crate::statistics::{fit, two_samples};
use crate::{gaussian_noise, rho_of_sigma};

/// How well the draws fit the discrete Gaussian of cost `rho`.
fn fit_gaussian(draws: &[i64], rho: Rho) -> f64 {
    let reach = (9.0 * rho.sigma()).ceil().max(10.0);
    let weight = |x: i64| (-rho.get() * (x as f64).powi(2)).exp();
    #[expect(clippy::cast_possible_truncation, reason = "9 sigma")]
    let reach = reach as i64;
    let normaliser: f64 = (-reach..=reach).map(weight).sum();
    fit(draws, reach, |x| weight(x) / normaliser)
}

fn check(sigmas: &[f64], draws: usize, seed: u64) {
    let mut rng = NoiseRng::dangerous_from_seed(seed);
    for &sigma in sigmas {
        let rho = rho_of_sigma(sigma);
        let fits = fit_gaussian(&gaussian_noise(rho, draws, &mut rng), rho);
        assert!(fits > 1e-3, "sigma {sigma}: {fits}");
    }
}

#[test]
fn draws_have_the_exact_probabilities() {
    check(
        &[
            0.25, 0.3, 0.5, 0.7, 0.99, 1.0, 1.4, 1.42, 2.0, 2.9, 5.0, 12.3, 50.0, 91.2, 700.0,
        ],
        300_000,
        1,
    );
}

#[test]
#[ignore = "slow: 1.5e8 draws, half a minute"]
fn many_draws_have_the_exact_probabilities() {
    check(&[0.3, 1.0, 2.0, 8.0, 50.0], 30_000_000, 2);
}

#[test]
fn a_sigma_that_is_off_by_1_percent_would_be_noticed() {
    let mut rng = NoiseRng::dangerous_from_seed(3);
    for sigma in [0.5, 1.0, 5.0, 50.0] {
        let draws = gaussian_noise(rho_of_sigma(sigma * 1.01), 300_000, &mut rng);
        let fits = fit_gaussian(&draws, rho_of_sigma(sigma));
        assert!(fits < 1e-3, "sigma {sigma}: {fits}");
    }
}

#[test]
fn successive_draws_do_not_depend_on_each_other() {
    let mut rng = NoiseRng::dangerous_from_seed(4);
    let draws = gaussian_noise(rho_of_sigma(1.0), 400_000, &mut rng);
    // Pairs of neighbours against pairs from the two halves, coded as one integer.
    let code = |a: i64, b: i64| 100 * a.clamp(-6, 6) + b.clamp(-6, 6);
    let (first, second) = draws.split_at(draws.len() / 2);
    let neighbours: Vec<i64> = draws
        .chunks_exact(2)
        .map(|pair| code(pair[0], pair[1]))
        .collect();
    let strangers: Vec<i64> = first
        .iter()
        .zip(second)
        .map(|(&a, &b)| code(a, b))
        .collect();
    let same = two_samples(&neighbours, &strangers);
    assert!(same > 1e-3, "{same}");
}

#[test]
fn far_tails_are_as_heavy_as_they_should_be() {
    let mut rng = NoiseRng::dangerous_from_seed(5);
    for (sigma, draws) in [(3.0, 1_000_000), (1000.0, 1_000_000)] {
        let rho = rho_of_sigma(sigma);
        let noise = gaussian_noise(rho, draws, &mut rng);
        for deviations in [3.0, 3.5, 4.0] {
            let beyond = deviations * sigma;
            let weight = |x: i32| (-rho.get() * f64::from(x).powi(2)).exp();
            #[expect(clippy::cast_possible_truncation, reason = "a few thousand")]
            let (from, to) = (beyond.floor() as i32 + 1, (12.0 * sigma) as i32);
            let tail: f64 = (from..=to).map(weight).sum();
            let half: f64 = (1..=to).map(weight).sum();
            let expected = draws as f64 * 2.0 * tail / (2.0 * half + 1.0);
            let seen = noise
                .iter()
                .filter(|&&x| x.unsigned_abs() >= u64::from(from.unsigned_abs()))
                .count() as f64;
            assert!(
                (seen - expected).abs() <= 4.0 * expected.sqrt(),
                "{seen} beyond {beyond}, not {expected}"
            );
        }
    }
}

#[test]
fn noise_is_added_to_the_counts() {
    let mut rng = NoiseRng::dangerous_from_seed(6);
    let counts = privacy::Counts::from_exact(vec![0, 7, u32::MAX]);
    let noisy = crate::ample_ledger()
        .measure("three cells", &counts, Rho::MAX, &mut rng)
        .unwrap();
    assert_eq!(noisy.values(), [0, 7, i64::from(u32::MAX)]);
    assert_eq!((noisy.sigma(), noisy.rho()), (0.125, Rho::MAX));
}
