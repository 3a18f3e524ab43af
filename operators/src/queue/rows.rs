//! Queues in chunks of a common memory.

use std::ops::RangeInclusive;

use super::{
    Combine, Memory, Queue,
    stretches::{Ring, Spots},
};
use crate::{
    Prepared, Supplies,
    pool::{Place, Pool},
};

/// Memory for any number of rows of values, each of which knows the slice that it is of.
///
/// A row is a chain of chunks, which are used again.
#[derive(Debug)]
pub struct Rows<A> {
    chunks: Pool<Chunk<A>>,
}

/// Values in a chunk: so many that following the chain is rare, so few that a row of one value takes little.
const LENGTH: u8 = 8;

#[derive(Debug)]
struct Chunk<A> {
    values: [Option<(i64, A)>; LENGTH as usize],
    before: Option<Place>,
    after: Option<Place>,
}

/// The place of a value in a row, or of the next to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    chunk: Place,
    nth: u8,
}

impl<A> Default for Rows<A> {
    fn default() -> Self {
        Self { chunks: Pool::new() }
    }
}

impl<A: Send + 'static> Memory<A> for Rows<A> {
    fn connect(&mut self, supplies: &mut impl Supplies) {
        self.chunks.connect(supplies);
    }

    fn prepare(&mut self, values: usize, _: usize) -> Prepared {
        // Each may be the first or the last of its chunk, and want one of its own.
        self.chunks.prepare(values)
    }
}

impl<A> Rows<A> {
    /// A new row: where its first value will be.
    fn begin(&mut self) -> Spot {
        Spot { chunk: self.chunk(None), nth: 0 }
    }

    fn chunk(&mut self, before: Option<Place>) -> Place {
        self.chunks.insert(Chunk { values: Default::default(), before, after: None })
    }

    /// Gives up a row in which there is nothing.
    fn end(&mut self, end: Spot) {
        self.chunks.remove(end.chunk);
    }

    #[inline]
    fn entry(&self, spot: Spot) -> &(i64, A) {
        self.chunks.get(spot.chunk).values[usize::from(spot.nth)].as_ref().expect(TAKEN)
    }

    /// How many chunks are in use.
    #[cfg(test)]
    pub(crate) fn in_use(&self) -> usize {
        self.chunks.len()
    }
}

const TAKEN: &str = "there is a value at each spot from the front to the end";

impl<A> Spots<A> for Rows<A> {
    type Spot = Spot;

    #[inline]
    fn at(&self, spot: Spot) -> &A {
        &self.entry(spot).1
    }

    #[inline]
    fn after(&self, Spot { chunk, nth }: Spot) -> Spot {
        if nth + 1 < LENGTH {
            return Spot { chunk, nth: nth + 1 };
        }
        let next = self.chunks.get(chunk).after.expect("there is a chunk behind one that is full");
        Spot { chunk: next, nth: 0 }
    }

    #[inline]
    fn before(&self, Spot { chunk, nth }: Spot) -> Spot {
        if nth > 0 {
            return Spot { chunk, nth: nth - 1 };
        }
        let last = self.chunks.get(chunk).before.expect("there is a chunk before one that is not the first");
        Spot { chunk: last, nth: LENGTH - 1 }
    }
}

impl<A> Ring<A> for Rows<A> {
    #[inline]
    fn push(&mut self, end: Spot, slice: i64, value: A) -> Spot {
        self.chunks.get_mut(end.chunk).values[usize::from(end.nth)] = Some((slice, value));
        if end.nth + 1 < LENGTH {
            return Spot { nth: end.nth + 1, ..end };
        }
        let next = self.chunk(Some(end.chunk));
        self.chunks.get_mut(end.chunk).after = Some(next);
        Spot { chunk: next, nth: 0 }
    }

    #[inline]
    fn pop(&mut self, front: Spot) -> (Spot, A) {
        let next = self.after(front);
        let value = self.chunks.get_mut(front.chunk).values[usize::from(front.nth)].take();
        if next.chunk != front.chunk {
            self.chunks.remove(front.chunk);
            self.chunks.get_mut(next.chunk).before = None;
        }
        (next, value.expect(TAKEN).1)
    }

    #[inline]
    fn put(&mut self, spot: Spot, value: A) {
        let place = self.chunks.get_mut(spot.chunk).values[usize::from(spot.nth)].as_mut();
        place.expect(TAKEN).1 = value;
    }
}

/// A way to keep what the values of a row come to.
pub trait Keep<A: Clone>: Send + 'static {
    /// Of a row without values, which begins here.
    fn begin(spot: Spot) -> Self;

    /// Where the first value is, and where the next will be.
    fn ends(&self) -> (Spot, Spot);

    /// Puts a value at the end.
    fn insert(&mut self, rows: &mut Rows<A>, slice: i64, value: A, by: &impl Combine<A>);

    /// Takes out the first value.
    fn evict(&mut self, rows: &mut Rows<A>, by: &impl Combine<A>);

    /// What the values come to. There is one at least.
    fn query(&self, rows: &Rows<A>, by: &impl Combine<A>) -> Option<A>;
}

/// A queue in a row, kept in some way; it has no row while it is empty.
#[derive(Debug)]
pub struct InRows<F>(Option<Row<F>>);

/// A row with something in it.
#[derive(Debug)]
struct Row<F> {
    kept: F,
    /// The slice of the first value. At hand here, so that a row that keeps its first value is not looked at.
    first: i64,
}

impl<F> Default for InRows<F> {
    fn default() -> Self {
        Self(None)
    }
}

impl<A: Clone + Send + 'static, F: Keep<A>> Queue<A> for InRows<F> {
    type Memory = Rows<A>;

    #[inline]
    fn insert(&mut self, rows: &mut Rows<A>, slice: i64, value: A, by: &impl Combine<A>) {
        let row = self.0.get_or_insert_with(|| Row { kept: F::begin(rows.begin()), first: slice });
        row.kept.insert(rows, slice, value, by);
    }

    #[inline]
    fn evict_before(&mut self, rows: &mut Rows<A>, slice: i64, by: &impl Combine<A>) {
        while let Some(Row { kept, first }) = &mut self.0 {
            if *first >= slice {
                break;
            }
            kept.evict(rows, by);
            let (front, end) = kept.ends();
            if front == end {
                rows.end(end);
                self.0 = None;
            } else {
                *first = rows.entry(front).0;
            }
        }
    }

    #[inline]
    fn query(&self, rows: &Rows<A>, _: RangeInclusive<i64>, by: &impl Combine<A>) -> Option<A> {
        self.0.as_ref()?.kept.query(rows, by)
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}
