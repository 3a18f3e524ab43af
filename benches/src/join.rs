//! An equi-join of two streams in tumbling windows: the streams, and how timely joins them.

mod timely;

use std::time::Duration;

use nacreous::{BoxError, prelude::*, sink::Sink};

use crate::{
    comparison::{Comparison, Digest, Measure, on_pinned_thread, timed},
    keyed_sum::scattered,
};

/// Against the same join in timely dataflow, on one worker each.
pub fn against_timely() -> Comparison {
    let streams = Streams::new();
    let millions = streams.len() as f64 / 1e6;
    Comparison {
        id: "join/window/timely",
        measure: Measure::Rate("M records/s"),
        ours: timed(millions, move || ours(streams)),
        rival: timed(millions, move || on_pinned_thread(|| timely::run(streams))),
    }
}

fn ours(streams: Streams) -> u64 {
    let graph = Graph::new();
    let stream = |side: &'static [Side]| {
        let in_order = BoundedDisorder::new(Duration::ZERO).expect("zero is a span");
        let stream = graph.iter(side.iter().copied());
        let stream = stream.event_time(|side| Timestamp::from_nanos(side.time), in_order);
        // As the rival does: what has become of the time need not be kept twice.
        stream.map(|side| (side.key, side.value))
    };
    let windows = Sliding::tumbling(Duration::from_nanos(WINDOW_NANOS.unsigned_abs())).expect("a window");
    let left = stream(streams.left).key_by(|(key, _)| *key).expect_keys(1 << 15);
    let right = stream(streams.right).key_by(|(key, _)| *key);
    let (pairs, _late) = left.window(windows).join(right, |(_, left), (_, right)| (*left, *right));
    let (send, digest) = std::sync::mpsc::channel();
    pairs.to(Digested { digest: Digest::default(), send });
    graph.run(JobOptions::default()).expect("the job runs");
    digest.recv().expect("the sink says what it saw")
}

/// Adds pairs to a digest as they come, as the rival does, and tells it in the end.
struct Digested {
    digest: Digest,
    send: std::sync::mpsc::Sender<u64>,
}

impl Sink<WindowResult<u64, (u64, u64)>> for Digested {
    fn write(
        &mut self,
        pairs: &mut std::vec::Drain<'_, Record<WindowResult<u64, (u64, u64)>>>,
    ) -> Result<(), BoxError> {
        for pair in pairs {
            let WindowResult { window, key, value: (left, right), .. } = pair.value;
            add(&mut self.digest, window.start.as_nanos(), key, left, right);
        }
        Ok(())
    }
}

impl Drop for Digested {
    fn drop(&mut self) {
        // Whoever asked is gone only if the job failed.
        let _ = self.send.send(self.digest.value());
    }
}

/// A window of event time.
pub const WINDOW_NANOS: i64 = 1_000_000_000;
/// Records of each stream in a window.
const RECORDS: i64 = 1 << 16;
/// With as many keys, each has two records of each stream in a window: four pairs.
const KEYS: u64 = 1 << 15;
/// So many that the start of a job, when threads begin and the first window waits for memory, is a small part of it: with
/// 16, which take 60 ms, ours came to between half and all of what it comes to here.
const WINDOWS: i64 = 64;

/// A record of either stream: 24 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Side {
    /// In nanoseconds.
    pub time: i64,
    /// What records are joined by.
    pub key: u64,
    /// Tells the records of a stream apart.
    pub value: u64,
}

/// Both streams in memory, in order of time. A job's source outlives whoever starts it, so they live as long as the
/// program.
#[derive(Debug, Clone, Copy)]
pub struct Streams {
    /// The one.
    pub left: &'static [Side],
    /// The other.
    pub right: &'static [Side],
}

impl Streams {
    /// Sixty-four windows of 65,536 records of each.
    pub fn new() -> Self {
        Self::of(WINDOWS, KEYS)
    }

    fn of(windows: i64, keys: u64) -> Self {
        let [left, right] = [46, 47].map(|seed| &*stream(seed, windows, keys).leak());
        Self { left, right }
    }

    /// The number of records in both.
    pub fn len(&self) -> usize {
        self.left.len() + self.right.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for Streams {
    fn default() -> Self {
        Self::new()
    }
}

fn stream(seed: u64, windows: i64, keys: u64) -> Vec<Side> {
    let mut random = fastrand::Rng::with_seed(seed);
    let step = WINDOW_NANOS / RECORDS;
    let numbers = (0..windows).flat_map(|window| (0..RECORDS).map(move |n| (window, n)));
    let side = |(window, n)| Side {
        time: window * WINDOW_NANOS + n * step,
        key: scattered(random.u64(0..keys)),
        value: random.u64(..),
    };
    numbers.map(side).collect()
}

/// Adds a pair to the digest of all: that of one key, in the window that begins at `start`.
pub fn add(digest: &mut Digest, start: i64, key: u64, left: u64, right: u64) {
    digest.add(&[start.cast_unsigned(), key, left, right]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timely_finds_the_pairs_that_comparing_all_with_all_finds() {
        let Streams { left, right } = Streams::of(2, 1 << 12);
        // As many as can be compared in a moment.
        let few = |side: &'static [Side]| {
            let few: Vec<_> = side.iter().step_by(32).copied().collect();
            &*few.leak()
        };
        let few = Streams { left: few(left), right: few(right) };
        let (mut digest, mut pairs) = (Digest::default(), 0);
        for left in few.left {
            let window = left.time / WINDOW_NANOS;
            let of_window = |right: &&Side| right.time / WINDOW_NANOS == window && right.key == left.key;
            for right in few.right.iter().filter(of_window) {
                add(&mut digest, window * WINDOW_NANOS, left.key, left.value, right.value);
                pairs += 1;
            }
        }
        assert!(pairs > 1_000, "{pairs} pairs");
        assert_eq!(timely::run(few), digest.value());
    }
}
