//! Windows of several slices: what their keys come to, put together from slice to slice.

use std::{hash::Hash, iter, mem};

use super::{
    entered::Entered,
    tables::{InUse, Tables},
};
use crate::{
    Fault, KeyLimits, Prepared, Supplies,
    key::{SlotNumber, hash_key},
    state::KeyTable,
};

/// The keys of a window that is put together, and what they come to.
///
/// It is kept from window to window if slices can be [taken out](Self::leave) of it again, and emptied with each otherwise.
pub(super) struct Whole<K, A> {
    keys: Keys<K, A>,
    /// What is to be taken out of it again.
    entered: Entered<K, A>,
    /// How many keys the window fired last had.
    fired: usize,
    firing: Firing<K, A>,
}

/// The keys themselves.
struct Keys<K, A> {
    table: KeyTable<K, Live<A>>,
    /// And others like it.
    tables: Tables<K, Live<A>>,
    /// The most keys that a window may have.
    most: usize,
    /// How many keys of the table are in no slice of the window any more.
    dead: usize,
}

/// What a key comes to.
#[derive(Clone)]
struct Live<A> {
    acc: A,
    /// In how many slices of the window it is; once more for each record that came after its slice had.
    slices: u64,
}

/// What has not been emitted of a window.
enum Firing<K, A> {
    /// All has been.
    Done,
    /// The keys from this one on. They stay.
    From(u32),
    /// What is left in the table. Nothing stays.
    Emptying,
    /// What is left in this one. The others are back in the table, but for those in no slice.
    Sifting(KeyTable<K, Live<A>>),
}

/// The table is sifted once more than one in so many keys is dead.
const DEAD_IN: usize = 4;

impl<K, A> InUse<K, Live<A>> for &mut KeyTable<K, Live<A>> {
    fn slices(&self) -> usize {
        0
    }

    fn tables<'a>(&'a mut self) -> impl Iterator<Item = &'a mut KeyTable<K, Live<A>>>
    where
        K: 'a,
        A: 'a,
    {
        iter::once(&mut **self)
    }
}

impl<K: Hash + Eq + Clone + 'static, A: Clone> Keys<K, A> {
    /// Adds what a key comes to in a slice.
    fn add(&mut self, key: &K, acc: &A, combine: impl FnOnce(&mut A, &A), fault: &mut Option<Fault>) {
        match self.table.find(key) {
            Ok(slot) => {
                let live = &mut self.table.at_mut(slot).1;
                if live.slices == 0 {
                    self.dead -= 1;
                    live.acc.clone_from(acc);
                } else {
                    combine(&mut live.acc, acc);
                }
                live.slices += 1;
            }
            Err(_) if self.table.len() - self.dead >= self.most => {
                *fault = Some(Fault::TooManyKeys { most: self.most });
            }
            Err(hash) => {
                let live = Live { acc: acc.clone(), slices: 1 };
                self.tables.begin(&mut self.table, (key.clone(), hash), live, fault);
            }
        }
    }
}

impl<K: Hash + Eq + Clone + 'static, A: Clone> Whole<K, A> {
    pub(super) fn new(limits: KeyLimits) -> Self {
        // What is dead and still in the table does not count.
        let mut tables = Tables::new(KeyLimits { most: usize::MAX, ..limits }, 1);
        let keys = Keys { table: tables.take(0), tables, most: limits.most, dead: 0 };
        Self { keys, entered: Entered::new(), fired: 0, firing: Firing::Done }
    }

    pub(super) fn connect(&mut self, supplies: &mut impl Supplies)
    where
        K: Send,
        A: Send + 'static,
    {
        self.keys.tables.connect(supplies);
        self.entered.connect(supplies);
    }

    /// As [`Tables::prepare`], where so many of the keys in slices yet to come may be new.
    pub(super) fn prepare(&mut self, records: usize, fresh: usize, is_kept: bool) -> Prepared {
        let Keys { table, tables, most, .. } = &mut self.keys;
        let keys = self.fired + fresh.min(*most);
        tables.note(keys);
        let parts = if is_kept { self.entered.prepare(records + fresh) } else { Prepared::Ready };
        parts.and(tables.prepare(records, table))
    }

    /// Whether it is kept, and there are slices in it.
    pub(super) fn has_entered(&self) -> bool {
        !self.entered.is_empty()
    }

    /// Adds a slice until it [leaves](Self::leave), after this window.
    pub(super) fn enter(
        &mut self,
        last: i64,
        parts: impl Iterator<Item = (K, A)>,
        combine: impl Fn(&mut A, &A),
        fault: &mut Option<Fault>,
    ) {
        let add = |part: &(K, A)| self.keys.add(&part.0, &part.1, &combine, fault);
        self.entered.add(last, parts.inspect(add));
    }

    /// Adds what a key comes to in a slice, for one window.
    pub(super) fn add(
        &mut self,
        key: &K,
        acc: &A,
        combine: impl FnOnce(&mut A, &A),
        fault: &mut Option<Fault>,
    ) {
        self.keys.add(key, acc, combine, fault);
    }

    /// Takes out the slices that do not lie in this window any more.
    pub(super) fn leave(&mut self, window: i64, subtract: impl Fn(&mut A, &A)) {
        let Self { entered, keys: Keys { table, dead, .. }, .. } = self;
        entered.leave(window, |key, acc| {
            // One that was beyond the limit is not there.
            let Ok(slot) = table.find(key) else { return };
            let live = &mut table.at_mut(slot).1;
            live.slices -= 1;
            if live.slices == 0 {
                *dead += 1;
            } else {
                subtract(&mut live.acc, acc);
            }
        });
    }

    /// Begins to emit what there is. All of it stays for the next window, or none.
    pub(super) fn fire(&mut self, stays: bool) {
        let Keys { table, tables, dead, .. } = &mut self.keys;
        self.fired = table.len();
        self.firing = if !stays {
            table.begin_to_empty();
            Firing::Emptying
        } else if *dead > table.len() / DEAD_IN {
            let mut old = mem::replace(table, tables.take(0));
            old.begin_to_empty();
            *dead = 0;
            Firing::Sifting(old)
        } else {
            Firing::From(0)
        };
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

    /// The next key and what it comes to, in the order in which the keys came in.
    pub(super) fn next(&mut self, fault: &mut Option<Fault>) -> Option<(K, A)> {
        let Keys { table, tables, .. } = &mut self.keys;
        match &mut self.firing {
            Firing::Done => None,
            Firing::From(slot) => {
                while (*slot as usize) < table.len() {
                    let (key, live) = table.at_mut(SlotNumber::new(*slot));
                    *slot += 1;
                    if live.slices > 0 {
                        return Some((key.clone(), live.acc.clone()));
                    }
                }
                self.firing = Firing::Done;
                None
            }
            Firing::Emptying => {
                let next = table.take_next().map(|(key, live)| (key, live.acc));
                if next.is_none() {
                    self.firing = Firing::Done;
                }
                next
            }
            Firing::Sifting(old) => {
                while let Some((key, live)) = old.take_next() {
                    if live.slices > 0 {
                        let next = (key.clone(), live.acc.clone());
                        let hash = hash_key(&key);
                        tables.begin(table, (key, hash), live, fault);
                        return Some(next);
                    }
                }
                let old = mem::replace(old, KeyTable::absent());
                tables.put_back_emptied(old);
                self.firing = Firing::Done;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supply::tests::Late;

    #[test]
    fn there_is_room_for_all_keys_that_are_to_come_in_at_once() {
        for seed in 0..200 {
            let mut whole = Whole::<u32, u64>::new(KeyLimits { expected: 16, ..KeyLimits::default() });
            whole.connect(&mut Late::new(seed));
            let mut keys = 0..;
            for fresh in [10, 40, 500, 3_000] {
                while whole.prepare(1, fresh, true) == Prepared::Waiting {}
                let room = whole.keys.table.headroom();
                assert!(room > fresh, "seed {seed}: room for {room} keys and not for {fresh}");
                let slice = keys.by_ref().take(fresh).map(|key| (key, 1));
                whole.enter(i64::MAX, slice, |acc, other| *acc += other, &mut None);
                whole.fire(true);
                while whole.next(&mut None).is_some() {}
            }
        }
    }
}
