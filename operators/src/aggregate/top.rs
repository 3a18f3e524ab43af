use std::ops::Deref;

use arrayvec::ArrayVec;
use nacreous_watermark::Timestamp;

use super::{Aggregate, CommutativeMonoid};

/// The greatest of what is taken from the values, at most so many: `Top::<3>::by(|bid: &Bid| bid.price)`.
///
/// ```
/// # use nacreous_operators::{Aggregate, Top};
/// # use nacreous_watermark::Timestamp;
/// let best = Top::<3>::by(|price: &u32| *price);
/// let now = Timestamp::from_nanos(0);
/// let mut acc = best.lift(&7, now);
/// for price in [9, 2, 9, 8] {
///     best.add(&mut acc, &price, now);
/// }
/// assert_eq!(*best.finish(acc), [9, 9, 8]);
/// ```
#[derive(Debug, Clone, Copy)]
pub enum Top<const COUNT: usize> {}

impl<const COUNT: usize> Top<COUNT> {
    /// The greatest of what `of` takes from the values. What comes several times is in it several times. For the
    /// least, take a [`Reverse`](std::cmp::Reverse).
    ///
    /// To keep more of a value than it is ranked by, take both: `|bid: &Bid| (bid.price, bid.bidder)`. (What is equal
    /// should be the same, so that it does not matter which is kept.)
    ///
    /// # Cost
    /// A comparison for each value, and `COUNT` at most where it is among the greatest so far. An accumulator has room
    /// for `COUNT`, without heap.
    pub fn by<T, V: Ord + Clone + Send + 'static, F: Fn(&T) -> V>(of: F) -> TopBy<COUNT, F> {
        const { assert!(COUNT > 0, "the greatest none are nothing") };
        TopBy(of)
    }
}

/// The greatest of what is taken from the values; see [`Top`].
#[derive(Debug, Clone)]
pub struct TopBy<const COUNT: usize, F>(F);

/// Up to so many values, the greatest first: a slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greatest<V, const COUNT: usize>(ArrayVec<V, COUNT>);

impl<V: Ord, const COUNT: usize> Greatest<V, COUNT> {
    /// Puts a value in its place if it is among the greatest. Tells whether it is.
    #[inline]
    fn put(&mut self, value: V) -> bool {
        if self.0.is_full() && self.0.last().is_some_and(|least| value <= *least) {
            return false;
        }
        self.insert(value);
        true
    }

    fn insert(&mut self, value: V) {
        let place = self.0.partition_point(|greater| *greater >= value);
        if self.0.is_full() {
            self.0.pop();
        }
        self.0.insert(place, value);
    }
}

impl<V, const COUNT: usize> Deref for Greatest<V, COUNT> {
    type Target = [V];

    fn deref(&self) -> &[V] {
        &self.0
    }
}

impl<V, const COUNT: usize> IntoIterator for Greatest<V, COUNT> {
    type Item = V;
    type IntoIter = arrayvec::IntoIter<V, COUNT>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<T, V: Ord + Clone + Send + 'static, F: Fn(&T) -> V, const COUNT: usize> Aggregate<T>
    for TopBy<COUNT, F>
{
    type Acc = Greatest<V, COUNT>;
    type Out = Greatest<V, COUNT>;
    type Algebra = CommutativeMonoid;

    #[inline]
    fn lift(&self, value: &T, _: Timestamp) -> Greatest<V, COUNT> {
        Greatest([(self.0)(value)].into_iter().collect())
    }

    #[inline]
    fn add(&self, acc: &mut Greatest<V, COUNT>, value: &T, _: Timestamp) {
        acc.put((self.0)(value));
    }

    fn combine(&self, acc: &mut Greatest<V, COUNT>, other: &Greatest<V, COUNT>) {
        // Where one is not among the greatest, none after it is.
        let _ = other.iter().cloned().all(|value| acc.put(value));
    }

    #[inline]
    fn finish(&self, acc: Greatest<V, COUNT>) -> Greatest<V, COUNT> {
        acc
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{aggregate::shuffled::agrees, laws};

    #[test]
    fn the_laws_hold_for_any_count() {
        let numbers = [0, 1, -1, 7, 7, i64::MAX, i64::MIN];
        laws::of_aggregates(&Top::<1>::by(|n: &i64| *n), &numbers);
        laws::of_aggregates(&Top::<2>::by(|n: &i64| *n), &numbers);
        laws::of_aggregates(&Top::<9>::by(|n: &i64| n.to_string()), &numbers);
    }

    #[test]
    fn they_are_the_end_of_what_is_sorted() {
        agrees(
            &Top::<5>::by(|n: &u8| *n),
            |rng| rng.u8(..20),
            |top| top.to_vec(),
            |all| {
                let mut all: Vec<_> = all.iter().map(|(n, _)| *n).collect();
                all.sort_unstable_by(|a, b| b.cmp(a));
                all.truncate(5);
                all
            },
        );
    }
}
