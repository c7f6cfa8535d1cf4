//! Questions that each part of a table answers with yes or no.

use privacy::{Division, Votes};
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::codes::{Code, Wiped, with_codes};
use crate::table::{CodedTable, Recoding};

/// What each part of a table is asked.
///
/// Whoever implements it vouches that the answers depend on the rows of that part and on public
/// facts alone, and not on the order of the rows, of which nobody says what it tells: every
/// guarantee about votes rests on it.
pub trait PartVote: Sync {
    /// How many questions there are.
    fn questions(&self) -> usize;

    /// Answers the questions, all of which are no before, by the part's rows, given as one slice of
    /// codes for each column.
    fn vote(&self, part: u32, columns: &[&[u32]], answers: &mut [bool]);
}

/// Into how many passes over the table the parts are shared out: no more rows than such a share are
/// held twice by each thread.
const PASSES: u32 = 64;

impl CodedTable {
    /// How many parts answer yes. The same on any number of threads.
    pub(crate) fn votes_of(
        &self,
        recoding: &Recoding,
        division: &Division,
        what: &dyn PartVote,
    ) -> Votes {
        let zeros = || Wiped::from(vec![0_u32; what.questions()]);
        let passes = PASSES.min(division.parts().get());
        let yes = (0..passes).into_par_iter().map(|pass| {
            let mut yes = zeros();
            self.add_votes(recoding, division, what, [pass, passes], &mut yes);
            yes
        });
        let yes = yes.reduce(zeros, |mut total, part| {
            let numbers = total.as_mut_slice().iter_mut().zip(part.as_slice());
            numbers.for_each(|(total, part)| *total += part);
            total
        });
        Votes::from_exact(yes.into_vec())
    }

    /// Adds the votes of the pass's parts, which are every so many of all.
    fn add_votes(
        &self,
        recoding: &Recoding,
        division: &Division,
        what: &dyn PartVote,
        [pass, passes]: [u32; 2],
        yes: &mut Wiped<u32>,
    ) {
        let parts = (division.parts().get() - pass).div_ceil(passes) as usize;
        let mut rows: Vec<Wiped<u32>> = (0..parts).map(|_| Wiped::new()).collect();
        let places = u32::try_from(self.rows).expect("a table has fewer than 2^32 rows");
        for (row, part) in (0..places).zip(division.of_rows()) {
            if part % passes == pass {
                rows[(part / passes) as usize].push(row);
            }
        }
        let mut answers = Zeroizing::new(vec![false; what.questions()]);
        for (number, rows) in (0..).zip(rows) {
            let codes = self.recoded_rows(recoding, rows.as_slice());
            let columns: Vec<&[u32]> = codes.iter().map(Wiped::as_slice).collect();
            answers.fill(false);
            what.vote(number * passes + pass, &columns, &mut answers);
            let numbers = yes.as_mut_slice().iter_mut().zip(answers.iter());
            // By one at most for each part: what the sensitivity of votes rests on.
            numbers.for_each(|(yes, &answer)| *yes += u32::from(answer));
        }
    }

    fn recoded_rows(&self, recoding: &Recoding, rows: &[u32]) -> Vec<Wiped<u32>> {
        let columns = self.columns.iter().zip(&recoding.maps);
        let recoded = columns.map(|(codes, map)| {
            let mut column = Wiped::new();
            with_codes!(codes, codes => {
                column.extend(rows.iter().map(|&row| map[codes[row as usize].index()]));
            });
            column
        });
        recoded.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Mutex;

    use privacy::{Accounting, Delta, Epsilon, Ledger, LedgerOptions, NoiseRng};
    use schema::{Declaration, Schema};

    use super::*;
    use crate::CountSource;

    /// Whether the part holds the code, for each code; and what it holds, for the test.
    struct Holds {
        parts: Mutex<Vec<Vec<u32>>>,
    }

    impl PartVote for Holds {
        fn questions(&self) -> usize {
            300
        }

        fn vote(&self, part: u32, columns: &[&[u32]], answers: &mut [bool]) {
            self.parts.lock().unwrap()[part as usize].extend_from_slice(columns[0]);
            columns[0]
                .iter()
                .for_each(|&code| answers[code as usize] = true);
        }
    }

    #[test]
    fn each_row_is_in_one_part_and_votes_count_the_parts() {
        let yaml = "a: {integer: {min: 0, max: 599, bins: 600}}\n";
        let schema = Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap();
        // Each code twice but the first, which half of all rows have.
        let codes: Vec<u32> = (0..1200)
            .map(|row| if row % 2 == 0 { 0 } else { row / 2 })
            .collect();
        let table = CodedTable::from_codes(schema, &[codes]).unwrap();
        let recoding = Recoding::new(
            table.schema(),
            vec![(0..600).map(|code| code / 2).collect()],
            vec![300],
        );
        let mut rng = NoiseRng::dangerous_from_seed(3);
        for count in [1, 7, 64, 65, 1000] {
            let division = Division::draw(NonZeroU32::new(count).unwrap(), &mut rng);
            let holds = Holds {
                parts: Mutex::new(vec![Vec::new(); count as usize]),
            };
            let votes = table.votes(&recoding, &division, &holds).unwrap();
            let parts = holds.parts.into_inner().unwrap();
            let mut expected = vec![Vec::new(); count as usize];
            for (row, part) in (0..1200_u32).zip(division.of_rows()) {
                let code = if row % 2 == 0 { 0 } else { row / 2 };
                expected[part as usize].push(code / 2);
            }
            assert_eq!(parts, expected, "{count}");
            // The largest budget that there is.
            let options = LedgerOptions::new(
                Epsilon::new(1e4).unwrap(),
                Delta::new(1e-3).unwrap(),
                Accounting::Gdp,
            );
            let mut ledger = Ledger::open(options).unwrap();
            let whole = ledger.total();
            let sigma = (300.0 / (2.0 * whole.get())).sqrt();
            let mut paid = ledger.open_votes("votes", 300, whole).unwrap();
            let noisy = paid.release(&votes, &mut rng);
            let mut sum = 0.0;
            for (code, noisy) in noisy.into_iter().enumerate() {
                let holders = parts
                    .iter()
                    .filter(|held| held.iter().any(|&held| held as usize == code));
                let holders = i64::try_from(holders.count()).unwrap();
                let off = (noisy - holders) as f64;
                assert!(off.abs() <= 6.0 * sigma, "{count}, {code}: {noisy}");
                sum += off;
            }
            // Of 300 independent draws: a vote too many of each part would show.
            assert!(sum.abs() <= 5.0 * sigma * 300_f64.sqrt(), "{count}: {sum}");
        }
    }

    #[test]
    fn with_the_parts_of_the_others_one_row_more_moves_each_vote_by_one_at_most() {
        // The last row: all others draw what they drew without it.
        let yaml = "a: {integer: {min: 0, max: 299, bins: 300}}\n";
        let schema = || Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap();
        let codes: Vec<u32> = (0..900).map(|row| row * row % 300).collect();
        let without = CodedTable::from_codes(schema(), &[codes[..899].to_vec()]).unwrap();
        let with = CodedTable::from_codes(schema(), &[codes]).unwrap();
        let division = Division::draw(
            NonZeroU32::new(40).unwrap(),
            &mut NoiseRng::dangerous_from_seed(4),
        );
        let held = |table: &CodedTable| {
            let holds = Holds {
                parts: Mutex::new(vec![Vec::new(); 40]),
            };
            let recoding = Recoding::new(table.schema(), vec![(0..300).collect()], vec![300]);
            drop(table.votes(&recoding, &division, &holds).unwrap());
            holds.parts.into_inner().unwrap()
        };
        let changed = held(&with)
            .into_iter()
            .zip(held(&without))
            .filter(|(with, without)| with != without);
        assert_eq!(changed.count(), 1);
    }
}
