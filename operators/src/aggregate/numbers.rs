use nacreous_watermark::Timestamp;

use super::{AbelianGroup, Aggregate, CommutativeMonoid, Group};

/// The number of values; see [`count`].
#[derive(Debug, Clone, Copy)]
pub struct Count;

/// Counts the values of a window.
pub fn count() -> Count {
    Count
}

impl<T> Aggregate<T> for Count {
    type Acc = u64;
    type Out = u64;
    type Algebra = AbelianGroup;

    #[inline]
    fn lift(&self, _: &T, _: Timestamp) -> u64 {
        1
    }

    #[inline]
    fn combine(&self, acc: &mut u64, other: &u64) {
        *acc += other;
    }

    #[inline]
    fn finish(&self, acc: u64) -> u64 {
        acc
    }
}

impl<T> Group<T> for Count {
    #[inline]
    fn subtract(&self, acc: &mut u64, other: &u64) {
        *acc -= other;
    }
}

/// An integer that [`sum`] takes.
///
/// Signed ones of up to 64 bits are summed as `i64`, unsigned ones as `u64`; those of 128 bits as what they are.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no integer that `sum` takes",
    note = "of floats there are `float_sum(|value| …)`, which is exact, and `fixed_sum(digits, |value| …)`, which is smaller"
)]
pub trait Summand: sealed::Sealed {
    /// What the sum is.
    type Sum: Copy + Send + 'static;

    #[doc(hidden)]
    fn widen(self) -> Self::Sum;

    #[doc(hidden)]
    fn plus(one: Self::Sum, other: Self::Sum) -> Self::Sum;

    #[doc(hidden)]
    fn minus(one: Self::Sum, other: Self::Sum) -> Self::Sum;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! summands {
    ($($integer:ty => $sum:ty),*) => {
        $(
            impl sealed::Sealed for $integer {}

            impl Summand for $integer {
                type Sum = $sum;

                #[inline(always)]
                fn widen(self) -> $sum {
                    self as $sum
                }

                #[inline(always)]
                fn plus(one: $sum, other: $sum) -> $sum {
                    one.wrapping_add(other)
                }

                #[inline(always)]
                fn minus(one: $sum, other: $sum) -> $sum {
                    one.wrapping_sub(other)
                }
            }
        )*
    };
}

summands!(i8 => i64, i16 => i64, i32 => i64, i64 => i64, isize => i64, i128 => i128);
summands!(u8 => u64, u16 => u64, u32 => u64, u64 => u64, usize => u64, u128 => u128);

/// The sum of an integer taken from each value; see [`sum`].
#[derive(Debug, Clone)]
pub struct Sum<F>(F);

/// Sums the integer that `of` takes from each value: as `i64` if it has a sign, as `u64` if not, whatever its width up to those.
///
/// The sum is modulo 2⁶⁴: it wraps around beyond the range of its type. Where that may happen, take an `i128`, whose sum
/// is one. (For floats, see [`float_sum`](crate::float_sum) and [`fixed_sum`](crate::fixed_sum).)
pub fn sum<T, N: Summand, F: Fn(&T) -> N>(of: F) -> Sum<F> {
    Sum(of)
}

impl<T, N: Summand, F: Fn(&T) -> N> Aggregate<T> for Sum<F> {
    type Acc = N::Sum;
    type Out = N::Sum;
    type Algebra = AbelianGroup;

    #[inline]
    fn lift(&self, value: &T, _: Timestamp) -> N::Sum {
        (self.0)(value).widen()
    }

    #[inline]
    fn combine(&self, acc: &mut N::Sum, other: &N::Sum) {
        *acc = N::plus(*acc, *other);
    }

    #[inline]
    fn finish(&self, acc: N::Sum) -> N::Sum {
        acc
    }
}

impl<T, N: Summand, F: Fn(&T) -> N> Group<T> for Sum<F> {
    #[inline]
    fn subtract(&self, acc: &mut N::Sum, other: &N::Sum) {
        *acc = N::minus(*acc, *other);
    }
}

/// Count and sum of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mean {
    /// How many values.
    pub count: u64,
    /// Their exact sum.
    pub sum: i128,
}

impl Mean {
    /// The arithmetic mean: the exact sum divided once, in floating point.
    #[expect(clippy::cast_precision_loss, reason = "a mean in f64 is rounded by nature")]
    pub fn mean(&self) -> f64 {
        self.sum as f64 / self.count as f64
    }
}

/// The [`Mean`] of a number taken from each value; see [`mean`].
#[derive(Debug, Clone)]
pub struct MeanOf<F>(F);

/// Count, exact sum and mean of what `of` takes from each value.
pub fn mean<T, F: Fn(&T) -> i64>(of: F) -> MeanOf<F> {
    MeanOf(of)
}

impl<T, F: Fn(&T) -> i64> Aggregate<T> for MeanOf<F> {
    type Acc = Mean;
    type Out = Mean;
    type Algebra = AbelianGroup;

    #[inline]
    fn lift(&self, value: &T, _: Timestamp) -> Mean {
        Mean { count: 1, sum: (self.0)(value).into() }
    }

    #[inline]
    fn combine(&self, acc: &mut Mean, other: &Mean) {
        acc.count += other.count;
        acc.sum += other.sum;
    }

    #[inline]
    fn finish(&self, acc: Mean) -> Mean {
        acc
    }
}

impl<T, F: Fn(&T) -> i64> Group<T> for MeanOf<F> {
    #[inline]
    fn subtract(&self, acc: &mut Mean, other: &Mean) {
        acc.count -= other.count;
        acc.sum -= other.sum;
    }
}

/// Count, sum, least and greatest of a number, in one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// How many values.
    pub count: u64,
    /// Their exact sum.
    pub sum: i128,
    /// The least of them.
    pub min: i64,
    /// The greatest of them.
    pub max: i64,
}

impl Stats {
    /// The arithmetic mean: the exact sum divided once, in floating point.
    #[expect(clippy::cast_precision_loss, reason = "a mean in f64 is rounded by nature")]
    pub fn mean(&self) -> f64 {
        self.sum as f64 / self.count as f64
    }
}

/// [`Stats`] of a number taken from each value; see [`stats`].
#[derive(Debug, Clone)]
pub struct StatsOf<F>(F);

/// Count, sum, mean, least and greatest of what `of` takes from each value.
pub fn stats<T, F: Fn(&T) -> i64>(of: F) -> StatsOf<F> {
    StatsOf(of)
}

impl<T, F: Fn(&T) -> i64> Aggregate<T> for StatsOf<F> {
    type Acc = Stats;
    type Out = Stats;
    type Algebra = CommutativeMonoid;

    #[inline]
    fn lift(&self, value: &T, _: Timestamp) -> Stats {
        let number = (self.0)(value);
        Stats { count: 1, sum: number.into(), min: number, max: number }
    }

    #[inline]
    fn combine(&self, acc: &mut Stats, other: &Stats) {
        acc.count += other.count;
        acc.sum += other.sum;
        acc.min = acc.min.min(other.min);
        acc.max = acc.max.max(other.max);
    }

    #[inline]
    fn finish(&self, acc: Stats) -> Stats {
        acc
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{aggregate::shuffled::agrees, laws};

    #[test]
    fn the_laws_hold_for_all_that_are_here() {
        let numbers = [0, 1, -1, 7, i64::MAX, i64::MIN, 1 << 40];
        laws::of_groups(&count(), &numbers);
        laws::of_groups(&sum(|n: &i64| *n), &numbers);
        laws::of_groups(&mean(|n: &i64| *n), &numbers);
        laws::of_aggregates(&stats(|n: &i64| *n), &numbers);
    }

    #[test]
    fn stats_are_exact_also_at_the_extremes() {
        let aggregate = stats(|n: &i64| *n);
        let mut acc = aggregate.lift(&i64::MAX, Timestamp::MIN);
        for n in [i64::MAX, -3, i64::MIN] {
            aggregate.add(&mut acc, &n, Timestamp::MIN);
        }
        assert_eq!(acc, Stats { count: 4, sum: i128::from(i64::MAX) - 4, min: i64::MIN, max: i64::MAX });
        let small = Stats { count: 8, sum: 2, min: -1, max: 1 };
        assert!((small.mean() - 0.25).abs() < f64::EPSILON);
    }

    #[test]
    fn a_sum_is_as_wide_as_its_type_allows() {
        agrees(
            &sum(|n: &i8| *n),
            |rng| rng.i8(..),
            |sum| sum,
            |all| all.iter().map(|(n, _)| i64::from(*n)).sum(),
        );
        agrees(
            &sum(|n: &u8| *n),
            |rng| rng.u8(..),
            |sum| sum,
            |all| all.iter().map(|(n, _)| u64::from(*n)).sum(),
        );
        agrees(
            &sum(|n: &i128| *n),
            |rng| i128::from(rng.i64(..)),
            |sum| sum,
            |all| all.iter().map(|(n, _)| n).sum(),
        );
    }

    #[test]
    fn a_sum_wraps_in_any_order_to_the_same() {
        let aggregate = sum(|n: &i64| *n);
        let total = |numbers: [i64; 3]| {
            let mut acc = aggregate.lift(&numbers[0], Timestamp::MIN);
            numbers[1..].iter().for_each(|n| aggregate.add(&mut acc, n, Timestamp::MIN));
            acc
        };
        assert_eq!(total([i64::MAX, 5, -6]), i64::MAX - 1);
        assert_eq!(total([5, i64::MAX, -6]), i64::MAX - 1);
    }
}
