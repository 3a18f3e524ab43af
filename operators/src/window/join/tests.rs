//! The operator against the definition, for many interleavings of the same inputs.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::*;
use crate::{
    TimeWindow,
    interleaving::{Input, judged, play, random_input},
    narrow::Narrow,
    supply::tests::{Late, Never},
};

mod divisions;

/// A record's name, key and side.
type Item = (u32, u8, bool);

/// Values that cannot be copied.
struct Left(u32);
struct Right(u32);

type Output = Windowed<u8, Either<Left, Right>, (u32, u32)>;

#[derive(Debug, Default, PartialEq)]
struct Outcome {
    /// Window end, window start, key, left record, right record.
    pairs: BTreeSet<(i64, i64, u8, u32, u32)>,
    late: BTreeSet<u32>,
    on_time: u64,
    missed: u64,
}

/// What the semantics say, word for word.
fn naive(inputs: &[Input<Item>], size: i64, every: i64) -> Outcome {
    let mut outcome = Outcome::default();
    let mut windows = Vec::new();
    for (time, (name, key, left), judge) in judged(inputs) {
        let last = time.div_euclid(every) * every;
        let starts = (0..).map(|back| last - back * every).take_while(|start| start + size > time);
        let (open, closed): (Vec<_>, Vec<_>) = starts.partition(|start| start + size > judge);
        outcome.missed += closed.len() as u64;
        if open.is_empty() {
            outcome.late.insert(name);
        } else {
            outcome.on_time += 1;
        }
        windows.extend(open.into_iter().map(|start| (start, key, left, name)));
    }
    for (start, key, _, left) in windows.iter().filter(|member| member.2) {
        let same = |member: &&(i64, u8, bool, u32)| (member.0, member.1, member.2) == (*start, *key, false);
        for (.., right) in windows.iter().filter(same) {
            outcome.pairs.insert((start + size, *start, *key, *left, *right));
        }
    }
    outcome
}

fn run(inputs: &[Input<Item>], size: i64, every: i64, random: &mut fastrand::Rng) -> Outcome {
    let nanos = |n: i64| Duration::from_nanos(n.unsigned_abs());
    let windows = Sliding::new(nanos(size), nanos(every)).unwrap();
    let join = |left: &Left, right: &Right| (left.0, right.0);
    let limits = KeyLimits { expected: 1 << random.u32(0..18), ..KeyLimits::default() };
    let mut join = WindowJoin::new(limits, windows, join);
    let mut out = Narrow::new(random.usize(1..6));
    let make = |(name, key, left): Item| {
        let value = if left { Either::Left(Left(name)) } else { Either::Right(Right(name)) };
        Keyed { key, value }
    };
    let order = play(inputs, &mut join, &mut out, random, make);
    assert_eq!((join.left.len(), join.right.len()), (0, 0), "nothing is kept");

    let tally = join.tally();
    let mut outcome = Outcome { on_time: tally.on_time, missed: tally.missed_windows, ..Outcome::default() };
    let mut sequence = Vec::new();
    for Record { time, value } in out.seen {
        match value {
            Output::Late(Keyed { value: Either::Left(Left(name)) | Either::Right(Right(name)), .. }) => {
                assert!(outcome.late.insert(name), "late once");
            }
            Output::Result(WindowResult { window, key, value: (left, right), .. }) => {
                let TimeWindow { start, end } = window;
                assert_eq!(time.as_nanos(), end.as_nanos() - 1);
                let pair = (end.as_nanos(), start.as_nanos(), key, left, right);
                assert!(outcome.pairs.insert(pair), "each pair once");
                sequence.push((end, key, left, right));
            }
        }
    }
    let arrived = |name: u32| {
        let (time, ..) = judged(inputs).into_iter().find(|(_, item, _)| item.0 == name).expect("it is known");
        let slice = windows.slice_at(Timestamp::from_nanos(time));
        (slice, order.iter().position(|item| item.0 == name))
    };
    assert!(sequence.is_sorted_by_key(|(end, ..)| *end), "window after window");
    // Stable: the pairs of each window and key are in order.
    sequence.sort_by_key(|(end, key, ..)| (*end, *key));
    assert!(
        sequence.is_sorted_by_key(|&(end, key, left, right)| (end, key, arrived(right), arrived(left))),
        "in order"
    );
    let on_time = order.iter().filter(|item| !outcome.late.contains(&item.0));
    assert_eq!(on_time.count() as u64, tally.on_time);
    assert_eq!((tally.results, tally.late), (outcome.pairs.len() as u64, outcome.late.len() as u64));
    outcome
}

#[test]
fn any_interleaving_gives_the_pairs_of_the_definition() {
    for seed in 0..700 {
        let mut random = fastrand::Rng::with_seed(seed);
        let size = random.i64(1..60);
        let every = if random.bool() { size } else { random.i64((size + 9) / 10..=size) };
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
        let expected = naive(&inputs, size, every);
        for turn in 0..4 {
            let outcome = run(&inputs, size, every, &mut random);
            assert_eq!(outcome, expected, "seed {seed}, turn {turn}: size {size}, every {every}");
        }
    }
}

#[test]
fn chunks_are_used_again_and_a_clone_is_empty() {
    let windows = Sliding::new(Duration::from_nanos(20), Duration::from_nanos(5)).unwrap();
    let mut join = WindowJoin::new(KeyLimits::default(), windows, |left: &i64, right: &i64| left + right);
    let mut out = Vec::new();
    for time in 0..50_000 {
        let value = if time % 2 == 0 { Either::Left(time) } else { Either::Right(time) };
        join.on_record(
            Record { time: Timestamp::from_nanos(time), value: Keyed { key: (), value } },
            &mut out,
        );
        assert_eq!(join.on_watermark(Watermark::at(Timestamp::from_nanos(time)), &mut out), Step::Done);
        out.clear();
    }
    assert!(join.left.chunks() <= 12 && join.right.chunks() <= 12, "a few for each slice open");
    assert!(join.left.len() > 0);
    let clone = join.clone();
    assert_eq!((clone.left.len(), clone.slices.len(), clone.tally()), (0, 0, Tally::default()));
}

#[test]
fn memory_is_there_for_whoever_heeds_it_and_many_records_of_a_key_find_each_other() {
    for seed in 0..20 {
        let mut random = fastrand::Rng::with_seed(seed);
        let windows = Sliding::new(Duration::from_nanos(30), Duration::from_nanos(10)).unwrap();
        let limits = KeyLimits { expected: 16, ..KeyLimits::default() };
        let mut join = WindowJoin::new(limits, windows, |(): &(), (): &()| ());
        let mut supplies = Late::new(seed);
        match seed % 4 {
            0 => join.connect(&mut Never),
            _ => join.connect(&mut supplies),
        }
        let mut out = Vec::new();
        let mut counts = BTreeMap::<_, [u64; 2]>::new();
        for round in 0..100_i64 {
            while join.prepare(100) == Prepared::Waiting && seed % 4 != 0 {}
            let memory = (join.left.memory(), join.right.memory());
            for _ in 0..100 {
                // One key has far more of the records than any other.
                let key = if random.u8(..) < 20 { 0 } else { random.i64(0..=round * 10) };
                let time = round / 10 + random.i64(0..10);
                let (side, value) =
                    if random.bool() { (0, Either::Left(())) } else { (1, Either::Right(())) };
                let value = Keyed { key, value };
                join.on_record(Record { time: Timestamp::from_nanos(time), value }, &mut out);
                let last = time.div_euclid(10);
                (last - 2..=last).for_each(|window| counts.entry((window, key)).or_default()[side] += 1);
            }
            assert!(seed % 4 == 0 || (join.left.memory(), join.right.memory()) == memory, "made on the spot");
        }
        assert_eq!(join.on_watermark(Watermark::END, &mut out), Step::Done);
        let pairs: u64 = counts.values().map(|[left, right]| left * right).sum();
        assert_eq!((out.len() as u64, join.tally().results), (pairs, pairs), "seed {seed}");
    }
}

#[test]
fn records_at_the_ends_of_time_are_joined() {
    for time in [i64::MIN, i64::MAX - 1, i64::MAX] {
        for (size, every) in [(1, 1), (10, 3), (i64::MAX, i64::MAX)] {
            let nanos = |n: i64| Duration::from_nanos(n.unsigned_abs());
            let windows = Sliding::new(nanos(size), nanos(every)).unwrap();
            let mut join = WindowJoin::new(KeyLimits::default(), windows, |(): &(), (): &()| ());
            let mut out = Vec::new();
            for value in [Either::Left(()), Either::Right(())] {
                let value = Keyed { key: 1_u8, value };
                join.on_record(Record { time: Timestamp::from_nanos(time), value }, &mut out);
            }
            assert_eq!(join.on_watermark(Watermark::END, &mut out), Step::Done);
            assert!(!out.is_empty(), "lost at {time} with {size} every {every}");
        }
    }
}

/// A key that has the hash of all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Alike(u32);

impl Hash for Alike {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

#[test]
fn keys_with_the_same_hash_are_told_apart() {
    const KEYS: u32 = 40;
    let windows = Sliding::tumbling(Duration::from_nanos(10)).unwrap();
    for most in [KEYS as usize - 1, KEYS as usize, usize::MAX] {
        let limits = KeyLimits { most, ..KeyLimits::default() };
        let mut join = WindowJoin::new(limits, windows, |left: &u32, right: &u32| (*left, *right));
        let mut out = Narrow::new(7);
        // Twice on either side, more than are compared at once and than fit the output.
        for key in (0..KEYS).chain(0..KEYS) {
            for value in [Either::Left(key), Either::Right(key)] {
                let value = Keyed { key: Alike(key), value };
                join.on_record(Record { time: Timestamp::from_nanos(5), value }, &mut out);
            }
        }
        out.advance(&mut join, Watermark::END);
        let within = most >= KEYS as usize;
        assert_eq!(join.fault(), (!within).then_some(Fault::TooManyKeys { most }));
        assert_eq!(out.seen.len(), if within { 4 * KEYS as usize } else { 0 });
        for record in out.seen {
            let Windowed::Result(WindowResult { key, value, .. }) = record.value else { panic!("late") };
            assert_eq!(value, (key.0, key.0));
        }
    }
}
