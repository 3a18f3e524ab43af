//! Slices whose keys have been added to a window that is kept: what is to be taken out of it again.

use std::collections::VecDeque;

use crate::{
    Prepared, Supplies,
    pool::{Place, Pool},
};

/// What the keys of slices came to, until the slices leave.
///
/// There is memory for as many keys as there are, and not for tables, as nothing is looked up here.
pub(super) struct Entered<K, A> {
    /// In the order in which they leave.
    slices: VecDeque<Slice>,
    parts: Pool<Part<K, A>>,
}

/// A slice. Those that leave after the same window are one.
struct Slice {
    /// The last window that it lies in.
    last: i64,
    newest: Option<Place>,
}

/// What a key came to in a slice, or some of that.
struct Part<K, A> {
    key: K,
    acc: A,
    /// The one before it, in the same slice.
    before: Option<Place>,
}

impl<K, A> Entered<K, A> {
    pub(super) fn new() -> Self {
        Self { slices: VecDeque::with_capacity(64), parts: Pool::new() }
    }

    pub(super) fn connect(&mut self, supplies: &mut impl Supplies)
    where
        K: Send + 'static,
        A: Send + 'static,
    {
        self.parts.connect(supplies);
    }

    /// As [`Operator::prepare`](crate::Operator::prepare), for so many keys.
    pub(super) fn prepare(&mut self, keys: usize) -> Prepared {
        self.parts.prepare(keys)
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    /// Adds what keys come to in a slice that leaves after this window.
    pub(super) fn add(&mut self, last: i64, parts: impl Iterator<Item = (K, A)>) {
        let index = self.slices.binary_search_by_key(&last, |slice| slice.last).unwrap_or_else(|index| {
            self.slices.insert(index, Slice { last, newest: None });
            index
        });
        let newest = &mut self.slices[index].newest;
        for (key, acc) in parts {
            *newest = Some(self.parts.insert(Part { key, acc, before: *newest }));
        }
    }

    /// Lets go of the slices that do not lie in this window any more, and says what was in them.
    pub(super) fn leave(&mut self, window: i64, mut left: impl FnMut(&K, &A)) {
        while let Some(slice) = self.slices.pop_front_if(|slice| slice.last < window) {
            let mut next = slice.newest;
            while let Some(place) = next {
                let Part { key, acc, before } = self.parts.remove(place);
                left(&key, &acc);
                next = before;
            }
        }
    }
}
