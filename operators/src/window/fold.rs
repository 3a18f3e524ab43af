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
/// the same slice as the record before. A closing window: one pass over the keys used in each of its slices.
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
#[derive(Clone)]
struct Column<A> {
    cells: Vec<Option<A>>,
    /// The slot numbers of the keys that have one, so that emptying the column and combining it with another
    /// costs nothing for the others.
    used: Vec<SlotNumber>,
}

/// The length of a column while there are few keys.
const COLUMN_LENGTH_MIN: usize = 16;

impl<A: Clone> Column<A> {
    fn new() -> Self {
        Self { cells: Vec::new(), used: Vec::new() }
    }

    /// Makes room for this many keys.
    fn lengthen(&mut self, keys: usize) {
        self.cells.resize(keys.max(self.cells.len()), None);
        self.used.reserve(keys.saturating_sub(self.used.len()));
    }

    fn clear(&mut self) {
        self.used.drain(..).for_each(|slot| self.cells[slot.index()] = None);
    }
}

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
    /// The position among the column's used slots to go on with.
    next: usize,
}

impl<T, K: Hash + Eq + Clone, A: Aggregate<T>> WindowFold<K, A, T> {
    /// An operator that has seen nothing yet.
    pub fn new(windows: Sliding, aggregate: A) -> Self {
        let zero = Timestamp::from_nanos(0);
        let idle = Firing { window: TimeWindow { start: zero, end: zero }, column: Column::new(), next: 0 };
        Self {
            windows,
            aggregate,
            keys: KeyTable::new(),
            slices: VecDeque::with_capacity(64),
            recent: Recent { start: 0, length: 0, index: None, missed: 0, records: 0, column: Column::new() },
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
        let column = mem::replace(&mut self.slices[index].column, Column::new());
        self.recent = Recent { start, length, index: Some(index), missed, records: 0, column };
        Ok(())
    }

    /// How long a column is made: enough for the keys there are, rounded up so that it seldom has to grow.
    fn column_length(&self) -> usize {
        self.keys.keys().len().max(COLUMN_LENGTH_MIN).next_power_of_two()
    }

    /// A column long enough for all keys. A shortage is met with several at once, so that it becomes rare.
    fn empty_column(&mut self) -> Column<A::Acc> {
        if self.spare.is_empty() {
            let more = self.slices.len() / 2 + 1;
            let length = self.column_length();
            self.spare.resize(more, Column::new());
            self.spare.iter_mut().for_each(|column| column.lengthen(length));
        }
        let mut column = self.spare.pop().expect("a column was put there if there was none");
        column.lengthen(self.column_length());
        column
    }

    /// Begins the accumulator of a key in the recent slice.
    #[cold]
    #[inline(never)]
    fn begin(&mut self, slot: SlotNumber, value: &T) {
        let length = self.column_length();
        self.recent.column.lengthen(length);
        self.recent.column.cells[slot.index()] = Some(self.aggregate.lift(value));
        self.recent.column.used.push(slot);
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

    /// Puts together the window with this number. Its slices are at the front, as it is the oldest open one.
    fn assemble(&mut self, number: i64) {
        let length = self.column_length();
        let column = &mut self.firing.column;
        let mut slices = self.slices.iter_mut().take_while(|slice| slice.windows.0 <= number).peekable();
        if let Some(oldest) = slices.next_if(|slice| slice.windows.1 == number) {
            // The oldest slice is not needed after its last window: take its column as it is.
            mem::swap(column, &mut oldest.column);
        }
        column.lengthen(length);
        for slice in slices {
            for slot in &slice.column.used {
                let Some(part) = &slice.column.cells[slot.index()] else { continue };
                match &mut column.cells[slot.index()] {
                    Some(acc) => self.aggregate.combine(acc, part),
                    none => {
                        *none = Some(part.clone());
                        column.used.push(*slot);
                    }
                }
            }
        }
        // Results leave in the order in which keys first appeared.
        column.used.sort_unstable();
        self.firing.window = self.windows.window(number);
        self.firing.next = 0;
    }

    /// Lets go of the slices whose last window was the one before `open_from`.
    fn retire(&mut self) {
        while self.slices.front().is_some_and(|slice| slice.windows.1 < self.open_from) {
            if let Some(mut slice) = self.slices.pop_front() {
                slice.column.clear();
                self.spare.push(slice.column);
            }
        }
    }

    /// Emits what is left of the window being fired.
    fn fire(&mut self, out: &mut impl Emit<Windowed<K, T, A::Out>>) -> Step {
        let Firing { window, column, next } = &mut self.firing;
        while let Some(slot) = column.used.get(*next) {
            if !out.has_room() {
                return Step::More;
            }
            *next += 1;
            let Some(acc) = column.cells[slot.index()].take() else { continue };
            let key = self.keys.keys()[slot.index()].clone();
            let result = WindowResult { window: *window, key, value: self.aggregate.finish(acc) };
            self.tally.results += 1;
            let last_instant = Timestamp::from_nanos(window.end.as_nanos().saturating_sub(1));
            out.emit(Record { time: last_instant, value: Windowed::Result(result) });
        }
        column.used.clear();
        *next = 0;
        Step::Done
    }
}

/// The clone has the same windows and aggregate and has seen nothing: it serves another instance.
impl<T, K: Hash + Eq + Clone, A: Aggregate<T> + Clone> Clone for WindowFold<K, A, T> {
    fn clone(&self) -> Self {
        Self::new(self.windows, self.aggregate.clone())
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
        match self.recent.column.cells.get_mut(slot.index()) {
            Some(Some(acc)) => self.aggregate.add(acc, &value),
            _ => self.begin(slot, &value),
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
            missed_windows: self.tally.missed_windows.saturating_add(records.saturating_mul(missed)),
            ..self.tally
        }
    }
}

#[cfg(test)]
mod tests;
