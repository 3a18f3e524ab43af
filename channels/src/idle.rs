//! What a thread does when there is nothing to do: spin, then yield, then sleep for longer and longer.

use std::{hint, thread, time::Duration};

/// How many empty polls a thread spins through before it begins to yield: 50 to 100 µs where a pause takes 25
/// to 50 ns, as on recent x86-64 servers.
///
/// That is longer than the shortest sleep really takes (the kernel rounds it up by 50 µs). Were it shorter,
/// a thread that finds the other one asleep would fall asleep too, and the two would go on taking turns at
/// sleeping, a ring's worth of work at a time.
const SPINS: u32 = 2_048;
/// How many empty polls it yields through before it begins to sleep.
const YIELDS: u32 = 1;
/// The first sleep; each one after it is twice as long, up to [`SLEEP_MAX`].
const SLEEP_MIN: Duration = Duration::from_micros(10);
/// The longest sleep: how late, at worst, an idle thread notices new work.
const SLEEP_MAX: Duration = Duration::from_millis(1);

/// Counts a thread's empty polls in a row and waits accordingly.
///
/// Sleeping needs no wake-up call, so producers pay nothing for it: work that arrives at a thread that has
/// long been idle is noticed after a millisecond at the latest (plus what the scheduler adds).
#[derive(Debug, Default)]
pub struct Idle {
    empty_polls: u32,
}

/// One way to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Spin,
    Yield,
    Sleep(Duration),
}

impl Idle {
    /// Waits a little, longer with each call since the last [`reset`](Self::reset).
    ///
    /// With `may_spin` false the spinning is left out: right where threads outnumber cores, since a
    /// spinning thread would keep the one it waits for from running. [`Thread::unpark`](thread::Thread::unpark)
    /// ends a sleep early.
    pub fn wait(&mut self, may_spin: bool) {
        match self.next(may_spin) {
            Wait::Spin => hint::spin_loop(),
            Wait::Yield => thread::yield_now(),
            Wait::Sleep(time) => thread::park_timeout(time),
        }
    }

    /// Work was found: the next wait starts from the beginning.
    #[inline]
    pub fn reset(&mut self) {
        self.empty_polls = 0;
    }

    fn next(&mut self, may_spin: bool) -> Wait {
        let polls = if may_spin { self.empty_polls } else { self.empty_polls.max(SPINS) };
        self.empty_polls = polls.saturating_add(1);
        match polls {
            0..SPINS => Wait::Spin,
            SPINS..SLEEPS => Wait::Yield,
            _ => {
                let doublings = (polls - SLEEPS).min(DOUBLINGS_MAX);
                Wait::Sleep((SLEEP_MIN * (1 << doublings)).min(SLEEP_MAX))
            }
        }
    }
}

/// The empty poll at which sleeping begins.
const SLEEPS: u32 = SPINS + YIELDS;
/// Doublings after which a sleep is as long as it gets.
const DOUBLINGS_MAX: u32 = 7;

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(may_spin: bool) -> Vec<Wait> {
        let mut idle = Idle::default();
        (0..SLEEPS + 20).map(|_| idle.next(may_spin)).collect()
    }

    #[test]
    fn a_thread_spins_then_yields_then_sleeps_for_longer_and_longer() {
        let waits = waits(true);
        assert!(waits[..SPINS as usize].iter().all(|wait| *wait == Wait::Spin));
        assert!(waits[SPINS as usize..SLEEPS as usize].iter().all(|wait| *wait == Wait::Yield));
        let sleeps: Vec<_> = waits[SLEEPS as usize..].to_vec();
        assert_eq!(sleeps[0], Wait::Sleep(SLEEP_MIN));
        assert_eq!(sleeps[1], Wait::Sleep(SLEEP_MIN * 2));
        assert_eq!(sleeps[sleeps.len() - 1], Wait::Sleep(SLEEP_MAX));
    }

    #[test]
    fn a_thread_that_must_not_spin_yields_at_once_and_again_after_it_found_work() {
        assert_eq!(waits(false)[0], Wait::Yield);
        let mut idle = Idle::default();
        while !matches!(idle.next(false), Wait::Sleep(_)) {}
        idle.reset();
        assert_eq!(idle.next(false), Wait::Yield);
        idle.reset();
        assert_eq!(idle.next(true), Wait::Spin);
    }
}
