//! What a row of the input is, and what it is grouped by.

use std::fmt;

use arrayvec::ArrayString;
use nacreous::{
    Timestamp,
    source::{Row, RowError},
};
use serde::Serialize;

/// The columns of the input, in the order in which [`Flight::parse`] numbers them.
pub(crate) const COLUMNS: [&str; 9] = [
    "landed_at",
    "departed_at",
    "carrier",
    "flight",
    "origin",
    "dest",
    "dep_delay_min",
    "arr_delay_min",
    "distance_mi",
];

/// The code of an airline or an airport.
pub(crate) type Code = ArrayString<8>;

/// One flight. `Copy`, so that nothing is allocated for it anywhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flight {
    /// Its line in the input.
    pub line: u64,
    pub departed_at: Timestamp,
    carrier: Code,
    origin: Code,
    pub dest: Code,
    dep_delay_min: i32,
    arr_delay_min: i32,
}

/// What flights are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum By {
    Origin,
    Carrier,
    Dest,
    CarrierDest,
}

/// Which delay is aggregated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Delay {
    Arrival,
    Departure,
}

/// The value of the grouping, such as `JFK` or `UA-IAH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(ArrayString<17>);

impl Flight {
    /// Reads a row. Every column must make sense, also those that are not used here.
    pub(crate) fn parse(row: &Row<'_>) -> Result<Self, RowError> {
        let [landed_at, departed_at, carrier, flight, origin, dest, dep_delay, arr_delay, distance] =
            [0, 1, 2, 3, 4, 5, 6, 7, 8];
        time(row, landed_at)?;
        row.parse::<u32>(flight)?;
        row.parse::<u32>(distance)?;
        Ok(Self {
            line: row.line(),
            departed_at: time(row, departed_at)?,
            carrier: code(row, carrier)?,
            origin: code(row, origin)?,
            dest: code(row, dest)?,
            dep_delay_min: row.parse(dep_delay)?,
            arr_delay_min: row.parse(arr_delay)?,
        })
    }

    pub(crate) fn key(&self, by: By) -> Key {
        let mut key = ArrayString::new();
        match by {
            By::Origin => key.push_str(&self.origin),
            By::Carrier => key.push_str(&self.carrier),
            By::Dest => key.push_str(&self.dest),
            By::CarrierDest => {
                key.push_str(&self.carrier);
                key.push('-');
                key.push_str(&self.dest);
            }
        }
        Key(key)
    }

    pub(crate) fn delay_min(&self, delay: Delay) -> i64 {
        match delay {
            Delay::Arrival => self.arr_delay_min.into(),
            Delay::Departure => self.dep_delay_min.into(),
        }
    }
}

/// Seconds since the Unix epoch.
fn time(row: &Row<'_>, column: usize) -> Result<Timestamp, RowError> {
    let time = Timestamp::from_secs(row.parse(column)?);
    time.ok_or_else(|| row.refuse(column, "not within the years 1677 to 2262"))
}

fn code(row: &Row<'_>, column: usize) -> Result<Code, RowError> {
    match row.text(column)? {
        "" => Err(row.refuse(column, "a code must not be empty")),
        text => Code::from(text).map_err(|_| row.refuse(column, "a code has at most 8 bytes")),
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for Key {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}
