//! The same from the operators, with memory that comes at once, late or never, and a narrow output.

use std::{collections::BTreeMap, time::Duration};

use fastrand::Rng;
use nacreous_watermark::{Span, Timestamp, Watermark};

use super::{
    Algorithm, Case, Figures, Item, Kind, Outcome,
    aggregates::{groups, mixed},
};
use crate::{
    Aggregate, CountFold, Counted, KeyLimits, Keyed, Operator, Partial, Periods, Prepared, Record,
    ResultKind, Session, SessionFold, Slicing, Sliding, Step, Tally, WindowFold, WindowMerge, WindowPartials,
    WindowResult, Windowed,
    algorithm::{FingerTree, Recompute, TwoStacks, using},
    interleaving::{Arrival, Input, play},
    narrow::Narrow,
    supply::tests::{Late, Never},
};

type Value = Keyed<u32, i64>;
type Output = Windowed<u32, i64, Figures>;

fn nanos(nanos: i64) -> Duration {
    Duration::from_nanos(nanos.unsigned_abs())
}

impl Case {
    pub(super) fn run(&self, inputs: &[Input<Item>]) -> Outcome {
        let limits = KeyLimits { expected: 1 << self.random().u32(0..9), ..KeyLimits::default() };
        match &self.kind {
            Kind::Sliding { size, every, offset } => {
                let windows = Sliding::new(nanos(*size), nanos(*every)).unwrap().with_offset(nanos(*offset));
                match self.algorithm {
                    Algorithm::Running => self.fold(inputs, windows, groups(), limits),
                    Algorithm::DabaLite => self.fold(inputs, windows, mixed(), limits),
                    Algorithm::TwoStacks => self.fold(inputs, windows, using(TwoStacks, mixed()), limits),
                    Algorithm::FingerTree => self.fold(inputs, windows, using(FingerTree, mixed()), limits),
                    Algorithm::Recompute => self.fold(inputs, windows, using(Recompute, mixed()), limits),
                }
            }
            Kind::Periods(starts) => {
                let starts = starts.iter().map(|start| Timestamp::from_nanos(*start));
                let windows = Periods::starting(starts).unwrap();
                match self.algorithm {
                    Algorithm::Running => self.fold(inputs, windows, groups(), limits),
                    Algorithm::FingerTree => self.fold(inputs, windows, using(FingerTree, mixed()), limits),
                    _ => self.fold(inputs, windows, mixed(), limits),
                }
            }
            Kind::TwoStages { size, every } => {
                let windows = Sliding::new(nanos(*size), nanos(*every)).unwrap();
                match self.algorithm {
                    Algorithm::Running => self.in_two_stages(inputs, windows, groups(), limits),
                    _ => self.in_two_stages(inputs, windows, mixed(), limits),
                }
            }
            Kind::Session { gap } => {
                let session = Session::with_gap(nanos(*gap)).unwrap();
                let (allowed, retracts) = self.lateness();
                let fold = SessionFold::new(session, mixed(), limits).with_lateness(allowed, retracts);
                self.drive(inputs, fold, SessionFold::holds_nothing)
            }
            Kind::Counted { size, every } => {
                let fold = CountFold::new(Counted::new(*size, *every).unwrap(), mixed(), limits);
                self.drive(inputs, fold, CountFold::holds_nothing)
            }
        }
    }

    fn fold<W: Slicing>(
        &self,
        inputs: &[Input<Item>],
        windows: W,
        by: impl Aggregate<i64, Out = Figures> + Clone,
        limits: KeyLimits,
    ) -> Outcome {
        let mut fold = WindowFold::new(windows, by).with_limits(limits);
        let (allowed, retracts) = self.lateness();
        if allowed > Span::ZERO {
            fold = fold.with_lateness(allowed, retracts);
        }
        self.drive(inputs, fold, WindowFold::holds_nothing)
    }

    /// What is drawn for the operator alone, so that it is the same for fewer records.
    fn random(&self) -> Rng {
        Rng::with_seed(!self.seed)
    }

    fn lateness(&self) -> (Span, bool) {
        (nanos(self.lateness.allowed).try_into().unwrap(), self.lateness.retracts)
    }

    /// Feeds the inputs to an operator, or to one like it.
    fn drive<O>(&self, inputs: &[Input<Item>], mut operator: O, holds_nothing: fn(&O) -> bool) -> Outcome
    where
        O: Operator<Value, Out = Output> + Clone,
    {
        let mut random = self.random();
        if random.u8(0..4) == 0 {
            operator = operator.clone();
        }
        connect(&mut operator, &mut random);
        let mut out = Narrow::new(random.usize(1..8));
        play(inputs, &mut operator, &mut out, &mut random, |(key, value)| Keyed { key, value });
        out.advance(&mut operator, Watermark::END);
        assert!(holds_nothing(&operator), "nothing is kept in the end: {self:?}");
        assert_eq!(operator.fault(), None);
        self.outcome(out, operator.tally())
    }

    /// Feeds each input to a first stage of its own, and what they make of them to the second.
    fn in_two_stages<A: Aggregate<i64, Out = Figures> + Clone>(
        &self,
        inputs: &[Input<Item>],
        windows: Sliding,
        by: A,
        limits: KeyLimits,
    ) -> Outcome {
        let first = WindowPartials::new(windows, by.clone(), limits);
        let mut second = WindowMerge::new(by, limits);
        let mut random = self.random();
        connect(&mut second, &mut random);
        let mut firsts: Vec<_> =
            inputs.iter().map(|input| (first.clone(), input.iter(), Watermark::MIN)).collect();
        let (mut out, mut partials) = (Narrow::new(random.usize(1..8)), Vec::new());
        while firsts.iter().any(|(.., watermark)| !watermark.is_end()) {
            let at = random.usize(0..firsts.len());
            let (first, input, own) = &mut firsts[at];
            match input.next() {
                Some(Arrival::Record(time, (key, value))) => {
                    let value = Keyed { key: *key, value: *value };
                    first.on_record(Record { time: Timestamp::from_nanos(*time), value }, &mut partials);
                }
                Some(Arrival::Watermark(at)) => *own = Watermark::at(Timestamp::from_nanos(*at)),
                None => *own = Watermark::END,
            }
            assert_eq!(first.on_watermark(*own, &mut partials), Step::Done);
            let mut waits = 100;
            while waits > 0 && second.prepare(partials.len()) == Prepared::Waiting {
                waits -= 1;
            }
            partials.drain(..).for_each(|partial: Record<Keyed<u32, Partial<_, _>>>| {
                second.on_record(partial, &mut out);
            });
            let merged = firsts.iter().map(|(.., own)| *own).min().expect("there is an input");
            out.advance(&mut second, merged);
        }
        assert!(second.holds_nothing(), "nothing is kept in the end: {self:?}");
        let mut tally = second.tally();
        firsts.iter().for_each(|(first, ..)| tally += first.tally());
        self.outcome(out, tally)
    }

    /// What has come out, and whether it is in order.
    fn outcome(&self, out: Narrow<Output>, tally: Tally) -> Outcome {
        let mut outcome =
            Outcome { missed: tally.missed_windows, on_time: tally.on_time, ..Outcome::default() };
        let mut latest = (Watermark::MIN, Timestamp::MIN);
        let mut standing: BTreeMap<_, Vec<(u32, Figures)>> = BTreeMap::new();
        let mut results = 0;
        for (nth, Record { time, value }) in out.seen.into_iter().enumerate() {
            let WindowResult { window, key, value, kind, number } = match value {
                Windowed::Result(result) => result,
                Windowed::Late(late) => {
                    outcome.late.push((time.as_nanos(), (late.key, late.value)));
                    continue;
                }
            };
            results += 1;
            let end = window.end.as_nanos();
            assert!(time.as_nanos() >= end - 1, "it comes of the last instant at least: {self:?}");
            let is_timed = !matches!(self.kind, Kind::Session { .. } | Kind::Counted { .. });
            assert!(!is_timed || time.as_nanos() == end - 1, "it has the time of the last instant: {self:?}");
            let window = (key, window.start.as_nanos(), end);
            let standing = standing.entry(window).or_default();
            match kind {
                ResultKind::OnTime => {
                    let passed = out.passed.iter().take_while(|(_, seen)| *seen <= nth).last();
                    let passed = passed.map_or(Watermark::MIN, |(watermark, _)| *watermark);
                    assert!(Watermark::at(time) >= passed, "nobody further on finds it late: {self:?}");
                    let now = (passed, Timestamp::from_nanos(end));
                    assert!(now >= latest, "windows fire in the order in which they end: {self:?}");
                    latest = now;
                    standing.push((number, value.clone()));
                }
                ResultKind::Early => unreachable!("nobody asks for early results: {self:?}"),
                ResultKind::Correction => standing.push((number, value.clone())),
                ResultKind::Retraction => {
                    let last = standing.last();
                    assert_eq!(last, Some(&(number, value.clone())), "it takes back the last: {self:?}");
                }
            }
            outcome.results.entry(window).or_default().push((kind, number, value));
        }
        assert_eq!(tally.results, results, "{self:?}");
        assert_eq!(tally.late, outcome.late.len() as u64, "{self:?}");
        outcome.sorted()
    }
}

/// Has an operator get its memory at once, late or never.
fn connect<I>(operator: &mut impl Operator<I>, random: &mut Rng) {
    match random.u8(0..3) {
        0 => {}
        1 => operator.connect(&mut Late::new(random.u64(..))),
        _ => operator.connect(&mut Never),
    }
}
