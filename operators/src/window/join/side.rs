use crate::{Prepared, Supplies, pool::Chunks};

use super::division::{Division, PARTITIONS_MAX};

/// The records of one of the two streams, by slice and partition.
///
/// A chunk holds records of one slice, so that they go all at once when its last window has closed.
pub(super) struct Side<K, T> {
    chunks: Chunks<Node<K, T>, CHUNK_LENGTH>,
    /// For each chunk that has been used, the one after it in its run, or in the list of those that are free.
    next: Vec<u32>,
    /// The chunk to be used next, unless all that have been used are in use.
    free: u32,
    /// How many chunks can be had from there.
    freed: usize,
    /// The runs of each slice, by partition; but those that are open elsewhere.
    runs: Chunks<Run<K, T>, PARTITIONS_MAX>,
    /// The runs that records are being added to, and their number.
    open: Vec<Run<K, T>>,
    opened: Runs,
    /// Which of them belong to no slice.
    spare: Vec<Runs>,
    /// How many chunks are in each of them.
    held: Vec<usize>,
}

/// A record, with what it takes to find it.
pub(super) struct Node<K, T> {
    pub(super) key: K,
    pub(super) value: T,
    /// The upper half of the hash: the good one.
    pub(super) hash: u32,
    /// How many of the slice's first windows it does not count in.
    pub(super) missed: u32,
}

/// The number of a slice's runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Runs(u32);

/// The records of a partition in a slice.
struct Run<K, T> {
    /// The last of its chunks while records are added to it: at hand, and not in its place among the chunks. Else this has
    /// no memory.
    nodes: Vec<Node<K, T>>,
    first: u32,
    last: u32,
}

/// Where a record lies: counted through all chunks, as if all were full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Link(u32);

/// A chunk of the records that a window is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    chunk: u32,
    /// How many windows of its slice come before this one: records that have missed more do not count in it.
    pub(super) closed: u32,
}

/// Records in a chunk. Each run has one that is not full: half of it is wasted, on average.
pub(super) const CHUNK_LENGTH: usize = 64;

/// Chunks asked for at a time.
const BUNDLE: usize = 32;

const NOWHERE: u32 = u32::MAX;

/// No more can be told apart by [`Link`]s.
const CHUNKS_MAX: usize = (u32::MAX as usize) / CHUNK_LENGTH;

impl Runs {
    /// Those of no slice.
    pub(super) const NONE: Self = Self(NOWHERE);
}

impl<K, T> Run<K, T> {
    const EMPTY: Self = Self { nodes: Vec::new(), first: NOWHERE, last: NOWHERE };

    /// Puts the chunk at hand into its place.
    fn settle(&mut self, chunks: &mut Chunks<Node<K, T>, CHUNK_LENGTH>) {
        if self.nodes.capacity() > 0 {
            *chunks.chunk(self.last as usize) = std::mem::take(&mut self.nodes);
        }
    }
}

impl Stretch {
    /// Where the record at this place in the chunk lies.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "a place in a chunk is less than its length")]
    pub(super) fn link(self, place: usize) -> Link {
        Link(self.chunk * CHUNK_LENGTH as u32 + place as u32)
    }
}

impl<K, T> Side<K, T> {
    pub(super) fn new() -> Self {
        Self {
            chunks: Chunks::in_bundles(BUNDLE),
            next: Vec::with_capacity(64),
            free: NOWHERE,
            freed: 0,
            runs: Chunks::new(),
            open: Vec::new(),
            opened: Runs::NONE,
            spare: Vec::with_capacity(64),
            held: Vec::with_capacity(64),
        }
    }

    /// As [`Operator::connect`](crate::Operator::connect).
    pub(super) fn connect(&mut self, supplies: &mut impl Supplies)
    where
        K: Send + 'static,
        T: Send + 'static,
    {
        self.chunks.connect(supplies);
        self.runs.connect(supplies);
    }

    /// As [`Operator::prepare`](crate::Operator::prepare), if a new slice is divided like this.
    pub(super) fn prepare(&mut self, records: usize, division: Division) -> Prepared {
        // They may begin a slice, besides the one that others of them go on with.
        let begun = records.min(2 * division.partitions());
        let needed = records / CHUNK_LENGTH + begun;
        let chunks = |more: usize| self.next.len() + more.saturating_sub(self.freed);
        // Memory takes a while to come: the more of it is in use, the more is on its way.
        let ahead = 1 + self.next.len() / 8;
        let sufficient = self.chunks.prepare(chunks(needed), chunks(needed + ahead));
        let slices = |more: usize| self.held.len() + more.saturating_sub(self.spare.len());
        sufficient.and(self.runs.prepare(slices(1), slices(2 + self.held.len() / 4)))
    }

    /// Begins a slice.
    pub(super) fn begin(&mut self, division: Division) -> Runs {
        let number = self.spare.pop().unwrap_or_else(|| self.further_runs());
        let runs = self.runs.chunk(number.0 as usize);
        debug_assert!(runs.is_empty(), "their records have been dropped");
        runs.extend((0..division.partitions()).map(|_| Run::EMPTY));
        self.held[number.0 as usize] = 0;
        number
    }

    #[cold]
    fn further_runs(&mut self) -> Runs {
        let number = self.held.len();
        if number == self.runs.len() {
            self.runs.grow();
        }
        self.held.push(0);
        Runs(u32::try_from(number).expect("fewer than 2^32 slices"))
    }

    /// Turns to the runs that records are to be added to.
    pub(super) fn open(&mut self, runs: Runs) {
        self.close();
        std::mem::swap(&mut self.open, self.runs.chunk(runs.0 as usize));
        self.opened = runs;
    }

    /// Turns away from them. Nothing else can be done until then.
    pub(super) fn close(&mut self) {
        if let Some(runs) = self.runs.get_mut(self.opened.0 as usize) {
            std::mem::swap(&mut self.open, runs);
            self.opened = Runs::NONE;
        }
    }

    /// Adds a record, made by `make`, that came after all others of its slice.
    ///
    /// It is made where it is to lie: one that is handed on would be written twice.
    #[inline(always)]
    pub(super) fn push(&mut self, partition: usize, make: impl FnOnce() -> Node<K, T>) {
        let nodes = &mut self.open[partition].nodes;
        if nodes.len() < nodes.capacity() {
            nodes.push(make());
        } else {
            self.lengthen(partition).push(make());
        }
    }

    /// Has a run's last chunk at hand, or a further one if it is full.
    #[inline(never)]
    fn lengthen(&mut self, partition: usize) -> &mut Vec<Node<K, T>> {
        self.open[partition].settle(&mut self.chunks);
        let mut last = self.open[partition].last;
        if self.chunks.get_mut(last as usize).is_none_or(|nodes| nodes.len() == CHUNK_LENGTH) {
            last = self.append(partition);
        }
        let nodes = std::mem::take(self.chunks.chunk(last as usize));
        assert_eq!(nodes.capacity(), CHUNK_LENGTH, "memory is made to measure");
        self.open[partition].nodes = nodes;
        &mut self.open[partition].nodes
    }

    /// Gives a run a further chunk.
    fn append(&mut self, partition: usize) -> u32 {
        let chunk = self.further_chunk();
        self.held[self.opened.0 as usize] += 1;
        let run = &mut self.open[partition];
        let before = std::mem::replace(&mut run.last, chunk);
        match self.next.get_mut(before as usize) {
            Some(next) => *next = chunk,
            None => run.first = chunk,
        }
        chunk
    }

    /// A chunk that is in no run.
    fn further_chunk(&mut self) -> u32 {
        let chunk = self.free;
        if let Some(next) = self.next.get_mut(chunk as usize) {
            self.free = std::mem::replace(next, NOWHERE);
            self.freed -= 1;
            return chunk;
        }
        let further = self.next.len();
        if further == self.chunks.len() {
            self.chunks.grow();
        }
        self.next.push(NOWHERE);
        let number = u32::try_from(further).ok().filter(|_| further < CHUNKS_MAX);
        number.expect("fewer than 2^32 records at once")
    }

    /// About how many records a slice holds that is divided like this.
    pub(super) fn records(&self, runs: Runs, division: Division) -> usize {
        let held = self.held[runs.0 as usize];
        // The last chunk of a run is half full, on average.
        held * CHUNK_LENGTH - division.partitions().min(held) * (CHUNK_LENGTH / 2)
    }

    /// Adds the chunks of some runs of a slice, in order.
    pub(super) fn gather(
        &mut self,
        runs: Runs,
        partitions: std::ops::Range<usize>,
        closed: u32,
        stretches: &mut Vec<Stretch>,
    ) {
        for run in &mut self.runs.chunk(runs.0 as usize)[partitions] {
            run.settle(&mut self.chunks);
            let mut chunk = run.first;
            while let Some(next) = self.next.get(chunk as usize) {
                stretches.push(Stretch { chunk, closed });
                chunk = *next;
            }
        }
    }

    /// The records of a chunk, in order of arrival.
    #[inline(always)]
    pub(super) fn nodes(&self, stretch: Stretch) -> &[Node<K, T>] {
        self.chunks.values(stretch.chunk as usize)
    }

    #[inline(always)]
    pub(super) fn node(&self, link: Link) -> &Node<K, T> {
        self.chunks.at(link.0 as usize)
    }

    /// Drops the records of a slice.
    pub(super) fn release(&mut self, runs: Runs) {
        for mut run in self.runs.chunk(runs.0 as usize).drain(..) {
            run.settle(&mut self.chunks);
            let mut chunk = run.first;
            while let Some(next) = self.next.get_mut(chunk as usize) {
                self.chunks.chunk(chunk as usize).clear();
                let after = std::mem::replace(next, self.free);
                self.free = std::mem::replace(&mut chunk, after);
                self.freed += 1;
            }
        }
        self.spare.push(runs);
    }

    /// The number of records.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let at_hand = self.runs.iter().chain(&self.open).map(|run| run.nodes.len());
        self.chunks.iter().count() + at_hand.sum::<usize>()
    }

    /// The number of chunks and of slices' runs that there is memory for.
    #[cfg(test)]
    pub(super) fn memory(&self) -> (usize, usize) {
        (self.chunks.len(), self.runs.len())
    }

    /// The number of chunks that have been used.
    #[cfg(test)]
    pub(super) fn chunks(&self) -> usize {
        self.next.len()
    }
}
