//! The interval join against the definition, for many interleavings of the same inputs.

use std::collections::BTreeSet;

use super::*;
use crate::{
    interleaving::{Input, judged, play, random_input},
    narrow::Narrow,
};

/// A record's name, key and side.
type Item = (u32, u8, bool);

/// Values that cannot be copied.
struct Left(u32);
struct Right(u32);

#[derive(Debug, Default, PartialEq)]
struct Outcome {
    /// Time, key, left record, right record.
    pairs: BTreeSet<(i64, u8, u32, u32)>,
    late: BTreeSet<u32>,
    on_time: u64,
}

fn offset(nanos: i64) -> Offset {
    let duration = Duration::from_nanos(nanos.unsigned_abs());
    if nanos < 0 { Offset::Before(duration) } else { Offset::After(duration) }
}

/// What the semantics say, word for word.
fn naive(inputs: &[Input<Item>], lower: i64, upper: i64) -> Outcome {
    let mut outcome = Outcome::default();
    let (late, on_time): (Vec<_>, Vec<_>) =
        judged(inputs).into_iter().partition(|(time, _, judge)| time < judge);
    outcome.late.extend(late.iter().map(|(_, item, _)| item.0));
    outcome.on_time = on_time.len() as u64;
    for (left_time, left, _) in on_time.iter().filter(|record| record.1.2) {
        for (right_time, right, _) in on_time.iter().filter(|record| !record.1.2) {
            if left.1 == right.1 && (left_time + lower..=left_time + upper).contains(right_time) {
                outcome.pairs.insert((*left_time.max(right_time), left.1, left.0, right.0));
            }
        }
    }
    outcome
}

fn run(inputs: &[Input<Item>], interval: Interval, random: &mut fastrand::Rng) -> Outcome {
    let join = |left: &Left, right: &Right| (left.0, right.0);
    let mut join = IntervalJoin::new(KeyLimits::default(), interval, join);
    let mut out = Narrow::new(1);
    let make = |(name, key, left): Item| {
        let value = if left { Either::Left(Left(name)) } else { Either::Right(Right(name)) };
        Keyed { key, value }
    };
    play(inputs, &mut join, &mut out, random, make);
    assert_eq!((join.left.len(), join.right.len()), (0, 0), "nothing is kept");

    let tally = join.tally();
    let mut outcome = Outcome { on_time: tally.on_time, ..Outcome::default() };
    for Record { time, value } in out.seen {
        match value {
            Joined::Late(Keyed { value: Either::Left(Left(name)) | Either::Right(Right(name)), .. }) => {
                assert!(outcome.late.insert(name), "late once");
            }
            Joined::Pair(Keyed { key, value: (left, right) }) => {
                assert!(outcome.pairs.insert((time.as_nanos(), key, left, right)), "each pair once");
            }
        }
    }
    assert_eq!((tally.results, tally.late), (outcome.pairs.len() as u64, outcome.late.len() as u64));
    outcome
}

#[test]
fn any_interleaving_gives_the_pairs_of_the_definition() {
    for seed in 0..1_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let lower = random.i64(-60..60);
        let upper = lower + random.i64(0..60) * i64::from(random.bool());
        let interval = Interval::new(offset(lower), offset(upper)).unwrap();
        let keys = random.u8(1..5);
        let mut name = 0;
        let inputs: Vec<_> = (0..random.usize(1..4))
            .map(|_| {
                random_input(&mut random, |random| {
                    name += 1;
                    (name, random.u8(0..keys), random.bool())
                })
            })
            .collect();
        let expected = naive(&inputs, lower, upper);
        for turn in 0..4 {
            let outcome = run(&inputs, interval, &mut random);
            assert_eq!(outcome, expected, "seed {seed}, turn {turn}: {lower}..={upper}");
        }
    }
}

#[test]
fn a_record_is_kept_exactly_until_no_partner_can_come() {
    let mut random = fastrand::Rng::with_seed(3);
    for (lower, upper) in [(-5, 10), (3, 10), (-10, -3), (0, 0)] {
        let interval = Interval::new(offset(lower), offset(upper)).unwrap();
        let mut join = IntervalJoin::new(KeyLimits::default(), interval, |(): &(), (): &()| ());
        let mut out = Vec::new();
        let mut held: Vec<i64> = Vec::new();
        let mut watermark = 0;
        for _ in 0..20_000 {
            let time = watermark + random.i64(0..20);
            let left = random.bool();
            let value = Keyed {
                key: random.u8(0..3),
                value: if left { Either::Left(()) } else { Either::Right(()) },
            };
            held.push(if left { time + upper } else { time - lower });
            join.on_record(Record { time: Timestamp::from_nanos(time), value }, &mut out);
            watermark += random.i64(0..3);
            let now = Watermark::at(Timestamp::from_nanos(watermark));
            assert_eq!(join.on_watermark(now, &mut out), Step::Done);
            held.retain(|last| *last >= watermark);
            assert_eq!(join.left.len() + join.right.len(), held.len());
            out.clear();
        }
        assert!(join.left.cells() + join.right.cells() < 150, "cells are used again");
        let clone = join.clone();
        assert_eq!((clone.left.len(), clone.keys.len(), clone.tally()), (0, 0, Tally::default()));
    }
}

#[test]
fn records_at_the_ends_of_time_find_each_other() {
    let most = i64::MAX;
    for (left, right, lower, upper) in [
        (i64::MAX, i64::MAX, 0, most),
        (i64::MIN, i64::MIN, -most, 0),
        (i64::MIN, -1, most, most),
        (i64::MAX, 0, -most, -most),
        (i64::MIN, i64::MAX, 0, 0),
        (i64::MAX, i64::MAX, 1, 1),
        (i64::MIN, i64::MIN, -1, -1),
    ] {
        let interval = Interval::new(offset(lower), offset(upper)).unwrap();
        let gap = i128::from(right) - i128::from(left);
        let pairs = usize::from((lower.into()..=upper.into()).contains(&gap));
        for swapped in [false, true] {
            let mut join = IntervalJoin::new(KeyLimits::default(), interval, |(): &(), (): &()| ());
            let mut out = Vec::new();
            let mut records = [(left, Either::Left(())), (right, Either::Right(()))];
            if swapped {
                records.reverse();
            }
            for (nanos, value) in records {
                let value = Keyed { key: 1_u8, value };
                join.on_record(Record { time: Timestamp::from_nanos(nanos), value }, &mut out);
            }
            assert_eq!(out.len(), pairs, "{left} and {right} in {lower}..={upper}");
            assert_eq!(join.on_watermark(Watermark::END, &mut out), Step::Done);
            assert_eq!(join.left.len() + join.right.len(), 0);
        }
    }
}

#[test]
fn impossible_intervals_are_refused() {
    let new = |lower, upper| Interval::new(lower, upper);
    let secs = Duration::from_secs;
    assert!(matches!(new(Offset::After(secs(2)), Offset::After(secs(1))), Err(IntervalError::Empty { .. })));
    assert!(matches!(
        new(Offset::Before(secs(1)), Offset::Before(secs(2))),
        Err(IntervalError::Empty { .. })
    ));
    assert!(matches!(
        new(Offset::Before(secs(10_000_000_000)), Offset::After(secs(1))),
        Err(IntervalError::Span(_))
    ));
    assert!(new(Offset::Before(secs(0)), Offset::After(secs(0))).is_ok());
}

#[test]
fn a_watermark_matters_every_millisecond() {
    let interval = Interval::new(offset(0), offset(9)).unwrap();
    let join = IntervalJoin::<u8, (), (), _>::new(KeyLimits::default(), interval, |(), ()| ());
    let mut edges = nacreous_watermark::Cadence::default();
    edges.add(join.edges());
    let edge = edges.next_after(Watermark::at(Timestamp::from_nanos(1)));
    assert_eq!(edge, Watermark::at(Timestamp::from_nanos(1_000_000)));
}
