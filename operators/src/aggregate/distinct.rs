//! How many different things there are.

use std::{collections::HashMap, hash::Hash};

use datasketches::hll::{HllType, HllUnion};
use nacreous_watermark::Timestamp;
use rustc_hash::FxBuildHasher;

use super::{AbelianGroup, Aggregate, CommutativeMonoid, Group};

/// How many different things are taken from the values; see [`count_distinct`].
#[derive(Debug, Clone)]
pub struct CountDistinct<F>(F);

/// Counts the different things that `of` takes from the values, exactly.
///
/// # Cost
/// A look-up in a hash table for each value. The table is on the heap and has everything that is different in it, with
/// a count of 8 bytes, so that what leaves a window can be taken out. Where there are many, [`approx_count_distinct`]
/// takes 4 KiB at most. (The hash is fast, not keyed: who chooses the values can make them collide.)
///
/// ```
/// # use nacreous_operators::{Aggregate, count_distinct};
/// # use nacreous_watermark::Timestamp;
/// let visitors = count_distinct(|name: &&'static str| *name);
/// let now = Timestamp::from_nanos(0);
/// let mut acc = visitors.lift(&"ada", now);
/// for name in ["grace", "ada", "edsger"] {
///     visitors.add(&mut acc, &name, now);
/// }
/// assert_eq!(visitors.finish(acc), 3);
/// ```
pub fn count_distinct<T, V: Hash + Eq + Clone + Send + 'static, F: Fn(&T) -> V>(of: F) -> CountDistinct<F> {
    CountDistinct(of)
}

impl<T, V: Hash + Eq + Clone + Send + 'static, F: Fn(&T) -> V> Aggregate<T> for CountDistinct<F> {
    /// How often each has come.
    type Acc = HashMap<V, u64, FxBuildHasher>;
    type Out = u64;
    type Algebra = AbelianGroup;

    fn lift(&self, value: &T, _: Timestamp) -> Self::Acc {
        HashMap::from_iter([((self.0)(value), 1)])
    }

    #[inline]
    fn add(&self, acc: &mut Self::Acc, value: &T, _: Timestamp) {
        *acc.entry((self.0)(value)).or_default() += 1;
    }

    fn combine(&self, acc: &mut Self::Acc, other: &Self::Acc) {
        for (value, times) in other {
            match acc.get_mut(value) {
                Some(all) => *all += times,
                None => {
                    acc.insert(value.clone(), *times);
                }
            }
        }
    }

    fn finish(&self, acc: Self::Acc) -> u64 {
        acc.len() as u64
    }
}

impl<T, V: Hash + Eq + Clone + Send + 'static, F: Fn(&T) -> V> Group<T> for CountDistinct<F> {
    fn subtract(&self, acc: &mut Self::Acc, other: &Self::Acc) {
        for (value, times) in other {
            let all = acc.get_mut(value).expect("only what has been combined is taken out");
            *all -= times;
            if *all == 0 {
                acc.remove(value);
            }
        }
    }
}

/// About how many different things are taken from the values; see [`approx_count_distinct`].
#[derive(Debug, Clone)]
pub struct ApproxCountDistinct<F>(F);

/// Two to so many registers, of a byte.
const LOG2_REGISTERS: u8 = 12;

/// Counts the different things that `of` takes from the values, to within a few percent: the standard error is 1.6 %. A
/// few hundred are counted all but exactly.
///
/// The same values give the same result in any order, and in every run on machines of the same kind: the hash has no random seed.
///
/// # Cost
/// A hash of each value, and 4 KiB on the heap for an accumulator; less as long as there are few different values,
/// which are then kept as a list of their hashes of 4 bytes. Combining makes a copy of one of the two. It is
/// HyperLogLog (Flajolet et al., 2007) as Apache DataSketches has it, with 4,096 registers and the estimator that does
/// not depend on the order.
///
/// ```
/// # use nacreous_operators::{Aggregate, approx_count_distinct};
/// # use nacreous_watermark::Timestamp;
/// let visitors = approx_count_distinct(|id: &u64| *id);
/// let now = Timestamp::from_nanos(0);
/// let mut acc = visitors.lift(&0, now);
/// for id in 1..100_000 {
///     visitors.add(&mut acc, &(id % 50_000), now);
/// }
/// assert!(visitors.finish(acc).abs_diff(50_000) < 2_500);
/// ```
pub fn approx_count_distinct<T, V: Hash, F: Fn(&T) -> V>(of: F) -> ApproxCountDistinct<F> {
    ApproxCountDistinct(of)
}

/// A sketch of what has come, for [`approx_count_distinct`].
#[derive(Debug, Clone)]
pub struct DistinctSketch(HllUnion);

impl<T, V: Hash, F: Fn(&T) -> V> Aggregate<T> for ApproxCountDistinct<F> {
    type Acc = DistinctSketch;
    type Out = u64;
    type Algebra = CommutativeMonoid;

    fn lift(&self, value: &T, time: Timestamp) -> DistinctSketch {
        let empty = HllUnion::new(LOG2_REGISTERS).expect("there are sketches with so many registers");
        let mut acc = DistinctSketch(empty);
        self.add(&mut acc, value, time);
        acc
    }

    #[inline]
    fn add(&self, acc: &mut DistinctSketch, value: &T, _: Timestamp) {
        acc.0.update_value((self.0)(value));
    }

    fn combine(&self, acc: &mut DistinctSketch, other: &DistinctSketch) {
        acc.0.update(&other.0.to_sketch(HllType::Hll8));
    }

    fn finish(&self, acc: DistinctSketch) -> u64 {
        // Its other estimate is a little better, and depends on the order.
        let estimate = acc.0.composite_estimate().round();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count, rounded")]
        let estimate = estimate as u64;
        estimate
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{aggregate::shuffled::agrees, laws};

    #[test]
    fn the_laws_hold_for_all_that_are_here() {
        let numbers = [0, 1, -1, 7, 7, i64::MAX, i64::MIN];
        laws::of_groups(&count_distinct(|n: &i64| *n), &numbers);
        laws::of_aggregates(&approx_count_distinct(|n: &i64| *n), &numbers);
    }

    #[test]
    fn few_are_counted_as_a_set_does() {
        fn different(all: &[(u8, Timestamp)]) -> u64 {
            all.iter().map(|(value, _)| value).collect::<HashSet<_>>().len() as u64
        }
        agrees(&count_distinct(|n: &u8| *n), |rng| rng.u8(..30), |count| count, different);
        agrees(&approx_count_distinct(|n: &u8| *n), |rng| rng.u8(..30), |count| count, different);
    }

    /// Values that stand for many each, so that every kind of sketch meets every other.
    #[test]
    fn many_are_estimated_the_same_in_any_order() {
        /// Has as many different things in it as it says, from a start on.
        type Many = (u64, u64);
        struct Parts;

        impl Aggregate<Many> for Parts {
            type Acc = DistinctSketch;
            type Out = u64;
            type Algebra = CommutativeMonoid;

            fn lift(&self, (start, count): &Many, time: Timestamp) -> DistinctSketch {
                let one = approx_count_distinct(|n: &u64| *n);
                let mut acc = one.lift(start, time);
                (1..*count).for_each(|n| one.add(&mut acc, &(start + n), time));
                acc
            }

            fn combine(&self, acc: &mut DistinctSketch, other: &DistinctSketch) {
                approx_count_distinct(|n: &u64| *n).combine(acc, other);
            }

            fn finish(&self, acc: DistinctSketch) -> u64 {
                approx_count_distinct(|n: &u64| *n).finish(acc)
            }
        }

        let sizes = [1, 7, 8, 9, 300, 384, 385, 5_000, 60_000];
        let parts: Vec<Many> = (0..).map(|part| part * 2_500).zip(sizes).collect();
        laws::of_aggregates(&Parts, &parts);
        agrees(
            &Parts,
            |rng| (rng.u64(..4_000), [1, 8, 100, 500, 2_000][rng.usize(..5)]),
            |count| count,
            |all| {
                let exact: HashSet<u64> =
                    all.iter().flat_map(|((start, count), _)| *start..start + count).collect();
                let one = approx_count_distinct(|n: &u64| *n);
                let mut in_order: Vec<u64> = exact.into_iter().collect();
                in_order.sort_unstable();
                let mut acc = one.lift(&in_order[0], Timestamp::MIN);
                in_order.iter().for_each(|n| one.add(&mut acc, n, Timestamp::MIN));
                let estimate = one.finish(acc);
                // Within five standard errors.
                assert!(
                    estimate.abs_diff(in_order.len() as u64) * 100 <= in_order.len() as u64 * 8,
                    "{estimate}"
                );
                estimate
            },
        );
    }
}
