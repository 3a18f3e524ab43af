//! A function that takes a stream says that something comes before it.
use nacreous::prelude::*;
use nacreous::Stream;

fn doubled<U>(numbers: Stream<u64, U>) {
    numbers.map(|n| n * 2).discard();
}

fn main() {
    let graph = Graph::new();
    doubled(graph.iter(0..9_u64).event_time(|_| Timestamp::from_nanos(0), BoundedDisorder::NONE));
}
