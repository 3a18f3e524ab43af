//! There and back: a record goes to the other core through one ring and returns through a second one.

use std::{
    hint,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crossbeam_utils::CachePadded;
use nacreous_channels::spsc;

use super::{Record, until};
use crate::{
    clock::Clock,
    comparison::{Comparison, Measure, Outcome, Side},
    two_threads,
};

const TRIPS: usize = 100_000;
/// Trips before the ones that count.
const WARM_UP: usize = 10_000;
const SLOTS: usize = 64;
const TIME: Measure = Measure::Time("ns");

/// Half of the trips are faster: against two bare atomics, which is as fast as this machine can be.
pub fn p50_floor() -> Comparison {
    Comparison { id: "spsc/round-trip-p50/floor", measure: TIME, ours: ours(0.5), rival: bare(0.5) }
}

/// Half of the trips are faster: against rtrb.
pub fn p50_rtrb() -> Comparison {
    Comparison { id: "spsc/round-trip-p50/rtrb", measure: TIME, ours: ours(0.5), rival: rtrb(0.5) }
}

/// All but one trip in a hundred are faster: against rtrb.
pub fn p99_rtrb() -> Comparison {
    Comparison { id: "spsc/round-trip-p99/rtrb", measure: TIME, ours: ours(0.99), rival: rtrb(0.99) }
}

/// Through our channels.
pub fn ours(quantile: f64) -> Side {
    Box::new(move || {
        let (mut there, mut arrived) = spsc::channel(SLOTS);
        let (mut back, mut returned) = spsc::channel(SLOTS);
        round_trips(
            quantile,
            move |record| {
                until(|| there.push(record).ok());
                until(|| returned.pop())
            },
            move || {
                let record = until(|| arrived.pop());
                until(|| back.push(record).ok());
            },
        )
    })
}

/// Through rtrb.
pub fn rtrb(quantile: f64) -> Side {
    Box::new(move || {
        let (mut there, mut arrived) = rtrb::RingBuffer::new(SLOTS);
        let (mut back, mut returned) = rtrb::RingBuffer::new(SLOTS);
        round_trips(
            quantile,
            move |record| {
                until(|| there.push(record).ok());
                until(|| returned.pop().ok())
            },
            move || {
                let record = until(|| arrived.pop().ok());
                until(|| back.push(record).ok());
            },
        )
    })
}

/// Two counters, each on a line of its own, that carry no more than themselves.
pub fn bare(quantile: f64) -> Side {
    Box::new(move || {
        let there = Arc::new(CachePadded::new(AtomicU64::new(0)));
        let back = Arc::new(CachePadded::new(AtomicU64::new(0)));
        let (arrived, returned) = (Arc::clone(&there), Arc::clone(&back));
        let (mut sent, mut seen) = (0, 0);
        round_trips(
            quantile,
            move |record: Record| {
                sent += 1;
                there.store(sent, Ordering::Release);
                while returned.load(Ordering::Acquire) != sent {
                    hint::spin_loop();
                }
                record
            },
            move || {
                seen += 1;
                while arrived.load(Ordering::Acquire) != seen {
                    hint::spin_loop();
                }
                back.store(seen, Ordering::Release);
            },
        )
    })
}

/// Times each trip; the figure is the quantile of their times.
fn round_trips(
    quantile: f64,
    mut trip: impl FnMut(Record) -> Record + Send,
    mut reflect: impl FnMut() + Send,
) -> Outcome {
    let clock = Clock::new();
    let echo = move || (0..WARM_UP + TRIPS).for_each(|_| reflect());
    let measure = move || {
        let mut digest = 0_u64;
        let mut ticks = Vec::with_capacity(WARM_UP + TRIPS);
        for number in 0..WARM_UP + TRIPS {
            let started = clock.ticks();
            let record = trip(Record::new(number as u64));
            ticks.push(clock.ticks() - started);
            digest = digest.wrapping_add(record.digest());
        }
        ticks.drain(..WARM_UP);
        Outcome { figure: clock.quantile(ticks, quantile), digest }
    };
    two_threads::run(echo, measure).1
}
