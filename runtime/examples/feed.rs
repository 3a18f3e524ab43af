//! Feeds a job from a thread of the program's own, and reads what comes of it on another.
//!
//! ```sh
//! cargo run --release --example feed
//! ```
//!
//! The reader takes its time, so the job stops when as many results are on their way as the reader allows, and the
//! feeder is held up when as many records are as it allows. Nothing is dropped and no memory grows:
//!
//! ```text
//! held up: `source` (…) → `event_time` (…) → `filter` (…) → `to` (…) waits for room in a sink, or for memory
//! 2000 readings sent, 60 times not at once; at most 132 ahead of the reader
//! 1800 results received, the last one 1999; 200 filtered out
//! ```
#![expect(clippy::print_stdout, reason = "an example speaks to its user")]

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use nacreous::{
    prelude::*,
    sink,
    source::{self, Closed, TrySendError},
};

const READINGS: u64 = 2_000;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut feeder, fed) = source::fed(64);
    let (handed, mut results) = sink::handed(32);

    let graph = Graph::new();
    let (readings, _) = graph.source(fed);
    readings
        .event_time(|n: &u64| Timestamp::from_nanos(0) + Duration::from_millis(*n), BoundedDisorder::NONE)
        .filter(|n| n % 10 != 7)
        .to(handed);
    let job = graph.start(JobOptions { batch: 16, ..JobOptions::DEFAULT })?;

    // How far the reader has come.
    let received = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&received);
    let feeding = thread::spawn(move || {
        let (mut held_up, mut ahead_max) = (0, 0);
        for n in 0..READINGS {
            match feeder.try_send(n) {
                Ok(()) => {}
                Err(TrySendError::Full(n)) => {
                    held_up += 1;
                    feeder.send(n)?; // waits
                }
                Err(TrySendError::Closed(n)) => return Err(Closed(n)),
            }
            ahead_max = ahead_max.max(n - seen.load(Ordering::Relaxed));
        }
        Ok((held_up, ahead_max)) // the feeder goes, and the stream ends
    });

    let (mut count, mut last) = (0_u64, 0);
    while let Some(record) = results.recv() {
        if count == 100 {
            // By now the feeder waits for the job, and the job for this thread.
            job.why_blocked().iter().for_each(|blockage| println!("held up: {blockage}"));
        }
        count += 1;
        last = record.value;
        received.store(last, Ordering::Relaxed);
        thread::sleep(Duration::from_micros(200));
    }

    let (held_up, ahead_max) = feeding.join().expect("the feeder does not panic")?;
    let report = job.wait()?;
    println!(
        "{READINGS} readings sent, {held_up} times not at once; at most {ahead_max} ahead of the reader"
    );
    println!("{count} results received, the last one {last}; {} filtered out", report.records_filtered);
    Ok(())
}
