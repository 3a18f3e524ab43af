//! Which core each data thread runs on.

mod topology;

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use core_affinity::CoreId;
use nacreous_channels::published::Published;

use self::topology::Site;

/// What all jobs of the process share: how many data threads each core has. Touched by control threads only.
///
/// The cores are those that the thread that starts the first job may run on.
static CORES: Mutex<Option<Vec<Core>>> = Mutex::new(None);

#[derive(Debug, Clone)]
struct Core {
    site: Site,
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
    topology::sites().into_iter().map(|site| Core { site, threads: 0 }).collect()
}

/// The cores given to a job's workers, until it is dropped.
pub(crate) struct Placement {
    /// Positions in the list of cores, by worker; none where the platform cannot say which cores there are.
    places: Vec<(usize, CoreId)>,
}

impl Placement {
    /// Gives each worker the core with the fewest data threads; of those the one that is nearest to the job's first
    /// worker, on a physical core of its own where there is one.
    pub(crate) fn of(workers: usize) -> Self {
        let mut cores = cores();
        let cores = cores.get_or_insert_with(cores_of_this_thread);
        let mut places: Vec<(usize, CoreId)> = Vec::new();
        for _ in 0..workers {
            let first = places.first().map(|(index, _)| cores[*index].site);
            let Some(index) = best(cores, first) else { break };
            cores[index].threads += 1;
            places.push((index, cores[index].site.id));
        }
        publish(cores);
        Self { places }
    }

    /// Moves this thread, which controls the job, off the cores of data threads if there are others.
    pub(crate) fn settle_control(&self) {
        let free = cores().as_ref().and_then(|cores| {
            let index = best(cores, None)?;
            (cores[index].threads == 0).then_some(cores[index].site.id)
        });
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

/// The core to put the next thread on, which is to be near another one.
fn best(cores: &[Core], near: Option<Site>) -> Option<usize> {
    let rank = |core: &Core| {
        let on_physical: usize = cores
            .iter()
            .filter(|other| other.site.physical == core.site.physical)
            .map(|other| other.threads)
            .sum();
        let far = near.map(|near| (core.site.node != near.node, core.site.cache != near.cache));
        (core.threads, on_physical, far)
    };
    (0..cores.len()).min_by_key(|index| rank(&cores[*index]))
}

impl Drop for Placement {
    fn drop(&mut self) {
        if let Some(cores) = cores().as_mut() {
            self.places.iter().for_each(|(index, _)| cores[*index].threads -= 1);
            publish(cores);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two nodes with two caches each, under each of which two physical cores of two threads.
    fn machine() -> Vec<Core> {
        let site = |id: usize| Site { id: CoreId { id }, physical: id / 2, cache: id / 4, node: id / 8 };
        (0..16).map(|id| Core { site: site(id), threads: 0 }).collect()
    }

    fn place(cores: &mut [Core], workers: usize) -> Vec<usize> {
        let mut places: Vec<usize> = Vec::new();
        for _ in 0..workers {
            let near = places.first().map(|index| cores[*index].site);
            let index = best(cores, near).unwrap();
            cores[index].threads += 1;
            places.push(index);
        }
        places
    }

    #[test]
    fn workers_lie_near_each_other_and_do_not_share_a_physical_core_while_there_are_others() {
        let mut cores = machine();
        // The other core under the cache, then the rest of the node, then the other node.
        assert_eq!(place(&mut cores, 8), [0, 2, 4, 6, 8, 10, 12, 14]);
        assert_eq!(place(&mut cores, 1), [1], "no physical core is free: another thread of one");
    }

    #[test]
    fn a_second_job_goes_where_there_is_nobody() {
        let mut cores = machine();
        assert_eq!(place(&mut cores, 2), [0, 2]);
        assert_eq!(place(&mut cores, 3), [4, 6, 8]);
        assert_eq!(best(&[], None), None);
    }

    #[test]
    fn more_threads_than_cores_spread_evenly() {
        let mut cores = machine();
        place(&mut cores, 40);
        assert!(cores.iter().all(|core| (2..=3).contains(&core.threads)), "{cores:?}");
    }

    #[test]
    fn this_machine_has_a_core_to_run_on() {
        let sites = topology::sites();
        assert_eq!(sites.len(), core_affinity::get_core_ids().unwrap_or_default().len());
    }
}
