//! Random operations against a `VecDeque`, when exactly a channel is full, two threads, closing, drops and panics.

use std::{cell::Cell, collections::VecDeque, thread};

use super::*;
use crate::ledger::{Entry, Ledger, panics};

/// A channel whose counters have already run to `start`.
fn channel_from<T>(start: usize, capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, unplaced) = channel_at(start, capacity);
    (sender, unplaced.place())
}

/// What a channel holds, and how many of its slots are back with the sender.
struct Oracle {
    capacity: usize,
    /// The number of the first value, to know where an eighth ends.
    start: usize,
    values: VecDeque<usize>,
    taken: usize,
    handed_back: usize,
}

impl Oracle {
    fn new(start: usize, capacity: usize) -> Self {
        Self { capacity, start, values: VecDeque::new(), taken: 0, handed_back: 0 }
    }

    fn in_use(&self) -> usize {
        self.values.len() + self.taken - self.handed_back
    }

    fn push(&mut self, value: usize) -> bool {
        let room = self.in_use() < self.capacity;
        if room {
            self.values.push_back(value);
        }
        room
    }

    fn peek(&mut self) -> Option<usize> {
        if self.values.is_empty() {
            self.handed_back = self.taken;
        }
        self.values.front().copied()
    }

    fn pop(&mut self) -> Option<usize> {
        let value = self.peek()?;
        self.values.pop_front();
        self.taken += 1;
        let eighth = (self.capacity / 8).max(1);
        if self.start.wrapping_add(self.taken).is_multiple_of(eighth) {
            self.handed_back = self.taken;
        }
        Some(value)
    }
}

#[test]
fn capacity_is_rounded_up_to_a_power_of_two() {
    for (asked, got) in [(0, 1), (1, 1), (2, 2), (3, 4), (1000, 1024)] {
        let (sender, receiver) = channel::<u8>(asked);
        assert_eq!((sender.capacity(), receiver.capacity()), (got, got));
    }
}

#[test]
fn random_operations_agree_with_a_deque_and_a_channel_is_full_exactly_when_said() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let capacity = random.usize(1..=64);
        let start = usize::MAX - random.usize(0..100);
        let (mut sender, mut receiver) = channel_from(start, capacity);
        let mut oracle = Oracle::new(start, capacity.next_power_of_two());
        // Phases that mostly push and phases that mostly pop, so that both ends of the range are met.
        for step in 0..3_000 {
            let at = format!("seed {seed}, step {step}");
            let filling = (step / 100) % 2 == 0;
            if random.u8(0..10) < if filling { 6 } else { 4 } {
                match sender.push(step) {
                    Ok(()) => assert!(oracle.push(step), "{at}: pushed into a full channel"),
                    Err(Full(value)) => {
                        assert_eq!(value, step, "{at}");
                        assert!(!oracle.push(step), "{at}: full too early");
                    }
                }
            } else if random.u8(0..4) == 0 {
                assert_eq!(receiver.peek().copied(), oracle.peek(), "{at}");
            } else {
                assert_eq!(receiver.pop(), oracle.pop(), "{at}");
            }
            assert_eq!(sender.len(), oracle.in_use(), "{at}");
            assert_eq!(sender.is_empty(), oracle.in_use() == 0, "{at}");
        }
    }
}

#[test]
fn slots_come_back_by_the_eighth_and_at_once_when_nothing_is_found() {
    let (mut sender, mut receiver) = channel(16);
    for value in 0..16 {
        sender.push(value).unwrap();
    }
    assert_eq!(receiver.pop(), Some(0));
    assert_eq!(sender.push(16), Err(Full(16)), "an eighth is two");
    assert_eq!(receiver.pop(), Some(1));
    sender.push(16).unwrap();
    sender.push(17).unwrap();
    assert_eq!(sender.push(18), Err(Full(18)));
    for value in 2..17 {
        assert_eq!(receiver.pop(), Some(value));
    }
    assert_eq!((receiver.peek(), sender.len()), (Some(&17), 2));
    assert_eq!((receiver.pop(), sender.len()), (Some(17), 0));
    sender.push(18).unwrap();
    assert_eq!((receiver.pop(), sender.len()), (Some(18), 1));
    assert_eq!((receiver.peek(), sender.len()), (None, 0));
    sender.push(19).unwrap();
    sender.push(20).unwrap();
    sender.push(21).unwrap();
    assert_eq!((receiver.pop(), receiver.pop(), receiver.pop()), (Some(19), Some(20), Some(21)));
    sender.push(22).unwrap();
    assert_eq!((receiver.pop(), receiver.pop(), sender.len()), (Some(22), None, 0));
}

#[test]
fn two_threads_pass_every_value_whole_and_in_order() {
    const COUNT: u64 = 50_000;
    for capacity in [1, 2, 8, 64] {
        let (mut sender, mut receiver) = channel_from(usize::MAX - 1_000, capacity);
        let thread = thread::spawn(move || {
            for number in 0..COUNT {
                let mut value = Box::new([number, !number, number.wrapping_mul(number)]);
                while let Err(Full(refused)) = sender.push(value) {
                    value = refused;
                    thread::yield_now();
                }
            }
        });
        let mut sum = 0;
        for expected in 0..COUNT {
            let value = loop {
                match receiver.pop() {
                    Some(value) => break value,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(*value, [expected, !expected, expected.wrapping_mul(expected)]);
            sum += value[0];
        }
        thread.join().unwrap();
        assert_eq!(sum, COUNT * (COUNT - 1) / 2);
        assert!(receiver.is_closed());
        assert_eq!(receiver.pop(), None);
    }
}

#[test]
fn closing_either_side_is_seen_by_the_other_after_what_was_pushed() {
    let (mut sender, mut receiver) = channel(2);
    sender.push(5).unwrap();
    sender.push(6).unwrap();
    assert!(!receiver.is_closed());
    drop(sender);
    assert!(receiver.is_closed());
    assert_eq!(receiver.peek(), Some(&5));
    assert_eq!((receiver.pop(), receiver.pop(), receiver.pop()), (Some(5), Some(6), None));

    let (mut sender, receiver) = channel(2);
    assert!(!sender.is_closed());
    drop(receiver);
    assert!(sender.is_closed());
    sender.push(1).unwrap();
    sender.push(2).unwrap();
    assert_eq!(sender.push(3), Err(Full(3)), "nobody makes room any more");
}

#[test]
fn a_channel_is_full_until_it_is_placed() {
    let (mut sender, unplaced) = channel_at(usize::MAX - 1, 4);
    assert_eq!((sender.len(), sender.push(1)), (4, Err(Full(1))));
    assert!(!sender.is_closed());
    let mut receiver = unplaced.place();
    assert_eq!((sender.len(), receiver.peek()), (0, None));
    for value in 0..4 {
        sender.push(value).unwrap();
    }
    assert_eq!(sender.push(4), Err(Full(4)));
    assert_eq!((0..5).map_while(|_| receiver.pop()).collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn every_value_is_dropped_once_whether_it_was_taken_or_left_whichever_end_goes_first() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let start = usize::MAX - random.usize(0..100);
        let ledger = Ledger::default();
        let (mut sender, mut receiver) = channel_from(start, random.usize(1..=32));
        let mut oracle = VecDeque::new();
        for _ in 0..random.usize(0..200) {
            if random.u8(0..5) < 3 {
                let entry = ledger.entry(false);
                let number = entry.number;
                if sender.push(entry).is_ok() {
                    oracle.push_back(number);
                }
            } else {
                assert_eq!(receiver.pop().map(|entry| entry.number), oracle.pop_front(), "seed {seed}");
            }
        }
        let undropped = |ledger: &Ledger| ledger.drops().iter().filter(|drops| **drops == 0).count();
        assert_eq!(undropped(&ledger), oracle.len(), "seed {seed}");
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
            let (mut sender, mut receiver) = channel_from(usize::MAX - 8, 8);
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
    assert!(panics(|| drop(receiver.pop())));
    assert!(sender.push(ledger.entry(false)).is_ok());
    assert_eq!(receiver.pop().map(|entry| entry.number), Some(1));
    drop((sender, receiver));
    ledger.assert_each_dropped_once(3);
}

#[test]
fn a_refused_value_comes_back_and_is_not_dropped() {
    let ledger = Ledger::default();
    let (mut sender, receiver) = channel(1);
    assert!(sender.push(ledger.entry(false)).is_ok());
    let Full(refused) = sender.push(ledger.entry(false)).unwrap_err();
    assert_eq!((refused.number, ledger.drops()), (1, vec![0, 0]));
    drop((sender, receiver, refused));
    ledger.assert_each_dropped_once(2);
}

#[test]
fn an_end_dropped_without_placing_closes_a_channel_without_values() {
    let (mut sender, unplaced) = channel_unplaced::<Entry>(4);
    drop(unplaced);
    assert!(sender.is_closed());
    let ledger = Ledger::default();
    assert!(sender.push(ledger.entry(false)).is_err(), "there are no slots, and never will be");
    ledger.assert_each_dropped_once(1);
    drop(sender);

    let (sender, unplaced) = channel_unplaced::<Entry>(4);
    drop(sender);
    let mut receiver = unplaced.place();
    assert!(receiver.is_closed());
    assert!(receiver.pop().is_none());
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
    let (mut sender, mut receiver) = channel_from(usize::MAX - 2, 4);
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
