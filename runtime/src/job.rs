//! A running job, from the user's side: its options, its handle, its errors.

use std::{
    error, fmt, io, mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use nacreous_operators::Fault;

use crate::{
    control::{Event, Mailbox, Watch},
    downstream::Manner,
    explain::Explanation,
    graph::GraphError,
    lifecycle::JobStatus,
    operator_name::OperatorName,
    report::{Blockage, JobReport},
    worker,
};

/// Any error, as sources and sinks return it.
pub type BoxError = Box<dyn error::Error + Send + Sync>;

/// How the operators of a thread work together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tier {
    /// L4: in one loop. A record goes through all of them before the next one comes, and nothing is gathered in between,
    /// except where the graph says so ([`Stream::boxed`](crate::Stream::boxed)).
    Fused,
    /// L3: each by itself. An operator deals with a batch of records before the next operator does.
    Boxed,
    /// What is found to be faster on the job's own stream. It is found out in the first second: what each operator takes,
    /// whether they are faster in one loop or each by itself, and where a task should be cut in two for a part of it to go on
    /// on another worker, or moved. What does not make the job faster is taken back; what was decided is in its
    /// [report](crate::JobReport::decisions). If the rate changes much later on, that is done again, a few times at the most, unless it is told to
    /// [keep its plan](crate::JobHandle::keep_plan).
    ///
    /// The number of parallel instances is not changed, and nothing that is there for several of them. Up to two workers there
    /// is but one of each, and all that is not behind a merge, a join or a side output begins on the first worker.
    Auto,
    /// Fused to begin with, and then as the job's handle says: [`JobHandle::run_as`], [`JobHandle::cut_before`],
    /// [`JobHandle::rejoin`]. Tasks are laid out as for [`Auto`](Self::Auto).
    ByHand,
    /// Another way before each step: tasks change their tier, are cut in two at random, put together again, and moved between
    /// workers. For tests: nothing depends on it but speed.
    #[doc(hidden)]
    Restless {
        /// Of what is random about it.
        seed: u64,
    },
}

impl Tier {
    /// Whether tasks may be cut in two, and move between workers, while the job runs.
    pub(crate) fn moves_tasks(self) -> bool {
        matches!(self, Self::Auto | Self::ByHand | Self::Restless { .. })
    }
}

/// How a job is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobOptions {
    /// The number of data threads. With one, the way from a source to its sink is fused into one loop. With
    /// more, sources have a thread of their own and the others share the keys among them. Where a source has several
    /// parts ([`Graph::sources`](crate::Graph::sources)), those and the keys are spread over all threads. 1 to
    /// [`WORKERS_MAX`](Self::WORKERS_MAX).
    pub workers: usize,
    /// How many records move through an edge together under load, and how many a source reads a step. (It reads more
    /// where nothing gathers them, as long as a step does not take more than some microseconds.)
    /// An edge has memory for 66 batches, and an exchange has one from each worker to each other. 1 to
    /// [`BATCH_MAX`](Self::BATCH_MAX). Results never depend on it.
    pub batch: usize,
    /// How operators of one thread work together. Results never depend on it.
    pub tier: Tier,
    /// An operator that holds its thread for longer than this is reported as a [`Stall`](crate::Stall).
    pub stall_limit: Duration,
    /// Whether the job measures how long records take from a source to a sink, and [reports](crate::JobReport::latencies) it.
    /// Costs two looks at the clock a batch, some ten nanoseconds for each record that reaches a sink, and one and a half megabytes
    /// for each sink.
    pub measure_latency: bool,
}

impl JobOptions {
    /// One worker, batches of 512, operators fused; a stall is anything over a second; latency is not measured.
    pub const DEFAULT: Self = Self {
        workers: 1,
        batch: 512,
        tier: Tier::Fused,
        stall_limit: Duration::from_secs(1),
        measure_latency: false,
    };
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
    /// [`DEFAULT`](Self::DEFAULT).
    fn default() -> Self {
        Self::DEFAULT
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
    /// An edge did not hand on what it was given. This is a bug in the runtime.
    #[error("the edge from {from} to {to} was given {given} records and handed on {taken}, which is a bug")]
    Lost {
        /// The operator that it leads away from.
        from: OperatorName,
        /// The operator that it leads to.
        to: OperatorName,
        /// Records that went in.
        given: u64,
        /// Records that came out.
        taken: u64,
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

/// Why a job was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// Its tasks stay as they are.
    #[error(
        "the tasks of this job stay as they are; start it with `Tier::ByHand` or `Tier::Auto` to change them"
    )]
    Fixed,
    /// No task can be cut there.
    #[error(
        "no running task has an operator named `{operator}` with another before it; name it with `named`"
    )]
    NoOperator {
        /// The name that was given.
        operator: String,
    },
    /// There is no such worker.
    #[error("there is no worker {worker}: the job has {workers}, counted from 0")]
    NoWorker {
        /// The number that was given.
        worker: usize,
        /// How many there are.
        workers: usize,
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

/// What a job's handles and its control thread share.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) number: u64,
    pub(crate) mailbox: Mailbox,
    pub(crate) watch: Arc<Watch>,
    /// Until somebody has joined it.
    control: Mutex<Option<JoinHandle<()>>>,
    outcome: Mutex<Outcome>,
    ended: Condvar,
}

/// How a job ended.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one of it for each job")]
enum Outcome {
    /// It has not.
    Open,
    /// Nobody has asked yet.
    Known(Result<JobReport, JobError>),
    /// It was asked for, and is given out once.
    Given,
}

impl Job {
    pub(crate) fn new(number: u64, mailbox: Mailbox, watch: Arc<Watch>) -> Self {
        Self {
            number,
            mailbox,
            watch,
            control: Mutex::default(),
            outcome: Mutex::new(Outcome::Open),
            ended: Condvar::new(),
        }
    }

    /// Says which thread controls it.
    pub(crate) fn is_controlled_by(&self, thread: JoinHandle<()>) {
        *lock(&self.control) = Some(thread);
    }

    /// Makes known how the job ended: what the control thread does last.
    pub(crate) fn conclude(&self, outcome: Result<JobReport, JobError>) {
        *lock(&self.outcome) = Outcome::Known(outcome);
        self.ended.notify_all();
    }

    /// Waits until it has ended, at most for so long; whether it has.
    fn wait_ended(&self, timeout: Duration) -> bool {
        let open = |outcome: &mut Outcome| matches!(outcome, Outcome::Open);
        let outcome = lock(&self.outcome);
        let waited = self.ended.wait_timeout_while(outcome, timeout, open);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Waits until none of its threads is left.
    pub(crate) fn join(&self) {
        let control = lock(&self.control).take();
        match control {
            Some(control) => control.join().expect("the control thread does not panic"),
            // Somebody else waits for the thread; the outcome is the last that it has to say.
            None => drop(
                self.ended
                    .wait_while(lock(&self.outcome), |outcome| matches!(outcome, Outcome::Open))
                    .unwrap_or_else(PoisonError::into_inner),
            ),
        }
    }

    pub(crate) fn cancel(&self) {
        self.watch.ask_cancel();
    }

    pub(crate) fn stop(&self, deadline: Duration) {
        self.watch.ask_stop();
        // A deadline beyond what the clock can count is none.
        self.mailbox.post(Event::Stop(Instant::now().checked_add(deadline)));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A job that was started. Dropping it cancels the job and waits for its threads to end (unless it is one of
/// those threads that drops it).
///
/// ```
/// use nacreous::{prelude::*, source::Generator};
/// use std::time::Duration;
///
/// let graph = Graph::new();
/// let (numbers, _) = graph.source(Generator::every(Duration::from_micros(50), |n| n)); // for ever
/// let numbers = numbers.arrival_time().collect();
/// let job = graph.start(JobOptions::default())?;
///
/// while job.records_in() < 100 {
///     job.wait_timeout(Duration::from_millis(1));
/// }
/// job.why_blocked().iter().for_each(|blockage| println!("{blockage}"));
/// job.stop(Duration::from_secs(10));
/// let report = job.wait()?;
/// assert_eq!(report.records_in, numbers.take().len() as u64);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping the handle cancels the job; call wait()"]
pub struct JobHandle {
    pub(crate) job: Arc<Job>,
}

impl JobHandle {
    /// Waits for the job to end. Not for one of its own functions to call: it would wait for itself.
    ///
    /// # Errors
    /// If it failed. A job that was cancelled has not failed: it reports how far it came.
    ///
    /// # Panics
    /// If the control thread itself panicked, which is a bug.
    pub fn wait(self) -> Result<JobReport, JobError> {
        self.job.join();
        match mem::replace(&mut *lock(&self.job.outcome), Outcome::Given) {
            Outcome::Known(outcome) => outcome,
            Outcome::Open | Outcome::Given => unreachable!("a job ends once, and there is one handle to ask"),
        }
    }

    /// Waits for the job to end, but no longer than this; true if it has.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        self.job.wait_ended(timeout)
    }

    /// Asks the job to stop as if its input had ended: what was read is worked off, open windows fire. If that takes
    /// longer than `deadline`, the job is cancelled. Returns at once.
    pub fn stop(&self, deadline: Duration) {
        self.job.stop(deadline);
    }

    /// Asks the job to drop everything and end. Results that have reached their sink's task are still written. A job that has nothing
    /// left to drop by then has finished.
    pub fn cancel(&self) {
        self.job.cancel();
    }

    /// The number of the job in this process, which its threads are named after.
    pub fn number(&self) -> u64 {
        self.job.number
    }

    /// Where the job is in its life.
    pub fn status(&self) -> JobStatus {
        self.job.watch.status()
    }

    /// The number of records that sources have read so far.
    pub fn records_in(&self) -> u64 {
        self.job.watch.counts().records_in
    }

    /// What the job has done so far.
    ///
    /// # Cost
    /// Some loads for each task and edge. Data threads notice nothing of it.
    pub fn report(&self) -> JobReport {
        self.job.watch.report()
    }

    /// How the job is laid out, and how much has passed where so far.
    ///
    /// # Cost
    /// As for [`report`](Self::report).
    pub fn explain(&self) -> Explanation {
        self.job.watch.explain()
    }

    /// Has all operators work in this tier from their next step on: [`Tier::Fused`], or else each by itself. A task that is cut
    /// in two is not fused.
    ///
    /// # Errors
    /// If the job's tasks stay as they are.
    pub fn run_as(&self, tier: Tier) -> Result<(), ChangeError> {
        let fused = tier == Tier::Fused;
        self.job.watch.order_all(if fused { Manner::FUSED } else { Manner::STEPWISE })
    }

    /// Cuts a task in two: the operator of this [name](crate::Stream::named), and all that follows it in its task, goes on
    /// on another worker, with its state. The worker does so before its next step; no record is lost, repeated or
    /// overtaken. Nothing happens if the task is just being put together, or about to end.
    ///
    /// # Errors
    /// If the job's tasks stay as they are, or there is no such operator or worker.
    ///
    /// # Cost
    /// The memory of an edge. Both parts then work operator by operator.
    pub fn cut_before(&self, operator: &str, worker: usize) -> Result<(), ChangeError> {
        self.job.watch.order_cut(operator, worker)
    }

    /// Puts together again what was cut in two. While a part comes back, nothing goes into its task.
    ///
    /// # Errors
    /// If the job's tasks stay as they are.
    pub fn rejoin(&self) -> Result<(), ChangeError> {
        self.job.watch.order_rejoin()
    }

    /// Has the job keep the plan that it has, or is making, even if its rate comes to change: with
    /// [`Tier::Auto`](crate::Tier::Auto) it is otherwise planned again then. With any other tier it is not planned in the first
    /// place.
    pub fn keep_plan(&self) {
        self.job.watch.keeps_plan.raise();
    }

    /// What keeps the job from going on at full speed at the moment: the edges that are full, the inputs that hold back
    /// a watermark, the operators that hold their thread. Nothing, if all is well. Each can be shown as a line of text.
    pub fn why_blocked(&self) -> Vec<Blockage> {
        self.job.watch.blockages()
    }
}

impl Drop for JobHandle {
    fn drop(&mut self) {
        if matches!(*lock(&self.job.outcome), Outcome::Given) {
            return;
        }
        self.cancel();
        if !worker::is_one_of(self.job.number) {
            self.job.join();
        }
    }
}
