//! Several aggregates in one pass: a tuple of them is one whose result is the tuple of theirs.

use nacreous_watermark::Timestamp;

use super::{Aggregate, Algebra, Group, algorithm::Algorithm};
use crate::window::Order;

/// What does for all of several algebras' algorithms.
macro_rules! all {
    ($algebra:ident) => { $algebra::Algorithm };
    ($algebra:ident $($more:ident)+) => { <$algebra::Algorithm as Algorithm>::And<all!($($more)+)> };
}

/// The order that does for all of several algebras.
macro_rules! order {
    ($algebra:ident) => { $algebra::Order };
    ($algebra:ident $($more:ident)+) => { <$algebra::Order as Order>::And<order!($($more)+)> };
}

macro_rules! tuples {
    ($($(($aggregate:ident $algebra:ident $at:tt))+;)*) => {
        $(
            /// Each for itself; what was combined can be taken out of the tuple if it can be out of each.
            impl<T, $($aggregate: Aggregate<T>, $algebra: Algebra<$aggregate, T>),+> Algebra<($($aggregate,)+), T>
                for ($($algebra,)+)
            {
                type Algorithm = all!($($algebra)+);
                type Order = order!($($algebra)+);

                #[inline(always)]
                fn subtract(
                    aggregate: &($($aggregate,)+),
                    acc: &mut ($($aggregate::Acc,)+),
                    other: &($($aggregate::Acc,)+),
                ) {
                    $($algebra::subtract(&aggregate.$at, &mut acc.$at, &other.$at);)+
                }
            }

            /// All of them in one pass.
            impl<T, $($aggregate: Aggregate<T>),+> Aggregate<T> for ($($aggregate,)+) {
                type Acc = ($($aggregate::Acc,)+);
                type Out = ($($aggregate::Out,)+);
                type Algebra = ($($aggregate::Algebra,)+);

                #[inline]
                fn lift(&self, value: &T, time: Timestamp) -> Self::Acc {
                    ($(self.$at.lift(value, time),)+)
                }

                #[inline]
                fn add(&self, acc: &mut Self::Acc, value: &T, time: Timestamp) {
                    $(self.$at.add(&mut acc.$at, value, time);)+
                }

                #[inline]
                fn combine(&self, acc: &mut Self::Acc, other: &Self::Acc) {
                    $(self.$at.combine(&mut acc.$at, &other.$at);)+
                }

                #[inline]
                fn finish(&self, acc: Self::Acc) -> Self::Out {
                    ($(self.$at.finish(acc.$at),)+)
                }
            }

            impl<T, $($aggregate: Group<T>),+> Group<T> for ($($aggregate,)+) {
                #[inline]
                fn subtract(&self, acc: &mut Self::Acc, other: &Self::Acc) {
                    $(self.$at.subtract(&mut acc.$at, &other.$at);)+
                }
            }
        )*
    };
}

tuples! {
    (A GA 0) (B GB 1);
    (A GA 0) (B GB 1) (C GC 2);
    (A GA 0) (B GB 1) (C GC 2) (D GD 3);
    (A GA 0) (B GB 1) (C GC 2) (D GD 3) (E GE 4);
    (A GA 0) (B GB 1) (C GC 2) (D GD 3) (E GE 4) (F GF 5);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nacreous_watermark::Watermark;

    use super::*;
    use crate::{
        Keyed, Monoid, Operator, Record, Sliding, Sum, TimeWindow, WindowFold, WindowResult, Windowed,
        aggregate::shuffled::agrees,
        algorithm::{TwoStacks, using},
        count, count_distinct, first, float_sum, laws, max, mean, min, of_part, sum, variance,
    };

    const NUMBERS: [i64; 7] = [0, 1, -1, 7, 7, i64::MAX, i64::MIN];

    fn can_subtract<T, A: Aggregate<T>>(_: &A, _: &[T]) -> bool {
        A::Algebra::CAN_SUBTRACT
    }

    #[test]
    fn the_laws_hold_for_all_lengths() {
        let of = |n: &i64| *n;
        laws::of_groups(&(count(), sum(of)), &NUMBERS);
        laws::of_groups(&(count(), sum(of), mean(of)), &NUMBERS);
        laws::of_groups(&(count(), sum(of), mean(of), variance(of)), &NUMBERS);
        laws::of_aggregates(&(count(), sum(of), min(of), mean(of), max(of)), &NUMBERS);
        laws::of_aggregates(&(count(), sum(of), min(of), mean(of), max(of), first(of)), &NUMBERS);
        laws::of_groups(&(count(), (sum(of), count_distinct(of))), &NUMBERS);
    }

    #[test]
    fn a_tuple_is_a_group_if_all_in_it_are() {
        let of: fn(&i64) -> i64 = |n| *n;
        assert!(can_subtract(&(count(), sum(of)), &NUMBERS));
        assert!(can_subtract(&(count(), (mean(of), sum(of)), count()), &NUMBERS));
        assert!(!can_subtract(&(count(), max(of)), &NUMBERS));
        assert!(!can_subtract(&(count(), (max(of), count())), &NUMBERS));
    }

    /// What is taken from the value that came last, of those that are latest.
    #[derive(Clone)]
    struct Newest;

    impl Aggregate<i64> for Newest {
        type Acc = i64;
        type Out = i64;
        type Algebra = Monoid;

        fn lift(&self, value: &i64, _: Timestamp) -> i64 {
            *value
        }

        fn combine(&self, acc: &mut i64, other: &i64) {
            *acc = *other;
        }

        fn finish(&self, acc: i64) -> i64 {
            acc
        }
    }

    fn commutes<T, A: Aggregate<T>>(_: &A, _: &[T]) -> bool {
        <A::Algebra as Algebra<A, T>>::Order::IS_ANY
    }

    #[test]
    fn a_tuple_commutes_if_all_in_it_do() {
        let of: fn(&i64) -> i64 = |n| *n;
        assert!(commutes(&(count(), (max(of), sum(of)), first(of)), &NUMBERS));
        assert!(!commutes(&(count(), Newest), &NUMBERS) && !commutes(&(Newest, count()), &NUMBERS));
        assert!(!commutes(&(count(), max(of), (sum(of), Newest)), &NUMBERS));
        assert!(!commutes(&of_part(|pair: &(i64, i64)| &pair.1, (count(), Newest)), &[(1, 2)]));
        assert!(!commutes(&using(TwoStacks, Newest), &NUMBERS));
        assert!(commutes(&using(TwoStacks, max(of)), &NUMBERS));
        laws::of_monoids(&(count(), Newest), &NUMBERS);
    }

    /// What windows that overlap come to, in order.
    fn windowed<A: Aggregate<i64>>(aggregate: A, seed: u64) -> Vec<(TimeWindow, A::Out)> {
        let windows = Sliding::new(Duration::from_nanos(10), Duration::from_nanos(3)).expect("they overlap");
        let mut fold = WindowFold::new(windows, aggregate);
        let (mut rng, mut out) = (fastrand::Rng::with_seed(seed), Vec::new());
        for at in 0..200 {
            let time = Timestamp::from_nanos(at + rng.i64(0..12));
            fold.on_record(Record { time, value: Keyed { key: 0, value: rng.i64(-9..9) } }, &mut out);
            let _ = fold.on_watermark(Watermark::at(Timestamp::from_nanos(at)), &mut out);
        }
        let result = |record: Record<Windowed<u8, i64, A::Out>>| match record.value {
            Windowed::Result(WindowResult { window, value, .. }) => (window, value),
            Windowed::Late(late) => unreachable!("{late:?} comes before its window closes"),
        };
        out.into_iter().map(result).collect()
    }

    /// A tuple that is a group has a running accumulator, one that is not has not.
    #[test]
    fn windows_that_overlap_are_the_same_of_a_tuple_as_alone() {
        let of: fn(&i64) -> i64 = |n| *n;
        let tenth: fn(&i64) -> f64 = |n| f64::from(i32::try_from(*n).unwrap_or_default()) / 10.0;
        for seed in 0..20 {
            let all = windowed((sum(of), count_distinct(of), float_sum(tenth)), seed);
            assert!(all.len() > 50, "{all:?}");
            let with_max = windowed(((sum(of), count_distinct(of), float_sum(tenth)), max(of)), seed);
            let alone = windowed(sum(of), seed).into_iter().zip(windowed(count_distinct(of), seed));
            let alone = alone.zip(windowed(float_sum(tenth), seed)).zip(windowed(max(of), seed));
            for ((found, with_max), (((one, two), three), four)) in all.into_iter().zip(with_max).zip(alone) {
                assert_eq!(found, (one.0, (one.1, two.1, three.1)));
                assert_eq!(with_max, (one.0, (found.1, four.1)));
            }
        }
    }

    #[test]
    fn each_is_what_it_is_alone() {
        let of: fn(&i64) -> i64 = |n| *n;
        let groups: (_, Sum<_>, _) = (count(), sum(of), count_distinct(of));
        let value = |rng: &mut fastrand::Rng| rng.i64(-9..9);
        let alone = |all: &[(i64, Timestamp)]| {
            let mut different: Vec<_> = all.iter().map(|(n, _)| *n).collect();
            different.sort_unstable();
            different.dedup();
            (all.len() as u64, all.iter().map(|(n, _)| n).sum::<i64>(), different.len() as u64)
        };
        agrees(&groups, value, |found| found, alone);
        agrees(
            &(groups, max(of), min(of)),
            value,
            |found| found,
            |all| {
                let numbers = || all.iter().map(|(n, _)| *n);
                (alone(all), numbers().max().unwrap_or_default(), numbers().min().unwrap_or_default())
            },
        );
    }
}
