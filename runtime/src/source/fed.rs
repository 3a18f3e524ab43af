//! Records that another thread of the program hands over one by one.

use std::{convert::Infallible, fmt};

use super::{Demand, Intake, Readiness, Source};
use crate::{
    Bell,
    bell::{Giver, Taken, Taker, handover},
    job::BoxError,
};

/// Makes a source that a thread of the user's feeds, and the feeder by which it does so. `capacity`, rounded up to a
/// power of two, is how many records may be on their way: the feeder waits when the job has fallen that far behind.
///
/// ```
/// use nacreous::{prelude::*, source};
/// use std::time::Duration;
///
/// let (mut feeder, fed) = source::fed(1_024);
/// let graph = Graph::new();
/// let (readings, _) = graph.source(fed);
/// let readings = readings
///     .event_time(|(at, _)| Timestamp::from_nanos(*at), BoundedDisorder::new(Duration::ZERO)?)
///     .map(|(_, celsius): (i64, f64)| celsius)
///     .collect();
/// let job = graph.start(JobOptions::default())?;
///
/// feeder.send((1, 20.5))?;
/// feeder.send((2, 21.0))?;
/// feeder.close();
/// assert_eq!(job.wait()?.records_in, 2);
/// assert_eq!(readings.take()[1].value, 21.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// There is one feeder for a source, because the order of the records decides what comes of them. Threads that are to
/// share it put it behind a lock; that costs them what a channel of several senders would, and the job nothing.
///
/// # Panics
/// If the rounded capacity, or its size in bytes, overflows.
pub fn fed<T: Send + 'static>(capacity: usize) -> (Feeder<T>, Fed<T>) {
    let (giver, taker) = handover(capacity);
    (Feeder(giver), Fed(taker))
}

/// Hands records to a [`Fed`] source, from any one thread at a time.
///
/// Dropping it, or [`close`](Self::close), ends the stream once everything sent has been read.
pub struct Feeder<T>(Giver<T>);

/// A source of what a [`Feeder`] sends. Made by [`fed`].
///
/// It ends when its feeder is gone. Records that were sent and not yet read when the job was stopped, cancelled or
/// failed go with the source: the job has not counted them.
pub struct Fed<T>(Taker<T>);

/// The record could not be sent, and comes back: the job has ended, or the source was dropped without one.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the job that reads from this feeder has ended: send no more, and ask the job's handle why")]
pub struct Closed<T>(
    /// What could not be sent.
    pub T,
);

/// The record could not be sent at once, and comes back.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrySendError<T> {
    /// The job has fallen behind by the feeder's capacity.
    #[error("the job has fallen behind by the feeder's capacity: send again later, or wait in `send`")]
    Full(
        /// What could not be sent.
        T,
    ),
    /// As [`Closed`].
    #[error("the job that reads from this feeder has ended: send no more, and ask the job's handle why")]
    Closed(
        /// What could not be sent.
        T,
    ),
}

impl<T> Feeder<T> {
    /// Sends a record, waiting as long as the job is behind by the whole capacity.
    ///
    /// Before the job has been started nobody reads: whoever sends more than the capacity on the thread that is to
    /// start the job waits for ever.
    ///
    /// # Errors
    /// If the job has ended, also while this waits.
    ///
    /// # Cost
    /// A few nanoseconds while neither side waits. A system call to wake a data thread that has gone to sleep; to
    /// wait, an allocation and system calls, for half a capacity of records at a time.
    #[inline]
    pub fn send(&mut self, record: T) -> Result<(), Closed<T>> {
        self.0.give(record).map_err(Closed)
    }

    /// Sends a record if there is room for it.
    ///
    /// # Errors
    /// If there is none, or the job has ended.
    #[inline]
    pub fn try_send(&mut self, record: T) -> Result<(), TrySendError<T>> {
        if self.is_closed() {
            return Err(TrySendError::Closed(record));
        }
        self.0.put(record).map_err(|full| TrySendError::Full(full.0))?;
        self.0.call();
        Ok(())
    }

    /// Whether the job has ended, so that nothing sent from now on will be read.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Ends the stream once everything sent has been read. To drop the feeder does the same.
    pub fn close(self) {
        drop(self);
    }
}

impl<T: Send + 'static> Source for Fed<T> {
    type Item = T;
    type Reject = Infallible;

    fn attach(&mut self, bell: Bell) {
        self.0.is_at(&bell);
    }

    fn poll(&mut self, intake: &mut impl Intake<T, Infallible>) -> Result<Readiness, BoxError> {
        loop {
            match self.0.take() {
                Taken::One(record) => {
                    if intake.accept(record) == Demand::Enough {
                        return Ok(Readiness::Ready);
                    }
                }
                Taken::NoneYet => return Ok(Readiness::Waiting),
                Taken::NoneEver => return Ok(Readiness::Ended),
            }
        }
    }
}

impl<T> fmt::Debug for Feeder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feeder").field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Fed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fed").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Closed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Closed(..)")
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}
