//! What the process holds at the moment: memory, threads, open files.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    fs,
    sync::atomic::{AtomicI64, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Bytes allocated and not freed.
static LIVE: AtomicI64 = AtomicI64::new(0);

struct Balancing;

#[global_allocator]
static ALLOCATOR: Balancing = Balancing;

fn add(layout: Layout) {
    LIVE.fetch_add(i64::try_from(layout.size()).unwrap_or(i64::MAX), Ordering::Relaxed);
}

fn take(layout: Layout) {
    LIVE.fetch_sub(i64::try_from(layout.size()).unwrap_or(i64::MAX), Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator as it is; to keep the balance neither allocates nor unwinds. What
// is zeroed or grown goes by way of `alloc`, as it does where an allocator says nothing of it.
unsafe impl GlobalAlloc for Balancing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout);
        // SAFETY: the caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        take(layout);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) };
    }
}

/// Bytes allocated and not freed.
pub(crate) fn heap_bytes() -> i64 {
    LIVE.load(Ordering::Relaxed)
}

/// What the process holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holdings {
    pub(crate) threads: usize,
    pub(crate) files: usize,
    pub(crate) heap_bytes: i64,
    pub(crate) resident_bytes: i64,
}

impl Holdings {
    /// What there is once no job has a thread left: one that has been joined may take a moment to be gone from the
    /// kernel's list.
    pub(crate) fn at_rest() -> Self {
        const PATIENCE: Duration = Duration::from_secs(20);
        let began = Instant::now();
        while job_threads() > 0 && began.elapsed() < PATIENCE {
            thread::yield_now();
        }
        // SAFETY: it gives unused memory back to the system, whatever the state of the heap.
        unsafe { libc::malloc_trim(0) };
        Self {
            threads: entries("/proc/self/task"),
            files: entries("/proc/self/fd"),
            heap_bytes: heap_bytes(),
            resident_bytes: resident_bytes(),
        }
    }
}

/// Has all threads share one heap, and the allocator keep little of what is not needed any more. Of several heaps each would keep
/// something, and how many there are is up to which threads happen to run at once; and with each large block that is freed it
/// would come to keep up to twice as much, so that it is up to how far the inputs of a job ever happened to drift apart.
pub(crate) fn keep_nothing_spare() {
    for (setting, value) in
        [(libc::M_ARENA_MAX, 1), (libc::M_MMAP_THRESHOLD, 128 << 10), (libc::M_TRIM_THRESHOLD, 128 << 10)]
    {
        // SAFETY: it sets a number of the allocator's, whatever the state of the heap.
        let done = unsafe { libc::mallopt(setting, value) };
        assert_eq!(done, 1, "the allocator knows that setting");
    }
}

/// The number of threads that belong to a job.
fn job_threads() -> usize {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let names = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("nl")).count()
}

fn entries(folder: &str) -> usize {
    fs::read_dir(folder).unwrap().count()
}

/// Memory of the process that is not swapped out.
pub(crate) fn resident_bytes() -> i64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: i64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    // SAFETY: the call takes a number and touches no memory.
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) }
}
