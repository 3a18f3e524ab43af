//! The command line, and how the program ends when something is wrong.

use std::{
    error::Error,
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
    time::Duration,
};

use clap::{Parser, error::ErrorKind};
use nacreous::{
    BoundedDisorder, Failure, GraphError, JobOptions, Session, Sliding, SpanError, WindowError,
    sink::WriteError,
    source::{CsvError, CsvSource, Row, RowError},
};

use super::{
    COLUMNS, Flight,
    figures::Agg,
    flight::{By, Delay},
    output::{self, STANDARD_OUTPUT, say},
    progress::{Counted, open},
};

/// Windowed delays of a year of flights.
///
/// Reads the bundled landings of 2013, in which flights come in the order they landed, and aggregates their
/// delays over windows of the time they departed. Durations read like 90s, 15m, 6h or 2d. An interrupt (Ctrl-C) ends
/// the reading and works off what has been read; a second one ends the program at once.
#[derive(Debug, Parser)]
#[command(name = "flight_delays", version)]
pub(crate) struct Options {
    /// What to read (.csv or .csv.gz); - for standard input
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/nyc-landings-2013.csv.gz"))]
    pub input: PathBuf,
    /// What to group by
    #[arg(long, value_enum, default_value_t = By::Origin)]
    pub by: By,
    /// Which delay to aggregate
    #[arg(long, value_enum, default_value_t = Delay::Arrival)]
    pub delay: Delay,
    /// What to tell of the delays in a window
    #[arg(long, value_enum, default_value_t = Agg::Stats)]
    pub agg: Agg,
    /// How long a window is
    #[arg(long, value_name = "DUR", default_value = "6h")]
    pub size: Span,
    /// How often a window starts; as long as the size makes them tumble
    #[arg(long, value_name = "DUR", default_value = "1h")]
    pub every: Span,
    /// Sessions in place of windows of one size: each ends when its key had no departure for so long
    #[arg(long, value_name = "GAP", conflicts_with_all = ["size", "every"])]
    pub session: Option<Span>,
    /// How far behind the latest departure a flight may come before it is late
    #[arg(long, value_name = "DUR", default_value = "12h")]
    pub disorder: Span,
    /// How long a window is kept after its result, for late flights to correct it
    ///
    /// Results then say their kind (on_time, correction or retraction) and how many there were before of their key and window; a
    /// retraction, of what it takes back. They come as they are found: those of a key in order, one key among others in any.
    #[arg(long, value_name = "DUR", default_value = "0s")]
    pub lateness: Span,
    /// Take back what was said of a window before each correction; with --lateness
    #[arg(long)]
    pub retract: bool,
    /// How many data threads
    #[arg(long, value_name = "N", default_value_t = JobOptions::default().workers)]
    pub workers: usize,
    /// How many records move together
    #[arg(long, value_name = "N", default_value_t = JobOptions::default().batch)]
    pub batch: usize,
    /// Whether operators share a loop (l4), each works by itself on batches (l3), or whatever is found to be faster (auto)
    #[arg(long, value_enum, default_value_t = Tier::L4)]
    pub tier: Tier,
    /// Say on standard error how the job is laid out, before it runs and when it has
    #[arg(long)]
    pub explain: bool,
    /// How to write results
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Where to write results; standard output if absent
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Where to write late records, as csv
    #[arg(long, value_name = "FILE")]
    pub late: Option<PathBuf>,
    /// Where to write rejected rows, as csv
    #[arg(long, value_name = "FILE")]
    pub rejected: Option<PathBuf>,
    /// Where to write the report, as JSON
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

/// The input as a source of flights.
pub(crate) type Flights = CsvSource<Box<dyn io::Read + Send>, fn(&Row<'_>) -> Result<Flight, RowError>>;

/// How operators are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Tier {
    L3,
    L4,
    Auto,
}

/// How event time is cut into windows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cut {
    Sliding(Sliding),
    Sessions(Session),
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    Table,
    Csv,
    Jsonl,
}

/// A duration as one types it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span(pub Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds_per = |unit| match unit {
            's' => Some(1_u64),
            'm' => Some(60),
            'h' => Some(3_600),
            'd' => Some(86_400),
            _ => None,
        };
        let parts = text.char_indices().last().and_then(|(at, unit)| Some((&text[..at], seconds_per(unit)?)));
        let (count, unit) =
            parts.ok_or("a duration is a number and a unit (s, m, h or d), such as 90s or 6h")?;
        let digits = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        let count = digits.then_some(count).ok_or("a duration is a whole number and a unit, such as 6h")?;
        let seconds = count.parse::<u64>().ok().and_then(|count| count.checked_mul(unit));
        Ok(Self(Duration::from_secs(seconds.ok_or("longer than event time reaches (292 years)")?)))
    }
}

impl Options {
    /// How the job is to be run.
    pub(crate) fn job(&self) -> JobOptions {
        let tier = match self.tier {
            Tier::L3 => nacreous::Tier::Boxed,
            Tier::L4 => nacreous::Tier::Fused,
            Tier::Auto => nacreous::Tier::Auto,
        };
        JobOptions {
            workers: self.workers,
            batch: self.batch,
            tier,
            measure_latency: true,
            ..JobOptions::DEFAULT
        }
    }

    /// The windows to aggregate over.
    pub(crate) fn windows(&self) -> Result<Cut, Failed> {
        let Some(Span(gap)) = self.session else {
            return Ok(Cut::Sliding(Sliding::new(self.size.0, self.every.0)?));
        };
        let sessions = Session::with_gap(gap);
        sessions.map(Cut::Sessions).map_err(|error| Failed::usage(format!("--session: {error}")))
    }

    /// How long windows are kept to be corrected, if they are.
    pub(crate) fn lateness(&self) -> Option<Duration> {
        Some(self.lateness.0).filter(|lateness| !lateness.is_zero())
    }

    /// The bound of the watermark.
    pub(crate) fn disorder(&self) -> Result<BoundedDisorder, Failed> {
        Ok(BoundedDisorder::new(self.disorder.0)?)
    }

    /// Refuses what can be known to be wrong before any file is emptied.
    pub(crate) fn check(&self) -> Result<(), Failed> {
        self.job().check()?;
        self.windows()?;
        self.disorder()?;
        if self.retract && self.lateness().is_none() {
            return Err(Failed::usage(
                "--retract: nothing is corrected, and so taken back, unless windows are kept: add --lateness, such as \
                 --lateness 6h",
            ));
        }
        let mut files = vec![("--input", identity(&self.input))];
        for (option, path) in self.outputs() {
            let file = identity(path);
            if let Some((other, _)) = files.iter().find(|(_, seen)| file.is_some() && *seen == file) {
                return Err(Failed::usage(format!("{option} and {other} are the same file")));
            }
            files.push((option, file));
        }
        Ok(())
    }

    /// Tries whether all files can be written, before any of them is emptied.
    pub(crate) fn probe_outputs(&self) -> Result<(), Failed> {
        self.outputs().try_for_each(|(_, path)| output::probe(path))
    }

    /// The files to be written, with the options that name them.
    fn outputs(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let outputs = [
            ("--output", &self.output),
            ("--late", &self.late),
            ("--rejected", &self.rejected),
            ("--report", &self.report),
        ];
        outputs.into_iter().filter_map(|(option, path)| Some((option, path.as_deref()?)))
    }

    /// Reads the command line. Prints the help and ends the program if that was asked for.
    pub(crate) fn from_command_line() -> Result<Self, Failed> {
        Self::try_parse().map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => error.exit(),
            _ => Failed::usage(one_line(&error.render().to_string())),
        })
    }

    /// The rows of the input as flights.
    pub(crate) fn source(&self, read: Counted) -> Result<Flights, Failed> {
        let name = self.input.display().to_string();
        Ok(CsvSource::new(name, open(&self.input, read)?, &COLUMNS, Flight::parse as _)?)
    }
}

/// What tells a file from others; nothing for what may well be shared, such as a terminal.
fn identity(path: &Path) -> Option<PathBuf> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => None,
        Ok(_) => fs::canonicalize(path).ok(),
        Err(_) => Some(path.to_owned()),
    }
}

/// The parser's message without its usage and tips: one line says it.
fn one_line(message: &str) -> String {
    let lines = message.lines().map(str::trim).take_while(|line| !line.is_empty());
    let text = lines.collect::<Vec<_>>().join(" ");
    format!("{} (--help lists the options)", text.trim_start_matches("error: "))
}

/// Why the program ends early: a line that says so, and the status it ends with.
#[derive(Debug)]
pub(crate) struct Failed {
    /// None where a reader of the results has simply had enough, as `head` has.
    message: Option<String>,
    /// 2 where the command line is wrong, 1 where the world is.
    status: u8,
}

impl Failed {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), status: 2 }
    }

    pub(crate) fn io(message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), status: 1 }
    }

    /// Says it on standard error.
    pub(crate) fn report(self) -> ExitCode {
        if let Some(message) = self.message {
            say(format_args!("flight_delays: {}", message.replace('\n', " ")));
        }
        ExitCode::from(self.status)
    }
}

impl From<WindowError> for Failed {
    fn from(error: WindowError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<SpanError> for Failed {
    fn from(error: SpanError) -> Self {
        Self::usage(format!("--disorder: {error}"))
    }
}

impl From<CsvError> for Failed {
    fn from(error: CsvError) -> Self {
        Self::io(error.to_string())
    }
}

impl From<GraphError> for Failed {
    fn from(error: GraphError) -> Self {
        match error {
            GraphError::Workers { .. } | GraphError::Batch { .. } | GraphError::Memory { .. } => {
                Self::usage(error.to_string())
            }
            _ => Self::io(error.to_string()),
        }
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        match &failure {
            Failure::Source { error, .. } => Self::io(error.to_string()),
            Failure::Sink { error, .. } if nobody_reads(&**error) => Self { message: None, status: 0 },
            Failure::Sink { error, .. } => Self::io(error.to_string()),
            _ => Self::io(failure.to_string()),
        }
    }
}

/// Whether whoever read standard output went away.
fn nobody_reads(error: &(dyn Error + Send + Sync + 'static)) -> bool {
    let error = error.downcast_ref::<WriteError>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe && error.target() == STANDARD_OUTPUT)
}
