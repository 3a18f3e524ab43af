use std::{hint::black_box, iter};

use crate::{
    key::SlotNumber,
    state::{SlotVec, touched},
};

/// An accumulator for each key, by slot number; none for a key without records.
pub(super) struct Column<A> {
    cells: SlotVec<Option<A>>,
    /// Which cells are in use, for each segment, so that emptying the column and combining it with another costs next
    /// to nothing for the others.
    used: Vec<Marks>,
}

/// A piece of a column: cells without accumulators.
pub(super) struct Segment<A> {
    cells: Vec<Option<A>>,
    used: Marks,
}

impl<A> Segment<A> {
    /// A segment of so many cells, all written to.
    pub(super) fn new(length: usize) -> Self {
        let mut cells = touched(length);
        cells.resize_with(length, || None);
        Self { cells, used: Marks::new(length) }
    }
}

impl<A> Column<A> {
    /// Stands in for a column that is elsewhere. It has no cells.
    pub(super) fn absent() -> Self {
        Self { cells: SlotVec::absent(), used: Vec::new() }
    }

    /// An empty column for so many keys, in a base of `base` cells and as many further segments as it takes.
    pub(super) fn new(base: usize, keys: usize) -> Self {
        let Segment { cells, used } = Segment::new(base);
        let mut column =
            Self { cells: SlotVec::with_base(cells, base), used: Vec::with_capacity(usize::BITS as usize) };
        column.used.push(used);
        column.reach_beyond(keys.saturating_sub(1));
        column
    }

    /// Whether this is no column but stands in for one.
    pub(super) fn is_absent(&self) -> bool {
        self.used.is_empty()
    }

    /// How many keys it has cells for.
    pub(super) fn reach(&self) -> usize {
        if self.is_absent() { 0 } else { self.cells.capacity() }
    }

    /// Whether the segment is the one that would double the column.
    pub(super) fn can_add(&self, segment: &Segment<A>) -> bool {
        !self.is_absent() && segment.cells.len() == self.reach()
    }

    /// Doubles the column.
    pub(super) fn add(&mut self, segment: Segment<A>) {
        self.cells.add_segment(segment.cells);
        self.used.push(segment.used);
    }

    /// Doubles the column on the spot until it has a cell with this number: a stall, only where nobody prepared for it.
    pub(super) fn reach_beyond(&mut self, cell: usize) {
        while self.reach() <= cell {
            self.add(Segment::new(self.reach()));
        }
    }

    /// The accumulator of a key among those expected, if it has one.
    #[inline(always)]
    pub(super) fn in_base(&mut self, slot: SlotNumber) -> Option<&mut A> {
        self.cells.base_mut().get_mut(slot.index())?.as_mut()
    }

    /// The accumulator of any key that there is a cell for, if it has one.
    pub(super) fn get(&mut self, slot: SlotNumber) -> Option<&mut A> {
        self.cells.at_any_mut(slot.index()).as_mut()
    }

    /// Looks at the cells of these keys, one after the other without waiting for any: those that are far away come
    /// nearer meanwhile.
    pub(super) fn look_at(&self, slots: &[Option<SlotNumber>]) {
        let base = self.cells.base();
        let begun = slots.iter().filter(|slot| {
            let index = slot.map_or(0, SlotNumber::index);
            base.get(index).is_some_and(Option::is_some)
        });
        black_box(begun.count());
    }

    /// The accumulator of any key, if it has one.
    #[inline]
    pub(super) fn find(&self, slot: SlotNumber) -> Option<&A> {
        if slot.index() < self.reach() { self.cells.at_any(slot.index()).as_ref() } else { None }
    }

    /// Begins the accumulator of a key that has none. There must be a cell for it.
    pub(super) fn begin(&mut self, slot: SlotNumber, acc: A) {
        let (segment, offset) = self.cells.place(slot.index());
        self.used[segment].set(offset);
        *self.cells.at_any_mut(slot.index()) = Some(acc);
    }

    /// Combines the accumulators of another column, for all of which there must be a cell here, with the own ones.
    pub(super) fn combine(&mut self, other: &Self, combine: impl Fn(&mut A, &A))
    where
        A: Clone,
    {
        let own = self.cells.segments_mut().zip(&mut self.used);
        for ((cells, used), (parts, marks)) in own.zip(other.cells.segments().zip(&other.used)) {
            marks.for_each(|offset| match (&mut cells[offset], &parts[offset]) {
                (Some(acc), Some(part)) => combine(acc, part),
                (none, part) => {
                    none.clone_from(part);
                    used.set(offset);
                }
            });
        }
    }

    /// Empties the column.
    pub(super) fn clear(&mut self) {
        for (cells, used) in self.cells.segments_mut().zip(&mut self.used) {
            used.for_each(|offset| cells[offset] = None);
            used.clear();
        }
    }

    /// The first slot number not before `from` that has an accumulator.
    pub(super) fn first_from(&self, from: usize) -> Option<SlotNumber> {
        let mut start = 0;
        self.cells.segments().zip(&self.used).find_map(|(cells, used)| {
            let found = used.first_from(from.saturating_sub(start));
            let slot = found.map(|offset| slot_number(start + offset));
            start += cells.len();
            slot
        })
    }

    /// Takes the accumulator out that is the first one not before `from`, in order of slot numbers.
    pub(super) fn take_from(&mut self, from: usize) -> Option<(SlotNumber, A)> {
        let mut start = 0;
        for (cells, used) in self.cells.segments_mut().zip(&mut self.used) {
            if let Some(offset) = used.first_from(from.saturating_sub(start)) {
                used.unset(offset);
                return cells[offset].take().map(|acc| (slot_number(start + offset), acc));
            }
            start += cells.len();
        }
        None
    }
}

fn slot_number(cell: usize) -> SlotNumber {
    SlotNumber::new(u32::try_from(cell).expect("there is a cell only for what can be numbered"))
}

/// A set of offsets into a segment, in order: a bit for each, and above it a bit for each word of those.
///
/// A list of them would have to be sorted before results leave, and would have to move when it grows.
struct Marks {
    words: Vec<u64>,
    /// Which words are not zero.
    summary: Vec<u64>,
}

/// How many offsets a word stands for, as a shift.
const WORD_SHIFT: u32 = u64::BITS.ilog2();

impl Marks {
    fn new(length: usize) -> Self {
        let words = length.div_ceil(64);
        Self { words: zeros(words), summary: zeros(words.div_ceil(64)) }
    }

    fn set(&mut self, offset: usize) {
        let word = offset >> WORD_SHIFT;
        self.words[word] |= bit(offset);
        self.summary[word >> WORD_SHIFT] |= bit(word);
    }

    fn unset(&mut self, offset: usize) {
        let word = offset >> WORD_SHIFT;
        self.words[word] &= !bit(offset);
        if self.words[word] == 0 {
            self.summary[word >> WORD_SHIFT] &= !bit(word);
        }
    }

    fn for_each(&self, mut visit: impl FnMut(usize)) {
        for word in self.words_in_use() {
            bits(self.words[word]).for_each(|offset| visit((word << WORD_SHIFT) + offset));
        }
    }

    fn clear(&mut self) {
        for (at, summary) in self.summary.iter_mut().enumerate() {
            bits(*summary).for_each(|bit| self.words[(at << WORD_SHIFT) + bit] = 0);
            *summary = 0;
        }
    }

    /// The first offset in the set that is not before this one.
    fn first_from(&self, offset: usize) -> Option<usize> {
        let word = offset >> WORD_SHIFT;
        let here = self.words.get(word)? & (u64::MAX << (offset % 64));
        let (word, bits) = match here {
            0 => first_bit_from(&self.summary, word + 1).map(|next| (next, self.words[next]))?,
            _ => (word, here),
        };
        Some((word << WORD_SHIFT) + bits.trailing_zeros() as usize)
    }

    /// Which words are not zero, in order.
    fn words_in_use(&self) -> impl Iterator<Item = usize> {
        let numbered = self.summary.iter().enumerate();
        numbered.flat_map(|(at, word)| bits(*word).map(move |bit| (at << WORD_SHIFT) + bit))
    }
}

/// The word with one bit, that of this offset into a run of words.
fn bit(offset: usize) -> u64 {
    1 << (offset % 64)
}

/// The numbers of a word's bits that are set, in order.
fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    iter::from_fn(move || {
        let lowest = (word != 0).then(|| word.trailing_zeros() as usize);
        word &= word.wrapping_sub(1);
        lowest
    })
}

/// The first bit set in a run of words that is not before this one.
fn first_bit_from(words: &[u64], offset: usize) -> Option<usize> {
    let start = offset >> WORD_SHIFT;
    let here = words.get(start)? & (u64::MAX << (offset % 64));
    let rest = words[start + 1..].iter().copied();
    let (skipped, word) = iter::once(here).chain(rest).enumerate().find(|(_, word)| *word != 0)?;
    Some(((start + skipped) << WORD_SHIFT) + word.trailing_zeros() as usize)
}

/// Zeros, all written.
fn zeros(length: usize) -> Vec<u64> {
    let mut words = touched(length);
    words.resize(length, 0);
    words
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn columns_agree_with_a_map_also_beyond_their_base() {
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let base = 16 << random.u32(0..4);
            let keys = random.usize(1..20_000);
            let fill = |random: &mut fastrand::Rng| {
                let mut column = Column::new(base, random.usize(0..keys));
                let mut oracle = BTreeMap::new();
                for _ in 0..random.usize(0..300) {
                    let slot = random.usize(0..keys);
                    while column.reach() <= slot {
                        assert!(!column.can_add(&Segment::new(column.reach() * 2)));
                        column.add(Segment::new(column.reach()));
                    }
                    let number = SlotNumber::new(u32::try_from(slot).unwrap());
                    *oracle.entry(slot).or_insert(0) += 1;
                    match column.get(number) {
                        Some(acc) => *acc += 1,
                        None => column.begin(number, 1),
                    }
                    assert_eq!(column.in_base(number).is_some(), slot < base);
                }
                (column, oracle)
            };
            let (mut one, mut oracle) = fill(&mut random);
            let (mut two, others) = fill(&mut random);
            while one.reach() < two.reach() {
                one.add(Segment::new(one.reach()));
            }
            one.combine(&two, |acc, part| *acc += part);
            others.into_iter().for_each(|(slot, part)| *oracle.entry(slot).or_insert(0) += part);
            two.clear();
            assert!(two.take_from(0).is_none(), "seed {seed}");
            let mut from = 0;
            for expected in oracle {
                let (slot, acc) = one.take_from(from).expect("it is in use");
                assert_eq!((slot.index(), acc), expected, "seed {seed}");
                from = slot.index() + 1;
            }
            assert!(one.take_from(from).is_none() && one.take_from(0).is_none(), "seed {seed}");
            assert!(one.used.iter().all(|marks| marks.summary.iter().all(|word| *word == 0)), "seed {seed}");
            assert!(two.cells.iter().all(Option::is_none), "seed {seed}");
        }
    }
}
