mod firing;
mod recent;

use std::{collections::VecDeque, hash::Hash, iter, marker::PhantomData, mem};

use nacreous_watermark::{Span, Timestamp, Watermark};

use super::{
    Lateness, ResultKind, Slicing, Sliding, TimeWindow, Windowed,
    held::Held,
    slicing::SliceNumber,
    tables::{InUse, Tables},
    whole::{Extent, Whole},
};
use crate::{
    Aggregate, Algebra, Emit, Fault, KeyLimits, Keyed, Operator, Prepared, Record, Step, Supplies, Tally,
    algorithm::Algorithm,
    queue::{Combine, Queue},
    state::{KeyTable, Stopped},
};
use firing::Firing;
use recent::Recent;

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
/// A record: one look-up of its key in its slice, which leads to its accumulator; a search among the open slices where it
/// does not lie in the same slice as the record before. A record behind the watermark: a look-up and the algorithm's cost, once for
/// each window that it corrects. A closing window of one slice: nothing but its results; of several:
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
    /// Tables of slices that are not in use.
    tables: Tables<K, A::Acc>,
    /// What the keys of windows come to, of slices not all of whose windows are open.
    whole: Whole<K, A::Acc, QueueOf<A, T>>,
    /// At most so many keys that the window fired last did not have will be in the next.
    fresh: usize,
    /// What the watermark leaves.
    closing: Closing,
    /// What the records that come are judged by, and what it leaves.
    own: (Watermark, Closing),
    held: Held<Keyed<K, T>>,
    firing: Firing<K, A::Acc>,
    fault: Option<Fault>,
    tally: Tally,
    values: PhantomData<fn(T)>,
}

/// What a watermark leaves of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Closing {
    /// The number of the first window that is open: all before it have fired.
    open_from: i64,
    /// The number of the first window that is kept: all before it are closed for good.
    kept_from: i64,
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
}

impl<K, A> InUse<K, A> for Used<'_, K, A> {
    fn slices(&self) -> usize {
        self.slices.len()
    }

    fn tables<'a>(&'a mut self) -> impl Iterator<Item = &'a mut KeyTable<K, A>>
    where
        K: 'a,
        A: 'a,
    {
        iter::once(&mut *self.recent).chain(self.slices.iter_mut().map(|slice| &mut slice.table))
    }
}

/// Where a record goes.
enum Place {
    /// To the recent slice.
    Recent,
    /// Not to a slice, as not all of its windows are open.
    Behind,
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

/// There is memory for so many corrections of each record in a batch, should all be late; more may cost the allocator's time.
const CORRECTED_MAX: usize = 16;

/// Spare tables kept while few slices are open: tumbling windows begin one at a time.
const SPARE_MIN: usize = 2;

impl<T, K: Hash + Eq + Clone + 'static, A: Aggregate<T>, W: Slicing> WindowFold<K, A, T, W> {
    /// An operator that has seen nothing yet, for a usual number of keys.
    pub fn new(windows: W, aggregate: A) -> Self {
        let limits = KeyLimits::default();
        let zero = Timestamp::from_nanos(0);
        Self {
            windows,
            lateness: Lateness::default(),
            aggregate,
            slices: VecDeque::with_capacity(64),
            recent: Recent::none(),
            tables: Tables::new(limits, SPARE_MIN),
            whole: Whole::new(limits),
            fresh: 0,
            closing: Closing::NONE,
            own: (Watermark::MIN, Closing::NONE),
            held: Held::new(),
            firing: Firing {
                window: TimeWindow { start: zero, end: zero },
                extent: Extent::NOTHING,
                table: KeyTable::absent(),
            },
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

    /// For how many windows that a record corrects there is to be memory.
    fn corrected(&self) -> usize {
        if self.lateness.allowed == 0 {
            return 0;
        }
        let zero = Timestamp::from_nanos(0);
        let (first, last) = self.windows.windows_over(self.windows.slice_at(zero));
        let Closing { open_from, kept_from } = self.closing_at(Watermark::at(zero));
        let most = last.abs_diff(first).min(open_from.abs_diff(kept_from)).saturating_add(1);
        usize::try_from(most).map_or(CORRECTED_MAX, |most| most.min(CORRECTED_MAX))
    }

    /// What a watermark leaves of the windows.
    fn closing_at(&self, watermark: Watermark) -> Closing {
        let open_from = self.windows.first_open(watermark);
        if self.lateness.allowed == 0 || watermark.is_end() {
            return Closing { open_from, kept_from: open_from };
        }
        let kept = Timestamp::from_nanos(watermark.time().as_nanos().saturating_sub(self.lateness.allowed));
        Closing { open_from, kept_from: self.windows.first_open(Watermark::at(kept)) }
    }

    /// Puts the recent slice's table back in its place.
    fn leave_recent(&mut self) {
        if let Some(index) = self.recent.index.take() {
            self.tables.note(self.recent.table.len());
            mem::swap(&mut self.recent.table, &mut self.slices[index].table);
            self.recent.length = 0;
            self.tally.on_time += mem::take(&mut self.recent.records);
        }
    }

    /// Makes the slice of `time` the recent one, if all of its windows are open; the number of windows missed if they are
    /// all closed.
    #[inline(never)]
    fn turn_to(&mut self, time: Timestamp) -> Result<Place, u64> {
        self.leave_recent();
        let (_, own) = self.own;
        let Closing { open_from, kept_from } = own.max(self.closing);
        if let Some(index) = self.open_at(time, open_from) {
            self.make_recent(index);
            return Ok(Place::Recent);
        }
        let number = self.windows.slice_at(time);
        let (first, last) = self.windows.windows_over(number);
        if last < kept_from {
            return Err((last.abs_diff(first)).saturating_add(1));
        }
        if first < open_from {
            return Ok(Place::Behind);
        }
        let index = match self.slices.binary_search_by_key(&number, |slice| slice.number) {
            Ok(index) => index,
            Err(index) => {
                let table = self.tables.take(self.slices.len());
                let (start, length) = self.windows.extent(number);
                self.slices.insert(index, Slice { number, start, length, first, table });
                index
            }
        };
        self.make_recent(index);
        Ok(Place::Recent)
    }

    /// The slice of `time`, if there is one and all of its windows are open from this one on. Sought by what is known of the slices:
    /// to compute its number takes divisions.
    #[inline]
    fn open_at(&self, time: Timestamp, open_from: i64) -> Option<usize> {
        let time = time.as_nanos();
        let index = self.slices.partition_point(|slice| slice.start <= time).checked_sub(1)?;
        let Slice { start, length, first, .. } = &self.slices[index];
        let is_within = time.wrapping_sub(*start).cast_unsigned() < *length;
        (is_within && *first >= open_from).then_some(index)
    }

    /// Takes a slice's table. There is no recent one.
    #[inline]
    fn make_recent(&mut self, index: usize) {
        let Self { recent, slices, .. } = self;
        let slice = &mut slices[index];
        (recent.start, recent.length, recent.index) = (slice.start, slice.length, Some(index));
        // The one in its place is absent until it is put back.
        mem::swap(&mut recent.table, &mut slice.table);
    }

    /// Takes a record not all of whose windows are open, or holds it until those that are closed for its own input are for all.
    #[cold]
    #[inline(never)]
    fn take_behind(&mut self, record: Record<Keyed<K, T>>, out: &mut impl Emit<Windowed<K, T, A::Out>>) {
        let (watermark, own) = self.own;
        if own.max(self.closing) == self.closing {
            self.correct(record, out);
        } else {
            self.held.hold(watermark, record);
        }
    }

    /// Adds a record to those of its windows that are kept, and says what becomes of those that have fired.
    fn correct(&mut self, record: Record<Keyed<K, T>>, out: &mut impl Emit<Windowed<K, T, A::Out>>) {
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
    fn begin(&mut self, key: K, value: &T, time: Timestamp, stopped: Stopped) {
        let begun = self.aggregate.lift(value, time);
        if self.recent.table.len() < self.tables.limits().most {
            match self.recent.table.insert_in_base(stopped, key, begun) {
                Ok(()) => {
                    self.recent.records += 1;
                    self.fresh += 1;
                }
                Err((key, begun)) => self.begin_elsewhere(key, value, time, begun),
            }
        } else {
            self.begin_elsewhere(key, value, time, begun);
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

impl Closing {
    const NONE: Self = Self { open_from: i64::MIN, kept_from: i64::MIN };

    /// What both leave.
    fn max(self, other: Self) -> Self {
        Self {
            open_from: self.open_from.max(other.open_from),
            kept_from: self.kept_from.max(other.kept_from),
        }
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
            Err(stopped) => return self.begin(key, &value, time, stopped),
        }
        self.recent.records += 1;
    }

    #[inline(always)]
    fn on_records(
        &mut self,
        mut records: impl Iterator<Item = Record<Keyed<K, T>>>,
        out: &mut impl Emit<Self::Out>,
    ) {
        while let Some((record, stopped)) = self.recent.add_known(&self.aggregate, &mut records) {
            match stopped {
                Some(stopped) => self.begin(record.value.key, &record.value.value, record.time, stopped),
                None => self.on_record(record, out),
            }
        }
    }

    /// Fires the windows that end at or before the watermark, oldest first; records that were held are taken up in between, when
    /// it has come as far as that of their own input.
    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl Emit<Self::Out>) -> Step {
        self.leave_recent();
        loop {
            let next = self.held.until().filter(|until| *until <= watermark);
            if self.fire_until(next.unwrap_or(watermark), out) == Step::More {
                return Step::More;
            }
            if next.is_none() {
                return Step::Done;
            }
            if !out.has_room() {
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
        let Self { slices, recent: Recent { table: recent, .. }, .. } = self;
        self.tables.note(recent.len());
        let tables = self.tables.prepare(records, Used { slices, recent });
        if self.fires_slices() {
            return tables;
        }
        // All are asked, so that none is late for want of another.
        tables.and(self.whole.prepare(records, self.fresh, self.corrected())).and(self.held.prepare(records))
    }

    fn fault(&self) -> Option<Fault> {
        self.fault
    }

    fn tally(&self) -> Tally {
        Tally { on_time: self.tally.on_time + self.recent.records, ..self.tally }
    }
}

#[cfg(test)]
mod tests;
