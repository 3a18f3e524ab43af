//! What stands in a node: entries, and the subtrees before, between and behind them.

use std::ops::Range;

use crate::pool::Place;

/// No node but the root has fewer children, and none more than twice as many.
///
/// With 2, 4 and 8 it takes 8, 12 and 19 combinations to insert at the end and evict at the beginning, 53, 78 and 116 to
/// insert a thousand values from the end. If these are cheap, though, then what counts is how many nodes are
/// visited: the first takes 1650, 1440 and 1420 instructions then, and the two together, twice each, 7700, 6700 and 5700. A
/// node, which is what a tree of one value takes, holds 3, 7 and 15 values. So it is the one between.
pub(super) const MIN_ARITY: usize = 4;

pub(super) const MAX_ARITY: usize = 2 * MIN_ARITY;

pub(super) const MAX_ENTRIES: usize = MAX_ARITY - 1;

/// Entries in order of position and, but in a leaf, one child more than there are entries.
///
/// Entries and children are also counted through as pieces, from left to right: the `n`th child is piece `2n`, the
/// `n`th entry is piece `2n + 1`. In a leaf there is nothing at the even numbers.
#[derive(Debug)]
pub(super) struct Row<P, A> {
    entries: [Option<(P, A)>; MAX_ENTRIES],
    children: [Option<Place>; MAX_ARITY],
    len: usize,
}

impl<P, A> Row<P, A> {
    /// No entry and no child.
    pub(super) fn empty() -> Self {
        Self { entries: [const { None }; MAX_ENTRIES], children: [None; MAX_ARITY], len: 0 }
    }

    /// One entry, between two children if these are not leaves' missing ones.
    pub(super) fn of(before: Option<Place>, entry: (P, A), after: Option<Place>) -> Self {
        let mut row = Self::empty();
        row.children[0] = before;
        row.insert(0, entry, after);
        row
    }

    /// How many entries there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.len == MAX_ENTRIES
    }

    /// One more than there are entries: the children, but in a leaf.
    #[inline]
    pub(super) fn arity(&self) -> usize {
        self.len + 1
    }

    #[inline]
    pub(super) fn entry(&self, index: usize) -> &(P, A) {
        self.entries[index].as_ref().expect("there is an entry below the length")
    }

    #[inline]
    pub(super) fn entry_mut(&mut self, index: usize) -> &mut (P, A) {
        self.entries[index].as_mut().expect("there is an entry below the length")
    }

    /// The values of some entries.
    #[inline]
    pub(super) fn values(&self, entries: Range<usize>) -> impl Iterator<Item = &A> {
        self.entries[entries].iter().flatten().map(|(_, value)| value)
    }

    /// None in a leaf.
    #[inline]
    pub(super) fn child(&self, index: usize) -> Option<Place> {
        self.children[index]
    }

    /// None in a leaf.
    #[inline]
    pub(super) fn last_child(&self) -> Option<Place> {
        self.children[self.len]
    }

    /// All of them, from left to right.
    #[inline]
    pub(super) fn children(&self) -> impl DoubleEndedIterator<Item = Place> + use<P, A> {
        self.children.into_iter().flatten()
    }

    /// Which of the children it is.
    #[inline]
    pub(super) fn index_of(&self, child: Place) -> usize {
        self.children.iter().position(|other| *other == Some(child)).expect("a node is a child of its parent")
    }

    /// Puts an entry at an index, and a child, if any, behind it. There is room for it.
    #[inline]
    pub(super) fn insert(&mut self, index: usize, entry: (P, A), after: Option<Place>) {
        self.entries[index..=self.len].rotate_right(1);
        self.entries[index] = Some(entry);
        if after.is_some() {
            self.children[index + 1..=self.len + 1].rotate_right(1);
            self.children[index + 1] = after;
        }
        self.len += 1;
    }

    /// Takes out an entry and all that is behind it.
    pub(super) fn split(&mut self, index: usize) -> ((P, A), Self) {
        let mut behind = Self::empty();
        behind.len = self.len - index - 1;
        behind.entries[..behind.len].swap_with_slice(&mut self.entries[index + 1..self.len]);
        behind.children[..=behind.len].swap_with_slice(&mut self.children[index + 1..=self.len]);
        self.len = index;
        (self.entries[index].take().expect("there is an entry below the length"), behind)
    }

    /// Puts an entry at the end, and all of another row behind it. There is room for it.
    pub(super) fn append(&mut self, entry: (P, A), mut behind: Self) {
        let start = self.len + 1;
        self.entries[self.len] = Some(entry);
        self.entries[start..start + behind.len].swap_with_slice(&mut behind.entries[..behind.len]);
        self.children[start..=start + behind.len].swap_with_slice(&mut behind.children[..=behind.len]);
        self.len += behind.len + 1;
    }

    /// Takes out so many children, the entries between them, and the entry behind.
    pub(super) fn take_front(&mut self, children: usize) -> (Self, (P, A)) {
        let (entry, behind) = self.split(children - 1);
        (std::mem::replace(self, behind), entry)
    }

    /// Takes out all there is.
    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::empty())
    }

    /// Takes out the first entry and the child behind it.
    pub(super) fn remove_first(&mut self) -> (P, A) {
        let entry = self.entries[0].take().expect("there is a first entry");
        self.entries.rotate_left(1);
        self.children[1] = None;
        self.children[1..].rotate_left(1);
        self.len -= 1;
        entry
    }

    /// Drops so many entries, and the children before each of them.
    pub(super) fn cut(&mut self, entries: usize) {
        self.entries[..entries].fill_with(|| None);
        self.children[..entries].fill(None);
        self.entries.rotate_left(entries);
        self.children.rotate_left(entries);
        self.len -= entries;
    }

    /// Takes out the only child.
    pub(super) fn remove_only_child(&mut self) -> Option<Place> {
        debug_assert_eq!(self.len, 0, "an entry stands between two children");
        self.children[0].take()
    }
}

impl<P: Copy + Ord, A> Row<P, A> {
    #[inline]
    pub(super) fn position(&self, index: usize) -> P {
        self.entry(index).0
    }

    /// The position of the first entry.
    #[inline]
    pub(super) fn first(&self) -> P {
        self.position(0)
    }

    /// The position of the last entry.
    #[inline]
    pub(super) fn last(&self) -> P {
        self.position(self.len - 1)
    }

    /// How many entries there are before the first for which it is not so.
    #[inline]
    pub(super) fn count(&self, is_so: impl Fn(P) -> bool) -> usize {
        (0..self.len).find(|index| !is_so(self.position(*index))).unwrap_or(self.len)
    }

    /// Where a position is, or would be.
    #[inline]
    pub(super) fn search(&self, position: P) -> Result<usize, usize> {
        let index = self.count(|other| other < position);
        if index < self.len && self.position(index) == position { Ok(index) } else { Err(index) }
    }
}
