use std::time::Duration;

use nacreous_watermark::{Grid, Span, Timestamp, Watermark};

/// How finely watermarks are told apart where any instant may be the one that matters, in nanoseconds.
///
/// Which watermarks arrive depends on what else there is in a graph; which of them have passed a multiple of this does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resolution(i64);

impl Resolution {
    /// A millisecond.
    pub(super) const USUAL: Self = Self(1_000_000);

    /// So many nanoseconds; one at least, a millisecond at most.
    pub(super) fn at_most(nanos: i64) -> Self {
        Self(nanos.clamp(1, Self::USUAL.0))
    }

    /// The instants that are told apart.
    pub(super) fn grid(self) -> Grid {
        Grid::new(Span::at_most(Duration::from_nanos(self.0.unsigned_abs())), 0)
    }

    /// The last of them that a watermark has come to.
    pub(super) fn seen(self, watermark: Watermark) -> Watermark {
        if watermark == Watermark::MIN || watermark.is_end() {
            return watermark;
        }
        let nanos = watermark.time().as_nanos();
        Watermark::at(Timestamp::from_nanos(nanos.saturating_sub(nanos.rem_euclid(self.0))))
    }

    /// The last instant before a watermark is seen to have passed this one: the time for what comes out then, which nobody
    /// further on can find late.
    pub(super) fn passes(self, time: i64) -> Timestamp {
        Timestamp::from_nanos(time.saturating_add(self.0 - 1 - time.rem_euclid(self.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_passed_by_the_next_multiple() {
        for nanos in [1, 2, 7, 1_000_000] {
            let resolution = Resolution::at_most(nanos);
            for time in (-30..30).chain([i64::MIN, i64::MAX - 1]) {
                let passes = resolution.passes(time).as_nanos();
                assert!((0..nanos).contains(&(passes - time)));
                let seen =
                    |nanos| resolution.seen(Watermark::at(Timestamp::from_nanos(nanos))).time().as_nanos();
                assert!(seen(passes) <= time, "{time} by {nanos}");
                assert!(passes >= i64::MAX - 1 || seen(passes + 1) > time, "{time} by {nanos}");
            }
        }
        assert_eq!(Resolution::at_most(0), Resolution::at_most(1));
        assert_eq!(Resolution::at_most(i64::MAX), Resolution::USUAL);
    }
}
