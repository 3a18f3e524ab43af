//! Which core each data thread runs on.

use std::sync::{Mutex, MutexGuard, PoisonError};

use core_affinity::CoreId;
use nacreous_channels::published::Published;

/// What all jobs of the process share: who runs where. Touched by control threads only.
struct Cores {
    /// The cores this process may run on; asked for once, before any thread is pinned.
    ids: Vec<CoreId>,
    /// The core for the next worker.
    next: usize,
    /// Data threads alive.
    busy: usize,
}

static CORES: Mutex<Option<Cores>> = Mutex::new(None);

/// Whether data threads may spin: one if none of them can be in another's way, else zero.
static MAY_SPIN: std::sync::OnceLock<Published> = std::sync::OnceLock::new();

fn cores() -> MutexGuard<'static, Option<Cores>> {
    CORES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn may_spin_cell() -> &'static Published {
    MAY_SPIN.get_or_init(|| Published::new(0))
}

/// Whether there is a core for each data thread of the process, so that spinning keeps nobody waiting.
#[inline]
pub(crate) fn may_spin() -> bool {
    may_spin_cell().get() != 0
}

/// The cores given to a job's workers, until it is dropped.
pub(crate) struct Placement {
    first: usize,
    workers: usize,
    ids: Vec<CoreId>,
}

impl Placement {
    /// Gives each worker the next core in turn, so that jobs in one process spread over the machine.
    pub(crate) fn of(workers: usize) -> Self {
        let mut cores = cores();
        let cores = cores.get_or_insert_with(|| Cores {
            ids: core_affinity::get_core_ids().unwrap_or_default(),
            next: 0,
            busy: 0,
        });
        let first = cores.next;
        cores.next = first.wrapping_add(workers);
        cores.busy += workers;
        cores.publish();
        Self { first, workers, ids: cores.ids.clone() }
    }

    /// The core for a worker; `None` where the platform cannot say which cores there are.
    pub(crate) fn core(&self, worker: usize) -> Option<CoreId> {
        let index = self.first.wrapping_add(worker).checked_rem(self.ids.len())?;
        self.ids.get(index).copied()
    }
}

impl Drop for Placement {
    fn drop(&mut self) {
        if let Some(cores) = cores().as_mut() {
            cores.busy -= self.workers;
            cores.publish();
        }
    }
}

impl Cores {
    fn publish(&self) {
        may_spin_cell().set((self.busy <= self.ids.len()).into());
    }
}
