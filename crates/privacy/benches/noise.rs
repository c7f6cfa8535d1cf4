//! CPU time per draw and per selection: `cargo bench -p synclave-privacy`.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark talks, and stops when it fails"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use privacy::{Accounting, Counts, Delta, Epsilon, Ledger, LedgerOptions, NoiseRng, Rho};

const CELLS: u32 = 1_000_000;

fn main() {
    let mut rng = NoiseRng::from_os().unwrap();
    let zeros = Counts::from_exact(vec![0; CELLS as usize]);
    for sigma in [0.5_f64, 5.0, 50.0, 5000.0] {
        let unit = 2.0_f64.powi(-48);
        let rho = Rho::try_from((0.5 / (sigma * sigma) / unit).round() * unit).unwrap();
        let mut ledger = ledger();
        let time = timed(|| ledger.measure("noise", &zeros, rho, &mut rng).unwrap());
        println!("rounded Gaussian, sigma {sigma}: {:?} a draw", time / CELLS);
    }
    for epsilon in [0.02, 1.0] {
        let epsilon = Epsilon::new(epsilon).unwrap();
        let mut ledger = ledger();
        let time = timed(|| {
            ledger
                .measure_laplace("noise", &zeros, epsilon, &mut rng)
                .unwrap()
        });
        println!(
            "discrete Laplace, epsilon {epsilon}: {:?} a draw",
            time / CELLS
        );
    }
    for candidates in [100, 5000] {
        let score = |i: u32| Counts::from_exact(vec![i]).l1_distance(&[0.0]);
        let scores = (0..candidates).map(score).collect();
        let rho = ledger().total().share(1, 1000);
        let mut ledger = ledger();
        let time = timed(|| ledger.select("the best", scores, rho, &mut rng).unwrap());
        println!("selection, {candidates} candidates with scores 1 apart: {time:?}");
    }
}

fn ledger() -> Ledger {
    Ledger::open(LedgerOptions::new(
        Epsilon::new(1000.0).unwrap(),
        Delta::new(1e-9).unwrap(),
        Accounting::Zcdp,
    ))
    .unwrap()
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}
