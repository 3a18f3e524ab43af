//! A source that another thread feeds: in order, with backpressure, and closed from either end.

use std::{
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use nacreous::{
    prelude::*,
    source::{self, Closed, Fed, TrySendError},
};

use crate::equivalence::{BATCHES, WORKERS};

const PATIENCE: Duration = Duration::from_secs(30);

/// Starts a job that keeps what it is fed.
fn keep(fed: Fed<i64>, options: JobOptions) -> (JobHandle, nacreous::Collected<i64>) {
    let graph = Graph::new();
    let (numbers, _) = graph.source(fed);
    let numbers = numbers.event_time(|n| Timestamp::from_nanos(*n), in_order());
    let kept = numbers.map(|n| n).collect();
    (graph.start(options).unwrap(), kept)
}

fn in_order() -> BoundedDisorder {
    BoundedDisorder::new(Duration::ZERO).unwrap()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_micros(100));
    }
}

#[test]
fn everything_sent_arrives_in_order_however_small_the_capacity() {
    for capacity in [0, 1, 2, 16, 1_024] {
        for workers in WORKERS {
            for batch in BATCHES {
                let count = if capacity < 16 { 2_000 } else { 40_000 };
                let (mut feeder, fed) = source::fed(capacity);
                let feeding = thread::spawn(move || (0..count).try_for_each(|n| feeder.send(n)));
                let (job, kept) = keep(fed, JobOptions { workers, batch, ..JobOptions::DEFAULT });
                let report = job.wait().expect("it ends when the feeder is dropped");
                assert_eq!(feeding.join().unwrap(), Ok(()));
                assert_eq!(report.records_in, count.unsigned_abs());
                let kept: Vec<_> = kept.take().into_iter().map(|record| record.value).collect();
                assert_eq!(kept, (0..count).collect::<Vec<_>>());
            }
        }
    }
}

#[test]
fn what_was_sent_before_the_job_was_there_is_read_when_it_is() {
    for workers in WORKERS {
        let (mut feeder, fed) = source::fed(4);
        (0..4).for_each(|n| feeder.try_send(n).expect("there is room"));
        assert!(matches!(feeder.try_send(4), Err(TrySendError::Full(4))));
        let (job, kept) = keep(fed, JobOptions { workers, batch: 512, ..JobOptions::DEFAULT });
        feeder.send(4).expect("there comes to be room");
        feeder.close();
        assert_eq!(job.wait().unwrap().records_in, 5);
        assert_eq!(kept.take().len(), 5);
    }
}

#[test]
fn a_record_wakes_a_job_that_has_gone_to_sleep_while_it_was_being_started() {
    // Each round sends at another moment of the start, before, within and after `attach`.
    for round in 0..200 {
        let (mut feeder, fed) = source::fed(8);
        let (sent_at, delay) = (Arc::new(Mutex::new(None)), mpsc::channel());
        let shared = Arc::clone(&sent_at);
        let feeding = thread::spawn(move || {
            (0..round * 400).for_each(|_| std::hint::spin_loop());
            *shared.lock().unwrap() = Some(Instant::now());
            feeder.send(1).expect("the job is there");
            feeder
        });
        let graph = Graph::new();
        let (numbers, _) = graph.source(fed);
        let numbers = numbers.event_time(|n| Timestamp::from_nanos(*n), in_order());
        numbers.for_each(move |_| delay.0.send(Instant::now()).unwrap());
        let job = graph.start(JobOptions::default()).unwrap();
        delay.1.recv_timeout(PATIENCE).expect("the record was forgotten");
        drop(feeding.join().unwrap());
        job.wait().unwrap();
    }
}

#[test]
fn neither_side_sleeps_through_a_call() {
    // The median shows it: a thread that nobody calls looks round every 100 ms, halfway on average.
    let (mut feeder, fed) = source::fed(1);
    let graph = Graph::new();
    let (numbers, _) = graph.source(fed);
    let (arrived, arrivals) = mpsc::channel();
    let numbers = numbers.event_time(|(n, _)| Timestamp::from_nanos(*n), in_order());
    numbers.for_each(move |record| arrived.send(record.value.1).unwrap());
    let job = graph.start(JobOptions::default()).unwrap();
    let mut delays = Vec::new();
    for n in 0..31 {
        // The pause is the subject: long enough for the data thread to park.
        thread::sleep(Duration::from_millis(3));
        feeder.send((n, Instant::now())).unwrap();
        delays.push(arrivals.recv_timeout(PATIENCE).unwrap().elapsed());
    }
    delays.sort();
    assert!(delays[15] < Duration::from_millis(20), "{delays:?}");

    drop(feeder);
    job.wait().unwrap();

    // Each record is taken only after a while, long enough for the feeder to park.
    let (mut feeder, fed) = source::fed(1);
    let graph = Graph::new();
    let (numbers, _) = graph.source(fed);
    let numbers = numbers.event_time(|n| Timestamp::from_nanos(*n), in_order());
    numbers.for_each(|_| thread::sleep(Duration::from_millis(1)));
    let job = graph.start(JobOptions { workers: 1, batch: 1, ..JobOptions::DEFAULT }).unwrap();
    let began = Instant::now();
    (0..100).for_each(|n| feeder.send(n).unwrap());
    drop(feeder);
    job.wait().unwrap();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn a_job_that_ends_frees_a_feeder_that_waits() {
    for workers in WORKERS {
        for stop in [true, false] {
            let (mut feeder, fed) = source::fed(16);
            let (gate, gated) = mpsc::channel::<()>();
            let graph = Graph::new();
            let (numbers, _) = graph.source(fed);
            let numbers = numbers.event_time(|n| Timestamp::from_nanos(*n), in_order());
            // Closed until the test lets go of its end.
            numbers.for_each(move |_| _ = gated.recv());
            let job = graph.start(JobOptions { workers, batch: 4, ..JobOptions::DEFAULT }).unwrap();
            let (waits, waiting) = mpsc::channel();
            let feeding = thread::spawn(move || {
                let mut sent = 0_u64;
                loop {
                    match feeder.try_send(1) {
                        Ok(()) => sent += 1,
                        Err(TrySendError::Full(n)) => {
                            let _ = waits.send(sent);
                            match feeder.send(n) {
                                Ok(()) => sent += 1,
                                Err(Closed(n)) => return (sent, n, feeder.is_closed()),
                            }
                        }
                        Err(TrySendError::Closed(n)) => return (sent, n, feeder.is_closed()),
                    }
                }
            });
            waiting.recv_timeout(PATIENCE).expect("the channel is full some time");
            if stop {
                job.stop(Duration::MAX);
            } else {
                job.cancel();
            }
            drop(gate);
            until("the job ends", || job.wait_timeout(Duration::from_millis(1)));
            let (sent, refused, closed) = feeding.join().unwrap();
            assert_eq!((refused, closed), (1, true));
            assert!(job.wait().unwrap().records_in <= sent);
        }
    }
}

#[test]
fn a_graph_that_is_never_started_closes_its_feeder() {
    let (mut feeder, fed) = source::fed(2);
    let graph = Graph::new();
    let loose = graph.source(fed);
    feeder.send("on its way").unwrap();
    assert!(!feeder.is_closed());
    drop(loose);
    assert!(feeder.is_closed());
    assert_eq!(feeder.send("too late"), Err(Closed("too late")));
    assert_eq!(feeder.try_send("too late"), Err(TrySendError::Closed("too late")));
}
