//! Records at the moments of a schedule, whatever becomes of those before: nobody who is slow delays the next.

use std::{
    convert::Infallible,
    hint, mem,
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
    vec,
};

use nacreous::{
    BoxError, Latencies, Record, Timestamp,
    sink::Sink,
    source::{Demand, Intake, Readiness, Source},
};

use super::schedule::{Dues, Schedule};

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds since the program first asked.
#[inline]
pub(crate) fn now() -> u64 {
    u64::try_from(BEGAN.elapsed().as_nanos()).expect("584 years")
}

/// A record: when it is due by the [clock](now), and its number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tick {
    pub(crate) due: u64,
    pub(crate) number: u64,
}

impl Tick {
    /// The moment at which it is due, as event time.
    pub(crate) fn time(&self) -> Timestamp {
        Timestamp::from_nanos(self.due.cast_signed())
    }
}

/// How long threads get to start before the first record is due.
const START: u64 = 2_000_000;

/// One run of a schedule.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    pub(crate) schedule: Schedule,
    pub(crate) lasts: Duration,
    /// How much of the beginning is not measured: caches, branches and the clock rate of the processor settle.
    pub(crate) warm_up: Duration,
    /// How much of the schedule is over when it begins: those records come at once.
    history: Duration,
    measured: Arc<Span>,
}

/// What is due from one moment to another; nothing, before they are known.
#[derive(Debug)]
struct Span {
    from: AtomicU64,
    until: AtomicU64,
}

impl Round {
    pub(crate) fn new(schedule: Schedule, lasts: Duration, warm_up: Duration) -> Self {
        let measured = Arc::new(Span { from: AtomicU64::new(u64::MAX), until: AtomicU64::new(0) });
        Self { schedule, lasts, warm_up, history: Duration::ZERO, measured }
    }

    /// The same with so much of the schedule before it.
    pub(crate) fn behind(self, history: Duration) -> Self {
        Self { history, ..self }
    }

    /// Another one like it.
    pub(crate) fn anew(&self) -> Self {
        Self { history: self.history, ..Self::new(self.schedule, self.lasts, self.warm_up) }
    }

    /// Sets the clock going.
    pub(crate) fn begin(&self) -> Pacer {
        let nanos = |span: Duration| u64::try_from(span.as_nanos()).expect("minutes");
        let history = nanos(self.history);
        // A tenth of the time that the history was is more than enough to catch up with it.
        let begin = (now() + START + history / 10).max(history);
        self.measured.from.store(begin + nanos(self.warm_up), Ordering::Relaxed);
        self.measured.until.store(begin + nanos(self.lasts), Ordering::Relaxed);
        let mut dues = self.schedule.dues();
        let next = dues.next().expect("there is no end");
        Pacer { dues, begin: begin - history, next, end: history + nanos(self.lasts), number: 0 }
    }
}

/// Says which records are due.
pub(crate) struct Pacer {
    dues: Dues,
    begin: u64,
    /// When the next is, from the beginning on.
    next: u64,
    end: u64,
    number: u64,
}

impl Pacer {
    /// The next record, if it is due by then.
    #[inline]
    pub(crate) fn due(&mut self, now: u64) -> Option<Tick> {
        let due = self.begin + self.next;
        if due > now || self.is_over() {
            return None;
        }
        let tick = Tick { due, number: self.number };
        self.number += 1;
        self.next = self.dues.next()?;
        Some(tick)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.next >= self.end
    }
}

/// A source of the records of a round. It never waits, and never brings one early.
pub(crate) struct Load {
    round: Round,
    /// Since it was first asked.
    pacer: Option<Pacer>,
}

impl Load {
    pub(crate) fn new(round: &Round) -> Self {
        Self { round: round.clone(), pacer: None }
    }
}

impl Source for Load {
    type Item = Tick;
    type Reject = Infallible;

    #[inline]
    fn poll(&mut self, intake: &mut impl Intake<Tick, Infallible>) -> Result<Readiness, BoxError> {
        let pacer = self.pacer.get_or_insert_with(|| self.round.begin());
        let now = now();
        while let Some(tick) = pacer.due(now) {
            if intake.accept(tick) == Demand::Enough {
                return Ok(Readiness::Ready);
            }
        }
        Ok(if pacer.is_over() { Readiness::Ended } else { Readiness::Pending })
    }
}

/// Notes how long after their times records come.
#[derive(Debug)]
pub(crate) struct Meter {
    latencies: Latencies,
    measured: Arc<Span>,
    /// What came last, when it was due and when it came, and how many of that are not in `latencies` yet. Results of one window
    /// come by the thousand: to look up where each belongs would take longer than to make them.
    last: (u64, u64),
    pending: u64,
    home: Measured,
}

/// What a meter has found, once it is gone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured(Arc<Mutex<Option<Latencies>>>);

impl Measured {
    /// For one of a round.
    pub(crate) fn meter(&self, round: &Round) -> Meter {
        let (latencies, measured) = (Latencies::default(), Arc::clone(&round.measured));
        Meter { latencies, measured, last: (0, 0), pending: 0, home: self.clone() }
    }

    pub(crate) fn take(&self) -> Latencies {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().expect("the meter is gone")
    }
}

impl Meter {
    /// Something that was due then is here now.
    #[inline]
    pub(crate) fn note(&mut self, due: u64, now: u64) {
        if self.last != (due, now) {
            self.settle();
            self.last = (due, now);
        }
        self.pending += 1;
    }

    fn settle(&mut self) {
        let ((due, now), pending) = (self.last, mem::take(&mut self.pending));
        let Span { from, until } = &*self.measured;
        if (from.load(Ordering::Relaxed)..until.load(Ordering::Relaxed)).contains(&due) {
            self.latencies.record_many(Duration::from_nanos(now.saturating_sub(due)), pending);
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.settle();
        let latencies = mem::take(&mut self.latencies);
        *self.home.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(latencies);
    }
}

/// A sink that notes when records come; `due` says when they were.
pub(crate) struct Noted<F> {
    pub(crate) meter: Meter,
    pub(crate) due: F,
}

impl<T: Send + 'static, F: Fn(&Record<T>) -> u64 + Send + 'static> Sink<T> for Noted<F> {
    fn write(&mut self, records: &mut vec::Drain<'_, Record<T>>) -> Result<(), BoxError> {
        let now = now();
        records.for_each(|record| self.meter.note((self.due)(&record), now));
        Ok(())
    }
}

/// What the machine takes away by itself: looks at the clock until a record is due, and notes how long after that it saw it.
pub(crate) fn hiccups(round: &Round) -> Latencies {
    let measured = Measured::default();
    let mut meter = measured.meter(round);
    let mut pacer = round.begin();
    while !pacer.is_over() {
        let now = now();
        while let Some(tick) = pacer.due(now) {
            meter.note(tick.due, now);
        }
        hint::spin_loop();
    }
    drop(meter);
    measured.take()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_slow_is_told_of_all_that_was_due_meanwhile() {
        let round = Round::new(Schedule::Steady { rate: 1_000 }, Duration::from_millis(20), Duration::ZERO);
        let mut pacer = round.begin();
        let late = now() + 1_000_000_000;
        let ticks: Vec<Tick> = std::iter::from_fn(|| pacer.due(late)).collect();
        assert_eq!(ticks.len(), 20);
        assert!(ticks.iter().zip(0..).all(|(tick, number)| tick.number == number));
        assert!(ticks.is_sorted_by_key(|tick| tick.due) && pacer.is_over());
    }

    #[test]
    fn nothing_comes_early_and_what_is_not_measured_is_left_out() {
        let round = Round::new(
            Schedule::Steady { rate: 10_000 },
            Duration::from_millis(20),
            Duration::from_millis(10),
        );
        let latencies = hiccups(&round);
        assert_eq!(latencies.count(), 100);
        let mut pacer = round.begin();
        assert!(pacer.due(pacer.begin - 1).is_none() && pacer.due(pacer.begin).is_some());
    }
}
