//! The greatest of all records of a minute, by the second, where some come late: against µWheel (Meldrum and Carbone, *µWheel:
//! Aggregate Management for Streams and Queries*, DEBS 2024).

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use nacreous::prelude::*;
use uwheel::{
    Conf, Entry, HawConf, NumericalDuration, RwWheel, Window, WindowAggregate,
    aggregator::max::I64MaxAggregator,
};

use super::{Digested, MINUTE, add, digest_in};
use crate::comparison::{Comparison, Digest, Measure, on_pinned_thread, timed};

/// All times here are in milliseconds, as the wheel has them.
const SECOND: u64 = 1_000;
/// How long after its time a record may come.
const DELAY: u64 = 5 * SECOND;
/// No record is before it.
const START: u64 = 100 * SECOND;
const SECONDS: u64 = 1_024;
const A_MILLISECOND: u64 = 16;

/// When it is read after its time, and a value.
#[derive(Debug, Clone, Copy)]
struct Reading {
    delay: u64,
    value: i64,
}

/// Records of which one in ten comes late, by up to the delay.
#[derive(Debug, Clone, Copy)]
struct Readings {
    /// Read over and over.
    block: &'static [Reading],
}

impl Readings {
    const LEN: u64 = SECONDS * SECOND * A_MILLISECOND;

    fn new() -> Self {
        let mut random = fastrand::Rng::with_seed(46);
        let reading = |_| {
            let delay = if random.u8(0..10) == 0 { random.u64(1..DELAY) } else { 0 };
            Reading { delay, value: random.i64(..) }
        };
        let block: Vec<_> = (0..1 << 16).map(reading).collect();
        Self { block: block.leak() }
    }

    /// With their times.
    fn iter(self) -> impl Iterator<Item = (u64, i64)> + Send + Clone {
        let read = (0..Self::LEN).map(|n| START + n / A_MILLISECOND);
        let readings = read.zip(self.block.iter().copied().cycle());
        readings.map(|(read, Reading { delay, value })| ((read - delay).max(START), value))
    }
}

/// Sixteen thousand records a second without a key, against a wheel that does nothing but take them in and slide.
pub fn sliding_max_uwheel() -> Comparison {
    let readings = Readings::new();
    let millions = Readings::LEN as f64 / 1e6;
    Comparison {
        id: "window/sliding-max/uwheel",
        measure: Measure::Rate("M records/s"),
        ours: timed(millions, move || ours(readings)),
        rival: timed(millions, move || on_pinned_thread(|| rival(readings))),
    }
}

fn ours(readings: Readings) -> u64 {
    let graph = Graph::new();
    let disorder = BoundedDisorder::new(Duration::from_millis(DELAY)).expect("a few seconds");
    let windows = Sliding::new(MINUTE, Duration::from_secs(1)).expect("a minute is longer than a second");
    let (greatest, _late) = graph
        .iter(readings.iter())
        .event_time(|(time, _)| Timestamp::from_nanos(nanos(*time)), disorder)
        .key_by(|_| ())
        .window(windows)
        .aggregate(max(|(_, value): &(u64, i64)| *value));
    let digest = Arc::default();
    let _ = greatest.to(Digested(Arc::clone(&digest), |()| 0));
    graph.run(JobOptions::default()).expect("the job runs");
    digest_in(&digest)
}

fn nanos(millis: u64) -> i64 {
    millis.cast_signed() * 1_000_000
}

/// A wheel as its authors would have it for this one job: their greatest of integers; no history but the minute that its wheel of
/// seconds has anyway, as is its default; no feature that does something on the way (profiler, timers, locks), as each is chosen
/// when it is built. Explicit SIMD takes a nightly compiler, and would serve no slice of one second. Slots are written ahead for
/// as many seconds as may be open at once (seven), rounded up, so that none of them takes the wheel's longer way.
fn rival(readings: Readings) -> u64 {
    const OPEN: NonZeroUsize = NonZeroUsize::new(8).expect("eight is more than none");
    // It fires no window that is not a whole one: as if there had been nothing for as long as the first needs.
    let before = START + SECOND - 60 * SECOND;
    let conf =
        Conf::default().with_write_ahead(OPEN).with_haw_conf(HawConf::default().with_watermark(before));
    let mut wheel = RwWheel::<I64MaxAggregator>::with_conf(conf);
    wheel.window(Window::sliding(60.seconds(), 1.seconds()));
    let mut digest = Digest::default();
    let mut emit = |results: Vec<WindowAggregate<i64>>| {
        results
            .iter()
            .for_each(|result| add(&mut digest, nanos(result.window_start_ms), 0, result.aggregate));
    };
    emit(wheel.advance_to(START));
    // The time that brings the watermark to the next second: nothing happens at any other, so it is not looked at.
    let mut due = START + SECOND + DELAY;
    for (time, value) in readings.iter() {
        wheel.insert(Entry::new(value, time));
        if time >= due {
            let watermark = (time - DELAY) / SECOND * SECOND;
            emit(wheel.advance_to(watermark));
            due = watermark + SECOND + DELAY;
        }
    }
    // All windows with a record, as at the end of a stream.
    emit(wheel.advance_to(START + (SECONDS - 1 + 60) * SECOND));
    digest.value()
}
