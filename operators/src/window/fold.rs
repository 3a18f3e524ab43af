use std::{collections::VecDeque, hash::Hash, mem};

use nacreous_watermark::{Timestamp, Watermark};

use self::crowd::Crowd;
use super::{
    Sliding, TimeWindow, WindowResult, Windowed,
    column::Column,
    columns::{Columns, InUse},
    sliding::SliceNumber,
};
use crate::{
    Aggregate, Emit, Fault, KeyLimits, Keyed, KeyedState, Operator, Prepared, Record, Step, Supplies, Tally,
    key::SlotNumber,
};

mod crowd;

/// With more keys than this, looking one up takes the processor to memory, and records are looked up together.
const KEYS_IN_CACHE: usize = 8_192;

/// Aggregates the records of each key over windows of event time.
///
/// A record touches one accumulator, that of its key in its slice; a window that closes combines the
/// slices it consists of. So disorder costs nothing but the memory of the slices still open.
///
/// A record counts in each of its windows that the watermark, as it stood before the record, has not
/// closed. If that leaves none it is late and goes out whole as [`Windowed::Late`].
///
/// Behind a merge, the watermark is that of the record's own input, as [`judge_by`](Operator::judge_by) brings it, and
/// the results are the same however the inputs were interleaved.
///
/// # Cost
/// A record: one key look-up and one accumulator (beyond 8,192 keys, for 64 records together); a search among the open slices where it does not lie in
/// the same slice as the record before. A closing window: one pass over the keys used in each of its slices.
/// Memory: one accumulator for each key and open slice; keys are kept for good. It grows as [`KeyedState`] does, ahead of
/// need if [`prepare`](Operator::prepare) is called and heeded; more slices in one batch than there are spare columns, of
/// which there is one for each four slices open and two besides, cost the allocator's time.
pub struct WindowFold<K, A: Aggregate<T>, T> {
    windows: Sliding,
    aggregate: A,
    keys: KeyedState<K, ()>,
    /// The slices that have records and lie in an open window, in order of time.
    slices: VecDeque<Slice<A::Acc>>,
    /// The slice that the last record went to. Its column is here, and an absent one in its place.
    recent: Recent<A::Acc>,
    /// Columns that are not in use.
    columns: Columns<A::Acc>,
    /// The number of the first window that has not fired: all windows before it are closed.
    open_from: i64,
    /// What the records that come are judged by, and the first window that it leaves open.
    own: (Watermark, i64),
    firing: Firing<A::Acc>,
    /// Records of the recent slice that are yet to be added to it, where there are many keys.
    crowd: Crowd<K, T>,
    tally: Tally,
}

/// Records of one slice that count in the same windows.
///
/// An input that is ahead may have closed windows that have not fired yet, as the others hold them open. Its records do
/// not count in those, though those of other inputs in the same slice do: then the slice is here twice, in the order of
/// the first window in which its records count.
struct Slice<A> {
    number: SliceNumber,
    /// The number of the first window over it.
    first: i64,
    /// The numbers of the first and the last window in which its records count.
    windows: (i64, i64),
    column: Column<A>,
}

/// The columns of an operator, in use.
struct Used<'a, A> {
    slices: &'a mut VecDeque<Slice<A>>,
    apart: [&'a mut Column<A>; 2],
}

impl<A> InUse<A> for Used<'_, A> {
    fn slices(&self) -> usize {
        self.slices.len()
    }

    fn columns<'a>(&'a mut self) -> impl Iterator<Item = &'a mut Column<A>>
    where
        A: 'a,
    {
        let apart = self.apart.iter_mut().map(|column| &mut **column);
        apart.chain(self.slices.iter_mut().map(|slice| &mut slice.column))
    }
}

/// What the hot path needs of a slice, so that records near each other in time skip the search for it.
struct Recent<A> {
    start: i64,
    /// In nanoseconds; zero if there is no recent slice.
    length: u64,
    /// Where its column is to go back to.
    index: Option<usize>,
    /// How many of the slice's windows are closed already to its records.
    missed: u64,
    /// How many records it has taken since it became the recent one.
    records: u64,
    column: Column<A>,
}

impl<A> Recent<A> {
    #[inline(always)]
    fn contains(&self, time: Timestamp) -> bool {
        time.as_nanos().wrapping_sub(self.start).cast_unsigned() < self.length
    }
}

/// The window being emitted, which may take several calls if the output is narrow.
struct Firing<A> {
    window: TimeWindow,
    /// Its accumulators; taken out one by one, so that the column is empty in the end.
    column: Column<A>,
    /// The slot number to go on with.
    next: usize,
}

impl<T, K: Hash + Eq + Clone, A: Aggregate<T>> WindowFold<K, A, T> {
    /// An operator that has seen nothing yet, for a usual number of keys.
    pub fn new(windows: Sliding, aggregate: A) -> Self {
        let limits = KeyLimits::default();
        let zero = Timestamp::from_nanos(0);
        let idle =
            Firing { window: TimeWindow { start: zero, end: zero }, column: Column::absent(), next: 0 };
        let column = Column::absent();
        Self {
            windows,
            aggregate,
            keys: KeyedState::new(limits),
            slices: VecDeque::with_capacity(64),
            recent: Recent { start: 0, length: 0, index: None, missed: 0, records: 0, column },
            columns: Columns::new(limits.base_length()),
            open_from: i64::MIN,
            own: (Watermark::MIN, i64::MIN),
            firing: idle,
            crowd: Crowd::new(),
            tally: Tally::default(),
        }
    }

    /// The same for so many keys. It must not have seen anything yet.
    #[must_use]
    pub fn with_limits(self, limits: KeyLimits) -> Self {
        Self { keys: KeyedState::new(limits), columns: Columns::new(limits.base_length()), ..self }
    }

    /// Puts the recent slice's column back in its place.
    fn leave_recent(&mut self) {
        self.absorb();
        if let Some(index) = self.recent.index.take() {
            mem::swap(&mut self.recent.column, &mut self.slices[index].column);
            self.recent.length = 0;
            self.tally = self.counted();
            self.recent.records = 0;
        }
    }

    /// The tally with the records of the recent slice.
    fn counted(&self) -> Tally {
        let Recent { records, missed, .. } = self.recent;
        let records = records + self.crowd.len() as u64;
        Tally {
            on_time: self.tally.on_time + records,
            missed_windows: self.tally.missed_windows.saturating_add(records.saturating_mul(missed)),
            ..self.tally
        }
    }

    /// Makes the slice of `time` the recent one; the number of windows missed if they are all closed.
    #[inline(never)]
    fn turn_to(&mut self, time: Timestamp) -> Result<(), u64> {
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
        let place = |slice: &Slice<_>| (slice.number, slice.windows.0);
        let index = match self.slices.binary_search_by_key(&(number, counts_from), place) {
            Ok(index) => index,
            Err(index) => {
                let column = self.columns.take(self.slices.len(), self.keys.reach());
                self.slices.insert(index, Slice { number, first, windows: (counts_from, last), column });
                index
            }
        };
        let (start, length) = self.windows.extent(number);
        let column = mem::replace(&mut self.slices[index].column, Column::absent());
        self.recent = Recent { start, length, index: Some(index), missed, records: 0, column };
        Ok(())
    }

    /// Adds the records that wait for it to the recent slice.
    #[inline(never)]
    fn absorb(&mut self) {
        if self.crowd.len() == 0 {
            return;
        }
        let mut crowd = mem::take(&mut self.crowd.records);
        let slots = &mut self.crowd.slots;
        self.keys.find_all(&crowd, slots);
        self.recent.column.look_at(slots);
        for (at, (key, value)) in crowd.drain(..).enumerate() {
            match self.crowd.slots[at] {
                Some(slot) => {
                    self.recent.records += 1;
                    match self.recent.column.in_base(slot) {
                        Some(acc) => self.aggregate.add(acc, &value),
                        None => self.begin(slot, &value),
                    }
                }
                None => self.add_elsewhere(key, &value),
            }
        }
        self.crowd.records = crowd;
    }

    /// Adds to the accumulator of a key in the recent slice that is new, or not among those expected.
    // Not cold: where there are more keys than expected, it is called for most records.
    #[inline(never)]
    fn add_elsewhere(&mut self, key: K, value: &T) {
        if let Some(slot) = self.keys.intern_elsewhere(key, || ()) {
            self.recent.records += 1;
            self.begin(slot, value);
        }
    }

    /// Adds to the accumulator of a key in the recent slice that has none yet, or is not among those expected.
    #[inline(never)]
    fn begin(&mut self, slot: SlotNumber, value: &T) {
        let column = &mut self.recent.column;
        column.reach_beyond(slot.index());
        match column.get(slot) {
            Some(acc) => self.aggregate.add(acc, value),
            None => column.begin(slot, self.aggregate.lift(value)),
        }
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
        let mut first_filled = None;
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
        let column = &mut self.firing.column;
        let over = self.slices.iter_mut().take_while(|slice| slice.first <= number);
        let mut slices = over.filter(|slice| slice.windows.0 <= number).peekable();
        if let Some(oldest) = slices.next_if(|slice| slice.windows.1 == number) {
            // The oldest slice is not needed after its last window: take its column as it is.
            mem::swap(column, &mut oldest.column);
        }
        if column.is_absent() {
            *column = self.columns.take(0, self.keys.reach());
        }
        for slice in slices {
            // It may have been lengthened already for keys that are yet to come.
            column.reach_beyond(slice.column.reach().min(self.keys.len()) - 1);
            column.combine(&slice.column, |acc, part| self.aggregate.combine(acc, part));
        }
        self.firing.window = self.windows.window(number);
        self.firing.next = 0;
    }

    /// Lets go of the slices whose last window was the one before `open_from`.
    fn retire(&mut self) {
        while self.slices.front().is_some_and(|slice| slice.windows.1 < self.open_from) {
            let column = self.slices.pop_front().map(|slice| slice.column);
            column
                .into_iter()
                .filter(|column| !column.is_absent())
                .for_each(|column| self.columns.put_back(column));
        }
    }

    /// Emits what is left of the window being fired, keys in the order in which they first appeared.
    fn fire(&mut self, out: &mut impl Emit<Windowed<K, T, A::Out>>) -> Step {
        let Firing { window, column, next } = &mut self.firing;
        loop {
            if !out.has_room() && column.first_from(*next).is_some() {
                return Step::More;
            }
            let Some((slot, acc)) = column.take_from(*next) else { break };
            *next = slot.index() + 1;
            let key = self.keys.key(slot).clone();
            let result = WindowResult { window: *window, key, value: self.aggregate.finish(acc) };
            self.tally.results += 1;
            let last_instant = Timestamp::from_nanos(window.end.as_nanos().saturating_sub(1));
            out.emit(Record { time: last_instant, value: Windowed::Result(result) });
        }
        *next = 0;
        // The next slice is to get this one, which is still in cache.
        self.columns.put_back_empty(mem::replace(column, Column::absent()));
        Step::Done
    }
}

/// The clone has the same windows, aggregate and limits and has seen nothing: it serves another instance.
impl<T, K: Hash + Eq + Clone, A: Aggregate<T> + Clone> Clone for WindowFold<K, A, T> {
    fn clone(&self) -> Self {
        Self::new(self.windows, self.aggregate.clone()).with_limits(self.keys.limits())
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
        if !self.recent.contains(time)
            && let Err(missed) = self.turn_to(time)
        {
            return self.emit_late(Record { time, value: Keyed { key, value } }, missed, out);
        }
        if self.crowd.is_wanted {
            if self.crowd.push(key, value) {
                self.absorb();
            }
            return;
        }
        let Some(slot) = self.keys.find_in_base(&key) else { return self.add_elsewhere(key, &value) };
        self.recent.records += 1;
        match self.recent.column.in_base(slot) {
            Some(acc) => self.aggregate.add(acc, &value),
            None => self.begin(slot, &value),
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
        self.keys.connect(supplies);
        self.columns.connect(supplies);
    }

    fn prepare(&mut self, records: usize) -> Prepared {
        if self.keys.len() > KEYS_IN_CACHE && !self.crowd.is_wanted {
            self.crowd.is_wanted = true;
        }
        let keys = self.keys.prepare(records);
        let needed = self.keys.len().saturating_add(records).min(self.keys.reach());
        let Self { slices, recent, firing, .. } = self;
        let in_use = Used { slices, apart: [&mut recent.column, &mut firing.column] };
        let columns = self.columns.prepare(needed, self.keys.reach(), in_use);
        if keys == Prepared::Ready { columns } else { keys }
    }

    fn fault(&self) -> Option<Fault> {
        self.keys.fault()
    }

    fn tally(&self) -> Tally {
        self.counted()
    }
}

#[cfg(test)]
mod tests;
