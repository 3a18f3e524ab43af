//! How values become results: the algebra of it, and the aggregates there are.

use nacreous_watermark::Timestamp;

mod algebra;
mod floats;
pub mod laws;
mod numbers;
#[cfg(test)]
mod shuffled;

pub use algebra::{AbelianGroup, Algebra, CommutativeMonoid, Group};
pub use floats::{ExactSum, FixedSum, FixedSumOf, FloatSum, fixed_sum, float_sum};
pub use numbers::{Count, Mean, MeanOf, Stats, StatsOf, Sum, Summand, count, mean, stats, sum};

/// How the values of a window are put together: from values to an accumulator to an output.
///
/// [`combine`](Self::combine) must be associative and commutative, and adding a value must be the same as
/// combining with that value lifted: a window is put together from slices, and its records come in any
/// order. (A float sum is neither; sum fixed-point integers instead.) Whether what was combined can be taken out again is
/// said by [`Algebra`](Self::Algebra), and decides how windows that overlap are put together. [`laws`](crate::laws) checks all
/// of that.
///
/// ```
/// # use nacreous_operators::{Aggregate, CommutativeMonoid};
/// # use nacreous_watermark::Timestamp;
/// /// The length of the longest text of a window, in bytes.
/// #[derive(Clone)]
/// struct Longest;
///
/// impl Aggregate<String> for Longest {
///     type Acc = usize;
///     type Out = usize;
///     type Algebra = CommutativeMonoid;
///
///     fn lift(&self, text: &String, _: Timestamp) -> usize {
///         text.len()
///     }
///
///     fn combine(&self, acc: &mut usize, other: &usize) {
///         *acc = (*acc).max(*other);
///     }
///
///     fn finish(&self, acc: usize) -> usize {
///         acc
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not aggregate values of type `{T}`",
    note = "there are `count()`, `sum(|value| …)` and `stats(|value| …)`, whose functions are given `&{T}`; \
            for others implement `Aggregate`"
)]
pub trait Aggregate<T> {
    /// What is kept for each key and slice.
    type Acc: Clone;
    /// What a result carries.
    type Out;
    /// [`CommutativeMonoid`], or [`AbelianGroup`] if it is a [`Group`].
    type Algebra: Algebra<Self, T>;

    /// The accumulator of one value, whose record has this time. Most have no use for the time.
    fn lift(&self, value: &T, time: Timestamp) -> Self::Acc;

    /// Adds one value to an accumulator.
    #[inline]
    fn add(&self, acc: &mut Self::Acc, value: &T, time: Timestamp) {
        self.combine(acc, &self.lift(value, time));
    }

    /// Adds all that `other` holds to `acc`.
    fn combine(&self, acc: &mut Self::Acc, other: &Self::Acc);

    /// What the accumulator of a whole window comes to.
    fn finish(&self, acc: Self::Acc) -> Self::Out;
}
