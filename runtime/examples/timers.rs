//! Notices sensors that have gone silent, and those that are heard again: an operator of your own, with state for each
//! key, timers of event time, and a side output.
//!
//! ```sh
//! cargo run --release --example timers
//! ```
//!
//! ```text
//!   15 s  attic: nothing for 10 s
//!   31 s  attic: back after 26s
//!   31 s  cellar: nothing for 10 s
//!   41 s  attic: nothing for 10 s
//! implausible: cellar, 850 °C at 12 s
//! 7 readings, 5 results
//! ```
#![expect(clippy::print_stdout, reason = "an example speaks to its user")]

use std::{error::Error, time::Duration};

use nacreous::{Context, Process, prelude::*};

#[derive(Clone, Copy)]
struct Reading {
    at_s: u64,
    sensor: &'static str,
    celsius: i32,
}

/// What comes out.
#[derive(Debug, Clone, Copy)]
enum News {
    Silent,
    /// After so long.
    Back(Duration),
}

/// The operator. Each worker has a clone of its own, and all readings of the sensors it has.
#[derive(Clone)]
struct Watch {
    patience: Duration,
}

impl Process<&'static str, Reading> for Watch {
    type State = Option<Timestamp>; // when the sensor was last heard of
    type Out = (&'static str, News);
    type Side = (&'static str, i32);

    fn on_record(
        &mut self,
        reading: Reading,
        last: &mut Option<Timestamp>,
        context: &mut Context<'_, &'static str, Self::Out, Self::Side>,
    ) {
        let (name, now) = (*context.key(), context.time());
        if !(-40..=60).contains(&reading.celsius) {
            return context.side((name, reading.celsius));
        }
        // By the clock of the records, and not by whether the timer has fired: it has not if it is this very record that
        // moves time on.
        if let Some(last) = last.filter(|last| *last + self.patience < now) {
            let silence = Duration::from_nanos(now.as_nanos().abs_diff(last.as_nanos()));
            context.emit((name, News::Back(silence)));
        }
        // Readings may come out of order: the latest counts.
        *last = (*last).max(Some(now));
        context.set_timer(now + self.patience);
    }

    fn on_timer(
        &mut self,
        last: &mut Option<Timestamp>,
        context: &mut Context<'_, &'static str, Self::Out, Self::Side>,
    ) {
        // A timer is not taken back. It finds out whether it still matters.
        if last.is_some_and(|last| last + self.patience == context.time()) {
            context.emit((*context.key(), News::Silent));
        }
    }

    fn timer_resolution(&self) -> Duration {
        Duration::from_secs(1)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let reading = |at_s, sensor, celsius| Reading { at_s, sensor, celsius };
    let readings = [
        reading(1, "cellar", 12),
        reading(5, "attic", 21),
        reading(4, "cellar", 12),
        reading(12, "cellar", 850),
        reading(11, "cellar", 12),
        reading(21, "cellar", 13),
        reading(31, "attic", 20),
    ];

    let graph = Graph::new();
    let (news, implausible) = graph
        .iter(readings)
        .event_time(
            |reading| Timestamp::from_nanos(0) + Duration::from_secs(reading.at_s),
            BoundedDisorder::new(Duration::from_secs(5))?,
        )
        .key_by(|reading| reading.sensor)
        .process(Watch { patience: Duration::from_secs(10) });
    news.order_by(|(sensor, _)| *sensor).for_each(|record| {
        let (at_s, (sensor, news)) = (secs(record.time), record.value);
        match news {
            News::Silent => println!("{at_s:>4} s  {sensor}: nothing for 10 s"),
            News::Back(after) => println!("{at_s:>4} s  {sensor}: back after {after:?}"),
        }
    });
    // Held until the job has ended, or it would be printed somewhere in between.
    let implausible = implausible.collect();

    let report = graph.run(JobOptions { workers: 2, ..JobOptions::DEFAULT })?;
    for record in implausible.take() {
        let (sensor, celsius) = record.value;
        println!("implausible: {sensor}, {celsius} °C at {} s", secs(record.time));
    }
    println!("{} readings, {} results", report.records_on_time, report.results);
    Ok(())
}

fn secs(time: Timestamp) -> i64 {
    time.as_nanos() / 1_000_000_000
}
