//! The same operators fused into one loop, and in loops of their own: the same records come out, the same operator is
//! blamed, and a job says which it is.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use fastrand::Rng;
use nacreous::{
    Erased, Failure, Interval, JobReport, KeyedStream, Offset, RunError, Stream, Upstream, prelude::*,
};

use crate::equivalence::{BATCHES, WORKERS, nanos};

/// A joint that is none: the loop goes on.
trait Fused: Sized {
    fn fused(self) -> Self {
        self
    }
}

impl<T, U> Fused for Stream<T, U> {}
impl<K, T, U> Fused for KeyedStream<K, T, U> {}

/// What came out: results, late records, large records; and the report.
type Found = ((Vec<String>, Vec<String>, Vec<String>), JobReport);

/// Runs a graph with a joint of each kind between its operators.
macro_rules! run {
    ($input:expr, $options:expr, $a:ident $b:ident $c:ident $d:ident $e:ident $f:ident) => {{
        let graph = Graph::new();
        let numbers = graph
            .iter($input)
            .event_time(|n: &i64| Timestamp::from_nanos(*n / 2), BoundedDisorder::new(nanos(10)).unwrap());
        let [numbers, others] =
            numbers.$a().map(|n| n * 3).$b().filter(|n| n % 7 != 0).$c().flat_map(|n| [n, -n]).broadcast();
        let keyed = numbers.$d().key_by(|n| n % 5);
        let windows = Sliding::new(nanos(30), nanos(10)).unwrap();
        let (sums, late) = keyed.$e().window(windows).aggregate(sum(|n: &i64| *n));
        let sums = sums.$f().order_by(|sum| sum.key).collect();
        let late = late.$f().map(|late| late.value).collect();
        // Too large to go down as one of an iterator's.
        let large = others.map(|n| [n; 9]).$a().filter(|large| large[8] % 2 == 0).$b().collect();
        let report = graph.run($options).expect("the job runs");
        let found: Found = ((texts(sums.take()), texts(late.take()), texts(large.take())), report);
        found
    }};
}

/// In an order of their own.
fn texts<T: std::fmt::Debug>(records: Vec<Record<T>>) -> Vec<String> {
    let mut texts: Vec<_> = records.into_iter().map(|record| format!("{record:?}")).collect();
    texts.sort_unstable();
    texts
}

#[test]
fn the_same_comes_out_wherever_a_loop_ends() {
    let mut random = Rng::with_seed(7);
    let input: Vec<i64> = (0..3_000).map(|n| n + random.i64(-60..60)).collect();
    let (expected, _) = run!(input.clone(), JobOptions::DEFAULT, fused fused fused fused fused fused);
    assert!(!expected.0.is_empty() && !expected.1.is_empty() && !expected.2.is_empty());
    for workers in WORKERS {
        for batch in BATCHES {
            let options = JobOptions { workers, batch, ..JobOptions::DEFAULT };
            for (joints, (found, report)) in [
                ("none", run!(input.clone(), options, fused fused fused fused fused fused)),
                ("1", run!(input.clone(), options, boxed fused fused fused fused fused)),
                ("2", run!(input.clone(), options, fused boxed fused fused fused fused)),
                ("3", run!(input.clone(), options, fused fused boxed fused fused fused)),
                ("4", run!(input.clone(), options, fused fused fused boxed fused fused)),
                ("5", run!(input.clone(), options, fused fused fused fused boxed fused)),
                ("6", run!(input.clone(), options, fused fused fused fused fused boxed)),
                ("all", run!(input.clone(), options, boxed boxed boxed boxed boxed boxed)),
            ] {
                let what = format!("a loop ends at joint {joints}; {workers} workers, batch {batch}");
                assert!(found == expected, "{what}: the records differ");
                assert_eq!(report.records_in, 3_000, "{what}");
                assert!(report.records_filtered > 0, "{what}");
            }
        }
    }
}

/// The functions of a chain that may panic.
const POSITIONS: [&str; 8] =
    ["iter", "event_time", "map", "filter", "filter_map", "flat_map", "inspect", "for_each"];

/// Panics at the named position, some way into the stream.
#[derive(Clone)]
struct Trap {
    armed: &'static str,
    passed: i64,
}

impl Trap {
    fn pass(&mut self, position: &'static str) {
        self.passed += i64::from(position == self.armed);
        assert!(self.passed < 700, "trap in {position}");
    }
}

/// Runs a chain of which a function panics; the chain goes down by calls, as nothing in it asks for records.
macro_rules! panics {
    ($armed:expr, $joint:ident) => {{
        let trap = |position: &'static str| {
            let mut trap = Trap { armed: $armed, passed: 0 };
            move || trap.pass(position)
        };
        let [mut source, mut time, mut map, mut filter] = ["iter", "event_time", "map", "filter"].map(trap);
        let [mut filter_map, mut flat_map, mut inspect, mut call] =
            ["filter_map", "flat_map", "inspect", "for_each"].map(trap);
        let graph = Graph::new();
        graph
            .iter((0..5_000_i64).inspect(move |_| source()))
            .event_time(
                move |n| {
                    time();
                    Timestamp::from_nanos(*n)
                },
                BoundedDisorder::NONE,
            )
            .$joint()
            .map(move |n| {
                map();
                n
            })
            .$joint()
            .filter(move |_| {
                filter();
                true
            })
            .$joint()
            .filter_map(move |n| {
                filter_map();
                Some(n)
            })
            .$joint()
            .inspect(move |_| inspect())
            .$joint()
            .flat_map(move |n| {
                flat_map();
                [n]
            })
            .$joint()
            .for_each(move |_| call());
        graph.run(JobOptions::DEFAULT)
    }};
}

#[test]
fn whoever_panics_is_named_in_one_loop_and_in_several() {
    for armed in POSITIONS {
        for (joints, outcome) in [("none", panics!(armed, fused)), ("all", panics!(armed, boxed))] {
            let Err(RunError::Job(error)) = outcome else { panic!("{armed}, {joints}: it did not fail") };
            let Failure::Panicked { operator, message } = &error.failure else { panic!("{error}") };
            assert_eq!(operator.kind(), armed, "{joints}: {message}");
            assert_eq!(*message, format!("trap in {armed}"));
            assert!((600..=5_000).contains(&error.report.records_in), "{armed}, {joints}: {error}");
        }
    }
}

#[test]
fn a_function_at_the_end_has_all_records_in_order_and_is_dropped_with_what_it_has() {
    struct Told(Vec<i64>, Arc<Mutex<Vec<i64>>>);
    impl Drop for Told {
        fn drop(&mut self) {
            *self.1.lock().unwrap() = std::mem::take(&mut self.0);
        }
    }
    for batch in BATCHES {
        let told = Arc::default();
        let mut seen = Told(Vec::new(), Arc::clone(&told));
        let graph = Graph::new();
        let numbers =
            graph.iter(0..40_000_i64).event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
        numbers.filter(|n| n % 2 == 0).for_each(move |record| {
            let seen: &mut Told = &mut seen;
            seen.0.push(record.value);
        });
        let report = graph.run(JobOptions { batch, ..JobOptions::DEFAULT }).expect("the job runs");
        assert!(told.lock().unwrap().iter().copied().eq((0..20_000).map(|n| n * 2)));
        assert_eq!((report.records_on_time, report.records_filtered), (20_000, 20_000));
    }
}

/// A function that panics, and what it has captured when that is dropped: the process must live on.
#[test]
fn a_function_at_the_end_whose_captures_panic_as_well_fails_its_job_alone() {
    struct Trapped(i64);
    impl Trapped {
        fn take(&mut self, n: i64) {
            self.0 += n;
            assert!(n < 1_000, "at the thousandth");
        }
    }
    impl Drop for Trapped {
        fn drop(&mut self) {
            panic!("and again when it is dropped");
        }
    }
    for wide in [false, true] {
        let graph = Graph::new();
        let numbers =
            graph.iter(0..5_000_i64).event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
        let (mut trapped, large) = (Trapped(0), [0_u8; 1_024]);
        if wide {
            numbers.for_each(move |record| {
                std::hint::black_box(&large);
                trapped.take(record.value);
            });
        } else {
            numbers.for_each(move |record| trapped.take(record.value));
        }
        let Err(RunError::Job(error)) = graph.run(JobOptions::DEFAULT) else { panic!("it did not fail") };
        let Failure::Panicked { operator, message } = &error.failure else { panic!("{error}") };
        assert_eq!((operator.kind(), message.as_str()), ("for_each", "at the thousandth"));
    }
}

#[test]
fn a_collection_may_hold_boxed_streams() {
    fn steps(graph: &Graph) -> Vec<Stream<i64, Erased<i64>>> {
        let numbers =
            |n: i64| graph.iter(0..n).event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
        vec![
            numbers(10).boxed(),
            numbers(20).map(|n| n * 2).boxed(),
            numbers(30).filter(|n| n % 2 > 0).boxed(),
        ]
    }
    let graph = Graph::new();
    let ends: Vec<_> = steps(&graph).into_iter().map(Stream::collect).collect();
    graph.run(JobOptions::DEFAULT).expect("the job runs");
    assert_eq!(ends.iter().map(|end| end.take().len()).collect::<Vec<_>>(), [10, 20, 15]);
}

#[test]
fn a_plan_says_what_is_in_one_loop_and_what_passes_between_tasks() {
    let graph = Graph::new();
    let numbers = graph.iter(0..1_000_i64).event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
    let keyed = numbers.map(|n| n + 1).named("a \"b\" <c>").boxed().key_by(|n| n % 3);
    keyed.scan(0_i64, |sum, n| sum.wrapping_add(n)).boxed().named("sums").discard();
    let plan = graph.plan(JobOptions { workers: 2, ..JobOptions::DEFAULT }).unwrap();

    let planned = plan.explain();
    let text = planned.to_string();
    let first = "worker 0\n  task 0: iter → event_time → a \"b\" <c> ⇒ key_by\n    0 records in\n    \
                 key_by to task 1 on worker 1: 0 records\n";
    assert!(text.starts_with(first), "{text}");
    assert!(text.contains("worker 1\n  task 1: sums ⇒ discard\n"), "{text}");
    let dot = planned.graphviz();
    assert!(dot.starts_with("digraph job {") && dot.contains("t0 -> t1 [label=\"0\"];"), "{dot}");
    assert!(dot.contains("t0 [label=\"iter → event_time → a \\\"b\\\" <c>\\n⇒ key_by\"];"), "{dot}");
    let chart = planned.mermaid();
    assert!(chart.starts_with("flowchart LR\n  subgraph w0[\"worker 0\"]\n"), "{chart}");
    assert!(chart.contains("a #quot;b#quot; #lt;c#gt;<br/>⇒ key_by\"]"), "{chart}");
    assert_eq!(dot.matches('{').count(), dot.matches('}').count());

    let job = plan.start().unwrap();
    assert!(job.wait_timeout(Duration::from_secs(30)), "it does not end");
    let ran = job.explain();
    assert_eq!(ran.tasks.iter().map(|task| task.records_in).collect::<Vec<_>>(), [1_000, 1_000]);
    assert_eq!(
        ran.edges.iter().map(|edge| (edge.from, edge.to, edge.records)).collect::<Vec<_>>(),
        [(0, 1, 1_000)]
    );
    assert_eq!(ran.tasks[0].loops.iter().map(Vec::len).collect::<Vec<_>>(), [3, 1]);
    job.wait().unwrap();
}

/// Whatever comes before, its type can be forgotten.
#[test]
fn a_function_may_return_a_boxed_stream_of_anything() {
    fn odd(numbers: Stream<i64, impl Upstream<Out = i64>>) -> nacreous::BoxedStream<i64> {
        numbers.filter(|n| n % 2 == 1).boxed()
    }
    let graph = Graph::new();
    let numbers = graph.iter(0..10_i64).event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
    let odd = odd(odd(numbers).map(|n| n + 2)).collect();
    graph.run(JobOptions::DEFAULT).expect("the job runs");
    assert!(odd.take().into_iter().map(|record| record.value).eq([3, 5, 7, 9, 11]));
}

#[test]
fn a_stream_goes_on_where_it_is_told_to_from_any_number_of_instances() {
    for workers in 2..5 {
        for batch in BATCHES {
            let graph = Graph::new();
            let parts = graph.iters([0..500_i64, 500..700, 700..1_500]);
            let numbers = parts.event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
            let apart = numbers.map(|n| n * 2).isolate_on(1).named("apart").map(|n| n + 1);
            let keyed = apart.key_by(|n| n % 3).reduce(|sum, n| *sum += n).isolate_on(0).named("back");
            let sums = keyed.collect();
            let job = graph.start(JobOptions { workers, batch, ..JobOptions::DEFAULT }).unwrap();
            let tasks = job.explain().tasks;
            let report = job.wait().unwrap();
            let on = |name: &str| {
                let found =
                    tasks.iter().find(|task| task.loops.iter().flatten().any(|known| known.kind() == name));
                found.map(|task| task.worker)
            };
            assert_eq!((on("key_by"), on("collect")), (Some(1), Some(0)), "{tasks:#?}");
            let mut last = std::collections::HashMap::new();
            let sums = sums.take();
            sums.iter().for_each(|sum| _ = last.insert(sum.value.key, sum.value.value));
            let expected = |key| (0..1_500).map(|n| n * 2 + 1).filter(|n| n % 3 == key).sum::<i64>();
            assert_eq!(report.records_in, 1_500);
            assert!((0..3).all(|key| last[&key] == expected(key)), "{last:?}");
        }
    }
    let graph = Graph::new();
    let numbers = graph.iter(0..9_i64).event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
    numbers.isolate_on(2).named("nowhere").discard();
    let error = graph.start(JobOptions { workers: 2, ..JobOptions::DEFAULT }).expect_err("there are two");
    let text = error.to_string();
    assert!(text.contains("\"nowhere\"") && text.contains("worker 2, and the job has 2"), "{text}");
}

#[test]
fn keys_are_shared_by_as_many_instances_as_were_asked_for() {
    let numbers = |graph: &Graph| {
        let numbers = graph.iter(0..5_000_i64);
        numbers.event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE)
    };
    for (workers, instances, expected) in [
        (1, 1, vec![0]),
        (1, 3, vec![0, 0, 0]),
        (2, 1, vec![1]),
        (2, 2, vec![1, 0]),
        (3, 2, vec![1, 2]),
        (3, 7, vec![1, 2, 0, 1, 2, 0, 1]),
    ] {
        let graph = Graph::new();
        let keyed = numbers(&graph).key_by(|n| n % 100).parallelism(instances);
        let sums = keyed.reduce(|sum, n| *sum += n).collect();
        let job = graph.start(JobOptions { workers, ..JobOptions::DEFAULT }).unwrap();
        let mut tasks = job.explain().tasks;
        job.wait().unwrap();
        tasks.retain(|task| task.loops.iter().flatten().any(|operator| operator.kind() == "reduce"));
        assert!(tasks.iter().map(|task| task.worker).eq(expected), "{tasks:#?}");
        let last: std::collections::HashMap<_, _> =
            sums.take().into_iter().map(|sum| (sum.value.key, sum.value.value)).collect();
        let sum = |key: i64| (0..50).map(|nth| nth * 100 + key).sum::<i64>();
        assert!(last.len() == 100 && last.iter().all(|(key, found)| *found == sum(*key)), "{last:?}");
    }
}

#[test]
fn a_join_has_as_many_instances_as_one_of_its_streams_asks_for() {
    for asked in [[None, Some(3)], [Some(3), None], [Some(3), Some(3)]] {
        let graph = Graph::new();
        let [left, right] = asked.map(|asked| {
            let numbers = graph.iter(0..1_000_i64);
            let numbers = numbers.event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
            let keyed = numbers.key_by(|n| n % 100);
            if let Some(instances) = asked { keyed.parallelism(instances) } else { keyed }
        });
        let windows = Sliding::tumbling(nanos(1_000)).unwrap();
        let (pairs, _) = left.window(windows).join(right, |one, other| one + other);
        let pairs = pairs.collect();
        let job = graph.start(JobOptions { workers: 2, ..JobOptions::DEFAULT }).unwrap();
        let mut tasks = job.explain().tasks;
        job.wait().unwrap();
        tasks.retain(|task| task.loops.last().is_some_and(|last| last[0].kind() == "join"));
        assert!(tasks.iter().map(|task| task.worker).eq([1, 0, 1]), "{tasks:#?}");
        assert_eq!(pairs.take().len(), 100 * 10 * 10);
    }
}

#[test]
fn a_number_of_instances_that_cannot_be_is_refused() {
    let start = |build: &dyn Fn(&Graph)| {
        let graph = Graph::new();
        build(&graph);
        graph.start(JobOptions::DEFAULT).expect_err("it cannot be").to_string()
    };
    let keyed = |graph: &Graph, instances| {
        let numbers = graph.iter(0..9_i64);
        let numbers = numbers.event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
        numbers.key_by(|n| n % 3).parallelism(instances)
    };
    for asked in [0, JobOptions::WORKERS_MAX + 1, usize::MAX] {
        let error = start(&|graph| _ = keyed(graph, asked).reduce(|sum, n| *sum += n).discard());
        assert!(error.contains(&format!("not {asked}, as `parallelism` (")), "{error}");
        assert!(error.contains("tiers.rs:"), "{error}");
    }
    let interval = Interval::new(Offset::Before(Duration::ZERO), Offset::After(Duration::ZERO)).unwrap();
    let error = start(&|graph| {
        let (pairs, _) = keyed(graph, 2).join(keyed(graph, 3), interval, |one, other| one + other);
        pairs.discard();
    });
    assert!(error.contains("`join` (") && error.contains("the same `parallelism`"), "{error}");
    let windows = Sliding::tumbling(nanos(3)).unwrap();
    let error = start(&|graph| {
        let (pairs, _) = keyed(graph, 1).window(windows).join(keyed(graph, 3), |one, other| one + other);
        pairs.discard();
    });
    assert!(error.contains("`join` (") && error.contains("the same `parallelism`"), "{error}");
}
