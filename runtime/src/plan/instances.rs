//! Which workers the parallel instances of a stretch of a stream run on.

use std::{num::NonZero, ops::Range};

/// The parallel instances of a stretch of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instances {
    /// One for each part of a source. The parts take the workers in turn, so that one worker may have several.
    Parts(NonZero<usize>),
    /// So many share the keys, or one on each of the workers that keys are kept on.
    Keyed(Option<NonZero<usize>>),
    /// One, where streams come together before a sink.
    Gathered,
    /// One, on the worker of this number.
    At(usize),
}

impl Instances {
    /// The one instance at a source that is not in parts.
    pub(crate) const WHOLE: Self = Self::Parts(NonZero::<usize>::MIN);

    /// Those that share the keys of a stream which does not ask for a number of them.
    pub(crate) const KEYED: Self = Self::Keyed(None);

    /// Where two streams can come together.
    pub(crate) fn meet(self, other: Self) -> Self {
        match (self, other) {
            // Part by part; those that one has more than the other stay by themselves.
            (Self::Parts(these), Self::Parts(others)) => Self::Parts(these.max(others)),
            _ if self == other => self,
            _ => Self::Gathered,
        }
    }

    /// Whether there is but one, however many workers there are.
    pub(crate) fn is_one(self) -> bool {
        matches!(self, Self::Gathered | Self::At(_))
            || self == Self::WHOLE
            || self == Self::Keyed(NonZero::new(1))
    }
}

/// One of the instances of a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instance {
    /// Its number among them.
    pub(crate) number: usize,
    /// The worker that it runs on. It need not be the only one there.
    pub(crate) worker: usize,
    /// The user wants it there.
    pub(crate) is_fixed: bool,
}

/// How a graph's instances are laid out over its job's workers.
#[derive(Debug, Clone)]
pub(crate) struct Division {
    workers: usize,
    /// Those that keys are kept on, unless a stream asks for another number of instances.
    keyed: Range<usize>,
}

impl Division {
    /// Sources that have one instance each keep the first worker to themselves if there are others, and those share the
    /// keys. A source in parts may be on any worker, and then all share the keys: to keep a worker free of one or the
    /// other would leave it idle wherever there are as many parts as workers.
    pub(crate) fn new(workers: usize, sources_in_parts: bool) -> Self {
        let keyed = if workers == 1 || sources_in_parts { 0..workers } else { 1..workers };
        Self { workers, keyed }
    }

    /// The instances, by number.
    pub(crate) fn of(&self, instances: Instances) -> Vec<Instance> {
        let number = |(number, worker)| Instance { number, worker, is_fixed: false };
        match instances {
            Instances::Parts(parts) => {
                (0..parts.get()).map(|part| number((part, part % self.workers))).collect()
            }
            Instances::Keyed(None) => self.keyed.clone().enumerate().map(number).collect(),
            Instances::Keyed(Some(shares)) => {
                let worker = |share| (self.keyed.start + share) % self.workers;
                (0..shares.get()).map(|share| number((share, worker(share)))).collect()
            }
            Instances::Gathered => vec![number((0, self.workers - 1))],
            Instances::At(worker) => vec![Instance { number: 0, worker, is_fixed: true }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(parts: usize) -> Instances {
        Instances::Parts(NonZero::new(parts).unwrap())
    }

    fn workers_of(workers: usize, sources_in_parts: bool, instances: Instances) -> Vec<usize> {
        let instances = Division::new(workers, sources_in_parts).of(instances);
        assert!(instances.iter().map(|instance| instance.number).eq(0..instances.len()));
        instances.into_iter().map(|instance| instance.worker).collect()
    }

    #[test]
    fn a_stream_has_as_many_keyed_instances_as_it_asks_for() {
        let keyed = |shares| Instances::Keyed(NonZero::new(shares));
        assert_eq!(workers_of(1, false, keyed(3)), [0, 0, 0]);
        assert_eq!(workers_of(3, false, keyed(1)), [1]);
        assert_eq!(workers_of(3, false, keyed(3)), [1, 2, 0]);
        assert_eq!(workers_of(3, true, keyed(7)), [0, 1, 2, 0, 1, 2, 0]);
        assert!(keyed(1).is_one() && !keyed(2).is_one() && !Instances::KEYED.is_one());
    }

    #[test]
    fn a_whole_source_has_a_worker_to_itself_if_there_are_others() {
        assert_eq!(workers_of(1, false, Instances::WHOLE), [0]);
        assert_eq!(workers_of(1, false, Instances::KEYED), [0]);
        assert_eq!(workers_of(4, false, Instances::WHOLE), [0]);
        assert_eq!(workers_of(4, false, Instances::KEYED), [1, 2, 3]);
        assert_eq!(workers_of(4, false, Instances::Gathered), [3]);
    }

    #[test]
    fn parts_take_the_workers_in_turn_and_all_workers_share_the_keys() {
        assert_eq!(workers_of(1, true, parts(3)), [0, 0, 0]);
        assert_eq!(workers_of(1, true, Instances::KEYED), [0]);
        assert_eq!(workers_of(2, true, parts(5)), [0, 1, 0, 1, 0]);
        assert_eq!(workers_of(4, true, parts(2)), [0, 1]);
        assert_eq!(workers_of(4, true, Instances::KEYED), [0, 1, 2, 3]);
    }

    #[test]
    fn streams_meet_part_by_part_or_all_in_one_place() {
        assert_eq!(parts(2).meet(parts(3)), parts(3));
        assert_eq!(parts(3).meet(Instances::WHOLE), parts(3));
        assert_eq!(Instances::KEYED.meet(Instances::KEYED), Instances::KEYED);
        assert_eq!(Instances::KEYED.meet(parts(3)), Instances::Gathered);
        assert_eq!(Instances::WHOLE.meet(Instances::WHOLE), Instances::WHOLE);
        assert_eq!(Instances::At(1).meet(Instances::At(1)), Instances::At(1));
        assert_eq!(Instances::At(1).meet(Instances::At(0)), Instances::Gathered);
    }
}
