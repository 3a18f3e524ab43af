//! Windows that end where a key is silent.

mod line;
#[cfg(test)]
mod tests;

use std::{hash::Hash, time::Duration};

use nacreous_watermark::{Grid, Span, Timestamp, Watermark};

use super::{
    Lateness, ResultKind, TimeWindow, WindowError, WindowResult, Windowed, held::Held, resolution::Resolution,
};
use crate::{
    Aggregate, Emit, Fault, KeyLimits, Keyed, KeyedState, Operator, Prepared, Record, Step, Supplies, Tally,
    key::SlotNumber, state::TimerQueue,
};
use line::{Line, Lines, Run};

/// Windows of the records of a key that follow each other in less than a gap: a session begins with a record, and ends a gap
/// after its last one.
///
/// A session fires when the watermark has passed its end: a sixteenth of the gap later than that at most, and no more than a
/// millisecond, so that not every record need bring a watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// In nanoseconds.
    gap: i64,
}

impl Session {
    /// Sessions that end when there has been no record for so long.
    ///
    /// # Errors
    /// If that is zero, or longer than 292 years.
    pub fn with_gap(gap: Duration) -> Result<Self, WindowError> {
        if gap.is_zero() {
            return Err(WindowError::NoGap);
        }
        Ok(Self { gap: Span::try_from(gap)?.as_nanos() })
    }

    /// The instants at which a session may fire.
    pub fn ends(&self) -> Grid {
        self.resolution().grid()
    }

    fn resolution(self) -> Resolution {
        Resolution::at_most(self.gap / 16)
    }

    /// Where a session with this last record ends.
    fn end(self, last: i64) -> i64 {
        last.saturating_add(self.gap)
    }
}

/// Aggregates the records of each key over sessions.
///
/// A record that is behind the watermark is taken up when the watermark moves on, the latest first. It is late if by then there is
/// no session that it belongs to, and one of its own would be closed. With [allowed lateness](Self::with_lateness), sessions are kept
/// for a while after they have fired: a record that belongs to one corrects it, and may join it to another one, which takes
/// the results of both back and comes to a new one.
///
/// Behind a merge, records are judged by the watermark of their own input, and wait for the others to come as far.
///
/// # Cost
/// A record: a look-up of its key, and a search among the key's sessions from the newest on. One that begins or ends a session: besides,
/// a number of comparisons that grows with the logarithm of the sessions. Memory: keys with sessions that are open or kept, and those.
pub struct SessionFold<K, A: Aggregate<T>, T> {
    session: Session,
    lateness: Lateness,
    limits: KeyLimits,
    aggregate: A,
    keys: KeyedState<K, Line>,
    lines: Lines<A::Acc>,
    /// When the sessions of a key are to be looked at: the instant before.
    timers: TimerQueue,
    /// Taken from the timers before there was room for what comes of it.
    due: Option<(Timestamp, SlotNumber)>,
    /// The watermark that everything has been fired for.
    passed: Watermark,
    /// What records are judged by.
    judge: Watermark,
    /// Those behind it, until all inputs have moved past it.
    behind: Held<Keyed<K, T>>,
    tally: Tally,
}

impl<T, K: Hash + Eq + Clone + 'static, A: Aggregate<T>> SessionFold<K, A, T> {
    /// An operator that has seen nothing yet.
    pub fn new(session: Session, aggregate: A, limits: KeyLimits) -> Self {
        Self {
            session,
            lateness: Lateness::default(),
            limits,
            aggregate,
            keys: KeyedState::new(limits),
            lines: Lines::new(),
            timers: TimerQueue::new(),
            due: None,
            passed: Watermark::MIN,
            judge: Watermark::MIN,
            behind: Held::new(),
            tally: Tally::default(),
        }
    }

    /// The same with sessions that are kept for so long after they have ended. If it `retracts`, a correction is preceded by what
    /// it corrects.
    #[must_use]
    pub fn with_lateness(self, allowed: Span, retracts: bool) -> Self {
        Self { lateness: Lateness { allowed: allowed.as_nanos(), retracts }, ..self }
    }

    /// Whether it keeps nothing of any record.
    #[cfg(test)]
    pub(super) fn holds_nothing(&self) -> bool {
        self.keys.is_empty() && self.lines.len() == 0 && self.behind.until().is_none()
    }

    /// Adds a record to its session, whatever the watermark. A key beyond those allowed is a fault.
    #[inline]
    fn add(&mut self, record: Record<Keyed<K, T>>, out: &mut impl Emit<Windowed<K, T, A::Out>>) {
        let Record { time, value: Keyed { key, value } } = record;
        let Self { session, lateness, aggregate, keys, lines, timers, passed, tally, .. } = self;
        let Some((slot, key, line)) = keys.entry(key, Line::default) else { return };
        tally.on_time += 1;
        let at = time.as_nanos();
        let touched = lines.touched(line, at, session.gap);
        if lateness.retracts {
            for run in
                touched.runs.iter().flatten().map(|place| lines.get(*place)).filter(|run| run.has_fired)
            {
                tally.results += 1;
                out.emit(session.result(key, run, aggregate, ResultKind::Retraction, run.results - 1));
            }
        }
        let run = match touched.runs {
            [None, _] => {
                let acc = aggregate.lift(&value, time);
                lines.insert(line, touched.above, Run::new(at, acc))
            }
            [Some(place), older] => {
                let older = older.map(|_| lines.remove_older(place));
                let run = lines.get_mut(place);
                aggregate.add(&mut run.acc, &value, time);
                run.reach(at);
                if let Some(older) = older {
                    aggregate.combine(&mut run.acc, &older.acc);
                    run.first = older.first;
                    run.results = run.results.max(older.results);
                }
                run
            }
        };
        // It may have fired and be open again.
        run.has_fired = session.is_closed(run, *passed);
        if run.has_fired {
            tally.results += 1;
            out.emit(session.result(key, run, aggregate, ResultKind::Correction, run.results));
            run.results += 1;
        }
        let due = session.due(run, lateness.allowed);
        if line.due.is_none_or(|before| due < before) {
            line.due = Some(due);
            timers.push(before(due), slot);
        }
    }

    /// Takes up a record that was behind the watermark it is judged by, which everything has been fired for.
    #[cold]
    #[inline(never)]
    fn add_behind(&mut self, record: Record<Keyed<K, T>>, out: &mut impl Emit<Windowed<K, T, A::Out>>) {
        let at = record.time.as_nanos();
        let Self { session, lateness, keys, lines, passed, .. } = self;
        let kept_until = session.end(at).saturating_add(lateness.allowed);
        let is_open = kept_until > passed.time().as_nanos();
        let belongs = |line: &Line| lines.touched(line, at, session.gap).runs[0].is_some();
        if is_open || keys.get(&record.value.key).is_some_and(belongs) {
            return self.add(record, out);
        }
        self.tally.late += 1;
        self.tally.missed_windows += 1;
        out.emit(Record { time: record.time, value: Windowed::Late(record.value) });
    }

    /// Fires and lets go of what is due at a watermark.
    fn fire_until(&mut self, watermark: Watermark, out: &mut impl Emit<Windowed<K, T, A::Out>>) -> Step {
        while let Some((before, slot)) = self.due.take().or_else(|| self.timers.pop_due(watermark)) {
            if !out.has_room() {
                self.due = Some((before, slot));
                return Step::More;
            }
            self.look_at(before, slot, out);
        }
        self.passed = self.passed.max(watermark);
        Step::Done
    }

    /// Looks at the sessions of a key, if that is when it is to be done.
    fn look_at(&mut self, time: Timestamp, slot: SlotNumber, out: &mut impl Emit<Windowed<K, T, A::Out>>) {
        let Self { session, lateness, aggregate, keys, lines, timers, tally, .. } = self;
        // It may be that of a key that is gone, or whose sessions are to be looked at earlier.
        if slot.index() >= keys.len() {
            return;
        }
        let (key, line) = keys.at(slot);
        let Some(now) = line.due.take_if(|due| before(*due) == time) else { return };
        lines.sift(line, |run| {
            if !run.has_fired && session.due(run, lateness.allowed) <= now {
                tally.results += 1;
                let kind = if run.results == 0 { ResultKind::OnTime } else { ResultKind::Correction };
                out.emit(session.result(key, run, aggregate, kind, run.results));
                run.results += 1;
                run.has_fired = true;
            }
            session.due(run, lateness.allowed) > now
        });
        if let Some(due) = lines.iter(line).map(|run| session.due(run, lateness.allowed)).min() {
            line.due = Some(due);
            return timers.push(before(due), slot);
        }
        if keys.remove(slot).is_some() {
            // The last key has this number now.
            let (_, line) = keys.at(slot);
            line.due.into_iter().for_each(|due| timers.push(before(due), slot));
        }
    }
}

/// The last instant before a time that is not the first.
fn before(time: Timestamp) -> Timestamp {
    Timestamp::from_nanos(time.as_nanos() - 1)
}

impl Session {
    /// Whether a session is closed at a watermark. What ends with time is only at the end of the stream.
    fn is_closed<A>(self, run: &Run<A>, at: Watermark) -> bool {
        self.end(run.last) <= at.time().as_nanos()
    }

    /// When a session is to be fired, or to be let go of.
    fn due<A>(self, run: &Run<A>, allowed: i64) -> Timestamp {
        let end = self.end(run.last);
        Timestamp::from_nanos(if run.has_fired { end.saturating_add(allowed) } else { end })
    }

    /// What a session comes to.
    fn result<T, K: Clone, A: Aggregate<T>>(
        self,
        key: &K,
        run: &Run<A::Acc>,
        aggregate: &A,
        kind: ResultKind,
        number: u32,
    ) -> Record<Windowed<K, T, A::Out>> {
        let end = self.end(run.last);
        let window = TimeWindow { start: Timestamp::from_nanos(run.first), end: Timestamp::from_nanos(end) };
        let time = self.resolution().passes(end - 1);
        let (key, value) = (key.clone(), aggregate.finish(run.acc.clone()));
        Record { time, value: Windowed::Result(WindowResult { window, key, value, kind, number }) }
    }
}

/// The clone has seen nothing: it serves another instance.
impl<T, K: Hash + Eq + Clone + 'static, A: Aggregate<T> + Clone> Clone for SessionFold<K, A, T> {
    fn clone(&self) -> Self {
        Self { lateness: self.lateness, ..Self::new(self.session, self.aggregate.clone(), self.limits) }
    }
}

impl<T, K, A> Operator<Keyed<K, T>> for SessionFold<K, A, T>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    A: Aggregate<T>,
{
    type Out = Windowed<K, T, A::Out>;

    #[inline]
    fn on_record(&mut self, record: Record<Keyed<K, T>>, out: &mut impl Emit<Self::Out>) {
        if Watermark::at(record.time) < self.judge {
            self.behind.hold(self.judge, record);
        } else {
            self.add(record, out);
        }
    }

    /// Fires the sessions that have ended, in the order in which they end.
    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl Emit<Self::Out>) -> Step {
        let watermark = self.session.resolution().seen(watermark);
        loop {
            let next = self.behind.until().filter(|until| *until < watermark);
            if self.fire_until(next.unwrap_or(watermark), out) == Step::More {
                return Step::More;
            }
            if next.is_none() {
                self.judge = self.judge.max(self.passed);
                return Step::Done;
            }
            if !out.has_room() {
                return Step::More;
            }
            let record = self.behind.release().expect("one is held until then");
            self.add_behind(record, out);
        }
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.judge = self.session.resolution().seen(watermark).max(self.passed);
    }

    fn connect(&mut self, supplies: &mut impl Supplies) {
        self.keys.connect(supplies);
        self.lines.connect(supplies);
        self.timers.connect(supplies);
        self.behind.connect(supplies);
    }

    fn prepare(&mut self, records: usize) -> Prepared {
        let state = self.keys.prepare(records).and(self.lines.prepare(records));
        state.and(self.timers.prepare(records)).and(self.behind.prepare(records))
    }

    fn fault(&self) -> Option<Fault> {
        self.keys.fault()
    }

    fn tally(&self) -> Tally {
        self.tally
    }
}
