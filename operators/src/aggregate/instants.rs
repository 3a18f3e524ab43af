//! What goes by the time of the records.

use std::cmp::Reverse;

use nacreous_watermark::Timestamp;

use super::{Aggregate, CommutativeMonoid, Selective, extremes::keep_greater};

/// What is taken from the latest value; see [`last`].
#[derive(Debug, Clone)]
pub struct Last<F>(F);

/// What `of` takes from the value whose record has the latest event time. For the whole value, `of` is its `clone`.
///
/// If several have the same time, it is the greatest of what is taken from them: that does not depend on the order in which they
/// come.
///
/// # Cost
/// A comparison for each value, and `of` for those that are not before what is kept. What is taken is kept with its
/// time, without any other memory.
///
/// ```
/// # use nacreous_operators::{Aggregate, last};
/// # use nacreous_watermark::Timestamp;
/// let newest = last(|state: &&'static str| *state);
/// let mut acc = newest.lift(&"open", Timestamp::from_nanos(3));
/// newest.add(&mut acc, &"closed", Timestamp::from_nanos(8));
/// newest.add(&mut acc, &"opening", Timestamp::from_nanos(2));
/// assert_eq!(newest.finish(acc), "closed");
/// ```
pub fn last<T, V: Ord + Clone + Send + 'static, F: Fn(&T) -> V>(of: F) -> Last<F> {
    Last(of)
}

impl<T, V: Ord + Clone + Send + 'static, F: Fn(&T) -> V> Aggregate<T> for Last<F> {
    type Acc = (Timestamp, V);
    type Out = V;
    type Algebra = CommutativeMonoid;

    #[inline]
    fn lift(&self, value: &T, time: Timestamp) -> (Timestamp, V) {
        (time, (self.0)(value))
    }

    #[inline]
    fn add(&self, acc: &mut (Timestamp, V), value: &T, time: Timestamp) {
        if time >= acc.0 {
            let lifted = self.lift(value, time);
            if lifted > *acc {
                *acc = lifted;
            }
        }
    }

    #[inline]
    fn combine(&self, acc: &mut (Timestamp, V), other: &(Timestamp, V)) {
        keep_greater(acc, other);
    }

    #[inline]
    fn finish(&self, acc: (Timestamp, V)) -> V {
        acc.1
    }
}

impl<T, V: Ord + Clone + Send + 'static, F: Fn(&T) -> V> Selective<T> for Last<F> {
    #[inline]
    fn replaces(&self, acc: &(Timestamp, V), other: &(Timestamp, V)) -> bool {
        other > acc
    }
}

/// What is taken from the earliest value; see [`first`].
#[derive(Debug, Clone)]
pub struct First<F>(F);

/// What `of` takes from the value whose record has the earliest event time; of several at that time, the least. All else is as
/// with [`last`].
pub fn first<T, V: Ord + Clone + Send + 'static, F: Fn(&T) -> V>(of: F) -> First<F> {
    First(of)
}

impl<T, V: Ord + Clone + Send + 'static, F: Fn(&T) -> V> Aggregate<T> for First<F> {
    type Acc = Reverse<(Timestamp, V)>;
    type Out = V;
    type Algebra = CommutativeMonoid;

    #[inline]
    fn lift(&self, value: &T, time: Timestamp) -> Reverse<(Timestamp, V)> {
        Reverse((time, (self.0)(value)))
    }

    #[inline]
    fn add(&self, acc: &mut Reverse<(Timestamp, V)>, value: &T, time: Timestamp) {
        if time <= acc.0.0 {
            let lifted = self.lift(value, time);
            if lifted > *acc {
                *acc = lifted;
            }
        }
    }

    #[inline]
    fn combine(&self, acc: &mut Reverse<(Timestamp, V)>, other: &Reverse<(Timestamp, V)>) {
        keep_greater(acc, other);
    }

    #[inline]
    fn finish(&self, acc: Reverse<(Timestamp, V)>) -> V {
        acc.0.1
    }
}

impl<T, V: Ord + Clone + Send + 'static, F: Fn(&T) -> V> Selective<T> for First<F> {
    #[inline]
    fn replaces(&self, acc: &Reverse<(Timestamp, V)>, other: &Reverse<(Timestamp, V)>) -> bool {
        other > acc
    }
}

/// All that is taken from the values; see [`collect`].
#[derive(Debug, Clone)]
pub struct Collect<F>(F);

/// All that `of` takes from the values, in order of event time; at the same time, the lesser before the greater.
///
/// # Cost
/// Everything is kept on the heap until the window closes, once for each slice, with its time; windows that overlap
/// copy it. It is sorted when the window closes. Where a number would do, another aggregate takes far less.
///
/// ```
/// # use nacreous_operators::{Aggregate, collect};
/// # use nacreous_watermark::Timestamp;
/// let pages = collect(|page: &char| *page);
/// let mut acc = pages.lift(&'c', Timestamp::from_nanos(5));
/// for (page, time) in [('a', 7), ('b', 5), ('d', 1)] {
///     pages.add(&mut acc, &page, Timestamp::from_nanos(time));
/// }
/// assert_eq!(pages.finish(acc), ['d', 'b', 'c', 'a']);
/// ```
pub fn collect<T, V: Ord + Clone + Send + 'static, F: Fn(&T) -> V>(of: F) -> Collect<F> {
    Collect(of)
}

impl<T, V: Ord + Clone + Send + 'static, F: Fn(&T) -> V> Aggregate<T> for Collect<F> {
    type Acc = Vec<(Timestamp, V)>;
    type Out = Vec<V>;
    type Algebra = CommutativeMonoid;

    fn lift(&self, value: &T, time: Timestamp) -> Vec<(Timestamp, V)> {
        vec![(time, (self.0)(value))]
    }

    #[inline]
    fn add(&self, acc: &mut Vec<(Timestamp, V)>, value: &T, time: Timestamp) {
        acc.push((time, (self.0)(value)));
    }

    fn combine(&self, acc: &mut Vec<(Timestamp, V)>, other: &Vec<(Timestamp, V)>) {
        acc.extend_from_slice(other);
    }

    fn finish(&self, mut acc: Vec<(Timestamp, V)>) -> Vec<V> {
        acc.sort_unstable();
        acc.into_iter().map(|(_, value)| value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{aggregate::shuffled::agrees, laws};

    #[test]
    fn the_laws_hold_for_all_that_are_here() {
        let numbers = [0, 1, -1, 7, 7, i64::MAX, i64::MIN];
        laws::of_selective(&first(|n: &i64| *n), &numbers);
        laws::of_selective(&last(|n: &i64| *n), &numbers);
        laws::of_aggregates(&collect(|n: &i64| *n), &numbers);
    }

    #[test]
    fn they_are_as_in_what_is_sorted_by_time() {
        fn sorted(all: &[(u8, Timestamp)]) -> Vec<u8> {
            let mut all: Vec<_> = all.iter().map(|(value, time)| (*time, *value)).collect();
            all.sort_unstable();
            all.into_iter().map(|(_, value)| value).collect()
        }
        agrees(&first(|n: &u8| *n), |rng| rng.u8(..), |n| n, |all| sorted(all)[0]);
        agrees(&last(|n: &u8| *n), |rng| rng.u8(..), Some, |all| sorted(all).last().copied());
        agrees(&collect(|n: &u8| *n), |rng| rng.u8(..), |all| all, sorted);
    }
}
