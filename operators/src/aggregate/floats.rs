//! Sums of floats that are the same in any order.

use nacreous_watermark::Timestamp;

use super::{AbelianGroup, Aggregate, Group};

mod exact;

pub use exact::ExactSum;

/// The exact sum of a float taken from each value, rounded once; see [`float_sum`].
#[derive(Debug, Clone)]
pub struct FloatSum<F>(F);

/// Sums the `f64` that `of` takes from each value: exactly, and rounds the sum once, to the nearest `f64`.
///
/// So it is the same to the last bit in whatever order the values come, and what leaves a window leaves nothing behind. What
/// is no finite number counts as in IEEE 754, wherever it comes: a NaN makes the sum NaN, and so do infinities of both
/// signs; those of one make it infinite, as does a sum beyond the greatest `f64`. A sum of zero is +0.
///
/// # Cost
/// An accumulator is an integer that holds each `f64` in full, 296 bytes, without heap. A value is an addition to two or
/// three of its words, and to more where the sum changes sign; combining two adds 34 words. Where that is too much,
/// [`fixed_sum`] takes 32 bytes. (After Kulisch, Computer Arithmetic and Validity, 2008; Neal, Fast Exact Summation Using
/// Small and Large Superaccumulators, 2015, does with deferred carries what is done here without.)
///
/// ```
/// # use nacreous_operators::{Aggregate, float_sum};
/// # use nacreous_watermark::Timestamp;
/// let sum = float_sum(|n: &f64| *n);
/// let now = Timestamp::from_nanos(0);
/// let mut acc = sum.lift(&1e100, now);
/// for n in [0.1, 0.2, -1e100] {
///     sum.add(&mut acc, &n, now);
/// }
/// assert_eq!(sum.finish(acc), 0.1 + 0.2);
/// ```
pub fn float_sum<T, F: Fn(&T) -> f64>(of: F) -> FloatSum<F> {
    FloatSum(of)
}

impl<T, F: Fn(&T) -> f64> Aggregate<T> for FloatSum<F> {
    type Acc = ExactSum;
    type Out = f64;
    type Algebra = AbelianGroup;

    #[inline]
    fn lift(&self, value: &T, time: Timestamp) -> ExactSum {
        let mut acc = ExactSum::ZERO;
        self.add(&mut acc, value, time);
        acc
    }

    #[inline]
    fn add(&self, acc: &mut ExactSum, value: &T, _: Timestamp) {
        acc.add((self.0)(value));
    }

    #[inline]
    fn combine(&self, acc: &mut ExactSum, other: &ExactSum) {
        acc.combine(other);
    }

    #[inline]
    fn finish(&self, acc: ExactSum) -> f64 {
        acc.round()
    }
}

impl<T, F: Fn(&T) -> f64> Group<T> for FloatSum<F> {
    #[inline]
    fn subtract(&self, acc: &mut ExactSum, other: &ExactSum) {
        acc.subtract(other);
    }
}

/// A sum of floats, each to so many decimal digits; see [`fixed_sum`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedSum {
    /// The exact sum, in units of the last digit.
    pub units: i128,
    /// How many values are not in it, as they are no finite numbers or too large: 2⁶³ units or more.
    pub unfit: u64,
    digits: u8,
}

impl FixedSum {
    /// The sum of those that fit, rounded to a float.
    #[expect(clippy::cast_precision_loss, reason = "a sum in f64 is rounded by nature")]
    pub fn sum(&self) -> f64 {
        self.units as f64 / units_of_one(self.digits)
    }
}

/// How many units make one: a power of ten that is a float.
#[expect(clippy::cast_precision_loss, reason = "5²² has fewer bits than a float")]
fn units_of_one(digits: u8) -> f64 {
    10_u128.pow(digits.into()) as f64
}

/// The [`FixedSum`] of a float taken from each value; see [`fixed_sum`].
#[derive(Debug, Clone)]
pub struct FixedSumOf<F> {
    of: F,
    digits: u8,
    units_of_one: f64,
}

/// The most digits of [`fixed_sum`]: powers of ten up to 10²² are exact in `f64`.
const DIGITS_MAX: u8 = 22;

/// Sums the `f64` that `of` takes from each value, to so many decimal digits after the point.
///
/// Each value is multiplied by 10 to the `digits`, in `f64`, and rounded to the nearest integer, a half away from zero.
/// Their sum is exact, so that it is the same in any order. A value that is NaN or infinite, or comes to 2⁶³ units or
/// more, is left out and counted in [`unfit`](FixedSum::unfit). The sum of all others cannot overflow.
///
/// # Cost
/// A multiplication and an addition for a value; 32 bytes for an accumulator.
///
/// # Panics
/// If `digits` is more than 22.
///
/// ```
/// # use nacreous_operators::{Aggregate, fixed_sum};
/// # use nacreous_watermark::Timestamp;
/// let cents = fixed_sum(2, |price: &f64| *price);
/// let now = Timestamp::from_nanos(0);
/// let mut acc = cents.lift(&0.1, now);
/// for price in [0.2, 12.345, f64::NAN] {
///     cents.add(&mut acc, &price, now);
/// }
/// let total = cents.finish(acc);
/// assert_eq!((total.units, total.sum(), total.unfit), (1265, 12.65, 1));
/// ```
pub fn fixed_sum<T, F: Fn(&T) -> f64>(digits: u8, of: F) -> FixedSumOf<F> {
    assert!(
        digits <= DIGITS_MAX,
        "{digits} digits are more than {DIGITS_MAX}, which is as many as f64 can be scaled by"
    );
    FixedSumOf { of, digits, units_of_one: units_of_one(digits) }
}

impl<T, F: Fn(&T) -> f64> Aggregate<T> for FixedSumOf<F> {
    type Acc = FixedSum;
    type Out = FixedSum;
    type Algebra = AbelianGroup;

    #[inline]
    fn lift(&self, value: &T, _: Timestamp) -> FixedSum {
        let units = ((self.of)(value) * self.units_of_one).round();
        let fits = units.abs() < 2_f64.powi(63);
        #[expect(clippy::cast_possible_truncation, reason = "what does not fit is not used")]
        let units = if fits { i128::from(units as i64) } else { 0 };
        FixedSum { units, unfit: (!fits).into(), digits: self.digits }
    }

    #[inline]
    fn combine(&self, acc: &mut FixedSum, other: &FixedSum) {
        acc.units += other.units;
        acc.unfit += other.unfit;
    }

    #[inline]
    fn finish(&self, acc: FixedSum) -> FixedSum {
        acc
    }
}

impl<T, F: Fn(&T) -> f64> Group<T> for FixedSumOf<F> {
    #[inline]
    fn subtract(&self, acc: &mut FixedSum, other: &FixedSum) {
        acc.units -= other.units;
        acc.unfit -= other.unfit;
    }
}

#[cfg(test)]
mod tests;
