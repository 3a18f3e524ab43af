//! Sessions as they are at an end, and their keys.

use std::collections::BTreeMap;

use super::*;
use crate::{
    CommutativeMonoid,
    interleaving::{Arrival, Input, judged, play, random_input},
    narrow::Narrow,
};

/// How many records, and what their times come to.
#[derive(Debug, Clone)]
struct Times;

impl Aggregate<u32> for Times {
    type Acc = (u64, i128);
    type Out = (u64, i128);
    type Algebra = CommutativeMonoid;

    fn lift(&self, _: &u32, time: Timestamp) -> Self::Acc {
        (1, time.as_nanos().into())
    }

    fn combine(&self, acc: &mut Self::Acc, other: &Self::Acc) {
        *acc = (acc.0 + other.0, acc.1 + other.1);
    }

    fn finish(&self, acc: Self::Acc) -> Self::Out {
        acc
    }
}

type Said = WindowResult<u32, (u64, i128)>;

/// What is said of sessions with this gap that are kept for so long, the inputs interleaved at random.
fn run(gap: i64, allowed: i64, inputs: &[Input<u32>], random: &mut fastrand::Rng) -> Vec<Said> {
    let nanos = |nanos: i64| Duration::from_nanos(nanos.unsigned_abs());
    let fold = SessionFold::new(Session::with_gap(nanos(gap)).unwrap(), Times, KeyLimits::default());
    let mut fold = fold.with_lateness(nanos(allowed).try_into().unwrap(), true);
    let mut out = Narrow::new(random.usize(1..6));
    play(inputs, &mut fold, &mut out, random, |key| Keyed { key, value: key });
    let said = out.seen.into_iter().map(|record| match record.value {
        Windowed::Result(result) => result,
        Windowed::Late(_) => panic!("nothing is late"),
    });
    said.collect()
}

/// Sorted: what is left when everything that was taken back is taken out.
#[test]
fn with_unlimited_lateness_what_stands_in_the_end_is_what_sorted_records_fall_into() {
    for seed in 0..500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (gap, keys) = (random.i64(1..60), 1 << random.u32(0..4));
        let inputs: Vec<_> = (0..random.usize(1..4))
            .map(|_| random_input(&mut random, |random| random.u32(0..keys)))
            .collect();
        let mut times: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
        judged(&inputs).into_iter().for_each(|(time, key, _)| times.entry(key).or_default().push(time));
        let mut expected = Vec::new();
        for (key, mut times) in times {
            times.sort_unstable();
            expected.extend(times.chunk_by(|one, next| next - one < gap).map(|run| {
                let sum = run.iter().map(|time| i128::from(*time)).sum::<i128>();
                (key, run[0], run[run.len() - 1] + gap, (run.len() as u64, sum))
            }));
        }
        let mut standing = Vec::new();
        for Said { window, key, value, kind, .. } in run(gap, i64::MAX, &inputs, &mut random) {
            let said = (key, window.start.as_nanos(), window.end.as_nanos(), value);
            if kind == ResultKind::Retraction {
                let last = standing.iter().rposition(|before| *before == said);
                standing.remove(last.expect("what is taken back was said"));
            } else {
                standing.push(said);
            }
        }
        standing.sort_unstable();
        assert_eq!(standing, expected, "seed {seed}, gap {gap}");
    }
}

fn said(gap: i64, arrivals: &[(i64, bool)]) -> Vec<(i64, i64, u64)> {
    let arrival = |&(at, is_record): &(i64, bool)| {
        if is_record { Arrival::Record(at, 0) } else { Arrival::Watermark(at) }
    };
    let inputs = [arrivals.iter().map(arrival).collect::<Vec<_>>()];
    let said = run(gap, 0, &inputs, &mut fastrand::Rng::with_seed(1));
    said.iter().map(|said| (said.window.start.as_nanos(), said.window.end.as_nanos(), said.value.0)).collect()
}

#[test]
fn a_record_one_gap_after_the_last_begins_a_session_and_one_just_before_does_not() {
    assert_eq!(said(10, &[(0, true), (10, true)]), [(0, 10, 1), (10, 20, 1)]);
    assert_eq!(said(10, &[(0, true), (9, true)]), [(0, 19, 2)]);
    assert_eq!(said(10, &[(9, true), (0, true), (19, true)]), [(0, 19, 2), (19, 29, 1)]);
}

#[test]
fn one_record_joins_two_sessions() {
    assert_eq!(said(10, &[(0, true), (15, true), (7, true)]), [(0, 25, 3)]);
    // It is behind the watermark, further than a gap, but the session it belongs to is open.
    assert_eq!(said(10, &[(20, true), (15, true), (7, true), (25, false), (0, true)]), [(0, 30, 4)]);
}

#[test]
fn times_at_the_extremes_are_counted() {
    let (first, last) = (i64::MIN, i64::MAX);
    assert_eq!(said(10, &[(last, true)]), [(last, last, 1)]);
    let expected = [(first, first + 11, 2), (last - 1, last, 2)];
    assert_eq!(said(10, &[(first, true), (last, true), (last - 1, true), (first + 1, true)]), expected);
    // What ends with time is on time until the stream has ended.
    let nearly_ended = [Arrival::Watermark(last - 1), Arrival::Record(last, 0)];
    let results = run(10, 0, &[nearly_ended.to_vec()], &mut fastrand::Rng::with_seed(1));
    assert_eq!(results.iter().map(|result| result.kind).collect::<Vec<_>>(), [ResultKind::OnTime]);
    let longest = said(i64::MAX, &[(first, true), (0, true), (last, true)]);
    assert_eq!(longest.iter().map(|(.., count)| count).sum::<u64>(), 3);
}

#[test]
fn keys_without_a_session_do_not_count_towards_the_limit() {
    let limits = KeyLimits { expected: 16, most: 50 };
    let session = Session::with_gap(Duration::from_nanos(100)).unwrap();
    let mut fold = SessionFold::new(session, Times, limits);
    let mut out = Narrow::new(usize::MAX);
    for key in 0..10_000_u32 {
        let at = i64::from(key) * 10;
        let time = Timestamp::from_nanos(at);
        fold.on_record(Record { time, value: Keyed { key, value: key } }, &mut out);
        out.advance(&mut fold, Watermark::at(time));
        assert_eq!(fold.fault(), None, "key {key}");
    }
    out.advance(&mut fold, Watermark::END);
    assert_eq!(out.seen.len(), 10_000);
}

/// Puts values one behind the other, so that the order in which they come shows.
#[derive(Clone)]
struct InTurn;

impl Aggregate<u32> for InTurn {
    type Acc = Vec<u32>;
    type Out = Vec<u32>;
    type Algebra = CommutativeMonoid;

    fn lift(&self, value: &u32, _: Timestamp) -> Vec<u32> {
        vec![*value]
    }

    fn combine(&self, acc: &mut Vec<u32>, other: &Vec<u32>) {
        acc.extend(other);
    }

    fn finish(&self, acc: Vec<u32>) -> Vec<u32> {
        acc
    }
}

#[test]
fn what_a_key_comes_to_in_between_does_not_depend_on_the_others() {
    let session = Session::with_gap(Duration::from_nanos(10)).unwrap();
    let of_the_first = |others: u32, seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut fold = SessionFold::new(session, InTurn, KeyLimits::default());
        fold = fold.with_lateness(Duration::from_nanos(1_000).try_into().unwrap(), false);
        let mut out = Narrow::new(usize::MAX);
        for n in 0..300_u32 {
            // Many are late, and of one instant.
            let time = i64::from(n / 4) - 40 * i64::from(n % 3 > 0);
            for key in 0..=others {
                if key == 0 || random.bool() {
                    let value = Keyed { key, value: n };
                    fold.on_record(Record { time: Timestamp::from_nanos(time / 5 * 5), value }, &mut out);
                }
            }
            if n % 20 == 0 {
                out.advance(&mut fold, Watermark::at(Timestamp::from_nanos(i64::from(n / 4))));
            }
        }
        out.advance(&mut fold, Watermark::END);
        let said = out.seen.into_iter().filter_map(|record| match record.value {
            Windowed::Result(result) => (result.key == 0).then_some((record.time, result)),
            Windowed::Late(_) => None,
        });
        said.collect::<Vec<_>>()
    };
    let alone = of_the_first(0, 0);
    assert!(alone.iter().filter(|(_, said)| said.kind == ResultKind::Correction).count() > 50);
    for seed in 0..20 {
        assert_eq!(of_the_first(7, seed), alone, "seed {seed}");
    }
}
