//! Open addressing over indices: the table behind category lookup, dictionaries, ids and the join.

/// Finds an index by a 64-bit hash. The keys themselves are elsewhere; a slot holds the upper half
/// of the hash, so that most mismatches are settled without touching them.
pub(crate) struct Probe {
    /// `upper hash bits << 32 | index + 1`; 0 is a free slot.
    slots: Vec<u64>,
    used: usize,
}

const UPPER: u64 = !0 << 32;

impl Probe {
    /// Room for `capacity` indices before the first growth.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            slots: vec![0; (capacity * 2).next_power_of_two().max(16)],
            used: 0,
        }
    }

    /// The index filed under this hash for which `is_it` holds.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut at = place(hash) & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return None;
            }
            let index = index(slot);
            if (slot ^ hash) & UPPER == 0 && is_it(index) {
                return Some(index);
            }
            at = (at + 1) & mask;
        }
    }

    /// Files `new`, unless an index for which `is_it` holds is there already: then that one.
    /// `hash_of` must give the hash under which an earlier index was filed; it is asked when the
    /// table grows.
    #[inline]
    pub(crate) fn find_or_insert(
        &mut self,
        hash: u64,
        new: u32,
        is_it: impl Fn(u32) -> bool,
        hash_of: impl Fn(u32) -> u64,
    ) -> Option<u32> {
        if let Some(found) = self.find(hash, is_it) {
            return Some(found);
        }
        if (self.used + 1) * 3 > self.slots.len() * 2 {
            self.grow(hash_of);
        }
        self.insert(hash, new);
        self.used += 1;
        None
    }

    fn insert(&mut self, hash: u64, index: u32) {
        let mask = self.slots.len() - 1;
        let mut at = place(hash) & mask;
        while self.slots[at] != 0 {
            at = (at + 1) & mask;
        }
        self.slots[at] = (hash & UPPER) | (u64::from(index) + 1);
    }

    #[cold]
    fn grow(&mut self, hash_of: impl Fn(u32) -> u64) {
        let larger = vec![0; self.slots.len() * 2];
        for slot in std::mem::replace(&mut self.slots, larger) {
            if slot != 0 {
                let index = index(slot);
                self.insert(hash_of(index), index);
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "only the low bits place a slot"
)]
#[inline]
fn place(hash: u64) -> usize {
    hash as usize
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half of a used slot is index + 1"
)]
#[inline]
fn index(slot: u64) -> u32 {
    (slot as u32).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colliding_hashes_are_told_apart_by_their_keys() {
        let keys: Vec<u64> = (0..1_000).collect();
        let hash = |key: u64| ((key % 7) << 33) | (key % 3);
        let mut probe = Probe::with_capacity(0);
        for round in 0..2 {
            for &key in &keys {
                let index = u32::try_from(key).unwrap();
                let found = probe.find_or_insert(
                    hash(key),
                    index,
                    |i| keys[i as usize] == key,
                    |i| hash(keys[i as usize]),
                );
                assert_eq!(found, (round == 1).then_some(index));
            }
        }
        assert_eq!(probe.find(hash(1_001), |i| keys[i as usize] == 1_001), None);
    }
}
