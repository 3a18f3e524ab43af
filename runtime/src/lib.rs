#![forbid(unsafe_code)]
#![doc = include_str!("../../README.md")]

pub mod sink;
pub mod source;

mod control;
mod downstream;
mod graph;
mod job;
mod meter;
mod operator_name;
mod placement;
mod plan;
mod stream;
mod task;
mod worker;

pub use graph::{Graph, GraphError, RunError};
pub use job::{BoxError, Failure, JobError, JobHandle, JobOptions, JobReport, JobStatus};
pub use nacreous_operators::{
    Aggregate, Count, Keyed, Record, Sliding, Stats, StatsOf, Sum, TimeWindow, WindowError, WindowResult,
    count, stats, sum,
};
pub use nacreous_watermark::{BoundedDisorder, SpanError, Timestamp, Watermark};
pub use operator_name::OperatorName;
pub use plan::Upstream;
pub use sink::Collected;
pub use stream::{KeyedStream, SourceStream, Stream, WindowedStream};

/// What a program that builds a graph needs.
pub mod prelude {
    pub use crate::{
        BoundedDisorder, Graph, JobHandle, JobOptions, JobReport, Keyed, Record, Sliding, Timestamp,
        WindowResult, count, stats, sum,
    };
}
