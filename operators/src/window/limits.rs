//! What windows may hold, for each operator over windows.

use std::{collections::BTreeMap, time::Duration};

use nacreous_watermark::{Span, Timestamp, Watermark};

use super::{
    AssignedFold, CountFold, Counted, OrderedFold, Session, SessionFold, SharedFold, Sliding, WindowFold,
    WindowJoin, WindowResult, Windowed, every_records, times::Times,
};
use crate::{
    Aggregate, Beyond, Either, Fault, HeldLimit, KeyLimits, Keyed, Monoid, Operator, Record,
    algorithm::{FingerTree, using},
    interleaving::{Input, play, random_input},
    narrow::Narrow,
};

/// How many keys there are. Numbers of records keep them.
const KEYS: u32 = 5;

type Number = u32;
type Results = BTreeMap<(Timestamp, Timestamp, u32, u32), (u64, i128)>;

/// As if it made a difference in which order records come.
#[derive(Debug, Clone)]
struct InTurn;

impl Aggregate<u32> for InTurn {
    type Acc = (u64, i128);
    type Out = (u64, i128);
    type Algebra = Monoid;

    fn lift(&self, value: &u32, time: Timestamp) -> Self::Acc {
        Times.lift(value, time)
    }

    fn combine(&self, acc: &mut Self::Acc, other: &Self::Acc) {
        Aggregate::<u32>::combine(&Times, acc, other);
    }

    fn finish(&self, acc: Self::Acc) -> Self::Out {
        acc
    }
}

fn nanos(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

fn limits(most: usize, beyond: Beyond) -> KeyLimits {
    KeyLimits { held: HeldLimit { most, beyond }, expected: 16, ..KeyLimits::default() }
}

/// What comes of some inputs, and which records were refused: they are numbered.
fn run<O>(inputs: &[Input<Number>], mut fold: O, most: usize, seed: u64) -> (Results, Vec<Number>, u64)
where
    O: Operator<Keyed<u32, u32>, Out = Windowed<u32, u32, (u64, i128)>>,
{
    let mut random = fastrand::Rng::with_seed(seed);
    let mut out = Narrow::new(random.usize(1..9));
    let mut records = 0;
    play(inputs, &mut Watched { fold: &mut fold, most }, &mut out, &mut random, |number| {
        records += 1;
        Keyed { key: number % KEYS, value: number }
    });
    out.advance(&mut fold, Watermark::END);
    let tally = fold.tally();
    assert_eq!(tally.on_time + tally.late, records, "seed {seed}: each record is accounted for");
    assert!(tally.held <= KEYS.into(), "seed {seed}: {} held in the end", tally.held);
    let (mut results, mut late) = (Results::new(), Vec::new());
    for Record { value, .. } in out.seen {
        match value {
            Windowed::Late(record) => late.push(record.value),
            Windowed::Result(WindowResult { window, key, value, number, .. }) => {
                results.insert((window.start, window.end, key, number), value);
            }
        }
    }
    assert_eq!(tally.late, late.len() as u64);
    late.sort_unstable();
    (results, late, tally.refused)
}

/// Looks after each record that no more is held than allowed.
struct Watched<'a, O> {
    fold: &'a mut O,
    most: usize,
}

impl<I, O: Operator<I>> Operator<I> for Watched<'_, O> {
    type Out = O::Out;

    fn on_record(&mut self, record: Record<I>, out: &mut impl crate::Emit<O::Out>) {
        self.fold.on_record(record, out);
        let held = self.fold.tally().held;
        assert!(held <= self.most as u64, "{held} held, {} allowed", self.most);
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl crate::Emit<O::Out>) -> crate::Step {
        self.fold.on_watermark(watermark, out)
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.fold.judge_by(watermark);
    }
}

/// Gives an operator some inputs, with less and less that it may hold.
fn check<O>(make: impl Fn(KeyLimits) -> O)
where
    O: Operator<Keyed<u32, u32>, Out = Windowed<u32, u32, (u64, i128)>>,
{
    let mut refusals = 0;
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut number = 0;
        let mut numbered = |_: &mut fastrand::Rng| {
            number += 1;
            number
        };
        let inputs: Vec<_> =
            (0..random.usize(1..3)).map(|_| random_input(&mut random, &mut numbered)).collect();
        let all = run(&inputs, make(KeyLimits::default()), usize::MAX, seed);
        assert_eq!(all.2, 0);
        for most in [0, 1, 3, 10, 40] {
            let (results, late, refused) = run(&inputs, make(limits(most, Beyond::Late)), most, seed);
            refusals += refused;
            if refused == 0 {
                assert_eq!((&results, &late), (&all.0, &all.1), "seed {seed}, at most {most}");
            }
            if most == 0 {
                assert_eq!(results, Results::new(), "seed {seed}: nothing is held");
            }
            // Where it fails instead, it does at the first record that would have been refused.
            let mut fold = make(limits(most, Beyond::Fail));
            let mut random = fastrand::Rng::with_seed(seed);
            let mut out = Narrow::new(random.usize(1..9));
            play(&inputs, &mut fold, &mut out, &mut random, |number| Keyed {
                key: number % KEYS,
                value: number,
            });
            let fault = (refused > 0).then_some(Fault::TooMuchHeld { most });
            assert_eq!(fold.fault(), fault, "seed {seed}, at most {most}");
        }
    }
    assert!(refusals > 1_000, "{refusals} refused: too few to tell");
}

#[test]
fn windows_of_one_slice_hold_no_more_than_allowed() {
    let windows = Sliding::tumbling(nanos(30)).expect("windows");
    check(|limits| WindowFold::new(windows, Times).with_limits(limits));
}

#[test]
fn windows_that_overlap_hold_no_more_than_allowed() {
    let windows = Sliding::new(nanos(30), nanos(7)).expect("windows");
    check(|limits| WindowFold::new(windows, Times).with_limits(limits));
}

#[test]
fn windows_kept_for_late_records_hold_no_more_than_allowed() {
    let windows = Sliding::new(nanos(30), nanos(10)).expect("windows");
    let allowed = Span::at_most(nanos(50));
    let times = || using(FingerTree, Times);
    check(|limits| WindowFold::new(windows, times()).with_limits(limits).with_lateness(allowed, false));
}

#[test]
fn windows_of_records_in_order_hold_no_more_than_allowed() {
    let windows = Sliding::new(nanos(30), nanos(10)).expect("windows");
    check(|limits| OrderedFold::new(windows, Times, limits));
    let allowed = Span::at_most(nanos(50));
    check(|limits| OrderedFold::new(windows, Times, limits).with_lateness(allowed, true));
}

#[test]
fn windows_with_early_results_hold_no_more_than_allowed() {
    let windows = Sliding::new(nanos(3_000_000), nanos(1_000_000)).expect("windows");
    let trigger = every_records(2).expect("a trigger");
    check(|limits| AssignedFold::new(windows, trigger, Times, limits));
    let allowed = Span::at_most(nanos(5_000_000));
    check(|limits| AssignedFold::new(windows, trigger, Times, limits).with_lateness(allowed, true));
}

#[test]
fn what_families_of_windows_may_not_hold_is_a_fault_whatever_is_asked_for() {
    let windows = [10, 20].map(|size| Sliding::tumbling(nanos(size)).expect("windows"));
    for (most, keys) in [(7, 7), (7, 8), (20, 20), (20, 21)] {
        let mut fold = SharedFold::new(windows, Times, limits(most, Beyond::Late));
        let mut out = Narrow::new(5);
        for key in (0..keys).chain(0..keys) {
            let time = Timestamp::from_nanos(if key % 2 == 0 { 3 } else { 4 });
            fold.on_record(Record { time, value: Keyed { key, value: key } }, &mut out);
        }
        let exceeds = (keys as usize > most).then_some(Fault::TooMuchHeld { most });
        assert_eq!(fold.fault(), exceeds, "{keys} keys in a slice");
        // Further keys in the next slice are too many for the longer windows alone.
        out.advance(&mut fold, Watermark::at(Timestamp::from_nanos(10)));
        for key in 0..keys {
            let time = Timestamp::from_nanos(12);
            fold.on_record(Record { time, value: Keyed { key: key + 1, value: key } }, &mut out);
        }
        assert_eq!(fold.fault(), exceeds, "{keys} keys in the next");
        out.advance(&mut fold, Watermark::at(Timestamp::from_nanos(20)));
        assert_eq!(
            fold.fault(),
            Some(Fault::TooMuchHeld { most }),
            "{keys} keys and one in the longer window"
        );
    }
}

#[test]
fn sessions_hold_no_more_than_allowed() {
    let session = Session::with_gap(nanos(20)).expect("a gap");
    check(|limits| SessionFold::new(session, Times, limits));
    check(|limits| SessionFold::new(session, InTurn, limits));
}

#[test]
fn numbers_of_records_hold_no_more_than_allowed() {
    let windows = Counted::new(3, 2).expect("windows");
    check(|limits| CountFold::new(windows, Times, limits));
}

#[test]
fn joins_hold_no_more_than_allowed() {
    let windows = Sliding::new(nanos(20), nanos(10)).expect("windows");
    for most in [0, 1, 7, 100] {
        let mut join =
            WindowJoin::new(limits(most, Beyond::Late), windows, |left: &u32, right: &u32| (*left, *right));
        let mut out = Narrow::new(5);
        for number in 0..1_000_u32 {
            let value = if number % 2 == 0 { Either::Left(number) } else { Either::Right(number) };
            let time = Timestamp::from_nanos((number / 3).into());
            join.on_record(Record { time, value: Keyed { key: number % KEYS, value } }, &mut out);
            assert!(join.tally().held <= most as u64);
            out.advance(&mut join, Watermark::at(time));
        }
        let tally = join.tally();
        assert_eq!((tally.on_time + tally.late, tally.refused), (1_000, tally.late));
        assert_eq!(tally.refused > 0, most < 100, "{} refused", tally.refused);
        out.advance(&mut join, Watermark::END);
        assert_eq!(join.tally().held, 0);
    }
}
