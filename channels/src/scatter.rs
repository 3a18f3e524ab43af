//! Filling several buffers at once.

use std::{array, ops::Range, ptr};

/// Appends each item to the vector of the number that `place` says, counted from zero, up to the end of the items (`None`) or up to
/// one for which there is no room below its vector's limit, or no such vector: that comes back with its number. A vector's limit is
/// cut to what it has memory for. There may be `N` vectors at the most; of more, the others are not looked at.
///
/// As [`fill`](crate::fill) this leaves the vectors' lengths alone until it is done: where the next item of each goes is kept in one
/// place. Should the iterator or `place` panic, all items before that are where they belong. With items that have no size it does not
/// compile.
///
/// ```
/// use nacreous_channels::scatter;
///
/// let mut parities = [Vec::with_capacity(8), Vec::with_capacity(8)];
/// let mut numbers = 1..10;
/// let vecs = parities.iter_mut().map(|vec| (vec, 3));
/// let rest = scatter::<_, 2>(vecs, &mut numbers, |n| n % 2);
/// assert_eq!(rest, Some((1, 7)));
/// assert_eq!(parities, [vec![2, 4, 6], vec![1, 3, 5]]);
/// assert_eq!(numbers, 8..10);
/// ```
// HOT(scatter)
#[inline(always)]
pub fn scatter<'a, T: 'a, const N: usize>(
    vecs: impl Iterator<Item = (&'a mut Vec<T>, usize)>,
    items: &mut impl Iterator<Item = T>,
    place: impl Fn(&T) -> usize,
) -> Option<(usize, T)> {
    const { assert!(size_of::<T>() > 0, "items without size cannot be counted by where the next one goes") };
    let mut vecs = vecs.fuse();
    let mut filled = Filled { vecs: array::from_fn(|_| None), cursors: [Cursor::NONE; N] };
    for (place, cursor) in filled.vecs.iter_mut().zip(&mut filled.cursors) {
        let Some((vec, limit)) = vecs.next() else { break };
        let room = limit.saturating_sub(vec.len());
        let spare = vec.spare_capacity_mut();
        let usable = room.min(spare.len());
        let open = &mut spare[..usable];
        let Range { start, end } = open.as_mut_ptr_range();
        *cursor = Cursor { next: start.cast::<T>(), end: end.cast::<T>() };
        *place = Some((vec, start.cast::<T>()));
    }
    for item in items {
        let at = place(&item);
        let Some(cursor) = filled.cursors.get_mut(at).filter(|cursor| cursor.next < cursor.end) else {
            return Some((at, item));
        };
        // SAFETY: from `next` up to `end` there are spare places, and one at least. They are the vector's, which is left alone until
        // `filled` is dropped, so its memory has not moved.
        unsafe { cursor.next.write(item) };
        // SAFETY: the place behind one of the vector's is in its memory, or at its end.
        cursor.next = unsafe { cursor.next.add(1) };
    }
    None
}

/// Where the next item of a vector goes.
#[derive(Debug)]
struct Cursor<T> {
    next: *mut T,
    /// Behind the last place that may be used.
    end: *mut T,
}

impl<T> Cursor<T> {
    /// Of no vector.
    const NONE: Self = Self { next: ptr::null_mut(), end: ptr::null_mut() };
}

impl<T> Clone for Cursor<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Cursor<T> {}

/// Tells the vectors what has been written behind their ends, even if somebody panics.
struct Filled<'a, T, const N: usize> {
    /// Each with where its spare places began.
    vecs: [Option<(&'a mut Vec<T>, *mut T)>; N],
    cursors: [Cursor<T>; N],
}

impl<T, const N: usize> Drop for Filled<'_, T, N> {
    #[inline(always)]
    fn drop(&mut self) {
        for (vec, cursor) in self.vecs.iter_mut().zip(self.cursors) {
            let Some((vec, begin)) = vec else { break };
            // SAFETY: `next` has come from `begin`, which is in the vector's memory, forward by whole items in the same memory, or not at
            // all.
            let length = vec.len() + unsafe { cursor.next.offset_from_unsigned(*begin) };
            // SAFETY: this many items have been written from the old end on, within the capacity.
            unsafe { vec.set_len(length) };
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::scatter;
    use crate::ledger::{Ledger, panics};

    #[test]
    fn each_item_goes_where_it_belongs_and_what_has_no_room_comes_back() {
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let vecs = random.usize(1..6);
            let limits: Vec<usize> = (0..vecs).map(|_| random.usize(0..30)).collect();
            let mut found: Vec<Vec<u32>> =
                limits.iter().map(|_| Vec::with_capacity(random.usize(0..30))).collect();
            let room: Vec<usize> =
                found.iter().zip(&limits).map(|(vec, limit)| *limit.min(&vec.capacity())).collect();
            let mut expected = vec![Vec::new(); vecs];
            let items: Vec<u32> = (0..random.u32(0..100)).collect();
            let places: Vec<usize> = items.iter().map(|_| random.usize(0..vecs)).collect();
            let refused = items.iter().find(|item| {
                let at = places[**item as usize];
                let has_room = expected[at].len() < room[at];
                if has_room {
                    expected[at].push(**item);
                }
                !has_room
            });
            let mut rest = items.iter().copied();
            let open = found.iter_mut().zip(limits.iter().copied());
            let came_back = scatter::<_, 5>(open, &mut rest, |item| places[*item as usize]);
            assert_eq!(came_back, refused.map(|item| (places[*item as usize], *item)), "seed {seed}");
            assert_eq!(found, expected, "seed {seed}");
            let behind = refused.map_or(items.len(), |item| *item as usize + 1);
            assert!(rest.eq(items[behind..].iter().copied()), "seed {seed}");
        }
    }

    #[test]
    fn an_item_for_a_vector_that_there_is_not_comes_back() {
        let mut vec = Vec::with_capacity(4);
        fn one(vec: &mut Vec<usize>) -> impl Iterator<Item = (&mut Vec<usize>, usize)> {
            std::iter::once((vec, 4))
        }
        assert_eq!(
            scatter::<_, 2>(one(&mut vec), &mut [7].into_iter(), |_| 1),
            Some((1, 7)),
            "none was given"
        );
        assert_eq!(scatter::<_, 2>(one(&mut vec), &mut [7].into_iter(), |_| 9), Some((9, 7)), "none can be");
        let mut more = [Vec::with_capacity(4), Vec::with_capacity(4)];
        let both = more.iter_mut().map(|vec| (vec, 4));
        assert_eq!(scatter::<_, 1>(both, &mut [7, 8].into_iter(), |item| item - 7), Some((1, 8)));
        assert_eq!(more, [vec![7], vec![]]);
    }

    #[test]
    fn items_before_a_panic_are_in_their_vectors_and_each_is_dropped_once() {
        let ledger = Ledger::default();
        let mut found = [Vec::with_capacity(8), Vec::with_capacity(8)];
        let mut items = (0..8).map(|n| if n == 5 { panic!("on purpose") } else { ledger.entry(false) });
        let turn = std::cell::Cell::new(0);
        let place = |_: &_| {
            turn.set(turn.get() + 1);
            turn.get() % 2
        };
        let open = found.iter_mut().map(|vec| (vec, 8));
        assert!(panics(|| _ = scatter::<_, 2>(open, &mut items, place)));
        assert_eq!(found.each_ref().map(Vec::len), [2, 3]);
        drop(found);
        ledger.assert_each_dropped_once(5);

        let mut found = [Vec::with_capacity(8)];
        let open = found.iter_mut().map(|vec| (vec, 8));
        let place = |item: &u32| if *item == 3 { panic!("on purpose") } else { 0 };
        assert!(panics(|| _ = scatter::<_, 1>(open, &mut (0..8), place)));
        assert_eq!(found, [vec![0, 1, 2]]);
    }
}
