//! A process says what it does with each key and value.
use nacreous::prelude::*;

#[derive(Clone)]
struct Watch;

fn main() {
    let graph = Graph::new();
    let numbers = graph.iter(0..9_u64).event_time(|_| Timestamp::from_nanos(0), BoundedDisorder::NONE);
    let (news, _) = numbers.key_by(|n| n % 3).process(Watch);
    news.discard();
}
