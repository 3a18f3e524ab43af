//! Slices that were added up elsewhere: where they come from, and where they go.

use std::hash::Hash;

use nacreous_watermark::Timestamp;

use super::{Place, Recent, Used, WindowFold};
use crate::{
    Aggregate, Fault, Prepared,
    window::{Slicing, closing::corrected},
};

/// What is about to come into windows, besides records.
#[derive(Debug, Clone, Copy)]
pub(in crate::window) struct Coming {
    /// How many slices.
    pub(in crate::window) slices: usize,
    /// The most keys that come into one slice.
    pub(in crate::window) most: usize,
    /// How many keys come into slices, each counted as often as it comes.
    pub(in crate::window) keys: usize,
}

impl Coming {
    pub(super) const NOTHING: Self = Self { slices: 0, most: 0, keys: 0 };
}

impl<T, K: Hash + Eq + Clone + 'static, A: Aggregate<T>, W: Slicing> WindowFold<K, A, T, W> {
    /// Adds what records of a key come to that lie between this instant and the end of its slice. All windows over it must be open.
    pub(in crate::window) fn add_slice(&mut self, start: Timestamp, key: K, acc: &A::Acc) {
        if !self.recent.contains(start) {
            let place = self.turn_to(start);
            assert!(matches!(place, Ok(Place::Recent)), "all windows over it are open");
        }
        let is_full = self.is_full();
        let table = &mut self.recent.table;
        match table.find(&key) {
            Ok(slot) => self.aggregate.combine(&mut table.at_mut(slot).1, acc),
            // What came into a slice cannot be late any more.
            Err(_) if is_full => {
                self.fault = Some(Fault::TooMuchHeld { most: self.tables.limits().held.most });
            }
            Err(hash) => {
                let begun = self.tables.begin(table, (key, hash), acc.clone(), &mut self.fault);
                self.fresh += usize::from(begun);
            }
        }
    }

    /// What is in windows that have not fired, and what so many more records may add: it is about to come to whoever takes their
    /// results. Each window must be a slice here, and so many of them make one there.
    pub(in crate::window) fn coming(&self, together: usize, records: usize) -> Coming {
        let slices = self.slices.iter().map(|slice| slice.table.len());
        let keys = slices.sum::<usize>() + self.recent.table.len() + records;
        let longest = self.tables.longest().max(self.recent.table.len()) + records;
        Coming { slices: self.slices.len(), most: keys.min(longest.saturating_mul(together)), keys }
    }

    /// As [`prepare`](crate::Operator::prepare), if that comes besides so many records.
    pub(in crate::window) fn prepare_for(&mut self, records: usize, coming: Coming) -> Prepared {
        let Self { slices, recent: Recent { table: recent, .. }, .. } = self;
        self.tables.note(recent.len());
        let used = Used { slices, recent, coming: coming.slices };
        let tables = self.tables.prepare(records + coming.most, used);
        if self.fires_slices() {
            return tables;
        }
        // All are asked, so that none is late for want of another.
        let whole =
            self.whole.prepare(records, self.fresh + coming.keys, corrected(&self.windows, self.lateness));
        tables.and(whole).and(self.held.prepare(records))
    }
}
