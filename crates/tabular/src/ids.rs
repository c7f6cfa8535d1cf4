//! The key column: 128-bit keyed hashes in place of the ids themselves.

use std::num::NonZeroU32;

use schema::number::trim;
use siphasher::sip::SipHasher13;
use siphasher::sip128::SipHasher24;
use zeroize::{Zeroize, Zeroizing};

use crate::account::{Account, NoRoom};
use crate::codes::Wiped;
use crate::id_forms::{IdForm, IdForms};
use crate::id_normalisation::IdNormalisation;
use crate::probe::{MAX_PENDING_KEY, Pending, Probe};

/// Hashes ids with SipHash-2-4-128 under a secret key, one key per room: two tables whose ids were
/// hashed under the same key can be joined, and nobody without the key can test a guess.
///
/// Ids are compared byte for byte, after spaces and tabs around them are taken away: `7` and `07`
/// are two ids, unless the hasher [normalises](Self::normalising) them.
#[derive(Clone)]
pub struct KeyHasher {
    ids: SipHasher24,
    texts: SipHasher13,
    normalisation: IdNormalisation,
}

impl KeyHasher {
    /// A hasher under this key, which should come from a cryptographic generator.
    #[must_use]
    pub fn new(key: [u8; 16]) -> Self {
        // SipHash 2-4 with 128 bits for ids, where a collision would merge two people; 1-3 for
        // texts, where one only costs a comparison.
        Self {
            ids: SipHasher24::new_with_key(&key),
            texts: SipHasher13::new_with_key(&key),
            normalisation: IdNormalisation::default(),
        }
    }

    /// The same, for ids that are normalised first: before they are counted, bounded and hashed.
    // Of the hasher and not of each table: tables that can be joined are normalised alike.
    #[must_use]
    pub fn normalising(self, normalisation: IdNormalisation) -> Self {
        Self {
            normalisation,
            ..self
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

/// The hashed ids of one table in row order.
pub(crate) struct Ids {
    hashes: Wiped<u128>,
    /// For each row the first row of its id; none if no id is repeated.
    firsts: Option<Wiped<u32>>,
    /// How many rows of an id may stay.
    most: NonZeroU32,
    hasher: KeyHasher,
}

impl Ids {
    pub(crate) fn as_slice(&self) -> &[u128] {
        self.hashes.as_slice()
    }

    pub(crate) fn most(&self) -> NonZeroU32 {
        self.most
    }

    /// For each row the first row of its id; none if no id is repeated.
    pub(crate) fn firsts(&self) -> Option<&[u32]> {
        self.firsts.as_ref().map(Wiped::as_slice)
    }

    /// Whether an id has several rows.
    pub(crate) fn has_repeats(&self) -> bool {
        self.firsts.is_some()
    }

    /// The ids of these rows alone, which ascend.
    pub(crate) fn gather(self, rows: &[u32]) -> Self {
        let hashes = self.as_slice();
        let hashes: Vec<u128> = rows.iter().map(|&row| hashes[row as usize]).collect();
        let firsts = self.firsts.as_ref().map(|firsts| {
            // The first row of an id may be one of those that are gone.
            let mut places = Wiped::from(vec![END; firsts.len()]);
            let firsts = (0_u32..).zip(rows).map(|(place, &row)| {
                let first = firsts.as_slice()[row as usize] as usize;
                let known = &mut places.as_mut_slice()[first];
                *known = (*known).min(place);
                *known
            });
            Wiped::from(firsts.collect::<Vec<u32>>())
        });
        Self {
            hashes: hashes.into(),
            firsts,
            most: self.most,
            hasher: self.hasher.clone(),
        }
    }

    /// Rows beyond the most that an id may have.
    pub(crate) fn surplus(&self) -> u64 {
        let rows_of_each = self.rows_of_each();
        let beyond = |rows: &u32| u64::from(rows.saturating_sub(self.most.get()));
        rows_of_each.as_slice().iter().map(beyond).sum()
    }

    /// At the first row of each id how many rows it has, 0 elsewhere; empty if no id is repeated.
    fn rows_of_each(&self) -> Wiped<u32> {
        let Some(firsts) = &self.firsts else {
            return Wiped::new();
        };
        let mut rows = Wiped::from(vec![0; firsts.len()]);
        for &first in firsts.as_slice() {
            rows.as_mut_slice()[first as usize] += 1;
        }
        rows
    }

    /// The rows that stay, ascending: of each id a uniform choice of at most [`most`](Self::most).
    /// It is drawn by a keyed hash of the table's name, the id, and the row's place among those of
    /// its id. So the rows of one id alone decide which of them stay, and choices in two tables do
    /// not depend on each other. `None` if all rows stay.
    pub(crate) fn kept_rows(&self, table: &str) -> Option<Wiped<u32>> {
        // By lots that depend on the id alone: a choice by the order of rows would let one id's
        // rows decide about another's (and change counts by more than its own).
        let firsts = self.firsts.as_ref()?.as_slice();
        let rows_of_each = self.rows_of_each();
        let most = self.most.get();
        let mut places = Wiped::from(vec![0_u32; firsts.len()]);
        let of_many = rows_of_each.as_slice().iter().filter(|rows| **rows > most);
        // In one place from the beginning: growing, it would take several times as much.
        let mut drawn: Vec<(u32, u64, u32)> =
            Vec::with_capacity(of_many.map(|rows| *rows as usize).sum());
        for (row, &first) in (0_u32..).zip(firsts) {
            let place = &mut places.as_mut_slice()[first as usize];
            // Ids with few rows have no lot drawn: all of theirs stay.
            if rows_of_each.as_slice()[first as usize] > most {
                let lot = self.lot(table, self.as_slice()[row as usize], *place);
                drawn.push((first, lot, row));
            }
            *place += 1;
        }
        // By id, then lot, then row: a stable choice, even for two equal lots.
        drawn.sort_unstable();
        let mut stays = Wiped::from(vec![1_u8; firsts.len()]);
        for of_one_id in drawn.chunk_by(|a, b| a.0 == b.0) {
            for &(_, _, row) in &of_one_id[most as usize..] {
                stays.as_mut_slice()[row as usize] = 0;
            }
        }
        // Lots and rows tell which ids are repeated.
        drawn.zeroize();
        let mut kept = Vec::with_capacity(firsts.len());
        let rows = (0..)
            .zip(stays.as_slice())
            .filter(|(_, stays)| **stays == 1);
        kept.extend(rows.map(|(row, _)| row));
        Some(kept.into())
    }

    fn lot(&self, table: &str, id: u128, place: u32) -> u64 {
        let mut text = Wiped::new();
        // Fixed lengths first, the name last: no two inputs run together into the same bytes.
        text.extend_from_slice(&id.to_le_bytes());
        text.extend_from_slice(&place.to_le_bytes());
        text.extend_from_slice(table.as_bytes());
        self.hasher.short(text.as_slice())
    }

    /// An index from hash to those of the given rows (all, for `None`) that have it.
    pub(crate) fn index(&self, rows: Option<&[u32]>) -> IdIndex<'_> {
        let hashes = self.as_slice();
        let mut probe = Probe::with_capacity(rows.map_or(hashes.len(), <[u32]>::len));
        let mut next = Wiped::from(vec![END; rows.map_or(0, |_| hashes.len())]);
        let mut file = |row: u32| {
            let hash = hashes[row as usize];
            let known = probe.find_or_insert(high(hash), row, |i| hashes[i as usize] == hash);
            // A chain through the rows of an id: memory of four bytes a row, however ids are
            // distributed.
            if let Some(first) = known {
                let next = next.as_mut_slice();
                next[row as usize] = next[first as usize];
                next[first as usize] = row;
            }
        };
        match rows {
            Some(rows) => rows.iter().copied().for_each(&mut file),
            None => (0_u32..).zip(hashes).for_each(|(row, _)| file(row)),
        }
        IdIndex {
            hashes,
            probe,
            next,
        }
    }
}

/// Marks the end of a chain of rows.
const END: u32 = u32::MAX;

/// Finds the rows of an id.
pub(crate) struct IdIndex<'a> {
    hashes: &'a [u128],
    probe: Probe,
    /// For each row another one of its id; empty if ids are unique.
    next: Wiped<u32>,
}

impl IdIndex<'_> {
    /// One row of this id.
    #[inline]
    pub(crate) fn row(&self, hash: u128) -> Option<u32> {
        self.probe
            .find(high(hash), |i| self.hashes[i as usize] == hash)
    }

    /// The row of the same id that comes after this one, in a fixed order that begins at
    /// [`row`](Self::row).
    #[inline]
    pub(crate) fn next(&self, row: u32) -> Option<u32> {
        let next = self.next.as_slice().get(row as usize).copied();
        next.filter(|&next| next != END)
    }
}

/// How many repeated ids are quoted to the owner.
const QUOTED: usize = 5;

/// Takes ids in while a table is read, and notices repeated ones at once.
pub(crate) struct IdCollector {
    hasher: KeyHasher,
    /// How many rows of an id may stay; `None` refuses the second.
    most: Option<NonZeroU32>,
    hashes: Wiped<u128>,
    /// For each row the first row of its id, if repeated ids are taken in.
    firsts: Wiped<u32>,
    probe: Probe,
    pending: Pending<u128>,
    repeated: u64,
    quoted: Zeroizing<Vec<String>>,
    written: IdForm,
    compared: IdForm,
}

impl IdCollector {
    pub(crate) fn new(
        hasher: &KeyHasher,
        most: Option<NonZeroU32>,
        account: &Account,
    ) -> Result<Self, NoRoom> {
        // Small at first, since most uploads of a room are; it grows under the account.
        let probe = Probe::with_capacity(1 << 10);
        account.take((probe.bytes() + Pending::<u128>::BYTES) as u64)?;
        Ok(Self {
            hasher: hasher.clone(),
            most,
            hashes: Wiped::new(),
            firsts: Wiped::new(),
            probe,
            pending: Pending::new(),
            repeated: 0,
            quoted: Zeroizing::default(),
            written: IdForm::default(),
            compared: IdForm::default(),
        })
    }

    /// Room for this many rows; the account has made it.
    pub(crate) fn reserve_exact(&mut self, rows: usize) {
        self.hashes.reserve_exact(rows);
        if self.most.is_some() {
            self.firsts.reserve_exact(rows);
        }
    }

    /// Bytes that one row takes.
    pub(crate) fn width(&self) -> usize {
        size_of::<u128>() + self.most.map_or(0, |_| size_of::<u32>())
    }

    /// Takes in the field with the id of the next row. Says whether there is one: of an empty field
    /// nothing is taken in.
    #[inline]
    pub(crate) fn take_in(&mut self, field: &[u8], account: &Account) -> Result<bool, NoRoom> {
        // Trimmed as in the other party's table, or ` 7` and `7` would be two people.
        let id = trim(field);
        let normalisation = self.hasher.normalisation;
        if normalisation.is_none() {
            if id.is_empty() {
                return Ok(false);
            }
            self.written.note(field);
            self.push(id, account)?;
            return Ok(true);
        }
        let compared = Zeroizing::new(normalisation.apply(id).into_owned());
        if compared.is_empty() {
            return Ok(false);
        }
        self.written.note(field);
        self.compared.note(&compared);
        self.push(&compared, account)?;
        Ok(true)
    }

    /// Takes in the id of the next row, as it is compared.
    #[inline]
    fn push(&mut self, id: &[u8], account: &Account) -> Result<(), NoRoom> {
        let hash = self.hasher.hash(id);
        // While the table fits in the cache, looking up at once is faster than batching.
        if !self.probe.is_large() {
            return self.look_up(hash, id, account);
        }
        // A long id would fill the batch's fixed place: it is looked up alone, after those before
        // it.
        if id.len() > MAX_PENDING_KEY {
            self.look_up_pending(account)?;
            return self.look_up(hash, id, account);
        }
        self.pending.push(hash, id);
        if self.pending.is_full() {
            self.look_up_pending(account)?;
        }
        Ok(())
    }

    fn look_up_pending(&mut self, account: &Account) -> Result<(), NoRoom> {
        let mut pending = std::mem::replace(&mut self.pending, Pending::new());
        // All at once, so that waiting for memory overlaps.
        self.probe.prefetch(pending.hashes().map(high));
        for (hash, id) in pending.iter() {
            self.look_up(hash, id, account)?;
        }
        pending.clear();
        self.pending = pending;
        Ok(())
    }

    #[inline]
    fn look_up(&mut self, hash: u128, id: &[u8], account: &Account) -> Result<(), NoRoom> {
        let hashes = self.hashes.as_slice();
        let row = u32::try_from(hashes.len()).expect("a table has fewer than 2^32 rows");
        let seen = self
            .probe
            .find_or_insert_within(high(hash), row, account, |i| hashes[i as usize] == hash)?;
        self.hashes.push(hash);
        // Where repeats are allowed, the first row is noted and nobody is told which ids repeat.
        if self.most.is_some() {
            self.firsts.push(seen.unwrap_or(row));
            self.repeated += u64::from(seen.is_some());
        } else if seen.is_some() {
            self.note_repeated(id);
        }
        Ok(())
    }

    #[cold]
    fn note_repeated(&mut self, id: &[u8]) {
        self.repeated += 1;
        if self.quoted.len() < QUOTED {
            let id = String::from_utf8_lossy(id);
            if self.quoted.iter().all(|known| *known != id) {
                // The owner has to find the row; sixty-four characters do, and none of it goes to
                // others.
                self.quoted.push(id.chars().take(64).collect());
            }
        }
    }

    /// The ids, what they look like, and how many rows will be left out because their id has too
    /// many. What only reading needed is given back to the account.
    ///
    /// # Errors
    /// Where ids may not be repeated: how many rows repeat an earlier id, and the first few such
    /// ids.
    pub(crate) fn finish(mut self, account: &Account) -> Result<(Ids, IdForms, u64), IdsError> {
        self.look_up_pending(account)?;
        let normalisation = self.hasher.normalisation;
        // Only where the agreement wants unique ids: then the owner is told, and nobody else.
        if self.most.is_none() && self.repeated > 0 {
            let first = std::mem::take(&mut *self.quoted);
            return Err(IdsError::Repeated {
                rows: self.repeated,
                first,
                normalisation,
            });
        }
        account.give((self.probe.bytes() + Pending::<u128>::BYTES) as u64);
        drop(self.probe);
        let kept = self.repeated > 0;
        let rows = self.hashes.len();
        // Either the place of the first rows is free again, or rows are counted for each of them.
        match kept {
            true => account.take((rows * size_of::<u32>()) as u64)?,
            false => account.give(self.firsts.capacity_bytes() as u64),
        }
        let ids = Ids {
            hashes: self.hashes,
            firsts: kept.then_some(self.firsts),
            most: self.most.unwrap_or(NonZeroU32::MIN),
            hasher: self.hasher,
        };
        let surplus = ids.surplus();
        if kept {
            account.give((rows * size_of::<u32>()) as u64);
        }
        let forms = IdForms {
            distinct: rows as u64 - self.repeated,
            written: self.written,
            compared: (!normalisation.is_none()).then_some(self.compared),
        };
        Ok((ids, forms, surplus))
    }
}

/// Why the ids of a table cannot be used.
#[derive(Debug)]
pub(crate) enum IdsError {
    /// This many rows repeat an earlier id; the first few such ids, as they are compared.
    Repeated {
        rows: u64,
        first: Vec<String>,
        normalisation: IdNormalisation,
    },
    NoRoom(NoRoom),
}

impl From<NoRoom> for IdsError {
    fn from(no_room: NoRoom) -> Self {
        Self::NoRoom(no_room)
    }
}

/// Takes half of the hash for the place in the index: half of a hash is a hash.
#[inline]
fn high(hash: u128) -> u64 {
    (hash >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn collect(ids: &[&str], most: Option<u32>) -> Result<(Ids, u64), (u64, Vec<String>)> {
        collect_with([7; 16], ids, most)
    }

    fn collect_with(
        key: [u8; 16],
        ids: &[&str],
        most: Option<u32>,
    ) -> Result<(Ids, u64), (u64, Vec<String>)> {
        let most = most.map(|most| NonZeroU32::new(most).unwrap());
        let account = Account::new(u64::MAX);
        account.take(1 << 30).unwrap();
        let mut collector = IdCollector::new(&KeyHasher::new(key), most, &account).unwrap();
        for id in ids {
            assert!(collector.take_in(id.as_bytes(), &account).unwrap());
        }
        let finished = collector.finish(&account).map_err(|no_ids| match no_ids {
            IdsError::Repeated { rows, first, .. } => (rows, first),
            IdsError::NoRoom(_) => unreachable!(),
        });
        finished.map(|(ids, forms, surplus)| {
            let distinct: BTreeSet<u128> = ids.as_slice().iter().copied().collect();
            assert_eq!(forms.distinct, distinct.len() as u64);
            (ids, surplus)
        })
    }

    #[test]
    fn repeated_ids_are_counted_and_the_first_few_quoted_once() {
        let ids = "a b a c c c d e f g d e f g".split(' ').collect::<Vec<_>>();
        let (count, first) = collect(&ids, None).err().unwrap();
        assert_eq!(count, 7);
        assert_eq!(first, ["a", "c", "d", "e", "f"]);
    }

    #[test]
    fn repeated_ids_are_noticed_in_large_tables_too() {
        let ids: Vec<String> = (0..50_000).map(|i| (i % 49_998).to_string()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let (count, first) = collect(&ids, None).err().unwrap();
        assert_eq!((count, first), (2, vec!["0".to_owned(), "1".to_owned()]));
        let (_, surplus) = collect(&ids, Some(1)).ok().unwrap();
        assert_eq!(surplus, 2);
    }

    #[test]
    fn the_index_finds_each_row_and_nothing_else() {
        let (ids, _) = collect(&["x", "y", "z"], None).ok().unwrap();
        let index = ids.index(None);
        let hasher = KeyHasher::new([7; 16]);
        assert_eq!(index.row(hasher.hash(b"y")), Some(1));
        assert_eq!(index.next(1), None);
        assert_eq!(index.row(hasher.hash(b"w")), None);
        assert_eq!(index.row(KeyHasher::new([8; 16]).hash(b"y")), None);
    }

    /// Chi-square with 9 degrees of freedom stays below 27.9 in 999 of 1,000 cases.
    #[test]
    fn each_choice_among_the_rows_of_an_id_is_equally_likely() {
        let mut chosen: BTreeMap<Vec<u32>, u32> = BTreeMap::new();
        for key in 0..2_000_u32 {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&key.to_le_bytes());
            let (ids, surplus) = collect_with(bytes, &["a"; 5], Some(2)).ok().unwrap();
            assert_eq!(surplus, 3);
            let rows = ids.kept_rows("t").unwrap().as_slice().to_vec();
            *chosen.entry(rows).or_default() += 1;
        }
        assert_eq!(chosen.len(), 10);
        let square = |seen: &u32| (f64::from(*seen) - 200.0).powi(2) / 200.0;
        let chi_square: f64 = chosen.values().map(square).sum();
        assert!(chi_square < 27.9, "{chi_square}");
    }

    #[test]
    fn choices_in_two_tables_differ() {
        let ids: Vec<String> = (0..200).map(|i| (i / 2).to_string()).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let (ids, _) = collect(&ids, Some(1)).ok().unwrap();
        let kept = |table| ids.kept_rows(table).unwrap().as_slice().to_vec();
        let (first, second) = (kept("A"), kept("B"));
        let alike = first.iter().zip(&second).filter(|(a, b)| a == b).count();
        assert!((25..75).contains(&alike), "{alike} of 100");
    }

    proptest! {
        /// What stays of an id depends on nothing but the rows of that id.
        #[test]
        fn rows_of_other_ids_do_not_change_the_choice(
            ids in prop::collection::vec(0_u8..6, 1..60),
            most in 1_u32..4,
            gone in 0_u8..6,
        ) {
            let kept = |ids: &[u8]| -> BTreeSet<(u8, usize)> {
                let texts: Vec<String> = ids.iter().map(u8::to_string).collect();
                let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
                let (table, surplus) = collect(&texts, Some(most)).ok().unwrap();
                let rows = table.kept_rows("t").map_or_else(
                    || (0..ids.len()).collect(),
                    |rows| rows.as_slice().iter().map(|&row| row as usize).collect::<Vec<_>>(),
                );
                assert_eq!(rows.len() as u64 + surplus, ids.len() as u64);
                let place = |row: usize| ids[..row].iter().filter(|id| **id == ids[row]).count();
                rows.iter().map(|&row| (ids[row], place(row))).collect()
            };
            let mut with = kept(&ids);
            for id in 0..6 {
                let rows = ids.iter().filter(|other| **other == id).count();
                let stay = with.iter().filter(|(other, _)| *other == id).count();
                prop_assert_eq!(stay, rows.min(most as usize));
            }
            let others: Vec<u8> = ids.iter().copied().filter(|id| *id != gone).collect();
            with.retain(|(id, _)| *id != gone);
            prop_assert_eq!(with, kept(&others));
        }
    }
}
