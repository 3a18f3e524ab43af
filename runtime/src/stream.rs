//! Typed streams: what the user holds while building a graph.

use std::{cell::RefCell, hash::Hash, marker::PhantomData, rc::Rc};

use nacreous_operators::{
    Aggregate, Filter, Inspect, KeyBy, Keyed, Map, Operator, OrderBy, Record, Sliding, WindowResult,
};
use nacreous_watermark::{BoundedDisorder, Timestamp};

use crate::{
    graph::{Parts, Root},
    operator_name::OperatorName,
    plan::{Exchange, FromPort, FromSource, Gather, LateSplit, PortId, SinkMake, Then, Upstream},
    sink::{Collect, Collected, ForEach, Sink},
    source::Source,
};

type Shared = Rc<RefCell<Parts>>;

/// What a source reads, before it is known when it happened.
#[must_use = "a stream does nothing until it ends in a sink"]
pub struct SourceStream<S: Source> {
    pub(crate) source: S,
    pub(crate) name: OperatorName,
    pub(crate) root: Root,
    pub(crate) rejects: PortId,
    pub(crate) graph: Shared,
}

/// A stream of records of type `T`. (`U` stands for all that comes before; it need not be named.)
///
/// Functions given to operators must be `Clone`, since each parallel instance gets its own: closures are,
/// if what they capture is.
#[must_use = "a stream does nothing until it ends in a sink"]
pub struct Stream<T, U> {
    carried: Carried<U>,
    records: PhantomData<fn() -> T>,
}

/// A stream whose records are grouped by a key.
#[must_use = "a stream does nothing until it ends in a sink"]
pub struct KeyedStream<K, T, U> {
    carried: Carried<U>,
    records: PhantomData<fn() -> (K, T)>,
}

/// A keyed stream cut into windows.
#[must_use = "a stream does nothing until it ends in a sink"]
pub struct WindowedStream<K, T, U> {
    carried: Carried<U>,
    windows: Sliding,
    records: PhantomData<fn() -> (K, T)>,
}

/// What all streams carry along.
struct Carried<U> {
    up: U,
    root: Root,
    graph: Shared,
    /// Whether the records are a source's own, and not results made of them: the job keeps accounts of those.
    accountable: bool,
}

impl<U> Carried<U> {
    /// The same, with something more upstream.
    fn extend<V>(self, with: impl FnOnce(U) -> V) -> Carried<V> {
        Carried { up: with(self.up), root: self.root, graph: self.graph, accountable: self.accountable }
    }
}

/// The stream that begins at a side output.
pub(crate) fn port_stream<T: Send + 'static>(graph: &Shared, port: PortId) -> Stream<T, FromPort<T>> {
    let up = FromPort { port, records: PhantomData };
    let carried = Carried { up, root: Root::Port(port), graph: Rc::clone(graph), accountable: false };
    Stream { carried, records: PhantomData }
}

impl<S: Source> SourceStream<S> {
    /// Says when each record happened, and how far out of order they may come.
    ///
    /// A record further behind the latest one than `disorder` allows may find windows closed that it would have
    /// belonged to; if it finds all of them closed, it is late.
    #[track_caller]
    pub fn event_time<F>(
        self,
        time_of: F,
        disorder: BoundedDisorder,
    ) -> Stream<S::Item, impl Upstream<Out = S::Item> + use<S, F>>
    where
        F: FnMut(&S::Item) -> Timestamp + Send + 'static,
    {
        let time_name = OperatorName::here("event_time");
        let Self { source, name, root, rejects, graph } = self;
        let up = FromSource { source, name, rejects, time_of, time_name, disorder };
        Stream { carried: Carried { up, root, graph, accountable: true }, records: PhantomData }
    }
}

impl<T: Send + 'static, U: Upstream<Out = T>> Stream<T, U> {
    /// Turns each value into another. Its event time stays.
    #[track_caller]
    pub fn map<O, F>(self, f: F) -> Stream<O, impl Upstream<Out = O> + use<T, U, O, F>>
    where
        O: Send + 'static,
        F: FnMut(T) -> O + Clone + Send + 'static,
    {
        self.then(Map::new(f), OperatorName::here("map"))
    }

    /// Keeps the values for which `predicate` is true. The others are counted in the job's report.
    #[track_caller]
    pub fn filter<F>(self, predicate: F) -> Stream<T, impl Upstream<Out = T> + use<T, U, F>>
    where
        F: FnMut(&T) -> bool + Clone + Send + 'static,
    {
        self.then(Filter::new(predicate), OperatorName::here("filter"))
    }

    /// Shows each record to `f` and passes it on.
    #[track_caller]
    pub fn inspect<F>(self, f: F) -> Stream<T, impl Upstream<Out = T> + use<T, U, F>>
    where
        F: FnMut(&Record<T>) + Clone + Send + 'static,
    {
        self.then(Inspect::new(f), OperatorName::here("inspect"))
    }

    /// Groups records by what `key` says of each value. Records of one key stay in order, on one worker.
    #[track_caller]
    pub fn key_by<K, F>(self, key: F) -> KeyedStream<K, T, impl Upstream<Out = Keyed<K, T>> + use<T, U, K, F>>
    where
        K: Hash + Eq + Clone + Send + 'static,
        F: FnMut(&T) -> K + Clone + Send + 'static,
    {
        let keyed = self.then(KeyBy::new(key), OperatorName::here("key_by"));
        KeyedStream { carried: keyed.carried.extend(|up| Exchange { up }), records: PhantomData }
    }

    /// Brings the stream together in one place and in order: of event time, then of `key`.
    ///
    /// Each record is held back until the watermark has passed it; the watermark comes along wherever a window
    /// closes, or else every 1,024 records. With a key that tells records of one
    /// time apart, the order is the same in every run, whatever the number of workers.
    #[track_caller]
    pub fn order_by<K, F>(self, key: F) -> Stream<T, impl Upstream<Out = T> + use<T, U, K, F>>
    where
        K: Ord + Send + 'static,
        F: FnMut(&T) -> K + Clone + Send + 'static,
    {
        let name = OperatorName::here("order_by");
        // Behind a window the watermarks that close windows will do.
        self.carried.graph.borrow_mut().needs.any |= self.carried.accountable;
        let gathered = Stream { carried: self.carried.extend(|up| Gather { up }), records: PhantomData };
        gathered.then(OrderBy::new(key), name)
    }

    /// Ends the stream in a sink.
    #[track_caller]
    pub fn to<S: Sink<T>>(self, sink: S) {
        self.end(sink, OperatorName::here("to"));
    }

    /// Ends the stream in a function that is called with each record.
    #[track_caller]
    pub fn for_each<F: FnMut(Record<T>) + Send + 'static>(self, f: F) {
        self.end(ForEach(f), OperatorName::here("for_each"));
    }

    /// Ends the stream in a vector. It grows without bound, and locks: for tests and small results.
    #[track_caller]
    pub fn collect(self) -> Collected<T> {
        let (sink, collected) = Collect::new();
        self.end(sink, OperatorName::here("collect"));
        collected
    }

    fn then<O>(self, operator: O, name: OperatorName) -> Stream<O::Out, Then<U, O>>
    where
        O: Operator<T, Out: Send + 'static> + Clone + Send + 'static,
    {
        let accountable = self.carried.accountable;
        Stream {
            carried: self.carried.extend(|up| Then { up, operator, name, accountable }),
            records: PhantomData,
        }
    }

    fn end<S: Sink<T>>(self, sink: S, name: OperatorName) {
        let Carried { up, root, graph, accountable } = self.carried;
        let make = SinkMake::new(sink, name, accountable);
        graph.borrow_mut().end(root, move |plan| Gather { up }.assemble(make, plan));
    }
}

impl<K, T, U> KeyedStream<K, T, U> {
    /// Cuts the stream into windows of event time.
    pub fn window(self, windows: Sliding) -> WindowedStream<K, T, U> {
        self.carried.graph.borrow_mut().needs.cadence.add(windows.ends());
        WindowedStream { carried: self.carried, windows, records: PhantomData }
    }
}

impl<K, T, U> WindowedStream<K, T, U>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    U: Upstream<Out = Keyed<K, T>>,
{
    /// Aggregates the records of each key in each window: the stream of results, and that of late records.
    ///
    /// A result leaves when the watermark passes the end of its window, one for each key with records in
    /// it. A record that finds all its windows closed is late. Late records are counted in the job's
    /// report whether or not the second stream is used.
    ///
    /// The stream of late records has no watermark before its end, since they are behind any: windows over
    /// it, and `order_by`, bring their results when the job ends.
    #[track_caller]
    #[expect(clippy::type_complexity, reason = "two streams; the rest need not be named by anyone")]
    pub fn aggregate<A>(
        self,
        aggregate: A,
    ) -> (
        Stream<WindowResult<K, A::Out>, impl Upstream<Out = WindowResult<K, A::Out>> + use<K, T, U, A>>,
        Stream<Keyed<K, T>, impl Upstream<Out = Keyed<K, T>> + use<K, T, U, A>>,
    )
    where
        A: Aggregate<T, Acc: Send, Out: Send + 'static> + Clone + Send + 'static,
    {
        let name = OperatorName::here("aggregate");
        let late = self.carried.graph.borrow_mut().new_port(name, self.carried.root);
        let late_stream = port_stream(&self.carried.graph, late);
        let (windows, accountable) = (self.windows, self.carried.accountable);
        let mut carried =
            self.carried.extend(|up| LateSplit { up, windows, aggregate, late, name, accountable });
        carried.accountable = false;
        (Stream { carried, records: PhantomData }, late_stream)
    }
}
