//! Windows are kept for each key.
use nacreous::prelude::*;
use std::time::Duration;

fn main() {
    let graph = Graph::new();
    let (counts, _) = graph
        .iter(0..9_i64)
        .event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE)
        .window(Sliding::tumbling(Duration::from_secs(1)).unwrap())
        .aggregate(count());
    counts.for_each(|count| drop(count.value.value));
}
