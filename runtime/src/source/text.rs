//! Text, plain or compressed, read line by line.

mod lines;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use flate2::bufread::MultiGzDecoder;

pub(super) use self::lines::{LINE_BYTES_MAX, Line, Lines};
use super::{Demand, Intake, Readiness, RejectedRow, RowError};
use crate::job::BoxError;

/// What a source that was opened by its path reads from.
pub type TextFile = Box<dyn Read + Send>;

/// Why text cannot be read at all, or no further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
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
) -> Result<TextFile, TextError> {
    let failed = |error| TextError::Read { input: path.display().to_string(), error };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    let mut file = BufReader::with_capacity(FILE_BYTES, wrap(file));
    let named_gzip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    let gzip = named_gzip || file.fill_buf().map_err(failed)?.starts_with(&GZIP_MAGIC);
    Ok(if gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

/// Opens a text file as [`open_text`] does, and what errors are to call it.
pub(super) fn open_named(path: &Path) -> Result<(String, TextFile), TextError> {
    Ok((path.display().to_string(), open_text(path, |file| file)?))
}

/// Lines, and what errors call the input they come from.
pub(super) struct Text<R> {
    pub(super) input: String,
    pub(super) lines: Lines<R>,
}

impl<R: Read> Text<R> {
    pub(super) fn new(input: String, reader: R) -> Self {
        Self { input, lines: Lines::new(reader) }
    }

    /// Has `parse` make a value of each line that is not blank, given with its number. What it refuses is rejected,
    /// and so are lines that are too long.
    ///
    /// What has been read is passed on before more is waited for.
    #[inline(always)]
    pub(super) fn poll<T>(
        &mut self,
        intake: &mut impl Intake<T, RejectedRow>,
        mut parse: impl FnMut(u64, &[u8]) -> Result<T, RowError>,
    ) -> Result<Readiness, BoxError> {
        let mut taken = false;
        loop {
            if taken && !self.lines.has_line() {
                // The next line may be long in coming: let what has been taken go on its way first.
                return Ok(Readiness::Pending);
            }
            let (number, line) = match self.lines.next() {
                Ok(Some(numbered)) => numbered,
                Ok(None) => return Ok(Readiness::Ended),
                Err(error) => return Err(TextError::Read { input: self.input.clone(), error }.into()),
            };
            let value = match line {
                Line::Text(text) if text.trim_ascii().is_empty() => continue,
                Line::Text(text) => parse(number, text),
                Line::TooLong => Err(RowError::TooLong),
            };
            let demand = match value {
                Ok(value) => intake.accept(value),
                Err(reason) => intake.reject(RejectedRow { line: number, reason }),
            };
            if demand == Demand::Enough {
                return Ok(Readiness::Ready);
            }
            taken = true;
        }
    }
}
