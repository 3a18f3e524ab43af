//! The ends of time, windows without records, and keys.

use std::cell::Cell;

use super::*;

fn record(time: i64, key: u32, value: u32) -> Record<Keyed<u32, u32>> {
    Record { time: Timestamp::from_nanos(time), value: Keyed { key, value } }
}

fn fold<W: Slicing>(windows: W, most: usize) -> OrderedFold<u32, Sequence, u32, W> {
    OrderedFold::new(windows, Sequence, KeyLimits { expected: 16, most, ..KeyLimits::default() })
}

/// Window start, key and values.
fn results(out: &[Record<Windowed<u32, u32, Vec<u32>>>]) -> Vec<(i64, u32, Vec<u32>)> {
    let result = |record: &Record<Windowed<u32, u32, Vec<u32>>>| match &record.value {
        Windowed::Result(result) => (result.window.start.as_nanos(), result.key, result.value.clone()),
        Windowed::Late(late) => panic!("{late:?} is not late"),
    };
    out.iter().map(result).collect()
}

#[test]
fn a_watermark_that_jumps_over_a_billion_empty_windows_takes_no_time() {
    let hour = 3_600_000_000_000;
    for allowed in [0, 1, 5_000, i64::MAX] {
        let mut fold =
            fold(Case::sliding(1_000, 100, 0), 9).with_lateness(Span::at_most(nanos(allowed)), false);
        let mut out = Vec::new();
        fold.on_record(record(0, 1, 1), &mut out);
        fold.on_record(record(hour * 10_000, 1, 2), &mut out);
        for watermark in [hour, hour * 9_999] {
            let watermark = Watermark::at(Timestamp::from_nanos(watermark));
            assert_eq!(fold.on_watermark(watermark, &mut out), Step::Done);
            assert_eq!(out.len(), 10);
        }
        assert_eq!(fold.on_watermark(Watermark::END, &mut out), Step::Done);
        assert_eq!(out.len(), 20);
        assert!(fold.keys.is_empty());
    }
}

#[test]
fn records_at_the_ends_of_time_are_counted() {
    let ends = [i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX];
    for times in ends.map(|time| vec![time]).into_iter().chain([ends.to_vec()]) {
        for (size, every) in [(1, 1), (2, 1), (10, 3), (10, 10), (i64::MAX, i64::MAX)] {
            for allowed in [0, 1, 100, i64::MAX] {
                let windows = Case::sliding(size, every, every / 2);
                let mut fold = fold(windows, 9).with_lateness(Span::at_most(nanos(allowed)), true);
                let mut out = Vec::new();
                for (value, time) in (0..).zip(&times) {
                    fold.on_record(record(*time, 1, value), &mut out);
                }
                let watermarks = [i64::MIN + 1, 0, i64::MAX - 1];
                let watermarks = watermarks.map(|nanos| Watermark::at(Timestamp::from_nanos(nanos)));
                for watermark in watermarks.into_iter().chain([Watermark::END]) {
                    assert_eq!(fold.on_watermark(watermark, &mut out), Step::Done);
                }
                let results = results(&out);
                for (value, time) in (0..).zip(&times) {
                    let (first, last) = windows.windows_over(windows.slice_at(Timestamp::from_nanos(*time)));
                    let of = results.iter().filter(|(.., values)| values.contains(&value)).count();
                    let expected = first.abs_diff(last) + 1;
                    assert_eq!(
                        of as u64, expected,
                        "{time} of {times:?} in {size} every {every}, allowed {allowed}: {results:?}"
                    );
                }
                assert!(results.iter().all(|(.., values)| values.is_sorted()));
                assert!(fold.keys.is_empty());
            }
        }
    }
}

#[test]
fn the_last_period_has_the_last_instant() {
    for starts in [vec![i64::MIN, 0], vec![0], vec![0, i64::MAX]] {
        let mut fold = fold(Case::periods(&starts), 9);
        let mut out = Vec::new();
        for (value, time) in (0..).zip([i64::MAX, i64::MAX - 1, i64::MIN]) {
            fold.on_record(record(time, 1, value), &mut out);
        }
        assert_eq!(fold.on_watermark(Watermark::END, &mut out), Step::Done);
        let values: Vec<_> = results(&out).into_iter().map(|(.., values)| values).collect();
        let apart = starts.ends_with(&[i64::MAX]);
        assert_eq!(values, if apart { vec![vec![2], vec![1], vec![0]] } else { vec![vec![2], vec![1, 0]] });
    }
}

#[test]
fn a_key_is_there_while_it_has_records_and_counts_towards_the_limit_so_long() {
    // Three windows over each instant, thirty keys a hop: never more than ninety at once.
    let mut fold = fold(Case::sliding(30, 10, 0), 120);
    fold.connect(&mut Late::new(2));
    let mut out = Vec::new();
    for hop in 0..2_000_u32 {
        while fold.prepare(30) == Prepared::Waiting {}
        (hop * 30..hop * 30 + 30)
            .for_each(|key| fold.on_record(record(i64::from(hop) * 10, key, key), &mut out));
        let watermark = Watermark::at(Timestamp::from_nanos(i64::from(hop) * 10));
        assert_eq!(fold.on_watermark(watermark, &mut out), Step::Done);
        assert!(fold.fault().is_none() && fold.keys.len() <= 90, "{} keys in hop {hop}", fold.keys.len());
        assert!(fold.firing.len() <= 200, "{} timers", fold.firing.len());
    }
    assert_eq!(fold.on_watermark(Watermark::END, &mut out), Step::Done);
    let mut counts = BTreeMap::<_, usize>::new();
    results(&out).into_iter().for_each(|(_, key, values)| *counts.entry(key).or_default() += values.len());
    assert!(counts.len() == 60_000 && counts.values().all(|count| *count == 3), "each in its three windows");
}

#[test]
fn a_key_too_many_is_a_fault_and_the_others_are_counted() {
    let mut fold = fold(Case::sliding(10, 10, 0), 20);
    let mut out = Vec::new();
    for key in 0..30 {
        assert_eq!(fold.fault(), (key > 20).then_some(Fault::TooManyKeys { most: 20 }));
        fold.on_record(record(0, key, 1), &mut out);
        fold.on_record(record(0, 3, 2), &mut out);
    }
    assert_eq!(fold.tally().on_time, 50);
    assert_eq!(fold.on_watermark(Watermark::END, &mut out), Step::Done);
    assert_eq!(out.len(), 20);
}

#[test]
fn a_key_is_forgotten_once_its_windows_are_closed_for_good_though_nothing_else_comes() {
    let allowed = Span::at_most(nanos(20));
    let mut fold = fold(Case::sliding(10, 10, 0), 9).with_lateness(allowed, false);
    let mut out = Vec::new();
    fold.on_record(record(5, 1, 7), &mut out);
    for (watermark, keys) in [(10, 1), (29, 1), (30, 0)] {
        assert_eq!(fold.on_watermark(Watermark::at(Timestamp::from_nanos(watermark)), &mut out), Step::Done);
        assert_eq!(fold.keys.len(), keys, "at {watermark}");
    }
}

#[test]
#[should_panic(expected = "takes its records in order, with an `OrderedFold`")]
fn the_other_operator_does_not_take_what_does_not_commute() {
    let _ = WindowFold::<u8, _, u32>::new(Case::sliding(10, 10, 0), Sequence);
}

#[test]
fn whoever_heeds_it_never_makes_room_on_the_spot() {
    for (seed, allowed) in (0..8).zip([0, 100].into_iter().cycle()) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut fold =
            fold(Case::sliding(200, 100, 0), usize::MAX).with_lateness(Span::at_most(nanos(allowed)), true);
        fold.connect(&mut Late::new(seed));
        let mut out = Narrow::new(usize::MAX);
        let room = |fold: &OrderedFold<_, _, _, _>| (fold.records.room(), fold.results.room());
        for n in 0..12_000_u32 {
            while fold.prepare(1) == Prepared::Waiting {}
            let before = room(&fold);
            let now = i64::from(n);
            // An input that is ahead: many records are behind its watermark, and held.
            fold.judge_by(Watermark::at(Timestamp::from_nanos(now)));
            fold.on_record(record(now - random.i64(-9..250), random.u32(0..2_000), n), &mut out);
            if n % 6_000 == 5_999 {
                assert!(fold.held.len() > 500, "{} are held", fold.held.len());
                out.advance(&mut fold, Watermark::at(Timestamp::from_nanos(now)));
            }
            assert_eq!(room(&fold), before, "seed {seed}, record {n}: made on the spot");
        }
        assert!(room(&fold).0.0 > 2 && (allowed == 0 || room(&fold).1.0 > 1), "it has grown");
    }
}

thread_local! {
    static COMBINED: Cell<u32> = const { Cell::new(0) };
}

/// Counts how often it combines.
#[derive(Clone)]
struct Counting;

impl Aggregate<u32> for Counting {
    type Acc = ();
    type Out = ();
    type Algebra = crate::Monoid;

    fn lift(&self, _: &u32, _: Timestamp) {}

    fn combine(&self, (): &mut (), (): &()) {
        COMBINED.set(COMBINED.get() + 1);
    }

    fn finish(&self, (): ()) {}
}

#[test]
fn a_record_in_order_and_a_window_that_closes_take_few_combinations_however_many_records_there_are() {
    for per_window in [10, 1_000, 20_000_i64] {
        // Ten windows over each instant.
        let windows = Case::sliding(per_window, per_window / 10, 0);
        let mut fold = OrderedFold::new(windows, Counting, KeyLimits::default());
        let mut out = Vec::new();
        let records = per_window * 3;
        COMBINED.set(0);
        for n in 0..records {
            fold.on_record(record(n, 1, 0), &mut out);
        }
        let inserted = COMBINED.replace(0);
        assert!(i64::from(inserted) < 8 * records, "{inserted} for {records} records");
        assert_eq!(fold.on_watermark(Watermark::at(Timestamp::from_nanos(records)), &mut out), Step::Done);
        let levels = per_window.ilog2().div_ceil(2) + 1;
        let fired = u32::try_from(out.len()).unwrap();
        assert!(
            fired >= 30 && COMBINED.get() < fired * 40 * levels,
            "{} for {fired} windows",
            COMBINED.get()
        );
    }
}

/// An output with room for some records, and for no more.
struct Tight(usize);

impl Emit<Windowed<u32, u32, Vec<u32>>> for Tight {
    fn emit(&mut self, _: Record<Windowed<u32, u32, Vec<u32>>>) {
        self.0 = self.0.checked_sub(1).expect("it was asked whether there is room");
    }

    fn has_room(&self) -> bool {
        self.0 > 0
    }
}

#[test]
fn no_more_is_emitted_than_there_is_room_for() {
    for room in 1..9 {
        let mut fold = fold(Case::sliding(30, 10, 0), usize::MAX);
        (0..40).for_each(|key| fold.on_record(record(i64::from(key % 7), key, key), &mut Tight(0)));
        let mut calls = 1;
        while fold.on_watermark(Watermark::END, &mut Tight(room)) == Step::More {
            calls += 1;
        }
        assert_eq!(fold.tally().results, 3 * 40);
        assert!(calls >= 120 / room, "{calls} calls with room for {room}");
    }
}
