//! The least and the greatest of what is taken from values.
//!
//! All of them keep the greater of two: for the least, of what is turned around by [`Reverse`].

use std::cmp::Reverse;

use nacreous_watermark::Timestamp;

use super::{Aggregate, CommutativeMonoid, Selective};

/// Puts the greater of the two into `acc`.
#[inline]
pub(super) fn keep_greater<A: Ord + Clone>(acc: &mut A, other: &A) {
    if *other > *acc {
        acc.clone_from(other);
    }
}

/// The greatest of what is taken from each value; see [`max`].
#[derive(Debug, Clone)]
pub struct Max<F>(F);

/// The greatest of what `of` takes from each value.
///
/// Of what is equal it does not matter which is kept, as it should be the same. Floats are no [`Ord`]; take from them
/// what is, such as an integer of a small enough unit or a wrapper that orders them.
///
/// # Cost
/// A comparison for each value, and no memory besides what is taken. That is made for each value, so it had better be
/// an integer than a `String`.
///
/// ```
/// # use nacreous_operators::{Aggregate, max};
/// # use nacreous_watermark::Timestamp;
/// let highest = max(|price: &u32| *price);
/// let now = Timestamp::from_nanos(0);
/// let mut acc = highest.lift(&7, now);
/// highest.add(&mut acc, &9, now);
/// assert_eq!(highest.finish(acc), 9);
/// ```
pub fn max<T, V: Ord + Clone + Send + 'static, F: Fn(&T) -> V>(of: F) -> Max<F> {
    Max(of)
}

impl<T, V: Ord + Clone + Send + 'static, F: Fn(&T) -> V> Aggregate<T> for Max<F> {
    type Acc = V;
    type Out = V;
    type Algebra = CommutativeMonoid;

    #[inline]
    fn lift(&self, value: &T, _: Timestamp) -> V {
        (self.0)(value)
    }

    #[inline]
    fn combine(&self, acc: &mut V, other: &V) {
        keep_greater(acc, other);
    }

    #[inline]
    fn finish(&self, acc: V) -> V {
        acc
    }
}

impl<T, V: Ord + Clone + Send + 'static, F: Fn(&T) -> V> Selective<T> for Max<F> {
    #[inline]
    fn replaces(&self, acc: &V, other: &V) -> bool {
        other > acc
    }
}

/// The least of what is taken from each value; see [`min`].
#[derive(Debug, Clone)]
pub struct Min<F>(F);

/// The least of what `of` takes from each value; all else is as with [`max`].
pub fn min<T, V: Ord + Clone + Send + 'static, F: Fn(&T) -> V>(of: F) -> Min<F> {
    Min(of)
}

impl<T, V: Ord + Clone + Send + 'static, F: Fn(&T) -> V> Aggregate<T> for Min<F> {
    type Acc = Reverse<V>;
    type Out = V;
    type Algebra = CommutativeMonoid;

    #[inline]
    fn lift(&self, value: &T, _: Timestamp) -> Reverse<V> {
        Reverse((self.0)(value))
    }

    #[inline]
    fn combine(&self, acc: &mut Reverse<V>, other: &Reverse<V>) {
        keep_greater(acc, other);
    }

    #[inline]
    fn finish(&self, acc: Reverse<V>) -> V {
        acc.0
    }
}

impl<T, V: Ord + Clone + Send + 'static, F: Fn(&T) -> V> Selective<T> for Min<F> {
    #[inline]
    fn replaces(&self, acc: &Reverse<V>, other: &Reverse<V>) -> bool {
        other > acc
    }
}

/// What is taken from the value with the greatest of something; see [`arg_max`].
#[derive(Debug, Clone)]
pub struct ArgMax<G, F> {
    of: G,
    by: F,
}

/// What `of` takes from the value for which `by` is the greatest. For the whole value, `of` is its `clone`.
///
/// If there are several such values, it is the least of what is taken from them: that does not depend on the order in
/// which they come.
///
/// # Cost
/// A comparison for each value, and `of` for those that are not behind what is kept. Both what is taken and what it is
/// chosen by are kept, without any other memory.
///
/// ```
/// # use nacreous_operators::{Aggregate, arg_max};
/// # use nacreous_watermark::Timestamp;
/// #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
/// struct Bid {
///     bidder: u32,
///     price: u32,
/// }
///
/// let bids = [(1, 50), (7, 80), (3, 80)].map(|(bidder, price)| Bid { bidder, price });
/// let now = Timestamp::from_nanos(0);
///
/// let winner = arg_max(|bid: &Bid| bid.bidder, |bid| bid.price);
/// let mut acc = winner.lift(&bids[0], now);
/// bids.iter().for_each(|bid| winner.add(&mut acc, bid, now));
/// assert_eq!(winner.finish(acc), 3);
///
/// let best = arg_max(Bid::clone, |bid| bid.price);
/// let mut acc = best.lift(&bids[0], now);
/// bids.iter().for_each(|bid| best.add(&mut acc, bid, now));
/// assert_eq!(best.finish(acc), bids[2]);
/// ```
pub fn arg_max<T, V, K, G, F>(of: G, by: F) -> ArgMax<G, F>
where
    V: Ord + Clone + Send + 'static,
    K: Ord + Clone + Send + 'static,
    G: Fn(&T) -> V,
    F: Fn(&T) -> K,
{
    ArgMax { of, by }
}

impl<T, V: Ord + Clone + Send + 'static, K: Ord + Clone + Send + 'static, G: Fn(&T) -> V, F: Fn(&T) -> K>
    Aggregate<T> for ArgMax<G, F>
{
    type Acc = (K, Reverse<V>);
    type Out = V;
    type Algebra = CommutativeMonoid;

    #[inline]
    fn lift(&self, value: &T, _: Timestamp) -> (K, Reverse<V>) {
        ((self.by)(value), Reverse((self.of)(value)))
    }

    #[inline]
    fn add(&self, acc: &mut (K, Reverse<V>), value: &T, _: Timestamp) {
        let by = (self.by)(value);
        if by >= acc.0 {
            let lifted = (by, Reverse((self.of)(value)));
            if lifted > *acc {
                *acc = lifted;
            }
        }
    }

    #[inline]
    fn combine(&self, acc: &mut (K, Reverse<V>), other: &(K, Reverse<V>)) {
        keep_greater(acc, other);
    }

    #[inline]
    fn finish(&self, acc: (K, Reverse<V>)) -> V {
        acc.1.0
    }
}

impl<T, V: Ord + Clone + Send + 'static, K: Ord + Clone + Send + 'static, G: Fn(&T) -> V, F: Fn(&T) -> K>
    Selective<T> for ArgMax<G, F>
{
    #[inline]
    fn replaces(&self, acc: &(K, Reverse<V>), other: &(K, Reverse<V>)) -> bool {
        other > acc
    }
}

/// What is taken from the value with the least of something; see [`arg_min`].
#[derive(Debug, Clone)]
pub struct ArgMin<G, F> {
    of: G,
    by: F,
}

/// What `of` takes from the value for which `by` is the least; of several such, the least. All else is as with [`arg_max`].
pub fn arg_min<T, V, K, G, F>(of: G, by: F) -> ArgMin<G, F>
where
    V: Ord + Clone + Send + 'static,
    K: Ord + Clone + Send + 'static,
    G: Fn(&T) -> V,
    F: Fn(&T) -> K,
{
    ArgMin { of, by }
}

impl<T, V: Ord + Clone + Send + 'static, K: Ord + Clone + Send + 'static, G: Fn(&T) -> V, F: Fn(&T) -> K>
    Aggregate<T> for ArgMin<G, F>
{
    type Acc = Reverse<(K, V)>;
    type Out = V;
    type Algebra = CommutativeMonoid;

    #[inline]
    fn lift(&self, value: &T, _: Timestamp) -> Reverse<(K, V)> {
        Reverse(((self.by)(value), (self.of)(value)))
    }

    #[inline]
    fn add(&self, acc: &mut Reverse<(K, V)>, value: &T, _: Timestamp) {
        let by = (self.by)(value);
        if by <= acc.0.0 {
            let lifted = Reverse((by, (self.of)(value)));
            if lifted > *acc {
                *acc = lifted;
            }
        }
    }

    #[inline]
    fn combine(&self, acc: &mut Reverse<(K, V)>, other: &Reverse<(K, V)>) {
        keep_greater(acc, other);
    }

    #[inline]
    fn finish(&self, acc: Reverse<(K, V)>) -> V {
        acc.0.1
    }
}

impl<T, V: Ord + Clone + Send + 'static, K: Ord + Clone + Send + 'static, G: Fn(&T) -> V, F: Fn(&T) -> K>
    Selective<T> for ArgMin<G, F>
{
    #[inline]
    fn replaces(&self, acc: &Reverse<(K, V)>, other: &Reverse<(K, V)>) -> bool {
        other > acc
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{aggregate::shuffled::agrees, laws};

    #[test]
    fn the_laws_hold_for_all_that_are_here() {
        let pairs = [(0, 0), (1, 0), (1, 1), (-1, 7), (-1, 7), (i64::MAX, i64::MIN), (i64::MIN, i64::MAX)];
        laws::of_selective(&max(|pair: &(i64, i64)| pair.0), &pairs);
        laws::of_selective(&min(|pair: &(i64, i64)| pair.0), &pairs);
        laws::of_selective(&arg_max(|pair: &(i64, i64)| pair.1, |pair| pair.0), &pairs);
        laws::of_selective(&arg_min(|pair: &(i64, i64)| pair.1, |pair| pair.0), &pairs);
        let texts = ["", "a", "ab", "b", "b", "\u{10FFFF}"];
        laws::of_selective(&max(|text: &&str| String::from(*text)), &texts);
        laws::of_selective(&arg_min(|text: &&str| String::from(*text), |text| text.len()), &texts);
    }

    #[test]
    fn they_are_what_iterators_find() {
        /// The values, of which many have the same key.
        fn sorted(all: &[((u8, u8), Timestamp)]) -> Vec<(u8, u8)> {
            let mut values: Vec<_> = all.iter().map(|(value, _)| *value).collect();
            values.sort_unstable();
            values
        }
        let value = |rng: &mut fastrand::Rng| (rng.u8(..4), rng.u8(..4));
        agrees(&max(|v: &(u8, u8)| *v), value, |v| v, |all| *sorted(all).last().expect("not empty"));
        agrees(&min(|v: &(u8, u8)| *v), value, |v| v, |all| sorted(all)[0]);
        agrees(&arg_min(|v: &(u8, u8)| v.1, |v| v.0), value, |v| v, |all| sorted(all)[0].1);
        agrees(
            &arg_max(<(u8, u8)>::clone, |v| v.0),
            value,
            |v| v,
            |all| {
                let sorted = sorted(all);
                let greatest = sorted.last().expect("not empty").0;
                *sorted.iter().find(|value| value.0 == greatest).expect("it is one of them")
            },
        );
    }
}
