//! The life of a job, as a state machine.

use nacreous_channels::published::Published;

/// Where a job is in its life.
///
/// ```text
/// Created → Deploying → Running → Draining ┐
///               │           │         │    ├→ Finished | Cancelled | Failed
///               └───────────┴─────────┴────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum JobStatus {
    /// It is planned, and has no threads yet.
    Created,
    /// Its threads are being started.
    Deploying,
    /// Data flows.
    Running,
    /// It was asked to stop: sources read no more, what was read is being worked off.
    Draining,
    /// It worked off all its input.
    Finished,
    /// It was cancelled.
    Cancelled,
    /// It failed.
    Failed,
}

impl JobStatus {
    /// In the order of the numbers that they are published as.
    const ALL: [Self; 7] = [
        Self::Created,
        Self::Deploying,
        Self::Running,
        Self::Draining,
        Self::Finished,
        Self::Cancelled,
        Self::Failed,
    ];

    /// Whether the job has ended: nothing changes any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Finished | Self::Cancelled | Self::Failed)
    }

    /// Whether a job that is here may come to be there next.
    pub fn may_become(self, next: Self) -> bool {
        match next {
            Self::Created => false,
            Self::Deploying => self == Self::Created,
            Self::Running => self == Self::Deploying,
            Self::Draining => self == Self::Running,
            Self::Finished => matches!(self, Self::Running | Self::Draining),
            Self::Cancelled | Self::Failed => !self.is_final(),
        }
    }
}

/// A job's status: changed by its control thread alone, a store each time, and read by anyone.
#[derive(Debug)]
pub(crate) struct Lifecycle(Published);

impl Lifecycle {
    pub(crate) fn new() -> Self {
        Self(Published::new(JobStatus::Created as u64))
    }

    pub(crate) fn status(&self) -> JobStatus {
        let published = self.0.get();
        let found = JobStatus::ALL.into_iter().find(|status| *status as u64 == published);
        found.expect("only statuses are published")
    }

    /// # Panics
    /// If the job cannot come to be there from where it is.
    pub(crate) fn enter(&self, next: JobStatus) {
        let now = self.status();
        assert!(now.may_become(next), "a job that is {now:?} cannot become {next:?}");
        self.0.set(next as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_through_life_ends_and_nothing_comes_back() {
        for from in JobStatus::ALL {
            for to in JobStatus::ALL {
                if from.may_become(to) {
                    assert!(!from.is_final(), "{from:?} is final, and became {to:?}");
                    assert!(to > from, "{from:?} went back to {to:?}");
                }
            }
            let ways_on = JobStatus::ALL.into_iter().filter(|to| from.may_become(*to)).count();
            assert_eq!(ways_on == 0, from.is_final(), "{from:?} has {ways_on} ways on");
        }
        assert!(!JobStatus::Created.may_become(JobStatus::Finished), "nothing has run");
    }

    #[test]
    fn what_is_entered_is_what_is_seen() {
        let life = Lifecycle::new();
        assert_eq!(life.status(), JobStatus::Created);
        for next in [JobStatus::Deploying, JobStatus::Running, JobStatus::Draining, JobStatus::Finished] {
            life.enter(next);
            assert_eq!(life.status(), next);
        }
    }

    #[test]
    #[should_panic(expected = "a job that is Failed cannot become Running")]
    fn a_job_that_has_ended_does_not_run_again() {
        let life = Lifecycle::new();
        life.enter(JobStatus::Failed);
        life.enter(JobStatus::Running);
    }
}
