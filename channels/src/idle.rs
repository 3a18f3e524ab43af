//! What a thread does when there is nothing to do: spin, then yield, then sleep for longer and longer.

use std::{hint, thread, time::Duration};

/// How many empty polls a thread spins through before it begins to yield: 50 to 100 µs.
///
/// That is longer than the shortest sleep really takes (the kernel rounds it up by 50 µs). Were it shorter,
/// a thread that finds the other one asleep would fall asleep too, and the two would go on taking turns at
/// sleeping, a ring's worth of work at a time.
const SPINS: u32 = 2_048;
/// How many empty polls it yields through before it begins to sleep.
const YIELDS: u32 = 64;
/// The first sleep; each one after it is twice as long, up to [`SLEEP_MAX`].
const SLEEP_MIN: Duration = Duration::from_micros(10);
/// The longest sleep: how late, at worst, an idle thread notices new work.
pub const SLEEP_MAX: Duration = Duration::from_millis(1);

/// Counts a thread's empty polls in a row and waits accordingly.
///
/// Sleeping needs no wake-up call, so producers pay nothing for it: work that arrives at a thread that has
/// long been idle is noticed after [`SLEEP_MAX`] at the latest (plus what the scheduler adds).
#[derive(Debug, Default)]
pub struct Idle {
    empty_polls: u32,
}

impl Idle {
    /// Waits a little, longer with each call since the last [`reset`](Self::reset).
    ///
    /// With `may_spin` false the spinning is left out: right where threads outnumber cores, since a
    /// spinning thread would keep the one it waits for from running.
    pub fn wait(&mut self, may_spin: bool) {
        let step = if may_spin { self.empty_polls } else { self.empty_polls.max(SPINS) };
        self.empty_polls = step.saturating_add(1);
        if step < SPINS {
            hint::spin_loop();
        } else if step < SPINS + YIELDS {
            thread::yield_now();
        } else {
            let doublings = (step - SPINS - YIELDS).min(7);
            thread::park_timeout((SLEEP_MIN * (1 << doublings)).min(SLEEP_MAX));
        }
    }

    /// Work was found: the next wait starts from the beginning.
    #[inline]
    pub fn reset(&mut self) {
        self.empty_polls = 0;
    }
}
