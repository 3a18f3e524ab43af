//! Delays of a year of flights, windowed by the time of departure although they come in order of landing.
//!
//! `cargo run --release --example flight_delays -- --help` lists the options.

mod chosen;
mod figures;
mod flight;
pub(crate) mod options;
mod output;
mod progress;
mod windows;

use std::{
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use nacreous::prelude::*;

use flight::{COLUMNS, Flight};
use options::{Failed, Flights, Options};
use progress::Counted;

/// The dataflow: source → event time → key → [window → aggregate](windows::delays) → sink.
pub(crate) fn flight_delays(options: &Options, input: Flights) -> Result<Graph, Failed> {
    let by = options.by;
    let graph = Graph::new();

    let (flights, rejected) = graph.source(input);
    let keyed = flights
        .event_time(|flight| flight.departed_at, options.disorder()?)
        .key_by(move |flight| flight.key(by));
    let (delays, late) = windows::delays(keyed, options)?;
    let results = output::results(options)?;
    if options.lateness().is_some() {
        // Corrections come behind the watermark: in order, what they correct would be held back and come after them.
        delays.to(results).named("results");
    } else {
        delays.order_by(|result| result.key).to(results).named("results");
    }
    if let Some(path) = &options.late {
        late.to(output::late(path)?).named("late");
    }
    if let Some(path) = &options.rejected {
        rejected.to(output::rejected(path)?).named("rejected");
    }
    Ok(graph)
}

/// Set when the user interrupts the program.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    match Options::from_command_line().and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => failed.report(),
    }
}

fn run(options: &Options) -> Result<(), Failed> {
    options.check()?;
    let read = Counted::default();
    let input = options.source(read.clone())?;
    options.probe_outputs()?;
    let graph = flight_delays(options, input)?;
    let report_to = match &options.report {
        Some(path) => Some((path, output::create(path)?)),
        None => None,
    };
    interrupt_gently();

    let plan = graph.plan(options.job())?;
    if options.explain {
        output::explain(&plan.explain());
    }
    let job = plan.start()?;
    let bar = progress::bar(&options.input);
    let mut stopping = false;
    while !job.wait_timeout(progress::INTERVAL) {
        if INTERRUPTED.load(Ordering::Relaxed) && !stopping {
            stopping = true;
            job.stop(Duration::MAX);
            bar.suspend(output::stopping);
        }
        bar.set_position(read.bytes_read());
    }
    bar.finish_and_clear();
    if options.explain {
        output::explain(&job.explain());
    }

    let (report, failure) = match job.wait() {
        Ok(report) => (report, None),
        Err(error) => (*error.report, Some(error.failure)),
    };
    output::summary(&report);
    if let Some((path, file)) = report_to {
        output::report(path, file, &report)?;
    }
    failure.map_or(Ok(()), |failure| Err(Failed::from(failure)))
}

/// The first interrupt drains the job; the second one ends the program at once.
fn interrupt_gently() {
    let on_interrupt = || {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    };
    // Without a handler an interrupt simply ends the program, as it would have.
    let _ = ctrlc::set_handler(on_interrupt);
}
