//! The graph as the user builds it.

use std::{cell::RefCell, rc::Rc, sync::Mutex, sync::PoisonError};

use crate::{
    control,
    job::{Failure, JobError, JobHandle, JobOptions, JobReport},
    operator_name::OperatorName,
    plan::{Assembly, EDGE_BYTES_MAX, PortId, Upstream, WatermarkNeeds},
    source::{IterSource, Source},
    stream::{SourceStream, Stream, port_stream},
};

/// A dataflow being described: sources, the operators on their streams, and sinks.
///
/// Nothing runs until [`start`](Self::start) or [`run`](Self::run).
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
    /// The stream of a source leads nowhere.
    #[error("the stream of {0} ends in no sink, so nothing would flow; end it with to, for_each or collect")]
    NoSink(OperatorName),
    /// The number of workers is out of range.
    #[error("a job has 1 to {} workers, not {asked}", JobOptions::WORKERS_MAX)]
    Workers {
        /// The number asked for.
        asked: usize,
    },
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
    sources: Vec<OperatorName>,
    ports: Vec<PortEntry>,
    pipelines: Vec<Pipeline>,
    pub(crate) needs: WatermarkNeeds,
    started: bool,
}

struct PortEntry {
    /// The operator that it is a side output of.
    owner: OperatorName,
    /// Where the stream begins that the operator is on.
    root: Root,
}

/// Where a stream begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Root {
    /// At the source with this number.
    Source(usize),
    /// At a side output.
    Port(PortId),
}

/// A stream that has been ended in a sink, ready to be made into tasks.
struct Pipeline {
    root: Root,
    assemble: Box<dyn FnOnce(&mut Assembly)>,
}

impl Graph {
    /// A graph with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a source: the stream of its records, and that of the input it had to reject.
    #[track_caller]
    pub fn source<S: Source>(
        &self,
        source: S,
    ) -> (SourceStream<S>, Stream<S::Reject, impl Upstream<Out = S::Reject> + use<S>>) {
        let name = OperatorName::here("source");
        self.add_source(source, name)
    }

    /// Adds the items of an iterator as a source.
    #[track_caller]
    pub fn iter<I>(&self, items: I) -> SourceStream<impl Source<Item = I::Item> + use<I>>
    where
        I: IntoIterator<Item: Send + 'static, IntoIter: Send + 'static>,
    {
        let name = OperatorName::here("iter");
        self.add_source(IterSource(items.into_iter()), name).0
    }

    /// Starts the graph as a job and returns at once.
    ///
    /// # Errors
    /// If the graph or the options cannot be run.
    pub fn start(self, options: JobOptions) -> Result<JobHandle, GraphError> {
        options.check()?;
        let parts = self.shared.replace(Parts { started: true, ..Parts::default() });
        parts.check()?;
        let Parts { mut pipelines, needs, .. } = parts;
        // Sources first, then ports in the order of their making: each operator before what its ports feed.
        pipelines.sort_by_key(|pipeline| pipeline.root);
        let connected = pipelines.iter().filter_map(|pipeline| match pipeline.root {
            Root::Port(port) => Some(port),
            Root::Source(_) => None,
        });
        let mut assembly = Assembly::new(next_job(), options, needs, connected.collect());
        for pipeline in pipelines {
            (pipeline.assemble)(&mut assembly);
        }
        let plan = assembly.finish().map_err(|bytes| GraphError::Memory { bytes })?;
        control::start(plan).map_err(GraphError::Start)
    }

    /// Runs the graph as a job and waits for it to end.
    ///
    /// # Errors
    /// If it cannot be started, or fails.
    pub fn run(self, options: JobOptions) -> Result<JobReport, RunError> {
        Ok(self.start(options)?.wait()?)
    }

    fn add_source<S: Source>(
        &self,
        source: S,
        name: OperatorName,
    ) -> (SourceStream<S>, Stream<S::Reject, impl Upstream<Out = S::Reject> + use<S>>) {
        let (root, rejects) = {
            let mut parts = self.shared.borrow_mut();
            parts.sources.push(name);
            let root = Root::Source(parts.sources.len() - 1);
            (root, parts.new_port(name, root))
        };
        let stream = SourceStream { source, name, root, rejects, graph: Rc::clone(&self.shared) };
        (stream, port_stream(&self.shared, rejects))
    }
}

impl Parts {
    /// A new side output of an operator on a stream that begins at `root`.
    pub(crate) fn new_port(&mut self, owner: OperatorName, root: Root) -> PortId {
        self.ports.push(PortEntry { owner, root });
        PortId(self.ports.len() - 1)
    }

    /// Refuses what cannot run: no source, or one whose stream ends nowhere; a side output in use of an
    /// operator whose own stream ends nowhere.
    fn check(&self) -> Result<(), GraphError> {
        let ends = |root| self.pipelines.iter().any(|pipeline| pipeline.root == root);
        if self.sources.is_empty() {
            return Err(GraphError::Empty);
        }
        let loose_source = (0..).zip(&self.sources).find(|(number, _)| !ends(Root::Source(*number)));
        let loose_owner = (0..)
            .zip(&self.ports)
            .find(|(number, port)| ends(Root::Port(PortId(*number))) && !ends(port.root));
        let loose = loose_source.map(|(_, name)| *name).or(loose_owner.map(|(_, port)| port.owner));
        loose.map_or(Ok(()), |name| Err(GraphError::NoSink(name)))
    }

    /// Takes note of a stream that has been ended in a sink.
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
