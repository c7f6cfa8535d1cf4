use std::fmt;
use std::num::NonZeroU32;

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::gaussian::RoundedGaussian;
use crate::ledger::saturating_sum;
use crate::rng::NoiseRng;

/// A division of a table's rows into parts: each row goes to one of them by a uniform draw of its
/// own, whatever it holds and whosoever it is.
///
/// # What one id can change
///
/// Parts of rows instead of parts of ids are enough. Take two tables that differ by one id of at
/// most K rows, and let the rows that both have draw the same parts: draws are independent and all
/// alike, so that each table's division keeps its distribution. All parts but the at most K into
/// which the other rows fall then hold the same rows in both. So whatever each part is asked, the
/// answers of at most K parts change. Mechanisms of that sensitivity are private for every division
/// of the common rows, and hence for one that is drawn: to tell a pair of mixtures apart is no
/// easier than to be told which of the pairs it is that one has to tell apart.
///
/// The draws are secret, and overwritten on drop: they are found by a row's place, so that to
/// somebody who knew them a row more would move all rows after it.
pub struct Division {
    // In a Box, as a moved value leaves its bytes behind on the stack.
    key: Box<Zeroizing<[u8; 32]>>,
    parts: NonZeroU32,
}

impl Division {
    /// Draws one into so many parts.
    pub fn draw(parts: NonZeroU32, rng: &mut NoiseRng) -> Self {
        let mut key = Box::new(Zeroizing::new([0; 32]));
        rng.fill(key.as_mut_slice());
        Self { key, parts }
    }

    /// How many parts there are, which is public.
    pub fn parts(&self) -> NonZeroU32 {
        self.parts
    }

    /// The part of each row, one after the other: below the number of parts, and the same whenever
    /// it is asked.
    pub fn of_rows(&self) -> impl Iterator<Item = u32> {
        let mut draws = NoiseRng::from_key(&self.key);
        let parts = u64::from(self.parts.get());
        std::iter::repeat_with(move || {
            // The high half of the product. That some parts are likelier by 2^-32 gives nobody
            // away: any distribution that no row has a say in would do.
            u32::try_from((draws.bits(32) * parts) >> 32).expect("below the parts")
        })
    }
}

impl fmt::Debug for Division {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Division({} parts)", self.parts)
    }
}

// No Clone, no Serialize, no accessor outside this crate, as for counts.
/// The exact, unreleased votes of a table's parts: for each question how many of them say yes.
///
/// Whoever makes one vouches that the parts are those of a [`Division`], that a part says yes or no
/// to a question by the rows that it holds and by public facts alone, in whatever order it holds
/// them, and that one id has at most as many rows as the [`Ledger`](crate::Ledger) was told. One id
/// then moves each number by at most its rows, as [`Division`] explains. Only [`PaidVotes`] turns
/// it into something to show; the values are overwritten on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Votes {
    yes: Vec<u32>,
}

impl Votes {
    /// Takes the numbers of parts that say yes, one for each question.
    pub fn from_exact(yes: Vec<u32>) -> Self {
        Self { yes }
    }

    /// The number of questions, which is public.
    pub fn len(&self) -> usize {
        self.yes.len()
    }

    /// Whether there is no question at all.
    pub fn is_empty(&self) -> bool {
        self.yes.is_empty()
    }
}

impl fmt::Debug for Votes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Votes({} questions)", self.yes.len())
    }
}

/// Noise for votes about a fixed number of questions, which
/// [`Ledger::open_votes`](crate::Ledger::open_votes) has charged before the first is drawn.
///
/// It can be neither cloned nor made otherwise: no more questions are answered than were paid for.
#[derive(Debug)]
pub struct PaidVotes {
    noise: RoundedGaussian,
    left: u32,
}

impl PaidVotes {
    pub(crate) fn new(noise: RoundedGaussian, questions: u32) -> Self {
        Self {
            noise,
            left: questions,
        }
    }

    /// About how many questions votes can still be released.
    pub fn left(&self) -> u32 {
        self.left
    }

    /// Adds independent, exactly drawn Gaussian noise, rounded to integers, to each number of
    /// votes. Numbers may be negative, or larger than that of the parts.
    ///
    /// What is asked, and what the parts make of it, may depend on all votes that were released
    /// before.
    ///
    /// # Panics
    /// If they are about more questions than are left.
    pub fn release(&mut self, votes: &Votes, rng: &mut NoiseRng) -> Vec<i64> {
        self.left = u32::try_from(votes.len())
            .ok()
            .and_then(|questions| self.left.checked_sub(questions))
            .expect("no more questions are answered than were paid for");
        votes
            .yes
            .iter()
            .map(|&yes| saturating_sum(yes.into(), self.noise.sample(rng)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Accounting, Delta, Epsilon, Ledger, LedgerError, LedgerOptions, Mechanism};

    use super::*;

    fn ledger(rows_per_id: u32) -> Ledger {
        let (epsilon, delta) = (Epsilon::new(1.0).unwrap(), Delta::new(1e-6).unwrap());
        Ledger::open(LedgerOptions {
            rows_per_id: NonZeroU32::new(rows_per_id).unwrap(),
            ..LedgerOptions::new(epsilon, delta, Accounting::Gdp)
        })
        .unwrap()
    }

    #[test]
    fn votes_are_released_with_the_noise_that_is_recorded() {
        for rows_per_id in [1, 3] {
            let mut ledger = ledger(rows_per_id);
            let rho = ledger.total().share(1, 2);
            let mut paid = ledger.open_votes("votes", 8000, rho).unwrap();
            let (mut rng, mut squares) = (NoiseRng::dangerous_from_seed(1), 0.0);
            for left in [6000, 4000, 2000, 0] {
                let noisy = paid.release(&Votes::from_exact(vec![70; 2000]), &mut rng);
                squares += noisy
                    .iter()
                    .map(|yes| (*yes as f64 - 70.0).powi(2))
                    .sum::<f64>();
                assert_eq!(paid.left(), left);
            }
            let record = ledger.close();
            record.check().unwrap();
            let Mechanism::GaussianVotes { sigma, .. } = *record.entries()[0].mechanism() else {
                panic!("{record:?}");
            };
            // Each of 8000 questions costs K^2 / (2 sigma^2).
            let cost = 8000.0 * f64::from(rows_per_id).powi(2) / (2.0 * sigma * sigma);
            assert!((cost / rho.get() - 1.0).abs() < 1e-9);
            let drawn = (squares / 8000.0).sqrt();
            assert!((drawn / sigma - 1.0).abs() < 0.03, "{drawn} {sigma}");
        }
    }

    #[test]
    #[should_panic(expected = "no more questions are answered than were paid for")]
    fn no_more_questions_are_answered_than_were_paid_for() {
        let mut ledger = ledger(1);
        let rho = ledger.total();
        let mut paid = ledger.open_votes("votes", 3, rho).unwrap();
        let mut rng = NoiseRng::dangerous_from_seed(1);
        for _ in 0..2 {
            paid.release(&Votes::from_exact(vec![1, 1]), &mut rng);
        }
    }

    #[test]
    fn what_the_budget_does_not_cover_and_votes_about_nothing_are_refused() {
        let mut ledger = ledger(1);
        let rho = ledger.total();
        assert!(matches!(
            ledger.open_votes("votes", 0, rho),
            Err(LedgerError::NoCandidate { .. })
        ));
        ledger.open_votes("votes", 1, rho).unwrap();
        assert!(ledger.open_votes("votes", 1, rho).is_err());
    }

    #[test]
    fn rows_draw_their_parts_alike_and_on_their_own_and_keep_them() {
        let parts = NonZeroU32::new(5).unwrap();
        let mut rng = NoiseRng::dangerous_from_seed(2);
        let division = Division::draw(parts, &mut rng);
        let drawn: Vec<u32> = division.of_rows().take(50_000).collect();
        assert!(division.of_rows().take(50_000).eq(drawn.iter().copied()));
        // Chi-square of single rows, and of a row and the next: beyond 1 in 10^6.
        let mut single = [0_u32; 5];
        let mut pairs = [0_u32; 25];
        for pair in drawn.chunks_exact(2) {
            pair.iter().for_each(|&part| single[part as usize] += 1);
            pairs[(pair[0] * 5 + pair[1]) as usize] += 1;
        }
        let chi_square = |found: &[u32]| -> f64 {
            let expected = f64::from(found.iter().sum::<u32>()) / found.len() as f64;
            let off = found.iter().map(|&count| f64::from(count) - expected);
            off.map(|off| off * off / expected).sum()
        };
        assert!(chi_square(&single) < 33.4 && chi_square(&pairs) < 71.0);
        let another = Division::draw(parts, &mut rng);
        assert!(!another.of_rows().take(100).eq(drawn[..100].iter().copied()));
    }

    #[test]
    fn private_values_are_not_printed() {
        let votes = Votes::from_exact(vec![4711]);
        assert_eq!(format!("{votes:?}"), "Votes(1 questions)");
        let division = Division::draw(
            NonZeroU32::new(7).unwrap(),
            &mut NoiseRng::dangerous_from_seed(1),
        );
        assert_eq!(format!("{division:?}"), "Division(7 parts)");
    }
}
