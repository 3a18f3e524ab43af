//! Streams that are merged have records of one type.
use nacreous::prelude::*;

fn main() {
    let graph = Graph::new();
    let numbers = graph.iter(0..9_u64).event_time(|_| Timestamp::from_nanos(0), BoundedDisorder::NONE);
    let names = graph.iter(["a", "b"]).event_time(|_| Timestamp::from_nanos(0), BoundedDisorder::NONE);
    numbers.merge(names).discard();
}
