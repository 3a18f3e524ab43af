//! What a stretch of a stream may end in: edges into ports, one way or another, or a sink.

use std::{hash::Hash, marker::PhantomData};

use nacreous_operators::{Keyed, OfFamily, Record};

use super::{Assembly, Instance, Make, PortId};
use crate::{
    bell::Bell,
    downstream::{CallEnd, Copies, Deal, EdgeOut, Route, SinkEnd},
    operator_name::OperatorId,
    sink::Sink,
};

/// Leads into a port: from each instance to that on the same worker, or from all to one.
pub(crate) struct ForwardMake {
    pub(crate) port: PortId,
    /// Whether the job keeps accounts of what gets here, and not any further.
    pub(crate) accountable: bool,
}

impl<T: Send + 'static> Make<T> for ForwardMake {
    type Down = EdgeOut<T>;

    fn make(&mut self, plan: &mut Assembly, instance: Instance) -> EdgeOut<T> {
        let out =
            plan.edge_into(self.port, instance).expect("a stream that others are led to ends in a sink");
        if self.accountable { out.accountable() } else { out }
    }
}

/// Leads into a port by key: from each instance to all.
pub(crate) struct RouteMake {
    pub(crate) port: PortId,
    /// As in [`ForwardMake`].
    pub(crate) accountable: bool,
}

impl<K: Hash + Send + 'static, T: Send + 'static> Make<Keyed<K, T>> for RouteMake {
    type Down = Route<K, T>;

    fn make(&mut self, plan: &mut Assembly, instance: Instance) -> Route<K, T> {
        let lanes = plan.edges_into(self.port, instance).into_iter();
        Route::new(lanes.map(|lane| if self.accountable { lane.accountable() } else { lane }).collect())
    }
}

/// Leads into several ports, a clone of each record into each.
pub(crate) struct CopiesMake {
    pub(crate) ports: Vec<PortId>,
    pub(crate) accountable: bool,
}

impl<T: Clone + Send + 'static> Make<T> for CopiesMake {
    type Down = Copies<T>;

    fn make(&mut self, plan: &mut Assembly, instance: Instance) -> Copies<T> {
        let outs = self.ports.iter().filter_map(|port| plan.edge_into(*port, instance)).collect();
        Copies::new(outs, self.accountable)
    }
}

/// Leads into several ports, what belongs to a family into that of its number.
pub(crate) struct DealMake {
    pub(crate) ports: Vec<PortId>,
}

impl<T: Send + 'static> Make<OfFamily<T>> for DealMake {
    type Down = Deal<T>;

    fn make(&mut self, plan: &mut Assembly, instance: Instance) -> Deal<T> {
        let edge = |port: &PortId| plan.edge_into(*port, instance);
        let outs = self.ports.iter().filter_map(edge).collect::<Vec<_>>();
        assert_eq!(outs.len(), self.ports.len(), "streams that others are led to end in sinks");
        Deal::new(outs)
    }
}

/// Makes the end of a stream in a function.
pub(crate) struct CallMake<F> {
    pub(crate) f: Option<F>,
    pub(crate) operator: OperatorId,
    pub(crate) accountable: bool,
}

impl<T: Send + 'static, F: FnMut(Record<T>) + Send + 'static> Make<T> for CallMake<F> {
    type Down = CallEnd<T, F>;

    fn make(&mut self, plan: &mut Assembly, _: Instance) -> CallEnd<T, F> {
        let gauge = plan.gauge(self.operator);
        let f = self.f.take().expect("a function stands behind a gathered stream, so it is made once");
        CallEnd::new(f, plan.name_of(self.operator), self.accountable, gauge)
    }
}

/// Makes the end of a stream.
pub(crate) struct SinkMake<T, S> {
    sink: Option<S>,
    operator: OperatorId,
    accountable: bool,
    records: PhantomData<fn(T)>,
}

impl<T, S> SinkMake<T, S> {
    pub(crate) fn new(sink: S, operator: OperatorId, accountable: bool) -> Self {
        Self { sink: Some(sink), operator, accountable, records: PhantomData }
    }
}

impl<T: Send + 'static, S: Sink<T>> Make<T> for SinkMake<T, S> {
    type Down = SinkEnd<T, S>;

    fn make(&mut self, plan: &mut Assembly, instance: Instance) -> Self::Down {
        let mut sink = self.sink.take().expect("a sink stands behind a gathered stream, so it is made once");
        let (post, gauge) = (plan.post(instance), plan.gauge(self.operator));
        sink.attach(Bell::at(&post));
        SinkEnd::new(sink, post, plan.name_of(self.operator), plan.batch(), self.accountable, gauge)
    }
}
