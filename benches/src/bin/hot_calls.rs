//! Calls each function of the rings a million times, out of line, for an instruction counter to look at:
//! `valgrind --tool=callgrind target/release/hot_calls`.

use std::hint::black_box;

use nacreous_channels::{
    lanes::{Lanes, Poll},
    spsc::{Consumer, Producer, ring},
};

const SLOTS: usize = 1_000;
const ROUNDS: usize = 1_000;

#[inline(never)]
fn ring_claim(producer: &mut Producer<u64>) -> bool {
    producer.claim().is_some()
}

#[inline(never)]
fn ring_publish(producer: &mut Producer<u64>) {
    producer.publish();
}

#[inline(never)]
fn ring_peek(consumer: &mut Consumer<u64>) -> bool {
    consumer.peek().is_some()
}

#[inline(never)]
fn ring_release(consumer: &mut Consumer<u64>) {
    consumer.release();
}

#[inline(never)]
fn lanes_poll(lanes: &mut Lanes<Consumer<u64>>) -> bool {
    matches!(lanes.poll(), Poll::Ready(_))
}

fn main() {
    let (mut producer, mut consumer) = ring(SLOTS, || 0);
    let (mut lane_producer, lane) = ring(SLOTS, || 0);
    let mut lanes = Lanes::new([lane], 1);
    for _ in 0..ROUNDS {
        for _ in 0..SLOTS {
            assert!(black_box(ring_claim(&mut producer)) && lane_producer.claim().is_some());
            ring_publish(&mut producer);
            lane_producer.publish();
        }
        for _ in 0..SLOTS {
            assert!(black_box(ring_peek(&mut consumer)) && black_box(lanes_poll(&mut lanes)));
            ring_release(&mut consumer);
            lanes[0].release();
        }
    }
}
