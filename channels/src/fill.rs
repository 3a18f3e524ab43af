//! Filling the buffers that slots hold.

use std::mem::MaybeUninit;

/// Appends items to a vector until it holds `limit` of them, or as many as it has memory for; whether the iterator
/// came to its end before that.
///
/// One by one with `push`, each item would read the vector's length back that the one before it has written: in a loop
/// of a few instructions an item, that wait is most of the loop. Here the length stays in a register. Should the
/// iterator panic, all items before that are in the vector.
///
/// ```
/// use nacreous_channels::fill;
///
/// let mut numbers = Vec::with_capacity(8);
/// let mut more = 0..10;
/// assert!(!fill(&mut numbers, 6, &mut more));
/// assert_eq!((numbers.len(), more.next()), (6, Some(6)));
/// assert!(fill(&mut numbers, 8, &mut (7..8)));
/// assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 7]);
/// ```
// HOT(fill)
#[inline(always)]
pub fn fill<T>(vec: &mut Vec<T>, limit: usize, items: &mut impl Iterator<Item = T>) -> bool {
    let before = vec.len();
    let room = limit.saturating_sub(before);
    let spare = vec.spare_capacity_mut();
    let room = room.min(spare.len());
    let first = spare.as_mut_ptr();
    let mut filled = Filled { vec, before, count: 0 };
    while filled.count < room {
        let Some(item) = items.next() else { return true };
        // SAFETY: `count` is less than `room`, which is at most the number of spare places from `first` on.
        let place = unsafe { first.add(filled.count) };
        // SAFETY: that place is the vector's, and holds nothing yet. The vector is left alone until `filled` is dropped, so
        // its memory has not moved.
        unsafe { place.write(MaybeUninit::new(item)) };
        filled.count += 1;
    }
    false
}

/// Tells the vector what has been written behind its end, even if the iterator panics.
struct Filled<'a, T> {
    vec: &'a mut Vec<T>,
    before: usize,
    count: usize,
}

impl<T> Drop for Filled<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: this many items from the old end on have been written, within the capacity.
        unsafe { self.vec.set_len(self.before + self.count) };
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::fill;
    use crate::ledger::{Ledger, panics};

    #[test]
    fn it_stops_at_the_limit_at_the_capacity_or_at_the_end() {
        let mut numbers = Vec::with_capacity(4);
        numbers.push(0);
        let capacity = numbers.capacity();
        let mut more = 1..100;
        assert!(!fill(&mut numbers, 3, &mut more), "the limit");
        assert_eq!(numbers, [0, 1, 2]);
        assert!(!fill(&mut numbers, 2, &mut more), "it is beyond that already");
        assert!(!fill(&mut numbers, usize::MAX, &mut more), "the memory");
        assert_eq!((numbers.len(), numbers.capacity()), (capacity, capacity));
        assert_eq!(more.next(), Some(i32::try_from(capacity).unwrap()), "nothing is lost in between");
        numbers.clear();
        assert!(fill(&mut numbers, 4, &mut [7, 8].into_iter()), "the end");
        assert_eq!(numbers, [7, 8]);
        assert!(!fill(&mut numbers, 2, &mut [9].into_iter()), "whether there is more is not looked for");
        assert!(fill(&mut vec![(); 3], usize::MAX, &mut [(), ()].into_iter()), "what takes no room has room");
    }

    #[test]
    fn items_before_a_panic_are_in_the_vector_and_each_is_dropped_once() {
        let ledger = Ledger::default();
        let mut entries = Vec::with_capacity(8);
        let mut items = (0..8).map(|n| if n == 5 { panic!("on purpose") } else { ledger.entry(false) });
        assert!(panics(|| _ = fill(&mut entries, 8, &mut items)));
        assert_eq!(entries.len(), 5);
        drop(entries);
        ledger.assert_each_dropped_once(5);
    }
}
