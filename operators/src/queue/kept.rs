use std::ops::RangeInclusive;

use super::{Combine, Memory, Queue};
use crate::{
    Prepared, Supplies,
    finger_tree::{FingerNodes, FingerTree},
};

/// A tree of slices, which may come in any order, and of which any that follow each other can be asked for.
///
/// For windows that are kept after they have fired, it also knows how many results each has had.
#[derive(Debug, Default)]
pub struct Kept {
    slices: FingerTree,
    /// By the first slice of the window.
    results: FingerTree,
}

/// Memory for trees of slices.
pub struct KeptMemory<A> {
    slices: FingerNodes<i64, A>,
    results: FingerNodes<i64, u32>,
}

impl<A> Default for KeptMemory<A> {
    fn default() -> Self {
        Self { slices: FingerNodes::new(), results: FingerNodes::new() }
    }
}

impl<A: Send + 'static> Memory<A> for KeptMemory<A> {
    fn connect(&mut self, supplies: &mut impl Supplies) {
        self.slices.connect(supplies);
        self.results.connect(supplies);
    }

    fn prepare(&mut self, values: usize, results: usize) -> Prepared {
        self.slices.prepare(values).and(self.results.prepare(results))
    }
}

/// The later count.
fn later(_: &u32, count: &u32) -> u32 {
    *count
}

impl<A: Clone + Send + 'static> Queue<A> for Kept {
    type Memory = KeptMemory<A>;

    const IS_FREE: bool = true;

    fn insert(&mut self, memory: &mut KeptMemory<A>, slice: i64, value: A, by: &impl Combine<A>) {
        self.slices.insert(&mut memory.slices, slice, value, |one, other| by.joined(one, other));
    }

    fn evict_before(&mut self, memory: &mut KeptMemory<A>, slice: i64, by: &impl Combine<A>) {
        self.slices.evict_before(&mut memory.slices, slice, |one, other| by.joined(one, other));
        if !self.results.is_empty() {
            self.results.evict_before(&mut memory.results, slice, later);
        }
    }

    fn query(&self, memory: &KeptMemory<A>, slices: RangeInclusive<i64>, by: &impl Combine<A>) -> Option<A> {
        self.slices.range(&memory.slices, slices, |one, other| by.joined(one, other))
    }

    fn count(&mut self, memory: &mut KeptMemory<A>, window: i64, first: u32) -> u32 {
        let count = self.results.get(&memory.results, window).copied().unwrap_or(first);
        self.results.insert(&mut memory.results, window, count + 1, later);
        count
    }

    fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }
}
