//! Rows of comma-separated text, one a line.

mod lines;

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    str::{self, FromStr},
};

use csv_core::{ReadRecordResult, Terminator};
use flate2::bufread::MultiGzDecoder;

use self::lines::{Line, Lines};
use super::{Demand, Intake, Readiness, Source};
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
    input: String,
    lines: Lines<R>,
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

/// A row that could not be made sense of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// Its line, counted from 1, which is the header.
    pub line: u64,
    /// What is wrong with it.
    pub reason: RowError,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowError {
    /// It has fewer or more fields than the header.
    #[error("expected {expected} fields, found {found}")]
    FieldCount {
        /// Fields in the header.
        expected: usize,
        /// Fields in the row.
        found: FieldCount,
    },
    /// A quoted field is not closed on its line.
    #[error("a quoted field is not closed on this line")]
    OpenQuote,
    /// The line is longer than 1 MiB.
    #[error("line longer than {} bytes", lines::LINE_BYTES_MAX)]
    TooLong,
    /// A field is not UTF-8.
    #[error("{column}: invalid UTF-8")]
    Utf8 {
        /// The field's column.
        column: String,
    },
    /// A field is not what its column should hold.
    #[error("{column}: `{value}`: {problem}")]
    Field {
        /// The field's column.
        column: String,
        /// The field, cut to a length one can read.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// How many fields a row has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldCount {
    /// This many.
    Exactly(usize),
    /// This many at least: far too many are not counted to the last.
    AtLeast(usize),
}

impl fmt::Display for FieldCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(count) => count.fmt(f),
            Self::AtLeast(count) => write!(f, "at least {count}"),
        }
    }
}

/// Why csv cannot be read at all, or no further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CsvError {
    /// The input cannot be opened or read.
    #[error("cannot read {input}: {error}")]
    Read {
        /// The input, as its user named it.
        input: String,
        /// What the operating system or the decompressor said.
        error: io::Error,
    },
    /// The input is empty, where a header should be.
    #[error("cannot read {input}: it is empty; expected a header line that names the columns")]
    NoHeader {
        /// The input, as its user named it.
        input: String,
    },
    /// The header is not csv.
    #[error("cannot read {input}: its header line is bad: {reason}")]
    BadHeader {
        /// The input, as its user named it.
        input: String,
        /// What is wrong with it.
        reason: RowError,
    },
    /// The header lacks a column.
    #[error("cannot read {input}: its header has no column `{column}`; it has {found}")]
    NoColumn {
        /// The input, as its user named it.
        input: String,
        /// The column that is missing.
        column: String,
        /// The columns there are.
        found: String,
    },
}

/// How a gzip file begins.
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];
/// How much of a file is read at once.
const FILE_BYTES: usize = 1 << 16;

/// Opens a text file; one whose name ends in `.gz`, or that begins as gzip does, is decompressed while it is
/// read.
///
/// `wrap` is given the raw file first: to count what was read, say; the identity will do.
///
/// # Errors
/// If it cannot be opened or read, or is a directory.
pub fn open_text<R: Read + Send + 'static>(
    path: &Path,
    wrap: impl FnOnce(File) -> R,
) -> Result<Box<dyn Read + Send>, CsvError> {
    let failed = |error| CsvError::Read { input: path.display().to_string(), error };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    let mut file = BufReader::with_capacity(FILE_BYTES, wrap(file));
    let named_gzip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    let gzip = named_gzip || file.fill_buf().map_err(failed)?.starts_with(&GZIP_MAGIC);
    Ok(if gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

impl<R: Read, F> CsvSource<R, F> {
    /// Reads the header of `reader`, named `input` in errors, and looks up the columns that `parse` will
    /// ask for, which it numbers in the order given here.
    ///
    /// # Errors
    /// If the header cannot be read or lacks a column.
    pub fn new(input: impl Into<String>, reader: R, columns: &[&str], parse: F) -> Result<Self, CsvError> {
        let input = input.into();
        let mut lines = Lines::new(reader);
        let mut fields = Fields::new();
        while lines.next_is_blank().map_err(|error| CsvError::Read { input: input.clone(), error })? {}
        if !lines.has_line() {
            return Err(CsvError::BadHeader { input, reason: RowError::TooLong });
        }
        let header = match lines.next() {
            Ok(Some(Line::Text(text))) => fields.split(text, None).map(|()| fields.to_strings()),
            Ok(Some(Line::TooLong)) => Err(RowError::TooLong),
            Ok(None) => return Err(CsvError::NoHeader { input }),
            Err(error) => return Err(CsvError::Read { input, error }),
        };
        let header = match header {
            Ok(header) => header,
            Err(reason) => return Err(CsvError::BadHeader { input, reason }),
        };
        let find = |column: &&str| match header.iter().position(|name| name == column) {
            Some(at) => Ok(Column { name: (*column).to_owned(), at }),
            None => {
                let (input, column) = (input.clone(), (*column).to_owned());
                let found = shown(&header.join(", "), HEADER_SHOWN_CHARS);
                Err(CsvError::NoColumn { input, column, found })
            }
        };
        let columns = columns.iter().map(find).collect::<Result<_, _>>()?;
        fields.expect(header.len());
        Ok(Self { input, lines, fields, columns, parse })
    }
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
        let expected = self.fields.expected;
        let mut taken = false;
        loop {
            if taken && !self.lines.has_line() {
                // The next line may be long in coming: let what has been taken go on its way first.
                return Ok(Readiness::Pending);
            }
            let line = match self.lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(Readiness::Ended),
                Err(error) => return Err(CsvError::Read { input: self.input.clone(), error }.into()),
            };
            let value = match line {
                Line::Text(text) if text.trim_ascii().is_empty() => continue,
                Line::Text(text) => self.fields.split(text, Some(expected)).and_then(|()| {
                    let number = self.lines.number();
                    (self.parse)(&Row { line: number, fields: &self.fields, columns: &self.columns })
                }),
                Line::TooLong => Err(RowError::TooLong),
            };
            let demand = match value {
                Ok(value) => intake.accept(value),
                Err(reason) => intake.reject(RejectedRow { line: self.lines.number(), reason }),
            };
            if demand == Demand::Enough {
                return Ok(Readiness::Ready);
            }
            taken = true;
        }
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

/// Enough to recognise a value by.
const VALUE_SHOWN_CHARS: usize = 40;
/// Enough to recognise a header by.
const HEADER_SHOWN_CHARS: usize = 200;

/// Text as it can be shown in a message: what cannot be printed is escaped, and what is too long cut off.
fn shown(text: &str, chars_max: usize) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    let mut shown: String = text.chars().take(chars_max).map(escape).collect();
    if text.chars().nth(chars_max).is_some() {
        shown.push('…');
    }
    shown
}

/// The fields of one line, unquoted, in memory that is reused.
struct Fields {
    reader: csv_core::Reader,
    text: Vec<u8>,
    /// Where in `text` each field ends.
    ends: Vec<usize>,
    /// How many fields the line has.
    count: usize,
    /// How many it should have.
    expected: usize,
}

impl Fields {
    fn new() -> Self {
        let reader = csv_core::ReaderBuilder::new().terminator(Terminator::Any(b'\n')).build();
        Self { reader, text: Vec::new(), ends: vec![0; 64], count: 0, expected: 0 }
    }

    /// From now on each line should have this many fields.
    fn expect(&mut self, fields: usize) {
        self.expected = fields;
        self.ends = vec![0; fields + 16];
    }

    /// Splits a line, given without its line break, into fields: `expected` of them, if that is known.
    fn split(&mut self, line: &[u8], expected: Option<usize>) -> Result<(), RowError> {
        if self.text.len() < line.len() + 1 {
            self.text.resize(line.len() + 1, 0);
        }
        self.reader.reset();
        self.count = 0;
        let (mut read, mut written) = (0, 0);
        loop {
            let input: &[u8] = if read < line.len() { &line[read..] } else { b"\n" };
            let (result, used, out, ends) =
                self.reader.read_record(input, &mut self.text[written..], &mut self.ends[self.count..]);
            read += used;
            written += out;
            self.count += ends;
            match result {
                ReadRecordResult::Record => break,
                ReadRecordResult::InputEmpty if read <= line.len() => {}
                // The line break itself was taken for data: it lies inside quotes.
                ReadRecordResult::InputEmpty | ReadRecordResult::End => return Err(RowError::OpenQuote),
                ReadRecordResult::OutputEndsFull => match expected {
                    Some(expected) => {
                        let found = FieldCount::AtLeast(self.count);
                        return Err(RowError::FieldCount { expected, found });
                    }
                    None => self.ends.resize(self.ends.len() * 2, 0),
                },
                ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
            }
        }
        match expected {
            Some(expected) if expected != self.count => {
                Err(RowError::FieldCount { expected, found: FieldCount::Exactly(self.count) })
            }
            _ => Ok(()),
        }
    }

    #[inline]
    fn get(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..self.ends[index]]
    }

    fn to_strings(&self) -> Vec<String> {
        (0..self.count).map(|index| String::from_utf8_lossy(self.get(index)).into_owned()).collect()
    }
}

#[cfg(test)]
mod tests;
