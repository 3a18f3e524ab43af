//! A data thread: pinned to a core, it runs its tasks in turn until none is left.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
};

use core_affinity::CoreId;
use nacreous_channels::idle::Idle;

use crate::{
    control::{Event, Watch},
    downstream::Halt,
    job::Failure,
    operator_name::take_culprit,
    placement::may_spin,
    plan::PlannedTask,
    task::Progress,
};

/// What a worker needs to start.
pub(crate) struct Deployment {
    pub(crate) tasks: Vec<PlannedTask>,
    pub(crate) thread: String,
    pub(crate) core: Option<CoreId>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) events: mpsc::Sender<Event>,
}

/// The body of a data thread.
pub(crate) fn run(deployment: Deployment) {
    let Deployment { tasks, thread, core, watch, events } = deployment;
    if let Some(core) = core {
        // Not being pinned costs speed, not correctness; a container may forbid it.
        let _ = core_affinity::set_for_current(core);
    }
    let mut worker = Worker { thread, failure: None };
    worker.run_tasks(tasks, &watch);
    // The control thread is gone only if it panicked; there is nobody left to tell then.
    let _ = events.send(Event::Exited(worker.failure));
}

struct Worker {
    thread: String,
    /// The first thing that went wrong.
    failure: Option<Failure>,
}

impl Worker {
    fn run_tasks(&mut self, mut tasks: Vec<PlannedTask>, watch: &Watch) {
        let mut idle = Idle::default();
        while !tasks.is_empty() {
            if watch.cancel.is_raised() {
                tasks.drain(..).for_each(|task| self.retire(task));
                return;
            }
            let mut progress = Progress::None;
            let mut index = 0;
            while index < tasks.len() {
                match self.step(&mut tasks[index]) {
                    Some(Progress::Made) => progress = Progress::Made,
                    Some(Progress::None) => {}
                    Some(Progress::Finished) | None => {
                        progress = Progress::Made;
                        let task = tasks.remove(index);
                        self.retire(task);
                        continue;
                    }
                }
                index += 1;
            }
            match progress {
                Progress::Made | Progress::Finished => idle.reset(),
                Progress::None => idle.wait(may_spin()),
            }
        }
    }

    /// Runs a task once; `None` if it cannot go on.
    fn step(&mut self, planned: &mut PlannedTask) -> Option<Progress> {
        match catch_unwind(AssertUnwindSafe(|| planned.task.step())) {
            Ok(Ok(progress)) => {
                if progress != Progress::None {
                    planned.meter.publish(&planned.task.counts());
                }
                Some(progress)
            }
            Ok(Err(Halt::Disconnected)) => None,
            Ok(Err(Halt::Failed(failure))) => {
                self.fail(failure);
                None
            }
            Err(panic) => {
                self.panicked(panic.as_ref());
                None
            }
        }
    }

    /// Lets go of a task: whatever in it is complete is handed on, and its ends of the edges close.
    fn retire(&mut self, planned: PlannedTask) {
        let gone = catch_unwind(AssertUnwindSafe(|| {
            let PlannedTask { mut task, meter } = planned;
            task.abandon();
            meter.publish(&task.counts());
            drop(task);
        }));
        if let Err(panic) = gone {
            self.panicked(panic.as_ref());
        }
    }

    fn panicked(&mut self, panic: &(dyn Any + Send)) {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        let message = text.unwrap_or_else(|| "(a value that is no text)".to_owned());
        self.fail(match take_culprit() {
            Some(operator) => Failure::Panicked { operator, message },
            None => Failure::Died { thread: self.thread.clone(), message },
        });
    }

    fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }
}
