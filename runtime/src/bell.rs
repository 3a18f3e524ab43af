mod handover;
mod line;

pub(crate) use self::{
    handover::{Giver, Taken, Taker, handover},
    line::{Callee, Caller, Courtesy, line},
};

use std::sync::Arc;

use nacreous_channels::{idle::Waker, published::Published};

/// Wakes a data thread that waits for something: for input, for room, for memory.
///
/// A bell that is dropped rings once more, so that whoever waits sees that nobody is left to bring anything.
#[derive(Debug)]
pub struct Bell(Arc<Post>);

impl Bell {
    /// Rings at one thread for ever.
    pub(crate) fn new(waker: Waker) -> Self {
        Self(Arc::new(Post::fixed(waker)))
    }

    /// Rings wherever whoever waits is posted.
    pub(crate) fn at(post: &Arc<Post>) -> Self {
        Self(Arc::clone(post))
    }

    /// Wakes the data thread if it has gone to sleep. Call it after publishing what the thread waits for.
    ///
    /// # Cost
    /// Next to nothing while the thread is awake; else a system call.
    #[inline]
    pub fn ring(&self) {
        self.0.ring();
    }
}

impl Clone for Bell {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.ring();
    }
}

/// The worker at which a part of a task is to be found, which may move to another one.
///
/// # Protocol
/// Whoever moves the part says so here, and then hands it to its new worker, which announces that it is going to sleep, and
/// looks for work once more, before it does. The caller has published work, wakes the worker it finds here, and looks whether
/// there is another one by then. To wake is to pass a barrier that pairs with the announcement's, whichever worker it is: so
/// either the new worker finds the work, or the caller finds the new worker, and that it sleeps.
#[derive(Debug)]
pub(crate) struct Post {
    /// Of all workers of the job.
    wakers: Arc<[Waker]>,
    /// The number of the worker. Whoever has the part writes it.
    worker: Published,
}

impl Post {
    pub(crate) fn new(wakers: &Arc<[Waker]>, worker: usize) -> Arc<Self> {
        Arc::new(Self { wakers: Arc::clone(wakers), worker: Published::new(worker as u64) })
    }

    fn fixed(waker: Waker) -> Self {
        Self { wakers: Arc::new([waker]), worker: Published::new(0) }
    }

    /// The part is about to move to this worker.
    pub(crate) fn move_to(&self, worker: usize) {
        self.worker.set(worker as u64);
    }

    #[inline]
    fn ring(&self) {
        let mut worker = self.worker.get();
        loop {
            if let Some(waker) = usize::try_from(worker).ok().and_then(|worker| self.wakers.get(worker)) {
                waker.wake();
            }
            let now = self.worker.get();
            if now == worker {
                return;
            }
            worker = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread, time::Duration};

    use nacreous_channels::idle::{Idle, Parker, Strategy};

    use super::*;

    #[test]
    fn a_bell_rings_where_its_part_has_moved_to() {
        let parkers = [Parker::new(), Parker::new()];
        let post = Post::new(&parkers.iter().map(Parker::waker).collect(), 0);
        let bell = Bell::at(&post);
        let [_, parker] = parkers;
        post.move_to(1);
        let (woken, wakes) = mpsc::channel();
        let (asleep, falls_asleep) = mpsc::channel();
        thread::spawn(move || {
            let mut idle = Idle::new(parker);
            // Nothing but a call ends such a park within the test.
            let strategy = Strategy { spins: 0, yields: 0, park: Some(Duration::from_secs(3_600)) };
            idle.wait(strategy);
            asleep.send(()).unwrap();
            idle.wait(strategy);
            woken.send(()).unwrap();
        });
        falls_asleep.recv().unwrap();
        bell.ring();
        wakes.recv_timeout(Duration::from_secs(20)).expect("the worker that has the part was called");
    }
}
