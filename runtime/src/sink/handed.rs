//! Records for another thread of the program to receive.

use std::{
    fmt,
    time::{Duration, Instant},
    vec,
};

use nacreous_operators::Record;

use super::Sink;
use crate::{
    Bell,
    bell::{Giver, Taken, Taker, handover},
    job::BoxError,
};

/// Makes a sink whose records a thread of the user's receives, and the [`Results`] by which it does so. `capacity`,
/// rounded up to a power of two, is how many records may be on their way: the stream stops when the receiver has
/// fallen that far behind.
///
/// ```
/// use nacreous::{prelude::*, sink};
/// use std::time::Duration;
///
/// let (handed, results) = sink::handed(1_024);
/// let graph = Graph::new();
/// let numbers = graph.iter(0..3_i64);
/// numbers.event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::new(Duration::ZERO)?).to(handed);
/// let job = graph.start(JobOptions::default())?;
///
/// for record in results {
///     println!("{} at {:?}", record.value, record.time);
/// }
/// // The stream has ended; the job knows whether in good order.
/// job.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
/// If the rounded capacity, or its size in bytes, overflows.
pub fn handed<T: Send + 'static>(capacity: usize) -> (Handed<T>, Results<T>) {
    let (giver, taker) = handover(capacity);
    (Handed(giver), Results(taker))
}

/// A sink that hands its records to [`Results`]. Made by [`handed`].
///
/// If those are dropped while there are still records to come, the job fails with [`ResultsGone`]: nobody is to
/// believe that they have been received.
pub struct Handed<T>(Giver<Record<T>>);

/// What a stream brings, for a thread of the user's to receive, record by record. It is an iterator, too.
///
/// A job whose results nobody receives comes to a halt, and so does [`JobHandle::stop`](crate::JobHandle::stop),
/// which works off what has been read: receive to the end, or drop this, or cancel the job.
pub struct Results<T>(Taker<Record<T>>);

/// There are records, and nobody left to receive them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the `Results` of this sink were dropped before its stream had ended: receive until there is `None`")]
pub struct ResultsGone;

/// Why there is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoResult {
    /// None has come so far.
    #[error("no record has come so far: ask again later")]
    Yet,
    /// None will ever come: the stream has ended, or its job failed or was cancelled.
    #[error("no record will ever come: the stream has ended, and the job's handle says how")]
    Ever,
}

impl<T> Results<T> {
    /// Receives a record, waiting until there is one; `None` once the stream has ended and everything has been
    /// received. Whether it ended in good order is for the job's handle to say.
    ///
    /// # Cost
    /// A few nanoseconds while neither side waits. A system call to wake a data thread that waits for room, for half
    /// a capacity of records at a time; to wait, an allocation and system calls.
    #[inline]
    pub fn recv(&mut self) -> Option<Record<T>> {
        self.receive(None).ok()
    }

    /// Receives a record if there is one.
    ///
    /// # Errors
    /// If there is none.
    #[inline]
    pub fn try_recv(&mut self) -> Result<Record<T>, NoResult> {
        taken(self.0.take())
    }

    /// Receives a record, waiting until there is one, for at most this long.
    ///
    /// # Errors
    /// If there is none by then.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Record<T>, NoResult> {
        // A time that the clock does not reach is no limit.
        self.receive(Instant::now().checked_add(timeout))
    }

    fn receive(&mut self, deadline: Option<Instant>) -> Result<Record<T>, NoResult> {
        taken(self.0.await_one(deadline))
    }
}

#[inline]
fn taken<T>(taken: Taken<Record<T>>) -> Result<Record<T>, NoResult> {
    match taken {
        Taken::One(record) => Ok(record),
        Taken::NoneYet => Err(NoResult::Yet),
        Taken::NoneEver => Err(NoResult::Ever),
    }
}

impl<T> Iterator for Results<T> {
    type Item = Record<T>;

    #[inline]
    fn next(&mut self) -> Option<Record<T>> {
        self.recv()
    }
}

impl<T: Send + 'static> Sink<T> for Handed<T> {
    fn attach(&mut self, bell: Bell) {
        self.0.is_at(&bell);
    }

    fn room(&self) -> usize {
        // Without a receiver there is no use in waiting for room.
        if self.0.is_closed() { usize::MAX } else { self.0.room() }
    }

    fn write(&mut self, records: &mut vec::Drain<'_, Record<T>>) -> Result<(), BoxError> {
        for record in records {
            if self.0.is_closed() {
                return Err(ResultsGone.into());
            }
            self.0.put(record).expect("no more is written than there was room for");
        }
        self.0.call();
        Ok(())
    }
}

impl<T> fmt::Debug for Handed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handed").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Results<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Results").finish_non_exhaustive()
    }
}
