//! From a graph to tasks: which run where, fused with what, and the edges between them.

mod upstream;

pub use upstream::Upstream;
pub(crate) use upstream::{Exchange, FromPort, FromSource, Gather, LateSplit, SinkMake, Then};

use std::{any::Any, collections::HashMap, num::NonZero, sync::Arc};

use nacreous_channels::idle::Parker;
use nacreous_watermark::Cadence;

use crate::{
    bell::Bell,
    control::Requests,
    downstream::{EdgeOut, Ends, edge, edge_bytes},
    job::JobOptions,
    lane::UnplacedEdge,
    meter::Meter,
    task::Task,
};

/// Tasks by worker: what the control plane deploys.
pub(crate) struct Plan {
    pub(crate) job: u64,
    pub(crate) workers: Vec<PlannedWorker>,
    pub(crate) requests: Arc<Requests>,
}

/// The tasks of a worker, and that by which those of others wake it.
#[derive(Default)]
pub(crate) struct PlannedWorker {
    pub(crate) tasks: Vec<PlannedTask>,
    pub(crate) parker: Parker,
}

/// A task and where it publishes its counts.
pub(crate) struct PlannedTask {
    pub(crate) task: Box<dyn Task>,
    pub(crate) meter: Arc<Meter>,
}

/// A side output of an operator: where a stream begins that is not the operator's main one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PortId(pub(crate) usize);

/// What the operators of a graph need to be told of the progress of event time.
#[derive(Debug, Clone, Default)]
pub(crate) struct WatermarkNeeds {
    /// The watermarks that can make a difference to any operator.
    pub(crate) cadence: Cadence,
    /// Whether some operator waits for watermarks without caring which.
    pub(crate) any: bool,
}

/// How many records a source reads before it passes a watermark on to operators that wait for any. A number of
/// its own, whatever the size of a batch: where a watermark stands must not depend on that.
const WATERMARK_EVERY: NonZero<usize> = NonZero::new(1_024).expect("not zero");

/// The most memory that the edges of a job may need.
pub(crate) const EDGE_BYTES_MAX: u64 = 4 << 30;

/// A plan being put together.
#[doc(hidden)]
pub struct Assembly {
    plan: Plan,
    batch: usize,
    /// Memory that the edges so far would need, were they all full.
    edge_bytes: u64,
    needs: WatermarkNeeds,
    /// The consuming ends of the edges that lead out of each connected port: a `Vec<UnplacedEdge<T>>`.
    ports: HashMap<PortId, Box<dyn Any>>,
    connected: Vec<PortId>,
}

impl Assembly {
    pub(crate) fn new(job: u64, options: JobOptions, needs: WatermarkNeeds, connected: Vec<PortId>) -> Self {
        let workers = (0..options.workers).map(|_| PlannedWorker::default()).collect();
        let plan = Plan { job, workers, requests: Arc::default() };
        Self { plan, batch: options.batch, edge_bytes: 0, needs, ports: HashMap::new(), connected }
    }

    /// The plan, or the memory that its edges would need if that is too much.
    pub(crate) fn finish(self) -> Result<Plan, u64> {
        if self.edge_bytes > EDGE_BYTES_MAX { Err(self.edge_bytes) } else { Ok(self.plan) }
    }

    fn requests(&self) -> Arc<Requests> {
        Arc::clone(&self.plan.requests)
    }

    fn cadence(&self) -> Cadence {
        self.needs.cadence.clone()
    }

    fn watermark_every(&self) -> Option<NonZero<usize>> {
        self.needs.any.then_some(WATERMARK_EVERY)
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
        self.plan.workers[worker].tasks.push(planned);
    }

    /// A new edge from a task on one worker to a task on another one, or on the same.
    fn edge<T>(&mut self, from: usize, to: usize) -> (EdgeOut<T>, UnplacedEdge<T>) {
        let ends = Ends { producer: self.bell(from), consumer: self.bell(to) };
        self.edge_bytes = self.edge_bytes.saturating_add(edge_bytes::<T>(self.batch));
        // Beyond the limit the plan will be refused: it need not be allocated.
        edge(if self.edge_bytes > EDGE_BYTES_MAX { 1 } else { self.batch }, ends)
    }

    fn bell(&self, worker: usize) -> Bell {
        Bell::new(self.plan.workers[worker].parker.waker())
    }

    /// A new edge out of a port of a task on this worker, if any stream begins there.
    fn edge_from_port<T: Send + 'static>(&mut self, port: PortId, worker: usize) -> Option<EdgeOut<T>> {
        if !self.connected.contains(&port) {
            return None;
        }
        let (out, consumer) = self.edge::<T>(worker, self.sink_worker());
        let consumers = self.ports.entry(port).or_insert_with(|| Box::new(Vec::<UnplacedEdge<T>>::new()));
        let consumers = consumers.downcast_mut::<Vec<_>>().expect("a port carries records of one type");
        consumers.push(consumer);
        Some(out)
    }

    /// The edges that lead out of a port.
    fn consumers_of_port<T: 'static>(&mut self, port: PortId) -> Vec<UnplacedEdge<T>> {
        let consumers =
            self.ports.remove(&port).expect("an operator is assembled before what its ports feed");
        *consumers.downcast().expect("a port carries records of one type")
    }
}
