use std::{convert::Infallible, marker::PhantomData};

use nacreous_watermark::Timestamp;

use super::{Aggregate, Algebra, Group, Selective};

/// An aggregate of a part of each value; see [`of_part`].
#[derive(Debug, Clone)]
pub struct OfPart<F, A> {
    part: F,
    aggregate: A,
}

/// Applies an aggregate to a part of each value. It is what the aggregate is; it costs what that does.
///
/// ```
/// # use nacreous_operators::{Aggregate, count, max, of_part, sum};
/// # use nacreous_watermark::Timestamp;
/// struct Order {
///     price: i64,
/// }
///
/// let prices = of_part(|order: &Order| &order.price, (count(), sum(|n: &i64| *n), max(|n: &i64| *n)));
/// let now = Timestamp::from_nanos(0);
/// let mut acc = prices.lift(&Order { price: 3 }, now);
/// prices.add(&mut acc, &Order { price: 4 }, now);
/// assert_eq!(prices.finish(acc), (2, 7, 4));
/// ```
pub fn of_part<T, U, F: Fn(&T) -> &U, A: Aggregate<U>>(part: F, aggregate: A) -> OfPart<F, A> {
    OfPart { part, aggregate }
}

/// The algebra of an aggregate that is applied to a part.
#[derive(Debug, Clone, Copy)]
pub enum PartAlgebra<G> {
    #[doc(hidden)]
    Never(Infallible, PhantomData<G>),
}

impl<T, U, F: Fn(&T) -> &U, A: Aggregate<U>, G: Algebra<A, U>> Algebra<OfPart<F, A>, T> for PartAlgebra<G> {
    type Algorithm = G::Algorithm;
    type Order = G::Order;

    #[inline(always)]
    fn subtract(aggregate: &OfPart<F, A>, acc: &mut A::Acc, other: &A::Acc) {
        G::subtract(&aggregate.aggregate, acc, other);
    }
}

impl<T, U, F: Fn(&T) -> &U, A: Aggregate<U>> Aggregate<T> for OfPart<F, A> {
    type Acc = A::Acc;
    type Out = A::Out;
    type Algebra = PartAlgebra<A::Algebra>;

    #[inline]
    fn lift(&self, value: &T, time: Timestamp) -> A::Acc {
        self.aggregate.lift((self.part)(value), time)
    }

    #[inline]
    fn add(&self, acc: &mut A::Acc, value: &T, time: Timestamp) {
        self.aggregate.add(acc, (self.part)(value), time);
    }

    #[inline]
    fn combine(&self, acc: &mut A::Acc, other: &A::Acc) {
        self.aggregate.combine(acc, other);
    }

    #[inline]
    fn finish(&self, acc: A::Acc) -> A::Out {
        self.aggregate.finish(acc)
    }
}

impl<T, U, F: Fn(&T) -> &U, A: Group<U>> Group<T> for OfPart<F, A> {
    #[inline]
    fn subtract(&self, acc: &mut A::Acc, other: &A::Acc) {
        self.aggregate.subtract(acc, other);
    }
}

impl<T, U, F: Fn(&T) -> &U, A: Selective<U>> Selective<T> for OfPart<F, A> {
    #[inline]
    fn replaces(&self, acc: &A::Acc, other: &A::Acc) -> bool {
        self.aggregate.replaces(acc, other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{aggregate::shuffled::agrees, count, laws, max, sum};

    fn can_subtract<T, A: Aggregate<T>>(_: &A, _: &[T]) -> bool {
        A::Algebra::CAN_SUBTRACT
    }

    #[test]
    fn it_is_what_the_aggregate_is() {
        let pairs = [(0, "a"), (1, ""), (i64::MAX, "b"), (i64::MIN, "b")];
        let numbers = of_part(|pair: &(i64, &'static str)| &pair.0, (count(), sum(|n: &i64| *n)));
        laws::of_groups(&numbers, &pairs);
        agrees(
            &numbers,
            |rng| (rng.i64(-9..9), ""),
            |found| found,
            |all| (all.len() as u64, all.iter().map(|((n, _), _)| n).sum()),
        );
        assert!(can_subtract(&numbers, &pairs));
        let lengths = of_part(|pair: &(i64, &'static str)| &pair.1, max(|text: &&str| text.len()));
        laws::of_selective(&lengths, &pairs);
        assert!(!can_subtract(&lengths, &pairs));
    }
}
