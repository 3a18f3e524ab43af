//! A keyed tumbling sum over records in memory.

use std::time::Duration;

use nacreous::prelude::*;
use rustc_hash::FxBuildHasher;

use crate::comparison::{Comparison, Digest, Measure, on_pinned_thread, timed};

const KEYS: u64 = 1024;
const WINDOW: Duration = Duration::from_secs(1);
const WINDOW_NANOS: i64 = 1_000_000_000;
/// Event time between one record and the next: a million records a window.
const STEP_NANOS: i64 = 1_000;
/// Records in memory; they are run through several times, at later times each.
const BLOCK: usize = 1 << 20;
const PASSES: usize = 8;

/// 24 bytes.
#[derive(Debug, Clone, Copy)]
struct Reading {
    time: i64,
    key: u64,
    value: i64,
}

/// Against the same loop over a hash table.
pub fn against_hand() -> Comparison {
    // A job's source outlives whoever starts it, so the block lives as long as the program.
    let block: &[Reading] = block().leak();
    let millions = (BLOCK * PASSES) as f64 / 1e6;
    Comparison {
        id: "keyed-sum/1-worker/hand",
        measure: Measure::Rate("M records/s"),
        ours: timed(millions, || ours(block)),
        rival: timed(millions, || on_pinned_thread(|| hand(block))),
    }
}

fn block() -> Vec<Reading> {
    let mut random = fastrand::Rng::with_seed(42);
    let reading = |n| Reading { time: n * STEP_NANOS, key: random.u64(0..KEYS), value: random.i64(0..1_000) };
    (0..BLOCK as i64).map(reading).collect()
}

/// All records, in order of time.
fn readings(block: &'static [Reading]) -> impl Iterator<Item = Reading> {
    (0..PASSES as i64).flat_map(move |pass| {
        let later = pass * BLOCK as i64 * STEP_NANOS;
        block.iter().map(move |reading| Reading { time: reading.time + later, ..*reading })
    })
}

fn ours(block: &'static [Reading]) -> u64 {
    let graph = Graph::new();
    let in_order = BoundedDisorder::new(Duration::ZERO).expect("zero is a span");
    let (sums, _late) = graph
        .iter(readings(block))
        .event_time(|reading| Timestamp::from_nanos(reading.time), in_order)
        .key_by(|reading| reading.key)
        .window(Sliding::tumbling(WINDOW).expect("a second is a window"))
        .aggregate(sum(|reading: &Reading| reading.value));
    let sums = sums.collect();
    graph.run(JobOptions::default()).expect("the job runs");

    let mut digest = Digest::default();
    for record in sums.take() {
        let WindowResult { window, key, value } = record.value;
        digest.add(&[window.start.as_nanos().cast_unsigned(), key, value.cast_unsigned()]);
    }
    digest.value()
}

fn hand(block: &'static [Reading]) -> u64 {
    let mut digest = Digest::default();
    let mut sums = hashbrown::HashMap::<u64, i64, FxBuildHasher>::default();
    let mut start = 0;
    for reading in readings(block) {
        if reading.time >= start + WINDOW_NANOS {
            close(&mut sums, start, &mut digest);
            start = reading.time - reading.time % WINDOW_NANOS;
        }
        *sums.entry(reading.key).or_insert(0) += reading.value;
    }
    close(&mut sums, start, &mut digest);
    digest.value()
}

fn close(sums: &mut hashbrown::HashMap<u64, i64, FxBuildHasher>, start: i64, digest: &mut Digest) {
    for (key, sum) in sums.drain() {
        digest.add(&[start.cast_unsigned(), key, sum.cast_unsigned()]);
    }
}
