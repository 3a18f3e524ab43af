use super::{
    Aggregate,
    algorithm::{Algorithm, DabaLite, Running},
};
use crate::window::{AnyOrder, InOrder, Order};

/// What is known of how an aggregate combines: [`Monoid`], [`CommutativeMonoid`] or [`AbelianGroup`].
pub trait Algebra<A: Aggregate<T> + ?Sized, T> {
    /// How windows that overlap are put together.
    type Algorithm: Algorithm;

    /// Whether its accumulators may be combined in any order, and so which operators do it.
    type Order: Order;

    /// Whether what was combined can be taken out again.
    const CAN_SUBTRACT: bool = Self::Algorithm::SUBTRACTS;

    /// Takes out what has been combined. Not called where that cannot be.
    #[doc(hidden)]
    fn subtract(aggregate: &A, acc: &mut A::Acc, other: &A::Acc);
}

/// An aggregate that combines in one order only: what is later goes behind what is earlier. Windows then take its records in
/// order of event time; those of one instant in the order in which they come.
///
/// ```
/// # use nacreous_operators::{Aggregate, Monoid, laws};
/// # use nacreous_watermark::Timestamp;
/// /// By how much a price has risen at most from one moment of a window to a later one.
/// #[derive(Clone)]
/// struct Rise;
///
/// impl Aggregate<i64> for Rise {
///     /// The least, the greatest, and the rise.
///     type Acc = (i64, i64, i64);
///     type Out = i64;
///     type Algebra = Monoid;
///
///     fn lift(&self, price: &i64, _: Timestamp) -> Self::Acc {
///         (*price, *price, 0)
///     }
///
///     fn combine(&self, acc: &mut Self::Acc, later: &Self::Acc) {
///         let rise = later.1 - acc.0;
///         *acc = (acc.0.min(later.0), acc.1.max(later.1), acc.2.max(later.2).max(rise));
///     }
///
///     fn finish(&self, (_, _, rise): Self::Acc) -> i64 {
///         rise
///     }
/// }
///
/// laws::of_monoids(&Rise, &[0, 3, 1, 3, 7, -2]);
/// ```
#[derive(Debug, Clone, Copy)]
pub enum Monoid {}

/// An aggregate that combines in any order, and can do no more.
#[derive(Debug, Clone, Copy)]
pub enum CommutativeMonoid {}

/// An aggregate that is a [`Group`].
#[derive(Debug, Clone, Copy)]
pub enum AbelianGroup {}

/// An aggregate from which what was combined can be taken out again, as if it had never been in: count, sum, mean. Its
/// [`Algebra`](Aggregate::Algebra) is [`AbelianGroup`].
///
/// Windows that overlap then have one running accumulator for each key, to which a slice is added when it comes in, and from
/// which it is taken when it leaves.
///
/// ```
/// # use nacreous_operators::{AbelianGroup, Aggregate, Group, laws};
/// # use nacreous_watermark::Timestamp;
/// /// Tells whether all bits come in pairs.
/// struct Parity;
///
/// impl Aggregate<u64> for Parity {
///     type Acc = u64;
///     type Out = bool;
///     type Algebra = AbelianGroup;
///
///     fn lift(&self, bits: &u64, _: Timestamp) -> u64 {
///         *bits
///     }
///
///     fn combine(&self, acc: &mut u64, other: &u64) {
///         *acc ^= other;
///     }
///
///     fn finish(&self, acc: u64) -> bool {
///         acc == 0
///     }
/// }
///
/// impl Group<u64> for Parity {
///     fn subtract(&self, acc: &mut u64, other: &u64) {
///         *acc ^= other;
///     }
/// }
///
/// laws::of_groups(&Parity, &[0, 1, 2, u64::MAX]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no group over `{T}`: nothing can be taken out of what it has combined",
    note = "say how, with `impl Group<{T}>`, or that it cannot, with `type Algebra = CommutativeMonoid`",
    note = "a float sum cannot: what was rounded away when a large number came in does not return when it leaves; \
            `float_sum(|value| …)` rounds nothing away, and `fixed_sum(2, |value| …)` sums hundredths"
)]
pub trait Group<T>: Aggregate<T> {
    /// Takes out of `acc` all that `other` holds, which has been combined into it.
    fn subtract(&self, acc: &mut Self::Acc, other: &Self::Acc);
}

/// An aggregate that keeps one of the two it combines: least, greatest, first, last.
///
/// ```
/// # use nacreous_operators::{Aggregate, CommutativeMonoid, Selective, laws};
/// # use nacreous_watermark::Timestamp;
/// /// The longest text of a window, of several the last in the alphabet.
/// struct Longest;
///
/// impl Aggregate<String> for Longest {
///     type Acc = String;
///     type Out = String;
///     type Algebra = CommutativeMonoid;
///
///     fn lift(&self, text: &String, _: Timestamp) -> String {
///         text.clone()
///     }
///
///     fn combine(&self, acc: &mut String, other: &String) {
///         if self.replaces(acc, other) {
///             acc.clone_from(other);
///         }
///     }
///
///     fn finish(&self, acc: String) -> String {
///         acc
///     }
/// }
///
/// impl Selective<String> for Longest {
///     fn replaces(&self, acc: &String, other: &String) -> bool {
///         (acc.len(), acc) < (other.len(), other)
///     }
/// }
///
/// laws::of_selective(&Longest, &["", "a", "b", "ab"].map(String::from));
/// ```
pub trait Selective<T>: Aggregate<T> {
    /// Whether combining `other` into `acc` makes it `other`; if not, it stays what it is. Nothing is replaced by what
    /// is equal to it.
    fn replaces(&self, acc: &Self::Acc, other: &Self::Acc) -> bool;
}

impl<T, A: Aggregate<T> + ?Sized> Algebra<A, T> for Monoid {
    type Algorithm = DabaLite;
    type Order = InOrder;

    fn subtract(_: &A, _: &mut A::Acc, _: &A::Acc) {
        unreachable!("nothing is taken out of what is no group")
    }
}

impl<T, A: Aggregate<T> + ?Sized> Algebra<A, T> for CommutativeMonoid {
    type Algorithm = DabaLite;
    type Order = AnyOrder;

    fn subtract(_: &A, _: &mut A::Acc, _: &A::Acc) {
        unreachable!("nothing is taken out of what is no group")
    }
}

impl<T, A: Group<T> + ?Sized> Algebra<A, T> for AbelianGroup {
    type Algorithm = Running;
    type Order = AnyOrder;

    #[inline(always)]
    fn subtract(aggregate: &A, acc: &mut A::Acc, other: &A::Acc) {
        aggregate.subtract(acc, other);
    }
}
