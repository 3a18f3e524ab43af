use std::hash::{Hash, Hasher};

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
pub(crate) struct SlotNumber(u32);

impl SlotNumber {
    /// The index into a column.
    #[inline]
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The hash that routes keys to workers and finds them in tables: the same in every run of a program.
///
/// Its upper bits are the good ones. It is fast, not keyed: someone who chooses the keys can make them
/// collide. (How a type feeds itself to a hasher may differ between platforms and versions of Rust, so
/// nothing that outlives a program should depend on it.)
#[inline(always)]
pub fn hash_key<K: Hash>(key: &K) -> u64 {
    let mut hasher = KeyHasher(0);
    key.hash(&mut hasher);
    hasher.0
}

/// Multiplicative (Fibonacci) hashing, a word at a time: Knuth, The Art of Computer Programming, 6.4.
///
/// The factor is 2⁶⁴ over the golden ratio. It spreads consecutive integers, the usual keys, evenly over a
/// table indexed by the upper bits, with next to no collisions; other odd factors cluster them.
struct KeyHasher(u64);

impl KeyHasher {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

    #[inline(always)]
    fn mix(&mut self, word: u64) {
        // Folding lets keys that differ only in their upper half reach the upper bits of the product too.
        let word = self.0.rotate_left(26) ^ word ^ (word >> 32);
        self.0 = word.wrapping_mul(Self::FACTOR);
    }
}

impl Hasher for KeyHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.mix(u64::from_le_bytes(word));
        }
    }

    #[inline(always)]
    fn write_u8(&mut self, number: u8) {
        self.mix(number.into());
    }

    #[inline(always)]
    fn write_u16(&mut self, number: u16) {
        self.mix(number.into());
    }

    #[inline(always)]
    fn write_u32(&mut self, number: u32) {
        self.mix(number.into());
    }

    #[inline(always)]
    fn write_u64(&mut self, number: u64) {
        self.mix(number);
    }

    #[inline(always)]
    fn write_usize(&mut self, number: usize) {
        self.mix(number as u64);
    }

    #[inline(always)]
    fn finish(&self) -> u64 {
        self.0
    }
}

/// Interns keys: gives each distinct key a [`SlotNumber`], counting up from zero.
///
/// Accumulators then live in plain columns indexed by slot number, and the key itself is stored once.
#[derive(Debug, Clone)]
pub(crate) struct KeyTable<K> {
    /// Open addressing with linear probing, a power of two long, at most half full: slot numbers, or
    /// `FREE`. No part of the hash is kept beside them: keys are compared directly, as collisions
    /// are rare, and the index stays half as large.
    index: Vec<u32>,
    /// How far to shift a hash right to get an index: 64 less the logarithm of the index's length.
    shift: u32,
    keys: Vec<K>,
}

/// A place in the index where there is no key.
const FREE: u32 = u32::MAX;

/// The number of keys that a new table takes before it grows.
const INITIAL_KEYS: usize = 1024;

impl<K: Hash + Eq> KeyTable<K> {
    /// An empty table with memory for a thousand keys.
    pub(crate) fn new() -> Self {
        let index = vec![FREE; INITIAL_KEYS * 2];
        Self { shift: shift_for(&index), index, keys: Vec::with_capacity(INITIAL_KEYS) }
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
    #[inline(always)]
    pub(crate) fn intern(&mut self, key: K) -> SlotNumber {
        let hash = hash_key(&key);
        let mut at = self.home(hash);
        loop {
            let slot = self.index[at];
            if slot == FREE {
                return self.insert(key, hash, at);
            }
            if self.keys[slot as usize] == key {
                return SlotNumber(slot);
            }
            at = (at + 1) & (self.index.len() - 1);
        }
    }

    /// The keys in the order of their slot numbers.
    #[inline]
    pub(crate) fn keys(&self) -> &[K] {
        &self.keys
    }

    /// The number of keys that fit before the table grows: what to size columns by.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.index.len() / 2
    }

    /// Where the search for a key with this hash begins.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "shifted down to less than the index's length")]
    fn home(&self, hash: u64) -> usize {
        (hash >> self.shift) as usize
    }

    #[cold]
    #[inline(never)]
    fn insert(&mut self, key: K, hash: u64, mut at: usize) -> SlotNumber {
        let slot = u32::try_from(self.keys.len()).ok().filter(|slot| *slot != FREE);
        let slot = slot.expect("fewer than 2^32 distinct keys");
        if self.keys.len() == self.capacity() {
            self.grow();
            at = self.free_entry(hash);
        }
        self.index[at] = slot;
        self.keys.push(key);
        SlotNumber(slot)
    }

    /// Where a key with this hash would go that is not in the table.
    fn free_entry(&self, hash: u64) -> usize {
        let mut at = self.home(hash);
        while self.index[at] != FREE {
            at = (at + 1) & (self.index.len() - 1);
        }
        at
    }

    fn grow(&mut self) {
        let doubled = self.index.len() * 2;
        self.index.clear();
        self.index.resize(doubled, FREE);
        self.shift = shift_for(&self.index);
        for (slot, key) in (0..).zip(&self.keys) {
            let at = self.free_entry(hash_key(key));
            self.index[at] = slot;
        }
        self.keys.reserve_exact(self.capacity() - self.keys.len());
    }
}

fn shift_for(index: &[u32]) -> u32 {
    u64::BITS - index.len().ilog2()
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
            assert!(table.capacity() >= table.keys().len());
        }
    }

    #[test]
    fn usual_keys_hardly_collide() {
        let probes = |keys: &dyn Fn(u64) -> u64| {
            let mut table = KeyTable::new();
            let keys: Vec<_> = (0..1_000).map(keys).collect();
            keys.iter().for_each(|key| _ = table.intern(*key));
            let distance = |key: &u64| {
                let hash = hash_key(key);
                let at = (0..).find(|step| {
                    let slot = table.index[(table.home(hash) + step) & (table.index.len() - 1)];
                    table.keys[slot as usize] == *key
                });
                at.expect("the key is in the table")
            };
            keys.iter().map(distance).sum::<usize>()
        };
        assert!(probes(&|n| n) < 50, "consecutive keys");
        for shift in [3, 8, 16, 32, 48] {
            assert!(probes(&|n| n << shift) < 1_000, "keys that are multiples of 2^{shift}");
        }
        assert!(probes(&|n| n * 1_000_000_000) < 1_000, "seconds in nanoseconds");
        assert!(probes(&|n| (n as f64).to_bits()) < 1_000, "floats");
    }

    #[test]
    fn the_hash_is_the_same_in_every_run() {
        let hashes = [hash_key(&1_u64), hash_key(&(1_u8, 2_u32)), hash_key(&"UA-IAH"), hash_key(&-1_i64)];
        assert_eq!(hashes, HASHES);
    }

    /// If these change, keys go to other workers than before: no result may depend on that, but say so.
    const HASHES: [u64; 4] = [
        0x9E37_79B9_7F4A_7C15,
        15_756_104_301_036_741_556,
        1_247_917_854_881_124_372,
        9_274_464_052_979_957_760,
    ];

    #[test]
    fn keys_with_heap_are_interned_too() {
        let mut table = KeyTable::new();
        let slots: Vec<_> = ["a", "b", "a", "c", "b"].map(|key| table.intern(key.to_owned()).index()).into();
        assert_eq!(slots, [0, 1, 0, 2, 1]);
    }
}
