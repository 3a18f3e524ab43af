//! From slice to slice: where the slice of a record is, and how its table comes to hand.

use std::{hash::Hash, mem};

use nacreous_watermark::Timestamp;

use super::{Closing, Slice, WindowFold, dispersal::slices_within};
use crate::{
    Aggregate, Keyed, Record,
    window::{Slicing, slicing::SliceNumber},
};

/// Where a record goes.
pub(super) enum Place {
    /// To the recent slice.
    Recent,
    /// Not to a slice, as not all of its windows are open.
    Behind,
}

impl<K, A> Slice<K, A> {
    #[inline]
    pub(super) fn contains(&self, time: i64) -> bool {
        time.wrapping_sub(self.start).cast_unsigned() < self.length
    }

    /// Whether it ends at that time or before.
    #[inline]
    fn is_before(&self, time: i64) -> bool {
        time >= self.start && !self.contains(time)
    }
}

impl<T, K: Hash + Eq + Clone + 'static, A: Aggregate<T>, W: Slicing> WindowFold<K, A, T, W> {
    /// Puts the recent slice's table back in its place.
    pub(super) fn leave_recent(&mut self) {
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
    pub(super) fn turn_to(&mut self, time: Timestamp) -> Result<Place, u64> {
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
        let index = if self.slices.back().is_none_or(|last| last.number < number) {
            let slice = self.new_slice(number, first);
            self.slices.push_back(slice);
            self.slices.len() - 1
        } else {
            self.slices.binary_search_by_key(&number, |slice| slice.number).unwrap_or_else(|index| {
                let slice = self.new_slice(number, first);
                self.slices.insert(index, slice);
                index
            })
        };
        self.make_recent(index);
        Ok(Place::Recent)
    }

    /// The slice with this number, without records; `first` is the number of the first window over it.
    #[inline]
    fn new_slice(&mut self, number: SliceNumber, first: i64) -> Slice<K, A::Acc> {
        let table = self.tables.take(self.slices.len());
        let (start, length) = self.windows.extent(number);
        // Rounded up, so that the first instant of a slice is not taken for the last one of that before.
        self.a_slice_in = (u64::MAX / length.max(1)).saturating_add(1);
        Slice { number, start, length, first, table }
    }

    /// The slice of `time`, if there is one and all of its windows are open from this one on. Sought by what is known of the slices:
    /// to compute its number takes divisions.
    #[inline]
    fn open_at(&self, time: Timestamp, open_from: i64) -> Option<usize> {
        let time = time.as_nanos();
        if self.slices.back()?.is_before(time) {
            return None;
        }
        let guess = self.guessed_at(time)?;
        let is_at = |index: usize| self.slices.get(index).filter(|slice| slice.contains(time));
        if let Some(slice) = is_at(guess) {
            return (slice.first >= open_from).then_some(guess);
        }
        let sought = self.slices.partition_point(|slice| slice.start <= time).checked_sub(1)?;
        (is_at(sought)?.first >= open_from).then_some(sought)
    }

    /// Where the slice of `time` is, if they are all of one length and none is missing.
    #[inline]
    fn guessed_at(&self, time: i64) -> Option<usize> {
        let first = self.slices.front()?;
        let since = time.wrapping_sub(first.start).cast_unsigned();
        Some(slices_within(since, self.a_slice_in))
    }

    /// Adds a record to an earlier slice than the recent one, which stays; false if it has none, or its key is new there.
    ///
    /// Records that are out of order mostly come alone: to turn to their slice and back takes several times as long.
    #[inline(never)]
    pub(super) fn add_aside(
        &mut self,
        Record { time, value: Keyed { key, value } }: &Record<Keyed<K, T>>,
    ) -> bool {
        let (_, own) = self.own;
        let Closing { open_from, .. } = own.max(self.closing);
        if time.as_nanos() >= self.recent.start {
            return false;
        }
        let Some(index) = self.open_at(*time, open_from) else { return false };
        let mut base = self.slices[index].table.base();
        let Ok(acc) = base.value(key) else { return false };
        self.aggregate.add(acc, value, *time);
        self.tally.on_time += 1;
        true
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
}
