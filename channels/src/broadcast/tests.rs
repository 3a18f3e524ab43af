//! Random operations against a `VecDeque` for each consumer, three threads that read, closing, drops and panics.

use std::{collections::VecDeque, thread};

use super::*;
use crate::ledger::{Ledger, panics};

/// Publishes one value, if there is room.
fn push<S>(producer: &mut Producer<S>, value: S) -> bool {
    let Some(slot) = producer.claim() else { return false };
    *slot = value;
    producer.publish();
    true
}

/// Takes one value, if there is one.
fn pop<S: Copy>(consumer: &mut Consumer<S>) -> Option<S> {
    let value = *consumer.peek()?;
    consumer.release();
    Some(value)
}

#[test]
fn capacity_is_rounded_up_to_a_power_of_two() {
    for (asked, got) in [(0, 1), (1, 1), (2, 2), (3, 4), (1000, 1024)] {
        let (producer, [consumer]) = ring(asked, || ());
        assert_eq!((producer.capacity(), consumer.capacity()), (got, got));
    }
}

#[test]
fn a_ring_that_nobody_reads_is_refused() {
    assert!(panics(|| drop(ring_to(4, 0, || ()))));
    assert_eq!(ring_to(4, 3, || ()).1.len(), 3);
}

/// One consumer, and what it has yet to release.
struct Reader {
    number: usize,
    consumer: Consumer<usize>,
    unread: VecDeque<usize>,
}

impl Reader {
    fn step(&mut self, random: &mut fastrand::Rng, at: &str) {
        let Self { consumer, unread, .. } = self;
        if random.bool() {
            assert_eq!(consumer.peek(), unread.front(), "{at}");
            if !unread.is_empty() && random.u8(..) > 20 {
                consumer.release();
                unread.pop_front();
            }
        } else {
            let many = random.usize(0..=consumer.capacity() + 1);
            let (first, second) = consumer.peek_many(many);
            let seen = first.len() + second.len();
            assert!(first.iter().chain(second).eq(unread.iter().take(many)), "{at}: {unread:?}");
            let count = random.usize(0..=seen);
            consumer.release_many(count);
            unread.drain(..count);
        }
        assert_eq!((consumer.len(), consumer.is_empty()), (unread.len(), unread.is_empty()), "{at}");
        assert!(!consumer.is_closed(), "{at}");
    }
}

/// Claims, fills and publishes up to `many` slots; those that were claimed, and what was published.
fn produce(
    producer: &mut Producer<usize>,
    random: &mut fastrand::Rng,
    many: usize,
    value: usize,
) -> (usize, std::ops::Range<usize>) {
    if many == 1 && random.bool() {
        let Some(slot) = producer.claim() else { return (0, value..value) };
        *slot = value;
        let publish = random.u8(..) > 20;
        if publish {
            producer.publish();
        }
        return (1, value..value + usize::from(publish));
    }
    let (first, second) = producer.claim_many(many);
    let claimed = first.len() + second.len();
    for (number, slot) in first.iter_mut().chain(second).enumerate() {
        *slot = value + number;
    }
    let count = random.usize(0..=claimed);
    producer.publish_many(count);
    (claimed, value..value + count)
}

#[test]
fn random_operations_agree_with_a_deque_for_each_consumer_and_those_that_leave_hold_nobody_back() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let capacity = random.usize(1..=32);
        let start = usize::MAX - random.usize(0..100);
        let (mut producer, consumers) = ring_at(start, capacity, random.usize(1..=4), || 0);
        let capacity = capacity.next_power_of_two();
        let readers = consumers.into_iter().enumerate();
        let mut readers: Vec<_> =
            readers.map(|(number, consumer)| Reader { number, consumer, unread: VecDeque::new() }).collect();
        let mut step = 0;
        while !readers.is_empty() {
            step += 1;
            let at = format!("seed {seed}, step {step}");
            let free = capacity - readers.iter().map(|reader| reader.unread.len()).max().unwrap();
            let someone = random.usize(..readers.len());
            match random.u16(..) {
                0..60 => drop(readers.swap_remove(someone)),
                60..30_000 => {
                    let many = if random.bool() { 1 } else { random.usize(0..=capacity + 1) };
                    let (claimed, published) = produce(&mut producer, &mut random, many, step * 100);
                    assert_eq!(claimed, many.min(free), "{at}");
                    readers.iter_mut().for_each(|reader| reader.unread.extend(published.clone()));
                }
                _ => readers[someone].step(&mut random, &at),
            }
            for Reader { number, unread, .. } in &readers {
                assert_eq!(producer.lag(*number), unread.len(), "{at}");
            }
            assert_eq!(producer.is_closed(), readers.is_empty(), "{at}");
        }
        let room = (0..1_000).take_while(|value| push(&mut producer, *value)).count();
        assert!(room <= capacity, "seed {seed}: {room} values for nobody");
        assert!((0..10).all(|_| producer.claim().is_none()), "seed {seed}");
        assert!(producer.claim_many(1).0.is_empty(), "seed {seed}");
        assert!(producer.is_closed(), "seed {seed}");
    }
}

#[test]
fn the_slowest_consumer_holds_the_producer_back_until_it_leaves() {
    let (mut producer, [mut fast, slow]) = ring(2, || 0);
    assert!(push(&mut producer, 1) && push(&mut producer, 2));
    assert_eq!((pop(&mut fast), pop(&mut fast)), (Some(1), Some(2)));
    assert!(!push(&mut producer, 3));
    assert_eq!((producer.lag(0), producer.lag(1)), (0, 2));
    drop(slow);
    assert!(!producer.is_closed());
    assert!(push(&mut producer, 3) && push(&mut producer, 4));
    assert!(!push(&mut producer, 5));
    assert_eq!((pop(&mut fast), pop(&mut fast), pop(&mut fast)), (Some(3), Some(4), None));
}

#[test]
fn three_threads_each_see_every_value_whole_and_in_order() {
    const COUNT: u64 = 40_000;
    for capacity in [1, 8, 64] {
        let (mut producer, consumers) = ring_at(usize::MAX - 1_000, capacity, 3, || [0_u64; 3]);
        let threads: Vec<_> = consumers
            .into_iter()
            .map(|mut consumer| {
                thread::spawn(move || {
                    let (mut expected, mut sum) = (0_u64, 0);
                    loop {
                        let closed = consumer.is_closed();
                        let (first, second) = consumer.peek_many(5);
                        let seen = first.len() + second.len();
                        for slot in first.iter().chain(second) {
                            assert_eq!(*slot, [expected, !expected, expected.wrapping_mul(expected)]);
                            expected += 1;
                            sum += slot[0];
                        }
                        consumer.release_many(seen);
                        match seen {
                            0 if closed => return (expected, sum),
                            0 => thread::yield_now(),
                            _ => {}
                        }
                    }
                })
            })
            .collect();
        for value in 0..COUNT {
            while !push(&mut producer, [value, !value, value.wrapping_mul(value)]) {
                thread::yield_now();
            }
        }
        drop(producer);
        for thread in threads {
            assert_eq!(thread.join().unwrap(), (COUNT, COUNT * (COUNT - 1) / 2));
        }
    }
}

#[test]
fn a_thread_that_leaves_early_holds_nobody_back() {
    const COUNT: u64 = 40_000;
    let (mut producer, consumers) = ring_at(usize::MAX - 1_000, 4, 3, || 0_u64);
    let leave_after = [COUNT / 10, COUNT / 2, COUNT];
    let threads: Vec<_> = consumers
        .into_iter()
        .zip(leave_after)
        .map(|(mut consumer, reads)| {
            thread::spawn(move || {
                for expected in 0..reads {
                    while consumer.peek().is_none() {
                        thread::yield_now();
                    }
                    assert_eq!(pop(&mut consumer), Some(expected));
                }
            })
        })
        .collect();
    for value in 0..COUNT {
        while !push(&mut producer, value) {
            thread::yield_now();
        }
    }
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(producer.is_closed());
}

#[test]
fn everything_published_before_the_producer_left_is_read_by_all() {
    let (mut producer, [mut a, mut b]) = ring(2, || 0);
    assert!(push(&mut producer, 5) && push(&mut producer, 6));
    assert!(!a.is_closed() && !b.is_closed());
    drop(producer);
    for consumer in [&mut a, &mut b] {
        assert!(consumer.is_closed());
        assert_eq!((pop(consumer), pop(consumer), pop(consumer)), (Some(5), Some(6), None));
    }
}

#[test]
fn a_ring_is_closed_when_all_its_consumers_are_gone() {
    let (producer, consumers) = ring_to(2, 3, || 0);
    for consumer in consumers {
        assert!(!producer.is_closed());
        drop(consumer);
    }
    assert!(producer.is_closed());
}

#[test]
fn a_panic_while_a_slot_is_claimed_publishes_nothing() {
    let (mut producer, [mut consumer]) = ring(2, || 0);
    assert!(panics(|| {
        *producer.claim().unwrap() = 1;
        panic!("while filling the slot");
    }));
    assert_eq!(consumer.peek(), None);
    assert!(push(&mut producer, 2));
    assert_eq!((pop(&mut consumer), pop(&mut consumer)), (Some(2), None));
}

#[test]
fn publishing_or_releasing_what_one_does_not_hold_panics_and_changes_nothing() {
    let (mut producer, [mut consumer, other]) = ring(2, || 0);
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
    assert_eq!((consumer.len(), other.len(), producer.lag(0), producer.lag(1)), (2, 2, 2, 2));
}

#[test]
fn each_slot_is_dropped_once_with_the_last_end_whichever_that_is() {
    for last in 0..3 {
        let ledger = Ledger::default();
        let (mut producer, mut consumers) = ring_at(usize::MAX, 4, 2, || ledger.entry(false));
        for _ in 0..3 {
            assert!(producer.claim().is_some());
            producer.publish();
        }
        assert!(consumers[0].peek().is_some());
        consumers[0].release();
        let mut ends: Vec<Box<dyn FnOnce()>> = vec![Box::new(|| drop(producer))];
        for consumer in consumers {
            ends.push(Box::new(|| drop(consumer)));
        }
        let last = ends.remove(last);
        ends.into_iter().for_each(|leave| leave());
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
        let ends = ring_to(4, 2, || {
            number += 1;
            ledger.entry(number - 1 == faulty)
        });
        assert!(panics(|| drop(ends)));
        ledger.assert_each_dropped_once(4);
    }
}

#[test]
fn a_maker_that_panics_half_way_leaves_no_slot_behind() {
    for made_before in 0..4 {
        let ledger = Ledger::default();
        let make = || {
            assert!(ledger.drops().len() < made_before, "half way");
            ledger.entry(false)
        };
        assert!(panics(|| drop(ring_at(usize::MAX - 1, 4, 2, make))));
        ledger.assert_each_dropped_once(made_before);
    }
}

#[test]
fn what_is_replaced_in_a_claimed_slot_is_dropped_once() {
    let ledger = Ledger::default();
    let (mut producer, [mut a, b]) = ring(1, || ledger.entry(true));
    assert!(panics(|| _ = push(&mut producer, ledger.entry(false))));
    assert_eq!(ledger.drops(), [1, 0]);
    assert!(a.peek().is_none(), "the panic came before the publication");
    assert!(push(&mut producer, ledger.entry(false)));
    assert_eq!(ledger.drops(), [1, 1, 0]);
    drop((producer, a, b));
    ledger.assert_each_dropped_once(3);
}

#[test]
fn slots_without_size_are_counted_all_the_same() {
    let (mut producer, consumers) = ring_at(usize::MAX - 2, 4, 2, || ());
    let [mut a, mut b] = consumers.try_into().unwrap();
    for _ in 0..3 {
        let (first, second) = producer.claim_many(3);
        assert_eq!(first.len() + second.len(), 3);
        producer.publish_many(3);
        assert!(push(&mut producer, ()) && !push(&mut producer, ()));
        for consumer in [&mut a, &mut b] {
            assert_eq!((0..9).map_while(|_| pop(consumer)).count(), 4);
        }
    }
}

#[test]
fn slots_lie_where_their_type_asks() {
    #[repr(align(256))]
    #[derive(Clone, Copy)]
    struct Aligned(u8);
    let (mut producer, [mut a, mut b]) = ring(4, || Aligned(0));
    for value in 0..9 {
        assert!(push(&mut producer, Aligned(value)));
        for consumer in [&mut a, &mut b] {
            let place: *const Aligned = consumer.peek().unwrap();
            assert_eq!(place.addr() % 256, 0);
            assert_eq!(pop(consumer).unwrap().0, value);
        }
    }
}
