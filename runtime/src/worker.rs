//! A data thread: pinned to a core, it runs its tasks in turn until none is left.

use std::{
    any::Any,
    cell::Cell,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use core_affinity::CoreId;
use nacreous_channels::idle::{Idle, Strategy};

mod switches;

use switches::Switches;

use crate::{
    control::{Event, Exit, Mailbox, Watch, nanos},
    downstream::{Halt, Manner},
    job::Failure,
    meter::WorkerMeter,
    operator_name::take_culprit,
    placement::may_spin,
    plan::{PlannedTask, PlannedWorker},
    task::Progress,
};

/// What a worker needs to start.
pub(crate) struct Deployment {
    pub(crate) job: u64,
    /// Which worker of the job it is.
    pub(crate) index: usize,
    pub(crate) worker: PlannedWorker,
    pub(crate) thread: String,
    pub(crate) core: Option<CoreId>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) mailbox: Mailbox,
}

/// The body of a data thread.
pub(crate) fn run(deployment: Deployment) {
    let Deployment { job, index, worker, thread, core, watch, mailbox } = deployment;
    let mut said_whatever_happens = ExitNotice { mailbox: mailbox.clone(), exit: Exit::Done };
    JOB.set(Some(job));
    if let Some(core) = core {
        // Not being pinned costs speed, not correctness; a container may forbid it.
        let _ = core_affinity::set_for_current(core);
    }
    let PlannedWorker { tasks, parker, meter } = worker;
    let worker = Worker { index, thread, mailbox, meter, watch };
    let tasks = tasks.into_iter().map(|planned| worker.settle_in(planned)).collect();
    said_whatever_happens.exit = worker.run_tasks(tasks, Idle::new(parker));
}

thread_local! {
    /// The job that this thread works for.
    static JOB: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Whether this is a data thread of that job.
pub(crate) fn is_one_of(job: u64) -> bool {
    JOB.get() == Some(job)
}

/// What was said with a panic. What it was said with is dropped, and may panic itself.
pub(crate) fn message_of(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        mem::forget(another);
    }
    text.unwrap_or_else(|| "(a value that is no text)".to_owned())
}

/// Tells the control thread that the worker has ended, in whatever way.
struct ExitNotice {
    mailbox: Mailbox,
    exit: Exit,
}

impl Drop for ExitNotice {
    fn drop(&mut self) {
        self.mailbox.post(Event::Exited(self.exit));
    }
}

/// How soon a worker looks again for what nobody wakes it for.
const UNPROMPTED: Duration = Duration::from_millis(1);

struct Worker {
    index: usize,
    thread: String,
    mailbox: Mailbox,
    meter: Arc<WorkerMeter>,
    watch: Arc<Watch>,
}

/// A task on its worker.
struct Resident {
    planned: PlannedTask,
    state: State,
    /// It could not go on when it was last run.
    blocked: bool,
    /// It waits for what was cut off to come back.
    rejoining: bool,
    /// How its operators were last told to work: once all of it is there, they can.
    manner: Option<Manner>,
}

/// What a task is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    /// It takes no more input, and stays only until what it has is handed on. `sound` unless it has panicked.
    Leaving {
        sound: bool,
    },
}

impl Worker {
    /// Makes what a task has near this thread.
    fn settle_in(&self, mut planned: PlannedTask) -> Resident {
        let placed = catch_unwind(AssertUnwindSafe(|| planned.task.place()));
        let state = match placed {
            Ok(()) => State::Running,
            Err(panic) => {
                self.panicked(panic);
                State::Leaving { sound: false }
            }
        };
        Resident { planned, state, blocked: false, rejoining: false, manner: None }
    }

    fn run_tasks(&self, mut tasks: Vec<Resident>, mut idle: Idle) -> Exit {
        let mut idling = false;
        let mut switches = Switches::of(self);
        while !tasks.is_empty() || switches.may_bring_tasks() {
            if self.watch.is_cancelled() {
                // There may be none, where others might come.
                let exit = if tasks.is_empty() { Exit::Done } else { Exit::Dropped };
                tasks.drain(..).for_each(|task| self.drop_after_a_last_try(task));
                return exit;
            }
            let mut progress = Progress::None;
            if switches.obey(&mut tasks) {
                progress = Progress::Made;
            }
            let mut index = 0;
            while index < tasks.len() {
                let stepped = self.step(&mut tasks[index]);
                switches.look_at(&mut tasks[index]);
                match stepped {
                    Progress::Finished => {
                        progress = Progress::Made;
                        let task = tasks.remove(index);
                        self.let_go(task);
                    }
                    Progress::Made => {
                        progress = Progress::Made;
                        index += 1;
                    }
                    Progress::Unprompted => {
                        progress = if progress == Progress::None { Progress::Unprompted } else { progress };
                        index += 1;
                    }
                    Progress::None | Progress::Blocked => index += 1,
                }
            }
            let pauses = matches!(progress, Progress::None | Progress::Unprompted);
            if pauses != idling {
                idling = pauses;
                let now_ns = self.now_ns();
                if idling { self.meter.idle(now_ns) } else { self.meter.busy(now_ns) }
            }
            let spins = may_spin() && !tasks.is_empty();
            let strategy = if spins { Strategy::STEPPED } else { Strategy::FRUGAL };
            match progress {
                Progress::None | Progress::Blocked => idle.wait(strategy),
                Progress::Unprompted => idle.wait(Strategy { park: Some(UNPROMPTED), ..strategy }),
                Progress::Made | Progress::Finished => idle.reset(),
            }
        }
        Exit::Done
    }

    /// Runs a task once. One that cannot go on begins to leave.
    fn step(&self, task: &mut Resident) -> Progress {
        let Resident { planned: PlannedTask { task: body, meter, number }, state, blocked, .. } = task;
        self.meter.enter(*number);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let progress = match *state {
                State::Running => body.step(),
                State::Leaving { sound } => body.leave(sound),
            };
            if !matches!(progress, Ok(Progress::None | Progress::Blocked | Progress::Unprompted)) {
                meter.publish(&body.counts(), body.standing());
            }
            progress
        }));
        self.meter.leave();
        if *blocked != matches!(outcome, Ok(Ok(Progress::Blocked))) {
            *blocked = !*blocked;
            let now_ns = self.now_ns();
            if *blocked { meter.blocked(now_ns) } else { meter.unblocked(now_ns) }
        }
        match outcome {
            Ok(Ok(progress)) => progress,
            Ok(Err(halt)) => {
                if let Halt::Failed(failure) = halt {
                    self.fail(failure);
                }
                *state = State::Leaving { sound: *state != State::Leaving { sound: false } };
                Progress::Made
            }
            Err(panic) => {
                self.panicked(panic);
                let again =
                    mem::replace(state, State::Leaving { sound: false }) == State::Leaving { sound: false };
                if again { Progress::Finished } else { Progress::Made }
            }
        }
    }

    /// Drops a task that has nothing left to do; its ends of the edges close.
    fn let_go(&self, task: Resident) {
        let gone = catch_unwind(AssertUnwindSafe(|| {
            let PlannedTask { task, meter, .. } = task.planned;
            meter.publish(&task.counts(), task.standing());
            meter.finish();
            drop(task);
        }));
        if let Err(panic) = gone {
            self.panicked(panic);
        }
        if self.watch.switchboard.is_some() {
            self.mailbox.post(Event::Ended);
        }
    }

    fn drop_after_a_last_try(&self, mut task: Resident) {
        task.state = State::Leaving { sound: false };
        // Whatever comes of it, the task goes.
        let _ = self.step(&mut task);
        self.let_go(task);
    }

    fn panicked(&self, panic: Box<dyn Any + Send>) {
        let message = message_of(panic);
        self.fail(match take_culprit() {
            Some(operator) => Failure::Panicked { operator, message },
            None => Failure::Died { thread: self.thread.clone(), message },
        });
    }

    /// Says at once what went wrong: other parts of the job may have to be told.
    fn fail(&self, failure: Failure) {
        self.mailbox.post(Event::Failed(failure));
    }

    /// Nanoseconds since the job began.
    fn now_ns(&self) -> u64 {
        nanos(self.watch.began.elapsed())
    }
}
