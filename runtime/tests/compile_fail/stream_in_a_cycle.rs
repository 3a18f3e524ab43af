//! A stream is used once, so none can lead back into itself.
use nacreous::prelude::*;

fn main() {
    let graph = Graph::new();
    let numbers = graph.iter(0..9_i64).event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE).isolate();
    let round = numbers.merge(numbers.map(|n| n + 1));
    round.discard();
}
