//! Windows of so many records against sorted lists of them.

use std::collections::BTreeMap;

use super::*;
use crate::{
    interleaving::{Input, judged, play, random_input},
    narrow::Narrow,
    supply::tests::{Late, Never},
    window::{sequence::Sequence, times::Times},
};

/// What each window of a key comes to: first and last time, count, and what the times come to.
type Windows = BTreeMap<u32, Vec<(i64, i64, u64, i128)>>;

/// What is a nanosecond to the inputs, so that several are told apart and several are not.
const UNIT: i64 = 300_000;

fn scaled(input: Input<u32>) -> Input<u32> {
    use crate::interleaving::Arrival::{Record, Watermark};
    let scaled = |arrival| match arrival {
        Record(time, key) => Record(time * UNIT, key),
        Watermark(nanos) => Watermark(nanos * UNIT),
    };
    input.into_iter().map(scaled).collect()
}

fn naive(inputs: &[Input<u32>], size: usize, every: usize) -> (Windows, Vec<(i64, u32)>) {
    let mut times: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
    let mut late = Vec::new();
    for (time, key, watermark) in judged(inputs) {
        let seen = Resolution::USUAL.seen(Watermark::at(Timestamp::from_nanos(watermark)));
        if time < seen.time().as_nanos() && watermark > i64::MIN {
            late.push((time, key));
        } else {
            times.entry(key).or_default().push(time);
        }
    }
    let mut windows = Windows::new();
    for (key, mut times) in times {
        times.sort_unstable();
        for window in times.windows(size).step_by(every) {
            let sum = window.iter().map(|time| i128::from(*time)).sum();
            windows.entry(key).or_default().push((window[0], window[size - 1], size as u64, sum));
        }
    }
    late.sort_unstable();
    (windows, late)
}

fn run(inputs: &[Input<u32>], windows: Counted, random: &mut fastrand::Rng) -> (Windows, Vec<(i64, u32)>) {
    let limits = KeyLimits { expected: 1 << random.u32(0..6), ..KeyLimits::default() };
    let mut fold = CountFold::new(windows, Times, limits);
    match random.u8(0..3) {
        0 => {}
        1 => fold.connect(&mut Late::new(random.u64(..))),
        _ => fold.connect(&mut Never),
    }
    let mut out = Narrow::new(random.usize(1..6));
    play(inputs, &mut fold, &mut out, random, |key| Keyed { key, value: key });
    out.advance(&mut fold, Watermark::END);
    assert_eq!((fold.waiting.len(), fold.order.len()), (0, 0));
    let (mut found, mut late) = (Windows::new(), Vec::new());
    let mut latest = i64::MIN;
    for Record { time, value } in out.seen {
        match value {
            Windowed::Late(record) => late.push((time.as_nanos(), record.key)),
            Windowed::Result(WindowResult { window, key, value: (count, sum), kind, number }) => {
                assert_eq!((kind, number), (ResultKind::OnTime, 0));
                assert!(time.as_nanos() >= window.end.as_nanos() - 1);
                assert!(time.as_nanos() >= latest, "what comes out is in order");
                latest = time.as_nanos();
                let (first, last) = (window.start.as_nanos(), window.end.as_nanos() - 1);
                found.entry(key).or_default().push((first, last, count, sum));
            }
        }
    }
    let tally = fold.tally();
    assert_eq!(tally.results, found.values().map(Vec::len).sum::<usize>() as u64);
    assert_eq!(tally.late, late.len() as u64);
    late.sort_unstable();
    (found, late)
}

#[test]
fn any_interleaving_of_inputs_gives_the_windows_of_the_sorted_records() {
    for seed in 0..2_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let keys = 1 << random.u32(0..3);
        let inputs: Vec<_> = (0..random.usize(1..4))
            .map(|_| scaled(random_input(&mut random, |random| random.u32(0..keys))))
            .collect();
        let size = random.u32(1..12);
        let every = if random.bool() { size } else { random.u32(1..=size) };
        let windows = Counted::new(size, every).unwrap();
        let expected = naive(&inputs, size as usize, every as usize);
        for _ in 0..3 {
            assert_eq!(run(&inputs, windows, &mut random), expected, "seed {seed}: {size} every {every}");
        }
    }
}

/// Records in order of time, those of one instant as they came.
#[test]
fn an_aggregate_that_does_not_commute_has_its_records_in_order() {
    let mut disordered = 0;
    for seed in 0..800 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (keys, mut value) = (random.u32(1..4), 0);
        let mut next = |_: &mut fastrand::Rng| {
            value += 1;
            value
        };
        let inputs: Vec<_> =
            (0..random.usize(1..4)).map(|_| scaled(random_input(&mut random, &mut next))).collect();
        let (size, every) = (random.u32(1..12), random.u32(1..12));
        let windows = Counted::new(size, every.min(size)).unwrap();
        let mut fold = CountFold::new(windows, Sequence, KeyLimits::default());
        fold.connect(&mut Late::new(seed));
        let mut out = Narrow::new(random.usize(1..6));
        let order =
            play(&inputs, &mut fold, &mut out, &mut random, |value| Keyed { key: value % keys, value });
        out.advance(&mut fold, Watermark::END);
        let (mut found, mut late) = (BTreeMap::<_, Vec<_>>::new(), Vec::new());
        for record in out.seen {
            match record.value {
                Windowed::Late(record) => late.push(record.value),
                Windowed::Result(result) => found.entry(result.key).or_default().push(result.value),
            }
        }
        let times: BTreeMap<u32, i64> =
            judged(&inputs).into_iter().map(|(time, value, _)| (value, time)).collect();
        let mut sorted = order.clone();
        sorted.retain(|value| !late.contains(value));
        // Those of one instant stay as they are.
        sorted.sort_by_key(|value| times[value]);
        disordered += usize::from(!order.is_sorted_by_key(|value| times[value]));
        let mut expected = BTreeMap::new();
        for key in 0..keys {
            let of_key: Vec<_> = sorted.iter().copied().filter(|value| value % keys == key).collect();
            let windows = of_key.windows(size as usize).step_by(every.min(size) as usize);
            let windows: Vec<_> = windows.map(<[u32]>::to_vec).collect();
            if !windows.is_empty() {
                expected.insert(key, windows);
            }
        }
        assert_eq!(found, expected, "seed {seed}: {size} every {every}");
    }
    assert!(disordered > 500, "{disordered} were not in order");
}

#[test]
fn windows_without_records_or_with_gaps_are_refused() {
    assert_eq!(Counted::tumbling(0), Err(WindowError::NoRecords { size: 0, every: 0 }));
    assert_eq!(Counted::new(3, 0), Err(WindowError::NoRecords { size: 3, every: 0 }));
    let message = Counted::new(3, 4).unwrap_err().to_string();
    assert_eq!(
        message,
        "windows of 3 records every 4 would leave gaps: `every` must not be more than the size"
    );
}
