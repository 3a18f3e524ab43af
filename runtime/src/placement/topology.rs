//! The cores of the machine, and which of them lie near each other.

use core_affinity::CoreId;

/// A core of which the operating system speaks, and what it shares with others. Numbers are equal where it is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Site {
    pub(super) id: CoreId,
    /// The physical core: several threads of one are several cores to the operating system.
    pub(super) physical: usize,
    /// The last cache before memory.
    pub(super) cache: usize,
    /// The part of memory that is near.
    pub(super) node: usize,
}

/// The cores that this thread may run on.
pub(super) fn sites() -> Vec<Site> {
    let ids = core_affinity::get_core_ids().unwrap_or_default();
    locate(&ids).unwrap_or_else(|| ids.into_iter().map(alone).collect())
}

/// A core of which nothing is known: as if it were a physical one, and all memory equally near.
fn alone(id: CoreId) -> Site {
    Site { id, physical: id.id, cache: 0, node: 0 }
}

#[cfg(not(feature = "hwloc"))]
fn locate(_: &[CoreId]) -> Option<Vec<Site>> {
    None
}

/// Asks hwloc. `None` if it does not know the machine.
#[cfg(feature = "hwloc")]
fn locate(ids: &[CoreId]) -> Option<Vec<Site>> {
    use hwloc2::{ObjectType, Topology};

    let topology = Topology::new()?;
    let units = topology.objects_with_type(&ObjectType::PU).ok()?;
    // The position of the object of a kind that a core belongs to; the core itself where there is no such kind.
    let position = |kind: ObjectType, id: CoreId, otherwise: usize| {
        let objects = topology.objects_with_type(&kind).unwrap_or_default();
        let holds = |object: &&hwloc2::TopologyObject| {
            let cores = object.cpuset();
            u32::try_from(id.id).is_ok_and(|id| cores.is_some_and(|cores| cores.is_set(id)))
        };
        objects.iter().position(holds).unwrap_or(otherwise)
    };
    let node = |id: CoreId| {
        let unit = units.iter().find(|unit| unit.os_index() as usize == id.id)?;
        usize::try_from(unit.nodeset()?.first()).ok()
    };
    let site = |id: &CoreId| Site {
        id: *id,
        physical: position(ObjectType::Core, *id, id.id),
        cache: position(ObjectType::L3Cache, *id, 0),
        node: node(*id).unwrap_or(0),
    };
    Some(ids.iter().map(site).collect())
}

#[cfg(all(test, feature = "hwloc"))]
mod tests {
    use super::*;

    #[test]
    fn hwloc_knows_this_machine() {
        let ids = core_affinity::get_core_ids().unwrap_or_default();
        let sites = locate(&ids).expect("hwloc knows where it runs");
        assert_eq!(sites.iter().map(|site| site.id).collect::<Vec<_>>(), ids);
        // Whatever shares a physical core shares the cache and the memory behind it.
        for one in &sites {
            for other in sites.iter().filter(|other| other.physical == one.physical) {
                assert_eq!((one.cache, one.node), (other.cache, other.node), "{one:?} and {other:?}");
            }
        }
    }
}
