//! Memory for values that come and go one by one, and whose number is not known.

mod chunks;

pub(crate) use chunks::Chunks;

use std::num::NonZeroU32;

use crate::{Prepared, Supplies};

/// Where a value lies in its pool. (Counted from one, so that an optional place is no larger.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(NonZeroU32);

impl Place {
    /// Its number, for what can keep numbers only.
    pub(crate) fn number(self) -> u32 {
        self.0.get()
    }

    /// The place with this [number](Self::number).
    pub(crate) fn numbered(number: u32) -> Self {
        Self(NonZeroU32::new(number).expect("places are counted from one"))
    }
}

/// Cells used again and again. What is taken out leaves a cell for what comes next.
///
/// It grows ahead of need if [`prepare`](Self::prepare) is called and heeded, else a value may have to wait for the
/// allocator.
#[derive(Debug)]
pub(crate) struct Pool<T> {
    cells: Chunks<Cell<T>, CHUNK_LENGTH>,
    free: Option<Place>,
    /// How many cells have been used.
    used: usize,
    /// How many of them are free.
    freed: usize,
}

#[derive(Debug)]
pub(crate) enum Cell<T> {
    Taken(T),
    /// And the free cell after it.
    Free(Option<Place>),
}

/// Cells in a chunk.
const CHUNK_LENGTH: usize = 1_024;

impl<T> Pool<T> {
    pub(crate) fn new() -> Self {
        Self { cells: Chunks::new(), free: None, used: 0, freed: 0 }
    }

    /// As [`Operator::connect`](crate::Operator::connect).
    pub(crate) fn connect(&mut self, supplies: &mut impl Supplies)
    where
        T: Send + 'static,
    {
        self.cells.connect(supplies);
    }

    /// As [`Operator::prepare`](crate::Operator::prepare), for so many values.
    pub(crate) fn prepare(&mut self, values: usize) -> Prepared {
        let chunks = |values: usize| (self.used + values.saturating_sub(self.freed)).div_ceil(CHUNK_LENGTH);
        // A chunk more than needed now, so that it is here when it is.
        self.cells.prepare(chunks(values), chunks(values + CHUNK_LENGTH / 2))
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
        self.freed -= 1;
        place
    }

    /// Takes out the value at a place, which it then loses.
    #[inline]
    pub(crate) fn remove(&mut self, place: Place) -> T {
        let free = Cell::Free(self.free.replace(place));
        self.freed += 1;
        match std::mem::replace(self.cell(place), free) {
            Cell::Taken(value) => value,
            Cell::Free(_) => unreachable!("a place is emptied twice"),
        }
    }

    #[inline]
    pub(crate) fn get(&self, place: Place) -> &T {
        match self.cells.at(index(place)) {
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

    /// The value at a place, unless it has been taken out. (There may be another one there since.)
    pub(crate) fn find_mut(&mut self, place: Place) -> Option<&mut T> {
        match self.cell(place) {
            Cell::Taken(value) => Some(value),
            Cell::Free(_) => None,
        }
    }

    #[inline]
    fn cell(&mut self, place: Place) -> &mut Cell<T> {
        self.cells.at_mut(index(place))
    }

    /// Puts a value into a cell that has never been used.
    fn append(&mut self, value: T) -> Place {
        if self.used == self.cells.len() * CHUNK_LENGTH {
            self.cells.grow();
        }
        self.cells.chunk(self.used / CHUNK_LENGTH).push(Cell::Taken(value));
        self.used += 1;
        let nth = u32::try_from(self.used).ok();
        Place(nth.and_then(NonZeroU32::new).expect("fewer than 2^32 values at once"))
    }

    /// The number of values in it.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.used - self.freed
    }

    /// How many chunks there are, and how many there is a list for.
    #[cfg(test)]
    pub(crate) fn room(&self) -> (usize, usize) {
        (self.cells.len(), self.cells.list_capacity())
    }

    /// The number of cells there have ever been.
    #[cfg(test)]
    pub(crate) fn cells(&self) -> usize {
        self.cells.iter().count()
    }
}

/// Which cell it is, from the first of the first chunk on.
#[inline]
fn index(place: Place) -> usize {
    place.0.get() as usize - 1
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
                let room = pool.room();
                (0..more).for_each(|n| _ = pool.insert(n));
                assert_eq!(pool.room(), room);
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
        assert!(pool.cells.len() <= enough, "{} chunks", pool.cells.len());
        assert_eq!(size_of::<Option<Place>>(), 4);
    }
}
