//! Windows that are not made of slices, and early results of any.

mod cells;
mod firing;
#[cfg(test)]
mod tests;

use std::hash::Hash;

use nacreous_watermark::{Span, Timestamp, Watermark};

use super::{
    Assigner, Lateness, Order, ResultKind, TimeWindow, Trigger, Windowed, budget::Budget, held::Held,
    refusal::refuse, resolution::Resolution,
};
use crate::{
    Aggregate, Algebra, Emit, Fault, KeyLimits, Keyed, KeyedState, Operator, Prepared, Record, Step,
    Supplies, Tally,
    key::SlotNumber,
    pool::{Place, Pool},
    state::TimerQueue,
};
use cells::{Cells, Line};
use firing::{Looking, Teller};

/// Aggregates the records of each key over windows that an [`Assigner`] says, each by itself, with early results when a [`Trigger`]
/// says so.
///
/// Records are taken up in order of event time, those of one instant in the order in which they come, once the watermark has
/// passed them: so a trigger sees the same whatever order they come in. What goes off at an instant comes after the records before
/// that instant and before those at it.
///
/// A window that ends has a result on time if there are records that it has not let go of, whether or not an early one has said
/// the same. It may come a millisecond late, as watermarks are told apart no more finely than that.
///
/// A record behind the watermark counts in those of its windows that the watermark has not closed, or not for longer than the
/// [allowed lateness](Self::with_lateness); one that has none of these is late. It is taken up when the watermark moves on, after
/// all that the watermark has passed, the latest first. Windows that are closed say at once what they come to with it; for the
/// others it counts as if it were at the watermark.
///
/// Behind a merge, records are judged by the watermark of their own input, and wait for the others to come as far.
///
/// # Cost
/// A record: a number of comparisons that grows with the logarithm of those that wait, and a look-up of its key; for each of its
/// windows, twice, a search among the windows of the key from the newest on, and an addition. A result before the end or a window that
/// ends: a visit to each window of its key. Memory: the records that wait; each key with its windows that are open or kept, and an
/// accumulator for each of these, or two if what was said may be taken back. It grows ahead of need if
/// [`prepare`](Operator::prepare) is called and heeded; what may cost the allocator's time even so are records with more windows than
/// any before, or with more than sixteen that no other record of their keys lies in.
pub struct AssignedFold<K, A: Aggregate<T>, T, W, G: Trigger<T>> {
    windows: W,
    trigger: G,
    lateness: Lateness,
    limits: KeyLimits,
    aggregate: A,
    /// Where the line of a key is.
    keys: KeyedState<K, Place>,
    lines: Pool<Line>,
    cells: Cells<A::Acc, G::State>,
    /// When lines are to be looked at, by the numbers of their places.
    timers: TimerQueue,
    /// The line that is being looked at.
    looking: Option<Looking>,
    /// Records that the watermark has not passed, by time and then by how many came before them.
    order: TimerQueue<(u64, SlotNumber)>,
    waiting: Pool<Waiting<T>>,
    came: u64,
    /// Those behind the watermark, until all inputs have moved past it.
    behind: Held<Waiting<T>>,
    /// The most windows that a record has had.
    most: usize,
    /// The watermark that everything has been done for.
    passed: Watermark,
    /// What records are judged by.
    judge: Watermark,
    fault: Option<Fault>,
    tally: Tally,
}

/// A record's value, and where the line of its key is. The windows that it lies in have been begun.
struct Waiting<T> {
    line: Place,
    value: T,
}

/// There is memory for so many windows that each record of a batch begins; more may cost the allocator's time.
const BEGUN_MAX: usize = 16;

const RESOLUTION: Resolution = Resolution::USUAL;

/// Whether a record at this time may count in a window. (One that is cut off by the end of time has that instant, if no other.)
#[inline]
fn counts_in(window: TimeWindow, time: Timestamp) -> bool {
    window.last() >= window.start.max(time)
}

impl<T, K, A, W, G> AssignedFold<K, A, T, W, G>
where
    K: Hash + Eq + Clone + 'static,
    A: Aggregate<T>,
    W: Assigner<T>,
    G: Trigger<T>,
{
    /// An operator that has seen nothing yet. The aggregate must commute, as late records come behind others:
    ///
    /// ```compile_fail,E0080
    /// # use nacreous_operators::{Aggregate, AssignedFold, AtEnd, Global, KeyLimits, Monoid};
    /// # use nacreous_watermark::Timestamp;
    /// struct Latest;
    ///
    /// impl Aggregate<i64> for Latest {
    ///     type Acc = i64;
    ///     type Out = i64;
    ///     type Algebra = Monoid;
    /// #   fn lift(&self, value: &i64, _: Timestamp) -> i64 { *value }
    /// #   fn combine(&self, acc: &mut i64, later: &i64) { *acc = *later }
    /// #   fn finish(&self, acc: i64) -> i64 { acc }
    /// }
    ///
    /// AssignedFold::<u8, _, i64, _, _>::new(Global, AtEnd, Latest, KeyLimits::default());
    /// ```
    pub fn new(windows: W, trigger: G, aggregate: A, limits: KeyLimits) -> Self {
        const {
            assert!(
                <A::Algebra as Algebra<A, T>>::Order::IS_ANY,
                "early results, windows of all time and windows that a function says need an aggregate that commutes"
            );
        }
        Self {
            windows,
            trigger,
            lateness: Lateness::default(),
            limits,
            aggregate,
            keys: KeyedState::new(limits),
            lines: Pool::new(),
            cells: Cells::new(),
            timers: TimerQueue::new(),
            looking: None,
            order: TimerQueue::new(),
            waiting: Pool::new(),
            came: 0,
            behind: Held::new(),
            most: 1,
            passed: Watermark::MIN,
            judge: Watermark::MIN,
            fault: None,
            tally: Tally::default(),
        }
    }

    /// The same with windows that are kept for so long after they have ended. If it `retracts`, a result that says anew what an earlier
    /// one said, be that an early one or not, is preceded by what it said.
    #[must_use]
    pub fn with_lateness(self, allowed: Span, retracts: bool) -> Self {
        Self { lateness: Lateness { allowed: allowed.as_nanos(), retracts }, ..self }
    }

    /// Begins the windows of a record that is taken up at `now`, where they are not there; where its line is. The key is given back
    /// if it has no window that is kept until then. None if it is one more than allowed.
    #[inline]
    fn admit(&mut self, key: K, value: &T, time: Timestamp, now: Timestamp) -> Result<Option<Place>, K> {
        let Self { windows, lateness, keys, lines, cells, timers, most, passed, tally, .. } = self;
        let allowed = lateness.allowed;
        let mut named = 0;
        let windows = windows.windows(value, time).filter(|window| counts_in(*window, time));
        let kept = windows.inspect(|_| named += 1).filter(|window| window.kept_until(allowed) >= now);
        let mut kept = kept.peekable();
        if kept.peek().is_none() {
            drop(kept);
            tally.missed_windows += named as u64;
            return Err(key);
        }
        let Some((slot, _, place)) = keys.entry(key, || lines.insert(Line::new())) else { return Ok(None) };
        let place = *place;
        let line = lines.get_mut(place);
        line.slot = slot;
        let (mut last, mut count) = (None, 0);
        let mut due = line.due;
        for window in kept {
            let cell = cells.seek(line, last, window, passed.time());
            let at = cells.get_mut(cell).due(allowed);
            due = Some(due.map_or(at, |due| due.min(at)));
            last = Some(cell);
            count += 1;
        }
        tally.missed_windows += (named - count) as u64;
        *most = named.max(*most);
        hasten(timers, line, place, due);
        Ok(Some(place))
    }

    /// How many windows of keys there are, and records that wait.
    fn held(&self) -> usize {
        self.cells.len() + self.waiting.len() + self.behind.len()
    }

    /// Whether there may not be what a record takes that has to wait and may begin each of its windows.
    #[inline]
    fn exceeds(&self, value: &T, time: Timestamp) -> bool {
        let most = self.limits.held.most;
        most < usize::MAX && {
            let windows = self.windows.windows(value, time).filter(|window| counts_in(*window, time));
            self.held() + windows.count() >= most
        }
    }

    /// Does not take a record for which there may be no memory.
    fn refuse(&mut self, record: Record<Keyed<K, T>>, out: &mut impl Emit<Windowed<K, T, A::Out>>) {
        refuse(self.limits.held, record, (&mut self.fault, &mut self.tally), out);
    }

    /// For how much there is memory.
    #[cfg(test)]
    fn room(&self) -> [usize; 5] {
        let [lines, waiting] = [self.lines.room().0, self.waiting.room().0];
        [lines, waiting, self.cells.room(), self.timers.room(), self.order.room()]
    }

    /// Adds a record to its windows, at an instant that everything before has been done for.
    fn take_up(
        &mut self,
        Record { time, value: Waiting { line: place, value } }: Record<Waiting<T>>,
        now: Timestamp,
        out: &mut impl Emit<Windowed<K, T, A::Out>>,
    ) {
        let Self { windows, trigger, lateness, aggregate, keys, lines, cells, timers, tally, .. } = self;
        let line = lines.get_mut(place);
        let (key, _) = keys.at(line.slot);
        tally.on_time += 1;
        let mut teller = Teller { key, aggregate: &*aggregate, retracts: lateness.retracts, tally, out };
        let (mut last, mut due) = (None, line.due);
        for window in windows.windows(&value, time).filter(|window| counts_in(*window, time)) {
            if window.kept_until(lateness.allowed) < now {
                continue;
            }
            let at = cells.seek(line, last, window, now);
            last = Some(at);
            let cell = cells.get_mut(at);
            match &mut cell.acc {
                Some(acc) => aggregate.add(acc, &value, time),
                none => *none = Some(aggregate.lift(&value, time)),
            }
            if cell.is_open {
                let verdict = trigger.on_record(&mut cell.trigger, &value, now);
                cell.alarm = trigger.alarm(&cell.trigger).filter(|alarm| now < *alarm && *alarm < window.end);
                teller.heed(cell, verdict, now);
            } else {
                teller.tell(cell, ResultKind::Correction, window.last());
            }
            let at = cell.due(lateness.allowed);
            due = Some(due.map_or(at, |due| due.min(at)));
        }
        hasten(timers, line, place, due);
    }
}

/// Has a line looked at by this time.
fn hasten(timers: &mut TimerQueue, line: &mut Line, place: Place, due: Option<Timestamp>) {
    if due != line.due {
        line.due = due;
        due.into_iter().for_each(|due| timers.push(due, SlotNumber::new(place.number())));
    }
}

/// The clone has seen nothing: it serves another instance.
impl<T, K, A, W, G> Clone for AssignedFold<K, A, T, W, G>
where
    K: Hash + Eq + Clone + 'static,
    A: Aggregate<T> + Clone,
    W: Assigner<T>,
    G: Trigger<T>,
{
    fn clone(&self) -> Self {
        let (windows, trigger) = (self.windows.clone(), self.trigger.clone());
        Self { lateness: self.lateness, ..Self::new(windows, trigger, self.aggregate.clone(), self.limits) }
    }
}

impl<T, K, A, W, G> Operator<Keyed<K, T>> for AssignedFold<K, A, T, W, G>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    A: Aggregate<T>,
    W: Assigner<T>,
    G: Trigger<T>,
{
    type Out = Windowed<K, T, A::Out>;

    fn on_record(&mut self, Record { time, value }: Record<Keyed<K, T>>, out: &mut impl Emit<Self::Out>) {
        let Keyed { key, value } = value;
        if self.exceeds(&value, time) {
            return self.refuse(Record { time, value: Keyed { key, value } }, out);
        }
        let is_behind = Watermark::at(time) < self.judge;
        let line = match self.admit(key, &value, time, if is_behind { self.judge.time() } else { time }) {
            Ok(Some(line)) => line,
            Ok(None) => return,
            Err(key) => {
                self.tally.late += 1;
                return out.emit(Record { time, value: Windowed::Late(Keyed { key, value }) });
            }
        };
        let value = Waiting { line, value };
        if is_behind {
            return self.behind.hold(self.judge, Record { time, value });
        }
        let place = self.waiting.insert(value);
        self.order.push(time, (self.came, SlotNumber::new(place.number())));
        self.came += 1;
    }

    /// Takes up the records that it has passed, and does what goes off between them; then those behind it.
    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl Emit<Self::Out>) -> Step {
        let watermark = RESOLUTION.seen(watermark);
        let mut budget = Budget::new();
        loop {
            let next = self.behind.until().filter(|until| *until < watermark);
            if self.pass(next.unwrap_or(watermark), &mut budget, out) == Step::More {
                return Step::More;
            }
            if next.is_none() {
                self.judge = self.judge.max(self.passed);
                return Step::Done;
            }
            if !out.has_room() || budget.is_spent() {
                return Step::More;
            }
            let record = self.behind.release().expect("one is held until then");
            self.take_up(record, self.passed.time(), out);
        }
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.judge = RESOLUTION.seen(watermark).max(self.passed);
    }

    fn connect(&mut self, supplies: &mut impl Supplies) {
        self.keys.connect(supplies);
        self.lines.connect(supplies);
        self.cells.connect(supplies);
        self.timers.connect(supplies);
        self.order.connect(supplies);
        self.waiting.connect(supplies);
        self.behind.connect(supplies);
    }

    fn prepare(&mut self, records: usize) -> Prepared {
        // A record may set a timer when it comes, and another when it is taken up.
        let timers = self.order.len() + self.behind.len() + 2 * records;
        let keys = self.keys.prepare(records).and(self.lines.prepare(records));
        // All are asked, so that none is late for want of another.
        let cells = self.cells.prepare(records * self.most.min(BEGUN_MAX));
        let timers = self.timers.prepare(timers);
        let waiting = self.order.prepare(records).and(self.waiting.prepare(records));
        keys.and(cells).and(timers).and(waiting).and(self.behind.prepare(records))
    }

    fn fault(&self) -> Option<Fault> {
        self.fault.or(self.keys.fault())
    }

    fn tally(&self) -> Tally {
        Tally { held: self.held() as u64, ..self.tally }
    }
}
