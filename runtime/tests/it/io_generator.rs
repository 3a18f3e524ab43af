//! Records made up at a rate: never too early, none left out, the same in every run.

use std::{
    num::NonZero,
    thread,
    time::{Duration, Instant},
};

use nacreous::{prelude::*, sink, source::Generator};

use crate::equivalence::{BATCHES, WORKERS};

fn in_order() -> BoundedDisorder {
    BoundedDisorder::new(Duration::ZERO).unwrap()
}

#[test]
fn no_record_comes_before_it_is_due_and_none_is_left_out() {
    const INTERVAL: Duration = Duration::from_micros(250);
    for workers in WORKERS {
        for batch in BATCHES {
            for per_second in [true, false] {
                let began = Instant::now();
                let make = move |n: u64| (n, began.elapsed());
                let numbers = match per_second {
                    true => Generator::per_second(NonZero::new(4_000).unwrap(), make),
                    false => Generator::every(INTERVAL, make),
                };
                let graph = Graph::new();
                let (numbers, _) = graph.source(numbers.take(100));
                let numbers = numbers.event_time(|_| Timestamp::from_nanos(0), in_order()).collect();
                let report = graph.run(JobOptions { workers, batch, ..JobOptions::DEFAULT }).unwrap();
                assert_eq!(report.records_in, 100);
                for (expected, record) in (0..).zip(numbers.take()) {
                    let (n, made) = record.value;
                    assert_eq!(n, expected);
                    assert!(made >= INTERVAL * u32::try_from(n).unwrap(), "{n} came after {made:?}");
                }
            }
        }
    }
}

#[test]
fn a_job_that_was_held_up_catches_up_and_no_further() {
    let (handed, mut results) = sink::handed(4);
    let graph = Graph::new();
    let (numbers, _) = graph.source(Generator::every(Duration::from_millis(10), |n| n));
    numbers.event_time(|_| Timestamp::from_nanos(0), in_order()).to(handed);
    let job = graph.start(JobOptions { workers: 1, batch: 8, ..JobOptions::DEFAULT }).unwrap();
    assert_eq!(results.recv().unwrap().value, 0);
    let began = Instant::now();
    // The pause is the subject: some hundred records come to be due, and there is room for a few.
    thread::sleep(Duration::from_secs(1));
    for n in 1..95 {
        assert_eq!(results.recv().unwrap().value, n);
    }
    assert!(began.elapsed() < Duration::from_millis(1_700), "as fast as they are taken");
    for _ in 0..30 {
        let n = results.recv().unwrap().value;
        // The first one was due before the clock of this test began: how long before, nobody knows.
        assert!(u128::from(n) <= began.elapsed().as_millis() / 10 + 20, "{n} after {:?}", began.elapsed());
    }
    job.stop(Duration::MAX);
    assert!(results.count() < 100);
    job.wait().unwrap();
}

#[test]
fn without_an_interval_records_come_as_fast_as_they_are_taken() {
    for workers in WORKERS {
        let graph = Graph::new();
        let (numbers, _) = graph.source(Generator::every(Duration::ZERO, |n| n).take(200_000));
        let numbers = numbers.event_time(|_| Timestamp::from_nanos(0), in_order()).collect();
        assert_eq!(
            graph.run(JobOptions { workers, batch: 512, ..JobOptions::DEFAULT }).unwrap().records_in,
            200_000
        );
        assert!(numbers.take().into_iter().map(|record| record.value).eq(0..200_000));
    }
    let graph = Graph::new();
    let (none, _) = graph.source(Generator::every(Duration::MAX, |n| n).take(0));
    let none = none.event_time(|_| Timestamp::from_nanos(0), in_order()).collect();
    graph.run(JobOptions::default()).unwrap();
    assert!(none.take().is_empty());
}
