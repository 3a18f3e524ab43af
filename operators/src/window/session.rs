//! Windows that end where a key is silent.

mod contents;
mod gap;
mod line;
#[cfg(test)]
mod tests;

use std::{hash::Hash, time::Duration};

use nacreous_watermark::{Grid, Span, Timestamp, Watermark};

use super::{
    Lateness, Order, ResultKind, TimeWindow, WindowError, WindowResult, Windowed, budget::Budget, held::Held,
    refusal::refuse, resolution::Resolution,
};
use crate::{
    Aggregate, Algebra, Emit, Fault, KeyLimits, Keyed, KeyedState, Operator, Prepared, Record, Step,
    Supplies, Tally, key::SlotNumber, state::TimerQueue,
};
pub(super) use contents::{Contents, Records, Sums};
pub use gap::{GapOf, Gaps, OneGap};
use line::{Line, Lines, Run};

/// Windows of the records of a key that follow each other in less than a gap: a session begins with a record, and ends a gap
/// after its last one. The gap is the same for all keys, or [each has its own](Self::with_gap_of).
///
/// A session fires when the watermark has passed its end: a sixteenth of the gap later than that at most, of the least gap if there
/// are several, and no more than a millisecond, so that not every record need bring a watermark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session<G = OneGap> {
    /// No gap is less, in nanoseconds.
    least: i64,
    gaps: G,
}

impl Session {
    /// Sessions that end when there has been no record for so long.
    ///
    /// # Errors
    /// If that is zero, or longer than 292 years.
    pub fn with_gap(gap: Duration) -> Result<Self, WindowError> {
        Self::of(gap, OneGap)
    }
}

impl<G> Session<G> {
    fn of(least: Duration, gaps: G) -> Result<Self, WindowError> {
        if least.is_zero() {
            return Err(WindowError::NoGap);
        }
        Ok(Self { least: Span::try_from(least)?.as_nanos(), gaps })
    }

    /// The instants at which a session may fire.
    pub fn ends(&self) -> Grid {
        self.resolution().grid()
    }

    fn resolution(&self) -> Resolution {
        Resolution::at_most(self.least / 16)
    }

    /// The gap of a key, in nanoseconds.
    fn gap<K>(&self, key: &K) -> i64
    where
        G: Gaps<K>,
    {
        self.gaps.of(key).map_or(self.least, |gap| Span::at_most(gap).as_nanos().max(self.least))
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
/// An aggregate that does not commute has the records of a session in order of event time; those of one instant in the order in which
/// they come.
///
/// # Cost
/// A record: a look-up of its key, and a search among the key's sessions from the newest on. One that begins or ends a session: besides,
/// a number of comparisons that grows with the logarithm of the sessions. Memory: keys with sessions that are open or kept, and those.
/// If the aggregate does not commute: besides, an insertion into a [`FingerTree`](crate::FingerTree) for each record, a search in it for
/// each result, and memory for each record of these sessions.
pub struct SessionFold<K, A: Aggregate<T>, T, G = OneGap> {
    session: Session<G>,
    lateness: Lateness,
    limits: KeyLimits,
    aggregate: A,
    keys: KeyedState<K, OfKey<ContentsOf<A, T>>>,
    lines: Lines<Sum<A, T>>,
    memory: Memory<A, T>,
    /// When the sessions of a key are to be looked at: the instant before.
    timers: TimerQueue,
    /// Taken from the timers before there was room for what comes of it.
    due: Option<(Timestamp, SlotNumber)>,
    /// The watermark that everything has been fired for.
    passed: Watermark,
    /// What records are judged by.
    judge: Watermark,
    /// Those behind it, until all inputs have moved past it.
    behind: Held<(Number<A, T>, Keyed<K, T>)>,
    fault: Option<Fault>,
    tally: Tally,
}

/// The sessions of a key, and what they come to.
#[derive(Default)]
struct OfKey<C> {
    line: Line,
    contents: C,
}

type ContentsOf<A, T> = <<<A as Aggregate<T>>::Algebra as Algebra<A, T>>::Order as Order>::Sessions<A, T>;
type Sum<A, T> = <ContentsOf<A, T> as Contents<A, T>>::Sum;
type Number<A, T> = <ContentsOf<A, T> as Contents<A, T>>::Number;
type Memory<A, T> = <ContentsOf<A, T> as Contents<A, T>>::Memory;

impl<T, K: Hash + Eq + Clone + 'static, A: Aggregate<T>, G: Gaps<K>> SessionFold<K, A, T, G> {
    /// An operator that has seen nothing yet.
    pub fn new(session: Session<G>, aggregate: A, limits: KeyLimits) -> Self {
        Self {
            session,
            lateness: Lateness::default(),
            limits,
            aggregate,
            keys: KeyedState::new(limits),
            lines: Lines::new(),
            memory: Memory::<A, T>::default(),
            timers: TimerQueue::new(),
            due: None,
            passed: Watermark::MIN,
            judge: Watermark::MIN,
            behind: Held::new(),
            fault: None,
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
    fn add(
        &mut self,
        number: Number<A, T>,
        record: Record<Keyed<K, T>>,
        out: &mut impl Emit<Windowed<K, T, A::Out>>,
    ) {
        let Record { time, value: Keyed { key, value } } = record;
        let Self { session, lateness, aggregate, keys, lines, memory, timers, passed, tally, .. } = self;
        let Some((slot, key, OfKey { line, contents })) = keys.entry(key, OfKey::default) else { return };
        tally.on_time += 1;
        let (at, gap) = (time.as_nanos(), session.gap(key));
        let touched = lines.touched(line, at, gap);
        if lateness.retracts {
            for run in
                touched.runs.iter().flatten().map(|place| lines.get(*place)).filter(|run| run.has_fired)
            {
                tally.results += 1;
                let acc = contents.acc(memory, &run.sum, aggregate, run.bounds());
                let (value, number) = (aggregate.finish(acc), run.results - 1);
                out.emit(session.result((key, gap), run, value, ResultKind::Retraction, number));
            }
        }
        let run = match touched.runs {
            [None, _] => {
                let sum = contents.begin(memory, aggregate, &value, (time, number));
                lines.insert(line, touched.above, Run::new(at, sum))
            }
            [Some(place), older] => {
                let older = older.map(|_| lines.remove_older(place));
                let run = lines.get_mut(place);
                contents.add(memory, &mut run.sum, aggregate, &value, (time, number));
                run.reach(at);
                if let Some(older) = older {
                    ContentsOf::<A, T>::join(&mut run.sum, &older.sum, aggregate);
                    run.first = older.first;
                    run.results = run.results.max(older.results);
                }
                run
            }
        };
        // It may have fired and be open again.
        run.has_fired = run.is_closed(gap, *passed);
        if run.has_fired {
            tally.results += 1;
            let value = aggregate.finish(contents.acc(memory, &run.sum, aggregate, run.bounds()));
            out.emit(session.result((key, gap), run, value, ResultKind::Correction, run.results));
            run.results += 1;
        }
        let due = run.due(gap, lateness.allowed);
        if line.due.is_none_or(|before| due < before) {
            line.due = Some(due);
            timers.push(before(due), slot);
        }
    }

    /// How many sessions there are, or records of them if those are kept; and records that wait.
    #[inline]
    fn held(&self) -> usize {
        self.behind.len() + ContentsOf::<A, T>::held(&self.memory).unwrap_or(self.lines.len())
    }

    /// Whether there may not be one more.
    #[inline]
    fn is_full(&self) -> bool {
        self.held() >= self.limits.held.most
    }

    /// Whether there is a session that a record belongs to.
    fn belongs(&mut self, key: &K, time: Timestamp) -> bool {
        let Self { session, keys, lines, .. } = self;
        let touched = |of: &OfKey<_>| lines.touched(&of.line, time.as_nanos(), session.gap(key));
        let has = |of: &OfKey<_>| touched(of).runs[0].is_some();
        keys.get(key).is_some_and(has)
    }

    /// Adds a record to its session, if it has one and need not wait: there may not be one more.
    #[cold]
    #[inline(never)]
    fn add_to_known(
        &mut self,
        number: Number<A, T>,
        record: Record<Keyed<K, T>>,
        out: &mut impl Emit<Windowed<K, T, A::Out>>,
    ) {
        let is_free = ContentsOf::<A, T>::held(&self.memory).is_none()
            && Watermark::at(record.time) >= self.judge
            && self.belongs(&record.value.key, record.time);
        if is_free {
            return self.add(number, record, out);
        }
        refuse(self.limits.held, record, (&mut self.fault, &mut self.tally), out);
    }

    /// Takes up a record that was behind the watermark it is judged by, which everything has been fired for.
    #[cold]
    #[inline(never)]
    fn add_behind(
        &mut self,
        number: Number<A, T>,
        record: Record<Keyed<K, T>>,
        out: &mut impl Emit<Windowed<K, T, A::Out>>,
    ) {
        let at = record.time.as_nanos();
        let gap = self.session.gap(&record.value.key);
        let kept_until = at.saturating_add(gap).saturating_add(self.lateness.allowed);
        let is_open = kept_until > self.passed.time().as_nanos();
        if is_open || self.belongs(&record.value.key, record.time) {
            return self.add(number, record, out);
        }
        self.tally.late += 1;
        self.tally.missed_windows += 1;
        out.emit(Record { time: record.time, value: Windowed::Late(record.value) });
    }

    /// Fires and lets go of what is due at a watermark.
    fn fire_until(
        &mut self,
        watermark: Watermark,
        budget: &mut Budget,
        out: &mut impl Emit<Windowed<K, T, A::Out>>,
    ) -> Step {
        while let Some((before, slot)) = self.due.take().or_else(|| self.timers.pop_due(watermark)) {
            let results = self.tally.results;
            if out.has_room() {
                self.look_at(before, slot, out);
            } else {
                self.due = Some((before, slot));
                return Step::More;
            }
            if self.tally.results == results && budget.is_spent() {
                return Step::More;
            }
        }
        self.passed = self.passed.max(watermark);
        Step::Done
    }

    /// Looks at the sessions of a key, if that is when it is to be done.
    fn look_at(&mut self, time: Timestamp, slot: SlotNumber, out: &mut impl Emit<Windowed<K, T, A::Out>>) {
        let Self { session, lateness, aggregate, keys, lines, memory, timers, tally, .. } = self;
        // It may be that of a key that is gone, or whose sessions are to be looked at earlier.
        if slot.index() >= keys.len() {
            return;
        }
        let (key, OfKey { line, contents }) = keys.at(slot);
        let Some(now) = line.due.take_if(|due| before(*due) == time) else { return };
        let gap = session.gap(key);
        lines.sift(line, |run| {
            if !run.has_fired && run.due(gap, lateness.allowed) <= now {
                tally.results += 1;
                let kind = if run.results == 0 { ResultKind::OnTime } else { ResultKind::Correction };
                let value = aggregate.finish(contents.acc(memory, &run.sum, aggregate, run.bounds()));
                out.emit(session.result((key, gap), run, value, kind, run.results));
                run.results += 1;
                run.has_fired = true;
            }
            let stays = run.due(gap, lateness.allowed) > now;
            if !stays {
                contents.leave(memory, &run.sum);
            }
            stays
        });
        contents.keep_from(memory, aggregate, || lines.iter(line).map(|run| run.first).last());
        if let Some(due) = lines.iter(line).map(|run| run.due(gap, lateness.allowed)).min() {
            line.due = Some(due);
            return timers.push(before(due), slot);
        }
        if keys.remove(slot).is_some() {
            // The last key has this number now.
            let (_, OfKey { line, .. }) = keys.at(slot);
            line.due.into_iter().for_each(|due| timers.push(before(due), slot));
        }
    }
}

/// The last instant before a time that is not the first.
fn before(time: Timestamp) -> Timestamp {
    Timestamp::from_nanos(time.as_nanos() - 1)
}

impl<G> Session<G> {
    /// What a session comes to of a key with this gap.
    fn result<T, K: Clone, R, S>(
        &self,
        (key, gap): (&K, i64),
        run: &Run<S>,
        value: R,
        kind: ResultKind,
        number: u32,
    ) -> Record<Windowed<K, T, R>> {
        let end = run.end(gap);
        let window = TimeWindow { start: Timestamp::from_nanos(run.first), end: Timestamp::from_nanos(end) };
        let time = self.resolution().passes(end - 1);
        let key = key.clone();
        Record { time, value: Windowed::Result(WindowResult { window, key, value, kind, number }) }
    }
}

/// The clone has seen nothing: it serves another instance.
impl<T, K, A, G> Clone for SessionFold<K, A, T, G>
where
    K: Hash + Eq + Clone + 'static,
    A: Aggregate<T> + Clone,
    G: Gaps<K> + Clone,
{
    fn clone(&self) -> Self {
        Self {
            lateness: self.lateness,
            ..Self::new(self.session.clone(), self.aggregate.clone(), self.limits)
        }
    }
}

impl<T, K, A, G> Operator<Keyed<K, T>> for SessionFold<K, A, T, G>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    A: Aggregate<T>,
    G: Gaps<K>,
{
    type Out = Windowed<K, T, A::Out>;

    #[inline]
    fn on_record(&mut self, record: Record<Keyed<K, T>>, out: &mut impl Emit<Self::Out>) {
        let number = ContentsOf::<A, T>::number(&mut self.memory);
        if self.is_full() {
            self.add_to_known(number, record, out);
        } else if Watermark::at(record.time) < self.judge {
            let Record { time, value } = record;
            self.behind.hold(self.judge, Record { time, value: (number, value) });
        } else {
            self.add(number, record, out);
        }
    }

    /// Fires the sessions that have ended, in the order in which they end.
    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl Emit<Self::Out>) -> Step {
        let watermark = self.session.resolution().seen(watermark);
        let mut budget = Budget::new();
        loop {
            let next = self.behind.until().filter(|until| *until < watermark);
            if self.fire_until(next.unwrap_or(watermark), &mut budget, out) == Step::More {
                return Step::More;
            }
            if next.is_none() {
                self.judge = self.judge.max(self.passed);
                return Step::Done;
            }
            if !out.has_room() || budget.is_spent() {
                return Step::More;
            }
            let Record { time, value: (number, value) } =
                self.behind.release().expect("one is held until then");
            self.add_behind(number, Record { time, value }, out);
        }
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.judge = self.session.resolution().seen(watermark).max(self.passed);
    }

    fn connect(&mut self, supplies: &mut impl Supplies) {
        self.keys.connect(supplies);
        self.lines.connect(supplies);
        ContentsOf::<A, T>::connect(&mut self.memory, supplies);
        self.timers.connect(supplies);
        self.behind.connect(supplies);
    }

    fn prepare(&mut self, records: usize) -> Prepared {
        // What is held may all be added before it is asked again.
        let added = records + self.behind.len();
        let state = self.keys.prepare(added).and(self.lines.prepare(added)).and(self.timers.prepare(added));
        let contents = ContentsOf::<A, T>::prepare(&mut self.memory, added);
        state.and(contents).and(self.behind.prepare(records))
    }

    fn fault(&self) -> Option<Fault> {
        self.fault.or(self.keys.fault())
    }

    fn tally(&self) -> Tally {
        Tally { held: self.held() as u64, ..self.tally }
    }
}
