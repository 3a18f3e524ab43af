//! Random operations against a `VecDeque`, several threads that send, closing, drops and panics.

use std::{cell::Cell, collections::VecDeque, thread};

use super::*;
use crate::ledger::{Ledger, panics};

#[test]
fn capacity_is_rounded_up_to_a_power_of_two() {
    for (asked, got) in [(0, 1), (1, 1), (2, 2), (3, 4), (1000, 1024)] {
        let (sender, receiver) = channel::<u8>(asked);
        assert_eq!((sender.capacity(), receiver.capacity()), (got, got));
        assert_eq!(sender.clone().capacity(), got);
    }
}

#[test]
fn random_operations_of_several_senders_agree_with_a_deque() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let capacity = random.usize(1..=32);
        let start = usize::MAX - random.usize(0..100);
        let (sender, mut receiver) = channel_at(start, capacity);
        let capacity = capacity.next_power_of_two();
        let mut senders = vec![sender];
        let mut oracle = VecDeque::new();
        // Values taken whose slots have not been handed back yet: they come back by the eighth of the capacity,
        // counted by the channel's own numbers, or when nothing is found.
        let (mut head, mut kept) = (start, 0);
        for step in 0..2_000 {
            let at = format!("seed {seed}, step {step}");
            let filling = (step / 100) % 2 == 0;
            match random.u8(0..20) {
                0 => senders.push(random.choice(&senders).unwrap().clone()),
                1 if senders.len() > 1 => drop(senders.swap_remove(random.usize(..senders.len()))),
                2..4 => {
                    assert_eq!(receiver.peek(), oracle.front(), "{at}");
                    kept = if oracle.is_empty() { 0 } else { kept };
                }
                4..12 if filling => push(&mut random, &mut senders, &mut oracle, capacity - kept, step, &at),
                4..9 => push(&mut random, &mut senders, &mut oracle, capacity - kept, step, &at),
                _ => {
                    let expected = oracle.pop_front();
                    assert_eq!(receiver.pop(), expected, "{at}");
                    head = head.wrapping_add(usize::from(expected.is_some()));
                    let back = expected.is_none() || head.is_multiple_of((capacity / 8).max(1));
                    kept = if back { 0 } else { kept + 1 };
                }
            }
            assert_eq!((receiver.len(), receiver.is_empty()), (oracle.len(), oracle.is_empty()), "{at}");
            assert!(!receiver.is_closed(), "{at}");
        }
        drop(senders);
        assert!(receiver.is_closed(), "seed {seed}");
        assert!((0..=capacity).map_while(|_| receiver.pop()).eq(oracle), "seed {seed}");
    }

    fn push(
        random: &mut fastrand::Rng,
        senders: &mut [Sender<usize>],
        oracle: &mut VecDeque<usize>,
        room: usize,
        value: usize,
        at: &str,
    ) {
        match senders[random.usize(..senders.len())].push(value) {
            Ok(()) => {
                assert!(oracle.len() < room, "{at}: pushed into a full channel");
                oracle.push_back(value);
            }
            Err(Full(refused)) => assert_eq!((refused, oracle.len()), (value, room), "{at}"),
        }
    }
}

#[test]
fn what_three_threads_send_arrives_once_whole_and_in_each_ones_order() {
    const COUNT: u64 = 20_000;
    const SENDERS: usize = 3;
    for capacity in [1, 4, 64] {
        let (sender, mut receiver) = channel_at(usize::MAX - 1_000, capacity);
        let threads: Vec<_> = (0..SENDERS)
            .map(|from| {
                let mut sender = sender.clone();
                thread::spawn(move || {
                    for number in 0..COUNT {
                        let mut value = Box::new((from, number, !number));
                        while let Err(Full(refused)) = sender.push(value) {
                            value = refused;
                            thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        drop(sender);
        let mut next = [0; SENDERS];
        let mut sum = 0;
        loop {
            let closed = receiver.is_closed();
            match receiver.pop() {
                Some(value) => {
                    let (from, number, complement) = *value;
                    assert_eq!((number, complement), (next[from], !number));
                    next[from] += 1;
                    sum += number;
                }
                None if closed => break,
                None => thread::yield_now(),
            }
        }
        assert_eq!(next, [COUNT; SENDERS]);
        assert_eq!(sum, SENDERS as u64 * (COUNT * (COUNT - 1) / 2));
        assert!(receiver.is_empty());
        for thread in threads {
            thread.join().unwrap();
        }
    }
}

#[test]
fn one_sender_is_never_beaten() {
    let (mut sender, mut receiver) = channel_at(usize::MAX - 50, 4);
    for value in 0..100 {
        let _ = sender.push(value);
        let _ = sender.push(value);
        receiver.pop();
    }
    assert_eq!((sender.contention(), receiver.contention()), (0, 0));
}

#[test]
fn a_channel_closes_with_its_last_sender_and_what_was_pushed_is_still_there() {
    let (mut sender, mut receiver) = channel(2);
    let mut other = sender.clone();
    sender.push(5).unwrap();
    drop(sender);
    assert!(!receiver.is_closed());
    other.push(6).unwrap();
    drop(other);
    assert!(receiver.is_closed());
    assert_eq!((receiver.pop(), receiver.pop(), receiver.pop()), (Some(5), Some(6), None));
}

#[test]
fn all_senders_see_that_the_receiver_is_gone() {
    let (mut sender, receiver) = channel(2);
    let mut other = sender.clone();
    assert!(!sender.is_closed() && !other.is_closed());
    drop(receiver);
    assert!(sender.is_closed() && other.is_closed() && other.clone().is_closed());
    sender.push(1).unwrap();
    other.push(2).unwrap();
    assert_eq!(sender.push(3), Err(Full(3)), "nobody makes room any more");
}

#[test]
fn every_value_is_dropped_once_whether_it_was_taken_or_left_whichever_end_goes_first() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let start = usize::MAX - random.usize(0..100);
        let ledger = Ledger::default();
        let (mut sender, mut receiver) = channel_at(start, random.usize(1..=32));
        let mut other = sender.clone();
        let mut oracle = VecDeque::new();
        for _ in 0..random.usize(0..200) {
            if random.u8(0..5) < 3 {
                let entry = ledger.entry(false);
                let number = entry.number;
                let sender = if random.bool() { &mut sender } else { &mut other };
                if sender.push(entry).is_ok() {
                    oracle.push_back(number);
                }
            } else {
                assert_eq!(receiver.pop().map(|entry| entry.number), oracle.pop_front(), "seed {seed}");
            }
        }
        let undropped = |ledger: &Ledger| ledger.drops().iter().filter(|drops| **drops == 0).count();
        assert_eq!(undropped(&ledger), oracle.len(), "seed {seed}");
        drop(other);
        if random.bool() {
            drop(sender);
            assert_eq!(undropped(&ledger), oracle.len(), "seed {seed}");
            drop(receiver);
        } else {
            drop(receiver);
            assert_eq!(undropped(&ledger), oracle.len(), "seed {seed}");
            // What is pushed after the receiver has gone is dropped with the rest.
            let _ = sender.push(ledger.entry(false));
            drop(sender);
        }
        assert!(ledger.drops().iter().all(|drops| *drops == 1), "seed {seed}: {:?}", ledger.drops());
    }
}

#[test]
fn a_value_that_panics_when_dropped_keeps_no_other_from_being_dropped() {
    for taken in 0..7 {
        for faulty in 0..8 {
            let ledger = Ledger::default();
            let (mut sender, mut receiver) = channel_at(usize::MAX - 8, 8);
            for _ in 0..taken {
                drop((sender.push(ledger.entry(false)), receiver.pop()));
            }
            for number in 0..8 {
                assert!(sender.push(ledger.entry(number == faulty)).is_ok());
            }
            drop(receiver);
            assert!(panics(|| drop(sender)));
            ledger.assert_each_dropped_once(taken + 8);
        }
    }
}

#[test]
fn a_taken_value_that_panics_when_dropped_is_dropped_once_and_the_channel_goes_on() {
    let ledger = Ledger::default();
    let (mut sender, mut receiver) = channel(2);
    assert!(sender.push(ledger.entry(true)).is_ok());
    assert!(sender.push(ledger.entry(false)).is_ok());
    let Full(refused) = sender.push(ledger.entry(false)).unwrap_err();
    assert!(panics(|| drop(receiver.pop())));
    assert!(sender.push(refused).is_ok());
    assert_eq!(receiver.pop().map(|entry| entry.number), Some(1));
    drop((sender, receiver));
    ledger.assert_each_dropped_once(3);
}

#[test]
fn values_without_size_are_counted_and_dropped_all_the_same() {
    thread_local!(static DROPS: Cell<usize> = const { Cell::new(0) });
    struct Nothing;
    impl Drop for Nothing {
        fn drop(&mut self) {
            DROPS.set(DROPS.get() + 1);
        }
    }
    let (mut sender, mut receiver) = channel_at(usize::MAX - 2, 4);
    for _ in 0..4 {
        assert!(sender.push(Nothing).is_ok());
    }
    assert!(sender.push(Nothing).is_err());
    assert_eq!(DROPS.get(), 1);
    assert!(receiver.pop().is_some());
    assert!(receiver.peek().is_some());
    assert_eq!(DROPS.get(), 2);
    drop((sender, receiver));
    assert_eq!(DROPS.get(), 5);
}

#[test]
fn values_lie_where_their_type_asks() {
    #[repr(align(256))]
    struct Aligned(u8);
    let (mut sender, mut receiver) = channel(4);
    for value in 0..9 {
        assert!(sender.push(Aligned(value)).is_ok());
        let place: *const Aligned = receiver.peek().unwrap();
        assert_eq!(place.addr() % 256, 0);
        assert_eq!(receiver.pop().unwrap().0, value);
    }
}
