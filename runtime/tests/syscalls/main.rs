//! Data threads make no system call in the steady state, and this test would notice if they did.
//!
//! The kernel is asked to stop at each system call of the data thread and to raise a signal instead (syscall user
//! dispatch, Linux 5.11, x86-64). The handler takes note of the call, turns the watch off, and has the call made after
//! all: one call is enough to fail. The watch is turned on and off on the data thread by the source of the graph, so
//! everything between two of its records is watched: operators, edges, meters, and the worker's loop.
#![allow(
    clippy::unwrap_used,
    reason = "also in the helpers of tests a failure is best shown where it happens"
)]

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod dispatch;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod operators;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[path = "../allocation/table.rs"]
#[expect(
    dead_code,
    reason = "memory for further keys is asked for by a system call, where the control thread sleeps"
)]
mod table;

/// Why nothing can be watched here; `cargo xtask test` looks for the line.
#[expect(clippy::print_stderr, reason = "a test that says nothing about the code is to say so")]
fn cannot_run(reason: &str) {
    eprintln!("CANNOT RUN: {reason}");
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
#[test]
fn system_calls_are_watched_on_linux_only() {
    cannot_run("system calls are watched on Linux on x86-64 only");
}
