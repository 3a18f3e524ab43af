//! Small cases, in words.

use super::*;
use crate::{WindowError, window::triggered_by};

/// Start, end, kind, number and count of what is said of one key's records; a watermark where an arrival is none.
fn said<W, G>(windows: W, trigger: G, arrivals: &[(i64, bool)]) -> Vec<(i64, i64, ResultKind, u32, u64)>
where
    W: Assigner<u32>,
    G: Trigger<u32>,
{
    let mut fold = AssignedFold::new(windows, trigger, Times, KeyLimits::default());
    let mut out = Narrow::new(1);
    for (at, is_record) in arrivals {
        let time = Timestamp::from_nanos(*at);
        if *is_record {
            fold.on_record(Record { time, value: Keyed { key: 0, value: 0 } }, &mut out);
        } else {
            out.advance(&mut fold, Watermark::at(time));
        }
    }
    out.advance(&mut fold, Watermark::END);
    let said = out.seen.into_iter().filter_map(|record| match record.value {
        Windowed::Result(WindowResult { window: TimeWindow { start, end }, kind, number, value, .. }) => {
            Some((start.as_nanos(), end.as_nanos(), kind, number, value.0))
        }
        Windowed::Late(_) => None,
    });
    said.collect()
}

fn tumbling(size: u64) -> Sliding {
    Sliding::tumbling(Duration::from_nanos(size)).unwrap()
}

use ResultKind::{Early, OnTime};

#[test]
fn a_result_at_a_multiple_is_of_the_records_before_it_if_there_was_one_since_the_last() {
    let trigger = every(Duration::from_nanos(10)).unwrap();
    let records = [9, 10, 11, 45, 45, 99].map(|at| (at, true));
    let expected = [
        (0, 100, Early, 0, 1),
        (0, 100, Early, 1, 3),
        (0, 100, Early, 2, 5),
        // The one at 100 would be at the end.
        (0, 100, OnTime, 3, 6),
    ];
    assert_eq!(said(tumbling(100), trigger, &records), expected);
}

#[test]
fn what_is_let_go_of_is_not_said_again() {
    let trigger = every_records(2).unwrap().purging();
    let records = [(0, true), (3, true), (1, true), (2, true)];
    let expected = [(0, 10, Early, 0, 2), (0, 10, Early, 1, 2)];
    assert_eq!(said(tumbling(10), trigger, &records), expected);
    let expected = [(0, 10, Early, 0, 2), (0, 10, Early, 1, 2), (0, 10, OnTime, 2, 1)];
    assert_eq!(said(tumbling(10), trigger, &[&records[..], &[(9, true)]].concat()), expected);
}

#[test]
fn records_at_the_extremes_of_time_are_counted() {
    let (first, last) = (i64::MIN, i64::MAX);
    let trigger = || every(Duration::from_nanos(1 << 62)).unwrap();
    let records = [last, first, 0, last - 1].map(|at| (at, true));
    let counts = |said: Vec<(i64, i64, ResultKind, u32, u64)>| {
        said.into_iter().map(|(.., kind, number, count)| (kind, number, count)).collect::<Vec<_>>()
    };
    let expected = [(Early, 0, 1), (Early, 1, 2), (OnTime, 2, 4)];
    assert_eq!(counts(said(Global, trigger(), &records)), expected);
    assert_eq!(counts(said(Global, AtEnd, &records)), [(OnTime, 0, 4)]);
    let halves = Periods::starting([Timestamp::from_nanos(0)]).unwrap();
    assert_eq!(counts(said(halves, AtEnd, &records)), [(OnTime, 0, 1), (OnTime, 0, 3)]);
    let longest = Sliding::tumbling(Duration::from_nanos(last.unsigned_abs())).unwrap();
    assert_eq!(said(longest, trigger(), &records).iter().filter(|said| said.2 == OnTime).count(), 3);
    // Each of the last three instants in as many windows as end at or after it; those that would end later end with time.
    let shortest = Sliding::new(Duration::from_nanos(3), Duration::from_nanos(1)).unwrap();
    let instants = [last - 2, last - 1, last].map(|at| (at, true));
    let counted: u64 = said(shortest, AtEnd, &instants).iter().map(|said| said.4).sum();
    assert_eq!(counted, 8, "the last two instants share a window");
}

#[test]
fn a_function_decides_by_a_state_for_each_window() {
    let trigger = triggered_by(|latest: &mut i64, _: &u32, now| {
        let is_far = now.as_nanos() - *latest > 20;
        *latest = now.as_nanos();
        if is_far { Verdict::Fire } else { Verdict::Wait }
    });
    let records = [0, 5, 30, 115, 160].map(|at| (at, true));
    let early = said(tumbling(100), trigger, &records).into_iter().filter(|said| said.2 == Early);
    let expected = [(0, 100, Early, 0, 3), (100, 200, Early, 0, 1), (100, 200, Early, 1, 2)];
    assert_eq!(early.collect::<Vec<_>>(), expected);
}

#[test]
fn a_record_without_a_window_is_late_and_misses_none() {
    let ended =
        assigned_by(|_: &u32, time| [time, Timestamp::MAX].map(|start| TimeWindow { start, end: time }));
    let mut fold = AssignedFold::new(ended, AtEnd, Times, KeyLimits::default());
    let mut out = Narrow::new(1);
    let time = Timestamp::from_nanos(7);
    fold.on_record(Record { time, value: Keyed { key: 1, value: 2 } }, &mut out);
    assert_eq!(out.seen, [Record { time, value: Windowed::Late(Keyed { key: 1, value: 2 }) }]);
    assert_eq!(fold.tally(), Tally { late: 1, ..Tally::default() });
}

#[test]
fn keys_without_a_window_do_not_count_towards_the_limit() {
    let limits = KeyLimits { expected: 16, most: 50, ..KeyLimits::default() };
    let trigger = every_records(1).unwrap();
    let mut fold = AssignedFold::new(tumbling(1_000_000), trigger, Times, limits);
    let mut out = Narrow::new(usize::MAX);
    for key in 0..5_000_u32 {
        let at = i64::from(key) * 100_000;
        let time = Timestamp::from_nanos(at);
        fold.on_record(Record { time, value: Keyed { key, value: key } }, &mut out);
        out.advance(&mut fold, Watermark::at(time));
        assert_eq!(fold.fault(), None, "key {key}");
    }
    out.advance(&mut fold, Watermark::END);
    assert_eq!(out.seen.len(), 2 * 5_000);
}

#[test]
fn a_key_too_many_is_a_fault() {
    let limits = KeyLimits { expected: 16, most: 50, ..KeyLimits::default() };
    let mut fold = AssignedFold::new(Global, AtEnd, Times, limits);
    let mut out = Narrow::new(usize::MAX);
    for key in 0..51_u32 {
        assert_eq!(fold.fault(), None, "key {key}");
        let time = Timestamp::from_nanos(0);
        fold.on_record(Record { time, value: Keyed { key, value: key } }, &mut out);
    }
    assert_eq!(fold.fault(), Some(Fault::TooManyKeys { most: 50 }));
}

/// Takes a batch at a time, as a task does, from inputs that bring many new keys and windows.
#[test]
fn whoever_heeds_what_is_said_of_memory_never_makes_room_on_the_spot() {
    for seed in 0..4 {
        let mut random = fastrand::Rng::with_seed(seed);
        let windows = Sliding::new(Duration::from_millis(40), Duration::from_millis(10)).unwrap();
        let trigger = every(Duration::from_millis(3)).unwrap();
        let limits = KeyLimits { expected: 16, ..KeyLimits::default() };
        let lateness = Duration::from_millis(50).try_into().unwrap();
        let mut fold = AssignedFold::new(windows, trigger, Times, limits).with_lateness(lateness, true);
        fold.connect(&mut Late::new(seed));
        let mut out = Narrow::new(usize::MAX);
        // What a first record teaches: in how many windows one lies.
        let mut keys = 0..;
        let mut records = |fold: &mut AssignedFold<_, _, _, _, _>, count, now: i64, out: &mut _| {
            for key in keys.by_ref().take(count) {
                let at = now - (i64::from(key) % 60) * 1_000_000;
                let value = Keyed { key: key % 30_000, value: key };
                fold.on_record(Record { time: Timestamp::from_nanos(at), value }, out);
            }
        };
        records(&mut fold, 1, 0, &mut out);
        for turn in 0..70_i64 {
            let count = random.usize(1..600);
            while fold.prepare(count) == Prepared::Waiting {}
            let now = turn * 3_000_000;
            let room = fold.room();
            records(&mut fold, count, now, &mut out);
            out.advance(&mut fold, Watermark::at(Timestamp::from_nanos(now - 40_000_000)));
            assert_eq!(fold.room(), room, "seed {seed}, turn {turn}");
        }
    }
}

/// Has room for one record, and must be given no more.
struct One(Option<ResultKind>);

impl<K, T, R> Emit<Windowed<K, T, R>> for One {
    fn emit(&mut self, record: Record<Windowed<K, T, R>>) {
        let Windowed::Result(result) = record.value else { unreachable!("nothing is late") };
        assert!(self.0.replace(result.kind).is_none(), "there was no room");
    }

    fn has_room(&self) -> bool {
        self.0.is_none()
    }
}

#[test]
fn room_is_asked_for_before_each_result_of_the_many_windows_of_a_key() {
    let windows = Sliding::new(Duration::from_millis(100), Duration::from_millis(1)).unwrap();
    let mut fold =
        AssignedFold::new(windows, every(Duration::from_millis(7)).unwrap(), Times, KeyLimits::default());
    let time = Timestamp::from_nanos(3);
    let mut out = One(None);
    fold.on_record(Record { time, value: Keyed { key: 0, value: 0 } }, &mut out);
    let (mut early, mut on_time) = (0, 0);
    while fold.on_watermark(Watermark::END, &mut out) == Step::More {
        match out.0.take() {
            Some(Early) => early += 1,
            Some(OnTime) => on_time += 1,
            other => panic!("{other:?}"),
        }
    }
    on_time += u32::from(out.0 == Some(OnTime));
    // The windows that end up to 7 ms have ended when the others have their early results.
    assert_eq!((early, on_time), (93, 100));
}

#[test]
fn triggers_that_cannot_be_are_refused() {
    assert_eq!(every_records(0), Err(WindowError::EveryNoRecords));
    assert_eq!(every(Duration::ZERO), Err(WindowError::EveryNoTime));
    assert!(matches!(every(Duration::MAX), Err(WindowError::Span(_))));
    let message = every_records(0).unwrap_err().to_string();
    assert_eq!(message, "early results must be one record apart at least");
}
