use nacreous_watermark::Timestamp;

use super::{AbelianGroup, Aggregate, Group};

/// Count, sum and spread of an integer; see [`variance`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variance {
    /// How many values.
    pub count: u64,
    /// Their exact sum.
    pub sum: i128,
    /// The exact sum of their squares.
    squares: Squares,
}

/// A sum of up to 2⁶⁴ squares of 64-bit integers, which takes 190 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Squares {
    low: u128,
    high: u64,
}

impl Variance {
    /// The arithmetic mean: the exact sum divided once, in floating point.
    #[expect(clippy::cast_precision_loss, reason = "a mean in f64 is rounded by nature")]
    pub fn mean(&self) -> f64 {
        self.sum as f64 / self.count as f64
    }

    /// The variance of the values as a whole population: the mean squared distance from the mean.
    #[expect(clippy::cast_precision_loss, reason = "a variance in f64 is rounded by nature")]
    pub fn var_pop(&self) -> f64 {
        self.scaled_distances() / self.count as f64 / self.count as f64
    }

    /// The variance of what the values are a sample of, without bias (Bessel's correction); of fewer than two there is none.
    #[expect(clippy::cast_precision_loss, reason = "a variance in f64 is rounded by nature")]
    pub fn var_samp(&self) -> Option<f64> {
        let others = self.count.checked_sub(1).filter(|others| *others > 0)?;
        Some(self.scaled_distances() / self.count as f64 / others as f64)
    }

    /// The standard deviation of the values as a whole population, in the unit of the values.
    pub fn stddev_pop(&self) -> f64 {
        self.var_pop().sqrt()
    }

    /// The standard deviation of what the values are a sample of; of fewer than two there is none.
    pub fn stddev_samp(&self) -> Option<f64> {
        self.var_samp().map(f64::sqrt)
    }

    /// The count times the sum of the squared distances from the mean.
    ///
    /// That is the count times the sum of squares, less the square of the sum: both exact, in 256 bits, so that nothing is
    /// lost where they nearly cancel out.
    #[expect(clippy::cast_precision_loss, reason = "rounded when it is exact")]
    fn scaled_distances(&self) -> f64 {
        let count = u128::from(self.count);
        let (low, carry) = self.squares.low.carrying_mul(count, 0);
        let high = u128::from(self.squares.high) * count + carry;
        let sum = self.sum.unsigned_abs();
        let (sum_low, sum_high) = sum.carrying_mul(sum, 0);
        let (low, borrow) = low.borrowing_sub(sum_low, false);
        let (high, _) = high.borrowing_sub(sum_high, borrow);
        high as f64 * 2_f64.powi(128) + low as f64
    }
}

/// The [`Variance`] of an integer taken from each value; see [`variance`].
#[derive(Debug, Clone)]
pub struct VarianceOf<F>(F);

/// Count, sum, mean, variance and standard deviation of what `of` takes from each value.
///
/// The sums of the values and of their squares are exact for up to 2⁶⁴ values of any size, and only the result is
/// rounded: no values are too large for it, too many, or too near each other. (Floats have no such sums; take from them
/// integers of a small enough unit.)
///
/// # Cost
/// A multiplication and a few additions for a value; 64 bytes for an accumulator.
///
/// ```
/// # use nacreous_operators::{Aggregate, variance};
/// # use nacreous_watermark::Timestamp;
/// let heights = variance(|centimetres: &i64| *centimetres);
/// let now = Timestamp::from_nanos(0);
/// let mut acc = heights.lift(&170, now);
/// for height in [160, 180] {
///     heights.add(&mut acc, &height, now);
/// }
/// assert_eq!((acc.count, acc.mean(), acc.stddev_samp()), (3, 170.0, Some(10.0)));
/// ```
pub fn variance<T, F: Fn(&T) -> i64>(of: F) -> VarianceOf<F> {
    VarianceOf(of)
}

impl<T, F: Fn(&T) -> i64> Aggregate<T> for VarianceOf<F> {
    type Acc = Variance;
    type Out = Variance;
    type Algebra = AbelianGroup;

    #[inline]
    fn lift(&self, value: &T, _: Timestamp) -> Variance {
        let number = (self.0)(value);
        let magnitude = u128::from(number.unsigned_abs());
        Variance { count: 1, sum: number.into(), squares: Squares { low: magnitude * magnitude, high: 0 } }
    }

    #[inline]
    fn combine(&self, acc: &mut Variance, other: &Variance) {
        acc.count += other.count;
        acc.sum += other.sum;
        let (low, carry) = acc.squares.low.overflowing_add(other.squares.low);
        acc.squares = Squares { low, high: acc.squares.high + other.squares.high + u64::from(carry) };
    }

    #[inline]
    fn finish(&self, acc: Variance) -> Variance {
        acc
    }
}

impl<T, F: Fn(&T) -> i64> Group<T> for VarianceOf<F> {
    #[inline]
    fn subtract(&self, acc: &mut Variance, other: &Variance) {
        acc.count -= other.count;
        acc.sum -= other.sum;
        let (low, borrow) = acc.squares.low.overflowing_sub(other.squares.low);
        acc.squares = Squares { low, high: acc.squares.high - other.squares.high - u64::from(borrow) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{aggregate::shuffled::agrees, laws};

    fn of(numbers: &[i64]) -> Variance {
        let aggregate = variance(|n: &i64| *n);
        let lifted = numbers.iter().map(|n| aggregate.lift(n, Timestamp::MIN));
        lifted
            .reduce(|mut acc, other| {
                aggregate.combine(&mut acc, &other);
                acc
            })
            .expect("there is a number")
    }

    #[track_caller]
    fn close(found: f64, expected: f64) {
        assert!((found / expected - 1.0).abs() < 4.0 * f64::EPSILON, "{found:e} and not {expected:e}");
    }

    #[test]
    fn the_laws_hold_at_the_extremes() {
        let numbers = [0, 1, -1, 7, 7, i64::MAX, i64::MIN, 1 << 40];
        laws::of_groups(&variance(|n: &i64| *n), &numbers);
    }

    #[test]
    fn it_is_exact_where_sums_of_floats_are_not() {
        // The squares differ in their sixtieth bit.
        let near = of(&[1 << 60, (1 << 60) + 1, (1 << 60) + 2]);
        close(near.var_pop(), 2.0 / 3.0);
        assert_eq!(near.var_samp(), Some(1.0));
        close(of(&[i64::MIN; 3].map(|n| n + 1)).var_pop() + 1.0, 1.0);
        let far = of(&[i64::MIN, i64::MAX, i64::MIN, i64::MAX, i64::MIN, i64::MAX]);
        close(far.var_pop(), 2_f64.powi(126));
        close(far.stddev_pop(), 2_f64.powi(63));
        close(far.mean(), -0.5);
        assert_eq!((of(&[5]).var_pop(), of(&[5]).var_samp(), of(&[5]).stddev_samp()), (0.0, None, None));
    }

    #[test]
    fn there_is_room_for_as_many_as_can_be_counted() {
        let aggregate = variance(|n: &i64| *n);
        let mut acc = of(&[i64::MIN]);
        // As many as 2⁶³, by doubling, and all but one of them again.
        for _ in 0..63 {
            let twice = acc;
            aggregate.combine(&mut acc, &twice);
        }
        let mut rest = acc;
        aggregate.subtract(&mut rest, &of(&[i64::MIN]));
        aggregate.combine(&mut acc, &rest);
        assert_eq!(acc.count, u64::MAX);
        assert_eq!(acc.sum, i128::from(i64::MIN) * i128::from(u64::MAX));
        close(acc.var_pop() + 1.0, 1.0);
    }

    #[test]
    fn it_is_as_from_the_definition() {
        #[expect(clippy::cast_precision_loss, reason = "small enough")]
        let distances = |all: &[(i64, Timestamp)]| {
            // The squared distances from the mean, each times the count squared, and so in integers.
            let (count, sum) = (all.len() as i128, all.iter().map(|(n, _)| i128::from(*n)).sum::<i128>());
            let squares: i128 = all.iter().map(|(n, _)| (i128::from(*n) * count - sum).pow(2)).sum();
            squares as f64 / (count * count * count) as f64
        };
        let ten_digits = |variance: f64| format!("{variance:.9e}");
        agrees(
            &variance(|n: &i64| *n),
            |rng| rng.i64(-(1 << 40)..1 << 40),
            |found| ten_digits(found.var_pop()),
            |all| ten_digits(distances(all)),
        );
    }
}
