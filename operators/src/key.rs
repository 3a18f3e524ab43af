use std::{
    any::{Any, TypeId},
    hash::{Hash, Hasher},
};

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

    pub(crate) fn number(self) -> u32 {
        self.0
    }

    /// The index into a column.
    #[inline]
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Whether keys of this type are `()`: there is one at the most.
#[inline(always)]
pub(crate) fn is_unit<K: 'static>() -> bool {
    TypeId::of::<K>() == TypeId::of::<()>()
}

/// A key's value if it is an integer that is not negative, which leads to what belongs to it without a hash; zero for `()`.
/// Without a key, zero if keys of this type are such.
///
/// The type is known when this is compiled, so of the comparisons none or one is left.
#[inline(always)]
pub(crate) fn small_number<K: 'static>(key: Option<&K>) -> Option<usize> {
    macro_rules! integers {
        ($($integer:ty)*) => {
            $(if TypeId::of::<K>() == TypeId::of::<$integer>() {
                let Some(key) = key else { return Some(0) };
                return (key as &dyn Any).downcast_ref::<$integer>().and_then(|key| usize::try_from(*key).ok());
            })*
        };
    }
    integers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);
    is_unit::<K>().then_some(0)
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

    #[inline(never)]
    fn write_words(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            // Some bytes again rather than a copy of few: its length is not known, which would make it a call.
            let word = bytes.last_chunk().map_or_else(|| short_word(rest), |word| u64::from_le_bytes(*word));
            self.mix(word ^ (rest.len() as u64).wrapping_mul(Self::FACTOR));
        }
    }
}

impl Hasher for KeyHasher {
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) {
        match bytes.len() {
            SHORT_MIN..=SHORT_MAX => self.mix(short_text(bytes)),
            _ => self.write_words(bytes),
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

const SHORT_MIN: usize = 4;
const SHORT_MAX: usize = 32;

/// Factors without a pattern: the first binary digits of π, each time the last one set.
const FACTORS: [u64; SHORT_MAX / 4] = [
    0x243F_6A88_85A3_08D3,
    0x1319_8A2E_0370_7345,
    0xA409_3822_299F_31D1,
    0x082E_FA98_EC4E_6C89,
    0x4528_21E6_38D0_1377,
    0xBE54_66CF_34E9_0C6D,
    0xC0AC_29B7_C97C_50DD,
    0x3F84_D5B5_B547_0917,
];
const REST_FACTOR: u64 = 0x9216_D5D9_8979_FB1B;

/// 4 to 32 bytes as a word: multilinear hashing (Carter and Wegman, 1979) of pieces of four bytes.
///
/// A text as short often lies in its key, which has just been copied with its record. A processor hands bytes on from a
/// store under way to a load only if the load lies within one store; if not the load waits until the store has reached
/// the cache, and with it all that is before it: then only one record's cache misses are under way at a time. Copies
/// are made in pieces of 16 bytes or 8, or 4 at the end, so pieces of four bytes do not lie across two of them. There
/// are always as many, the last one several times, so that no branch depends on the length, which is not foreseeable.
#[inline(always)]
fn short_text(bytes: &[u8]) -> u64 {
    let (pieces, _) = bytes.as_chunks::<4>();
    let word = |at: usize| u64::from(u32::from_le_bytes(pieces[at.min(pieces.len() - 1)]));
    let sum =
        (0..).zip(FACTORS).fold(0_u64, |sum, (at, factor)| sum.wrapping_add(word(at).wrapping_mul(factor)));
    // What is behind the last piece, byte by byte; in an order that the compiler does not make one load of.
    let [.., first, second, third] = *bytes else { return sum };
    let rest =
        u64::from(first) | u64::from(third) << 8 | u64::from(second) << 24 | (bytes.len() as u64) << 32;
    sum.wrapping_add(rest.wrapping_mul(REST_FACTOR))
}

/// Up to seven bytes as a word, different for different bytes of one length.
#[inline]
fn short_word(bytes: &[u8]) -> u64 {
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 24
        }
        _ => bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
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

    #[test]
    fn texts_that_differ_in_one_byte_or_in_length_have_different_hashes() {
        let texts = (0..40).flat_map(|length| {
            let plain = vec![b'a'; length];
            let other = move |at: usize| {
                let mut bytes = vec![b'a'; length];
                bytes[at] = b'b';
                bytes
            };
            std::iter::once(plain).chain((0..length).map(other))
        });
        let mut hashes: Vec<_> = texts.map(|text| hash_key(&String::from_utf8(text).unwrap())).collect();
        let texts = hashes.len();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), texts);
    }

    /// If these change, keys go to other workers than before: no result may depend on that, but say so.
    const HASHES: [u64; 4] = [
        0x9E37_79B9_7F4A_7C15,
        15_756_104_301_036_741_556,
        9_894_658_180_108_757_178,
        9_274_464_052_979_957_760,
    ];
}
