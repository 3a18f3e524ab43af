//! One producer, several consumers that share slots.

use loom::thread;
use nacreous_channels::broadcast::ring;

use crate::{model, pair};

#[test]
fn each_consumer_sees_a_slot_whole() {
    model(|| {
        let (mut producer, [mut a, mut b]) = ring(2, || pair(0));
        let writer = thread::spawn(move || {
            **producer.claim().unwrap() = (1, 1);
            producer.publish();
        });
        let reader = thread::spawn(move || {
            if let Some(slot) = a.peek() {
                assert_eq!(**slot, (1, 1));
            }
        });
        if let Some(slot) = b.peek() {
            assert_eq!(**slot, (1, 1));
            b.release();
        }
        writer.join().unwrap();
        reader.join().unwrap();
    });
}

#[test]
fn a_slot_is_reused_only_after_the_slowest_is_done() {
    model(|| {
        let (mut producer, consumers) = ring::<_, 2>(1, || pair(0));
        **producer.claim().unwrap() = (1, 1);
        producer.publish();
        let readers = consumers.map(|mut consumer| {
            thread::spawn(move || {
                assert_eq!(consumer.peek().map(|slot| **slot), Some((1, 1)));
                consumer.release();
                consumer
            })
        });
        if let Some(slot) = producer.claim() {
            **slot = (2, 2);
            producer.publish();
        }
        readers.into_iter().for_each(|reader| drop(reader.join().unwrap()));
    });
}

#[test]
fn a_consumer_that_leaves_holds_nobody_back() {
    model(|| {
        let (mut producer, [mut leaver, mut stayer]) = ring(1, || pair(0));
        **producer.claim().unwrap() = (1, 1);
        producer.publish();
        assert!(stayer.peek().is_some());
        stayer.release();
        let reader = thread::spawn(move || assert_eq!(leaver.peek().map(|slot| **slot), Some((1, 1))));
        if let Some(slot) = producer.claim() {
            **slot = (2, 2);
            producer.publish();
        }
        reader.join().unwrap();
        assert!(stayer.peek().is_some() || producer.claim().is_some());
    });
}

#[test]
fn everything_broadcast_before_the_drop_is_read() {
    model(|| {
        let (mut producer, [mut consumer]) = ring(2, || pair(0));
        let writer = thread::spawn(move || {
            for value in 1..=2 {
                **producer.claim().unwrap() = (value, value);
                producer.publish();
            }
        });
        if consumer.is_closed() {
            for value in 1..=2 {
                assert_eq!(consumer.peek().map(|slot| **slot), Some((value, value)));
                consumer.release();
            }
            assert!(consumer.peek().is_none());
        }
        writer.join().unwrap();
    });
}
