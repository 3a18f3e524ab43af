//! How results, late records, rejected rows and the report are written.

use std::{
    fmt::{self, Write as _},
    fs::File,
    io::{self, Write},
    path::Path,
};

use arrayvec::{ArrayString, ArrayVec};
use nacreous::{
    Explanation, JobReport, Keyed, LatencyReport, Record, ResultKind, Timestamp, WindowResult,
    sink::{RowSink, Sink},
    source::RejectedRow,
};
use serde::Serialize;

use super::{
    Flight,
    figures::{Column, Figure},
    flight::Key,
    options::{Failed, Format, Options},
    windows::Delays,
};

/// What errors call the results' destination where no file is named.
pub(crate) const STANDARD_OUTPUT: &str = "standard output";

/// The sink for results, as the options want it.
pub(crate) fn results(options: &Options) -> Result<impl Sink<Delays> + use<>, Failed> {
    let (target, writer): (_, Box<dyn Write + Send>) = match &options.output {
        Some(path) => (path.display().to_string(), Box::new(create(path)?)),
        None => (STANDARD_OUTPUT.to_owned(), Box::new(io::stdout())),
    };
    let columns = columns(options);
    let (header, row): (_, fn(&mut Vec<u8>, &[Column], &[Field])) = match options.format {
        Format::Csv => (csv_header(&columns), csv_row),
        Format::Jsonl => (String::new(), json_row),
        Format::Table => (table_header(&columns), table_row),
    };
    let row = move |rows: &mut Vec<u8>, record: &Record<Delays>| {
        // Those of no column here are the last.
        row(rows, &columns, &fields(&record.value)[..columns.len()]);
    };
    Ok(RowSink::new(target, writer, row).with_header(&header))
}

/// The sink for late records: `line,event_time,key`.
pub(crate) fn late(path: &Path) -> Result<impl Sink<Keyed<Key, Flight>> + use<>, Failed> {
    let row = |rows: &mut Vec<u8>, record: &Record<Keyed<Key, Flight>>| {
        let Keyed { key, value: flight } = &record.value;
        csv(rows, &[&flight.line, &Time(record.time), key]);
    };
    let header = "line,event_time,key\n";
    Ok(RowSink::new(path.display().to_string(), create(path)?, row).with_header(header))
}

/// The sink for rejected rows: `line,reason`.
pub(crate) fn rejected(path: &Path) -> Result<impl Sink<RejectedRow> + use<>, Failed> {
    let row = |rows: &mut Vec<u8>, record: &Record<RejectedRow>| {
        csv(rows, &[&record.value.line, &record.value.reason]);
    };
    Ok(RowSink::new(path.display().to_string(), create(path)?, row).with_header("line,reason\n"))
}

/// Whether a file can be written: opens it as it is, creating it if it is not there. (Opening a pipe has
/// consequences of its own, so only files are tried.)
pub(crate) fn probe(path: &Path) -> Result<(), Failed> {
    if path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        return Ok(());
    }
    let opened = File::options().append(true).create(true).open(path);
    opened.map(drop).map_err(|error| cannot_write(path, &error))
}

/// Creates a file, or empties it.
pub(crate) fn create(path: &Path) -> Result<File, Failed> {
    File::create(path).map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &dyn fmt::Display) -> Failed {
    Failed::io(format!("cannot write {}: {error}", path.display()))
}

/// Writes the report as one JSON object.
pub(crate) fn report(path: &Path, mut file: File, report: &JobReport) -> Result<(), Failed> {
    #[derive(Serialize)]
    struct Json {
        records_in: u64,
        records_on_time: u64,
        records_late: u64,
        records_rejected: u64,
        results: u64,
        missed_windows: u64,
        elapsed_s: f64,
        records_per_s: f64,
    }
    let json = Json {
        records_in: report.records_in,
        records_on_time: report.records_on_time,
        records_late: report.records_late,
        records_rejected: report.records_rejected,
        results: report.results,
        missed_windows: report.missed_windows,
        elapsed_s: report.elapsed.as_secs_f64(),
        records_per_s: report.records_per_s(),
    };
    let mut text = serde_json::to_vec(&json).map_err(|error| cannot_write(path, &error))?;
    text.push(b'\n');
    file.write_all(&text).map_err(|error| cannot_write(path, &error))
}

/// Says on standard error that an interrupt was noticed.
pub(crate) fn stopping() {
    say(format_args!("interrupted: working off what has been read; interrupt again to end at once"));
}

/// How the job is laid out, on standard error.
pub(crate) fn explain(explanation: &Explanation) {
    let text = explanation.to_string();
    say(format_args!("{}", text.trim_end()));
}

/// Writes a line to standard error. Who closed that does not want to hear.
pub(crate) fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Says on standard error what became of the records.
pub(crate) fn summary(report: &JobReport) {
    say(format_args!(
        "{} records in {:.3} s ({:.2} M records/s): {} on time, {} late, {} rejected; {} results, {} missed windows",
        report.records_in,
        report.elapsed.as_secs_f64(),
        report.records_per_s() / 1e6,
        report.records_on_time,
        report.records_late,
        report.records_rejected,
        report.results,
        report.missed_windows,
    ));
    for LatencyReport { sink, processing, .. } in
        report.latencies.iter().filter(|sink| sink.processing.count() > 0)
    {
        let sink = sink.label().unwrap_or(sink.kind());
        say(format_args!("from reading to {sink}: {processing}"));
    }
}

/// The columns of the results, as the options want them.
fn columns(options: &Options) -> Vec<Column> {
    const WINDOW: [Column; 3] = [
        Column::text("window_start", "window start", 20),
        Column::text("window_end", "window end", 20),
        Column::text("key", "key", 10),
    ];
    const FIRING: [Column; 2] = [Column::text("kind", "kind", 10), Column::number("number", "number", 6)];
    let firing = if options.lateness().is_some() { &FIRING[..] } else { &[] };
    [&WINDOW, options.agg.columns(), firing].concat()
}

/// What stands in a column; nothing where a figure is missing.
type Field = ArrayString<32>;

/// All that there is to be told of a result.
fn fields(result: &Delays) -> ArrayVec<Field, 9> {
    let WindowResult { window, key, value: figures, kind, number } = result;
    let mut fields = ArrayVec::new();
    fields.extend([field(Time(window.start)), field(Time(window.end)), field(key)]);
    fields.extend(figures.iter().map(field));
    fields.extend([field(Kind(*kind)), field(number)]);
    fields
}

fn field(value: impl fmt::Display) -> Field {
    let mut field = Field::new();
    write!(field, "{value}").expect("times, keys and numbers are short");
    field
}

fn csv_header(columns: &[Column]) -> String {
    let names: Vec<_> = columns.iter().map(|column| column.name).collect();
    names.join(",") + "\n"
}

fn csv_row(rows: &mut Vec<u8>, _: &[Column], fields: &[Field]) {
    let fields: ArrayVec<&dyn fmt::Display, 9> = fields.iter().map(|field| field as _).collect();
    csv(rows, &fields);
}

fn json_row(rows: &mut Vec<u8>, columns: &[Column], fields: &[Field]) {
    for (index, (column, field)) in columns.iter().zip(fields).enumerate() {
        append(rows, format_args!("{}\"{}\":", if index == 0 { '{' } else { ',' }, column.name));
        match field.as_str() {
            text if column.is_text => {
                serde_json::to_writer(&mut *rows, text).expect("a text can be written to memory as JSON");
            }
            "" => append(rows, format_args!("null")),
            number => append(rows, format_args!("{number}")),
        }
    }
    rows.extend_from_slice(b"}\n");
}

fn table_header(columns: &[Column]) -> String {
    let mut row = Vec::new();
    table(&mut row, columns, columns.iter().map(|column| column.title));
    String::from_utf8(row).expect("titles are text")
}

fn table_row(rows: &mut Vec<u8>, columns: &[Column], fields: &[Field]) {
    table(rows, columns, fields.iter().map(|field| if field.is_empty() { "-" } else { field }));
}

fn table<'a>(rows: &mut Vec<u8>, columns: &[Column], texts: impl Iterator<Item = &'a str>) {
    for (index, (Column { width, is_text, .. }, text)) in columns.iter().zip(texts).enumerate() {
        let gap = if index == 0 { "" } else { "  " };
        match is_text {
            true => append(rows, format_args!("{gap}{text:<width$}")),
            false => append(rows, format_args!("{gap}{text:>width$}")),
        }
    }
    rows.push(b'\n');
}

/// An instant as `2013-01-01T06:00:00Z`.
struct Time(Timestamp);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_nanosecond(self.0.as_nanos().into());
        // The calendar reaches further than 64 bits of nanoseconds.
        time.map_err(|_| fmt::Error)?.fmt(f)
    }
}

/// Why a result came, in one word.
struct Kind(ResultKind);

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            ResultKind::Early => "early",
            ResultKind::OnTime => "on_time",
            ResultKind::Correction => "correction",
            ResultKind::Retraction => "retraction",
            _ => "other",
        })
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Minutes(minutes) => minutes.fmt(f),
            Self::Decimal(decimal) => write!(f, "{decimal:.3}"),
            Self::Missing => Ok(()),
        }
    }
}

fn append(rows: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    rows.write_fmt(text).expect("memory takes whatever is written to it");
}

/// Appends a row of csv, quoting what needs quotes, without allocating for short fields.
fn csv(rows: &mut Vec<u8>, fields: &[&dyn fmt::Display]) {
    let mut writer = csv_core::Writer::new();
    let mut scratch = [0; 128];
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            let (_, written) = writer.delimiter(&mut scratch);
            rows.extend_from_slice(&scratch[..written]);
        }
        // Most fields fit on the stack; a reason may not.
        let mut short = ArrayString::<128>::new();
        let long;
        let mut text = match write!(short, "{field}") {
            Ok(()) => short.as_bytes(),
            Err(fmt::Error) => {
                long = field.to_string();
                long.as_bytes()
            }
        };
        while !text.is_empty() {
            let (_, read, written) = writer.field(text, &mut scratch);
            rows.extend_from_slice(&scratch[..written]);
            text = &text[read..];
        }
    }
    let (_, written) = writer.terminator(&mut scratch);
    rows.extend_from_slice(&scratch[..written]);
}
