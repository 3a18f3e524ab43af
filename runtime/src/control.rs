//! The control plane: a thread for each job that starts its workers, watches them, and clears up after them.

use std::{
    mem,
    sync::{Arc, Mutex, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nacreous_channels::{
    idle::Waker,
    published::{Flag, Published},
};

use crate::{
    job::{Failure, JobError, JobHandle, JobReport, JobStatus},
    meter::{Counts, Meter},
    placement::Placement,
    plan::Plan,
    worker::{self, Deployment},
};

/// What the control thread reacts to.
#[derive(Debug)]
pub(crate) enum Event {
    /// The user wants the job to stop in good order.
    Stop,
    /// The user wants the job gone.
    Cancel,
    /// Something went wrong in a worker, which goes on with its other tasks.
    Failed(Failure),
    /// A worker has ended.
    Exited,
}

/// What a job's threads have been asked to do. Any of it holds from when it is asked until the job's end.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// Sources: behave as if your input had ended.
    pub(crate) stop: Flag,
    /// Sources: something has failed. Read no more, and end without an end.
    pub(crate) fail: Flag,
    /// Workers: drop everything.
    pub(crate) cancel: Flag,
}

/// What a job shares with those who look at it.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) requests: Arc<Requests>,
    status: Published,
    meters: Vec<Arc<Meter>>,
}

/// Every status, in the order of the numbers they are published as.
const STATUSES: [JobStatus; 6] = [
    JobStatus::Deploying,
    JobStatus::Running,
    JobStatus::Draining,
    JobStatus::Finished,
    JobStatus::Cancelled,
    JobStatus::Failed,
];

impl Watch {
    fn new(requests: Arc<Requests>, meters: Vec<Arc<Meter>>) -> Self {
        Self { requests, status: Published::new(JobStatus::Deploying as u64), meters }
    }

    pub(crate) fn status(&self) -> JobStatus {
        let published = self.status.get();
        let found = STATUSES.into_iter().find(|status| *status as u64 == published);
        found.expect("only statuses are published")
    }

    fn enter(&self, status: JobStatus) {
        self.status.set(status as u64);
    }

    /// The sum of what all tasks have published.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.meters.iter().for_each(|meter| counts += meter.sample());
        counts
    }
}

/// Starts a job: hands the plan to a control thread of its own.
pub(crate) fn start(plan: Plan) -> Result<JobHandle, Failure> {
    let (events, inbox) = mpsc::channel();
    let (ended, running) = mpsc::channel();
    let meters = plan
        .workers
        .iter()
        .flat_map(|worker| &worker.tasks)
        .map(|planned| Arc::clone(&planned.meter))
        .collect();
    let watch = Arc::new(Watch::new(Arc::clone(&plan.requests), meters));
    let job = plan.job;
    let name = format!("nl{job}-control");
    let spawned = thread::Builder::new().name(name.clone()).spawn({
        let (events, watch) = (events.clone(), Arc::clone(&watch));
        move || {
            let _disconnect_when_done = ended;
            let wakers = plan.workers.iter().map(|worker| worker.parker.waker()).collect();
            Control { watch, failure: None, threads: Vec::new(), wakers }.run(plan, &events, &inbox)
        }
    });
    let control = spawned.map_err(|error| Failure::Thread { thread: name, error })?;
    Ok(JobHandle { job, events, watch, control: Some(control), running: Mutex::new(running) })
}

/// The control thread's own view of its job.
struct Control {
    watch: Arc<Watch>,
    /// The first thing that went wrong.
    failure: Option<Failure>,
    threads: Vec<JoinHandle<()>>,
    /// By worker.
    wakers: Vec<Waker>,
}

impl Control {
    fn run(
        mut self,
        plan: Plan,
        events: &mpsc::Sender<Event>,
        inbox: &mpsc::Receiver<Event>,
    ) -> Result<JobReport, JobError> {
        let started = Instant::now();
        let placement = Placement::of(plan.workers.len());
        self.deploy(plan, &placement, events);
        self.watch.enter(JobStatus::Running);
        self.attend(inbox);
        self.tear_down();
        drop(placement);
        self.conclude(started.elapsed())
    }

    /// Starts a thread for each worker.
    fn deploy(&mut self, plan: Plan, placement: &Placement, events: &mpsc::Sender<Event>) {
        for (index, worker) in plan.workers.into_iter().enumerate() {
            let thread = format!("nl{}-w{index}", plan.job);
            let deployment = Deployment {
                job: plan.job,
                worker,
                thread: thread.clone(),
                core: placement.core(index),
                watch: Arc::clone(&self.watch),
                events: events.clone(),
            };
            match thread::Builder::new().name(thread.clone()).spawn(move || worker::run(deployment)) {
                Ok(handle) => self.threads.push(handle),
                Err(error) => {
                    self.fail(Failure::Thread { thread, error });
                    self.watch.requests.cancel.raise();
                    self.wake_all();
                    break;
                }
            }
        }
    }

    /// Reacts to what happens until all workers have ended.
    fn attend(&mut self, inbox: &mpsc::Receiver<Event>) {
        let mut running = self.threads.len();
        while running > 0 {
            match inbox.recv().expect("this thread holds a sender of its own inbox until all have ended") {
                Event::Stop => {
                    self.watch.enter(JobStatus::Draining);
                    self.watch.requests.stop.raise();
                }
                Event::Cancel => self.watch.requests.cancel.raise(),
                Event::Failed(failure) => self.fail(failure),
                Event::Exited => running -= 1,
            }
            self.wake_all();
        }
    }

    /// Has each worker look at what it is asked to do.
    fn wake_all(&self) {
        self.wakers.iter().for_each(Waker::wake);
    }

    fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
        self.watch.requests.fail.raise();
    }

    fn tear_down(&mut self) {
        for thread in mem::take(&mut self.threads) {
            let thread_name = thread.thread().name().unwrap_or_default().to_owned();
            if let Err(panic) = thread.join() {
                self.fail(Failure::Died { thread: thread_name, message: worker::message_of(panic) });
            }
        }
    }

    fn conclude(self, elapsed: Duration) -> Result<JobReport, JobError> {
        let report = report(self.watch.counts(), elapsed);
        let cancelled = self.watch.requests.cancel.is_raised();
        let unbalanced = || imbalance(&report).filter(|_| !cancelled);
        let failure = self.failure.or_else(unbalanced);
        self.watch.enter(match (&failure, cancelled) {
            (Some(_), _) => JobStatus::Failed,
            (None, true) => JobStatus::Cancelled,
            (None, false) => JobStatus::Finished,
        });
        failure.map_or(Ok(report), |failure| Err(JobError { failure, report: Box::new(report) }))
    }
}

fn report(counts: Counts, elapsed: Duration) -> JobReport {
    JobReport {
        records_in: counts.records_in,
        records_on_time: counts.tally.on_time,
        records_late: counts.tally.late,
        records_rejected: counts.rejected + counts.tally.rejected,
        records_added: counts.tally.added,
        records_filtered: counts.tally.filtered,
        results: counts.tally.results,
        missed_windows: counts.tally.missed_windows,
        elapsed,
    }
}

/// The failure to say so if not every record that was read has been accounted for, once.
fn imbalance(report: &JobReport) -> Option<Failure> {
    let JobReport { records_in, records_added, records_on_time, records_late, .. } = *report;
    let JobReport { records_rejected, records_filtered, .. } = *report;
    let accounted = records_on_time + records_late + records_rejected + records_filtered;
    let records = records_in + records_added;
    (records != accounted).then_some(Failure::Unbalanced { records, accounted })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_missing_or_counted_twice_is_noticed() {
        let mut counts = Counts { records_in: 10, rejected: 1, ..Counts::default() };
        (counts.tally.on_time, counts.tally.late, counts.tally.filtered) = (5, 3, 1);
        assert!(imbalance(&report(counts, Duration::ZERO)).is_none());
        for records_in in [9, 11] {
            let report = report(Counts { records_in, ..counts }, Duration::ZERO);
            assert!(matches!(imbalance(&report), Some(Failure::Unbalanced { accounted: 10, .. })));
        }
    }
}
