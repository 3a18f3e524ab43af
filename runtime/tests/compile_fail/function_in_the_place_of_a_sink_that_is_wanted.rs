//! A function takes records by `for_each`.
use nacreous::prelude::*;

fn main() {
    let graph = Graph::new();
    let numbers = graph.iter(0..9_u64).event_time(|_| Timestamp::from_nanos(0), BoundedDisorder::NONE);
    numbers.to(|record: Record<u64>| println!("{}", record.value));
}
