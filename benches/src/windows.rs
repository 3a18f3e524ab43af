//! Windows that overlap: against a loop written by hand, against other ways to put them together, and against a wheel. And what
//! they are made of by itself: a queue against two stacks, a tree against recomputing.

mod hand;
mod tree;
mod two_stacks;
mod wheel;

pub use tree::out_of_order_btreemap;
pub use wheel::sliding_max_uwheel;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
    vec,
};

use nacreous::{
    BoxError,
    algorithm::{self, Recompute, using},
    prelude::*,
    sink::Sink,
};
use nacreous_operators::DabaLite;

use self::two_stacks::TwoStacks;
use crate::{
    clock::Clock,
    comparison::{Comparison, Digest, Measure, Outcome, Side, on_pinned_thread, timed},
};

const SECOND: i64 = 1_000_000_000;

/// A key and a value; which second they are of is up to how many there are in one.
#[derive(Debug, Clone, Copy)]
struct Reading {
    key: u64,
    value: i64,
}

/// Records over so many seconds, in order.
#[derive(Debug, Clone, Copy)]
struct Readings {
    /// Read over and over.
    block: &'static [Reading],
    seconds: i64,
    a_second: i64,
}

impl Readings {
    fn new(keys: u64, seconds: i64, a_second: i64) -> Self {
        let mut random = fastrand::Rng::with_seed(44);
        let reading = |_| Reading { key: random.u64(0..keys), value: random.i64(0..1_000) };
        let block: Vec<_> = (0..1 << 16).map(reading).collect();
        Self { block: block.leak(), seconds, a_second }
    }

    fn len(self) -> i64 {
        self.seconds * self.a_second
    }

    /// With their times.
    fn iter(self) -> impl Iterator<Item = (i64, Reading)> + Send + Clone {
        let step = SECOND / self.a_second;
        let times = (0..self.len()).map(move |n| n / self.a_second * SECOND + n % self.a_second * step);
        times.zip(self.block.iter().copied().cycle())
    }
}

/// What an aggregate comes to over so many seconds, each second, by key; in the runtime.
fn ours<A>(readings: Readings, size: Duration, aggregate: A) -> u64
where
    A: Aggregate<(i64, Reading), Out = i64> + Clone + Send + 'static,
{
    let graph = Graph::new();
    let windows = Sliding::new(size, Duration::from_secs(1)).expect("the size is longer than a second");
    let (results, _late) = graph
        .iter(readings.iter())
        .event_time(|(time, _)| Timestamp::from_nanos(*time), BoundedDisorder::NONE)
        .key_by(|(_, reading)| reading.key)
        .window(windows)
        .aggregate(aggregate);
    let results_digest = Arc::default();
    let _ = results.to(Digested(Arc::clone(&results_digest), |key| key));
    graph.run(JobOptions::default()).expect("the job runs");
    digest_in(&results_digest)
}

/// Ends a stream of results in their digest, of which the key's number is a part.
struct Digested<K>(Arc<Mutex<Digest>>, fn(K) -> u64);

impl<K: Send + 'static> Sink<WindowResult<K, i64>> for Digested<K> {
    fn write(&mut self, results: &mut vec::Drain<'_, Record<WindowResult<K, i64>>>) -> Result<(), BoxError> {
        let Self(digest, number) = self;
        let mut digest = digest.lock().unwrap_or_else(PoisonError::into_inner);
        for record in results {
            let WindowResult { window, key, value, .. } = record.value;
            add(&mut digest, window.start.as_nanos(), number(key), value);
        }
        Ok(())
    }
}

fn digest_in(digest: &Mutex<Digest>) -> u64 {
    digest.lock().unwrap_or_else(PoisonError::into_inner).value()
}

fn add(digest: &mut Digest, start: i64, key: u64, value: i64) {
    digest.add(&[start.cast_unsigned(), key, value.cast_unsigned()]);
}

fn value_of((_, reading): &(i64, Reading)) -> i64 {
    reading.value
}

const MINUTE: Duration = Duration::from_secs(hand::SLICES as u64);

/// A thousand keys of which each has sixteen records a second.
fn thousand_keys() -> (Readings, f64) {
    let readings = Readings::new(1_024, 1_024, 16_384);
    (readings, readings.len() as f64 / 1e6)
}

/// Sums of a minute by the second, against a ring for each key.
pub fn sliding_sum_hand() -> Comparison {
    let (readings, millions) = thousand_keys();
    Comparison {
        id: "window/sliding-sum-60-1/hand",
        measure: Measure::Rate("M records/s"),
        ours: timed(millions, move || ours(readings, MINUTE, sum(value_of))),
        rival: timed(millions, move || on_pinned_thread(|| hand::run(readings))),
    }
}

/// The greatest of a minute by the second, which is no group: a queue for each key that never combines more than three times at
/// once, against two stacks for each, which do less on average, in the same operator.
pub fn sliding_max_two_stacks() -> Comparison {
    let (readings, millions) = thousand_keys();
    Comparison {
        id: "window/sliding-max-60-1/two-stacks",
        measure: Measure::Rate("M records/s"),
        ours: timed(millions, move || ours(readings, MINUTE, max(value_of))),
        rival: timed(millions, move || ours(readings, MINUTE, using(algorithm::TwoStacks, max(value_of)))),
    }
}

/// Ten thousand seconds by the second, four keys, against putting each window together anew, in the same operator.
pub fn ten_thousand_slides() -> Comparison {
    const SIZE: Duration = Duration::from_secs(10_000);
    // Twice as many as one window has, so that most windows are full.
    let readings = Readings::new(4, 20_500, 16);
    let thousands = readings.len() as f64 / 1e3;
    Comparison {
        id: "window/10000-slides/recompute",
        measure: Measure::Rate("k records/s"),
        ours: timed(thousands, move || ours(readings, SIZE, sum(value_of))),
        rival: timed(thousands, move || ours(readings, SIZE, using(Recompute, sum(value_of)))),
    }
}

/// How many values the queue holds.
const QUEUED: u64 = 4_096;
/// How often one comes and one leaves.
const TURNS: u64 = 1_000_000;

/// What is compared.
trait Queue: Default {
    fn insert(&mut self, value: u64);
    fn evict(&mut self);
    fn greatest(&self) -> u64;
}

#[inline(always)]
fn greater(one: &u64, other: &u64) -> u64 {
    *one.max(other)
}

impl Queue for DabaLite<u64> {
    fn insert(&mut self, value: u64) {
        self.insert(value, greater);
    }

    fn evict(&mut self) {
        self.evict(greater);
    }

    fn greatest(&self) -> u64 {
        self.query(greater).unwrap_or(0)
    }
}

impl Queue for TwoStacks<u64> {
    fn insert(&mut self, value: u64) {
        self.insert(value, greater);
    }

    fn evict(&mut self) {
        self.evict(greater);
    }

    fn greatest(&self) -> u64 {
        self.query(greater).unwrap_or(0)
    }
}

/// The time that it takes for a value to come and one to leave, which is longer one time in ten thousand, against two stacks.
pub fn insert_evict_two_stacks() -> Comparison {
    let clock = Clock::new();
    let side = |turns: fn(Clock) -> (Vec<u64>, u64)| -> Side {
        Box::new(move || {
            let (ticks, digest) = on_pinned_thread(|| turns(clock));
            Outcome { figure: clock.quantile(ticks, 0.9999), digest }
        })
    };
    Comparison {
        id: "window/insert-evict-p9999/two-stacks",
        measure: Measure::Time("ns"),
        ours: side(turns::<DabaLite<u64>>),
        rival: side(turns::<TwoStacks<u64>>),
    }
}

/// How long each turn took, in ticks, and a digest of what the queue came to.
fn turns<Q: Queue>(clock: Clock) -> (Vec<u64>, u64) {
    let mut random = fastrand::Rng::with_seed(45);
    let values: Vec<u64> = (0..QUEUED + TURNS).map(|_| random.u64(..)).collect();
    let (filling, turning) = values.split_at(usize::try_from(QUEUED).expect("a few thousand"));
    let (mut queue, mut digest) = (Q::default(), Digest::default());
    filling.iter().for_each(|value| queue.insert(*value));
    // Touched before, so that no turn waits for a page.
    let mut ticks = vec![1; turning.len()];
    for (ticks, value) in ticks.iter_mut().zip(turning) {
        let began = clock.ticks();
        queue.insert(*value);
        queue.evict();
        *ticks = clock.ticks() - began;
        digest.add(&[queue.greatest()]);
    }
    (ticks, digest.value())
}
