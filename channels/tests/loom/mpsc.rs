//! Many senders, one receiver.

use loom::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};
use nacreous_channels::mpsc::channel;

use crate::{model, pair};

/// Loom tries another order only where the last access to an atomic was another thread's, and here the same
/// thread loads a stamp and then stores it. So the other order needs a push.
fn run_others_first() {
    thread::yield_now();
}

#[test]
fn values_of_two_senders_are_seen_whole() {
    model(|| {
        let (mut sender, mut receiver) = channel(2);
        let mut other = sender.clone();
        let first = thread::spawn(move || sender.push(pair(1)).unwrap());
        let second = thread::spawn(move || other.push(pair(2)).unwrap());
        run_others_first();
        let mut seen: Vec<_> = receiver.pop().into_iter().collect();
        first.join().unwrap();
        second.join().unwrap();
        seen.extend(std::iter::from_fn(|| receiver.pop()));
        seen.sort();
        assert_eq!(seen, [pair(1), pair(2)]);
    });
}

#[test]
fn a_popped_slot_is_claimed_only_after_the_value_is_out() {
    model(|| {
        let (mut sender, mut receiver) = channel(2);
        sender.push(pair(1)).unwrap();
        sender.push(pair(2)).unwrap();
        let reader = thread::spawn(move || {
            assert_eq!(receiver.pop().as_deref(), Some(&(1, 1)));
            receiver
        });
        run_others_first();
        let pushed = sender.push(pair(3)).is_ok();
        let mut receiver = reader.join().unwrap();
        assert_eq!(receiver.pop().as_deref(), Some(&(2, 2)));
        assert_eq!(receiver.pop().is_some(), pushed);
    });
}

#[test]
fn what_senders_pushed_before_they_went_is_popped() {
    model(|| {
        let (mut sender, mut receiver) = channel(2);
        let mut other = sender.clone();
        // Brings the reader there at the right time, and hands nothing over.
        let gone = Arc::new(AtomicBool::new(false));
        let seen_gone = Arc::clone(&gone);
        let reader = thread::spawn(move || {
            while !seen_gone.load(Ordering::Relaxed) {
                thread::yield_now();
            }
            if receiver.is_closed() {
                assert_eq!(receiver.pop().as_deref(), Some(&(1, 1)));
                assert_eq!(receiver.pop().as_deref(), Some(&(2, 2)));
                assert_eq!(receiver.pop(), None);
            }
        });
        other.push(pair(1)).unwrap();
        drop(other);
        sender.push(pair(2)).unwrap();
        drop(sender);
        gone.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
}

#[test]
fn a_channel_closes_with_the_last_of_two_senders() {
    model(|| {
        let (mut sender, mut receiver) = channel(2);
        let mut other = sender.clone();
        let first = thread::spawn(move || sender.push(pair(1)).unwrap());
        let second = thread::spawn(move || other.push(pair(2)).unwrap());
        if receiver.is_closed() {
            let mut seen: Vec<_> = std::iter::from_fn(|| receiver.pop()).collect();
            seen.sort();
            assert_eq!(seen, [pair(1), pair(2)]);
        }
        first.join().unwrap();
        second.join().unwrap();
        assert!(receiver.is_closed());
    });
}

#[test]
fn two_senders_never_get_the_same_slot_nor_one_too_many() {
    model(|| {
        let (mut sender, mut receiver) = channel(2);
        sender.push(pair(1)).unwrap();
        let mut other = sender.clone();
        // One slot is left, and both want it.
        let first = thread::spawn(move || sender.push(pair(2)).is_ok());
        let second = thread::spawn(move || other.push(pair(3)).is_ok());
        let (first, second) = (first.join().unwrap(), second.join().unwrap());
        assert!(first ^ second, "one of them and not both");
        assert_eq!(receiver.pop().as_deref(), Some(&(1, 1)));
        assert_eq!(*receiver.pop().unwrap(), if first { (2, 2) } else { (3, 3) });
        assert_eq!(receiver.pop(), None);
    });
}

#[test]
fn a_sender_that_has_claimed_and_not_published_holds_no_other_sender_up() {
    model(|| {
        let (mut sender, mut receiver) = channel(4);
        let mut other = sender.clone();
        let slow = thread::spawn(move || sender.push(pair(1)).unwrap());
        // Wherever the other one is, this comes to an end, and with room.
        other.push(pair(2)).unwrap();
        // The receiver may find a slot claimed and unfilled; it looks elsewhere and comes back.
        let mut seen: Vec<_> = receiver.pop().into_iter().collect();
        slow.join().unwrap();
        seen.extend(std::iter::from_fn(|| receiver.pop()));
        assert_eq!(seen.len(), 2);
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
