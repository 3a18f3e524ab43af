//! One producer, one consumer.

use std::{hint, sync::Arc};

use crossbeam_queue::ArrayQueue;
use nacreous_channels::spsc;

use super::{RATE, Record, Transfer, add, add_up, until};
use crate::comparison::Comparison;

/// Slots of each ring: 96 KiB of records.
const SLOTS: usize = 4_096;
/// Slots with which rtrb is at its best here, record by record; with fewer its two sides get in each other's way.
const SLOTS_LARGE: usize = 16_384;
/// Records published, and taken, with one store.
const BATCH: usize = 256;
const BATCHED: u64 = 64 << 20;
const SINGLE: u64 = 16 << 20;

/// Batches of 256 in place, against rtrb's chunks.
pub fn batched_rtrb() -> Comparison {
    let (ours, rival) = (batches(SLOTS, BATCH).side(BATCHED), batches_rtrb(SLOTS, BATCH).side(BATCHED));
    Comparison { id: "spsc/batched/rtrb", measure: RATE, ours, rival }
}

/// Values one by one, against rtrb.
pub fn single_rtrb() -> Comparison {
    let (ours, rival) = (singles(SLOTS).side(SINGLE), singles_rtrb(SLOTS).side(SINGLE));
    Comparison { id: "spsc/single/rtrb", measure: RATE, ours, rival }
}

/// Values one by one through a large ring, against rtrb.
pub fn single_large_rtrb() -> Comparison {
    let (ours, rival) = (singles(SLOTS_LARGE).side(SINGLE), singles_rtrb(SLOTS_LARGE).side(SINGLE));
    Comparison { id: "spsc/single-large/rtrb", measure: RATE, ours, rival }
}

/// Values one by one, against crossbeam's queue; each with the number of slots that suits it best.
pub fn single_crossbeam() -> Comparison {
    let (ours, rival) = (singles(SLOTS_LARGE).side(SINGLE), singles_crossbeam(SLOTS).side(SINGLE));
    Comparison { id: "spsc/single/crossbeam", measure: RATE, ours, rival }
}

/// Whole batches, filled and read in place; the number of records is a multiple of theirs.
pub fn batches(slots: usize, batch: usize) -> Transfer {
    Transfer::new(move || {
        let (mut producer, mut consumer) = spsc::ring(slots, Record::default);
        let produce = move |records| {
            for from in (0..records).step_by(batch) {
                until(|| {
                    let (first, second) = producer.claim_many(batch);
                    if first.len() + second.len() < batch {
                        return None;
                    }
                    for (slot, number) in first.iter_mut().chain(second).zip(from..) {
                        *slot = Record::new(number);
                    }
                    producer.publish_many(batch);
                    Some(())
                });
            }
        };
        let consume = move |records| {
            let mut digest = 0_u64;
            for _ in (0..records).step_by(batch) {
                until(|| {
                    let (first, second) = consumer.peek_many(batch);
                    if first.len() + second.len() < batch {
                        return None;
                    }
                    digest = add(digest, first.iter().chain(&*second));
                    consumer.release_many(batch);
                    Some(())
                });
            }
            digest
        };
        (produce, consume)
    })
}

/// Chunks of rtrb.
pub fn batches_rtrb(slots: usize, batch: usize) -> Transfer {
    Transfer::new(move || {
        let (mut producer, mut consumer) = rtrb::RingBuffer::<Record>::new(slots);
        let produce = move |records| {
            let mut sent = 0;
            while sent < records {
                let Ok(mut chunk) = producer.write_chunk_uninit(batch) else {
                    hint::spin_loop();
                    continue;
                };
                let (first, second) = chunk.as_mut_slices();
                for (slot, number) in first.iter_mut().chain(second).zip(sent..) {
                    slot.write(Record::new(number));
                }
                // SAFETY: every slot of the chunk was written just now.
                unsafe { chunk.commit_all() };
                sent += batch as u64;
            }
        };
        let consume = move |records| {
            let (mut seen, mut digest) = (0, 0_u64);
            while seen < records {
                let Ok(chunk) = consumer.read_chunk(batch) else {
                    hint::spin_loop();
                    continue;
                };
                let (first, second) = chunk.as_slices();
                digest = add(digest, first.iter().chain(second));
                chunk.commit_all();
                seen += batch as u64;
            }
            digest
        };
        (produce, consume)
    })
}

/// Values that move, one by one.
pub fn singles(slots: usize) -> Transfer {
    Transfer::new(move || {
        let (mut sender, mut receiver) = spsc::channel(slots);
        let produce = move |records| {
            for number in 0..records {
                until(|| sender.push(Record::new(number)).ok());
            }
        };
        let consume = move |records| add_up(records, || receiver.pop());
        (produce, consume)
    })
}

/// Values that move, one by one, through rtrb.
pub fn singles_rtrb(slots: usize) -> Transfer {
    Transfer::new(move || {
        let (mut producer, mut consumer) = rtrb::RingBuffer::new(slots);
        let produce = move |records| {
            for number in 0..records {
                until(|| producer.push(Record::new(number)).ok());
            }
        };
        let consume = move |records| add_up(records, || consumer.pop().ok());
        (produce, consume)
    })
}

/// Values that move, one by one, through crossbeam's queue.
pub fn singles_crossbeam(slots: usize) -> Transfer {
    Transfer::new(move || {
        let queue = Arc::new(ArrayQueue::new(slots));
        let other = Arc::clone(&queue);
        let produce = move |records| {
            for number in 0..records {
                until(|| queue.push(Record::new(number)).ok());
            }
        };
        let consume = move |records| add_up(records, || other.pop());
        (produce, consume)
    })
}
