//! An allocator that counts by thread.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    collections::BTreeMap,
    fs,
    sync::atomic::{AtomicU64, Ordering},
};

/// Counts of allocations by thread, in the order in which threads first allocated.
static COUNTS: [Count; 4_096] =
    [const { Count { thread: AtomicU64::new(0), allocations: AtomicU64::new(0) } }; 4_096];

struct Count {
    /// The kernel's number of the thread; zero while the entry is free.
    thread: AtomicU64,
    allocations: AtomicU64,
}

thread_local! {
    /// This thread's place in `COUNTS`.
    static MINE: Cell<Option<&'static Count>> = const { Cell::new(None) };
}

fn mine() -> &'static Count {
    MINE.get().unwrap_or_else(|| {
        // SAFETY: the call has no preconditions.
        let thread = unsafe { libc::gettid() }.unsigned_abs().into();
        let claim = |count: &&Count| {
            count.thread.compare_exchange(0, thread, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        let count = COUNTS.iter().find(claim).expect("fewer threads in the life of this test");
        MINE.set(Some(count));
        count
    })
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator as it is; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        mine().allocations.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) };
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        mine().allocations.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        mine().allocations.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// How often this thread has allocated.
pub(crate) fn on_this_thread() -> u64 {
    mine().allocations.load(Ordering::Relaxed)
}

/// How often each data thread alive has allocated, by its name.
pub(crate) fn on_data_threads() -> BTreeMap<String, u64> {
    on_threads(|name| name.starts_with("nl") && name.contains("-w"))
}

/// The same of each control thread.
pub(crate) fn on_control_threads() -> BTreeMap<String, u64> {
    on_threads(|name| name.starts_with("nl") && name.contains("-c"))
}

fn on_threads(wanted: impl Fn(&str) -> bool) -> BTreeMap<String, u64> {
    let counts = COUNTS.iter().take_while(|count| count.thread.load(Ordering::Relaxed) != 0);
    let named = counts.filter_map(|count| {
        let thread = count.thread.load(Ordering::Relaxed);
        let name = fs::read_to_string(format!("/proc/self/task/{thread}/comm")).ok()?;
        wanted(&name).then(|| (name.trim().to_owned(), count.allocations.load(Ordering::Relaxed)))
    });
    named.collect()
}
