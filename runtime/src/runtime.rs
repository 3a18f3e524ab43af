//! Several jobs under one roof.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    graph::{Graph, GraphError},
    job::{Job, JobHandle, JobOptions},
    lifecycle::JobStatus,
    worker,
};

/// Hosts jobs: starts them, knows them, and ends them together.
///
/// Each job has threads of its own, so that one that fails, or whose operators hold their threads, leaves the others
/// running. They share the cores: a new job's workers go where there are fewest. Dropping the runtime cancels all jobs
/// that still run and waits for their threads to end (unless it is one of those threads that drops it).
///
/// ```
/// use nacreous::{Runtime, prelude::*};
/// use std::time::Duration;
///
/// let runtime = Runtime::new();
/// let graph = Graph::new();
/// let in_order = BoundedDisorder::new(Duration::ZERO)?;
/// let numbers = graph.iter(1..=3_i64).event_time(|n| Timestamp::from_nanos(*n), in_order).collect();
/// let job = runtime.start(graph, JobOptions::default())?;
/// for job in runtime.jobs() {
///     println!("job {}: {:?}", job.number, job.status); // one, unless it has ended already
/// }
/// job.wait()?;
/// assert_eq!(numbers.take().len(), 3);
/// assert!(runtime.jobs().is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Runtime {
    jobs: Mutex<Vec<Arc<Job>>>,
}

/// A job that a runtime hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobInfo {
    /// Its number in the process, as [`JobHandle::number`] says it.
    pub number: u64,
    /// Where it is in its life.
    pub status: JobStatus,
}

impl Runtime {
    /// A runtime without jobs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a graph as a job.
    ///
    /// # Errors
    /// If the graph or the options cannot be run.
    pub fn start(&self, graph: Graph, options: JobOptions) -> Result<JobHandle, GraphError> {
        let handle = graph.start(options)?;
        let mut jobs = self.hosted();
        jobs.retain(|job| !job.watch.status().is_final());
        jobs.push(Arc::clone(&handle.job));
        Ok(handle)
    }

    /// The jobs that have not ended, in the order of their start.
    pub fn jobs(&self) -> Vec<JobInfo> {
        let info = |job: &Arc<Job>| JobInfo { number: job.number, status: job.watch.status() };
        self.hosted().iter().map(info).filter(|job| !job.status.is_final()).collect()
    }

    /// Stops all jobs as [`JobHandle::stop`] does, and waits for them to end. How each ended its own handle tells.
    pub fn stop(&self, deadline: Duration) {
        let jobs = self.hosted().clone();
        jobs.iter().for_each(|job| job.stop(deadline));
        jobs.iter().for_each(|job| job.join());
    }

    fn hosted(&self) -> MutexGuard<'_, Vec<Arc<Job>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let jobs = std::mem::take(&mut *self.hosted());
        jobs.iter().for_each(|job| job.cancel());
        jobs.iter().filter(|job| !worker::is_one_of(job.number)).for_each(|job| job.join());
    }
}
