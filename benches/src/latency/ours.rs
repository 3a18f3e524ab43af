//! The pipelines in the runtime.

use std::{thread, time::Duration};

use nacreous::{Latencies, Tier, prelude::*};

use super::{
    KEYS, WINDOW,
    load::{Load, Measured, Noted, Round, Tick, now},
};

/// From a source on one thread to a sink on another, with an operator in between and two edges: one between the threads, one
/// behind the operator.
pub(crate) fn two_hop(round: &Round, batch: usize) -> Latencies {
    let (graph, measured) = (Graph::new(), Measured::default());
    let (ticks, _) = graph.source(Load::new(round));
    let sink =
        Noted { meter: measured.meter(round), due: |record: &Record<Keyed<u64, u64>>| record.value.value };
    let _ = ticks
        .event_time(Tick::time, BoundedDisorder::NONE)
        .key_by(|tick| tick.number % KEYS)
        .scan(0_u64, |_, tick| tick.due)
        .isolate()
        .to(sink);
    graph.run(JobOptions { workers: 2, batch, ..JobOptions::DEFAULT }).expect("the job runs");
    measured.take()
}

/// Sums by key in tumbling windows, on one thread: how long after its end the results of a window come.
pub(crate) fn sums(round: &Round, keys: u64) -> Latencies {
    let (graph, measured) = (Graph::new(), Measured::default());
    let (ticks, _) = graph.source(Load::new(round));
    let (sums, _) = ticks
        .event_time(Tick::time, BoundedDisorder::NONE)
        .key_by(move |tick| tick.number % keys)
        .window(Sliding::tumbling(WINDOW).expect("some milliseconds are a window"))
        .aggregate(sum(|tick: &Tick| tick.number.cast_signed()));
    let _ = sums.to(Noted { meter: measured.meter(round), due: end });
    graph.run(JobOptions::default()).expect("the job runs");
    measured.take()
}

/// Ten seconds by ten milliseconds, for ten thousand keys, on one thread: how long after its end the results of a window come.
pub(crate) fn ten_seconds(round: &Round) -> Latencies {
    const KEYS: u64 = 10_000;
    let (graph, measured) = (Graph::new(), Measured::default());
    let (ticks, _) = graph.source(Load::new(round));
    let windows = Sliding::new(Duration::from_secs(10), Duration::from_millis(10));
    let (counts, _) = ticks
        .event_time(Tick::time, BoundedDisorder::NONE)
        .key_by(|tick| tick.number % KEYS)
        .expect_keys(usize::try_from(KEYS).expect("thousands"))
        .window(windows.expect("ten seconds by the hundredth are windows"))
        .aggregate(count());
    let _ = counts.to(Noted { meter: measured.meter(round), due: end });
    graph.run(JobOptions::default()).expect("the job runs");
    measured.take()
}

/// How often, and for how long, a slow consumer does nothing.
const PAUSE_EVERY: u64 = 50_000_000;
const PAUSE: Duration = Duration::from_millis(2);

/// A stream to four consumers, three of them on the source's thread. The fourth, on another, stops now and then, if it `pauses`.
/// What is measured is how long records take to the three.
pub(crate) fn beside_another(round: &Round, pauses: bool) -> Latencies {
    let graph = Graph::new();
    let (ticks, _) = graph.source(Load::new(round));
    let [first, second, third, fourth] = ticks.event_time(Tick::time, BoundedDisorder::NONE).broadcast();
    let found = [first, second, third].map(|ticks| {
        let measured = Measured::default();
        let _ =
            ticks.to(Noted { meter: measured.meter(round), due: |record: &Record<Tick>| record.value.due });
        measured
    });
    let mut resumed = now();
    let _ = fourth.map(|tick| tick.due).named("another").for_each(move |_| {
        if pauses && now() - resumed > PAUSE_EVERY {
            thread::sleep(PAUSE);
            resumed = now();
        }
    });
    let options = JobOptions { workers: 2, tier: Tier::ByHand, ..JobOptions::DEFAULT };
    let job = graph.start(options).expect("the job can be started");
    job.cut_before("another", 1).expect("it can be cut there");
    job.wait().expect("the job runs");
    let mut all = Latencies::default();
    found.iter().for_each(|measured| all.add(&measured.take()));
    all
}

/// The end of the window that a result is of.
fn end<T>(record: &Record<WindowResult<u64, T>>) -> u64 {
    record.value.window.end.as_nanos().cast_unsigned()
}
