//! Windows that are kept after they have fired, against a naive recomputation of every result that is to come.

use std::{collections::BTreeMap, time::Duration};

use nacreous_watermark::BoundedDisorder;

use super::*;
use crate::{
    WindowResult,
    algorithm::{FingerTree, using},
    narrow::Narrow,
    stats,
};

/// A window's start and end, and the key.
type Of = (i64, i64, u8);
/// Count, sum, least and greatest.
type Figures = (u64, i128, i64, i64);

#[derive(Debug, Default, PartialEq)]
struct Outcome {
    results: BTreeMap<Of, Vec<(ResultKind, u32, Figures)>>,
    late: Vec<(i64, u8, i64)>,
    missed: u64,
    on_time: u64,
}

#[derive(Debug, Clone, Copy)]
struct Case {
    size: i64,
    every: i64,
    disorder: i64,
    allowed: i64,
    retracts: bool,
}

impl Case {
    /// What the semantics say, word for word.
    fn naive(self, input: &[(i64, u8, i64)]) -> Outcome {
        let Self { size, every, disorder, allowed, retracts } = self;
        let mut outcome = Outcome::default();
        let mut contents: BTreeMap<Of, Figures> = BTreeMap::new();
        let mut watermark = i64::MIN;
        let fire = |outcome: &mut Outcome, contents: &BTreeMap<Of, Figures>, from: i64, to: i64| {
            for (of, figures) in contents.iter().filter(|((_, end, _), _)| from < *end && *end <= to) {
                outcome.results.entry(*of).or_default().push((ResultKind::OnTime, 0, *figures));
            }
        };
        for &(time, key, value) in input {
            let last = time.div_euclid(every) * every;
            let starts = (0..).map(|back| last - back * every).take_while(|start| start + size > time);
            let mut missed = true;
            for start in starts {
                let end = start + size;
                if end <= watermark.saturating_sub(allowed) {
                    outcome.missed += 1;
                    continue;
                }
                missed = false;
                let before = contents.get(&(start, end, key)).copied();
                let (count, sum, min, max) = before.unwrap_or((0, 0, i64::MAX, i64::MIN));
                let after = (count + 1, sum + i128::from(value), min.min(value), max.max(value));
                contents.insert((start, end, key), after);
                if end <= watermark {
                    let results = outcome.results.entry((start, end, key)).or_default();
                    let number = results.iter().filter(|(kind, ..)| *kind != ResultKind::Retraction).count();
                    let number = u32::try_from(number).unwrap();
                    if let Some(before) = before.filter(|_| retracts) {
                        results.push((ResultKind::Retraction, number - 1, before));
                    }
                    results.push((ResultKind::Correction, number, after));
                }
            }
            if missed {
                outcome.late.push((time, key, value));
            } else {
                outcome.on_time += 1;
            }
            let next = watermark.max(time - disorder);
            fire(&mut outcome, &contents, watermark, next);
            watermark = next;
        }
        fire(&mut outcome, &contents, watermark, i64::MAX);
        outcome
    }

    /// The same from the operator, with room for so many results at a time.
    fn run(self, input: &[(i64, u8, i64)], room: usize) -> Outcome {
        let nanos = |n: i64| Duration::from_nanos(n.unsigned_abs());
        let windows = Sliding::new(nanos(self.size), nanos(self.every)).unwrap();
        let allowed = nanos(self.allowed).try_into().unwrap();
        let fold = WindowFold::new(windows, using(FingerTree, stats(|n: &i64| *n)));
        let mut fold = fold.with_lateness(allowed, self.retracts);
        let mut source = BoundedDisorder::new(nanos(self.disorder)).unwrap();
        let mut out = Narrow::new(room);
        for &(time, key, value) in input {
            let time = Timestamp::from_nanos(time);
            fold.on_record(Record { time, value: Keyed { key, value } }, &mut out);
            source.observe(time);
            out.advance(&mut fold, source.watermark());
            assert!(fold.whole.keys() <= 5, "what is closed for good takes no memory");
        }
        out.advance(&mut fold, Watermark::END);
        assert_eq!(fold.whole.keys(), 0, "nothing is kept in the end");

        let tally = fold.tally();
        let mut outcome =
            Outcome { missed: tally.missed_windows, on_time: tally.on_time, ..Outcome::default() };
        for Record { time, value } in out.seen {
            match value {
                Windowed::Late(late) => outcome.late.push((time.as_nanos(), late.key, late.value)),
                Windowed::Result(WindowResult { window, key, value, kind, number }) => {
                    assert_eq!(time.as_nanos(), window.end.as_nanos() - 1);
                    let of = (window.start.as_nanos(), window.end.as_nanos(), key);
                    let figures = (value.count, value.sum, value.min, value.max);
                    outcome.results.entry(of).or_default().push((kind, number, figures));
                }
            }
        }
        assert_eq!(tally.results, outcome.results.values().map(Vec::len).sum::<usize>() as u64);
        assert_eq!(tally.late, outcome.late.len() as u64);
        outcome
    }
}

#[test]
fn each_late_record_corrects_each_of_its_windows_that_is_kept() {
    let mut corrections = 0;
    for seed in 0..3_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let size = random.i64(1..60);
        let every = if random.bool() { size } else { random.i64(1..=size) };
        let allowed = if random.u8(0..8) == 0 { i64::MAX } else { random.i64(0..150) };
        let case = Case { size, every, disorder: random.i64(0..30), allowed, retracts: random.bool() };
        let jumps = random.bool();
        let mut now = random.i64(-500..500);
        let input: Vec<_> = (0..random.usize(0..200))
            .map(|_| {
                now += if jumps && random.u8(..) < 4 { random.i64(0..5_000) } else { random.i64(0..6) };
                let back = random.i64(0..150) * i64::from(random.u8(..) < 60);
                (now - back, random.u8(0..5), random.i64(-9..9))
            })
            .collect();
        let expected = case.naive(&input);
        corrections += expected.results.values().filter(|results| results.len() > 1).count();
        assert_eq!(case.run(&input, random.usize(1..8)), expected, "seed {seed}: {case:?}");
    }
    assert!(corrections > 10_000, "only {corrections} windows were corrected");
}

#[test]
#[should_panic(expected = "only a finger tree keeps windows that have fired")]
fn windows_are_kept_by_a_tree_alone() {
    let windows = Sliding::tumbling(Duration::from_nanos(10)).unwrap();
    let _ = WindowFold::<u8, _, ()>::new(windows, crate::count()).with_lateness(Span::ZERO, false);
}

#[test]
fn a_key_is_forgotten_once_its_windows_are_closed_for_good_though_nothing_else_comes() {
    let windows = Sliding::tumbling(Duration::from_nanos(10)).unwrap();
    let fold = WindowFold::new(windows, using(FingerTree, stats(|n: &i64| *n)));
    let mut fold = fold.with_lateness(Duration::from_nanos(20).try_into().unwrap(), false);
    let mut out = Narrow::new(usize::MAX);
    let value = Keyed { key: 1_u8, value: 7 };
    fold.on_record(Record { time: Timestamp::from_nanos(5), value }, &mut out);
    for (watermark, keys) in [(10, 1), (29, 1), (30, 0)] {
        out.advance(&mut fold, Watermark::at(Timestamp::from_nanos(watermark)));
        assert_eq!(fold.whole.keys(), keys, "at {watermark}");
    }
}
