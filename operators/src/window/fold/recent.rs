use std::hash::Hash;

use nacreous_watermark::Timestamp;

use crate::{
    Aggregate, Keyed, Record,
    state::{KeyTable, Stopped},
};

/// What the hot path needs of a slice, so that records near each other in time skip the search for it.
pub(super) struct Recent<K, A> {
    pub(super) start: i64,
    /// In nanoseconds; zero if there is no recent slice.
    pub(super) length: u64,
    /// Where its table is to go back to.
    pub(super) index: Option<usize>,
    /// How many records it has taken since it became the recent one.
    pub(super) records: u64,
    pub(super) table: KeyTable<K, A>,
}

impl<K, A> Recent<K, A> {
    pub(super) fn none() -> Self {
        Self { start: 0, length: 0, index: None, records: 0, table: KeyTable::absent() }
    }

    #[inline(always)]
    pub(super) fn contains(&self, time: Timestamp) -> bool {
        time.as_nanos().wrapping_sub(self.start).cast_unsigned() < self.length
    }
}

impl<K: Hash + Eq + 'static, Acc> Recent<K, Acc> {
    /// Adds records to the accumulators of their keys; comes back with the first that is of another slice, or whose key
    /// is not known, and then with where the search for the key has stopped.
    // HOT(window.records)
    #[inline(always)]
    pub(super) fn add_known<T, A: Aggregate<T, Acc = Acc>>(
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
