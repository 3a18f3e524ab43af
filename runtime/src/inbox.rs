//! What is left for a data thread to take when it next looks: orders, new operators.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use nacreous_channels::published::Published;

/// Where things are left for one thread. To see that there are none takes it a load.
pub(crate) struct Inbox<T> {
    things: Mutex<Vec<T>>,
    /// How many have been left so far. Written under the lock.
    left: Published,
}

impl<T> Inbox<T> {
    pub(crate) fn new(things: Vec<T>) -> Self {
        let left = Published::new(things.len() as u64);
        Self { things: Mutex::new(things), left }
    }

    /// Leaves one more.
    pub(crate) fn leave(&self, thing: T) {
        let mut things = self.things();
        things.push(thing);
        self.left.set(self.left.get() + 1);
    }

    /// Whether any have been left since there were `seen`.
    #[inline]
    pub(crate) fn has_more_than(&self, seen: u64) -> bool {
        self.left.get() != seen
    }

    /// Whether all has been taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.things().is_empty()
    }

    /// What has been left since there were `seen`.
    pub(crate) fn take(&self, seen: &mut u64) -> Vec<T> {
        let mut things = self.things();
        *seen = self.left.get();
        mem::take(&mut *things)
    }

    fn things(&self) -> MutexGuard<'_, Vec<T>> {
        self.things.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}
