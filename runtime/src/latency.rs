//! How long records take from a source to a sink.
//!
//! Each batch says when the oldest record in it was read, and passes that on to what comes of it. A sink's thread notes how long
//! it took in a histogram of its own; now and then the control thread hands it an empty one, gets the other back, and adds it
//! to those before. So a data thread reads the clock twice a batch, and neither allocates nor waits.

use std::{
    fmt,
    hint::black_box,
    mem,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use hdrhistogram::Histogram;
use nacreous_channels::spsc::{self, Receiver, Sender};
use nacreous_operators::{Record, Stamp};
use nacreous_watermark::Timestamp;

use crate::{control::nanos, operator_name::OperatorName};

/// How long records took, or results: a histogram with three significant digits, from a nanosecond to an hour. What took
/// longer counts as an hour.
///
/// ```
/// use nacreous::Latencies;
/// use std::time::Duration;
///
/// let mut latencies = Latencies::default();
/// (1..=1_000).for_each(|micros| latencies.record(Duration::from_micros(micros)));
/// assert_eq!(latencies.count(), 1_000);
/// assert_eq!(latencies.quantile(0.5).as_micros(), 500);
/// assert_eq!(latencies.max().as_micros(), 1_000);
/// ```
#[derive(Clone)]
pub struct Latencies(Box<Histogram<u64>>);

impl Latencies {
    /// What is longer counts as this long.
    pub const LONGEST: Duration = Duration::from_secs(3_600);

    /// Notes how long something took. Does not allocate.
    #[inline]
    pub fn record(&mut self, took: Duration) {
        self.note(nanos(took), 1);
    }

    /// Notes how long each of so many took. Does not allocate.
    #[inline]
    pub fn record_many(&mut self, took: Duration, count: u64) {
        if count > 0 {
            self.note(nanos(took), count);
        }
    }

    /// Adds all of another one's.
    pub fn add(&mut self, other: &Self) {
        self.0.add(&*other.0).expect("all have the same bounds");
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Such that this part of them, of 1 in all, took as long or less; zero if there are none.
    pub fn quantile(&self, part: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_quantile(part))
    }

    /// The longest, to three digits; zero if there are none.
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.0.max())
    }

    /// The shortest; zero if there are none.
    pub fn min(&self) -> Duration {
        Duration::from_nanos(self.0.min())
    }

    /// The mean; zero if there are none.
    pub fn mean(&self) -> Duration {
        Duration::from_secs_f64(self.0.mean() / 1e9)
    }

    #[inline]
    fn note(&mut self, took_ns: u64, records: u64) {
        self.0.saturating_record_n(took_ns, records);
    }
}

impl Default for Latencies {
    /// None yet. Allocates, and touches, a quarter of a megabyte.
    fn default() -> Self {
        let longest = u64::try_from(Self::LONGEST.as_nanos()).expect("an hour");
        let none = Histogram::new_with_bounds(1, longest, 3).expect("an hour has nanoseconds");
        let mut latencies = Self(Box::new(none));
        // Else the memory would be touched by whoever notes something first.
        black_box(&mut latencies).clear();
        latencies
    }
}

impl PartialEq for Latencies {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Latencies {}

impl fmt::Debug for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Latencies({} of {self})", self.count())
    }
}

/// The usual percentiles, and the longest.
impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, part) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)]
        {
            write!(f, "{name} {:.3?}, ", self.quantile(part))?;
        }
        write!(f, "max {:.3?}", self.max())
    }
}

/// How long what came to a sink took.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LatencyReport {
    /// The sink.
    pub sink: OperatorName,
    /// From when a source was asked for a record to when the sink was given it, or what came of it. The result of a window
    /// counts from the record that closed it. Records that were read or gathered together count as the oldest of them.
    pub processing: Latencies,
    /// From the time of a record, or a result, to when the sink was given it, by the system's clock; what is from the future took
    /// nothing, and what has no time (rejected input) is left out. Empty for [`for_each`](crate::Stream::for_each) and [`discard`](crate::Stream::discard), which gather nothing.
    pub lag: Latencies,
}

/// What a sink notes between two times that it is asked for it.
#[derive(Debug, Default)]
struct Generation {
    processing: Latencies,
    lag: Latencies,
}

/// How many generations are under way: that of the sink, and one to take its place.
const GENERATIONS: usize = 2;

/// The instant that stamps are told from, and the moment, as one.
pub(crate) fn stamp_since(began: Instant) -> Stamp {
    Stamp::at(nanos(began.elapsed()))
}

/// The data thread's side.
#[derive(Debug)]
pub(crate) struct Gauge {
    began: Instant,
    /// When the oldest of what has gathered was read, and the newest.
    oldest: Stamp,
    newest: Stamp,
    /// Absent only while it changes hands.
    own: Option<Box<Generation>>,
    empty: Receiver<Box<Generation>>,
    full: Sender<Box<Generation>>,
}

/// The control thread's side.
#[derive(Debug)]
pub(crate) struct Collector {
    sink: OperatorName,
    empty: Sender<Box<Generation>>,
    full: Receiver<Box<Generation>>,
    spare: Option<Box<Generation>>,
}

/// A gauge for a sink, of stamps that are told from this instant, and who reads it.
pub(crate) fn gauge(sink: OperatorName, began: Instant) -> (Gauge, Collector) {
    // With room to spare: a channel may count as full before it is.
    let (send_empty, empty) = spsc::channel(GENERATIONS * 2);
    let (send_full, full) = spsc::channel(GENERATIONS * 2);
    let (oldest, newest) = (Stamp::NONE, Stamp::NONE);
    let gauge = Gauge { began, oldest, newest, own: Some(Box::default()), empty, full: send_full };
    (gauge, Collector { sink, empty: send_empty, full, spare: Some(Box::default()) })
}

impl Gauge {
    /// What comes from here on was read then. `gathered` says whether there is anything that came before.
    #[inline]
    pub(crate) fn stamp(&mut self, read_at: Stamp, gathered: bool) {
        self.newest = read_at;
        if !gathered || read_at < self.oldest {
            self.oldest = read_at;
        }
    }

    /// The sink is given these records now. `all` says whether nothing is left of what has gathered.
    pub(crate) fn note<T>(&mut self, records: &[Record<T>], all: bool) {
        self.count(records.len() as u64);
        if let Some(own) = &mut self.own {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, nanos);
            for record in records.iter().filter(|record| record.time > Timestamp::MIN) {
                let lag = i128::from(now) - i128::from(record.time.as_nanos());
                own.lag.note(u64::try_from(lag.max(0)).unwrap_or(u64::MAX), 1);
            }
        }
        if all {
            self.oldest = self.newest;
        }
    }

    /// So many records, the oldest of which has the stamp at hand, are dealt with now.
    pub(crate) fn count(&mut self, records: u64) {
        self.turn();
        if records > 0
            && self.oldest.is_some()
            && let Some(own) = &mut self.own
        {
            own.processing.note(self.oldest.until(stamp_since(self.began)), records);
        }
    }

    /// Hands over what was noted, if it is asked for.
    #[inline]
    fn turn(&mut self) {
        if let Some(empty) = self.empty.pop()
            && let Some(own) = self.own.replace(empty)
        {
            self.hand_over(own);
        }
    }

    fn hand_over(&mut self, generation: Box<Generation>) {
        let handed = self.full.push(generation);
        debug_assert!(handed.is_ok(), "there is room for as many as there are");
    }
}

/// What it has noted last is not lost.
impl Drop for Gauge {
    fn drop(&mut self) {
        if let Some(own) = self.own.take() {
            self.hand_over(own);
        }
    }
}

/// How long a gauge is left alone.
pub(crate) const EVERY: Duration = Duration::from_millis(100);

impl Collector {
    /// What is known when nothing is yet.
    pub(crate) fn begin(&self) -> LatencyReport {
        LatencyReport { sink: self.sink, processing: Latencies::default(), lag: Latencies::default() }
    }

    /// Adds what has come to the report of its sink, and asks for more.
    pub(crate) fn collect(&mut self, report: &mut LatencyReport) {
        while let Some(mut full) = self.full.pop() {
            let Generation { processing, lag } = &mut *full;
            for (all, part) in [(&mut report.processing, processing), (&mut report.lag, lag)] {
                if part.count() > 0 {
                    all.add(part);
                    part.clear();
                }
            }
            self.spare = Some(full);
        }
        if let Some(spare) = mem::take(&mut self.spare)
            && let Err(full) = self.empty.push(spare)
        {
            self.spare = Some(full.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_gauge_notes_is_collected_once_whenever_it_is_asked_for() {
        for seed in 0..100 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut gauge, mut collector) = gauge(OperatorName::here(&"sink"), Instant::now());
            let (mut noted, mut report) = (0, collector.begin());
            for _ in 0..random.usize(0..40) {
                match random.u8(0..3) {
                    0 => collector.collect(&mut report),
                    1 => gauge.stamp(stamp_since(gauge.began), false),
                    _ => {
                        gauge.stamp(stamp_since(gauge.began), false);
                        let records =
                            vec![Record { time: Timestamp::from_nanos(0), value: () }; random.usize(0..5)];
                        gauge.note(&records, true);
                        noted += records.len() as u64;
                    }
                }
            }
            drop(gauge);
            collector.collect(&mut report);
            let LatencyReport { processing, lag, .. } = report;
            assert_eq!((processing.count(), lag.count()), (noted, noted), "seed {seed}");
        }
    }

    #[test]
    fn records_that_gather_count_from_the_oldest() {
        let began = Instant::now();
        let (mut gauge, mut collector) = gauge(OperatorName::here(&"sink"), began);
        let stamped = |s: u64| Stamp::at(s * 1_000_000_000);
        gauge.began = began.checked_sub(Duration::from_secs(100)).expect("the machine has run for longer");
        gauge.stamp(stamped(10), false);
        gauge.stamp(stamped(90), true);
        let records = [Record { time: Timestamp::from_nanos(0), value: () }; 2];
        gauge.note(&records[..1], false);
        gauge.note(&records[1..], true);
        gauge.note(&records[..1], true);
        gauge.stamp(stamped(90), false);
        gauge.stamp(stamped(20), true);
        gauge.note(&[Record { time: Timestamp::MIN, value: () }], true);
        drop(gauge);
        let mut report = collector.begin();
        collector.collect(&mut report);
        let LatencyReport { processing, lag, .. } = report;
        let seconds = |quantile| processing.quantile(quantile).as_secs();
        assert!(
            (9..80).contains(&seconds(0.25)),
            "the one that nothing older was gathered with: {processing}"
        );
        assert!(
            (79..89).contains(&seconds(0.5)),
            "the one that came from another lane, and had waited: {processing}"
        );
        assert!(seconds(0.75) >= 89, "those that were gathered with the oldest: {processing}");
        assert_eq!((processing.count(), lag.count()), (4, 3), "what has no time is not behind it");
        assert!(lag.min() >= Latencies::LONGEST.mul_f64(0.999), "{lag}");
    }
}
