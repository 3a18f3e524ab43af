//! Operators run on other threads.
use nacreous::prelude::*;
use std::{cell::Cell, rc::Rc};

fn main() {
    let graph = Graph::new();
    let seen = Rc::new(Cell::new(0));
    graph
        .iter(0..9_u64)
        .event_time(|_| Timestamp::from_nanos(0), BoundedDisorder::NONE)
        .inspect(move |_| seen.set(seen.get() + 1))
        .discard();
}
