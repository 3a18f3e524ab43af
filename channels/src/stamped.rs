//! A slot that says by a stamp whether it holds a value.

use std::{mem::MaybeUninit, ptr};

use crate::{
    slots::Window,
    sync::{AtomicUsize, Ordering},
};

/// A value and what is known of it. With the stamp in front, whoever finds it has the value's first line too.
#[repr(C)]
pub(crate) struct Stamped<T> {
    stamp: AtomicUsize,
    value: MaybeUninit<T>,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Stamped<[u64; 3]>>() == 32, "two records of 24 bytes to a line, none across");

impl<T> Stamped<T> {
    /// Slot `index` without a value, in its first lap.
    pub(crate) fn free(index: usize) -> Self {
        Self { stamp: AtomicUsize::new(index), value: MaybeUninit::uninit() }
    }
}

/// The stamp that says that slot `index` holds a value.
///
/// Not simply the next number: an optimizer that sees the stamp compared with that takes one for the other, and
/// then each slot's address waits for the stamp before it to arrive from the other core.
#[inline(always)]
pub(crate) fn filled(index: usize) -> usize {
    !index
}

/// How many slots a receiver takes before it hands them back, less one: an eighth of all, at least one.
pub(crate) const fn handful(capacity: usize) -> usize {
    match capacity / 8 {
        0 => 0,
        eighth => eighth - 1,
    }
}

impl<T> Window<Stamped<T>> {
    /// The stamp of the slot with the free-running number `index`.
    ///
    /// # Safety
    /// The slot was made.
    #[inline(always)]
    pub(crate) unsafe fn stamp(&self, index: usize) -> &AtomicUsize {
        // SAFETY: the slot lies within the allocation.
        let stamp = unsafe { &raw const (*self.slot(index)).stamp };
        // SAFETY: by the caller's promise it is there, and a stamp is only ever accessed as an atomic.
        unsafe { &*stamp }
    }

    /// Where the value of the slot with the free-running number `index` lies.
    #[inline(always)]
    pub(crate) fn value(&self, index: usize) -> *mut T {
        // SAFETY: the slot lies within the allocation.
        unsafe { &raw mut (*self.slot(index)).value }.cast()
    }
}

/// The values that nobody took, when nobody can reach them any more.
pub(crate) struct Untaken<T> {
    slots: Window<Stamped<T>>,
    next: usize,
}

impl<T> Untaken<T> {
    /// Drops the values from slot `next` on; all of them, also if one panics.
    ///
    /// # Safety
    /// The slots were made, nobody else can reach them, and their values are not used again.
    pub(crate) unsafe fn drop_all(slots: Window<Stamped<T>>, next: usize) {
        Self { slots, next }.drop_rest();
    }

    fn drop_rest(&mut self) {
        loop {
            // SAFETY: the slots were made.
            let stamp = unsafe { self.slots.stamp(self.next) };
            // ORDERING(drop): Relaxed; read by the last owner, after `Arc` has ordered it behind all others
            if stamp.load(Ordering::Relaxed) != filled(self.next) {
                return;
            }
            let value = self.slots.value(self.next);
            self.next = self.next.wrapping_add(1);
            // SAFETY: the stamp says that the slot holds a value; `next` has passed it, so this is done once.
            unsafe { ptr::drop_in_place(value) };
        }
    }
}

impl<T> Drop for Untaken<T> {
    /// Goes on behind a value that panicked when it was dropped.
    fn drop(&mut self) {
        self.drop_rest();
    }
}
