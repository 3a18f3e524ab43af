//! Several families of windows that share slices, against each by itself over a copy of the stream.

use fastrand::Rng;
use nacreous::{Collected, ResultKind, Stream, Upstream, prelude::*};

use crate::equivalence::{BATCHES, WORKERS, nanos};

/// Time, key and value.
type Item = (i64, u16, i64);
/// Window start and end, key, kind, number, and what it comes to.
type Said = (i64, i64, u16, ResultKind, u32, (u64, i128));

/// What comes of a family: results and late records, both sorted.
type Outcome = (Vec<Said>, Vec<Item>);

#[derive(Debug, Clone, Copy)]
struct Case {
    windows: [Sliding; 3],
    allowed: i64,
    retracts: bool,
}

fn windows(size: i64, every: i64) -> Sliding {
    Sliding::new(nanos(size), nanos(every)).unwrap()
}

impl Case {
    fn all() -> [Self; 4] {
        let families = [windows(60, 20), windows(40, 40), windows(200, 200)];
        let apart = [windows(35, 10), windows(7, 7), windows(50, 21).with_offset(nanos(3))];
        [
            Self { windows: families, allowed: 0, retracts: false },
            Self { windows: apart, allowed: 0, retracts: false },
            Self { windows: families, allowed: 50, retracts: true },
            Self { windows: apart, allowed: 90, retracts: false },
        ]
    }
}

/// Parts that are further out of order than they say.
fn parts(seed: u64, count: usize) -> Vec<Vec<Item>> {
    let mut random = Rng::with_seed(seed);
    let part = |_| {
        let (mut now, records) = (random.i64(0..300), random.usize(100..500));
        let record = |_| {
            now += random.i64(0..6);
            (now - random.i64(0..90) * i64::from(random.bool()), random.u16(0..12), random.i64(-99..99))
        };
        (0..records).map(record).collect()
    };
    (0..count).map(part).collect()
}

fn source(graph: &Graph, parts: Vec<Vec<Item>>) -> Stream<Item, impl Upstream<Out = Item> + use<>> {
    graph
        .iters(parts)
        .event_time(|item| Timestamp::from_nanos(item.0), BoundedDisorder::new(nanos(20)).unwrap())
}

fn figures() -> impl Aggregate<Item, Out = (u64, i128), Acc: Send> + Clone + Send + use<> {
    (count(), sum(|item: &Item| i128::from(item.2)))
}

fn sorted(
    results: &Collected<WindowResult<u16, (u64, i128)>>,
    late: &Collected<Keyed<u16, Item>>,
) -> Outcome {
    let said = |record: Record<WindowResult<u16, _>>| {
        let WindowResult { window, key, value, kind, number } = record.value;
        assert_eq!(record.time.as_nanos(), window.end.as_nanos() - 1);
        (window.start.as_nanos(), window.end.as_nanos(), key, kind, number, value)
    };
    let mut results: Vec<_> = results.take().into_iter().map(said).collect();
    let mut late: Vec<_> = late.take().into_iter().map(|record| record.value.value).collect();
    results.sort_unstable();
    late.sort_unstable();
    (results, late)
}

fn alone(case: Case, parts: &[Vec<Item>], family: usize) -> Outcome {
    let graph = Graph::new();
    let windowed = source(&graph, parts.to_vec()).key_by(|item| item.1).window(case.windows[family]);
    let (results, late) = if case.allowed == 0 {
        let (results, late) = windowed.aggregate(figures());
        (results.collect(), late.collect())
    } else {
        let kept = windowed.allowed_lateness(nanos(case.allowed));
        let kept = if case.retracts { kept.retracting() } else { kept };
        let (results, late) = kept.aggregate(figures());
        (results.collect(), late.collect())
    };
    graph.run(JobOptions::default()).unwrap();
    sorted(&results, &late)
}

fn together(case: Case, parts: &[Vec<Item>], options: JobOptions) -> (Vec<Outcome>, JobReport) {
    let graph = Graph::new();
    let windowed = source(&graph, parts.to_vec()).key_by(|item| item.1).window(case.windows);
    let ends: Vec<_> = if case.allowed == 0 {
        let families = windowed.aggregate_each(figures());
        families.map(|(results, late)| (results.collect(), late.collect())).into()
    } else {
        let kept = windowed.allowed_lateness(nanos(case.allowed));
        let kept = if case.retracts { kept.retracting() } else { kept };
        kept.aggregate_each(figures()).map(|(results, late)| (results.collect(), late.collect())).into()
    };
    let report = graph.run(options).unwrap();
    (ends.into_iter().map(|(results, late)| sorted(&results, &late)).collect(), report)
}

#[test]
fn each_family_comes_to_what_it_does_alone_on_any_number_of_workers() {
    let mut apart = 0;
    for (seed, case) in (0..).zip(Case::all()) {
        // What corrections come to in between depends on how parts are interleaved.
        let parts = parts(seed, if case.allowed == 0 { 2 + usize::try_from(seed).unwrap() } else { 1 });
        let expected: Vec<_> = (0..3).map(|family| alone(case, &parts, family)).collect();
        assert!(expected.iter().all(|(results, _)| results.len() > 10), "seed {seed}");
        apart += usize::from(expected[0].1 != expected[1].1);
        let records: usize = parts.iter().map(Vec::len).sum();
        for workers in WORKERS {
            for batch in BATCHES {
                for tier in [Tier::Fused, Tier::Restless { seed }] {
                    let options = JobOptions { workers, batch, tier, ..JobOptions::DEFAULT };
                    let (found, report) = together(case, &parts, options);
                    assert_eq!(found, expected, "seed {seed}: {case:?}, {workers} workers, batch {batch}");
                    assert_eq!(report.records_in, records as u64);
                    assert_eq!(report.records_on_time + report.records_late, records as u64);
                    let least = expected.iter().map(|(_, late)| late.len()).min().unwrap_or(0);
                    assert!(report.records_late <= least as u64, "seed {seed}: late for all");
                }
            }
        }
    }
    assert!(apart > 2, "families differ in what is late for them");
}

#[test]
fn what_is_shared_is_explained() {
    let graph = Graph::new();
    let numbers = graph.iter(0..100_i64).event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
    let families = numbers.key_by(|n| n % 3).window([windows(10, 10), windows(20, 10)]);
    let _ = families.aggregate_each(count()).map(|(counts, _)| counts.discard());
    let plan = graph.plan(JobOptions::default()).unwrap();
    let text = plan.explain().to_string();
    assert!(
        text.contains("aggregate_each: all families of windows are put together from the same slices"),
        "{text}"
    );
    plan.start().unwrap().wait().unwrap();
}
