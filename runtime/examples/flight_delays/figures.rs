//! What is told of the delays in a window, and the columns it is told in.

use arrayvec::ArrayVec;

/// What is told of the delays in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Agg {
    /// How many flights there are, their mean delay, the least and the greatest
    Stats,
    /// How many flights there are
    Count,
    /// The sum of the delays
    Sum,
    /// The mean delay
    Mean,
    /// The least delay
    Min,
    /// The greatest delay
    Max,
    /// The mean delay, the variance and the standard deviation, of flights as a sample; none of a single one
    Variance,
    /// The delays that 50, 90 and 99 % of the flights do not exceed, to within 1 %
    #[value(alias = "median")]
    Quantiles,
    /// How many destinations there are
    Distinct,
    /// The three worst delays
    Top,
    /// The delays of the first and of the last flight to depart; of several at once the least and the greatest
    FirstLast,
}

/// A column of the results.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// What csv and JSON call it.
    pub name: &'static str,
    /// What tables call it, and how wide it is there.
    pub title: &'static str,
    pub width: usize,
    /// Text stands on the left, and in quotes in JSON; numbers do not.
    pub is_text: bool,
}

/// A number in a result.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Figure {
    Count(u64),
    Minutes(i64),
    /// To three decimals.
    Decimal(f64),
    /// There is none, as there are too few flights.
    Missing,
}

/// The numbers in a result, as many as [`Agg::columns`].
pub(crate) type Figures = ArrayVec<Figure, 4>;

impl Agg {
    /// Where each of the numbers stands.
    pub(crate) fn columns(self) -> &'static [Column] {
        const fn number(name: &'static str, title: &'static str, width: usize) -> Column {
            Column::number(name, title, width)
        }
        const COUNT: Column = number("count", "count", 7);
        const MEAN: Column = number("mean_delay_min", "mean min", 9);
        const MIN: Column = number("min_delay_min", "min", 6);
        const MAX: Column = number("max_delay_min", "max", 6);
        const SUM: Column = number("sum_delay_min", "sum min", 9);
        const VARIANCE: Column = number("variance_delay_min2", "variance min²", 14);
        const STDDEV: Column = number("stddev_delay_min", "stddev min", 10);
        const DESTINATIONS: Column = number("destinations", "destinations", 12);
        const QUANTILES: [Column; 3] = [
            number("p50_delay_min", "p50 min", 9),
            number("p90_delay_min", "p90 min", 9),
            number("p99_delay_min", "p99 min", 9),
        ];
        const WORST: [Column; 3] = [
            number("worst_delay_min", "worst min", 9),
            number("second_delay_min", "second", 6),
            number("third_delay_min", "third", 6),
        ];
        const FIRST_LAST: [Column; 2] =
            [number("first_delay_min", "first min", 9), number("last_delay_min", "last min", 9)];
        match self {
            Self::Stats => &[COUNT, MEAN, MIN, MAX],
            Self::Count => &[COUNT],
            Self::Sum => &[SUM],
            Self::Mean => &[MEAN],
            Self::Min => &[MIN],
            Self::Max => &[MAX],
            Self::Variance => &[MEAN, VARIANCE, STDDEV],
            Self::Quantiles => &QUANTILES,
            Self::Distinct => &[DESTINATIONS],
            Self::Top => &WORST,
            Self::FirstLast => &FIRST_LAST,
        }
    }
}

impl Column {
    pub(crate) const fn text(name: &'static str, title: &'static str, width: usize) -> Self {
        Self { name, title, width, is_text: true }
    }

    pub(crate) const fn number(name: &'static str, title: &'static str, width: usize) -> Self {
        Self { name, title, width, is_text: false }
    }
}

impl From<u64> for Figure {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<i64> for Figure {
    fn from(minutes: i64) -> Self {
        Self::Minutes(minutes)
    }
}

impl From<f64> for Figure {
    fn from(decimal: f64) -> Self {
        Self::Decimal(decimal)
    }
}

impl<N: Into<Self>> From<Option<N>> for Figure {
    fn from(number: Option<N>) -> Self {
        number.map_or(Self::Missing, N::into)
    }
}
