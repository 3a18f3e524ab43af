//! Streams as values: what comes before a point of a graph, and how it is turned into tasks.
//!
//! A stream is built from its source on, but a task is nested from its end on: each operator owns what
//! follows it. So a stream waits until its sink is known, and is then assembled backwards: each stage hands
//! the stage before it a [`Make`], which makes what follows as often as there are parallel instances.

use std::{cell::RefCell, hash::Hash, marker::PhantomData, rc::Rc};

use nacreous_operators::{Aggregate, Keyed, Operator, Sliding, WindowFold, WindowResult};
use nacreous_watermark::{BoundedDisorder, Timestamp};

use super::{Assembly, PortId};
use crate::{
    downstream::{Downstream, EdgeOut, Fused, LateFork, Route, SinkEnd},
    lane::UnplacedEdge,
    operator_name::OperatorName,
    sink::Sink,
    source::Source,
    task::{EdgeTask, SourceParts, SourceTask},
};

/// What comes before a point of a graph.
///
/// Every stream's second type parameter is one. Name it where a function of yours takes or returns streams:
/// `fn busy(flights: Stream<Flight, impl Upstream<Out = Flight>>) -> Stream<…>`. It is not for
/// implementing.
pub trait Upstream: Sized + 'static {
    /// The type of the records there.
    type Out: Send + 'static;

    /// How many parallel instances produce them.
    #[doc(hidden)]
    fn instances(&self, plan: &Assembly) -> usize;

    /// Adds the tasks that produce them to the plan, each ending in what `make` makes.
    #[doc(hidden)]
    fn assemble(self, make: impl Make<Self::Out>, plan: &mut Assembly);
}

/// Makes what follows a point of a graph, for one parallel instance at a time.
pub trait Make<T>: 'static {
    /// What is made.
    type Down: Downstream<T> + 'static;

    /// Makes one, to run on this worker.
    fn make(&mut self, plan: &mut Assembly, worker: usize) -> Self::Down;
}

/// The beginning of a stream: a source and its event time.
pub(crate) struct FromSource<S, F> {
    pub(crate) source: S,
    pub(crate) name: OperatorName,
    pub(crate) rejects: PortId,
    pub(crate) time_of: F,
    pub(crate) time_name: OperatorName,
    pub(crate) disorder: BoundedDisorder,
}

impl<S, F> Upstream for FromSource<S, F>
where
    S: Source,
    F: FnMut(&S::Item) -> Timestamp + Send + 'static,
{
    type Out = S::Item;

    fn instances(&self, _: &Assembly) -> usize {
        1
    }

    fn assemble(self, mut make: impl Make<S::Item>, plan: &mut Assembly) {
        let worker = plan.source_worker();
        let down = make.make(plan, worker);
        let parts = SourceParts {
            source: self.source,
            bell: plan.bell(worker),
            name: self.name,
            rejects: plan.edge_from_port(self.rejects, worker),
            time_of: self.time_of,
            time_name: self.time_name,
            disorder: self.disorder,
            cadence: plan.cadence(),
            watermark_every: plan.watermark_every(),
            quantum: plan.batch(),
            requests: plan.requests(),
        };
        plan.add(worker, SourceTask::new(parts, down));
    }
}

/// The beginning of a stream at an operator's side output. All instances come together here.
pub(crate) struct FromPort<T> {
    pub(crate) port: PortId,
    pub(crate) records: PhantomData<fn() -> T>,
}

impl<T: Send + 'static> Upstream for FromPort<T> {
    type Out = T;

    fn instances(&self, _: &Assembly) -> usize {
        1
    }

    fn assemble(self, mut make: impl Make<T>, plan: &mut Assembly) {
        let worker = plan.sink_worker();
        let consumers = plan.consumers_of_port::<T>(self.port);
        let down = make.make(plan, worker);
        plan.add(worker, EdgeTask::new(consumers, down));
    }
}

/// A stream and an operator on it. Each instance gets a clone of the operator.
pub(crate) struct Then<U, O> {
    pub(crate) up: U,
    pub(crate) operator: O,
    pub(crate) name: OperatorName,
    pub(crate) accountable: bool,
}

impl<U, O> Upstream for Then<U, O>
where
    U: Upstream,
    O: Operator<U::Out, Out: Send + 'static> + Clone + Send + 'static,
{
    type Out = O::Out;

    fn instances(&self, plan: &Assembly) -> usize {
        self.up.instances(plan)
    }

    fn assemble(self, next: impl Make<O::Out>, plan: &mut Assembly) {
        let Self { up, operator, name, accountable } = self;
        up.assemble(ThenMake { operator, name, accountable, next }, plan);
    }
}

struct ThenMake<O, M> {
    operator: O,
    name: OperatorName,
    accountable: bool,
    next: M,
}

impl<T, O, M> Make<T> for ThenMake<O, M>
where
    O: Operator<T> + Clone + Send + 'static,
    M: Make<O::Out>,
{
    type Down = Fused<O, M::Down>;

    fn make(&mut self, plan: &mut Assembly, worker: usize) -> Self::Down {
        let down = self.next.make(plan, worker);
        Fused { operator: self.operator.clone(), name: self.name, accountable: self.accountable, down }
    }
}

/// A keyed stream and windows over it, with the late records split off.
pub(crate) struct LateSplit<U, A> {
    pub(crate) up: U,
    pub(crate) windows: Sliding,
    pub(crate) aggregate: A,
    pub(crate) late: PortId,
    pub(crate) name: OperatorName,
    pub(crate) accountable: bool,
}

impl<U, A, K, T> Upstream for LateSplit<U, A>
where
    U: Upstream<Out = Keyed<K, T>>,
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    A: Aggregate<T, Acc: Send, Out: Send + 'static> + Clone + Send + 'static,
{
    type Out = WindowResult<K, A::Out>;

    fn instances(&self, plan: &Assembly) -> usize {
        self.up.instances(plan)
    }

    fn assemble(self, next: impl Make<Self::Out>, plan: &mut Assembly) {
        let Self { up, windows, aggregate, late, name, accountable } = self;
        up.assemble(LateSplitMake { windows, aggregate, late, name, accountable, next }, plan);
    }
}

struct LateSplitMake<A, M> {
    windows: Sliding,
    aggregate: A,
    late: PortId,
    name: OperatorName,
    accountable: bool,
    next: M,
}

impl<A, M, K, T> Make<Keyed<K, T>> for LateSplitMake<A, M>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    A: Aggregate<T, Acc: Send> + Clone + Send + 'static,
    M: Make<WindowResult<K, A::Out>>,
{
    type Down = Fused<WindowFold<K, A, T>, LateFork<K, T, M::Down>>;

    fn make(&mut self, plan: &mut Assembly, worker: usize) -> Self::Down {
        let down =
            LateFork { results: self.next.make(plan, worker), late: plan.edge_from_port(self.late, worker) };
        let operator = WindowFold::new(self.windows, self.aggregate.clone());
        Fused { operator, name: self.name, accountable: self.accountable, down }
    }
}

/// A keyed stream, spread over the keyed workers: straight through where there is but one worker, by a
/// lane to each otherwise.
pub(crate) struct Exchange<U> {
    pub(crate) up: U,
}

impl<U, K, T> Upstream for Exchange<U>
where
    U: Upstream<Out = Keyed<K, T>>,
    K: Hash + Send + 'static,
    T: Send + 'static,
{
    type Out = Keyed<K, T>;

    fn instances(&self, plan: &Assembly) -> usize {
        plan.keyed_workers().len()
    }

    fn assemble(self, mut make: impl Make<Self::Out>, plan: &mut Assembly) {
        if plan.keyed_workers() == (0..1) {
            return self.up.assemble(make, plan);
        }
        let inputs = plan.keyed_workers().map(|_| Vec::new()).collect();
        let lanes: Gathered<Vec<Vec<UnplacedEdge<_>>>> = Rc::new(RefCell::new(inputs));
        self.up.assemble(RouteMake { lanes: Rc::clone(&lanes) }, plan);
        for (worker, lanes) in plan.keyed_workers().zip(lanes.take()) {
            let down = make.make(plan, worker);
            plan.add(worker, EdgeTask::new(lanes, down));
        }
    }
}

/// The consuming ends of edges, gathered while their producers are being made.
type Gathered<T> = Rc<RefCell<T>>;

struct RouteMake<K, T> {
    /// For each keyed worker, the lanes that lead to it: one from each producer.
    lanes: Gathered<Vec<Vec<UnplacedEdge<Keyed<K, T>>>>>,
}

impl<K, T> Make<Keyed<K, T>> for RouteMake<K, T>
where
    K: Hash + Send + 'static,
    T: Send + 'static,
{
    type Down = Route<K, T>;

    fn make(&mut self, plan: &mut Assembly, worker: usize) -> Route<K, T> {
        let (mut lanes, readers) = (self.lanes.borrow_mut(), plan.keyed_workers());
        let connect = |(inputs, reader): (&mut Vec<_>, usize)| {
            let (out, consumer) = plan.edge(worker, reader);
            inputs.push(consumer);
            out
        };
        Route::new(lanes.iter_mut().zip(readers).map(connect).collect())
    }
}

/// A stream whose instances come together in one place.
pub(crate) struct Gather<U> {
    pub(crate) up: U,
}

impl<U: Upstream> Upstream for Gather<U> {
    type Out = U::Out;

    fn instances(&self, _: &Assembly) -> usize {
        1
    }

    fn assemble(self, mut make: impl Make<U::Out>, plan: &mut Assembly) {
        if self.up.instances(plan) == 1 {
            return self.up.assemble(make, plan);
        }
        let lanes: Gathered<Vec<UnplacedEdge<U::Out>>> = Rc::default();
        self.up.assemble(GatherMake { lanes: Rc::clone(&lanes) }, plan);
        let worker = plan.sink_worker();
        let down = make.make(plan, worker);
        plan.add(worker, EdgeTask::new(lanes.take(), down));
    }
}

struct GatherMake<T> {
    lanes: Gathered<Vec<UnplacedEdge<T>>>,
}

impl<T: Send + 'static> Make<T> for GatherMake<T> {
    type Down = EdgeOut<T>;

    fn make(&mut self, plan: &mut Assembly, worker: usize) -> EdgeOut<T> {
        let (out, consumer) = plan.edge(worker, plan.sink_worker());
        self.lanes.borrow_mut().push(consumer);
        out
    }
}

/// Makes the end of a stream.
pub(crate) struct SinkMake<S> {
    sink: Option<S>,
    name: OperatorName,
    accountable: bool,
}

impl<S> SinkMake<S> {
    pub(crate) fn new(sink: S, name: OperatorName, accountable: bool) -> Self {
        Self { sink: Some(sink), name, accountable }
    }
}

impl<T: Send + 'static, S: Sink<T>> Make<T> for SinkMake<S> {
    type Down = SinkEnd<T, S>;

    fn make(&mut self, plan: &mut Assembly, worker: usize) -> Self::Down {
        let mut sink = self.sink.take().expect("a sink stands behind a gathered stream, so it is made once");
        sink.attach(plan.bell(worker));
        SinkEnd::new(sink, self.name, plan.batch(), self.accountable)
    }
}
