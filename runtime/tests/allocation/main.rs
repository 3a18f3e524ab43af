//! Data threads do not allocate between warm-up and end, and this test would notice if they did.
//!
//! The allocator counts by thread. Functions of the user's, which run on data threads, look at their own
//! thread's count; where there is none to look, the counts are sampled from outside.
#![allow(
    clippy::unwrap_used,
    reason = "also in the helpers of tests a failure is best shown where it happens"
)]

mod counting;
#[path = "../../examples/flight_delays/main.rs"]
#[expect(dead_code, reason = "its main function is not run here")]
mod example;
mod operators;
mod table;

use std::{
    ffi::CString,
    fs,
    hint::black_box,
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use clap::Parser;
use nacreous::prelude::*;

const RECORDS: u64 = 600_000;
const HALFWAY: u64 = RECORDS / 2;
const LAST: u64 = RECORDS - 1;

/// The tests take turns: one of them looks at all data threads of the process.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Raised by the source in the middle of its records, when every buffer has reached its size, and lowered with
/// the last: the end closes all windows at once, which is not the steady state.
type Steady = Arc<AtomicBool>;

/// Watches the allocations of the thread it is called on.
#[derive(Clone)]
struct Probe {
    steady: Steady,
    /// The thread's count when this was last called.
    last: Option<u64>,
    seen: Arc<Seen>,
}

/// Calls and allocations in the steady state, summed over all instances.
#[derive(Default)]
struct Seen {
    calls: AtomicU64,
    allocations: AtomicU64,
}

impl Probe {
    fn new(steady: &Steady) -> Self {
        Self { steady: Arc::clone(steady), last: None, seen: Arc::default() }
    }

    fn look(&mut self) {
        if !self.steady.load(Ordering::Relaxed) {
            return;
        }
        let now = counting::on_this_thread();
        if let Some(last) = self.last.replace(now) {
            self.seen.allocations.fetch_add(now - last, Ordering::Relaxed);
            self.seen.calls.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What each function of the graph saw.
struct Found {
    source: Arc<Seen>,
    keyed: Arc<Seen>,
    results: Arc<Seen>,
    late: Arc<Seen>,
}

/// Where the positive control allocates.
#[derive(Clone, Copy, PartialEq)]
enum Leak {
    Nowhere,
    Source,
    Keyed,
    Results,
    Late,
}

/// Allocates, if it is this place's turn.
fn leak_if(here: bool) {
    if here {
        black_box(Box::new(1));
    }
}

fn run(options: JobOptions, leak: Leak) -> Found {
    let steady = Steady::default();
    let [source, keyed, results, late] = [(); 4].map(|()| Probe::new(&steady));
    let found = Found {
        source: Arc::clone(&source.seen),
        keyed: Arc::clone(&keyed.seen),
        results: Arc::clone(&results.seen),
        late: Arc::clone(&late.seen),
    };
    let graph = Graph::new();
    let time_of = {
        let mut probe = source;
        move |n: &u64| {
            match *n {
                HALFWAY => steady.store(true, Ordering::Relaxed),
                LAST => steady.store(false, Ordering::Relaxed),
                _ => {}
            }
            probe.look();
            leak_if(leak == Leak::Source && n.is_multiple_of(1_000));
            // Out of order by up to 60, and now and then by more than the bound allows.
            let behind = if n.is_multiple_of(97) { 5_000 } else { n * 7 % 60 };
            Timestamp::from_nanos(n.saturating_sub(behind).cast_signed())
        }
    };
    let key = {
        let mut probe = keyed;
        move |n: u64| {
            probe.look();
            leak_if(leak == Leak::Keyed);
            n
        }
    };
    let (sums, late_records) = graph
        .iter(0..RECORDS)
        .event_time(time_of, BoundedDisorder::new(Duration::from_nanos(60)).unwrap())
        .filter(|n| n % 11 != 0)
        .key_by(|n| n % 500)
        .window(Sliding::new(Duration::from_nanos(700), Duration::from_nanos(200)).unwrap())
        .aggregate(stats(|n: &u64| n.cast_signed()));
    let counts = sums.map(|sum| sum.value.count).map(key);
    let last = {
        let mut probe = results;
        move || {
            probe.look();
            leak_if(leak == Leak::Results);
        }
    };
    if options.workers <= 2 {
        let (again, _) = counts
            .key_by(|count| count % 3)
            .window(Sliding::tumbling(Duration::from_nanos(200)).unwrap())
            .aggregate(count());
        again.order_by(|count| count.key).for_each({
            let mut last = last;
            move |_| last()
        });
    } else {
        // What waits for the slowest of several lanes holds the more the further they drift apart, which is
        // a matter of scheduling: it may reach a new maximum, and grow, at any time. So it is left out here.
        counts.for_each({
            let mut last = last;
            move |_| last()
        });
    }
    late_records.for_each({
        let mut probe = late;
        move |_| {
            probe.look();
            leak_if(leak == Leak::Late);
        }
    });
    graph.run(options).expect("the job runs");
    found
}

const OPTIONS: [JobOptions; 6] = [
    JobOptions { workers: 1, batch: 512, ..JobOptions::DEFAULT },
    JobOptions { workers: 1, batch: 7, ..JobOptions::DEFAULT },
    JobOptions { workers: 2, batch: 512, ..JobOptions::DEFAULT },
    JobOptions { workers: 2, batch: 512, measure_latency: true, ..JobOptions::DEFAULT },
    JobOptions { workers: 4, batch: 64, ..JobOptions::DEFAULT },
    JobOptions { workers: 4, batch: 1, ..JobOptions::DEFAULT },
];

#[test]
fn a_pipeline_of_copy_records_allocates_nothing_after_warm_up() {
    let _turn = turn();
    for options in OPTIONS {
        let Found { source, keyed, results, late } = run(options, Leak::Nowhere);
        for (place, seen) in [("source", source), ("keyed", keyed), ("results", results), ("late", late)] {
            let [calls, allocations] = [&seen.calls, &seen.allocations].map(|n| n.load(Ordering::Relaxed));
            assert!(calls > 100, "{options:?}: the probe at the {place} was only called {calls} times");
            assert_eq!(allocations, 0, "{options:?}: at the {place}, over {calls} calls");
        }
    }
}

#[test]
fn the_probes_notice_an_allocation_wherever_it_happens() {
    let _turn = turn();
    for leak in [Leak::Source, Leak::Keyed, Leak::Results, Leak::Late] {
        for options in OPTIONS {
            let Found { source, keyed, results, late } = run(options, leak);
            let seen = match leak {
                Leak::Source => source,
                Leak::Keyed => keyed,
                Leak::Results => results,
                Leak::Late | Leak::Nowhere => late,
            };
            assert!(seen.allocations.load(Ordering::Relaxed) > 0, "{options:?}");
        }
    }
}

/// A pipe in the file system through which the bundled input comes, all but its last twentieth, which comes
/// when the sender is dropped. So a job that reads it cannot end before it has been looked at.
fn held_back_input() -> (PathBuf, mpsc::Sender<()>) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("held-back.csv.gz");
    let _ = fs::remove_file(&path);
    let c_path = CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: the path is a string that ends in zero and outlives the call.
    let made = unsafe { libc::mkfifo(c_path.as_ptr(), 0o600) };
    assert_eq!(made, 0, "cannot make a pipe: {}", std::io::Error::last_os_error());
    let bytes =
        fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/nyc-landings-2013.csv.gz")).unwrap();
    let (release, released) = mpsc::channel::<()>();
    thread::spawn({
        let path = path.clone();
        move || {
            let mut pipe = fs::File::options().write(true).open(path).unwrap();
            let (first, rest) = bytes.split_at(bytes.len() / 20 * 19);
            pipe.write_all(first).unwrap();
            assert!(released.recv().is_err(), "released by the sender's end");
            pipe.write_all(rest).unwrap();
        }
    });
    (path, release)
}

#[test]
fn the_example_allocates_nothing_after_warm_up_on_its_real_input() {
    let _turn = turn();
    for workers in ["1", "2", "4"] {
        for format in ["csv", "jsonl", "table"] {
            let (input, release) = held_back_input();
            let arguments =
                ["flight_delays", "--workers", workers, "--format", format, "--output", "/dev/null"];
            let input = ["--input", input.to_str().unwrap()];
            let options = example::options::Options::parse_from([&arguments[..], &input].concat());
            let input = options.source(Default::default()).expect("an input");
            let graph = example::flight_delays(&options, input).expect("a graph");
            let job = graph.start(options.job()).unwrap();
            let counts_at = |records| {
                while job.records_in() < records {
                    assert!(!job.wait_timeout(Duration::from_millis(1)), "the job ended early");
                }
                counting::on_data_threads()
            };
            let warm = counts_at(150_000);
            let later = counts_at(300_000);
            drop(release);
            assert_eq!(job.wait().expect("the job runs").records_in, 327_346);
            assert_eq!(warm.len(), options.workers, "data threads found");
            for (thread, count) in &warm {
                assert!(*count > 0, "{thread} has not even set itself up: the count does not work");
            }
            assert_eq!(later, warm, "{workers} workers, {format}");
        }
    }
}
