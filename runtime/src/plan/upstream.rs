//! Streams as values: what comes before a point of a graph, and how it is turned into tasks.
//!
//! A stream is built from its source on, but a task is nested from its end on: each operator owns what
//! follows it. So a stream waits until its end is known, and is then assembled backwards: each stage hands
//! the stage before it a [`Make`], which makes what follows as often as there are parallel instances.

use std::{hash::Hash, marker::PhantomData};

use nacreous_operators::{Keyed, Operator};
use nacreous_watermark::BoundedDisorder;

use super::{Assembly, ForwardMake, Instance, Instances, PortId, RouteMake};
use crate::{
    downstream::{Boxed, Downstream, Fork, Fused, Joint, Loop, SideFork},
    operator_name::OperatorId,
    source::Source,
    task::{Clock, EdgeTask, SourceParts, SourceTask},
};

/// What comes before a point of a graph.
///
/// Every stream's second type parameter is one. Name it where a function of yours takes or returns streams:
/// `fn busy(flights: Stream<Flight, impl Upstream<Out = Flight>>) -> Stream<…>`. It is not for
/// implementing.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what comes before a point of a graph",
    note = "a function that takes a stream says `Stream<T, impl Upstream<Out = T>>`, or `Stream<T>` for one that \
            `isolate`, `merge` or `broadcast` has made"
)]
pub trait Upstream: Sized + 'static {
    /// The type of the records there.
    type Out: Send + 'static;

    /// Whether it is known to have but one parallel instance, so that what is only for several need not be compiled.
    #[doc(hidden)]
    const IS_ONE: bool = false;

    /// Adds the tasks that produce them to the plan, each ending in what `make` makes.
    #[doc(hidden)]
    fn assemble(self, make: impl Make<Self::Out>, plan: &mut Assembly);
}

/// Makes what follows a point of a graph, for one parallel instance at a time.
pub trait Make<T>: 'static {
    /// What is made.
    type Down: Downstream<T> + 'static;

    /// Makes the one that follows this instance.
    fn make(&mut self, plan: &mut Assembly, instance: Instance) -> Self::Down;
}

/// The beginning of a stream: the parts of a source, each with an event time of its own.
pub(crate) struct FromSource<S, C, const IN_PARTS: bool> {
    pub(crate) parts: Vec<(S, C)>,
    pub(crate) operator: OperatorId,
    pub(crate) rejects: PortId,
    pub(crate) time_operator: OperatorId,
    pub(crate) disorder: BoundedDisorder,
    /// One for each part.
    pub(crate) instances: Instances,
}

impl<S, C, const IN_PARTS: bool> Upstream for FromSource<S, C, IN_PARTS>
where
    S: Source,
    C: Clock<S::Item>,
{
    type Out = S::Item;
    const IS_ONE: bool = !IN_PARTS;

    fn assemble(self, mut make: impl Make<S::Item>, plan: &mut Assembly) {
        for ((source, clock), instance) in self.parts.into_iter().zip(plan.instances_of(self.instances)) {
            let down = make.make(plan, instance);
            let parts = SourceParts {
                source,
                post: plan.post(instance),
                name: plan.name_of(self.operator),
                rejects: plan.edge_into(self.rejects, instance),
                clock,
                time_name: plan.name_of(self.time_operator),
                disorder: self.disorder.clone(),
                cadence: plan.cadence(),
                watermark_every: plan.watermark_every(),
                batch: plan.batch(),
                requests: plan.requests(),
                stamped_from: plan.stamped_from(),
            };
            let down = Loop::new(plan.gathered(), down);
            plan.add(instance, Box::new(SourceTask::new(parts, down)));
        }
    }
}

/// The beginning of a stream at a port.
pub struct FromPort<T> {
    pub(crate) port: PortId,
    pub(crate) records: PhantomData<fn() -> T>,
}

impl<T> FromPort<T> {
    pub(crate) fn at(port: PortId) -> Self {
        Self { port, records: PhantomData }
    }
}

impl<T: Send + 'static> Upstream for FromPort<T> {
    type Out = T;

    fn assemble(self, mut make: impl Make<T>, plan: &mut Assembly) {
        for (instance, edges) in plan.inputs_of::<T>(self.port) {
            let down = make.make(plan, instance);
            let down = Loop::new(plan.gathered(), down);
            plan.add(instance, Box::new(EdgeTask::new(edges, Box::new(down))));
        }
    }
}

/// What comes before a point of a graph, without its type: [`Stream::boxed`](crate::Stream::boxed).
pub struct Erased<T> {
    assemble: Box<dyn FnOnce(Box<dyn BoxedMake<T>>, &mut Assembly)>,
}

impl<T: Send + 'static> Erased<T> {
    pub(crate) fn new(up: impl Upstream<Out = T>) -> Self {
        Self { assemble: Box::new(|make, plan| up.assemble(make, plan)) }
    }
}

impl<T: Send + 'static> Upstream for Erased<T> {
    type Out = T;

    fn assemble(self, make: impl Make<T>, plan: &mut Assembly) {
        (self.assemble)(Box::new(make), plan);
    }
}

/// A [`Make`] without its type.
trait BoxedMake<T>: 'static {
    fn make(&mut self, plan: &mut Assembly, instance: Instance) -> Boxed<T>;
}

impl<T: Send + 'static, M: Make<T>> BoxedMake<T> for M {
    fn make(&mut self, plan: &mut Assembly, instance: Instance) -> Boxed<T> {
        let next = Make::make(self, plan, instance);
        Boxed::new(plan.batch(), Loop::new(plan.gathered(), next))
    }
}

impl<T: Send + 'static> Make<T> for Box<dyn BoxedMake<T>> {
    type Down = Boxed<T>;

    fn make(&mut self, plan: &mut Assembly, instance: Instance) -> Boxed<T> {
        (**self).make(plan, instance)
    }
}

/// A stream and an operator on it. Each instance gets a clone of the operator.
pub(crate) struct Then<U, O> {
    pub(crate) up: U,
    pub(crate) stage: Stage<O>,
}

/// An operator in its place.
#[derive(Clone)]
pub(crate) struct Stage<O> {
    pub(crate) operator: O,
    pub(crate) id: OperatorId,
    /// Whether the job keeps accounts of what comes in.
    pub(crate) accountable: bool,
}

impl<O: Clone> Stage<O> {
    fn fuse<T, D>(&self, plan: &mut Assembly, instance: Instance, down: D) -> Fused<T, O, O::Out, D>
    where
        O: Operator<T, Out: Send + 'static>,
        D: Downstream<O::Out>,
    {
        let Self { mut operator, id, accountable } = self.clone();
        let place = plan.place_of(id, instance, accountable);
        operator.connect(&mut plan.supplies(&place.post));
        Fused::new(operator, place, Joint::new(plan.gathered(), down))
    }
}

impl<U, O> Upstream for Then<U, O>
where
    U: Upstream,
    O: Operator<U::Out, Out: Send + 'static> + Clone + Send + 'static,
{
    type Out = O::Out;
    const IS_ONE: bool = U::IS_ONE;

    fn assemble(self, next: impl Make<O::Out>, plan: &mut Assembly) {
        self.up.assemble(ThenMake { stage: self.stage, next }, plan);
    }
}

struct ThenMake<O, M> {
    stage: Stage<O>,
    next: M,
}

impl<T, O, M> Make<T> for ThenMake<O, M>
where
    T: Send + 'static,
    O: Operator<T, Out: Send + 'static> + Clone + Send + 'static,
    M: Make<O::Out>,
{
    type Down = Fused<T, O, O::Out, M::Down>;

    #[inline(never)]
    fn make(&mut self, plan: &mut Assembly, instance: Instance) -> Self::Down {
        let down = self.next.make(plan, instance);
        self.stage.fuse(plan, instance, down)
    }
}

/// A stream of values for one of two outputs: the main one goes on, the other leads into a port.
pub(crate) struct Forked<U> {
    pub(crate) up: U,
    pub(crate) side: PortId,
}

impl<U> Upstream for Forked<U>
where
    U: Upstream<Out: Fork<Main: Send + 'static, Side: Send + 'static>>,
{
    type Out = <U::Out as Fork>::Main;
    const IS_ONE: bool = U::IS_ONE;

    fn assemble(self, next: impl Make<Self::Out>, plan: &mut Assembly) {
        self.up.assemble(ForkMake { side: self.side, next }, plan);
    }
}

struct ForkMake<M> {
    side: PortId,
    next: M,
}

impl<F, M> Make<F> for ForkMake<M>
where
    F: Fork<Main: Send + 'static, Side: Send + 'static> + 'static,
    M: Make<F::Main>,
{
    type Down = SideFork<F, M::Down>;

    fn make(&mut self, plan: &mut Assembly, instance: Instance) -> Self::Down {
        let main = self.next.make(plan, instance);
        SideFork { main: Joint::new(plan.gathered(), main), side: plan.edge_into(self.side, instance) }
    }
}

/// A keyed stream, spread over the keyed workers: straight through where there is but one instance before it and
/// behind it, and on one worker; by a lane to each otherwise.
pub(crate) struct Exchange<U> {
    pub(crate) up: U,
    pub(crate) from: Instances,
    /// Those that share the keys.
    pub(crate) keyed: Instances,
}

impl<U, K, T> Upstream for Exchange<U>
where
    U: Upstream<Out = Keyed<K, T>>,
    K: Hash + Send + 'static,
    T: Send + 'static,
{
    type Out = Keyed<K, T>;

    fn assemble(self, make: impl Make<Self::Out>, plan: &mut Assembly) {
        if plan.is_straight(self.from, self.keyed) {
            return self.up.assemble(make, plan);
        }
        let port = plan.new_port(self.keyed);
        self.up.assemble(RouteMake { port, accountable: false }, plan);
        FromPort::at(port).assemble(make, plan);
    }
}

/// A stream whose instances come together in one place.
pub(crate) struct Gather<U> {
    pub(crate) up: U,
    pub(crate) from: Instances,
}

impl<U: Upstream> Upstream for Gather<U> {
    type Out = U::Out;
    const IS_ONE: bool = true;

    fn assemble(self, make: impl Make<U::Out>, plan: &mut Assembly) {
        if const { U::IS_ONE } {
            return self.up.assemble(make, plan);
        }
        if plan.instances_of(self.from).len() == 1 {
            return self.up.assemble(make, plan);
        }
        let port = plan.new_port(Instances::Gathered);
        self.up.assemble(ForwardMake { port, accountable: false }, plan);
        FromPort::at(port).assemble(make, plan);
    }
}
