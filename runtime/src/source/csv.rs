//! Rows of comma-separated text, one a line.

mod fields;
mod rows;

use std::{
    fmt,
    io::Read,
    str::{self, FromStr},
};

use self::fields::Fields;
pub use self::rows::CsvRows;
use super::{
    Intake, Readiness, RejectedRow, RowError, Source, TextError,
    row::{VALUE_SHOWN_CHARS, shown},
    text::{Line, Text},
};
use crate::job::BoxError;

/// Reads rows of csv from anything that can be read, and turns each into a value by a function of the user's.
///
/// The first line names the columns. A row is one line, so that a stray quote spoils one row and not the
/// rest of the file; quoted fields may hold commas and doubled quotes, but no line breaks. Blank lines are
/// skipped. A row that does not have the header's number of fields, or that the function refuses, goes to
/// the rejected output with its line number and the reason; the rest goes on. Lines are at most 1 MiB long.
///
/// What has been read is passed on before more is waited for: rows that trickle in come out one by one.
///
/// # Cost
/// No allocation for a good row: line and field buffers are reused. A bad one allocates its reason.
pub struct CsvSource<R, F> {
    text: Text<R>,
    fields: Fields,
    columns: Vec<Column>,
    parse: F,
}

/// A column that the user asked for.
struct Column {
    name: String,
    /// Its position in a row.
    at: usize,
}

impl<R: Read, F> CsvSource<R, F> {
    /// Reads the header of `reader`, named `input` in errors, and looks up the columns that `parse` will
    /// ask for, which it numbers in the order given here.
    ///
    /// # Errors
    /// If the header cannot be read or lacks a column.
    pub fn new(input: impl Into<String>, reader: R, columns: &[&str], parse: F) -> Result<Self, TextError> {
        let mut text = Text::new(input.into(), reader);
        let (fields, header) = read_header(&mut text)?;
        let find = |column: &&str| match header.iter().position(|name| name == column) {
            Some(at) => Ok(Column { name: (*column).to_owned(), at }),
            None => {
                let (input, column) = (text.input.clone(), (*column).to_owned());
                let found = shown(&header.join(", "), HEADER_SHOWN_CHARS);
                Err(TextError::NoColumn { input, column, found })
            }
        };
        let columns = columns.iter().map(find).collect::<Result<_, _>>()?;
        Ok(Self { text, fields, columns, parse })
    }
}

/// Reads the first line that is not blank: the names of the columns, and memory for rows of so many fields.
fn read_header<R: Read>(text: &mut Text<R>) -> Result<(Fields, Vec<String>), TextError> {
    let Text { input, lines } = text;
    let mut fields = Fields::new();
    while lines.next_is_blank().map_err(|error| TextError::Read { input: input.clone(), error })? {}
    if !lines.has_line() {
        return Err(TextError::BadHeader { input: input.clone(), reason: RowError::TooLong });
    }
    let split = match lines.next() {
        Ok(Some((_, Line::Text(text)))) if text.trim_ascii().is_empty() => {
            return Err(TextError::NoHeader { input: input.clone() });
        }
        Ok(Some((_, Line::Text(text)))) => fields.split(text, None),
        Ok(Some((_, Line::TooLong))) => Err(RowError::TooLong),
        Ok(None) => return Err(TextError::NoHeader { input: input.clone() }),
        Err(error) => return Err(TextError::Read { input: input.clone(), error }),
    };
    split.map_err(|reason| TextError::BadHeader { input: input.clone(), reason })?;
    let header = fields.to_strings();
    fields.expect(header.len());
    Ok((fields, header))
}

impl<R, F, T> Source for CsvSource<R, F>
where
    R: Read + Send + 'static,
    F: FnMut(&Row<'_>) -> Result<T, RowError> + Send + 'static,
    T: Send + 'static,
{
    type Item = T;
    type Reject = RejectedRow;

    // HOT(source.csv)
    fn poll(&mut self, intake: &mut impl Intake<T, RejectedRow>) -> Result<Readiness, BoxError> {
        let Self { text, fields, columns, parse } = self;
        let expected = fields.expected();
        text.poll(intake, |line, text| {
            fields.split(text, Some(expected))?;
            parse(&Row { line, fields, columns })
        })
    }
}

/// One row, as the user's function sees it. Columns are numbered as they were asked for.
pub struct Row<'a> {
    line: u64,
    fields: &'a Fields,
    columns: &'a [Column],
}

impl<'a> Row<'a> {
    /// The row's line in the input, counted from 1, which is the header.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The text in a column.
    ///
    /// # Errors
    /// If it is not UTF-8.
    ///
    /// # Panics
    /// If fewer columns were asked for.
    #[inline]
    pub fn text(&self, column: usize) -> Result<&'a str, RowError> {
        let Column { name, at } = &self.columns[column];
        str::from_utf8(self.fields.get(*at)).map_err(|_| RowError::Utf8 { column: name.clone() })
    }

    /// The text in a column, turned into a value of any type that can be read from text.
    ///
    /// # Errors
    /// If it is not UTF-8 or the type refuses it.
    ///
    /// # Panics
    /// If fewer columns were asked for.
    #[inline]
    pub fn parse<V: FromStr<Err: fmt::Display>>(&self, column: usize) -> Result<V, RowError> {
        let text = self.text(column)?;
        text.parse().map_err(|problem| self.refuse(column, problem))
    }

    /// The error that says what is wrong with the value in a column.
    ///
    /// # Panics
    /// If fewer columns were asked for.
    #[cold]
    pub fn refuse(&self, column: usize, problem: impl fmt::Display) -> RowError {
        let Column { name, at } = &self.columns[column];
        let value = shown(&String::from_utf8_lossy(self.fields.get(*at)), VALUE_SHOWN_CHARS);
        RowError::Field { column: name.clone(), value, problem: problem.to_string() }
    }
}

/// Enough to recognise a header by.
const HEADER_SHOWN_CHARS: usize = 200;

#[cfg(test)]
mod tests;
