//! The operator against lists of records, sorted and cut as the semantics are worded; and against the one for aggregates that commute.

mod limits;

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use super::*;
use crate::{
    WindowFold, WindowResult,
    algorithm::{FingerTree, using},
    interleaving::{Input, play, random_input},
    narrow::Narrow,
    stats,
    supply::tests::{Late, Never},
    window::{
        Periods,
        sequence::{Matrices, Sequence},
    },
};

/// A window's start and end, and the key.
type Of = (i64, i64, u8);
/// Why it came, its number, and what it says.
type Said<R> = (ResultKind, u32, R);

/// What comes out.
#[derive(Debug, PartialEq)]
struct Outcome<R> {
    /// In the order in which it came.
    results: BTreeMap<Of, Vec<Said<R>>>,
    /// Times and values, in order.
    late: Vec<(i64, u32)>,
    missed: u64,
    on_time: u64,
}

/// Windows, told apart from how the operator knows them.
#[derive(Debug, Clone)]
enum Kind {
    Sliding { size: i64, every: i64, offset: i64 },
    Periods(Vec<i64>),
}

#[derive(Debug)]
struct Case {
    kind: Kind,
    allowed: i64,
    retracts: bool,
    /// Of values that are all different.
    inputs: Vec<Input<u32>>,
    keys: u32,
}

/// A record as it came: its time, its value, and the watermark of its own input before it.
type Came = (i64, u32, i64);

fn nanos(n: i64) -> Duration {
    Duration::from_nanos(n.unsigned_abs())
}

impl Kind {
    fn random(random: &mut fastrand::Rng) -> Self {
        if random.u8(0..4) == 0 {
            let mut starts: Vec<_> = (0..random.usize(1..8)).map(|_| random.i64(-80..300)).collect();
            starts.sort_unstable();
            starts.dedup();
            return Self::Periods(starts);
        }
        let size = random.i64(1..60);
        let every = if random.bool() { size } else { random.i64(1..=size) };
        Self::Sliding { size, every, offset: if random.bool() { 0 } else { random.i64(0..every) } }
    }

    /// The start and the end of each window that an instant lies in.
    fn over(&self, time: i64) -> Vec<(i64, i64)> {
        match self {
            Self::Sliding { size, every, offset } => {
                let last = (time - offset).div_euclid(*every) * every + offset;
                let starts = (0..).map(|back| last - back * every).take_while(|start| start + size > time);
                starts.map(|start| (start, start + size)).collect()
            }
            Self::Periods(starts) => {
                let start = starts.iter().rev().find(|start| **start <= time).copied().unwrap_or(i64::MIN);
                let end = starts.iter().find(|start| **start > time).copied().unwrap_or(i64::MAX);
                vec![(start, end)]
            }
        }
    }
}

impl Case {
    fn random(random: &mut fastrand::Rng) -> Self {
        let mut value = 0;
        let inputs = (0..random.usize(1..4)).map(|_| {
            random_input(random, |_| {
                value += 1;
                value
            })
        });
        let inputs = inputs.collect();
        let allowed = match random.u8(0..8) {
            0..4 => 0,
            4 => i64::MAX,
            _ => random.i64(1..150),
        };
        Self { kind: Kind::random(random), allowed, retracts: random.bool(), inputs, keys: random.u32(1..6) }
    }

    fn key(&self, value: u32) -> u8 {
        u8::try_from(value % self.keys).unwrap()
    }

    /// The records with what they are judged by, in the order in which they came.
    fn came(&self, order: &[u32]) -> Vec<Came> {
        let mut of = BTreeMap::new();
        for (time, value, watermark) in crate::interleaving::judged(&self.inputs) {
            of.insert(value, (time, value, watermark));
        }
        order.iter().map(|value| of[value]).collect()
    }

    fn is_closed(end: i64, watermark: i64) -> bool {
        // The last period ends with the stream.
        end <= watermark && end != i64::MAX
    }

    /// Checks what came out word for word. Where there are several inputs, only in which order corrections come is left open.
    fn check<R: Debug + PartialEq + Clone>(
        &self,
        found: &Outcome<R>,
        order: &[u32],
        of: impl Fn(&[u32]) -> R,
    ) {
        let came = self.came(order);
        let (mut late, mut missed, mut on_time) = (Vec::new(), 0, 0);
        // Of each window the records: their time, number and value, and whether they are on time.
        let mut windows: BTreeMap<Of, Vec<(i64, usize, u32, bool)>> = BTreeMap::new();
        for (number, (time, value, watermark)) in came.into_iter().enumerate() {
            let mut is_late = true;
            for (start, end) in self.kind.over(time) {
                if Self::is_closed(end, watermark.saturating_sub(self.allowed)) {
                    missed += 1;
                    continue;
                }
                is_late = false;
                let record = (time, number, value, !Self::is_closed(end, watermark));
                windows.entry((start, end, self.key(value))).or_default().push(record);
            }
            if is_late {
                late.push((time, value));
            } else {
                on_time += 1;
            }
        }
        late.sort_unstable();
        assert_eq!((&found.late, found.missed, found.on_time), (&late, missed, on_time));
        assert!(found.results.keys().eq(windows.keys()), "the windows and keys with records");
        for (window, records) in windows {
            self.check_window(&found.results[&window], records, &of);
        }
    }

    fn check_window<R: Debug + PartialEq + Clone>(
        &self,
        said: &[Said<R>],
        records: Vec<(i64, usize, u32, bool)>,
        of: impl Fn(&[u32]) -> R,
    ) {
        let sorted = |records: &[(i64, usize, u32, bool)]| {
            let mut records = records.to_vec();
            records.sort_unstable();
            of(&records.iter().map(|(_, _, value, _)| *value).collect::<Vec<_>>())
        };
        let (mut there, mut left): (Vec<_>, Vec<_>) = records.into_iter().partition(|(.., on_time)| *on_time);
        let mut said = said.iter();
        let mut number = 0;
        if !there.is_empty() {
            assert_eq!(said.next(), Some(&(ResultKind::OnTime, 0, sorted(&there))));
            number += 1;
        }
        while !left.is_empty() {
            if self.retracts && !there.is_empty() {
                assert_eq!(said.next(), Some(&(ResultKind::Retraction, number - 1, sorted(&there))));
            }
            let (kind, found_number, value) = said.next().expect("each late record corrects it");
            assert_eq!((*kind, *found_number), (ResultKind::Correction, number));
            // With one input it is the one that came first, else any.
            let tried = if self.inputs.len() == 1 { 1 } else { left.len() };
            let with = |index: usize| sorted(&[there.as_slice(), &[left[index]]].concat());
            let next = (0..tried).find(|index| with(*index) == *value);
            there.push(left.remove(next.unwrap_or_else(|| panic!("{value:?} of {there:?} and {left:?}"))));
            number += 1;
        }
        assert_eq!(said.next(), None);
    }

    /// What an operator makes of the inputs, and the values in the order in which they came.
    fn run<O, R>(&self, mut operator: O, random: &mut fastrand::Rng) -> (Outcome<R>, Vec<u32>)
    where
        O: Operator<Keyed<u8, u32>, Out = Windowed<u8, u32, R>>,
    {
        let mut out = Narrow::new(random.usize(1..6));
        let key = |value| Keyed { key: self.key(value), value };
        let order = play(&self.inputs, &mut operator, &mut out, random, key);
        out.advance(&mut operator, Watermark::END);
        assert_eq!(operator.fault(), None);
        let tally = operator.tally();
        let (mut results, mut late) = (BTreeMap::<_, Vec<_>>::new(), Vec::new());
        let mut latest = i64::MIN;
        for Record { time, value } in out.seen {
            match value {
                Windowed::Late(record) => late.push((time.as_nanos(), record.value)),
                Windowed::Result(WindowResult { window, key, value, kind, number }) => {
                    let (start, end) = (window.start.as_nanos(), window.end.as_nanos());
                    assert_eq!(time.as_nanos(), end - 1);
                    if kind == ResultKind::OnTime {
                        assert!(end >= latest, "windows come in order");
                        latest = end;
                    }
                    results.entry((start, end, key)).or_default().push((kind, number, value));
                }
            }
        }
        assert_eq!(tally.results, results.values().map(Vec::len).sum::<usize>() as u64);
        assert_eq!(tally.late, late.len() as u64);
        late.sort_unstable();
        (Outcome { results, late, missed: tally.missed_windows, on_time: tally.on_time }, order)
    }

    fn sliding(size: i64, every: i64, offset: i64) -> Sliding {
        Sliding::new(nanos(size), nanos(every)).unwrap().with_offset(nanos(offset))
    }

    fn periods(starts: &[i64]) -> Periods {
        Periods::starting(starts.iter().map(|start| Timestamp::from_nanos(*start))).unwrap()
    }

    fn ordered<A: Aggregate<u32> + Clone>(
        &self,
        aggregate: A,
        random: &mut fastrand::Rng,
    ) -> (Outcome<A::Out>, Vec<u32>) {
        match &self.kind {
            Kind::Sliding { size, every, offset } => {
                self.ordered_over(Self::sliding(*size, *every, *offset), aggregate, random)
            }
            Kind::Periods(starts) => self.ordered_over(Self::periods(starts), aggregate, random),
        }
    }

    fn ordered_over<W: Slicing, A: Aggregate<u32> + Clone>(
        &self,
        windows: W,
        aggregate: A,
        random: &mut fastrand::Rng,
    ) -> (Outcome<A::Out>, Vec<u32>) {
        let limits = KeyLimits { expected: 1 << random.u32(0..6), ..KeyLimits::default() };
        let allowed = Span::at_most(nanos(self.allowed));
        let fold = OrderedFold::new(windows, aggregate, limits).with_lateness(allowed, self.retracts);
        // Another instance is the same, but has seen nothing.
        let mut fold = fold.clone();
        let memory = random.u8(0..3);
        match memory {
            0 => {}
            1 => fold.connect(&mut Late::new(random.u64(..))),
            _ => fold.connect(&mut Never),
        }
        self.run(Watched { fold, heeds: memory == 1 }, random)
    }

    /// The same by the operator for aggregates that commute.
    fn sliced<A: Aggregate<u32>>(&self, aggregate: A, random: &mut fastrand::Rng) -> Outcome<A::Out> {
        let allowed = Span::at_most(nanos(self.allowed));
        match &self.kind {
            Kind::Sliding { size, every, offset } => {
                let fold =
                    WindowFold::new(Self::sliding(*size, *every, *offset), using(FingerTree, aggregate));
                self.run(fold.with_lateness(allowed, self.retracts), random).0
            }
            Kind::Periods(starts) => {
                let fold = WindowFold::new(Self::periods(starts), using(FingerTree, aggregate));
                self.run(fold.with_lateness(allowed, self.retracts), random).0
            }
        }
    }
}

/// An operator of which it is looked at how much it keeps, and whether it makes room on the spot although it was asked before.
struct Watched<W: Slicing, A: Aggregate<u32>> {
    fold: OrderedFold<u8, A, u32, W>,
    heeds: bool,
}

impl<W: Slicing, A: Aggregate<u32>> Watched<W, A> {
    /// Nothing is kept that lies in no window any more.
    fn check_kept(&self) {
        let OrderedFold { keys, records, windows, closing, .. } = &self.fold;
        for (_, line) in keys.iter() {
            let (first, _) = line.records.first(records).expect("a key has a record");
            let (_, last) = windows.windows_over(windows.slice_at(first));
            assert!(last >= closing.kept_from, "{first:?} is kept");
        }
    }

    fn room(&self) -> [(usize, usize); 2] {
        let OrderedFold { records, results, windows, lateness, .. } = &self.fold;
        // There is not memory for any number of windows that a record corrects.
        let all = corrected(windows, *lateness) < 16;
        [records.room(), if all { results.room() } else { (0, 0) }]
    }
}

impl<W: Slicing, A: Aggregate<u32>> Operator<Keyed<u8, u32>> for Watched<W, A> {
    type Out = Windowed<u8, u32, A::Out>;

    fn on_record(&mut self, record: Record<Keyed<u8, u32>>, out: &mut impl Emit<Self::Out>) {
        while self.heeds && self.fold.prepare(1) == Prepared::Waiting {}
        let room = self.room();
        self.fold.on_record(record, out);
        assert!(!self.heeds || self.room() == room, "made on the spot");
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl Emit<Self::Out>) -> Step {
        let room = self.room();
        let step = self.fold.on_watermark(watermark, out);
        assert!(!self.heeds || self.room() == room, "made on the spot");
        if step == Step::Done {
            self.check_kept();
        }
        if watermark.is_end() && step == Step::Done {
            assert_eq!(self.fold.keys.len(), 0, "nothing is kept in the end");
            let all = |nodes: usize, (_, retired): (usize, usize)| assert_eq!(nodes, retired);
            all(self.fold.records.len(), self.fold.records.retired());
            all(self.fold.results.len(), self.fold.results.retired());
            assert_eq!(self.fold.held.len(), 0);
        }
        step
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.fold.judge_by(watermark);
    }

    fn tally(&self) -> Tally {
        self.fold.tally()
    }
}

#[test]
fn records_are_taken_in_order_of_time_and_then_as_they_came() {
    let (mut corrections, mut several) = (0, 0);
    for seed in 0..1_500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let case = Case::random(&mut random);
        for _ in 0..2 {
            let at = |what: &str| format!("{what}, seed {seed}: {case:?}");
            let report = Report(at("of a sequence"));
            let (found, order) = case.ordered(Sequence, &mut random);
            case.check(&found, &order, <[u32]>::to_vec);
            corrections += found.results.values().filter(|said| said.len() > 1).count();
            several += found.results.values().flatten().filter(|(.., value)| value.len() > 2).count();
            drop(report);
            let report = Report(at("of matrices"));
            let (found, order) = case.ordered(Matrices, &mut random);
            case.check(&found, &order, product);
            drop(report);
        }
    }
    assert!(corrections > 5_000, "only {corrections} windows were corrected");
    assert!(several > 20_000, "only {several} results of three records or more");
}

/// What matrices come to, one after the other.
fn product(values: &[u32]) -> [[u64; 2]; 2] {
    let zero = Timestamp::from_nanos(0);
    let lifted = values.iter().map(|value| Matrices.lift(value, zero));
    lifted.reduce(|acc, next| joined(&Matrices)(&acc, &next)).unwrap_or_default()
}

/// Says what was tried, if that panics.
struct Report(String);

impl Drop for Report {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0);
        }
    }
}

#[test]
fn of_an_aggregate_that_commutes_the_results_are_those_of_the_other_operator() {
    for seed in 0..1_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let case = Case::random(&mut random);
        let aggregate = stats(|value: &u32| i64::from(*value));
        let mut again = random.clone();
        // The same draws before the inputs are interleaved.
        (_, _) = (again.u32(0..6), again.u8(0..3) == 1 && again.u64(..) > 0);
        let (found, _) = case.ordered(aggregate.clone(), &mut random);
        let expected = case.sliced(aggregate, &mut again);
        assert_eq!(found, expected, "seed {seed}: {case:?}");
    }
}
