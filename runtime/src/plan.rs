//! From a graph to tasks: which run where, fused with what, and the edges between them.

mod upstream;

pub use upstream::Upstream;
pub(crate) use upstream::{Exchange, FromPort, FromSource, Gather, LateSplit, SinkMake, Then};

use std::{any::Any, collections::HashMap, sync::Arc};

use nacreous_channels::{published::Flag, spsc::Consumer};
use nacreous_watermark::Cadence;

use crate::{
    downstream::{EdgeOut, Slot, edge},
    job::JobOptions,
    meter::Meter,
    task::Task,
};

/// Tasks by worker: what the control plane deploys.
pub(crate) struct Plan {
    pub(crate) job: u64,
    pub(crate) workers: Vec<Vec<PlannedTask>>,
    pub(crate) stop: Arc<Flag>,
}

/// A task and where it publishes its counts.
pub(crate) struct PlannedTask {
    pub(crate) task: Box<dyn Task>,
    pub(crate) meter: Arc<Meter>,
}

/// A side output of an operator: where a stream begins that is not the operator's main one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PortId(pub(crate) usize);

/// A plan being put together.
#[doc(hidden)]
pub struct Assembly {
    plan: Plan,
    batch: usize,
    /// The watermarks that can make a difference to any operator of the graph.
    pub(crate) cadence: Cadence,
    /// The consuming ends of the edges that lead out of each connected port: a `Vec<Consumer<Slot<T>>>`.
    ports: HashMap<PortId, Box<dyn Any>>,
    connected: Vec<PortId>,
}

impl Assembly {
    pub(crate) fn new(job: u64, options: JobOptions, cadence: Cadence, connected: Vec<PortId>) -> Self {
        let workers = (0..options.workers).map(|_| Vec::new()).collect();
        let plan = Plan { job, workers, stop: Arc::new(Flag::new()) };
        Self { plan, batch: options.batch, cadence, ports: HashMap::new(), connected }
    }

    pub(crate) fn finish(self) -> Plan {
        self.plan
    }

    /// The worker that sources run on.
    fn source_worker(&self) -> usize {
        0
    }

    /// The workers that share the keys. The source keeps the first for itself if there are others.
    fn keyed_workers(&self) -> std::ops::Range<usize> {
        let workers = self.plan.workers.len();
        if workers == 1 { 0..1 } else { 1..workers }
    }

    /// The worker on which streams come together before a sink.
    fn sink_worker(&self) -> usize {
        self.plan.workers.len() - 1
    }

    fn batch(&self) -> usize {
        self.batch
    }

    fn add(&mut self, worker: usize, task: impl Task + 'static) {
        let planned = PlannedTask { task: Box::new(task), meter: Arc::new(Meter::new()) };
        self.plan.workers[worker].push(planned);
    }

    fn edge<T>(&self) -> (EdgeOut<T>, Consumer<Slot<T>>) {
        edge(self.batch)
    }

    /// A new edge out of a port, if any stream begins there.
    fn edge_from_port<T: Send + 'static>(&mut self, port: PortId) -> Option<EdgeOut<T>> {
        if !self.connected.contains(&port) {
            return None;
        }
        let (out, consumer) = self.edge::<T>();
        let consumers = self.ports.entry(port).or_insert_with(|| Box::new(Vec::<Consumer<Slot<T>>>::new()));
        let consumers = consumers.downcast_mut::<Vec<_>>().expect("a port carries records of one type");
        consumers.push(consumer);
        Some(out)
    }

    /// The edges that lead out of a port.
    fn consumers_of_port<T: 'static>(&mut self, port: PortId) -> Vec<Consumer<Slot<T>>> {
        let consumers =
            self.ports.remove(&port).expect("an operator is assembled before what its ports feed");
        *consumers.downcast().expect("a port carries records of one type")
    }
}
