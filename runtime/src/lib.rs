#![forbid(unsafe_code)]
//! Stream processing with exact event-time windows, on pinned threads that neither allocate nor lock where
//! the data flows.
//!
//! A [`Graph`] is described with typed streams and then run as a job. Records have an event time; watermarks
//! say what is complete; windows close accordingly, and what comes too late for them is a stream of its own.
//! Results depend on the order of the records alone, never on timing, batching or the number of threads.
//!
//! ```
//! use nacreous::prelude::*;
//! use std::time::Duration;
//!
//! let graph = Graph::new();
//! let (counts, _late) = graph
//!     .iter(["to", "be", "or", "not", "to", "be"].into_iter().zip(0..))
//!     .event_time(|(_, at)| Timestamp::from_nanos(*at), BoundedDisorder::NONE)
//!     .key_by(|(word, _)| *word)
//!     .window(Sliding::tumbling(Duration::from_nanos(5))?)
//!     .aggregate(count());
//! let counts = counts.order_by(|result| result.key).collect();
//! let report = graph.run(JobOptions::default())?;
//!
//! let counts: Vec<_> = counts.take().into_iter().map(|r| (r.value.key, r.value.value)).collect();
//! assert_eq!(counts, [("be", 1), ("not", 1), ("or", 1), ("to", 2), ("be", 1)]);
//! assert_eq!(report.records_on_time, 6);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | to | see |
//! |---|---|
//! | build a graph | [`Graph`], [`Stream`], [`KeyedStream`], [`WindowedStream`] |
//! | say when records happened | [`SourceStream::event_time`], [`SourceStream::arrival_time`], [`BoundedDisorder`] |
//! | read and write | [`source`], [`sink`] |
//! | read the parts of an input in parallel | [`Graph::sources`], [`Graph::iters`] |
//! | aggregate in a way of your own | [`Aggregate`] |
//! | see what a window comes to before it ends | [`WindowedStream::early`], [`Trigger`] |
//! | say which windows a record lies in | [`assigned_by`], [`Global`] |
//! | keep state and set timers | [`Process`], [`Context`] |
//! | join two streams | [`WindowedStream::join`]; [`KeyedStream::join`] with an [`Interval`] |
//! | run, stop and cancel a job | [`Graph::run`], [`Graph::start`], [`JobOptions`], [`JobHandle`] |
//! | host several | [`Runtime`] |
//! | see what a job does, and why it does not | [`JobReport`], [`JobHandle::why_blocked`], [`JobError`] |
//! | see how a job is laid out | [`Graph::plan`], [`JobHandle::explain`], [`Explanation`] |
//! | put a stream into a signature | [`Stream::boxed`], [`Stream::isolate`], [`Upstream`] |
//! | put a graph together at run time | [`BoxedStream`] |
//!
//! # Features
//! `hwloc` places data threads by what hwloc says of caches and memory; it links the system's libhwloc. Without it
//! nothing is needed but a Rust toolchain.

pub mod sink;
pub mod source;

mod bell;
#[cfg(feature = "calendar")]
pub mod calendar;
mod control;
mod dispatch;
mod downstream;
mod explain;
mod graph;
mod inbox;
mod job;
mod lane;
mod latency;
mod lifecycle;
mod meter;
mod operator_name;
mod placement;
mod plan;
mod planner;
mod provisions;
mod replacing;
mod report;
mod runtime;
mod stream;
mod survey;
mod switching;
mod task;
mod worker;

pub use bell::Bell;
#[doc(hidden)]
pub use dispatch::Dispatch;
pub use explain::{ExplainedEdge, ExplainedTask, Explanation};
pub use graph::{Graph, GraphError, JobPlan, RunError};
pub use job::{BoxError, ChangeError, Failure, JobError, JobHandle, JobOptions, Tier};
pub use latency::{Latencies, LatencyReport};
pub use lifecycle::JobStatus;
pub use nacreous_operators::{
    AbelianGroup, Aggregate, Algebra, ApproxCountDistinct, ArgMax, ArgMin, AssignedBy, Assigner, Beyond,
    Collect, CommutativeMonoid, Context, Count, CountDistinct, Counted, DistinctSketch, Either, Every,
    EveryRecords, ExactSum, Fault, First, FixedSum, FixedSumOf, FloatSum, GapOf, Gaps, Global, Greatest,
    Group, Interval, IntervalError, Keyed, Last, Max, Mean, MeanOf, Min, Monoid, OfPart, Offset, OneGap,
    PartAlgebra, Periods, Process, Purging, Quantiles, QuantilesOf, Record, ResultKind, Selective, Session,
    Sliding, Stats, StatsOf, Sum, Summand, TimeWindow, Top, TopBy, Trigger, TriggeredBy, Variance,
    VarianceOf, Verdict, WindowError, WindowResult, algorithm, approx_count_distinct, arg_max, arg_min,
    assigned_by, collect, count, count_distinct, every, every_records, first, fixed_sum, float_sum, last,
    laws, max, mean, min, of_part, quantiles, stats, sum, triggered_by, variance,
};
pub use nacreous_watermark::{BoundedDisorder, SpanError, Timestamp, Watermark};
pub use operator_name::OperatorName;
pub use plan::{Erased, FromPort, Upstream};
pub use replacing::{BatchOperator, Replacer};
pub use report::{Blockage, Decision, EdgeReport, JobReport, Stall, TaskReport, WorkerReport};
pub use runtime::{JobInfo, Runtime};
pub use sink::Collected;
pub use stream::{
    Aggregable, BoxedStream, EarlyWindows, Ended, KeptWindows, KeyedStream, Sliced, SourceStream,
    SourceStreams, Stream, Timed, WindowedStream, Windows,
};

/// What a program that builds a graph needs.
pub mod prelude {
    pub use crate::{
        Aggregate, BoundedDisorder, Graph, JobHandle, JobOptions, JobReport, Keyed, Record, Session, Sliding,
        Tier, Timestamp, WindowResult, count, max, mean, min, stats, sum,
    };
}

/// Compiles and runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct ReadmeExamples;
