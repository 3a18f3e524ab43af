use std::time::Duration;

use crate::{Span, SpanError, Timestamp, Watermark};

/// Watermarks for a source whose records come out of order by at most a known bound.
///
/// The watermark is the greatest time seen so far less the bound. A record further behind than that may find
/// windows closed that it would have belonged to. One generator serves one source partition, before any merge.
#[derive(Debug, Clone)]
pub struct BoundedDisorder {
    bound: Span,
    latest: Timestamp,
}

impl BoundedDisorder {
    /// For a source whose records come in order: any that is earlier than the one before it comes too late.
    pub const NONE: Self = Self { bound: Span::ZERO, latest: Timestamp::MIN };

    /// A generator that has seen nothing yet.
    ///
    /// # Errors
    /// If the bound is longer than 292 years.
    pub fn new(bound: Duration) -> Result<Self, SpanError> {
        Ok(Self { bound: bound.try_into()?, latest: Timestamp::MIN })
    }

    /// Takes note of a record's time.
    ///
    /// A record is judged by the watermark as it stood *before* the record: call this afterwards.
    #[inline]
    pub fn observe(&mut self, time: Timestamp) {
        self.latest = self.latest.max(time);
    }

    /// The least time that, once observed, may bring the watermark up to `watermark`: none before it does.
    ///
    /// A hot loop compares times with this and looks at the watermark itself only when it is reached.
    pub fn time_reaching(&self, watermark: Watermark) -> Timestamp {
        Timestamp::from_nanos(watermark.time().as_nanos().saturating_add(self.bound.as_nanos()))
    }

    /// The watermark after all records observed so far; never less than it was.
    #[inline]
    pub fn watermark(&self) -> Watermark {
        Watermark::at(Timestamp::from_nanos(self.latest.as_nanos().saturating_sub(self.bound.as_nanos())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: i64) -> Timestamp {
        Timestamp::from_nanos(nanos)
    }

    #[test]
    fn the_watermark_trails_the_latest_time_by_the_bound_and_never_falls() {
        let mut source = BoundedDisorder::new(Duration::from_nanos(5)).unwrap();
        assert_eq!(source.watermark(), Watermark::MIN);
        for (time, watermark) in [(10, 5), (7, 5), (10, 5), (11, 6)] {
            assert_eq!(source.time_reaching(Watermark::at(at(time - 5))), at(time));
            source.observe(at(time));
            assert_eq!(source.watermark(), Watermark::at(at(watermark)));
        }
    }

    #[test]
    fn the_extremes_of_time_neither_overflow_nor_end_the_stream() {
        let mut source = BoundedDisorder::new(Duration::from_nanos(5)).unwrap();
        source.observe(at(i64::MIN + 2));
        assert_eq!(source.watermark(), Watermark::MIN);
        let mut source = BoundedDisorder::new(Duration::ZERO).unwrap();
        source.observe(Timestamp::MAX);
        assert!(!source.watermark().is_end());
        assert!(BoundedDisorder::new(Duration::from_secs(10_000_000_000)).is_err());
    }
}
