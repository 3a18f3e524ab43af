//! Sources of the user's own: ones that pause, reject, fail, misbehave; several in one graph.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use nacreous::{
    BoxError, Failure, JobStatus, RunError,
    prelude::*,
    source::{Demand, Intake, Readiness, Source},
};

use crate::equivalence::{BATCHES, WORKERS};

fn in_order() -> BoundedDisorder {
    BoundedDisorder::new(Duration::ZERO).unwrap()
}

fn at(n: i64) -> Timestamp {
    Timestamp::from_nanos(n)
}

/// Counts up, pausing after each few numbers, rejecting every third, and ending with its last.
struct Halting {
    next: i64,
    count: i64,
    pause_every: i64,
}

impl Source for Halting {
    type Item = i64;
    type Reject = i64;

    fn poll(&mut self, intake: &mut impl Intake<i64, i64>) -> Result<Readiness, BoxError> {
        while self.next < self.count {
            let n = self.next;
            self.next += 1;
            let demand = if n % 3 == 2 { intake.reject(n) } else { intake.accept(n) };
            if self.next == self.count {
                // Together with the last number, whether or not there is room for more.
                return Ok(Readiness::Ended);
            }
            if self.next % self.pause_every == 0 {
                return Ok(Readiness::Pending);
            }
            if demand == Demand::Enough {
                return Ok(Readiness::Ready);
            }
        }
        Ok(Readiness::Ended)
    }
}

#[test]
fn a_source_that_pauses_and_rejects_and_ends_with_its_last_record_loses_nothing() {
    for (count, pause_every) in [(1, 1), (10, 1), (3_000, 7), (5_000, 1_000)] {
        for workers in WORKERS {
            for batch in BATCHES {
                let graph = Graph::new();
                let (numbers, rejected) = graph.source(Halting { next: 0, count, pause_every });
                let (counts, _) = numbers
                    .event_time(|n| at(*n), in_order())
                    .order_by(|n| *n)
                    .key_by(|n| *n)
                    .window(Sliding::tumbling(Duration::from_nanos(5)).unwrap())
                    .aggregate(nacreous::count());
                let counts = counts.order_by(|count| count.key).collect();
                let rejected = rejected.collect();
                let report =
                    graph.run(JobOptions { workers, batch, ..JobOptions::default() }).expect("the job runs");
                let keys: Vec<_> = counts.take().into_iter().map(|record| record.value.key).collect();
                assert_eq!(keys, (0..count).filter(|n| n % 3 != 2).collect::<Vec<_>>());
                let rejected: Vec<_> = rejected.take().into_iter().map(|record| record.value).collect();
                assert_eq!(rejected, (0..count).filter(|n| n % 3 == 2).collect::<Vec<_>>());
                assert_eq!(report.records_in, count.unsigned_abs());
            }
        }
    }
}

/// Gives one record and one reject, then nothing until both have arrived.
struct Trickle {
    given: bool,
    arrived: Arc<AtomicU64>,
}

impl Source for Trickle {
    type Item = i64;
    type Reject = ();

    fn poll(&mut self, intake: &mut impl Intake<i64, ()>) -> Result<Readiness, BoxError> {
        if !self.given {
            self.given = true;
            let _ = (intake.accept(1), intake.reject(()));
        }
        Ok(if self.arrived.load(Ordering::Relaxed) < 2 { Readiness::Pending } else { Readiness::Ended })
    }
}

#[test]
fn a_record_that_comes_alone_goes_all_the_way_without_waiting_for_others() {
    for workers in WORKERS {
        let arrived = Arc::new(AtomicU64::new(0));
        let (one, other) = (Arc::clone(&arrived), Arc::clone(&arrived));
        let graph = Graph::new();
        // What arrives ends the source: the job would never end if any of it were held back. One way is
        // fused with the source, the other one leads over an edge.
        let (numbers, rejected) = graph.source(Trickle { given: false, arrived });
        let stream = numbers.event_time(|n| at(*n), in_order());
        stream.map(|n| n).for_each(move |_| _ = one.fetch_add(1, Ordering::Relaxed));
        rejected.for_each(move |_| _ = other.fetch_add(1, Ordering::Relaxed));
        let job = graph.start(JobOptions { workers, batch: 512, ..JobOptions::default() }).unwrap();
        assert!(job.wait_timeout(Duration::from_secs(30)), "{workers} workers: the record was held back");
    }
}

/// Goes on although it has been told that it is enough.
struct Stubborn;

impl Source for Stubborn {
    type Item = i64;
    type Reject = ();

    fn poll(&mut self, intake: &mut impl Intake<i64, ()>) -> Result<Readiness, BoxError> {
        (0..100).for_each(|n| _ = intake.accept(n));
        Ok(Readiness::Ended)
    }
}

#[test]
fn a_source_that_ignores_that_it_is_enough_is_blamed_for_it() {
    for workers in WORKERS {
        let graph = Graph::new();
        let (numbers, _) = graph.source(Stubborn);
        let (counts, _) = numbers
            .event_time(|n| at(*n), in_order())
            .key_by(|n| n % 3)
            .window(Sliding::tumbling(Duration::from_nanos(10)).unwrap())
            .aggregate(count());
        counts.for_each(|_| ());
        let outcome = graph.run(JobOptions { workers, batch: 8, ..JobOptions::default() });
        let Err(RunError::Job(error)) = outcome else { panic!("{outcome:?}") };
        let Failure::Panicked { operator, message } = &error.failure else { panic!("{error}") };
        assert_eq!(operator.kind(), "source");
        assert!(message.contains("enough"), "{message}");
    }
}

#[test]
fn one_failing_source_ends_a_job_whose_other_source_never_would() {
    for workers in WORKERS {
        let graph = Graph::new();
        let fails = graph.iter(0..100_i64).event_time(|n| at(*n), in_order());
        fails.for_each(|record| assert!(record.value < 50, "the trap"));
        let endless = graph.iter(0_i64..).event_time(|n| at(*n), in_order());
        endless.for_each(|_| ());
        let job = graph.start(JobOptions { workers, batch: 8, ..JobOptions::default() }).unwrap();
        assert!(job.wait_timeout(Duration::from_secs(30)), "{workers} workers: it goes on for ever");
        assert_eq!(job.status(), JobStatus::Failed);
        let error = job.wait().expect_err("it failed");
        assert!(
            matches!(&error.failure, Failure::Panicked { message, .. } if message == "the trap"),
            "{error}"
        );
    }
}

#[test]
fn order_by_without_a_window_brings_records_along_the_way_and_the_same_in_every_way_of_running_it() {
    // Out of order by up to 40, and now and then by more than the bound allows.
    let shuffled = |n: i64| if n % 301 == 0 { n - 900 } else { n - n * 7 % 40 };
    let mut outcomes = Vec::new();
    for workers in WORKERS {
        for batch in BATCHES {
            let graph = Graph::new();
            let bound = BoundedDisorder::new(Duration::from_nanos(40)).unwrap();
            let ordered =
                graph.iter(0..20_000_i64).event_time(move |n| at(shuffled(*n)), bound).order_by(|n| *n);
            let ordered = ordered.collect();
            graph.run(JobOptions { workers, batch, ..JobOptions::default() }).expect("the job runs");
            outcomes.push(ordered.take());
        }
    }
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "the order is not the same");
    assert_eq!(outcomes[0].len(), 20_000);
    let on_time: Vec<_> = outcomes[0].iter().filter(|record| record.value % 301 != 0).collect();
    assert!(on_time.is_sorted_by_key(|record| (record.time, record.value)));

    let graph = Graph::new();
    let arrived = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&arrived);
    let endless = graph.iter(0_i64..).event_time(|n| at(*n), in_order()).order_by(|n| *n);
    endless.for_each(move |_| _ = count.fetch_add(1, Ordering::Relaxed));
    let job = graph.start(JobOptions::default()).unwrap();
    while arrived.load(Ordering::Relaxed) < 100_000 {
        assert!(!job.wait_timeout(Duration::from_millis(1)), "an endless job has ended");
    }
    job.cancel();
    job.wait().expect("a cancelled job has not failed");
}

#[test]
fn windows_over_late_records_are_the_same_in_every_way_of_running_them() {
    let mut outcomes = Vec::new();
    for workers in [1, 2, 3, 5] {
        for batch in BATCHES {
            let graph = Graph::new();
            let (counts, late) = graph
                .iter(0..30_000_i64)
                .event_time(|n| at(if n % 5 == 4 { n - 300 } else { *n }), in_order())
                .key_by(|n| n % 7)
                .window(Sliding::tumbling(Duration::from_nanos(100)).unwrap())
                .aggregate(count());
            counts.for_each(|_| ());
            let (late_counts, later) = late
                .key_by(|late| late.key)
                .window(Sliding::tumbling(Duration::from_nanos(1_000)).unwrap())
                .aggregate(count());
            let late_counts = late_counts.order_by(|count| count.key).collect();
            let later = later.collect();
            let report =
                graph.run(JobOptions { workers, batch, ..JobOptions::default() }).expect("the job runs");
            assert!(later.take().is_empty(), "nothing is later than late");
            let counts: Vec<_> = late_counts.take().into_iter().map(|record| record.value).collect();
            assert_eq!(counts.iter().map(|count| count.value).sum::<u64>(), report.records_late);
            assert!(report.records_late > 5_000);
            outcomes.push(counts);
        }
    }
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]));
}

/// Fails at its first record.
struct Broken;

impl<T> nacreous::sink::Sink<T> for Broken {
    fn write(&mut self, _: &mut std::vec::Drain<'_, Record<T>>) -> Result<(), BoxError> {
        Err("broken".into())
    }
}

/// Many keys in one window, some late records, the record that closes the window; then nothing for ever.
struct OneBigWindow {
    next: i64,
}

impl Source for OneBigWindow {
    type Item = i64;
    type Reject = ();

    fn poll(&mut self, intake: &mut impl Intake<i64, ()>) -> Result<Readiness, BoxError> {
        while self.next < ALL {
            self.next += 1;
            if intake.accept(self.next - 1) == Demand::Enough {
                return Ok(Readiness::Ready);
            }
        }
        Ok(Readiness::Pending)
    }
}

/// The late records and the one that closes the window come together, in the last batch of 64.
const BATCH: usize = 64;
const KEYS: i64 = 312 * 64;
const ALL: i64 = KEYS + 64;

#[test]
fn a_window_that_is_closing_is_written_out_although_a_side_output_fails_meanwhile() {
    for workers in [1, 2, 3, 5] {
        let graph = Graph::new();
        let (numbers, _) = graph.source(OneBigWindow { next: 0 });
        let time_of = |n: &i64| match *n {
            0..KEYS => at(100 + n % 100),
            KEYS..ALL if *n < ALL - 1 => at(5),
            _ => at(200),
        };
        let (sums, late) = numbers
            .event_time(time_of, in_order())
            .key_by(|n| *n)
            .window(Sliding::tumbling(Duration::from_nanos(100)).unwrap())
            .aggregate(sum(|n: &i64| *n));
        let written = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&written);
        sums.for_each(move |_| _ = count.fetch_add(1, Ordering::Relaxed));
        late.to(Broken);
        let job = graph.start(JobOptions { workers, batch: BATCH, ..JobOptions::default() }).unwrap();
        assert!(job.wait_timeout(Duration::from_secs(30)), "{workers} workers: it does not end");
        let error = job.wait().expect_err("a sink failed");
        assert!(matches!(error.failure, Failure::Sink { .. }), "{error}");
        let written = written.load(Ordering::Relaxed);
        assert_eq!(written, error.report.results, "{workers} workers");
        if workers == 1 {
            // Here the window is sure to be closing when the failure comes.
            assert_eq!(written, KEYS.unsigned_abs());
        }
    }
}

/// Reads a few records, then gives up.
struct GivesUp;

impl Source for GivesUp {
    type Item = i64;
    type Reject = ();

    fn poll(&mut self, intake: &mut impl Intake<i64, ()>) -> Result<Readiness, BoxError> {
        let _ = intake.accept(1);
        Err("gave up".into())
    }
}

#[test]
fn the_failure_reported_is_the_first_and_not_what_came_of_it() {
    for workers in WORKERS {
        let graph = Graph::new();
        let (numbers, _) = graph.source(GivesUp);
        numbers.event_time(|n| at(*n), in_order()).to(Broken);
        let Err(RunError::Job(error)) = graph.run(JobOptions { workers, batch: 8, ..JobOptions::default() })
        else {
            panic!("it should fail")
        };
        assert!(matches!(error.failure, Failure::Source { .. }), "{error}");
    }
}

#[test]
fn input_that_never_runs_dry_holds_nothing_back() {
    for workers in WORKERS {
        let graph = Graph::new();
        // Some windows close, some records are late, and then time stands still.
        let time_of = |n: &i64| at(if *n == 1_000 { 5 } else { (*n).min(900) });
        let stream = graph.iter(0_i64..).event_time(time_of, in_order());
        let (counts, late) = stream
            .key_by(|_| ())
            .window(Sliding::tumbling(Duration::from_nanos(100)).unwrap())
            .aggregate(count());
        let arrived = Arc::new(AtomicU64::new(0));
        let (of_counts, of_late) = (Arc::clone(&arrived), Arc::clone(&arrived));
        counts.for_each(move |_| _ = of_counts.fetch_add(1, Ordering::Relaxed));
        late.for_each(move |_| _ = of_late.fetch_add(100, Ordering::Relaxed));
        let job = graph.start(JobOptions { workers, batch: 512, ..JobOptions::default() }).unwrap();
        let patience = std::time::Instant::now();
        while arrived.load(Ordering::Relaxed) < 109 {
            assert!(patience.elapsed() < Duration::from_secs(30), "{workers} workers: still held back");
            assert!(!job.wait_timeout(Duration::from_millis(1)), "an endless job has ended");
        }
        job.cancel();
    }
}
