//! Random operations against a `VecDeque`, wrap-around, closing, drops and panics.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc as StdArc,
        atomic::{AtomicUsize as StdAtomicUsize, Ordering as StdOrdering},
    },
    thread,
};

use super::*;

/// A ring whose counters have already run to `start`.
fn ring_from<S>(start: usize, capacity: usize, slot: impl FnMut() -> S) -> (Producer<S>, Consumer<S>) {
    let (producer, unplaced) = ring_at(start, capacity);
    (producer, unplaced.place(slot))
}

#[test]
fn capacity_is_rounded_up_to_a_power_of_two() {
    for (asked, got) in [(0, 1), (1, 1), (2, 2), (3, 4), (1000, 1024)] {
        assert_eq!(ring(asked, || ()).0.capacity(), got);
    }
}

#[test]
fn random_operations_agree_with_a_deque_also_where_the_counters_wrap() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let capacity = 1 << random.u32(0..5);
        let start = usize::MAX - random.usize(0..100);
        let (mut producer, mut consumer) = ring_from(start, capacity, || 0);
        let mut oracle = VecDeque::new();
        for step in 0..2_000 {
            if random.bool() {
                match producer.claim() {
                    Some(slot) => {
                        assert!(oracle.len() < capacity, "seed {seed}, step {step}: claimed in a full ring");
                        *slot = step;
                        if random.u8(..) > 20 {
                            producer.publish();
                            oracle.push_back(step);
                        }
                    }
                    None => assert_eq!(oracle.len(), capacity, "seed {seed}, step {step}"),
                }
            } else {
                assert_eq!(consumer.peek().copied(), oracle.front().copied(), "seed {seed}, step {step}");
                if !oracle.is_empty() && random.u8(..) > 20 {
                    consumer.release();
                    oracle.pop_front();
                }
            }
        }
    }
}

#[test]
fn two_threads_pass_every_value_in_order() {
    const COUNT: u64 = 300_000;
    let (mut producer, mut consumer) = ring_from(usize::MAX - 1_000, 8, || 0_u64);
    let sender = thread::spawn(move || {
        for value in 0..COUNT {
            while producer.claim().is_none() {
                thread::yield_now();
            }
            *producer.claim().expect("just seen to have room") = value;
            producer.publish();
        }
    });
    for expected in 0..COUNT {
        while consumer.peek().is_none() {
            thread::yield_now();
        }
        assert_eq!(consumer.peek(), Some(&mut { expected }));
        consumer.release();
    }
    sender.join().unwrap();
    assert!(consumer.is_closed());
    assert_eq!(consumer.peek(), None);
}

#[test]
fn closing_either_side_is_seen_by_the_other_after_what_was_published() {
    let (mut producer, mut consumer) = ring(2, || 0);
    *producer.claim().unwrap() = 5;
    producer.publish();
    assert!(!consumer.is_closed());
    drop(producer);
    assert!(consumer.is_closed());
    assert_eq!(consumer.peek(), Some(&mut 5));

    let (producer, consumer) = ring(2, || 0);
    assert!(!producer.is_closed());
    drop(consumer);
    assert!(producer.is_closed());
}

#[test]
fn a_panic_while_a_slot_is_claimed_publishes_nothing() {
    let (mut producer, mut consumer) = ring(2, || 0);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        *producer.claim().unwrap() = 1;
        panic!("while filling the slot");
    }));
    assert!(outcome.is_err());
    assert_eq!(consumer.peek(), None);
    *producer.claim().unwrap() = 2;
    producer.publish();
    assert_eq!(consumer.peek(), Some(&mut 2));
}

#[test]
fn publishing_or_releasing_what_one_does_not_hold_panics() {
    let (mut producer, mut consumer) = ring(1, || 0);
    assert!(catch_unwind(AssertUnwindSafe(|| consumer.release())).is_err());
    assert!(producer.claim().is_some());
    producer.publish();
    assert!(producer.claim().is_none());
    assert!(catch_unwind(AssertUnwindSafe(|| producer.publish())).is_err());
    assert!(consumer.peek().is_some());
}

#[test]
fn each_slot_is_dropped_once() {
    struct Counted(StdArc<StdAtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, StdOrdering::Relaxed);
        }
    }
    let drops = StdArc::new(StdAtomicUsize::new(0));
    let (mut producer, consumer) = ring(4, || Counted(StdArc::clone(&drops)));
    assert!(producer.claim().is_some());
    producer.publish();
    drop(producer);
    assert_eq!(drops.load(StdOrdering::Relaxed), 0);
    drop(consumer);
    assert_eq!(drops.load(StdOrdering::Relaxed), 4);
}
