//! Two stages against one: several inputs, each with a watermark of its own, and a narrow output.

use std::{collections::BTreeMap, time::Duration};

use super::*;
use crate::{Count, narrow::Narrow, supply::tests::Late};

type Value = Keyed<u8, i64>;
/// Window start, window end, key.
type At = (i64, i64, u8);

/// The records of one input, with the watermark that follows each.
fn input(random: &mut fastrand::Rng, disorder: i64) -> Vec<(Record<Value>, Watermark)> {
    let mut latest = i64::MIN;
    let mut now = random.i64(-100..100);
    let mut record = |random: &mut fastrand::Rng| {
        now += random.i64(0..8);
        let time = now - random.i64(0..60) * i64::from(random.bool());
        latest = latest.max(time);
        let value = Keyed { key: random.u8(0..6), value: random.i64(-9..9) };
        let record = Record { time: Timestamp::from_nanos(time), value };
        (record, Watermark::at(Timestamp::from_nanos(latest - disorder)))
    };
    (0..random.usize(0..150)).map(|_| record(random)).collect()
}

/// What one stage makes of one input.
fn in_one_stage(
    windows: Sliding,
    input: &[(Record<Value>, Watermark)],
    sums: &mut BTreeMap<At, i64>,
    late: &mut Vec<(i64, u8, i64)>,
) {
    let mut fold = WindowFold::new(windows, crate::sum(|n: &i64| *n));
    let mut out = Vec::new();
    for (record, watermark) in input {
        fold.on_record(*record, &mut out);
        assert_eq!(fold.on_watermark(*watermark, &mut out), Step::Done);
    }
    assert_eq!(fold.on_watermark(Watermark::END, &mut out), Step::Done);
    for Record { time, value } in out {
        match value {
            Windowed::Result(WindowResult { window, key, value, .. }) => {
                *sums.entry((window.start.as_nanos(), window.end.as_nanos(), key)).or_insert(0) += value;
            }
            Windowed::Late(Keyed { key, value }) => late.push((time.as_nanos(), key, value)),
        }
    }
}

#[test]
fn two_stages_make_of_several_inputs_what_one_makes_of_each_put_together() {
    for seed in 0..400 {
        let mut random = fastrand::Rng::with_seed(seed);
        let size = random.i64(1..60);
        let nanos = |n: i64| Duration::from_nanos(n.unsigned_abs());
        let windows = Sliding::new(nanos(size), nanos(random.i64(1..=size))).unwrap();
        let disorder = random.i64(0..40);
        let inputs: Vec<_> = (0..random.usize(1..4)).map(|_| input(&mut random, disorder)).collect();
        let (mut expected, mut expected_late) = (BTreeMap::new(), Vec::new());
        for input in &inputs {
            in_one_stage(windows, input, &mut expected, &mut expected_late);
        }

        let limits = KeyLimits { expected: 2, ..KeyLimits::default() };
        let first = WindowPartials::new(windows, crate::sum(|n: &i64| *n), limits);
        let mut firsts: Vec<_> = inputs.iter().map(|_| first.clone()).collect();
        let mut second = WindowMerge::new(crate::sum(|n: &i64| *n), limits);
        second.connect(&mut Late::new(seed));
        let mut own = vec![Watermark::MIN; inputs.len()];
        let mut out = Narrow::new(random.usize(1..5));
        let mut partials = Vec::new();
        let mut at = vec![0; inputs.len()];
        while own.iter().any(|watermark| !watermark.is_end()) {
            // Whichever input comes next, the watermark of all is the least of theirs.
            let from = random.usize(0..inputs.len());
            if own[from].is_end() {
                continue;
            }
            match inputs[from].get(at[from]) {
                Some((record, watermark)) => {
                    firsts[from].on_record(*record, &mut partials);
                    own[from] = *watermark;
                }
                None => own[from] = Watermark::END,
            }
            at[from] += 1;
            assert_eq!(firsts[from].on_watermark(own[from], &mut partials), Step::Done);
            while second.prepare(partials.len()) == Prepared::Waiting {}
            partials.drain(..).for_each(|partial| second.on_record(partial, &mut out));
            let merged = own.iter().copied().min().expect("there is an input");
            out.advance(&mut second, merged);
        }

        let (mut sums, mut late, mut latest) = (BTreeMap::new(), Vec::new(), Timestamp::MIN);
        for Record { time, value } in out.seen {
            match value {
                Windowed::Result(WindowResult { window, key, value, .. }) => {
                    assert!(latest <= window.end, "seed {seed}: windows in order");
                    latest = window.end;
                    assert_eq!(time.as_nanos(), window.end.as_nanos() - 1);
                    let at = (window.start.as_nanos(), window.end.as_nanos(), key);
                    assert_eq!(sums.insert(at, value), None, "seed {seed}: one result a window and key");
                }
                Windowed::Late(Keyed { key, value }) => late.push((time.as_nanos(), key, value)),
            }
        }
        let results = sums.len() as u64;
        expected_late.sort_unstable();
        late.sort_unstable();
        assert_eq!((sums, late), (expected, expected_late), "seed {seed}");
        let firsts = firsts.iter().map(Operator::tally);
        assert_eq!(
            firsts.map(|tally| tally.results).sum::<u64>(),
            0,
            "results are counted where they are whole"
        );
        assert_eq!(second.tally().results, results, "seed {seed}");
    }
}

#[test]
fn a_key_too_many_is_a_fault_of_the_second_stage() {
    let window = TimeWindow { start: Timestamp::from_nanos(0), end: Timestamp::from_nanos(10) };
    let mut merge = WindowMerge::<u64, Count, ()>::new(
        crate::count(),
        KeyLimits { expected: 2, most: 3, ..KeyLimits::default() },
    );
    let mut out = Vec::new();
    for key in 0..4 {
        assert_eq!(merge.fault(), None);
        let value = Keyed { key, value: Partial::Acc(window, 1) };
        merge.on_record(Record { time: Timestamp::from_nanos(9), value }, &mut out);
    }
    assert_eq!(merge.fault(), Some(Fault::TooManyKeys { most: 3 }));
}
