//! Several senders into one channel.
//!
//! On two cores, two senders and a receiver that run all at once would measure the scheduler. So two senders, each
//! on a core of its own, push a burst at the same time, which is where they contend; then one of them takes it all
//! out again, and so on.

use std::{
    hint,
    sync::atomic::{AtomicU64, Ordering},
};

use crossbeam_utils::CachePadded;
use nacreous_channels::mpsc;

use super::{RATE, Record};
use crate::{
    comparison::{Comparison, Outcome, Side},
    two_threads,
};

/// What each sender pushes in one go.
const BURST: u64 = 1_024;
const BURSTS: u64 = 1_024;
/// Room for what both push in one go.
const SLOTS: usize = 2_048;

/// Two senders, value by value, against crossbeam's bounded channel.
pub fn two_crossbeam() -> Comparison {
    let ours: Side = Box::new(|| ours(2));
    Comparison { id: "mpsc-2/single/crossbeam-channel", measure: RATE, ours, rival: Box::new(rival) }
}

/// So many senders: a single one has the second thread to itself, more are shared out between the two.
pub fn ours(senders: usize) -> Outcome {
    let (sender, mut receiver) = mpsc::channel(SLOTS);
    let (ours, theirs) = (vec![sender.clone(); senders / 2], vec![sender; senders.div_ceil(2)]);
    bursts(
        ours.into_iter().map(|mut sender| move |record| sender.push(record).is_ok()).collect(),
        theirs.into_iter().map(|mut sender| move |record| sender.push(record).is_ok()).collect(),
        move || receiver.pop(),
    )
}

fn rival() -> Outcome {
    let (sender, receiver) = crossbeam_channel::bounded(SLOTS);
    let other = sender.clone();
    bursts(
        vec![move |record| sender.try_send(record).is_ok()],
        vec![move |record| other.try_send(record).is_ok()],
        move || receiver.try_recv().ok(),
    )
}

/// Two threads push a burst each, through their senders in turn; the second one pops both, and again.
fn bursts(
    mut push: Vec<impl FnMut(Record) -> bool + Send>,
    mut push_too: Vec<impl FnMut(Record) -> bool + Send>,
    mut pop: impl FnMut() -> Option<Record> + Send,
) -> Outcome {
    // How many bursts each side has finished.
    let pushed = CachePadded::new(AtomicU64::new(0));
    let popped = CachePadded::new(AtomicU64::new(0));
    let sent = [push.len(), push_too.len()].map(|senders| if senders == 0 { 0 } else { BURST });
    let first = || {
        for burst in 0..BURSTS {
            wait_for(&popped, burst);
            push_burst(&mut push, burst * BURST);
            pushed.store(burst + 1, Ordering::Release);
        }
    };
    let second = || {
        let mut digest = 0_u64;
        for burst in 0..BURSTS {
            push_burst(&mut push_too, !(burst * BURST));
            wait_for(&pushed, burst + 1);
            for _ in 0..sent[0] + sent[1] {
                digest = digest.wrapping_add(pop().expect("both bursts are in").digest());
            }
            popped.store(burst + 1, Ordering::Release);
        }
        digest
    };
    let (time, digest) = two_threads::run(first, second);
    Outcome { figure: ((sent[0] + sent[1]) * BURSTS) as f64 / 1e6 / time.as_secs_f64(), digest }
}

#[inline(always)]
fn push_burst(senders: &mut [impl FnMut(Record) -> bool], from: u64) {
    if senders.is_empty() {
        return;
    }
    let per_sender = BURST / senders.len() as u64;
    for number in 0..per_sender {
        for push in &mut *senders {
            assert!(push(Record::new(from.wrapping_add(number))), "there is room");
        }
    }
}

fn wait_for(counter: &AtomicU64, value: u64) {
    while counter.load(Ordering::Acquire) < value {
        hint::spin_loop();
    }
}
