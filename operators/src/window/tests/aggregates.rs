//! Aggregates of each algebra, several in one, and what they come to by definition.

use std::collections::BTreeSet;

use nacreous_watermark::Timestamp;

use super::Figures;
use crate::{
    Aggregate, Mean, Quantiles, Stats, aggregate::shuffled::Seen, count, count_distinct, first, last, max,
    mean, quantiles, stats, sum,
};

/// Groups, of which one keeps memory of its own.
pub(super) fn groups() -> impl Aggregate<i64, Out = Figures> + Clone {
    let sum = sum(|value: &i64| i128::from(*value));
    let of = (count(), sum, mean(|value: &i64| *value), count_distinct(|value: &i64| *value));
    Seen(of, |(count, sum, mean, distinct): (u64, i128, Mean, u64)| {
        vec![count.into(), sum, mean.count.into(), mean.sum, distinct.into()]
    })
}

/// What they come to, of records given by time and value.
pub(super) fn of_groups(records: &[(i64, i64)]) -> Figures {
    let distinct: BTreeSet<i64> = records.iter().map(|(_, value)| *value).collect();
    let (count, sum) = (records.len() as i128, records.iter().map(|(_, value)| i128::from(*value)).sum());
    vec![count, sum, count, sum, distinct.len() as i128]
}

/// All sorts: a group, monoids, what goes by time, and sketches.
pub(super) fn mixed() -> impl Aggregate<i64, Out = Figures> + Clone {
    let value = |value: &i64| *value;
    let of = (
        stats(value),
        max(value),
        first(value),
        last(value),
        count_distinct(value),
        quantiles(ERROR, as_float),
    );
    Seen(of, |(stats, max, first, last, distinct, sketch): (Stats, i64, i64, i64, u64, Quantiles)| {
        let Stats { count, sum, min, max: greatest } = stats;
        let figures = vec![count.into(), sum, min.into(), greatest.into(), max.into()];
        [figures, vec![first.into(), last.into(), distinct.into()], figures_of(&sketch)].concat()
    })
}

/// What they come to.
pub(super) fn of_mixed(records: &[(i64, i64)]) -> Figures {
    let mut values: Vec<i64> = records.iter().map(|(_, value)| *value).collect();
    values.sort_unstable();
    let sum = values.iter().map(|value| i128::from(*value)).sum();
    let (least, greatest) = (values[0].into(), values[values.len() - 1].into());
    // Of several with the same time it is the least, and the greatest.
    let earliest = records.iter().min().map(|(_, value)| i128::from(*value)).unwrap();
    let latest = records.iter().max().map(|(_, value)| i128::from(*value)).unwrap();
    let of = quantiles(ERROR, as_float);
    let mut sketch = of.lift(&values[0], Timestamp::MIN);
    values[1..].iter().for_each(|value| of.add(&mut sketch, value, Timestamp::MIN));
    let count = values.len() as i128;
    values.dedup();
    let distinct = values.len() as i128;
    let figures = vec![count, sum, least, greatest, greatest, earliest, latest, distinct];
    [figures, figures_of(&sketch)].concat()
}

/// The relative error of quantiles.
const ERROR: f64 = 0.1;

/// A float of a few hundred, so that a sketch of them is small.
fn as_float(value: &i64) -> f64 {
    f64::from(i16::try_from(value % 500).expect("it is less than 500"))
}

/// Quantiles, to the last bit.
fn figures_of(sketch: &Quantiles) -> Figures {
    let quantile = |q| sketch.quantile(q).map_or(0, f64::to_bits).into();
    vec![sketch.count().into(), quantile(0.0), quantile(0.3), quantile(0.5), quantile(1.0)]
}
