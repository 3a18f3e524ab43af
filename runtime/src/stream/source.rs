use std::marker::PhantomData;

use nacreous_watermark::{BoundedDisorder, Timestamp};

use super::{
    Stream,
    carried::{Carried, Shared},
};
use crate::{
    graph::Root,
    operator_name::{OperatorId, OperatorName},
    plan::{FromSource, PortId, Upstream},
    source::Source,
    task::{Arrival, Clock},
};

/// What a source reads, before it is known when it happened.
#[must_use = "a stream does nothing until it ends in a sink"]
pub struct SourceStream<S: Source> {
    pub(crate) source: S,
    pub(crate) operator: OperatorId,
    pub(crate) root: Root,
    pub(crate) rejects: PortId,
    pub(crate) graph: Shared,
}

impl<S: Source> SourceStream<S> {
    /// Names the source, for reports and errors. A graph has each name only once.
    pub fn named(self, name: &'static str) -> Self {
        self.graph.borrow_mut().label(self.operator, name);
        self
    }

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
        self.timed(time_of, disorder, OperatorName::here("event_time"))
    }

    /// Says that each record happens when it is read, by the clock of this machine.
    ///
    /// Then no record is late, and time goes on also while none comes: a window closes within a tenth of a second of its
    /// end. What comes of a stream depends on when its records arrive; a run cannot be repeated. If the clock is set
    /// back, time stands still until the clock has caught up.
    ///
    /// # Cost
    /// A look at the clock for each record: some 25 ns where that takes no system call.
    #[track_caller]
    pub fn arrival_time(self) -> Stream<S::Item, impl Upstream<Out = S::Item> + use<S>> {
        self.timed(Arrival::new(), BoundedDisorder::NONE, OperatorName::here("arrival_time"))
    }

    fn timed<C: Clock<S::Item>>(
        self,
        clock: C,
        disorder: BoundedDisorder,
        name: OperatorName,
    ) -> Stream<S::Item, FromSource<S, C>> {
        let Self { source, operator, root, rejects, graph } = self;
        let time_operator = graph.borrow_mut().add_operator(name, root);
        let up = FromSource { source, operator, rejects, clock, time_operator, disorder };
        Stream { carried: Carried::at_source(up, graph, root, time_operator), records: PhantomData }
    }
}
