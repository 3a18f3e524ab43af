//! When records are due.

use std::time::Duration;

/// Nanoseconds.
const SECOND: u64 = 1_000_000_000;

/// How records are spread over time.
#[derive(Debug, Clone, Copy)]
pub enum Schedule {
    /// Evenly.
    Steady {
        /// Records in a second.
        rate: u64,
    },
    /// At one rate, and every so often at another for a while. A burst is such, and so is a square wave.
    Waves {
        /// Records in a second, to begin with.
        base: u64,
        /// Records in a second of a wave.
        crest: u64,
        /// For how long there are so many.
        lasts: Duration,
        /// From the beginning of one to that of the next.
        every: Duration,
    },
    /// At one rate, then at another for a while, and then at the first one again.
    Wave {
        /// Records in a second before and after.
        base: u64,
        /// Records in a second of the wave.
        crest: u64,
        /// When it begins.
        after: Duration,
        /// For how long there are so many.
        lasts: Duration,
    },
    /// Each at any moment, whenever the one before was.
    Poisson {
        /// Records in a second, on average.
        rate: u64,
    },
}

impl Schedule {
    /// Ten times as many for a millisecond of each hundred.
    pub const fn bursts(base: u64) -> Self {
        let (lasts, every) = (Duration::from_millis(1), Duration::from_millis(100));
        Self::Waves { base, crest: base * 10, lasts, every }
    }

    /// When records are due, in nanoseconds from the beginning, in order and without end.
    pub fn dues(self) -> Dues {
        Dues { schedule: self, nth: 0, from: 0, random: fastrand::Rng::with_seed(47) }
    }
}

/// The moments of a schedule.
#[derive(Debug, Clone)]
pub struct Dues {
    schedule: Schedule,
    /// Which one is next, counted from the beginning of a stretch of one rate.
    nth: u64,
    /// Where that stretch begins; of a Poisson process, the last moment.
    from: u64,
    random: fastrand::Rng,
}

impl Iterator for Dues {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        let due = match self.schedule {
            Schedule::Steady { rate } => {
                if self.nth == rate {
                    (self.nth, self.from) = (0, self.from + SECOND);
                }
                self.from + self.nth * SECOND / rate
            }
            Schedule::Waves { base, crest, lasts, every } => {
                let [lasts, every] = [lasts, every].map(nanos);
                loop {
                    // A wave ends what comes between two.
                    let in_wave = self.from % every == every - lasts;
                    let (rate, length) = if in_wave { (crest, lasts) } else { (base, every - lasts) };
                    let since = self.nth * SECOND / rate;
                    if since < length {
                        break self.from + since;
                    }
                    (self.nth, self.from) = (0, self.from + length);
                }
            }
            Schedule::Wave { base, crest, after, lasts } => {
                let [after, lasts] = [after, lasts].map(nanos);
                loop {
                    let (rate, length) = match self.from {
                        0 => (base, after),
                        from if from == after => (crest, lasts),
                        _ => (base, u64::MAX),
                    };
                    let since = self.nth * SECOND / rate;
                    if since < length {
                        break self.from + since;
                    }
                    (self.nth, self.from) = (0, self.from + length);
                }
            }
            Schedule::Poisson { rate } => {
                let gap = -(1.0 - self.random.f64()).ln() * SECOND as f64 / rate as f64;
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a moment's fraction"
                )]
                let gap = gap as u64;
                self.from += gap;
                self.from
            }
        };
        self.nth += 1;
        Some(due)
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).expect("some seconds")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(schedule: Schedule, from: u64, to: u64) -> usize {
        schedule.dues().skip_while(|due| *due < from).take_while(|due| *due < to).count()
    }

    #[test]
    fn a_steady_schedule_has_its_rate_in_any_second_and_never_drifts() {
        let schedule = Schedule::Steady { rate: 700_001 };
        assert_eq!(within(schedule, 0, SECOND), 700_001);
        assert_eq!(within(schedule, 3 * SECOND, 4 * SECOND), 700_001);
        assert_eq!(schedule.dues().nth(700_001 * 5), Some(5 * SECOND));
    }

    #[test]
    fn bursts_are_as_many_and_as_long_as_they_should_be() {
        let schedule = Schedule::bursts(100_000);
        let millis = SECOND / 1_000;
        assert_eq!(within(schedule, 0, 99 * millis), 9_900);
        assert_eq!(within(schedule, 99 * millis, 100 * millis), 1_000);
        assert_eq!(within(schedule, 100 * millis, 199 * millis), 9_900);
        assert_eq!(within(schedule, 199 * millis, 200 * millis), 1_000);
        assert!(schedule.dues().take(50_000).is_sorted());
    }

    #[test]
    fn a_wave_comes_once() {
        let (after, lasts) = (Duration::from_secs(1), Duration::from_millis(500));
        let schedule = Schedule::Wave { base: 1_000, crest: 10_000, after, lasts };
        assert_eq!(within(schedule, 0, SECOND), 1_000);
        assert_eq!(within(schedule, SECOND, SECOND * 3 / 2), 5_000);
        assert_eq!(within(schedule, SECOND * 3 / 2, 4 * SECOND), 2_500);
    }

    #[test]
    fn gaps_of_a_poisson_process_are_as_long_on_average_and_vary_as_much() {
        let dues: Vec<u64> = Schedule::Poisson { rate: 1_000_000 }.dues().take(200_000).collect();
        assert!(dues.is_sorted());
        let gaps: Vec<f64> = dues.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((990.0..1_010.0).contains(&mean), "{mean}");
        assert!((0.98..1.02).contains(&(variance.sqrt() / mean)), "{}", variance.sqrt());
    }
}
