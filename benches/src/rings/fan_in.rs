//! Four producers into one consumer. One thread plays all four producers in turn: with a core for each side nobody
//! waits for a core, and rivals whose producers share a counter are spared the contention on it.

use std::{array, sync::Arc};

use crossbeam_queue::ArrayQueue;
use disruptor::{BusySpinWithSpinLoopHint, Polling, Producer as _, build_multi_producer};
use nacreous_channels::{
    lanes::{Lanes, Poll},
    spsc::{self, Producer},
};

use super::{RATE, Record, Transfer, add, add_up, until};
use crate::comparison::Comparison;

const LANES: usize = 4;
/// Slots of all lanes together, or of the one ring that all producers share.
const SLOTS: usize = 4_096;
/// The same for batches: each side of that comparison has the number that suits it best.
const SLOTS_BATCHED: usize = 16_384;
/// Records published, and taken, with one store.
const BATCH: usize = 256;
/// How many values in a row are taken from one lane.
const QUOTA: usize = 64;
const RECORDS: u64 = 16 << 20;

/// Batches over lanes, against one queue pushed and popped singly.
pub fn batched_crossbeam() -> Comparison {
    let (ours, rival) = (batches(LANES, BATCH).side(RECORDS), singles_crossbeam().side(RECORDS));
    Comparison { id: "fan-in-4/batched/crossbeam", measure: RATE, ours, rival }
}

/// Values one by one over lanes, against a ring whose producers share a counter.
pub fn single_disruptor() -> Comparison {
    let (ours, rival) = (singles(LANES).side(RECORDS), singles_disruptor().side(RECORDS));
    Comparison { id: "fan-in-4/single/disruptor", measure: RATE, ours, rival }
}

/// Batches over so many lanes.
pub fn batches(lanes: usize, batch: usize) -> Transfer {
    Transfer::new(move || {
        let (mut producers, consumers): (Vec<_>, Vec<_>) =
            (0..lanes).map(|_| spsc::ring(SLOTS_BATCHED / lanes, Record::default)).unzip();
        let mut lanes = Lanes::new(consumers, 1);
        let produce = move |records| {
            let mut sent = 0;
            while sent < records {
                for producer in &mut producers {
                    sent += until(|| fill(producer, sent, batch));
                }
            }
        };
        let consume = move |records| {
            let (mut seen, mut digest) = (0, 0_u64);
            while seen < records {
                let lane = until(|| match lanes.poll() {
                    Poll::Ready(lane) => Some(lane),
                    Poll::Empty | Poll::Ended(_) => None,
                });
                let (first, second) = lanes[lane].peek_many(batch);
                let count = first.len() + second.len();
                digest = add(digest, first.iter().chain(&*second));
                lanes[lane].release_many(count);
                seen += count as u64;
            }
            digest
        };
        (produce, consume)
    })
}

/// Publishes a whole batch, if there is room for one.
fn fill(producer: &mut Producer<Record>, from: u64, batch: usize) -> Option<u64> {
    let (first, second) = producer.claim_many(batch);
    if first.len() + second.len() < batch {
        return None;
    }
    for (slot, number) in first.iter_mut().chain(second).zip(from..) {
        *slot = Record::new(number);
    }
    producer.publish_many(batch);
    Some(batch as u64)
}

/// Values one by one over so many lanes.
pub fn singles(lanes: usize) -> Transfer {
    Transfer::new(move || {
        let (mut senders, receivers): (Vec<_>, Vec<_>) =
            (0..lanes).map(|_| spsc::channel(SLOTS / lanes)).unzip();
        let mut fan_in = Lanes::new(receivers, QUOTA);
        let produce = move |records| {
            for round in 0..records / lanes as u64 {
                for (sender, lane) in senders.iter_mut().zip(0..) {
                    until(|| sender.push(Record::new(round * lanes as u64 + lane)).ok());
                }
            }
        };
        let consume = move |records| {
            let take = || match fan_in.poll() {
                Poll::Ready(lane) => fan_in[lane].pop(),
                Poll::Empty | Poll::Ended(_) => None,
            };
            add_up(records, take)
        };
        (produce, consume)
    })
}

fn singles_crossbeam() -> Transfer {
    Transfer::new(|| {
        let queue = Arc::new(ArrayQueue::new(SLOTS));
        let producers: [_; LANES] = array::from_fn(|_| Arc::clone(&queue));
        let produce = move |records| {
            for round in 0..records / LANES as u64 {
                for (producer, lane) in producers.iter().zip(0..) {
                    until(|| producer.push(Record::new(round * LANES as u64 + lane)).ok());
                }
            }
        };
        (produce, move |records| add_up(records, || queue.pop()))
    })
}

fn singles_disruptor() -> Transfer {
    Transfer::new(|| {
        let builder = build_multi_producer(SLOTS, Record::default, BusySpinWithSpinLoopHint);
        let (mut poller, builder) = builder.new_event_poller();
        let producer = builder.build();
        let mut producers: [_; LANES] = array::from_fn(|_| producer.clone());
        let produce = move |records| {
            for round in 0..records / LANES as u64 {
                for (producer, lane) in producers.iter_mut().zip(0..) {
                    producer.publish(|slot| *slot = Record::new(round * LANES as u64 + lane));
                }
            }
            // Dropped here, as the last, for the poller to see the end.
            drop(producer);
        };
        let consume = move |records| {
            let (mut seen, mut digest) = (0, 0_u64);
            while seen < records {
                match poller.poll() {
                    Ok(mut records) => {
                        for record in &mut records {
                            digest = digest.wrapping_add(record.digest());
                            seen += 1;
                        }
                    }
                    Err(Polling::NoEvents) => std::hint::spin_loop(),
                    Err(Polling::Shutdown) => break,
                }
            }
            digest
        };
        (produce, consume)
    })
}
