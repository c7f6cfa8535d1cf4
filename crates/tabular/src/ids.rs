//! The key column: 128-bit keyed hashes in place of the ids themselves.

use siphasher::sip::SipHasher13;
use siphasher::sip128::SipHasher24;
use zeroize::Zeroizing;

use crate::codes::Wiped;
use crate::probe::{Pending, Probe};

/// Hashes ids with SipHash-2-4-128 under a secret key, one key per room: two tables whose ids were
/// hashed under the same key can be joined, and nobody without the key can test a guess.
///
/// Ids are compared byte for byte, after spaces and tabs around them are taken away: `7` and `07` are two ids.
#[derive(Clone)]
pub struct KeyHasher {
    ids: SipHasher24,
    texts: SipHasher13,
}

impl KeyHasher {
    /// A hasher under this key, which should come from a cryptographic generator.
    #[must_use]
    pub fn new(key: [u8; 16]) -> Self {
        Self {
            ids: SipHasher24::new_with_key(&key),
            texts: SipHasher13::new_with_key(&key),
        }
    }

    #[inline]
    pub(crate) fn hash(&self, id: &[u8]) -> u128 {
        self.ids.hash(id).as_u128()
    }

    /// A 64-bit hash for dictionaries: keyed, so that nobody can prepare texts that collide.
    #[inline]
    pub(crate) fn short(&self, text: &[u8]) -> u64 {
        self.texts.hash(text)
    }
}

impl std::fmt::Debug for KeyHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyHasher(..)")
    }
}

/// The hashed ids of one table in row order, none twice.
pub(crate) struct Ids {
    hashes: Wiped<u128>,
}

impl Ids {
    pub(crate) fn as_slice(&self) -> &[u128] {
        self.hashes.as_slice()
    }

    /// An index from hash to row.
    pub(crate) fn index(&self) -> IdIndex<'_> {
        let hashes = self.as_slice();
        let mut probe = Probe::with_capacity(hashes.len());
        for (row, &hash) in (0u32..).zip(hashes) {
            probe.find_or_insert(high(hash), row, |i| hashes[i as usize] == hash);
        }
        IdIndex { hashes, probe }
    }
}

/// Finds the row of an id.
pub(crate) struct IdIndex<'a> {
    hashes: &'a [u128],
    probe: Probe,
}

impl IdIndex<'_> {
    #[inline]
    pub(crate) fn row(&self, hash: u128) -> Option<u32> {
        self.probe
            .find(high(hash), |i| self.hashes[i as usize] == hash)
    }
}

/// How many repeated ids are quoted to the owner.
const QUOTED: usize = 5;

/// Takes ids in while a table is read, and notices repeated ones at once.
pub(crate) struct IdCollector {
    hasher: KeyHasher,
    hashes: Wiped<u128>,
    probe: Probe,
    pending: Pending<u128>,
    repeated: u64,
    first: Zeroizing<Vec<String>>,
}

impl IdCollector {
    pub(crate) fn new(hasher: &KeyHasher) -> Self {
        Self {
            hasher: hasher.clone(),
            hashes: Wiped::new(),
            probe: Probe::with_capacity(1 << 10),
            pending: Pending::new(),
            repeated: 0,
            first: Zeroizing::default(),
        }
    }

    /// Takes in the id of the next row.
    #[inline]
    pub(crate) fn push(&mut self, id: &[u8]) {
        let hash = self.hasher.hash(id);
        if self.probe.is_large() {
            self.pending.push(hash, id);
            if self.pending.is_full() {
                self.look_up_pending();
            }
        } else {
            self.look_up(hash, id);
        }
    }

    fn look_up_pending(&mut self) {
        let mut pending = std::mem::replace(&mut self.pending, Pending::new());
        self.probe.prefetch(pending.hashes().map(high));
        for (hash, id) in pending.iter() {
            self.look_up(hash, id);
        }
        pending.clear();
        self.pending = pending;
    }

    #[inline]
    fn look_up(&mut self, hash: u128, id: &[u8]) {
        let hashes = self.hashes.as_slice();
        let row = u32::try_from(hashes.len()).expect("a table has fewer than 2^32 rows");
        let seen = self
            .probe
            .find_or_insert(high(hash), row, |i| hashes[i as usize] == hash);
        if seen.is_some() {
            self.note_repeated(id);
        }
        self.hashes.push(hash);
    }

    #[cold]
    fn note_repeated(&mut self, id: &[u8]) {
        self.repeated += 1;
        if self.first.len() < QUOTED {
            let id = String::from_utf8_lossy(id);
            if self.first.iter().all(|known| *known != id) {
                self.first.push(id.chars().take(64).collect());
            }
        }
    }

    /// The ids; or how many rows repeat an earlier id, and the first few such ids.
    pub(crate) fn finish(mut self) -> Result<Ids, (u64, Vec<String>)> {
        self.look_up_pending();
        if self.repeated > 0 {
            return Err((self.repeated, std::mem::take(&mut *self.first)));
        }
        Ok(Ids {
            hashes: self.hashes,
        })
    }
}

/// Half of a hash is a hash.
#[inline]
fn high(hash: u128) -> u64 {
    (hash >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(ids: &[&str]) -> Result<Ids, (u64, Vec<String>)> {
        let mut collector = IdCollector::new(&KeyHasher::new([7; 16]));
        for id in ids {
            collector.push(id.as_bytes());
        }
        collector.finish()
    }

    #[test]
    fn repeated_ids_are_counted_and_the_first_few_quoted_once() {
        let ids = "a b a c c c d e f g d e f g".split(' ').collect::<Vec<_>>();
        let (count, first) = collect(&ids).err().unwrap();
        assert_eq!(count, 7);
        assert_eq!(first, ["a", "c", "d", "e", "f"]);
    }

    #[test]
    fn repeated_ids_are_noticed_in_large_tables_too() {
        let ids: Vec<String> = (0..50_000).map(|i| (i % 49_998).to_string()).collect();
        let (count, first) = collect(&ids.iter().map(String::as_str).collect::<Vec<_>>())
            .err()
            .unwrap();
        assert_eq!((count, first), (2, vec!["0".to_owned(), "1".to_owned()]));
    }

    #[test]
    fn the_index_finds_each_row_and_nothing_else() {
        let ids = collect(&["x", "y", "z"]).ok().unwrap();
        let index = ids.index();
        let hasher = KeyHasher::new([7; 16]);
        assert_eq!(index.row(hasher.hash(b"y")), Some(1));
        assert_eq!(index.row(hasher.hash(b"w")), None);
        assert_eq!(index.row(KeyHasher::new([8; 16]).hash(b"y")), None);
    }
}
