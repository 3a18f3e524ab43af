//! Each operator in a graph of its own: none allocates on a data thread in the steady state, nor while keys come that
//! nobody expected.

use std::{
    collections::BTreeMap,
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nacreous::prelude::*;

use super::{
    counting,
    table::{GROWTH_BEGINS, Keys, Probe, Row},
    turn,
};

const PATIENCE: Duration = Duration::from_secs(60);
const WORKERS: [usize; 3] = [1, 2, 3];

/// Holds the first source at two records until the counts have been taken.
#[derive(Clone)]
struct Stops {
    at: [i64; 2],
    /// Which record the source is held at; it goes on when that is taken back.
    held_at: Arc<AtomicI64>,
    /// Nobody looks any more.
    over: Arc<AtomicBool>,
    /// What the positive control does.
    leaks: bool,
}

const NOWHERE: i64 = -1;

impl Stops {
    fn at(first: i64, last: i64, leaks: bool) -> Self {
        let held_at = Arc::new(AtomicI64::new(NOWHERE));
        Self { at: [first, last], held_at, over: Arc::default(), leaks }
    }

    /// Waits until the source is held at a record, has `look` at the threads, and lets it go on.
    fn look_at<R>(&self, record: i64, look: impl FnOnce() -> R) -> R {
        let began = Instant::now();
        while self.held_at.load(Ordering::Acquire) != record {
            assert!(began.elapsed() < PATIENCE, "record {record} is never read");
            thread::yield_now();
        }
        let seen = look();
        self.held_at.store(NOWHERE, Ordering::Release);
        seen
    }
}

impl Probe for Stops {
    fn reads(&mut self, number: i64) {
        if self.at.contains(&number) {
            self.held_at.store(number, Ordering::Release);
            while self.held_at.load(Ordering::Acquire) == number && !self.over.load(Ordering::Relaxed) {
                thread::yield_now();
            }
        }
    }

    fn works(&mut self) {
        if self.leaks {
            black_box(Box::new(1));
        }
    }
}

/// Lets the source go on, whatever becomes of the test.
struct LetGo(Arc<AtomicBool>);

impl Drop for LetGo {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Allocations between the two stops, on each data thread and on the control thread.
struct Found {
    data: Vec<(String, u64)>,
    control: u64,
}

fn run(row: &Row<Stops>, keys: Keys, (workers, tier): (usize, Tier), stops: &Stops) -> Found {
    let [first, last] = stops.at;
    let graph = row.graph(keys, stops.clone());
    let job = graph.start(JobOptions { workers, batch: 64, tier, ..JobOptions::DEFAULT }).unwrap();
    let _let_go = LetGo(Arc::clone(&stops.over));
    let count = || (counting::on_data_threads(), counting::on_control_threads());
    let (data_before, control_before) = stops.look_at(first, count);
    let (data, control) = stops.look_at(last, count);
    job.cancel();
    job.wait().expect("a cancelled job has not failed");
    // Workers without a task have ended by now.
    assert!((1..=workers).contains(&data.len()), "{}: {data:?}", row.name);
    let grown = data.into_iter().map(|(thread, now)| {
        let before = data_before[&thread];
        (thread, now - before)
    });
    let sum = |counts: BTreeMap<String, u64>| counts.values().sum::<u64>();
    Found { data: grown.collect(), control: sum(control) - sum(control_before) }
}

/// The steady state. Far enough apart that each worker has had many turns between the two, however they are scheduled:
/// what a window over several parts adds up comes out when the last of them has come so far.
fn steady(leaks: bool) -> Stops {
    Stops::at(200_000, 500_000, leaks)
}

#[test]
fn no_operator_allocates_on_a_data_thread_in_the_steady_state() {
    let _turn = turn();
    let mut wrong = Vec::new();
    for row in Row::all() {
        for (workers, tier) in
            WORKERS.into_iter().flat_map(|workers| [(workers, Tier::Fused), (workers, Tier::Boxed)])
        {
            let found = run(&row, Keys::Few, (workers, tier), &steady(false));
            if found.data.iter().any(|(_, count)| *count > 0) {
                wrong.push(format!("{}, {workers} workers, {tier:?}: {:?}", row.name, found.data));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_operator_allocates_on_a_data_thread_while_keys_come_that_nobody_expected() {
    const KEYS: i64 = 200_000;
    let _turn = turn();
    let mut wrong = Vec::new();
    for row in Row::keyed() {
        for workers in WORKERS {
            let stops = Stops::at(GROWTH_BEGINS, GROWTH_BEGINS + KEYS - 1_000, false);
            let found = run(&row, Keys::Growing(KEYS), (workers, Tier::Fused), &stops);
            // A join in windows keeps no keys: it has nothing to grow.
            let grows = row.name != "window join";
            if found.data.iter().any(|(_, count)| *count > 0) || (grows && found.control == 0) {
                let Found { data, control } = found;
                wrong.push(format!("{}, {workers} workers: {data:?}, control {control}", row.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_operator_that_allocates_is_noticed() {
    let _turn = turn();
    for row in Row::all() {
        for workers in WORKERS {
            let found = run(&row, Keys::Few, (workers, Tier::Fused), &steady(true));
            let noticed: u64 = found.data.iter().map(|(_, count)| count).sum();
            assert!(noticed > 10, "{}, {workers} workers: {:?}", row.name, found.data);
        }
    }
}
