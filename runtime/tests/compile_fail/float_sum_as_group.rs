//! A float sum is no group: what was rounded away does not come back.
use nacreous::{AbelianGroup, Aggregate, Timestamp};

struct Sum;

impl Aggregate<f64> for Sum {
    type Acc = f64;
    type Out = f64;
    type Algebra = AbelianGroup;

    fn lift(&self, value: &f64, _: Timestamp) -> f64 {
        *value
    }

    fn combine(&self, acc: &mut f64, other: &f64) {
        *acc += other;
    }

    fn finish(&self, acc: f64) -> f64 {
        acc
    }
}

fn main() {}
