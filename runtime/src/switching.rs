//! Changing how a job is laid out while it runs: tasks are cut in two and put together again, and move between workers.
//!
//! Whoever wants that leaves an order with the worker that has the task. The worker carries it out between two steps, when
//! nothing is under way between the task's operators.

use std::{fmt, sync::Arc};

use nacreous_channels::{idle::Waker, published::Flag};

use crate::{downstream::Manner, inbox::Inbox, plan::PlannedTask};

/// What a worker is to do with one of its tasks. One that is not there any more is left alone.
pub(crate) enum Order {
    /// Has its operators work in another manner.
    GoOn { task: usize, manner: Manner },
    /// Makes a task of its own of what is behind a joint, on another worker.
    Cut { task: usize, at: usize, to: usize },
    /// Puts the task together again with what was cut off.
    Recall { task: usize },
    /// Gives the task to another worker.
    Move { task: usize, to: usize },
    /// A task that comes from another worker.
    Adopt(PlannedTask),
}

/// Where orders are left for the workers of a job.
pub(crate) struct Switchboard {
    inboxes: Vec<Inbox<Order>>,
    wakers: Arc<[Waker]>,
    /// No task is left on any worker.
    done: Flag,
}

impl Switchboard {
    pub(crate) fn new(wakers: &Arc<[Waker]>) -> Self {
        Self {
            inboxes: wakers.iter().map(|_| Inbox::default()).collect(),
            wakers: Arc::clone(wakers),
            done: Flag::new(),
        }
    }

    /// The wakers of all workers.
    pub(crate) fn wakers(&self) -> &Arc<[Waker]> {
        &self.wakers
    }

    /// Leaves an order.
    pub(crate) fn leave(&self, worker: usize, order: Order) {
        self.inboxes[worker].leave(order);
        self.wakers[worker].wake();
    }

    /// The orders left for a worker since it had `seen` so many.
    pub(crate) fn take(&self, worker: usize, seen: &mut u64) -> Vec<Order> {
        let inbox = &self.inboxes[worker];
        if inbox.has_more_than(*seen) { inbox.take(seen) } else { Vec::new() }
    }

    /// There will be no further orders, as no task is left.
    pub(crate) fn close(&self) {
        self.done.raise();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.done.is_raised()
    }
}

impl fmt::Debug for Switchboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Switchboard").field("workers", &self.wakers.len()).finish_non_exhaustive()
    }
}
