mod handover;
mod line;

pub(crate) use self::{
    handover::{Giver, Taken, Taker, handover},
    line::{Callee, Caller, Courtesy, line},
};

use nacreous_channels::idle::Waker;

/// Wakes a data thread that waits for something: for input, for room, for memory.
///
/// A bell that is dropped rings once more, so that whoever waits sees that nobody is left to bring anything.
#[derive(Debug)]
pub struct Bell(Waker);

impl Bell {
    pub(crate) fn new(waker: Waker) -> Self {
        Self(waker)
    }

    /// Wakes the data thread if it has gone to sleep. Call it after publishing what the thread waits for.
    ///
    /// # Cost
    /// Next to nothing while the thread is awake; else a system call.
    #[inline]
    pub fn ring(&self) {
        self.0.wake();
    }
}

impl Clone for Bell {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.ring();
    }
}
