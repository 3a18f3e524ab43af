//! The control plane: a thread for each job that starts its workers, provides them with memory, watches them, and
//! clears up after them.

mod blockage;
mod planning;
mod stalls;

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nacreous_channels::{
    idle::{Idle, Parker, Strategy, Waker},
    published::Flag,
};

use self::{planning::Planning, stalls::StallDetector};
use crate::{
    downstream::SLOTS,
    explain::Explanation,
    job::{Failure, Job, JobError, Tier},
    latency::{self, Collector, LatencyReport},
    lifecycle::{JobStatus, Lifecycle},
    meter::Counts,
    placement::Placement,
    plan::{Plan, PlannedWorker},
    planner,
    provisions::Provide,
    report::{Blockage, Decision, EdgeReport, JobReport, Stall, TaskReport, WorkerReport},
    survey::{EdgeId, Layout},
    switching::Switchboard,
    worker::{self, Deployment},
};

/// What the control thread reacts to.
#[derive(Debug)]
pub(crate) enum Event {
    /// Sources have been asked to stop. What they have read is to be worked off by then.
    Stop(Option<Instant>),
    /// Something went wrong in a worker, which goes on with its other tasks.
    Failed(Failure),
    /// A worker has ended.
    Exited(Exit),
    /// There is a task more than before.
    Began,
    /// There is one less. Said only where tasks change while the job runs.
    Ended,
}

/// How a worker has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It had no tasks left, or has failed.
    Done,
    /// It has dropped its tasks, as the job was cancelled.
    Dropped,
}

/// Where events are left for the control thread of a job.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox {
    events: mpsc::Sender<Event>,
    control: Waker,
}

impl Mailbox {
    /// Has the control thread react, if it still does: a job that has ended has nothing left to react with.
    pub(crate) fn post(&self, event: Event) {
        let _ = self.events.send(event);
        self.control.wake();
    }
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
    requests: Arc<Requests>,
    /// Of all workers.
    wakers: Arc<[Waker]>,
    pub(crate) began: Instant,
    lifecycle: Lifecycle,
    layout: Mutex<Layout>,
    /// Where workers are given orders, if tasks change while the job runs.
    pub(crate) switchboard: Option<Switchboard>,
    /// The job is not to be planned again.
    pub(crate) keeps_plan: Flag,
    pub(crate) tier: Tier,
    pub(crate) batch: usize,
    /// What only the control thread writes, and those who ask for a report read.
    seen: Mutex<Seen>,
}

/// What the control thread has noticed.
#[derive(Debug, Default)]
struct Seen {
    /// When the last data thread ended.
    ended: Option<Duration>,
    cores: Vec<Option<usize>>,
    stalls: Vec<Stall>,
    /// What was decided about the layout.
    decisions: Vec<Decision>,
    /// How long records took to each sink.
    latencies: Vec<LatencyReport>,
    /// The steps of each task and where its watermark stood, when it was last looked at.
    sampled: Vec<blockage::Sample>,
}

/// Nanoseconds; 584 years at the most.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Watch {
    pub(crate) fn status(&self) -> JobStatus {
        self.lifecycle.status()
    }

    /// Has sources behave as if their input had ended.
    ///
    /// Whoever asks for something tells the workers itself. By way of the control thread it would take longer: that one may have
    /// to wait for a core, as long as the workers keep theirs busy.
    pub(crate) fn ask_stop(&self) {
        self.requests.stop.raise();
        self.wake_all();
    }

    /// Has workers drop everything.
    pub(crate) fn ask_cancel(&self) {
        self.requests.cancel.raise();
        self.wake_all();
    }

    /// Has sources read no more, and end without an end.
    fn ask_fail(&self) {
        self.requests.fail.raise();
        self.wake_all();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.requests.cancel.is_raised()
    }

    /// Has each worker look at what it is asked to do.
    fn wake_all(&self) {
        self.wakers.iter().for_each(Waker::wake);
    }

    /// The sum of what all tasks have published.
    pub(crate) fn counts(&self) -> Counts {
        counts_of(&self.layout())
    }

    pub(crate) fn report(&self) -> JobReport {
        let layout = self.layout();
        let seen = self.seen();
        let elapsed = seen.ended.unwrap_or_else(|| self.began.elapsed());
        let Counts { records_in, rejected, tally } = counts_of(&layout);
        JobReport {
            records_in,
            records_added: tally.added,
            records_on_time: tally.on_time,
            records_late: tally.late,
            records_refused: tally.refused,
            records_rejected: rejected + tally.rejected,
            records_filtered: tally.filtered,
            results: tally.results,
            held: tally.held,
            missed_windows: tally.missed_windows,
            elapsed,
            workers: worker_reports(&layout, &seen, nanos(elapsed)),
            tasks: task_reports(&layout, nanos(elapsed)),
            edges: edge_reports(&layout),
            decisions: seen.decisions.clone(),
            stalls: seen.stalls.clone(),
            latencies: seen.latencies.clone(),
        }
    }

    pub(crate) fn explain(&self) -> Explanation {
        let layout = self.layout();
        let seen = self.seen();
        let cores = &seen.cores;
        let cores = (0..layout.workers.len()).map(|worker| cores.get(worker).copied().flatten());
        Explanation::of(&layout, cores.collect(), seen.decisions.clone())
    }

    /// What keeps the job from going on at full speed at the moment.
    pub(crate) fn blockages(&self) -> Vec<Blockage> {
        let layout = self.layout();
        let seen = self.seen();
        blockage::find(&layout, &seen.sampled, &seen.stalls)
    }

    /// What there is at the moment. Take it before [`seen`](Self::seen), if both are needed.
    pub(crate) fn layout(&self) -> MutexGuard<'_, Layout> {
        self.layout.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sum of what all tasks have published.
fn counts_of(layout: &Layout) -> Counts {
    let mut counts = Counts::default();
    layout.tasks.iter().for_each(|task| counts += task.meter.counts());
    counts
}

fn worker_reports(layout: &Layout, seen: &Seen, now_ns: u64) -> Vec<WorkerReport> {
    let report = |(number, site): (usize, &crate::survey::WorkerSite)| WorkerReport {
        core: seen.cores.get(number).copied().flatten(),
        idle: Duration::from_nanos(site.meter.idle_ns(now_ns)),
    };
    layout.workers.iter().enumerate().map(report).collect()
}

fn task_reports(layout: &Layout, now_ns: u64) -> Vec<TaskReport> {
    let traffic = |edge: &EdgeId| &layout.edges[edge.0].meter;
    let tasks = layout.tasks.iter().filter(|site| !site.is_back).map(|site| {
        let Counts { records_in, rejected, tally } = site.meter.counts();
        let inputs = || site.survey.inputs.iter().map(traffic);
        let outputs = || site.survey.outputs.iter().map(|(edge, _)| traffic(edge));
        TaskReport {
            operators: site.survey.operators.clone(),
            worker: site.instance.worker,
            instance: site.instance.number,
            records_in: records_in + inputs().map(|edge| edge.received().records()).sum::<u64>(),
            batches_in: inputs().map(|edge| edge.received().batches()).sum(),
            records_out: outputs().map(|edge| edge.sent().records()).sum(),
            batches_out: outputs().map(|edge| edge.sent().batches()).sum(),
            records_late: tally.late,
            held: tally.held,
            records_rejected: rejected + tally.rejected,
            results: tally.results,
            blocked: Duration::from_nanos(site.meter.blocked_ns(now_ns)),
            watermark: site.meter.standing().watermark,
            finished: site.meter.is_finished(),
        }
    });
    tasks.collect()
}

fn edge_reports(layout: &Layout) -> Vec<EdgeReport> {
    let ends = layout.ends();
    let reports = layout.edges.iter().zip(ends).filter_map(|(site, (from, to))| {
        let (from, to) = (from?, to?);
        let occupancy = usize::try_from(site.meter.occupancy()).unwrap_or(usize::MAX).min(SLOTS);
        Some(EdgeReport {
            from,
            to,
            records_in: site.meter.sent().records(),
            batches_in: site.meter.sent().batches(),
            records_out: site.meter.received().records(),
            batches_out: site.meter.received().batches(),
            occupancy,
            capacity: SLOTS,
        })
    });
    reports.collect()
}

/// Starts a job: hands the plan to a control thread of its own.
pub(crate) fn start(mut plan: Plan, stall_limit: Duration) -> Result<Arc<Job>, Failure> {
    let (events, inbox) = mpsc::channel();
    let mailbox = Mailbox { events, control: plan.control.waker() };
    let watch = Arc::new(Watch {
        requests: Arc::clone(&plan.requests),
        wakers: Arc::clone(&plan.wakers),
        began: Instant::now(),
        lifecycle: Lifecycle::new(),
        layout: Mutex::new(mem::take(&mut plan.layout)),
        switchboard: plan.tier.moves_tasks().then(|| Switchboard::new(&plan.wakers)),
        keeps_plan: Flag::new(),
        tier: plan.tier,
        batch: plan.batch,
        seen: Mutex::default(),
    });
    let job = Arc::new(Job::new(plan.job, mailbox.clone(), Arc::clone(&watch)));
    let name = format!("nl{}-control", plan.job);
    let spawned = thread::Builder::new().name(name.clone()).spawn({
        let job = Arc::clone(&job);
        move || {
            let control = Control::new(&mut plan, watch, stall_limit);
            job.conclude(control.run(plan, &mailbox, &inbox));
        }
    });
    job.is_controlled_by(spawned.map_err(|error| Failure::Thread { thread: name, error })?);
    Ok(job)
}

/// The control thread's own view of its job.
struct Control {
    job: u64,
    watch: Arc<Watch>,
    /// The first thing that went wrong.
    failure: Option<Failure>,
    /// A worker has dropped what it had left to do.
    cancelled: bool,
    threads: Vec<JoinHandle<()>>,
    providers: Vec<Box<dyn Provide>>,
    stalls: StallDetector,
    /// Where it is noted how long records take, and when it is to be asked for next.
    collectors: Vec<Collector>,
    collect_at: Instant,
    /// When a job that is draining is to be cancelled.
    drain_until: Option<Instant>,
    /// How many there are, where they change while the job runs.
    tasks: usize,
    /// What is done to make the job faster.
    planning: Option<Planning>,
}

impl Control {
    fn new(plan: &mut Plan, watch: Arc<Watch>, stall_limit: Duration) -> Self {
        watch.seen().latencies = plan.collectors.iter().map(Collector::begin).collect();
        Self {
            job: plan.job,
            watch,
            failure: None,
            cancelled: false,
            threads: Vec::new(),
            providers: mem::take(&mut plan.providers),
            stalls: StallDetector::new(stall_limit),
            collectors: mem::take(&mut plan.collectors),
            collect_at: Instant::now(),
            drain_until: None,
            tasks: plan.workers.iter().map(|worker| worker.tasks.len()).sum(),
            planning: None,
        }
    }

    fn run(
        mut self,
        plan: Plan,
        mailbox: &Mailbox,
        inbox: &mpsc::Receiver<Event>,
    ) -> Result<JobReport, JobError> {
        self.watch.lifecycle.enter(JobStatus::Deploying);
        let Plan { workers, control, .. } = plan;
        let placement = Placement::of(workers.len());
        placement.settle_control();
        self.watch.seen().cores =
            (0..workers.len()).map(|worker| placement.core(worker).map(|core| core.id)).collect();
        if self.watch.tier == Tier::Auto && workers.len() > 1 {
            // Before there are threads that would be in the way.
            planner::hop_ns();
        }
        self.deploy(workers, &placement, mailbox);
        self.planning = (self.watch.tier == Tier::Auto).then(|| Planning::new(&self.watch));
        self.watch.lifecycle.enter(JobStatus::Running);
        self.attend(control, inbox);
        self.tear_down();
        drop(placement);
        self.conclude()
    }

    /// Starts a thread for each worker.
    fn deploy(&mut self, workers: Vec<PlannedWorker>, placement: &Placement, mailbox: &Mailbox) {
        for (index, worker) in workers.into_iter().enumerate() {
            let thread = format!("nl{}-w{index}", self.job);
            let deployment = Deployment {
                job: self.job,
                index,
                worker,
                thread: thread.clone(),
                core: placement.core(index),
                watch: Arc::clone(&self.watch),
                mailbox: mailbox.clone(),
            };
            match thread::Builder::new().name(thread.clone()).spawn(move || worker::run(deployment)) {
                Ok(handle) => self.threads.push(handle),
                Err(error) => {
                    self.fail(Failure::Thread { thread, error });
                    self.watch.ask_cancel();
                    break;
                }
            }
        }
    }

    /// Reacts to what happens until all workers have ended.
    fn attend(&mut self, parker: Parker, inbox: &mpsc::Receiver<Event>) {
        let mut idle = Idle::new(parker);
        let mut running = self.threads.len();
        loop {
            while let Ok(event) = inbox.try_recv() {
                match event {
                    Event::Stop(until) => self.drain(until),
                    Event::Failed(failure) => self.fail(failure),
                    Event::Exited(exit) => {
                        running -= 1;
                        self.cancelled |= exit == Exit::Dropped;
                        self.miss_worker();
                    }
                    Event::Began => self.tasks += 1,
                    Event::Ended => self.task_ended(),
                }
                idle.reset();
            }
            if running == 0 {
                return;
            }
            self.providers.iter_mut().for_each(|provider| provider.serve());
            self.look_round();
            idle.wait(Strategy { spins: 0, yields: 0, park: Some(self.nap()) });
        }
    }

    /// Does what is due by the clock.
    fn look_round(&mut self) {
        let now = Instant::now();
        if let (Some(planning), Some(board)) = (&mut self.planning, &self.watch.switchboard)
            && self.watch.status() == JobStatus::Running
        {
            planning.look(now, &self.watch, board);
        }
        if self.drain_until.is_some_and(|until| until <= now) {
            self.drain_until = None;
            self.watch.ask_cancel();
        }
        if self.stalls.is_due(now) {
            let layout = self.watch.layout();
            let mut seen = self.watch.seen();
            self.stalls.look(now, &layout, &mut seen.stalls);
            blockage::sample(&layout, &mut seen.sampled);
        }
        if !self.collectors.is_empty() && self.collect_at <= now {
            self.collect();
            self.collect_at = now + latency::EVERY;
        }
    }

    /// Takes up what has been noted of how long records take.
    fn collect(&mut self) {
        let mut seen = self.watch.seen();
        self.collectors
            .iter_mut()
            .zip(&mut seen.latencies)
            .for_each(|(collector, report)| collector.collect(report));
    }

    /// A task has ended. With the last one, workers may go: until then, each may be given another's.
    fn task_ended(&mut self) {
        self.tasks -= 1;
        if self.tasks == 0 {
            self.watch.switchboard.iter().for_each(Switchboard::close);
            self.watch.wake_all();
        }
    }

    /// A worker has ended. If there were tasks left for it to be given, they would wait for ever.
    fn miss_worker(&mut self) {
        if self.watch.switchboard.is_some() && self.tasks > 0 {
            self.watch.ask_cancel();
        }
    }

    /// How long nothing needs to be looked at.
    fn nap(&self) -> Duration {
        let look = self.stalls.next_look();
        let wake = self.drain_until.map_or(look, |until| until.min(look));
        let wake = self.planning.as_ref().map_or(wake, |planning| planning.due().min(wake));
        let wake = if self.collectors.is_empty() { wake } else { self.collect_at.min(wake) };
        wake.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
    }

    fn drain(&mut self, until: Option<Instant>) {
        if self.watch.status() == JobStatus::Running {
            self.watch.lifecycle.enter(JobStatus::Draining);
        }
        self.drain_until = match (self.drain_until, until) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
        self.watch.ask_fail();
    }

    fn tear_down(&mut self) {
        for thread in mem::take(&mut self.threads) {
            let thread_name = thread.thread().name().unwrap_or_default().to_owned();
            if let Err(panic) = thread.join() {
                self.fail(Failure::Died { thread: thread_name, message: worker::message_of(panic) });
            }
        }
        self.collect();
        let layout = self.watch.layout();
        let mut seen = self.watch.seen();
        seen.ended = Some(self.watch.began.elapsed());
        // Nobody holds a thread any more.
        self.stalls.look(Instant::now(), &layout, &mut seen.stalls);
    }

    fn conclude(self) -> Result<JobReport, JobError> {
        let report = self.watch.report();
        // Not whether that was asked for: it may have been too late for it. A task may have been on its way from worker to worker.
        let cancelled = self.cancelled || self.watch.switchboard.is_some() && self.tasks > 0;
        let unbalanced = || imbalance(&report).or_else(|| loss(&report)).filter(|_| !cancelled);
        let failure = self.failure.or_else(unbalanced);
        self.watch.lifecycle.enter(match (&failure, cancelled) {
            (Some(_), _) => JobStatus::Failed,
            (None, true) => JobStatus::Cancelled,
            (None, false) => JobStatus::Finished,
        });
        failure.map_or(Ok(report.clone()), |failure| Err(JobError { failure, report: Box::new(report) }))
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

/// The failure to say so if an edge did not hand on every record that it was given.
fn loss(report: &JobReport) -> Option<Failure> {
    let edge = report.edges.iter().find(|edge| edge.records_in != edge.records_out)?;
    let EdgeReport { from, to, records_in: given, records_out: taken, .. } = *edge;
    Some(Failure::Lost { from, to, given, taken })
}

#[cfg(test)]
mod tests;
