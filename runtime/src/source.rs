//! Where records come from.

mod csv;
mod fed;
mod generator;
mod iter;
mod json_lines;
mod row;
mod tcp;
mod text;

pub use csv::{CsvRows, CsvSource, Row};
pub use fed::{Closed, Fed, Feeder, TrySendError, fed};
pub use generator::Generator;
pub(crate) use iter::IterSource;
pub use json_lines::JsonLines;
pub(crate) use row::shown;
pub use row::{FieldCount, RejectedRow, RowError};
pub use tcp::{LineError, RejectedLine, TcpError, TcpLines};
pub use text::{TextError, TextError as CsvError, TextFile, open_text};

use crate::{Bell, job::BoxError};

/// Something that records can be read from. It runs on a data thread of its own job.
///
/// ```
/// use nacreous::source::{Demand, Intake, Readiness, Source};
///
/// /// Counts to a number.
/// struct Countdown(u64);
///
/// impl Source for Countdown {
///     type Item = u64;
///     type Reject = std::convert::Infallible;
///
///     fn poll(
///         &mut self,
///         intake: &mut impl Intake<u64, Self::Reject>,
///     ) -> Result<Readiness, nacreous::BoxError> {
///         while self.0 > 0 {
///             self.0 -= 1;
///             if intake.accept(self.0) == Demand::Enough {
///                 return Ok(Readiness::Ready);
///             }
///         }
///         Ok(Readiness::Ended)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a source of records",
    note = "an iterator becomes one by `Graph::iter`; others are in `nacreous::source`, or implement `Source`"
)]
pub trait Source: Send + 'static {
    /// What is read.
    type Item: Send + 'static;
    /// What stands for a piece of input that could not be made sense of.
    type Reject: Send + 'static;

    /// Hands over the bell that wakes the source's data thread. Called once, before the first poll.
    fn attach(&mut self, bell: Bell) {
        drop(bell);
    }

    /// Puts records into `intake` until that says it has [`Enough`](Demand::Enough), or until there is
    /// nothing to read at once. Neither waits nor locks nor allocates in its steady state; while it waits, its
    /// thread does nothing else, and the job cannot be stopped.
    ///
    /// To go on after `Enough` is a bug, which fails the job.
    ///
    /// # Errors
    /// If the input cannot be read on. That fails the job; results already complete are still written.
    /// A single bad record is not an error: it goes to [`Intake::reject`].
    fn poll(&mut self, intake: &mut impl Intake<Self::Item, Self::Reject>) -> Result<Readiness, BoxError>;
}

/// Takes what a source reads.
pub trait Intake<T, R> {
    /// Takes a record.
    fn accept(&mut self, item: T) -> Demand;

    /// Takes records from an iterator until there are [`Enough`](Demand::Enough) or no more; which of the two it was, and
    /// the iterator with what was not taken.
    ///
    /// The same as [`accept`](Self::accept) for each, and faster: most of all if the iterator is small, and given as it is
    /// rather than by a reference.
    #[inline]
    fn accept_all<I: Iterator<Item = T>>(&mut self, mut items: I) -> (I, Demand) {
        while let Some(item) = items.next() {
            if self.accept(item) == Demand::Enough {
                return (items, Demand::Enough);
            }
        }
        (items, Demand::More)
    }

    /// Takes note of a piece of input that could not be made sense of.
    fn reject(&mut self, reject: R) -> Demand;
}

/// Whether a source should go on in this poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Demand {
    /// Go on.
    More,
    /// Return [`Readiness::Ready`] now; the rest is for the next poll.
    Enough,
}

/// What a source has to expect of its next poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// There may be more at once.
    Ready,
    /// Nothing at the moment. It is polled again within a millisecond: nobody says when there is more.
    Pending,
    /// Nothing at the moment. Whoever brings more rings the bell that [`Source::attach`] was given.
    Waiting,
    /// Nothing ever again.
    Ended,
}
