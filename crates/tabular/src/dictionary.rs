//! Columns whose domain is not known yet.

use schema::form::is_missing;
use schema::number::trim;

use crate::account::{Account, NoRoom};
use crate::codes::{Codes, Wiped};
use crate::ids::KeyHasher;
use crate::memo::{Memo, ShortText};
use crate::probe::{MAX_PENDING_KEY, Pending, Probe};
use crate::read_limits::ReadLimits;

/// An undeclared column while it streams in: each different text once, and for each row which one.
pub(crate) struct Dictionary {
    name: String,
    hasher: KeyHasher,
    /// What fields were, as they stood in the file.
    memo: Memo,
    probe: Probe,
    pending: Pending<u64>,
    texts: Texts,
    /// In the narrowest integers that hold those so far.
    codes: Codes,
    max_distinct: usize,
    max_bytes: usize,
}

/// The different texts of a column, one after the other. Overwritten on drop.
#[derive(Default)]
pub(crate) struct Texts {
    bytes: Wiped<u8>,
    ends: Wiped<usize>,
}

impl Texts {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    #[inline]
    pub(crate) fn get(&self, index: usize) -> &[u8] {
        let ends = self.ends.as_slice();
        let start = if index == 0 { 0 } else { ends[index - 1] };
        &self.bytes.as_slice()[start..ends[index]]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.get(index))
    }

    fn push(&mut self, text: &[u8], account: &Account) -> Result<(), NoRoom> {
        // Bytes first: an end without its bytes would be read beyond the buffer.
        self.bytes.extend_within(text, account)?;
        self.ends.push_within(self.bytes.len(), account)
    }
}

/// An undeclared column: codes are positions in `texts`.
pub(crate) struct RawColumn {
    pub(crate) name: String,
    pub(crate) texts: Texts,
    pub(crate) codes: Codes,
}

/// Why a text was not taken in.
#[derive(Debug)]
pub(crate) enum DictionaryError {
    /// The column holds more different texts than may be kept.
    TooManyDistinct,
    NoRoom(NoRoom),
}

impl From<NoRoom> for DictionaryError {
    fn from(no_room: NoRoom) -> Self {
        Self::NoRoom(no_room)
    }
}

impl Dictionary {
    pub(crate) fn new(
        name: String,
        hasher: &KeyHasher,
        limits: &ReadLimits,
        account: &Account,
    ) -> Result<Self, NoRoom> {
        // Small, as there may be thousands of columns of few values.
        let probe = Probe::with_capacity(16);
        account.take((probe.bytes() + size_of::<Self>() + name.capacity()) as u64)?;
        Ok(Self {
            name,
            hasher: hasher.clone(),
            memo: Memo::new(),
            probe,
            pending: Pending::new(),
            texts: Texts::default(),
            // A byte a code until there are more than 256 texts: most undeclared columns never
            // have.
            codes: Codes::for_size(0),
            max_distinct: limits.max_distinct,
            max_bytes: limits.max_dictionary_bytes(),
        })
    }

    /// Bytes that one code takes.
    pub(crate) fn width(&self) -> usize {
        self.codes.width()
    }

    /// Room for this many rows; the account has made it.
    pub(crate) fn reserve_exact(&mut self, rows: usize) {
        self.codes.reserve_exact(rows);
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Takes in one field without the spaces around it; one that says that there is no value is an
    /// empty field.
    #[inline]
    pub(crate) fn push(&mut self, field: &[u8], account: &Account) -> Result<(), DictionaryError> {
        // A large table has no memo: what it looks up waits for others, and codes come in order.
        let short = match self.probe.is_large() {
            true => None,
            false => ShortText::of(field),
        };
        if let Some(short) = &short
            && let Some(code) = self.memo.get(short)
        {
            self.codes.push(code);
            return Ok(());
        }
        let field = trim(field);
        let field = if is_missing(field) { b"" } else { field };
        // Keyed: a sender who knew the hash could send texts that all collide.
        let hash = self.hasher.short(field);
        if !self.probe.is_large() {
            let code = self.look_up(hash, field, account)?;
            if let Some(short) = short {
                self.memo.put(short, code);
            }
            return Ok(());
        }
        if field.len() > MAX_PENDING_KEY {
            self.look_up_pending(account)?;
            self.look_up(hash, field, account)?;
            return Ok(());
        }
        self.pending.push(hash, field);
        if self.pending.is_full() {
            self.look_up_pending(account)?;
        }
        Ok(())
    }

    fn look_up_pending(&mut self, account: &Account) -> Result<(), DictionaryError> {
        let mut pending = std::mem::replace(&mut self.pending, Pending::new());
        self.probe.prefetch(pending.hashes());
        for (hash, field) in pending.iter() {
            self.look_up(hash, field, account)?;
        }
        pending.clear();
        self.pending = pending;
        Ok(())
    }

    /// Takes in the text with this hash, and returns its code.
    #[inline]
    fn look_up(
        &mut self,
        hash: u64,
        field: &[u8],
        account: &Account,
    ) -> Result<u32, DictionaryError> {
        let next = u32::try_from(self.texts.len()).map_err(|_| DictionaryError::TooManyDistinct)?;
        let texts = &self.texts;
        // The batch's place is counted when it is first used, not for every small column.
        let was_large = self.probe.is_large();
        let known = self
            .probe
            .find_or_insert_within(hash, next, account, |i| texts.get(i as usize) == field)?;
        if known.is_none() {
            if self.probe.is_large() && !was_large {
                account.take(Pending::<u64>::BYTES as u64)?;
            }
            self.texts.push(field, account)?;
            self.codes.widen_for(self.texts.len(), account)?;
            self.memo.fit(self.texts.len(), account)?;
            // After the push, which the account has allowed: one text more than the limit is held
            // for a moment.
            if self.texts.len() > self.max_distinct || self.texts.bytes.len() > self.max_bytes {
                return Err(DictionaryError::TooManyDistinct);
            }
        }
        let code = known.unwrap_or(next);
        self.codes.push(code);
        Ok(code)
    }

    /// The column; what only reading needed is given back to the account.
    pub(crate) fn finish(mut self, account: &Account) -> Result<RawColumn, DictionaryError> {
        self.look_up_pending(account)?;
        self.memo.forget(account);
        account.give(self.probe.bytes() as u64);
        if self.probe.is_large() {
            account.give(Pending::<u64>::BYTES as u64);
        }
        Ok(RawColumn {
            name: self.name,
            texts: self.texts,
            codes: self.codes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dictionary(limits: &ReadLimits) -> Dictionary {
        Dictionary::new("c".into(), &KeyHasher::new([1; 16]), limits, &unlimited()).unwrap()
    }

    fn unlimited() -> Account {
        Account::new(u64::MAX)
    }

    proptest! {
        #[test]
        fn every_row_reads_back(rows in proptest::collection::vec("[abc]{0,4}", 0..300)) {
            let (mut dictionary, account) = (dictionary(&ReadLimits::default()), unlimited());
            account.take(1 << 20).unwrap();
            for row in &rows {
                prop_assert!(dictionary.push(row.as_bytes(), &account).is_ok());
            }
            let Ok(column) = dictionary.finish(&account) else { unreachable!() };
            let codes = column.codes.widened();
            let back: Vec<&[u8]> = codes
                .iter()
                .map(|&code| column.texts.get(code as usize))
                .collect();
            prop_assert_eq!(back, rows.iter().map(String::as_bytes).collect::<Vec<_>>());
            let distinct: std::collections::HashSet<&String> = rows.iter().collect();
            prop_assert_eq!(column.texts.len(), distinct.len());
        }
    }

    #[test]
    fn many_different_texts_read_back() {
        let (mut dictionary, account) = (dictionary(&ReadLimits::default()), unlimited());
        account.take(1 << 20).unwrap();
        let text = |row: usize| format!("{}", row * 7 % 30_011);
        for row in 0..60_000 {
            assert!(dictionary.push(text(row).as_bytes(), &account).is_ok());
        }
        let Ok(column) = dictionary.finish(&account) else {
            unreachable!()
        };
        assert_eq!(column.texts.len(), 30_011);
        for (row, code) in column.codes.widened().into_iter().enumerate() {
            assert_eq!(column.texts.get(code as usize), text(row).as_bytes());
        }
    }

    #[test]
    fn texts_are_trimmed_and_words_for_missing_are_empty() {
        let (mut dictionary, account) = (dictionary(&ReadLimits::default()), unlimited());
        let fields = [
            "a", " a ", "NA", "", " null", "<NA>", "b a", "\tNone\t", "Nana",
        ];
        // The second time they are remembered as they stand.
        for field in [fields, fields].as_flattened() {
            assert!(dictionary.push(field.as_bytes(), &account).is_ok());
        }
        let Ok(column) = dictionary.finish(&account) else {
            unreachable!()
        };
        let texts: Vec<&[u8]> = column.texts.iter().collect();
        assert_eq!(texts, [&b"a"[..], b"", b"b a", b"Nana"]);
        let codes = [0, 0, 1, 1, 1, 1, 2, 1, 3];
        assert_eq!(column.codes.widened(), [codes, codes].concat());
    }

    #[test]
    fn the_limits_hold() {
        let account = unlimited();
        let mut by_count = dictionary(&ReadLimits {
            max_distinct: 2,
            ..ReadLimits::default()
        });
        assert!(
            by_count.push(b"a", &account).is_ok()
                && by_count.push(b"b", &account).is_ok()
                && by_count.push(b"a", &account).is_ok()
        );
        assert!(by_count.push(b"c", &account).is_err());
        let mut by_bytes = dictionary(&ReadLimits {
            max_distinct: 2,
            ..ReadLimits::default()
        });
        assert!(by_bytes.push(&[b'x'; 129], &account).is_err());
    }
}
