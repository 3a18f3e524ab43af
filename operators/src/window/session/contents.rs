use std::ops::Bound;

use nacreous_watermark::Timestamp;

use crate::{Aggregate, FingerNodes, FingerTree, Prepared, Supplies, window::ordering::joined};

/// What the sessions of a key come to.
pub trait Contents<A: Aggregate<T>, T>: Default + Send + 'static {
    /// What is kept of all keys.
    type Memory: Default + Send;

    /// What is kept with a session.
    type Sum: Send + 'static;

    /// Tells a record from others of its instant.
    type Number: Copy + Send + 'static;

    /// How many records are kept, if each is by itself.
    fn held(memory: &Self::Memory) -> Option<usize>;

    /// The number of a record that comes.
    fn number(memory: &mut Self::Memory) -> Self::Number;

    /// Takes in the first record of a session.
    fn begin(
        &mut self,
        memory: &mut Self::Memory,
        aggregate: &A,
        value: &T,
        at: (Timestamp, Self::Number),
    ) -> Self::Sum;

    /// Takes in another one.
    fn add(
        &mut self,
        memory: &mut Self::Memory,
        sum: &mut Self::Sum,
        aggregate: &A,
        value: &T,
        at: (Timestamp, Self::Number),
    );

    /// Makes two sessions one.
    fn join(sum: &mut Self::Sum, older: &Self::Sum, aggregate: &A);

    /// What a session comes to, from its first instant to its last.
    fn acc(&self, memory: &Self::Memory, sum: &Self::Sum, aggregate: &A, bounds: (i64, i64)) -> A::Acc;

    /// Notes that a session leaves.
    fn leave(&self, memory: &mut Self::Memory, sum: &Self::Sum);

    /// Lets go of what is before the first session that is kept; of all, if there is none.
    fn keep_from(&mut self, memory: &mut Self::Memory, aggregate: &A, first: impl FnOnce() -> Option<i64>);

    fn connect(memory: &mut Self::Memory, supplies: &mut impl Supplies);

    fn prepare(memory: &mut Self::Memory, records: usize) -> Prepared;
}

/// Each session has an accumulator: records may be added in any order.
#[derive(Default)]
pub struct Sums;

impl<T, A: Aggregate<T>> Contents<A, T> for Sums {
    type Memory = ();
    type Sum = A::Acc;
    type Number = ();

    #[inline]
    fn held((): &()) -> Option<usize> {
        None
    }

    #[inline]
    fn number((): &mut ()) {}

    #[inline]
    fn begin(&mut self, (): &mut (), aggregate: &A, value: &T, (time, ()): (Timestamp, ())) -> A::Acc {
        aggregate.lift(value, time)
    }

    #[inline]
    fn add(&mut self, (): &mut (), sum: &mut A::Acc, aggregate: &A, value: &T, (time, ()): (Timestamp, ())) {
        aggregate.add(sum, value, time);
    }

    #[inline]
    fn join(sum: &mut A::Acc, older: &A::Acc, aggregate: &A) {
        aggregate.combine(sum, older);
    }

    #[inline]
    fn acc(&self, (): &(), sum: &A::Acc, _: &A, _: (i64, i64)) -> A::Acc {
        sum.clone()
    }

    #[inline]
    fn leave(&self, (): &mut (), _: &A::Acc) {}

    #[inline]
    fn keep_from(&mut self, (): &mut (), _: &A, _: impl FnOnce() -> Option<i64>) {}

    fn connect((): &mut (), _: &mut impl Supplies) {}

    fn prepare((): &mut (), _: usize) -> Prepared {
        Prepared::Ready
    }
}

/// The records of all sessions stand in order of time: a session is a stretch of them, and has nothing besides.
#[derive(Default)]
pub struct Records(FingerTree);

/// Memory for the records of all keys.
pub struct RecordMemory<A> {
    nodes: FingerNodes<(Timestamp, u64), A>,
    /// How many have come.
    came: u64,
    /// How many there are.
    held: usize,
}

impl<A> Default for RecordMemory<A> {
    fn default() -> Self {
        Self { nodes: FingerNodes::new(), came: 0, held: 0 }
    }
}

impl<T, A: Aggregate<T>> Contents<A, T> for Records {
    type Memory = RecordMemory<A::Acc>;
    /// How many records it has.
    type Sum = usize;
    type Number = u64;

    fn held(memory: &Self::Memory) -> Option<usize> {
        Some(memory.held)
    }

    fn number(memory: &mut Self::Memory) -> u64 {
        let number = memory.came;
        memory.came += 1;
        number
    }

    fn begin(&mut self, memory: &mut Self::Memory, aggregate: &A, value: &T, at: (Timestamp, u64)) -> usize {
        self.0.insert(&mut memory.nodes, at, aggregate.lift(value, at.0), joined(aggregate));
        memory.held += 1;
        1
    }

    fn add(
        &mut self,
        memory: &mut Self::Memory,
        records: &mut usize,
        aggregate: &A,
        value: &T,
        at: (Timestamp, u64),
    ) {
        *records += self.begin(memory, aggregate, value, at);
    }

    fn join(records: &mut usize, older: &usize, _: &A) {
        *records += older;
    }

    fn leave(&self, memory: &mut Self::Memory, records: &usize) {
        memory.held -= records;
    }

    fn acc(&self, memory: &Self::Memory, _: &usize, aggregate: &A, (first, last): (i64, i64)) -> A::Acc {
        let [first, last] = [first, last].map(Timestamp::from_nanos);
        let records = (Bound::Included((first, 0)), Bound::Included((last, u64::MAX)));
        self.0.range(&memory.nodes, records, joined(aggregate)).expect("a session has a record")
    }

    fn keep_from(&mut self, memory: &mut Self::Memory, aggregate: &A, first: impl FnOnce() -> Option<i64>) {
        match first() {
            Some(first) => {
                let first = Timestamp::from_nanos(first);
                self.0.evict_before(&mut memory.nodes, (first, 0), joined(aggregate));
            }
            None => self.0.clear(&mut memory.nodes),
        }
    }

    fn connect(memory: &mut Self::Memory, supplies: &mut impl Supplies) {
        memory.nodes.connect(supplies);
    }

    fn prepare(memory: &mut Self::Memory, records: usize) -> Prepared {
        memory.nodes.prepare(records)
    }
}

#[cfg(test)]
impl<A> RecordMemory<A> {
    /// How many nodes there are, with those that can be taken again.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The nodes that can be taken again: those exposed, and all.
    pub(super) fn retired(&self) -> (usize, usize) {
        self.nodes.retired()
    }

    pub(super) fn room(&self) -> (usize, usize) {
        self.nodes.room()
    }
}
