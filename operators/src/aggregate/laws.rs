//! What holds for every aggregate, tried on values of yours: one line in a test.
//!
//! ```
//! use nacreous_operators::{laws, sum};
//!
//! laws::of_groups(&sum(|n: &i64| *n), &[0, 1, -7, i64::MAX]);
//! ```
//!
//! All triples of the values are tried, so some ten well-chosen ones are enough: zero, one, the extremes, two that are equal, two
//! that come to the same. Each stands for a record; of the records some have the same time.

use std::fmt::Debug;

use nacreous_watermark::Timestamp;

use super::{Aggregate, Group, Selective};

/// A value and the time of its record.
type Timed<'a, T> = (&'a T, Timestamp);

/// The values, every two at the same time.
fn timed<T>(values: &[T]) -> impl Iterator<Item = Timed<'_, T>> {
    values.iter().zip(0..).map(|(value, n)| (value, Timestamp::from_nanos(n / 2)))
}

/// Tries whether it combines the same in any order, and whether adding a value is combining with that value lifted.
///
/// # Panics
/// If not: says which law is broken, and by which values.
pub fn of_aggregates<T: Debug, A: Aggregate<T, Out: PartialEq + Debug>>(aggregate: &A, values: &[T]) {
    of_monoids(aggregate, values);
    let lift = |(value, time): Timed<'_, T>| aggregate.lift(value, time);
    for a in timed(values) {
        for b in timed(values) {
            let (mut one, mut other) = (lift(a), lift(b));
            aggregate.combine(&mut one, &lift(b));
            aggregate.combine(&mut other, &lift(a));
            same(aggregate, "it combines in any order", one, other, &[a.0, b.0]);
        }
    }
}

/// Tries the same but that the order makes no difference: what holds for a [`Monoid`](crate::Monoid).
///
/// # Panics
/// If not: says which law is broken, and by which values.
pub fn of_monoids<T: Debug, A: Aggregate<T, Out: PartialEq + Debug>>(aggregate: &A, values: &[T]) {
    let lift = |(value, time): Timed<'_, T>| aggregate.lift(value, time);
    let both = |mut one: A::Acc, other: &A::Acc| {
        aggregate.combine(&mut one, other);
        one
    };
    for a in timed(values) {
        for b in timed(values) {
            let mut added = lift(a);
            aggregate.add(&mut added, b.0, b.1);
            let law = "adding a value is combining with it lifted";
            same(aggregate, law, added, both(lift(a), &lift(b)), &[a.0, b.0]);
            for c in timed(values) {
                let (first, last) = (both(lift(a), &lift(b)), both(lift(b), &lift(c)));
                let law = "what is combined first makes no difference";
                same(aggregate, law, both(first, &lift(c)), both(lift(a), &last), &[a.0, b.0, c.0]);
            }
        }
    }
}

/// Panics if two accumulators do not come to the same.
#[track_caller]
fn same<T: Debug, A: Aggregate<T, Out: PartialEq + Debug>>(
    aggregate: &A,
    law: &str,
    one: A::Acc,
    other: A::Acc,
    values: &[&T],
) {
    let (one, other) = (aggregate.finish(one), aggregate.finish(other));
    assert!(one == other, "{law}: {one:?} on the one side, {other:?} on the other, of {values:?}");
}

/// Tries that, and whether what is taken out of a group again leaves it as if it had never been in.
///
/// # Panics
/// If not: says which law is broken, and by which values.
pub fn of_groups<T: Debug, A: Group<T, Out: PartialEq + Debug>>(aggregate: &A, values: &[T]) {
    of_aggregates(aggregate, values);
    for (a, a_time) in timed(values) {
        for (b, b_time) in timed(values) {
            for (c, c_time) in timed(values) {
                let mut acc = aggregate.lift(a, a_time);
                aggregate.add(&mut acc, b, b_time);
                aggregate.add(&mut acc, c, c_time);
                aggregate.subtract(&mut acc, &aggregate.lift(b, b_time));
                let mut without = aggregate.lift(a, a_time);
                aggregate.add(&mut without, c, c_time);
                let (found, expected) = (aggregate.finish(acc), aggregate.finish(without));
                assert!(
                    found == expected,
                    "what is taken out is as if it had never been in: {found:?} and not {expected:?}, of {:?} without \
                     the second",
                    [a, b, c]
                );
            }
        }
    }
}

/// Tries that of aggregates, and whether combining two keeps the one that it says.
///
/// # Panics
/// If not: says which law is broken, and by which values.
pub fn of_selective<T: Debug, A: Selective<T, Out: PartialEq + Debug>>(aggregate: &A, values: &[T]) {
    of_aggregates(aggregate, values);
    for (a, a_time) in timed(values) {
        for (b, b_time) in timed(values) {
            for (c, c_time) in timed(values) {
                let mut acc = aggregate.lift(a, a_time);
                aggregate.add(&mut acc, b, b_time);
                let other = aggregate.lift(c, c_time);
                let replaces = aggregate.replaces(&acc, &other);
                let kept = aggregate.finish(if replaces { other.clone() } else { acc.clone() });
                aggregate.combine(&mut acc, &other);
                assert!(
                    !aggregate.replaces(&acc, &other),
                    "what has been combined replaces nothing any more, of {:?}",
                    [a, b, c]
                );
                let found = aggregate.finish(acc);
                assert!(
                    found == kept,
                    "one of two is kept, as `replaces` tells: {found:?} and not {kept:?}, of {:?}, where the last \
                     {} the others",
                    [a, b, c],
                    if replaces { "replaces" } else { "does not replace" }
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;
    use crate::{AbelianGroup, CommutativeMonoid};

    /// Combines by a function of its own.
    struct By(fn(f64, f64) -> f64);

    impl Aggregate<f64> for By {
        type Acc = f64;
        type Out = f64;
        type Algebra = CommutativeMonoid;

        fn lift(&self, value: &f64, _: Timestamp) -> f64 {
            *value
        }

        fn combine(&self, acc: &mut f64, other: &f64) {
            *acc = (self.0)(*acc, *other);
        }

        fn finish(&self, acc: f64) -> f64 {
            acc
        }
    }

    fn broken(by: fn(f64, f64) -> f64, values: &[f64]) -> Option<String> {
        let panic = catch_unwind(|| of_aggregates(&By(by), values)).err()?;
        panic.downcast_ref::<String>().cloned()
    }

    #[test]
    fn what_breaks_a_law_is_told_which() {
        assert_eq!(broken(f64::max, &[1.0, 2.0, -3.0]), None);
        let sum = broken(|a, b| a + b, &[1e16, 1.0, -1e16]).expect("a sum of floats depends on the order");
        assert!(sum.starts_with("what is combined first makes no difference"), "{sum}");
        let left = broken(|a, _| a, &[1.0, 2.0]).expect("the first is not the second");
        assert!(left.starts_with("it combines in any order") && left.contains("[1.0, 2.0]"), "{left}");
    }

    /// A sum that forgets to take out.
    struct Keeps;

    impl Aggregate<i64> for Keeps {
        type Acc = i64;
        type Out = i64;
        type Algebra = AbelianGroup;

        fn lift(&self, value: &i64, _: Timestamp) -> i64 {
            *value
        }

        fn combine(&self, acc: &mut i64, other: &i64) {
            *acc += other;
        }

        fn finish(&self, acc: i64) -> i64 {
            acc
        }
    }

    impl Group<i64> for Keeps {
        fn subtract(&self, _: &mut i64, _: &i64) {}
    }

    #[test]
    #[should_panic(expected = "what is taken out is as if it had never been in: 3 and not 2")]
    fn a_group_that_takes_nothing_out_is_none() {
        of_groups(&Keeps, &[1]);
    }

    impl Selective<f64> for By {
        /// As if the greater were kept.
        fn replaces(&self, acc: &f64, other: &f64) -> bool {
            other > acc
        }
    }

    #[test]
    fn what_keeps_the_greater_is_told_from_what_does_not() {
        of_selective(&By(f64::max), &[1.0, 2.0, -3.0]);
        let refused = |by, values: &[f64]| {
            let panic = catch_unwind(|| of_selective(&By(by), values)).expect_err("it does not");
            panic.downcast_ref::<String>().cloned().expect("it says why")
        };
        let least = refused(f64::min, &[1.0, 2.0, -3.0]);
        assert!(least.contains("any more"), "{least}");
        let sum = refused(|a, b| a + b, &[1.0, 2.0]);
        assert!(sum.starts_with("one of two is kept"), "{sum}");
    }
}
