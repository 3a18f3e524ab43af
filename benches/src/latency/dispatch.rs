//! How long it takes to send ten thousand numbers off, each by its own hash, over eight lanes.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use nacreous::{Dispatch, Latencies, prelude::*};
use nacreous_operators::hash_key;

const SENT: usize = 10_000;
const LANES: usize = 8;
const TIMES: usize = 2_000;

/// By an exchange, which hands all batches on.
pub(super) fn ours() -> Latencies {
    let mut exchange = Dispatch::new(LANES, JobOptions::DEFAULT.batch);
    repeat(|numbers, sum| {
        let took = time(|| assert!(exchange.send(numbers), "there is room for a few batches a lane"));
        assert_eq!(exchange.receive(), (SENT as u64, sum), "all of it arrives");
        took
    })
}

/// By a loop that pushes them to the end of vectors long enough, and hands nothing on.
pub(super) fn by_hand() -> Latencies {
    let mut lanes = [const { Vec::new() }; LANES];
    lanes.iter_mut().for_each(|lane| lane.reserve_exact(SENT));
    repeat(|numbers, sum| {
        let took = time(|| push(numbers, &mut lanes));
        let arrived = lanes.iter_mut().flat_map(|lane| lane.drain(..));
        let arrived = arrived.fold(0_u64, |sum, record| sum.wrapping_add(record.value.value));
        assert_eq!(arrived, sum, "all of it arrives");
        took
    })
}

#[inline(never)]
fn push(numbers: &[u64], lanes: &mut [Vec<Record<Keyed<u64, u64>>>; LANES]) {
    for &number in numbers {
        let lane = hash_key(&number) >> (u64::BITS - LANES.ilog2());
        let value = Keyed { key: number, value: number };
        lanes[usize::try_from(lane).expect("one of eight")]
            .push(Record { time: Timestamp::from_nanos(0), value });
    }
}

fn time(act: impl FnOnce()) -> Duration {
    let began = Instant::now();
    act();
    began.elapsed()
}

/// Sends the same numbers, whose sum is said as well, again and again.
fn repeat(mut send: impl FnMut(&[u64], u64) -> Duration) -> Latencies {
    let mut random = fastrand::Rng::with_seed(48);
    let numbers: Vec<u64> = (0..SENT).map(|_| random.u64(..)).collect();
    let sum = numbers.iter().fold(0_u64, |sum, number| sum.wrapping_add(*number));
    let mut latencies = Latencies::default();
    for turn in 0..TIMES + TIMES / 10 {
        let took = send(black_box(&numbers), sum);
        if turn >= TIMES / 10 {
            latencies.record(took);
        }
    }
    latencies
}
