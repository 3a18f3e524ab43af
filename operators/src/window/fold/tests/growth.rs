//! Windows that begin with few keys and come to have many.

use std::{
    cell::Cell,
    hash::{Hash, Hasher},
};

use super::*;
use crate::{
    KeyLimits, Prepared,
    supply::tests::{Late, Never},
};

thread_local! {
    static HASHED: Cell<usize> = const { Cell::new(0) };
}

/// A key that counts how often it is hashed: when it is looked up, and when it migrates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counted(u32);

impl Hash for Counted {
    fn hash<H: Hasher>(&self, state: &mut H) {
        HASHED.set(HASHED.get() + 1);
        self.0.hash(state);
    }
}

fn hashed<R>(most: usize, call: impl FnOnce() -> R) -> R {
    HASHED.set(0);
    let result = call();
    assert!(HASHED.get() <= most, "{} keys hashed in one call", HASHED.get());
    result
}

/// An operator with hopping windows, three over each instant, for few keys.
fn fold(most: usize) -> Fold {
    let nanos = Duration::from_nanos;
    let windows = Sliding::new(nanos(30), nanos(10)).unwrap();
    WindowFold::new(windows, crate::count()).with_limits(KeyLimits {
        expected: 16,
        most,
        ..KeyLimits::default()
    })
}

type Fold = WindowFold<Counted, crate::Count, ()>;

/// For how many entries there is memory, in each table that is in use or spare.
fn tables(fold: &Fold) -> Vec<usize> {
    let slices = fold.slices.iter().map(|slice| &slice.table);
    let tables = slices.chain([&fold.recent.table, &fold.firing.table]).chain(fold.tables.spare());
    tables.filter(|table| !table.is_absent()).map(KeyTable::capacity).collect()
}

/// For how many entries there is memory.
fn cells(fold: &Fold) -> usize {
    tables(fold).iter().sum()
}

fn record(time: i64, key: u32) -> Record<Keyed<Counted, ()>> {
    Record { time: Timestamp::from_nanos(time), value: Keyed { key: Counted(key), value: () } }
}

fn results(out: &[Record<Windowed<Counted, (), u64>>]) -> Vec<(i64, u32, u64)> {
    let result = |record: &Record<Windowed<Counted, (), u64>>| match &record.value {
        Windowed::Result(result) => (result.window.end.as_nanos(), result.key.0, result.value),
        Windowed::Late(_) => panic!("nothing is late"),
    };
    out.iter().map(result).collect()
}

#[test]
fn keys_that_become_many_while_slices_are_open_are_all_counted_and_no_call_does_much_of_it() {
    for seed in 0..30 {
        let mut late = Late::new(seed);
        let mut fold = fold(usize::MAX);
        fold.connect(&mut late);
        let mut random = fastrand::Rng::with_seed(seed);
        let mut oracle = BTreeMap::new();
        let mut out = Vec::new();
        for round in 0..200_i64 {
            let mut waits = 0;
            // 128 of the slices, and as many of the window that is put together of them.
            while hashed(256, || fold.prepare(50)) == Prepared::Waiting {
                waits += 1;
                assert!(waits < 1_000, "seed {seed}, round {round}: waits for what does not come");
            }
            for _ in 0..50 {
                let key = random.u32(0..=u32::try_from(round).unwrap() * 50);
                // More and more slices are open.
                let time = round + random.i64(0..25 + round);
                let before = cells(&fold);
                hashed(10, || fold.on_record(record(time, key), &mut out));
                // The first records begin more slices than there are tables at first.
                assert!(round == 0 || cells(&fold) == before, "seed {seed}, round {round}: made on the spot");
                let last = time.div_euclid(10) * 10;
                (0..3).for_each(|back| *oracle.entry((last - back * 10 + 30, key)).or_insert(0) += 1);
            }
            let watermark = Watermark::at(Timestamp::from_nanos(round));
            while fold.prepare(50) == Prepared::Waiting {}
            let before = fold.whole.capacity();
            advance(&mut fold, watermark, &mut out);
            assert!(fold.whole.capacity() <= before, "seed {seed}, round {round}: made on the spot");
        }
        advance(&mut fold, Watermark::END, &mut out);
        let mut results = results(&out);
        let ends: Vec<_> = results.iter().map(|(end, ..)| *end).collect();
        assert!(ends.is_sorted());
        results.sort_unstable();
        assert!(oracle.into_iter().map(|((end, key), count)| (end, key, count)).eq(results), "seed {seed}");
        assert!(late.given_back() > 0);
    }
}

/// An output that takes so many more records.
struct Room(usize);

impl<T> Emit<T> for Room {
    fn emit(&mut self, _: Record<T>) {
        self.0 -= 1;
    }

    fn has_room(&self) -> bool {
        self.0 > 0
    }
}

#[test]
fn no_call_puts_together_much_of_a_window_with_many_keys() {
    const KEYS: u32 = 20_000;
    let mut fold = fold(usize::MAX);
    fold.connect(&mut Late::new(3));
    let mut out = Vec::new();
    for key in 0..KEYS {
        while key % 50 == 0 && fold.prepare(50) == Prepared::Waiting {}
        fold.on_record(record(5, key), &mut out);
    }
    while fold.prepare(50) == Prepared::Waiting {}
    // The first window takes all in, the others emit them, and the last sifts the table; then all keys are let go of.
    let (mut calls, mut results) = (0, 0);
    for watermark in [10, 20, 30, 40, 50].map(Timestamp::from_nanos) {
        loop {
            let mut room = Room(100);
            let step = hashed(2 * 512, || fold.on_watermark(Watermark::at(watermark), &mut room));
            results += 100 - room.0;
            calls += 1;
            if step == Step::Done {
                break;
            }
        }
    }
    assert_eq!(results, 3 * KEYS as usize);
    assert!(calls >= KEYS / 512 + 3 * KEYS / 100, "{calls} calls");
    assert_eq!(fold.whole.keys(), 0);
}

#[test]
fn windows_whose_memory_never_comes_make_do() {
    let mut fold = fold(usize::MAX);
    fold.connect(&mut Never);
    let mut out = Vec::new();
    for key in 0..20_000 {
        fold.on_record(record(i64::from(key % 45), key), &mut out);
        fold.on_record(record(5, key), &mut out);
    }
    advance(&mut fold, Watermark::END, &mut out);
    let counted: u64 = results(&out).iter().map(|(.., count)| count).sum();
    assert_eq!(counted, 3 * 40_000);
}

#[test]
fn a_key_too_many_is_a_fault_and_the_others_are_counted() {
    let mut fold = fold(20);
    let mut out = Vec::new();
    for key in 0..30 {
        assert_eq!(fold.fault(), (key > 20).then_some(Fault::TooManyKeys { most: 20 }));
        fold.on_record(record(0, key), &mut out);
        fold.on_record(record(0, 3), &mut out);
    }
    assert_eq!(fold.tally().on_time, 50);
    advance(&mut fold, Watermark::END, &mut out);
    assert_eq!(results(&out).len(), 3 * 20);
}

#[test]
fn spare_tables_are_used_again() {
    let mut late = Late::new(1);
    let mut fold = fold(usize::MAX);
    fold.connect(&mut late);
    let mut out = Vec::new();
    for hop in 0..1_000 {
        while fold.prepare(1) == Prepared::Waiting {}
        fold.on_record(record(hop * 10, 1), &mut out);
        advance(&mut fold, Watermark::at(Timestamp::from_nanos(hop * 10)), &mut out);
    }
    assert!(late.asked() <= 7, "asked for {} although they come back", late.asked());
    let tables = tables(&fold).len();
    assert!(tables <= 7, "{tables} tables for three slices open at a time");
}

#[test]
fn keys_that_have_left_all_windows_take_no_memory_and_do_not_count_towards_the_limit() {
    // Three windows over each instant, thirty keys a hop: never more than ninety at once.
    let mut late = Late::new(2);
    let mut fold = fold(120);
    fold.connect(&mut late);
    let (mut out, mut counts) = (Vec::new(), BTreeMap::new());
    for hop in 0..2_000_u32 {
        while fold.prepare(30) == Prepared::Waiting {}
        for key in hop * 30..hop * 30 + 30 {
            fold.on_record(record(i64::from(hop) * 10, key), &mut out);
        }
        advance(&mut fold, Watermark::at(Timestamp::from_nanos(i64::from(hop) * 10)), &mut out);
        assert_eq!(fold.fault(), None, "hop {hop}");
        results(&out).into_iter().for_each(|(_, key, count)| *counts.entry(key).or_insert(0) += count);
        out.clear();
        assert!(fold.whole.capacity() <= 512, "{} keys in hop {hop}", fold.whole.capacity());
    }
    advance(&mut fold, Watermark::END, &mut out);
    results(&out).into_iter().for_each(|(_, key, count)| *counts.entry(key).or_insert(0) += count);
    assert!(counts.len() == 60_000 && counts.values().all(|count| *count == 3), "each in its three windows");
}
