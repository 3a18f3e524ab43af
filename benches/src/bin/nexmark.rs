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
use nacreous_benches::nexmark::{Events, Figure, QUERIES, figure};

/// Runs Nexmark queries on one worker over events in memory, and prints a table of them in Markdown.
///
/// The queries take turns. Rates are the median of all rounds, the least and the greatest; there is a round before them that is
/// not counted. Allocations are those of the data thread in the second half of the events, for each event, and the fewest of
/// all rounds. (What a job needs when it starts, and what is prepared beside the data thread, is not in them.)
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
    let queries = QUERIES.into_iter().filter(|query| options.query.is_none_or(|only| only == *query));
    let mut rows: Vec<(u8, Vec<Figure>)> = queries.map(|query| (query, Vec::new())).collect();
    for round in 0..=options.rounds {
        for (query, figures) in &mut rows {
            let figure = figure(*query, events, counting::on_this_thread);
            if round > 0 {
                figures.push(figure);
            }
        }
    }
    writeln!(out, "| query | M events/s | least and greatest | allocations for each event |")?;
    writeln!(out, "|---|---|---|---|")?;
    for (query, mut figures) in rows {
        figures.sort_by_key(|figure| figure.elapsed);
        let rate = |figure: &Figure| millions / figure.elapsed.as_secs_f64();
        let [greatest, median, least] =
            [0, figures.len() / 2, figures.len() - 1].map(|nth| rate(&figures[nth]));
        let allocations = figures.iter().map(|figure| figure.allocations).min().unwrap_or(0);
        let of_event = allocations as f64 / (millions * 500_000.0);
        writeln!(out, "| {query} | {median:.2} | {least:.2} to {greatest:.2} | {of_event:.6} |")?;
    }
    Ok(())
}
