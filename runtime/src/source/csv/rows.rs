use std::{io::Read, marker::PhantomData, path::Path};

use csv::{ByteRecord, DeserializeErrorKind};
use serde::de::DeserializeOwned;

use super::{Fields, read_header};
use crate::{
    job::BoxError,
    source::{
        Intake, Readiness, RejectedRow, RowError, Source, TextError, TextFile,
        row::{PROBLEM_SHOWN_CHARS, VALUE_SHOWN_CHARS, shown},
        text::{Text, open_named},
    },
};

/// Reads rows of csv into values of any type that serde can deserialize, such as a struct with a field for each column.
///
/// The first line that is not blank names the columns; a struct's fields are found by these names, in any order, and
/// columns that it has no field for are passed over. Otherwise this reads as [`CsvSource`](super::CsvSource) does: a
/// row is one line, and a bad one goes to the rejected output. A field that the header lacks is missing in every row,
/// and so every row is rejected, unless it is an `Option` or has a `#[serde(default)]`.
///
/// ```
/// use nacreous::{prelude::*, source::CsvRows};
/// use serde::Deserialize;
/// use std::time::Duration;
///
/// #[derive(Deserialize)]
/// struct Sale {
///     at_s: i64,
///     item: String,
///     price: f64,
/// }
///
/// // From a file, compressed or not: CsvRows::<_, Sale>::from_path("sales.csv.gz")?
/// let text = "item,price,at_s\ntea,2.50,1\ncoffee,a lot,2\n";
/// let sales = CsvRows::<_, Sale>::new("sales", text.as_bytes())?;
///
/// let graph = Graph::new();
/// let (sales, rejected) = graph.source(sales);
/// let sales = sales
///     .event_time(|sale| Timestamp::from_nanos(sale.at_s * 1_000_000_000), BoundedDisorder::new(Duration::ZERO)?)
///     .map(|sale| (sale.item, sale.price))
///     .collect();
/// let rejected = rejected.collect();
/// graph.run(JobOptions::default())?;
///
/// assert_eq!(sales.take()[0].value, ("tea".to_owned(), 2.5));
/// assert_eq!(rejected.take()[0].value.to_string(), "line 3: price: `a lot`: invalid float literal");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
/// What the type takes to be made: a `String` allocates, a number does not. Besides that no allocation for a good row,
/// which is copied once more than by a [`CsvSource`](super::CsvSource). That one is the choice where speed matters.
pub struct CsvRows<R, T> {
    text: Text<R>,
    fields: Fields,
    header: ByteRecord,
    row: ByteRecord,
    values: PhantomData<fn() -> T>,
}

impl<T> CsvRows<TextFile, T> {
    /// Opens a file as [`open_text`](crate::source::open_text) does, and reads its header.
    ///
    /// # Errors
    /// If it cannot be opened or read, or has no header.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self, TextError> {
        let (input, reader) = open_named(path.as_ref())?;
        Self::new(input, reader)
    }
}

impl<R: Read, T> CsvRows<R, T> {
    /// Reads the header of `reader`, named `input` in errors.
    ///
    /// # Errors
    /// If there is none, or it cannot be read.
    pub fn new(input: impl Into<String>, reader: R) -> Result<Self, TextError> {
        let mut text = Text::new(input.into(), reader);
        let (fields, header) = read_header(&mut text)?;
        let header = ByteRecord::from(header);
        Ok(Self { text, fields, header, row: ByteRecord::new(), values: PhantomData })
    }
}

impl<R, T> Source for CsvRows<R, T>
where
    R: Read + Send + 'static,
    T: DeserializeOwned + Send + 'static,
{
    type Item = T;
    type Reject = RejectedRow;

    fn poll(&mut self, intake: &mut impl Intake<T, RejectedRow>) -> Result<Readiness, BoxError> {
        let Self { text, fields, header, row, .. } = self;
        let expected = fields.expected();
        text.poll(intake, |_, text| {
            fields.split(text, Some(expected))?;
            row.clear();
            fields.iter().for_each(|field| row.push_field(field));
            row.deserialize(Some(header)).map_err(|error| refused(&error, header, row))
        })
    }
}

/// What is wrong with a row, and if possible with which of its fields.
#[cold]
fn refused(error: &csv::Error, header: &ByteRecord, row: &ByteRecord) -> RowError {
    let csv::ErrorKind::Deserialize { err, .. } = error.kind() else {
        return RowError::Value { problem: shown(&error.to_string(), PROBLEM_SHOWN_CHARS) };
    };
    let field = err.field().and_then(|field| usize::try_from(field).ok());
    let named = field.and_then(|field| Some((header.get(field)?, row.get(field)?)));
    let Some((column, value)) = named else {
        return RowError::Value { problem: shown(&err.kind().to_string(), PROBLEM_SHOWN_CHARS) };
    };
    let column = String::from_utf8_lossy(column).into_owned();
    let problem = match err.kind() {
        DeserializeErrorKind::InvalidUtf8(_) => return RowError::Utf8 { column },
        // These say no more than that; what the type's own reading says is of more use.
        DeserializeErrorKind::ParseBool(problem) => problem.to_string(),
        DeserializeErrorKind::ParseInt(problem) => problem.to_string(),
        DeserializeErrorKind::ParseFloat(problem) => problem.to_string(),
        other => shown(&other.to_string(), PROBLEM_SHOWN_CHARS),
    };
    let value = shown(&String::from_utf8_lossy(value), VALUE_SHOWN_CHARS);
    RowError::Field { column, value, problem }
}
