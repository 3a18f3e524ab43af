//! The graph as the user builds it.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    num::NonZero,
    rc::Rc,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{
    control,
    explain::Explanation,
    job::{Failure, JobError, JobHandle, JobOptions},
    operator_name::{OperatorId, OperatorName},
    plan::{Assembly, Division, EDGE_BYTES_MAX, FromPort, Instances, Plan, PortId, WatermarkNeeds},
    report::JobReport,
    source::{IterSource, Source},
    stream::{SourcePlace, SourceStream, SourceStreams, Stream},
};

/// A dataflow being described: sources, the operators on their streams, and sinks.
///
/// Nothing runs until [`start`](Self::start) or [`run`](Self::run).
///
/// ```
/// use nacreous::{prelude::*, source::CsvRows};
/// use serde::Deserialize;
/// use std::time::Duration;
///
/// #[derive(Deserialize)]
/// struct Trade {
///     at_ns: i64,
///     symbol: String,
///     shares: i64,
/// }
///
/// // From a file: CsvRows::<_, Trade>::from_path("trades.csv.gz")?
/// let text = "at_ns,symbol,shares\n100,ACME,5\n250,ACME,7\n400,ACME,many\n1200,ACME,1\n";
/// let trades = CsvRows::<_, Trade>::new("trades", text.as_bytes())?;
///
/// let graph = Graph::new();
/// let (trades, rejected) = graph.source(trades);
/// let (volumes, late) = trades
///     .event_time(|trade| Timestamp::from_nanos(trade.at_ns), BoundedDisorder::new(Duration::from_nanos(200))?)
///     .key_by(|trade| trade.symbol.clone())
///     .window(Sliding::tumbling(Duration::from_nanos(1_000))?)
///     .aggregate(sum(|trade: &Trade| trade.shares));
/// let volumes = volumes.order_by(|volume| volume.key.clone()).collect();
/// rejected.for_each(|row| eprintln!("not a trade: {}", row.value));
/// late.for_each(|trade| eprintln!("too late: {} shares", trade.value.value.shares));
///
/// let report = graph.run(JobOptions::default())?;
/// let volumes: Vec<_> = volumes.take().into_iter().map(|record| record.value.value).collect();
/// assert_eq!(volumes, [12, 1]);
/// assert_eq!((report.records_on_time, report.records_rejected), (3, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct Graph {
    shared: Rc<RefCell<Parts>>,
}

/// A graph that cannot run, or a job that could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// There is no source, so there is nothing to do.
    #[error("the graph has no source; add one with Graph::source or Graph::iter")]
    Empty,
    /// A stream leads nowhere.
    #[error("the stream behind {0} ends in no sink; end it with to, for_each or collect, or with discard")]
    NoSink(OperatorName),
    /// Two operators have been given one name.
    #[error("two operators are named alike: {first} and {second}; rename one")]
    SameName {
        /// The one named first.
        first: OperatorName,
        /// The other.
        second: OperatorName,
    },
    /// An operator was given streams of two graphs.
    #[error("{0} was given streams of two graphs; build both streams on one")]
    TwoGraphs(OperatorName),
    /// The number of workers is out of range.
    #[error("a job has 1 to {} workers, not {asked}", JobOptions::WORKERS_MAX)]
    Workers {
        /// The number asked for.
        asked: usize,
    },
    /// A stream was to go on on a worker that the job does not have.
    #[error(
        "operator {operator} asks for worker {asked}, and the job has {workers}, counted from 0: raise `workers`"
    )]
    NoWorker {
        /// Where it was asked for.
        operator: OperatorName,
        /// The number asked for.
        asked: usize,
        /// How many there are.
        workers: usize,
    },
    /// The number of instances that a keyed stream asks for is out of range.
    #[error(
        "a keyed stream has 1 to {} instances, not {asked}, as {operator} asks for",
        JobOptions::WORKERS_MAX
    )]
    Parallelism {
        /// Where it was asked for.
        operator: OperatorName,
        /// The number asked for.
        asked: usize,
    },
    /// Two streams to be joined ask for different numbers of instances.
    #[error(
        "the streams that {0} was given ask for different numbers of instances; give both the same `parallelism`"
    )]
    JoinParallelism(OperatorName),
    /// Windows that share slices cannot refuse records.
    #[error(
        "{0} cannot send what exceeds `max_held` out late, as slices are shared by windows for which it may not be late; \
         take `Beyond::Fail`, or a `broadcast` and an `aggregate` for each"
    )]
    SharedBeyond(OperatorName),
    /// The size of a batch is out of range.
    #[error("a batch holds 1 to {} records, not {asked}", JobOptions::BATCH_MAX)]
    Batch {
        /// The size asked for.
        asked: usize,
    },
    /// The edges between so many workers, with so large batches, would need too much memory.
    #[error(
        "the edges of this job would need {} MiB of memory, more than the {} MiB allowed; \
         take fewer workers or smaller batches",
        bytes >> 20,
        EDGE_BYTES_MAX >> 20
    )]
    Memory {
        /// What they would need.
        bytes: u64,
    },
    /// The control thread could not be started.
    #[error(transparent)]
    Start(Failure),
}

/// Why [`Graph::run`] brought no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The job could not be started.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The job failed.
    #[error(transparent)]
    Job(#[from] JobError),
}

/// What has been described so far.
#[derive(Default)]
pub(crate) struct Parts {
    /// By number.
    operators: Vec<OperatorName>,
    /// By number: the operators that are sources.
    sources: Vec<OperatorId>,
    /// Whether any of them has several parts.
    in_parts: bool,
    /// By number.
    ports: Vec<Port>,
    pipelines: Vec<Pipeline>,
    /// The last operator on each stream, to name it by.
    last: BTreeMap<Root, OperatorId>,
    pub(crate) needs: WatermarkNeeds,
    /// Why the graph will not be started, if that is known already.
    refused: Option<GraphError>,
    started: bool,
}

/// Where a stream begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Root {
    /// At the source with this number.
    Source(usize),
    /// Somewhere else.
    Port(PortId),
}

/// A place where a stream begins other than at a source.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Port {
    /// The operator whose output it is.
    pub(crate) owner: OperatorId,
    /// Where the stream begins that the operator is on.
    pub(crate) root: Root,
    pub(crate) instances: Instances,
    pub(crate) role: Role,
}

/// Whether a stream may be left unused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// No: records would vanish.
    Main,
    /// Yes: its records are counted.
    Side,
}

/// A stream whose end is known, ready to be made into tasks.
struct Pipeline {
    root: Root,
    assemble: Box<dyn FnOnce(&mut Assembly)>,
}

impl Graph {
    /// A graph with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a source: the stream of its records, and that of the input it had to reject, which need not be used.
    #[track_caller]
    pub fn source<S: Source>(&self, source: S) -> (SourceStream<S>, Stream<S::Reject, FromPort<S::Reject>>) {
        let (place, rejects) = self.add_source(Instances::WHOLE, OperatorName::here(&"source"));
        (SourceStream { source, place }, rejects)
    }

    /// Adds the items of an iterator as a source. It is iterated on a data thread: one that waits holds up whatever else
    /// runs there, and a request to stop.
    #[track_caller]
    pub fn iter<I>(&self, items: I) -> SourceStream<impl Source<Item = I::Item> + use<I>>
    where
        I: IntoIterator<Item: Send + 'static, IntoIter: Send + 'static>,
    {
        let (place, _) = self.add_source::<Infallible>(Instances::WHOLE, OperatorName::here(&"iter"));
        SourceStream { source: IterSource::new(items.into_iter()), place }
    }

    /// Adds a source in parts, such as the files that a data set consists of or the partitions of a log: one stream of
    /// all their records, and that of the input they had to reject, which need not be used.
    ///
    /// The parts are read in parallel: they take the job's workers in turn, and each has a copy of its own of all
    /// operators up to the next `key_by`, `order_by` or sink, so that as many workers as there are parts are kept
    /// busy. The records of a part stay in order; those of one part come between those of another as they happen to
    /// arrive, as with [`Stream::merge`].
    ///
    /// Each part has an event time of its own. Whether a record is late is judged by the part it came from, and a
    /// window closes when all parts have passed it. A part in which nothing happens holds it back.
    ///
    /// A source without any parts has nothing to read, and ends at once.
    ///
    /// ```
    /// use nacreous::{prelude::*, source::CsvRows};
    /// use std::time::Duration;
    ///
    /// // From files: CsvRows::<_, (i64, String)>::from_path("monday.csv.gz")?
    /// let monday = CsvRows::<_, (i64, String)>::new("monday", "hour,city\n9,Ulm\n10,Kiel\n".as_bytes())?;
    /// let tuesday = CsvRows::<_, (i64, String)>::new("tuesday", "hour,city\n33,Ulm\n34,Ulm\n".as_bytes())?;
    ///
    /// let graph = Graph::new();
    /// let (visits, rejected) = graph.sources([monday, tuesday]);
    /// let (counts, _late) = visits
    ///     .event_time(|(hour, _)| Timestamp::from_nanos(*hour), BoundedDisorder::NONE)
    ///     .key_by(|(_, city)| city.clone())
    ///     .window(Sliding::tumbling(Duration::from_nanos(24))?)
    ///     .aggregate(count());
    /// let counts = counts.order_by(|count| count.key.clone()).collect();
    /// rejected.for_each(|row| eprintln!("not a visit: {}", row.value));
    ///
    /// graph.run(JobOptions { workers: 2, ..JobOptions::default() })?;
    /// let counts: Vec<_> = counts.take().into_iter().map(|r| (r.value.key, r.value.value)).collect();
    /// let expected = [("Kiel", 1), ("Ulm", 1), ("Ulm", 2)].map(|(city, count)| (city.to_owned(), count));
    /// assert_eq!(counts, expected);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Cost
    /// Without parts, a job's sources have a worker to themselves. With several, all workers share the keys. What
    /// follows a part by key goes by an edge to each of them, even if there is but one worker.
    #[track_caller]
    pub fn sources<S: Source>(
        &self,
        parts: impl IntoIterator<Item = S>,
    ) -> (SourceStreams<S>, Stream<S::Reject>) {
        let parts: Vec<_> = parts.into_iter().collect();
        let (place, rejects) = self.add_source(instances_of(&parts), OperatorName::here(&"sources"));
        (SourceStreams { parts, place }, rejects)
    }

    /// Adds the items of several iterators as a source in parts, one for each: see [`sources`](Self::sources).
    ///
    /// ```
    /// use nacreous::prelude::*;
    ///
    /// let graph = Graph::new();
    /// let numbers = graph.iters([0..500, 500..1_000, 1_000..1_500_i64]);
    /// let squares = numbers.event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE).map(|n| n * n);
    /// let squares = squares.order_by(|square| *square).collect();
    /// graph.run(JobOptions { workers: 3, ..JobOptions::default() })?;
    /// let squares: Vec<_> = squares.take().into_iter().map(|record| record.value).collect();
    /// assert!(squares.into_iter().eq((0..1_500).map(|n| n * n)));
    /// # Ok::<(), nacreous::RunError>(())
    /// ```
    #[track_caller]
    pub fn iters<P>(
        &self,
        parts: P,
    ) -> SourceStreams<impl Source<Item = <P::Item as IntoIterator>::Item> + use<P>>
    where
        P: IntoIterator<Item: IntoIterator<Item: Send + 'static, IntoIter: Send + 'static>>,
    {
        let parts: Vec<_> = parts.into_iter().map(|items| IterSource::new(items.into_iter())).collect();
        let (place, _) = self.add_source::<Infallible>(instances_of(&parts), OperatorName::here(&"iters"));
        SourceStreams { parts, place }
    }

    /// Starts the graph as a job and returns at once.
    ///
    /// # Errors
    /// If the graph or the options cannot be run.
    pub fn start(self, options: JobOptions) -> Result<JobHandle, GraphError> {
        self.plan(options)?.start()
    }

    /// Plans the graph as a job: what runs in one loop, and what runs on which worker. The plan can be
    /// [explained](JobPlan::explain), and started.
    ///
    /// # Errors
    /// If the graph or the options cannot be run.
    ///
    /// # Cost
    /// The edges of the job are made, and the state of its operators: the plan of a large job takes as much memory as
    /// the job.
    pub fn plan(self, options: JobOptions) -> Result<JobPlan, GraphError> {
        options.check()?;
        let mut parts = self.shared.replace(Parts { started: true, ..Parts::default() });
        parts.check()?;
        parts.check_workers(options.workers)?;
        let Parts { operators, ports, mut pipelines, needs, in_parts, .. } = parts;
        // Sources first, then ports in the order of their making: whatever leads into a port is before it.
        pipelines.sort_by_key(|pipeline| pipeline.root);
        let connected = pipelines.iter().filter_map(|pipeline| match pipeline.root {
            Root::Port(port) => Some((port, ports[port.0].instances)),
            Root::Source(_) => None,
        });
        let connected: HashMap<_, _> = connected.collect();
        let next_port = PortId(ports.len());
        let division = Division::new(options.workers, in_parts);
        let mut assembly =
            Assembly::new(next_job(), options, division, needs, operators, connected, next_port);
        for pipeline in pipelines {
            (pipeline.assemble)(&mut assembly);
        }
        let plan = assembly.finish().map_err(|bytes| GraphError::Memory { bytes })?;
        Ok(JobPlan { plan, stall_limit: options.stall_limit })
    }

    /// Runs the graph as a job and waits for it to end.
    ///
    /// # Errors
    /// If it cannot be started, or fails.
    pub fn run(self, options: JobOptions) -> Result<JobReport, RunError> {
        Ok(self.start(options)?.wait()?)
    }

    /// A new source, and the stream of what it rejects.
    fn add_source<R: Send + 'static>(
        &self,
        instances: Instances,
        name: OperatorName,
    ) -> (SourcePlace, Stream<R>) {
        let (root, operator, rejects) = {
            let mut parts = self.shared.borrow_mut();
            let root = Root::Source(parts.sources.len());
            let operator = parts.add_operator(name, root);
            parts.sources.push(operator);
            parts.in_parts |= !instances.is_one();
            let rejects = Port { owner: operator, root, instances, role: Role::Side };
            (root, operator, parts.add_port(rejects))
        };
        let place = SourcePlace { operator, root, rejects, instances, graph: Rc::clone(&self.shared) };
        (place, Stream::at_port(&self.shared, rejects, false))
    }
}

/// A graph that is ready to be run as a job: [`Graph::plan`].
#[must_use = "a plan does nothing until it is started"]
pub struct JobPlan {
    plan: Plan,
    stall_limit: Duration,
}

impl JobPlan {
    /// How the job will be laid out.
    pub fn explain(&self) -> Explanation {
        Explanation::of(&self.plan.layout, vec![None; self.plan.workers.len()], Vec::new())
    }

    /// Starts the job and returns at once.
    ///
    /// # Errors
    /// If its control thread cannot be started.
    pub fn start(self) -> Result<JobHandle, GraphError> {
        let job = control::start(self.plan, self.stall_limit).map_err(GraphError::Start)?;
        Ok(JobHandle { job })
    }
}

/// The instances of a source with these parts.
fn instances_of<S>(parts: &[S]) -> Instances {
    // Something stands for the parts of one that has none.
    Instances::Parts(NonZero::new(parts.len()).unwrap_or(NonZero::<usize>::MIN))
}

impl Parts {
    /// A new operator on the stream that begins at `root`.
    pub(crate) fn add_operator(&mut self, name: OperatorName, root: Root) -> OperatorId {
        self.operators.push(name);
        let operator = OperatorId(self.operators.len() - 1);
        self.last.insert(root, operator);
        operator
    }

    /// Gives an operator a name.
    pub(crate) fn label(&mut self, operator: OperatorId, label: &'static str) {
        let name = &mut self.operators[operator.0];
        *name = name.labelled(label);
    }

    /// A new place for a stream to begin.
    pub(crate) fn add_port(&mut self, port: Port) -> PortId {
        let id = PortId(self.ports.len());
        self.last.insert(Root::Port(id), port.owner);
        self.ports.push(port);
        id
    }

    pub(crate) fn port(&mut self, port: PortId) -> &mut Port {
        &mut self.ports[port.0]
    }

    /// Refuses what cannot run: no source, a stream that ends nowhere, two operators of one name.
    fn check(&mut self) -> Result<(), GraphError> {
        if let Some(why) = self.refused.take() {
            return Err(why);
        }
        if self.sources.is_empty() {
            return Err(GraphError::Empty);
        }
        let ends = |root| self.pipelines.iter().any(|pipeline| pipeline.root == root);
        let numbered =
            || self.ports.iter().enumerate().map(|(number, port)| (Root::Port(PortId(number)), port));
        let loose_source = (0..self.sources.len()).map(Root::Source).find(|root| !ends(*root));
        let loose_port = || {
            let loose =
                numbered().find(|(root, port)| port.role == Role::Main && !ends(*root) && ends(port.root));
            loose.map(|(root, _)| root)
        };
        let loose_owner =
            || numbered().find(|(root, port)| ends(*root) && !ends(port.root)).map(|(_, port)| port.root);
        if let Some(loose) = loose_source.or_else(loose_port).or_else(loose_owner) {
            return Err(GraphError::NoSink(self.operators[self.last[&loose].0]));
        }
        let mut labels = HashMap::new();
        for name in &self.operators {
            if let Some(label) = name.label()
                && let Some(first) = labels.insert(label, *name)
            {
                return Err(GraphError::SameName { first, second: *name });
            }
        }
        Ok(())
    }

    /// Refuses what is to run on a worker that there is not.
    fn check_workers(&self, workers: usize) -> Result<(), GraphError> {
        let beyond = self.ports.iter().find_map(|port| match port.instances {
            Instances::At(asked) if asked >= workers => Some((port.owner, asked)),
            _ => None,
        });
        beyond.map_or(Ok(()), |(owner, asked)| {
            Err(GraphError::NoWorker { operator: self.operators[owner.0], asked, workers })
        })
    }

    /// Takes note of a reason not to start the graph. The first one counts.
    pub(crate) fn refuse(&mut self, why: GraphError) {
        self.refused.get_or_insert(why);
    }

    /// Takes note of a stream whose end is known.
    ///
    /// # Panics
    /// If the graph has been started.
    pub(crate) fn end(&mut self, root: Root, assemble: impl FnOnce(&mut Assembly) + 'static) {
        assert!(!self.started, "this graph has been started: end its streams before that");
        self.pipelines.push(Pipeline { root, assemble: Box::new(assemble) });
    }
}

/// Numbers the jobs of the process; their threads are named after it.
fn next_job() -> u64 {
    static NEXT: Mutex<u64> = Mutex::new(0);
    let mut next = NEXT.lock().unwrap_or_else(PoisonError::into_inner);
    *next += 1;
    *next
}
