//! Windows of aggregates that do not commute: records stand in order of event time, each by itself.

mod firing;

use std::{hash::Hash, ops::Bound};

use nacreous_watermark::{Span, Timestamp, Watermark};

use super::{
    Lateness, ResultKind, Slicing, Sliding, TimeWindow, Windowed,
    budget::Budget,
    closing::{Closing, corrected},
    held::Held,
    holdings::Holdings,
    ordering::joined,
    refusal::refuse,
};
use crate::{
    Aggregate, Emit, Fault, KeyLimits, Keyed, KeyedState, Operator, Prepared, Record, Step, Supplies, Tally,
    finger_tree::{FingerNodes, FingerTree},
    key::SlotNumber,
    state::TimerQueue,
};

/// Aggregates the records of each key over windows of event time, in order of event time; those of one instant in the order in
/// which they come.
///
/// It is right for any [`Aggregate`], and needed for those that do not commute. What is late, what is held behind a merge, and what
/// results there are is as [`WindowFold`](super::WindowFold) says.
///
/// # Cost
/// A record: a look-up of its key, and an insertion into the key's [`FingerTree`], which takes about as long as the logarithm of how
/// many records of the key it comes before or behind, whichever are fewer. A closing window: for each key with records in it, and for
/// no other, a search in its tree and a number of comparisons that grows with the logarithm of the keys. Windows without records
/// cost nothing. A record behind the watermark: two searches for each window that it corrects.
///
/// Memory: each key that has records in a window that is open, or kept: a node for seven of them, with their accumulators and 24 bytes
/// each, and further ones, nearly half full at least. It grows ahead of need if [`prepare`](Operator::prepare) is called and heeded.
/// Of accumulators that hold memory of their own, this goes back when a node is used again.
pub struct OrderedFold<K, A: Aggregate<T>, T, W = Sliding> {
    windows: W,
    lateness: Lateness,
    limits: KeyLimits,
    aggregate: A,
    /// The keys that have records in windows that are open, or kept.
    keys: KeyedState<K, Line>,
    records: FingerNodes<Position, A::Acc>,
    /// By the number of the window, how many results it has had, if it has been corrected.
    results: FingerNodes<i64, u32>,
    /// The keys by the number of the next window that fires for them; which stands for a time.
    firing: TimerQueue,
    /// Taken from those before there was room for what comes of it.
    due: Option<(i64, SlotNumber)>,
    /// If windows are kept, the keys by the number of the last window that their first record lies in.
    leaving: TimerQueue,
    /// The slice that the last record came to, if all its windows are open.
    recent: Recent,
    /// How many records have come.
    came: u64,
    /// What the watermark leaves.
    closing: Closing,
    /// What the records that come are judged by, and what it leaves.
    own: (Watermark, Closing),
    held: Held<(u64, Keyed<K, T>)>,
    /// How many records have their place, by the last window that each lies in.
    placed: Holdings,
    fault: Option<Fault>,
    tally: Tally,
}

/// Where a record stands: its time, and how many came before it.
type Position = (Timestamp, u64);

/// The records of a key.
#[derive(Default)]
struct Line {
    records: FingerTree,
    results: FingerTree,
    /// The number of the next window that fires for it.
    fires: Option<i64>,
    /// If windows are kept, the number of the last window that its first record lies in.
    leaves: Option<i64>,
}

/// A slice, and the windows that it lies in.
struct Recent {
    start: i64,
    /// In nanoseconds; zero if there is no recent slice.
    length: u64,
    windows: Over,
}

/// The numbers of the first and the last window that a record lies in.
type Over = (i64, i64);

/// What is to be done with a record.
enum Judged {
    /// All its windows are open.
    Open(Over),
    /// Not all are.
    Behind,
    /// None is kept; there would have been so many.
    Late(u64),
}

impl Recent {
    const NONE: Self = Self { start: 0, length: 0, windows: (0, 0) };

    #[inline]
    fn contains(&self, time: Timestamp) -> bool {
        time.as_nanos().wrapping_sub(self.start).cast_unsigned() < self.length
    }
}

/// The later count.
fn later(_: &u32, count: &u32) -> u32 {
    *count
}

/// The first position in a window and those after it; none if they lie beyond the end of time.
fn begins(windows: &impl Slicing, window: i64) -> Option<Position> {
    let start = windows.window(window).start;
    let is_beyond = start == Timestamp::MAX && windows.windows_over(windows.slice_at(start)).1 < window;
    (!is_beyond).then_some((start, 0))
}

/// The positions in a window. One that is cut where time ends has that last instant, too.
fn extent(windows: &impl Slicing, window: i64) -> (Bound<Position>, Bound<Position>) {
    let TimeWindow { start, end } = windows.window(window);
    let has_last = end == Timestamp::MAX && {
        let (first, last) = windows.windows_over(windows.slice_at(end));
        (first..=last).contains(&window)
    };
    let end = if has_last { Bound::Unbounded } else { Bound::Excluded((end, 0)) };
    (Bound::Included((start, 0)), end)
}

impl<T, K: Hash + Eq + Clone + 'static, A: Aggregate<T>, W: Slicing> OrderedFold<K, A, T, W> {
    /// An operator that has seen nothing yet. A key counts while it has records in a window that is open, or kept.
    pub fn new(windows: W, aggregate: A, limits: KeyLimits) -> Self {
        Self {
            windows,
            lateness: Lateness::default(),
            limits,
            aggregate,
            keys: KeyedState::new(limits),
            records: FingerNodes::new(),
            results: FingerNodes::new(),
            firing: TimerQueue::new(),
            due: None,
            leaving: TimerQueue::new(),
            recent: Recent::NONE,
            came: 0,
            closing: Closing::NONE,
            own: (Watermark::MIN, Closing::NONE),
            held: Held::new(),
            placed: Holdings::new(),
            fault: None,
            tally: Tally::default(),
        }
    }

    /// The same with windows that are kept for so long after they have fired. If it `retracts`, a correction is preceded by what
    /// it corrects.
    #[must_use]
    pub fn with_lateness(self, allowed: Span, retracts: bool) -> Self {
        Self { lateness: Lateness { allowed: allowed.as_nanos(), retracts }, ..self }
    }

    /// What becomes of a record that is not of the recent slice. If all its windows are open, its slice is that from now on.
    fn judge(&mut self, time: Timestamp) -> Judged {
        self.recent = Recent::NONE;
        let (_, own) = self.own;
        let Closing { open_from, kept_from } = own.max(self.closing);
        let slice = self.windows.slice_at(time);
        let over @ (first, last) = self.windows.windows_over(slice);
        if last < kept_from {
            return Judged::Late(last.abs_diff(first).saturating_add(1));
        }
        if first < open_from {
            return Judged::Behind;
        }
        let (start, length) = self.windows.extent(slice);
        self.recent = Recent { start, length, windows: over };
        Judged::Open(over)
    }

    /// Puts a record of the key with this number in its place.
    #[inline]
    fn put(&mut self, slot: SlotNumber, position: Position, (first, last): Over, acc: A::Acc) {
        let Self { aggregate, keys, records, firing, leaving, closing, tally, .. } = self;
        let (_, line) = keys.at(slot);
        tally.on_time += 1;
        self.placed.note(last, 1);
        line.records.insert(records, position, acc, joined(aggregate));
        let fires = first.max(closing.open_from);
        if fires <= last && line.fires.is_none_or(|before| fires < before) {
            line.fires = Some(fires);
            firing.push(Timestamp::from_nanos(fires), slot);
        }
        if self.lateness.allowed > 0 && line.leaves.is_none_or(|before| last < before) {
            line.leaves = Some(last);
            leaving.push(Timestamp::from_nanos(last), slot);
        }
    }

    /// How many records there are, in their places or waiting.
    #[inline]
    fn records(&self) -> usize {
        self.placed.all() + self.held.len()
    }

    /// Whether there may not be one more.
    #[inline]
    fn is_full(&self) -> bool {
        self.records() >= self.limits.held.most
    }

    /// Does not take a record for which there may be no memory.
    fn refuse(&mut self, record: Record<Keyed<K, T>>, out: &mut impl Emit<Windowed<K, T, A::Out>>) {
        refuse(self.limits.held, record, (&mut self.fault, &mut self.tally), out);
    }

    /// Takes a record not all of whose windows are open, or holds it until those that are closed for its own input are for all.
    #[cold]
    #[inline(never)]
    fn take_behind(
        &mut self,
        number: u64,
        record: Record<Keyed<K, T>>,
        out: &mut impl Emit<Windowed<K, T, A::Out>>,
    ) {
        let (watermark, own) = self.own;
        if own.max(self.closing) == self.closing {
            self.correct(number, record, out);
        } else if self.is_full() {
            self.refuse(record, out);
        } else {
            let Record { time, value } = record;
            self.held.hold(watermark, Record { time, value: (number, value) });
        }
    }

    /// Puts a record in its place in those of its windows that are kept, and says what becomes of those that have fired.
    fn correct(
        &mut self,
        number: u64,
        record: Record<Keyed<K, T>>,
        out: &mut impl Emit<Windowed<K, T, A::Out>>,
    ) {
        if self.is_full() {
            return self.refuse(record, out);
        }
        let Record { time, value: Keyed { key, value } } = record;
        // A key beyond those allowed is a fault.
        let Some(slot) = self.keys.intern(key, Line::default) else { return };
        let (first, last) = self.windows.windows_over(self.windows.slice_at(time));
        let Closing { open_from, kept_from } = self.closing;
        let (position, acc) = ((time, number), self.aggregate.lift(&value, time));
        let from = first.max(kept_from);
        self.tally.missed_windows = self.tally.missed_windows.saturating_add(from.abs_diff(first));
        for window in from..=last.min(open_from - 1) {
            self.correct_window(window, slot, position, &acc, out);
        }
        self.put(slot, position, (first, last), acc);
    }

    /// Says what a window that has fired comes to with one more record, which is not in its place yet.
    fn correct_window(
        &mut self,
        window: i64,
        slot: SlotNumber,
        position: Position,
        acc: &A::Acc,
        out: &mut impl Emit<Windowed<K, T, A::Out>>,
    ) {
        let Self { windows, lateness, aggregate, keys, records, results, tally, .. } = self;
        let (key, line) = keys.at(slot);
        let by = joined(aggregate);
        let (start, end) = extent(windows, window);
        let fore = line.records.range(records, (start, Bound::Excluded(position)), &by);
        let hind = line.records.range(records, (Bound::Excluded(position), end), &by);
        let had = fore.is_some() || hind.is_some();
        let count = line.results.get(results, window).copied().unwrap_or(had.into());
        line.results.insert(results, window, count + 1, later);
        let mut emit = |acc, kind, count| {
            tally.results += 1;
            out.emit(windows.window(window).result(key.clone(), aggregate.finish(acc), kind, count));
        };
        let with_hind = |acc: A::Acc| hind.as_ref().map_or_else(|| acc.clone(), |hind| by(&acc, hind));
        if lateness.retracts
            && let Some(before) = fore.clone().map(with_hind).or_else(|| hind.clone())
        {
            emit(before, ResultKind::Retraction, count - 1);
        }
        let after = fore.as_ref().map_or_else(|| acc.clone(), |fore| by(fore, acc));
        emit(with_hind(after), ResultKind::Correction, count);
    }
}

/// The clone has the same windows, aggregate and limits and has seen nothing: it serves another instance.
impl<T, K, A, W> Clone for OrderedFold<K, A, T, W>
where
    K: Hash + Eq + Clone + 'static,
    A: Aggregate<T> + Clone,
    W: Slicing,
{
    fn clone(&self) -> Self {
        let new = Self::new(self.windows.clone(), self.aggregate.clone(), self.limits);
        Self { lateness: self.lateness, ..new }
    }
}

impl<T, K, A, W> Operator<Keyed<K, T>> for OrderedFold<K, A, T, W>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    A: Aggregate<T>,
    W: Slicing,
{
    type Out = Windowed<K, T, A::Out>;

    #[inline]
    fn on_record(&mut self, record: Record<Keyed<K, T>>, out: &mut impl Emit<Self::Out>) {
        let number = self.came;
        self.came += 1;
        let time = record.time;
        let judged =
            if self.recent.contains(time) { Judged::Open(self.recent.windows) } else { self.judge(time) };
        match judged {
            Judged::Open(_) if self.is_full() => self.refuse(record, out),
            Judged::Open(over) => {
                let Keyed { key, value } = record.value;
                // A key beyond those allowed is a fault.
                let Some(slot) = self.keys.intern(key, Line::default) else { return };
                let acc = self.aggregate.lift(&value, time);
                self.put(slot, (time, number), over, acc);
            }
            Judged::Behind => self.take_behind(number, record, out),
            Judged::Late(missed) => {
                self.tally.late += 1;
                self.tally.missed_windows = self.tally.missed_windows.saturating_add(missed);
                out.emit(Record { time, value: Windowed::Late(record.value) });
            }
        }
    }

    /// Fires the windows that end at or before the watermark, oldest first; records that were held are taken up in between, when
    /// it has come as far as that of their own input.
    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl Emit<Self::Out>) -> Step {
        self.recent = Recent::NONE;
        let mut budget = Budget::new();
        loop {
            let next = self.held.until().filter(|until| *until <= watermark);
            if self.fire_until(next.unwrap_or(watermark), &mut budget, out) == Step::More {
                return Step::More;
            }
            if next.is_none() {
                return Step::Done;
            }
            if !out.has_room() || budget.is_spent() {
                return Step::More;
            }
            let Record { time, value: (number, value) } =
                self.held.release().expect("one is held until then");
            self.correct(number, Record { time, value }, out);
        }
    }

    fn judge_by(&mut self, watermark: Watermark) {
        let (before, closing_before) = self.own;
        if watermark != before {
            let closing = Closing::at(watermark, &self.windows, self.lateness);
            self.own = (watermark, closing);
            if closing != closing_before {
                self.recent = Recent::NONE;
            }
        }
    }

    fn connect(&mut self, supplies: &mut impl Supplies) {
        self.keys.connect(supplies);
        self.records.connect(supplies);
        self.results.connect(supplies);
        self.firing.connect(supplies);
        self.leaving.connect(supplies);
        self.held.connect(supplies);
    }

    fn prepare(&mut self, records: usize) -> Prepared {
        // What is held may all be taken up before it is asked again.
        let put = records + self.held.len();
        let state = self.keys.prepare(put).and(self.records.prepare(put)).and(self.firing.prepare(put));
        let corrected = put * corrected(&self.windows, self.lateness);
        let kept = if self.lateness.allowed == 0 { 0 } else { put };
        let kept = self.results.prepare(corrected).and(self.leaving.prepare(kept));
        state.and(kept).and(self.held.prepare(records))
    }

    fn fault(&self) -> Option<Fault> {
        self.fault.or(self.keys.fault())
    }

    fn tally(&self) -> Tally {
        Tally { held: self.records() as u64, ..self.tally }
    }
}

#[cfg(test)]
mod tests;
