use std::num::NonZeroU32;

use crate::{Prepared, Supplies, pool::Chunks};

/// The records of one of the two streams, chained by key and slice.
///
/// A chunk holds records of one slice, so that they go all at once when its last window has closed.
pub(super) struct Side<T> {
    chunks: Chunks<Node<T>, CHUNK_LENGTH>,
    /// For each chunk that has been used, the one before it in the slice's, or in the list of those that are free.
    before: Vec<Option<u32>>,
    /// The chunk to be used next, unless all that have been used are in use.
    free: Option<u32>,
    /// How many chunks can be had from there.
    freed: usize,
}

struct Node<T> {
    value: T,
    /// The record of its key that came before it in its slice.
    before: Link,
    /// How many of the slice's first windows it does not count in.
    missed: u32,
}

/// Where a record of a slice lies, or nowhere. (Counted from one, so that an optional one is no larger.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link(NonZeroU32);

/// The chunks with a slice's records: the one being filled, from which the others are found.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Run(Option<u32>);

/// Records in a chunk. Each slice has one that is not full.
const CHUNK_LENGTH: usize = 512;

/// With more, those fetched first would have left the cache before they are needed.
const FETCHED_OF_EACH: usize = 8;

/// No chunk holds the last of the places that can be told apart: it means nowhere.
#[expect(clippy::cast_possible_truncation, reason = "the chunks that 32 bits can number")]
const CHUNKS_MAX: u32 = ((u32::MAX as usize - 1) / CHUNK_LENGTH) as u32;

impl Link {
    pub(super) const NOWHERE: Self = Self(NonZeroU32::MAX);

    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "there are no more chunks than 32 bits can number")]
    fn to(chunk: u32, offset: usize) -> Self {
        Self(NonZeroU32::MIN.saturating_add(chunk * CHUNK_LENGTH as u32 + offset as u32))
    }

    /// Itself unless it is nowhere.
    #[inline(always)]
    pub(super) fn somewhere(self) -> Option<Self> {
        (self != Self::NOWHERE).then_some(self)
    }

    #[inline(always)]
    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl<T> Side<T> {
    pub(super) fn new() -> Self {
        Self { chunks: Chunks::new(), before: Vec::with_capacity(64), free: None, freed: 0 }
    }

    /// As [`Operator::connect`](crate::Operator::connect).
    pub(super) fn connect(&mut self, supplies: &mut impl Supplies)
    where
        T: Send + 'static,
    {
        self.chunks.connect(supplies);
    }

    /// As [`Operator::prepare`](crate::Operator::prepare).
    pub(super) fn prepare(&mut self, records: usize) -> Prepared {
        // They may begin a slice, besides the one that others of them go on with.
        let needed = records.div_ceil(CHUNK_LENGTH) + 1;
        let chunks = |more: usize| self.before.len() + more.saturating_sub(self.freed);
        // Memory takes a while to come: the more of it is in use, the more is on its way.
        let ahead = 1 + self.before.len() / 8;
        self.chunks.prepare(chunks(needed), chunks(needed + ahead))
    }

    /// Adds a record that came after all others of its slice, those of its key being the ones from `before` on.
    #[inline(always)]
    pub(super) fn push(&mut self, run: &mut Run, value: T, before: Link, missed: u32) -> Link {
        let chunk = match run.0 {
            Some(chunk) if self.chunks.chunk(chunk as usize).len() < CHUNK_LENGTH => chunk,
            _ => self.lengthen(run),
        };
        let nodes = self.chunks.chunk(chunk as usize);
        let offset = nodes.len();
        nodes.push(Node { value, before, missed });
        Link::to(chunk, offset)
    }

    #[inline(always)]
    pub(super) fn value(&self, link: Link) -> &T {
        &self.chunks.at(link.index()).value
    }

    /// Adds those records of a chain, the last first, that count in a window with `closed` of the slice's before it.
    #[inline]
    pub(super) fn gather(&self, last: Link, closed: u32, links: &mut Vec<Link>) {
        let mut link = last;
        while link != Link::NOWHERE {
            let node = self.chunks.at(link.index());
            if node.missed <= closed {
                links.push(link);
            }
            link = node.before;
        }
    }

    /// Has the last few records of these chains in cache, from all chains at a time: each one alone would have to wait for
    /// every record before it knows where the next one lies.
    #[inline]
    pub(super) fn fetch(&self, chains: &mut Vec<Link>) {
        for _ in 0..FETCHED_OF_EACH {
            let mut kept = 0;
            for at in 0..chains.len() {
                let before = self.chunks.at(chains[at].index()).before;
                // No branch: half of the guesses would be wrong.
                chains[kept] = before;
                kept += usize::from(before != Link::NOWHERE);
            }
            chains.truncate(kept);
        }
        chains.clear();
    }

    /// Drops the records of a slice.
    pub(super) fn release(&mut self, run: Run) {
        let mut next = run.0;
        while let Some(chunk) = next {
            self.chunks.chunk(chunk as usize).clear();
            let before = &mut self.before[chunk as usize];
            next = std::mem::replace(before, self.free.replace(chunk));
            self.freed += 1;
        }
    }

    /// Gives a slice a further chunk.
    #[inline(never)]
    fn lengthen(&mut self, run: &mut Run) -> u32 {
        let chunk = match self.free {
            Some(chunk) => {
                self.free = std::mem::replace(&mut self.before[chunk as usize], run.0);
                self.freed -= 1;
                chunk
            }
            None => self.next_unused(*run),
        };
        run.0 = Some(chunk);
        chunk
    }

    /// The first chunk that has never been used.
    fn next_unused(&mut self, run: Run) -> u32 {
        let next = u32::try_from(self.before.len()).ok().filter(|chunk| *chunk < CHUNKS_MAX);
        if self.before.len() == self.chunks.len() {
            self.chunks.grow();
        }
        self.before.push(run.0);
        next.expect("fewer than 2^32 records at once")
    }

    /// The number of records.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.chunks.iter().count()
    }

    /// The number of chunks there is memory for.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.chunks.len()
    }

    /// The number of chunks that have been used.
    #[cfg(test)]
    pub(super) fn chunks(&self) -> usize {
        self.before.len()
    }
}
