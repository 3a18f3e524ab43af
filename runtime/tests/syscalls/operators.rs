use std::{
    mem,
    sync::mpsc::{self, SyncSender},
    time::Duration,
};

use nacreous::prelude::*;

use super::{
    cannot_run, dispatch,
    table::{Keys, Probe, Row},
};

const PATIENCE: Duration = Duration::from_secs(60);

/// The record of the source from which its thread is watched, and how many make up a stretch.
const FIRST: i64 = 200_000;
const STRETCH: i64 = 300_000;

/// How many stretches are watched before a call that was caught counts, where none is to be. On a busy machine the
/// control thread makes the memory that was asked for in the beginning late, and to take it is a call. What the steady
/// state does, it does in each stretch.
const STRETCHES: i64 = 50;

/// What became of the watch: the number of the call that was made, if one was.
type Verdict = Result<Option<i64>, std::io::Error>;

/// Watches the data thread from one record to another.
#[derive(Clone)]
struct Watch {
    verdict: SyncSender<Verdict>,
    watching: bool,
    /// The positive control: the operator calls the system.
    calls: bool,
}

impl Probe for Watch {
    fn reads(&mut self, number: i64) {
        if number < FIRST || (number - FIRST) % STRETCH > 0 {
            return;
        }
        if mem::take(&mut self.watching) {
            let caught = dispatch::unwatch();
            let is_last = self.calls || number >= FIRST + STRETCHES * STRETCH;
            if caught.is_none() || is_last {
                _ = self.verdict.try_send(Ok(caught));
                return;
            }
        } else if number > FIRST {
            return;
        }
        match dispatch::watch() {
            Ok(()) => self.watching = true,
            Err(error) => _ = self.verdict.try_send(Err(error)),
        }
    }

    fn works(&mut self) {
        if self.calls {
            // SAFETY: the call takes nothing and touches no memory.
            unsafe { libc::syscall(libc::SYS_getpid) };
        }
    }
}

fn verdict(row: &Row<Watch>, calls: bool) -> Verdict {
    let (verdict, verdicts) = mpsc::sync_channel(1);
    let graph = row.graph(Keys::Few, Watch { verdict, watching: false, calls });
    let job = graph.start(JobOptions { workers: 1, batch: 64, ..JobOptions::DEFAULT }).unwrap();
    let found = verdicts.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{}: {error}", row.name));
    job.cancel();
    job.wait().expect("a cancelled job has not failed");
    found
}

/// What was caught on each row; nothing where the kernel does not help.
fn on_all_rows(calls: bool) -> Option<Vec<(&'static str, Option<i64>)>> {
    let mut found = Vec::new();
    for row in Row::all() {
        match verdict(&row, calls) {
            Ok(caught) => found.push((row.name, caught)),
            Err(error) => {
                cannot_run(&format!("this kernel does not dispatch system calls to the program: {error}"));
                return None;
            }
        }
    }
    Some(found)
}

#[test]
fn no_operator_calls_the_system_in_the_steady_state() {
    let mut found = on_all_rows(false).unwrap_or_default();
    found.retain(|(_, caught)| caught.is_some());
    assert!(found.is_empty(), "operators, and the number of the system call: {found:?}");
}

#[test]
fn an_operator_that_calls_the_system_is_noticed() {
    for (row, caught) in on_all_rows(true).into_iter().flatten() {
        assert_eq!(caught, Some(libc::SYS_getpid), "{row}");
    }
}
