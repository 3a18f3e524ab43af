//! Models of each edge of the ring's protocol: loom explores every execution with up to three preemptions.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p nacreous-channels --test loom --release`.
#![cfg(loom)]

use loom::{model::Builder, thread};
use nacreous_channels::spsc::ring;

fn model(body: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(body);
}

/// Two words that belong together: a torn or early read shows.
type Slot = Box<(u32, u32)>;

fn fresh() -> Slot {
    Box::new((0, 0))
}

#[test]
fn a_published_slot_is_seen_whole() {
    model(|| {
        let (mut producer, mut consumer) = ring(2, fresh);
        let writer = thread::spawn(move || {
            **producer.claim().unwrap() = (1, 1);
            producer.publish();
        });
        if let Some(slot) = consumer.peek() {
            assert_eq!(**slot, (1, 1));
            consumer.release();
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_released_slot_is_reused_only_after_the_consumer_is_done() {
    model(|| {
        let (mut producer, mut consumer) = ring(1, fresh);
        **producer.claim().unwrap() = (1, 1);
        producer.publish();
        let reader = thread::spawn(move || {
            let slot = consumer.peek().unwrap();
            assert_eq!(**slot, (1, 1));
            **slot = (0, 0);
            consumer.release();
        });
        if let Some(slot) = producer.claim() {
            assert_eq!(**slot, (0, 0));
            **slot = (2, 2);
            producer.publish();
        }
        reader.join().unwrap();
    });
}

#[test]
fn everything_published_before_the_drop_is_read() {
    model(|| {
        let (mut producer, mut consumer) = ring(2, fresh);
        let writer = thread::spawn(move || {
            for value in 1..=2 {
                **producer.claim().unwrap() = (value, value);
                producer.publish();
            }
        });
        if consumer.is_closed() {
            for value in 1..=2 {
                assert_eq!(**consumer.peek().expect("published before the close"), (value, value));
                consumer.release();
            }
            assert!(consumer.peek().is_none());
        }
        writer.join().unwrap();
    });
}

#[test]
fn values_pass_in_order_through_a_ring_of_one_slot() {
    model(|| {
        let (mut producer, mut consumer) = ring(1, fresh);
        let writer = thread::spawn(move || {
            for value in 1..=2 {
                while producer.claim().is_none() {
                    thread::yield_now();
                }
                **producer.claim().unwrap() = (value, value);
                producer.publish();
            }
        });
        for value in 1..=2 {
            while consumer.peek().is_none() {
                thread::yield_now();
            }
            assert_eq!(**consumer.peek().unwrap(), (value, value));
            consumer.release();
        }
        writer.join().unwrap();
    });
}
