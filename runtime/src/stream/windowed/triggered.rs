//! Windows each by itself: those that records are assigned to, and those with early results.

use std::hash::Hash;

use nacreous_operators::{
    Aggregate, AssignedBy, AssignedFold, Assigner, AtEnd, Global, Keyed, Trigger, Windowed,
};
use nacreous_watermark::{Cadence, Span};

use super::{
    WindowedStream,
    kinds::{Aggregable, KeptWindows, Site, Timed, Windows},
};
use crate::{plan::Upstream, stream::Stream};

/// Windows with results before their end: see [`early`](WindowedStream::early).
#[derive(Debug, Clone)]
pub struct EarlyWindows<W, G> {
    windows: W,
    trigger: G,
}

impl<K, T, U, W> WindowedStream<K, T, U, W> {
    /// Has windows say what their records so far come to before they end, when a trigger says so: [`every`](crate::every) second,
    /// [`every_records`](crate::every_records) of a key, what a function says ([`triggered_by`](crate::triggered_by)), or one of
    /// your own.
    ///
    /// These results are [early](crate::ResultKind::Early) ones. The one on time comes after them if there are records that have not
    /// been let go of, whether or not it says the same as the last; [`number`](crate::WindowResult::number) counts through them all.
    ///
    /// ```
    /// use nacreous::{ResultKind, every, prelude::*};
    /// use std::time::Duration;
    ///
    /// let graph = Graph::new();
    /// let (sums, _late) = graph
    ///     .iter([(10, 1), (700, 2), (300, 3), (1_600, 4)])
    ///     .event_time(|(ms, _)| Timestamp::from_nanos(ms * 1_000_000), BoundedDisorder::new(Duration::from_millis(400))?)
    ///     .key_by(|_| ())
    ///     .window(Sliding::tumbling(Duration::from_secs(2))?)
    ///     .early(every(Duration::from_millis(500))?)
    ///     .aggregate(sum(|(_, amount): &(i64, i64)| *amount));
    /// let sums = sums.collect();
    /// graph.run(JobOptions::default())?;
    /// let sums: Vec<_> = sums.take().into_iter().map(|sum| (sum.value.kind, sum.value.value)).collect();
    /// use ResultKind::{Early, OnTime};
    /// // At 0.5 s, at 1 s, and at the end; nothing came between 1 s and 1.5 s.
    /// assert_eq!(sums, [(Early, 4), (Early, 6), (OnTime, 10)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// A trigger sees the records of a key in order of event time, those of one instant in the order in which they come, when the
    /// watermark has passed them. So early results are the same in each run, whatever order the records came in; they lag behind
    /// the records as the watermark does.
    ///
    /// # Global windows
    /// [`Global`] is one window of all time. By itself it has one result for each key, when the stream ends.
    ///
    /// ```
    /// use nacreous::{Global, every_records, prelude::*};
    ///
    /// let graph = Graph::new();
    /// let (counts, _late) = graph
    ///     .iter(1..=250_i64)
    ///     .event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE)
    ///     .key_by(|_| ())
    ///     .window(Global)
    ///     .early(every_records(100)?.purging())
    ///     .aggregate(count());
    /// let counts = counts.collect();
    /// graph.run(JobOptions::default())?;
    /// let counts: Vec<_> = counts.take().into_iter().map(|count| count.value.value).collect();
    /// assert_eq!(counts, [100, 100, 50]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Late records
    /// [`allowed_lateness`](Self::allowed_lateness) may be said after this, not before. Corrections come as without early results, at
    /// once; a record behind the watermark whose window has not ended counts for the trigger as if it were at the watermark. With
    /// [`retracting`](WindowedStream::retracting) what an early result said is taken back too before the next is said, unless it has
    /// been let go of.
    ///
    /// # Cost
    /// Each record waits for the watermark: a number of comparisons that grows with the logarithm of those that wait. Then it is added
    /// in each of its windows, which for windows that overlap are many. A result before the end or a window that ends: a visit to
    /// each window of its key. Memory: the records that wait, and an accumulator for each key and window. Sources pass a watermark
    /// on every millisecond of event time, which ends a batch. All records go to where their key is kept.
    pub fn early<G>(self, trigger: G) -> WindowedStream<K, T, U, EarlyWindows<W, G>>
    where
        W: Windows + Assigner<T>,
        G: Trigger<T>,
    {
        let Self { carried, sharing, windows, .. } = self;
        let windows = EarlyWindows { windows, trigger };
        windows.close(&mut carried.graph.borrow_mut().needs.cadence, Span::ZERO);
        WindowedStream::new(carried, sharing, windows)
    }
}

impl Windows for Global {
    fn close(&self, cadence: &mut Cadence, _: Span) {
        cadence.add(self.ends());
    }
}

impl<F: Clone> Windows for AssignedBy<F> {
    fn close(&self, cadence: &mut Cadence, _: Span) {
        cadence.add(Global.ends());
    }
}

impl<W: Clone, G: Clone> Windows for EarlyWindows<W, G> {
    fn close(&self, cadence: &mut Cadence, _: Span) {
        cadence.add(Global.ends());
    }
}

impl<F: Clone> Timed for AssignedBy<F> {}
impl<W: Clone, G: Clone> Timed for EarlyWindows<W, G> {}

/// Aggregates over windows, each by itself.
fn each_by_itself<K, T, A, W, G, U>(
    site: Site<U>,
    operator: AssignedFold<K, A, T, W, G>,
) -> Stream<Windowed<K, T, A::Out>, impl Upstream<Out = Windowed<K, T, A::Out>> + use<K, T, A, W, G, U>>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    A: Aggregate<T, Out: Send + 'static> + Clone + Send + 'static,
    W: Assigner<T>,
    G: Trigger<T>,
    U: Upstream<Out = Keyed<K, T>>,
{
    let name = site.name.explained(&"each window by itself, of records in order of event time");
    Site { name, ..site }.in_one_stage(operator)
}

impl<K, T, A> Aggregable<K, T, A> for Global
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    A: Aggregate<T, Out: Send + 'static> + Clone + Send + 'static,
{
    fn aggregate<U: Upstream<Out = Keyed<K, T>>>(
        self,
        site: Site<U>,
        aggregate: A,
    ) -> Stream<Windowed<K, T, A::Out>, impl Upstream<Out = Windowed<K, T, A::Out>>> {
        let limits = site.sharing.limits;
        each_by_itself(site, AssignedFold::new(self, AtEnd, aggregate, limits))
    }
}

impl<K, T, A, F> Aggregable<K, T, A> for AssignedBy<F>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    A: Aggregate<T, Out: Send + 'static> + Clone + Send + 'static,
    Self: Assigner<T>,
{
    fn aggregate<U: Upstream<Out = Keyed<K, T>>>(
        self,
        site: Site<U>,
        aggregate: A,
    ) -> Stream<Windowed<K, T, A::Out>, impl Upstream<Out = Windowed<K, T, A::Out>>> {
        let limits = site.sharing.limits;
        each_by_itself(site, AssignedFold::new(self, AtEnd, aggregate, limits))
    }
}

impl<K, T, A, W, G> Aggregable<K, T, A> for EarlyWindows<W, G>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    A: Aggregate<T, Out: Send + 'static> + Clone + Send + 'static,
    W: Assigner<T>,
    G: Trigger<T>,
{
    fn aggregate<U: Upstream<Out = Keyed<K, T>>>(
        self,
        site: Site<U>,
        aggregate: A,
    ) -> Stream<Windowed<K, T, A::Out>, impl Upstream<Out = Windowed<K, T, A::Out>>> {
        let limits = site.sharing.limits;
        each_by_itself(site, AssignedFold::new(self.windows, self.trigger, aggregate, limits))
    }
}

impl<K, T, A, F> Aggregable<K, T, A> for KeptWindows<AssignedBy<F>>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    A: Aggregate<T, Out: Send + 'static> + Clone + Send + 'static,
    AssignedBy<F>: Assigner<T>,
{
    fn aggregate<U: Upstream<Out = Keyed<K, T>>>(
        self,
        site: Site<U>,
        aggregate: A,
    ) -> Stream<Windowed<K, T, A::Out>, impl Upstream<Out = Windowed<K, T, A::Out>>> {
        let operator = AssignedFold::new(self.windows, AtEnd, aggregate, site.sharing.limits);
        each_by_itself(site, operator.with_lateness(self.allowed, self.retracts))
    }
}

impl<K, T, A, W, G> Aggregable<K, T, A> for KeptWindows<EarlyWindows<W, G>>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    A: Aggregate<T, Out: Send + 'static> + Clone + Send + 'static,
    W: Assigner<T>,
    G: Trigger<T>,
{
    fn aggregate<U: Upstream<Out = Keyed<K, T>>>(
        self,
        site: Site<U>,
        aggregate: A,
    ) -> Stream<Windowed<K, T, A::Out>, impl Upstream<Out = Windowed<K, T, A::Out>>> {
        let EarlyWindows { windows, trigger } = self.windows;
        let operator = AssignedFold::new(windows, trigger, aggregate, site.sharing.limits);
        each_by_itself(site, operator.with_lateness(self.allowed, self.retracts))
    }
}
