//! Random operations against a `VecDeque`, wrap-around, two threads, closing, drops and panics.

use std::{collections::VecDeque, thread};

use super::*;
use crate::ledger::{Entry, Ledger, panics};

/// A ring whose counters have already run to `start`.
fn ring_from<S>(start: usize, capacity: usize, slot: impl FnMut() -> S) -> (Producer<S>, Consumer<S>) {
    let (producer, unplaced) = ring_at(start, capacity);
    (producer, unplaced.place(slot))
}

#[test]
fn capacity_is_rounded_up_to_a_power_of_two() {
    for (asked, got) in [(0, 1), (1, 1), (2, 2), (3, 4), (1000, 1024)] {
        let (producer, consumer) = ring(asked, || ());
        assert_eq!((producer.capacity(), consumer.capacity()), (got, got));
    }
}

#[test]
fn random_operations_agree_with_a_deque_also_where_the_counters_wrap() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let capacity = random.usize(1..=32);
        let start = usize::MAX - random.usize(0..100);
        let (mut producer, mut consumer) = ring_from(start, capacity, || 0);
        let capacity = capacity.next_power_of_two();
        let mut oracle = VecDeque::new();
        for step in 0..2_000 {
            let at = format!("seed {seed}, step {step}");
            let free = capacity - oracle.len();
            let many = random.usize(0..=capacity + 1);
            match random.u8(0..7) {
                0 => match producer.claim() {
                    Some(slot) => {
                        assert!(free > 0, "{at}: claimed in a full ring");
                        *slot = step;
                        if random.u8(..) > 20 {
                            producer.publish();
                            oracle.push_back(step);
                        }
                    }
                    None => assert_eq!(free, 0, "{at}"),
                },
                1 => match producer.push(step) {
                    Ok(()) => {
                        assert!(free > 0, "{at}: pushed into a full ring");
                        oracle.push_back(step);
                    }
                    Err(Full(value)) => assert_eq!((value, free), (step, 0), "{at}"),
                },
                2 => {
                    let (first, second) = producer.claim_many(many);
                    let claimed = first.len() + second.len();
                    assert_eq!(claimed, many.min(free), "{at}");
                    for (number, slot) in first.iter_mut().chain(second).enumerate() {
                        *slot = step + number;
                    }
                    let count = random.usize(0..=claimed);
                    producer.publish_many(count);
                    oracle.extend(step..step + count);
                }
                3 => {
                    assert_eq!(consumer.peek().copied(), oracle.front().copied(), "{at}");
                    if !oracle.is_empty() && random.u8(..) > 20 {
                        consumer.release();
                        oracle.pop_front();
                    }
                }
                4 => assert_eq!(consumer.pop(), oracle.pop_front(), "{at}"),
                5 => {
                    let (first, second) = consumer.peek_many(many);
                    let seen: Vec<_> = first.iter().chain(&*second).copied().collect();
                    assert!(seen.iter().eq(oracle.iter().take(many)), "{at}: {seen:?}, {oracle:?}");
                    let count = random.usize(0..=seen.len());
                    consumer.release_many(count);
                    oracle.drain(..count);
                }
                _ => {
                    let lengths = (producer.len(), consumer.len());
                    assert_eq!(lengths, (oracle.len(), oracle.len()), "{at}");
                    let empty = (producer.is_empty(), consumer.is_empty());
                    assert_eq!(empty, (oracle.is_empty(), oracle.is_empty()), "{at}");
                }
            }
        }
    }
}

#[test]
fn two_threads_pass_every_value_whole_and_in_order() {
    const COUNT: u64 = 60_000;
    for capacity in [1, 3, 64] {
        let (mut producer, mut consumer) = ring_from(usize::MAX - 1_000, capacity, || [0_u64; 3]);
        let sender = thread::spawn(move || {
            let mut sent = 0;
            while sent < COUNT {
                let many = usize::try_from(sent % 7 + 1).unwrap().min(usize::try_from(COUNT - sent).unwrap());
                let (first, second) = producer.claim_many(many);
                let claimed = first.len() + second.len();
                for slot in first.iter_mut().chain(second) {
                    *slot = [sent, !sent, sent.wrapping_mul(sent)];
                    sent += 1;
                }
                producer.publish_many(claimed);
                if claimed == 0 {
                    thread::yield_now();
                }
            }
        });
        let (mut expected, mut sum) = (0, 0_u64);
        while expected < COUNT {
            let (first, second) = consumer.peek_many(5);
            let seen = first.len() + second.len();
            for slot in first.iter().chain(&*second) {
                assert_eq!(*slot, [expected, !expected, expected.wrapping_mul(expected)]);
                sum += slot[0];
                expected += 1;
            }
            consumer.release_many(seen);
            if seen == 0 {
                thread::yield_now();
            }
        }
        sender.join().unwrap();
        assert_eq!(sum, COUNT * (COUNT - 1) / 2);
        assert!(consumer.is_closed());
        assert_eq!(consumer.peek(), None);
    }
}

#[test]
fn two_threads_pass_single_values_in_order() {
    const COUNT: u64 = 60_000;
    for capacity in [1, 2, 8] {
        let (mut producer, mut consumer) = ring_from(usize::MAX - 1_000, capacity, || 0_u64);
        let sender = thread::spawn(move || {
            for value in 0..COUNT {
                while producer.push(value).is_err() {
                    thread::yield_now();
                }
            }
        });
        for expected in 0..COUNT {
            while consumer.peek().is_none() {
                thread::yield_now();
            }
            assert_eq!(consumer.pop(), Some(expected));
        }
        sender.join().unwrap();
    }
}

#[test]
fn closing_either_side_is_seen_by_the_other_after_what_was_published() {
    let (mut producer, mut consumer) = ring(2, || 0);
    producer.push(5).unwrap();
    producer.push(6).unwrap();
    assert!(!consumer.is_closed());
    drop(producer);
    assert!(consumer.is_closed());
    assert_eq!((consumer.pop(), consumer.pop(), consumer.pop()), (Some(5), Some(6), None));

    let (mut producer, consumer) = ring(2, || 0);
    assert!(!producer.is_closed());
    drop(consumer);
    assert!(producer.is_closed());
    producer.push(1).unwrap();
    producer.push(2).unwrap();
    assert_eq!(producer.push(3), Err(Full(3)), "nobody makes room any more");
}

#[test]
fn a_claimed_slot_still_holds_what_it_held_when_it_was_released() {
    let (mut producer, mut consumer) = ring(1, Vec::new);
    producer.claim().unwrap().push(1);
    producer.publish();
    consumer.peek().unwrap().push(2);
    consumer.release();
    assert_eq!(producer.claim(), Some(&mut vec![1, 2]));
}

#[test]
fn a_ring_is_full_until_its_slots_are_made() {
    let (mut producer, unplaced) = ring_unplaced(4);
    assert_eq!((producer.len(), producer.claim().is_none()), (4, true));
    assert!(producer.claim_many(4).0.is_empty());
    assert!(!producer.is_closed());
    let mut made = 0;
    let mut consumer = unplaced.place(|| {
        made += 1;
        made
    });
    assert_eq!((producer.len(), consumer.peek()), (0, None));
    let mut slots = Vec::new();
    let (first, second) = producer.claim_many(usize::MAX);
    slots.extend(first.iter().chain(&*second).copied());
    slots.sort_unstable();
    assert_eq!(slots, [1, 2, 3, 4]);
}

#[test]
fn a_panic_while_a_slot_is_claimed_publishes_nothing() {
    let (mut producer, mut consumer) = ring(2, || 0);
    assert!(panics(|| {
        *producer.claim().unwrap() = 1;
        panic!("while filling the slot");
    }));
    assert!(panics(|| {
        producer.claim_many(2).0[0] = 1;
        panic!("while filling the slots");
    }));
    assert_eq!(consumer.peek(), None);
    producer.push(2).unwrap();
    assert_eq!((consumer.pop(), consumer.pop()), (Some(2), None));
}

#[test]
fn publishing_or_releasing_what_one_does_not_hold_panics_and_changes_nothing() {
    let (mut producer, mut consumer) = ring(2, || 0);
    assert!(panics(|| consumer.release()));
    assert!(producer.claim().is_some());
    assert!(panics(|| producer.publish_many(3)));
    assert_eq!(consumer.peek(), None);
    producer.publish_many(2);
    assert!(producer.claim().is_none());
    assert!(panics(|| producer.publish()));
    // What is published and not peeked at is not the consumer's to release.
    assert!(panics(|| consumer.release()));
    assert_eq!(consumer.peek_many(1).0.len(), 1);
    assert!(panics(|| consumer.release_many(3)));
    assert_eq!((producer.len(), consumer.len()), (2, 2));
}

#[test]
fn each_slot_is_dropped_once_when_both_ends_are_gone_whichever_goes_first() {
    for producer_first in [true, false] {
        let ledger = Ledger::default();
        let (mut producer, mut consumer) = ring_from(usize::MAX, 4, || ledger.entry(false));
        for _ in 0..3 {
            assert!(producer.claim().is_some());
            producer.publish();
        }
        assert!(consumer.peek().is_some());
        consumer.release();
        let (first, last): (Box<dyn FnOnce()>, Box<dyn FnOnce()>) = match producer_first {
            true => (Box::new(|| drop(producer)), Box::new(|| drop(consumer))),
            false => (Box::new(|| drop(consumer)), Box::new(|| drop(producer))),
        };
        first();
        assert_eq!(ledger.drops(), [0; 4]);
        last();
        ledger.assert_each_dropped_once(4);
    }
}

#[test]
fn a_slot_that_panics_when_dropped_keeps_no_other_from_being_dropped() {
    for faulty in 0..4 {
        let ledger = Ledger::default();
        let mut number = 0;
        let ends = ring(4, || {
            number += 1;
            ledger.entry(number - 1 == faulty)
        });
        assert!(panics(|| drop(ends)));
        ledger.assert_each_dropped_once(4);
    }
}

#[test]
fn what_a_push_replaces_is_dropped_once_also_if_that_panics() {
    let ledger = Ledger::default();
    let (mut producer, mut consumer) = ring(1, || ledger.entry(false));
    producer.push(ledger.entry(true)).unwrap_or_else(|_| panic!("there is room"));
    assert_eq!(ledger.drops(), [1, 0]);
    consumer.peek().unwrap();
    consumer.release();
    assert!(panics(|| drop(producer.push(ledger.entry(false)))));
    assert_eq!(ledger.drops(), [1, 1, 0]);
    assert!(consumer.peek().is_none(), "the push did not come to its end");
    assert!(producer.push(ledger.entry(false)).is_ok());
    let refused = producer.push(ledger.entry(false)).unwrap_err();
    assert_eq!(ledger.drops(), [1, 1, 1, 0, 0]);
    drop((producer, consumer, refused));
    ledger.assert_each_dropped_once(5);
}

#[test]
fn a_maker_that_panics_half_way_leaves_a_closed_ring_and_no_slot_behind() {
    for made_before in 0..4 {
        let ledger = Ledger::default();
        let make = || {
            assert!(ledger.drops().len() < made_before, "half way");
            ledger.entry(false)
        };
        assert!(panics(|| drop(ring(4, make))));
        ledger.assert_each_dropped_once(made_before);

        let ledger = Ledger::default();
        let make = || {
            assert!(ledger.drops().len() < made_before, "half way");
            ledger.entry(false)
        };
        let (mut producer, unplaced) = ring_at(usize::MAX - 1, 4);
        assert!(panics(|| drop(unplaced.place(make))));
        assert!(producer.is_closed());
        assert!(producer.claim().is_none(), "slots that were never all made are never handed over");
        drop(producer);
        ledger.assert_each_dropped_once(made_before);
    }
}

#[test]
fn an_end_dropped_without_placing_closes_a_ring_without_slots() {
    let (mut producer, unplaced) = ring_unplaced::<Entry>(4);
    drop(unplaced);
    assert!(producer.is_closed());
    assert!(producer.claim().is_none());
    drop(producer);

    let (producer, unplaced) = ring_unplaced::<Entry>(4);
    drop(producer);
    let ledger = Ledger::default();
    let mut consumer = unplaced.place(|| ledger.entry(false));
    assert!(consumer.is_closed() && consumer.peek().is_none());
    drop(consumer);
    ledger.assert_each_dropped_once(4);
}

#[test]
fn slots_without_size_are_counted_all_the_same() {
    let (mut producer, mut consumer) = ring_from(usize::MAX - 2, 4, || ());
    for _ in 0..3 {
        assert_eq!(producer.claim_many(3).0.len() + producer.claim_many(3).1.len(), 3);
        producer.publish_many(3);
        producer.push(()).unwrap();
        assert_eq!(producer.push(()), Err(Full(())));
        for _ in 0..4 {
            assert_eq!(consumer.pop(), Some(()));
        }
        assert_eq!(consumer.pop(), None);
    }
}

#[test]
fn slots_lie_where_their_type_asks() {
    #[repr(align(256))]
    #[derive(Clone, Copy)]
    struct Aligned(u8);
    let (mut producer, mut consumer) = ring(4, || Aligned(0));
    for value in 0..9 {
        let slot = producer.claim().unwrap();
        assert_eq!(ptr_of(slot) % 256, 0);
        *slot = Aligned(value);
        producer.publish();
        assert_eq!(ptr_of(consumer.peek().unwrap()) % 256, 0);
        assert_eq!(consumer.pop().unwrap().0, value);
    }

    fn ptr_of(slot: &Aligned) -> usize {
        (&raw const *slot).addr()
    }
}
