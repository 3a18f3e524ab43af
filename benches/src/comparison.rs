//! One comparison: ours and the rival run alternately, their results are checked against each other, and
//! the ratio is stated with its spread.

use std::{fmt, thread, time::Instant};

use serde::Serialize;

/// A row of the scorecard.
pub struct Comparison {
    /// What is compared: `what/variant/rival`.
    pub id: &'static str,
    /// What the figures count.
    pub measure: Measure,
    /// Runs ours once.
    pub ours: Side,
    /// Runs the rival once.
    pub rival: Side,
}

/// What a figure says.
#[derive(Debug, Clone, Copy)]
pub enum Measure {
    /// Work done in a second, in this unit: more is better.
    Rate(&'static str),
    /// Time taken, in this unit: less is better.
    Time(&'static str),
}

/// One side of a comparison: each call runs it once.
pub type Side = Box<dyn FnMut() -> Outcome>;

/// What one run came to.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// In the unit of the comparison.
    pub figure: f64,
    /// A digest of the results, the same for both sides.
    pub digest: u64,
}

/// A side that does `amount` of something, timed as a whole; it returns a digest of its results.
pub fn timed(amount: f64, mut run: impl FnMut() -> u64 + 'static) -> Side {
    Box::new(move || {
        let started = Instant::now();
        let digest = run();
        Outcome { figure: amount / started.elapsed().as_secs_f64(), digest }
    })
}

/// What a comparison came to. Above 1 means ours is better.
#[derive(Debug, Clone, Serialize)]
pub struct Score {
    id: &'static str,
    unit: &'static str,
    /// The median over the rounds.
    ours: f64,
    /// The median over the rounds.
    rival: f64,
    /// The median of the rounds' ratios.
    ratio: f64,
    ratio_min: f64,
    ratio_max: f64,
    rounds: usize,
}

/// Ours and the rival came to different results: one of them is wrong, and no figure means anything.
#[derive(Debug)]
pub struct Disagreement {
    id: &'static str,
    ours: u64,
    rival: u64,
}

impl Comparison {
    /// Runs both sides `rounds` times in turn, after one round that is not counted.
    ///
    /// # Errors
    /// If their results differ in any round.
    pub fn run(mut self, rounds: usize) -> Result<Score, Disagreement> {
        let (mut ours, mut rival, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=rounds {
            // Who goes first alternates too, so that neither always inherits the other's cache.
            let (our, their);
            if round % 2 == 0 {
                our = (self.ours)();
                their = (self.rival)();
            } else {
                their = (self.rival)();
                our = (self.ours)();
            }
            if our.digest != their.digest {
                return Err(Disagreement { id: self.id, ours: our.digest, rival: their.digest });
            }
            if round > 0 {
                ours.push(our.figure);
                rival.push(their.figure);
                ratios.push(match self.measure {
                    Measure::Rate(_) => our.figure / their.figure,
                    Measure::Time(_) => their.figure / our.figure,
                });
            }
        }
        let ratio_min = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let ratio_max = ratios.iter().copied().fold(0.0, f64::max);
        Ok(Score {
            id: self.id,
            unit: match self.measure {
                Measure::Rate(unit) | Measure::Time(unit) => unit,
            },
            ours: median(ours),
            rival: median(rival),
            ratio: median(ratios),
            ratio_min,
            ratio_max,
            rounds,
        })
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

/// Runs a rival on a thread of its own, pinned to a core: what our data threads have, it gets too.
pub fn on_pinned_thread<R: Send>(run: impl FnOnce() -> R + Send) -> R {
    let core = core_affinity::get_core_ids().and_then(|cores| cores.first().copied());
    thread::scope(|scope| {
        let body = || {
            core.map(core_affinity::set_for_current);
            run()
        };
        scope.spawn(body).join().expect("a rival does not panic")
    })
}

/// A digest of results that does not depend on their order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Digest(u64);

impl Digest {
    /// Adds one result, given as a few numbers.
    pub fn add(&mut self, result: &[u64]) {
        let mixed = result.iter().fold(0x9E37_79B9_7F4A_7C15_u64, |hash, number| {
            let hash = (hash ^ number).wrapping_mul(0xD6E8_FEB8_6659_FD93);
            hash ^ (hash >> 32)
        });
        self.0 = self.0.wrapping_add(mixed);
    }

    /// The digest so far.
    pub fn value(self) -> u64 {
        self.0
    }
}

impl Score {
    /// The line above a table of scores.
    pub fn header() -> String {
        let [id, unit, ours, rival, ratio, spread] = ["id", "unit", "ours", "rival", "ratio", "min..max"];
        format!("{id:<32} {unit:<12} {ours:>10} {rival:>10} {ratio:>7}  {spread}")
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, unit, ours, rival, ratio, ratio_min, ratio_max, rounds } = self;
        write!(f, "{id:<32} {unit:<12} {ours:>10.3} {rival:>10.3} {ratio:>7.3}  ")?;
        write!(f, "{ratio_min:.3}..{ratio_max:.3} in {rounds} rounds")
    }
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, ours, rival } = self;
        write!(f, "{id}: ours and the rival come to different results (digests {ours:016x}, {rival:016x})")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn comparison(ours: u64, rival: u64) -> Comparison {
        Comparison {
            id: "test/self",
            measure: Measure::Rate("runs/s"),
            ours: timed(1.0, move || ours),
            rival: timed(1.0, move || {
                thread::sleep(Duration::from_millis(2));
                rival
            }),
        }
    }

    #[test]
    fn the_faster_side_has_a_ratio_above_one_and_the_spread_encloses_it() {
        let score = comparison(1, 1).run(5).expect("both agree");
        assert!(score.ratio > 1.0 && score.ours > score.rival);
        assert!(score.ratio_min <= score.ratio && score.ratio <= score.ratio_max);
    }

    #[test]
    fn of_two_times_the_shorter_is_the_better() {
        let side = |figure| -> Side { Box::new(move || Outcome { figure, digest: 0 }) };
        let row = Comparison { id: "", measure: Measure::Time("ns"), ours: side(1.0), rival: side(2.0) };
        assert!((row.run(5).expect("both agree").ratio - 2.0).abs() < f64::EPSILON);
    }

    #[test]
    fn different_results_are_no_score() {
        assert!(comparison(1, 2).run(5).is_err());
    }

    #[test]
    fn the_median_of_an_even_number_lies_in_the_middle() {
        assert!((median(vec![4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < f64::EPSILON);
    }
}
