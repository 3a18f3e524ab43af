//! What a thread does when there is nothing to do, and how it is woken.
//!
//! A thread that polls keeps an [`Idle`]: after each round that found nothing it [waits](Idle::wait), after each
//! that found something it says [so](Idle::reset). How it waits is a [`Strategy`]: it spins first, then yields,
//! then parks, and each round without work takes it further. Whoever has published something for it calls
//! [`Waker::wake`] afterwards, which costs next to nothing unless the thread is parked.
//!
//! ```
//! use nacreous_channels::{idle::{Idle, Parker, Strategy}, spsc};
//!
//! let (mut sender, mut receiver) = spsc::channel(8);
//! let parker = Parker::new();
//! let waker = parker.waker();
//! let consumer = std::thread::spawn(move || {
//!     let mut idle = Idle::new(parker);
//!     loop {
//!         if let Some(value) = receiver.pop() {
//!             idle.reset();
//!             return value;
//!         }
//!         idle.wait(Strategy::FRUGAL);
//!     }
//! });
//! sender.push(42).unwrap();
//! waker.wake();
//! assert_eq!(consumer.join().unwrap(), 42);
//! ```

mod barrier;
mod parking;

use std::{marker::PhantomData, time::Duration};

pub use self::parking::{Parker, Waker};
use crate::sync::{hint, thread};

/// How a thread waits, further along the longer it finds nothing.
///
/// Wake-up latency and idle cost of each are measured in `docs/decisions/005-wake-up.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strategy {
    /// How many rounds it spins through, with one pause of the processor each (10 to 60 ns).
    pub spins: u32,
    /// How many rounds it yields through: other threads that are ready may run.
    pub yields: u32,
    /// For how long it parks at a time, unless it is woken; if not at all, it goes on yielding, or spinning where
    /// it does not yield.
    pub park: Option<Duration>,
}

impl Strategy {
    /// Spins for ever: notices work within a cache miss, and takes its core whole.
    pub const BUSY: Self = Self { spins: 1, yields: 0, park: None };

    /// Spins for 20 to 100 µs, yields once, then parks: notices work at once while there is much of it, and
    /// costs nothing when there is none. For a thread with a core of its own.
    pub const STEPPED: Self = Self { spins: 2_048, yields: 1, park: Some(PARK) };

    /// Yields once, then parks, and never spins: right where threads outnumber cores, since a spinning thread
    /// would keep the one it waits for from running.
    pub const FRUGAL: Self = Self { spins: 0, yields: 1, park: Some(PARK) };
}

/// A parked thread looks round that often even if nobody wakes it: work may come from where there is no waker.
const PARK: Duration = Duration::from_millis(100);

/// Counts a thread's rounds without work and waits accordingly.
#[derive(Debug)]
pub struct Idle {
    parker: Parker,
    empty_rounds: u32,
    /// It is this thread that parks, so it stays on it.
    stays: PhantomData<*const ()>,
}

/// One way to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Spin,
    Yield,
    /// Say that the next step is to park, and look for work once more.
    Announce,
    Park(Duration),
}

impl Idle {
    /// For the thread that calls this, which the parker's wakers are going to wake.
    pub fn new(parker: Parker) -> Self {
        parker.belongs_to(thread::current());
        Self { parker, empty_rounds: 0, stays: PhantomData }
    }

    /// Waits a little, longer with each call since the last [`reset`](Self::reset). Look for work after each.
    ///
    /// Before it parks for the first time it returns at once, having announced that it will: whoever publishes
    /// after that wakes it, and what was published before is found by looking.
    pub fn wait(&mut self, strategy: Strategy) {
        match strategy.step(self.empty_rounds, self.parker.is_announced()) {
            Step::Spin => hint::spin_loop(),
            Step::Yield => thread::yield_now(),
            Step::Announce => self.parker.announce(),
            Step::Park(time) => self.parker.park(time),
        }
        self.empty_rounds = self.empty_rounds.saturating_add(1);
    }

    /// Work was found: the next wait starts from the beginning.
    #[inline]
    pub fn reset(&mut self) {
        self.empty_rounds = 0;
        if self.parker.is_announced() {
            self.parker.withdraw();
        }
    }
}

impl Strategy {
    fn step(self, empty_rounds: u32, announced: bool) -> Step {
        let Self { spins, yields, park } = self;
        match park {
            _ if empty_rounds < spins => Step::Spin,
            _ if empty_rounds - spins < yields => Step::Yield,
            Some(_) if !announced => Step::Announce,
            Some(time) => Step::Park(time),
            None if yields > 0 => Step::Yield,
            None => Step::Spin,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
