//! Typed streams: what the user holds while building a graph.

mod carried;
mod keyed;
mod source;
mod windowed;

pub use keyed::KeyedStream;
pub use source::SourceStream;
pub use windowed::WindowedStream;

use std::{array, hash::Hash, marker::PhantomData};

use nacreous_operators::{Filter, Inspect, KeyBy, KeyLimits, Keyed, Map, Operator, OrderBy, Record};

use self::carried::{Carried, Shared};
use crate::{
    graph::Role,
    operator_name::{OperatorId, OperatorName},
    plan::{CopiesMake, ForwardMake, FromPort, PortId, SinkMake, Then, Upstream},
    sink::{Collect, Collected, Discard, ForEach, Sink},
};

/// A stream of records of type `T`.
///
/// `U` stands for all that comes before and is fused with it; it need not be named. Where a function of yours takes
/// or returns a stream, or a collection holds some, [`isolate`](Self::isolate) makes it a plain `Stream<T>`.
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
        KeyedStream::new(keyed.carried, KeyLimits::default())
    }

    /// Brings two streams together. The records of each stay in order; those of one come between those of the other
    /// as they happen to arrive.
    ///
    /// The watermark is the lesser of the two, so a stream in which nothing happens holds back windows over both.
    /// Whether a record is late is judged by the watermark of the stream it came from, so that it does not depend on
    /// how far the other one is. What depends on the order of records across the two (`scan`, say) is up to chance.
    #[track_caller]
    pub fn merge<V: Upstream<Out = T>>(self, other: Stream<T, V>) -> Stream<T> {
        let name = OperatorName::here("merge");
        let instances = self.carried.instances.meet(other.carried.instances);
        let accountable = self.carried.accountable && other.carried.accountable;
        let (graph, operator) = (self.carried.graph.clone(), self.carried.add_operator(name));
        let port = self.carried.add_port(operator, instances, Role::Main);
        self.carried.gather_into(port, accountable);
        other.carried.gather_into(port, accountable);
        Stream::at_port(&graph, port, accountable)
    }

    /// Makes several streams of one: each record is cloned for each.
    ///
    /// How many is known from what the result is taken as: `let [a, b] = stream.broadcast();`. All of them must end in
    /// a sink; a slow one holds back the others.
    #[track_caller]
    pub fn broadcast<const N: usize>(self) -> [Stream<T>; N]
    where
        T: Clone,
    {
        const { assert!(N > 0, "a broadcast needs at least one stream to go to") };
        let operator = self.carried.add_operator(OperatorName::here("broadcast"));
        let (instances, accountable) = (self.carried.instances, self.carried.accountable);
        let graph = self.carried.graph.clone();
        let ports: [PortId; N] = array::from_fn(|_| self.carried.add_port(operator, instances, Role::Main));
        self.carried.end(CopiesMake { ports: ports.to_vec(), accountable });
        ports.map(|port| Stream::at_port(&graph, port, accountable))
    }

    /// Cuts here: what follows is a task of its own, and the stream's type says nothing of what comes before.
    ///
    /// # Cost
    /// Records move to it in batches, by an edge; nothing is fused across it.
    #[track_caller]
    pub fn isolate(self) -> Stream<T> {
        let operator = self.carried.add_operator(OperatorName::here("isolate"));
        let (instances, accountable) = (self.carried.instances, self.carried.accountable);
        let graph = self.carried.graph.clone();
        let port = self.carried.add_port(operator, instances, Role::Main);
        self.carried.end(ForwardMake { port, accountable: false });
        Stream::at_port(&graph, port, accountable)
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
        let gathered = Stream { carried: self.carried.gather(), records: PhantomData };
        gathered.then(OrderBy::new(key), name)
    }

    /// Ends the stream in a sink.
    #[track_caller]
    pub fn to<S: Sink<T>>(self, sink: S) -> Ended {
        self.end(sink, OperatorName::here("to"))
    }

    /// Ends the stream in a function that is called with each record.
    #[track_caller]
    pub fn for_each<F: FnMut(Record<T>) + Send + 'static>(self, f: F) -> Ended {
        self.end(ForEach(f), OperatorName::here("for_each"))
    }

    /// Ends the stream here: its records are counted and dropped.
    #[track_caller]
    pub fn discard(self) -> Ended {
        self.end(Discard, OperatorName::here("discard"))
    }

    /// Ends the stream in a vector. It grows without bound, and locks: for tests and small results.
    #[track_caller]
    pub fn collect(self) -> Collected<T> {
        let (sink, collected) = Collect::new();
        let _ = self.end(sink, OperatorName::here("collect"));
        collected
    }

    fn then<O>(self, operator: O, name: OperatorName) -> Stream<O::Out, Then<U, O>>
    where
        O: Operator<T, Out: Send + 'static> + Clone + Send + 'static,
    {
        Stream { carried: self.carried.then(operator, name), records: PhantomData }
    }

    fn end<S: Sink<T>>(self, sink: S, name: OperatorName) -> Ended {
        let carried = self.carried.gather();
        let operator = carried.add_operator(name);
        let graph = carried.graph.clone();
        let accountable = carried.accountable;
        carried.end(SinkMake::new(sink, operator, accountable));
        Ended { graph, operator }
    }
}
