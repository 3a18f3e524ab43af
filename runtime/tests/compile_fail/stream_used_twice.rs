//! A stream is used once; `broadcast` copies it.
use nacreous::prelude::*;

fn main() {
    let graph = Graph::new();
    let numbers = graph.iter(0..9_i64).event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
    numbers.discard();
    numbers.discard();
}
