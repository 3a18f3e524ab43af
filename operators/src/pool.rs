//! Memory for values that come and go one by one, and whose number is not known.

use std::num::NonZeroU32;

use crate::{Block, Prepared, Supplies, state::touched, supply::Stock};

/// Where a value lies in its pool. (Counted from one, so that an optional place is no larger.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(NonZeroU32);

/// Cells used again and again. What is taken out leaves a cell for what comes next.
///
/// It grows ahead of need if [`prepare`](Self::prepare) is called and heeded, else a value may have to wait for the
/// allocator.
#[derive(Debug)]
pub(crate) struct Pool<T> {
    /// All of one length; the last ones may be empty, or half so. A pool grows without moving what is in it.
    chunks: Vec<Vec<Cell<T>>>,
    free: Option<Place>,
    /// How many cells are free, those never used included.
    room: usize,
    /// How many cells have been used.
    used: usize,
    stock: Stock<PoolBlock<T>, PoolWant>,
    /// How many chunks have been asked for that are not here yet.
    awaited: usize,
    /// Whether a longer list has been asked for that is not here yet.
    list_awaited: bool,
}

/// Memory that a pool grows into.
pub(crate) enum PoolBlock<T> {
    /// A further chunk.
    Chunk(Vec<Cell<T>>),
    /// A longer list of chunks, empty.
    List(Vec<Vec<Cell<T>>>),
}

/// Memory that a pool asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PoolWant {
    Chunk,
    List(usize),
}

impl<T> PoolBlock<T> {
    fn make(want: PoolWant) -> Self {
        match want {
            PoolWant::Chunk => Self::Chunk(touched(CHUNK_LENGTH)),
            PoolWant::List(length) => Self::List(touched(length)),
        }
    }
}

impl<T: Send + 'static> Block for PoolBlock<T> {
    type Want = PoolWant;

    fn make(want: PoolWant) -> Self {
        Self::make(want)
    }
}

#[derive(Debug)]
pub(crate) enum Cell<T> {
    Taken(T),
    /// And the free cell after it.
    Free(Option<Place>),
}

/// Cells in a chunk.
const CHUNK_LENGTH: usize = 1_024;

/// Chunks that there is room for in the list of a new pool.
const INITIAL_CHUNKS: usize = 64;

impl<T> Pool<T> {
    pub(crate) fn new() -> Self {
        let mut chunks = Vec::with_capacity(INITIAL_CHUNKS);
        chunks.push(touched(CHUNK_LENGTH));
        let stock = Stock::on_the_spot(PoolBlock::make);
        Self { chunks, free: None, room: CHUNK_LENGTH, used: 0, stock, awaited: 0, list_awaited: false }
    }

    /// As [`Operator::connect`](crate::Operator::connect).
    pub(crate) fn connect(&mut self, supplies: &mut impl Supplies)
    where
        T: Send + 'static,
    {
        self.stock.connect(supplies);
    }

    /// As [`Operator::prepare`](crate::Operator::prepare), for so many values.
    pub(crate) fn prepare(&mut self, values: usize) -> Prepared {
        self.take_in();
        // A chunk more than needed now, so that it is here when it is.
        while self.room + self.awaited * CHUNK_LENGTH < values + CHUNK_LENGTH / 2 {
            if !self.ask_for_chunk() {
                break;
            }
            self.take_in();
        }
        if self.room < values { Prepared::Waiting } else { Prepared::Ready }
    }

    /// Puts a value where there is room; allocates a thousand cells if there is none.
    ///
    /// # Panics
    /// At 2³² values at once.
    #[inline]
    pub(crate) fn insert(&mut self, value: T) -> Place {
        let Some(place) = self.free else { return self.append(value) };
        let cell = self.cell(place);
        let Cell::Free(next) = *cell else { unreachable!("a place on the free list is taken") };
        *cell = Cell::Taken(value);
        self.free = next;
        self.room -= 1;
        place
    }

    /// Takes out the value at a place, which it then loses.
    #[inline]
    pub(crate) fn remove(&mut self, place: Place) -> T {
        let free = Cell::Free(self.free.replace(place));
        self.room += 1;
        match std::mem::replace(self.cell(place), free) {
            Cell::Taken(value) => value,
            Cell::Free(_) => unreachable!("a place is emptied twice"),
        }
    }

    #[inline]
    pub(crate) fn get(&self, place: Place) -> &T {
        let (chunk, cell) = position(place);
        match &self.chunks[chunk][cell] {
            Cell::Taken(value) => value,
            Cell::Free(_) => unreachable!("a place is used after it was emptied"),
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, place: Place) -> &mut T {
        match self.cell(place) {
            Cell::Taken(value) => value,
            Cell::Free(_) => unreachable!("a place is used after it was emptied"),
        }
    }

    #[inline]
    fn cell(&mut self, place: Place) -> &mut Cell<T> {
        let (chunk, cell) = position(place);
        &mut self.chunks[chunk][cell]
    }

    /// Puts a value into a cell that has never been used.
    fn append(&mut self, value: T) -> Place {
        if self.used == self.chunks.len() * CHUNK_LENGTH {
            self.make_room();
        }
        self.chunks[self.used / CHUNK_LENGTH].push(Cell::Taken(value));
        self.used += 1;
        self.room -= 1;
        let nth = u32::try_from(self.used).ok();
        Place(nth.and_then(NonZeroU32::new).expect("fewer than 2^32 values at once"))
    }

    /// Asks for a chunk, or for what it takes to have one more; false if that cannot be asked now.
    fn ask_for_chunk(&mut self) -> bool {
        if self.chunks.len() + self.awaited == self.chunks.capacity() {
            let asked = !self.list_awaited && self.stock.ask(PoolWant::List(self.chunks.capacity() * 2));
            self.list_awaited |= asked;
            return asked;
        }
        let asked = self.stock.ask(PoolWant::Chunk);
        self.awaited += usize::from(asked);
        asked
    }

    fn take_in(&mut self) {
        while let Some(block) = self.stock.take() {
            match block {
                PoolBlock::Chunk(chunk) => {
                    self.awaited -= 1;
                    self.room += CHUNK_LENGTH;
                    self.chunks.push(chunk);
                }
                PoolBlock::List(mut longer) => {
                    self.list_awaited = false;
                    longer.append(&mut self.chunks);
                    let shorter = std::mem::replace(&mut self.chunks, longer);
                    self.stock.give_back(PoolBlock::List(shorter));
                }
            }
        }
    }

    /// Makes room on the spot, which is a stall: only where nobody prepared for it.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self) {
        self.take_in();
        if self.used == self.chunks.len() * CHUNK_LENGTH {
            self.chunks.push(touched(CHUNK_LENGTH));
            self.room += CHUNK_LENGTH;
        }
    }

    /// The number of values in it.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.chunks.iter().flatten().filter(|cell| matches!(cell, Cell::Taken(_))).count()
    }

    /// The number of cells there have ever been.
    #[cfg(test)]
    pub(crate) fn cells(&self) -> usize {
        self.chunks.iter().map(Vec::len).sum()
    }
}

/// The chunk a place lies in, and where in it.
#[inline]
fn position(place: Place) -> (usize, usize) {
    let index = place.0.get() as usize - 1;
    (index / CHUNK_LENGTH, index % CHUNK_LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supply::tests::{Late, Never};

    #[test]
    fn whoever_heeds_it_never_makes_room_on_the_spot() {
        for most in [10, 5_000, 200_000] {
            let mut random = fastrand::Rng::with_seed(most as u64);
            let mut pool = Pool::new();
            pool.connect(&mut Late::new(most as u64));
            let mut count = 0;
            while count < most {
                let more = random.usize(1..600);
                while pool.prepare(more) == Prepared::Waiting {}
                let (chunks, list) = (pool.chunks.len(), pool.chunks.capacity());
                (0..more).for_each(|n| _ = pool.insert(n));
                assert_eq!((pool.chunks.len(), pool.chunks.capacity()), (chunks, list));
                count += more;
            }
            assert_eq!(pool.len(), count);
        }
    }

    #[test]
    fn a_pool_that_gets_nothing_makes_do() {
        let mut pool = Pool::new();
        pool.connect(&mut Never);
        assert_eq!(pool.prepare(2_000), Prepared::Waiting);
        let places: Vec<_> = (0..5_000).map(|n| pool.insert(n)).collect();
        assert!(places.into_iter().enumerate().all(|(n, place)| pool.remove(place) == n));
    }

    #[test]
    fn values_stay_where_they_were_put_and_cells_are_used_again() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut pool = Pool::new();
        let mut oracle: Vec<(Place, u64)> = Vec::new();
        let mut most = 0;
        pool.connect(&mut Late::new(7));
        for n in 0..100_000 {
            let more = random.usize(0..1_500);
            while n % 1_000 == 0 && pool.prepare(more) == Prepared::Waiting {}
            if random.usize(0..3_000) > oracle.len() {
                oracle.push((pool.insert(n), n));
            } else if !oracle.is_empty() {
                let (place, value) = oracle.swap_remove(random.usize(0..oracle.len()));
                assert_eq!(pool.remove(place), value);
            }
            let any = random.usize(0..=oracle.len());
            if let Some((place, value)) = oracle.get_mut(any) {
                assert_eq!(pool.get(*place), value);
                *value += 1;
                *pool.get_mut(*place) += 1;
            }
            most = most.max(oracle.len());
        }
        assert_eq!(pool.len(), oracle.len());
        assert_eq!(pool.cells(), most, "no more cells than there were values at once");
        let enough = (most + 1_500).div_ceil(CHUNK_LENGTH) + 1;
        assert!(pool.chunks.len() <= enough, "{} chunks", pool.chunks.len());
        assert_eq!(size_of::<Option<Place>>(), 4);
    }
}
