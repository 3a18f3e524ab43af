//! A sink that takes one record at a time holds a source without end back, and nothing piles up in between.

use std::{
    sync::mpsc::{self, Receiver, SyncSender},
    time::Duration,
    vec,
};

use nacreous::{Bell, BoxError, prelude::*, sink::Sink};

use super::{live, turn};

/// How many records are taken while the memory is watched.
const TAKEN: i64 = 50_000;

/// How many are taken before: until every batch has been in use.
const WARM_UP: i64 = 20_000;

const PATIENCE: Duration = Duration::from_secs(60);

/// Takes one record a step, and says which.
struct OneByOne {
    bell: Option<Bell>,
    taken: SyncSender<i64>,
}

impl Sink<i64> for OneByOne {
    fn attach(&mut self, bell: Bell) {
        self.bell = Some(bell);
    }

    fn room(&self) -> usize {
        1
    }

    fn write(&mut self, records: &mut vec::Drain<'_, Record<i64>>) -> Result<(), BoxError> {
        for record in records {
            self.taken.send(record.value)?;
        }
        // There is room again.
        self.bell.iter().for_each(Bell::ring);
        Ok(())
    }
}

/// A job that brings all numbers from zero on, in order, to a slow sink.
fn start(workers: usize) -> (JobHandle, Receiver<i64>) {
    let (taken, numbers) = mpsc::sync_channel(0);
    let graph = Graph::new();
    let at_once = BoundedDisorder::new(Duration::ZERO).unwrap();
    let (sums, late) = graph
        .iter(0_i64..)
        .event_time(|n| Timestamp::from_nanos(*n), at_once)
        .key_by(|n| n % 3)
        .window(Sliding::tumbling(Duration::from_nanos(1)).unwrap())
        .aggregate(sum(|n: &i64| *n));
    late.discard();
    let sums = sums.order_by(|sum| sum.key).map(|sum| sum.value);
    sums.isolate().to(OneByOne { bell: None, taken });
    (graph.start(JobOptions { workers, batch: 16, ..JobOptions::DEFAULT }).unwrap(), numbers)
}

#[test]
fn a_source_without_end_that_is_held_back_fills_no_memory_and_loses_nothing() {
    let _turn = turn();
    for workers in [1, 3] {
        let (job, numbers) = start(workers);
        let next = |expected| {
            assert_eq!(numbers.recv_timeout(PATIENCE), Ok(expected), "in order, none missing");
        };
        (0..WARM_UP).for_each(next);
        let before = (live::heap_bytes(), live::resident_bytes());
        (WARM_UP..WARM_UP + TAKEN).for_each(next);
        let grown = (live::heap_bytes() - before.0, live::resident_bytes() - before.1);
        let under_way = job.records_in() - (WARM_UP + TAKEN).unsigned_abs();
        drop(numbers);
        drop(job);
        assert!(grown.0 < 64 << 10, "{workers} workers: the heap has grown by {} bytes", grown.0);
        assert!(grown.1 < 4 << 20, "{workers} workers: memory has grown by {} bytes", grown.1);
        assert!(under_way < 20_000, "{workers} workers: {under_way} records are under way");
    }
}
