//! Drawing without putting back, for many draws: counts are split at random among blocks of rows,
//! and within a block every card lies in memory.

use rand_core::Rng;

use crate::Urn;
use crate::urn::below_u32;

/// Cards of numbered kinds in as many decks as a table has rows, kept as the counts that are not 0.
#[derive(Debug, Clone)]
pub(crate) struct Decks {
    decks: usize,
    kinds: usize,
    /// Numbers of the cells, ascending, of a table with a row for each deck and a column for each
    /// kind.
    cells: Vec<u32>,
    counts: Vec<u64>,
}

impl Decks {
    /// `counts` has a row of `kinds` numbers for each deck.
    pub(crate) fn new(counts: &[u64], kinds: usize) -> Decks {
        let held = (0..).zip(counts).filter(|(_, count)| **count > 0);
        let (cells, counts_held) = held.unzip();
        Decks {
            decks: counts.len() / kinds,
            kinds,
            cells,
            counts: counts_held,
        }
    }

    /// Number of the cell, and count, where there are any.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (usize, u64)> {
        let cells = self.cells.iter().map(|&cell| cell as usize);
        cells.zip(self.counts.iter().copied())
    }

    /// Takes the given number of cards out of each deck, each set of that size being equally
    /// likely. Costs a random bit a card, and more as `wanted` is further from one half.
    ///
    /// Each card goes with probability one half; then cards chosen at random go or come back until
    /// the number is right.
    pub(crate) fn take<R: Rng>(&mut self, wanted: &[u64], rng: &mut R) -> Decks {
        let halves = self.counts.iter().map(|&count| heads(count, rng));
        let mut taken: Vec<u64> = halves.collect();
        self.counts
            .iter_mut()
            .zip(&taken)
            .for_each(|(left, taken)| *left -= taken);
        for deck in self.ranges() {
            let wanted = wanted[self.cells[deck.start] as usize / self.kinds];
            let (left, taken) = (&mut self.counts[deck.clone()], &mut taken[deck]);
            let found = taken.iter().sum::<u64>();
            move_at_random(taken, left, found.saturating_sub(wanted), rng);
            move_at_random(left, taken, wanted.saturating_sub(found), rng);
        }
        let mut taken = Decks {
            cells: self.cells.clone(),
            counts: taken,
            ..*self
        };
        // Kinds that have run out would be gone through again at every further split.
        self.forget_empty();
        taken.forget_empty();
        taken
    }

    /// The kinds of cards dealt one by one from the given decks, as if each had been shuffled.
    /// There must be enough cards, and fewer than 2^32.
    pub(crate) fn deal<R: Rng>(&self, decks: &[u32], rng: &mut R) -> Vec<u32> {
        // Cards as narrow as the kinds allow: all cards of a block lie in memory at once.
        match self.kinds {
            0..=0x100 => self.deal_as(decks, rng, |kind| u8::try_from(kind).expect("below 2^8")),
            0x101..=0x1_0000 => {
                self.deal_as(decks, rng, |kind| u16::try_from(kind).expect("below 2^16"))
            }
            _ => self.deal_as(decks, rng, |kind| kind),
        }
    }

    fn deal_as<R: Rng, T: Copy + Into<u32>>(
        &self,
        decks: &[u32],
        rng: &mut R,
        narrow: impl Fn(u32) -> T,
    ) -> Vec<u32> {
        let mut piles = Piles::new(self, decks.len(), narrow);
        let deal_one = |&deck: &u32| {
            let left = piles.of_deck[deck as usize].left;
            piles.take(deck, below_u32(rng, left))
        };
        decks.iter().map(deal_one).collect()
    }

    /// As [`deal`](Self::deal), but whoever knows what a row still needs chooses its card among the
    /// kinds of up to [`CANDIDATES`] cards of the deck, each of which is any of its cards with the
    /// same probability. `choose` is told the row and these kinds, each once, and returns the
    /// position of one.
    pub(crate) fn deal_chosen<R: Rng>(
        &self,
        decks: &[u32],
        rng: &mut R,
        choose: impl FnMut(usize, &[u32]) -> usize,
    ) -> Vec<u32> {
        match self.kinds {
            0..=0x100 => {
                let narrow = |kind| u8::try_from(kind).expect("below 2^8");
                self.deal_chosen_as(decks, rng, narrow, choose)
            }
            0x101..=0x1_0000 => {
                let narrow = |kind| u16::try_from(kind).expect("below 2^16");
                self.deal_chosen_as(decks, rng, narrow, choose)
            }
            _ => self.deal_chosen_as(decks, rng, |kind| kind, choose),
        }
    }

    fn deal_chosen_as<R: Rng, T: Copy + Into<u32>>(
        &self,
        decks: &[u32],
        rng: &mut R,
        narrow: impl Fn(u32) -> T,
        mut choose: impl FnMut(usize, &[u32]) -> usize,
    ) -> Vec<u32> {
        let mut piles = Piles::new(self, decks.len(), narrow);
        let mut kinds = [0; CANDIDATES];
        let mut places = [0; CANDIDATES];
        let mut deal_one = |(row, &deck): (usize, &u32)| {
            let candidates = piles.candidates(deck, rng, &mut kinds, &mut places);
            let chosen = choose(row, &kinds[..candidates]);
            piles.take(deck, places[chosen])
        };
        decks.iter().enumerate().map(&mut deal_one).collect()
    }

    /// The positions of each deck's cells.
    fn ranges(&self) -> Vec<std::ops::Range<usize>> {
        let mut start = 0;
        let deck_of = |cell: &u32| *cell as usize / self.kinds;
        let decks = self.cells.chunk_by(|a, b| deck_of(a) == deck_of(b));
        let range = |cells: &[u32]| {
            start += cells.len();
            start - cells.len()..start
        };
        decks.map(range).collect()
    }

    fn forget_empty(&mut self) {
        let mut held = self.counts.iter().map(|&count| count > 0);
        self.cells
            .retain(|_| held.next().expect("each cell has a count"));
        self.counts.retain(|&count| count > 0);
    }
}

/// Cards of which a row's is chosen. More are further from the model again: a choice that always
/// takes what is lacking most leaves what nobody wants to the last rows (`bench/GRAIN.md`).
pub(crate) const CANDIDATES: usize = 3;

/// The cards of all decks, in memory one by one.
struct Piles<T> {
    cards: Vec<T>,
    of_deck: Vec<Pile>,
}

/// The cards of one deck that are left.
#[derive(Debug, Clone, Copy, Default)]
struct Pile {
    start: u32,
    left: u32,
}

impl<T: Copy + Into<u32>> Piles<T> {
    fn new(decks: &Decks, cards: usize, narrow: impl Fn(u32) -> T) -> Piles<T> {
        let kinds = u32::try_from(decks.kinds).expect("cells are numbered in 32 bits");
        let mut piles = Piles {
            cards: Vec::with_capacity(cards),
            of_deck: vec![Pile::default(); decks.decks],
        };
        for (cell, count) in decks.cells.iter().zip(&decks.counts) {
            let count = u32::try_from(*count).expect("fewer than 2^32 cards");
            let pile = &mut piles.of_deck[(cell / kinds) as usize];
            if pile.left == 0 {
                pile.start = u32::try_from(piles.cards.len()).expect("fewer than 2^32 cards");
            }
            pile.left += count;
            let cards = std::iter::repeat_n(narrow(cell % kinds), count as usize);
            piles.cards.extend(cards);
        }
        piles
    }

    /// Takes the card at a place of a deck's pile.
    fn take(&mut self, deck: u32, place: u32) -> u32 {
        let pile = &mut self.of_deck[deck as usize];
        let at = (pile.start + place) as usize;
        pile.left -= 1;
        let card = self.cards[at];
        // The last card left fills the gap, so that a draw costs the same however large the pile
        // is.
        self.cards[at] = self.cards[(pile.start + pile.left) as usize];
        card.into()
    }

    /// Finds kinds of cards of a deck, each once, with a place of each, and returns how many.
    fn candidates<R: Rng>(
        &self,
        deck: u32,
        rng: &mut R,
        kinds: &mut [u32; CANDIDATES],
        places: &mut [u32; CANDIDATES],
    ) -> usize {
        let pile = self.of_deck[deck as usize];
        // One random number for all candidates: they lie evenly apart, round the pile. It begins in
        // order of the kinds, so that they are more different than independent ones.
        let first = below_u32(rng, pile.left);
        let most = u32::try_from(CANDIDATES).expect("it is a few");
        let tried = pile.left.min(most);
        let stride = (pile.left / most).max(1);
        let mut found = 0;
        for i in 0..tried {
            // The candidates before the first are those that would lie beyond the end.
            let beyond = pile.left - first;
            let place = if i * stride < beyond {
                first + i * stride
            } else {
                i * stride - beyond
            };
            let kind = self.cards[(pile.start + place) as usize].into();
            if !kinds[..found].contains(&kind) {
                (kinds[found], places[found]) = (kind, place);
                found += 1;
            }
        }
        found
    }
}

/// Moves cards, each one left being equally likely.
fn move_at_random<R: Rng>(from: &mut [u64], to: &mut [u64], cards: u64, rng: &mut R) {
    if cards == 0 {
        return;
    }
    let mut urn = Urn::new(from);
    for _ in 0..cards {
        let kind = urn.draw(rng).expect("there are enough cards");
        from[kind] -= 1;
        to[kind] += 1;
    }
}

/// Draws how many of a number of fair coins show heads.
fn heads<R: Rng>(coins: u64, rng: &mut R) -> u64 {
    let mut heads = 0;
    for _ in 0..coins / 64 {
        heads += u64::from(rng.next_u64().count_ones());
    }
    match coins % 64 {
        0 => heads,
        rest => heads + u64::from((rng.next_u64() >> (64 - rest)).count_ones()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn dense(decks: &Decks) -> Vec<u64> {
        let mut counts = vec![0; decks.decks * decks.kinds];
        decks
            .counts()
            .for_each(|(cell, count)| counts[cell] = count);
        counts
    }

    proptest! {
        #[test]
        fn taking_splits_each_deck_as_wanted(
            counts in prop::collection::vec(prop_oneof![Just(0_u64), 1_u64..400], 12),
            shares in prop::collection::vec(0_u64..=100, 4),
            seed: u64,
        ) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut left = Decks::new(&counts, 3);
            let wanted: Vec<u64> = counts
                .chunks(3)
                .zip(shares)
                .map(|(deck, share)| deck.iter().sum::<u64>() * share / 100)
                .collect();
            let taken = left.take(&wanted, &mut rng);
            prop_assert!(dense(&taken).chunks(3).map(|deck| deck.iter().sum::<u64>()).eq(wanted));
            let both = dense(&taken).into_iter().zip(dense(&left));
            prop_assert!(both.map(|(taken, left)| taken + left).eq(counts));
            prop_assert!(taken.counts().chain(left.counts()).all(|(_, count)| count > 0));
        }

        #[test]
        fn every_card_is_dealt_once(
            kinds in prop_oneof![1_usize..9, 300_usize..302, 70_000_usize..70_002],
            picks: Vec<(bool, u16)>,
            seed: u64,
        ) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut counts = vec![0; 2 * kinds];
            let mut decks = Vec::new();
            for (deck, kind) in picks {
                counts[usize::from(deck) * kinds + usize::from(kind) % kinds] += 1;
                decks.push(u32::from(deck));
            }
            for (&deck, kind) in decks
                .iter()
                .zip(Decks::new(&counts, kinds).deal(&decks, &mut rng))
            {
                let left = &mut counts[deck as usize * kinds + kind as usize];
                prop_assert!(*left > 0);
                *left -= 1;
            }
            prop_assert!(counts.iter().all(|&left| left == 0));
        }
    }

    /// The counts of one kind among those taken follow the hypergeometric distribution.
    #[test]
    fn every_set_of_cards_is_as_likely_to_be_taken() {
        const TIMES: u32 = 40_000;
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut seen = [0.0; 4];
        for _ in 0..TIMES {
            let taken = Decks::new(&[3, 5, 2], 3).take(&[4], &mut rng);
            seen[usize::try_from(dense(&taken)[0]).unwrap()] += 1.0;
        }
        let expected = [35.0, 105.0, 63.0, 7.0].map(|ways| ways / 210.0 * f64::from(TIMES));
        let chi_square: f64 = seen
            .iter()
            .zip(expected)
            .map(|(s, e)| (s - e) * (s - e) / e)
            .sum();
        assert!(
            chi_square < 16.3,
            "chi-square {chi_square} of 3 degrees of freedom has p < 0.001"
        );
    }

    #[test]
    fn every_order_of_cards_is_as_likely() {
        const TIMES: u32 = 60_000;
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let decks = Decks::new(&[2, 1, 1], 3);
        let mut seen = std::collections::BTreeMap::new();
        for _ in 0..TIMES {
            *seen.entry(decks.deal(&[0; 4], &mut rng)).or_insert(0.0) += 1.0;
        }
        let expected = f64::from(TIMES) / 12.0;
        let chi_square: f64 = seen
            .values()
            .map(|s| (s - expected) * (s - expected) / expected)
            .sum();
        assert_eq!(seen.len(), 12);
        assert!(
            chi_square < 31.3,
            "chi-square {chi_square} of 11 degrees of freedom has p < 0.001"
        );
    }
}
