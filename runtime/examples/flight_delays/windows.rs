//! The windows, and what the delays in them come to.

use nacreous::{
    Aggregate, BoxedStream, KeptWindows, Keyed, KeyedStream, Mean, Quantiles, Stats, Stream, Top, Upstream,
    Variance, WindowResult, WindowedStream, Windows, count, count_distinct, first, last, max, mean, min,
    quantiles, stats, sum, variance,
};

use super::{
    Flight,
    figures::{Agg, Figure, Figures},
    flight::Key,
    options::{Cut, Failed, Options},
};

/// What is known of the delays in a window.
pub(crate) type Delays = WindowResult<Key, Figures>;

/// Flights that no window takes any more.
pub(crate) type Late = Stream<Keyed<Key, Flight>>;

/// How far a quantile may be off, of itself.
const QUANTILE_ERROR: f64 = 0.01;

/// The delays in windows, as the options want them, and the flights that are late.
pub(crate) fn delays<U>(
    keyed: KeyedStream<Key, Flight, U>,
    options: &Options,
) -> Result<(BoxedStream<Delays>, Late), Failed>
where
    U: Upstream<Out = Keyed<Key, Flight>>,
{
    let delay = options.delay;
    let delay = move |flight: &Flight| flight.delay_min(delay);
    // What is usual shares a loop with the source. The others begin one of their own, which takes less time to compile.
    match options.agg {
        Agg::Stats => over(keyed, options, stats(delay), |all: Stats| {
            [all.count.into(), all.mean().into(), all.min.into(), all.max.into()]
        }),
        Agg::Count => over(keyed.boxed(), options, count(), |count| [count.into()]),
        Agg::Sum => over(keyed.boxed(), options, sum(delay), |sum| [sum.into()]),
        Agg::Mean => over(keyed.boxed(), options, mean(delay), |all: Mean| [all.mean().into()]),
        Agg::Min => over(keyed.boxed(), options, min(delay), |least| [least.into()]),
        Agg::Max => over(keyed.boxed(), options, max(delay), |greatest| [greatest.into()]),
        Agg::Variance => over(keyed.boxed(), options, variance(delay), |all: Variance| {
            [all.mean().into(), all.var_samp().into(), all.stddev_samp().into()]
        }),
        Agg::Quantiles => {
            let delay = move |flight: &Flight| delay(flight) as f64;
            over(keyed.boxed(), options, quantiles(QUANTILE_ERROR, delay), |all: Quantiles| {
                [0.5, 0.9, 0.99].map(|part| all.quantile(part).into())
            })
        }
        Agg::Distinct => over(
            keyed.boxed(),
            options,
            count_distinct(|flight: &Flight| flight.dest),
            |count| [count.into()],
        ),
        Agg::Top => over(keyed.boxed(), options, Top::<3>::by(delay), |worst| {
            [0, 1, 2].map(|place| worst.get(place).copied().into())
        }),
        Agg::FirstLast => over(keyed.boxed(), options, (first(delay), last(delay)), |(first, last)| {
            [first.into(), last.into()]
        }),
    }
}

/// One aggregate over the windows that the options want.
fn over<U, A, const COUNT: usize>(
    keyed: KeyedStream<Key, Flight, U>,
    options: &Options,
    aggregate: A,
    figures: fn(A::Out) -> [Figure; COUNT],
) -> Result<(BoxedStream<Delays>, Late), Failed>
where
    U: Upstream<Out = Keyed<Key, Flight>>,
    A: Aggregate<Flight, Out: Send + 'static> + Clone + Send + 'static,
{
    let is_kept = options.lateness().is_some();
    Ok(match options.windows()? {
        Cut::Sliding(windows) if is_kept => {
            let (results, late) = kept(keyed.window(windows), options).aggregate(aggregate);
            (told(results, figures), late)
        }
        Cut::Sliding(windows) => {
            let (results, late) = keyed.window(windows).aggregate(aggregate);
            (told(results, figures), late)
        }
        Cut::Sessions(sessions) if is_kept => {
            let (results, late) = kept(keyed.window(sessions), options).aggregate(aggregate);
            (told(results, figures), late)
        }
        Cut::Sessions(sessions) => {
            let (results, late) = keyed.window(sessions).aggregate(aggregate);
            (told(results, figures), late)
        }
    })
}

/// The same windows, kept for late flights to correct.
fn kept<K, T, U, W: Windows>(
    windows: WindowedStream<K, T, U, W>,
    options: &Options,
) -> WindowedStream<K, T, U, KeptWindows<W>> {
    let kept = windows.allowed_lateness(options.lateness.0);
    if options.retract { kept.retracting() } else { kept }
}

/// What results tell, in numbers.
fn told<R: Send + 'static, const COUNT: usize>(
    results: Stream<WindowResult<Key, R>, impl Upstream<Out = WindowResult<Key, R>>>,
    figures: fn(R) -> [Figure; COUNT],
) -> BoxedStream<Delays> {
    let told = move |result: WindowResult<Key, R>| {
        let WindowResult { window, key, value, kind, number } = result;
        WindowResult { window, key, value: Figures::from_iter(figures(value)), kind, number }
    };
    results.map(told).boxed()
}
