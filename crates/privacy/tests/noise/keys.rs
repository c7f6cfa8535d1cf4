use std::num::NonZeroU32;

use privacy::{Accounting, Delta, Epsilon, KeyCounts, Ledger, LedgerOptions, NoiseRng, Rho};

use crate::rho_of_sigma;

fn ledger(rows_per_id: u32) -> Ledger {
    let (epsilon, delta) = (Epsilon::new(1000.0).unwrap(), Delta::new(0.9).unwrap());
    Ledger::open(LedgerOptions {
        threshold_share: Some(0.9),
        rows_per_id: NonZeroU32::new(rows_per_id).unwrap(),
        ..LedgerOptions::new(epsilon, delta, Accounting::Zcdp)
    })
    .unwrap()
}

fn release(counts: Vec<u32>, sigma: f64, delta: f64, rng: &mut NoiseRng) -> Vec<(usize, i64)> {
    let mut ledger = ledger(1);
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
                released >= 0.8 * allowed - 4.0 * allowed.sqrt(),
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
    let released = ledger(1)
        .release_keys(
            "keys",
            counts,
            Rho::MAX,
            Delta::new(1e-4).unwrap(),
            &mut rng,
        )
        .unwrap();
    assert_eq!(released, [(2, 2), (3, 3)]);
}

#[test]
fn however_an_id_spreads_its_rows_over_keys_one_is_released_with_probability_at_most_delta() {
    const IDS: u32 = 30_000;
    const ROWS: u32 = 6;
    let mut rng = NoiseRng::dangerous_from_seed(44);
    let delta = 0.02;
    for keys in [1, 2, 3, 6] {
        // All the keys of all the ids, each key of one id alone.
        let counts = vec![ROWS / keys; (IDS * keys) as usize];
        let released = ledger(ROWS)
            .release_keys(
                "keys",
                KeyCounts::from_exact(counts),
                rho_of_sigma(1.5),
                Delta::new(delta).unwrap(),
                &mut rng,
            )
            .unwrap();
        let mut shown: Vec<usize> = released
            .iter()
            .map(|&(index, _)| index / keys as usize)
            .collect();
        shown.dedup();
        let allowed = f64::from(IDS) * delta;
        assert!(
            (shown.len() as f64) <= allowed + 4.0 * allowed.sqrt(),
            "{keys} keys: {} of {allowed}",
            shown.len()
        );
        // With all its rows in one key, an id comes as close as one of so many keys may.
        let least = allowed / f64::from(ROWS);
        assert!(keys > 1 || shown.len() as f64 > 0.8 * least - 4.0 * least.sqrt());
    }
}
