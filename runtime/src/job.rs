//! A running job, from the user's side: its handle, its report, its errors.

use std::{
    error, fmt, io,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use nacreous_operators::Fault;

use crate::{
    control::{Event, Watch},
    graph::GraphError,
    operator_name::OperatorName,
    worker,
};

/// Any error, as sources and sinks return it.
pub type BoxError = Box<dyn error::Error + Send + Sync>;

/// How a job is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobOptions {
    /// The number of data threads. With one, the way from a source to its sink is fused into one loop. With
    /// more, sources have a thread of their own and the others share the keys among them. 1 to [`WORKERS_MAX`](Self::WORKERS_MAX).
    pub workers: usize,
    /// How many records move through an edge together under load, and how many a source reads a step.
    /// Each edge has memory for ten batches, and there is one from each worker to each other. 1 to [`BATCH_MAX`](Self::BATCH_MAX). Results never depend on it.
    pub batch: usize,
}

impl JobOptions {
    /// The most data threads a job may have.
    pub const WORKERS_MAX: usize = 256;
    /// The most records a batch may hold.
    pub const BATCH_MAX: usize = 65_536;

    /// Refuses options that no job can have. (Starting a graph does so too.)
    ///
    /// # Errors
    /// If a number is out of range.
    pub fn check(&self) -> Result<(), GraphError> {
        if !(1..=Self::WORKERS_MAX).contains(&self.workers) {
            return Err(GraphError::Workers { asked: self.workers });
        }
        if !(1..=Self::BATCH_MAX).contains(&self.batch) {
            return Err(GraphError::Batch { asked: self.batch });
        }
        Ok(())
    }
}

impl Default for JobOptions {
    /// One worker, batches of 512.
    fn default() -> Self {
        Self { workers: 1, batch: 512 }
    }
}

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobStatus {
    /// Its threads are being started.
    Deploying,
    /// Data flows.
    Running,
    /// It was asked to stop: sources read no more, what was read is being worked off.
    Draining,
    /// It worked off all its input.
    Finished,
    /// It was cancelled.
    Cancelled,
    /// It failed.
    Failed,
}

/// What became of a job's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobReport {
    /// Records that sources read, rejected ones included.
    pub records_in: u64,
    /// Records made beyond one for each that came in: the copies of `broadcast`, and what `flat_map` makes of one.
    pub records_added: u64,
    /// Records that were added to a window, or reached a sink where there is no window.
    pub records_on_time: u64,
    /// Records that found all their windows closed.
    pub records_late: u64,
    /// Records that a source could not make sense of.
    pub records_rejected: u64,
    /// Records that a filter took out.
    pub records_filtered: u64,
    /// Results that windows emitted.
    pub results: u64,
    /// (record, window) pairs lost because the window was closed already, whether the record was late for
    /// all of its windows or only for some.
    pub missed_windows: u64,
    /// From the start of the first data thread to the end of the last.
    pub elapsed: Duration,
}

impl JobReport {
    /// Records read per second of the job's life.
    #[expect(clippy::cast_precision_loss, reason = "a rate is rounded by nature")]
    pub fn records_per_s(&self) -> f64 {
        self.records_in as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// Why a job failed. The text says it all, causes included.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// A function of the user's panicked.
    #[error("operator {operator} panicked: {message}")]
    Panicked {
        /// Whose function it was.
        operator: OperatorName,
        /// What it said.
        message: String,
    },
    /// A source could not be read on.
    #[error("source {operator}: {error}")]
    Source {
        /// The source.
        operator: OperatorName,
        /// What it said.
        error: BoxError,
    },
    /// A sink could not be written to.
    #[error("sink {operator}: {error}")]
    Sink {
        /// The sink.
        operator: OperatorName,
        /// What it said.
        error: BoxError,
    },
    /// An operator met something that it must not pass over.
    #[error("operator {operator}: {fault}")]
    Operator {
        /// Which one.
        operator: OperatorName,
        /// What it met.
        fault: Fault,
    },
    /// A thread could not be started.
    #[error("cannot start thread {thread}: {error}")]
    Thread {
        /// Its name.
        thread: String,
        /// What the operating system said.
        error: io::Error,
    },
    /// Records went missing or were counted twice. This is a bug in the runtime, or in a custom source.
    #[error(
        "the accounts do not balance, which is a bug: {records} records read or added, {accounted} accounted for"
    )]
    Unbalanced {
        /// Records that sources read, and those made beyond one for each.
        records: u64,
        /// Records on time, late, rejected and filtered, together.
        accounted: u64,
    },
    /// Something panicked outside of any operator's work: a value of the user's while it was dropped, or the
    /// runtime itself.
    #[error("data thread {thread} panicked outside of any operator: {message}")]
    Died {
        /// Its name.
        thread: String,
        /// What it said.
        message: String,
    },
}

/// A job that failed, and how far it had come.
#[derive(Debug)]
pub struct JobError {
    /// Why it failed: the first thing that went wrong.
    pub failure: Failure,
    /// What became of the records it had read until then. Those still in flight are in no column but the first.
    pub report: Box<JobReport>,
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failure.fmt(f)
    }
}

impl error::Error for JobError {}

/// A job that was started. Dropping it cancels the job and waits for its threads to end (unless it is one of
/// those threads that drops it).
#[derive(Debug)]
#[must_use = "dropping the handle cancels the job; call wait()"]
pub struct JobHandle {
    pub(crate) job: u64,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) control: Option<JoinHandle<Result<JobReport, JobError>>>,
    /// Disconnected when the control thread is done. Behind a lock only so that the handle can be shared.
    pub(crate) running: Mutex<mpsc::Receiver<()>>,
}

impl JobHandle {
    /// Waits for the job to end. Not for one of its own functions to call: it would wait for itself.
    ///
    /// # Errors
    /// If it failed. A job that was cancelled has not failed: it reports how far it came.
    ///
    /// # Panics
    /// If the control thread itself panicked, which is a bug.
    pub fn wait(mut self) -> Result<JobReport, JobError> {
        let control = self.control.take().expect("the control thread is joined once, here or on drop");
        control.join().expect("the control thread does not panic")
    }

    /// Waits for the job to end, but no longer than this; true if it has.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.recv_timeout(timeout) == Err(mpsc::RecvTimeoutError::Disconnected)
    }

    /// Asks the job to stop as if its input had ended: what was read is worked off, open windows fire.
    pub fn stop(&self) {
        // A job that has ended already has nobody to ask, and nothing to stop.
        let _ = self.events.send(Event::Stop);
    }

    /// Asks the job to drop everything and end. Results that have reached their sink's task are still written.
    pub fn cancel(&self) {
        let _ = self.events.send(Event::Cancel);
    }

    /// Where the job is in its life.
    pub fn status(&self) -> JobStatus {
        self.watch.status()
    }

    /// The number of records that sources have read so far.
    pub fn records_in(&self) -> u64 {
        self.watch.counts().records_in
    }
}

impl Drop for JobHandle {
    fn drop(&mut self) {
        if let Some(control) = self.control.take() {
            self.cancel();
            if !worker::is_one_of(self.job) {
                // Nobody asked how it ended.
                let _ = control.join();
            }
        }
    }
}
