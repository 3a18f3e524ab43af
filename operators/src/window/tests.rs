//! Every kind of windows with every algebra, algorithm and lateness, on inputs made to break it, against a naive recomputation of
//! all that is to come out.

mod adversary;
mod aggregates;
mod naive;
mod operators;

use std::{collections::BTreeMap, panic};

use fastrand::Rng;

use super::{Lateness, ResultKind};
use crate::interleaving::{Arrival, Input};
use adversary::Scene;

/// Key and value.
type Item = (u32, i64);

/// What a window comes to, whatever the aggregate.
type Figures = Vec<i128>;

/// Kind, number, and what it comes to.
type Said = (ResultKind, u32, Figures);

/// What comes out.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    /// By key, start and end: in the order in which it comes.
    results: BTreeMap<(u32, i64, i64), Vec<Said>>,
    late: Vec<(i64, Item)>,
    missed: u64,
    on_time: u64,
}

/// Windows, and what is done over them.
#[derive(Debug)]
struct Case {
    seed: u64,
    adversary: &'static str,
    kind: Kind,
    lateness: Lateness,
    algorithm: Algorithm,
    /// Whether the watermarks of several inputs are merged.
    merged: bool,
}

/// Windows, in nanoseconds or records.
#[derive(Debug, Clone)]
enum Kind {
    Sliding { size: i64, every: i64, offset: i64 },
    TwoStages { size: i64, every: i64 },
    Periods(Vec<i64>),
    Session { gap: i64 },
    Counted { size: u32, every: u32 },
}

/// How windows that overlap are put together: groups by the first, [all sorts](aggregates::mixed) by the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Running,
    DabaLite,
    TwoStacks,
    FingerTree,
    Recompute,
}

const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::Running,
    Algorithm::DabaLite,
    Algorithm::TwoStacks,
    Algorithm::FingerTree,
    Algorithm::Recompute,
];

/// Ways to make windows, by whether they can be kept for late records.
const KINDS: [(fn(&mut Rng) -> Kind, bool); 9] = [
    (tumbling, true),
    (dividing, true),
    (not_dividing, true),
    (with_offset, true),
    (periods, true),
    (session, true),
    (two_stages, false),
    (counted_tumbling, false),
    (counted_sliding, false),
];

fn tumbling(random: &mut Rng) -> Kind {
    let size = random.i64(2..60);
    Kind::Sliding { size, every: size, offset: 0 }
}

fn dividing(random: &mut Rng) -> Kind {
    let every = random.i64(2..12);
    Kind::Sliding { size: every * random.i64(2..9), every, offset: 0 }
}

fn not_dividing(random: &mut Rng) -> Kind {
    // With less, the last two instants of time share a slice.
    let every = random.i64(3..20);
    Kind::Sliding { size: every * random.i64(1..5) + random.i64(1..every), every, offset: 0 }
}

fn with_offset(random: &mut Rng) -> Kind {
    let every = random.i64(3..30);
    Kind::Sliding { size: every + random.i64(0..40), every, offset: random.i64(0..every) }
}

fn periods(random: &mut Rng) -> Kind {
    let mut at = random.i64(-200..100);
    let starts = (0..random.usize(1..25)).map(|_| {
        at += random.i64(1..60);
        at
    });
    Kind::Periods(starts.collect())
}

fn session(random: &mut Rng) -> Kind {
    Kind::Session { gap: random.i64(2..60) * random.choice([1, 1, 50, 1_000_000]).expect("one") }
}

fn two_stages(random: &mut Rng) -> Kind {
    let every = random.i64(3..30);
    Kind::TwoStages { size: every + random.i64(0..40), every }
}

fn counted_tumbling(random: &mut Rng) -> Kind {
    let size = random.u32(1..12);
    Kind::Counted { size, every: size }
}

fn counted_sliding(random: &mut Rng) -> Kind {
    let size = random.u32(2..12);
    Kind::Counted { size, every: random.u32(1..size) }
}

/// How long windows are kept, as a part of their size or for ever, and whether corrections retract.
const LATENESS: [Option<(Option<i64>, bool)>; 5] =
    [None, Some((Some(2), false)), Some((Some(2), true)), Some((None, false)), Some((None, true))];

impl Outcome {
    /// Counts a record.
    fn count(&mut self, time: i64, item: Item, is_late: bool) {
        if is_late {
            self.late.push((time, item));
        } else {
            self.on_time += 1;
        }
    }

    fn sorted(mut self) -> Self {
        self.late.sort_unstable();
        self
    }

    /// Without what corrections come to in between, which depends on the order in which they come.
    fn in_the_end(mut self) -> Self {
        for said in self.results.values_mut() {
            let last = said.len() - 1;
            let between = said
                .iter_mut()
                .enumerate()
                .filter(|(nth, (kind, ..))| *nth < last && *kind != ResultKind::OnTime);
            between.for_each(|(_, (_, _, figures))| figures.clear());
        }
        self
    }

    /// How many results are of a kind.
    fn of_kind(&self, wanted: ResultKind) -> usize {
        self.results.values().flatten().filter(|(kind, ..)| *kind == wanted).count()
    }
}

impl Case {
    /// The case with this number, of all that there are, and its inputs: each seed, other ones.
    fn new(seed: u64) -> (Self, Vec<Input<Item>>) {
        let mut random = Rng::with_seed(seed);
        let (kind, (adversary, write), late, merged) = combination(seed);
        let kind = kind(&mut random);
        let lateness = match LATENESS[late] {
            None => Lateness::default(),
            Some((None, retracts)) => Lateness { allowed: i64::MAX, retracts },
            Some((Some(sizes), retracts)) => {
                Lateness { allowed: random.i64(1..=kind.size() * sizes), retracts }
            }
        };
        let algorithm = match kind {
            // They have one alone.
            Kind::Session { .. } | Kind::Counted { .. } => Algorithm::DabaLite,
            _ if lateness.allowed > 0 => Algorithm::FingerTree,
            _ => ALGORITHMS[random.usize(0..ALGORITHMS.len())],
        };
        let scene = kind.scene(merged, &mut random);
        let inputs = if merged { random.usize(2..4) } else { 1 };
        let inputs = (0..inputs).map(|_| scene.input(write, &mut random)).collect();
        (Self { seed, adversary, kind, lateness, algorithm, merged }, inputs)
    }

    /// What the semantics say.
    fn naive(&self, inputs: &[Input<Item>]) -> Outcome {
        let came_to: naive::CameTo<'_> = match self.algorithm {
            Algorithm::Running => &aggregates::of_groups,
            _ => &aggregates::of_mixed,
        };
        match &self.kind {
            Kind::Session { gap } => {
                let resolution = (gap / 16).clamp(1, 1_000_000);
                naive::Sessions { gap: *gap, lateness: self.lateness, resolution, came_to }.outcome(inputs)
            }
            Kind::Counted { size, every } => {
                naive::counted(inputs, (*size as usize, *every as usize), 1_000_000, came_to)
            }
            timed => naive::timed(inputs, |time| timed.windows_of(time), self.lateness, came_to),
        }
    }

    /// Compares what comes out with what is to come out, which is returned.
    fn check(&self, inputs: &[Input<Item>]) -> Outcome {
        let (mut expected, mut found) = (self.naive(inputs), self.run(inputs));
        if self.merged && !matches!(self.kind, Kind::Session { .. }) {
            (expected, found) = (expected.in_the_end(), found.in_the_end());
        }
        assert!(
            found == expected,
            "{}: {self:?}\nof {inputs:?}\nfound    {found:?}\nexpected {expected:?}",
            self.adversary
        );
        expected
    }

    /// Inputs that make it fail as well, of which nothing can be left out.
    fn least(&self, mut inputs: Vec<Input<Item>>) -> Vec<Input<Item>> {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(|_| {}));
        let mut shortened = true;
        while shortened {
            shortened = false;
            for (nth, at) in places(&inputs) {
                let mut fewer = inputs.clone();
                fewer[nth].remove(at);
                if panic::catch_unwind(|| self.check(&fewer)).is_err() {
                    (inputs, shortened) = (fewer, true);
                    break;
                }
            }
        }
        panic::set_hook(hook);
        inputs
    }
}

/// Where something can be taken out.
fn places(inputs: &[Input<Item>]) -> Vec<(usize, usize)> {
    inputs.iter().enumerate().flat_map(|(nth, input)| (0..input.len()).map(move |at| (nth, at))).collect()
}

/// What makes windows, a named adversary, the place of a lateness, and whether there are several inputs.
type Combination = (fn(&mut Rng) -> Kind, (&'static str, fn(&mut adversary::Script<'_>)), usize, bool);

/// How many combinations there are.
fn combinations() -> u64 {
    let of_kinds: usize = KINDS.iter().map(|(_, kept)| if *kept { LATENESS.len() } else { 1 }).sum();
    (of_kinds * adversary::ALL.len() * 2) as u64
}

/// Each in turn.
fn combination(number: u64) -> Combination {
    let lateness = |kept: bool| 0..if kept { LATENESS.len() } else { 1 };
    let all = KINDS.iter().flat_map(|(kind, kept)| lateness(*kept).map(move |late| (*kind, late)));
    let all: Vec<_> = all.collect();
    let number = usize::try_from(number % combinations()).expect("there are few");
    let (kind, late) = all[number % all.len()];
    let number = number / all.len();
    (kind, adversary::ALL[number / 2], late, number % 2 == 1)
}

impl Kind {
    /// How long windows are, or what is as long.
    fn size(&self) -> i64 {
        match self {
            Self::Sliding { size, .. } | Self::TwoStages { size, .. } => *size,
            Self::Session { gap } => *gap,
            Self::Periods(_) => 30,
            Self::Counted { size, .. } => i64::from(*size) + 1,
        }
    }

    /// What an adversary is to know.
    fn scene(&self, merged: bool, random: &mut Rng) -> Scene {
        let (size, every, offset, unit) = match self {
            Self::Sliding { size, every, offset } => (*size, *every, *offset, 1),
            Self::TwoStages { size, every } => (*size, *every, 0, 1),
            Self::Periods(_) => (30, 30, 0, 1),
            Self::Session { gap } => (*gap, (gap / 4).max(1), 0, 1),
            // Several to a millisecond and several to none.
            Self::Counted { .. } => (self.size(), 1, 0, [1, 300_000, 1_000_000][random.usize(0..3)]),
        };
        let edges = match self {
            Self::Periods(starts) => starts.clone(),
            _ => (-8..20).flat_map(|hop| [hop * every + offset, hop * every + offset + size]).collect(),
        };
        let mut edges: Vec<i64> = edges;
        edges.sort_unstable();
        let tied = merged && matches!(self, Self::Session { .. } | Self::Counted { .. });
        let slice = if size % every == 0 { every } else { size % every };
        Scene { size, slice, edges, keys: 1 << random.choice([0, 1, 2, 8]).expect("one"), tied, unit }
    }

    /// The windows that an instant lies in, cut to the range of time.
    fn windows_of(&self, time: i64) -> Vec<(i64, i64)> {
        let (size, every, offset) = match self {
            Self::Periods(starts) => {
                let begun = starts.iter().rev().find(|start| **start <= time);
                let next = starts.iter().find(|start| **start > time);
                return vec![(*begun.unwrap_or(&i64::MIN), *next.unwrap_or(&i64::MAX))];
            }
            Self::Sliding { size, every, offset } => (*size, *every, *offset),
            Self::TwoStages { size, every } => (*size, *every, 0),
            Self::Session { .. } | Self::Counted { .. } => unreachable!("they depend on the records"),
        };
        let [time, size, every, offset] = [time, size, every, offset].map(i128::from);
        let last = (time - offset).div_euclid(every) * every + offset;
        let starts = (0..).map(|back| last - back * every).take_while(|start| start + size > time);
        let cut = |at: i128| i64::try_from(at.clamp(i64::MIN.into(), i64::MAX.into())).expect("it is cut");
        starts.map(|start| (cut(start), cut(start + size))).collect()
    }
}

/// How many records an ordinary run tries at least; `NACREOUS_RECORDS` asks for more.
const RECORDS: u64 = 100_000;

#[test]
fn all_kinds_of_windows_withstand_all_adversaries() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let least: u64 = number("NACREOUS_RECORDS").unwrap_or(RECORDS);
    let first: u64 = number("NACREOUS_FIRST_WINDOWS").unwrap_or(0);
    let (mut records, mut late, mut kinds) = (0, 0, BTreeMap::new());
    let mut seeds = first..;
    while records < least || seeds.start - first < combinations() {
        let seed = seeds.next().expect("there is no end to them");
        let (case, inputs) = Case::new(seed);
        let Ok(expected) = panic::catch_unwind(|| case.check(&inputs)) else {
            let least = case.least(inputs);
            case.check(&least);
            panic!("NACREOUS_FIRST_WINDOWS={seed}: fails now and then");
        };
        let of_input = |input: &Input<Item>| {
            input.iter().filter(|arrival| matches!(arrival, Arrival::Record(..))).count() as u64
        };
        records += inputs.iter().map(of_input).sum::<u64>();
        late += expected.late.len() as u64;
        for kind in [ResultKind::OnTime, ResultKind::Correction, ResultKind::Retraction] {
            *kinds.entry(kind).or_insert(0) += expected.of_kind(kind) as u64;
        }
    }
    println!("{} cases, {records} records, {late} late; results: {kinds:?}", seeds.start - first);
    assert!(late * 30 > records && kinds.values().all(|results| results * 30 > records), "{late}, {kinds:?}");
}
