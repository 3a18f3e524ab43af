use std::{collections::VecDeque, hash::Hash, iter, marker::PhantomData, mem};

use nacreous_watermark::{Timestamp, Watermark};

use super::{
    Sliding, TimeWindow, Windowed,
    sliding::SliceNumber,
    tables::{InUse, Tables},
    whole::Whole,
};
use crate::{
    Aggregate, Algebra, Emit, Fault, KeyLimits, Keyed, Operator, Prepared, Record, Step, Supplies, Tally,
    state::{KeyTable, Stopped},
};

/// Aggregates the records of each key over windows of event time.
///
/// A record touches one accumulator, that of its key in its slice; a window that closes combines the
/// slices it consists of. So disorder costs nothing but the memory of the slices still open. Of a
/// [`Group`](crate::Group), a window that closes takes over what the one before came to: it adds the slices that have come in,
/// and takes out those that have left. A record that comes to a slice which is in already is added to the window itself.
///
/// A record counts in each of its windows that the watermark, as it stood before the record, has not
/// closed. If that leaves none it is late and goes out whole as [`Windowed::Late`].
///
/// Behind a merge, the watermark is that of the record's own input, as [`judge_by`](Operator::judge_by) brings it, and
/// the results are the same however the inputs were interleaved.
///
/// # Cost
/// A record: one look-up of its key in its slice, which leads to its accumulator; a search among the open slices where it
/// does not lie in the same slice as the record before. A closing window of one slice: nothing but its results; of several:
/// a look-up for each key in each of its slices, or, of a group, in each that has come in or left. Memory: each key with its accumulator, in each open slice that has records
/// of it; nothing is kept of a key without records in an open window. It grows ahead of need if
/// [`prepare`](Operator::prepare) is called and heeded. What costs the allocator's time even so: more slices in one batch
/// than there are spare tables, of which there is one for each four slices open and two besides.
pub struct WindowFold<K, A: Aggregate<T>, T> {
    windows: Sliding,
    aggregate: A,
    /// The slices that have records and lie in an open window, in order of time.
    slices: VecDeque<Slice<K, A::Acc>>,
    /// The slice that the last record went to. Its table is here, and an absent one in its place.
    recent: Recent<K, A::Acc>,
    /// Tables of slices that are not in use.
    tables: Tables<K, A::Acc>,
    /// What the keys of a window of several slices come to.
    whole: Whole<K, A::Acc>,
    /// At most so many keys that the window fired last did not have will be in the next.
    fresh: usize,
    /// The number of the first window that has not fired: all windows before it are closed.
    open_from: i64,
    /// What the records that come are judged by, and the first window that it leaves open.
    own: (Watermark, i64),
    firing: Firing<K, A::Acc>,
    fault: Option<Fault>,
    tally: Tally,
    values: PhantomData<fn(T)>,
}

/// Records of one slice that count in the same windows.
///
/// An input that is ahead may have closed windows that have not fired yet, as the others hold them open. Its records do
/// not count in those, though those of other inputs in the same slice do: then the slice is here twice, in the order of
/// the first window in which its records count.
struct Slice<K, A> {
    number: SliceNumber,
    /// The number of the first window over it.
    first: i64,
    /// The numbers of the first and the last window in which its records count.
    windows: (i64, i64),
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

/// What the hot path needs of a slice, so that records near each other in time skip the search for it.
struct Recent<K, A> {
    start: i64,
    /// In nanoseconds; zero if there is no recent slice.
    length: u64,
    /// Where its table is to go back to.
    index: Option<usize>,
    /// How many of the slice's windows are closed already to its records.
    missed: u64,
    /// How many records it has taken since it became the recent one.
    records: u64,
    table: KeyTable<K, A>,
}

impl<K, A> Recent<K, A> {
    #[inline(always)]
    fn contains(&self, time: Timestamp) -> bool {
        time.as_nanos().wrapping_sub(self.start).cast_unsigned() < self.length
    }
}

impl<K: Hash + Eq + 'static, Acc> Recent<K, Acc> {
    /// Adds records to the accumulators of their keys; comes back with the first that is of another slice, or whose key
    /// is not known, and then with where the search for the key has stopped.
    // HOT(window.records)
    #[inline(always)]
    fn add_known<T, A: Aggregate<T, Acc = Acc>>(
        &mut self,
        aggregate: &A,
        records: &mut impl Iterator<Item = Record<Keyed<K, T>>>,
    ) -> Option<(Record<Keyed<K, T>>, Option<Stopped>)> {
        // All of it in variables of its own, which the compiler can keep in registers.
        let (start, length) = (self.start, self.length);
        let mut base = self.table.base();
        let mut added = 0;
        let rest = 'all: loop {
            // A loop of its own for small integers, which takes little: the compiler finds that hard to see.
            let record = loop {
                let Some(record) = records.next() else { break 'all None };
                if record.time.as_nanos().wrapping_sub(start).cast_unsigned() >= length {
                    break 'all Some((record, None));
                }
                let Some(acc) = base.value_of_small(&record.value.key) else { break record };
                aggregate.add(acc, &record.value.value, record.time);
                added += 1;
            };
            match base.value_of_other(&record.value.key) {
                Ok(acc) => aggregate.add(acc, &record.value.value, record.time),
                Err(stopped) => break Some((record, Some(stopped))),
            }
            added += 1;
        };
        self.records += added;
        rest
    }
}

/// The window being emitted, which may take several calls if the output is narrow.
struct Firing<K, A> {
    window: TimeWindow,
    /// The keys and accumulators of a window of one slice; taken out one by one, so that the table is empty in the end.
    table: KeyTable<K, A>,
}

/// Where a record goes.
enum Place {
    /// To the recent slice.
    Recent,
    /// To a slice that is in the window that is kept, until after the one of the first number. So many of its windows are closed
    /// already.
    Entered(i64, u64),
}

/// Spare tables kept while few slices are open: tumbling windows begin one at a time.
const SPARE_MIN: usize = 2;

impl<T, K: Hash + Eq + Clone + 'static, A: Aggregate<T>> WindowFold<K, A, T> {
    /// An operator that has seen nothing yet, for a usual number of keys.
    pub fn new(windows: Sliding, aggregate: A) -> Self {
        let limits = KeyLimits::default();
        let zero = Timestamp::from_nanos(0);
        let table = KeyTable::absent();
        Self {
            windows,
            aggregate,
            slices: VecDeque::with_capacity(64),
            recent: Recent { start: 0, length: 0, index: None, missed: 0, records: 0, table },
            tables: Tables::new(limits, SPARE_MIN),
            whole: Whole::new(limits),
            fresh: 0,
            open_from: i64::MIN,
            own: (Watermark::MIN, i64::MIN),
            firing: Firing { window: TimeWindow { start: zero, end: zero }, table: KeyTable::absent() },
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

    /// Whether a window takes over what the one before came to.
    const CARRIES_OVER: bool = A::Algebra::CAN_SUBTRACT;

    /// Puts the recent slice's table back in its place.
    fn leave_recent(&mut self) {
        if let Some(index) = self.recent.index.take() {
            self.tables.note(self.recent.table.len());
            mem::swap(&mut self.recent.table, &mut self.slices[index].table);
            self.recent.length = 0;
            self.tally = self.counted();
            self.recent.records = 0;
        }
    }

    /// The tally with the records of the recent slice.
    fn counted(&self) -> Tally {
        let Recent { records, missed, .. } = self.recent;
        Tally {
            on_time: self.tally.on_time + records,
            missed_windows: self.tally.missed_windows.saturating_add(records.saturating_mul(missed)),
            ..self.tally
        }
    }

    /// Makes the slice of `time` the recent one, if records are simply added to it; the number of windows missed if they are
    /// all closed.
    #[inline(never)]
    fn turn_to(&mut self, time: Timestamp) -> Result<Place, u64> {
        self.leave_recent();
        let number = self.windows.slice_at(time);
        let (first, last) = self.windows.windows_over(number);
        let (_, own_open) = self.own;
        let judged_from = own_open.max(self.open_from);
        let closed = judged_from.saturating_sub(first).clamp(0, (last - first).saturating_add(1));
        let missed = closed.unsigned_abs();
        if last < judged_from {
            return Err(missed);
        }
        // Windows that have fired need not be told from those that its records do not count in.
        let counts_from = if own_open <= self.open_from { first } else { first.max(own_open) };
        if Self::CARRIES_OVER && counts_from < self.open_from {
            return Ok(Place::Entered(last, missed));
        }
        let place = |slice: &Slice<_, _>| (slice.number, slice.windows.0);
        let index = match self.slices.binary_search_by_key(&(number, counts_from), place) {
            Ok(index) => index,
            Err(index) => {
                let table = self.tables.take(self.slices.len());
                self.slices.insert(index, Slice { number, first, windows: (counts_from, last), table });
                index
            }
        };
        let (start, length) = self.windows.extent(number);
        let table = mem::replace(&mut self.slices[index].table, KeyTable::absent());
        self.recent = Recent { start, length, index: Some(index), missed, records: 0, table };
        Ok(Place::Recent)
    }

    /// Adds a record to the window that is kept.
    #[cold]
    #[inline(never)]
    fn add_to_entered(&mut self, (last, missed): (i64, u64), key: K, value: &T, time: Timestamp) {
        let Self { aggregate, whole, fault, .. } = self;
        let part = iter::once((key, aggregate.lift(value, time)));
        whole.enter(last, part, |acc, other| aggregate.combine(acc, other), fault);
        self.tally.on_time += 1;
        self.tally.missed_windows = self.tally.missed_windows.saturating_add(missed);
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

    /// The number of the first window with records that has not fired.
    fn first_filled(&self) -> Option<i64> {
        let mut first_filled = self.whole.has_entered().then_some(self.open_from);
        for slice in &self.slices {
            // Where records do not count in the first windows of their slice, those of a later one may come first.
            if first_filled.is_some_and(|filled| filled <= slice.first.max(self.open_from)) {
                break;
            }
            let fills_from = slice.windows.0.max(self.open_from);
            first_filled = Some(first_filled.map_or(fills_from, |filled: i64| filled.min(fills_from)));
        }
        first_filled
    }

    /// Puts together the window with this number. Its slices are at the front, as it is the oldest open one.
    fn assemble(&mut self, number: i64) {
        self.firing.window = self.windows.window(number);
        if self.windows.tumble() {
            // A slice that is a window by itself is not needed after it: its table goes as it is.
            let slice = self.slices.front_mut().expect("a window that has records has its slice");
            mem::swap(&mut self.firing.table, &mut slice.table);
            return self.firing.table.begin_to_empty();
        }
        let Self { slices, tables, aggregate, whole, fault, .. } = self;
        let combine = |acc: &mut A::Acc, other: &A::Acc| aggregate.combine(acc, other);
        let (mut at, mut over) = (0, slices.partition_point(|slice| slice.first <= number));
        while at < over {
            let slice = &mut slices[at];
            if number < slice.windows.0 {
                at += 1;
            } else if Self::CARRIES_OVER {
                slice.table.begin_to_empty();
                whole.enter(slice.windows.1, iter::from_fn(|| slice.table.take_next()), combine, fault);
                over -= 1;
                slices.remove(at).into_iter().for_each(|slice| tables.put_back_emptied(slice.table));
            } else {
                slice.table.iter().for_each(|(key, part)| whole.add(key, part, combine, fault));
                at += 1;
            }
        }
        whole.fire(Self::CARRIES_OVER);
        let waiting = slices.range(if Self::CARRIES_OVER { 0 } else { over }..);
        self.fresh = waiting.map(|slice| slice.table.len()).sum();
    }

    /// Lets go of the slices whose last window was the one before `open_from`.
    fn retire(&mut self) {
        while let Some(slice) = self.slices.pop_front_if(|slice| slice.windows.1 < self.open_from) {
            self.tables.put_back(slice.table);
        }
        self.whole.leave(self.open_from, |acc, part| A::Algebra::subtract(&self.aggregate, acc, part));
    }

    /// Emits what is left of the window being fired, keys in the order in which they came into it: slice by slice, and as
    /// they first appeared within each.
    fn fire(&mut self, out: &mut impl Emit<Windowed<K, T, A::Out>>) -> Step {
        let Self { firing: Firing { window, table }, aggregate, whole, tally, fault, .. } = self;
        while !whole.has_fired() {
            if !out.has_room() {
                return Step::More;
            }
            let Some((key, acc)) = whole.next(fault) else { break };
            tally.results += 1;
            out.emit(window.result(key, aggregate.finish(acc)));
        }
        loop {
            if !out.has_room() && !table.is_emptied() {
                return Step::More;
            }
            let Some((key, acc)) = table.take_next() else { break };
            tally.results += 1;
            out.emit(window.result(key, aggregate.finish(acc)));
        }
        // The next slice is to get this one, which is still in cache.
        self.tables.put_back_emptied(mem::replace(table, KeyTable::absent()));
        Step::Done
    }
}

/// The clone has the same windows, aggregate and limits and has seen nothing: it serves another instance.
impl<T, K: Hash + Eq + Clone + 'static, A: Aggregate<T> + Clone> Clone for WindowFold<K, A, T> {
    fn clone(&self) -> Self {
        Self::new(self.windows, self.aggregate.clone()).with_limits(self.tables.limits())
    }
}

impl<T, K, A> Operator<Keyed<K, T>> for WindowFold<K, A, T>
where
    K: Hash + Eq + Clone + Send + 'static,
    A: Aggregate<T, Acc: Send + 'static>,
{
    type Out = Windowed<K, T, A::Out>;

    // HOT(window.record)
    #[inline(always)]
    fn on_record(&mut self, record: Record<Keyed<K, T>>, out: &mut impl Emit<Self::Out>) {
        let Record { time, value: Keyed { key, value } } = record;
        if !self.recent.contains(time) {
            match self.turn_to(time) {
                Ok(Place::Recent) => {}
                Ok(Place::Entered(last, missed)) => {
                    return self.add_to_entered((last, missed), key, &value, time);
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

    /// Fires the windows that end at or before the watermark, oldest first, keys in order of appearance.
    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl Emit<Self::Out>) -> Step {
        self.leave_recent();
        let open_from = self.windows.first_open(watermark);
        loop {
            if self.fire(out) == Step::More {
                return Step::More;
            }
            self.retire();
            // Windows without records are passed over, however many there are.
            let Some(number) = self.first_filled().filter(|number| *number < open_from) else { break };
            self.assemble(number);
            self.open_from = number + 1;
        }
        self.open_from = self.open_from.max(open_from);
        Step::Done
    }

    fn judge_by(&mut self, watermark: Watermark) {
        let (before, open_before) = self.own;
        if watermark != before {
            let open = self.windows.first_open(watermark);
            self.own = (watermark, open);
            if open != open_before {
                self.leave_recent();
            }
        }
    }

    fn connect(&mut self, supplies: &mut impl Supplies) {
        self.tables.connect(supplies);
        self.whole.connect(supplies);
    }

    fn prepare(&mut self, records: usize) -> Prepared {
        let Self { slices, recent: Recent { table: recent, .. }, .. } = self;
        self.tables.note(recent.len());
        let tables = self.tables.prepare(records, Used { slices, recent });
        if self.windows.tumble() {
            return tables;
        }
        // Both are asked, so that neither is late for want of the other.
        tables.and(self.whole.prepare(records, self.fresh, Self::CARRIES_OVER))
    }

    fn fault(&self) -> Option<Fault> {
        self.fault
    }

    fn tally(&self) -> Tally {
        self.counted()
    }
}

#[cfg(test)]
mod tests;
