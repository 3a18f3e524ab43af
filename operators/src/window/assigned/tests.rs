//! Assigned windows and early results against what the semantics say word for word, however the inputs are interleaved.

mod oracle;
mod said;

use std::{collections::BTreeMap, time::Duration};

use super::*;
use crate::{
    Fault, Periods, Sliding,
    interleaving::{Arrival, Input, judged, play, random_input},
    narrow::Narrow,
    supply::tests::{Late, Never},
    window::{AtEnd, Global, Verdict, WindowResult, assigned_by, every, every_records, times::Times},
};

/// What was said of a key: the window's bounds, kind, number, what it comes to, and when.
type Said = (i64, i64, ResultKind, u32, (u64, i128), i64);

#[derive(Debug, Default, PartialEq)]
struct Outcome {
    /// Of each key, in the order in which it was said.
    results: BTreeMap<u32, Vec<Said>>,
    /// Time and key, sorted.
    late: Vec<(i64, u32)>,
    missed: u64,
    on_time: u64,
}

/// How records are put into windows.
#[derive(Debug, Clone)]
enum Windows {
    Global,
    Sliding { size: i64, every: i64 },
    Periods(Vec<i64>),
    Odd { unit: i64 },
}

/// When there are early results.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Early {
    Never,
    Records(u32),
    Time(i64),
    /// With every second record, and at an alarm so long after the last, if that has not come to be later.
    Restless(i64),
}

#[derive(Debug, Clone)]
struct Case {
    windows: Windows,
    early: Early,
    purges: bool,
    allowed: i64,
    retracts: bool,
}

/// The windows that a record lies in that is not put into windows evenly, and things that are no windows of its.
fn odd(key: u32, time: i64, unit: i64) -> Vec<TimeWindow> {
    let window = |start: i64, end: i64| TimeWindow {
        start: Timestamp::from_nanos(start),
        end: Timestamp::from_nanos(end),
    };
    let begun = time.div_euclid(40 * unit).saturating_mul(40 * unit);
    let length = 10 * unit * (1 + i64::from(key % 4));
    match (i128::from(time) / i128::from(unit)).rem_euclid(7) {
        0 => vec![],
        1 => vec![window(time, time), window(begun, begun.saturating_add(length))],
        2 => vec![window(time.saturating_add(1), time), window(begun, i64::MAX)],
        3 => vec![window(begun.saturating_add(50 * unit), begun.saturating_add(90 * unit))],
        // Ends with the record, and just behind it.
        4 => vec![
            window(begun.saturating_sub(unit), time),
            window(begun.saturating_sub(unit), time.saturating_add(1)),
        ],
        _ => vec![
            window(begun, begun.saturating_add(40 * unit)),
            window(begun.saturating_sub(5 * unit), begun.saturating_add(40 * unit)),
            window(begun.saturating_sub(5 * unit), begun.saturating_add(80 * unit)),
        ],
    }
}

/// [`Early::Restless`] as a trigger.
#[derive(Debug, Clone)]
struct Restless(i64, bool);

impl Trigger<u32> for Restless {
    type State = (u32, Option<i64>);

    fn on_record(&self, (records, alarm): &mut Self::State, _: &u32, now: Timestamp) -> Verdict {
        *records += 1;
        *alarm = Some(now.as_nanos().saturating_add(self.0));
        match self.1 {
            _ if !records.is_multiple_of(2) => Verdict::Wait,
            true => Verdict::FireAndPurge,
            false => Verdict::Fire,
        }
    }

    fn on_alarm(&self, (records, alarm): &mut Self::State, now: Timestamp) -> Verdict {
        *alarm = Some(now.as_nanos().saturating_add(2 * self.0));
        if self.1 || records.is_multiple_of(3) { Verdict::FireAndPurge } else { Verdict::Fire }
    }

    fn alarm(&self, (_, alarm): &Self::State) -> Option<Timestamp> {
        alarm.map(Timestamp::from_nanos)
    }
}

impl Case {
    fn random(random: &mut fastrand::Rng, unit: i64) -> Self {
        let size = random.i64(1..60) * unit + random.i64(-1..=1) * i64::from(unit > 1);
        let windows = match random.u8(0..4) {
            0 => Windows::Global,
            1 => Windows::Sliding { size, every: random.i64(1.max(size / 8)..=size) },
            2 => {
                let mut starts: Vec<_> =
                    (0..random.usize(1..6)).map(|_| random.i64(-60..120) * unit).collect();
                starts.sort_unstable();
                starts.dedup();
                Windows::Periods(starts)
            }
            _ => Windows::Odd { unit },
        };
        let early = match random.u8(0..4) {
            0 => Early::Never,
            1 => Early::Records(random.u32(1..6)),
            2 => Early::Time(random.i64(1..30) * unit - i64::from(unit > 1) * random.i64(0..2)),
            _ => Early::Restless(random.i64(1..20) * unit),
        };
        let allowed = match random.u8(0..4) {
            0 => i64::MAX,
            1 | 2 => random.i64(0..200) * unit + random.i64(-1..=1).max(0),
            _ => 0,
        };
        Self { windows, early, purges: random.u8(0..4) == 0, allowed, retracts: random.bool() }
    }

    /// What the operator says, the inputs interleaved at random.
    fn run(&self, inputs: &[Input<u32>], random: &mut fastrand::Rng) -> Outcome {
        let nanos = |nanos: i64| Duration::from_nanos(nanos.unsigned_abs());
        match &self.windows {
            Windows::Global => self.run_over(Global, inputs, random),
            Windows::Sliding { size, every } => {
                self.run_over(Sliding::new(nanos(*size), nanos(*every)).unwrap(), inputs, random)
            }
            Windows::Periods(starts) => {
                let starts = starts.iter().copied().map(Timestamp::from_nanos);
                self.run_over(Periods::starting(starts).unwrap(), inputs, random)
            }
            Windows::Odd { unit } => {
                let unit = *unit;
                let odd = assigned_by(move |key: &u32, time| odd(*key, time.as_nanos(), unit));
                self.run_over(odd, inputs, random)
            }
        }
    }

    fn run_over(
        &self,
        windows: impl Assigner<u32>,
        inputs: &[Input<u32>],
        random: &mut fastrand::Rng,
    ) -> Outcome {
        let nanos = |nanos: i64| Duration::from_nanos(nanos.unsigned_abs());
        match self.early {
            Early::Never => self.run_by(windows, AtEnd, inputs, random),
            Early::Records(n) if self.purges => {
                self.run_by(windows, every_records(n).unwrap().purging(), inputs, random)
            }
            Early::Records(n) => self.run_by(windows, every_records(n).unwrap(), inputs, random),
            Early::Time(time) if self.purges => {
                self.run_by(windows, every(nanos(time)).unwrap().purging(), inputs, random)
            }
            Early::Time(time) => self.run_by(windows, every(nanos(time)).unwrap(), inputs, random),
            Early::Restless(time) => self.run_by(windows, Restless(time, self.purges), inputs, random),
        }
    }

    fn run_by<W: Assigner<u32>, G: Trigger<u32>>(
        &self,
        windows: W,
        trigger: G,
        inputs: &[Input<u32>],
        random: &mut fastrand::Rng,
    ) -> Outcome {
        let limits = KeyLimits { expected: 1 << random.u32(0..6), ..KeyLimits::default() };
        let allowed = Duration::from_nanos(self.allowed.unsigned_abs()).try_into().unwrap();
        let mut fold =
            AssignedFold::new(windows, trigger, Times, limits).with_lateness(allowed, self.retracts);
        match random.u8(0..3) {
            0 => {}
            1 => fold.connect(&mut Late::new(random.u64(..))),
            _ => fold.connect(&mut Never),
        }
        let mut out = Narrow::new(random.usize(1..6));
        play(inputs, &mut fold, &mut out, random, |key| Keyed { key, value: key });
        out.advance(&mut fold, Watermark::END);
        let kept = (fold.keys.len(), fold.lines.len(), fold.cells.len(), fold.waiting.len());
        assert_eq!(kept, (0, 0, 0, 0), "nothing is kept in the end");
        assert_eq!((fold.order.len(), fold.behind.len(), fold.timers.len()), (0, 0, 0));
        let tally = fold.tally();
        let mut outcome =
            Outcome { missed: tally.missed_windows, on_time: tally.on_time, ..Outcome::default() };
        let mut results = 0;
        for Record { time, value } in out.seen {
            match value {
                Windowed::Late(late) => outcome.late.push((time.as_nanos(), late.key)),
                Windowed::Result(WindowResult { window, key, value, kind, number }) => {
                    results += 1;
                    let (start, end) = (window.start.as_nanos(), window.end.as_nanos());
                    let said = (start, end, kind, number, value, time.as_nanos());
                    outcome.results.entry(key).or_default().push(said);
                }
            }
        }
        assert_eq!((tally.results, tally.late), (results, outcome.late.len() as u64));
        outcome.late.sort_unstable();
        outcome
    }
}

fn random_inputs(random: &mut fastrand::Rng, unit: i64) -> Vec<Input<u32>> {
    let keys = 1 << random.u32(0..4);
    let scaled = |arrival| match arrival {
        Arrival::Record(time, key) => Arrival::Record(time * unit, key),
        Arrival::Watermark(nanos) => Arrival::Watermark(nanos * unit),
    };
    let input = |random: &mut fastrand::Rng| {
        random_input(random, |random| random.u32(0..keys)).into_iter().map(scaled).collect()
    };
    (0..random.usize(1..4)).map(|_| input(random)).collect()
}

#[test]
fn any_interleaving_of_inputs_gives_what_the_semantics_say() {
    let mut seen = BTreeMap::<_, usize>::new();
    for seed in 0..4_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let unit = *random.choice(&[300_000, 1_000_000, 7_000_000, 1]).unwrap();
        let case = Case::random(&mut random, unit);
        let inputs = random_inputs(&mut random, unit);
        let expected = case.naive(&inputs);
        for (_, _, kind, ..) in expected.results.values().flatten() {
            *seen.entry(Some(*kind)).or_default() += 1;
        }
        *seen.entry(None).or_default() += expected.late.len();
        for _ in 0..3 {
            assert_eq!(case.run(&inputs, &mut random), expected, "seed {seed}: {case:?}: {inputs:?}");
        }
    }
    use ResultKind::{Correction, Early, OnTime, Retraction};
    for (what, least) in [
        (None, 1_000),
        (Some(Early), 10_000),
        (Some(OnTime), 10_000),
        (Some(Correction), 1_000),
        (Some(Retraction), 1_000),
    ] {
        assert!(seen[&what] > least, "{what:?}: {seen:?}");
    }
}
