//! Records made up at a given rate.

use std::{
    convert::Infallible,
    num::NonZero,
    time::{Duration, Instant},
};

use super::{Demand, Intake, Readiness, Source};
use crate::job::BoxError;

/// Makes records at a given rate, the first one at once, by a function that is given their numbers: 0, 1, 2 and so on.
///
/// No record comes before it is due. When the job cannot keep up, or the machine pauses, records come late, and as fast
/// as the job takes them until none is overdue: none is left out. Which records there are depends on their numbers
/// alone, so that a run can be repeated, faster or slower.
///
/// ```
/// use nacreous::{prelude::*, source::Generator};
/// use std::time::Duration;
///
/// let graph = Graph::new();
/// let readings = Generator::every(Duration::from_millis(1), |n| (n, n % 10)).take(25);
/// let (readings, _) = graph.source(readings);
/// let (sums, _) = readings
///     .event_time(|(n, _)| Timestamp::from_nanos(*n as i64), BoundedDisorder::new(Duration::ZERO)?)
///     .key_by(|_| ())
///     .window(Sliding::tumbling(Duration::from_nanos(10))?)
///     .aggregate(count());
/// let sums = sums.collect();
/// let report = graph.run(JobOptions::default())?;
///
/// assert!(report.elapsed >= Duration::from_millis(24));
/// let sums: Vec<_> = sums.take().iter().map(|sum| sum.value.value).collect();
/// assert_eq!(sums, [10, 10, 5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
/// It looks at a clock once for all records that are due. Between them its data thread sleeps for up to a millisecond
/// at a time, so that records come up to so much late where they are further apart, and else in groups.
#[derive(Debug)]
pub struct Generator<F> {
    rate: Rate,
    make: F,
    /// The number of the next record.
    next: u64,
    /// How many records there are.
    count: u64,
    /// When the first one was due: at the first poll.
    began: Option<Instant>,
}

/// So many records in so many nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Rate {
    records: u32,
    nanos: u128,
}

impl Rate {
    /// How many records are due when this time has passed since the first one was.
    fn due(self, elapsed: Duration) -> u64 {
        let more = (elapsed.as_nanos() * u128::from(self.records)).checked_div(self.nanos);
        more.and_then(|more| u64::try_from(more + 1).ok()).unwrap_or(u64::MAX)
    }
}

impl<F> Generator<F> {
    /// Makes so many records a second.
    pub fn per_second(records_per_s: NonZero<u32>, make: F) -> Self {
        Self::at(Rate { records: records_per_s.get(), nanos: 1_000_000_000 }, make)
    }

    /// Makes a record each time that `interval` has passed; if that is zero, as fast as the job takes them.
    pub fn every(interval: Duration, make: F) -> Self {
        Self::at(Rate { records: 1, nanos: interval.as_nanos() }, make)
    }

    fn at(rate: Rate, make: F) -> Self {
        Self { rate, make, next: 0, count: u64::MAX, began: None }
    }

    /// Makes no more than so many records, and ends with the last one. Without this it goes on for ever.
    #[must_use]
    pub fn take(mut self, count: u64) -> Self {
        self.count = count;
        self
    }
}

impl<F, T> Source for Generator<F>
where
    F: FnMut(u64) -> T + Send + 'static,
    T: Send + 'static,
{
    type Item = T;
    type Reject = Infallible;

    fn poll(&mut self, intake: &mut impl Intake<T, Infallible>) -> Result<Readiness, BoxError> {
        let elapsed = self.began.get_or_insert_with(Instant::now).elapsed();
        let due = self.rate.due(elapsed).min(self.count);
        while self.next < due {
            let record = (self.make)(self.next);
            self.next += 1;
            if intake.accept(record) == Demand::Enough {
                return Ok(Readiness::Ready);
            }
        }
        Ok(if self.next == self.count { Readiness::Ended } else { Readiness::Pending })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_is_due_to_the_nanosecond_however_long_it_runs() {
        let third = Rate { records: 3, nanos: 1_000_000_000 };
        for (nanos, due) in [(0, 1), (333_333_333, 1), (333_333_334, 2), (999_999_999, 3), (1_000_000_000, 4)]
        {
            assert_eq!(third.due(Duration::from_nanos(nanos)), due, "after {nanos} ns");
        }
        let each = Rate { records: 1, nanos: 7 };
        for (nanos, due) in [(6, 1), (7, 2), (13, 2), (14, 3)] {
            assert_eq!(each.due(Duration::from_nanos(nanos)), due, "after {nanos} ns");
        }
        assert_eq!(Rate { records: u32::MAX, nanos: 1 }.due(Duration::MAX), u64::MAX);
        assert_eq!(Rate { records: 1, nanos: 0 }.due(Duration::ZERO), u64::MAX, "no interval is no limit");
        assert_eq!(Rate { records: 1, nanos: Duration::MAX.as_nanos() }.due(Duration::from_secs(1)), 1);
    }
}
