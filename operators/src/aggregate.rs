//! How values become results: the algebra of it, and the aggregates there are.

use nacreous_watermark::Timestamp;

mod algebra;
pub mod algorithm;
mod distinct;
mod extremes;
mod floats;
mod instants;
pub mod laws;
mod numbers;
mod part;
mod quantiles;
#[cfg(test)]
pub(crate) mod shuffled;
mod top;
mod tuple;
mod variance;

pub use algebra::{AbelianGroup, Algebra, CommutativeMonoid, Group, Monoid, Selective};
pub use distinct::{
    ApproxCountDistinct, CountDistinct, DistinctSketch, approx_count_distinct, count_distinct,
};
pub use extremes::{ArgMax, ArgMin, Max, Min, arg_max, arg_min, max, min};
pub use floats::{ExactSum, FixedSum, FixedSumOf, FloatSum, fixed_sum, float_sum};
pub use instants::{Collect, First, Last, collect, first, last};
pub use numbers::{Count, Mean, MeanOf, Stats, StatsOf, Sum, Summand, count, mean, stats, sum};
pub use part::{OfPart, PartAlgebra, of_part};
pub use quantiles::{Quantiles, QuantilesOf, quantiles};
pub use top::{Greatest, Top, TopBy};
pub use variance::{Variance, VarianceOf, variance};

/// How the values of a window are put together: from values to an accumulator to an output.
///
/// [`combine`](Self::combine) must be associative and commutative, and adding a value must be the same as
/// combining with that value lifted: a window is put together from slices, and its records come in any
/// order. (Adding floats is neither; see [`float_sum`] and [`fixed_sum`].) Whether what was combined can be taken out again is
/// said by [`Algebra`](Self::Algebra), and decides how windows that overlap are put together. [`laws`](crate::laws) checks all
/// of that.
///
/// One that is not commutative says so: its algebra is [`Monoid`]. Then whatever is combined into an accumulator is behind it in event
/// time, or of the same instant and came later; and each record is kept until its windows are closed. A tuple is commutative if
/// all in it are.
///
/// | to | see |
/// |---|---|
/// | count | [`count`], [`count_distinct`], [`approx_count_distinct`] |
/// | sum | [`sum`]; of floats [`float_sum`], [`fixed_sum`] |
/// | tell the middle and the spread | [`mean`], [`variance`], [`stats`], [`quantiles`] |
/// | find the least and the greatest | [`min`], [`max`], [`arg_min`], [`arg_max`], [`Top`] |
/// | go by event time | [`first`], [`last`], [`collect`] |
/// | have several in one pass | a tuple of them |
/// | aggregate a part of each value | [`of_part`] |
///
/// One of your own:
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
    note = "there are `count()`, `sum(|value| …)`, `max(|value| …)` and more, whose functions are given `&{T}`; \
            tuples of them; and others by `impl Aggregate<{T}>`"
)]
pub trait Aggregate<T> {
    /// What is kept for each key and slice.
    type Acc: Clone + Send + 'static;
    /// What a result carries.
    type Out;
    /// [`CommutativeMonoid`], or [`AbelianGroup`] if it is a [`Group`]; [`Monoid`] if it is not commutative.
    type Algebra: Algebra<Self, T>;

    /// The accumulator of one value, whose record has this time. Most have no use for the time.
    fn lift(&self, value: &T, time: Timestamp) -> Self::Acc;

    /// Adds one value to an accumulator.
    #[inline]
    fn add(&self, acc: &mut Self::Acc, value: &T, time: Timestamp) {
        self.combine(acc, &self.lift(value, time));
    }

    /// Adds all that `other` holds to `acc`. Of a [`Monoid`], it goes behind what is there.
    fn combine(&self, acc: &mut Self::Acc, other: &Self::Acc);

    /// What the accumulator of a whole window comes to.
    fn finish(&self, acc: Self::Acc) -> Self::Out;
}
