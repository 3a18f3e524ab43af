//! How long a small job takes to begin and to end: `cargo run --release -p nacreous-benches --bin lifecycle`.
//!
//! A limit applies to the 99th percentile; if one is missed, the program says so and fails. The slowest of all is shown
//! as well: it tells of the machine as much as of the job.

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::mpsc,
    time::{Duration, Instant},
};

use nacreous::{GraphError, RunError, prelude::*};

const RUNS: usize = 200;
const LIMIT: Duration = Duration::from_millis(5);
/// Records in a window.
const WINDOW: i64 = 1_000;
const KEYS: i64 = 16;

/// A row: its name, and what it times.
type Row = (&'static str, fn(usize) -> Result<Duration, RunError>);

const ROWS: [Row; 3] = [
    ("lifecycle/startup", start_to_first_result),
    ("lifecycle/teardown/stop", stop_to_end),
    ("lifecycle/teardown/end-of-input", end_of_input_to_end),
];

fn main() -> ExitCode {
    match run(&mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "lifecycle: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints all rows; whether each is within its limit.
fn run(out: &mut dyn Write) -> Result<bool, Box<dyn std::error::Error>> {
    let [id, workers, p50, p99, slowest] = ["id", "workers", "p50 ms", "p99 ms", "max ms"];
    writeln!(out, "{id:<32} {workers:>7} {p50:>8} {p99:>8} {slowest:>8}  limit")?;
    let mut all_within = true;
    for (id, time) in ROWS {
        for workers in [1, 2] {
            let mut times = (0..RUNS).map(|_| time(workers)).collect::<Result<Vec<_>, _>>()?;
            times.sort_unstable();
            let [p50, p99, slowest] = [RUNS / 2, RUNS * 99 / 100 - 1, RUNS - 1].map(|rank| times[rank]);
            let verdict = if p99 < LIMIT { "kept" } else { "MISSED" };
            all_within &= p99 < LIMIT;
            let [p50, p99, slowest, limit] = [p50, p99, slowest, LIMIT].map(|time| time.as_secs_f64() * 1e3);
            write!(out, "{id:<32} {workers:>7} {p50:>8.3} {p99:>8.3} {slowest:>8.3}")?;
            writeln!(out, "  {limit} ms {verdict}")?;
        }
    }
    Ok(all_within)
}

/// From the call that starts a job until its first result is in the sink.
fn start_to_first_result(workers: usize) -> Result<Duration, RunError> {
    let (graph, first) = small_graph(0..);
    let began = Instant::now();
    let job = start(graph, workers)?;
    let time = first_result(&first).duration_since(began);
    job.cancel();
    job.wait()?;
    Ok(time)
}

/// From the call that stops a running job, with windows open, until no thread of it is left.
fn stop_to_end(workers: usize) -> Result<Duration, RunError> {
    let (graph, first) = small_graph(0..);
    let job = start(graph, workers)?;
    first_result(&first);
    let began = Instant::now();
    job.stop(Duration::from_secs(10));
    job.wait()?;
    Ok(began.elapsed())
}

/// From the end of the input until no thread of the job is left.
fn end_of_input_to_end(workers: usize) -> Result<Duration, RunError> {
    let (say_ended, ended) = mpsc::channel();
    let end = move || say_ended.send(Instant::now());
    let mut numbers = 0..100 * WINDOW;
    // The end is read once; the source is not asked again.
    let (graph, _first) = small_graph(std::iter::from_fn(move || {
        let number = numbers.next();
        if number.is_none() {
            let _ = end();
        }
        number
    }));
    start(graph, workers)?.wait()?;
    let waited = Instant::now();
    Ok(waited.duration_since(ended.recv().expect("the input has ended")))
}

/// Counts by key in windows of a thousand records; the moment of the first result goes to the receiver.
fn small_graph(numbers: impl Iterator<Item = i64> + Send + 'static) -> (Graph, mpsc::Receiver<Instant>) {
    let (say_first, first) = mpsc::sync_channel(1);
    let graph = Graph::new();
    let (counts, _late) = graph
        .iter(numbers)
        .event_time(
            |number| Timestamp::from_nanos(*number),
            BoundedDisorder::new(Duration::ZERO).expect("a span"),
        )
        .key_by(|number| number % KEYS)
        .window(Sliding::tumbling(Duration::from_nanos(WINDOW.unsigned_abs())).expect("a window"))
        .aggregate(count());
    let mut say_first = Some(say_first);
    counts.for_each(move |_| {
        if let Some(say_first) = say_first.take() {
            let _ = say_first.send(Instant::now());
        }
    });
    (graph, first)
}

fn start(graph: Graph, workers: usize) -> Result<JobHandle, GraphError> {
    graph.start(JobOptions { workers, ..JobOptions::DEFAULT })
}

fn first_result(first: &mpsc::Receiver<Instant>) -> Instant {
    first.recv().expect("the job brings results")
}
