//! Where results go.

mod csv;
mod handed;
mod json_lines;
mod output;
mod rows;
mod table;

pub use self::csv::CsvSink;
pub use handed::{Handed, NoResult, Results, ResultsGone, handed};
pub use json_lines::JsonLinesSink;
pub use output::OutputFile;
pub use rows::{RowSink, UnwritableRecord, WriteError};
pub use table::TableSink;

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
    vec,
};

use nacreous_operators::Record;

use crate::{Bell, job::BoxError};

/// Something that records can be written to. It runs on a data thread of its own job.
///
/// ```
/// use nacreous::{BoxError, Record, sink::Sink};
///
/// /// Adds everything up and says so in the end.
/// struct Total(u64);
///
/// impl Sink<u64> for Total {
///     fn write(&mut self, records: &mut std::vec::Drain<'_, Record<u64>>) -> Result<(), BoxError> {
///         self.0 += records.map(|record| record.value).sum::<u64>();
///         Ok(())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a sink for records of `{T}`",
    note = "a function takes records by `for_each`; sinks are in `nacreous::sink`, or implement `Sink`"
)]
pub trait Sink<T>: Send + 'static {
    /// Hands over the bell that wakes the sink's data thread. Called once, before the first write.
    fn attach(&mut self, bell: Bell) {
        drop(bell);
    }

    /// How many records it takes at the moment without waiting. With none, the stream before it stops; whoever
    /// makes room rings the bell that [`attach`](Self::attach) was given.
    fn room(&self) -> usize {
        usize::MAX
    }

    /// Takes a run of records, oldest first, and no more than there was [`room`](Self::room) for.
    ///
    /// # Errors
    /// If they cannot be written. That fails the job.
    fn write(&mut self, records: &mut vec::Drain<'_, Record<T>>) -> Result<(), BoxError>;

    /// Makes everything taken so far visible to others. Called when the input runs dry, and at the end; also
    /// after a write that panicked, for what came before it.
    ///
    /// # Errors
    /// If that cannot be done. That fails the job.
    fn flush(&mut self) -> Result<(), BoxError> {
        Ok(())
    }
}

/// The records that a stream ended in, for the thread that started the job to take.
#[derive(Debug)]
pub struct Collected<T>(Arc<Mutex<Vec<Record<T>>>>);

impl<T> Collected<T> {
    /// Takes what has arrived so far; everything, once the job has ended.
    pub fn take(&self) -> Vec<Record<T>> {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Appends to a vector that the user's thread holds too. It locks, once a batch: not for a hot path.
pub(crate) struct Collect<T>(Arc<Mutex<Vec<Record<T>>>>);

impl<T> Collect<T> {
    pub(crate) fn new() -> (Self, Collected<T>) {
        let shared = Arc::new(Mutex::new(Vec::new()));
        (Self(Arc::clone(&shared)), Collected(shared))
    }
}

impl<T: Send + 'static> Sink<T> for Collect<T> {
    fn write(&mut self, records: &mut vec::Drain<'_, Record<T>>) -> Result<(), BoxError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(records);
        Ok(())
    }
}
