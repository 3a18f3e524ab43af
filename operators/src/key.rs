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
    pub(crate) fn new(number: u32) -> Self {
        Self(number)
    }

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
