use std::fmt;

use nacreous_watermark::Timestamp;
use sketches_ddsketch::{Config, DDSketch};

use super::{Aggregate, CommutativeMonoid};

/// Quantiles of a float taken from each value; see [`quantiles`].
#[derive(Debug, Clone)]
pub struct QuantilesOf<F> {
    of: F,
    config: Config,
}

/// The relative errors that [`quantiles`] can be asked for.
const ERRORS: std::ops::RangeInclusive<f64> = 0.0001..=0.5;

/// Median, percentiles and other quantiles of the `f64` that `of` takes from each value, to within a relative error,
/// such as 0.01.
///
/// A quantile is that of the sorted values, not interpolated, at most so much larger or smaller, be it in the middle or far
/// out. The least and the greatest are exact. The same values give the same quantiles in any order. Those that are NaN or
/// infinite are left out and counted; those smaller than 2⁻¹⁰²² count as zero.
///
/// # Cost
/// A logarithm for each value. Memory on the heap, for each sign: 8 bytes for each step of twice the error from the
/// smallest value to the largest, in pieces of 1 KiB: with 0.01, 4 KiB for values from 1 to 10,000, and 560 KiB for all
/// there are. Nothing is ever merged to save memory, which would lose the error bound for the small ones. It is
/// DDSketch (Masson, Rim and Lee, VLDB 2019).
///
/// # Panics
/// If the error is not between 0.0001 and 0.5.
///
/// ```
/// # use nacreous_operators::{Aggregate, quantiles};
/// # use nacreous_watermark::Timestamp;
/// let latencies = quantiles(0.01, |millis: &f64| *millis);
/// let now = Timestamp::from_nanos(0);
/// let mut acc = latencies.lift(&1.0, now);
/// for n in 2..=1000 {
///     latencies.add(&mut acc, &f64::from(n), now);
/// }
/// let latencies = latencies.finish(acc);
/// let p99 = latencies.quantile(0.99).expect("there are values");
/// assert!((p99 / 990.0 - 1.0).abs() < 0.01);
/// assert_eq!((latencies.count(), latencies.quantile(1.0)), (1000, Some(1000.0)));
/// ```
pub fn quantiles<T, F: Fn(&T) -> f64>(relative_error: f64, of: F) -> QuantilesOf<F> {
    assert!(
        ERRORS.contains(&relative_error),
        "a relative error of {relative_error} is not within {ERRORS:?}"
    );
    QuantilesOf { of, config: Config::new(relative_error, BINS_MAX, f64::MIN_POSITIVE) }
}

/// More than there are steps of the least error from the smallest float to the largest.
const BINS_MAX: u32 = 1 << 23;

/// Quantiles of the values of a window; see [`quantiles`](crate::quantiles).
#[derive(Clone)]
pub struct Quantiles {
    sketch: DDSketch,
    not_finite: u64,
}

impl Quantiles {
    /// The value below which this part of the values lies, from 0 (the least) to 1 (the greatest): the median with 0.5, the 99th
    /// percentile with 0.99.
    ///
    /// That is the value at this part of the way from the first to the last of them in order, rounded down to the one
    /// before. `None` if there are no finite values, or `q` is not from 0 to 1.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let (least, greatest) = (self.min()?, self.max()?);
        // What stands for the last step of all lies beyond the greatest float.
        self.sketch.quantile(q).ok().flatten().map(|value| value.clamp(least, greatest))
    }

    /// The least value.
    pub fn min(&self) -> Option<f64> {
        self.sketch.min()
    }

    /// The greatest value.
    pub fn max(&self) -> Option<f64> {
        self.sketch.max()
    }

    /// How many finite values there are.
    pub fn count(&self) -> u64 {
        self.sketch.count() as u64
    }

    /// How many values were left out, as they are NaN or infinite.
    pub fn not_finite(&self) -> u64 {
        self.not_finite
    }
}

impl fmt::Debug for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quantiles")
            .field("count", &self.count())
            .field("min", &self.min())
            .field("median", &self.quantile(0.5))
            .field("max", &self.max())
            .field("not_finite", &self.not_finite)
            .finish()
    }
}

impl<T, F: Fn(&T) -> f64> Aggregate<T> for QuantilesOf<F> {
    type Acc = Quantiles;
    type Out = Quantiles;
    type Algebra = CommutativeMonoid;

    fn lift(&self, value: &T, time: Timestamp) -> Quantiles {
        let mut acc = Quantiles { sketch: DDSketch::new(self.config), not_finite: 0 };
        self.add(&mut acc, value, time);
        acc
    }

    #[inline]
    fn add(&self, acc: &mut Quantiles, value: &T, _: Timestamp) {
        let value = (self.of)(value);
        if value.is_finite() {
            // Of −0 and +0, the sketch would keep the one that comes first.
            acc.sketch.add(value + 0.0);
        } else {
            acc.not_finite += 1;
        }
    }

    fn combine(&self, acc: &mut Quantiles, other: &Quantiles) {
        acc.sketch.merge(&other.sketch).expect("all sketches of an aggregate are configured alike");
        acc.not_finite += other.not_finite;
    }

    fn finish(&self, acc: Quantiles) -> Quantiles {
        acc
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aggregate::shuffled::{Seen, agrees},
        laws,
    };

    /// All that can be seen of it.
    fn seen(quantiles: &Quantiles) -> (u64, u64, Vec<Option<u64>>) {
        let all = (0..=100).map(|percent| quantiles.quantile(f64::from(percent) / 100.0).map(f64::to_bits));
        (quantiles.count(), quantiles.not_finite(), all.collect())
    }

    const NASTY: [f64; 13] = [
        0.0,
        -0.0,
        1.0,
        1.0,
        -1.0,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        5e-324,
        -1e-300,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ];

    #[test]
    fn the_laws_hold_to_the_last_bit() {
        laws::of_aggregates(&Seen(quantiles(0.01, |n: &f64| *n), |all: Quantiles| seen(&all)), &NASTY);
    }

    #[test]
    fn the_least_error_needs_no_more_bins_than_there_are() {
        let finest = quantiles(*ERRORS.start(), |n: &f64| *n);
        let mut acc = finest.lift(&f64::MAX, Timestamp::MIN);
        for n in [f64::MIN_POSITIVE * 2.0, f64::MIN_POSITIVE * 8.0] {
            finest.add(&mut acc, &n, Timestamp::MIN);
        }
        let middle = finest.finish(acc).quantile(0.5).expect("there are three");
        assert!((middle / (f64::MIN_POSITIVE * 8.0) - 1.0).abs() < 0.0001, "{middle:e}");
    }

    /// The error bound holds, and quantiles are those of the sorted values.
    #[test]
    fn they_are_those_of_the_sorted_values_nearly() {
        let value = |rng: &mut fastrand::Rng| {
            let size = 10_f64.powf(rng.f64() * 40.0 - 20.0);
            [size, -size, 0.0][rng.usize(..3)]
        };
        const QS: [f64; 7] = [0.0, 0.1, 0.25, 0.5, 0.9, 0.99, 1.0];
        let error = 0.02;
        let of = quantiles(error, |n: &f64| *n);
        for seed in 0..200 {
            let mut rng = fastrand::Rng::with_seed(seed);
            let mut values: Vec<f64> = (0..rng.usize(1..200)).map(|_| value(&mut rng)).collect();
            let mut acc = of.lift(&values[0], Timestamp::MIN);
            values[1..].iter().for_each(|n| of.add(&mut acc, n, Timestamp::MIN));
            let found = of.finish(acc);
            values.sort_unstable_by(f64::total_cmp);
            for q in QS {
                #[expect(
                    clippy::cast_precision_loss,
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss
                )]
                let expected = values[(q * (values.len() - 1) as f64) as usize];
                let found = found.quantile(q).expect("there are values");
                let most = expected.abs() * (error + 1e-9);
                assert!((found - expected).abs() <= most, "seed {seed}, {q}: {found:e} and not {expected:e}");
            }
        }
        agrees(
            &of,
            value,
            |all| seen(&all),
            |all| {
                let mut acc = of.lift(&all[0].0, Timestamp::MIN);
                all[1..].iter().for_each(|(n, time)| of.add(&mut acc, n, *time));
                seen(&acc)
            },
        );
    }

    #[test]
    fn the_middle_of_the_greatest_floats_is_one() {
        for percent in 1..=50 {
            let of = quantiles(f64::from(percent) / 100.0, |n: &f64| *n);
            let mut acc = of.lift(&1.0, Timestamp::MIN);
            (0..3).for_each(|_| of.add(&mut acc, &f64::MAX, Timestamp::MIN));
            let middle = acc.quantile(0.5).expect("there are values");
            assert!(middle.is_finite(), "with {percent} %");
        }
    }

    #[test]
    fn there_is_none_of_nothing() {
        let of = quantiles(0.01, |n: &f64| *n);
        let nothing = of.lift(&f64::NAN, Timestamp::MIN);
        assert_eq!(
            (nothing.quantile(0.5), nothing.min(), nothing.count(), nothing.not_finite()),
            (None, None, 0, 1)
        );
        let one = of.lift(&1.0, Timestamp::MIN);
        assert_eq!([-0.1, 1.1, f64::NAN].map(|q| one.quantile(q)), [None; 3]);
    }

    #[test]
    #[should_panic(expected = "a relative error of 0 is not within")]
    fn an_error_of_nothing_is_refused() {
        quantiles(0.0, |n: &f64| *n);
    }
}
