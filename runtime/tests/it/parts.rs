//! Sources in parts: what comes of them is what comes of as many sources merged, on any number of workers.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use fastrand::Rng;
use nacreous::{
    Blockage, BoxError, Collected, Failure, JobStatus, RunError, Stream, Upstream, Watermark,
    prelude::*,
    source::{Demand, Intake, Readiness, Source},
};

use crate::{
    equivalence::{BATCHES, nanos},
    random_graphs::{
        Item,
        build::Joints,
        build::{Sums, window},
        generate::functions,
    },
};

const PARTS: [usize; 4] = [1, 2, 3, 5];
const WORKERS: [usize; 4] = [1, 2, 3, 4];

/// How far out of order a part may come.
const DISORDER: i64 = 30;

/// Times and items: what a part holds.
type Part = Vec<(i64, Item)>;

/// Parts of different lengths, the last of several empty, that lie far apart in time. `wild` ones are further out of
/// order than they say.
fn parts(seed: u64, count: usize, wild: bool) -> Vec<Part> {
    let mut random = Rng::with_seed(seed);
    let behind = if wild { DISORDER * 4 } else { DISORDER };
    let part = |number: usize| {
        let empty = number > 0 && number + 1 == count;
        let mut now = random.i64(0..2_000);
        let records = 0..if empty { 0 } else { random.usize(100..600) };
        let record = |_| {
            now += random.i64(0..8);
            let item = Item { key: random.u16(0..20), value: random.i64(-1_000..1_000) };
            (now - random.i64(0..=behind), item)
        };
        records.map(record).collect()
    };
    (0..count).map(part).collect()
}

fn time_of((time, _): &(i64, Item)) -> Timestamp {
    Timestamp::from_nanos(*time)
}

fn disorder() -> BoundedDisorder {
    BoundedDisorder::new(nanos(DISORDER)).unwrap()
}

fn in_parts(graph: &Graph, parts: Vec<Part>) -> Stream<Item, impl Upstream<Out = Item> + use<>> {
    graph.iters(parts).event_time(time_of, disorder()).map(|(_, item)| item)
}

fn merged(graph: &Graph, parts: Vec<Part>) -> Stream<Item> {
    let sources = parts.into_iter().map(|part| {
        let source = graph.iter(part).event_time(time_of, disorder());
        source.map(|(_, item)| item).isolate()
    });
    sources.reduce(Stream::merge).expect("there is a part")
}

/// What came out of each end, in the order in which it came.
type Outcome = Vec<Vec<(i64, Item)>>;

fn run(graph: Graph, ends: Vec<Collected<Item>>, options: JobOptions) -> (Outcome, u64) {
    let report = graph.run(options).expect("the job runs");
    let came = |end: Collected<Item>| {
        end.take().into_iter().map(|record| (record.time.as_nanos(), record.value)).collect()
    };
    (ends.into_iter().map(came).collect(), report.records_late)
}

fn sorted((mut outcome, late): (Outcome, u64)) -> (Outcome, u64) {
    outcome.iter_mut().for_each(|end| end.sort_unstable());
    (outcome, late)
}

/// Runs what one function builds in all ways, and compares it with what the other builds, on one worker.
fn check(
    wild: bool,
    build: impl Fn(&Graph, Vec<Part>) -> Vec<Collected<Item>>,
    plain: impl Fn(&Graph, Vec<Part>) -> Vec<Collected<Item>>,
    settle: impl Fn((Outcome, u64)) -> (Outcome, u64),
) {
    for count in PARTS {
        let parts = parts(count as u64, count, wild);
        let graph = Graph::new();
        let ends = plain(&graph, parts.clone());
        let expected = settle(run(graph, ends, JobOptions::DEFAULT));
        assert!(expected.0.iter().all(|end| !end.is_empty()), "{count} parts: a test of nothing");
        for workers in WORKERS {
            for batch in BATCHES {
                let graph = Graph::new();
                let ends = build(&graph, parts.clone());
                let options = JobOptions { workers, batch, ..JobOptions::DEFAULT };
                let found = settle(run(graph, ends, options));
                assert!(found == expected, "{count} parts, {workers} workers, batch {batch}");
            }
        }
    }
}

/// Checks a function of a stream: what it makes of a source in parts is what it makes of several merged.
macro_rules! check {
    ($wild:expr, $function:ident, $settle:expr) => {
        check(
            $wild,
            |graph, parts| $function(in_parts(graph, parts)),
            |graph, parts| $function(merged(graph, parts)),
            $settle,
        )
    };
}

#[test]
fn windows_and_their_late_records() {
    fn windows(on: Stream<Item, impl Upstream<Out = Item>>) -> Vec<Collected<Item>> {
        window(on, 70, 20, &mut Joints::Cut).into_iter().map(Stream::collect).collect()
    }
    check!(true, windows, sorted);
}

#[test]
fn records_that_are_mapped_and_filtered_on_their_way() {
    fn chain(on: Stream<Item, impl Upstream<Out = Item>>) -> Vec<Collected<Item>> {
        vec![on.filter(|item| item.value % 3 != 0).map(|item| functions::map(item, 7)).collect()]
    }
    check!(true, chain, sorted);
}

#[test]
fn order_by_makes_one_order_of_all_parts() {
    fn ordered(on: Stream<Item, impl Upstream<Out = Item>>) -> Vec<Collected<Item>> {
        vec![on.order_by(|item| *item).collect()]
    }
    check!(false, ordered, |outcome| outcome);
}

/// The key that a record has in its part and in no other, where there are few enough records.
fn in_its_part(parts: Vec<Part>) -> Vec<Part> {
    let tell_apart = |(number, part): (usize, Part)| {
        let key = |key| key + 100 * u16::try_from(number).unwrap();
        part.into_iter().map(|(time, item)| (time, Item { key: key(item.key), ..item })).collect()
    };
    parts.into_iter().enumerate().map(tell_apart).collect()
}

#[test]
fn state_that_depends_on_the_order_of_a_part() {
    fn reduced(on: Stream<Item, impl Upstream<Out = Item>>) -> Vec<Collected<Item>> {
        let [these, others] = on.broadcast();
        let reduced = these.key_by(|item| item.key).reduce(functions::reduce);
        let scanned = others.key_by(|item| item.key).scan(0, functions::scan);
        vec![reduced.map(|keyed| keyed.value).collect(), scanned.map(|keyed| keyed.value).collect()]
    }
    check(
        true,
        |graph, parts| reduced(in_parts(graph, in_its_part(parts))),
        |graph, parts| reduced(merged(graph, in_its_part(parts))),
        sorted,
    );
}

#[test]
fn a_key_that_several_parts_have_is_in_one_place() {
    fn counted(on: Stream<Item, impl Upstream<Out = Item>>) -> Vec<Collected<Item>> {
        let counted = on.key_by(|item| item.key).scan(0, |count, item| {
            *count += 1;
            Item { value: *count, ..item }
        });
        vec![counted.map(|keyed| keyed.value).collect()]
    }
    // Which record has which number is up to chance.
    let without_time = |(outcome, late): (Outcome, u64)| {
        let outcome = outcome.into_iter().map(|end| end.into_iter().map(|(_, item)| (0, item)).collect());
        sorted((outcome.collect(), late))
    };
    check!(true, counted, without_time);
}

#[test]
fn timers() {
    fn sums(on: Stream<Item, impl Upstream<Out = Item>>) -> Vec<Collected<Item>> {
        let (sums, late) = on.key_by(|item| item.key).process(Sums(50));
        vec![sums.collect(), late.collect()]
    }
    check!(true, sums, sorted);
}

#[test]
fn streams_that_part_and_meet_again() {
    fn branches(on: Stream<Item, impl Upstream<Out = Item>>) -> Vec<Collected<Item>> {
        let [one, two, three] = on.isolate().broadcast();
        let (even, odd) = two.split(|item| item.value % 2 == 0);
        let (done, refused) = one.try_map(|item| functions::try_map(item, 5));
        let again = odd.merge(done.isolate()).merge(three.map(|item| functions::map(item, 3)));
        let mut ends = window(again, 40, 40, &mut Joints::Cut);
        ends.extend([even.boxed(), refused.boxed()]);
        ends.into_iter().map(Stream::collect).collect()
    }
    check!(true, branches, sorted);
}

/// Joins with two parts more.
fn joined(
    on: Stream<Item, impl Upstream<Out = Item>>,
    other: Stream<Item, impl Upstream<Out = Item>>,
) -> Vec<Collected<Item>> {
    let windows = Sliding::tumbling(nanos(25)).unwrap();
    let on = on.key_by(|item| item.key).window(windows);
    let (pairs, late) = on.join(other.key_by(|item| item.key), functions::join);
    vec![pairs.map(|pair| pair.value).collect(), late.map(|late| Item { key: late.key, value: 0 }).collect()]
}

#[test]
fn a_window_join_of_two_sources_in_parts() {
    check(
        true,
        |graph, these| joined(in_parts(graph, these), in_parts(graph, parts(77, 2, true))),
        |graph, these| joined(merged(graph, these), merged(graph, parts(77, 2, true))),
        sorted,
    );
}

#[test]
fn a_source_in_parts_merges_with_one_that_is_whole_and_with_one_in_other_parts() {
    fn all(
        a: Stream<Item, impl Upstream<Out = Item>>,
        b: Stream<Item, impl Upstream<Out = Item>>,
        c: Stream<Item>,
    ) -> Vec<Collected<Item>> {
        let mut ends = window(a.merge(b).merge(c), 60, 20, &mut Joints::Cut);
        ends.truncate(2);
        ends.into_iter().map(Stream::collect).collect()
    }
    let whole = |graph: &Graph| merged(graph, parts(78, 1, true));
    check(
        true,
        |graph, these| all(in_parts(graph, these), in_parts(graph, parts(77, 3, true)), whole(graph)),
        |graph, these| all(merged(graph, these), merged(graph, parts(77, 3, true)), whole(graph)),
        sorted,
    );
}

#[test]
fn what_is_keyed_merges_with_a_source_in_parts() {
    fn all(
        a: Stream<Item, impl Upstream<Out = Item>>,
        b: Stream<Item, impl Upstream<Out = Item>>,
    ) -> Vec<Collected<Item>> {
        let mut results = window(a, 60, 60, &mut Joints::Cut).into_iter();
        let (results, late) = (results.next().unwrap(), results.next().unwrap());
        vec![results.merge(b).collect(), late.collect()]
    }
    check(
        true,
        |graph, these| all(in_parts(graph, these), in_parts(graph, parts(77, 2, true))),
        |graph, these| all(merged(graph, these), merged(graph, parts(77, 2, true))),
        sorted,
    );
}

#[test]
fn a_source_without_parts_ends_at_once() {
    for workers in WORKERS {
        let graph = Graph::new();
        let none = graph.iters(Vec::<Part>::new()).event_time(time_of, disorder());
        let some = merged(&graph, parts(1, 1, false));
        let (none, rejected) = (none.map(|(_, item)| item), graph.sources(Vec::<Odd>::new()));
        let ends = window(none.merge(some), 100, 100, &mut Joints::Cut);
        let (nothing, rejected) = (rejected.0.arrival_time().collect(), rejected.1.collect());
        let ends: Vec<_> = ends.into_iter().map(Stream::collect).collect();
        let report = graph.run(JobOptions { workers, ..JobOptions::DEFAULT }).expect("the job runs");
        assert!(nothing.take().is_empty() && rejected.take().is_empty());
        assert!(!ends[0].take().is_empty(), "nothing held back the other stream");
        assert_eq!(report.records_in, parts(1, 1, false)[0].len() as u64);
    }
}

/// Counts to a number, and rejects what is odd.
struct Odd {
    next: i64,
    last: i64,
}

impl Source for Odd {
    type Item = i64;
    type Reject = i64;

    fn poll(&mut self, intake: &mut impl Intake<i64, i64>) -> Result<Readiness, BoxError> {
        while self.next < self.last {
            let n = self.next;
            self.next += 1;
            let demand = if n % 2 == 1 { intake.reject(n) } else { intake.accept(n) };
            if demand == Demand::Enough {
                return Ok(Readiness::Ready);
            }
        }
        if self.last < 0 { Err("no number to count to".into()) } else { Ok(Readiness::Ended) }
    }
}

#[test]
fn what_the_parts_reject_is_one_stream() {
    for workers in WORKERS {
        for batch in BATCHES {
            let graph = Graph::new();
            let counters = [0..1_000, 1_000..1_001, 1_001..3_000, 3_000..4_000];
            let counters = counters.map(|numbers| Odd { next: numbers.start, last: numbers.end });
            let (even, odd) = graph.sources(counters);
            let even = even.event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
            let (even, odd) = (even.order_by(|n| *n).collect(), odd.collect());
            let report = graph.run(JobOptions { workers, batch, ..JobOptions::DEFAULT }).unwrap();
            let even: Vec<_> = even.take().into_iter().map(|record| record.value).collect();
            assert_eq!(even, (0..2_000).map(|n| n * 2).collect::<Vec<_>>());
            let odd: BTreeSet<_> = odd.take().into_iter().map(|record| record.value).collect();
            assert_eq!(odd, (0..2_000).map(|n| n * 2 + 1).collect());
            assert_eq!((report.records_in, report.records_rejected), (4_000, 2_000));
        }
    }
}

#[test]
fn a_part_that_fails_ends_the_job_and_the_endless_ones_with_it() {
    for workers in WORKERS {
        let graph = Graph::new();
        let fails = Odd { next: 0, last: -1 };
        let endless = || Odd { next: 0, last: i64::MAX };
        let (numbers, _) = graph.sources([endless(), endless(), fails]);
        numbers.named("counters").event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE).discard();
        let outcome = graph.run(JobOptions { workers, ..JobOptions::DEFAULT });
        let Err(RunError::Job(error)) = outcome else { panic!("{outcome:?}") };
        let Failure::Source { operator, .. } = &error.failure else { panic!("{error}") };
        assert_eq!((operator.kind(), operator.label()), ("sources", Some("counters")));
    }
}

#[test]
fn parts_take_the_workers_in_turn_and_all_workers_share_the_keys() {
    let graph = Graph::new();
    let numbers = graph.iters((0..5).map(|part| part..1_000_i64)).named("numbers");
    let counts = numbers
        .event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE)
        .key_by(|n| *n)
        .reduce(|sum, n| *sum += n);
    counts.named("totals").discard();
    let report = graph.run(JobOptions { workers: 3, ..JobOptions::DEFAULT }).unwrap();
    let places = |name| {
        let tasks =
            report.tasks.iter().filter(|task| task.operators.iter().any(|one| one.label() == Some(name)));
        tasks.map(|task| (task.instance, task.worker, task.records_in)).collect::<Vec<_>>()
    };
    let numbers = places("numbers");
    assert_eq!(numbers, [(0, 0, 1_000), (1, 1, 999), (2, 2, 998), (3, 0, 997), (4, 1, 996)]);
    let totals: Vec<_> = places("totals").iter().map(|(instance, worker, _)| (*instance, *worker)).collect();
    assert_eq!(totals, [(0, 0), (1, 1), (2, 2)]);
}

#[test]
fn it_is_said_which_part_holds_the_others_back() {
    for workers in WORKERS {
        let (mut feeder, fed) = nacreous::source::fed(100);
        let (silent, never) = nacreous::source::fed(100);
        let graph = Graph::new();
        let numbers = graph.sources([fed, never]).0.named("readings");
        let numbers = numbers.event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
        let (counts, _) = numbers
            .key_by(|_| ())
            .window(Sliding::tumbling(Duration::from_nanos(10)).unwrap())
            .aggregate(count());
        counts.named("counts").discard();
        let limit = Duration::from_millis(20);
        let job = graph.start(JobOptions { workers, stall_limit: limit, ..JobOptions::DEFAULT }).unwrap();
        let held_back = |why: &Blockage| match why {
            Blockage::SourceWatermark { source, part, at } => {
                *part == Some(1) && source.label() == Some("readings") && *at == Watermark::MIN
            }
            _ => false,
        };
        let patience = Instant::now();
        let mut n = 0_i64;
        while !job.why_blocked().iter().any(held_back) {
            assert!(
                patience.elapsed() < Duration::from_secs(30),
                "{workers} workers: {:?}",
                job.why_blocked()
            );
            n += 1;
            let _ = feeder.try_send(n);
        }
        let why = job.why_blocked();
        let why = why.iter().find(|why| held_back(why)).map(ToString::to_string).unwrap_or_default();
        assert!(why.contains("part 1 of") && why.contains("readings"), "{why}");
        drop((feeder, silent));
        job.wait().expect("the job runs");
    }
}

#[test]
fn parts_of_what_is_borrowed_outlive_it() {
    let graph = Graph::new();
    let parts = parts(1, 2, false);
    let read = graph.iters(parts.iter().map(Clone::clone)).event_time(time_of, disorder()).collect();
    let count = parts.iter().map(Vec::len).sum::<usize>();
    drop(parts);
    graph.run(JobOptions::DEFAULT).unwrap();
    assert_eq!(read.take().len(), count);
}

#[test]
fn endless_parts_are_stopped() {
    for workers in WORKERS {
        let graph = Graph::new();
        let arrived = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&arrived);
        let numbers = graph.iters((0..3).map(|part| (0_i64..).map(move |n| (part, n))));
        let numbers = numbers.event_time(|(_, n)| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
        let reduced = numbers.key_by(|(part, _)| *part).reduce(|latest, n| *latest = n);
        reduced.for_each(move |record| _ = count.fetch_or(1 << record.value.key, Ordering::Relaxed));
        let job = graph.start(JobOptions { workers, ..JobOptions::DEFAULT }).unwrap();
        let patience = Instant::now();
        while arrived.load(Ordering::Relaxed) != 0b111 {
            assert!(
                patience.elapsed() < Duration::from_secs(30),
                "{workers} workers: not all parts are read"
            );
            assert!(!job.wait_timeout(Duration::from_millis(1)), "an endless job has ended");
        }
        job.stop(Duration::from_secs(30));
        assert!(job.wait_timeout(Duration::from_secs(30)), "{workers} workers: it goes on for ever");
        assert_eq!(job.status(), JobStatus::Finished);
    }
}

#[test]
fn a_limit_on_keys_is_one_on_those_of_a_keyed_instance() {
    const KEYS: u64 = 40;
    let graph = Graph::new();
    let (sums, _late) = graph
        .iter(0..4_000_u64)
        .event_time(|n| Timestamp::from_nanos(n.cast_signed()), BoundedDisorder::NONE)
        .key_by(|n| n % KEYS)
        // More than the half that each of two instances has, and fewer than all that come from the source.
        .max_keys(30)
        .window(Sliding::tumbling(Duration::from_nanos(1_000)).unwrap())
        .aggregate(count());
    let sums = sums.collect();
    graph.run(JobOptions { workers: 3, ..JobOptions::default() }).expect("no instance has more than 30 keys");
    assert_eq!(sums.take().len(), 4 * 40);
}
