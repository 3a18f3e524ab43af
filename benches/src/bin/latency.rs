//! Measures how long records take under a load that waits for nobody; `--help` lists the options.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use nacreous_benches::latency::{Row, SCENARIOS, Scenario, overload};

/// The scenario that is not a matter of rounds.
const OVERLOAD: &str = "overload";

/// How long records take, ours beside a rival's and what the machine takes away by itself: in short rounds, in turn; each
/// percentile as the median over the rounds and, in brackets, the best, in microseconds.
#[derive(Debug, Parser)]
#[command(name = "latency")]
struct Options {
    /// Run only the scenarios whose name begins so
    #[arg(long, value_name = "NAME", default_value = "")]
    only: String,
    /// How long each scenario is run, in seconds
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    seconds: u64,
    /// Print one JSON object a row of the scorecard instead
    #[arg(long)]
    json: bool,
    /// Draw the percentile curves of each scenario into a file in this folder
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Options::parse(), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(io::stderr(), "latency: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options, out: &mut dyn Write) -> Result<(), String> {
    let all: Vec<Scenario> = SCENARIOS.iter().map(|scenario| scenario()).collect();
    let names: Vec<_> = all.iter().map(|scenario| scenario.name).chain([OVERLOAD]).collect();
    if !names.iter().any(|name| name.starts_with(&options.only)) {
        return Err(format!("no scenario begins with `{}`; there are {}", options.only, names.join(", ")));
    }
    if let Some(folder) = &options.svg {
        fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    }
    for scenario in all.into_iter().filter(|scenario| scenario.name.starts_with(&options.only)) {
        let found = scenario.run(Duration::from_secs(options.seconds));
        if let Some(folder) = &options.svg {
            let path = folder.join(format!("{}.svg", found.name));
            found.draw(&path).map_err(|error| format!("cannot draw {}: {error}", path.display()))?;
        }
        let text = format_args!("{found}\n  {}\n", scenario.about).to_string();
        write_found(options, out, &text, found.rows())?;
    }
    if OVERLOAD.starts_with(&options.only) {
        let found = overload();
        write_found(options, out, &format!("{found}\n"), found.rows())?;
    }
    Ok(())
}

/// What came of a scenario, as text or as rows of the scorecard.
fn write_found(
    options: &Options,
    out: &mut dyn Write,
    text: &str,
    rows: impl IntoIterator<Item = Row>,
) -> Result<(), String> {
    let cannot_write = |error: io::Error| format!("cannot write standard output: {error}");
    if !options.json {
        return writeln!(out, "{text}").map_err(cannot_write);
    }
    for row in rows {
        let line = serde_json::to_string(&row).map_err(|error| error.to_string())?;
        writeln!(out, "{line}").map_err(cannot_write)?;
    }
    Ok(())
}
