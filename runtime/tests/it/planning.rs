//! Jobs that find out by themselves how to run.

use std::{
    hint::black_box,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nacreous::{ChangeError, prelude::*};

/// Takes some hundred nanoseconds.
fn heavy(n: i64) -> i64 {
    (0..200).fold(n, |n, _| black_box(n.wrapping_mul(31).rotate_left(7)))
}

fn timed(n: &i64) -> Timestamp {
    Timestamp::from_nanos(*n)
}

#[test]
fn a_job_of_two_heavy_operators_is_cut_between_them_and_nothing_is_lost() {
    // On a machine that is busy with something else, rates may say anything for a while.
    assert!((0..10).any(|_| is_cut_between_two_heavy_operators()), "nobody tried to cut it");
}

/// Whether a job tried that. However it was run, nothing is lost.
fn is_cut_between_two_heavy_operators() -> bool {
    let graph = Graph::new();
    let numbers = graph.iter(0..).event_time(timed, BoundedDisorder::NONE);
    let numbers = numbers.map(|n| (n, heavy(n))).named("first").map(|(n, x)| (n, heavy(x))).named("second");
    let seen = Arc::new(Mutex::new((0_i64, true)));
    let kept = Arc::clone(&seen);
    let _ = numbers.for_each(move |record| {
        let mut seen = kept.lock().unwrap();
        let (next, in_order) = *seen;
        let is_next = record.value.0 == next && record.value.1 == heavy(heavy(next));
        *seen = (next + 1, in_order && is_next);
    });
    let job = graph.start(JobOptions { workers: 2, tier: Tier::Auto, ..JobOptions::DEFAULT }).unwrap();
    let cut =
        |report: &JobReport| report.decisions.iter().any(|decision| decision.change.contains("cut before"));
    let _ = (0..100).any(|_| job.wait_timeout(Duration::from_millis(20)) || cut(&job.report()));
    let explained = job.explain();
    assert!(explained.tasks[0].costs_ps.iter().flatten().any(|ps| *ps > 0), "{explained}");
    assert!(explained.to_string().contains("ns for second"), "{explained}");
    job.stop(Duration::from_secs(60));
    let report = job.wait().unwrap();
    assert_eq!(report.records_in, report.records_on_time);
    let expected = (report.records_in.cast_signed(), true);
    assert_eq!(*seen.lock().unwrap(), expected, "none is lost, repeated or out of order");
    cut(&report)
}

#[test]
fn a_job_that_is_held_up_by_nothing_is_left_alone() {
    let graph = Graph::new();
    let every = nacreous::source::Generator::every(Duration::from_micros(20), |n| n as i64);
    let (numbers, _) = graph.source(every);
    numbers.event_time(timed, BoundedDisorder::NONE).map(|n| n * 2).discard();
    let job = graph.start(JobOptions { workers: 2, tier: Tier::Auto, ..JobOptions::DEFAULT }).unwrap();
    job.wait_timeout(Duration::from_millis(700));
    job.stop(Duration::from_secs(60));
    let report = job.wait().unwrap();
    let tried = report.decisions.iter().filter(|decision| decision.promised_percent.is_some());
    assert_eq!(tried.count(), 0, "{report:#?}");
    assert_eq!(report.records_in, report.records_on_time);
}

#[test]
fn a_job_changed_by_hand_loses_nothing_and_refuses_what_cannot_be() {
    let graph = Graph::new();
    let numbers = graph.iter(0_i64..).event_time(timed, BoundedDisorder::NONE);
    let sums = numbers.map(|n| n + 1).named("more").key_by(|n| n % 7).scan(0, |sum, n| {
        *sum += n;
        (n, *sum)
    });
    let seen = Arc::new(Mutex::new((0_i64, [0_i64; 7], true)));
    let kept = Arc::clone(&seen);
    let _ = sums.named("sum").map(|sum| sum.value).named("value").for_each(move |record| {
        let mut seen = kept.lock().unwrap();
        let (n, sum) = record.value;
        let (last, sums, right) = &mut *seen;
        let expected = &mut sums[usize::try_from(n % 7).unwrap()];
        *expected += n;
        *right &= n == *last + 1 && sum == *expected;
        *last = n;
    });
    let job =
        graph.start(JobOptions { workers: 2, batch: 16, tier: Tier::ByHand, ..JobOptions::DEFAULT }).unwrap();
    let tasks = || job.explain().tasks.iter().filter(|task| !task.is_back).count();
    let until = |count| (0..1_000).any(|_| tasks() == count || job.wait_timeout(Duration::from_millis(5)));
    for round in 0..20 {
        let before = job.records_in();
        let name = ["more", "sum", "value"][round % 3];
        job.cut_before(name, 1).unwrap();
        assert!(until(2), "cut before {name}: {}", job.explain());
        job.run_as(Tier::Fused).unwrap();
        job.rejoin().unwrap();
        assert!(until(1), "put together: {}", job.explain());
        job.run_as(if round % 2 == 0 { Tier::Boxed } else { Tier::Fused }).unwrap();
        while job.records_in() < before + 1_000 {
            thread::yield_now();
        }
    }
    assert_eq!(job.cut_before("nobody", 1), Err(ChangeError::NoOperator { operator: "nobody".to_owned() }));
    assert_eq!(job.cut_before("sum", 2), Err(ChangeError::NoWorker { worker: 2, workers: 2 }));
    job.stop(Duration::from_secs(60));
    let report = job.wait().unwrap();
    let (last, _, right) = *seen.lock().unwrap();
    assert_eq!((last, right), (report.records_in.cast_signed(), true));

    let graph = Graph::new();
    graph.iter(0_i64..).event_time(timed, BoundedDisorder::NONE).map(|n| n).named("more").discard();
    let job = graph.start(JobOptions::DEFAULT).unwrap();
    assert_eq!(job.cut_before("more", 0), Err(ChangeError::Fixed));
    assert_eq!((job.rejoin(), job.run_as(Tier::Boxed)), (Err(ChangeError::Fixed), Err(ChangeError::Fixed)));
}

#[test]
fn a_sink_that_was_moved_is_called_where_it_is() {
    let (handed, results) = nacreous::sink::handed(1);
    let graph = Graph::new();
    graph.iter(0_i64..).event_time(timed, BoundedDisorder::NONE).map(|n| n).to(handed).named("end");
    let job =
        graph.start(JobOptions { workers: 2, batch: 4, tier: Tier::ByHand, ..JobOptions::DEFAULT }).unwrap();
    job.cut_before("end", 1).unwrap();
    let began = Instant::now();
    for (expected, record) in (0..100).zip(results) {
        assert_eq!(record.value, expected);
        // Long enough for the worker that waits for room to fall asleep. If nobody calls it, it wakes after a tenth of a
        // second by itself.
        thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(job.explain().tasks.len(), 2, "it was cut");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// Whether a job that has been planned, and whose operator then takes ten times as long, is planned again.
fn is_planned_again(keeps_plan: bool) -> bool {
    let rounds = Arc::new(AtomicU32::new(20));
    let seen = Arc::clone(&rounds);
    let graph = Graph::new();
    let numbers = graph.iter(0_i64..).event_time(timed, BoundedDisorder::NONE);
    numbers
        .map(move |n| (0..seen.load(Ordering::Relaxed)).fold(n, |n, _| black_box(n.wrapping_mul(31))))
        .discard();
    let job = graph.start(JobOptions { tier: Tier::Auto, ..JobOptions::DEFAULT }).unwrap();
    if keeps_plan {
        job.keep_plan();
    }
    let plans = || job.report().decisions.len();
    let until = |count| (0..200).any(|_| plans() >= count || job.wait_timeout(Duration::from_millis(20)));
    assert!(until(1), "it is planned once");
    // It takes a look at the rate that it is to keep an eye on.
    job.wait_timeout(Duration::from_millis(1_500));
    rounds.store(200, Ordering::Relaxed);
    let again = until(2);
    job.cancel();
    job.wait().unwrap();
    again
}

#[test]
fn a_job_is_planned_again_when_its_rate_changes_unless_it_is_to_keep_its_plan() {
    // On a machine that is busy with something else, its worker may not look busy.
    assert!((0..5).any(|_| is_planned_again(false)));
    assert!(!is_planned_again(true));
}
