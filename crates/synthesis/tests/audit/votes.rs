//! What released votes tell of a row.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};

use privacy::{Accounting, Delta, Division, Epsilon, Ledger, LedgerOptions};
use synthesis::Method;
use tabular::{CodedTable, CountSource, PartVote};

use super::{CANARY, DELTA, EPSILON, FITS, GDP_RHO, Leak, Row, Worlds, uncoarsened};

const PARTS: u32 = 10;
const QUESTIONS: u32 = 8;

/// Parts that say yes to everything if they hold the canary: the worst case.
struct Canary {
    /// The breach: one network is all teachers, so that all say what one of them has seen.
    shared: Option<AtomicBool>,
}

impl PartVote for Canary {
    fn questions(&self) -> usize {
        QUESTIONS as usize
    }

    fn vote(&self, _: u32, columns: &[&[u32]], answers: &mut [bool]) {
        let Row(canary) = CANARY;
        let is_canary =
            |row: usize| (columns.iter().zip(canary)).all(|(codes, code)| codes[row] == code);
        let mut holds = (0..columns[0].len()).any(is_canary);
        if let Some(seen) = &self.shared {
            seen.fetch_or(holds, Ordering::SeqCst);
            holds = seen.load(Ordering::SeqCst);
        }
        answers.fill(holds);
    }
}

/// The rows of the other audits, after so many canaries: all of them draw other parts for that.
fn table(copies: usize) -> CodedTable {
    let rows = super::table(CANARY, 0).dangerous_codes();
    let Row(canary) = CANARY;
    let column = |(codes, code): (&Vec<u32>, u32)| [vec![code; copies], codes.clone()].concat();
    let columns: Vec<Vec<u32>> = rows.iter().zip(canary).map(column).collect();
    CodedTable::from_codes(super::table(CANARY, 0).schema().clone(), &columns).unwrap()
}

/// All that was released, added up: the best test there is.
fn votes(copies: usize, rows_per_id: u32, is_shared: bool) -> Worlds {
    let score = |table: &CodedTable, seed: u64| {
        let (epsilon, delta) = (Epsilon::new(EPSILON).unwrap(), Delta::new(DELTA).unwrap());
        let options = LedgerOptions {
            rows_per_id: NonZeroU32::new(rows_per_id).unwrap(),
            ..LedgerOptions::new(epsilon, delta, Accounting::Gdp)
        };
        let mut ledger = Ledger::open(options).unwrap();
        let whole = ledger.total();
        let mut rng = testkit::noise(seed);
        let division = Division::draw(NonZeroU32::new(PARTS).unwrap(), &mut rng);
        let voters = Canary {
            shared: is_shared.then(AtomicBool::default),
        };
        let ask = || {
            table
                .votes(&uncoarsened(table.schema()), &division, &voters)
                .unwrap()
        };
        if is_shared {
            drop(ask()); // They learn, and then they vote.
        }
        let mut paid = ledger.open_votes("votes", QUESTIONS, whole).unwrap();
        let noisy = paid.release(&ask(), &mut rng);
        noisy.iter().sum::<i64>() as f64
    };
    let scores = |world: u64| {
        let table = table(if world == 1 { copies } else { 0 });
        (0..FITS)
            .map(|fit| score(&table, 2 * fit + world))
            .collect()
    };
    Worlds {
        without: scores(0),
        with: scores(1),
    }
}

#[test]
fn released_votes_tell_as_much_about_a_row_as_was_promised_and_no_more() {
    let leak = Leak::measure(&votes(1, 1, false));
    assert!(!leak.exceeds(Method::Patectgan), "{leak:?}");
    // Nor far less: the bound is its own error of an eighth below what there is, so that an audit
    // that saw nothing would not pass.
    assert!(leak.gaussian_mu > 0.65 * (2.0 * GDP_RHO).sqrt(), "{leak:?}");
}

#[test]
fn nor_do_they_about_an_id_of_several_rows() {
    let leak = Leak::measure(&votes(3, 3, false));
    assert!(!leak.exceeds(Method::Patectgan), "{leak:?}");
    assert!(leak.gaussian_mu > 0.5 * (2.0 * GDP_RHO).sqrt(), "{leak:?}");
}

#[test]
fn one_network_that_is_all_teachers_and_a_row_too_many_are_noticed() {
    for (copies, is_shared) in [(1, true), (2, false)] {
        let leak = Leak::measure(&votes(copies, 1, is_shared));
        assert!(leak.exceeds(Method::Patectgan), "{copies}: {leak:?}");
    }
}
