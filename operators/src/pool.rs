//! Memory for values that come and go one by one, and whose number is not known.

use std::num::NonZeroU32;

/// Where a value lies in its pool. (Counted from one, so that an optional place is no larger.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(NonZeroU32);

/// Cells used again and again. What is taken out leaves a cell for what comes next.
#[derive(Debug)]
pub(crate) struct Pool<T> {
    /// All of one length but the last: a pool grows without moving what is in it.
    chunks: Vec<Vec<Cell<T>>>,
    free: Option<Place>,
}

#[derive(Debug)]
enum Cell<T> {
    Taken(T),
    /// And the free cell after it.
    Free(Option<Place>),
}

/// Cells in a chunk.
const CHUNK_LENGTH: usize = 1_024;

impl<T> Pool<T> {
    pub(crate) fn new() -> Self {
        Self { chunks: vec![Vec::with_capacity(CHUNK_LENGTH)], free: None }
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
        place
    }

    /// Takes out the value at a place, which it then loses.
    #[inline]
    pub(crate) fn remove(&mut self, place: Place) -> T {
        let free = Cell::Free(self.free.replace(place));
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

    fn append(&mut self, value: T) -> Place {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK_LENGTH) {
            self.chunks.push(Vec::with_capacity(CHUNK_LENGTH));
        }
        let chunk = self.chunks.len() - 1;
        self.chunks[chunk].push(Cell::Taken(value));
        let nth = u32::try_from(chunk * CHUNK_LENGTH + self.chunks[chunk].len()).ok();
        Place(nth.and_then(NonZeroU32::new).expect("fewer than 2^32 values at once"))
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

    #[test]
    fn values_stay_where_they_were_put_and_cells_are_used_again() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut pool = Pool::new();
        let mut oracle: Vec<(Place, u64)> = Vec::new();
        let mut most = 0;
        for n in 0..100_000 {
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
        assert_eq!(size_of::<Option<Place>>(), 4);
    }
}
