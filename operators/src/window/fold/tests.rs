//! What the oracle over all kinds of windows does not look at: order, memory, and times far apart.

mod growth;
mod lateness;

use std::{collections::BTreeMap, time::Duration};

use super::*;
use crate::window::budget::advance;

fn nanos(n: i64) -> Duration {
    Duration::from_nanos(n.unsigned_abs())
}

#[test]
fn keys_come_out_of_a_window_in_the_order_in_which_they_first_came_into_it() {
    for seed in 0..100 {
        let mut random = fastrand::Rng::with_seed(seed);
        let limits = KeyLimits { expected: 4, ..KeyLimits::default() };
        let windows = Sliding::tumbling(nanos(10)).unwrap();
        let mut fold = WindowFold::new(windows, crate::count()).with_limits(limits);
        let (mut out, mut firsts) = (Vec::new(), Vec::new());
        for _ in 0..300 {
            let (time, key) = (random.i64(0..50), random.u32(0..40));
            fold.on_record(
                Record { time: Timestamp::from_nanos(time), value: Keyed { key, value: () } },
                &mut out,
            );
            let at = (time / 10 * 10 + 10, key);
            if !firsts.contains(&at) {
                firsts.push(at);
            }
        }
        advance(&mut fold, Watermark::END, &mut out);
        firsts.sort_by_key(|(end, _)| *end);
        let result = |record: &Record<Windowed<u32, (), u64>>| match &record.value {
            Windowed::Result(result) => (result.window.end.as_nanos(), result.key),
            Windowed::Late(_) => panic!("nothing is late"),
        };
        assert_eq!(out.iter().map(result).collect::<Vec<_>>(), firsts, "seed {seed}");
    }
}

#[test]
fn a_watermark_that_jumps_over_a_billion_empty_windows_takes_no_time() {
    let hour = 3_600_000_000_000;
    for (every, results) in [(1_000, 2), (100, 20)] {
        let mut fold = WindowFold::new(Sliding::new(nanos(1_000), nanos(every)).unwrap(), crate::count());
        let mut out = Vec::new();
        for nanos in [0, hour * 10_000] {
            let time = Timestamp::from_nanos(nanos);
            fold.on_record(Record { time, value: Keyed { key: 1_u8, value: () } }, &mut out);
            advance(&mut fold, Watermark::at(time), &mut out);
        }
        advance(&mut fold, Watermark::END, &mut out);
        assert_eq!(out.len(), results);
    }
}

#[test]
fn records_at_the_ends_of_time_are_counted() {
    for time in [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX] {
        for (size, every) in [(1, 1), (5, 2), (10, 3), (i64::MAX, i64::MAX)] {
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

#[test]
fn an_input_that_is_ahead_does_not_fill_windows_that_it_has_closed() {
    let windows = Sliding::new(nanos(20), nanos(10)).unwrap();
    let mut fold = WindowFold::new(windows, crate::count());
    let mut out = Vec::new();
    let mut put = |fold: &mut WindowFold<u8, _, ()>, own: i64, time: i64| {
        fold.judge_by(Watermark::at(Timestamp::from_nanos(own)));
        let value = Keyed { key: 7, value: () };
        fold.on_record(Record { time: Timestamp::from_nanos(time), value }, &mut out);
        out.drain(..).count()
    };
    assert_eq!(put(&mut fold, 0, 15), 0, "counts in [0, 20) and [10, 30)");
    assert_eq!(put(&mut fold, 25, 15), 0, "counts in [10, 30) only");
    assert_eq!(put(&mut fold, 30, 15), 1, "is late");
    assert_eq!(put(&mut fold, 0, 12), 0, "counts in both, as its own input is behind");
    let mut out = Vec::new();
    advance(&mut fold, Watermark::END, &mut out);
    assert_eq!((fold.tally().on_time, fold.tally().late, fold.tally().missed_windows), (3, 1, 3));
    let count = |record: &Record<Windowed<u8, (), u64>>| match &record.value {
        Windowed::Result(result) => (result.window.start.as_nanos(), result.value),
        Windowed::Late(_) => panic!("nothing is late any more"),
    };
    assert_eq!(out.iter().map(count).collect::<Vec<_>>(), [(0, 2), (10, 3)]);
}
