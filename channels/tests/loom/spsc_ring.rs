//! The ring with slots in place.

use loom::thread;
use nacreous_channels::spsc::{ring, ring_unplaced};

use crate::{model, pair};

#[test]
fn a_published_slot_is_seen_whole() {
    model(|| {
        let (mut producer, mut consumer) = ring(2, || pair(0));
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
        let (mut producer, mut consumer) = ring(1, || pair(0));
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
        let (mut producer, mut consumer) = ring(2, || pair(0));
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
        let (mut producer, mut consumer) = ring(1, || pair(0));
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

#[test]
fn runs_are_seen_whole_and_in_order_also_where_they_wrap() {
    model(|| {
        let (mut producer, mut consumer) = ring(2, || pair(0));
        assert_eq!(producer.claim_many(1).0.len(), 1);
        producer.publish_many(1);
        assert_eq!(consumer.peek_many(1).0.len(), 1);
        consumer.release_many(1);
        let writer = thread::spawn(move || {
            let (first, second) = producer.claim_many(2);
            (*first[0], *second[0]) = ((1, 1), (2, 2));
            producer.publish_many(2);
        });
        let (first, second) = consumer.peek_many(2);
        let seen: Vec<_> = first.iter().chain(&*second).map(|slot| **slot).collect();
        assert!(seen.is_empty() || seen == [(1, 1), (2, 2)], "{seen:?}");
        writer.join().unwrap();
    });
}

#[test]
fn slots_made_by_the_consumer_are_claimed_only_when_they_exist() {
    model(|| {
        let (mut producer, unplaced) = ring_unplaced(2);
        let reader = thread::spawn(move || {
            let mut consumer = unplaced.place(|| pair(7));
            if let Some(slot) = consumer.peek() {
                assert_eq!(**slot, (1, 1));
            }
        });
        if let Some(slot) = producer.claim() {
            assert_eq!(**slot, (7, 7));
            **slot = (1, 1);
            producer.publish();
        }
        reader.join().unwrap();
    });
}
