//! From a graph to tasks: which run where, fused with what, and the edges between them.

mod aggregated;
mod ends;
mod instances;
mod upstream;

pub(crate) use aggregated::Aggregated;
pub(crate) use ends::{CallMake, CopiesMake, DealMake, ForwardMake, RouteMake, SinkMake};
pub(crate) use instances::{Division, Instance, Instances};
pub use upstream::{Erased, FromPort, Upstream};
pub(crate) use upstream::{Exchange, Forked, FromSource, Gather, Make, Stage, Then};

use std::{any::Any, collections::HashMap, num::NonZero, sync::Arc, time::Instant};

use nacreous_channels::idle::{Parker, Waker};
use nacreous_operators::{Batch, Block, Supplies, Supply};
use nacreous_watermark::Cadence;

use crate::{
    bell::{Bell, Post},
    control::Requests,
    downstream::{Change, EdgeOut, Ends, Manner, OperatorPlace, edge, edge_bytes},
    job::{JobOptions, Tier},
    lane::UnplacedEdge,
    latency::{self, Collector, Gauge},
    meter::{CostMeter, EdgeMeter, TaskMeter, WorkerMeter},
    operator_name::{OperatorId, OperatorName},
    provisions::{self, Provide},
    survey::{EdgeId, EdgeSite, Layout, Survey, TaskSite, WorkerSite},
    task::Task,
};

/// Tasks by worker: what the control plane deploys.
pub(crate) struct Plan {
    pub(crate) job: u64,
    pub(crate) workers: Vec<PlannedWorker>,
    /// Who wakes each of them.
    pub(crate) wakers: Arc<[Waker]>,
    pub(crate) requests: Arc<Requests>,
    pub(crate) layout: Layout,
    /// What the control thread waits by.
    pub(crate) control: Parker,
    pub(crate) providers: Vec<Box<dyn Provide>>,
    /// The instant that records are stamped from, if it is measured how long they take; and who reads that, for each sink.
    pub(crate) stamped_from: Option<Instant>,
    pub(crate) collectors: Vec<Collector>,
    pub(crate) tier: Tier,
    pub(crate) batch: usize,
}

/// The tasks of a worker, and that by which those of others wake it.
pub(crate) struct PlannedWorker {
    pub(crate) tasks: Vec<PlannedTask>,
    pub(crate) parker: Parker,
    pub(crate) meter: Arc<WorkerMeter>,
}

/// A task and where it publishes its counts.
pub(crate) struct PlannedTask {
    pub(crate) task: Box<dyn Task>,
    pub(crate) meter: Arc<TaskMeter>,
    /// Its number in the job.
    pub(crate) number: usize,
}

/// Where a stream begins other than at a source: at a side output, a merge, a copy. Edges lead into it.
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
    division: Division,
    /// Memory that the edges so far would need, were they all full.
    edge_bytes: u64,
    needs: WatermarkNeeds,
    /// The operators of the graph, by number.
    operators: Vec<OperatorName>,
    /// Where the instances of the stream run that begins at each connected port.
    ports: HashMap<PortId, Instances>,
    next_port: PortId,
    /// The consuming ends of the edges that lead into a port, by instance: a `Vec<Vec<UnplacedEdge<Batch<T>>>>`.
    inputs: HashMap<PortId, Box<dyn Any>>,
}

impl Assembly {
    pub(crate) fn new(
        job: u64,
        options: JobOptions,
        division: Division,
        needs: WatermarkNeeds,
        operators: Vec<OperatorName>,
        ports: HashMap<PortId, Instances>,
        next_port: PortId,
    ) -> Self {
        let mut plan = Plan {
            job,
            workers: Vec::new(),
            wakers: Arc::new([]),
            requests: Arc::default(),
            layout: Layout::default(),
            control: Parker::new(),
            providers: Vec::new(),
            stamped_from: options.measure_latency.then(Instant::now),
            collectors: Vec::new(),
            tier: options.tier,
            batch: options.batch,
        };
        for _ in 0..options.workers {
            let meter = Arc::new(WorkerMeter::new());
            plan.layout.workers.push(WorkerSite { meter: Arc::clone(&meter) });
            plan.workers.push(PlannedWorker { tasks: Vec::new(), parker: Parker::new(), meter });
        }
        plan.wakers = plan.workers.iter().map(|worker| worker.parker.waker()).collect();
        Self { plan, division, edge_bytes: 0, needs, operators, ports, next_port, inputs: HashMap::new() }
    }

    /// The plan, or the memory that its edges would need if that is too much.
    pub(crate) fn finish(self) -> Result<Plan, u64> {
        if self.edge_bytes > EDGE_BYTES_MAX { Err(self.edge_bytes) } else { Ok(self.plan) }
    }

    fn requests(&self) -> Arc<Requests> {
        Arc::clone(&self.plan.requests)
    }

    /// The instant that records are stamped from, if they are.
    fn stamped_from(&self) -> Option<Instant> {
        self.plan.stamped_from
    }

    /// For a sink to note how long records take, if that is measured.
    fn gauge(&mut self, sink: OperatorId) -> Option<Gauge> {
        let (gauge, collector) = latency::gauge(self.name_of(sink), self.plan.stamped_from?);
        self.plan.collectors.push(collector);
        Some(gauge)
    }

    fn cadence(&self) -> Cadence {
        self.needs.cadence.clone()
    }

    fn watermark_every(&self) -> Option<NonZero<usize>> {
        self.needs.any.then_some(WATERMARK_EVERY)
    }

    /// The instances, by number.
    fn instances_of(&self, instances: Instances) -> Vec<Instance> {
        self.division.of(instances)
    }

    /// Whether what comes from these instances need not be brought to where its key is kept, as it is there. (Where tasks
    /// move, two places may come to be the same.)
    fn is_straight(&self, from: Instances, keyed: Instances) -> bool {
        let (keyed, from) = (self.instances_of(keyed), self.instances_of(from));
        let ([keyed], [from]) = (&keyed[..], &from[..]) else { return false };
        from.worker == keyed.worker || (self.plan.tier.moves_tasks() && !from.is_fixed)
    }

    fn name_of(&self, operator: OperatorId) -> OperatorName {
        self.operators[operator.0]
    }

    fn batch(&self) -> usize {
        self.plan.batch
    }

    /// How many records gather between two operators that run each by itself. (Where they never do, room for one is as good.)
    fn gathered(&self) -> usize {
        if self.plan.tier == Tier::Fused { 1 } else { self.plan.batch }
    }

    fn add(&mut self, instance: Instance, mut task: Box<dyn Task>) {
        match self.plan.tier {
            Tier::Boxed => task.change(&mut Change::go_on(Manner::STEPWISE)),
            // It begins by finding out what each operator takes.
            Tier::Auto => task.change(&mut Change::go_on(Manner::TIMED)),
            Tier::Fused | Tier::ByHand | Tier::Restless { .. } => {}
        }
        let (meter, number) = (Arc::new(TaskMeter::new()), self.plan.layout.tasks.len());
        let mut survey = Survey::default();
        task.survey(&mut survey);
        let site = TaskSite { instance, survey, meter: Arc::clone(&meter), cut_from: None, is_back: false };
        self.plan.layout.tasks.push(site);
        self.plan.workers[instance.worker].tasks.push(PlannedTask { task, meter, number });
    }

    /// What is to be known of an operator, besides what it does.
    fn place_of(&self, id: OperatorId, instance: Instance, accountable: bool) -> OperatorPlace {
        let (name, post) = (self.name_of(id), self.post(instance));
        OperatorPlace { name, accountable, cost: Arc::new(CostMeter::new()), post }
    }

    /// Where an operator gets its memory.
    fn supplies<'a>(&'a mut self, post: &'a Arc<Post>) -> WorkerSupplies<'a> {
        WorkerSupplies { post, plan: &mut self.plan }
    }

    /// A new edge from one task to another, on another worker or on the same.
    fn edge<T: Send + 'static>(
        &mut self,
        from: Instance,
        to: Instance,
    ) -> (EdgeOut<T>, UnplacedEdge<Batch<T>>) {
        let ends = Ends { producer: self.post(from), consumer: self.post(to) };
        self.edge_bytes = self.edge_bytes.saturating_add(edge_bytes::<T>(self.plan.batch));
        // Beyond the limit the plan will be refused: it need not be allocated.
        let batch = if self.edge_bytes > EDGE_BYTES_MAX { 1 } else { self.plan.batch };
        let (id, meter) = (EdgeId(self.plan.layout.edges.len()), Arc::new(EdgeMeter::new()));
        self.plan.layout.edges.push(EdgeSite { meter: Arc::clone(&meter) });
        edge(batch, ends, id, &meter)
    }

    /// Where a part of an instance's task is to be called, to begin with.
    fn post(&self, instance: Instance) -> Arc<Post> {
        Post::new(&self.plan.wakers, instance.worker)
    }

    /// A new edge from an instance into a port: to the instance of the same number there, or to the only one.
    /// `None` if no stream begins there.
    fn edge_into<T: Send + 'static>(&mut self, port: PortId, from: Instance) -> Option<EdgeOut<T>> {
        let instances = self.instances_of(*self.ports.get(&port)?);
        let to = if let [only] = instances[..] { only } else { instances[from.number] };
        debug_assert!(to.worker == from.worker || instances.len() == 1, "to which instance is this to go?");
        Some(self.edge_to_instance(port, from, to))
    }

    /// New edges from an instance into a port, one to each instance there.
    fn edges_into<T: Send + 'static>(&mut self, port: PortId, from: Instance) -> Vec<EdgeOut<T>> {
        let instances = *self.ports.get(&port).expect("a stream begins where others were led to");
        self.instances_of(instances).into_iter().map(|to| self.edge_to_instance(port, from, to)).collect()
    }

    /// A port in the middle of a stream.
    fn new_port(&mut self, instances: Instances) -> PortId {
        let port = self.next_port;
        self.next_port.0 += 1;
        self.ports.insert(port, instances);
        port
    }

    fn edge_to_instance<T: Send + 'static>(
        &mut self,
        port: PortId,
        from: Instance,
        to: Instance,
    ) -> EdgeOut<T> {
        let instances = self.instances_of(self.ports[&port]);
        let (out, consumer) = self.edge::<T>(from, to);
        let new = || -> Box<dyn Any> {
            Box::new(instances.iter().map(|_| Vec::new()).collect::<Vec<Vec<UnplacedEdge<Batch<T>>>>>())
        };
        let inputs = self.inputs.entry(port).or_insert_with(new);
        let inputs = inputs.downcast_mut::<Vec<Vec<_>>>().expect("a port carries records of one type");
        inputs[to.number].push(consumer);
        out
    }

    /// The edges that lead into a port, by the instance that reads them.
    fn inputs_of<T: 'static>(&mut self, port: PortId) -> Vec<(Instance, Vec<UnplacedEdge<Batch<T>>>)> {
        let inputs = self.inputs.remove(&port).expect("what leads into a port is assembled before it");
        let inputs = *inputs.downcast::<Vec<Vec<_>>>().expect("a port carries records of one type");
        self.instances_of(self.ports[&port]).into_iter().zip(inputs).collect()
    }
}

/// Supplies for the operators of a task, provided by the control thread.
pub(crate) struct WorkerSupplies<'a> {
    post: &'a Arc<Post>,
    plan: &'a mut Plan,
}

impl Supplies for WorkerSupplies<'_> {
    fn supply<B: Block>(&mut self) -> Box<dyn Supply<B>> {
        let control = Bell::new(self.plan.control.waker());
        let (supply, provider) = provisions::supply(Bell::at(self.post), control);
        self.plan.providers.push(provider);
        supply
    }
}
