//! Results depend on the order of the records alone: not on the number of workers, nor on batching.

use std::time::Duration;

use fastrand::Rng;
use nacreous::{JobReport, prelude::*};

use crate::naive::{self, Outcome};

pub(crate) const WORKERS: [usize; 3] = [1, 2, 4];
pub(crate) const BATCHES: [usize; 3] = [1, 7, 512];

type Item = (i64, u16, i64);

pub(crate) fn nanos(n: i64) -> Duration {
    Duration::from_nanos(n.unsigned_abs())
}

struct Case {
    input: Vec<Item>,
    size: i64,
    every: i64,
    disorder: i64,
}

/// Runs a case; its results come in order, its late records do not where several workers find them.
fn run(case: &Case, options: JobOptions) -> (Vec<(i64, i64, u16, naive::Figures)>, Vec<Item>, JobReport) {
    let graph = Graph::new();
    let (results, late) = graph
        .iter(case.input.clone())
        .event_time(|item| Timestamp::from_nanos(item.0), BoundedDisorder::new(nanos(case.disorder)).unwrap())
        .filter(|item| item.2 != FILTERED)
        .map(|(time, key, value)| (time, key, value * 3))
        .key_by(|item| item.1)
        .window(Sliding::new(nanos(case.size), nanos(case.every)).unwrap())
        .aggregate(stats(|item: &Item| item.2));
    let results = results.order_by(|result| result.key).collect();
    let late = late.collect();
    let report = graph.run(options).expect("the job runs");

    let results = results.take().into_iter().map(|record| {
        let WindowResult { window, key, value, .. } = record.value;
        assert_eq!(record.time.as_nanos(), window.end.as_nanos() - 1);
        let figures = (value.count, value.sum, value.min, value.max);
        (window.end.as_nanos(), window.start.as_nanos(), key, figures)
    });
    let mut late: Vec<_> = late.take().into_iter().map(|record| record.value.value).collect();
    late.sort_unstable();
    (results.collect(), late, report)
}

/// The value of a record that the graph filters out.
const FILTERED: i64 = -7;

fn expected(case: &Case) -> (Outcome<u16>, Vec<Item>) {
    // A filtered record still moves the watermark: it did happen. So it is given to the oracle under a key
    // of its own, and taken out of the outcome.
    let input = case.input.iter().map(|&(time, key, value)| (time, (value == FILTERED, key), value * 3));
    let outcome = naive::windows(input, case.size, case.every, case.disorder);
    let mut kept = Outcome { results: [].into(), late: outcome.late, on_time: 0, missed_windows: 0 };
    for ((end, start, (filtered, key)), figures) in outcome.results {
        if !filtered {
            kept.results.insert((end, start, key), figures);
        }
    }
    kept.late.retain(|position| case.input[*position].2 != FILTERED);
    let mut late: Vec<_> =
        kept.late.iter().map(|at| case.input[*at]).map(|(t, k, v)| (t, k, v * 3)).collect();
    late.sort_unstable();
    (kept, late)
}

fn check(case: &Case, seed: u64) {
    let (outcome, late) = expected(case);
    let results: Vec<_> =
        outcome.results.into_iter().map(|((end, start, key), f)| (end, start, key, f)).collect();
    let mut reports = Vec::new();
    for workers in WORKERS {
        for batch in BATCHES {
            let tiers = [Tier::Fused, Tier::Boxed, Tier::Auto, Tier::Restless { seed }];
            let turn = usize::try_from(seed).unwrap_or(0) + reports.len();
            let tier = tiers[turn % tiers.len()];
            let (found, found_late, report) =
                run(case, JobOptions { workers, batch, tier, ..JobOptions::default() });
            let Case { size, every, disorder, .. } = case;
            let what = format!(
                "seed {seed}: size {size}, every {every}, disorder {disorder}; {workers} workers, batch {batch}, {tier:?}"
            );
            assert_eq!(found, results, "{what}");
            assert_eq!(found_late, late, "{what}");
            assert_eq!(report.records_in, case.input.len() as u64, "{what}");
            assert_eq!(report.records_late, late.len() as u64, "{what}");
            assert_eq!(report.results, results.len() as u64, "{what}");
            let filtered = case.input.iter().filter(|item| item.2 == FILTERED).count() as u64;
            assert_eq!(report.records_filtered, filtered, "{what}");
            reports.push((report.records_on_time, report.missed_windows));
        }
    }
    assert!(reports.iter().all(|report| *report == reports[0]), "seed {seed}: {reports:?}");
}

/// Times out of order in one of several bad ways.
fn generate(random: &mut Rng) -> Vec<Item> {
    let count = random.usize(0..600);
    let keys = 1 << random.u32(0..9);
    let spread = random.i64(1..200);
    let mode = random.u8(0..5);
    let mut now = random.i64(-1_000..1_000);
    let times = (0..count as i64).map(|n| {
        now += match mode {
            0 => random.i64(0..4),
            1 => i64::from(n % 50 == 0) * 300,
            _ => random.i64(0..10),
        };
        match mode {
            2 => now - random.i64(0..spread),
            3 => now + (n % 17) * -spread / 17,
            4 if random.u8(..) < 3 => now + random.i64(0..5_000),
            _ => now,
        }
    });
    let times: Vec<_> = times.collect();
    let value = |random: &mut Rng| if random.u8(..) < 20 { FILTERED } else { random.i64(-100..100) };
    times.into_iter().map(|time| (time, random.u16(0..keys), value(random))).collect()
}

#[test]
fn generated_streams_give_the_same_results_in_every_way_of_running_them() {
    for seed in 0..60 {
        let mut random = Rng::with_seed(seed);
        let size = random.i64(1..100);
        let case = Case {
            input: generate(&mut random),
            size,
            every: random.i64(1..=size),
            disorder: random.i64(0..150),
        };
        check(&case, seed);
    }
}

#[test]
fn many_results_at_once_are_held_back_and_not_lost() {
    // Every window closes at the very end: far more results than all edges together can hold.
    let input = (0..30_000).map(|n| (n % 3_000, u16::try_from(n % 1_000).unwrap(), n)).collect();
    check(&Case { input, size: 300, every: 100, disorder: 10_000 }, 0);
}

#[test]
fn an_empty_stream_ends_with_nothing() {
    check(&Case { input: Vec::new(), size: 10, every: 10, disorder: 0 }, 0);
}

#[test]
fn a_graph_without_windows_passes_every_record_on_in_order() {
    for workers in WORKERS {
        for batch in BATCHES {
            let graph = Graph::new();
            let stream = graph
                .iter(0..5_000_i64)
                .event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::new(Duration::ZERO).unwrap());
            let odd = stream.inspect(|record| assert_eq!(record.time.as_nanos(), record.value));
            let odd = odd.filter(|n| n % 2 == 1).map(|n| n * 10).collect();
            let report =
                graph.run(JobOptions { workers, batch, ..JobOptions::default() }).expect("the job runs");
            let values: Vec<_> = odd.take().into_iter().map(|record| record.value).collect();
            assert_eq!(values, (0..2_500).map(|n| n * 20 + 10).collect::<Vec<_>>());
            assert_eq!((report.records_on_time, report.records_filtered), (2_500, 2_500));
        }
    }
}

#[test]
fn windows_over_results_of_windows_agree_with_a_recomputation() {
    let input: Vec<Item> = (0..2_000).map(|n| (n * 3 % 1_999, u16::try_from(n % 5).unwrap(), n)).collect();
    let mut oracle = std::collections::BTreeMap::<(i64, u16), u64>::new();
    for (time, key, _) in &input {
        *oracle.entry((time.div_euclid(100) * 100, *key)).or_default() += 1;
    }
    let expected: Vec<_> =
        oracle.into_iter().map(|((start, key), count)| (start + 100, key, count)).collect();
    for workers in WORKERS {
        let graph = Graph::new();
        let (tens, _) = graph
            .iter(input.clone())
            .event_time(|item| Timestamp::from_nanos(item.0), BoundedDisorder::new(nanos(2_000)).unwrap())
            .key_by(|item| item.1)
            .window(Sliding::tumbling(nanos(10)).unwrap())
            .aggregate(count());
        let (hundreds, late) = tens
            .key_by(|ten| ten.key)
            .window(Sliding::tumbling(nanos(100)).unwrap())
            .aggregate(sum(|ten: &WindowResult<u16, u64>| i64::try_from(ten.value).unwrap()));
        let hundreds = hundreds.order_by(|hundred| hundred.key).collect();
        let late = late.collect();
        let report =
            graph.run(JobOptions { workers, batch: 7, ..JobOptions::default() }).expect("the job runs");
        let found = hundreds.take().into_iter().map(|record| record.value);
        let found: Vec<_> = found.map(|r| (r.window.end.as_nanos(), r.key, r.value.unsigned_abs())).collect();
        assert_eq!(found, expected, "{workers} workers");
        assert!(late.take().is_empty());
        assert_eq!(report.records_on_time, 2_000, "results are not counted as records of the source");
    }
}
