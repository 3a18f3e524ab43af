//! The operator against a naive recomputation, record by record as the semantics are worded.

use std::{collections::BTreeMap, time::Duration};

use nacreous_watermark::BoundedDisorder;

use super::*;
use crate::{
    Stats, WindowResult,
    algorithm::{FingerTree, TwoStacks, using},
    stats,
    window::budget::advance,
};

type Value = Keyed<u8, i64>;

/// All values and how often each was there: a group, of which also the least and the greatest are known.
#[derive(Debug, Clone)]
pub(super) struct Census;

impl Aggregate<i64> for Census {
    type Acc = BTreeMap<i64, u64>;
    type Out = Stats;
    type Algebra = crate::AbelianGroup;

    fn lift(&self, value: &i64, _: Timestamp) -> Self::Acc {
        BTreeMap::from([(*value, 1)])
    }

    fn combine(&self, acc: &mut Self::Acc, other: &Self::Acc) {
        other.iter().for_each(|(value, count)| *acc.entry(*value).or_insert(0) += count);
    }

    fn finish(&self, acc: Self::Acc) -> Stats {
        let (min, max) = (*acc.keys().next().unwrap(), *acc.keys().next_back().unwrap());
        let sum = acc.iter().map(|(value, count)| i128::from(*value) * i128::from(*count)).sum();
        Stats { count: acc.values().sum(), sum, min, max }
    }
}

impl crate::Group<i64> for Census {
    fn subtract(&self, acc: &mut Self::Acc, other: &Self::Acc) {
        for (value, count) in other {
            let left = acc.get_mut(value).expect("what is taken out has been put in");
            *left -= count;
            if *left == 0 {
                acc.remove(value);
            }
        }
    }
}

/// An output that takes `room` records at a time.
struct Narrow {
    seen: Vec<Record<Windowed<u8, i64, Stats>>>,
    room: usize,
}

impl Emit<Windowed<u8, i64, Stats>> for Narrow {
    fn emit(&mut self, record: Record<Windowed<u8, i64, Stats>>) {
        self.room = self.room.saturating_sub(1);
        self.seen.push(record);
    }

    fn has_room(&self) -> bool {
        self.room > 0
    }
}

#[derive(Debug, Default, PartialEq)]
struct Outcome {
    /// Count, sum, min, max by window start, window end and key.
    results: BTreeMap<(i64, i64, u8), (u64, i128, i64, i64)>,
    late: Vec<(i64, u8, i64)>,
    missed: u64,
    on_time: u64,
}

/// What the semantics say, word for word: each record into each of its windows not yet closed.
fn naive(input: &[(i64, u8, i64)], size: i64, every: i64, disorder: i64) -> Outcome {
    let mut outcome = Outcome::default();
    let mut watermark = i128::MIN;
    for &(time, key, value) in input {
        let last = time.div_euclid(every) * every;
        let starts = (0..).map(|back| last - back * every).take_while(|start| start + size > time);
        let mut open = 0;
        for start in starts {
            if i128::from(start + size) <= watermark {
                outcome.missed += 1;
                continue;
            }
            open += 1;
            let cell =
                outcome.results.entry((start, start + size, key)).or_insert((0, 0, i64::MAX, i64::MIN));
            *cell = (cell.0 + 1, cell.1 + i128::from(value), cell.2.min(value), cell.3.max(value));
        }
        if open == 0 {
            outcome.late.push((time, key, value));
        } else {
            outcome.on_time += 1;
        }
        watermark = watermark.max(i128::from(time) - i128::from(disorder));
    }
    outcome
}

fn run<A: Aggregate<i64, Out = Stats>>(
    aggregate: A,
    input: &[(i64, u8, i64)],
    (size, every, disorder): (i64, i64, i64),
    room: usize,
) -> Outcome {
    let nanos = |n: i64| Duration::from_nanos(n.unsigned_abs());
    let windows = Sliding::new(nanos(size), nanos(every)).unwrap();
    let mut source = BoundedDisorder::new(nanos(disorder)).unwrap();
    let mut fold = WindowFold::new(windows, aggregate);
    let mut out = Narrow { seen: Vec::new(), room };
    // Slice by slice, in the order in which they first come there. (What is late does not.)
    let mut firsts = BTreeMap::new();
    let advance = |fold: &mut WindowFold<_, A, i64>, out: &mut Narrow, watermark| {
        while fold.on_watermark(watermark, out) == Step::More {
            assert_eq!(out.room, 0, "stopped although there was room");
            out.room = room;
        }
        assert_eq!(fold.on_watermark(watermark, out), Step::Done, "a second time it has nothing to do");
    };
    for &(time, key, value) in input {
        let record: Record<Value> = Record { time: Timestamp::from_nanos(time), value: Keyed { key, value } };
        let (record_time, late_before) = (record.time, fold.tally().late);
        fold.on_record(record, &mut out);
        if fold.tally().late == late_before {
            let (next, slice) = (firsts.len(), windows.slice_at(record_time));
            firsts.entry((slice, key)).or_insert((next, source.watermark()));
        }
        source.observe(record_time);
        advance(&mut fold, &mut out, source.watermark());
    }
    advance(&mut fold, &mut out, Watermark::END);

    let carries_over = size > every;
    let tally = fold.tally();
    let mut outcome = Outcome { missed: tally.missed_windows, on_time: tally.on_time, ..Outcome::default() };
    let mut latest = (Timestamp::MIN, None);
    for Record { time, value } in out.seen {
        match value {
            Windowed::Late(late) => outcome.late.push((time.as_nanos(), late.key, late.value)),
            Windowed::Result(WindowResult { window, key, value, kind, number }) => {
                assert_eq!((kind, number), (ResultKind::OnTime, 0));
                let in_window = |slice: SliceNumber| {
                    let (start, _) = windows.extent(slice);
                    (window.start.as_nanos()..window.end.as_nanos()).contains(&start)
                };
                let of_key = firsts.iter().filter(|((slice, of), (_, watermark))| {
                    *of == key && in_window(*slice) && *watermark < Watermark::at(window.end)
                });
                let first = of_key.map(|((slice, _), (first, _))| (*slice, *first)).min();
                // Where a window takes over what the one before came to, it takes over their order as well.
                let first = if carries_over { None } else { first };
                let at = (window.end, first);
                assert!(at > latest || (carries_over && at == latest), "windows, and keys as they appeared");
                latest = at;
                assert_eq!(time.as_nanos(), window.end.as_nanos() - 1);
                let at = (window.start.as_nanos(), window.end.as_nanos(), key);
                let figures = (value.count, value.sum, value.min, value.max);
                assert_eq!(outcome.results.insert(at, figures), None, "one result a window and key");
            }
        }
    }
    assert_eq!(tally.results, outcome.results.len() as u64);
    assert_eq!(tally.late, outcome.late.len() as u64);
    outcome
}

#[test]
fn any_windows_under_any_disorder_agree_with_the_naive_recomputation() {
    for seed in 0..1_500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let size = random.i64(1..60);
        let every = random.i64(1..=size);
        let disorder = random.i64(0..80);
        let jumps = random.bool();
        let mut now = random.i64(-500..500);
        let input: Vec<_> = (0..random.usize(0..300))
            .map(|_| {
                now += if jumps && random.u8(..) < 4 { random.i64(0..5_000) } else { random.i64(0..6) };
                (now - random.i64(0..100) * i64::from(random.bool()), random.u8(0..5), random.i64(-9..9))
            })
            .collect();
        let room = random.usize(1..8);
        let windows = (size, every, disorder);
        let expected = naive(&input, size, every, disorder);
        let found = run(stats(|n: &i64| *n), &input, windows, room);
        assert_eq!(found, expected, "seed {seed}: size, every, disorder {windows:?}");
        let found = run(Census, &input, windows, room);
        assert_eq!(found, expected, "as a group, seed {seed}: size, every, disorder {windows:?}");
        let found = run(using(TwoStacks, Census), &input, windows, room);
        assert_eq!(found, expected, "by two stacks, seed {seed}: size, every, disorder {windows:?}");
        let found = run(using(FingerTree, Census), &input, windows, room);
        assert_eq!(found, expected, "by trees, seed {seed}: size, every, disorder {windows:?}");
    }
}

#[test]
fn a_watermark_that_jumps_over_a_billion_empty_windows_takes_no_time() {
    let hour = 3_600_000_000_000;
    let input = [(0, 1, 1), (hour * 10_000, 1, 2)];
    let outcome = run(stats(|n: &i64| *n), &input, (1_000, 1_000, 0), 1);
    assert_eq!(outcome.results.len(), 2);
    let outcome = run(Census, &input, (1_000, 100, 0), 1);
    assert_eq!(outcome.results.len(), 20);
}

#[test]
fn records_at_the_ends_of_time_are_counted() {
    for time in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
        for (size, every) in [(1, 1), (10, 3), (i64::MAX, i64::MAX)] {
            let nanos = |n: i64| Duration::from_nanos(n.unsigned_abs());
            let mut fold = WindowFold::new(Sliding::new(nanos(size), nanos(every)).unwrap(), crate::count());
            let mut out = Vec::new();
            let value = Keyed { key: 1_u8, value: () };
            fold.on_record(Record { time: Timestamp::from_nanos(time), value }, &mut out);
            advance(&mut fold, Watermark::END, &mut out);
            assert!(!out.is_empty(), "lost at {time} with {size} every {every}");
        }
    }
}

#[test]
fn tables_grow_with_the_keys_while_slices_are_open() {
    let windows = Sliding::new(Duration::from_nanos(20), Duration::from_nanos(10)).unwrap();
    let mut fold = WindowFold::new(windows, crate::count());
    let mut out = Vec::new();
    for time in [5, 15, 5] {
        for key in 0..5_000_u32 {
            fold.on_record(
                Record { time: Timestamp::from_nanos(time), value: Keyed { key, value: () } },
                &mut out,
            );
        }
    }
    advance(&mut fold, Watermark::END, &mut out);
    let counts: Vec<u64> = out
        .iter()
        .map(|record| match &record.value {
            Windowed::Result(result) => result.value,
            Windowed::Late(_) => panic!("nothing is late"),
        })
        .collect();
    assert_eq!(counts.len(), 15_000);
    assert!(counts[..5_000].iter().all(|count| *count == 2), "window [-10, 10)");
    assert!(counts[5_000..10_000].iter().all(|count| *count == 3), "window [0, 20)");
    assert!(counts[10_000..].iter().all(|count| *count == 1), "window [10, 30)");
}

mod growth;
mod lateness;
mod merged;

#[test]
fn records_of_many_keys_are_in_their_windows_whether_the_keys_were_expected_or_not() {
    const SIZE: i64 = 1_000;
    const KEYS: u64 = 20_000;
    for expected in [16, 20_000] {
        let mut random = fastrand::Rng::with_seed(expected as u64);
        let windows = Sliding::tumbling(Duration::from_nanos(SIZE.unsigned_abs())).unwrap();
        let limits = KeyLimits { expected, ..KeyLimits::default() };
        let mut fold = WindowFold::new(windows, crate::sum(|n: &i64| *n)).with_limits(limits);
        let (mut out, mut sums, mut late, mut on_time) = (Vec::new(), BTreeMap::new(), 0, 0);
        let mut closed = i64::MIN;
        for n in 0..200_000_i64 {
            if n % 7 == 0 {
                while fold.prepare(7) == Prepared::Waiting {}
            }
            // All keys first, so that the rest is many; then at random, back and forth between windows.
            let key = if n < KEYS.cast_signed() { n.unsigned_abs() } else { random.u64(0..KEYS) };
            let time = n / 20 - random.i64(0..1_500);
            let record = Record { time: Timestamp::from_nanos(time), value: Keyed { key, value: n } };
            fold.on_record(record, &mut out);
            let end = (time.div_euclid(SIZE) + 1) * SIZE;
            if end <= closed {
                late += 1;
            } else {
                on_time += 1;
                *sums.entry((end, key)).or_insert(0) += n;
            }
            assert_eq!((fold.tally().on_time, fold.tally().late), (on_time, late));
            if n % 10_007 == 0 {
                closed = n / 20 - 1_000;
                advance(&mut fold, Watermark::at(Timestamp::from_nanos(closed)), &mut out);
            }
        }
        advance(&mut fold, Watermark::END, &mut out);
        let results = out.iter().filter_map(|record| match &record.value {
            Windowed::Result(result) => Some(((result.window.end.as_nanos(), result.key), result.value)),
            Windowed::Late(_) => None,
        });
        assert_eq!(results.collect::<BTreeMap<_, _>>(), sums);
    }
}
