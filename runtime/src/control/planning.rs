//! Planning a job while it runs: what its operators take is measured on its own stream, then changes that promise to make it
//! faster are tried, and kept if they do.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::Watch;
use crate::{
    downstream::Manner,
    job::ChangeError,
    meter::CostMeter,
    plan::Instance,
    planner::{self, Load, Promise, Step},
    report::Decision,
    survey::{Layout, TaskSite},
    switching::{Order, Switchboard},
};

/// For how long the rate of a job is measured.
const WINDOW: Duration = Duration::from_millis(50);
/// How long a change takes to show, before that.
const SETTLING: Duration = Duration::from_millis(10);
/// How often both tiers are measured: the best of each counts, as a machine that is busy with something else for a while makes
/// any of them look slow.
const COMPARED: u32 = 3;
/// How often a settled job is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// A job of fewer records in a window has nothing to gain.
const RECORDS_MIN: u64 = 4_096;
/// A job whose busiest worker has more time to spare than that is not held up by any.
const BUSY_MIN: f64 = 0.7;
/// A change that makes the job faster by less than this is taken back.
const KEPT_FROM: f64 = 1.05;
/// A settled job is planned again when its rate has changed by this factor, one way or the other.
const DRIFT: f64 = 1.5;
/// How often it is planned again at the most.
const PLANS_MAX: usize = 8;
/// How many changes are tried for each plan at the most.
const TRIALS_MAX: usize = 12;

/// How far planning has come.
pub(super) struct Planning {
    phase: Phase,
    /// When the phase is over.
    due: Instant,
    /// Where its measuring began, if it has.
    from: Option<Sample>,
    hop_ns: f64,
    /// How often both tiers have been measured, one after the other.
    compared: u32,
    /// Records a second, with each operator by itself.
    stepwise: f64,
    /// Records a second, as the job is laid out now.
    rate: f64,
    /// Changes that are still to be tried.
    promises: Vec<Promise>,
    /// What had been timed before this plan, by operator.
    known: Costs,
    trials: usize,
    plans: usize,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Operators are timed, each by itself.
    Timing,
    /// Each runs by itself, untimed.
    Stepwise,
    /// All run in one loop.
    Fused,
    /// A change is tried.
    Trying(Promise),
    /// A change that was tried is taken back.
    TakingBack,
    /// All is as good as is known.
    Settled,
}

impl Watch {
    fn board(&self) -> Result<&Switchboard, ChangeError> {
        self.switchboard.as_ref().ok_or(ChangeError::Fixed)
    }

    /// Has all tasks work in this manner.
    pub(crate) fn order_all(&self, manner: Manner) -> Result<(), ChangeError> {
        order_all(&self.layout(), self.board()?, manner);
        Ok(())
    }

    /// Has a task cut before the operator with this label.
    pub(crate) fn order_cut(&self, operator: &str, to: usize) -> Result<(), ChangeError> {
        let (board, layout) = (self.board()?, self.layout());
        let workers = layout.workers.len();
        if to >= workers {
            return Err(ChangeError::NoWorker { worker: to, workers });
        }
        let joint = |(task, site): (usize, &TaskSite)| {
            let survey = &site.survey;
            let position = survey.operators.iter().position(|name| name.label() == Some(operator))?;
            let at = survey.joints.iter().position(|joint| *joint == position)?;
            Some((task, at, site.instance.worker))
        };
        let Some((task, at, worker)) = running(&layout).find_map(joint) else {
            return Err(ChangeError::NoOperator { operator: operator.to_owned() });
        };
        board.leave(worker, Order::Cut { task, at, to });
        Ok(())
    }

    /// Has all tasks put together.
    pub(crate) fn order_rejoin(&self) -> Result<(), ChangeError> {
        recall_all(&self.layout(), self.board()?);
        Ok(())
    }
}

/// What a job had done at some moment.
struct Sample {
    at: Instant,
    records: u64,
    /// For how long each worker had been idle, in nanoseconds.
    idle_ns: Vec<u64>,
}

/// What a job did between two moments.
struct Pace {
    records: u64,
    /// Records a second.
    rate: f64,
    /// The share of the time for which the busiest worker was busy.
    busy: f64,
}

impl Sample {
    fn take(watch: &Watch, layout: &Layout, at: Instant) -> Self {
        let now_ns = super::nanos(at.saturating_duration_since(watch.began));
        let idle_ns = layout.workers.iter().map(|site| site.meter.idle_ns(now_ns)).collect();
        Self { at, records: super::counts_of(layout).records_in, idle_ns }
    }

    #[expect(clippy::cast_precision_loss, reason = "rates are rounded by nature")]
    fn until(&self, later: &Self) -> Pace {
        let time = later.at.saturating_duration_since(self.at);
        let idle = self.idle_ns.iter().zip(&later.idle_ns).map(|(from, to)| to.saturating_sub(*from)).min();
        let records = later.records.saturating_sub(self.records);
        let idle = idle.unwrap_or(0) as f64 / (time.as_nanos() as f64).max(1.0);
        Pace { records, rate: records as f64 / time.as_secs_f64().max(1e-9), busy: 1.0 - idle.min(1.0) }
    }
}

impl Planning {
    /// Begins with a job whose operators are timed from the start.
    pub(super) fn new(watch: &Watch) -> Self {
        let now = Instant::now();
        let workers = watch.layout().workers.len();
        Self {
            phase: Phase::Timing,
            due: now + WINDOW,
            from: Some(Sample::take(watch, &watch.layout(), now)),
            // With one worker nothing goes to another.
            hop_ns: if workers > 1 { planner::hop_ns() } else { 0.0 },
            compared: 0,
            stepwise: 0.0,
            rate: 0.0,
            promises: Vec::new(),
            known: Costs::default(),
            trials: 0,
            plans: 1,
        }
    }

    /// When it is to be looked at again.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Does what is due.
    pub(super) fn look(&mut self, now: Instant, watch: &Watch, board: &Switchboard) {
        if now < self.due {
            return;
        }
        if let Phase::TakingBack = self.phase {
            return self.try_next(now, watch, board);
        }
        let sample = Sample::take(watch, &watch.layout(), now);
        let Some(from) = self.from.take() else {
            // The last change has come to show.
            (self.from, self.due) = (Some(sample), now + WINDOW);
            return;
        };
        let pace = from.until(&sample);
        match self.phase {
            Phase::Timing | Phase::Stepwise | Phase::Fused if pace.records < RECORDS_MIN => {
                // There is not enough to go by yet.
                (self.from, self.due) = (Some(from), now + WINDOW);
            }
            Phase::Timing => self.run(Manner::STEPWISE, Phase::Stepwise, now, watch, board),
            Phase::Stepwise => {
                self.stepwise = self.stepwise.max(pace.rate);
                self.run(Manner::FUSED, Phase::Fused, now, watch, board);
            }
            Phase::Fused => {
                self.rate = self.rate.max(pace.rate);
                self.compared += 1;
                if self.compared < COMPARED {
                    return self.run(Manner::STEPWISE, Phase::Stepwise, now, watch, board);
                }
                let decision = Decision {
                    at: now.saturating_duration_since(watch.began),
                    change: "operators in one loop, instead of each by itself".to_owned(),
                    promised_percent: None,
                    found_percent: percent(self.rate / self.stepwise),
                    kept: self.rate >= self.stepwise,
                };
                if !decision.kept {
                    self.rate = self.stepwise;
                    order_all(&watch.layout(), board, Manner::STEPWISE);
                }
                watch.seen().decisions.push(decision);
                if pace.busy < BUSY_MIN {
                    return self.settle(now, sample);
                }
                self.plan(watch);
                self.try_next(now, watch, board);
            }
            Phase::Trying(promise) if !has_happened(promise.step, &watch.layout()) => {
                // The task was about to end, or to change in another way.
                self.try_next(now, watch, board);
            }
            Phase::Trying(promise) => {
                let found = pace.rate / self.rate;
                let kept = found >= KEPT_FROM;
                let decision = Decision {
                    at: now.saturating_duration_since(watch.began),
                    change: describe(promise.step, &watch.layout()),
                    promised_percent: Some(percent(promise.gain)),
                    found_percent: percent(found),
                    kept,
                };
                watch.seen().decisions.push(decision);
                if kept {
                    self.rate = pace.rate;
                    self.plan(watch);
                    self.try_next(now, watch, board);
                } else {
                    take_back(promise.step, &watch.layout(), board);
                    self.enter(Phase::TakingBack, now);
                }
            }
            Phase::TakingBack => {}
            Phase::Settled => {
                let drift = pace.rate / self.rate.max(1.0);
                let changed = !(1.0 / DRIFT..DRIFT).contains(&drift);
                let may_plan = self.plans < PLANS_MAX && !watch.keeps_plan.is_raised();
                if changed && pace.busy >= BUSY_MIN && may_plan {
                    self.plans += 1;
                    (self.trials, self.compared, self.stepwise, self.rate) = (0, 0, 0.0, 0.0);
                    self.known = costs_of(&watch.layout());
                    recall_all(&watch.layout(), board);
                    self.run(Manner::TIMED, Phase::Timing, now, watch, board);
                } else {
                    self.settle(now, sample);
                }
            }
        }
    }

    /// Looks again later.
    fn settle(&mut self, now: Instant, sample: Sample) {
        self.phase = Phase::Settled;
        self.from = Some(sample);
        self.due = now + LOOK_AGAIN;
    }

    /// Something was ordered that takes a while to show.
    fn enter(&mut self, phase: Phase, now: Instant) {
        (self.phase, self.from, self.due) = (phase, None, now + SETTLING);
    }

    fn run(&mut self, manner: Manner, phase: Phase, now: Instant, watch: &Watch, board: &Switchboard) {
        order_all(&watch.layout(), board, manner);
        self.enter(phase, now);
    }

    /// Works out what promises to help.
    fn plan(&mut self, watch: &Watch) {
        let layout = watch.layout();
        let ratio = self.stepwise / self.rate.max(1.0);
        let loads: Vec<_> =
            running(&layout).map(|(number, site)| load_of(number, site, ratio, &self.known)).collect();
        self.promises = planner::promises(&loads, layout.workers.len(), self.hop_ns);
        // The best is tried first.
        self.promises.truncate(3);
        self.promises.reverse();
    }

    fn try_next(&mut self, now: Instant, watch: &Watch, board: &Switchboard) {
        let next = if self.trials < TRIALS_MAX { self.promises.pop() } else { None };
        let Some(promise) = next else {
            let sample = Sample::take(watch, &watch.layout(), now);
            return self.settle(now, sample);
        };
        self.trials += 1;
        let layout = watch.layout();
        let (task, order) = match promise.step {
            Step::Cut { task, at, to } => (task, Order::Cut { task, at, to }),
            Step::Move { task, to, .. } => (task, Order::Move { task, to }),
        };
        board.leave(layout.tasks[task].instance.worker, order);
        drop(layout);
        self.enter(Phase::Trying(promise), now);
    }
}

/// Records timed and the nanoseconds they took, by the place of an operator's cell.
type Costs = HashMap<usize, (u64, u64)>;

/// A cell is where it is for the life of the job, whichever task its operator is in.
fn key_of(cost: &Arc<CostMeter>) -> usize {
    Arc::as_ptr(cost).addr()
}

fn costs_of(layout: &Layout) -> Costs {
    let cells = layout.tasks.iter().flat_map(|site| site.survey.costs.iter().flatten());
    cells.map(|cost| (key_of(cost), cost.get())).collect()
}

/// The tasks that there are at the moment.
fn running(layout: &Layout) -> impl Iterator<Item = (usize, &TaskSite)> {
    layout.tasks.iter().enumerate().filter(|(_, site)| !site.is_back && !site.meter.is_finished())
}

fn order_all(layout: &Layout, board: &Switchboard, manner: Manner) {
    for (task, site) in running(layout) {
        board.leave(site.instance.worker, Order::GoOn { task, manner });
    }
}

fn recall_all(layout: &Layout, board: &Switchboard) {
    for (task, site) in running(layout).filter(|(_, site)| !site.survey.is_whole()) {
        board.leave(site.instance.worker, Order::Recall { task });
    }
}

/// Whether a step has been carried out.
fn has_happened(step: Step, layout: &Layout) -> bool {
    match step {
        Step::Cut { task, .. } => tail_of(task, layout).is_some(),
        Step::Move { task, to, .. } => layout.tasks[task].instance.worker == to,
    }
}

/// What was cut off a task, and has not come back.
fn tail_of(task: usize, layout: &Layout) -> Option<&TaskSite> {
    layout.tasks.iter().find(|site| site.cut_from == Some(task) && !site.is_back)
}

fn take_back(step: Step, layout: &Layout, board: &Switchboard) {
    match step {
        Step::Cut { task, .. } => board.leave(layout.tasks[task].instance.worker, Order::Recall { task }),
        Step::Move { task, from, to } => board.leave(to, Order::Move { task, to: from }),
    }
}

#[expect(clippy::cast_precision_loss, reason = "what is measured is not that precise")]
fn load_of(task: usize, site: &TaskSite, ratio: f64, known: &Costs) -> Load {
    let survey = &site.survey;
    let cost = |position: usize| {
        let cost = survey.costs[position].as_ref()?;
        let ((records, ns), (before, ns_before)) =
            (cost.get(), known.get(&key_of(cost)).copied().unwrap_or_default());
        Some((records - before, ns - ns_before))
    };
    let ends = survey.joints.iter().copied().chain([survey.operators.len()]);
    let begins = [0].into_iter().chain(survey.joints.iter().copied());
    let took =
        |(begin, end): (usize, usize)| (begin..end).filter_map(cost).map(|(_, ns)| ns as f64).sum::<f64>();
    let stretches = begins.zip(ends).map(took).collect();
    // What passes a joint is what the next operator behind it is given.
    let passed =
        |joint: &usize| (*joint..survey.operators.len()).find_map(cost).map_or(0.0, |cost| cost.0 as f64);
    let passed = survey.joints.iter().map(passed).collect();
    let is_whole = survey.is_whole();
    let ratio = if is_whole && site.cut_from.is_none() { ratio } else { 1.0 };
    let Instance { worker, is_fixed, .. } = site.instance;
    Load { task, worker, stretches, passed, ratio, is_whole, is_fixed }
}

fn describe(step: Step, layout: &Layout) -> String {
    match step {
        Step::Cut { task, to, .. } => {
            let first = tail_of(task, layout).and_then(|site| site.survey.operators.first());
            let first = first.map_or("its end", |name| name.short());
            format!("task {task} cut before {first}, which goes on on worker {to}")
        }
        Step::Move { task, from, to } => format!("task {task} from worker {from} to worker {to}"),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rounded share, not negative")]
fn percent(share: f64) -> u32 {
    (share * 100.0).round() as u32
}
