//! Families that share slices against operators that have each family to themselves, however the inputs are interleaved.

use std::{cell::Cell, collections::BTreeMap, fmt::Debug, time::Duration};

use nacreous_watermark::Timestamp;

use super::*;
use crate::{
    CommutativeMonoid, ResultKind,
    algorithm::{FingerTree, TwoStacks, using},
    interleaving::{Arrival, Input, play, random_input},
    narrow::Narrow,
    supply::tests::{Late, Never},
    window::times::Times,
};

/// What comes out for a key: the time, and what it is.
type Said<R> = (i64, Windowed<u32, u32, R>);

#[derive(Debug, PartialEq)]
struct Outcome<R> {
    /// In the order in which it came, by key.
    said: BTreeMap<u32, Vec<Said<R>>>,
    missed: u64,
    results: u64,
}

#[derive(Debug, Clone, Copy)]
struct Case {
    windows: [Sliding; 3],
    allowed: i64,
    retracts: bool,
}

fn nanos(n: i64) -> Duration {
    Duration::from_nanos(n.unsigned_abs())
}

fn said<R>(out: impl Iterator<Item = Record<Windowed<u32, u32, R>>>) -> BTreeMap<u32, Vec<Said<R>>> {
    let mut said = BTreeMap::<_, Vec<_>>::new();
    for Record { time, value } in out {
        let key = match &value {
            Windowed::Result(result) => result.key,
            Windowed::Late(late) => late.key,
        };
        said.entry(key).or_default().push((time.as_nanos(), value));
    }
    said
}

impl Case {
    fn random(random: &mut fastrand::Rng) -> Self {
        // Often of a common measure, so that slices are of several instants.
        let unit = random.i64(1..9);
        let one = |random: &mut fastrand::Rng| {
            let size = random.i64(1..12) * unit;
            let every = if random.bool() { size } else { random.i64(1..=size / unit) * unit };
            let offset = random.i64(0..4) * if random.u8(0..4) == 0 { 1 } else { unit };
            Sliding::new(nanos(size), nanos(every)).unwrap().with_offset(nanos(offset))
        };
        let allowed = if random.bool() { 0 } else { random.i64(1..100) };
        Self { windows: [(); 3].map(|()| one(random)), allowed, retracts: random.bool() }
    }

    fn limits(random: &mut fastrand::Rng) -> KeyLimits {
        KeyLimits { expected: 1 << random.u32(0..6), ..KeyLimits::default() }
    }

    /// What an operator of its own makes of a family.
    fn alone<A>(self, family: usize, aggregate: A, inputs: &[Input<u32>], seed: u64) -> Outcome<A::Out>
    where
        A: Aggregate<u32> + Clone,
    {
        let mut fold = WindowFold::new(self.windows[family], aggregate);
        if self.allowed > 0 {
            fold = fold.with_lateness(nanos(self.allowed).try_into().unwrap(), self.retracts);
        }
        let mut out = Narrow::new(usize::MAX);
        let make = |key| Keyed { key, value: key };
        play(inputs, &mut fold, &mut out, &mut fastrand::Rng::with_seed(seed), make);
        out.advance(&mut fold, Watermark::END);
        let Tally { missed_windows: missed, results, .. } = fold.tally();
        Outcome { said: said(out.seen.into_iter()), missed, results }
    }

    /// Compares all families with what they come to alone.
    fn check<A>(self, aggregate: &A, inputs: &[Input<u32>], random: &mut fastrand::Rng) -> [usize; 3]
    where
        A: Aggregate<u32, Out: PartialEq + Debug> + Clone,
    {
        let mut fold = SharedFold::new(self.windows, aggregate.clone(), Self::limits(random));
        if self.allowed > 0 {
            fold = fold.with_lateness(nanos(self.allowed).try_into().unwrap(), self.retracts);
        }
        if random.bool() {
            // It has seen something, which a clone has not.
            let mut out = Vec::new();
            let value = Keyed { key: 1, value: 1 };
            fold.on_record(Record { time: Timestamp::from_nanos(3), value }, &mut out);
            assert_eq!(fold.on_watermark(Watermark::at(Timestamp::from_nanos(500)), &mut out), Step::Done);
            fold = fold.clone();
        }
        let memory = random.u8(0..3);
        match memory {
            0 => {}
            1 => fold.connect(&mut Late::new(random.u64(..))),
            _ => fold.connect(&mut Never),
        }
        let mut fold = Preparing { fold, heeds: memory < 2 && random.bool() };
        let mut out = Narrow::new(random.usize(1..6));
        let seed = random.u64(..);
        let make = |key| Keyed { key, value: key };
        play(inputs, &mut fold, &mut out, &mut fastrand::Rng::with_seed(seed), make);
        out.advance(&mut fold, Watermark::END);
        let tally = fold.tally();

        let (mut missed, mut results, mut lates) = (0, 0, Vec::new());
        for family in 0..3 {
            let expected = self.alone(family, aggregate.clone(), inputs, seed);
            missed += expected.missed;
            results += expected.results;
            let of_it = out.seen.extract_if(.., |record| record.value.family == family);
            let found = said(of_it.map(|Record { time, value }| Record { time, value: value.value }));
            let late = found.values().flatten().filter(|(_, value)| matches!(value, Windowed::Late(_)));
            lates.push(late.count());
            assert_eq!(found, expected.said, "family {family} of {self:?}");
        }
        assert_eq!((tally.missed_windows, tally.results), (missed, results));
        let records = inputs.iter().flatten().filter(|arrival| matches!(arrival, Arrival::Record(..)));
        assert_eq!(tally.on_time + tally.late, records.count() as u64, "each is counted once");
        let least = lates.iter().min().copied().unwrap();
        assert!(tally.late <= least as u64, "{} are late for all, {lates:?} for each", tally.late);
        lates.try_into().unwrap()
    }
}

/// Prepares for each record.
struct Preparing<O> {
    fold: O,
    heeds: bool,
}

impl<I, O: Operator<I>> Operator<I> for Preparing<O> {
    type Out = O::Out;

    fn on_record(&mut self, record: Record<I>, out: &mut impl Emit<O::Out>) {
        while self.fold.prepare(1) == Prepared::Waiting && self.heeds {}
        self.fold.on_records([record].into_iter(), out);
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl Emit<O::Out>) -> Step {
        self.fold.on_watermark(watermark, out)
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.fold.judge_by(watermark);
    }

    fn tally(&self) -> Tally {
        self.fold.tally()
    }
}

#[test]
fn each_family_comes_to_what_it_does_alone() {
    let (mut late, mut apart) = ([0; 3], 0);
    let (mut corrections, mut retractions) = (0, 0);
    for seed in 0..600 {
        let mut random = fastrand::Rng::with_seed(seed);
        let case = Case::random(&mut random);
        let keys = 1 << random.u32(0..5);
        let inputs: Vec<_> = (0..random.usize(1..4))
            .map(|_| random_input(&mut random, |random| random.u32(0..keys)))
            .collect();
        let before = random.clone();
        let found = std::panic::catch_unwind(|| {
            let mut random = before;
            if case.allowed > 0 {
                return case.check(&using(FingerTree, Times), &inputs, &mut random);
            }
            match random.u8(0..3) {
                0 => case.check(&Times, &inputs, &mut random),
                1 => case.check(&using(TwoStacks, Times), &inputs, &mut random),
                _ => case.check(&crate::sum(|key: &u32| u64::from(*key)), &inputs, &mut random),
            }
        });
        let found = found.unwrap_or_else(|_| panic!("seed {seed}: {case:?}: {inputs:?}"));
        (0..3).for_each(|family| late[family] += found[family]);
        apart += usize::from(found[0] != found[1]);
        if case.allowed > 0 {
            let alone = case.alone(0, using(FingerTree, Times), &inputs, seed);
            let kinds = |wanted| {
                let is_wanted =
                    |value: &Windowed<_, _, _>| matches!(value, Windowed::Result(r) if r.kind == wanted);
                alone.said.values().flatten().filter(|(_, value)| is_wanted(value)).count()
            };
            corrections += kinds(ResultKind::Correction);
            retractions += kinds(ResultKind::Retraction);
        }
    }
    assert!(late.iter().all(|late| *late > 300), "{late:?}");
    assert!(apart > 150, "in {apart} cases is one late for the one and not for the other");
    assert!(corrections > 300 && retractions > 100, "{corrections}, {retractions}");
}

#[test]
fn records_at_the_ends_of_time_are_counted_as_alone() {
    let ends = [i64::MIN, i64::MIN + 1, i64::MIN + 7, -1, 0, i64::MAX - 7, i64::MAX - 1, i64::MAX];
    let inputs = [ends.map(|time| Arrival::Record(time, 1)).to_vec()];
    // Of slices of an instant each, the last two of time are one.
    let but_one = [ends.map(|time| Arrival::Record(time.min(i64::MAX - 1), 1)).to_vec()];
    for (size, every, offset) in [(6, 2, 0), (6, 4, 1), (i64::MAX - 1, i64::MAX - 1, 4)] {
        let windows =
            |size, every| Sliding::new(nanos(size), nanos(every)).unwrap().with_offset(nanos(offset));
        let windows = [windows(size, every), windows(12, 12), windows(1 << 40, 1 << 39)];
        let case = Case { windows, allowed: 0, retracts: false };
        case.check(&crate::count(), &inputs, &mut fastrand::Rng::with_seed(3));
        let windows = [windows[0], windows[1].with_offset(nanos(5)), windows[2]];
        let case = Case { windows, ..case };
        case.check(&crate::count(), &but_one, &mut fastrand::Rng::with_seed(3));
    }
}

thread_local! {
    static LIFTED: Cell<u64> = const { Cell::new(0) };
    static COMBINED: Cell<u64> = const { Cell::new(0) };
}

/// Counts records, and what is done for that.
#[derive(Clone)]
struct Effort;

impl Aggregate<u32> for Effort {
    type Acc = u64;
    type Out = u64;
    type Algebra = CommutativeMonoid;

    fn lift(&self, _: &u32, _: Timestamp) -> u64 {
        LIFTED.set(LIFTED.get() + 1);
        1
    }

    fn combine(&self, acc: &mut u64, other: &u64) {
        COMBINED.set(COMBINED.get() + 1);
        *acc += other;
    }

    fn finish(&self, acc: u64) -> u64 {
        acc
    }
}

#[test]
fn a_record_touches_one_accumulator_however_many_families_there_are() {
    let windows = [(10, 10), (60, 60), (60, 20), (30, 10)];
    let windows = windows.map(|(size, every)| Sliding::new(nanos(size), nanos(every)).unwrap());
    let mut fold = SharedFold::new(windows, Effort, KeyLimits::default());
    let mut out = Vec::new();
    for n in 0..600_u32 {
        let time = Timestamp::from_nanos(i64::from(n / 10));
        fold.on_record(Record { time, value: Keyed { key: 5, value: n } }, &mut out);
    }
    assert_eq!((LIFTED.get(), COMBINED.get()), (600, 600 - 6));
    assert_eq!(fold.on_watermark(Watermark::END, &mut out), Step::Done);
    assert_eq!(LIFTED.get(), 600);
    // Each of the six slices into each family, and a few for each slice there.
    assert!(COMBINED.get() < 600 + 200, "{} combinations", COMBINED.get());
    let all = |family| {
        let of_family = out.iter().filter(|record| record.value.family == family);
        let counts = of_family.map(|record| match &record.value.value {
            Windowed::Result(result) => result.value,
            Windowed::Late(_) => panic!("nothing is late"),
        });
        counts.collect::<Vec<_>>()
    };
    assert_eq!(all(0), [100; 6]);
    assert_eq!(all(1), [600]);
    assert_eq!(all(2), [200, 400, 600, 400, 200]);
    assert_eq!(all(3), [100, 200, 300, 300, 300, 300, 200, 100]);
}

#[test]
fn a_key_too_many_is_a_fault_of_the_family_whose_windows_have_it() {
    let windows = [10, 20].map(|size| Sliding::tumbling(nanos(size)).unwrap());
    let mut fold =
        SharedFold::new(windows, Effort, KeyLimits { expected: 2, most: 3, ..KeyLimits::default() });
    let mut out = Vec::new();
    for (time, key) in [(0, 1), (5, 2), (12, 2), (13, 3), (14, 4)] {
        let value = Keyed { key, value: 0 };
        fold.on_record(Record { time: Timestamp::from_nanos(time), value }, &mut out);
        assert_eq!(fold.fault(), None);
    }
    assert_eq!(fold.on_watermark(Watermark::at(Timestamp::from_nanos(20)), &mut out), Step::Done);
    assert_eq!(fold.fault(), Some(Fault::TooManyKeys { most: 3 }));
    let mut fold = fold.clone();
    for key in 0..4 {
        assert_eq!(fold.fault(), None);
        let value = Keyed { key, value: 0 };
        fold.on_record(Record { time: Timestamp::from_nanos(0), value }, &mut out);
    }
    assert_eq!(fold.fault(), Some(Fault::TooManyKeys { most: 3 }));
}
