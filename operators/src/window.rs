//! Windows of event time and the operator that aggregates over them.

mod assigned;
mod assigner;
mod budget;
mod closing;
mod counted;
mod fold;
mod held;
mod holdings;
mod join;
#[cfg(test)]
mod limits;
mod merge;
mod ordered;
mod ordering;
mod periods;
mod refusal;
mod resolution;
#[cfg(test)]
mod sequence;
mod session;
mod shared;
mod slicing;
mod sliding;
mod tables;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod times;
mod trigger;
mod whole;

pub use assigned::AssignedFold;
pub use assigner::{AssignedBy, Assigner, Global, assigned_by};
pub use counted::{CountFold, Counted};
pub use fold::WindowFold;
pub use join::WindowJoin;
pub use merge::{Partial, WindowMerge, WindowPartials};
pub use ordered::OrderedFold;
pub use ordering::{AnyOrder, InOrder, Order};
pub use periods::Periods;
pub use session::{GapOf, Gaps, OneGap, Session, SessionFold};
pub use shared::{OfFamily, SharedFold};
pub use slicing::{SliceNumber, Slicing};
pub use sliding::{Sliding, WindowError};
pub use trigger::{
    AtEnd, Every, EveryRecords, Purging, Trigger, TriggeredBy, Verdict, every, every_records, triggered_by,
};

use std::fmt;

use nacreous_watermark::Timestamp;

use crate::{Keyed, Record};

/// A half-open interval of event time, `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeWindow {
    /// The first instant inside.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}

/// What is done with records behind the watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Lateness {
    /// How long windows that have fired are kept, in nanoseconds.
    allowed: i64,
    /// Whether a correction is preceded by what it corrects.
    retracts: bool,
}

impl TimeWindow {
    /// A key's result in this window. Its time is the last instant inside.
    fn result<K, T, R>(self, key: K, value: R, kind: ResultKind, number: u32) -> Record<Windowed<K, T, R>> {
        let time = Timestamp::from_nanos(self.end.as_nanos().saturating_sub(1));
        Record { time, value: Windowed::Result(WindowResult { window: self, key, value, kind, number }) }
    }
}

/// One firing of a window for one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowResult<K, R> {
    /// The window's bounds.
    pub window: TimeWindow,
    /// The key.
    pub key: K,
    /// What the aggregate made of the key's records in the window.
    pub value: R,
    /// Why it came.
    pub kind: ResultKind,
    /// How many results the window had for this key before, from zero on; retractions do not count, and have the number of what they
    /// take back.
    pub number: u32,
}

/// Why a result came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ResultKind {
    /// A [`Trigger`] had it come before the window was closed. It says what the records taken up so far come to.
    Early,
    /// The watermark has closed the window.
    OnTime,
    /// A late record came, within the lateness allowed. It says what all records so far come to.
    Correction,
    /// Takes back what was said before; what is said in its place follows.
    Retraction,
}

impl fmt::Display for ResultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Early => "early",
            Self::OnTime => "on time",
            Self::Correction => "correction",
            Self::Retraction => "retraction",
        })
    }
}

/// What comes out of a window operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Windowed<K, T, R> {
    /// What the records of this key in a window come to. Its record's time is the window's last instant, or that which had it come
    /// before.
    Result(WindowResult<K, R>),
    /// A record found all its windows closed. Its record's time is its own.
    Late(Keyed<K, T>),
}
