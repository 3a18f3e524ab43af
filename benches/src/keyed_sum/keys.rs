//! The keys of the variants, drawn at random with a fixed seed.

use std::fmt::Write;

use arrayvec::ArrayString;

use super::Key;

/// A string of 8 to 24 bytes, in place: 28 bytes. (`CompactString`, which holds 24 bytes in place as well, is as fast on
/// both sides.)
pub(super) type Name = ArrayString<24>;

impl Key for Name {
    fn number(&self) -> u64 {
        let bytes = self.bytes().map(u64::from);
        bytes.fold(0, |number, byte| number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ byte)
    }
}

/// Keys of which the n-th most frequent is n times as rare as the most frequent: Zipf's law with exponent one.
pub(super) struct Zipf {
    random: fastrand::Rng,
    /// How likely it is that a key is among the so many most frequent ones, but for a factor.
    cumulative: Vec<f64>,
}

impl Zipf {
    pub(super) fn new(keys: usize) -> Self {
        let mut total = 0.0;
        let cumulative = (1..=keys).map(|rank| {
            total += 1.0 / rank as f64;
            total
        });
        Self { random: fastrand::Rng::with_seed(44), cumulative: cumulative.collect() }
    }

    pub(super) fn key(&mut self) -> u64 {
        let total = self.cumulative.last().copied().unwrap_or_default();
        let drawn = self.random.f64() * total;
        let rank = self.cumulative.partition_point(|sum| *sum < drawn);
        scattered(rank as u64)
    }
}

/// A key like an account number: 64 bits without a pattern, so that no table has neighbours in one place. Different for
/// different numbers (the finalizer of SplitMix64; Steele, Lea and Flood, OOPSLA 2014).
pub(crate) fn scattered(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// Names of 8 to 24 bytes, each as frequent as any other.
pub(super) struct Names {
    random: fastrand::Rng,
    names: Vec<Name>,
}

impl Names {
    pub(super) fn new(names: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(45);
        let name = |number| {
            let mut name = Name::new();
            // Different by this alone.
            write!(name, "host-{number:05}").expect("it fits");
            let more = random.usize(0..=name.remaining_capacity());
            (0..more).for_each(|_| name.push(random.lowercase()));
            name
        };
        let names = (0..names).map(name).collect();
        Self { random, names }
    }

    pub(super) fn key(&mut self) -> Name {
        self.names[self.random.usize(0..self.names.len())]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn the_second_key_comes_half_as_often_as_the_first() {
        let mut zipf = Zipf::new(1_000);
        let mut counts = BTreeMap::new();
        (0..200_000).for_each(|_| *counts.entry(zipf.key()).or_insert(0_u32) += 1);
        let [first, second] = [0, 1].map(|rank| f64::from(counts[&scattered(rank)]));
        assert!((first / second - 2.0).abs() < 0.1, "{first} and {second}");
        assert_eq!(counts.len(), 1_000);
    }

    #[test]
    fn names_differ_and_have_8_to_24_bytes() {
        let names = Names::new(10_000).names;
        let lengths: BTreeSet<_> = names.iter().map(|name| name.len()).collect();
        assert!(lengths.iter().all(|length| (8..=24).contains(length)) && lengths.len() > 10);
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }
}
