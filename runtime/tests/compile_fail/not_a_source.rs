//! An iterator becomes a source by `iter`.
use nacreous::prelude::*;

fn main() {
    let graph = Graph::new();
    let (numbers, _) = graph.source(0..9_u64);
    numbers.event_time(|_| Timestamp::from_nanos(0), BoundedDisorder::NONE).discard();
}
