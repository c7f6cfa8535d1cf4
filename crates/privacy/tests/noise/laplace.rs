use privacy::{Epsilon, NoiseRng};

use crate::statistics::fit;
use crate::{ample_ledger, laplace_noise, zeros};

fn fit_laplace(draws: &[i64], epsilon: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, reason = "a few thousand")]
    let reach = (40.0 / epsilon).ceil() as i64;
    let normaliser = (epsilon / 2.0).tanh();
    fit(draws, reach, |x| {
        normaliser * (-epsilon * (x as f64).abs()).exp()
    })
}

#[test]
fn draws_have_the_exact_probabilities() {
    let mut rng = NoiseRng::dangerous_from_seed(21);
    for epsilon in [0.01, 0.3, 1.0, 1.7, 4.0, 7.0] {
        let fits = fit_laplace(&laplace_noise(epsilon, 300_000, &mut rng), epsilon);
        assert!(fits > 1e-3, "epsilon {epsilon}: {fits}");
    }
}

#[test]
fn an_epsilon_that_is_off_by_2_percent_would_be_noticed() {
    let mut rng = NoiseRng::dangerous_from_seed(22);
    for epsilon in [0.3, 1.0, 4.0] {
        let fits = fit_laplace(&laplace_noise(epsilon * 1.02, 300_000, &mut rng), epsilon);
        assert!(fits < 1e-3, "epsilon {epsilon}: {fits}");
    }
}

#[test]
fn sigma_is_the_standard_deviation() {
    let mut rng = NoiseRng::dangerous_from_seed(23);
    for epsilon in [0.1, 1.0, 3.0] {
        let epsilon = Epsilon::new(epsilon).unwrap();
        let noisy = ample_ledger()
            .measure_laplace("noise", &zeros(400_000), epsilon, &mut rng)
            .unwrap();
        let mean_square = noisy
            .values()
            .iter()
            .map(|&x| (x as f64).powi(2))
            .sum::<f64>()
            / 400_000.0;
        assert!(
            (mean_square.sqrt() / noisy.sigma() - 1.0).abs() < 0.01,
            "epsilon {epsilon}"
        );
    }
}
