//! Two streams are joined by keys of one type.
use nacreous::prelude::*;
use nacreous::{Interval, Offset};
use std::time::Duration;

fn main() {
    let graph = Graph::new();
    let numbers = || graph.iter(0..9_u64).event_time(|_| Timestamp::from_nanos(0), BoundedDisorder::NONE);
    let (by_number, by_name) = (numbers().key_by(|n| *n), numbers().key_by(|n| n.to_string()));
    let now = Offset::After(Duration::ZERO);
    let (pairs, _) = by_number.join(by_name, Interval::new(now, now).unwrap(), |left, right| left + right);
    pairs.discard();
}
