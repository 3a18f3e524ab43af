//! Each parallel instance has its own copy of a function.
use nacreous::prelude::*;

struct Ticket(u64);

fn main() {
    let graph = Graph::new();
    let ticket = Ticket(7);
    graph
        .iter(0..9_u64)
        .event_time(|_| Timestamp::from_nanos(0), BoundedDisorder::NONE)
        .map(move |n| {
            let ticket = &ticket;
            n + ticket.0
        })
        .discard();
}
