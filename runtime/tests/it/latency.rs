//! How long records take, as a job measures it.

use std::{
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use nacreous::{
    LatencyReport, OperatorName, Tier,
    prelude::*,
    source::{self, Generator},
};

use crate::equivalence::{BATCHES, WORKERS};

const MEASURED: JobOptions = JobOptions { measure_latency: true, ..JobOptions::DEFAULT };

fn of<'a>(latencies: &'a [LatencyReport], sink: &str) -> &'a LatencyReport {
    let is_it = |sink_name: &OperatorName| sink_name.to_string().contains(sink);
    latencies.iter().find(|latency| is_it(&latency.sink)).expect("there is such a sink")
}

/// The time of the system's clock, as event time.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap())
}

#[test]
fn each_record_that_reaches_a_sink_is_measured_once() {
    const RECORDS: u64 = 20_000;
    for tier in [Tier::Fused, Tier::Boxed, Tier::Restless { seed: 7 }] {
        for workers in WORKERS {
            for batch in BATCHES {
                let graph = Graph::new();
                let [all, copies] = graph
                    .iter(0..RECORDS)
                    .event_time(|n| Timestamp::from_nanos(n.cast_signed()), BoundedDisorder::NONE)
                    .broadcast();
                let (sums, late) = all
                    .filter(|n| n % 3 > 0)
                    .key_by(|n| n % 10)
                    .window(Sliding::tumbling(Duration::from_nanos(100)).unwrap())
                    .aggregate(count());
                let sums = sums.named("sums").collect();
                late.discard();
                copies.for_each(|_| {}).named("copies");
                let options = JobOptions { workers, batch, tier, ..MEASURED };
                let latencies = graph.run(options).unwrap().latencies;
                assert_eq!(latencies.len(), 3, "{latencies:?}");
                let of_sums = latencies.iter().find(|sink| sink.lag.count() > 0).expect("sums go to a sink");
                let LatencyReport { processing, lag, .. } = of_sums;
                let results = sums.take().len() as u64;
                assert_eq!((processing.count(), lag.count()), (results, results), "{options:?}");
                let LatencyReport { processing, lag, .. } = of(&latencies, "copies");
                assert_eq!((processing.count(), lag.count()), (RECORDS, 0), "{options:?}");
            }
        }
    }
}

#[test]
fn a_job_that_does_not_measure_says_nothing() {
    let graph = Graph::new();
    let numbers = graph.iter(0..10).event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
    let _numbers = numbers.collect();
    assert_eq!(graph.run(JobOptions::default()).unwrap().latencies, []);
}

#[test]
fn a_record_that_is_held_up_is_seen_to_take_longer_and_all_that_came_with_it() {
    const WAIT: Duration = Duration::from_millis(50);
    for workers in WORKERS {
        let graph = Graph::new();
        let numbers = graph.iter(0..1_000_u64).event_time(|_| now(), BoundedDisorder::NONE);
        let held_up = numbers.isolate().inspect(|n| {
            if n.value == 500 {
                thread::sleep(WAIT);
            }
        });
        let _all = held_up.collect();
        let began = Instant::now();
        let report = graph.run(JobOptions { workers, batch: 100, ..MEASURED }).unwrap();
        let took = began.elapsed();
        let [LatencyReport { processing, lag, .. }] = &report.latencies[..] else { panic!("one sink") };
        // That of the record that waits, and all that came with it.
        assert!(processing.max() >= WAIT && lag.max() >= WAIT, "{processing}; {lag}");
        assert!(processing.quantile(0.95) >= WAIT, "{processing}");
        assert!(processing.max() <= took.mul_f64(1.001), "{processing}, in {took:?}");
    }
}

#[test]
fn a_result_counts_from_the_record_that_closed_its_window() {
    const WAIT: Duration = Duration::from_millis(100);
    for workers in WORKERS {
        let (mut feeder, fed) = source::fed(16);
        let graph = Graph::new();
        let (times, _) = graph.source(fed);
        let (counts, _) = times
            .event_time(|time| *time, BoundedDisorder::NONE)
            .key_by(|_| ())
            .window(Sliding::tumbling(Duration::from_millis(1)).unwrap())
            .aggregate(count());
        let counts = counts.collect();
        let job = graph.start(JobOptions { workers, ..MEASURED }).unwrap();
        let (began, time) = (Instant::now(), now());
        feeder.send(time).unwrap();
        thread::sleep(WAIT);
        let closed = Instant::now();
        feeder.send(Timestamp::from_nanos(time.as_nanos() + 1_000_000_000)).unwrap();
        feeder.close();
        let latencies = job.wait().unwrap().latencies;
        let (since_begin, since_close) = (began.elapsed(), closed.elapsed());
        assert_eq!(counts.take().len(), 2);
        let [LatencyReport { processing, lag, .. }] = &latencies[..] else { panic!("one sink") };
        assert!(
            processing.max() <= since_close.mul_f64(1.001),
            "{processing}, {since_close:?} after the close"
        );
        assert!(lag.max() >= WAIT - Duration::from_millis(1), "{lag}");
        assert!(lag.max() <= since_begin.mul_f64(1.001), "{lag}, {since_begin:?} after the first record");
    }
}

#[test]
fn a_running_job_says_what_it_has_measured_so_far() {
    let graph = Graph::new();
    let (ticks, _) = graph.source(Generator::every(Duration::from_micros(100), |n| n));
    ticks.arrival_time().for_each(|_| {});
    let job = graph.start(MEASURED).unwrap();
    let count = || job.report().latencies.first().map_or(0, |sink| sink.processing.count());
    let began = Instant::now();
    let mut before = 0;
    for _ in 0..3 {
        while count() <= before {
            assert!(began.elapsed() < Duration::from_secs(30), "it stands at {before}");
            thread::sleep(Duration::from_millis(1));
        }
        before = count();
    }
    job.stop(Duration::MAX);
    let report = job.wait().unwrap();
    assert_eq!(report.latencies[0].processing.count(), report.records_in);
}
