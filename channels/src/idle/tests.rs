//! Which step follows which, and that a thread that parks is woken.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::*;
use crate::spsc;

/// The steps of a thread that finds nothing, up to and including its first park.
fn steps(strategy: Strategy) -> Vec<Step> {
    let mut steps = Vec::new();
    for empty_rounds in 0.. {
        let announced = steps.last() == Some(&Step::Announce);
        steps.push(strategy.step(empty_rounds, announced));
        if empty_rounds > 3_000 || matches!(steps[steps.len() - 1], Step::Park(_)) {
            return steps;
        }
    }
    unreachable!("it parks, or the rounds are over")
}

#[test]
fn a_thread_spins_then_yields_then_says_so_and_parks() {
    let steps = steps(Strategy::STEPPED);
    let spins = Strategy::STEPPED.spins as usize;
    assert!(steps[..spins].iter().all(|step| *step == Step::Spin));
    assert_eq!(steps[spins..], [Step::Yield, Step::Announce, Step::Park(PARK)]);
}

#[test]
fn a_frugal_thread_never_spins_and_a_busy_one_does_nothing_else() {
    assert_eq!(steps(Strategy::FRUGAL), [Step::Yield, Step::Announce, Step::Park(PARK)]);
    assert!(steps(Strategy::BUSY).iter().all(|step| *step == Step::Spin));
    let polite = Strategy { spins: 2, yields: 1, park: None };
    assert_eq!(steps(polite)[..5], [Step::Spin, Step::Spin, Step::Yield, Step::Yield, Step::Yield]);
}

#[test]
fn work_sends_a_thread_back_to_the_beginning() {
    let mut idle = Idle::new(Parker::new());
    while !idle.parker.is_announced() {
        idle.wait(Strategy::STEPPED);
    }
    idle.reset();
    assert_eq!((idle.empty_rounds, idle.parker.is_announced()), (0, false));
    assert_eq!(Strategy::STEPPED.step(idle.empty_rounds, false), Step::Spin);
}

#[test]
fn a_park_that_nobody_ends_is_followed_by_another_one_and_not_by_spinning() {
    let brief = Strategy { park: Some(Duration::from_micros(1)), ..Strategy::STEPPED };
    let mut idle = Idle::new(Parker::new());
    for _ in 0..3_000 {
        idle.wait(brief);
    }
    let next = brief.step(idle.empty_rounds, idle.parker.is_announced());
    assert!(matches!(next, Step::Announce | Step::Park(_)), "{next:?}");
}

#[test]
fn a_call_that_is_used_up_by_something_else_that_parks_is_not_lost() {
    let mut idle = Idle::new(Parker::new());
    let waker = idle.parker.waker();
    let for_ever = Strategy { spins: 0, yields: 0, park: Some(FOR_EVER) };
    for _ in 0..3 {
        idle.wait(for_ever);
        assert!(idle.parker.is_announced());
        waker.wake();
        thread::park();
        // Comes back at once, although the token of the call is gone.
        idle.wait(for_ever);
    }
}

/// A park that outlasts the test run: only a waker ends it.
const FOR_EVER: Duration = Duration::from_secs(3_600);

#[test]
fn values_that_trickle_in_wake_a_thread_that_parks_each_time() {
    let frugal = Strategy { park: Some(FOR_EVER), ..Strategy::FRUGAL };
    let (mut sender, mut receiver) = spsc::channel(4);
    let parker = Parker::new();
    let waker = parker.waker();
    let consumer = thread::spawn(move || {
        let mut idle = Idle::new(parker);
        let mut seen = 0;
        while seen < 20_000 {
            match receiver.pop() {
                Some(value) => {
                    assert_eq!(value, seen);
                    seen += 1;
                    idle.reset();
                }
                None => idle.wait(frugal),
            }
        }
    });
    for value in 0..20_000 {
        while sender.push(value).is_err() {
            thread::yield_now();
        }
        waker.wake();
        // Now and then long enough for the other side to fall asleep.
        if value % 64 == 0 {
            let began = Instant::now();
            while began.elapsed() < Duration::from_micros(100) {
                thread::yield_now();
            }
        }
    }
    consumer.join().unwrap();
}

#[test]
fn waking_a_thread_that_is_awake_or_gone_does_nothing() {
    let parker = Parker::new();
    let waker = parker.waker();
    waker.wake();
    let idle = Idle::new(parker);
    waker.wake();
    drop(idle);
    waker.wake();
}
