//! Records as a table for people to read.

use std::{
    fmt::Write as _,
    io::{self, Write},
    mem, vec,
};

use csv::{ReaderBuilder, StringRecord};
use nacreous_operators::Record;
use serde::Serialize;

use super::{Sink, csv::RowWriter, rows::Rows};
use crate::{job::BoxError, source::shown};

/// Prints values as the rows of a table, of any type that a [`CsvSink`](super::CsvSink) takes: a struct makes a row with
/// a cell for each field, under their names.
///
/// Rows are held until the input runs dry, or there are 1,000, and are then printed with columns as wide as the widest
/// cell so far. So a stream of few results comes out as one table, and one that trickles row by row; no row is left
/// out. Where a column has had to grow, the header is printed again. Columns that have had nothing but numbers are
/// aligned to the right. A cell of more than 64 characters is cut. (Characters count as one column each, also those
/// that terminals show wider.)
///
/// ```
/// use nacreous::{prelude::*, sink::TableSink};
/// use serde::Serialize;
/// use std::time::Duration;
///
/// #[derive(Serialize)]
/// struct Stock {
///     item: &'static str,
///     count: i64,
/// }
///
/// let graph = Graph::new();
/// let stock = graph.iter([Stock { item: "tea", count: 8 }, Stock { item: "coffee", count: 1_024 }]);
/// stock
///     .event_time(|_| Timestamp::from_nanos(0), BoundedDisorder::new(Duration::ZERO)?)
///     .to(TableSink::stdout());
/// graph.run(JobOptions::default())?;
/// // item    count
/// // tea         8
/// // coffee   1024
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cost
/// Allocations for each row: this is for as many as people read.
pub struct TableSink<W> {
    rows: Rows<W>,
    row: RowWriter,
    /// The row that was made last, as csv.
    made: Vec<u8>,
    header: Option<StringRecord>,
    /// Rows yet to be printed.
    held: Vec<StringRecord>,
    columns: Vec<Column>,
    /// A column has grown since the header was printed, or it never was.
    header_due: bool,
}

/// How a column looks.
struct Column {
    chars: usize,
    numeric: bool,
}

/// How many rows are held until they are printed.
const ROWS_HELD: usize = 1_000;
/// How long a cell may be.
const CELL_CHARS_MAX: usize = 64;

impl TableSink<io::Stdout> {
    /// A sink that prints to standard output.
    pub fn stdout() -> Self {
        Self::new("standard output", io::stdout())
    }
}

impl<W: Write> TableSink<W> {
    /// A sink that prints to `writer`, named `target` in errors.
    pub fn new(target: impl Into<String>, writer: W) -> Self {
        Self {
            rows: Rows::new(target.into(), writer),
            row: RowWriter::new(),
            made: Vec::new(),
            header: None,
            held: Vec::new(),
            columns: Vec::new(),
            header_due: false,
        }
    }

    /// Holds a value's row.
    fn hold(&mut self, value: &impl Serialize) -> csv::Result<()> {
        self.made.clear();
        self.row.write(value, &mut self.made)?;
        let mut reader =
            ReaderBuilder::new().has_headers(false).flexible(true).from_reader(self.made.as_slice());
        let mut cells = reader.records().collect::<csv::Result<Vec<_>>>()?.into_iter();
        let row = cells.next_back();
        if let Some(header) = cells.next() {
            let header = tidy(&header);
            self.make_room(&header, |_| true);
            self.header = Some(header);
        }
        if let Some(row) = row {
            let row = tidy(&row);
            self.make_room(&row, |cell| cell.is_empty() || cell.parse::<f64>().is_ok());
            self.held.push(row);
        }
        Ok(())
    }

    /// Sees to it that the columns are wide enough for these cells.
    fn make_room(&mut self, cells: &StringRecord, numeric: impl Fn(&str) -> bool) {
        for (index, cell) in cells.iter().enumerate() {
            if index == self.columns.len() {
                self.columns.push(Column { chars: 0, numeric: true });
            }
            let (column, chars) = (&mut self.columns[index], cell.chars().count());
            let numeric = column.numeric && numeric(cell);
            self.header_due |= chars > column.chars || numeric != column.numeric;
            *column = Column { chars: column.chars.max(chars), numeric };
        }
    }

    /// Prints what is held.
    fn print(&mut self) -> Result<(), BoxError> {
        if let Some(header) = self.header.as_ref().filter(|_| mem::take(&mut self.header_due)) {
            self.rows.append_header(&aligned(header, &self.columns));
        }
        for row in self.held.drain(..) {
            let line = aligned(&row, &self.columns);
            self.rows.append(|rows| rows.extend_from_slice(line.as_bytes()))?;
        }
        Ok(())
    }
}

/// Cells as they can be shown.
fn tidy(cells: &StringRecord) -> StringRecord {
    cells.iter().map(|cell| shown(cell, CELL_CHARS_MAX)).collect()
}

/// A line of the table.
fn aligned(cells: &StringRecord, columns: &[Column]) -> String {
    let mut line = String::new();
    for (cell, Column { chars, numeric }) in cells.iter().zip(columns) {
        let gap = if line.is_empty() { "" } else { "  " };
        // Writing to a string does not fail.
        let _ = match numeric {
            true => write!(line, "{gap}{cell:>chars$}"),
            false => write!(line, "{gap}{cell:<chars$}"),
        };
    }
    line.truncate(line.trim_end().len());
    line.push('\n');
    line
}

impl<T, W> Sink<T> for TableSink<W>
where
    T: Serialize,
    W: Write + Send + 'static,
{
    fn write(&mut self, records: &mut vec::Drain<'_, Record<T>>) -> Result<(), BoxError> {
        for record in records {
            if let Err(problem) = self.hold(&record.value) {
                self.print()?;
                return self.rows.try_append(|_| Err(problem));
            }
            if self.held.len() == ROWS_HELD {
                self.print()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), BoxError> {
        self.print()?;
        Ok(self.rows.flush()?)
    }
}
