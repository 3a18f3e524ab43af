//! Windows of event time and the operator that aggregates over them.

mod entered;
mod fold;
mod join;
mod merge;
mod sliding;
mod tables;
mod whole;

pub use fold::WindowFold;
pub use join::WindowJoin;
pub use merge::{Partial, WindowMerge, WindowPartials};
pub use sliding::{Sliding, WindowError};

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

impl TimeWindow {
    /// A key's result in this window. Its time is the last instant inside.
    fn result<K, T, R>(self, key: K, value: R) -> Record<Windowed<K, T, R>> {
        let time = Timestamp::from_nanos(self.end.as_nanos().saturating_sub(1));
        Record { time, value: Windowed::Result(WindowResult { window: self, key, value }) }
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
}

/// What comes out of a window operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Windowed<K, T, R> {
    /// A window closed with records of this key in it. Its record's time is the window's last instant.
    Result(WindowResult<K, R>),
    /// A record found all its windows closed. Its record's time is its own.
    Late(Keyed<K, T>),
}
