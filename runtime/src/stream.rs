//! Typed streams: what the user holds while building a graph.

mod branching;
mod carried;
mod keyed;
mod misuse;
mod source;
mod windowed;

pub use keyed::KeyedStream;
pub(crate) use source::SourcePlace;
pub use source::{SourceStream, SourceStreams};
pub use windowed::{Aggregable, EarlyWindows, KeptWindows, Sliced, Timed, WindowedStream, Windows};

use std::{hash::Hash, marker::PhantomData};

use nacreous_operators::{Filter, FilterMap, FlatMap, Inspect, KeyBy, Keyed, Map, Operator, OrderBy, Record};

use self::{
    carried::{Carried, Shared},
    keyed::Sharing,
};
use crate::{
    downstream::Fork,
    graph::Role,
    operator_name::{OperatorId, OperatorName},
    plan::{CallMake, Erased, Forked, FromPort, Make, PortId, SinkMake, Then, Upstream},
    replacing::{BatchOperator, Replaceable, Replacer},
    sink::{Collect, Collected, Sink},
};

/// A stream of records of type `T`.
///
/// `U` stands for all that comes before and is fused with it; it need not be named. A function of yours that takes or
/// returns a stream says what its records are:
///
/// ```
/// use nacreous::{Stream, Upstream, prelude::*};
///
/// fn hot(celsius: Stream<f64, impl Upstream<Out = f64>>) -> Stream<f64, impl Upstream<Out = f64>> {
///     celsius.filter(|celsius| *celsius > 30.0)
/// }
///
/// let graph = Graph::new();
/// let celsius = graph.iter([28.5, 31.0]).event_time(|_| Timestamp::from_nanos(0), BoundedDisorder::NONE);
/// let hot = hot(celsius).collect();
/// graph.run(JobOptions::default())?;
/// assert_eq!(hot.take()[0].value, 31.0);
/// # Ok::<(), nacreous::RunError>(())
/// ```
///
/// Where a collection is to hold streams, [`isolate`](Self::isolate) makes each a plain `Stream<T>`.
///
/// A stream is used once: what is done to it takes it. [`broadcast`](Self::broadcast) copies it. So a graph has no
/// cycles.
///
/// Functions given to operators must be `Clone`, since each parallel instance gets its own: closures are,
/// if what they capture is.
#[must_use = "a stream does nothing until it ends in a sink"]
pub struct Stream<T, U = FromPort<T>> {
    carried: Carried<U>,
    records: PhantomData<fn() -> T>,
}

/// A stream that has been ended in a sink.
pub struct Ended {
    graph: Shared,
    operator: OperatorId,
}

impl Ended {
    /// Names the sink, for reports and errors.
    pub fn named(self, name: &'static str) {
        self.graph.borrow_mut().label(self.operator, name);
    }
}

impl<T: Send + 'static> Stream<T> {
    /// The stream that begins at a port.
    pub(crate) fn at_port(graph: &Shared, port: PortId, accountable: bool) -> Self {
        Self { carried: Carried::at_port(graph, port, accountable), records: PhantomData }
    }
}

impl<T: Send + 'static, U: Upstream<Out = T>> Stream<T, U> {
    /// The stream of what an operator makes out of its state: the job keeps no accounts of that.
    fn of_results(mut carried: Carried<U>) -> Self {
        carried.accountable = false;
        Self { carried, records: PhantomData }
    }

    /// The two streams into which the last operator parts its values. What goes to the side has been accounted for.
    #[expect(clippy::type_complexity, reason = "two streams; the rest need not be named by anyone")]
    fn part(self, role: Role) -> (Stream<T::Main, Forked<U>>, Stream<T::Side>)
    where
        T: Fork<Main: Send + 'static, Side: Send + 'static>,
    {
        let graph = self.carried.graph.clone();
        let accountable = self.carried.accountable && role == Role::Main;
        let (carried, side) = self.carried.fork(role);
        (Stream { carried, records: PhantomData }, Stream::at_port(&graph, side, accountable))
    }
}

/// A stream whose type says nothing of what comes before: see [`Stream::boxed`].
pub type BoxedStream<T> = Stream<T, Erased<T>>;

impl<T: Send + 'static, U: Upstream<Out = T>> Stream<T, U> {
    /// Names the operator that the stream comes from, for reports and errors. A graph has each name only once.
    pub fn named(self, name: &'static str) -> Self {
        self.carried.graph.borrow_mut().label(self.carried.last, name);
        self
    }

    /// Turns each value into another. Its event time stays.
    #[track_caller]
    pub fn map<O, F>(self, f: F) -> Stream<O, impl Upstream<Out = O> + use<T, U, O, F>>
    where
        O: Send + 'static,
        F: FnMut(T) -> O + Clone + Send + 'static,
    {
        self.then(Map::new(f), OperatorName::here(&"map"))
    }

    /// Keeps the values for which `predicate` is true. The others are counted in the job's report.
    #[track_caller]
    pub fn filter<F>(self, predicate: F) -> Stream<T, impl Upstream<Out = T> + use<T, U, F>>
    where
        F: FnMut(&T) -> bool + Clone + Send + 'static,
    {
        self.then(Filter::new(predicate), OperatorName::here(&"filter"))
    }

    /// Turns each value into another or into nothing. Values that become nothing count as filtered.
    #[track_caller]
    pub fn filter_map<O, F>(self, f: F) -> Stream<O, impl Upstream<Out = O> + use<T, U, O, F>>
    where
        O: Send + 'static,
        F: FnMut(T) -> Option<O> + Clone + Send + 'static,
    {
        self.then(FilterMap::new(f), OperatorName::here(&"filter_map"))
    }

    /// Turns each value into any number of others, all at its time.
    ///
    /// # Cost
    /// All that one value becomes is taken up at once: a batch that is full grows.
    #[track_caller]
    pub fn flat_map<I, F>(self, f: F) -> Stream<I::Item, impl Upstream<Out = I::Item> + use<T, U, I, F>>
    where
        I: IntoIterator<Item: Send + 'static> + 'static,
        F: FnMut(T) -> I + Clone + Send + 'static,
    {
        self.then(FlatMap::new(f), OperatorName::here(&"flat_map"))
    }

    /// Shows each record to `f` and passes it on.
    #[track_caller]
    pub fn inspect<F>(self, f: F) -> Stream<T, impl Upstream<Out = T> + use<T, U, F>>
    where
        F: FnMut(&Record<T>) + Clone + Send + 'static,
    {
        self.then(Inspect::new(f), OperatorName::here(&"inspect"))
    }

    /// Has an operator of your own work on whole batches, one that another can take the place of while the job runs: the
    /// stream of what it makes, and what to replace it by. Each parallel instance has a clone of the operator.
    ///
    /// ```
    /// use nacreous::{BatchOperator, prelude::*};
    /// use std::{any::Any, vec::Drain};
    ///
    /// /// Adds up what it has seen.
    /// #[derive(Clone)]
    /// struct Sum(i64);
    ///
    /// impl BatchOperator<i64, i64> for Sum {
    ///     fn on_batch(&mut self, records: Drain<'_, Record<i64>>, out: &mut Vec<Record<i64>>) {
    ///         out.extend(records.map(|Record { time, value }| {
    ///             self.0 += value;
    ///             Record { time, value: self.0 }
    ///         }));
    ///     }
    /// }
    ///
    /// /// The same, with a weight for each: it goes on from the sum there is.
    /// struct Weighted(f64, f64);
    ///
    /// impl BatchOperator<i64, i64> for Weighted {
    ///     fn on_batch(&mut self, records: Drain<'_, Record<i64>>, out: &mut Vec<Record<i64>>) {
    ///         out.extend(records.map(|Record { time, value }| {
    ///             self.0 += self.1 * value as f64;
    ///             Record { time, value: self.0 as i64 }
    ///         }));
    ///     }
    /// }
    ///
    /// let (mut feeder, fed) = nacreous::source::fed(64);
    /// let (handed, mut results) = nacreous::sink::handed(64);
    /// let graph = Graph::new();
    /// let (numbers, _) = graph.source(fed);
    /// let numbers = numbers.event_time(|_| Timestamp::from_nanos(0), BoundedDisorder::NONE);
    /// let (sums, replacer) = numbers.replaceable(Sum(0));
    /// sums.to(handed);
    /// let job = graph.start(JobOptions::default())?;
    ///
    /// feeder.send(7)?;
    /// assert_eq!(results.recv().map(|sum| sum.value), Some(7));
    /// replacer.replace(|old| {
    ///     let old: Box<dyn Any> = old;
    ///     let Sum(sum) = *old.downcast().expect("nobody has replaced it before");
    ///     Box::new(Weighted(sum as f64, 0.5))
    /// });
    /// feeder.send(10)?;
    /// assert_eq!(results.recv().map(|sum| sum.value), Some(12));
    /// feeder.close();
    /// job.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Cost
    /// That of [`boxed`](Self::boxed), another copy of each record into the operator's input and one out of its output, and a
    /// virtual call a batch.
    #[track_caller]
    pub fn replaceable<O, B>(
        self,
        operator: B,
    ) -> (Stream<O, impl Upstream<Out = O> + use<T, U, O, B>>, Replacer<T, O>)
    where
        O: Send + 'static,
        B: BatchOperator<T, O> + Clone,
    {
        let replacer = Replacer::new();
        let operator = Replaceable::new(operator, &replacer);
        let carried = self.carried.boxed().then(operator, OperatorName::here(&"replaceable"));
        (Stream::of_results(carried), replacer)
    }

    /// Groups records by what `key` says of each value. Records of one key stay in order, on one worker.
    #[track_caller]
    pub fn key_by<K, F>(self, key: F) -> KeyedStream<K, T, impl Upstream<Out = Keyed<K, T>> + use<T, U, K, F>>
    where
        K: Hash + Eq + Clone + Send + 'static,
        F: FnMut(&T) -> K + Clone + Send + 'static,
    {
        let keyed = self.then(KeyBy::new(key), OperatorName::here(&"key_by"));
        KeyedStream::new(keyed.carried, Sharing::default())
    }

    /// Brings the stream together in one place and in order: of event time, then of `key`.
    ///
    /// Each record is held back until the watermark has passed it; the watermark comes along wherever a window closes, or
    /// else every 1,024 records. A record behind the watermark is too late for that, and goes on at once. With a key that
    /// tells records of one time apart, the order is the same in every run, whatever the number of workers.
    ///
    /// # Cost
    /// A record costs a number of comparisons that grows with the logarithm of the records held. There is room for some
    /// thousand of them from the beginning; the memory doubles when that is not enough.
    #[track_caller]
    pub fn order_by<K, F>(self, key: F) -> Stream<T, impl Upstream<Out = T> + use<T, U, K, F>>
    where
        K: Ord + Send + 'static,
        F: FnMut(&T) -> K + Clone + Send + 'static,
    {
        let name = OperatorName::here(&"order_by");
        // Behind a window the watermarks that close windows will do.
        self.carried.graph.borrow_mut().needs.any |= self.carried.accountable;
        let gathered = Stream { carried: self.carried.gather(), records: PhantomData };
        gathered.then(OrderBy::new(key), name)
    }

    /// Ends the stream in a sink.
    ///
    /// # Panics
    /// If the graph has been started.
    #[track_caller]
    pub fn to<S: Sink<T>>(self, sink: S) -> Ended {
        self.end(sink, OperatorName::here(&"to"))
    }

    /// Ends the stream in a function that is called with each record, in the loop that it comes out of. A sink
    /// ([`to`](Self::to)) is given batches.
    ///
    /// # Panics
    /// If the graph has been started.
    #[track_caller]
    pub fn for_each<F: FnMut(Record<T>) + Send + 'static>(self, f: F) -> Ended {
        self.call(f, OperatorName::here(&"for_each"))
    }

    /// Ends the stream here: its records are counted and dropped.
    ///
    /// # Panics
    /// If the graph has been started.
    #[track_caller]
    pub fn discard(self) -> Ended {
        self.call(drop, OperatorName::here(&"discard"))
    }

    /// Ends the stream in a vector. It grows without bound, and locks: for tests and small results.
    ///
    /// # Panics
    /// If the graph has been started.
    #[track_caller]
    pub fn collect(self) -> Collected<T> {
        let (sink, collected) = Collect::new();
        let _ = self.end(sink, OperatorName::here(&"collect"));
        collected
    }

    /// Ends the fused loop here: what follows is another, in the same task, and is reached by one call for each batch.
    ///
    /// The stream's type says nothing of what comes before, so a graph can be put together from a description that is
    /// read when the program runs; and the compiler has two short loops to make in place of a long one, which takes it
    /// less time.
    ///
    /// ```
    /// use nacreous::{BoxedStream, prelude::*};
    ///
    /// let graph = Graph::new();
    /// let numbers = graph.iter([3_i64, 4, 5]).event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
    /// let mut stream: BoxedStream<i64> = numbers.boxed();
    /// for step in "double odd double".split_whitespace() {
    ///     stream = match step {
    ///         "double" => stream.map(|n| n * 2).boxed(),
    ///         "odd" => stream.map(|n| n + 1).boxed(),
    ///         unknown => panic!("there is no step `{unknown}`"),
    ///     };
    /// }
    /// let numbers = stream.collect();
    /// graph.run(JobOptions::default())?;
    /// assert!(numbers.take().into_iter().map(|record| record.value).eq([14, 18, 22]));
    /// # Ok::<(), nacreous::RunError>(())
    /// ```
    ///
    /// # Cost
    /// Records are gathered into a batch, of memory of its own, and read from it again.
    pub fn boxed(self) -> BoxedStream<T> {
        Stream { carried: self.carried.boxed(), records: PhantomData }
    }

    fn then<O>(self, operator: O, name: OperatorName) -> Stream<O::Out, Then<U, O>>
    where
        O: Operator<T, Out: Send + 'static> + Clone + Send + 'static,
    {
        Stream { carried: self.carried.then(operator, name), records: PhantomData }
    }

    fn call<F: FnMut(Record<T>) + Send + 'static>(self, f: F, name: OperatorName) -> Ended {
        self.end_in(name, |operator, accountable| CallMake { f: Some(f), operator, accountable })
    }

    fn end<S: Sink<T>>(self, sink: S, name: OperatorName) -> Ended {
        self.end_in(name, |operator, accountable| SinkMake::new(sink, operator, accountable))
    }

    /// Ends the stream in one place, in what `with` makes of the operator there and of whether it has accounts to keep.
    fn end_in<M: Make<T>>(self, name: OperatorName, with: impl FnOnce(OperatorId, bool) -> M) -> Ended {
        let carried = self.carried.gather();
        let operator = carried.add_operator(name);
        let graph = carried.graph.clone();
        let make = with(operator, carried.accountable);
        carried.end(make);
        Ended { graph, operator }
    }
}
