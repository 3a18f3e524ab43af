mod part;

use std::{iter, marker::PhantomData};

use nacreous_watermark::{BoundedDisorder, Timestamp};

use self::part::Part;
use super::{
    Stream,
    carried::{Carried, Shared},
};
use crate::{
    graph::Root,
    operator_name::{OperatorId, OperatorName},
    plan::{FromSource, Instances, PortId, Upstream},
    source::Source,
    task::{Arrival, Clock},
};

/// What a source reads, before it is known when it happened.
#[must_use = "a stream does nothing until it ends in a sink"]
pub struct SourceStream<S: Source> {
    pub(crate) source: S,
    pub(crate) place: SourcePlace,
}

/// Where a source is in its graph.
pub(crate) struct SourcePlace {
    pub(crate) operator: OperatorId,
    pub(crate) root: Root,
    pub(crate) rejects: PortId,
    /// One for each part.
    pub(crate) instances: Instances,
    pub(crate) graph: Shared,
}

impl<S: Source> SourceStream<S> {
    /// Names the source, for reports and errors. A graph has each name only once.
    pub fn named(self, name: &'static str) -> Self {
        self.place.label(name);
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
        self.place.timed::<_, _, false>(
            vec![(self.source, time_of)],
            disorder,
            OperatorName::here(&"event_time"),
        )
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
        let parts = vec![(self.source, Arrival::new())];
        self.place.timed::<_, _, false>(parts, BoundedDisorder::NONE, OperatorName::here(&"arrival_time"))
    }
}

/// What the parts of a source read, before it is known when it happened.
///
/// [`Graph::sources`](crate::Graph::sources) says what a source in parts is.
#[must_use = "a stream does nothing until it ends in a sink"]
pub struct SourceStreams<S: Source> {
    pub(crate) parts: Vec<S>,
    pub(crate) place: SourcePlace,
}

impl<S: Source> SourceStreams<S> {
    /// Names the source, for reports and errors. A graph has each name only once.
    pub fn named(self, name: &'static str) -> Self {
        self.place.label(name);
        self
    }

    /// Says when each record happened, and how far out of order those of one part may come. That is as
    /// [`SourceStream::event_time`] has it, for each part by itself: how far the parts are apart makes no record late.
    #[track_caller]
    pub fn event_time<F>(
        self,
        time_of: F,
        disorder: BoundedDisorder,
    ) -> Stream<S::Item, impl Upstream<Out = S::Item> + use<S, F>>
    where
        F: FnMut(&S::Item) -> Timestamp + Clone + Send + 'static,
    {
        let parts = Part::all(self.parts).zip(iter::repeat(time_of)).collect();
        self.place.timed::<_, _, true>(parts, disorder, OperatorName::here(&"event_time"))
    }

    /// Says that each record happens when it is read, as [`SourceStream::arrival_time`] has it.
    #[track_caller]
    pub fn arrival_time(self) -> Stream<S::Item, impl Upstream<Out = S::Item> + use<S>> {
        let parts = Part::all(self.parts).map(|part| (part, Arrival::new())).collect();
        self.place.timed::<_, _, true>(parts, BoundedDisorder::NONE, OperatorName::here(&"arrival_time"))
    }
}

impl SourcePlace {
    fn label(&self, name: &'static str) {
        self.graph.borrow_mut().label(self.operator, name);
    }

    fn timed<S: Source, C: Clock<S::Item>, const IN_PARTS: bool>(
        self,
        parts: Vec<(S, C)>,
        disorder: BoundedDisorder,
        name: OperatorName,
    ) -> Stream<S::Item, FromSource<S, C, IN_PARTS>> {
        let Self { operator, root, rejects, instances, graph } = self;
        let time_operator = graph.borrow_mut().add_operator(name, root);
        let up = FromSource { parts, operator, rejects, time_operator, disorder, instances };
        let carried = Carried::at_source(up, graph, root, instances, time_operator);
        Stream { carried, records: PhantomData }
    }
}
