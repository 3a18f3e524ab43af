use std::{hash::Hash, mem};

use super::slot_vec::SlotVec;
use crate::key::{SlotNumber, hash_key};

/// Interns keys: gives each distinct key a [`SlotNumber`], counting up from zero.
///
/// Accumulators then live in plain columns indexed by slot number, and the key itself is stored once.
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
pub(super) struct KeyTable<K> {
    /// Open addressing with linear probing, a power of two long: slot numbers, or `FREE`. No part of the hash is kept
    /// beside them: keys are compared directly, as collisions are rare, and the index stays half as large.
    index: Vec<u32>,
    /// How far to shift a hash right to get an index: 64 less the logarithm of the index's length.
    shift: u32,
    keys: SlotVec<K>,
    /// The number of keys.
    len: usize,
    /// The larger index under way; empty if there is none.
    next: Vec<u32>,
    /// How many keys are in it.
    migrated: usize,
    /// A still larger one, to come after it; empty if there is none.
    after_next: Vec<u32>,
}

/// A place in the index where there is no key.
const FREE: u32 = u32::MAX;

/// The number of keys that migrate with each new key, so that a migration that begins with the index three quarters
/// full ends before it is seven eighths full: 3/4 + 1/8 of its length, over 1/8, is 7.
const MIGRATE_PER_KEY: usize = 8;

/// An empty index of this length, for half as many keys.
pub(super) fn empty_index(length: usize) -> Vec<u32> {
    vec![FREE; length]
}

impl<K: Hash + Eq> KeyTable<K> {
    /// An empty table on this memory: the keys' base, and an index twice as long.
    pub(super) fn new(keys: SlotVec<K>, index: Vec<u32>) -> Self {
        let shift = shift_for(&index);
        Self { index, shift, keys, len: 0, next: Vec::new(), migrated: 0, after_next: Vec::new() }
    }

    /// The slot number of a key that is among those expected; none if it is not, or is new.
    ///
    /// # Cost
    /// One hash and about one probe.
    // HOT(key.intern)
    #[inline(always)]
    pub(super) fn find_in_base(&self, key: &K) -> Option<SlotNumber> {
        let mut at = home(hash_key(key), self.shift);
        loop {
            let slot = self.index[at];
            // A free place has no key either: that it is one, or not, is seen out of line.
            if self.keys.base().get(slot as usize)? == key {
                return Some(SlotNumber::new(slot));
            }
            at = (at + 1) & (self.index.len() - 1);
        }
    }

    /// As [`find_in_base`](Self::find_in_base), for several keys at once. Each step is done for all of them before the
    /// next, and takes no branch that depends on what comes from memory: so the processor waits for all at the
    /// same time.
    pub(super) fn find_all<T>(&self, keys: &[(K, T)], slots: &mut Vec<Option<SlotNumber>>) {
        slots.clear();
        let first_place = |key: &K| self.index[home(hash_key(key), self.shift)];
        slots.extend(keys.iter().map(|(key, _)| Some(SlotNumber::new(first_place(key)))));
        let base = self.keys.base();
        for (slot, (key, _)) in slots.iter_mut().zip(keys) {
            let is_it = slot.and_then(|slot| base.get(slot.index())).is_some_and(|other| other == key);
            *slot = if is_it { *slot } else { None };
        }
        for (slot, (key, _)) in slots.iter_mut().zip(keys) {
            if slot.is_none() {
                *slot = self.find_in_base(key);
            }
        }
    }

    /// The key's slot number, or its hash if it is new.
    pub(super) fn find(&self, key: &K) -> Result<SlotNumber, u64> {
        let hash = hash_key(key);
        let mut at = home(hash, self.shift);
        while self.index[at] != FREE {
            let slot = self.index[at];
            if self.keys.at_any(slot as usize) == key {
                return Ok(SlotNumber::new(slot));
            }
            at = (at + 1) & (self.index.len() - 1);
        }
        Err(hash)
    }

    /// The number of keys.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The keys by their slot numbers.
    #[inline]
    pub(super) fn keys(&self) -> &SlotVec<K> {
        &self.keys
    }

    /// Whether there is a place for one more key.
    pub(super) fn has_room(&self) -> bool {
        self.len < self.keys.capacity() && self.len < seven_eighths(self.index.len())
    }

    /// Puts in a new key, which [`find`](Self::find) has said has this hash, and lets some others migrate. The old index,
    /// if that was the last of it.
    ///
    /// # Panics
    /// If there [is no room](Self::has_room) for it.
    pub(super) fn insert(&mut self, key: K, hash: u64) -> (SlotNumber, Option<Vec<u32>>) {
        assert!(self.has_room(), "room is made before a key is put in");
        let slot = number(self.len);
        // Searched for again, as making room may have changed the index.
        let at = free_place(&self.index, self.shift, hash);
        self.index[at] = slot;
        self.keys.push(key);
        self.len += 1;
        (SlotNumber::new(slot), self.migrate(MIGRATE_PER_KEY))
    }

    /// Adds memory for as many keys again as there is memory for.
    pub(super) fn add_keys(&mut self, segment: Vec<K>) {
        self.keys.add_segment(segment);
    }

    /// How many keys the largest index at hand is counted on to take.
    pub(super) fn index_capacity(&self) -> usize {
        three_quarters(self.index_length())
    }

    /// The length of an index that is larger than those at hand, and can be counted on to take so many keys.
    pub(super) fn next_index_length(&self, keys: usize) -> usize {
        (self.index_length() * 2).max((keys / 3 * 4 + 4).next_power_of_two())
    }

    /// The length of the largest index at hand.
    fn index_length(&self) -> usize {
        self.index.len().max(self.next.len()).max(self.after_next.len())
    }

    /// How many new keys the index takes for sure, given memory for the keys.
    pub(super) fn index_headroom(&self) -> usize {
        let room = seven_eighths(self.index.len()).saturating_sub(self.len);
        let behind = self.len - self.migrated;
        if self.is_migrating() && behind > room * (MIGRATE_PER_KEY - 1) {
            return room;
        }
        self.index_capacity().saturating_sub(self.len)
    }

    /// Whether there is a larger index that not all keys are in.
    pub(super) fn is_migrating(&self) -> bool {
        !self.next.is_empty()
    }

    /// Has the keys migrate to this index, as soon as they have migrated to the one under way; gives back one that is of
    /// no use (any more). All of it must be free.
    pub(super) fn offer_index(&mut self, index: Vec<u32>) -> Option<Vec<u32>> {
        if index.len() <= self.index_length() {
            return Some(index);
        }
        let place = if self.is_migrating() { &mut self.after_next } else { &mut self.next };
        Some(mem::replace(place, index)).filter(|unused| !unused.is_empty())
    }

    /// Lets up to so many keys migrate. The old index once all have.
    pub(super) fn migrate(&mut self, keys_max: usize) -> Option<Vec<u32>> {
        if !self.is_migrating() {
            return None;
        }
        let shift = shift_for(&self.next);
        let up_to = self.len.min(self.migrated.saturating_add(keys_max));
        for slot in self.migrated..up_to {
            let at = free_place(&self.next, shift, hash_key(self.keys.at_any(slot)));
            self.next[at] = number(slot);
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

/// A slot number as it stands in the index.
fn number(slot: usize) -> u32 {
    u32::try_from(slot).ok().filter(|slot| *slot != FREE).expect("fewer than 2^32 keys are allowed")
}

fn shift_for(index: &[u32]) -> u32 {
    u64::BITS - index.len().ilog2()
}

fn three_quarters(length: usize) -> usize {
    length / 4 * 3
}

fn seven_eighths(length: usize) -> usize {
    length / 8 * 7
}

#[cfg(test)]
mod tests;
