//! Aggregates for tests that do not commute.

use nacreous_watermark::Timestamp;

use crate::{Aggregate, Monoid};

/// All values, one behind the other.
#[derive(Debug, Clone)]
pub(super) struct Sequence;

impl Aggregate<u32> for Sequence {
    type Acc = Vec<u32>;
    type Out = Vec<u32>;
    type Algebra = Monoid;

    fn lift(&self, value: &u32, _: Timestamp) -> Vec<u32> {
        vec![*value]
    }

    fn combine(&self, acc: &mut Vec<u32>, other: &Vec<u32>) {
        acc.extend(other);
    }

    fn finish(&self, acc: Vec<u32>) -> Vec<u32> {
        acc
    }
}

/// The product of a matrix for each value.
#[derive(Debug, Clone)]
pub(super) struct Matrices;

type Matrix = [[u64; 2]; 2];

const PRIME: u64 = 1_000_000_007;

impl Aggregate<u32> for Matrices {
    type Acc = Matrix;
    type Out = Matrix;
    type Algebra = Monoid;

    fn lift(&self, value: &u32, _: Timestamp) -> Matrix {
        [[u64::from(*value) + 2, 1], [1, 0]]
    }

    fn combine(&self, acc: &mut Matrix, other: &Matrix) {
        let [[a, b], [c, d]] = *acc;
        let [[e, f], [g, h]] = *other;
        *acc = [
            [(a * e + b * g) % PRIME, (a * f + b * h) % PRIME],
            [(c * e + d * g) % PRIME, (c * f + d * h) % PRIME],
        ];
    }

    fn finish(&self, acc: Matrix) -> Matrix {
        acc
    }
}

#[test]
fn they_are_associative_and_do_not_commute() {
    crate::laws::of_monoids(&Sequence, &[1, 2, 2, 3]);
    crate::laws::of_monoids(&Matrices, &[1, 2, 2, 3]);
    crate::laws::of_monoids(&(Matrices, crate::max(|n: &u32| *n)), &[1, 2, 2, 3]);
    let commute = |both: fn()| std::panic::catch_unwind(both).is_ok();
    assert!(!commute(|| crate::laws::of_aggregates(&Sequence, &[1, 2])));
    assert!(!commute(|| crate::laws::of_aggregates(&Matrices, &[1, 2])));
}
