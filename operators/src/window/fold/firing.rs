//! How windows close: what they come to is put together, and emitted.

use std::{hash::Hash, iter, mem};

use nacreous_watermark::Watermark;

use super::{Closing, WindowFold, by};
use crate::{
    Aggregate, Emit, Step, Windowed,
    state::KeyTable,
    window::{ResultKind, Slicing, TimeWindow, whole::Extent},
};

/// The window being emitted, which may take several calls if the output is narrow.
pub(super) struct Firing<K, A> {
    pub(super) window: TimeWindow,
    /// What is taken out of the whole, if that is where it is.
    pub(super) extent: Extent,
    /// The keys and accumulators of a window of one slice; taken out one by one, so that the table is empty in the end.
    pub(super) table: KeyTable<K, A>,
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

    /// Puts together the window with this number, the oldest open one; slices that lie in windows before `kept_from` only, and in
    /// no later one than this, do not stay.
    fn assemble(&mut self, number: i64, kept_from: i64) {
        self.firing.window = self.windows.window(number);
        if self.fires_slices() {
            // A slice that is a window by itself is not needed after it: its table goes as it is.
            let mut slice = self.slices.pop_front().expect("a window that has records has its slice");
            mem::swap(&mut self.firing.table, &mut slice.table);
            return self.firing.table.begin_to_empty();
        }
        let Self { slices, tables, aggregate, whole, fault, .. } = self;
        let by = by::<A, T>(aggregate);
        while let Some(mut slice) = slices.pop_front_if(|slice| slice.first <= number) {
            slice.table.begin_to_empty();
            whole.enter(slice.number.get(), iter::from_fn(|| slice.table.take_next()), &by, fault);
            tables.put_back(slice.table);
        }
        let stay_from = self.windows.first_slice(kept_from.min(number + 1));
        self.firing.extent = Extent { slices: self.windows.slices_in(number), stay_from };
        whole.fire();
        self.fresh = slices.iter().map(|slice| slice.table.len()).sum();
    }

    /// Lets go of slices that lie in no window that is kept, where no window fires that would.
    fn retire(&mut self, kept_from: i64) {
        let stay_from = self.windows.first_slice(kept_from);
        if !self.whole.is_from(stay_from) {
            self.whole.fire();
            let extent = Extent { stay_from, ..Extent::NOTHING };
            let nothing = self.whole.next(&extent, &by::<A, T>(&self.aggregate), &mut self.fault);
            debug_assert!(nothing.is_none(), "there is nothing in no slice");
        }
    }

    /// Emits what is left of the window being fired: of one slice, keys in the order in which they first appeared in it; else
    /// in the order in which they came into the windows that are kept.
    fn fire(&mut self, out: &mut impl Emit<Windowed<K, T, A::Out>>) -> Step {
        let Self { firing: Firing { window, extent, table }, aggregate, whole, tally, fault, .. } = self;
        let by = by::<A, T>(aggregate);
        let mut emit = |key, acc, out: &mut _| {
            tally.results += 1;
            Emit::emit(out, window.result(key, aggregate.finish(acc), ResultKind::OnTime, 0));
        };
        while !whole.has_fired() {
            if !out.has_room() {
                return Step::More;
            }
            let Some((key, acc)) = whole.next(extent, &by, fault) else { break };
            emit(key, acc, out);
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
        out: &mut impl Emit<Windowed<K, T, A::Out>>,
    ) -> Step {
        let Closing { open_from, kept_from } = self.closing_at(watermark);
        loop {
            if self.fire(out) == Step::More {
                return Step::More;
            }
            // Windows without records are passed over, however many there are.
            let Some(number) = self.first_filled().filter(|number| *number < open_from) else { break };
            self.assemble(number, kept_from);
            self.closing.open_from = number + 1;
        }
        self.retire(kept_from);
        self.closing = self.closing.max(Closing { open_from, kept_from });
        Step::Done
    }
}
