//! One producer, one consumer.

use std::{hint, sync::Arc};

use crossbeam_queue::ArrayQueue;
use nacreous_channels::spsc;

use super::{Record, transfer, until};
use crate::comparison::{Comparison, Measure, Side};

/// Slots of each ring: 96 KiB of records.
const SLOTS: usize = 4_096;
/// Records published, and taken, with one store.
const BATCH: usize = 256;
const BATCHED: u64 = 64 << 20;
const SINGLE: u64 = 16 << 20;
const RATE: Measure = Measure::Rate("M records/s");

/// Batches of 256 in place, against rtrb's chunks.
pub fn batched_rtrb() -> Comparison {
    let (ours, rival) = (batches(BATCHED), batches_rtrb(BATCHED));
    Comparison { id: "spsc/batched/rtrb", measure: RATE, ours, rival }
}

/// Values one by one, against rtrb.
pub fn single_rtrb() -> Comparison {
    let (ours, rival) = (singles(SINGLE), singles_rtrb(SINGLE));
    Comparison { id: "spsc/single/rtrb", measure: RATE, ours, rival }
}

/// Values one by one, against crossbeam's queue.
pub fn single_crossbeam() -> Comparison {
    let (ours, rival) = (singles(SINGLE / 4), singles_crossbeam(SINGLE / 4));
    Comparison { id: "spsc/single/crossbeam", measure: RATE, ours, rival }
}

fn batches(records: u64) -> Side {
    transfer(records, || {
        let (mut producer, mut consumer) = spsc::ring(SLOTS, Record::default);
        let produce = move |records| {
            let mut sent = 0;
            while sent < records {
                until(|| {
                    let (first, second) = producer.claim_many(BATCH);
                    let count = first.len() + second.len();
                    for (slot, number) in first.iter_mut().chain(second).zip(sent..) {
                        *slot = Record::new(number);
                    }
                    producer.publish_many(count);
                    sent += count as u64;
                    (count > 0).then_some(())
                });
            }
        };
        let consume = move |records| {
            let (mut seen, mut digest) = (0, 0_u64);
            while seen < records {
                until(|| {
                    let (first, second) = consumer.peek_many(BATCH);
                    let count = first.len() + second.len();
                    for record in first.iter().chain(&*second) {
                        digest = digest.wrapping_add(record.digest());
                    }
                    consumer.release_many(count);
                    seen += count as u64;
                    (count > 0).then_some(())
                });
            }
            digest
        };
        (produce, consume)
    })
}

fn batches_rtrb(records: u64) -> Side {
    transfer(records, || {
        let (mut producer, mut consumer) = rtrb::RingBuffer::<Record>::new(SLOTS);
        let produce = move |records| {
            let mut sent = 0;
            while sent < records {
                let Ok(mut chunk) = producer.write_chunk_uninit(BATCH) else {
                    hint::spin_loop();
                    continue;
                };
                let (first, second) = chunk.as_mut_slices();
                for (slot, number) in first.iter_mut().chain(second).zip(sent..) {
                    slot.write(Record::new(number));
                }
                // SAFETY: every slot of the chunk was written just now.
                unsafe { chunk.commit_all() };
                sent += BATCH as u64;
            }
        };
        let consume = move |records| {
            let (mut seen, mut digest) = (0, 0_u64);
            while seen < records {
                let Ok(chunk) = consumer.read_chunk(BATCH) else {
                    hint::spin_loop();
                    continue;
                };
                let (first, second) = chunk.as_slices();
                for record in first.iter().chain(second) {
                    digest = digest.wrapping_add(record.digest());
                }
                chunk.commit_all();
                seen += BATCH as u64;
            }
            digest
        };
        (produce, consume)
    })
}

fn singles(records: u64) -> Side {
    transfer(records, || {
        let (mut sender, mut receiver) = spsc::channel(SLOTS);
        let produce = move |records| {
            for number in 0..records {
                until(|| sender.push(Record::new(number)).ok());
            }
        };
        let consume = move |records| {
            (0..records).fold(0_u64, |digest, _| digest.wrapping_add(until(|| receiver.pop()).digest()))
        };
        (produce, consume)
    })
}

fn singles_rtrb(records: u64) -> Side {
    transfer(records, || {
        let (mut producer, mut consumer) = rtrb::RingBuffer::new(SLOTS);
        let produce = move |records| {
            for number in 0..records {
                until(|| producer.push(Record::new(number)).ok());
            }
        };
        let consume = move |records| {
            (0..records).fold(0_u64, |digest, _| digest.wrapping_add(until(|| consumer.pop().ok()).digest()))
        };
        (produce, consume)
    })
}

fn singles_crossbeam(records: u64) -> Side {
    transfer(records, || {
        let queue = Arc::new(ArrayQueue::new(SLOTS));
        let other = Arc::clone(&queue);
        let produce = move |records| {
            for number in 0..records {
                until(|| queue.push(Record::new(number)).ok());
            }
        };
        let consume = move |records| {
            (0..records).fold(0_u64, |digest, _| digest.wrapping_add(until(|| other.pop()).digest()))
        };
        (produce, consume)
    })
}
