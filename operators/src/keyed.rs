//! Operators that keep a value for each key and emit one record for each that comes in.

use std::hash::Hash;

use crate::{Emit, Fault, KeyLimits, Keyed, KeyedState, Operator, Prepared, Record, Supplies, Tally};

/// Combines the values of each key, and emits after each what all so far come to.
///
/// The first value of a key begins its state and goes out as it is. Records are taken as they come, whatever their
/// time: none is late, and each result has the time of the record that made it.
///
/// # Cost
/// A key look-up, the function, and a copy of the key and of the state. Keys are kept for good.
///
/// ```
/// use nacreous_operators::{KeyLimits, Keyed, Operator, Record, Reduce};
/// use nacreous_watermark::Timestamp;
///
/// let mut most = Reduce::new(KeyLimits::default(), |most: &mut i32, n| *most = n.max(*most));
/// let mut out = Vec::new();
/// for (key, value) in [("a", 3), ("b", 1), ("a", 2), ("a", 5)] {
///     most.on_record(Record { time: Timestamp::from_nanos(0), value: Keyed { key, value } }, &mut out);
/// }
/// let running: Vec<_> = out.iter().map(|record| (record.value.key, record.value.value)).collect();
/// assert_eq!(running, [("a", 3), ("b", 1), ("a", 3), ("a", 5)]);
/// ```
pub struct Reduce<K, T, F> {
    f: F,
    limits: KeyLimits,
    state: KeyedState<K, T>,
    reduced: u64,
}

impl<K: Hash + Eq + 'static, T, F: FnMut(&mut T, T)> Reduce<K, T, F> {
    /// Adds each value but the first of its key to what is kept for the key, with `f`.
    pub fn new(limits: KeyLimits, f: F) -> Self {
        Self { f, limits, state: KeyedState::new(limits), reduced: 0 }
    }
}

/// The clone has the same function and limits and knows no key: it serves another instance.
impl<K: Hash + Eq + 'static, T, F: Clone> Clone for Reduce<K, T, F> {
    fn clone(&self) -> Self {
        Self { f: self.f.clone(), limits: self.limits, state: KeyedState::new(self.limits), reduced: 0 }
    }
}

impl<K, T, F> Operator<Keyed<K, T>> for Reduce<K, T, F>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Clone + Send + 'static,
    F: FnMut(&mut T, T),
{
    type Out = Keyed<K, T>;

    #[inline]
    fn on_record(&mut self, record: Record<Keyed<K, T>>, out: &mut impl Emit<Self::Out>) {
        let Record { time, value: Keyed { key, value } } = record;
        let mut value = Some(value);
        let begin = || value.take().expect("a key begins once");
        let Some((_, key, acc)) = self.state.entry(key, begin) else { return };
        if let Some(value) = value {
            (self.f)(acc, value);
        }
        self.reduced += 1;
        out.emit(Record { time, value: Keyed { key: key.clone(), value: acc.clone() } });
    }

    fn connect(&mut self, supplies: &mut impl Supplies) {
        self.state.connect(supplies);
    }

    fn prepare(&mut self, records: usize) -> Prepared {
        self.state.prepare(records)
    }

    fn fault(&self) -> Option<Fault> {
        self.state.fault()
    }

    fn tally(&self) -> Tally {
        Tally { on_time: self.reduced, results: self.reduced, ..Tally::default() }
    }
}

/// Turns each value into another with the help of a state kept for its key, as [`Iterator::scan`] does without keys.
///
/// Records are taken as they come, whatever their time: none is late, and what becomes of one has its time.
///
/// # Cost
/// A key look-up, the function, and a copy of the key. Keys are kept for good.
///
/// ```
/// use nacreous_operators::{KeyLimits, Keyed, Operator, Record, Scan};
/// use nacreous_watermark::Timestamp;
///
/// let mut nth = Scan::new(KeyLimits::default(), 0, |seen: &mut u32, word: &'static str| {
///     *seen += 1;
///     format!("{word} {seen}")
/// });
/// let mut out = Vec::new();
/// for (key, value) in [(1, "a"), (2, "b"), (1, "c")] {
///     nth.on_record(Record { time: Timestamp::from_nanos(0), value: Keyed { key, value } }, &mut out);
/// }
/// assert_eq!(out.iter().map(|record| &record.value.value).collect::<Vec<_>>(), ["a 1", "b 1", "c 2"]);
/// ```
pub struct Scan<K, S, F> {
    initial: S,
    f: F,
    limits: KeyLimits,
    state: KeyedState<K, S>,
    scanned: u64,
}

impl<K: Hash + Eq + 'static, S, F> Scan<K, S, F> {
    /// Applies `f` to the state of the value's key, at first a clone of `initial`, and to the value.
    pub fn new(limits: KeyLimits, initial: S, f: F) -> Self {
        Self { initial, f, limits, state: KeyedState::new(limits), scanned: 0 }
    }
}

/// The clone has the same function, initial state and limits and knows no key: it serves another instance.
impl<K: Hash + Eq + 'static, S: Clone, F: Clone> Clone for Scan<K, S, F> {
    fn clone(&self) -> Self {
        Self::new(self.limits, self.initial.clone(), self.f.clone())
    }
}

impl<K, T, S, O, F> Operator<Keyed<K, T>> for Scan<K, S, F>
where
    K: Hash + Eq + Clone + Send + 'static,
    S: Clone + Send + 'static,
    F: FnMut(&mut S, T) -> O,
{
    type Out = Keyed<K, O>;

    #[inline]
    fn on_record(&mut self, record: Record<Keyed<K, T>>, out: &mut impl Emit<Self::Out>) {
        let Record { time, value: Keyed { key, value } } = record;
        let Some((_, key, state)) = self.state.entry(key, || self.initial.clone()) else { return };
        let value = (self.f)(state, value);
        self.scanned += 1;
        out.emit(Record { time, value: Keyed { key: key.clone(), value } });
    }

    fn connect(&mut self, supplies: &mut impl Supplies) {
        self.state.connect(supplies);
    }

    fn prepare(&mut self, records: usize) -> Prepared {
        self.state.prepare(records)
    }

    fn fault(&self) -> Option<Fault> {
        self.state.fault()
    }

    fn tally(&self) -> Tally {
        Tally { on_time: self.scanned, results: self.scanned, ..Tally::default() }
    }
}

#[cfg(test)]
mod tests;
