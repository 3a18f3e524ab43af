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
    target: String,
    writer: W,
    format: F,
    /// Rows not yet written.
    rows: Vec<u8>,
    /// How much of that is whole rows: all of it, unless `format` has panicked in the middle of one.
    whole: usize,
}

/// How much is gathered before it is written. There is memory for twice as much, for the last row to fit.
const WRITE_BYTES: usize = 1 << 16;

/// What a [`RowSink`] writes to did not take it.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {target}: {error}")]
pub struct WriteError {
    target: String,
    error: io::Error,
}

impl WriteError {
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
        Self { target: target.into(), writer, format, rows: Vec::with_capacity(2 * WRITE_BYTES), whole: 0 }
    }

    /// A row to stand before all others, such as a header.
    #[must_use]
    pub fn with_header(mut self, header: &str) -> Self {
        self.rows.extend_from_slice(header.as_bytes());
        self.whole = self.rows.len();
        self
    }

    fn write_rows(&mut self) -> Result<(), WriteError> {
        let written = self.writer.write_all(&self.rows[..self.whole]);
        self.rows.clear();
        self.whole = 0;
        written.map_err(|error| WriteError { target: self.target.clone(), error })
    }
}

impl<T, W, F> Sink<T> for RowSink<W, F>
where
    W: Write + Send + 'static,
    F: FnMut(&mut Vec<u8>, &Record<T>) + Send + 'static,
{
    fn write(&mut self, records: &mut vec::Drain<'_, Record<T>>) -> Result<(), BoxError> {
        for record in records {
            (self.format)(&mut self.rows, &record);
            self.whole = self.rows.len();
            if self.rows.len() >= WRITE_BYTES {
                self.write_rows()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), BoxError> {
        self.write_rows()?;
        self.writer.flush().map_err(|error| WriteError { target: self.target.clone(), error })?;
        Ok(())
    }
}
