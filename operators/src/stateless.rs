use crate::{Emit, Keyed, Operator, Record, Tally};

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

    #[inline]
    fn on_record(&mut self, record: Record<I>, out: &mut impl Emit<O>) {
        out.emit(Record { time: record.time, value: (self.0)(record.value) });
    }
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

    #[inline]
    fn on_record(&mut self, record: Record<T>, out: &mut impl Emit<T>) {
        if (self.predicate)(&record.value) {
            out.emit(record);
        } else {
            self.filtered += 1;
        }
    }

    fn tally(&self) -> Tally {
        Tally { filtered: self.filtered, ..Tally::default() }
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

    #[inline]
    fn on_record(&mut self, record: Record<T>, out: &mut impl Emit<Keyed<K, T>>) {
        let key = (self.0)(&record.value);
        out.emit(Record { time: record.time, value: Keyed { key, value: record.value } });
    }
}
