//! Jobs come and go by the thousand, however they end, and leave no thread, no open file and no memory behind; and one
//! that is held back holds no more the longer it is.
#![allow(
    clippy::unwrap_used,
    reason = "also in the helpers of tests a failure is best shown where it happens"
)]

mod held_back;
mod jobs;
mod live;

use std::{
    env, panic,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

use self::live::Holdings;

/// How many jobs an ordinary run starts; `NACREOUS_CYCLES` asks for more.
const CYCLES: u64 = 3_000;

/// How many come before the first look: the first job of each kind makes what stays for good.
const WARM_UP: u64 = 200;

/// What memory may grow by. The heap is balanced to the byte; of the pages that the system counts, its allocator keeps
/// some.
const HEAP_SLACK: i64 = 4 << 10;
const RESIDENT_SLACK: i64 = 16 << 20;

/// The tests take turns: each looks at the process as a whole.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps panics that are a part of the test out of its output.
fn hush_data_threads() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !thread::current().name().is_some_and(|name| name.starts_with("nl")) {
            report(info);
        }
    }));
}

#[test]
fn thousands_of_jobs_leave_nothing_behind_however_they_end() {
    let _turn = turn();
    live::keep_nothing_spare();
    hush_data_threads();
    let number = |name| env::var(name).ok().map(|text| text.parse().expect("a number"));
    let first = number("NACREOUS_FIRST_CYCLE").unwrap_or(0);
    let cycles = number("NACREOUS_CYCLES").unwrap_or(CYCLES);

    (0..WARM_UP).for_each(jobs::cycle);
    let before = Holdings::at_rest();
    (first..first + cycles).for_each(jobs::cycle);
    let after = Holdings::at_rest();

    let what = format!("after {cycles} jobs: {before:?} became {after:?}");
    assert_eq!(after.threads, before.threads, "threads {what}");
    assert_eq!(after.files, before.files, "open files {what}");
    assert!(after.heap_bytes - before.heap_bytes < HEAP_SLACK, "the heap {what}");
    assert!(after.resident_bytes - before.resident_bytes < RESIDENT_SLACK, "memory {what}");
    // For whoever runs this with --nocapture.
    println!("{what}");
}
