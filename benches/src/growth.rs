//! The slowest single record while a table of keys grows a thousandfold, against a hash table that rehashes at once.
//!
//! Every record brings a key that is new. What is said is the least, over some runs, of a run's slowest record: a
//! record can be slow because the thread was interrupted, and in which run that happens is up to chance, but growing
//! takes its time in each. Where others use the cores too, every run is interrupted, and the figure says little.

mod beside;

use std::hint;

use hashbrown::HashMap;
use nacreous_operators::{Emit, KeyLimits, Keyed, Operator, Prepared, Record, Reduce};
use nacreous_watermark::Timestamp;
use rustc_hash::FxBuildHasher;

use self::beside::MadeBeside;
use crate::{
    clock::Clock,
    comparison::{Comparison, Digest, Measure, Outcome, Side, on_pinned_thread},
    keyed_sum::scattered,
};

const KEYS_FIRST: u64 = 1_000;
const KEYS_LAST: u64 = 1_000_000;
/// Growths of which the best one counts.
const RUNS: usize = 9;

/// Against hashbrown.
pub fn worst_hashbrown() -> Comparison {
    Comparison {
        id: "state/growth-worst/hashbrown",
        measure: Measure::Time("µs"),
        ours: best_of(ours),
        rival: best_of(hashbrown),
    }
}

/// The slowest record of a growth, in ticks, and a digest of the results.
type Growth = fn(Clock) -> (u64, u64);

fn best_of(growth: Growth) -> Side {
    let clock = Clock::new();
    Box::new(move || {
        let runs: Vec<_> = (0..RUNS).map(|_| growth(clock)).collect();
        let best = runs.iter().map(|(slowest, _)| *slowest).min().expect("there are some runs");
        let digest = runs.iter().fold(0, |digest: u64, (_, results)| digest.wrapping_add(*results));
        Outcome { figure: clock.nanos(best) / 1e3, digest }
    })
}

/// Lets `add` take one key after another, and says how long the slowest took.
fn grow(clock: Clock, mut add: impl FnMut(u64)) -> u64 {
    (0..KEYS_FIRST).map(scattered).for_each(&mut add);
    let mut slowest = 0;
    for number in KEYS_FIRST..KEYS_LAST {
        let key = scattered(number);
        let began = clock.ticks();
        add(key);
        slowest = slowest.max(clock.ticks() - began);
    }
    slowest
}

/// A running sum for each key. Its memory is made by a thread beside it, as in a job; if it has to wait for that, the
/// record's time goes on.
fn ours(clock: Clock) -> (u64, u64) {
    let growth = |mut supplies: MadeBeside| {
        let mut sums = Reduce::new(KeyLimits::default(), |sum: &mut u64, value| *sum += value);
        sums.connect(&mut supplies);
        let mut out = Results::default();
        let slowest = grow(clock, |key| {
            while sums.prepare(1) == Prepared::Waiting {
                hint::spin_loop();
            }
            let record = Record { time: Timestamp::from_nanos(0), value: Keyed { key, value: 1 } };
            sums.on_record(record, &mut out);
        });
        (slowest, out.0.value())
    };
    // The thread beside is not to be on the core that this one is pinned to.
    beside::run(|supplies| on_pinned_thread(|| growth(supplies)))
}

fn hashbrown(clock: Clock) -> (u64, u64) {
    on_pinned_thread(|| {
        let expected = KeyLimits::default().expected;
        let mut sums = HashMap::<u64, u64, _>::with_capacity_and_hasher(expected, FxBuildHasher);
        let mut out = Results::default();
        let slowest = grow(clock, |key| {
            let sum = sums.entry(key).or_insert(0);
            *sum += 1;
            out.0.add(&[key, *sum]);
        });
        (slowest, out.0.value())
    })
}

/// The digest of the running sums.
#[derive(Default)]
struct Results(Digest);

impl Emit<Keyed<u64, u64>> for Results {
    fn emit(&mut self, record: Record<Keyed<u64, u64>>) {
        self.0.add(&[record.value.key, record.value.value]);
    }
}
