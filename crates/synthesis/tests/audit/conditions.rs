//! What the conditions of a network tell of a row. They are drawn from noisy shares of the columns'
//! codes; drawn from real rows, as elsewhere, they would be those rows' values.

use privacy::{Accounting, Delta, Epsilon, Ledger, LedgerOptions};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use synthesis::Method;
use tabular::CodedTable;

use super::{COMMON, DELTA, EPSILON, FITS, Leak, Worlds};

/// How many conditions an attacker sees.
const DRAWS: u32 = 400;
/// A value that nobody else has.
const OF_ONE: u32 = 2;

/// Codes of a column with and without the row.
fn codes(copies: usize) -> (CodedTable, Vec<u32>) {
    // Of its three codes the last is taken from all others.
    let mut columns = super::table(COMMON, 0).dangerous_codes();
    columns[2].iter_mut().for_each(|code| *code %= OF_ONE);
    columns
        .iter_mut()
        .for_each(|codes| codes.extend(vec![0; copies]));
    let all = columns[2].len();
    columns[2][all - copies..].fill(OF_ONE);
    let schema = super::table(COMMON, 0).schema().clone();
    let table = CodedTable::from_codes(schema, &columns).unwrap();
    (table, columns.remove(2))
}

/// How many of the conditions are that value. They come from real rows, or as they should.
fn conditions(of_real_rows: bool) -> Worlds {
    let scores = |copies: usize| -> Vec<f64> {
        let (table, codes) = codes(copies);
        let score = |fit: u64| {
            let seed = 2 * fit + copies as u64;
            let mut coins = ChaCha8Rng::seed_from_u64(seed);
            let mut unit = || f64::from(coins.next_u32()) / 2.0_f64.powi(32);
            let share = match of_real_rows {
                true => {
                    codes.iter().filter(|code| **code == OF_ONE).count() as f64 / codes.len() as f64
                }
                false => noisy_share(&table, seed),
            };
            f64::from((0..DRAWS).map(|_| u32::from(unit() < share)).sum::<u32>())
        };
        (0..FITS).map(score).collect()
    };
    Worlds {
        without: scores(0),
        with: scores(1),
    }
}

/// By counts that the whole budget bought.
fn noisy_share(table: &CodedTable, seed: u64) -> f64 {
    let (epsilon, delta) = (Epsilon::new(EPSILON).unwrap(), Delta::new(DELTA).unwrap());
    let mut ledger = Ledger::open(LedgerOptions::new(epsilon, delta, Accounting::Gdp)).unwrap();
    let whole = ledger.total();
    let noise = &mut testkit::noise(seed);
    let noisy = ledger
        .measure("shares", &table.counts(&[2]), whole, noise)
        .unwrap();
    let counts = noisy.values().iter().map(|count| (*count).max(0) as f64);
    let counts: Vec<f64> = counts.collect();
    counts[OF_ONE as usize] / counts.iter().sum::<f64>().max(1.0)
}

#[test]
fn conditions_by_noisy_shares_tell_no_more_about_a_row_than_was_promised() {
    let leak = Leak::measure(&conditions(false));
    assert!(!leak.exceeds(Method::Dpctgan), "{leak:?}");
    assert!(
        leak.gaussian_mu > 0.2,
        "an audit that saw nothing: {leak:?}"
    );
}

#[test]
fn a_condition_that_comes_from_a_real_row_is_noticed() {
    let leak = Leak::measure(&conditions(true));
    assert!(leak.exceeds(Method::Dpctgan), "{leak:?}");
}
