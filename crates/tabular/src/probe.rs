//! Open addressing over indices: the table behind category lookup, dictionaries, ids and the join.

use zeroize::Zeroize;

use crate::account::{Account, NoRoom};
use crate::codes::Wiped;

/// Finds an index by the upper half of a 64-bit hash. The keys themselves are elsewhere; a slot
/// holds that half, so that most mismatches are settled without touching them.
///
/// A hash's first place is given by its highest bits. So a table grows from one end to the other,
/// without asking for any key again.
pub(crate) struct Probe {
    /// `upper half of the hash << 32 | index + 1`; 0 is a free slot.
    slots: Wiped<u64>,
    /// 64 minus the number of bits that give a place.
    shift: u32,
    used: usize,
}

const UPPER: u64 = !0 << 32;

impl Probe {
    /// Room for `capacity` indices before the first growth.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        // Twice as many slots at least, so that runs stay short.
        let slots = (capacity * 2).next_power_of_two().max(16);
        Self {
            slots: vec![0; slots].into(),
            shift: 64 - slots.ilog2(),
            used: 0,
        }
    }

    /// The index filed under this hash for which `is_it` holds.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.search(hash, is_it).ok()
    }

    /// Files `new`, unless an index for which `is_it` holds is there already: then that one.
    #[inline]
    pub(crate) fn find_or_insert(
        &mut self,
        hash: u64,
        new: u32,
        is_it: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        match self.search(hash, is_it) {
            Ok(found) => Some(found),
            Err(free) => {
                self.fill(free, hash, new);
                if self.is_full() {
                    self.grow();
                }
                None
            }
        }
    }

    /// As [`find_or_insert`](Self::find_or_insert), after the account has made room.
    #[inline]
    pub(crate) fn find_or_insert_within(
        &mut self,
        hash: u64,
        new: u32,
        account: &Account,
        is_it: impl Fn(u32) -> bool,
    ) -> Result<Option<u32>, NoRoom> {
        match self.search(hash, is_it) {
            Ok(found) => Ok(Some(found)),
            Err(free) => {
                self.fill(free, hash, new);
                if self.is_full() {
                    account.moves(self.bytes(), 2 * self.bytes())?;
                    self.grow();
                }
                Ok(None)
            }
        }
    }

    #[inline]
    fn fill(&mut self, free: usize, hash: u64, new: u32) {
        // One more than the index: zero is a free slot.
        self.slots.as_mut_slice()[free] = (hash & UPPER) | (u64::from(new) + 1);
        self.used += 1;
    }

    #[inline]
    fn is_full(&self) -> bool {
        // At two thirds: beyond, searches for absent keys become long.
        self.used * 3 > self.slots.len() * 2
    }

    /// Bytes that the slots take.
    pub(crate) fn bytes(&self) -> usize {
        self.slots.capacity_bytes()
    }

    /// Whether the table is larger than the nearest caches, so that looking keys up one by one
    /// means waiting for memory each time.
    #[inline]
    pub(crate) fn is_large(&self) -> bool {
        self.slots.len() > 1 << 13
    }

    /// Brings the places of these hashes into the cache. The loads do not depend on each other, so
    /// that their waiting times overlap.
    pub(crate) fn prefetch(&self, hashes: impl Iterator<Item = u64>) {
        let slots = self.slots.as_slice();
        // The sum goes nowhere, and black_box keeps the loads from being left out.
        let touched = hashes.fold(0, |touched, hash| touched ^ slots[self.place(hash)]);
        std::hint::black_box(touched);
    }

    /// The index, or the free slot where it would be.
    #[inline]
    fn search(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Result<u32, usize> {
        let slots = self.slots.as_slice();
        let mask = slots.len() - 1;
        let mut at = self.place(hash);
        loop {
            // Places go on at the front after the last: a run may wrap round the end.
            let slot = slots[at & mask];
            if slot == 0 {
                return Err(at & mask);
            }
            let index = index(slot);
            // The upper half of the hash first: the key is elsewhere, and a look at it may wait for
            // memory.
            if (slot ^ hash) & UPPER == 0 && is_it(index) {
                return Ok(index);
            }
            at += 1;
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "below the number of slots")]
    #[inline]
    fn place(&self, hash: u64) -> usize {
        (hash >> self.shift) as usize
    }

    #[cold]
    fn grow(&mut self) {
        let larger = self.slots.len() * 2;
        let old = std::mem::replace(&mut self.slots, vec![0; larger].into());
        // One bit more gives the place: items keep their order, so that growing is one pass.
        self.shift -= 1;
        let mask = larger - 1;
        for &slot in old.as_slice() {
            if slot != 0 {
                let mut at = self.place(slot);
                let slots = self.slots.as_mut_slice();
                while slots[at & mask] != 0 {
                    at += 1;
                }
                slots[at & mask] = slot;
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half of a used slot is index + 1"
)]
#[inline]
fn index(slot: u64) -> u32 {
    (slot as u32).wrapping_sub(1)
}

/// Keys waiting to be looked up together in a large table.
pub(crate) struct Pending<H: Copy + Zeroize> {
    bytes: Wiped<u8>,
    keys: Wiped<(H, usize)>,
}

/// Longer keys are looked up one by one: what is waited for is then the key itself, and they would
/// take much memory.
pub(crate) const MAX_PENDING_KEY: usize = 256;

/// Keys looked up together: enough for their memory accesses to overlap, few enough for the cache.
const BATCH: usize = 64;

impl<H: Copy + Zeroize> Pending<H> {
    // Twice, since a buffer that grows is in two places for a moment.
    /// Bytes that it takes, if no key is longer than [`MAX_PENDING_KEY`].
    pub(crate) const BYTES: usize = 2 * BATCH * (MAX_PENDING_KEY + size_of::<(H, usize)>());

    pub(crate) fn new() -> Self {
        Self {
            bytes: Wiped::new(),
            keys: Wiped::new(),
        }
    }

    /// Adds a key with its hash.
    #[inline]
    pub(crate) fn push(&mut self, hash: H, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.keys.push((hash, self.bytes.len()));
    }

    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.keys.len() == BATCH
    }

    pub(crate) fn hashes(&self) -> impl Iterator<Item = H> + '_ {
        self.keys.as_slice().iter().map(|&(hash, _)| hash)
    }

    /// The keys in the order they came, each with its hash.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (H, &[u8])> {
        let mut start = 0;
        self.keys.as_slice().iter().map(move |&(hash, end)| {
            let key = &self.bytes.as_slice()[start..end];
            start = end;
            (hash, key)
        })
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.keys.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colliding_hashes_are_told_apart_by_their_keys() {
        let keys: Vec<u64> = (0..1_000).collect();
        let hash = |key: u64| ((key % 7) << 61) | (key % 3);
        let mut probe = Probe::with_capacity(0);
        for round in 0..2 {
            for &key in &keys {
                let index = u32::try_from(key).unwrap();
                let found = probe.find_or_insert(hash(key), index, |i| keys[i as usize] == key);
                assert_eq!(found, (round == 1).then_some(index));
            }
        }
        assert_eq!(probe.find(hash(1_001), |i| keys[i as usize] == 1_001), None);
    }
}
