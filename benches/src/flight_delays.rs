//! The main job, from the compressed file to results in memory.

use std::{
    fs::File,
    path::{Path, PathBuf},
    str,
    time::Duration,
};

use arrayvec::ArrayString;
use flate2::read::MultiGzDecoder;
use nacreous::{
    prelude::*,
    source::{CsvSource, Row, RowError, open_text},
};
use rustc_hash::FxBuildHasher;

use crate::comparison::{Comparison, Digest, Measure, on_pinned_thread, timed};

const HOUR: Duration = Duration::from_secs(3_600);
const HOUR_NANOS: i64 = 3_600_000_000_000;
const RECORDS: f64 = 327_346.0;
/// Hours in a window.
const SIZE: i64 = 6;

type Code = ArrayString<8>;

/// Against a plain loop that decompresses, parses and aggregates the same file.
pub fn against_hand() -> Comparison {
    Comparison {
        id: "flight-delays/hand",
        measure: Measure::Rate("M records/s"),
        ours: timed(RECORDS / 1e6, || ours(&file())),
        rival: timed(RECORDS / 1e6, || on_pinned_thread(|| hand(&file()))),
    }
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/examples/data/nyc-landings-2013.csv.gz")
}

#[derive(Debug, Clone, Copy)]
struct Flight {
    departed_at: Timestamp,
    origin: Code,
    delay_min: i32,
}

impl Flight {
    fn parse(row: &Row<'_>) -> Result<Self, RowError> {
        let departed_at = Timestamp::from_secs(row.parse(0)?);
        Ok(Self {
            departed_at: departed_at.ok_or_else(|| row.refuse(0, "out of range"))?,
            origin: Code::from(row.text(1)?).map_err(|_| row.refuse(1, "too long"))?,
            delay_min: row.parse(2)?,
        })
    }
}

fn ours(file: &Path) -> u64 {
    let columns = ["departed_at", "origin", "arr_delay_min"];
    let reader = open_text(file, |file| file).expect("the file is part of the repository");
    let rows = CsvSource::new("the year", reader, &columns, Flight::parse).expect("it has a header");
    let graph = Graph::new();
    let (flights, _rejected) = graph.source(rows);
    let (delays, _late) = flights
        .event_time(|flight| flight.departed_at, BoundedDisorder::new(12 * HOUR).expect("a span"))
        .key_by(|flight| flight.origin)
        .window(Sliding::new(6 * HOUR, HOUR).expect("a window"))
        .aggregate(stats(|flight: &Flight| flight.delay_min.into()));
    let delays = delays.collect();
    let report = graph.run(JobOptions::default()).expect("the job runs");
    assert_eq!(report.records_late, 0, "the hand-written loop has no notion of lateness");

    let mut digest = Digest::default();
    for record in delays.take() {
        let WindowResult { window, key, value, .. } = record.value;
        add(&mut digest, window.start.as_nanos(), &key, value.count, value.sum, value.min, value.max);
    }
    digest.value()
}

/// What one hour's flights from one airport come to.
#[derive(Debug, Clone, Copy)]
struct Delays {
    count: u64,
    sum: i64,
    min: i64,
    max: i64,
}

/// Knows that the whole year fits in memory and that nothing is late: it aggregates by hour, and puts
/// windows together at the end.
fn hand(file: &Path) -> u64 {
    let file = File::open(file).expect("the file is part of the repository");
    let mut rows = csv::ReaderBuilder::new().from_reader(MultiGzDecoder::new(file));
    let mut hours = hashbrown::HashMap::<(i64, Code), Delays, FxBuildHasher>::default();
    let mut row = csv::ByteRecord::new();
    while rows.read_byte_record(&mut row).expect("the file is well-formed") {
        let text = |column| str::from_utf8(&row[column]).expect("the file is text");
        let departed_at: i64 = text(1).parse().expect("a number");
        let origin = Code::from(text(4)).expect("a short code");
        let delay: i64 = text(7).parse().expect("a number");
        let first = Delays { count: 0, sum: 0, min: i64::MAX, max: i64::MIN };
        let delays = hours.entry((departed_at.div_euclid(3_600), origin)).or_insert(first);
        delays.count += 1;
        delays.sum += delay;
        delays.min = delays.min.min(delay);
        delays.max = delays.max.max(delay);
    }

    let mut windows = hashbrown::HashMap::<(i64, Code), Delays, FxBuildHasher>::default();
    for ((hour, origin), part) in hours {
        for start in hour - SIZE + 1..=hour {
            let whole = windows.entry((start, origin)).or_insert(Delays { count: 0, sum: 0, ..part });
            whole.count += part.count;
            whole.sum += part.sum;
            whole.min = whole.min.min(part.min);
            whole.max = whole.max.max(part.max);
        }
    }
    let mut digest = Digest::default();
    for ((start, origin), delays) in windows {
        add(
            &mut digest,
            start * HOUR_NANOS,
            &origin,
            delays.count,
            delays.sum.into(),
            delays.min,
            delays.max,
        );
    }
    digest.value()
}

fn add(digest: &mut Digest, start: i64, key: &str, count: u64, sum: i128, min: i64, max: i64) {
    let key = key.bytes().fold(0, |key, byte| key << 8 | u64::from(byte));
    let sum = i64::try_from(sum).expect("a year of delays fits");
    let [start, sum, min, max] = [start, sum, min, max].map(i64::cast_unsigned);
    digest.add(&[start, key, count, sum, min, max]);
}
