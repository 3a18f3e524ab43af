//! Several inputs with watermarks of their own, however interleaved, with memory that comes at once, late or never.

use std::{collections::BTreeMap, mem, time::Duration};

use nacreous_watermark::BoundedDisorder;

use super::*;
use crate::{
    Stats,
    algorithm::{FingerTree, using},
    stats,
    supply::tests::{Late, Never},
};

/// A record's time, key and value.
type Input = Vec<(i64, u32, i64)>;

#[derive(Debug, Default, PartialEq)]
struct Outcome {
    /// By window end and key.
    results: BTreeMap<(i64, u32), Seen>,
    late: Vec<(i64, u32, i64)>,
    missed: u64,
    on_time: u64,
}

/// What was said of a window: count and sum.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    on_time: Option<(u64, i128)>,
    /// How often that was corrected, and to what in the end.
    corrections: u32,
    last: (u64, i128),
}

impl Outcome {
    fn sorted(mut self) -> Self {
        self.late.sort_unstable();
        self
    }
}

#[derive(Debug)]
struct Case {
    size: i64,
    every: i64,
    disorder: i64,
    /// How long windows are kept.
    allowed: i64,
    inputs: Vec<Input>,
}

fn nanos(n: i64) -> Duration {
    Duration::from_nanos(n.unsigned_abs())
}

impl Case {
    fn random(random: &mut fastrand::Rng) -> Self {
        let size = random.i64(1..60);
        let every = random.i64(1..=size);
        let keys = 1 << random.u32(0..9);
        let inputs = (0..random.usize(1..5)).map(|_| {
            let mut now = random.i64(-100..100);
            let length = random.usize(0..150);
            let step = random.i64(1..12);
            let mut next = || {
                now += random.i64(0..step);
                let time = now - random.i64(0..80) * i64::from(random.u8(..) < 100);
                (time, random.u32(0..keys), random.i64(-9..9))
            };
            (0..length).map(|_| next()).collect()
        });
        let inputs = inputs.collect();
        let allowed = if random.bool() { 0 } else { random.i64(1..100) };
        Self { size, every, disorder: random.i64(0..40), allowed, inputs }
    }

    /// What the semantics say: each record into each of its windows that its own input has not closed before it. It comes too
    /// late for what a window comes to on time, if its own input has closed that already.
    fn naive(&self) -> Outcome {
        let mut outcome = Outcome::default();
        for input in &self.inputs {
            let mut watermark = i64::MIN;
            for &(time, key, value) in input {
                let last = time.div_euclid(self.every) * self.every;
                let starts = (0..).map(|back| last - back * self.every);
                let ends = starts.map(|start| start + self.size).take_while(|end| *end > time);
                let (kept, closed): (Vec<_>, Vec<_>) =
                    ends.partition(|end| *end > watermark.saturating_sub(self.allowed));
                outcome.missed += closed.len() as u64;
                for end in &kept {
                    let Seen { on_time, corrections, last } = outcome.results.entry((*end, key)).or_default();
                    *last = (last.0 + 1, last.1 + i128::from(value));
                    if *end > watermark {
                        let (count, sum) = on_time.unwrap_or_default();
                        *on_time = Some((count + 1, sum + i128::from(value)));
                    } else {
                        *corrections += 1;
                    }
                }
                match kept.len() {
                    0 => outcome.late.push((time, key, value)),
                    _ => outcome.on_time += 1,
                }
                watermark = watermark.max(time - self.disorder);
            }
        }
        outcome.sorted()
    }

    /// The same from the operator, the inputs interleaved at random.
    fn run<A>(&self, aggregate: A, random: &mut fastrand::Rng) -> Outcome
    where
        A: Aggregate<i64, Out = Stats>,
    {
        let windows = Sliding::new(nanos(self.size), nanos(self.every)).unwrap();
        let limits = KeyLimits { expected: 1 << random.u32(0..9), ..KeyLimits::default() };
        let mut fold = WindowFold::new(windows, aggregate).with_limits(limits);
        if self.allowed > 0 {
            fold = fold.with_lateness(nanos(self.allowed).try_into().unwrap(), false);
        }
        let memory = random.u8(0..3);
        match memory {
            0 => {}
            1 => fold.connect(&mut Late::new(random.u64(..))),
            _ => fold.connect(&mut Never),
        }
        let heed = memory < 2 && random.bool();

        let generator = |_: &Input| BoundedDisorder::new(nanos(self.disorder)).unwrap();
        let mut generators: Vec<_> = self.inputs.iter().map(generator).collect();
        let mut watermarks = vec![Watermark::MIN; self.inputs.len()];
        let mut left: Vec<_> = self.inputs.iter().map(|input| input.iter().copied().peekable()).collect();
        let mut out = Vec::new();
        let mut judging = None;
        let runs = random.bool();
        while let Some(input) = {
            let going: Vec<_> = (0..left.len()).filter(|input| left[*input].peek().is_some()).collect();
            random.choice(going)
        } {
            let run = if runs { random.usize(1..40) } else { 1 };
            for (time, key, value) in left[input].by_ref().take(run) {
                while fold.prepare(1) == Prepared::Waiting && heed {}
                if judging != Some(input) || random.bool() {
                    fold.judge_by(watermarks[input]);
                    judging = Some(input);
                }
                let time = Timestamp::from_nanos(time);
                fold.on_record(Record { time, value: Keyed { key, value } }, &mut out);
                generators[input].observe(time);
                watermarks[input] = generators[input].watermark();
                // Its own next record is judged by it, whatever the others do.
                fold.judge_by(watermarks[input]);
            }
            if left[input].peek().is_none() {
                watermarks[input] = Watermark::END;
            }
            let merged = watermarks.iter().min().copied().unwrap();
            if random.bool() && !merged.is_end() {
                advance(&mut fold, merged, &mut out);
            }
        }
        advance(&mut fold, Watermark::END, &mut out);
        assert_eq!(fold.fault(), None);

        let tally = fold.tally();
        let mut outcome =
            Outcome { missed: tally.missed_windows, on_time: tally.on_time, ..Outcome::default() };
        for Record { time, value } in mem::take(&mut out) {
            match value {
                Windowed::Late(late) => outcome.late.push((time.as_nanos(), late.key, late.value)),
                Windowed::Result(WindowResult {
                    window,
                    key,
                    value: Stats { count, sum, .. },
                    kind,
                    number,
                }) => {
                    let seen = outcome.results.entry((window.end.as_nanos(), key)).or_default();
                    if kind == ResultKind::OnTime {
                        assert_eq!(
                            seen.on_time.replace((count, sum)),
                            None,
                            "one such result a window and key"
                        );
                    } else {
                        seen.corrections += 1;
                    }
                    let before = u32::from(seen.on_time.is_some()) + seen.corrections;
                    assert_eq!(number + 1, before, "they are numbered");
                    seen.last = (count, sum);
                }
            }
        }
        outcome.sorted()
    }
}

#[test]
fn any_interleaving_of_inputs_gives_what_the_naive_recomputation_gives() {
    for seed in 0..1_500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let case = Case::random(&mut random);
        let expected = case.naive();
        for _ in 0..4 {
            if case.allowed > 0 {
                let found = case.run(using(FingerTree, stats(|n: &i64| *n)), &mut random);
                assert_eq!(found, expected, "seed {seed}: {case:?}");
                continue;
            }
            assert_eq!(case.run(stats(|n: &i64| *n), &mut random), expected, "seed {seed}: {case:?}");
            assert_eq!(case.run(Census, &mut random), expected, "as a group, seed {seed}: {case:?}");
        }
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
