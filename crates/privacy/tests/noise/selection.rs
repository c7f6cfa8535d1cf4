use privacy::{Counts, LedgerError, NoiseRng, Rho};

use crate::statistics::fit;
use crate::{ample_ledger, scores, selections};

/// How well the selected candidates fit the softmax of epsilon / 2 times the scores.
fn fit_softmax(values: &[f64], rho: Rho, epsilon: f64, rng: &mut NoiseRng) -> f64 {
    let picks = selections(rho, || scores(values), 40_000, rng);
    let weights: Vec<f64> = values
        .iter()
        .map(|value| (epsilon * value / 2.0).exp())
        .collect();
    let total: f64 = weights.iter().sum();
    let probability = |x: i64| usize::try_from(x).map_or(0.0, |i| weights[i] / total);
    fit(
        &picks,
        i64::try_from(values.len()).unwrap() - 1,
        probability,
    )
}

#[test]
fn candidates_are_selected_with_the_probabilities_of_the_exponential_mechanism() {
    let mut rng = NoiseRng::dangerous_from_seed(31);
    let ladder: Vec<f64> = (0..40).map(f64::from).collect();
    let cases: [(&[f64], f64); 5] = [
        (&[0.0, 1.0, 2.5], 1.0),
        (&[10.0, 10.0, 10.0, 10.0], 2.0),
        (&[100.25, 99.5, 101.0, 3.0, 100.0], 0.7),
        (&ladder, 0.3),
        (&[5000.0, 4990.0, 0.0], 0.05),
    ];
    for (values, epsilon) in cases {
        let unit = 2.0_f64.powi(-48);
        let rho = Rho::try_from((epsilon * epsilon / 8.0 / unit).round() * unit).unwrap();
        let fits = fit_softmax(values, rho, epsilon, &mut rng);
        assert!(fits > 1e-3, "{values:?}, epsilon {epsilon}: {fits}");
        let off = fit_softmax(values, rho, epsilon * 1.3, &mut rng);
        assert!(
            off < 1e-3 || values.windows(2).all(|pair| pair[0] == pair[1]),
            "{values:?} cannot fail: {off}"
        );
    }
}

#[test]
fn among_thousands_of_hopeless_candidates_the_best_is_found_soon() {
    let mut rng = NoiseRng::dangerous_from_seed(32);
    let mut values = vec![0.0; 5000];
    values[4321] = 1e9;
    values[17] = 1e9 - 1000.0;
    let rho = Rho::try_from(0.125).unwrap();
    assert_eq!(
        selections(rho, || scores(&values), 20, &mut rng),
        [4321; 20]
    );
}

#[test]
fn extreme_scores_do_not_overflow() {
    let mut rng = NoiseRng::dangerous_from_seed(33);
    let model = [f64::INFINITY; 16];
    let largest = || Counts::from_exact(vec![0; 16]).l1_distance(&model);
    let smallest = || Counts::from_exact(vec![0; 16]).l1_distance(&[0.0; 16]);
    let picked = ample_ledger().select("extremes", vec![smallest(), largest()], Rho::MAX, &mut rng);
    assert_eq!(picked, Ok(1));
}

#[test]
fn with_one_candidate_it_is_selected_and_with_none_nothing_is_spent() {
    let mut rng = NoiseRng::dangerous_from_seed(34);
    assert_eq!(selections(Rho::MAX, || scores(&[3.0]), 1, &mut rng), [0]);
    let mut ledger = ample_ledger();
    let refused = ledger.select("none", Vec::new(), Rho::MAX, &mut rng);
    assert_eq!(
        refused,
        Err(LedgerError::NoCandidate {
            label: "none".to_owned()
        })
    );
    assert_eq!(ledger.spent(), Rho::ZERO);
}
