//! State for each key, in columns indexed by dense slot numbers.

use std::hash::Hash;

use crate::{
    Fault, Prepared, Supplies,
    key::{KeyTable, SlotNumber},
};

/// How many keys are expected, and how many are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLimits {
    /// There is memory for so many from the beginning. More are taken too.
    pub expected: usize,
    /// A key beyond so many is a [`Fault`].
    pub most: usize,
}

impl Default for KeyLimits {
    /// A thousand expected; as many as can be numbered allowed.
    fn default() -> Self {
        Self { expected: 1_024, most: u32::MAX as usize }
    }
}

/// A value for each key.
#[derive(Debug)]
pub struct KeyedState<K, S> {
    table: KeyTable<K>,
    values: Vec<S>,
    limits: KeyLimits,
    fault: Option<Fault>,
}

impl<K: Hash + Eq, S> KeyedState<K, S> {
    /// No keys yet, and memory for those expected.
    pub fn new(limits: KeyLimits) -> Self {
        Self { table: KeyTable::new(), values: Vec::with_capacity(limits.expected), limits, fault: None }
    }

    /// The key's number and value; `begin` makes the value of a new key. `None` for a new key beyond those allowed.
    #[inline(always)]
    pub(crate) fn entry(&mut self, key: K, begin: impl FnOnce() -> S) -> Option<(SlotNumber, &K, &mut S)> {
        let slot = self.table.intern(key);
        if slot.index() == self.values.len() {
            if slot.index() >= self.limits.most {
                self.fault = Some(Fault::TooManyKeys { most: self.limits.most });
                return None;
            }
            self.values.push(begin());
        }
        Some((slot, &self.table.keys()[slot.index()], &mut self.values[slot.index()]))
    }

    /// The key with this number, and its value.
    #[inline]
    pub(crate) fn at(&mut self, slot: SlotNumber) -> (&K, &mut S) {
        (&self.table.keys()[slot.index()], &mut self.values[slot.index()])
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no key yet.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// As [`Operator::connect`](crate::Operator::connect).
    pub(crate) fn connect(&mut self, supplies: &mut impl Supplies) {
        let _ = supplies;
    }

    /// As [`Operator::prepare`](crate::Operator::prepare).
    pub(crate) fn prepare(&mut self, records: usize) -> Prepared {
        let _ = records;
        Prepared::Ready
    }

    /// As [`Operator::fault`](crate::Operator::fault).
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.fault
    }
}
