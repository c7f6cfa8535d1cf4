//! What released gradients tell of a row.

use neural::{Blocks, Critic, Gradients, Loss};
use privacy::{Accounting, Delta, Epsilon, GradientSum, Ledger, LedgerOptions};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use synthesis::Method;
use tabular::{CountSource, RowSum};

use super::{CANARY, DELTA, EPSILON, FITS, GDP_RHO, Leak, Row, Worlds, table, uncoarsened};

/// What real rows add to a critic's gradient, clipped to so many units.
struct RealRows<'a>(Gradients<'a>);

impl RowSum for RealRows<'_> {
    fn coordinates(&self) -> usize {
        self.0.coordinates()
    }

    fn add(&self, columns: &[&[u32]], sums: &mut [i64]) {
        self.0.add(columns, sums);
    }
}

/// Three released sums of gradients with and without the row, whose own gradient the attacker
/// knows: the projection on it is the best test there is.
fn gradients(norm: i64) -> Worlds {
    const STEPS: u32 = 3;
    let tables = [0, 1].map(|copies| table(CANARY, copies));
    let (sizes, recoding) = (tables[0].schema().sizes(), uncoarsened(tables[0].schema()));
    let mut coins = ChaCha8Rng::seed_from_u64(1);
    let critic = Critic::new(&Blocks::new(&sizes), &[6], &mut coins);
    // So small a clip that each gradient has the whole norm: the worst case.
    let real = RealRows(Gradients::of_real(&critic, Loss::Wasserstein, 1e-6, norm));
    let mut own = vec![0; real.coordinates()];
    let Row(codes) = CANARY;
    real.add(&codes.each_ref().map(std::slice::from_ref), &mut own);
    let sums = tables
        .each_ref()
        .map(|table| table.sum_rows(&recoding, &real).unwrap());
    let score = |world: usize, seed: u64| {
        let (epsilon, delta) = (Epsilon::new(EPSILON).unwrap(), Delta::new(DELTA).unwrap());
        let mut ledger = Ledger::open(LedgerOptions::new(epsilon, delta, Accounting::Gdp)).unwrap();
        let whole = ledger.total();
        let mut paid = ledger
            .open_gradients("steps", own.len(), STEPS, whole)
            .unwrap();
        let mut rng = testkit::noise(seed);
        let project = |released: Vec<f64>| -> f64 {
            released.iter().zip(&own).map(|(a, &b)| a * b as f64).sum()
        };
        (0..STEPS)
            .map(|_| project(paid.release(&sums[world], &mut rng)))
            .sum()
    };
    let scores = |world: usize| {
        (0..FITS)
            .map(|fit| score(world, 2 * fit + world as u64))
            .collect()
    };
    Worlds {
        without: scores(0),
        with: scores(1),
    }
}

#[test]
fn released_gradients_tell_as_much_about_a_row_as_was_promised_and_no_more() {
    let leak = Leak::measure(&gradients(GradientSum::NORM));
    assert!(!leak.exceeds(Method::Dpctgan), "{leak:?}");
    // Nor far less: the bound is its own error of an eighth below what there is, so that an audit
    // that saw nothing would not pass.
    assert!(leak.gaussian_mu > 0.65 * (2.0 * GDP_RHO).sqrt(), "{leak:?}");
}

#[test]
fn gradients_that_are_clipped_to_more_than_the_noise_is_made_for_are_noticed() {
    let leak = Leak::measure(&gradients(2 * GradientSum::NORM));
    assert!(leak.exceeds(Method::Dpctgan), "{leak:?}");
}
