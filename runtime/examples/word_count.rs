//! Counts the words that clients send over TCP, in windows of two seconds by the time at which they arrive.
//!
//! ```sh
//! cargo run --release --example word_count    # listens on 127.0.0.1:7878
//! nc 127.0.0.1 7878                           # in another terminal: type lines of text
//! ```
//!
//! After `to be or not to be` it prints, within two seconds:
//!
//! ```text
//! until     count  word
//! 09:41:06      2  be
//! 09:41:06      2  to
//! 09:41:06      1  not
//! 09:41:06      1  or
//! ```
//!
//! An interrupt (Ctrl-C) counts what has come and ends. `--help` lists the options.
#![expect(clippy::print_stdout, reason = "an example speaks to its user")]

use std::{cmp::Reverse, error::Error, net::SocketAddr, sync::mpsc, time::Duration};

use clap::Parser;
use nacreous::{prelude::*, sink::TableSink, source::TcpLines};
use serde::Serialize;

/// Counts the words that clients send over TCP.
#[derive(Parser)]
struct Options {
    /// The port to listen on, at 127.0.0.1; 0 for any that is free
    #[arg(long, default_value_t = 7878)]
    port: u16,
    /// The length of a window
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// End when the last client has gone
    #[arg(long)]
    once: bool,
}

/// A row of the table.
#[derive(Serialize)]
struct Counted {
    /// The time of day, in UTC, at which the window ended.
    until: String,
    count: u64,
    word: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Options { port, seconds, once } = Options::parse();
    let windows = Sliding::tumbling(Duration::from_secs(seconds))?;
    let mut lines = TcpLines::text(SocketAddr::from(([127, 0, 0, 1], port)))?;
    if once {
        lines = lines.end_after_last_client();
    }
    println!("listening on {}", lines.local_addr());

    let graph = Graph::new();
    let (lines, rejected) = graph.source(lines);
    let (counts, _) = lines
        .arrival_time() // nothing is late
        .flat_map(|line| line.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>())
        .key_by(|word| word.clone())
        .window(windows)
        .aggregate(count());
    counts
        .order_by(|result| (Reverse(result.value), result.key.clone()))
        .map(|WindowResult { window, key, value, .. }| Counted {
            until: time_of_day(window.end),
            count: value,
            word: key,
        })
        .to(TableSink::stdout());
    rejected.for_each(|line| println!("rejected: {}", line.value));
    let job = graph.start(JobOptions::default())?;

    let (interrupt, interrupted) = mpsc::channel();
    ctrlc::set_handler(move || {
        let _ = interrupt.send(());
    })?;
    while !job.wait_timeout(Duration::from_millis(50)) {
        if interrupted.try_recv().is_ok() {
            job.stop(Duration::from_secs(10));
        }
    }
    let report = job.wait()?;
    println!("{} lines, {} words", report.records_in, report.records_on_time);
    Ok(())
}

fn time_of_day(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_nanosecond(time.as_nanos().into());
    time.map_or_else(|_| "?".to_owned(), |time| time.strftime("%H:%M:%S").to_string())
}
