//! Which core each data thread runs on.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use core_affinity::CoreId;
use nacreous_channels::published::Published;

/// What all jobs of the process share: how many data threads each core has. Touched by control threads only.
///
/// The cores are those that the thread that starts the first job may run on.
static CORES: Mutex<Option<Vec<Core>>> = Mutex::new(None);

struct Core {
    id: CoreId,
    threads: usize,
}

/// Whether data threads may spin: one if none of them can be in another's way, else zero.
static MAY_SPIN: OnceLock<Published> = OnceLock::new();

/// Whether each data thread of the process has a core of its own, so that spinning keeps none waiting.
#[inline]
pub(crate) fn may_spin() -> bool {
    may_spin_cell().get() != 0
}

fn may_spin_cell() -> &'static Published {
    MAY_SPIN.get_or_init(|| Published::new(0))
}

fn publish(cores: &[Core]) {
    let apart = !cores.is_empty() && cores.iter().all(|core| core.threads <= 1);
    may_spin_cell().set(apart.into());
}

fn cores() -> MutexGuard<'static, Option<Vec<Core>>> {
    CORES.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cores_of_this_thread() -> Vec<Core> {
    let ids = core_affinity::get_core_ids().unwrap_or_default();
    ids.into_iter().map(|id| Core { id, threads: 0 }).collect()
}

/// The cores given to a job's workers, until it is dropped.
pub(crate) struct Placement {
    /// Positions in the list of cores, by worker; none where the platform cannot say which cores there are.
    places: Vec<(usize, CoreId)>,
}

impl Placement {
    /// Gives each worker the core with the fewest data threads.
    pub(crate) fn of(workers: usize) -> Self {
        let mut cores = cores();
        let cores = cores.get_or_insert_with(cores_of_this_thread);
        let mut place = || {
            let (index, core) = cores.iter_mut().enumerate().min_by_key(|(_, core)| core.threads)?;
            core.threads += 1;
            Some((index, core.id))
        };
        let places = (0..workers).map_while(|_| place()).collect();
        publish(cores);
        Self { places }
    }

    /// Moves this thread, which controls the job, off the cores of its workers if there are others.
    pub(crate) fn settle_control(&self) {
        let free = cores()
            .as_ref()
            .and_then(|cores| cores.iter().find(|core| core.threads == 0).map(|core| core.id));
        if let Some(core) = free {
            // Not being placed costs a little speed, not correctness.
            let _ = core_affinity::set_for_current(core);
        }
    }

    /// The core for a worker.
    pub(crate) fn core(&self, worker: usize) -> Option<CoreId> {
        self.places.get(worker).map(|(_, id)| *id)
    }
}

impl Drop for Placement {
    fn drop(&mut self) {
        if let Some(cores) = cores().as_mut() {
            self.places.iter().for_each(|(index, _)| cores[*index].threads -= 1);
            publish(cores);
        }
    }
}
