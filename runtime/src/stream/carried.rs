use std::{cell::RefCell, hash::Hash, marker::PhantomData, rc::Rc};

use nacreous_operators::{Aggregate, KeyLimits, Keyed, Operator, Slicing};

use crate::{
    downstream::Fork,
    graph::{GraphError, Parts, Port, Role, Root},
    operator_name::{OperatorId, OperatorName},
    plan::{
        Aggregated, Erased, Exchange, Forked, ForwardMake, FromPort, Gather, Instances, Make, PortId,
        RouteMake, Stage, Then, Upstream,
    },
};

pub(crate) type Shared = Rc<RefCell<Parts>>;

/// What all streams carry along.
pub(crate) struct Carried<U> {
    pub(crate) up: U,
    pub(crate) graph: Shared,
    pub(crate) root: Root,
    /// Where the instances run that produce it.
    pub(crate) instances: Instances,
    /// The operator that it comes from.
    pub(crate) last: OperatorId,
    /// Whether the records are a source's own, and not results made of them: the job keeps accounts of those.
    pub(crate) accountable: bool,
    /// The port that it begins at, if there is no operator on it yet.
    fresh: Option<PortId>,
}

impl<T: Send + 'static> Carried<FromPort<T>> {
    /// The stream that begins at a port.
    pub(crate) fn at_port(graph: &Shared, port: PortId, accountable: bool) -> Self {
        let Port { owner, instances, .. } = *graph.borrow_mut().port(port);
        Self {
            up: FromPort::at(port),
            graph: Rc::clone(graph),
            root: Root::Port(port),
            instances,
            last: owner,
            accountable,
            fresh: Some(port),
        }
    }
}

impl<U: Upstream> Carried<U> {
    /// The stream of a source.
    pub(crate) fn at_source(
        up: U,
        graph: Shared,
        root: Root,
        instances: Instances,
        last: OperatorId,
    ) -> Self {
        Self { up, graph, root, instances, last, accountable: true, fresh: None }
    }

    /// A new operator on this stream.
    pub(crate) fn add_operator(&self, name: OperatorName) -> OperatorId {
        self.graph.borrow_mut().add_operator(name, self.root)
    }

    /// A new place for a stream to begin that an operator on this one leads to.
    pub(crate) fn add_port(&self, owner: OperatorId, instances: Instances, role: Role) -> PortId {
        self.graph.borrow_mut().add_port(Port { owner, root: self.root, instances, role })
    }

    /// The stream with an operator on it.
    pub(crate) fn then<O>(self, operator: O, name: OperatorName) -> Carried<Then<U, O>>
    where
        O: Operator<U::Out, Out: Send + 'static> + Clone + Send + 'static,
    {
        let id = self.add_operator(name);
        let accountable = self.accountable;
        let mut carried = self.extend(|up| Then { up, stage: Stage { operator, id, accountable } });
        carried.last = id;
        carried
    }

    /// Sends what its last operator puts to the side into a port of its own.
    pub(crate) fn fork(self, role: Role) -> (Carried<Forked<U>>, PortId)
    where
        U::Out: Fork<Main: Send + 'static, Side: Send + 'static>,
    {
        let side = self.add_port(self.last, self.instances, role);
        (self.extend(|up| Forked { up, side }), side)
    }

    /// Refuses to bring two streams together that are not of one graph: neither graph will start.
    pub(crate) fn meets<V>(&self, other: &Carried<V>, name: OperatorName) {
        if !Rc::ptr_eq(&self.graph, &other.graph) {
            self.graph.borrow_mut().refuse(GraphError::TwoGraphs(name));
            other.graph.borrow_mut().refuse(GraphError::TwoGraphs(name));
        }
    }

    /// Spreads the stream over the instances that share its keys.
    pub(crate) fn exchange<K, T>(self, keyed: Instances) -> Carried<Exchange<U>>
    where
        U: Upstream<Out = Keyed<K, T>>,
        K: Hash + Send + 'static,
        T: Send + 'static,
    {
        let from = self.instances;
        Carried { instances: keyed, ..self.extend(|up| Exchange { up, from, keyed }) }
    }

    /// The results of an aggregate over windows of the stream, from the instances that share its keys.
    pub(crate) fn aggregated<K, T, A, W>(
        self,
        keyed: Instances,
        windows: W,
        aggregate: A,
        limits: KeyLimits,
        name: OperatorName,
    ) -> Carried<Aggregated<U, K, A, T, W>>
    where
        U: Upstream<Out = Keyed<K, T>>,
        K: Hash + Eq + Clone + Send + 'static,
        T: Send + 'static,
        A: Aggregate<T, Out: Send + 'static> + Clone + Send + 'static,
        W: Slicing + Send + 'static,
    {
        let id = self.add_operator(name);
        let (from, accountable) = (self.instances, self.accountable);
        let records = PhantomData;
        let with = |up| Aggregated { up, from, keyed, windows, aggregate, limits, id, accountable, records };
        Carried { instances: keyed, last: id, ..self.extend(with) }
    }

    /// The stream without the type of what comes before.
    pub(crate) fn boxed(self) -> Carried<Erased<U::Out>> {
        self.extend(Erased::new)
    }

    /// Brings the instances of the stream together in one place.
    pub(crate) fn gather(mut self) -> Carried<Gather<U>> {
        if !self.instances.is_one()
            && let Some(port) = self.fresh
        {
            // It can begin there at once.
            self.graph.borrow_mut().port(port).instances = Instances::Gathered;
            self.instances = Instances::Gathered;
        }
        let from = self.instances;
        let instances = if from.is_one() { from } else { Instances::Gathered };
        Carried { instances, ..self.extend(|up| Gather { up, from }) }
    }

    /// Ends the stream in a port, by key.
    pub(crate) fn route_into<K, T>(self, port: PortId, accountable: bool)
    where
        U: Upstream<Out = Keyed<K, T>>,
        K: Hash + Send + 'static,
        T: Send + 'static,
    {
        let arrives = self.accountable && !accountable;
        self.end(RouteMake { port, accountable: arrives });
    }

    /// Ends the stream in a port: in one place, unless the port has an instance for each of its own.
    pub(crate) fn gather_into(self, port: PortId, accountable: bool) {
        // What leaves the accounts here has arrived.
        let arrives = self.accountable && !accountable;
        self.end(ForwardMake { port, accountable: arrives });
    }

    /// Ends the stream.
    pub(crate) fn end(self, make: impl Make<U::Out>) {
        let Self { up, graph, root, .. } = self;
        graph.borrow_mut().end(root, move |plan| up.assemble(make, plan));
    }

    /// The same, with something more upstream.
    fn extend<V>(self, with: impl FnOnce(U) -> V) -> Carried<V> {
        let Self { up, graph, root, instances, last, accountable, .. } = self;
        Carried { up: with(up), graph, root, instances, last, accountable, fresh: None }
    }
}
