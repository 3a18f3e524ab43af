use std::hash::{BuildHasher, Hash};

use rustc_hash::FxBuildHasher;

/// A value with the key it is grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyed<K, T> {
    /// The key.
    pub key: K,
    /// The value.
    pub value: T,
}

/// A key's dense index in the tables of one operator instance: its position in order of first appearance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotNumber(u32);

impl SlotNumber {
    /// The index into a column.
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The hash that routes keys to workers and finds them in tables: the same in every run and on every machine.
///
/// It is fast, not keyed: someone who chooses the keys can make them collide.
#[inline]
pub fn hash_key<K: Hash>(key: &K) -> u64 {
    FxBuildHasher.hash_one(key)
}

/// Interns keys: gives each distinct key a [`SlotNumber`], counting up from zero.
///
/// Accumulators then live in plain columns indexed by slot number, and the key itself is stored once.
#[derive(Debug, Clone)]
pub struct KeyTable<K> {
    /// Open addressing with linear probing; a power of two long, at most half full.
    index: Vec<Entry>,
    keys: Vec<K>,
}

/// Where a key is: eight bytes, so that a probe sequence stays on one line.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// The upper half of the key's hash, compared before the key itself.
    tag: u32,
    /// The key's slot number plus one; zero in a free entry.
    slot_plus_one: u32,
}

impl Entry {
    const FREE: Self = Self { tag: 0, slot_plus_one: 0 };
}

/// The number of keys that a new table takes before it grows.
const INITIAL_KEYS: usize = 1024;

impl<K: Hash + Eq> KeyTable<K> {
    /// An empty table with memory for a thousand keys.
    pub fn new() -> Self {
        Self { index: vec![Entry::FREE; INITIAL_KEYS * 2], keys: Vec::with_capacity(INITIAL_KEYS) }
    }

    /// The key's slot number, a new one if the key is new.
    ///
    /// # Panics
    /// At the 2³²nd distinct key.
    ///
    /// # Cost
    /// One hash and about one probe. A new key that finds the table half full doubles it, which allocates
    /// and moves every entry.
    // HOT(key.intern)
    #[inline]
    pub fn intern(&mut self, key: K) -> SlotNumber {
        let hash = hash_key(&key);
        let mut at = self.home(hash);
        loop {
            let entry = self.index[at];
            if entry.slot_plus_one == 0 {
                return self.insert(key, hash, at);
            }
            let slot = entry.slot_plus_one - 1;
            if entry.tag == tag(hash) && self.keys[slot as usize] == key {
                return SlotNumber(slot);
            }
            at = (at + 1) & (self.index.len() - 1);
        }
    }

    /// The keys in the order of their slot numbers.
    #[inline]
    pub fn keys(&self) -> &[K] {
        &self.keys
    }

    /// The number of keys that fit before the table grows: what to size columns by.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.index.len() / 2
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "only the low bits are wanted")]
    fn home(&self, hash: u64) -> usize {
        hash as usize & (self.index.len() - 1)
    }

    #[cold]
    #[inline(never)]
    fn insert(&mut self, key: K, hash: u64, at: usize) -> SlotNumber {
        let slot = u32::try_from(self.keys.len()).ok().filter(|slot| *slot < u32::MAX);
        let slot = slot.expect("fewer than 2^32 distinct keys");
        self.index[at] = Entry { tag: tag(hash), slot_plus_one: slot + 1 };
        self.keys.push(key);
        if self.keys.len() >= self.capacity() {
            self.grow();
        }
        SlotNumber(slot)
    }

    fn grow(&mut self) {
        let doubled = self.index.len() * 2;
        self.index.clear();
        self.index.resize(doubled, Entry::FREE);
        for (slot_plus_one, key) in (1..).zip(&self.keys) {
            let hash = hash_key(key);
            let mut at = self.home(hash);
            while self.index[at].slot_plus_one != 0 {
                at = (at + 1) & (doubled - 1);
            }
            self.index[at] = Entry { tag: tag(hash), slot_plus_one };
        }
        self.keys.reserve_exact(self.capacity() - self.keys.len());
    }
}

impl<K: Hash + Eq> Default for KeyTable<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "only the upper half is wanted")]
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn slot_numbers_agree_with_a_map_across_growth() {
        for seed in 0..20 {
            let mut random = fastrand::Rng::with_seed(seed);
            let range = 1 << random.u32(1..14);
            let stride = 1 << random.u32(0..40);
            let mut table = KeyTable::new();
            let mut oracle = HashMap::new();
            for _ in 0..20_000 {
                let key = random.u64(0..range) * stride;
                let next = oracle.len();
                let expected = *oracle.entry(key).or_insert(next);
                assert_eq!(table.intern(key).index(), expected, "seed {seed}, key {key}");
            }
            assert_eq!(table.keys().len(), oracle.len());
            assert!(table.keys().iter().enumerate().all(|(slot, key)| oracle[key] == slot));
            assert!(table.capacity() > table.keys().len());
        }
    }

    #[test]
    fn keys_with_heap_are_interned_too() {
        let mut table = KeyTable::new();
        let slots: Vec<_> = ["a", "b", "a", "c", "b"].map(|key| table.intern(key.to_owned()).index()).into();
        assert_eq!(slots, [0, 1, 0, 2, 1]);
    }
}
