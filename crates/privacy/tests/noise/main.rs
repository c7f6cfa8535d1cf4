//! Noise against its exact probabilities, with fixed seeds, and against the samplers of OpenDP.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod gaussian;
mod keys;
mod laplace;
mod opendp;
mod selection;
mod statistics;

use privacy::{Accounting, Counts, Delta, Epsilon, Ledger, LedgerOptions, NoiseRng, Rho, Score};

/// A ledger with the largest total there is.
fn ample_ledger() -> Ledger {
    Ledger::open(LedgerOptions::new(
        Epsilon::new(1000.0).unwrap(),
        Delta::new(1e-9).unwrap(),
        Accounting::Zcdp,
    ))
    .unwrap()
}

fn zeros(cells: usize) -> Counts {
    Counts::from_exact(vec![0; cells])
}

/// The rho nearest to 1 / (2 sigma^2).
fn rho_of_sigma(sigma: f64) -> Rho {
    let unit = 2.0_f64.powi(-48);
    Rho::try_from((0.5 / (sigma * sigma) / unit).round() * unit).unwrap()
}

fn gaussian_noise(rho: Rho, draws: usize, rng: &mut NoiseRng) -> Vec<i64> {
    ample_ledger()
        .measure("noise alone", &zeros(draws), rho, rng)
        .unwrap()
        .values()
        .to_vec()
}

fn laplace_noise(epsilon: f64, draws: usize, rng: &mut NoiseRng) -> Vec<i64> {
    let epsilon = Epsilon::new(epsilon).unwrap();
    ample_ledger()
        .measure_laplace("noise alone", &zeros(draws), epsilon, rng)
        .unwrap()
        .values()
        .to_vec()
}

/// Selects again and again, with a new ledger whenever one is spent.
fn selections(
    rho: Rho,
    scores: impl Fn() -> Vec<Score>,
    draws: usize,
    rng: &mut NoiseRng,
) -> Vec<i64> {
    let mut ledger = ample_ledger();
    let mut select = || {
        if ledger.remaining() < rho {
            ledger = ample_ledger();
        }
        let picked = ledger.select("a candidate", scores(), rho, rng).unwrap();
        i64::try_from(picked).unwrap()
    };
    (0..draws).map(|_| select()).collect()
}

/// Scores of these sizes, by way of one cell each.
fn scores(values: &[f64]) -> Vec<Score> {
    values
        .iter()
        .map(|&value| Counts::from_exact(vec![0]).l1_distance(&[value]))
        .collect()
}
