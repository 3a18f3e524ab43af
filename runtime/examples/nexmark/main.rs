//! Queries over an auction house: the Nexmark benchmark, on the events of its generator.
//!
//! ```sh
//! cargo run --release --example nexmark -- --query 5
//! ```
//!
//! The events are generated before the job starts, so that the rate is that of the query. What the queries are, and how
//! each is built, is said [where they are](queries).
//!
//! ```text
//! until_s  auction  bids
//!     2.0     1500   841
//!     4.0     1500   841
//! …
//! query 5: 1000000 events in, 0 late, 0 missed windows, 63 results; …
//! ```
//!
//! `--help` lists the options.
#![expect(clippy::print_stdout, reason = "an example speaks to its user")]

#[path = "queries/lib.rs"]
mod queries;
#[cfg(test)]
mod tests;

use std::{
    error::Error,
    io::Stdout,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
    vec,
};

use clap::{Parser, value_parser};
use nacreous::{
    BoxError,
    prelude::*,
    sink::{Sink, TableSink},
};
use serde::Serialize;

use queries::{Event, Workload, workload::disorder_of};

/// The number of the query that goes by when events are read.
const BY_ARRIVAL: u8 = 12;

/// Runs one of the Nexmark queries on generated events.
#[derive(Parser)]
#[command(name = "nexmark")]
struct Options {
    /// The number of the query
    #[arg(long, value_parser = value_parser!(u8).range(0..=12))]
    query: u8,
    /// How many events
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    events: usize,
    /// How many events happen in a second of event time
    #[arg(long, value_name = "N", default_value_t = Workload::RATE as u64, value_parser = value_parser!(u64).range(1..=10_000_000))]
    rate: u64,
    /// So many events at a time come out of order
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u64).range(1..=Workload::GROUP_MAX as u64))]
    group: u64,
    /// How far behind the latest event one may come before it is late, in milliseconds; as far as they do if absent. Query 12 does
    /// not ask
    #[arg(long, value_name = "MS")]
    disorder_ms: Option<u64>,
    /// How many data threads
    #[arg(long, value_name = "N", default_value_t = JobOptions::DEFAULT.workers)]
    workers: usize,
    /// How many results to print
    #[arg(long, value_name = "N", default_value_t = 10)]
    limit_output: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    if !queries::QUERIES.contains(&options.query) && options.query != BY_ARRIVAL {
        let (asked, known) = (options.query, queries::QUERIES);
        return Err(format!("there is no query {asked} here; take one of {known:?} or {BY_ARRIVAL}").into());
    }
    let events = options.workload()?.generate();
    let disorder = match options.disorder_ms {
        Some(millis) => BoundedDisorder::new(Duration::from_millis(millis))?,
        None => disorder_of(&events)?,
    };
    let results = Arc::default();
    let first =
        First { table: TableSink::stdout(), left: options.limit_output, results: Arc::clone(&results) };
    let graph = Graph::new();
    // Whoever starts a job may be gone before its source is, so the events stay for good.
    let events = graph.iter(&*events.leak());
    if options.query == BY_ARRIVAL {
        let _ = queries::bid_counts(events.arrival_time()).to(first);
    } else {
        queries::query(options.query, events.event_time(|event: &&Event| event.at(), disorder), first);
    }
    let report = graph.run(JobOptions { workers: options.workers, ..JobOptions::DEFAULT })?;
    println!(
        "query {}: {} events in, {} late, {} missed windows, {} results; {:.3} s ({:.2} M events/s)",
        options.query,
        report.records_in,
        report.records_late,
        report.missed_windows,
        results.load(Ordering::Relaxed),
        report.elapsed.as_secs_f64(),
        report.records_per_s() / 1e6,
    );
    Ok(())
}

impl Options {
    fn workload(&self) -> Result<Workload, Box<dyn Error>> {
        let [rate, group] = [usize::try_from(self.rate)?, usize::try_from(self.group)?];
        Ok(Workload { events: self.events, rate, group })
    }
}

/// Prints the first results as they come, and counts all.
struct First {
    table: TableSink<Stdout>,
    left: usize,
    results: Arc<AtomicU64>,
}

impl<T: Serialize> Sink<T> for First {
    fn write(&mut self, results: &mut vec::Drain<'_, Record<T>>) -> Result<(), BoxError> {
        self.results.fetch_add(results.len() as u64, Ordering::Relaxed);
        if self.left > 0 {
            let mut first: Vec<_> = results.take(self.left).collect();
            self.left -= first.len();
            self.table.write(&mut first.drain(..))?;
        }
        results.for_each(drop);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), BoxError> {
        Sink::<T>::flush(&mut self.table)
    }
}
