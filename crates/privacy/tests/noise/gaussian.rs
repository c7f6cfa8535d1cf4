use privacy::{NoiseRng, Rho};

use crate::statistics::{fit, normal_tail, two_samples};
use crate::{gaussian_noise, rho_of_sigma};

/// How well the draws fit the Gaussian of cost `rho`, rounded.
fn fit_gaussian(draws: &[i64], rho: Rho) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "9 sigma")]
    let reach = (9.0 * rho.sigma()).ceil().max(10.0) as i64;
    fit(draws, reach, |x| {
        let magnitude = x.abs() as f64;
        let above = |x: f64| normal_tail(x / rho.sigma());
        match x {
            0 => 1.0 - 2.0 * above(0.5),
            _ => above(magnitude - 0.5) - above(magnitude + 0.5),
        }
    })
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
        let draws = gaussian_noise(rho_of_sigma(sigma * 1.01), 600_000, &mut rng);
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
            let beyond = (deviations * sigma).floor() + 0.5;
            let expected = draws as f64 * 2.0 * normal_tail(beyond / sigma);
            let seen = noise.iter().filter(|&&x| x.abs() as f64 > beyond).count() as f64;
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
