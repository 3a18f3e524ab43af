//! A slot that says by a stamp whether it holds a value.

use std::mem::MaybeUninit;

use crate::{slots::Window, sync::AtomicUsize};

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
