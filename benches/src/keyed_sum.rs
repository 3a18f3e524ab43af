//! A keyed tumbling sum over records in memory: against the same loop over a hash table, and against timely.
//!
//! Each variant has keys of another kind; the job is the same, and so is what both sides read: one block of memory.

mod hand;
mod keys;
mod timely;

use std::{
    hash::Hash,
    hint::black_box,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
    vec,
};

use nacreous::{BoxError, prelude::*, sink::Sink};

pub(crate) use self::keys::scattered;
use self::{
    keys::Name,
    timely::{Dense, Table},
};
use crate::comparison::{Comparison, Digest, Measure, Side, on_pinned_thread, timed};

const WINDOW: Duration = Duration::from_secs(1);
const WINDOW_NANOS: i64 = 1_000_000_000;
/// Event time between one record and the next: a million records a window.
const STEP_NANOS: i64 = 1_000;
/// Records that one of several readers takes before it is the next one's turn.
const SHARE: usize = 1_024;
const MEBI: usize = 1 << 20;
/// For keys that are numbered from zero.
const DENSE_KEYS: usize = 1_024;
/// For keys of a skewed distribution.
const SKEWED_KEYS: usize = 1_000_000;
/// For keys that are strings.
const NAMES: usize = 100_000;

/// 24 bytes, if the key has 8.
#[derive(Debug, Clone, Copy)]
struct Reading<K> {
    time: i64,
    key: K,
    value: i64,
}

/// What records can be grouped by here.
trait Key: Copy + Hash + Eq + Send + Sync + 'static {
    /// For the digest of the results.
    fn number(&self) -> u64;
}

impl Key for u64 {
    fn number(&self) -> u64 {
        *self
    }
}

/// All records of a run: a block of them several times over, later each time.
///
/// A job's source outlives whoever starts it, so the block lives as long as the program.
#[derive(Debug, Clone, Copy)]
struct Readings<K: 'static> {
    block: &'static [Reading<K>],
    passes: i64,
}

impl<K: Key> Readings<K> {
    fn new(records: usize, passes: i64, mut key: impl FnMut() -> K) -> Self {
        let mut random = fastrand::Rng::with_seed(42);
        let time = |n| i64::try_from(n).expect("a block fits in memory") * STEP_NANOS;
        let reading = |n| Reading { time: time(n), key: key(), value: random.i64(0..1_000) };
        let block: Vec<_> = (0..records).map(reading).collect();
        Self { block: block.leak(), passes }
    }

    /// In order of time.
    fn iter(self) -> Part<K> {
        self.part(0, 1)
    }

    /// Every so many shares one, from this one on, in order of time.
    fn part(self, part: usize, parts: usize) -> Part<K> {
        let block = self.block;
        let share = if parts == 1 { block.len() } else { SHARE };
        assert_eq!(block.len() % (share * parts), 0, "each part has as many shares");
        let span = i64::try_from(block.len()).expect("a block fits in memory") * STEP_NANOS;
        let (first, skip) = (part * share, share * (parts - 1));
        let (at, end) = (first, first + share);
        Part { block, passes: self.passes, first, share, skip, span, later: 0, at, end }
    }

    fn comparison(self, id: &'static str, ours: fn(Self) -> u64, rival: fn(Self) -> u64) -> Comparison {
        let millions = self.block.len() as f64 * self.passes as f64 / 1e6;
        let side = |run: fn(Self) -> u64| -> Side { timed(millions, move || run(self)) };
        Comparison { id, measure: Measure::Rate("M records/s"), ours: side(ours), rival: side(rival) }
    }
}

/// Some of all records of a run. (Not put together with `flat_map`: asked record by record, that takes as long as all
/// else that is done with one.)
struct Part<K: 'static> {
    block: &'static [Reading<K>],
    passes: i64,
    /// Where the first share begins.
    first: usize,
    /// The length of a share, and of what lies between two.
    share: usize,
    skip: usize,
    /// How much later each pass is than the one before, and this one than the first.
    span: i64,
    later: i64,
    /// The next record, and where its share ends.
    at: usize,
    end: usize,
}

impl<K: Key> Iterator for Part<K> {
    type Item = Reading<K>;

    #[inline(always)]
    fn next(&mut self) -> Option<Reading<K>> {
        if self.at == self.end {
            self.at += self.skip;
            if self.at >= self.block.len() {
                self.at = self.first;
                self.passes -= 1;
                self.later += self.span;
            }
            if self.passes <= 0 {
                return None;
            }
            self.end = self.at + self.share;
        }
        let reading = self.block.get(self.at)?;
        self.at += 1;
        Some(Reading { time: reading.time + self.later, ..*reading })
    }
}

fn dense(passes: i64) -> Readings<u64> {
    let mut random = fastrand::Rng::with_seed(43);
    Readings::new(MEBI / 16, passes, move || random.u64(0..DENSE_KEYS as u64))
}

/// The loop of a keyed sum, to be counted: goes over so many blocks, and says how many records those are.
pub(crate) const LOOP: (&str, fn(u64) -> u64) = ("keyed-sum", |passes| {
    let readings = dense(i64::try_from(passes).expect("a few"));
    black_box(ours(readings, 1, DENSE_KEYS));
    readings.block.len() as u64 * passes
});

/// How often the block of a comparison is read.
const PASSES: i64 = 512;

/// A thousand keys, against the same loop over a hash table.
pub fn against_hand() -> Comparison {
    let rival = |readings| on_pinned_thread(|| hand::run(readings));
    dense(PASSES).comparison("keyed-sum/1-worker/hand", |readings| ours(readings, 1, DENSE_KEYS), rival)
}

/// A thousand keys, against timely with a vector a window.
pub fn against_timely() -> Comparison {
    let rival = |readings| on_pinned_thread(|| timely::run::<_, Dense>(readings));
    dense(PASSES).comparison("keyed-sum/1-worker/timely", |readings| ours(readings, 1, DENSE_KEYS), rival)
}

/// A thousand keys on two threads, against timely on two threads.
pub fn two_workers() -> Comparison {
    let rival = timely::run_on_two::<Dense>;
    dense(PASSES).comparison("keyed-sum/2-workers/timely", |readings| ours(readings, 2, DENSE_KEYS), rival)
}

/// A million keys, some of them much more frequent than others.
pub fn many_keys() -> Comparison {
    let mut zipf = keys::Zipf::new(SKEWED_KEYS);
    // All different: were it a small block over and over, most of the rare keys would never come.
    let readings = Readings::new(8 * MEBI, 3, move || zipf.key());
    let rival = |readings| on_pinned_thread(|| timely::run::<_, Table<_>>(readings));
    readings.comparison("keyed-sum/1M-keys/timely", |readings| ours(readings, 1, 1 << 18), rival)
}

/// A hundred thousand keys that are strings, in place.
pub fn string_keys() -> Comparison {
    let mut names = keys::Names::new(NAMES);
    let readings = Readings::new(MEBI, 8, move || names.key());
    let rival = |readings| on_pinned_thread(|| timely::run::<Name, Table<_>>(readings));
    readings.comparison("keyed-sum/string-keys/timely", |readings| ours(readings, 1, NAMES), rival)
}

fn ours<K: Key>(readings: Readings<K>, workers: usize, keys: usize) -> u64 {
    let graph = Graph::new();
    let in_order = BoundedDisorder::new(Duration::ZERO).expect("zero is a span");
    let part = |part| readings.part(part, workers);
    let (sums, _late) = graph
        .iters((0..workers).map(part))
        .event_time(|reading| Timestamp::from_nanos(reading.time), in_order)
        .key_by(|reading| reading.key)
        .expect_keys(keys)
        .window(Sliding::tumbling(WINDOW).expect("a second is a window"))
        .aggregate(sum(|reading: &Reading<K>| reading.value));
    let digest = Arc::default();
    let _ = sums.to(Digested(Arc::clone(&digest)));
    graph.run(JobOptions { workers, ..JobOptions::DEFAULT }).expect("the job runs");
    digest.lock().unwrap_or_else(PoisonError::into_inner).value()
}

/// Ends the stream of sums in their digest.
struct Digested(Arc<Mutex<Digest>>);

impl<K: Key> Sink<WindowResult<K, i64>> for Digested {
    fn write(&mut self, sums: &mut vec::Drain<'_, Record<WindowResult<K, i64>>>) -> Result<(), BoxError> {
        let mut digest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for record in sums {
            let WindowResult { window, key, value, .. } = record.value;
            add(&mut digest, window.start.as_nanos(), &key, value);
        }
        Ok(())
    }
}

/// Adds a sum to a digest.
fn add(digest: &mut Digest, start: i64, key: &impl Key, sum: i64) {
    digest.add(&[start.cast_unsigned(), key.number(), sum.cast_unsigned()]);
}
