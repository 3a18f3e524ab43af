use std::{fmt, ops::Add, time::Duration};

/// An instant: nanoseconds since 1970-01-01T00:00:00 UTC, without leap seconds.
///
/// Reaches from the year 1677 to 2262.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest instant, in the year 1677.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest instant, in the year 2262.
    pub const MAX: Self = Self(i64::MAX);

    /// The instant this many nanoseconds after the Unix epoch.
    #[inline]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The instant this many seconds after the Unix epoch; `None` outside the years 1677 to 2262.
    #[inline]
    pub const fn from_secs(secs: i64) -> Option<Self> {
        match secs.checked_mul(1_000_000_000) {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }

    /// Nanoseconds since the Unix epoch.
    #[inline]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }
}

/// The instant so much later; [`Timestamp::MAX`] if event time does not reach that far.
impl Add<Duration> for Timestamp {
    type Output = Self;

    #[inline]
    fn add(self, duration: Duration) -> Self {
        // All of event time is a number of nanoseconds that fits.
        Self(
            u64::try_from(duration.as_nanos())
                .map_or(i64::MAX, |nanos| self.0.saturating_add_unsigned(nanos)),
        )
    }
}

/// How many whole periods there are up to so many nanoseconds, rounded down: as `i128::div_euclid`.
///
/// # Panics
/// If the period is not longer than zero.
///
/// # Cost
/// One division of 64 bits, for nanoseconds that fit into as many; elsewhere a call besides.
#[inline]
pub fn whole_periods(nanos: i128, period: i64) -> i128 {
    assert!(period > 0, "a period lasts for some time");
    match i64::try_from(nanos) {
        Ok(nanos) => nanos.div_euclid(period).into(),
        Err(_) => whole_periods_of_many(nanos, period),
    }
}

#[cold]
#[inline(never)]
fn whole_periods_of_many(nanos: i128, period: i64) -> i128 {
    nanos.div_euclid(period.into())
}

/// A promise about a stream: **no later on-time record has `time < W`**.
///
/// A window `[start, end)` is complete when `W ≥ end`. (Flink's watermark `t` is `t + 1` here.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Watermark(i64);

impl Watermark {
    /// The promise that says nothing yet.
    pub const MIN: Self = Self(i64::MIN);
    /// The end of the stream: nothing comes any more, all windows are complete.
    pub const END: Self = Self(i64::MAX);

    /// The promise that nothing before `time` is still to come on time.
    ///
    /// [`Timestamp::MAX`] gives the watermark just before [`END`](Self::END): only the end of a stream is the end.
    #[inline]
    pub const fn at(time: Timestamp) -> Self {
        if time.0 == i64::MAX { Self(i64::MAX - 1) } else { Self(time.0) }
    }

    /// The earliest time that an on-time record may still have.
    #[inline]
    pub const fn time(self) -> Timestamp {
        Timestamp(self.0)
    }

    /// Whether this is the end of the stream.
    #[inline]
    pub const fn is_end(self) -> bool {
        self.0 == i64::MAX
    }
}

impl fmt::Display for Watermark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::MIN => f.write_str("none yet"),
            Self::END => f.write_str("end"),
            Self(nanos) => write!(f, "{nanos} ns"),
        }
    }
}

/// A length of event time: nanoseconds, never negative, at most 292 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(i64);

/// A [`Duration`] that is no length of event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpanError {
    /// It does not fit in 63 bits of nanoseconds.
    #[error("{0:?} is longer than event time reaches (292 years); take a shorter duration")]
    TooLong(Duration),
}

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// As long as that, or as event time reaches.
    pub fn at_most(duration: Duration) -> Self {
        Self::try_from(duration).unwrap_or(Self(i64::MAX))
    }

    /// The length in nanoseconds.
    #[inline]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }
}

impl TryFrom<Duration> for Span {
    type Error = SpanError;

    fn try_from(duration: Duration) -> Result<Self, SpanError> {
        i64::try_from(duration.as_nanos()).map(Self).map_err(|_| SpanError::TooLong(duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_periods_are_those_of_a_division_however_many_there_are() {
        let ends =
            [0, 1, -1, i64::MAX.into(), i64::MIN.into(), i128::from(i64::MAX) * 2, i128::from(i64::MIN) * 2];
        let near = |end: &i128| [end - 1, *end, end + 1];
        for nanos in ends.iter().flat_map(near) {
            for period in [1, 2, 3, 1_000_000_007, i64::MAX - 1, i64::MAX] {
                assert_eq!(
                    whole_periods(nanos, period),
                    nanos.div_euclid(period.into()),
                    "{nanos} by {period}"
                );
            }
        }
    }

    #[test]
    fn to_add_to_a_time_stays_within_time() {
        let time = Timestamp::from_nanos(-5);
        assert_eq!(time + Duration::from_nanos(7), Timestamp::from_nanos(2));
        assert_eq!(Timestamp::MAX + Duration::from_nanos(1), Timestamp::MAX);
        assert_eq!(Timestamp::MIN + Duration::MAX, Timestamp::MAX);
        let longest = Duration::from_nanos(i64::MAX.unsigned_abs());
        assert_eq!(Timestamp::MIN + longest, Timestamp::from_nanos(-1));
        assert_eq!(Timestamp::MIN + Duration::from_nanos(u64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN + Duration::from_nanos(u64::MAX - 1), Timestamp::from_nanos(i64::MAX - 1));
    }
}
