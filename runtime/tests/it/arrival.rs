//! Records that happen when they are read: none is late, and time goes on without them.

use std::{num::NonZero, time::Duration};

use nacreous::{
    prelude::*,
    sink,
    source::{self, Generator},
};

use crate::equivalence::{BATCHES, WORKERS};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_window_closes_and_an_order_is_found_while_no_record_comes() {
    for workers in WORKERS {
        let (mut feeder, fed) = source::fed(64);
        let (to_counts, mut counts) = sink::handed(64);
        let (to_ordered, mut ordered) = sink::handed(64);
        let graph = Graph::new();
        let (words, _) = graph.source(fed);
        let [words, again] = words.arrival_time().broadcast();
        let windows = Sliding::tumbling(Duration::from_millis(40)).unwrap();
        let (counted, late) = words.key_by(|word: &&str| *word).window(windows).aggregate(count());
        counted.to(to_counts);
        let late = late.collect();
        again.order_by(|word| *word).to(to_ordered);
        let job = graph.start(JobOptions { workers, ..JobOptions::DEFAULT }).unwrap();
        for word in ["to", "be", "to"] {
            feeder.send(word).unwrap();
            let counted = counts.recv_timeout(PATIENCE).expect("a window").value;
            assert_eq!((counted.key, counted.value), (word, 1), "{workers} workers");
            assert_eq!(ordered.recv_timeout(PATIENCE).expect("a word").value, word, "{workers} workers");
        }
        drop(feeder);
        let report = job.wait().unwrap();
        assert_eq!((report.records_late, late.take().len()), (0, 0));
    }
}

#[test]
fn no_record_is_late_and_every_one_is_counted_whatever_the_batch() {
    for workers in WORKERS {
        for batch in BATCHES {
            let graph = Graph::new();
            let numbers = || Generator::per_second(NonZero::new(20_000).unwrap(), |n| n).take(1_000);
            let ((one, _), (other, _)) = (graph.source(numbers()), graph.source(numbers()));
            let both = one.arrival_time().merge(other.arrival_time());
            let windows = Sliding::tumbling(Duration::from_micros(700)).unwrap();
            let (counts, _) = both.key_by(|n| n % 3).window(windows).aggregate(count());
            let counts = counts.collect();
            let report = graph.run(JobOptions { workers, batch, ..JobOptions::DEFAULT }).unwrap();
            assert_eq!((report.records_on_time, report.records_late), (2_000, 0), "{workers}, {batch}");
            assert_eq!(counts.take().iter().map(|count| count.value.value).sum::<u64>(), 2_000);
        }
    }
}

#[test]
fn a_job_in_which_nothing_comes_sleeps() {
    let (feeder, fed) = source::fed::<u64>(64);
    let graph = Graph::new();
    let (numbers, _) = graph.source(fed);
    // Windows as short as can be, and an order that waits for any watermark.
    let [numbers, again] = numbers.arrival_time().broadcast();
    let windows = Sliding::tumbling(Duration::from_nanos(1)).unwrap();
    let (counts, _) = numbers.key_by(|n| *n).window(windows).aggregate(count());
    counts.discard();
    again.order_by(|n| *n).discard();
    let job = graph.start(JobOptions::default()).unwrap();
    while job.report().workers[0].idle < Duration::from_millis(200) {
        assert!(job.report().elapsed < PATIENCE, "it never sleeps: {:?}", job.report());
        std::thread::yield_now();
    }
    drop(feeder);
    job.wait().unwrap();
}
