//! An aggregate that is chosen when the program runs.

use nacreous::{
    Aggregate, CommutativeMonoid, Count, CountDistinct, First, Last, Max, Mean, MeanOf, Min, QuantilesOf,
    Stats, StatsOf, Sum, Timestamp, Top, TopBy, Variance, VarianceOf, count, count_distinct, first, last,
    max, mean, min, quantiles, stats, sum, variance,
};

use super::{
    Flight,
    figures::{Agg, Figure, Figures},
    flight::{Code, Delay},
};

/// What is taken of a flight.
type Of<T> = fn(&Flight) -> T;

/// How far a quantile may be off, of itself.
const QUANTILE_ERROR: f64 = 0.01;

/// Aggregates, one variant each, and what each tells.
macro_rules! aggregates {
    ($($name:ident: $aggregate:ty, $figures:expr;)*) => {
        /// One of them.
        #[derive(Clone)]
        pub(crate) enum Chosen {
            $($name($aggregate),)*
        }

        /// What one of them has added up.
        #[derive(Clone)]
        pub(crate) enum Added {
            $($name(<$aggregate as Aggregate<Flight>>::Acc),)*
        }

        impl Aggregate<Flight> for Chosen {
            type Acc = Added;
            type Out = Figures;
            type Algebra = CommutativeMonoid;

            fn lift(&self, flight: &Flight, time: Timestamp) -> Added {
                match self {
                    $(Self::$name(aggregate) => Added::$name(aggregate.lift(flight, time)),)*
                }
            }

            fn add(&self, added: &mut Added, flight: &Flight, time: Timestamp) {
                match (self, added) {
                    $((Self::$name(aggregate), Added::$name(added)) => aggregate.add(added, flight, time),)*
                    _ => unreachable!("{ANOTHER}"),
                }
            }

            fn combine(&self, added: &mut Added, other: &Added) {
                match (self, added, other) {
                    $((Self::$name(aggregate), Added::$name(added), Added::$name(other)) => {
                        Aggregate::<Flight>::combine(aggregate, added, other);
                    })*
                    _ => unreachable!("{ANOTHER}"),
                }
            }

            fn finish(&self, added: Added) -> Figures {
                match (self, added) {
                    $((Self::$name(aggregate), Added::$name(added)) => {
                        Figures::from_iter($figures(Aggregate::<Flight>::finish(aggregate, added)))
                    })*
                    _ => unreachable!("{ANOTHER}"),
                }
            }
        }
    };
}

const ANOTHER: &str = "what one aggregate has added up is not given to another";

aggregates! {
    Stats: StatsOf<Of<i64>>, Self::stats;
    Count: Count, |count: u64| [Figure::from(count)];
    Sum: Sum<Of<i64>>, |sum: i64| [Figure::from(sum)];
    Mean: MeanOf<Of<i64>>, |all: Mean| [Figure::from(all.mean())];
    Min: Min<Of<i64>>, |least: i64| [Figure::from(least)];
    Max: Max<Of<i64>>, |greatest: i64| [Figure::from(greatest)];
    Variance: VarianceOf<Of<i64>>, |all: Variance| {
        [Figure::from(all.mean()), all.var_samp().into(), all.stddev_samp().into()]
    };
    Quantiles: QuantilesOf<Of<f64>>, |all: nacreous::Quantiles| {
        [0.5, 0.9, 0.99].map(|part| Figure::from(all.quantile(part)))
    };
    Distinct: CountDistinct<Of<Code>>, |count: u64| [Figure::from(count)];
    Top: TopBy<3, Of<i64>>, |worst: nacreous::Greatest<i64, 3>| {
        [0, 1, 2].map(|place| Figure::from(worst.get(place).copied()))
    };
    FirstLast: (First<Of<i64>>, Last<Of<i64>>), |(first, last): (i64, i64)| [first, last].map(Figure::from);
}

impl Chosen {
    /// What is asked for, of such delays.
    pub(crate) fn new(agg: Agg, delay: Delay) -> Self {
        let (of, exactly): (Of<i64>, Of<f64>) = match delay {
            Delay::Arrival => {
                (|flight| flight.delay_min(Delay::Arrival), |flight| flight.delay_min(Delay::Arrival) as f64)
            }
            Delay::Departure => (
                |flight| flight.delay_min(Delay::Departure),
                |flight| flight.delay_min(Delay::Departure) as f64,
            ),
        };
        match agg {
            Agg::Stats => Self::Stats(stats(of)),
            Agg::Count => Self::Count(count()),
            Agg::Sum => Self::Sum(sum(of)),
            Agg::Mean => Self::Mean(mean(of)),
            Agg::Min => Self::Min(min(of)),
            Agg::Max => Self::Max(max(of)),
            Agg::Variance => Self::Variance(variance(of)),
            Agg::Quantiles => Self::Quantiles(quantiles(QUANTILE_ERROR, exactly)),
            Agg::Distinct => Self::Distinct(count_distinct(|flight: &Flight| flight.dest)),
            Agg::Top => Self::Top(Top::<3>::by(of)),
            Agg::FirstLast => Self::FirstLast((first(of), last(of))),
        }
    }

    /// What is told of count, mean, least and greatest.
    pub(crate) fn stats(all: Stats) -> [Figure; 4] {
        [all.count.into(), all.mean().into(), all.min.into(), all.max.into()]
    }
}
