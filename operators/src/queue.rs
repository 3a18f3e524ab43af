//! What a key comes to in a window, as slices come in at one end and leave at the other.

mod daba_lite;
mod kept;
mod recompute;
mod rows;
mod running;
mod stretches;
#[cfg(test)]
mod tests;
mod two_stacks;

pub use daba_lite::DabaLite;
pub use kept::Kept;
pub use recompute::Recompute;
pub use rows::{InRows, Rows, Spot};
pub use running::Running;
pub use stretches::Stretches;
pub use two_stacks::TwoStacks;

use std::ops::RangeInclusive;

use crate::{Prepared, Supplies};

/// How accumulators are combined.
pub trait Combine<A: Clone> {
    /// Adds all that `other` holds.
    fn combine(&self, acc: &mut A, other: &A);

    /// Takes out what has been combined. Only called if that is possible.
    fn subtract(&self, acc: &mut A, other: &A);

    /// What two come to, the older first.
    #[inline]
    fn joined(&self, one: &A, other: &A) -> A {
        let mut joined = one.clone();
        self.combine(&mut joined, other);
        joined
    }
}

/// What the slices of a window come to, for one key.
///
/// The queues of all keys lie in one memory, which each call is given.
pub trait Queue<A: Clone + Send + 'static>: Default + Send + 'static {
    /// Where the values are.
    type Memory: Memory<A>;

    /// Whether slices may come in any order and more than once, and windows before the newest can be asked for.
    const IS_FREE: bool = false;

    /// Takes in what a slice comes to. It is behind all others, unless the queue [is free](Self::IS_FREE).
    fn insert(&mut self, memory: &mut Self::Memory, slice: i64, value: A, by: &impl Combine<A>);

    /// Lets go of the slices before this one.
    fn evict_before(&mut self, memory: &mut Self::Memory, slice: i64, by: &impl Combine<A>);

    /// What the slices of a window come to. A queue that is not free has no others.
    fn query(&self, memory: &Self::Memory, slices: RangeInclusive<i64>, by: &impl Combine<A>) -> Option<A>;

    /// Counts a result of the window that begins with this slice; how many there were before, `first` of them not counted here.
    fn count(&mut self, memory: &mut Self::Memory, window: i64, first: u32) -> u32 {
        let _ = (memory, window, first);
        unreachable!("only a queue that is free is asked for windows that have fired")
    }

    /// Whether there is no slice in it.
    fn is_empty(&self) -> bool;
}

/// Memory for the queues of all keys. It grows ahead of need if [`prepare`](Self::prepare) is called and heeded.
pub trait Memory<A: Send + 'static>: Default + Send {
    /// As [`Operator::connect`](crate::Operator::connect).
    fn connect(&mut self, supplies: &mut impl Supplies);

    /// As [`Operator::prepare`](crate::Operator::prepare), for so many values, and so many results to be
    /// [counted](Queue::count).
    fn prepare(&mut self, values: usize, results: usize) -> Prepared;
}
