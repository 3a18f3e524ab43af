use std::{hash::Hash, mem};

use super::slot_vec::{SlotVec, touched};
use crate::key::{SlotNumber, hash_key, is_unit, small_number};

/// A value for each key, in the order in which the keys first came; each has a [`SlotNumber`], counting up from zero.
///
/// Key and value lie side by side, one entry after the other. So the keys that came first, which are the frequent ones,
/// share their cache lines with each other and with no others; and entries never move.
///
/// # Small integers
/// A key that is an integer, not negative and less than the length of a second, *direct* index, is found there without a
/// hash and without being compared. `()`, the key of streams without one, is the first entry if it is there.
///
/// # Growth
/// A larger index is brought [from outside](Self::offer_index), and the keys [migrate](Self::migrate) to it a few at a
/// time, in the order of their slot numbers. Until the last has, look-ups and new keys use the old index alone: a new
/// key has a higher slot number, so the migration comes to it in time. The old index fills beyond the half meanwhile:
///
/// | of the index | |
/// |---|---|
/// | 1/2 | a larger one is asked for, at the latest |
/// | 3/4 | [counted on](Self::index_capacity) without one: if it comes by then, the migration ends in time |
/// | 7/8 | [no room](Self::has_room) |
#[derive(Debug)]
pub(crate) struct KeyTable<K, S> {
    /// Open addressing with linear probing, a power of two long: slot numbers, or `FREE`. No part of the hash is kept
    /// beside them: keys are compared directly, as collisions are rare, and the index stays half as large.
    index: Vec<u32>,
    /// How far to shift a hash right to get an index: 64 less the logarithm of the index's length.
    shift: u32,
    /// The slot numbers of small integers, or `FREE`.
    direct: Vec<u32>,
    entries: SlotVec<(K, S)>,
    /// The number of keys.
    len: usize,
    /// The larger index under way; empty if there is none.
    next: Vec<u32>,
    /// How many keys are in it.
    migrated: usize,
    /// A still larger one, to come after it; empty if there is none.
    after_next: Vec<u32>,
}

/// The place in the index where the search for a key has stopped without finding it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopped(usize);

impl Stopped {
    /// The key is a small integer, whose place is known without a search.
    const UNSOUGHT: Self = Self(usize::MAX);
}

/// A place in the index where there is no key.
const FREE: u32 = u32::MAX;

/// A table with less than one key for so many places of its index is emptied key by key.
const FEW: usize = 16;

/// The number of keys that migrate with each new key, so that a migration that begins with the index three quarters
/// full ends before it is seven eighths full: 3/4 + 1/8 of its length, over 1/8, is 7.
const MIGRATE_PER_KEY: usize = 8;

/// The most small integers that a table finds directly: more would take more cache than a hash takes time.
const DIRECT_MAX: usize = 1 << 16;

/// An empty index of this length, for half as many keys.
pub(crate) fn empty_index(length: usize) -> Vec<u32> {
    vec![FREE; length]
}

impl<K, S> KeyTable<K, S> {
    /// Stands in for a table that is elsewhere. Nothing can be put into it.
    pub(crate) fn absent() -> Self {
        Self::of(SlotVec::absent(), Vec::new(), Vec::new())
    }

    fn of(entries: SlotVec<(K, S)>, index: Vec<u32>, direct: Vec<u32>) -> Self {
        let shift = shift_for(&index);
        Self { index, shift, direct, entries, len: 0, next: Vec::new(), migrated: 0, after_next: Vec::new() }
    }

    /// Whether this is no table but stands in for one.
    pub(crate) fn is_absent(&self) -> bool {
        self.index.is_empty()
    }

    /// The number of keys.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many entries there is memory for.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.entries.capacity()
    }

    /// The entries in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &(K, S)> {
        self.entries.iter()
    }

    /// The key with this number, and its value.
    #[inline(always)]
    pub(crate) fn at_mut(&mut self, slot: SlotNumber) -> &mut (K, S) {
        self.entries.at_mut(slot.index())
    }

    /// Whether there is a place for one more key.
    pub(crate) fn has_room(&self) -> bool {
        self.len < self.entries.capacity() && self.len < seven_eighths(self.index.len())
    }

    /// Whether the segment is one that would at least double the entries; if not, it was meant for a time when there
    /// were fewer.
    pub(crate) fn can_add(&self, segment: &Vec<(K, S)>) -> bool {
        self.entries.can_add(segment)
    }

    /// Adds memory for as many entries again as there is memory for.
    pub(crate) fn add_segment(&mut self, segment: Vec<(K, S)>) {
        self.entries.add_segment(segment);
    }

    /// Takes the next entry out of a table that is [being emptied](Self::begin_to_empty).
    #[inline]
    pub(crate) fn take_next(&mut self) -> Option<(K, S)> {
        self.entries.pop_of_first_segment()
    }

    /// Whether no entries are left in a table that is [being emptied](Self::begin_to_empty).
    #[inline]
    pub(crate) fn is_emptied(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<K: Hash + Eq + 'static, S> KeyTable<K, S> {
    /// An empty table with room for so many entries in its base, and an index of this length.
    pub(crate) fn new(base: usize, index: usize) -> Self {
        let direct = if small_number::<K>(None).is_some() { base.min(DIRECT_MAX) } else { 0 };
        Self::of(SlotVec::with_base(touched(base), base), empty_index(index), empty_index(direct))
    }

    /// The slot number of a key that is among those expected; none if it is not, or is new.
    ///
    /// # Cost
    /// One hash and about one probe; of a small integer two comparisons.
    // HOT(key.intern)
    #[inline(always)]
    pub(crate) fn find_in_base(&self, key: &K) -> Option<SlotNumber> {
        let base = self.entries.base();
        if let Some(slot) = find_directly(&self.direct, key) {
            return ((slot as usize) < base.len()).then(|| SlotNumber::new(slot));
        }
        let mut at = home(hash_key(key), self.shift);
        loop {
            let slot = self.index[at];
            // A free place has no key either: that it is one, or not, is seen out of line.
            if base.get(slot as usize)?.0 == *key {
                return Some(SlotNumber::new(slot));
            }
            at = (at + 1) & (self.index.len() - 1);
        }
    }

    /// What is needed to find keys among those expected: looked up once for many records.
    #[inline(always)]
    pub(crate) fn base(&mut self) -> Base<'_, K, S> {
        let Self { index, shift, direct, entries, .. } = self;
        Base { index, shift: *shift, direct, entries: entries.base_mut() }
    }

    /// Puts in a new key where the search for it has stopped, or where a small integer belongs, if that is all there is to do. Gives it
    /// back if it may not be new, or does not belong into the base, or other keys migrate.
    #[inline(always)]
    pub(crate) fn insert_in_base(&mut self, Stopped(at): Stopped, key: K, value: S) -> Result<(), (K, S)> {
        let has_room = self.len < seven_eighths(self.index.len()) && self.entries.base_has_room();
        if !has_room || self.is_migrating() {
            return Err((key, value));
        }
        let Self { index, direct, .. } = self;
        let small = small_number(Some(&key)).and_then(|small| direct.get_mut(small));
        let Some(place) = small.or_else(|| index.get_mut(at)).filter(|place| **place == FREE) else {
            return Err((key, value));
        };
        *place = number(self.len);
        self.entries.push_to_base((key, value));
        self.len += 1;
        Ok(())
    }

    /// The key's slot number, or its hash if it is new.
    pub(crate) fn find(&self, key: &K) -> Result<SlotNumber, u64> {
        let hash = hash_key(key);
        if let Some(slot) = find_directly(&self.direct, key) {
            return if slot == FREE { Err(hash) } else { Ok(SlotNumber::new(slot)) };
        }
        let mut at = home(hash, self.shift);
        while self.index[at] != FREE {
            let slot = self.index[at];
            if self.entries.at_any(slot as usize).0 == *key {
                return Ok(SlotNumber::new(slot));
            }
            at = (at + 1) & (self.index.len() - 1);
        }
        Err(hash)
    }

    /// Puts in a new key, which [`find`](Self::find) has said has this hash, and lets some others migrate. The old index,
    /// if that was the last of it.
    ///
    /// # Panics
    /// If there [is no room](Self::has_room) for it.
    pub(crate) fn insert(&mut self, key: K, hash: u64, value: S) -> (SlotNumber, Option<Vec<u32>>) {
        assert!(self.has_room(), "room is made before a key is put in");
        let slot = number(self.len);
        match small_number(Some(&key)).and_then(|small| self.direct.get_mut(small)) {
            Some(place) => *place = slot,
            None => {
                // Searched for again, as making room may have changed the index.
                let at = free_place(&self.index, self.shift, hash);
                self.index[at] = slot;
            }
        }
        self.entries.push((key, value));
        self.len += 1;
        let old = if self.is_migrating() { self.migrate(MIGRATE_PER_KEY) } else { None };
        (SlotNumber::new(slot), old)
    }

    /// Makes room for a key on the spot: a stall, of the allocator's and for as long as it takes all keys to migrate.
    /// What is of no use any more.
    #[cold]
    #[inline(never)]
    pub(crate) fn make_room(&mut self) -> Vec<Vec<u32>> {
        if self.entries.capacity() == self.len {
            self.entries.add_segment(touched(self.entries.capacity()));
        }
        let mut unused = Vec::new();
        while !self.has_room() {
            if !self.is_migrating() {
                unused.extend(self.offer_index(empty_index(self.next_index_length(0))));
            }
            unused.extend(self.migrate(usize::MAX));
        }
        unused
    }

    /// Takes out a key and its value. The last key gets its number; what that was before, unless it was the last itself.
    pub(crate) fn remove(&mut self, slot: SlotNumber) -> ((K, S), Option<SlotNumber>) {
        let last = self.len - 1;
        self.forget_key(slot.index());
        let moved = (slot.index() != last).then(|| {
            self.renumber(last, slot.index());
            SlotNumber::new(number(last))
        });
        self.len = last;
        self.migrated = self.migrated.min(last);
        let mut taken = self.entries.pop().expect("there is a last entry, as there is one");
        if moved.is_some() {
            mem::swap(&mut taken, self.entries.at_mut(slot.index()));
        }
        (taken, moved)
    }

    /// Takes the key of an entry out of the indexes.
    fn forget_key(&mut self, slot: usize) {
        let Self { index, shift, direct, entries, next, migrated, .. } = self;
        let (key, _) = entries.at_any(slot);
        if let Some(place) = small_number(Some(key)).and_then(|small| direct.get_mut(small)) {
            *place = FREE;
            return;
        }
        let hash = hash_key(key);
        vacate(index, *shift, hash, slot, entries);
        if slot < *migrated {
            let shift = shift_for(next);
            vacate(next, shift, hash, slot, entries);
        }
    }

    /// Changes the number of the last entry, in the indexes, to one that is not in them.
    fn renumber(&mut self, last: usize, slot: usize) {
        let Self { index, shift, direct, entries, next, migrated, .. } = self;
        let (key, _) = entries.at_any(last);
        if let Some(place) = small_number(Some(key)).and_then(|small| direct.get_mut(small)) {
            *place = number(slot);
            return;
        }
        let hash = hash_key(key);
        let at = place_of(index, *shift, hash, last);
        index[at] = number(slot);
        if last < *migrated {
            let at = place_of(next, shift_for(next), hash, last);
            next[at] = number(slot);
        } else if slot < *migrated {
            // The migration has been past there.
            let at = free_place(next, shift_for(next), hash);
            next[at] = number(slot);
        }
    }

    /// Forgets where the entries are; they can be [taken out](Self::take_next) one by one in their order, and once they
    /// are the table is empty.
    pub(crate) fn begin_to_empty(&mut self) {
        if self.len > self.index.len() / FEW {
            self.index.fill(FREE);
            self.direct.fill(FREE);
        } else {
            for (slot, (key, _)) in self.entries.iter().enumerate() {
                match small_number(Some(key)).and_then(|small| self.direct.get_mut(small)) {
                    Some(place) => *place = FREE,
                    None => forget(&mut self.index, home(hash_key(key), self.shift), number(slot)),
                }
            }
        }
        self.next.fill(FREE);
        self.migrated = 0;
        self.len = 0;
        self.entries.reverse_segments();
    }

    /// How many keys the largest index at hand is counted on to take.
    pub(crate) fn index_capacity(&self) -> usize {
        three_quarters(self.index_length())
    }

    /// The length of an index that is larger than those at hand, and can be counted on to take so many keys.
    pub(crate) fn next_index_length(&self, keys: usize) -> usize {
        (self.index_length() * 2).max((keys / 3 * 4 + 4).next_power_of_two())
    }

    /// The length of the largest index at hand.
    pub(crate) fn index_length(&self) -> usize {
        self.index.len().max(self.next.len()).max(self.after_next.len())
    }

    /// How many new keys the index takes for sure, given memory for the keys.
    pub(crate) fn index_headroom(&self) -> usize {
        let room = seven_eighths(self.index.len()).saturating_sub(self.len);
        let behind = self.len - self.migrated;
        if self.is_migrating() && behind > room * (MIGRATE_PER_KEY - 1) {
            return room;
        }
        self.index_capacity().saturating_sub(self.len)
    }

    /// Whether there is a larger index that not all keys are in.
    pub(crate) fn is_migrating(&self) -> bool {
        !self.next.is_empty()
    }

    /// Has the keys migrate to this index, as soon as they have migrated to the one under way; gives back one that is of
    /// no use (any more). All of it must be free.
    pub(crate) fn offer_index(&mut self, index: Vec<u32>) -> Option<Vec<u32>> {
        if index.len() <= self.index_length() {
            return Some(index);
        }
        let place = if self.is_migrating() { &mut self.after_next } else { &mut self.next };
        Some(mem::replace(place, index)).filter(|unused| !unused.is_empty())
    }

    /// As [`offer_index`](Self::offer_index); if there are no keys that would have to migrate, it is in use at once, and
    /// the old one comes back.
    pub(crate) fn take_index(&mut self, index: Vec<u32>) -> Option<Vec<u32>> {
        let unused = self.offer_index(index);
        if self.len == 0 { self.migrate(0).or(unused) } else { unused }
    }

    /// How many new keys there is room for.
    pub(crate) fn headroom(&self) -> usize {
        self.index_headroom().min(self.capacity() - self.len)
    }

    /// Lets up to so many keys migrate. The old index once all have.
    pub(crate) fn migrate(&mut self, keys_max: usize) -> Option<Vec<u32>> {
        if !self.is_migrating() {
            return None;
        }
        let shift = shift_for(&self.next);
        let up_to = self.len.min(self.migrated.saturating_add(keys_max));
        for slot in self.migrated..up_to {
            let (key, _) = self.entries.at_any(slot);
            if find_directly(&self.direct, key).is_none() {
                let at = free_place(&self.next, shift, hash_key(key));
                self.next[at] = number(slot);
            }
        }
        self.migrated = up_to;
        (up_to == self.len).then(|| {
            self.migrated = 0;
            self.shift = shift;
            let next = mem::replace(&mut self.next, mem::take(&mut self.after_next));
            mem::replace(&mut self.index, next)
        })
    }
}

/// The part of a table that holds the keys expected.
pub(crate) struct Base<'a, K, S> {
    index: &'a [u32],
    shift: u32,
    direct: &'a [u32],
    entries: &'a mut [(K, S)],
}

impl<K: Hash + Eq + 'static, S> Base<'_, K, S> {
    /// The value of a key that is among those expected. If it is not, or is new, where the search for it has stopped.
    #[inline(always)]
    pub(crate) fn value(&mut self, key: &K) -> Result<&mut S, Stopped> {
        if is_unit::<K>() || find_directly(self.direct, key).is_some() {
            return self.value_of_small(key).ok_or(Stopped::UNSOUGHT);
        }
        self.value_of_other(key)
    }

    /// The value of a small integer that is among the keys expected.
    #[inline(always)]
    pub(crate) fn value_of_small(&mut self, key: &K) -> Option<&mut S> {
        if is_unit::<K>() {
            return self.entries.first_mut().map(|(_, value)| value);
        }
        let slot = find_directly(self.direct, key)? as usize;
        // Not `get_mut` and `map`, which become more instructions.
        if slot < self.entries.len() { Some(&mut self.entries[slot].1) } else { None }
    }

    /// As [`value`](Self::value), of a key that is no small integer, or not known.
    #[inline(always)]
    pub(crate) fn value_of_other(&mut self, key: &K) -> Result<&mut S, Stopped> {
        if find_directly(self.direct, key).is_some() {
            return Err(Stopped::UNSOUGHT);
        }
        let mut at = home(hash_key(key), self.shift);
        let slot = loop {
            let slot = self.index[at] as usize;
            // A free place has no key either: that it is one, or not, is seen out of line.
            match self.entries.get(slot) {
                Some((other, _)) if other == key => break slot,
                Some(_) => at = (at + 1) & (self.index.len() - 1),
                None => return Err(Stopped(at)),
            }
        };
        Ok(&mut self.entries[slot].1)
    }
}

/// What the direct index has for a key, if that is where it belongs.
#[inline(always)]
fn find_directly<K: 'static>(direct: &[u32], key: &K) -> Option<u32> {
    direct.get(small_number(Some(key))?).copied()
}

/// Where the search for a key with this hash begins.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "shifted down to less than the index's length")]
fn home(hash: u64, shift: u32) -> usize {
    (hash >> shift) as usize
}

/// Where a key with this hash goes in an index that it is not in.
fn free_place(index: &[u32], shift: u32, hash: u64) -> usize {
    let mut at = home(hash, shift);
    while index[at] != FREE {
        at = (at + 1) & (index.len() - 1);
    }
    at
}

/// Where a slot number is in an index that it is in, if its key has this hash.
fn place_of(index: &[u32], shift: u32, hash: u64, slot: usize) -> usize {
    let mut at = home(hash, shift);
    while index[at] != number(slot) {
        at = (at + 1) & (index.len() - 1);
    }
    at
}

/// Takes a slot number out of an index, and closes the gap: each search still finds what it is for before a free place.
fn vacate<K: Hash + Eq + 'static, S>(
    index: &mut [u32],
    shift: u32,
    hash: u64,
    slot: usize,
    entries: &SlotVec<(K, S)>,
) {
    let mask = index.len() - 1;
    let mut gap = place_of(index, shift, hash, slot);
    let mut at = (gap + 1) & mask;
    while index[at] != FREE {
        let (key, _) = entries.at_any(index[at] as usize);
        let from_home = at.wrapping_sub(home(hash_key(key), shift)) & mask;
        if from_home >= at.wrapping_sub(gap) & mask {
            index[gap] = index[at];
            gap = at;
        }
        at = (at + 1) & mask;
    }
    index[gap] = FREE;
}

/// Frees the place of a slot number, the search for whose key begins at `at`.
fn forget(index: &mut [u32], mut at: usize, slot: u32) {
    // Places before it may have been freed already.
    while index[at] != slot {
        at = (at + 1) & (index.len() - 1);
    }
    index[at] = FREE;
}

/// A slot number as it stands in the index.
fn number(slot: usize) -> u32 {
    u32::try_from(slot).ok().filter(|slot| *slot != FREE).expect("fewer than 2^32 keys are allowed")
}

fn shift_for(index: &[u32]) -> u32 {
    u64::BITS - index.len().checked_ilog2().unwrap_or(0)
}

fn three_quarters(length: usize) -> usize {
    length / 4 * 3
}

fn seven_eighths(length: usize) -> usize {
    length / 8 * 7
}

#[cfg(test)]
mod tests;
