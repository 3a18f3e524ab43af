//! State for each key, in columns indexed by dense slot numbers.

mod slot_vec;
mod table;
mod timers;

pub(crate) use slot_vec::touched;
pub(crate) use table::{KeyTable, Stopped, empty_index};
pub(crate) use timers::TimerQueue;

use std::hash::Hash;

use crate::{Block, Fault, Prepared, Supplies, key::SlotNumber, supply::Stock};

/// How many keys are expected, and how much is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLimits {
    /// There is memory for so many from the beginning. More are taken too.
    pub expected: usize,
    /// A key beyond so many is a [`Fault`].
    pub most: usize,
    /// How much windows may hold.
    pub held: HeldLimit,
}

/// How many accumulators, and records that wait for something, windows may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldLimit {
    /// So many in all.
    pub most: usize,
    /// What becomes of a record that would need one more.
    pub beyond: Beyond,
}

/// What becomes of a record for which windows would need more memory than they are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Beyond {
    /// The job fails, with an error that names the limit.
    #[default]
    Fail,
    /// It goes out with the late records.
    Late,
}

impl HeldLimit {
    /// As much as there is memory for.
    pub const NONE: Self = Self { most: usize::MAX, beyond: Beyond::Fail };

    /// The fault of a record that needs one more than there may be; none if such records are late.
    pub(crate) fn fault(self) -> Option<Fault> {
        match self.beyond {
            Beyond::Fail => Some(Fault::TooMuchHeld { most: self.most }),
            Beyond::Late => None,
        }
    }
}

impl Default for KeyLimits {
    /// A thousand expected; as many as can be numbered allowed.
    fn default() -> Self {
        Self { expected: 1_024, most: u32::MAX as usize, held: HeldLimit::NONE }
    }
}

impl KeyLimits {
    /// The same, and no more allowed than can be numbered.
    pub(crate) fn numbered(self) -> Self {
        Self { most: self.most.min(u32::MAX as usize), ..self }
    }

    /// The length of a table's base: a power of two.
    pub(crate) fn base_length(self) -> usize {
        self.expected.min(self.most).clamp(BASE_LENGTH_MIN, BASE_LENGTH_MAX).next_power_of_two()
    }

    /// Whether memory for `capacity` keys, with `keys` of them there, is two thirds full, or too small for so many new
    /// keys, or soon will be.
    pub(crate) fn is_low(self, capacity: usize, keys: usize, new_keys: usize) -> bool {
        // A table that is nearly empty has time.
        let ahead = if keys >= capacity / 4 { new_keys } else { 0 };
        let is_short = keys + new_keys + ahead > capacity;
        capacity < self.most && (is_short || keys >= capacity / 3 * 2)
    }
}

/// With fewer, what a table costs besides its entries would be more than they.
const BASE_LENGTH_MIN: usize = 16;

/// The most keys that there is memory for from the beginning.
const BASE_LENGTH_MAX: usize = 1 << 30;

/// A value for each key.
///
/// # Cost
/// A known key: one hash, about one probe, and one look into a column; a call besides for a key beyond those expected.
/// A new key: besides, up to eight others migrate while the table grows.
///
/// It grows without a stall if [`prepare`](crate::Operator::prepare) is called before each batch and heeded. Else a new
/// key may find that the memory is not there yet; then the allocator is asked for it on the spot, and all keys migrate
/// at once.
#[derive(Debug)]
pub struct KeyedState<K, S> {
    table: KeyTable<K, S>,
    limits: KeyLimits,
    fault: Option<Fault>,
    stock: Stock<KeyBlock<K, S>, KeyWant>,
    /// Whether an index has been asked for that is not here yet.
    index_awaited: bool,
    /// Whether slots have.
    slots_awaited: bool,
}

/// Memory that keyed state grows into.
pub(crate) enum KeyBlock<K, S> {
    /// An empty index.
    Index(Vec<u32>),
    /// A further segment for keys and their values.
    Slots(Vec<(K, S)>),
}

/// Memory that keyed state asks for: a length each.
#[derive(Debug, Clone, Copy)]
pub(crate) enum KeyWant {
    Index(usize),
    Slots(usize),
}

/// The length of the index of a new table with room for so many keys.
///
/// A long index is made for a quarter of them: if all come it grows, a few keys at a time; if fewer do, as is usual, each
/// look-up finds more of a short one in cache.
fn initial_index(keys: usize) -> usize {
    (keys / 2).max(INDEX_IN_CACHE.min(keys * 2))
}

/// An index of this length is no burden to a cache.
const INDEX_IN_CACHE: usize = 8_192;

/// The number of keys that migrate with each call of `prepare`: some microseconds, if each comes from far away.
pub(crate) const MIGRATE_PER_PREPARE: usize = 128;

impl<K, S> KeyBlock<K, S> {
    fn make(want: KeyWant) -> Self {
        match want {
            KeyWant::Index(length) => Self::Index(empty_index(length)),
            KeyWant::Slots(length) => Self::Slots(touched(length)),
        }
    }
}

impl<K: Send + 'static, S: Send + 'static> Block for KeyBlock<K, S> {
    type Want = KeyWant;

    fn make(want: KeyWant) -> Self {
        Self::make(want)
    }
}

impl<K: Hash + Eq + 'static, S> KeyedState<K, S> {
    /// No keys yet, and memory for those expected.
    pub fn new(limits: KeyLimits) -> Self {
        let limits = limits.numbered();
        let length = limits.base_length();
        Self {
            table: KeyTable::new(length, initial_index(length)),
            limits,
            fault: None,
            stock: Stock::on_the_spot(KeyBlock::make),
            index_awaited: false,
            slots_awaited: false,
        }
    }

    /// The key's number and value; `begin` makes the value of a new key. `None` for a new key beyond those allowed.
    #[inline(always)]
    pub(crate) fn entry(&mut self, key: K, begin: impl FnOnce() -> S) -> Option<(SlotNumber, &K, &mut S)> {
        let slot = self.intern(key, begin)?;
        let (key, value) = self.table.at_mut(slot);
        Some((slot, key, value))
    }

    /// The key's number; `begin` makes the value of a new key. `None` for a new key beyond those allowed.
    #[inline(always)]
    pub(crate) fn intern(&mut self, key: K, begin: impl FnOnce() -> S) -> Option<SlotNumber> {
        match self.find_in_base(&key) {
            Some(slot) => Some(slot),
            None => self.intern_elsewhere(key, begin),
        }
    }

    /// The number of a key that is known and among those expected; none of any other.
    #[inline(always)]
    pub(crate) fn find_in_base(&self, key: &K) -> Option<SlotNumber> {
        self.table.find_in_base(key)
    }

    /// As [`intern`](Self::intern), for a key that is new or not among those expected.
    // Not cold: where there are more keys than expected, it is called for most records.
    #[inline(never)]
    pub(crate) fn intern_elsewhere(&mut self, key: K, begin: impl FnOnce() -> S) -> Option<SlotNumber> {
        match self.table.find(&key) {
            Ok(slot) => Some(slot),
            Err(hash) => self.insert(key, hash, begin),
        }
    }

    /// The key with this number, and its value.
    #[inline]
    pub(crate) fn at(&mut self, slot: SlotNumber) -> (&K, &mut S) {
        let (key, value) = self.table.at_mut(slot);
        (key, value)
    }

    /// The value of a key, if it is there.
    pub(crate) fn get(&mut self, key: &K) -> Option<&S> {
        let slot = self.table.find(key).ok()?;
        Some(&self.table.at_mut(slot).1)
    }

    /// Takes out a key. The last key gets its number; what that was before, unless it was the last itself.
    pub(crate) fn remove(&mut self, slot: SlotNumber) -> Option<SlotNumber> {
        let (_, moved) = self.table.remove(slot);
        moved
    }

    /// The keys and their values, in the order in which the keys first appeared, unless some have been taken out.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &S)> {
        self.table.iter().map(|(key, value)| (key, value))
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is no key yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As [`Operator::connect`](crate::Operator::connect).
    pub(crate) fn connect(&mut self, supplies: &mut impl Supplies)
    where
        K: Send + 'static,
        S: Send + 'static,
    {
        self.stock.connect(supplies);
    }

    /// As [`Operator::prepare`](crate::Operator::prepare).
    ///
    /// # Cost
    /// Up to 128 keys migrate while the table grows; else a few comparisons.
    pub(crate) fn prepare(&mut self, records: usize) -> Prepared {
        let old = self.table.migrate(MIGRATE_PER_PREPARE);
        self.give_back_index(old);
        let new_keys = records.min(self.limits.most - self.len());
        let all_asked = self.provide(new_keys);
        let awaited = self.index_awaited || self.slots_awaited || !all_asked;
        if self.table.headroom() < new_keys && awaited { Prepared::Waiting } else { Prepared::Ready }
    }

    /// As [`Operator::fault`](crate::Operator::fault).
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.fault
    }

    #[cold]
    #[inline(never)]
    fn insert(&mut self, key: K, hash: u64, begin: impl FnOnce() -> S) -> Option<SlotNumber> {
        if self.len() >= self.limits.most {
            self.fault = Some(Fault::TooManyKeys { most: self.limits.most });
            return None;
        }
        if !self.table.has_room() {
            self.make_room();
        }
        let (slot, old) = self.table.insert(key, hash, begin());
        self.give_back_index(old);
        self.provide(0);
        Some(slot)
    }

    /// Takes what has come, and asks for what is or soon will be missing for so many new keys. Whether all of that could
    /// be asked for.
    fn provide(&mut self, new_keys: usize) -> bool {
        loop {
            self.take_in();
            let index = self.missing_index(new_keys);
            let slots = self.missing_slots(new_keys);
            let index_asked = index.is_some_and(|want| self.stock.ask(want));
            self.index_awaited |= index_asked;
            let slots_asked = slots.is_some_and(|want| self.stock.ask(want));
            self.slots_awaited |= slots_asked;
            if !index_asked && !slots_asked {
                return index.is_none() && slots.is_none();
            }
        }
    }

    /// The index that should be asked for now.
    fn missing_index(&self, new_keys: usize) -> Option<KeyWant> {
        let capacity = self.table.index_capacity();
        let is_due = !self.index_awaited && self.is_low(capacity, new_keys);
        is_due.then(|| KeyWant::Index(self.table.next_index_length(self.len() + new_keys)))
    }

    /// The segment that should be asked for now.
    fn missing_slots(&self, new_keys: usize) -> Option<KeyWant> {
        let capacity = self.table.capacity();
        (!self.slots_awaited && self.is_low(capacity, new_keys)).then_some(KeyWant::Slots(capacity))
    }

    fn is_low(&self, capacity: usize, new_keys: usize) -> bool {
        self.limits.is_low(capacity, self.len(), new_keys)
    }

    /// Puts what has been asked for and has come to use.
    fn take_in(&mut self) {
        while let Some(block) = self.stock.take() {
            match block {
                KeyBlock::Index(index) => {
                    self.index_awaited = false;
                    let unfit = self.table.offer_index(index);
                    self.give_back_index(unfit);
                }
                KeyBlock::Slots(segment) => {
                    self.slots_awaited = false;
                    if self.table.can_add(&segment) {
                        self.table.add_segment(segment);
                    } else {
                        self.stock.give_back(KeyBlock::Slots(segment));
                    }
                }
            }
        }
    }

    fn give_back_index(&mut self, index: Option<Vec<u32>>) {
        index.into_iter().for_each(|index| self.stock.give_back(KeyBlock::Index(index)));
    }

    /// Makes room for a key on the spot, with a stall: only where nobody prepared for it, or the memory has not come.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self) {
        self.take_in();
        if !self.table.has_room() {
            self.table.make_room().into_iter().for_each(|index| self.give_back_index(Some(index)));
        }
    }
}

/// The clone has the same limits and no keys: it serves another instance.
impl<K: Hash + Eq + 'static, S> Clone for KeyedState<K, S> {
    fn clone(&self) -> Self {
        Self::new(self.limits)
    }
}

#[cfg(test)]
mod tests;
