//! The windows of flights that the options want.

use nacreous::{
    BoxedStream, KeptWindows, Keyed, KeyedStream, Stats, Stream, Timed, Upstream, WindowResult,
    WindowedStream, stats,
};

use super::{
    Flight,
    chosen::Chosen,
    figures::{Agg, Figures},
    flight::Key,
    options::{Cut, Failed, Options},
};

/// What is known of the delays in a window.
pub(crate) type Delays = WindowResult<Key, Figures>;

/// Flights that no window takes any more.
pub(crate) type Late = Stream<Keyed<Key, Flight>>;

/// The delays in windows, as the options want them, and the flights that are late.
///
/// What is usual shares a loop with the source, and its aggregate is known when that is compiled. All else begins a loop of its own,
/// with an aggregate that looks up which it is: that many loops would take minutes to compile.
pub(crate) fn delays<U>(
    keyed: KeyedStream<Key, Flight, U>,
    options: &Options,
) -> Result<(BoxedStream<Delays>, Late), Failed>
where
    U: Upstream<Out = Keyed<Key, Flight>>,
{
    let is_kept = options.lateness().is_some();
    let chosen = Chosen::new(options.agg, options.delay);
    Ok(match options.windows()? {
        Cut::Sliding(windows) if !is_kept && options.agg == Agg::Stats => {
            let delay = options.delay;
            let (results, late) =
                keyed.window(windows).aggregate(stats(move |flight: &Flight| flight.delay_min(delay)));
            (told(results, |all: Stats| Figures::from_iter(Chosen::stats(all))), late)
        }
        Cut::Sliding(windows) if is_kept => {
            told_of(kept(keyed.boxed().window(windows), options).aggregate(chosen))
        }
        Cut::Sliding(windows) => told_of(keyed.boxed().window(windows).aggregate(chosen)),
        Cut::Sessions(sessions) if is_kept => {
            told_of(kept(keyed.boxed().window(sessions), options).aggregate(chosen))
        }
        Cut::Sessions(sessions) => told_of(keyed.boxed().window(sessions).aggregate(chosen)),
    })
}

/// The results as they are.
fn told_of(
    (results, late): (Stream<Delays, impl Upstream<Out = Delays>>, Late),
) -> (BoxedStream<Delays>, Late) {
    (results.boxed(), late)
}

/// The same windows, kept for late flights to correct.
fn kept<K, T, U, W: Timed>(
    windows: WindowedStream<K, T, U, W>,
    options: &Options,
) -> WindowedStream<K, T, U, KeptWindows<W>> {
    let kept = windows.allowed_lateness(options.lateness.0);
    if options.retract { kept.retracting() } else { kept }
}

/// What results tell, in numbers.
fn told<R: Send + 'static>(
    results: Stream<WindowResult<Key, R>, impl Upstream<Out = WindowResult<Key, R>>>,
    figures: fn(R) -> Figures,
) -> BoxedStream<Delays> {
    let told = move |result: WindowResult<Key, R>| {
        let WindowResult { window, key, value, kind, number } = result;
        WindowResult { window, key, value: figures(value), kind, number }
    };
    results.map(told).boxed()
}
