//! An aggregate for tests, which is the same of records that have the same time.

use nacreous_watermark::Timestamp;

use crate::{Aggregate, CommutativeMonoid};

/// How many records, and what their times come to.
#[derive(Debug, Clone)]
pub(super) struct Times;

impl Aggregate<u32> for Times {
    type Acc = (u64, i128);
    type Out = (u64, i128);
    type Algebra = CommutativeMonoid;

    fn lift(&self, _: &u32, time: Timestamp) -> Self::Acc {
        (1, time.as_nanos().into())
    }

    fn combine(&self, acc: &mut Self::Acc, other: &Self::Acc) {
        *acc = (acc.0 + other.0, acc.1 + other.1);
    }

    fn finish(&self, acc: Self::Acc) -> Self::Out {
        acc
    }
}
