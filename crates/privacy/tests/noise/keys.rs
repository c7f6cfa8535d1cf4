use privacy::{Delta, Epsilon, KeyCounts, Ledger, NoiseRng, Rho};

use crate::rho_of_sigma;

fn release(counts: Vec<u32>, sigma: f64, delta: f64, rng: &mut NoiseRng) -> Vec<(usize, i64)> {
    let (epsilon, all) = (Epsilon::new(1000.0).unwrap(), Delta::new(0.9).unwrap());
    let mut ledger = Ledger::open_with_threshold_delta(epsilon, all, 0.9).unwrap();
    let delta = Delta::new(delta).unwrap();
    ledger
        .release_keys(
            "keys",
            KeyCounts::from_exact(counts),
            rho_of_sigma(sigma),
            delta,
            rng,
        )
        .unwrap()
}

#[test]
fn a_key_of_one_id_is_released_with_probability_at_most_delta() {
    const KEYS: usize = 200_000;
    let mut rng = NoiseRng::dangerous_from_seed(41);
    for (sigma, delta) in [(0.4, 0.05), (1.0, 0.01), (10.0, 0.01), (50.0, 0.001)] {
        let released = release(vec![1; KEYS], sigma, delta, &mut rng).len() as f64;
        let allowed = KEYS as f64 * delta;
        assert!(
            released <= allowed + 4.0 * allowed.sqrt(),
            "sigma {sigma}: {released} of {allowed}"
        );
        if sigma >= 10.0 {
            // The bound is not so loose that the threshold would cost more keys than it must.
            assert!(
                released >= 0.65 * allowed,
                "sigma {sigma}: {released} of {allowed}"
            );
        }
    }
}

#[test]
fn keys_of_many_ids_are_released_with_their_noisy_counts() {
    let mut rng = NoiseRng::dangerous_from_seed(42);
    let released = release(vec![1000, 1, 2000, 2, 3000], 5.0, 1e-9, &mut rng);
    let indices: Vec<usize> = released.iter().map(|&(index, _)| index).collect();
    assert_eq!(indices, [0, 2, 4]);
    for (index, count) in released {
        let exact = 500 * (i64::try_from(index).unwrap() + 2);
        assert!((count - exact).abs() < 40, "{count} for {exact}");
    }
}

#[test]
fn without_noise_to_speak_of_the_threshold_lies_just_above_1() {
    let mut rng = NoiseRng::dangerous_from_seed(43);
    let counts = KeyCounts::from_exact(vec![0, 1, 2, 3]);
    let (epsilon, all) = (Epsilon::new(1000.0).unwrap(), Delta::new(0.5).unwrap());
    let mut ledger = Ledger::open_with_threshold_delta(epsilon, all, 0.5).unwrap();
    let released = ledger
        .release_keys(
            "keys",
            counts,
            Rho::MAX,
            Delta::new(1e-12).unwrap(),
            &mut rng,
        )
        .unwrap();
    assert_eq!(released, [(2, 2), (3, 3)]);
}
