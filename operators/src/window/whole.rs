//! Windows of several slices: what their keys come to, kept from window to window.

use std::{hash::Hash, iter, marker::PhantomData, mem, ops::RangeInclusive};

use super::{
    budget::Budget,
    holdings::Holdings,
    tables::{InUse, Tables},
};
use crate::{
    Fault, KeyLimits, Prepared, Supplies,
    finger_tree::{FingerNodes, FingerTree},
    key::{SlotNumber, hash_key},
    queue::{Combine, Memory, Queue},
    state::KeyTable,
};

/// The keys of the windows that are put together, and what they come to.
pub(super) struct Whole<K, A: Clone + Send + 'static, Q: Queue<A>> {
    keys: Keys<K, Live<A, Q>>,
    memory: Q::Memory,
    /// What has come to slices that were in already.
    behind: FingerNodes<i64, A>,
    /// The slices in it, and how many accumulators each has brought.
    slices: Holdings,
    /// How many keys the window fired last had.
    fired: usize,
    firing: Firing<K, Live<A, Q>>,
}

/// The keys themselves.
struct Keys<K, L> {
    table: KeyTable<K, L>,
    /// And others like it.
    tables: Tables<K, L>,
    /// The most keys that a window may have.
    most: usize,
    /// How many keys of the table are in no slice any more.
    dead: usize,
}

/// What a key comes to.
struct Live<A, Q> {
    queue: Q,
    /// What has come to slices that were in the queue already.
    behind: FingerTree,
    values: PhantomData<fn() -> A>,
}

/// What has not been emitted of a window.
enum Firing<K, L> {
    /// All has been.
    Done,
    /// The keys from this one on.
    From(u32),
    /// What is left in this one. The others are back in the table, but for those in no slice.
    Sifting(KeyTable<K, L>),
}

/// Which slices a window consists of, and from which on they stay once it is emitted.
#[derive(Debug, Clone)]
pub(super) struct Extent {
    pub(super) slices: RangeInclusive<i64>,
    pub(super) stay_from: i64,
}

impl Extent {
    /// No slice, and all stay.
    pub(super) const NOTHING: Self =
        Self { slices: RangeInclusive::new(i64::MAX, i64::MIN), stay_from: i64::MIN };
}

/// The table is sifted once more than one in so many keys is dead.
const DEAD_IN: usize = 2;

impl<K, L> InUse<K, L> for &mut KeyTable<K, L> {
    fn slices(&self) -> usize {
        0
    }

    fn tables<'a>(&'a mut self) -> impl Iterator<Item = &'a mut KeyTable<K, L>>
    where
        K: 'a,
        L: 'a,
    {
        iter::once(&mut **self)
    }
}

impl<A: Clone + Send + 'static, Q: Queue<A>> Live<A, Q> {
    fn new() -> Self {
        Self { queue: Q::default(), behind: FingerTree::new(), values: PhantomData }
    }

    fn is_dead(&self) -> bool {
        self.queue.is_empty() && self.behind.is_empty()
    }

    #[inline]
    fn query(
        &self,
        memory: &Q::Memory,
        behind: &FingerNodes<i64, A>,
        slices: &RangeInclusive<i64>,
        by: &impl Combine<A>,
    ) -> Option<A> {
        let queue = self.queue.query(memory, slices.clone(), by);
        if self.behind.is_empty() {
            return queue;
        }
        let behind = self.behind.range(behind, slices.clone(), |one, other| by.joined(one, other));
        match (queue, behind) {
            (Some(queue), Some(behind)) => Some(by.joined(&queue, &behind)),
            (one, other) => one.or(other),
        }
    }

    /// What it comes to in a window, after which it lets go of what does not stay.
    #[inline(always)]
    fn pass(
        &mut self,
        memory: &mut Q::Memory,
        behind: &mut FingerNodes<i64, A>,
        extent: &Extent,
        by: &impl Combine<A>,
    ) -> Option<A> {
        let acc = self.query(memory, behind, &extent.slices, by);
        self.queue.evict_before(memory, extent.stay_from, by);
        if !self.behind.is_empty() {
            self.behind.evict_before(behind, extent.stay_from, |one, other| by.joined(one, other));
        }
        acc
    }
}

impl<K: Hash + Eq + Clone + 'static, A: Clone + Send + 'static, Q: Queue<A>> Keys<K, Live<A, Q>> {
    /// What a key comes to; it is begun if it is new. None if that would be one more than allowed.
    fn live(&mut self, key: &K, fault: &mut Option<Fault>) -> Option<&mut Live<A, Q>> {
        let found = self.table.find(key);
        let is_dead = found.map_or(true, |slot| self.table.at_mut(slot).1.is_dead());
        if is_dead && self.table.len() - self.dead >= self.most {
            *fault = Some(Fault::TooManyKeys { most: self.most });
            return None;
        }
        let slot = match found {
            Ok(slot) => slot,
            Err(hash) => {
                let slot = self.table.len();
                self.tables.begin(&mut self.table, (key.clone(), hash), Live::new(), fault);
                self.dead += 1;
                SlotNumber::new(u32::try_from(slot).expect("fewer than 2^32 keys are allowed"))
            }
        };
        // Whoever asks for it is about to put something in.
        self.dead -= usize::from(is_dead);
        Some(&mut self.table.at_mut(slot).1)
    }
}

impl<K: Hash + Eq + Clone + 'static, A: Clone + Send + 'static, Q: Queue<A>> Whole<K, A, Q> {
    pub(super) fn new(limits: KeyLimits) -> Self {
        // What is dead and still in the table does not count.
        let mut tables = Tables::new(KeyLimits { most: usize::MAX, ..limits }, 1);
        let keys = Keys { table: tables.take(0), tables, most: limits.most, dead: 0 };
        Self {
            keys,
            memory: Q::Memory::default(),
            behind: FingerNodes::new(),
            slices: Holdings::new(),
            fired: 0,
            firing: Firing::Done,
        }
    }

    pub(super) fn connect(&mut self, supplies: &mut impl Supplies)
    where
        K: Send,
    {
        self.keys.tables.connect(supplies);
        self.memory.connect(supplies);
        self.behind.connect(supplies);
    }

    /// As [`Tables::prepare`], where so many of the keys in slices yet to come may be new, and a record may correct so many windows.
    pub(super) fn prepare(&mut self, records: usize, fresh: usize, corrected: usize) -> Prepared {
        let Keys { table, tables, most, .. } = &mut self.keys;
        tables.note(self.fired + fresh.min(*most));
        let behind = if Q::IS_FREE { Prepared::Ready } else { self.behind.prepare(records) };
        behind
            .and(self.memory.prepare(records + fresh, records * corrected))
            .and(tables.prepare(records, table))
    }

    /// Whether there is anything in it from this slice on.
    pub(super) fn reaches(&self, slice: i64) -> bool {
        self.slices.reach(slice)
    }

    /// Whether there is nothing in it before this slice.
    pub(super) fn is_from(&self, slice: i64) -> bool {
        self.slices.are_from(slice)
    }

    /// How many accumulators have come in whose slices have not left.
    pub(super) fn held(&self) -> usize {
        self.slices.all()
    }

    /// Takes in what a key has come to in a slice that has been [noted](Self::note).
    #[inline]
    pub(super) fn enter(
        &mut self,
        slice: i64,
        (key, acc): (K, A),
        by: &impl Combine<A>,
        fault: &mut Option<Fault>,
    ) {
        if let Some(live) = self.keys.live(&key, fault) {
            live.queue.insert(&mut self.memory, slice, acc, by);
        }
    }

    /// Takes in what has come to a slice not all of whose windows are open. Says of each of these windows, which have fired, what
    /// it came to before and comes to now, and how many results it has had.
    pub(super) fn correct(
        &mut self,
        (slice, key): (i64, &K),
        acc: A,
        fired: impl Iterator<Item = (i64, RangeInclusive<i64>)>,
        by: &impl Combine<A>,
        fault: &mut Option<Fault>,
        mut corrected: impl FnMut(i64, Option<A>, A, u32),
    ) {
        let Some(live) = self.keys.live(key, fault) else { return };
        for (window, slices) in fired {
            let before = live.query(&self.memory, &self.behind, &slices, by);
            let after = before.as_ref().map_or_else(|| acc.clone(), |before| by.joined(before, &acc));
            let count = live.queue.count(&mut self.memory, *slices.start(), before.is_some().into());
            corrected(window, before, after, count);
        }
        if Q::IS_FREE {
            live.queue.insert(&mut self.memory, slice, acc, by);
        } else {
            live.behind.insert(&mut self.behind, slice, acc, |one, other| by.joined(one, other));
        }
        self.note(slice, 1);
    }

    /// Notes that so many accumulators come in of a slice.
    pub(super) fn note(&mut self, slice: i64, accumulators: usize) {
        self.slices.note(slice, accumulators);
    }

    /// Begins to emit a window, or to let go of what does not stay.
    pub(super) fn fire(&mut self) {
        let Keys { table, tables, dead, .. } = &mut self.keys;
        self.fired = table.len();
        self.firing = if *dead > table.len() / DEAD_IN {
            let mut old = mem::replace(table, tables.take(0));
            old.begin_to_empty();
            *dead = 0;
            Firing::Sifting(old)
        } else {
            Firing::From(0)
        };
    }

    /// How many keys there are.
    #[cfg(test)]
    pub(super) fn keys(&self) -> usize {
        self.keys.table.len() - self.keys.dead
    }

    /// For how many keys there is memory.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.keys.table.capacity()
    }

    /// Whether nothing is left to be emitted. (There may be nothing even if this says no.)
    pub(super) fn has_fired(&self) -> bool {
        matches!(self.firing, Firing::Done)
    }

    /// The next key and what it comes to, in the order in which the keys came in. None if there is none, or if the budget for those
    /// that come to nothing is spent.
    // Compiled into its caller: what it returned by way of memory would be read in larger pieces than it was written in, which
    // waits until the stores have reached the cache.
    #[inline(always)]
    pub(super) fn next(
        &mut self,
        extent: &Extent,
        by: &impl Combine<A>,
        budget: &mut Budget,
        fault: &mut Option<Fault>,
    ) -> Option<(K, A)> {
        let Self { keys: Keys { table, dead, .. }, memory, behind, .. } = self;
        match &mut self.firing {
            Firing::Done => return None,
            Firing::From(slot) => {
                while (*slot as usize) < table.len() {
                    let (key, live) = table.at_mut(SlotNumber::new(*slot));
                    *slot += 1;
                    if !live.is_dead() {
                        let acc = live.pass(memory, behind, extent, by);
                        *dead += usize::from(live.is_dead());
                        if let Some(acc) = acc {
                            return Some((key.clone(), acc));
                        }
                    }
                    if budget.is_spent() {
                        return None;
                    }
                }
            }
            Firing::Sifting(_) => {
                let next = self.sift_next(extent, by, budget, fault);
                if next.is_some() || matches!(&self.firing, Firing::Sifting(old) if !old.is_emptied()) {
                    return next;
                }
            }
        }
        self.firing = Firing::Done;
        self.slices.leave_before(extent.stay_from);
        None
    }

    /// As [`next`](Self::next), of a table that is sifted.
    // By itself, so that the way without it takes no more than it needs.
    #[inline(never)]
    fn sift_next(
        &mut self,
        extent: &Extent,
        by: &impl Combine<A>,
        budget: &mut Budget,
        fault: &mut Option<Fault>,
    ) -> Option<(K, A)> {
        let Self { keys: Keys { table, tables, .. }, memory, behind, firing, .. } = self;
        let Firing::Sifting(old) = firing else { return None };
        while let Some((key, mut live)) = old.take_next() {
            let acc = live.pass(memory, behind, extent, by);
            let next = acc.map(|acc| (key.clone(), acc));
            if !live.is_dead() {
                let hash = hash_key(&key);
                tables.begin(table, (key, hash), live, fault);
            }
            if next.is_some() || (budget.is_spent() && !old.is_emptied()) {
                return next;
            }
        }
        tables.put_back(mem::replace(old, KeyTable::absent()));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        queue::{InRows, Running},
        supply::tests::Late,
    };

    struct Sums;

    impl Combine<u64> for Sums {
        fn combine(&self, acc: &mut u64, other: &u64) {
            *acc += other;
        }

        fn subtract(&self, acc: &mut u64, other: &u64) {
            *acc -= other;
        }
    }

    #[test]
    fn there_is_room_for_all_keys_that_are_to_come_in_at_once() {
        for seed in 0..200 {
            let limits = KeyLimits { expected: 16, ..KeyLimits::default() };
            let mut whole = Whole::<u32, u64, InRows<Running<u64>>>::new(limits);
            whole.connect(&mut Late::new(seed));
            let mut keys = 0..;
            for fresh in [10, 40, 500, 3_000] {
                while whole.prepare(1, fresh, 0) == Prepared::Waiting {}
                let room = whole.keys.table.headroom();
                assert!(room > fresh, "seed {seed}: room for {room} keys and not for {fresh}");
                whole.note(0, fresh);
                let slice = keys.by_ref().take(fresh).map(|key| (key, 1));
                slice.for_each(|part| whole.enter(0, part, &Sums, &mut None));
                whole.fire();
                let extent = Extent { slices: 0..=0, stay_from: 0 };
                while !whole.has_fired() {
                    let _ = whole.next(&extent, &Sums, &mut Budget::new(), &mut None);
                }
            }
        }
    }
}
