#![forbid(unsafe_code)]
//! What flows and what is done to it: records, batches, operators, keyed state, aggregates, windows, joins.
//!
//! Everything here is pure compute: no thread is started, no clock is read, nothing is written. An operator
//! is a plain struct with plain state; time comes in as a value. So each can be tested as a function:
//!
//! ```
//! use nacreous_operators::{Filter, Operator, Record};
//! use nacreous_watermark::Timestamp;
//!
//! let mut even = Filter::new(|n: &i32| n % 2 == 0);
//! let mut out = Vec::new();
//! for n in 1..=4 {
//!     even.on_record(Record { time: Timestamp::from_nanos(0), value: n }, &mut out);
//! }
//! assert_eq!(out.iter().map(|record| record.value).collect::<Vec<_>>(), [2, 4]);
//! ```

mod aggregate;
mod batch;
mod finger_tree;
#[cfg(test)]
mod interleaving;
mod join;
mod key;
mod keyed;
#[cfg(test)]
mod narrow;
mod operator;
mod order;
mod pool;
mod processing;
#[doc(hidden)]
pub mod queue;
mod state;
mod stateless;
mod supply;
mod window;

pub use aggregate::{
    AbelianGroup, Aggregate, Algebra, ApproxCountDistinct, ArgMax, ArgMin, Collect, CommutativeMonoid, Count,
    CountDistinct, DistinctSketch, ExactSum, First, FixedSum, FixedSumOf, FloatSum, Greatest, Group, Last,
    Max, Mean, MeanOf, Min, Monoid, OfPart, PartAlgebra, Quantiles, QuantilesOf, Selective, Stats, StatsOf,
    Sum, Summand, Top, TopBy, Variance, VarianceOf, algorithm, approx_count_distinct, arg_max, arg_min,
    collect, count, count_distinct, first, fixed_sum, float_sum, last, laws, max, mean, min, of_part,
    quantiles, stats, sum, variance,
};
pub use batch::{Batch, Record, Signal, Stamp};
pub use finger_tree::{FingerNodes, FingerTree};
pub use join::{Either, Interval, IntervalError, IntervalJoin, Joined, Offset};
pub use key::{Keyed, hash_key};
pub use keyed::{Reduce, Scan};
pub use operator::{Emit, Fault, Operator, Prepared, Step, Tally};
pub use order::OrderBy;
pub use processing::{Context, Forked, Process, ProcessWith};
pub use queue::DabaLite;
pub use state::{Beyond, HeldLimit, KeyLimits, KeyedState};
pub use stateless::{Filter, FilterMap, FlatMap, Inspect, KeyBy, Map, Split, SplitBy, Tried, TryMap};
pub use supply::{Block, Supplies, Supply};
pub use window::{
    AnyOrder, AssignedBy, AssignedFold, Assigner, AtEnd, CountFold, Counted, Every, EveryRecords, GapOf,
    Gaps, Global, InOrder, OfFamily, OneGap, Order, OrderedFold, Partial, Periods, Purging, ResultKind,
    Session, SessionFold, SharedFold, SliceNumber, Slicing, Sliding, TimeWindow, Trigger, TriggeredBy,
    Verdict, WindowError, WindowFold, WindowJoin, WindowMerge, WindowPartials, WindowResult, Windowed,
    assigned_by, every, every_records, triggered_by,
};
