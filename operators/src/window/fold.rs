mod dispersal;
mod firing;
mod parts;
mod recent;
mod turning;

use std::{collections::VecDeque, hash::Hash, iter, marker::PhantomData};

use nacreous_watermark::{Span, Timestamp, Watermark};

use super::{
    Lateness, Order, ResultKind, Slicing, Sliding, Windowed,
    budget::Budget,
    closing::Closing,
    held::Held,
    refusal::refuse,
    slicing::SliceNumber,
    tables::{InUse, Tables},
    whole::Whole,
};
use crate::{
    Aggregate, Algebra, Emit, Fault, KeyLimits, Keyed, Operator, Prepared, Record, Step, Supplies, Tally,
    algorithm::Algorithm,
    queue::{Combine, Queue},
    state::{KeyTable, Stopped},
};
use dispersal::Dispersal;
use firing::Firing;
pub(super) use parts::Coming;
use recent::Recent;
use turning::Place;

/// The queue that an aggregate chooses.
pub(super) type QueueOf<A, T> =
    <<<A as Aggregate<T>>::Algebra as Algebra<A, T>>::Algorithm as Algorithm>::Queue<
        <A as Aggregate<T>>::Acc,
    >;

/// Aggregates the records of each key over windows of event time.
///
/// A record touches one accumulator, that of its key in its slice, until the first window closes that the slice lies in.
/// So disorder costs nothing but the memory of the slices still open. A window that closes is a slice itself, if windows do not
/// overlap; else it takes over what the one before came to, as the aggregate's [`Algorithm`] does that.
///
/// A record counts in each of its windows that the watermark, as it stood before the record, has not
/// closed. If that leaves none it is late and goes out whole as [`Windowed::Late`].
///
/// With [allowed lateness](Self::with_lateness), windows that have fired are kept for a while: a record behind the watermark
/// corrects each of its windows that is, at once.
///
/// Behind a merge, the watermark is that of the record's own input, as [`judge_by`](Operator::judge_by) brings it, and
/// the results are the same however the inputs were interleaved. (With allowed lateness the order of corrections is that in
/// which the records came, so what those between the first and the last come to may differ.) A record that is behind its own
/// watermark, where others are further behind, is held until they are not.
///
/// # Cost
/// A record: one look-up of its key in its slice, which leads to its accumulator. Where it does not lie in the same slice as the
/// record before, the slice is computed, and searched for among those open if they differ in length or some are missing. Where many
/// records come out of order that is done for each, as it takes less than a branch that cannot be foreseen. A record behind the
/// watermark: a look-up and the algorithm's cost, once for each window that it corrects. A closing window of one slice: nothing but its results; of several:
/// a look-up for each key in each slice that has come in, a visit to each key, and the algorithm's cost. Memory: each key with its
/// accumulator, in each slice that lies in an open window and has records of it; nothing is kept of a key without. It grows ahead
/// of need if [`prepare`](Operator::prepare) is called and heeded. What costs the allocator's time even so: more slices in one batch
/// than there are spare tables, of which there is one for each four slices open and two besides.
pub struct WindowFold<K, A: Aggregate<T>, T, W = Sliding> {
    windows: W,
    lateness: Lateness,
    aggregate: A,
    /// The slices that have records and whose windows are all open, in order of time.
    slices: VecDeque<Slice<K, A::Acc>>,
    /// The slice that the last record went to. Its table is here, and an absent one in its place.
    recent: Recent<K, A::Acc>,
    /// A slice's share of the longest time there is: 2⁶⁴ divided by its length.
    a_slice_in: u64,
    /// Tables of slices that are not in use.
    tables: Tables<K, A::Acc>,
    /// What the keys of windows come to, of slices not all of whose windows are open.
    whole: Whole<K, A::Acc, QueueOf<A, T>>,
    /// How many accumulators the slices have. At most so many keys that the window fired last did not have will be in the next.
    fresh: usize,
    /// What the watermark leaves.
    closing: Closing,
    /// What the records that come are judged by, and what it leaves.
    own: (Watermark, Closing),
    held: Held<Keyed<K, T>>,
    firing: Firing<K, A::Acc>,
    dispersal: Dispersal,
    fault: Option<Fault>,
    tally: Tally,
    values: PhantomData<fn(T)>,
}

/// Records of one slice.
struct Slice<K, A> {
    number: SliceNumber,
    /// Its first instant.
    start: i64,
    /// In nanoseconds.
    length: u64,
    /// The number of the first window over it.
    first: i64,
    /// What the records of each key come to.
    table: KeyTable<K, A>,
}

/// The tables of an operator, in use.
struct Used<'a, K, A> {
    slices: &'a mut VecDeque<Slice<K, A>>,
    recent: &'a mut KeyTable<K, A>,
    coming: usize,
}

impl<K, A> InUse<K, A> for Used<'_, K, A> {
    fn slices(&self) -> usize {
        self.slices.len()
    }

    fn coming(&self) -> usize {
        self.coming
    }

    fn tables<'a>(&'a mut self) -> impl Iterator<Item = &'a mut KeyTable<K, A>>
    where
        K: 'a,
        A: 'a,
    {
        iter::once(&mut *self.recent).chain(self.slices.iter_mut().map(|slice| &mut slice.table))
    }
}

/// An aggregate's way to combine.
struct By<'a, A, T>(&'a A, PhantomData<fn(T)>);

impl<T, A: Aggregate<T>> Combine<A::Acc> for By<'_, A, T> {
    #[inline(always)]
    fn combine(&self, acc: &mut A::Acc, other: &A::Acc) {
        self.0.combine(acc, other);
    }

    #[inline(always)]
    fn subtract(&self, acc: &mut A::Acc, other: &A::Acc) {
        A::Algebra::subtract(self.0, acc, other);
    }
}

fn by<A, T>(aggregate: &A) -> By<'_, A, T> {
    By(aggregate, PhantomData)
}

/// Spare tables kept while few slices are open: tumbling windows begin one at a time.
const SPARE_MIN: usize = 2;

impl<T, K: Hash + Eq + Clone + 'static, A: Aggregate<T>, W: Slicing> WindowFold<K, A, T, W> {
    /// An operator that has seen nothing yet, for a usual number of keys.
    ///
    /// # Panics
    /// If the aggregate does not commute: see [`OrderedFold`](super::OrderedFold).
    pub fn new(windows: W, aggregate: A) -> Self {
        let commutes = <A::Algebra as Algebra<A, T>>::Order::IS_ANY;
        assert!(
            commutes,
            "an aggregate that does not commute takes its records in order, with an `OrderedFold`"
        );
        let limits = KeyLimits::default();
        Self {
            windows,
            lateness: Lateness::default(),
            aggregate,
            slices: VecDeque::with_capacity(64),
            recent: Recent::none(),
            a_slice_in: 0,
            tables: Tables::new(limits, SPARE_MIN),
            whole: Whole::new(limits),
            fresh: 0,
            closing: Closing::NONE,
            own: (Watermark::MIN, Closing::NONE),
            held: Held::new(),
            firing: Firing::none(),
            dispersal: Dispersal::default(),
            fault: None,
            tally: Tally::default(),
            values: PhantomData,
        }
    }

    /// The same for so many keys in a window. It must not have seen anything yet.
    #[must_use]
    pub fn with_limits(self, limits: KeyLimits) -> Self {
        Self { tables: Tables::new(limits, SPARE_MIN), whole: Whole::new(limits), ..self }
    }

    /// The same with windows that are kept for so long after they have fired. If it `retracts`, a correction is preceded by what
    /// it corrects.
    ///
    /// # Panics
    /// If its queue does not keep slices of windows that have fired.
    #[must_use]
    pub fn with_lateness(self, allowed: Span, retracts: bool) -> Self {
        assert!(QueueOf::<A, T>::IS_FREE, "only a finger tree keeps windows that have fired");
        Self { lateness: Lateness { allowed: allowed.as_nanos(), retracts }, ..self }
    }

    /// Whether it keeps nothing of any record.
    #[cfg(test)]
    pub(super) fn holds_nothing(&self) -> bool {
        self.slices.is_empty() && self.whole.keys() == 0 && self.held.until().is_none()
    }

    /// Whether each window is a slice, and not needed any more once it has fired.
    fn fires_slices(&self) -> bool {
        self.windows.tumble() && self.lateness.allowed == 0
    }

    /// What a watermark leaves of the windows.
    fn closing_at(&self, watermark: Watermark) -> Closing {
        Closing::at(watermark, &self.windows, self.lateness)
    }

    /// Takes a record not all of whose windows are open, or holds it until those that are closed for its own input are for all.
    #[cold]
    #[inline(never)]
    fn take_behind(&mut self, record: Record<Keyed<K, T>>, out: &mut impl Emit<Windowed<K, T, A::Out>>) {
        let (watermark, own) = self.own;
        if own.max(self.closing) == self.closing {
            self.correct(record, out);
        } else if self.is_full() {
            self.refuse(record, out);
        } else {
            self.held.hold(watermark, record);
        }
    }

    /// How many records have been added.
    #[inline]
    fn added(&self) -> u64 {
        self.tally.on_time + self.recent.records
    }

    /// How many accumulators there are, and records that wait.
    #[inline]
    fn accumulators(&self) -> usize {
        self.fresh + self.whole.held() + self.held.len()
    }

    /// Whether there may not be one more.
    #[inline]
    fn is_full(&self) -> bool {
        self.accumulators() >= self.tables.limits().held.most
    }

    /// Does not take a record for which there may be no memory.
    fn refuse(&mut self, record: Record<Keyed<K, T>>, out: &mut impl Emit<Windowed<K, T, A::Out>>) {
        refuse(self.tables.limits().held, record, (&mut self.fault, &mut self.tally), out);
    }

    /// Adds a record to those of its windows that are kept, and says what becomes of those that have fired.
    fn correct(&mut self, record: Record<Keyed<K, T>>, out: &mut impl Emit<Windowed<K, T, A::Out>>) {
        if self.is_full() {
            return self.refuse(record, out);
        }
        let Record { time, value: Keyed { key, value } } = record;
        let number = self.windows.slice_at(time);
        let (first, last) = self.windows.windows_over(number);
        let Closing { open_from, kept_from } = self.closing;
        let from = first.max(kept_from);
        self.tally.on_time += 1;
        self.tally.missed_windows = self.tally.missed_windows.saturating_add(from.abs_diff(first));

        let Self { windows, lateness, aggregate, whole, tally, fault, .. } = self;
        let by = by::<A, T>(aggregate);
        let acc = aggregate.lift(&value, time);
        let fired = from..=last.min(open_from - 1);
        let slices = fired.map(|window| (window, windows.slices_in(window)));
        whole.correct((number.get(), &key), acc, slices, &by, fault, |window, before, after, count| {
            let window = windows.window(window);
            let mut emit = |value, kind, count| {
                tally.results += 1;
                out.emit(window.result(key.clone(), aggregate.finish(value), kind, count));
            };
            if let Some(before) = before.filter(|_| lateness.retracts) {
                emit(before, ResultKind::Retraction, count - 1);
            }
            emit(after, ResultKind::Correction, count);
        });
    }

    /// Begins the accumulator of a key that is new in the recent slice; or adds to it, if it is not among those expected.
    // Not cold: with many keys it is called for many records.
    #[inline(never)]
    fn begin(
        &mut self,
        record: Record<Keyed<K, T>>,
        stopped: Stopped,
        out: &mut impl Emit<Windowed<K, T, A::Out>>,
    ) {
        if self.is_full() {
            return self.add_to_known(record, out);
        }
        let Record { time, value: Keyed { key, value } } = record;
        let begun = self.aggregate.lift(&value, time);
        if self.recent.table.len() < self.tables.limits().most {
            match self.recent.table.insert_in_base(stopped, key, begun) {
                Ok(()) => {
                    self.recent.records += 1;
                    self.fresh += 1;
                }
                Err((key, begun)) => self.begin_elsewhere(key, &value, time, begun),
            }
        } else {
            self.begin_elsewhere(key, &value, time, begun);
        }
    }

    /// Adds to the accumulator of a key in the recent slice, if it has one: there may not be one more.
    #[cold]
    #[inline(never)]
    fn add_to_known(&mut self, record: Record<Keyed<K, T>>, out: &mut impl Emit<Windowed<K, T, A::Out>>) {
        let table = &mut self.recent.table;
        match table.find(&record.value.key) {
            Ok(slot) => {
                self.aggregate.add(&mut table.at_mut(slot).1, &record.value.value, record.time);
                self.recent.records += 1;
            }
            Err(_) => self.refuse(record, out),
        }
    }

    /// As [`begin`](Self::begin), wherever the key's entry is or goes.
    #[inline(never)]
    fn begin_elsewhere(&mut self, key: K, value: &T, time: Timestamp, begun: A::Acc) {
        let table = &mut self.recent.table;
        match table.find(&key) {
            Ok(slot) => self.aggregate.add(&mut table.at_mut(slot).1, value, time),
            Err(hash) => {
                if !self.tables.begin(table, (key, hash), begun, &mut self.fault) {
                    return;
                }
                self.fresh += 1;
            }
        }
        self.recent.records += 1;
    }

    #[cold]
    #[inline(never)]
    fn emit_late(
        &mut self,
        record: Record<Keyed<K, T>>,
        missed: u64,
        out: &mut impl Emit<Windowed<K, T, A::Out>>,
    ) {
        self.tally.late += 1;
        self.tally.missed_windows = self.tally.missed_windows.saturating_add(missed);
        out.emit(Record { time: record.time, value: Windowed::Late(record.value) });
    }
}

/// The clone has the same windows, aggregate and limits and has seen nothing: it serves another instance.
impl<T, K, A, W> Clone for WindowFold<K, A, T, W>
where
    K: Hash + Eq + Clone + 'static,
    A: Aggregate<T> + Clone,
    W: Slicing,
{
    fn clone(&self) -> Self {
        let new = Self::new(self.windows.clone(), self.aggregate.clone()).with_limits(self.tables.limits());
        Self { lateness: self.lateness, ..new }
    }
}

impl<T, K, A, W> Operator<Keyed<K, T>> for WindowFold<K, A, T, W>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    A: Aggregate<T>,
    W: Slicing,
{
    type Out = Windowed<K, T, A::Out>;

    // HOT(window.record)
    #[inline(always)]
    fn on_record(&mut self, record: Record<Keyed<K, T>>, out: &mut impl Emit<Self::Out>) {
        let Record { time, value: Keyed { key, value } } = record;
        if !self.recent.contains(time) {
            match self.turn_to(time) {
                Ok(Place::Recent) => {}
                Ok(Place::Behind) => {
                    return self.take_behind(Record { time, value: Keyed { key, value } }, out);
                }
                Err(missed) => {
                    return self.emit_late(Record { time, value: Keyed { key, value } }, missed, out);
                }
            }
        }
        match self.recent.table.base().value(&key) {
            Ok(acc) => self.aggregate.add(acc, &value, time),
            Err(stopped) => return self.begin(Record { time, value: Keyed { key, value } }, stopped, out),
        }
        self.recent.records += 1;
    }

    #[inline(always)]
    fn on_records(
        &mut self,
        mut records: impl Iterator<Item = Record<Keyed<K, T>>>,
        out: &mut impl Emit<Self::Out>,
    ) {
        let added_before = self.added();
        if self.dispersal.is_wide() && self.slices_are_open() {
            let mut others = 0;
            while let Some(record) = self.add_dispersed(&mut records) {
                self.on_record(record, out);
                others += 1;
            }
            return self.dispersal.wide(self.added() - added_before, others);
        }
        let (mut before, mut strays) = (self.recent.records, 0);
        while let Some((record, stopped)) = self.recent.add_known(&self.aggregate, &mut records) {
            let has_added = self.recent.records != before;
            // Where there is no recent slice, as after a watermark, there is none to stray from.
            strays += u64::from(stopped.is_none() && self.recent.index.is_some());
            match stopped {
                Some(stopped) => self.begin(record, stopped, out),
                None if has_added && self.add_aside(&record) => {}
                None => self.on_record(record, out),
            }
            before = self.recent.records;
        }
        self.dispersal.near(self.added() - added_before, strays);
    }

    /// Fires the windows that end at or before the watermark, oldest first; records that were held are taken up in between, when
    /// it has come as far as that of their own input.
    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl Emit<Self::Out>) -> Step {
        self.leave_recent();
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
            let record = self.held.release().expect("one is held until then");
            self.correct(record, out);
        }
    }

    fn judge_by(&mut self, watermark: Watermark) {
        let (before, closing_before) = self.own;
        if watermark != before {
            let closing = self.closing_at(watermark);
            self.own = (watermark, closing);
            if closing != closing_before {
                self.leave_recent();
            }
        }
    }

    fn connect(&mut self, supplies: &mut impl Supplies) {
        self.tables.connect(supplies);
        self.whole.connect(supplies);
        self.held.connect(supplies);
    }

    fn prepare(&mut self, records: usize) -> Prepared {
        self.prepare_for(records, Coming::NOTHING)
    }

    fn fault(&self) -> Option<Fault> {
        self.fault
    }

    fn tally(&self) -> Tally {
        Tally { on_time: self.added(), held: self.accumulators() as u64, ..self.tally }
    }
}

#[cfg(test)]
mod tests;
