//! JSON, one value a line.

use std::{io::Read, marker::PhantomData, path::Path};

use serde::de::DeserializeOwned;

use super::{
    Intake, Readiness, RejectedRow, RowError, Source, TextError, TextFile,
    row::{PROBLEM_SHOWN_CHARS, shown},
    text::{Text, open_named},
};
use crate::job::BoxError;

/// Reads JSON, one value a line, into values of any type that serde can deserialize.
///
/// Blank lines are skipped. A line that is no JSON, or none that the type can be made of, goes to the rejected output
/// with its number and the reason; the rest goes on. Lines are at most 1 MiB long. What has been read is passed on
/// before more is waited for: lines that trickle in come out one by one.
///
/// ```
/// use nacreous::{prelude::*, source::JsonLines};
/// use serde::Deserialize;
/// use std::time::Duration;
///
/// #[derive(Deserialize)]
/// struct Reading {
///     at_ms: i64,
///     celsius: f64,
/// }
///
/// // From a file, compressed or not: JsonLines::<_, Reading>::from_path("readings.jsonl.gz")?
/// let text = "{\"at_ms\": 1, \"celsius\": 20.5}\n{\"at_ms\": 2}\n";
/// let readings = JsonLines::<_, Reading>::new("readings", text.as_bytes());
///
/// let graph = Graph::new();
/// let (readings, rejected) = graph.source(readings);
/// let readings = readings
///     .event_time(|reading| Timestamp::from_nanos(reading.at_ms * 1_000_000), BoundedDisorder::new(Duration::ZERO)?)
///     .map(|reading| reading.celsius)
///     .collect();
/// let rejected = rejected.collect();
/// graph.run(JobOptions::default())?;
///
/// assert_eq!(readings.take()[0].value, 20.5);
/// assert_eq!(rejected.take()[0].value.to_string(), "line 2: byte 12: missing field `celsius`");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
/// What the type takes to be made: a `String` allocates, a number does not. Besides that no allocation for a good
/// line, except where a text in it has escapes.
pub struct JsonLines<R, T> {
    text: Text<R>,
    values: PhantomData<fn() -> T>,
}

impl<T> JsonLines<TextFile, T> {
    /// Opens a file as [`open_text`](super::open_text) does.
    ///
    /// # Errors
    /// If it cannot be opened or read.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, TextError> {
        let (input, reader) = open_named(path.as_ref())?;
        Ok(Self::new(input, reader))
    }
}

impl<R: Read, T> JsonLines<R, T> {
    /// Reads from `reader`, named `input` in errors.
    pub fn new(input: impl Into<String>, reader: R) -> Self {
        Self { text: Text::new(input.into(), reader), values: PhantomData }
    }
}

impl<R, T> Source for JsonLines<R, T>
where
    R: Read + Send + 'static,
    T: DeserializeOwned + Send + 'static,
{
    type Item = T;
    type Reject = RejectedRow;

    fn poll(&mut self, intake: &mut impl Intake<T, RejectedRow>) -> Result<Readiness, BoxError> {
        self.text.poll(intake, |_, text| serde_json::from_slice(text).map_err(|error| refused(&error)))
    }
}

#[cold]
fn refused(error: &serde_json::Error) -> RowError {
    let (line, byte) = (error.line(), error.column());
    let said = error.to_string();
    // It counts lines within the text it is given, which is always the first.
    let problem = said.strip_suffix(&format!(" at line {line} column {byte}")).unwrap_or(&said);
    RowError::Json { problem: shown(problem, PROBLEM_SHOWN_CHARS), byte }
}
