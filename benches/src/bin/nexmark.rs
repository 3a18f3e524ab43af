//! What each of the Nexmark queries takes, by itself: `cargo run --release -p nacreous-benches --bin nexmark`.
//!
//! Against timely there are rows on the scorecard.

#[path = "../../../runtime/tests/allocation/counting.rs"]
#[expect(dead_code, reason = "one thread is all that is looked at here")]
mod counting;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use nacreous_benches::nexmark::{Events, QUERIES, figure};

/// Runs Nexmark queries on one worker over events in memory, and prints a row for each.
///
/// The rate is the median of all rounds; allocations are those of the data thread in the second half of the events, by
/// thousand events, and the fewest of all rounds. (What a job needs when it starts, and what is prepared beside the data
/// thread, is not in them.)
#[derive(Debug, Parser)]
#[command(name = "nexmark")]
struct Options {
    /// Run only the query of this number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=11))]
    query: Option<u8>,
    /// How many events, in millions
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    millions: u16,
    /// How often each query runs
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
}

fn main() -> ExitCode {
    match run(&Options::parse(), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "nexmark: cannot write standard output: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let millions = f64::from(options.millions);
    let events = Events::new(usize::from(options.millions) * 1_000_000);
    let [query, rate, results, allocations] = ["query", "M events/s", "results", "allocations/1000 events"];
    writeln!(out, "{query:<5} {rate:>10} {results:>10} {allocations:>24}")?;
    for query in QUERIES.into_iter().filter(|query| options.query.is_none_or(|only| only == *query)) {
        let round = |_| figure(query, events, counting::on_this_thread);
        let mut rounds: Vec<_> = (0..options.rounds).map(round).collect();
        rounds.sort_by_key(|figure| figure.elapsed);
        let median = rounds[rounds.len() / 2];
        let allocations = rounds.iter().map(|figure| figure.allocations).min().unwrap_or(0);
        let rate = millions / median.elapsed.as_secs_f64();
        let by_thousand = allocations as f64 / (millions * 500.0);
        writeln!(out, "{query:<5} {rate:>10.2} {:>10} {by_thousand:>24.3}", median.results)?;
    }
    Ok(())
}
