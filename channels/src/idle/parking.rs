//! Parking a thread, and waking it, with the cheap side where the data flows.
//!
//! # Protocol
//!
//! | field | written by | read by |
//! |---|---|---|
//! | `asleep`: the thread parks, or is about to | the thread | wakers |
//! | `roused`: a waker has called since the last announcement | wakers; the thread, to `false`, before it announces | the thread |
//! | `thread`: whom to wake | the thread, once, before it first says that it is asleep | a waker that has found it asleep |
//!
//! The thread sets `asleep`, passes the heavy barrier, looks for work, and parks if there is none. A waker has
//! published work, passes the light barrier and looks at `asleep`. By the barrier one of them sees the other: the
//! thread finds the work, or the waker finds the thread asleep and unparks it. It clears `asleep` when it has
//! found work; until then it may be unparked more than once, which costs the waker little, as the first one has
//! made the system call. A wake-up that comes too late, when the thread has found work by itself, makes its next
//! park return early, and it looks round for nothing. One that comes while the thread looks for work may be used
//! up by something there that parks, too; so the waker leaves `roused` behind, and the thread does not park then.
//!
//! | edge | from | to | hands over | loom model |
//! |---|---|---|---|---|
//! | `asleep` | `Parker::announce` | `Waker::wake` | `thread` | `whoever_parks_is_woken` |
//!
//! The barrier's own edge is in `barrier`.

use std::{fmt, time::Duration};

use crossbeam_utils::CachePadded;

use super::barrier::Barrier;
use crate::sync::{
    Arc, AtomicBool, Ordering, UnsafeCell,
    thread::{self, Thread},
};

/// The side of a thread that may park. Make it anywhere, and give it to [`Idle::new`](super::Idle::new) on the
/// thread that is to be woken.
pub struct Parker {
    shared: Arc<Shared>,
    /// `asleep` was set and not taken back since.
    announced: bool,
}

/// Wakes a thread that has parked. Clone it for everyone who publishes something for that thread.
#[derive(Clone)]
pub struct Waker {
    shared: Arc<Shared>,
}

struct Shared {
    asleep: CachePadded<AtomicBool>,
    roused: CachePadded<AtomicBool>,
    barrier: Barrier,
    thread: UnsafeCell<Option<Thread>>,
}

// SAFETY: `thread` is written once, before the first Release store of `asleep`, and read only after an Acquire
// load has read such a store.
unsafe impl Sync for Shared {}
// SAFETY: all it holds may move between threads.
unsafe impl Send for Shared {}

impl Parker {
    /// A parker and, by [`waker`](Self::waker), those who wake it.
    pub fn new() -> Self {
        let shared = Shared {
            asleep: CachePadded::new(AtomicBool::new(false)),
            roused: CachePadded::new(AtomicBool::new(false)),
            barrier: Barrier::new(),
            thread: UnsafeCell::new(None),
        };
        Self { shared: Arc::new(shared), announced: false }
    }

    /// Wakes whichever thread this parker is given to.
    pub fn waker(&self) -> Waker {
        Waker { shared: Arc::clone(&self.shared) }
    }

    /// Says whom to wake. Called once: an `Idle` takes its parker and keeps it.
    pub(super) fn belongs_to(&self, thread: Thread) {
        // SAFETY: nobody reads it before `announce`, and nobody else writes it.
        self.shared.thread.with_mut(|place| unsafe { *place = Some(thread) });
    }

    #[inline(always)]
    pub(super) fn is_announced(&self) -> bool {
        self.announced
    }

    /// Says that this thread parks unless it finds work: look for some after this.
    #[cold]
    #[inline(never)]
    pub(super) fn announce(&mut self) {
        self.announced = true;
        // ORDERING(roused): Relaxed; a call before this is forgotten, and the barrier shows what it was about
        self.shared.roused.store(false, Ordering::Relaxed);
        // ORDERING(asleep): Release; pairs with Waker::wake
        self.shared.asleep.store(true, Ordering::Release);
        self.shared.barrier.heavy();
    }

    /// Parks until a waker calls, or for this long, or for no reason at all. After this, parking again takes
    /// another announcement.
    pub(super) fn park(&mut self, time: Duration) {
        // ORDERING(roused): Relaxed; the call that left it ends a park as well, and by that orders it before this
        if !self.shared.roused.load(Ordering::Relaxed) {
            thread::park_timeout(time);
        }
        self.withdraw();
    }

    /// Takes the announcement back: there is work.
    #[cold]
    #[inline(never)]
    pub(super) fn withdraw(&mut self) {
        self.announced = false;
        // ORDERING(withdrawn): Relaxed; a waker that misses this wakes a thread that is awake
        self.shared.asleep.store(false, Ordering::Relaxed);
    }
}

impl Waker {
    /// Wakes the thread if it has parked, or is about to. Call this after publishing work for it, or after
    /// releasing what it waits for.
    ///
    /// # Cost
    /// While the thread is awake, a load from a line that nobody writes, and where the kernel does not help, a
    /// fence. Else a system call.
    // HOT(waker.wake)
    #[inline]
    pub fn wake(&self) {
        self.shared.barrier.light();
        // ORDERING(asleep): Acquire; pairs with Parker::announce
        if self.shared.asleep.load(Ordering::Acquire) {
            self.rouse();
        }
    }

    #[cold]
    #[inline(never)]
    fn rouse(&self) {
        // SAFETY: `wake` has read what `announce` stored, and `thread` was written before that, for good.
        let thread = self.shared.thread.with(|thread| unsafe { (*thread).clone() });
        // ORDERING(roused): Relaxed; the park that it keeps the thread from is ended by the call below as well
        self.shared.roused.store(true, Ordering::Relaxed);
        thread.expect("a thread says who it is before it sleeps").unpark();
    }
}

impl Drop for Parker {
    fn drop(&mut self) {
        // A thread that ends is not to be woken.
        self.withdraw();
    }
}

impl Default for Parker {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Parker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parker").field("announced", &self.announced).finish_non_exhaustive()
    }
}

impl fmt::Debug for Waker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waker").finish_non_exhaustive()
    }
}
