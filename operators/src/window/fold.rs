use std::{collections::VecDeque, hash::Hash, mem};

use nacreous_watermark::{Timestamp, Watermark};

use super::{Sliding, TimeWindow, WindowResult, Windowed, sliding::SliceNumber};
use crate::{
    Aggregate, Emit, Keyed, Operator, Record, Step, Tally,
    key::{KeyTable, SlotNumber},
};

/// Aggregates the records of each key over windows of event time.
///
/// A record touches one accumulator, that of its key in its slice; a window that closes combines the
/// slices it consists of. So disorder costs nothing but the memory of the slices still open.
///
/// A record counts in each of its windows that the watermark, as it stood before the record, has not
/// closed. If that leaves none it is late and goes out whole as [`Windowed::Late`].
///
/// # Cost
/// A record: one key look-up and one accumulator; a search among the open slices where it does not lie in
/// the same slice as the record before. A closing window: one pass over the keys for each of its slices.
/// Memory: one accumulator for each key and open slice; keys are kept for good.
pub struct WindowFold<K, A: Aggregate<T>, T> {
    windows: Sliding,
    aggregate: A,
    keys: KeyTable<K>,
    /// The slices that have records and lie in an open window, in order of time.
    slices: VecDeque<Slice<A::Acc>>,
    /// The slice that the last record went to. Its column is here, and an empty one in its place.
    recent: Recent<A::Acc>,
    /// Columns to be used again, all empty.
    spare: Vec<Column<A::Acc>>,
    /// The number of the first window that has not fired: all windows before it are closed.
    open_from: i64,
    firing: Firing<A::Acc>,
    tally: Tally,
}

/// An accumulator for each key, by slot number; none for a key without records.
type Column<A> = Vec<Option<A>>;

#[derive(Clone)]
struct Slice<A> {
    number: SliceNumber,
    /// The numbers of the first and last window over it.
    windows: (i64, i64),
    column: Column<A>,
}

/// What the hot path needs of a slice, so that records near each other in time skip the search for it.
#[derive(Clone)]
struct Recent<A> {
    start: i64,
    /// In nanoseconds; zero if there is no recent slice.
    length: u64,
    /// Where its column is to go back to.
    index: Option<usize>,
    /// How many of the slice's windows are closed already.
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
#[derive(Clone)]
struct Firing<A> {
    window: TimeWindow,
    /// Its accumulators; taken out one by one, so that the column is empty in the end.
    column: Column<A>,
    /// The slot number to go on with.
    next: usize,
    /// How many slots there are; the firing is over when `next` gets there.
    count: usize,
}

impl<T, K: Hash + Eq + Clone, A: Aggregate<T>> WindowFold<K, A, T> {
    /// An operator that has seen nothing yet.
    pub fn new(windows: Sliding, aggregate: A) -> Self {
        let zero = Timestamp::from_nanos(0);
        let idle =
            Firing { window: TimeWindow { start: zero, end: zero }, column: Vec::new(), next: 0, count: 0 };
        Self {
            windows,
            aggregate,
            keys: KeyTable::new(),
            slices: VecDeque::with_capacity(64),
            recent: Recent { start: 0, length: 0, index: None, missed: 0, records: 0, column: Vec::new() },
            spare: Vec::with_capacity(64),
            open_from: i64::MIN,
            firing: idle,
            tally: Tally::default(),
        }
    }

    /// Puts the recent slice's column back in its place.
    fn leave_recent(&mut self) {
        if let Some(index) = self.recent.index.take() {
            mem::swap(&mut self.recent.column, &mut self.slices[index].column);
            self.recent.length = 0;
            self.tally = self.tally();
            self.recent.records = 0;
        }
    }

    /// Makes the slice of `time` the recent one; the number of windows missed if they are all closed.
    #[inline(never)]
    fn turn_to(&mut self, time: Timestamp) -> Result<(), u64> {
        self.leave_recent();
        let number = self.windows.slice_at(time);
        let (first, last) = self.windows.windows_over(number);
        let closed = self.open_from.saturating_sub(first).clamp(0, (last - first).saturating_add(1));
        let missed = closed.unsigned_abs();
        if last < self.open_from {
            return Err(missed);
        }
        let index = match self.slices.binary_search_by_key(&number, |slice| slice.number) {
            Ok(index) => index,
            Err(index) => {
                let column = self.empty_column();
                self.slices.insert(index, Slice { number, windows: (first, last), column });
                index
            }
        };
        let (start, length) = self.windows.extent(number);
        let column = mem::take(&mut self.slices[index].column);
        self.recent = Recent { start, length, index: Some(index), missed, records: 0, column };
        Ok(())
    }

    /// A column long enough for all keys. A shortage is met with several at once, so that it becomes rare.
    fn empty_column(&mut self) -> Column<A::Acc> {
        if self.spare.is_empty() {
            let more = self.slices.len() / 2 + 1;
            self.spare.resize(more, vec![None; self.keys.capacity()]);
        }
        let mut column = self.spare.pop().unwrap_or_default();
        column.resize(self.keys.capacity(), None);
        column
    }

    /// Adds to the accumulator of a key that came after the recent column was made.
    #[cold]
    #[inline(never)]
    fn add_lengthening(&mut self, slot: SlotNumber, value: &T) {
        self.recent.column.resize(self.keys.capacity(), None);
        add(&self.aggregate, &mut self.recent.column[slot.index()], value);
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
        self.tally.missed_windows += missed;
        out.emit(Record { time: record.time, value: Windowed::Late(record.value) });
    }

    /// Puts together the window with this number. Its slices are at the front, as it is the oldest open one.
    fn assemble(&mut self, number: i64) {
        let column = &mut self.firing.column;
        let mut slices = self.slices.iter_mut().take_while(|slice| slice.windows.0 <= number).peekable();
        if let Some(oldest) = slices.next_if(|slice| slice.windows.1 == number) {
            // The oldest slice is not needed after its last window: take its column as it is.
            mem::swap(column, &mut oldest.column);
        }
        column.resize(self.keys.capacity(), None);
        let keys = self.keys.keys().len();
        for slice in slices {
            // Columns are as long as there may be keys before they grow: most of that may be empty.
            for (acc, part) in column.iter_mut().zip(&slice.column).take(keys) {
                match (acc, part) {
                    (Some(acc), Some(part)) => self.aggregate.combine(acc, part),
                    (acc @ None, Some(part)) => *acc = Some(part.clone()),
                    (_, None) => {}
                }
            }
        }
        self.firing.window = self.windows.window(number);
        self.firing.count = keys;
    }

    /// Lets go of the slices whose last window was the one before `open_from`.
    fn retire(&mut self) {
        while self.slices.front().is_some_and(|slice| slice.windows.1 < self.open_from) {
            if let Some(mut slice) = self.slices.pop_front() {
                slice.column.iter_mut().take(self.keys.keys().len()).for_each(|acc| *acc = None);
                self.spare.push(slice.column);
            }
        }
    }

    /// Emits what is left of the window being fired.
    fn fire(&mut self, out: &mut impl Emit<Windowed<K, T, A::Out>>) -> Step {
        let firing = &mut self.firing;
        while firing.next < firing.count {
            if firing.column[firing.next].is_some() && !out.has_room() {
                return Step::More;
            }
            if let Some(acc) = firing.column[firing.next].take() {
                let key = self.keys.keys()[firing.next].clone();
                let result = WindowResult { window: firing.window, key, value: self.aggregate.finish(acc) };
                self.tally.results += 1;
                let last_instant = firing.window.end.as_nanos().saturating_sub(1);
                out.emit(Record {
                    time: Timestamp::from_nanos(last_instant),
                    value: Windowed::Result(result),
                });
            }
            firing.next += 1;
        }
        (firing.next, firing.count) = (0, 0);
        Step::Done
    }
}

impl<T, K: Hash + Eq + Clone, A: Aggregate<T>> Operator<Keyed<K, T>> for WindowFold<K, A, T> {
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
        let slot = self.keys.intern(key);
        self.recent.records += 1;
        match self.recent.column.get_mut(slot.index()) {
            Some(cell) => add(&self.aggregate, cell, &value),
            None => self.add_lengthening(slot, &value),
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
            let Some(oldest) = self.slices.front() else { break };
            let number = oldest.windows.0.max(self.open_from);
            if number >= open_from {
                break;
            }
            self.assemble(number);
            self.open_from = number + 1;
        }
        self.open_from = self.open_from.max(open_from);
        Step::Done
    }

    fn tally(&self) -> Tally {
        let Recent { records, missed, .. } = self.recent;
        Tally {
            on_time: self.tally.on_time + records,
            missed_windows: self.tally.missed_windows + records * missed,
            ..self.tally
        }
    }
}

#[inline(always)]
fn add<T, A: Aggregate<T>>(aggregate: &A, cell: &mut Option<A::Acc>, value: &T) {
    match cell {
        Some(acc) => aggregate.add(acc, value),
        None => *cell = Some(aggregate.lift(value)),
    }
}

#[cfg(test)]
mod tests;
