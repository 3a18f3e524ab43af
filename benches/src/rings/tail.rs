//! What publishing records together does to how long each takes.

use std::hint;

use nacreous_channels::spsc;

use crate::{clock::Clock, two_threads};

/// A multiple of every size of batch.
const RECORDS: usize = 1 << 16;
const SLOTS: usize = 4_096;
/// Time between one record and the next, in nanoseconds.
const EVERY_NANOS: f64 = 500.0;

/// The quantile of the records' ages when they are read, in nanoseconds, if one is made every 500 ns and they are
/// published by so many together.
pub fn age(batch: usize, quantile: f64) -> f64 {
    let clock = Clock::new();
    let (mut producer, mut consumer) = spsc::ring(SLOTS, || 0_u64);
    let produce = move || {
        let began = clock.ticks();
        for from in (0..RECORDS).step_by(batch) {
            let (first, second) = loop {
                // Asked twice, as what a claim returns cannot be returned from a loop that claims again.
                let (first, second) = producer.claim_many(batch);
                if first.len() + second.len() == batch {
                    break producer.claim_many(batch);
                }
                hint::spin_loop();
            };
            for (slot, number) in first.iter_mut().chain(second).zip(from..) {
                while clock.nanos(clock.ticks() - began) < number as f64 * EVERY_NANOS {
                    hint::spin_loop();
                }
                *slot = clock.ticks();
            }
            producer.publish_many(batch);
        }
    };
    let consume = move || {
        let mut ages = Vec::with_capacity(RECORDS);
        while ages.len() < RECORDS {
            let Some(&mut made_at) = consumer.peek() else {
                hint::spin_loop();
                continue;
            };
            // Cores need not agree to the tick.
            ages.push(clock.ticks().saturating_sub(made_at));
            consumer.release();
        }
        clock.quantile(ages, quantile)
    };
    two_threads::run(produce, consume).1
}
