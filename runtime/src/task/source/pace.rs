use std::time::{Duration, Instant};

/// How many records a source takes a step, where what follows sets no limit: as many as take about as long as a step
/// should. What a step costs by itself is then little beside what it does, and nobody waits long for their turn.
///
/// It goes by what steps are found to take, and nothing that comes of the records depends on it.
#[derive(Debug)]
pub(super) struct Pace {
    /// The fewest.
    batch: usize,
    records: usize,
    /// Steps until the next one is timed.
    untimed: u32,
}

/// How long a step may take before there are fewer records in one.
const LONG: Duration = Duration::from_micros(20);
/// How short it may be before there are more of them.
const SHORT: Duration = Duration::from_micros(8);
/// The most records in a step, unless a batch holds more.
const RECORDS_MAX: usize = 8_192;
/// One step in so many is timed: to look at the clock takes as long as some records.
const TIMED_EVERY: u32 = 64;

impl Pace {
    /// Begins with a batch of records.
    pub(super) fn new(batch: usize) -> Self {
        Self { batch, records: batch, untimed: 0 }
    }

    /// How many records to take now.
    pub(super) fn records(&self) -> usize {
        self.records
    }

    /// A step begins; what to tell [`ends`](Self::ends).
    pub(super) fn begins(&mut self) -> Option<Instant> {
        if self.untimed > 0 {
            self.untimed -= 1;
            return None;
        }
        Some(Instant::now())
    }

    /// It has taken so many records.
    pub(super) fn ends(&mut self, began: Option<Instant>, taken: usize) {
        let Some(began) = began else { return };
        self.untimed = TIMED_EVERY - 1;
        self.adapt(began.elapsed(), taken);
    }

    fn adapt(&mut self, took: Duration, taken: usize) {
        if took > LONG {
            self.records = (self.records / 2).max(self.batch);
        } else if took < SHORT && taken == self.records {
            self.records = (self.records * 2).min(RECORDS_MAX.max(self.batch));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_steps_become_longer_and_long_ones_shorter() {
        let mut pace = Pace::new(512);
        let mut after = |took, taken| {
            pace.adapt(Duration::from_micros(took), taken);
            pace.records()
        };
        assert_eq!(after(1, 512), 1_024);
        assert_eq!(after(2, 1_000), 1_024, "the source had no more");
        assert_eq!(after(10, 1_024), 1_024, "as it should be");
        assert_eq!(after(7, 1_024), 2_048);
        assert_eq!((after(1, 2_048), after(1, 4_096), after(1, 8_192)), (4_096, 8_192, 8_192));
        assert_eq!(after(21, 3), 4_096);
        assert_eq!((0..9).map(|_| after(1_000_000, 1)).last(), Some(512), "never less than a batch");
        let mut large = Pace::new(65_536);
        large.adapt(Duration::ZERO, 65_536);
        assert_eq!(large.records(), 65_536);
    }

    #[test]
    fn few_steps_are_timed() {
        let mut pace = Pace::new(1);
        let mut timed = 0;
        for _ in 0..256 {
            let began = pace.begins();
            timed += u32::from(began.is_some());
            pace.ends(began, 1);
        }
        assert_eq!(timed, 4);
    }
}
