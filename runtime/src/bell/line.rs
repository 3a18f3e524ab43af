//! A line on which one thread calls another that may change: a thread of the user's, which waits now here and now
//! there, or a data thread that is yet to be started.
//!
//! A waker wakes the one thread that its parker was given to. So the callee leaves a new one on the line
//! whenever it is to be reached elsewhere, as a [`Post`], and the caller uses the one it took last until it sees that
//! there is another.
//!
//! # Protocol
//! The callee leaves its waker, announces that it is going to sleep, and looks for work once more. The caller has
//! published work, wakes by the waker it has, and then looks whether there is another one. To wake is to pass a
//! barrier that pairs with the announcement's, whichever waker it is done by: so either the callee finds the work, or
//! the caller finds the new waker, and finds by it that the callee is asleep. That is why a line has a waker from the
//! beginning, although it wakes nobody.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use nacreous_channels::{
    idle::{Idle, Parker, Strategy},
    published::Published,
};

use super::{Bell, Post};

/// Makes a line. Nobody is reached on it until the callee says where.
pub(crate) fn line() -> (Caller, Callee) {
    let silent = Arc::new(Post::fixed(Parker::new().waker()));
    let line = Arc::new(Line { post: Mutex::new(Arc::clone(&silent)), changes: Published::new(0) });
    (Caller { line: Arc::clone(&line), post: silent, changes_seen: 0 }, Callee { line })
}

struct Line {
    /// Where the callee was last; or, once the caller has taken that, where it was before, which is left here so
    /// that it is not the caller's thread that frees it.
    post: Mutex<Arc<Post>>,
    /// How often the callee has changed its post. It alone writes this, and under the lock.
    changes: Published,
}

impl Line {
    fn post(&self) -> MutexGuard<'_, Arc<Post>> {
        self.post.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The side that calls. One that is dropped calls once more, so that whoever waits sees that nobody is left to
/// bring anything.
pub(crate) struct Caller {
    line: Arc<Line>,
    post: Arc<Post>,
    changes_seen: u64,
}

impl Caller {
    /// Wakes the other side if it has gone to sleep. Call this after publishing what it waits for.
    ///
    /// # Cost
    /// As that of [`Bell::ring`] and a load from a line that is seldom written. A lock, once, after the other side
    /// has begun to wait somewhere else.
    #[inline]
    pub(crate) fn call(&mut self) {
        self.post.ring();
        if self.line.changes.get() != self.changes_seen {
            self.look_up();
        }
    }

    #[cold]
    #[inline(never)]
    fn look_up(&mut self) {
        let mut latest = self.line.post();
        self.changes_seen = self.line.changes.get();
        mem::swap(&mut self.post, &mut *latest);
        drop(latest);
        self.post.ring();
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.call();
    }
}

/// The side that is called.
pub(crate) struct Callee {
    line: Arc<Line>,
}

impl Callee {
    /// From now on a call rings this bell.
    pub(crate) fn is_at(&self, bell: &Bell) {
        self.is_reached_at(Arc::clone(&bell.0));
    }

    /// Waits on this thread until `ready` comes to something; `None` if that takes until `deadline`.
    ///
    /// # Cost
    /// Little if it is ready at once. Else an allocation, and system calls to park.
    pub(crate) fn wait_for<R>(
        &self,
        deadline: Option<Instant>,
        mut ready: impl FnMut() -> Option<R>,
    ) -> Option<R> {
        if let Some(found) = ready() {
            return Some(found);
        }
        let parker = Parker::new();
        self.is_reached_at(Arc::new(Post::fixed(parker.waker())));
        let mut idle = Idle::new(parker);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let found = ready();
            if found.is_some() || left.is_some_and(|left| left.is_zero()) {
                return found;
            }
            let park = Strategy::FRUGAL.park.map(|park| left.map_or(park, |left| park.min(left)));
            idle.wait(Strategy { park, ..Strategy::FRUGAL });
        }
    }

    fn is_reached_at(&self, post: Arc<Post>) {
        let mut latest = self.line.post();
        *latest = post;
        self.line.changes.set(self.line.changes.get() + 1);
    }
}

/// When whoever takes from a bounded ring calls whoever may wait for room in it: not for each slot, which would wake
/// a thread to fill one slot and sleep again, but after each half of the ring, and when it is found empty.
pub(crate) struct Courtesy {
    caller: Caller,
    taken: usize,
    half: usize,
}

impl Courtesy {
    pub(crate) fn new(caller: Caller, capacity: usize) -> Self {
        Self { caller, taken: 0, half: (capacity / 2).max(1) }
    }

    /// A slot was handed back.
    #[inline]
    pub(crate) fn took_one(&mut self) {
        self.taken += 1;
        if self.taken >= self.half {
            self.call();
        }
    }

    /// Nothing is left to take.
    #[inline]
    pub(crate) fn found_nothing(&mut self) {
        if self.taken > 0 {
            self.call();
        }
    }

    fn call(&mut self) {
        self.taken = 0;
        self.caller.call();
    }
}
