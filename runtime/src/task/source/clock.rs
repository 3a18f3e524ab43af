use std::time::SystemTime;

use nacreous_watermark::Timestamp;

/// Says when the records of a source happened.
pub(crate) trait Clock<T>: Send + 'static {
    /// When this one did.
    fn time_of(&mut self, value: &T) -> Timestamp;

    /// What time it is while nothing comes: no record that does will be earlier. `None` if only records can tell.
    fn now(&mut self) -> Option<Timestamp> {
        None
    }
}

/// The records know.
impl<T, F: FnMut(&T) -> Timestamp + Send + 'static> Clock<T> for F {
    #[inline(always)]
    fn time_of(&mut self, value: &T) -> Timestamp {
        self(value)
    }
}

/// Each happens when it is read, by the clock of this machine. If that is set back, time stands still until the clock
/// has caught up.
pub(crate) struct Arrival {
    latest: Timestamp,
}

impl Arrival {
    pub(crate) fn new() -> Self {
        Self { latest: Timestamp::MIN }
    }

    fn look(&mut self) -> Timestamp {
        self.latest = self.latest.max(time_of_day(SystemTime::now()));
        self.latest
    }
}

impl<T> Clock<T> for Arrival {
    #[inline]
    fn time_of(&mut self, _: &T) -> Timestamp {
        self.look()
    }

    fn now(&mut self) -> Option<Timestamp> {
        Some(self.look())
    }
}

/// The clock's time, cut to the range of event time.
fn time_of_day(now: SystemTime) -> Timestamp {
    match now.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).map_or(Timestamp::MAX, Timestamp::from_nanos),
        Err(before) => {
            let before = i64::try_from(before.duration().as_nanos());
            before.map_or(Timestamp::MIN, |nanos| Timestamp::from_nanos(-nanos))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_clock_that_is_set_back_stands_still() {
        let mut arrival = Arrival { latest: time_of_day(SystemTime::now() + Duration::from_secs(3_600)) };
        let ahead = arrival.latest;
        assert_eq!(arrival.time_of(&()), ahead);
        assert_eq!(Clock::<()>::now(&mut arrival), Some(ahead));
        let mut arrival = Arrival::new();
        let (first, second) = (arrival.time_of(&()), arrival.time_of(&()));
        assert!(Timestamp::MIN < first && first <= second);
    }

    #[test]
    fn a_clock_beyond_the_range_of_time_is_cut_to_it() {
        let epoch = SystemTime::UNIX_EPOCH;
        let centuries = Duration::from_secs(400 * 365 * 86_400);
        assert_eq!(time_of_day(epoch - Duration::from_nanos(5)), Timestamp::from_nanos(-5));
        assert_eq!(time_of_day(epoch + Duration::from_nanos(5)), Timestamp::from_nanos(5));
        assert_eq!(time_of_day(epoch + centuries), Timestamp::MAX);
        assert_eq!(time_of_day(epoch - centuries), Timestamp::MIN);
    }
}
