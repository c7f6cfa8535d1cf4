//! Columns whose domain is not known yet.

use crate::codes::{Codes, Wiped};
use crate::ids::KeyHasher;
use crate::limits::Limits;
use crate::probe::{Pending, Probe};

/// An undeclared column while it streams in: each different text once, and for each row which one.
pub(crate) struct Dictionary {
    name: String,
    hasher: KeyHasher,
    probe: Probe,
    pending: Pending<u64>,
    texts: Texts,
    codes: Wiped<u32>,
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

    fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
    }
}

/// An undeclared column: codes are positions in `texts`.
pub(crate) struct RawColumn {
    pub(crate) name: String,
    pub(crate) texts: Texts,
    pub(crate) codes: Codes,
}

/// The column holds more different texts than may be kept.
pub(crate) struct TooManyDistinct;

impl Dictionary {
    pub(crate) fn new(name: String, hasher: &KeyHasher, limits: &Limits) -> Self {
        Self {
            name,
            hasher: hasher.clone(),
            probe: Probe::with_capacity(16),
            pending: Pending::new(),
            texts: Texts::default(),
            codes: Wiped::new(),
            max_distinct: limits.max_distinct,
            max_bytes: limits.max_dictionary_bytes(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    #[inline]
    pub(crate) fn push(&mut self, field: &[u8]) -> Result<(), TooManyDistinct> {
        let hash = self.hasher.short(field);
        if self.probe.is_large() {
            self.pending.push(hash, field);
            if self.pending.is_full() {
                self.look_up_pending()?;
            }
            Ok(())
        } else {
            self.look_up(hash, field)
        }
    }

    fn look_up_pending(&mut self) -> Result<(), TooManyDistinct> {
        let mut pending = std::mem::replace(&mut self.pending, Pending::new());
        self.probe.prefetch(pending.hashes());
        for (hash, field) in pending.iter() {
            self.look_up(hash, field)?;
        }
        pending.clear();
        self.pending = pending;
        Ok(())
    }

    #[inline]
    fn look_up(&mut self, hash: u64, field: &[u8]) -> Result<(), TooManyDistinct> {
        let next = u32::try_from(self.texts.len()).map_err(|_| TooManyDistinct)?;
        let texts = &self.texts;
        let known = self
            .probe
            .find_or_insert(hash, next, |i| texts.get(i as usize) == field);
        if known.is_none() {
            self.texts.push(field);
            if self.texts.len() > self.max_distinct || self.texts.bytes.len() > self.max_bytes {
                return Err(TooManyDistinct);
            }
        }
        self.codes.push(known.unwrap_or(next));
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<RawColumn, TooManyDistinct> {
        self.look_up_pending()?;
        Ok(RawColumn {
            name: self.name,
            texts: self.texts,
            codes: Codes::U32(self.codes),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dictionary(limits: &Limits) -> Dictionary {
        Dictionary::new("c".into(), &KeyHasher::new([1; 16]), limits)
    }

    proptest! {
        #[test]
        fn every_row_reads_back(rows in proptest::collection::vec("[abc]{0,4}", 0..300)) {
            let mut dictionary = dictionary(&Limits::default());
            for row in &rows {
                prop_assert!(dictionary.push(row.as_bytes()).is_ok());
            }
            let Ok(column) = dictionary.finish() else { unreachable!() };
            let Codes::U32(codes) = &column.codes else { unreachable!() };
            let back: Vec<&[u8]> = codes.as_slice().iter().map(|&code| column.texts.get(code as usize)).collect();
            prop_assert_eq!(back, rows.iter().map(String::as_bytes).collect::<Vec<_>>());
            let distinct: std::collections::HashSet<&String> = rows.iter().collect();
            prop_assert_eq!(column.texts.len(), distinct.len());
        }
    }

    #[test]
    fn many_different_texts_read_back() {
        let mut dictionary = dictionary(&Limits::default());
        let text = |row: usize| format!("{}", row * 7 % 30_011);
        for row in 0..60_000 {
            assert!(dictionary.push(text(row).as_bytes()).is_ok());
        }
        let Ok(column) = dictionary.finish() else {
            unreachable!()
        };
        assert_eq!(column.texts.len(), 30_011);
        for (row, code) in column.codes.widened().into_iter().enumerate() {
            assert_eq!(column.texts.get(code as usize), text(row).as_bytes());
        }
    }

    #[test]
    fn the_limits_hold() {
        let mut by_count = dictionary(&Limits {
            max_distinct: 2,
            ..Limits::default()
        });
        assert!(
            by_count.push(b"a").is_ok()
                && by_count.push(b"b").is_ok()
                && by_count.push(b"a").is_ok()
        );
        assert!(by_count.push(b"c").is_err());
        let mut by_bytes = dictionary(&Limits {
            max_distinct: 2,
            ..Limits::default()
        });
        assert!(by_bytes.push(&[b'x'; 129]).is_err());
    }
}
