use crate::key::SlotNumber;

/// Records of one slice that wait to be added to it together.
///
/// With many keys, what a record needs of the key table and of its column lies far away in memory. One record after the
/// other, the processor waits for each; for a crowd of them it waits once.
pub(super) struct Crowd<K, T> {
    pub(super) records: Vec<(K, T)>,
    /// The slot numbers of their keys, as far as they are known.
    pub(super) slots: Vec<Option<SlotNumber>>,
    /// Whether there are so many keys that this is worth it.
    pub(super) is_wanted: bool,
}

/// How many records make a crowd: as many as there can be loads under way, a few times over.
const CROWD: usize = 64;

impl<K, T> Crowd<K, T> {
    pub(super) fn new() -> Self {
        Self { records: Vec::with_capacity(CROWD), slots: Vec::with_capacity(CROWD), is_wanted: false }
    }

    /// How many wait.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Has another one wait; true if that is as many as there should be.
    #[inline(always)]
    pub(super) fn push(&mut self, key: K, value: T) -> bool {
        self.records.push((key, value));
        self.records.len() == CROWD
    }
}
