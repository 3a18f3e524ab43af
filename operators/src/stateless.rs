//! Operators that look at one record at a time and remember nothing but their counts.

mod fork;

pub use fork::{Split, SplitBy, Tried, TryMap};

use std::hint::{black_box, cold_path};

use crate::{Emit, Keyed, Operator, Record, Tally};

/// Adds one to a count that only some records touch.
///
/// The compiler would have a register for it in the loop over all records, and copy it around for the others: with
/// four filters in a loop, half of its instructions are such copies. What goes into a black box stays in memory.
#[inline(always)]
fn count_in_memory(count: &mut u64) {
    *count += 1;
    black_box(count);
}

// What goes into the adaptor of an iterator below is made by a function that knows nothing of the iterator. A closure within
// `on_records` would have the iterator's type in its own, beside the adaptor that has it as well: with each operator of a
// chain the name of the type would be twice as long, and the compiler writes names out.

/// Turns each value into another.
#[derive(Debug, Clone)]
pub struct Map<F>(F);

impl<F> Map<F> {
    /// Applies `f` to each value.
    pub fn new(f: F) -> Self {
        Self(f)
    }
}

impl<I, O, F: FnMut(I) -> O> Operator<I> for Map<F> {
    type Out = O;
    const HEEDS_WATERMARKS: bool = false;

    #[inline]
    fn on_record(&mut self, record: Record<I>, out: &mut impl Emit<O>) {
        out.emit(Record { time: record.time, value: (self.0)(record.value) });
    }

    #[inline(always)]
    fn on_records(&mut self, records: impl Iterator<Item = Record<I>>, out: &mut impl Emit<O>) {
        out.emit_all(records.map(mapped(&mut self.0)));
    }
}

#[inline(always)]
fn mapped<I, O>(f: &mut impl FnMut(I) -> O) -> impl FnMut(Record<I>) -> Record<O> {
    |Record { time, value }| Record { time, value: f(value) }
}

/// Lets through the values that a predicate holds for, and counts the others.
#[derive(Debug, Clone)]
pub struct Filter<F> {
    predicate: F,
    filtered: u64,
}

impl<F> Filter<F> {
    /// Keeps the values for which `predicate` is true.
    pub fn new(predicate: F) -> Self {
        Self { predicate, filtered: 0 }
    }
}

impl<T, F: FnMut(&T) -> bool> Operator<T> for Filter<F> {
    type Out = T;
    const HEEDS_WATERMARKS: bool = false;

    #[inline]
    fn on_record(&mut self, record: Record<T>, out: &mut impl Emit<T>) {
        if (self.predicate)(&record.value) {
            out.emit(record);
        } else {
            self.filtered += 1;
        }
    }

    #[inline(always)]
    fn on_records(&mut self, records: impl Iterator<Item = Record<T>>, out: &mut impl Emit<T>) {
        out.emit_all(records.filter(passes(&mut self.predicate, &mut self.filtered)));
    }

    fn tally(&self) -> Tally {
        Tally { filtered: self.filtered, ..Tally::default() }
    }
}

#[inline(always)]
fn passes<T>(predicate: &mut impl FnMut(&T) -> bool, filtered: &mut u64) -> impl FnMut(&Record<T>) -> bool {
    |record| {
        let passes = predicate(&record.value);
        if !passes {
            cold_path();
            count_in_memory(filtered);
        }
        passes
    }
}

/// Turns each value into another or into nothing: a filter and a map in one.
///
/// ```
/// use nacreous_operators::{FilterMap, Operator, Record};
/// use nacreous_watermark::Timestamp;
///
/// let mut numbers = FilterMap::new(|text: &str| text.parse::<i32>().ok());
/// let mut out = Vec::new();
/// for value in ["1", "two", "3"] {
///     numbers.on_record(Record { time: Timestamp::from_nanos(0), value }, &mut out);
/// }
/// assert_eq!(out.iter().map(|record| record.value).collect::<Vec<_>>(), [1, 3]);
/// assert_eq!(numbers.tally().filtered, 1);
/// ```
#[derive(Debug, Clone)]
pub struct FilterMap<F> {
    f: F,
    filtered: u64,
}

impl<F> FilterMap<F> {
    /// Applies `f` to each value; one for which it returns `None` is filtered.
    pub fn new(f: F) -> Self {
        Self { f, filtered: 0 }
    }
}

impl<I, O, F: FnMut(I) -> Option<O>> Operator<I> for FilterMap<F> {
    type Out = O;
    const HEEDS_WATERMARKS: bool = false;

    #[inline]
    fn on_record(&mut self, record: Record<I>, out: &mut impl Emit<O>) {
        match (self.f)(record.value) {
            Some(value) => out.emit(Record { time: record.time, value }),
            None => self.filtered += 1,
        }
    }

    #[inline(always)]
    fn on_records(&mut self, records: impl Iterator<Item = Record<I>>, out: &mut impl Emit<O>) {
        out.emit_all(records.filter_map(passed(&mut self.f, &mut self.filtered)));
    }

    fn tally(&self) -> Tally {
        Tally { filtered: self.filtered, ..Tally::default() }
    }
}

#[inline(always)]
fn passed<I, O>(
    f: &mut impl FnMut(I) -> Option<O>,
    filtered: &mut u64,
) -> impl FnMut(Record<I>) -> Option<Record<O>> {
    |Record { time, value }| {
        let value = f(value);
        if value.is_none() {
            cold_path();
            count_in_memory(filtered);
        }
        value.map(|value| Record { time, value })
    }
}

/// Turns each value into any number of others, all at its time.
///
/// A value that becomes nothing is filtered; each value beyond the first is added. All that becomes of one value goes
/// out at once, so a batch that has no room for it grows.
///
/// ```
/// use nacreous_operators::{FlatMap, Operator, Record};
/// use nacreous_watermark::Timestamp;
///
/// let mut words = FlatMap::new(|line: &'static str| line.split_whitespace());
/// let mut out = Vec::new();
/// words.on_record(Record { time: Timestamp::from_nanos(7), value: "to be or" }, &mut out);
/// assert_eq!(out.iter().map(|record| record.value).collect::<Vec<_>>(), ["to", "be", "or"]);
/// assert_eq!(words.tally().added, 2);
/// ```
#[derive(Debug, Clone)]
pub struct FlatMap<F> {
    f: F,
    filtered: u64,
    added: u64,
}

impl<F> FlatMap<F> {
    /// Makes of each value what `f` returns an iterator over.
    pub fn new(f: F) -> Self {
        Self { f, filtered: 0, added: 0 }
    }
}

impl<I, O: IntoIterator, F: FnMut(I) -> O> Operator<I> for FlatMap<F> {
    type Out = O::Item;
    const HEEDS_WATERMARKS: bool = false;

    #[inline]
    fn on_record(&mut self, record: Record<I>, out: &mut impl Emit<O::Item>) {
        let time = record.time;
        let mut made: u64 = 0;
        for value in (self.f)(record.value) {
            made += 1;
            out.emit(Record { time, value });
        }
        match made.checked_sub(1) {
            Some(more) => self.added += more,
            None => self.filtered += 1,
        }
    }

    fn tally(&self) -> Tally {
        Tally { filtered: self.filtered, added: self.added, ..Tally::default() }
    }
}

/// Shows each record to a closure and passes it on.
#[derive(Debug, Clone)]
pub struct Inspect<F>(F);

impl<F> Inspect<F> {
    /// Calls `f` with each record.
    pub fn new(f: F) -> Self {
        Self(f)
    }
}

impl<T, F: FnMut(&Record<T>)> Operator<T> for Inspect<F> {
    type Out = T;
    const HEEDS_WATERMARKS: bool = false;

    #[inline]
    fn on_record(&mut self, record: Record<T>, out: &mut impl Emit<T>) {
        (self.0)(&record);
        out.emit(record);
    }
}

/// Puts beside each value the key it is grouped by.
#[derive(Debug, Clone)]
pub struct KeyBy<F>(F);

impl<F> KeyBy<F> {
    /// Groups by what `key` says of each value.
    pub fn new(key: F) -> Self {
        Self(key)
    }
}

impl<T, K, F: FnMut(&T) -> K> Operator<T> for KeyBy<F> {
    type Out = Keyed<K, T>;
    const HEEDS_WATERMARKS: bool = false;

    #[inline]
    fn on_record(&mut self, record: Record<T>, out: &mut impl Emit<Keyed<K, T>>) {
        let key = (self.0)(&record.value);
        out.emit(Record { time: record.time, value: Keyed { key, value: record.value } });
    }

    #[inline(always)]
    fn on_records(&mut self, records: impl Iterator<Item = Record<T>>, out: &mut impl Emit<Keyed<K, T>>) {
        out.emit_all(records.map(keyed(&mut self.0)));
    }
}

#[inline(always)]
fn keyed<T, K>(key: &mut impl FnMut(&T) -> K) -> impl FnMut(Record<T>) -> Record<Keyed<K, T>> {
    |Record { time, value }| {
        let key = key(&value);
        Record { time, value: Keyed { key, value } }
    }
}

#[cfg(test)]
mod tests;
