/// Into how many partitions the records of a slice are divided: a power of two.
///
/// Partitions go by the upper bits of the hash, so each one of a coarse division is a range of those of a finer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Division {
    bits: u32,
}

/// With more, records that come would be written to more places than a cache has lines and pages for.
pub(super) const PARTITIONS_MAX: usize = 256;

/// Left records that a window's partition should have at least: so many lie in the innermost cache, with the table over
/// them.
const WINDOW_MIN: usize = 256;

/// Left records that a slice's partition should have at least: with fewer, its chunks would be empty for the most part.
const SLICE_MIN: usize = 64;

impl Division {
    pub(super) const ONE: Self = Self { bits: 0 };

    /// For slices with about so many left records, so many of which make up a window.
    pub(super) fn of(records: usize, slices: usize) -> Self {
        let partitions = (records / SLICE_MIN).min(records.saturating_mul(slices) / WINDOW_MIN);
        Self { bits: partitions.clamp(1, PARTITIONS_MAX).ilog2() }
    }

    #[inline(always)]
    pub(super) fn partitions(self) -> usize {
        1 << self.bits
    }

    /// The partition of a record with this hash.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a few of 32 bits, or none")]
    pub(super) fn partition(self, hash: u32) -> usize {
        (u64::from(hash) >> (32 - self.bits)) as usize
    }

    /// Which partitions of a finer division make up one of this.
    pub(super) fn refined(self, partition: usize, finer: Self) -> std::ops::Range<usize> {
        let bits = finer.bits - self.bits;
        partition << bits..(partition + 1) << bits
    }
}
