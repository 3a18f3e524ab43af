//! A panic in a function of the user's is an error of that job, and names the operator.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use nacreous::{
    Aggregate, BoxError, CommutativeMonoid, Failure, JobStatus, RunError,
    prelude::*,
    sink::Sink,
    source::{Demand, Intake, Readiness, Source},
};

use crate::threads;

/// The functions of a graph that may panic, in the order of the stream.
const POSITIONS: [&str; 13] = [
    "iter",
    "event_time",
    "map",
    "filter",
    "inspect",
    "key_by",
    "lift",
    "combine",
    "finish",
    "order_by",
    "to",
    "late",
    "drop",
];

/// Panics when it is the turn of the named position; remembers the thread it happened on.
#[derive(Clone)]
struct Trap {
    armed: &'static str,
    thread: Arc<Mutex<Option<String>>>,
}

impl Trap {
    fn pass(&self, position: &'static str) {
        if position == self.armed {
            *self.thread.lock().unwrap() = thread::current().name().map(str::to_owned);
            panic!("trap in {position}");
        }
    }
}

#[derive(Clone)]
struct TrappedSum(Trap);

impl Aggregate<i64> for TrappedSum {
    type Acc = i64;
    type Out = i64;
    type Algebra = CommutativeMonoid;

    fn lift(&self, value: &i64, _: Timestamp) -> i64 {
        self.0.pass("lift");
        *value
    }

    fn combine(&self, acc: &mut i64, other: &i64) {
        self.0.pass("combine");
        *acc += other;
    }

    fn finish(&self, acc: i64) -> i64 {
        self.0.pass("finish");
        acc
    }
}

struct TrappedSink(Trap, &'static str);

impl<T> Sink<T> for TrappedSink {
    fn write(&mut self, records: &mut std::vec::Drain<'_, Record<T>>) -> Result<(), BoxError> {
        records.for_each(|_| self.0.pass(self.1));
        Ok(())
    }
}

impl Drop for TrappedSink {
    fn drop(&mut self) {
        if self.1 == "to" && !thread::panicking() {
            self.0.pass("drop");
        }
    }
}

fn graph_with(trap: &Trap) -> Graph {
    let on = || trap.clone();
    let graph = Graph::new();
    let source = (0..20_000_i64).inspect({
        let t = on();
        move |n| {
            if *n == 500 {
                t.pass("iter");
            }
        }
    });
    let (sums, late) = graph
        .iter(source)
        .event_time(
            {
                let t = on();
                move |n| {
                    t.pass("event_time");
                    Timestamp::from_nanos(n % 700)
                }
            },
            BoundedDisorder::new(Duration::from_nanos(10)).unwrap(),
        )
        .map({
            let t = on();
            move |n| {
                t.pass("map");
                n
            }
        })
        .filter({
            let t = on();
            move |_| {
                t.pass("filter");
                true
            }
        })
        .inspect({
            let t = on();
            move |_| t.pass("inspect")
        })
        .key_by({
            let t = on();
            move |n| {
                t.pass("key_by");
                n % 3
            }
        })
        .window(Sliding::new(Duration::from_nanos(100), Duration::from_nanos(50)).unwrap())
        .aggregate(TrappedSum(on()));
    sums.order_by({
        let t = on();
        move |sum| {
            t.pass("order_by");
            sum.key
        }
    })
    .to(TrappedSink(on(), "to"));
    late.to(TrappedSink(on(), "late"));
    graph
}

#[test]
fn a_panic_anywhere_fails_the_job_names_the_operator_and_leaves_no_thread() {
    for workers in [1, 2, 4] {
        for position in POSITIONS {
            let trap = Trap { armed: position, thread: Arc::default() };
            let outcome = graph_with(&trap).run(JobOptions { workers, batch: 64, ..JobOptions::default() });
            let what = format!("{position} on {workers} workers: {outcome:?}");
            let Err(RunError::Job(error)) = outcome else { panic!("{what}") };
            let thread = trap.thread.lock().unwrap().clone().expect("the trap was passed");
            assert!(thread.starts_with("nl"), "{what}: on thread {thread}");
            let job = thread.split_once("-w").expect("a data thread's name").0.to_owned() + "-";
            assert_eq!(threads::left(&job), Vec::<String>::new(), "{what}");
            assert!(error.report.records_in >= error.report.records_on_time, "{what}");
            if position == "drop" {
                assert!(
                    matches!(&error.failure, Failure::Died { message, .. } if message == "trap in drop"),
                    "{what}"
                );
                continue;
            }
            let Failure::Panicked { operator, message } = &error.failure else { panic!("{what}") };
            assert_eq!(message, &format!("trap in {position}"), "{what}");
            let kind = match position {
                "lift" | "combine" | "finish" => "aggregate",
                "late" => "to",
                other => other,
            };
            assert_eq!(operator.kind(), kind, "{what}");
            assert_eq!(operator.location().file(), file!(), "{what}");
            let text = error.to_string();
            assert!(text.contains(&format!("`{kind}` ({}:", file!())), "{text}");
        }
    }
}

#[test]
fn the_position_named_is_that_of_the_operator_and_not_of_another_of_its_kind() {
    let graph = Graph::new();
    let stream = graph
        .iter(0..10_i64)
        .event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::new(Duration::ZERO).unwrap());
    let first = stream.map(|n| n);
    let line = line!() + 1;
    let second = first.map(|n| if n == 5 { panic!("five") } else { n });
    second.map(|n| n + 1).for_each(|_| ());
    let Err(RunError::Job(error)) = graph.run(JobOptions::default()) else { panic!("it should fail") };
    let Failure::Panicked { operator, .. } = error.failure else { panic!("{error:?}") };
    assert_eq!(operator.location().line(), line);
}

/// Fails after some records.
struct Faulty(i64);

impl Source for Faulty {
    type Item = i64;
    type Reject = ();

    fn poll(&mut self, intake: &mut impl Intake<i64, ()>) -> Result<Readiness, BoxError> {
        loop {
            self.0 += 1;
            if self.0 == 1_000 {
                return Err("the line went dead".into());
            }
            if intake.accept(self.0) == Demand::Enough {
                return Ok(Readiness::Ready);
            }
        }
    }
}

#[test]
fn a_source_that_fails_fails_the_job_but_complete_results_are_kept_and_incomplete_ones_are_not_made_up() {
    for workers in [1, 2, 4] {
        let graph = Graph::new();
        let (numbers, _) = graph.source(Faulty(0));
        let (counts, _) = numbers
            .event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::new(Duration::ZERO).unwrap())
            .key_by(|_| ())
            .window(Sliding::tumbling(Duration::from_nanos(100)).unwrap())
            .aggregate(count());
        let counts = counts.collect();
        let job = graph.start(JobOptions { workers, batch: 16, ..JobOptions::default() }).unwrap();
        while !job.wait_timeout(Duration::from_secs(10)) {}
        assert_eq!(job.status(), JobStatus::Failed);
        let error = job.wait().expect_err("the source fails");
        assert!(matches!(error.failure, Failure::Source { .. }), "{error}");
        assert!(error.to_string().ends_with(": the line went dead"), "{error}");
        assert_eq!(error.report.records_in, 999);
        let ends: Vec<_> = counts.take().into_iter().map(|r| r.value.window.end.as_nanos()).collect();
        assert_eq!(ends, (1..=9).map(|n| n * 100).collect::<Vec<_>>(), "{workers} workers");
    }
}

#[test]
fn a_failing_job_leaves_another_one_alone() {
    let healthy = Graph::new();
    let stream = healthy
        .iter(0..200_000_i64)
        .event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::new(Duration::ZERO).unwrap());
    stream.for_each(|_| ());
    let healthy = healthy.start(JobOptions { workers: 2, batch: 1, ..JobOptions::default() }).unwrap();
    let trap = Trap { armed: "map", thread: Arc::default() };
    assert!(graph_with(&trap).run(JobOptions::default()).is_err());
    assert_eq!(healthy.wait().expect("it has nothing to do with the other").records_in, 200_000);
}

#[test]
fn a_panic_with_a_value_that_panics_when_dropped_ends_the_job_all_the_same() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("again");
        }
    }
    for workers in [1, 2] {
        let graph = Graph::new();
        let stream = graph
            .iter(0..10_i64)
            .event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::new(Duration::ZERO).unwrap());
        stream.for_each(|_| std::panic::panic_any(Bomb));
        let outcome = graph.run(JobOptions { workers, batch: 1, ..JobOptions::default() });
        let Err(RunError::Job(error)) = outcome else { panic!("it should fail") };
        assert!(matches!(error.failure, Failure::Panicked { .. }), "{error}");
    }
}

/// Takes its time.
struct Slow(Arc<Mutex<u64>>);

impl<T> Sink<T> for Slow {
    fn write(&mut self, records: &mut std::vec::Drain<'_, Record<T>>) -> Result<(), BoxError> {
        thread::sleep(Duration::from_micros(200));
        *self.0.lock().unwrap() += records.len() as u64;
        Ok(())
    }
}

#[test]
fn what_is_complete_when_another_part_panics_is_written_however_slow_its_sink() {
    const LAST: i64 = 30_000;
    for workers in [1, 2, 3] {
        for batch in [7, 64, 512] {
            let graph = Graph::new();
            let (sums, late) = graph
                .iter(0..=LAST)
                .event_time(
                    |n| Timestamp::from_nanos(if *n == 0 || *n == LAST { 1_000_000 + n } else { *n }),
                    BoundedDisorder::new(Duration::ZERO).unwrap(),
                )
                .key_by(|n| *n)
                .window(Sliding::tumbling(Duration::from_nanos(10)).unwrap())
                .aggregate(sum(|n: &i64| {
                    assert!(*n == 0, "the trap");
                    0
                }));
            sums.for_each(|_| ());
            let taken = Arc::default();
            late.to(Slow(Arc::clone(&taken)));
            // All records between the first and the last are late; the last one is not, and sets off the trap.
            let outcome = graph.run(JobOptions { workers, batch, ..JobOptions::default() });
            let Err(RunError::Job(error)) = outcome else { panic!("it should fail") };
            assert_eq!(error.report.records_late, LAST.unsigned_abs() - 1);
            assert_eq!(*taken.lock().unwrap(), error.report.records_late, "{workers} workers, batch {batch}");
        }
    }
}
