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
//!       2     1500  2301
//! …
//! query 5: 1000000 events in, 0 late, 52 results; 0.026 s (38.83 M events/s)
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
    BoxError, Stream, Upstream,
    prelude::*,
    sink::{Sink, TableSink},
};
use serde::Serialize;

use queries::{Event, Workload};

/// Runs one of the Nexmark queries on generated events.
#[derive(Parser)]
#[command(name = "nexmark")]
struct Options {
    /// The number of the query
    #[arg(long, value_parser = value_parser!(u8).range(0..=9))]
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
    /// How far behind the latest event one may come before it is late, in milliseconds; as far as they do if absent
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
    let events = options.workload()?.generate();
    let disorder = match options.disorder_ms {
        Some(millis) => BoundedDisorder::new(Duration::from_millis(millis))?,
        None => queries::disorder_of(&events)?,
    };
    let results = Arc::default();
    let first =
        First { table: TableSink::stdout(), left: options.limit_output, results: Arc::clone(&results) };
    let graph = Graph::new();
    query(options.query, graph.iter(events).event_time(Event::at, disorder), first);
    let report = graph.run(JobOptions { workers: options.workers, ..JobOptions::DEFAULT })?;
    println!(
        "query {}: {} events in, {} late, {} results; {:.3} s ({:.2} M events/s)",
        options.query,
        report.records_in,
        report.records_late,
        results.load(Ordering::Relaxed),
        report.elapsed.as_secs_f64(),
        report.records_per_s() / 1e6,
    );
    Ok(())
}

/// The query of this number, from its events to the sink.
fn query(number: u8, events: Stream<Event, impl Upstream<Out = Event>>, first: First) {
    match number {
        0 => queries::pass_through(events).map(Row::from).to(first),
        1 => queries::in_euros(events).to(first),
        2 => queries::selected(events).to(first),
        3 => queries::local_items(events).to(first),
        4 => queries::category_prices(events).to(first),
        5 => queries::hot_items(events).to(first),
        6 => queries::seller_prices(events).to(first),
        7 => queries::highest_bids(events).to(first),
        8 => queries::new_sellers(events).to(first),
        9 => queries::winning_bids(events).to(first),
        _ => unreachable!("the options allow no other"),
    };
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

/// An event as it is printed.
#[derive(Serialize)]
struct Row {
    event: &'static str,
    /// Of the person or the auction; a bid's auction.
    id: u64,
}

impl From<Event> for Row {
    fn from(event: Event) -> Self {
        match event {
            Event::Person(person) => Self { event: "person", id: person.id },
            Event::Auction(auction) => Self { event: "auction", id: auction.id },
            Event::Bid(bid) => Self { event: "bid", id: bid.auction },
        }
    }
}
