//! Jobs that find out by themselves how to run.

use std::{hint::black_box, time::Duration};

use nacreous::prelude::*;

/// Takes some hundred nanoseconds.
fn heavy(n: i64) -> i64 {
    (0..200).fold(n, |n, _| black_box(n.wrapping_mul(31).rotate_left(7)))
}

fn timed(n: &i64) -> Timestamp {
    Timestamp::from_nanos(*n)
}

#[test]
fn a_job_of_two_heavy_operators_is_cut_between_them_and_nothing_is_lost() {
    let graph = Graph::new();
    let numbers = graph.iter(0..).event_time(timed, BoundedDisorder::NONE);
    let numbers = numbers.map(|n| (n, heavy(n))).named("first").map(|(n, x)| (n, heavy(x))).named("second");
    let (numbers, seen) = (numbers, std::sync::Arc::new(std::sync::Mutex::new((0_i64, true))));
    let last = std::sync::Arc::clone(&seen);
    numbers.for_each(move |record| {
        let mut last = last.lock().unwrap();
        let (next, in_order) = *last;
        let is_next = record.value.0 == next && record.value.1 == heavy(heavy(next));
        *last = (next + 1, in_order && is_next);
    });
    let job = graph.start(JobOptions { workers: 2, tier: Tier::Auto, ..JobOptions::DEFAULT }).unwrap();
    let cut =
        |report: &JobReport| report.decisions.iter().any(|decision| decision.change.contains("cut before"));
    for _ in 0..1_000 {
        if job.wait_timeout(Duration::from_millis(20)) || cut(&job.report()) {
            break;
        }
    }
    let explained = job.explain();
    assert!(explained.tasks[0].costs_ps.iter().flatten().any(|ps| *ps > 0), "{explained}");
    assert!(explained.to_string().contains("ns for second"), "{explained}");
    job.stop(Duration::from_secs(60));
    let report = job.wait().unwrap();
    assert!(cut(&report), "{report:#?}");
    assert_eq!(report.records_in, report.records_on_time);
    assert_eq!(
        *seen.lock().unwrap(),
        (report.records_in as i64, true),
        "none is lost, repeated or out of order"
    );
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
