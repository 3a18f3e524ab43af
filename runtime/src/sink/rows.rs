use std::{
    io::{self, Write},
    vec,
};

use nacreous_operators::Record;

use super::Sink;
use crate::job::BoxError;

/// Writes each record as a row of text: to a file, a socket, standard output.
///
/// Rows are gathered and written many at a time, and always whole: when there is enough to be worth it, and
/// whenever the input runs dry. The memory for them is reused.
pub struct RowSink<W, F> {
    rows: Rows<W>,
    format: F,
}

/// What a sink for rows writes to did not take it.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {target}: {error}")]
pub struct WriteError {
    target: String,
    error: io::Error,
}

/// A record of which no row can be made. What came before it is written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {target}: record {number} makes no row: {problem}")]
pub struct UnwritableRecord {
    /// What was being written to, as its user named it.
    pub target: String,
    /// Which record of the sink's it was, counted from 1.
    pub number: u64,
    /// What is wrong with it, as its type or the format says.
    pub problem: String,
}

impl WriteError {
    pub(super) fn new(target: impl Into<String>, error: io::Error) -> Self {
        Self { target: target.into(), error }
    }

    /// What was being written to, as its user named it.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// What the operating system said.
    pub fn kind(&self) -> io::ErrorKind {
        self.error.kind()
    }
}

impl<W: Write, F> RowSink<W, F> {
    /// A sink that writes to `writer`, named `target` in errors. `format` appends one row, line end
    /// included, for the record it is given.
    pub fn new(target: impl Into<String>, writer: W, format: F) -> Self {
        Self { rows: Rows::new(target.into(), writer), format }
    }

    /// A row to stand before all others, such as a header.
    #[must_use]
    pub fn with_header(mut self, header: &str) -> Self {
        self.rows.append_header(header);
        self
    }
}

impl<T, W, F> Sink<T> for RowSink<W, F>
where
    W: Write + Send + 'static,
    F: FnMut(&mut Vec<u8>, &Record<T>) + Send + 'static,
{
    fn write(&mut self, records: &mut vec::Drain<'_, Record<T>>) -> Result<(), BoxError> {
        for record in records {
            self.rows.append(|rows| (self.format)(rows, &record))?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), BoxError> {
        Ok(self.rows.flush()?)
    }
}

/// Rows gathered until there are enough to be worth writing.
pub(super) struct Rows<W> {
    target: String,
    writer: W,
    /// Rows not yet written.
    rows: Vec<u8>,
    /// How much of that is whole rows: all of it, unless one is being made, or could not be.
    whole: usize,
    /// How many records have been made into rows.
    records: u64,
}

/// How much is gathered before it is written. There is memory for twice as much, for the last row to fit.
const WRITE_BYTES: usize = 1 << 16;

impl<W: Write> Rows<W> {
    pub(super) fn new(target: String, writer: W) -> Self {
        Self { target, writer, rows: Vec::with_capacity(2 * WRITE_BYTES), whole: 0, records: 0 }
    }

    /// Appends what is no row, such as a header.
    pub(super) fn append_header(&mut self, header: &str) {
        self.rows.extend_from_slice(header.as_bytes());
        self.whole = self.rows.len();
    }

    /// Has `format` append a row.
    pub(super) fn append(&mut self, format: impl FnOnce(&mut Vec<u8>)) -> Result<(), WriteError> {
        format(&mut self.rows);
        self.whole = self.rows.len();
        self.records += 1;
        if self.rows.len() >= WRITE_BYTES { self.write() } else { Ok(()) }
    }

    /// Has `format` append a row. If it cannot, everything before that is written, and nothing of it.
    pub(super) fn try_append<E: ToString>(
        &mut self,
        format: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), BoxError> {
        match format(&mut self.rows) {
            Ok(()) => Ok(self.append(|_| ())?),
            Err(problem) => {
                self.flush()?;
                let (target, number) = (self.target.clone(), self.records + 1);
                Err(UnwritableRecord { target, number, problem: problem.to_string() }.into())
            }
        }
    }

    /// Makes all rows visible to others.
    pub(super) fn flush(&mut self) -> Result<(), WriteError> {
        self.write()?;
        self.writer.flush().map_err(|error| WriteError::new(&self.target, error))
    }

    fn write(&mut self) -> Result<(), WriteError> {
        let written = self.writer.write_all(&self.rows[..self.whole]);
        self.rows.clear();
        self.whole = 0;
        written.map_err(|error| WriteError::new(&self.target, error))
    }
}
