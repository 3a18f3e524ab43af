//! Instructions of the channels' operations, counted by callgrind:
//! `cargo bench -p nacreous-benches --bench instructions`. Unlike times, they are the same on any day.
//!
//! Needs valgrind, and `cargo install iai-callgrind-runner --version 0.16.1`; `cargo xtask bench` sees to both.
//! Each benchmark does its operation a thousand times on one thread, with nothing in the way: divide by that.

#![allow(unused_qualifications, missing_docs, reason = "the macros make undocumented, qualified items")]

use std::hint::black_box;

use iai_callgrind::{library_benchmark, library_benchmark_group, main};
use nacreous_channels::{
    broadcast,
    idle::{Parker, Waker},
    lanes::{Lanes, Poll},
    mpsc,
    spsc::{self, Consumer, Producer, Receiver, Sender},
};

const OPERATIONS: usize = 1_000;
const SLOTS: usize = 1_024;

type Record = [u64; 3];

fn ring() -> (Producer<Record>, Consumer<Record>) {
    spsc::ring(SLOTS, Record::default)
}

/// A ring with a thousand published records.
fn full_ring() -> (Producer<Record>, Consumer<Record>) {
    let (mut producer, consumer) = ring();
    producer.claim_many(OPERATIONS);
    producer.publish_many(OPERATIONS);
    (producer, consumer)
}

#[library_benchmark(setup = ring)]
fn ring_claim_and_publish((mut producer, consumer): (Producer<Record>, Consumer<Record>)) -> impl Sized {
    for number in 0..OPERATIONS as u64 {
        *producer.claim().expect("there is room") = [number; 3];
        producer.publish();
    }
    (producer, consumer)
}

#[library_benchmark(setup = full_ring)]
fn ring_peek_and_release((producer, mut consumer): (Producer<Record>, Consumer<Record>)) -> impl Sized {
    for _ in 0..OPERATIONS {
        black_box(consumer.peek().expect("it is full"));
        consumer.release();
    }
    (producer, consumer)
}

#[library_benchmark(setup = ring)]
fn ring_claim_and_publish_8(
    (mut producer, mut consumer): (Producer<Record>, Consumer<Record>),
) -> impl Sized {
    for _ in 0..OPERATIONS {
        black_box(producer.claim_many(8));
        producer.publish_many(8);
        black_box(consumer.peek_many(8));
        consumer.release_many(8);
    }
    (producer, consumer)
}

fn channel() -> (Sender<Record>, Receiver<Record>) {
    spsc::channel(SLOTS)
}

fn full_channel() -> (Sender<Record>, Receiver<Record>) {
    let (mut sender, receiver) = channel();
    (0..OPERATIONS as u64).for_each(|number| sender.push([number; 3]).expect("there is room"));
    (sender, receiver)
}

#[library_benchmark(setup = channel)]
fn channel_push((mut sender, receiver): (Sender<Record>, Receiver<Record>)) -> impl Sized {
    for number in 0..OPERATIONS as u64 {
        sender.push(black_box([number; 3])).expect("there is room");
    }
    (sender, receiver)
}

#[library_benchmark(setup = full_channel)]
fn channel_pop((sender, mut receiver): (Sender<Record>, Receiver<Record>)) -> impl Sized {
    for _ in 0..OPERATIONS {
        black_box(receiver.pop().expect("it is full"));
    }
    (sender, receiver)
}

fn shared_channel() -> (mpsc::Sender<Record>, mpsc::Receiver<Record>) {
    mpsc::channel(SLOTS)
}

fn full_shared_channel() -> (mpsc::Sender<Record>, mpsc::Receiver<Record>) {
    let (mut sender, receiver) = shared_channel();
    (0..OPERATIONS as u64).for_each(|number| sender.push([number; 3]).expect("there is room"));
    (sender, receiver)
}

#[library_benchmark(setup = shared_channel)]
fn mpsc_push((mut sender, receiver): (mpsc::Sender<Record>, mpsc::Receiver<Record>)) -> impl Sized {
    for number in 0..OPERATIONS as u64 {
        sender.push(black_box([number; 3])).expect("there is room");
    }
    (sender, receiver)
}

#[library_benchmark(setup = full_shared_channel)]
fn mpsc_pop((sender, mut receiver): (mpsc::Sender<Record>, mpsc::Receiver<Record>)) -> impl Sized {
    for _ in 0..OPERATIONS {
        black_box(receiver.pop().expect("it is full"));
    }
    (sender, receiver)
}

type Broadcast = (broadcast::Producer<Record>, [broadcast::Consumer<Record>; 2]);

fn broadcast_ring() -> Broadcast {
    broadcast::ring(SLOTS, Record::default)
}

#[library_benchmark(setup = broadcast_ring)]
fn broadcast_to_two((mut producer, mut consumers): Broadcast) -> impl Sized {
    for number in 0..OPERATIONS as u64 {
        *producer.claim().expect("there is room") = [number; 3];
        producer.publish();
        for consumer in &mut consumers {
            black_box(consumer.peek().expect("just published"));
            consumer.release();
        }
    }
    (producer, consumers)
}

type FourLanes = (Vec<Sender<Record>>, Lanes<Receiver<Record>>);

/// Four lanes with a thousand values in all.
fn full_lanes() -> FourLanes {
    let (mut senders, receivers): (Vec<_>, Vec<_>) = (0..4).map(|_| spsc::channel::<Record>(SLOTS)).unzip();
    for sender in &mut senders {
        (0..OPERATIONS as u64 / 4).for_each(|number| sender.push([number; 3]).expect("there is room"));
    }
    (senders, Lanes::new(receivers, 1))
}

#[library_benchmark(setup = full_lanes)]
fn lanes_poll_and_pop((senders, mut lanes): FourLanes) -> impl Sized {
    for _ in 0..OPERATIONS {
        let Poll::Ready(lane) = lanes.poll() else { panic!("the lanes are full") };
        black_box(lanes[lane].pop());
    }
    (senders, lanes)
}

fn waker() -> (Parker, Waker) {
    let parker = Parker::new();
    let waker = parker.waker();
    (parker, waker)
}

#[library_benchmark(setup = waker)]
fn waker_wake((parker, waker): (Parker, Waker)) -> impl Sized {
    for _ in 0..OPERATIONS {
        black_box(&waker).wake();
    }
    (parker, waker)
}

library_benchmark_group!(
    name = channels;
    benchmarks =
        ring_claim_and_publish, ring_peek_and_release, ring_claim_and_publish_8, channel_push, channel_pop,
        mpsc_push, mpsc_pop, broadcast_to_two, lanes_poll_and_pop, waker_wake
);
main!(library_benchmark_groups = channels);
