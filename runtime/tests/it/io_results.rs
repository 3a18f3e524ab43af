//! A sink whose records another thread receives: in order, with backpressure, and closed from either end.

use std::{
    thread,
    time::{Duration, Instant},
};

use nacreous::{
    Failure,
    prelude::*,
    sink::{self, Handed, NoResult, ResultsGone},
    source,
};

use crate::equivalence::{BATCHES, WORKERS};

const PATIENCE: Duration = Duration::from_secs(30);

fn in_order() -> BoundedDisorder {
    BoundedDisorder::new(Duration::ZERO).unwrap()
}

/// Starts a job that sums up each number by itself and hands over the sums.
fn sums(
    numbers: impl Iterator<Item = i64> + Send + 'static,
    to: Handed<i64>,
    options: JobOptions,
) -> JobHandle {
    let graph = Graph::new();
    let (sums, _) = graph
        .iter(numbers)
        .event_time(|n| Timestamp::from_nanos(*n), in_order())
        .key_by(|n| *n)
        .window(Sliding::tumbling(Duration::from_nanos(1)).unwrap())
        .aggregate(sum(|n: &i64| *n));
    sums.order_by(|sum| sum.key).map(|sum| sum.value).to(to);
    graph.start(options).unwrap()
}

#[test]
fn every_result_is_received_in_order_however_small_the_capacity() {
    for capacity in [0, 1, 2, 16, 1_024] {
        for workers in WORKERS {
            for batch in BATCHES {
                let count = if capacity < 16 { 1_000 } else { 10_000 };
                let (handed, results) = sink::handed(capacity);
                let receiving = thread::spawn(move || results.map(|result| result.value).collect::<Vec<_>>());
                let job = sums(0..count, handed, JobOptions { workers, batch, ..JobOptions::DEFAULT });
                let report = job.wait().unwrap();
                assert_eq!(receiving.join().unwrap(), (0..count).collect::<Vec<_>>());
                assert_eq!(report.results, count.unsigned_abs());
            }
        }
    }
}

#[test]
fn a_slow_receiver_holds_the_source_back_and_may_come_back_on_another_thread() {
    for workers in WORKERS {
        let (handed, mut results) = sink::handed(16);
        let job = sums(0_i64.., handed, JobOptions { workers, batch: 16, ..JobOptions::DEFAULT });
        let mut still = (0, 0);
        while still.1 < 20 {
            assert!(!job.wait_timeout(Duration::from_millis(5)), "an endless job has ended");
            let now = job.records_in();
            still = if now == still.0 && now > 0 { (now, still.1 + 1) } else { (now, 0) };
        }
        assert!(still.0 < 10_000, "{} records are under way, more than the edges hold", still.0);
        // Each stretch is received by a thread of its own.
        for stretch in 0..20 {
            results = thread::spawn(move || {
                for n in stretch * 500..(stretch + 1) * 500 {
                    assert_eq!(results.recv().map(|result| result.value), Some(n));
                }
                results
            })
            .join()
            .unwrap();
        }
        job.stop(Duration::MAX);
        let rest = results.map(|result| result.value).collect::<Vec<_>>();
        assert_eq!(rest, (10_000..10_000 + rest.len() as i64).collect::<Vec<_>>());
        assert_eq!(job.wait().unwrap().results, 10_000 + rest.len() as u64);
    }
}

#[test]
fn a_sink_that_waits_for_room_is_called_when_there_is_some() {
    let (handed, results) = sink::handed(1);
    let job = sums(0..100, handed, JobOptions { workers: 1, batch: 1, ..JobOptions::DEFAULT });
    let began = Instant::now();
    // The pause is the subject: long enough for the data thread to park.
    assert_eq!(results.inspect(|_| thread::sleep(Duration::from_millis(1))).count(), 100);
    job.wait().unwrap();
    // A thread that nobody wakes looks round every 100 ms.
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn to_try_and_to_wait_for_a_time_tell_not_yet_from_never() {
    let (mut feeder, fed) = source::fed(8);
    let (handed, mut results) = sink::handed(8);
    let graph = Graph::new();
    let (numbers, _) = graph.source(fed);
    numbers.event_time(|n| Timestamp::from_nanos(*n), in_order()).to(handed);
    assert_eq!(results.try_recv(), Err(NoResult::Yet));
    let job = graph.start(JobOptions::default()).unwrap();
    for _ in 0..3 {
        assert_eq!(results.recv_timeout(Duration::from_millis(2)), Err(NoResult::Yet));
    }
    let mut delays: Vec<_> = (0..31)
        .map(|n| {
            let sent = Instant::now();
            feeder.send(n).unwrap();
            let result = results.recv_timeout(PATIENCE).unwrap();
            assert_eq!((result.value, result.time), (n, Timestamp::from_nanos(n)));
            sent.elapsed()
        })
        .collect();
    // A thread that nobody wakes looks round every 100 ms, and would meet a record halfway on average.
    delays.sort();
    assert!(delays[15] < Duration::from_millis(20), "{delays:?}");
    feeder.close();
    assert_eq!(results.recv_timeout(Duration::MAX), Err(NoResult::Ever));
    assert_eq!(results.try_recv(), Err(NoResult::Ever));
    assert_eq!(results.recv(), None);
    job.wait().unwrap();
}

#[test]
fn results_that_are_dropped_fail_a_job_that_has_more_of_them_and_no_other() {
    for workers in WORKERS {
        // Dropped while the sink waits for room, and while the stream flows.
        for received in [0, 500] {
            let (handed, mut results) = sink::handed(16);
            let job = sums(0_i64.., handed, JobOptions { workers, batch: 16, ..JobOptions::DEFAULT });
            (0..received).for_each(|n| assert_eq!(results.recv().unwrap().value, n));
            drop(results);
            assert!(job.wait_timeout(PATIENCE), "{workers} workers: it goes on for ever");
            let error = job.wait().expect_err("its results are lost");
            let Failure::Sink { error, .. } = &error.failure else { panic!("{error}") };
            assert!(error.is::<ResultsGone>(), "{error}");
        }
        let (handed, results) = sink::handed(16);
        drop(results);
        let job = sums(0..0, handed, JobOptions { workers, batch: 16, ..JobOptions::DEFAULT });
        job.wait().expect("there was nothing to receive");
    }
}

#[test]
fn a_job_that_fails_or_is_cancelled_ends_the_results() {
    for workers in WORKERS {
        let (handed, results) = sink::handed(1_024);
        let numbers = (0_i64..).inspect(|n| assert!(*n < 5_000, "the trap"));
        let job = sums(numbers, handed, JobOptions { workers, batch: 16, ..JobOptions::DEFAULT });
        let received = results.count();
        assert!((1..5_000).contains(&received), "{received}");
        job.wait().expect_err("it fell into the trap");

        let (handed, mut results) = sink::handed(4);
        let job = sums(0_i64.., handed, JobOptions { workers, batch: 16, ..JobOptions::DEFAULT });
        assert!(results.recv().is_some());
        job.cancel();
        assert!(job.wait_timeout(PATIENCE), "a job that is cancelled waits for nobody");
        assert!(results.count() < 10_000);
    }
}
