//! Twelve operators in one loop: `cargo xtask bench --compile-time` builds it.

use std::hint::black_box;

use nacreous::prelude::*;

fn main() -> Result<(), nacreous::RunError> {
    let graph = Graph::new();
    let numbers = graph.iter(0..1_000_000_i64);
    let numbers = numbers.event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
    numbers
        .map(|n| n.wrapping_mul(3).rotate_left(5))
        .filter(|n| n & 63 != 0)
        .map(|n| n.wrapping_mul(5).rotate_left(6))
        .filter(|n| n & 63 != 1)
        .map(|n| n.wrapping_mul(7).rotate_left(7))
        .filter(|n| n & 63 != 2)
        .map(|n| n.wrapping_mul(9).rotate_left(8))
        .filter(|n| n & 63 != 3)
        .map(|n| n.wrapping_mul(11).rotate_left(9))
        .filter(|n| n & 63 != 4)
        .map(|n| n.wrapping_mul(13).rotate_left(10))
        .filter(|n| n & 63 != 5)
        .for_each(|record| _ = black_box(record.value));
    graph.run(JobOptions::DEFAULT)?;
    Ok(())
}
