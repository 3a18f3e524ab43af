//! Parking against waking. A model's park has no time limit: a wake-up that is lost is a deadlock, which loom
//! reports.

use loom::thread;
use nacreous_channels::{
    idle::{Idle, Parker, Strategy},
    spsc::channel,
};

use crate::{Pair, model, pair};

/// Parks at once: no yields, which would only multiply the executions.
const PARK: Strategy = Strategy { yields: 0, ..Strategy::FRUGAL };

#[test]
fn whoever_parks_is_woken() {
    model(|| {
        let (mut sender, mut receiver) = channel::<Pair>(2);
        let parker = Parker::new();
        let waker = parker.waker();
        let reader = thread::spawn(move || {
            let mut idle = Idle::new(parker);
            loop {
                if let Some(value) = receiver.pop() {
                    idle.reset();
                    return value;
                }
                idle.wait(PARK);
            }
        });
        sender.push(pair(1)).unwrap();
        waker.wake();
        assert_eq!(*reader.join().unwrap(), (1, 1));
    });
}

#[test]
fn a_thread_that_parks_again_is_woken_again() {
    model(|| {
        let (mut sender, mut receiver) = channel::<Pair>(2);
        let parker = Parker::new();
        let waker = parker.waker();
        let reader = thread::spawn(move || {
            let mut idle = Idle::new(parker);
            for value in 1..=2 {
                while receiver.pop().inspect(|popped| assert_eq!(**popped, (value, value))).is_none() {
                    idle.wait(PARK);
                }
                idle.reset();
            }
        });
        for value in 1..=2 {
            sender.push(pair(value)).unwrap();
            waker.wake();
        }
        reader.join().unwrap();
    });
}

#[test]
fn of_two_that_publish_neither_is_overlooked() {
    model(|| {
        let (mut a, mut from_a) = channel(1);
        let (mut b, mut from_b) = channel(1);
        let parker = Parker::new();
        let (wakes_a, wakes_b) = (parker.waker(), parker.waker());
        let first = thread::spawn(move || {
            a.push(pair(1)).unwrap();
            wakes_a.wake();
        });
        // A thread of its own: loom takes a wake-up that comes late for the end of a join.
        let reader = thread::spawn(move || {
            let mut idle = Idle::new(parker);
            let mut seen = 0;
            while seen < 2 {
                match from_a.pop().or_else(|| from_b.pop()) {
                    Some(_) => {
                        seen += 1;
                        idle.reset();
                    }
                    None => idle.wait(PARK),
                }
            }
        });
        b.push(pair(2)).unwrap();
        wakes_b.wake();
        first.join().unwrap();
        reader.join().unwrap();
    });
}
