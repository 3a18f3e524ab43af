//! How windows close: what they come to is put together, and emitted.

use std::{hash::Hash, mem};

use nacreous_watermark::{Timestamp, Watermark};

use super::{Closing, WindowFold, by};
use crate::{
    Aggregate, Emit, Step, Windowed,
    state::KeyTable,
    window::{ResultKind, Slicing, TimeWindow, budget::Budget, whole::Extent},
};

/// The window being emitted, which may take several calls if the output is narrow.
pub(super) struct Firing<K, A> {
    pub(super) window: TimeWindow,
    /// What is still to be put together.
    entering: Option<Entering<K, A>>,
    /// What is taken out of the whole, if that is where it is.
    pub(super) extent: Extent,
    /// The keys and accumulators of a window of one slice; taken out one by one, so that the table is empty in the end.
    pub(super) table: KeyTable<K, A>,
}

/// A window whose slices are being taken into the whole.
struct Entering<K, A> {
    /// The number of the window.
    window: i64,
    /// The slice whose keys are.
    slice: i64,
    /// Those that are left of them.
    table: KeyTable<K, A>,
}

impl<K: Hash + Eq + 'static, A> Firing<K, A> {
    /// Nothing.
    pub(super) fn none() -> Self {
        let zero = Timestamp::from_nanos(0);
        let (window, extent) = (TimeWindow { start: zero, end: zero }, Extent::NOTHING);
        Self { window, entering: None, extent, table: KeyTable::absent() }
    }
}

impl<T, K: Hash + Eq + Clone + 'static, A: Aggregate<T>, W: Slicing> WindowFold<K, A, T, W> {
    /// The number of the first window with records that has not fired.
    fn first_filled(&self) -> Option<i64> {
        let Closing { open_from, .. } = self.closing;
        if self.whole.reaches(self.windows.first_slice(open_from)) {
            return Some(open_from);
        }
        self.slices.front().map(|slice| slice.first)
    }

    /// Begins to put together the window with this number, the oldest open one; slices that lie in windows before `kept_from` only,
    /// and in no later one than this, do not stay.
    fn begin_to_fire(&mut self, number: i64, kept_from: i64) {
        self.firing.window = self.windows.window(number);
        if self.fires_slices() {
            // A slice that is a window by itself is not needed after it: its table goes as it is.
            let mut slice = self.slices.pop_front().expect("a window that has records has its slice");
            mem::swap(&mut self.firing.table, &mut slice.table);
            self.fresh -= self.firing.table.len();
            return self.firing.table.begin_to_empty();
        }
        let stay_from = self.windows.first_slice(kept_from.min(number + 1));
        self.firing.extent = Extent { slices: self.windows.slices_in(number), stay_from };
        self.firing.entering = Some(Entering { window: number, slice: 0, table: KeyTable::absent() });
    }

    /// Takes the slices of the window being fired into the whole.
    fn enter(&mut self, budget: &mut Budget) -> Step {
        let Self { firing, slices, tables, aggregate, whole, fault, .. } = self;
        let Some(Entering { window, slice, table }) = &mut firing.entering else { return Step::Done };
        let by = by::<A, T>(aggregate);
        loop {
            while let Some(part) = table.take_next() {
                whole.enter(*slice, part, &by, fault);
                if budget.is_spent() {
                    return Step::More;
                }
            }
            tables.put_back(mem::replace(table, KeyTable::absent()));
            let Some(next) = slices.pop_front_if(|slice| slice.first <= *window) else { break };
            (*slice, *table) = (next.number.get(), next.table);
            whole.note(*slice, table.len());
            table.begin_to_empty();
        }
        firing.entering = None;
        whole.fire();
        self.fresh = slices.iter().map(|slice| slice.table.len()).sum();
        Step::Done
    }

    /// Begins to let go of slices that lie in no window that is kept, where no window fires that would; false if there are none.
    fn begin_to_retire(&mut self, kept_from: i64) -> bool {
        let stay_from = self.windows.first_slice(kept_from);
        let retires = !self.whole.is_from(stay_from);
        if retires {
            self.firing.extent = Extent { stay_from, ..Extent::NOTHING };
            self.whole.fire();
        }
        retires
    }

    /// Emits what is left of the window being fired: of one slice, keys in the order in which they first appeared in it; else
    /// in the order in which they came into the windows that are kept.
    fn fire(&mut self, budget: &mut Budget, out: &mut impl Emit<Windowed<K, T, A::Out>>) -> Step {
        if self.whole.has_fired() && self.firing.table.is_absent() {
            return Step::Done;
        }
        let Self { firing: Firing { window, extent, table, .. }, aggregate, whole, tally, fault, .. } = self;
        let by = by::<A, T>(aggregate);
        let mut emit = |key, acc, out: &mut _| {
            tally.results += 1;
            Emit::emit(out, window.result(key, aggregate.finish(acc), ResultKind::OnTime, 0));
        };
        while !whole.has_fired() {
            if !out.has_room() {
                return Step::More;
            }
            match whole.next(extent, &by, budget, fault) {
                Some((key, acc)) => emit(key, acc, out),
                None if whole.has_fired() => break,
                None => return Step::More,
            }
        }
        loop {
            if !out.has_room() && !table.is_emptied() {
                return Step::More;
            }
            let Some((key, acc)) = table.take_next() else { break };
            emit(key, acc, out);
        }
        // The next slice is to get this one, which is still in cache.
        self.tables.put_back(mem::replace(table, KeyTable::absent()));
        Step::Done
    }

    /// Fires the windows that end at or before the watermark.
    pub(super) fn fire_until(
        &mut self,
        watermark: Watermark,
        budget: &mut Budget,
        out: &mut impl Emit<Windowed<K, T, A::Out>>,
    ) -> Step {
        let Closing { open_from, kept_from } = self.closing_at(watermark);
        loop {
            if self.enter(budget) == Step::More || self.fire(budget, out) == Step::More {
                return Step::More;
            }
            // Windows without records are passed over, however many there are.
            let Some(number) = self.first_filled().filter(|number| *number < open_from) else { break };
            self.begin_to_fire(number, kept_from);
            self.closing.open_from = number + 1;
        }
        if self.begin_to_retire(kept_from) && self.fire(budget, out) == Step::More {
            return Step::More;
        }
        self.closing = self.closing.max(Closing { open_from, kept_from });
        Step::Done
    }
}
