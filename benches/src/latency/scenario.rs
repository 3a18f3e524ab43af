//! What is measured, and what came of it.

use std::{
    fmt, thread,
    time::{Duration, Instant},
};

use nacreous::Latencies;
use serde::Serialize;

use super::{
    KEYS, dispatch,
    load::{Round, hiccups},
    ours,
    schedule::Schedule,
    timely,
};

/// Something whose latency is measured, beside something else's and the machine's own.
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    round: Round,
    ours: Side,
    rival: Option<(&'static str, Side)>,
    /// How many data threads there are.
    threads: usize,
    rows: &'static [RowSpec],
}

type Side = fn(&Round) -> Latencies;

/// A row that a scenario has in the scorecard.
#[derive(Debug, Clone, Copy)]
struct RowSpec {
    id: &'static str,
    compared: Compared,
}

/// What a row compares.
#[derive(Debug, Clone, Copy)]
enum Compared {
    /// A quantile of ours with that of the rival.
    WithRival(f64),
    /// A quantile of ours with so many microseconds.
    WithMicros(f64, f64),
    /// How many times the median the 99th percentile is, each in its best round, with the same of the machine's own.
    Flatness,
}

const fn against_rival(id: &'static str, quantile: f64) -> RowSpec {
    RowSpec { id, compared: Compared::WithRival(quantile) }
}

const fn against_micros(id: &'static str, quantile: f64, micros: f64) -> RowSpec {
    RowSpec { id, compared: Compared::WithMicros(quantile, micros) }
}

/// A round: no longer, as a virtual machine is seldom left alone for longer.
const LASTS: Duration = Duration::from_millis(250);
const WARM_UP: Duration = Duration::from_millis(50);
/// The least rounds.
const ROUNDS_MIN: u32 = 5;

const TWO_HOP_ROWS: [RowSpec; 4] = [
    against_rival("latency/two-hop-1M-p50/timely", 0.5),
    against_rival("latency/two-hop-1M-p99/timely", 0.99),
    against_rival("latency/two-hop-1M-p999/timely", 0.999),
    RowSpec { id: "latency/tail-flatness", compared: Compared::Flatness },
];
const JET_ROWS: [RowSpec; 1] = [against_micros("latency/jet-workload-p9999", 0.9999, 10_000.0)];
const DISPATCH_ROWS: [RowSpec; 2] =
    [against_micros("dispatch/10000", 0.5, 6.0), against_rival("dispatch/10000/hand", 0.5)];
const BURST_ROWS: [RowSpec; 1] = [against_rival("latency/burst-p999/timely", 0.999)];

/// All there are.
pub const SCENARIOS: [fn() -> Scenario; 10] = [
    || two_hop("two-hop-100k", 100_000, &[]),
    || two_hop("two-hop-1M", 1_000_000, &TWO_HOP_ROWS),
    || two_hop("two-hop-10M", 10_000_000, &[]),
    || Scenario {
        name: "burst",
        about: "sums of 64 keys in windows of 10 ms on one thread, a million records a second and ten times as many for a \
            millisecond of each hundred: from the end of a window to its results",
        round: Round::new(Schedule::bursts(1_000_000), LASTS, WARM_UP),
        ours: |round| ours::sums(round, 64),
        rival: Some(("timely", |round| timely::sums(round, 64))),
        threads: 1,
        rows: &BURST_ROWS,
    },
    || Scenario {
        name: "burst-1k-keys",
        about: "the same with 1,024 keys, all of whose results come at once",
        round: Round::new(Schedule::bursts(1_000_000), LASTS, WARM_UP),
        ours: |round| ours::sums(round, KEYS),
        rival: Some(("timely", |round| timely::sums(round, KEYS))),
        threads: 1,
        rows: &[],
    },
    || Scenario {
        name: "poisson",
        about: "the same with 64 keys, and a million records a second, each at any moment",
        round: Round::new(Schedule::Poisson { rate: 1_000_000 }, LASTS, WARM_UP),
        ours: |round| ours::sums(round, 64),
        rival: Some(("timely", |round| timely::sums(round, 64))),
        threads: 1,
        rows: &[],
    },
    || Scenario {
        name: "jet",
        about: "a million records a second, 10,000 keys, counts over ten seconds by ten milliseconds, on one thread: from the end \
            of a window to its results, of which there are a million a second",
        round: Round::new(Schedule::Steady { rate: 1_000_000 }, Duration::from_secs(1), WARM_UP)
            .behind(Duration::from_secs(10)),
        ours: ours::ten_seconds,
        rival: None,
        threads: 1,
        rows: &JET_ROWS,
    },
    || Scenario {
        name: "slow-consumer",
        about: "to three of four consumers at a million records a second, where the fourth, on a thread of its own, stops for two \
            milliseconds of each fifty, against one that does not",
        round: Round::new(Schedule::Steady { rate: 1_000_000 }, LASTS, WARM_UP),
        ours: |round| ours::beside_another(round, true),
        rival: Some(("none is slow", |round| ours::beside_another(round, false))),
        threads: 2,
        rows: &[],
    },
    || Scenario {
        name: "dispatch",
        about: "ten thousand records of one number each, by the number's hash into eight lanes, and all batches handed on; by hand they only go to \
            the ends of eight vectors",
        round: Round::new(Schedule::Steady { rate: 1_000_000 }, LASTS, WARM_UP),
        ours: |_| dispatch::ours(),
        rival: Some(("by hand", |_| dispatch::by_hand())),
        threads: 1,
        rows: &DISPATCH_ROWS,
    },
    || Scenario {
        name: "one-by-one",
        about: "two hops at a million records a second, in batches of what there is against one record a batch",
        round: Round::new(Schedule::Steady { rate: 1_000_000 }, LASTS, WARM_UP),
        ours: |round| ours::two_hop(round, BATCH),
        rival: Some(("one by one", |round| ours::two_hop(round, 1))),
        threads: 2,
        rows: &[],
    },
];

const BATCH: usize = 512;

fn two_hop(name: &'static str, rate: u64, rows: &'static [RowSpec]) -> Scenario {
    Scenario {
        name,
        about: "from a source on one thread over an edge to an operator on another, and over another edge to a sink there",
        round: Round::new(Schedule::Steady { rate }, LASTS, WARM_UP),
        ours: |round| ours::two_hop(round, BATCH),
        rival: Some(("timely", timely::two_hop)),
        threads: 2,
        rows,
    }
}

/// What a side took, in each round.
#[derive(Debug)]
pub struct Curve {
    /// Whose it is.
    pub name: &'static str,
    /// By round.
    pub rounds: Vec<Latencies>,
}

/// What came of a scenario.
#[derive(Debug)]
pub struct Found {
    /// The scenario's name.
    pub name: &'static str,
    /// Ours, the rival's if there is one, and the machine's own.
    pub curves: Vec<Curve>,
    rows: &'static [RowSpec],
}

/// A row in the format of the scorecard. The figures are those of the best round; the ratios are those of the rounds.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    id: &'static str,
    unit: &'static str,
    ours: f64,
    rival: f64,
    ratio: f64,
    ratio_min: f64,
    ratio_max: f64,
    rounds: usize,
    /// The same quantile of the machine's own.
    floor: f64,
}

impl Row {
    /// One of figures by round, of which less is better. The floor is the rival.
    fn of(unit: &'static str, id: &'static str, ours: &[f64], theirs: &[f64]) -> Self {
        let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| theirs / ours).collect();
        let (ours, rival) = (least(ours), least(theirs));
        Self {
            id,
            unit,
            ours,
            rival,
            ratio: rival / ours,
            ratio_min: least(&ratios),
            ratio_max: ratios.iter().copied().fold(0.0, f64::max),
            rounds: ratios.len(),
            floor: rival,
        }
    }

    /// One that something holds, or does not.
    pub(super) fn held(id: &'static str, unit: &'static str, ours: f64, rival: f64, holds: bool) -> Self {
        let ratio = f64::from(u8::from(holds));
        Self { id, unit, ours, rival, ratio, ratio_min: ratio, ratio_max: ratio, rounds: 1, floor: rival }
    }
}

impl Scenario {
    /// Runs rounds for about so long, five at the least.
    pub fn run(&self, time: Duration) -> Found {
        let mut sides: Vec<(&'static str, Box<dyn Fn() -> Latencies + '_>)> =
            vec![("ours", Box::new(|| (self.ours)(&self.round)))];
        if let Some((name, rival)) = self.rival {
            sides.push((name, Box::new(move || rival(&self.round))));
        }
        sides.push(("the machine's own", Box::new(|| floor(&self.round, self.threads))));
        let mut curves: Vec<_> = sides.iter().map(|(name, _)| Curve { name, rounds: Vec::new() }).collect();
        let began = Instant::now();
        for round in 0.. {
            if round >= ROUNDS_MIN && began.elapsed() >= time {
                break;
            }
            for (curve, (_, run)) in curves.iter_mut().zip(&sides) {
                curve.rounds.push(run());
            }
        }
        Found { name: self.name, curves, rows: self.rows }
    }
}

/// What the machine takes away by itself, on as many threads at once.
fn floor(round: &Round, threads: usize) -> Latencies {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let mut all = Latencies::default();
    thread::scope(|scope| {
        let one = |thread: usize| {
            let core = cores.get(thread).copied();
            // Each has a round of its own.
            let round = round.anew();
            scope.spawn(move || {
                core.map(core_affinity::set_for_current);
                hiccups(&round)
            })
        };
        let threads: Vec<_> = (0..threads).map(one).collect();
        threads.into_iter().for_each(|thread| all.add(&thread.join().expect("it only looks at the clock")));
    });
    all
}

/// In microseconds.
fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

impl Curve {
    /// A quantile of each round, in microseconds, the least first.
    fn sorted(&self, quantile: f64) -> Vec<f64> {
        let mut values = self.by_round(quantile);
        values.sort_by(f64::total_cmp);
        values
    }

    fn by_round(&self, quantile: f64) -> Vec<f64> {
        self.rounds.iter().map(|latencies| micros(latencies.quantile(quantile))).collect()
    }

    /// How many times the median the 99th percentile is, by round.
    fn steepness(&self) -> Vec<f64> {
        let parts = self.by_round(0.99).into_iter().zip(self.by_round(0.5));
        parts.map(|(tail, median)| tail / median).collect()
    }

    /// The median over the rounds, in microseconds, of a quantile.
    pub fn median(&self, quantile: f64) -> f64 {
        let sorted = self.sorted(quantile);
        sorted[sorted.len() / 2]
    }

    /// The best round's, in microseconds.
    pub fn best(&self, quantile: f64) -> f64 {
        self.sorted(quantile)[0]
    }
}

impl Found {
    /// Its rows in the scorecard.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        let (ours, floor) = (&self.curves[0], &self.curves[self.curves.len() - 1]);
        let times = |id, quantile, theirs: &[f64]| {
            let floor = least(&floor.by_round(quantile));
            Row { floor, ..Row::of("µs", id, &ours.by_round(quantile), theirs) }
        };
        self.rows.iter().map(move |&RowSpec { id, compared }| match compared {
            Compared::WithRival(quantile) => times(id, quantile, &self.curves[1].by_round(quantile)),
            Compared::WithMicros(quantile, micros) => times(id, quantile, &vec![micros; ours.rounds.len()]),
            Compared::Flatness => {
                let by_round = Row::of("p99/p50", id, &ours.steepness(), &floor.steepness());
                // Not the flattest round: in one that began late everything is late alike.
                let [ours, floor] = [ours, floor].map(|curve| curve.best(0.99) / curve.best(0.5));
                Row { ours, rival: floor, ratio: floor / ours, floor, ..by_round }
            }
        })
    }
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// The quantiles that are shown.
pub(super) const QUANTILES: [(&str, f64); 6] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999), ("max", 1.0)];

/// Median and best over the rounds, in microseconds.
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounds = self.curves[0].rounds.len();
        write!(f, "{:<24}", format!("{} ({rounds} rounds)", self.name))?;
        for (name, _) in QUANTILES {
            write!(f, "{name:>18}")?;
        }
        for curve in &self.curves {
            write!(f, "\n  {:<22}", curve.name)?;
            for (_, quantile) in QUANTILES {
                let text = format!("{:.2} ({:.2})", curve.median(quantile), curve.best(quantile));
                write!(f, "{text:>18}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One round, of which a tenth takes ten times as long, and a worse one, in which all take long.
    fn curve(name: &'static str, median_us: u64) -> Curve {
        let mut rounds = [Latencies::default(), Latencies::default()];
        for n in 0..1_000 {
            rounds[0].record(Duration::from_micros(if n % 10 == 0 { 10 * median_us } else { median_us }));
            rounds[1].record(Duration::from_micros(20 * median_us));
        }
        Curve { name, rounds: rounds.into() }
    }

    #[test]
    fn a_row_compares_what_it_says() {
        const ROWS: [RowSpec; 3] = [
            against_rival("rival", 0.5),
            against_micros("micros", 0.99, 200.0),
            RowSpec { id: "flatness", compared: Compared::Flatness },
        ];
        let curves = vec![curve("ours", 10), curve("rival", 30), curve("the machine's own", 1)];
        let found = Found { name: "test", curves, rows: &ROWS };
        let rows: Vec<_> = found.rows().collect();
        let near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 0.02;
        let expected = [
            [10.0, 30.0, 3.0, 3.0, 1.0],
            // Of the worse round it is the half.
            [100.0, 200.0, 2.0, 1.0, 10.0],
            [10.0, 10.0, 1.0, 1.0, 10.0],
        ];
        for (row, [ours, rival, ratio, ratio_min, floor]) in rows.iter().zip(expected) {
            assert!(near(row.ours, ours) && near(row.rival, rival) && near(row.floor, floor), "{row:?}");
            assert!(near(row.ratio, ratio) && near(row.ratio_max, ratio), "{row:?}");
            assert!(near(row.ratio_min, ratio_min), "{row:?}");
        }
    }
}
