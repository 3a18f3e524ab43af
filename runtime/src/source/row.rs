//! Rows of text, one a line, that could not be made sense of.

use std::fmt;

use super::text::LINE_BYTES_MAX;

/// A row that could not be made sense of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct RejectedRow {
    /// Its line, counted from 1; in csv that is the header.
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
    #[error("line longer than {} bytes", LINE_BYTES_MAX)]
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
    /// The row's fields make no value of the type wanted.
    #[error("{problem}")]
    Value {
        /// What is wrong with them, as the type says it.
        problem: String,
    },
    /// The line is no JSON, or its JSON makes no value of the type wanted.
    #[error("byte {byte}: {problem}")]
    Json {
        /// What is wrong with it, as the reader of JSON or the type says it.
        problem: String,
        /// How far into the line it was read, in bytes.
        byte: usize,
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

/// Enough to recognise a value by.
pub(super) const VALUE_SHOWN_CHARS: usize = 40;
/// Enough to understand what is wrong with one.
pub(super) const PROBLEM_SHOWN_CHARS: usize = 200;

/// Text as it can be shown in a message: what cannot be printed is escaped, and what is too long cut off.
pub(crate) fn shown(text: &str, chars_max: usize) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.into() };
    let mut shown: String = text.chars().take(chars_max).map(escape).collect();
    if text.chars().nth(chars_max).is_some() {
        shown.push('…');
    }
    shown
}
