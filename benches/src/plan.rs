//! What the planner is worth: jobs that find out by themselves how to run, against the best and the worst of all ways there are.

use std::{hint::black_box, thread, time::Duration, time::Instant};

use nacreous::{JobHandle, prelude::*};

use crate::comparison::{Comparison, Measure, Outcome, Side};

/// A graph whose operators take very different times, or have other reasons to run one way or another.
struct Case {
    build: fn(&Graph),
    /// The operators before which it can be cut.
    cuts: &'static [&'static str],
}

/// How a job is run.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// By itself, in one of the tiers, over so many workers.
    Laid(Tier, usize),
    /// Cut before an operator, which goes on on another worker.
    Cut(&'static str),
}

/// How often each way is measured, to find which is the best or the worst.
const SEARCHED: usize = 3;
/// How often it is then measured in turn with the planner.
const PAIRS: usize = 3;

/// How long a job runs before its rate is measured; one that plans takes about a second.
const WARM_UP: Duration = Duration::from_millis(150);
const PLANNING: Duration = Duration::from_millis(1_000);
/// For how long its rate is measured.
const MEASURED: Duration = Duration::from_millis(250);

/// `plan/auto/best`: the worst case against the best way to run it.
pub fn against_best() -> Comparison {
    comparison("plan/auto/best", Some(Way::Laid(Tier::Auto, 2)), 1.0, f64::min)
}

/// `plan/auto/worst`: the case in which the planner is worth most, against the worst way to run it.
pub fn against_worst() -> Comparison {
    comparison("plan/auto/worst", Some(Way::Laid(Tier::Auto, 2)), -1.0, f64::max)
}

/// `plan/best/itself`: the best way in the planner's place, found and measured alike: what chance makes of two that are the same.
pub fn best_against_itself() -> Comparison {
    comparison("plan/best/itself", None, 1.0, f64::min)
}

/// Ours is the ratio of the rate that `way` brings to that of the best way, or to that of the worst, in the case that counts;
/// the rival's is one.
///
/// Which way that is, is found first, and then it is measured anew: the largest of nine rates that vary by a third is larger than
/// what any of the ways would bring a second time.
fn comparison(id: &'static str, way: Option<Way>, best: f64, counts: fn(f64, f64) -> f64) -> Comparison {
    let mut found: Option<Vec<Way>> = None;
    let ours: Side = Box::new(move || {
        let others = found.get_or_insert_with(|| CASES.iter().map(|case| search(case, best)).collect());
        let ratios = CASES.iter().zip(others).map(|(case, other)| {
            median((0..PAIRS).map(|_| rate(case, way.unwrap_or(*other)) / rate(case, *other)).collect())
        });
        Outcome { figure: ratios.reduce(counts).unwrap_or(1.0), digest: 0 }
    });
    let rival: Side = Box::new(|| Outcome { figure: 1.0, digest: 0 });
    Comparison { id, measure: Measure::Rate("times"), ours, rival }
}

/// The way to run a case whose rate, times `best`, is largest.
fn search(case: &Case, best: f64) -> Way {
    let ways: Vec<_> = ways(case).collect();
    let mut rates = vec![Vec::new(); ways.len()];
    for _ in 0..SEARCHED {
        rates.iter_mut().zip(&ways).for_each(|(rates, way)| rates.push(rate(case, *way)));
    }
    let rates = rates.into_iter().map(|rates| best * median(rates));
    let found = rates.zip(ways).max_by(|one, other| one.0.total_cmp(&other.0));
    found.expect("there is a way to run it").1
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// All ways to run a case with up to two workers.
fn ways(case: &Case) -> impl Iterator<Item = Way> + use<> {
    let laid = [Tier::Fused, Tier::Boxed]
        .into_iter()
        .flat_map(|tier| [1, 2].map(|workers| Way::Laid(tier, workers)));
    laid.chain(case.cuts.iter().map(|operator| Way::Cut(operator)))
}

/// Records a second.
#[expect(clippy::cast_precision_loss, reason = "a rate is rounded by nature")]
fn rate(case: &Case, way: Way) -> f64 {
    let graph = Graph::new();
    (case.build)(&graph);
    let (tier, workers) = match way {
        Way::Laid(tier, workers) => (tier, workers),
        Way::Cut(_) => (Tier::ByHand, 2),
    };
    let job =
        graph.start(JobOptions { workers, tier, ..JobOptions::DEFAULT }).expect("the graph is in order");
    if let Way::Cut(operator) = way {
        job.cut_before(operator, 1).expect("the operator is there");
    }
    thread::sleep(if tier == Tier::Auto { PLANNING } else { WARM_UP });
    let (before, began) = (job.records_in(), Instant::now());
    thread::sleep(MEASURED);
    let rate = (job.records_in() - before) as f64 / began.elapsed().as_secs_f64();
    end(job);
    rate
}

fn end(job: JobHandle) {
    job.cancel();
    job.wait().expect("a cancelled job has not failed");
}

/// So many multiplications, each of which waits for the one before.
#[inline(always)]
fn spin(n: u64, rounds: u32) -> u64 {
    (0..rounds).fold(n | 1, |n, _| black_box(n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17)))
}

const CASES: [Case; 6] = [
    Case { build: cheap_chain, cuts: &["a", "b", "c", "d", "end"] },
    Case { build: one_heavy, cuts: &["a", "heavy", "b", "end"] },
    Case { build: heavy_state, cuts: &["key", "sum", "end"] },
    Case { build: wide_fan_out, cuts: &["fan", "a", "b", "end"] },
    Case { build: skewed_keys, cuts: &["key", "sum", "work", "end"] },
    Case { build: slow_sink, cuts: &["a", "end"] },
];

fn numbers(graph: &Graph) -> nacreous::Stream<u64, impl nacreous::Upstream<Out = u64> + use<>> {
    let numbers = graph.iter(0..u64::MAX);
    numbers.event_time(|n| Timestamp::from_nanos(n.cast_signed()), BoundedDisorder::NONE)
}

fn cheap_chain(graph: &Graph) {
    let pairs = numbers(graph)
        .map(|n| n.wrapping_mul(3).rotate_left(5))
        .named("a")
        .filter(|n| n & 63 != 0)
        .named("b");
    let pairs = pairs.map(|n| n.wrapping_mul(5).rotate_left(6)).named("c").filter(|n| n & 63 != 1).named("d");
    pairs.for_each(|record| _ = black_box(record.value)).named("end");
}

fn one_heavy(graph: &Graph) {
    let before = numbers(graph).map(|n| n.wrapping_mul(3).rotate_left(5)).named("a");
    let after = before.map(|n| spin(n, 60)).named("heavy").filter(|n| n & 63 != 1).named("b");
    after.for_each(|record| _ = black_box(record.value)).named("end");
}

fn heavy_state(graph: &Graph) {
    let keyed = numbers(graph).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 44).named("key");
    let sums = keyed.key_by(|n| *n).expect_keys(1 << 20).scan(0_u64, |sum, n| {
        *sum = sum.wrapping_add(n);
        *sum
    });
    sums.named("sum").for_each(|record| _ = black_box(record.value.value)).named("end");
}

fn wide_fan_out(graph: &Graph) {
    let fanned = numbers(graph).flat_map(|n| (0..8).map(move |i| n.wrapping_add(i))).named("fan");
    let worked = fanned.map(|n| spin(n, 6)).named("a").filter(|n| n & 63 != 1).named("b");
    worked.for_each(|record| _ = black_box(record.value)).named("end");
}

fn skewed_keys(graph: &Graph) {
    // Of each 16 records 15 have the same key.
    let keyed = numbers(graph).map(|n| if n % 16 == 0 { n % 10_000 } else { 7 }).named("key");
    let sums = keyed.key_by(|n| *n).expect_keys(10_000).scan(0_u64, |sum, n| {
        *sum = sum.wrapping_add(n);
        *sum
    });
    let worked = sums.named("sum").map(|sum| spin(sum.value, 20)).named("work");
    worked.for_each(|record| _ = black_box(record.value)).named("end");
}

fn slow_sink(graph: &Graph) {
    let worked = numbers(graph).map(|n| spin(n, 20)).named("a");
    worked.for_each(|record| _ = black_box(spin(record.value, 30))).named("end");
}
