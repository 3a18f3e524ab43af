use std::{hash::Hash, marker::PhantomData, num::NonZero};

use nacreous_operators::{
    Either, Interval, IntervalJoin, KeyLimits, Keyed, Map, Operator, Process, ProcessWith, Reduce, Scan,
};
use nacreous_watermark::Span;

use super::{Stream, Windows, carried::Carried, windowed::WindowedStream};
use crate::{
    graph::{GraphError, Role},
    job::JobOptions,
    operator_name::OperatorName,
    plan::{Erased, Exchange, FromPort, Instances, Then, Upstream},
};

/// A stream whose records are grouped by a key.
///
/// What follows runs once on each worker that shares the keys (or in as many instances as
/// [`parallelism`](Self::parallelism) says), and has all records of its keys. There is memory for
/// 1,024 keys in each instance from the beginning, unless [`expect_keys`](Self::expect_keys) says otherwise. Keys are
/// kept for the life of the job, and so is the state of an operator for each; but windows keep a key no longer than it has
/// records in one of them.
///
/// ```
/// use nacreous::prelude::*;
///
/// let graph = Graph::new();
/// let totals = graph
///     .iter([("ada", 5), ("bob", 3), ("ada", 2)])
///     .event_time(|_| Timestamp::from_nanos(0), BoundedDisorder::NONE)
///     .key_by(|(name, _)| *name)
///     .expect_keys(10_000)
///     .scan(0, |total, (_, amount)| {
///         *total += amount;
///         *total
///     })
///     .collect();
/// graph.run(JobOptions::default())?;
/// let totals: Vec<_> = totals.take().into_iter().map(|record| (record.value.key, record.value.value)).collect();
/// assert_eq!(totals, [("ada", 5), ("bob", 3), ("ada", 7)]);
/// # Ok::<(), nacreous::RunError>(())
/// ```
#[must_use = "a stream does nothing until it ends in a sink"]
pub struct KeyedStream<K, T, U> {
    pub(super) carried: Carried<U>,
    pub(super) sharing: Sharing,
    records: PhantomData<fn() -> (K, T)>,
}

/// How the operator that follows keeps its keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sharing {
    pub(super) limits: KeyLimits,
    /// The instances that share them.
    pub(super) instances: Instances,
}

impl Sharing {
    /// The instances at which this stream can meet another. Where they ask for different numbers, the graph is refused.
    pub(super) fn instances_with<U: Upstream>(
        self,
        other: Self,
        on: &Carried<U>,
        join: OperatorName,
    ) -> Instances {
        match (self.instances, other.instances) {
            (Instances::Keyed(None), asked) | (asked, Instances::Keyed(None)) => asked,
            (asked, other) => {
                if asked != other {
                    on.graph.borrow_mut().refuse(GraphError::JoinParallelism(join));
                }
                asked
            }
        }
    }
}

impl Default for Sharing {
    fn default() -> Self {
        Self { limits: KeyLimits::default(), instances: Instances::KEYED }
    }
}

impl<K, T, U> KeyedStream<K, T, U> {
    pub(super) fn new(carried: Carried<U>, sharing: Sharing) -> Self {
        Self { carried, sharing, records: PhantomData }
    }

    /// How many distinct keys each instance of the operator that follows has memory for from the beginning; there is an
    /// instance on each worker that shares the keys. More keys are taken as well: memory for them is prepared
    /// beside the data threads, but each of their records costs some nanoseconds more.
    ///
    /// Of windows it is the number of keys in one window that counts. If it is 8,192 or less, and no
    /// [limit](Self::max_keys) is set, an [aggregate](WindowedStream::aggregate) over windows of a stream that comes from
    /// elsewhere has two stages: it is added up where the records are, and put together where the keys are.
    pub fn expect_keys(mut self, keys: usize) -> Self {
        self.sharing.limits.expected = keys;
        self
    }

    /// How many distinct keys an instance of the operator that follows may meet at the most. One more fails the job
    /// with an error that says so, rather than to take more memory.
    ///
    /// An [aggregate](WindowedStream::aggregate) over windows forgets a key with the last window it has records in. There
    /// this is how many may be in one window.
    ///
    /// A [join in windows](WindowedStream::join) keeps no key beyond its records either. There this is how many may be in one
    /// window, and it is found when the window closes; to count them takes a further look-up for each record.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.sharing.limits.most = keys;
        self
    }

    /// How many instances of the operator that follows share the keys: one on each worker that keys are kept on, unless it is
    /// said here. Those are all workers of the job, without the one of the sources if there are others and no source is in
    /// parts.
    ///
    /// Instances take the workers in turn, that of the sources last, and a worker may have several: whole instances can be moved
    /// while a job runs, keys cannot. If both streams of a join ask for a number, it has to be the same. A graph that asks for none,
    /// or for more than [`JobOptions::WORKERS_MAX`](crate::JobOptions::WORKERS_MAX), is refused when it is started.
    ///
    /// ```
    /// use nacreous::prelude::*;
    ///
    /// let graph = Graph::new();
    /// let numbers = graph.iter(0..9_i64).event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
    /// numbers.key_by(|n| n % 5).parallelism(3).reduce(|sum, n| *sum += n).discard();
    /// let plan = graph.plan(JobOptions { workers: 2, ..JobOptions::DEFAULT })?;
    /// let workers: Vec<_> = plan.explain().tasks.iter().map(|task| task.worker).collect();
    /// assert_eq!(workers, [0, 1, 0, 1, 1]); // the source, three that share five keys, and where they end
    /// plan.start()?.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn parallelism(mut self, instances: usize) -> Self {
        let asked = NonZero::new(instances).filter(|asked| asked.get() <= JobOptions::WORKERS_MAX);
        if asked.is_none() {
            let operator = OperatorName::here(&"parallelism");
            self.carried.graph.borrow_mut().refuse(GraphError::Parallelism { operator, asked: instances });
        }
        self.sharing.instances = Instances::Keyed(asked);
        self
    }

    /// Cuts the stream into windows of event time.
    pub fn window<W: Windows>(self, windows: W) -> WindowedStream<K, T, U, W> {
        windows.close(&mut self.carried.graph.borrow_mut().needs.cadence, Span::ZERO);
        WindowedStream::new(self.carried, self.sharing, windows)
    }
}

impl<K, T, U> KeyedStream<K, T, U>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    U: Upstream<Out = Keyed<K, T>>,
{
    /// Ends the fused loop here, as [`Stream::boxed`] does.
    pub fn boxed(self) -> KeyedStream<K, T, Erased<Keyed<K, T>>> {
        KeyedStream::new(self.carried.boxed(), self.sharing)
    }

    /// Reduces the values of each key to one, and emits it after each: the first value of a key is what it begins with,
    /// and `f` adds each later one to it.
    ///
    /// The values of a key come in the order of the stream. Where several streams were brought together before, or a
    /// keyed stream is grouped anew, that order is up to chance between them: `f` had better not depend on it there.
    #[track_caller]
    pub fn reduce<F>(self, f: F) -> Stream<Keyed<K, T>, impl Upstream<Out = Keyed<K, T>> + use<K, T, U, F>>
    where
        T: Clone,
        F: FnMut(&mut T, T) + Clone + Send + 'static,
    {
        let limits = self.sharing.limits;
        self.stateful(Reduce::new(limits, f), OperatorName::here(&"reduce"))
    }

    /// Turns each value into another by way of a state kept for each key, as [`Iterator::scan`] does: `initial` is what
    /// it begins with. For the order in which values come see [`reduce`](Self::reduce).
    #[track_caller]
    pub fn scan<S, O, F>(
        self,
        initial: S,
        f: F,
    ) -> Stream<Keyed<K, O>, impl Upstream<Out = Keyed<K, O>> + use<K, T, U, S, O, F>>
    where
        S: Clone + Send + 'static,
        O: Send + 'static,
        F: FnMut(&mut S, T) -> O + Clone + Send + 'static,
    {
        let limits = self.sharing.limits;
        self.stateful(Scan::new(limits, initial, f), OperatorName::here(&"scan"))
    }

    /// Has an operator of the user's own work on the records of each key, with state and timers: the stream of what it
    /// emits, and that of what it puts to the side.
    ///
    /// ```
    /// use nacreous::{Context, Process, prelude::*};
    /// use std::{convert::Infallible, time::Duration};
    ///
    /// /// Names each sensor that has been silent for ten seconds.
    /// #[derive(Clone)]
    /// struct Silence;
    ///
    /// const PATIENCE: Duration = Duration::from_secs(10);
    ///
    /// impl Process<&'static str, (&'static str, u64)> for Silence {
    ///     type State = Timestamp; // when the sensor was last heard of
    ///     type Out = &'static str;
    ///     type Side = Infallible;
    ///
    ///     fn on_record(
    ///         &mut self,
    ///         _: (&'static str, u64),
    ///         last: &mut Timestamp,
    ///         context: &mut Context<'_, &'static str, Self::Out, Self::Side>,
    ///     ) {
    ///         *last = context.time().max(*last);
    ///         context.set_timer(*last + PATIENCE);
    ///     }
    ///
    ///     fn on_timer(
    ///         &mut self,
    ///         last: &mut Timestamp,
    ///         context: &mut Context<'_, &'static str, Self::Out, Self::Side>,
    ///     ) {
    ///         if context.time() == *last + PATIENCE {
    ///             context.emit(*context.key());
    ///         }
    ///     }
    /// }
    ///
    /// let readings = [("attic", 0), ("cellar", 5), ("attic", 8), ("cellar", 12), ("cellar", 20)];
    /// let graph = Graph::new();
    /// let (silent, _) = graph
    ///     .iter(readings)
    ///     .event_time(|(_, secs)| Timestamp::from_nanos(0) + Duration::from_secs(*secs), BoundedDisorder::NONE)
    ///     .key_by(|(sensor, _)| *sensor)
    ///     .process(Silence);
    /// let silent = silent.collect();
    /// graph.run(JobOptions::default())?;
    /// let silent: Vec<_> = silent.take().into_iter().map(|r| (r.value, r.time.as_nanos() / 1_000_000_000)).collect();
    /// assert_eq!(silent, [("attic", 18), ("cellar", 30)]);
    /// # Ok::<(), nacreous::RunError>(())
    /// ```
    ///
    /// # Cost
    /// Sources pass a watermark on for every [`timer_resolution`](Process::timer_resolution) of event time, which ends
    /// a batch: where records are further apart than that, batches are as small as one record.
    #[track_caller]
    pub fn process<P>(
        self,
        process: P,
    ) -> (Stream<P::Out, impl Upstream<Out = P::Out> + use<K, T, U, P>>, Stream<P::Side>)
    where
        P: Process<K, T, Out: Send + 'static, Side: Send + 'static>,
    {
        let operator = ProcessWith::new(self.sharing.limits, process);
        self.carried.graph.borrow_mut().needs.cadence.add(operator.edges());
        self.stateful(operator, OperatorName::here(&"process")).part(Role::Side)
    }

    /// Joins each record with each of the other stream that has the same key and lies within an interval of time around
    /// it: the stream of pairs, and that of late records. See [`Interval`] for which those are.
    ///
    /// A pair leaves as soon as the second of its records has come. A record behind the watermark of its stream is
    /// late, and is joined with nothing. If one stream is far ahead of the other in event time, its records are held
    /// until the other has come as far.
    ///
    /// ```
    /// use nacreous::{Interval, Offset::{After, Before}, prelude::*};
    /// use std::time::Duration;
    ///
    /// let graph = Graph::new();
    /// let by_flight = |records: [(&'static str, u64); 2]| {
    ///     let records = graph.iter(records);
    ///     let at = |(_, secs): &(_, u64)| Timestamp::from_nanos(0) + Duration::from_secs(*secs);
    ///     records.event_time(at, BoundedDisorder::NONE).key_by(|(flight, _)| *flight)
    /// };
    /// let (landed, bags) = (by_flight([("B6 181", 0), ("UA 15", 90)]), by_flight([("B6 181", 700), ("UA 15", 2_000)]));
    /// // Bags belong to a landing of at most half an hour before.
    /// let half_an_hour = Interval::new(Before(Duration::ZERO), After(Duration::from_secs(1_800)))?;
    /// let (waits, _late) = landed.join(bags, half_an_hour, |landed, bag| bag.1 - landed.1);
    /// let waits = waits.collect();
    /// graph.run(JobOptions::default())?;
    /// assert_eq!(waits.take()[0].value, Keyed { key: "B6 181", value: 700 });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Cost
    /// Sources pass a watermark on every millisecond of event time, which ends a batch. All pairs of a record are
    /// taken up at once: a batch that is full grows.
    #[track_caller]
    pub fn join<R, V, O, F>(
        self,
        other: KeyedStream<K, R, V>,
        interval: Interval,
        f: F,
    ) -> (
        Stream<Keyed<K, O>, impl Upstream<Out = Keyed<K, O>> + use<K, T, U, R, V, O, F>>,
        Stream<Keyed<K, Either<T, R>>>,
    )
    where
        R: Send + 'static,
        V: Upstream<Out = Keyed<K, R>>,
        O: Send + 'static,
        F: FnMut(&T, &R) -> O + Clone + Send + 'static,
    {
        let name = OperatorName::here(&"join");
        let operator = IntervalJoin::new(self.sharing.limits, interval, f);
        let instances = self.sharing.instances_with(other.sharing, &self.carried, name);
        self.carried.graph.borrow_mut().needs.cadence.add(operator.edges());
        Stream::of_results(together(self.carried, other.carried, instances, name).then(operator, name))
            .part(Role::Side)
    }

    /// The stream of what an operator with state makes of this one, on the workers that share the keys.
    fn stateful<O>(self, operator: O, name: OperatorName) -> Stream<O::Out, Then<Exchange<U>, O>>
    where
        O: Operator<Keyed<K, T>, Out: Send + 'static> + Clone + Send + 'static,
    {
        Stream::of_results(self.carried.exchange(self.sharing.instances).then(operator, name))
    }

    /// The records with their keys, as a stream that is not grouped: to be grouped by another key, say. They stay where
    /// they are; nothing is moved between threads.
    pub fn ungroup(self) -> Stream<Keyed<K, T>, U> {
        Stream { carried: self.carried, records: PhantomData }
    }
}

/// Two keyed streams as one, on the instances that share the keys. Each record says which it comes from.
pub(super) fn together<K, L, R, U, V>(
    left: Carried<U>,
    right: Carried<V>,
    instances: Instances,
    name: OperatorName,
) -> Carried<FromPort<Keyed<K, Either<L, R>>>>
where
    K: Hash + Send + 'static,
    L: Send + 'static,
    R: Send + 'static,
    U: Upstream<Out = Keyed<K, L>>,
    V: Upstream<Out = Keyed<K, R>>,
{
    left.meets(&right, name);
    let accountable = left.accountable && right.accountable;
    let graph = left.graph.clone();
    let left = left.then(Map::new(from_left::<K, L, R>), name);
    let right = right.then(Map::new(from_right::<K, L, R>), name);
    let port = left.add_port(left.last, instances, Role::Main);
    left.route_into(port, accountable);
    right.route_into(port, accountable);
    Carried::at_port(&graph, port, accountable)
}

fn from_left<K, L, R>(Keyed { key, value }: Keyed<K, L>) -> Keyed<K, Either<L, R>> {
    Keyed { key, value: Either::Left(value) }
}

fn from_right<K, L, R>(Keyed { key, value }: Keyed<K, R>) -> Keyed<K, Either<L, R>> {
    Keyed { key, value: Either::Right(value) }
}
