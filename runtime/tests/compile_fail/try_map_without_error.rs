//! What `try_map` refuses is a stream, so its type must be known.
use nacreous::prelude::*;

fn main() {
    let graph = Graph::new();
    let (numbers, _) = graph
        .iter(0..9_u64)
        .event_time(|_| Timestamp::from_nanos(0), BoundedDisorder::NONE)
        .try_map(|n| Ok(n + 1));
    numbers.discard();
}
