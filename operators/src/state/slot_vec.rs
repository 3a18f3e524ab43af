use std::{hint::black_box, mem::MaybeUninit};

/// A vector indexed by slot number that grows without moving anything.
///
/// It lies in segments: a base of a power of two, then as much again, then twice that, and so on, so that a further
/// segment doubles it. The base is meant to hold all there is usually; an index in it costs what an index into a
/// `Vec` costs, one beyond it a call besides.
///
/// It never asks the allocator for memory: whoever pushes to it brings [segments](Self::add_segment) in time.
#[derive(Debug)]
pub(crate) struct SlotVec<T> {
    base: Vec<T>,
    /// Segment `k` here holds the values from `2^(base_bits + k)` on, as many.
    further: Vec<Vec<T>>,
    base_bits: u32,
}

impl<T> SlotVec<T> {
    /// A vector without a base, to stand in for one that is elsewhere. Nothing can be put into it.
    pub(crate) fn absent() -> Self {
        Self { base: Vec::new(), further: Vec::new(), base_bits: 0 }
    }

    /// A vector that starts as what is in `base`, and fills it to its capacity before it needs a further segment.
    ///
    /// Allocates the list of further segments, for as many as slot numbers reach.
    ///
    /// # Panics
    /// If the length of the base is not a power of two.
    pub(crate) fn with_base(base: Vec<T>, length: usize) -> Self {
        assert!(length.is_power_of_two() && base.capacity() >= length, "a base of {length}");
        let base_bits = length.ilog2();
        Self { base, further: Vec::with_capacity(SLOT_BITS.saturating_sub(base_bits) as usize), base_bits }
    }

    /// How many values there is memory for.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        1 << (self.base_bits as usize + self.further.len())
    }

    /// The number of values.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.base.len() + self.further.iter().map(Vec::len).sum::<usize>()
    }

    /// Whether a segment is long enough to be added; if not, it was meant for a time when there was less.
    pub(crate) fn can_add(&self, segment: &Vec<T>) -> bool {
        segment.capacity() >= self.capacity()
    }

    /// Adds a segment, which doubles the capacity.
    ///
    /// # Panics
    /// If it is [too short](Self::can_add).
    pub(crate) fn add_segment(&mut self, segment: Vec<T>) {
        assert!(self.can_add(&segment), "a segment is as long as all before it");
        self.further.push(segment);
    }

    /// The segments in order, each with what has been put into it; the base is the first.
    pub(crate) fn segments(&self) -> impl Iterator<Item = &[T]> {
        [&self.base].into_iter().chain(&self.further).map(Vec::as_slice)
    }

    /// As [`segments`](Self::segments).
    pub(crate) fn segments_mut(&mut self) -> impl Iterator<Item = &mut [T]> {
        [&mut self.base].into_iter().chain(&mut self.further).map(Vec::as_mut_slice)
    }

    /// All values in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.segments().flatten()
    }

    /// What has been put into the base.
    #[inline(always)]
    pub(crate) fn base(&self) -> &[T] {
        &self.base
    }

    /// As [`base`](Self::base).
    #[inline(always)]
    pub(crate) fn base_mut(&mut self) -> &mut [T] {
        &mut self.base
    }

    /// The value at an index.
    ///
    /// # Panics
    /// If there are not so many.
    #[inline(always)]
    pub(crate) fn at(&self, index: usize) -> &T {
        match self.base.get(index) {
            Some(value) => value,
            None => self.beyond_base(index),
        }
    }

    /// As [`at`](Self::at).
    #[inline(always)]
    pub(crate) fn at_mut(&mut self, index: usize) -> &mut T {
        // Not `get_mut`: the compiler does not see yet that its borrow ends where there is nothing.
        if index < self.base.len() { &mut self.base[index] } else { self.beyond_base_mut(index) }
    }

    /// As [`at`](Self::at), for where most indices lie beyond the base: no call.
    #[inline]
    pub(crate) fn at_any(&self, index: usize) -> &T {
        match self.place(index) {
            (0, offset) => &self.base[offset],
            (segment, offset) => &self.further[segment - 1][offset],
        }
    }

    /// As [`at_any`](Self::at_any).
    #[inline]
    pub(crate) fn at_any_mut(&mut self, index: usize) -> &mut T {
        match self.place(index) {
            (0, offset) => &mut self.base[offset],
            (segment, offset) => &mut self.further[segment - 1][offset],
        }
    }

    #[cold]
    #[inline(never)]
    fn beyond_base(&self, index: usize) -> &T {
        self.at_any(index)
    }

    #[cold]
    #[inline(never)]
    fn beyond_base_mut(&mut self, index: usize) -> &mut T {
        self.at_any_mut(index)
    }

    /// In which segment an index lies, and where in it; the base is number zero.
    #[inline]
    pub(crate) fn place(&self, index: usize) -> (usize, usize) {
        match (index >> self.base_bits).checked_ilog2() {
            None => (0, index),
            Some(segment) => (segment as usize + 1, index - (1 << (self.base_bits + segment))),
        }
    }

    /// Appends a value.
    ///
    /// # Panics
    /// If there is no memory for it.
    pub(crate) fn push(&mut self, value: T) {
        let len = self.len();
        assert!(len < self.capacity(), "a segment is added before it is needed");
        match self.place(len).0 {
            0 => self.base.push(value),
            segment => self.further[segment - 1].push(value),
        }
    }

    /// Whether there is no value.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.base.is_empty() && self.further.iter().all(Vec::is_empty)
    }

    /// Turns the order within each segment round, so that all values can be [taken out](Self::pop_of_first_segment)
    /// first to last. Until they all are, nothing else makes sense.
    pub(crate) fn reverse_segments(&mut self) {
        self.segments_mut().for_each(<[T]>::reverse);
    }

    /// Takes the last value off the first segment that has one.
    #[inline]
    pub(crate) fn pop_of_first_segment(&mut self) -> Option<T> {
        match self.base.pop() {
            None => self.further.iter_mut().find_map(Vec::pop),
            first => first,
        }
    }

    /// Whether the base has a place for one more value.
    #[inline(always)]
    pub(crate) fn base_has_room(&self) -> bool {
        self.base.len() < self.base.capacity()
    }

    /// Appends a value to the base.
    #[inline(always)]
    pub(crate) fn push_to_base(&mut self, value: T) {
        self.base.push(value);
    }

    /// Takes the last value off.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let last = self.further.iter_mut().rev().find(|segment| !segment.is_empty());
        last.unwrap_or(&mut self.base).pop()
    }
}

/// How many bits a slot number has.
const SLOT_BITS: u32 = u32::BITS;

/// A `Vec` with memory for `capacity` values, all of it written to once.
pub(crate) fn touched<T>(capacity: usize) -> Vec<T> {
    let mut values = Vec::with_capacity(capacity);
    // Else the compiler asks for zeroed memory in the first place, which is memory that nobody has touched.
    // (Of values without size there is room for any number.)
    for place in black_box(&mut values).spare_capacity_mut().iter_mut().take(capacity) {
        *place = MaybeUninit::zeroed();
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_in_segments_agrees_with_one_in_one_piece() {
        for base_bits in 0..6 {
            let length = 1 << base_bits;
            let mut values = SlotVec::with_base(touched(length), length);
            let mut oracle = Vec::new();
            let mut random = fastrand::Rng::with_seed(base_bits);
            for number in 0..3_000_u32 {
                if random.u8(..) < 60 {
                    assert_eq!(values.pop(), oracle.pop());
                }
                if values.len() == values.capacity() {
                    assert!(!values.can_add(&touched(values.capacity() - 1)), "too short");
                    values.add_segment(touched(values.capacity()));
                }
                values.push(number);
                oracle.push(number);
                let index = random.usize(0..oracle.len());
                *values.at_mut(index) ^= 1;
                oracle[index] ^= 1;
                assert_eq!((values.at(index), values.len()), (&oracle[index], oracle.len()));
            }
            assert!(values.iter().eq(&oracle));
        }
    }

    #[test]
    fn nothing_moves_when_a_segment_is_added() {
        let mut values = SlotVec::with_base(touched(4), 4);
        (0..4).for_each(|number| values.push(number));
        let before: Vec<*const i32> = values.iter().map(|value| &raw const *value).collect();
        values.add_segment(touched(4));
        values.push(4);
        assert!(values.iter().map(|value| &raw const *value).take(4).eq(before));
    }
}
