//! The memory under a ring: a power of two of slots, on cache lines that nothing else shares.

use std::{
    alloc::{self, Layout},
    cell::UnsafeCell,
    marker::PhantomData,
    ptr::{self, NonNull},
};

use crossbeam_utils::CachePadded;

/// What two threads must keep between what they write, in bytes: two cache lines on x86-64, whose prefetcher
/// fetches lines in pairs, and as much on aarch64.
pub(crate) const LINE: usize = align_of::<CachePadded<u8>>();

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const _: () = assert!(LINE == 128, "counters and slots are laid out for pairs of 64-byte lines");

/// The size of a huge page, in bytes, and the alignment of memory that is large enough to fill one.
const HUGE_PAGE: usize = 2 << 20;

/// Why the kernel was not asked for huge pages, or would not hear of it. The ring works all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotAdvised {
    /// The slots do not fill one huge page.
    #[error(
        "the ring has {bytes} bytes of slots, and a huge page is {HUGE_PAGE}: make it larger or leave it"
    )]
    TooSmall {
        /// What the slots take.
        bytes: usize,
    },
    /// Only Linux takes such advice.
    #[error("this system takes no advice about huge pages")]
    Unsupported,
    /// The kernel said no.
    #[error("the kernel takes no advice about huge pages (is transparent_hugepage set to `never`?)")]
    Refused(#[source] std::io::Error),
}

/// Uninitialised room for slots; whoever owns it knows which of them hold a value, and drops those.
pub(crate) struct Slots<S> {
    first: NonNull<S>,
    mask: usize,
    /// One cell for each slot: a model sees who touches it when, which raw memory does not show.
    #[cfg(loom)]
    watched: Box<[loom::cell::UnsafeCell<()>]>,
    /// Owns slots, and lets both sides of a ring write to them. So `S` is invariant: were it not, one side could be
    /// taken for that of a ring of shorter-lived values than the other side expects.
    owned: PhantomData<UnsafeCell<S>>,
}

impl<S> Slots<S> {
    /// Room for `capacity` slots, rounded up to a power of two (zero counts as one). No page of it is touched.
    ///
    /// # Panics
    /// If the rounded capacity, or its size in bytes, overflows `usize`.
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.checked_next_power_of_two().expect("the capacity fits in usize");
        let layout = layout_of::<S>(capacity).expect("the slots' size in bytes fits in isize");
        let first = match layout.size() {
            0 => NonNull::dangling(),
            // SAFETY: the size is not zero.
            _ => match NonNull::new(unsafe { alloc::alloc(layout) }) {
                Some(memory) => memory.cast(),
                None => alloc::handle_alloc_error(layout),
            },
        };
        Self {
            first,
            mask: capacity - 1,
            #[cfg(loom)]
            watched: (0..capacity).map(|_| loom::cell::UnsafeCell::new(())).collect(),
            owned: PhantomData,
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.mask + 1
    }

    /// Where the slots lie. It does not keep them alive: whoever has it keeps a share of the ring beside it.
    pub(crate) fn window(&self) -> Window<S> {
        Window { first: self.first, mask: self.mask }
    }

    /// Asks for huge pages where the memory is not touched yet.
    pub(crate) fn advise_huge_pages(&self) -> Result<(), NotAdvised> {
        let bytes = self.capacity() * size_of::<S>();
        if bytes < HUGE_PAGE {
            return Err(NotAdvised::TooSmall { bytes });
        }
        advise(self.first.as_ptr().cast(), bytes)
    }

    /// Tells a model that this thread reads and writes `count` slots from the one numbered `from`.
    #[cfg(loom)]
    pub(crate) fn watch_mut(&self, from: usize, count: usize) {
        if std::thread::panicking() {
            // The model has found a fault already, and a second panic would keep it from saying so.
            return;
        }
        for step in 0..count {
            self.watched[from.wrapping_add(step) & self.mask].with_mut(|_| ());
        }
    }

    /// Tells a model that this thread reads `count` slots from the one numbered `from`.
    #[cfg(loom)]
    pub(crate) fn watch(&self, from: usize, count: usize) {
        for step in 0..count {
            self.watched[from.wrapping_add(step) & self.mask].with(|_| ());
        }
    }

    #[cfg(not(loom))]
    #[inline(always)]
    pub(crate) fn watch_mut(&self, _: usize, _: usize) {}

    #[cfg(not(loom))]
    #[inline(always)]
    pub(crate) fn watch(&self, _: usize, _: usize) {}

    /// Drops the values in the first `count` slots; all of them, also if one panics.
    ///
    /// # Safety
    /// There are so many slots, they hold values, nobody else can reach them, and they are not used again.
    pub(crate) unsafe fn drop_values(&self, count: usize) {
        self.watch_mut(0, count);
        // SAFETY: by the caller's promise; dropping a slice goes on behind an element that panics.
        unsafe { ptr::drop_in_place(ptr::slice_from_raw_parts_mut(self.first.as_ptr(), count)) };
    }
}

impl<S> Drop for Slots<S> {
    fn drop(&mut self) {
        let layout = layout_of::<S>(self.capacity()).expect("as it was when the slots were made");
        if layout.size() > 0 {
            // SAFETY: allocated in `new` with this layout, and freed only here.
            unsafe { alloc::dealloc(self.first.as_ptr().cast(), layout) };
        }
    }
}

/// Where slots lie: what a handle needs to find one, without the way through the ring it belongs to.
pub(crate) struct Window<S> {
    first: NonNull<S>,
    mask: usize,
}

impl<S> Window<S> {
    #[inline(always)]
    pub(crate) fn capacity(&self) -> usize {
        self.mask.wrapping_add(1)
    }

    /// The slot with the free-running number `index`.
    #[inline(always)]
    pub(crate) fn slot(&self, index: usize) -> *mut S {
        // SAFETY: the mask keeps the index below the capacity, so the slot lies within the allocation, which
        // the handle that holds this keeps alive.
        unsafe { self.first.as_ptr().add(index & self.mask) }
    }

    /// The `count` slots, at most all, from the one numbered `from`, as two runs: the second begins where the
    /// memory wraps.
    #[inline(always)]
    pub(crate) fn runs(&self, from: usize, count: usize) -> (*mut [S], *mut [S]) {
        debug_assert!(count <= self.capacity(), "there are no more slots than that");
        let start = from & self.mask;
        let first = count.min(self.capacity() - start);
        let beginning = ptr::slice_from_raw_parts_mut(self.slot(start), first);
        (beginning, ptr::slice_from_raw_parts_mut(self.first.as_ptr(), count - first))
    }
}

/// The slots that one side of a ring knows to be its own: those numbered from `next` up to `end`.
pub(crate) struct Own<S> {
    pub(crate) slots: Window<S>,
    pub(crate) next: usize,
    pub(crate) end: usize,
}

impl<S> Own<S> {
    #[inline(always)]
    pub(crate) fn count(&self) -> usize {
        self.end.wrapping_sub(self.next)
    }

    /// The first of them.
    #[inline(always)]
    pub(crate) fn first(&self) -> *mut S {
        self.slots.slot(self.next)
    }

    /// The first `count` of them, as two runs.
    #[inline(always)]
    pub(crate) fn runs(&self, count: usize) -> (*mut [S], *mut [S]) {
        self.slots.runs(self.next, count)
    }

    /// Gives the first `count` of them away; the number that the next one has.
    #[inline(always)]
    pub(crate) fn give_away(&mut self, count: usize) -> usize {
        self.next = self.next.wrapping_add(count);
        self.next
    }
}

/// Slots begin on a line of their own, and no stranger's data follows on the line on which they end.
const fn layout_of<S>(capacity: usize) -> Option<Layout> {
    let Some(bytes) = size_of::<S>().checked_mul(capacity) else { return None };
    let Some(padded) = bytes.checked_next_multiple_of(LINE) else { return None };
    let aligned = if align_of::<S>() > LINE { align_of::<S>() } else { LINE };
    let aligned = if bytes >= HUGE_PAGE && aligned < HUGE_PAGE { HUGE_PAGE } else { aligned };
    match Layout::from_size_align(padded, aligned) {
        Ok(layout) => Some(layout),
        Err(_) => None,
    }
}

const _: () = {
    let Some(layout) = layout_of::<[u8; 24]>(2) else { panic!("48 bytes have a layout") };
    assert!(layout.size() == LINE && layout.align() == LINE, "slots have lines of their own");
};

#[cfg(all(target_os = "linux", not(miri)))]
fn advise(memory: *mut libc::c_void, bytes: usize) -> Result<(), NotAdvised> {
    // SAFETY: the range is our own allocation, aligned to a huge page; the advice changes no content.
    match unsafe { libc::madvise(memory, bytes, libc::MADV_HUGEPAGE) } {
        0 => Ok(()),
        _ => Err(NotAdvised::Refused(std::io::Error::last_os_error())),
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn advise(_: *mut std::ffi::c_void, _: usize) -> Result<(), NotAdvised> {
    Err(NotAdvised::Unsupported)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn slots_begin_on_a_line_of_their_own_and_fill_whole_lines() {
        fn check<S>() {
            for capacity in [1, 2, 3, 64, 1000, 100_000] {
                let slots = Slots::<S>::new(capacity);
                assert_eq!(slots.first.as_ptr().addr() % LINE, 0);
                let layout = layout_of::<S>(slots.capacity()).unwrap();
                assert_eq!(layout.size() % LINE, 0);
                assert!(layout.size() >= slots.capacity() * size_of::<S>());
            }
        }
        check::<u8>();
        check::<[u8; 24]>();
        check::<[u64; 40]>();
    }

    #[test]
    fn two_runs_cover_a_range_in_order_also_where_it_wraps() {
        let slots = Slots::<u32>::new(8);
        let all = slots.window();
        for from in [0, 3, 7, usize::MAX - 2] {
            for count in 0..=8 {
                let (first, second) = all.runs(from, count);
                assert_eq!(first.len() + second.len(), count);
                let addresses = (0..first.len()).map(|step| first.cast::<u32>().wrapping_add(step));
                let addresses =
                    addresses.chain((0..second.len()).map(|step| second.cast::<u32>().wrapping_add(step)));
                let expected = (0..count).map(|step| all.slot(from.wrapping_add(step)));
                assert!(addresses.eq(expected), "from {from}, {count} slots");
            }
        }
    }

    #[test]
    fn advice_about_huge_pages_is_for_rings_that_fill_one() {
        assert!(matches!(
            Slots::<u64>::new(1024).advise_huge_pages(),
            Err(NotAdvised::TooSmall { bytes: 8192 })
        ));
        let large = Slots::<u64>::new(HUGE_PAGE / 8);
        assert_eq!(large.first.as_ptr().addr() % HUGE_PAGE, 0);
        // Whether the kernel takes it depends on the machine; that it is asked does not change the slots.
        let advised = large.advise_huge_pages();
        assert!(!matches!(advised, Err(NotAdvised::TooSmall { .. })), "{advised:?}");
    }

    #[test]
    #[should_panic(expected = "fits in usize")]
    fn a_capacity_beyond_all_memory_is_refused() {
        Slots::<u8>::new(usize::MAX);
    }
}
