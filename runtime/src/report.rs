//! What a job says of itself: while it runs, and in the end.

use std::{fmt, time::Duration};

use nacreous_watermark::Watermark;

use crate::{latency::LatencyReport, operator_name::OperatorName};

/// What became of a job's records, in all and by task and edge.
///
/// Figures of a job that is running are sampled one by one: they may be from slightly different moments.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobReport {
    /// Records that sources read, rejected ones included.
    pub records_in: u64,
    /// Records made beyond one for each that came in: the copies of `broadcast`, and what `flat_map` makes of one.
    pub records_added: u64,
    /// Records of sources that went into state (a window, a join, …), or reached a sink.
    pub records_on_time: u64,
    /// Records that found all their windows closed, or no memory.
    pub records_late: u64,
    /// Those of them that found no memory: see [`max_held`](crate::WindowedStream::max_held).
    pub records_refused: u64,
    /// Records that a source could not make sense of, or a `try_map` refused.
    pub records_rejected: u64,
    /// Records that a filter took out.
    pub records_filtered: u64,
    /// Results made out of state.
    pub results: u64,
    /// Accumulators that windows hold at the moment, and records that wait for something.
    pub held: u64,
    /// (record, window) pairs lost because the window was closed already, whether the record was late for
    /// all of its windows or only for some.
    pub missed_windows: u64,
    /// From the start of the first data thread to the end of the last, or to now.
    pub elapsed: Duration,
    /// Each data thread.
    pub workers: Vec<WorkerReport>,
    /// Each task: a chain of operators that run as one loop.
    pub tasks: Vec<TaskReport>,
    /// Each edge between two tasks.
    pub edges: Vec<EdgeReport>,
    /// What was decided while the job ran, with [`Tier::Auto`](crate::Tier::Auto).
    pub decisions: Vec<Decision>,
    /// Operators that held their thread for longer than the job's limit, in the order they were noticed.
    pub stalls: Vec<Stall>,
    /// How long records took to each sink, if [that is measured](crate::JobOptions::measure_latency). Of a job that is running it
    /// is up to two tenths of a second old, and more where nothing came to a sink meanwhile.
    pub latencies: Vec<LatencyReport>,
}

impl JobReport {
    /// Records read per second of the job's life.
    #[expect(clippy::cast_precision_loss, reason = "a rate is rounded by nature")]
    pub fn records_per_s(&self) -> f64 {
        self.records_in as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// A change of a running job that was tried, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decision {
    /// When, from the start of the job on.
    pub at: Duration,
    /// What was changed.
    pub change: String,
    /// The rate of the job that was worked out from what its operators take, in percent of the rate before.
    pub promised_percent: Option<u32>,
    /// The rate that was found, in percent of the rate before.
    pub found_percent: u32,
    /// Whether it was left so. Else it was taken back.
    pub kept: bool,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, change, promised_percent, found_percent, kept } = self;
        write!(f, "after {:.2} s: {change}: {found_percent} % of the rate before", at.as_secs_f64())?;
        if let Some(promised) = promised_percent {
            write!(f, ", {promised} % promised")?;
        }
        f.write_str(if *kept { "; kept" } else { "; taken back" })
    }
}

/// A data thread.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerReport {
    /// The number that the operating system has for the core it was given, if it was given one.
    pub core: Option<usize>,
    /// For how long none of its tasks could do anything, for want of input or of room.
    pub idle: Duration,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskReport {
    /// Its operators, in the order in which records meet them.
    pub operators: Vec<OperatorName>,
    /// The number of the worker that it runs on.
    pub worker: usize,
    /// Which it is of the parallel tasks of these operators, from zero. For a task that reads a part of a source, it is
    /// the part: in the order in which they were given.
    pub instance: usize,
    /// Records that came in: from a source, or by edges.
    pub records_in: u64,
    /// Batches that came in by edges.
    pub batches_in: u64,
    /// Records that left by edges.
    pub records_out: u64,
    /// Batches that left by edges.
    pub batches_out: u64,
    /// Records that found all their windows closed, or no memory.
    pub records_late: u64,
    /// Accumulators that its windows hold at the moment, and records that wait for something.
    pub held: u64,
    /// Records that its source or a `try_map` rejected.
    pub records_rejected: u64,
    /// Results made out of state.
    pub results: u64,
    /// For how long it could not go on for want of room in an edge or a sink, or of memory.
    pub blocked: Duration,
    /// What it has passed on: none before the end, if neither it nor anything behind it heeds watermarks.
    pub watermark: Watermark,
    /// Whether it has done all it ever will.
    pub finished: bool,
}

/// An edge: a bounded ring of batches from one task to another.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EdgeReport {
    /// The operator that it leads away from.
    pub from: OperatorName,
    /// The operator that it leads to.
    pub to: OperatorName,
    /// Records that went in.
    pub records_in: u64,
    /// Batches that went in.
    pub batches_in: u64,
    /// Records that came out.
    pub records_out: u64,
    /// Batches that came out.
    pub batches_out: u64,
    /// How many batches were in it.
    pub occupancy: usize,
    /// How many batches it holds.
    pub capacity: usize,
}

/// An operator that held its thread for longer than the job's limit, so that nothing else on it could run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stall {
    /// Who: the source or sink whose code was running, or else all operators of the chain that was, one of which it
    /// must be.
    pub operators: Vec<OperatorName>,
    /// The number of the worker.
    pub worker: usize,
    /// For how long, as far as is known: at least this long.
    pub lasted: Duration,
    /// Whether it was over when it was last looked at.
    pub over: bool,
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operators, worker, lasted, over } = self;
        let verb = if *over { "held" } else { "is holding" };
        write!(f, "{} {verb} worker {worker} for {lasted:.1?}", chain(operators))
    }
}

/// Something that keeps a job from going on at full speed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blockage {
    /// An edge is full: whoever reads it is slower than whoever writes.
    EdgeFull {
        /// The operator that waits for room.
        from: OperatorName,
        /// The operator that does not keep up.
        to: OperatorName,
    },
    /// A task cannot go on although its edges have room: its sink takes nothing, or memory is being prepared.
    NoRoom {
        /// Its operators.
        operators: Vec<OperatorName>,
    },
    /// The watermark of a task that merges several inputs stands, because that of one of them does.
    Watermark {
        /// The operator whose watermark it is.
        operator: OperatorName,
        /// Where it stands.
        at: Watermark,
        /// The operator that the input comes from which has promised least.
        held_by: OperatorName,
    },
    /// A source has not moved event time on.
    SourceWatermark {
        /// The source.
        source: OperatorName,
        /// Which part of it, from zero, if it has several.
        part: Option<usize>,
        /// Where it stands.
        at: Watermark,
    },
    /// An operator holds its thread.
    Held(Stall),
    /// A task cannot run, because another one holds their thread.
    NotRun {
        /// Its operators.
        operators: Vec<OperatorName>,
        /// The number of the worker.
        worker: usize,
    },
}

impl fmt::Display for Blockage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EdgeFull { from, to } => write!(f, "{from} waits for room: {to} does not keep up"),
            Self::NoRoom { operators } => {
                write!(f, "{} waits for room in a sink, or for memory", chain(operators))
            }
            Self::Watermark { operator, at, held_by } => {
                write!(f, "the watermark of {operator} stands at {at}, held back by {held_by}")
            }
            Self::SourceWatermark { source, part: None, at } => {
                write!(f, "the watermark of {source} stands at {at}: it brings nothing later")
            }
            Self::SourceWatermark { source, part: Some(part), at } => {
                write!(
                    f,
                    "the watermark of part {part} of {source} stands at {at}: that part brings nothing later"
                )
            }
            Self::Held(stall) => stall.fmt(f),
            Self::NotRun { operators, worker } => {
                write!(f, "{} cannot run: worker {worker} is held", chain(operators))
            }
        }
    }
}

/// The operators of a chain as text.
pub(crate) fn chain(operators: &[OperatorName]) -> String {
    operators.iter().map(ToString::to_string).collect::<Vec<_>>().join(" → ")
}
