//! An aggregate fits the values of the stream.
use nacreous::prelude::*;
use std::time::Duration;

fn main() {
    let graph = Graph::new();
    let numbers = graph.iter(0..9_u64).event_time(|_| Timestamp::from_nanos(0), BoundedDisorder::NONE);
    let windows = Sliding::tumbling(Duration::from_secs(1)).unwrap();
    let (sums, _) = numbers.key_by(|n| n % 3).window(windows).aggregate(sum(|n: &i64| *n));
    sums.discard();
}
