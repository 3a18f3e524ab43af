//! An oracle for aggregates: records in random order, combined in random ways, against a recomputation.

use std::{fmt::Debug, marker::PhantomData};

use fastrand::Rng;
use nacreous_watermark::Timestamp;

use super::{Aggregate, Algebra, Group};

const ROUNDS: u64 = 400;

/// Compares what `of` makes of the result with what `naive` makes of all records.
///
/// Records are added to, lifted into and combined from several accumulators. From a group, others that were put in are taken out.
#[track_caller]
pub(super) fn agrees<T: Debug, A: Aggregate<T>, R: PartialEq + Debug>(
    aggregate: &A,
    value: impl Fn(&mut Rng) -> T,
    of: impl Fn(A::Out) -> R,
    naive: impl Fn(&[(T, Timestamp)]) -> R,
) {
    for seed in 0..ROUNDS {
        let mut rng = Rng::with_seed(seed);
        let mut records = || -> Vec<(T, Timestamp)> {
            let count = rng.usize(1..40);
            (0..count).map(|_| (value(&mut rng), Timestamp::from_nanos(rng.i64(-5..5)))).collect()
        };
        let (kept, left) = (records(), records());
        let found = of(aggregate.finish(combined(aggregate, &kept, &left, &mut rng)));
        let expected = naive(&kept);
        assert!(found == expected, "seed {seed}: {found:?} and not {expected:?}, of {kept:?}");
    }
}

/// What the records come to that are kept.
fn combined<T, A: Aggregate<T>>(
    aggregate: &A,
    kept: &[(T, Timestamp)],
    left: &[(T, Timestamp)],
    rng: &mut Rng,
) -> A::Acc {
    let lift = |(value, time): &(T, Timestamp)| aggregate.lift(value, *time);
    let left = if A::Algebra::CAN_SUBTRACT { left } else { &[] };
    let mut all: Vec<_> = kept.iter().chain(left).collect();
    rng.shuffle(&mut all);
    let mut parts: Vec<A::Acc> = Vec::new();
    for record @ (value, time) in all {
        if parts.len() > 1 && rng.bool() {
            let part = parts.swap_remove(rng.usize(..parts.len()));
            let other = rng.usize(..parts.len());
            aggregate.combine(&mut parts[other], &part);
        }
        match parts.len() {
            some @ 1.. if rng.bool() => aggregate.add(&mut parts[rng.usize(..some)], value, *time),
            _ => parts.push(lift(record)),
        }
    }
    rng.shuffle(&mut parts);
    let mut whole = parts.pop().expect("there is a record");
    parts.iter().for_each(|part| aggregate.combine(&mut whole, part));
    left.iter().for_each(|record| A::Algebra::subtract(aggregate, &mut whole, &lift(record)));
    whole
}

/// An aggregate whose result is seen through a function, as the laws compare results: those of floats by their bits.
#[derive(Clone)]
pub(crate) struct Seen<A, S>(pub(crate) A, pub(crate) S);

/// The algebra of the aggregate that is seen.
pub(crate) struct SeenAlgebra<G>(PhantomData<G>);

impl<T, A: Aggregate<T>, R, S: Fn(A::Out) -> R, G: Algebra<A, T>> Algebra<Seen<A, S>, T> for SeenAlgebra<G> {
    type Algorithm = G::Algorithm;
    type Order = G::Order;

    fn subtract(aggregate: &Seen<A, S>, acc: &mut A::Acc, other: &A::Acc) {
        G::subtract(&aggregate.0, acc, other);
    }
}

impl<T, A: Aggregate<T>, R, S: Fn(A::Out) -> R> Aggregate<T> for Seen<A, S> {
    type Acc = A::Acc;
    type Out = R;
    type Algebra = SeenAlgebra<A::Algebra>;

    fn lift(&self, value: &T, time: Timestamp) -> A::Acc {
        self.0.lift(value, time)
    }

    fn add(&self, acc: &mut A::Acc, value: &T, time: Timestamp) {
        self.0.add(acc, value, time);
    }

    fn combine(&self, acc: &mut A::Acc, other: &A::Acc) {
        self.0.combine(acc, other);
    }

    fn finish(&self, acc: A::Acc) -> R {
        (self.1)(self.0.finish(acc))
    }
}

impl<T, A: Group<T>, R, S: Fn(A::Out) -> R> Group<T> for Seen<A, S> {
    fn subtract(&self, acc: &mut A::Acc, other: &A::Acc) {
        self.0.subtract(acc, other);
    }
}
