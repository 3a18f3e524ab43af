//! One producer, two consumers that each see everything. One thread plays both consumers in turn, so that each side
//! has a core.

use disruptor::{BusySpinWithSpinLoopHint, Producer as _, build_single_producer};
use nacreous_channels::broadcast;

use super::{RATE, Record, Transfer, add, until};
use crate::comparison::Comparison;

const SLOTS: usize = 4_096;
/// Records published, and taken, at once.
const BATCH: usize = 256;
const RECORDS: u64 = 32 << 20;

/// Batches to two consumers, against the disruptor.
pub fn two_disruptor() -> Comparison {
    Comparison {
        id: "broadcast-2/batched/disruptor",
        measure: RATE,
        ours: batches(2).side(RECORDS),
        rival: batches_disruptor().side(RECORDS),
    }
}

/// Batches to so many consumers.
pub fn batches(consumers: usize) -> Transfer {
    Transfer::new(move || {
        let (mut producer, mut consumers) = broadcast::ring_to(SLOTS, consumers, Record::default);
        let produce = move |records| {
            for from in (0..records).step_by(BATCH) {
                until(|| {
                    let (first, second) = producer.claim_many(BATCH);
                    if first.len() + second.len() < BATCH {
                        return None;
                    }
                    for (slot, number) in first.iter_mut().chain(second).zip(from..) {
                        *slot = Record::new(number);
                    }
                    producer.publish_many(BATCH);
                    Some(())
                });
            }
        };
        let consume = move |records| {
            let mut digest = 0_u64;
            for _ in (0..records).step_by(BATCH) {
                for consumer in &mut consumers {
                    until(|| {
                        let (first, second) = consumer.peek_many(BATCH);
                        if first.len() + second.len() < BATCH {
                            return None;
                        }
                        digest = add(digest, first.iter().chain(second));
                        consumer.release_many(BATCH);
                        Some(())
                    });
                }
            }
            digest
        };
        (produce, consume)
    })
}

fn batches_disruptor() -> Transfer {
    Transfer::new(|| {
        let builder = build_single_producer(SLOTS, Record::default, BusySpinWithSpinLoopHint);
        let (first, builder) = builder.new_event_poller();
        let (second, builder) = builder.new_event_poller();
        let (mut producer, mut pollers) = (builder.build(), [first, second]);
        let produce = move |records| {
            for from in (0..records).step_by(BATCH) {
                producer.batch_publish(BATCH, |slots| {
                    for (slot, number) in slots.zip(from..) {
                        *slot = Record::new(number);
                    }
                });
            }
        };
        let consume = move |records| {
            let (mut seen, mut digest) = ([0, 0], 0_u64);
            while seen != [records; 2] {
                for (poller, seen) in pollers.iter_mut().zip(&mut seen) {
                    // What it gives is a multiple of a batch, as it was published.
                    let Ok(mut batch) = poller.take(BATCH as u64) else {
                        std::hint::spin_loop();
                        continue;
                    };
                    let records = &mut batch;
                    *seen += records.len() as u64;
                    digest = add(digest, records);
                }
            }
            digest
        };
        (produce, consume)
    })
}
