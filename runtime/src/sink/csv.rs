//! Records as rows of comma-separated text.

use std::{
    cell::RefCell,
    io::{self, Write},
    path::Path,
    vec,
};

use csv::WriterBuilder;
use nacreous_operators::Record;
use serde::Serialize;

use super::{OutputFile, Sink, WriteError, rows::Rows};
use crate::job::BoxError;

/// Writes each value as a row of csv, of any type that serde can serialize, such as a struct with a field for each
/// column.
///
/// The names of a struct's fields make the header, which comes with the first row: a stream without records leaves an
/// empty file. Values without names for their fields, such as tuples, make rows without a header. Fields are quoted
/// where they have to be. What cannot stand in a row, such as a map within a struct, fails the job with
/// [`UnwritableRecord`](super::UnwritableRecord), after everything before it has been written.
///
/// Rows are always written whole: when there are enough to be worth it, and whenever the input runs dry.
///
/// ```
/// use nacreous::{prelude::*, sink::CsvSink};
/// use serde::Serialize;
/// use std::time::Duration;
///
/// #[derive(Serialize)]
/// struct Square {
///     n: i64,
///     square: i64,
/// }
///
/// let path = std::env::temp_dir().join("nacreous-squares.csv");
/// let graph = Graph::new();
/// let numbers = graph.iter(1..3_i64);
/// numbers
///     .event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::new(Duration::ZERO)?)
///     .map(|n| Square { n, square: n * n })
///     .to(CsvSink::create(&path)?);
/// graph.run(JobOptions::default())?;
///
/// assert_eq!(std::fs::read_to_string(&path)?, "n,square\n1,1\n2,4\n");
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
/// No allocation, unless the type's own way of serializing itself has some.
pub struct CsvSink<W> {
    rows: Rows<W>,
    row: RowWriter,
}

impl CsvSink<OutputFile> {
    /// Creates a file, or empties it; one whose name ends in `.gz` is compressed.
    ///
    /// # Errors
    /// If that cannot be done.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, WriteError> {
        let path = path.as_ref();
        Ok(Self::new(path.display().to_string(), OutputFile::create(path)?))
    }
}

impl<W: Write> CsvSink<W> {
    /// A sink that writes to `writer`, named `target` in errors.
    pub fn new(target: impl Into<String>, writer: W) -> Self {
        Self { rows: Rows::new(target.into(), writer), row: RowWriter::new() }
    }
}

impl<T, W> Sink<T> for CsvSink<W>
where
    T: Serialize,
    W: Write + Send + 'static,
{
    fn write(&mut self, records: &mut vec::Drain<'_, Record<T>>) -> Result<(), BoxError> {
        for record in records {
            self.rows.try_append(|rows| self.row.write(&record.value, rows))?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), BoxError> {
        Ok(self.rows.flush()?)
    }
}

/// Makes rows of values, a header before the first one.
pub(super) struct RowWriter(csv::Writer<OneRow>);

/// The row being made. The writer shows what it writes to by shared reference only, hence the cell.
struct OneRow(RefCell<Vec<u8>>);

impl RowWriter {
    pub(super) fn new() -> Self {
        Self(WriterBuilder::new().from_writer(OneRow(RefCell::default())))
    }

    /// Appends a row to `rows`, or if that cannot be done, nothing.
    pub(super) fn write(&mut self, value: &impl Serialize, rows: &mut Vec<u8>) -> csv::Result<()> {
        self.0.serialize(value)?;
        self.0.flush()?;
        rows.append(&mut self.0.get_ref().0.borrow_mut());
        Ok(())
    }
}

impl Write for OneRow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.get_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
