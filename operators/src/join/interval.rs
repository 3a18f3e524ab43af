use std::time::Duration;

use nacreous_watermark::{Span, SpanError, Timestamp};

/// How far one instant lies from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offset {
    /// So much earlier.
    Before(Duration),
    /// So much later.
    After(Duration),
}

/// Which right records a left record is joined with: those whose time lies from one offset to another of its own, both
/// included.
///
/// ```
/// # use nacreous_operators::{Interval, Offset::{After, Before}};
/// use std::time::Duration;
///
/// // What the right stream brings from a second before the left record until a minute after it.
/// Interval::new(Before(Duration::from_secs(1)), After(Duration::from_secs(60)))?;
/// # Ok::<(), nacreous_operators::IntervalError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// In nanoseconds, as the upper one; not above it.
    lower: i64,
    upper: i64,
}

/// An interval that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IntervalError {
    /// It ends before it begins.
    #[error(
        "an interval from {lower:?} to {upper:?} is empty: the first offset must not be later than the second"
    )]
    Empty {
        /// The first offset.
        lower: Offset,
        /// The second.
        upper: Offset,
    },
    /// An offset is longer than event time reaches.
    #[error("interval: {0}")]
    Span(#[from] SpanError),
}

impl Offset {
    fn as_nanos(self) -> Result<i64, SpanError> {
        match self {
            Self::Before(duration) => Span::try_from(duration).map(|span| -span.as_nanos()),
            Self::After(duration) => Span::try_from(duration).map(Span::as_nanos),
        }
    }
}

impl Interval {
    /// From `lower` to `upper`, both included.
    ///
    /// # Errors
    /// If `lower` is later than `upper`, or either is longer than 292 years.
    pub fn new(lower: Offset, upper: Offset) -> Result<Self, IntervalError> {
        let interval = Self { lower: lower.as_nanos()?, upper: upper.as_nanos()? };
        if interval.lower > interval.upper {
            return Err(IntervalError::Empty { lower, upper });
        }
        Ok(interval)
    }

    /// The interval as a right record sees it: which left records it is joined with.
    pub(super) fn reversed(self) -> Self {
        Self { lower: -self.upper, upper: -self.lower }
    }

    /// The first and the last instant of it around `time`; `None` if event time does not reach there.
    pub(super) fn around(self, time: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let sum = |offset| i128::from(time.as_nanos()) + i128::from(offset);
        let (from, to) = (sum(self.lower), sum(self.upper));
        let reaches = from <= i64::MAX.into() && to >= i64::MIN.into();
        reaches.then(|| (clamped(from), clamped(to)))
    }

    /// Its last instant around `time`: a watermark past that leaves no partner to come. Cut to the range of time.
    pub(super) fn last(self, time: Timestamp) -> Timestamp {
        Timestamp::from_nanos(time.as_nanos().saturating_add(self.upper))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to the range first")]
fn clamped(nanos: i128) -> Timestamp {
    Timestamp::from_nanos(nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
}
