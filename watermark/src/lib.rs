#![forbid(unsafe_code)]
//! Event time: when things happened, and what a stream promises about what may still come.
//!
//! | item | what it is |
//! |---|---|
//! | [`Timestamp`] | an instant: nanoseconds since the Unix epoch |
//! | [`Watermark`] | a promise: no later on-time record has `time < W` |
//! | [`BoundedDisorder`] | makes watermarks for one source from the times of its records |
//! | [`Cadence`] | the watermarks that can make a difference to someone downstream |
//! | [`Valve`] | merges the watermarks of several inputs, and names the one that holds the rest back |
//!
//! This crate never reads a clock: time comes in as a value, so everything here can be replayed.
//!
//! ```
//! use nacreous_watermark::{BoundedDisorder, Timestamp, Watermark};
//! use std::time::Duration;
//!
//! let mut source = BoundedDisorder::new(Duration::from_secs(10))?;
//! assert_eq!(source.watermark(), Watermark::MIN);
//! source.observe(Timestamp::from_nanos(25_000_000_000));
//! assert_eq!(source.watermark().time(), Timestamp::from_nanos(15_000_000_000));
//! # Ok::<(), nacreous_watermark::SpanError>(())
//! ```

mod cadence;
mod generator;
mod timestamp;
mod valve;

pub use cadence::{Cadence, Grid};
pub use generator::BoundedDisorder;
pub use timestamp::{Span, SpanError, Timestamp, Watermark, whole_periods};
pub use valve::Valve;
