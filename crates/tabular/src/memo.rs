//! What short texts were last found to be.

use zeroize::Zeroize;

use crate::account::{Account, NoRoom};
use crate::codes::Wiped;

/// A text of at most 16 bytes in words that can be compared at once.
#[derive(Clone, Copy, PartialEq, Default)]
pub(crate) struct ShortText {
    head: u64,
    tail: u64,
    length: u32,
}

impl Zeroize for ShortText {
    fn zeroize(&mut self) {
        (self.head, self.tail) = (0, 0);
        self.length = 0;
    }
}

impl ShortText {
    /// The text, if it is short. No two texts are the same here.
    #[inline]
    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        let (head, tail) = match text.len() {
            // Both words lie within the text, and cover it.
            8..=16 => (
                u64::from_le_bytes(*text.first_chunk()?),
                u64::from_le_bytes(*text.last_chunk()?),
            ),
            4..=7 => (
                u32::from_le_bytes(*text.first_chunk()?).into(),
                u32::from_le_bytes(*text.last_chunk()?).into(),
            ),
            1..=3 => {
                let (first, last) = (text[0], text[text.len() - 1]);
                let middle = text[text.len() / 2];
                (u64::from(first) | u64::from(middle) << 8, last.into())
            }
            0 => (0, 0),
            _ => return None,
        };
        #[expect(clippy::cast_possible_truncation, reason = "at most 16")]
        let length = text.len() as u32;
        Some(Self { head, tail, length })
    }
}

/// Remembers the codes of short texts, each in one place that others may take.
///
/// The place of a text follows from the text alone. Who knows that can send texts that take each
/// other's places, and so nothing but the time of one look here.
pub(crate) struct Memo {
    /// A power of two, or none.
    entries: Wiped<(ShortText, u32)>,
}

/// A column with more different texts is better without: each place would be another's soon.
const MOST_TEXTS: usize = 1 << 11;
const FEWEST_ENTRIES: usize = 1 << 4;
const MOST_ENTRIES: usize = 1 << 10;

impl Memo {
    pub(crate) fn new() -> Self {
        Self {
            entries: Wiped::new(),
        }
    }

    /// Bytes that it takes.
    fn bytes(&self) -> u64 {
        self.entries.capacity_bytes() as u64
    }

    /// The code of this text, if it is remembered.
    #[inline]
    pub(crate) fn get(&self, text: &ShortText) -> Option<u32> {
        let entries = self.entries.as_slice();
        let &(found, code) = entries.get(self.place(text))?;
        // A free place has the code 0, which is of no text: one more than the code is kept.
        (found == *text).then(|| code.checked_sub(1))?
    }

    #[inline]
    pub(crate) fn put(&mut self, text: ShortText, code: u32) {
        let place = self.place(&text);
        if let Some(entry) = self.entries.as_mut_slice().get_mut(place) {
            *entry = (text, code.saturating_add(1));
        }
    }

    /// Makes it as large as fits a column of so many different texts. What it remembered is
    /// forgotten when that changes.
    pub(crate) fn fit(&mut self, texts: usize, account: &Account) -> Result<(), NoRoom> {
        let entries = match texts {
            0 => 0,
            texts if texts > MOST_TEXTS => 0,
            texts => (4 * texts)
                .next_power_of_two()
                .clamp(FEWEST_ENTRIES, MOST_ENTRIES),
        };
        let shrinks = entries == 0 && self.entries.len() > 0;
        if entries > self.entries.len() || shrinks {
            self.forget(account);
            account.take((entries * size_of::<(ShortText, u32)>()) as u64)?;
            self.entries = vec![(ShortText::default(), 0); entries].into();
        }
        Ok(())
    }

    /// Gives its room back.
    pub(crate) fn forget(&mut self, account: &Account) {
        account.give(self.bytes());
        self.entries = Wiped::new();
    }

    /// A place for the text; any number where there are none.
    #[inline]
    fn place(&self, text: &ShortText) -> usize {
        let mixed = text.head ^ text.tail.rotate_left(23) ^ u64::from(text.length);
        // The highest bits of the product depend on all bits.
        let high = mixed.wrapping_mul(0xd6e8_feb8_6659_fd93) >> 32;
        high as usize & self.entries.len().wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_texts_are_told_apart() {
        let mut texts: Vec<Vec<u8>> = Vec::new();
        for length in 0..=17 {
            let text = vec![b'a'; length];
            texts.push(text.clone());
            for at in 0..length {
                let mut other = text.clone();
                other[at] = b'b';
                texts.push(other);
            }
            // As zeros fill what a shorter text leaves.
            texts.push([text.as_slice(), b"\0"].concat());
        }
        let short: Vec<&Vec<u8>> = texts.iter().filter(|text| text.len() <= 16).collect();
        for a in &texts {
            assert_eq!(ShortText::of(a).is_some(), a.len() <= 16);
        }
        for a in &short {
            for b in &short {
                assert_eq!(ShortText::of(a) == ShortText::of(b), a == b, "{a:?} {b:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_remembered_was_said(
            texts in proptest::collection::vec("[ab]{0,4}", 0..200),
            distinct in 0usize..3_000,
        ) {
            let account = Account::new(1 << 20);
            let mut memo = Memo::new();
            prop_assert!(memo.fit(distinct, &account).is_ok());
            let mut said = std::collections::HashMap::new();
            for (code, text) in (0..).zip(&texts) {
                let short = ShortText::of(text.as_bytes()).unwrap();
                if let Some(found) = memo.get(&short) {
                    prop_assert_eq!(Some(&found), said.get(text));
                }
                memo.put(short, code);
                said.insert(text, code);
                let is_kept = (1..=MOST_TEXTS).contains(&distinct);
                prop_assert_eq!(memo.get(&short), is_kept.then_some(code));
            }
            memo.forget(&account);
            prop_assert_eq!(account.used(), 0);
        }
    }

    #[test]
    fn what_there_is_no_room_for_is_not_remembered() {
        let account = Account::new(100);
        let mut memo = Memo::new();
        assert!(memo.fit(1, &account).is_err());
        assert_eq!(account.used(), 0);
    }
}
