//! The channel that values move through.

use loom::thread;
use nacreous_channels::spsc::{channel, channel_unplaced};

use crate::{Pair, model, pair};

#[test]
fn a_pushed_value_is_seen_whole() {
    model(|| {
        let (mut sender, mut receiver) = channel(2);
        let writer = thread::spawn(move || sender.push(pair(1)).unwrap());
        if let Some(value) = receiver.pop() {
            assert_eq!(*value, (1, 1));
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_vacated_slot_is_reused_only_after_the_value_is_out() {
    model(|| {
        let (mut sender, mut receiver) = channel(1);
        sender.push(pair(1)).unwrap();
        let reader = thread::spawn(move || {
            assert_eq!(receiver.pop().as_deref(), Some(&(1, 1)));
            receiver
        });
        let pushed = sender.push(pair(2)).is_ok();
        let mut receiver = reader.join().unwrap();
        assert_eq!(receiver.pop().is_some(), pushed);
    });
}

#[test]
fn everything_pushed_before_the_drop_is_popped() {
    model(|| {
        let (mut sender, mut receiver) = channel(2);
        let writer = thread::spawn(move || {
            sender.push(pair(1)).unwrap();
            sender.push(pair(2)).unwrap();
        });
        if receiver.is_closed() {
            assert_eq!(receiver.pop().as_deref(), Some(&(1, 1)));
            assert_eq!(receiver.pop().as_deref(), Some(&(2, 2)));
            assert_eq!(receiver.pop(), None);
        }
        writer.join().unwrap();
    });
}

#[test]
fn values_move_in_order_through_a_channel_of_one_slot() {
    model(|| {
        let (mut sender, mut receiver) = channel(1);
        let writer = thread::spawn(move || {
            for value in 1..=2 {
                let mut value = pair(value);
                while let Err(full) = sender.push(value) {
                    value = full.0;
                    thread::yield_now();
                }
            }
        });
        for value in 1..=2 {
            let popped = loop {
                match receiver.pop() {
                    Some(popped) => break popped,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(*popped, (value, value));
        }
        writer.join().unwrap();
    });
}

#[test]
fn what_nobody_takes_is_dropped_by_whoever_goes_last() {
    model(|| {
        let (mut sender, mut receiver) = channel(2);
        let writer = thread::spawn(move || {
            sender.push(pair(1)).unwrap();
            sender.push(pair(2)).unwrap();
        });
        // Loom finds a value that leaks, and one that is dropped twice.
        drop(receiver.pop());
        drop(receiver);
        writer.join().unwrap();
    });
}

#[test]
fn slots_touched_by_the_receiver_are_used_only_afterwards() {
    model(|| {
        let (mut sender, unplaced) = channel_unplaced::<Pair>(2);
        let reader = thread::spawn(move || {
            let mut receiver = unplaced.place();
            if let Some(value) = receiver.pop() {
                assert_eq!(*value, (1, 1));
            }
        });
        // Full until the receiver has placed the slots.
        let _ = sender.push(pair(1));
        reader.join().unwrap();
    });
}
