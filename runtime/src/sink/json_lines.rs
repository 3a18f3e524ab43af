//! Records as JSON, one value a line.

use std::{io::Write, path::Path, vec};

use nacreous_operators::Record;
use serde::Serialize;

use super::{OutputFile, Sink, WriteError, rows::Rows};
use crate::job::BoxError;

/// Writes each value as JSON, one a line, of any type that serde can serialize.
///
/// What JSON cannot say, such as a map whose keys are no texts, fails the job with
/// [`UnwritableRecord`](super::UnwritableRecord), after everything before it has been written. Numbers that are not
/// finite become `null`.
///
/// Lines are always written whole: when there are enough to be worth it, and whenever the input runs dry.
///
/// ```
/// use nacreous::{prelude::*, sink::JsonLinesSink};
/// use serde::Serialize;
/// use std::time::Duration;
///
/// #[derive(Serialize)]
/// struct Square {
///     n: i64,
///     square: i64,
/// }
///
/// let path = std::env::temp_dir().join("nacreous-squares.jsonl");
/// let graph = Graph::new();
/// let numbers = graph.iter(1..3_i64);
/// numbers
///     .event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::new(Duration::ZERO)?)
///     .map(|n| Square { n, square: n * n })
///     .to(JsonLinesSink::create(&path)?);
/// graph.run(JobOptions::default())?;
///
/// let written = std::fs::read_to_string(&path)?;
/// assert_eq!(written, "{\"n\":1,\"square\":1}\n{\"n\":2,\"square\":4}\n");
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
/// No allocation, unless the type's own way of serializing itself has some.
pub struct JsonLinesSink<W>(Rows<W>);

impl JsonLinesSink<OutputFile> {
    /// Creates a file, or empties it; one whose name ends in `.gz` is compressed.
    ///
    /// # Errors
    /// If that cannot be done.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, WriteError> {
        let path = path.as_ref();
        Ok(Self::new(path.display().to_string(), OutputFile::create(path)?))
    }
}

impl<W: Write> JsonLinesSink<W> {
    /// A sink that writes to `writer`, named `target` in errors.
    pub fn new(target: impl Into<String>, writer: W) -> Self {
        Self(Rows::new(target.into(), writer))
    }
}

impl<T, W> Sink<T> for JsonLinesSink<W>
where
    T: Serialize,
    W: Write + Send + 'static,
{
    fn write(&mut self, records: &mut vec::Drain<'_, Record<T>>) -> Result<(), BoxError> {
        for record in records {
            self.0.try_append(|rows| {
                serde_json::to_writer(&mut *rows, &record.value)?;
                rows.push(b'\n');
                Ok::<_, serde_json::Error>(())
            })?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), BoxError> {
        Ok(self.0.flush()?)
    }
}
