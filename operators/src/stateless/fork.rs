use crate::{Emit, Operator, Record, Tally};

/// What became of a value that a function may refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried<O, E> {
    /// What the function made of it.
    Done(O),
    /// Why the function refused it.
    Refused(E),
}

/// Turns each value into another, or says why it cannot.
///
/// Nothing is dropped: what is refused comes out beside the rest, as [`Tried::Refused`], and is counted as rejected.
/// To keep the value that was refused, put it into the error.
///
/// ```
/// use nacreous_operators::{Operator, Record, Tried, TryMap};
/// use nacreous_watermark::Timestamp;
///
/// let mut numbers = TryMap::new(|text: &'static str| text.parse::<u8>().map_err(|_| text));
/// let mut out = Vec::new();
/// for value in ["1", "two"] {
///     numbers.on_record(Record { time: Timestamp::from_nanos(0), value }, &mut out);
/// }
/// assert_eq!(out.iter().map(|record| record.value).collect::<Vec<_>>(), [Tried::Done(1), Tried::Refused("two")]);
/// assert_eq!(numbers.tally().rejected, 1);
/// ```
#[derive(Debug, Clone)]
pub struct TryMap<F> {
    f: F,
    rejected: u64,
}

impl<F> TryMap<F> {
    /// Applies `f` to each value; one for which it returns an error is refused.
    pub fn new(f: F) -> Self {
        Self { f, rejected: 0 }
    }
}

impl<I, O, E, F: FnMut(I) -> Result<O, E>> Operator<I> for TryMap<F> {
    type Out = Tried<O, E>;
    const HEEDS_WATERMARKS: bool = false;

    #[inline]
    fn on_record(&mut self, record: Record<I>, out: &mut impl Emit<Tried<O, E>>) {
        let value = match (self.f)(record.value) {
            Ok(value) => Tried::Done(value),
            Err(reason) => {
                self.rejected += 1;
                Tried::Refused(reason)
            }
        };
        out.emit(Record { time: record.time, value });
    }

    fn tally(&self) -> Tally {
        Tally { rejected: self.rejected, ..Tally::default() }
    }
}

/// A value with what a predicate says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split<T> {
    /// The predicate holds.
    True(T),
    /// It does not.
    False(T),
}

/// Parts a stream in two by a predicate. Each record goes to exactly one side.
///
/// ```
/// use nacreous_operators::{Operator, Record, Split, SplitBy};
/// use nacreous_watermark::Timestamp;
///
/// let mut small = SplitBy::new(|n: &i32| *n < 10);
/// let mut out = Vec::new();
/// for value in [3, 30] {
///     small.on_record(Record { time: Timestamp::from_nanos(0), value }, &mut out);
/// }
/// assert_eq!(out.iter().map(|record| record.value).collect::<Vec<_>>(), [Split::True(3), Split::False(30)]);
/// ```
#[derive(Debug, Clone)]
pub struct SplitBy<F>(F);

impl<F> SplitBy<F> {
    /// Parts values for which `predicate` is true from the others.
    pub fn new(predicate: F) -> Self {
        Self(predicate)
    }
}

impl<T, F: FnMut(&T) -> bool> Operator<T> for SplitBy<F> {
    type Out = Split<T>;
    const HEEDS_WATERMARKS: bool = false;

    #[inline]
    fn on_record(&mut self, record: Record<T>, out: &mut impl Emit<Split<T>>) {
        let Record { time, value } = record;
        let value = if (self.0)(&value) { Split::True(value) } else { Split::False(value) };
        out.emit(Record { time, value });
    }
}
