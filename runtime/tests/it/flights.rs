//! The example on its real input, as a user starts it, against a naive recomputation.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::LazyLock,
};

use flate2::read::MultiGzDecoder;

use crate::{
    equivalence::{BATCHES, WORKERS},
    examples,
    naive::{self, Outcome},
};

/// The example's program.
pub(crate) fn program() -> PathBuf {
    examples::program("flight_delays")
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    Command::new(program()).args(arguments).stdin(Stdio::null()).output().expect("the example runs")
}

/// A folder of a test's own.
pub(crate) fn scratch(test: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}

struct Flight {
    departed_at: i64,
    carrier: String,
    origin: String,
    dest: String,
    arr_delay: i64,
}

impl Flight {
    fn key(&self, by: &str) -> String {
        match by {
            "origin" => self.origin.clone(),
            "carrier" => self.carrier.clone(),
            "dest" => self.dest.clone(),
            _ => format!("{}-{}", self.carrier, self.dest),
        }
    }
}

/// The bundled input, which is well-formed: read with nothing but a split at commas.
static FLIGHTS: LazyLock<Vec<Flight>> = LazyLock::new(|| {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/nyc-landings-2013.csv.gz");
    let mut text = String::new();
    MultiGzDecoder::new(fs::File::open(file).expect("bundled")).read_to_string(&mut text).expect("text");
    let flights = text.lines().skip(1).map(|line| {
        let fields: Vec<_> = line.split(',').collect();
        let number = |column: usize| fields[column].parse().expect("a number");
        let text = |column: usize| fields[column].to_owned();
        let [carrier, origin, dest] = [2, 4, 5].map(text);
        Flight { departed_at: number(1), carrier, origin, dest, arr_delay: number(7) }
    });
    flights.collect()
});

fn time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).expect("a year of our time").to_string()
}

struct Choice {
    by: &'static str,
    size_min: i64,
    every_min: i64,
    disorder_min: i64,
}

/// What the program should print and write for the first `count` flights: results, late records, and the
/// number of missed windows.
fn expected(choice: &Choice, count: usize) -> (String, Vec<String>, Outcome<String>) {
    let flights = FLIGHTS[..count].iter();
    let input = flights.map(|flight| (flight.departed_at, flight.key(choice.by), flight.arr_delay));
    let outcome =
        naive::windows(input, choice.size_min * 60, choice.every_min * 60, choice.disorder_min * 60);
    let mut text =
        "window_start,window_end,key,count,mean_delay_min,min_delay_min,max_delay_min\n".to_owned();
    for ((end, start, key), (count, sum, min, max)) in &outcome.results {
        let mean = *sum as f64 / *count as f64;
        text += &format!("{},{},{key},{count},{mean:.3},{min},{max}\n", time(*start), time(*end));
    }
    let late = outcome.late.iter().map(|at| {
        let flight = &FLIGHTS[*at];
        format!("{},{},{}", at + 2, time(flight.departed_at), flight.key(choice.by))
    });
    let late = late.collect();
    (text, late, outcome)
}

fn report(file: &Path) -> BTreeMap<String, f64> {
    serde_json::from_slice(&fs::read(file).expect("a report")).expect("one JSON object of numbers")
}

fn check(choice: &Choice, tier: &str, workers: usize, batch: usize, folder: &Path) {
    let (text, late, outcome) = expected(choice, FLIGHTS.len());
    let file = |name: &str| folder.join(format!("{name}-{}-{workers}-{batch}", choice.disorder_min));
    let (late_file, report_file) = (file("late"), file("report"));
    let minutes = |n: i64| format!("{n}m");
    let explain = if tier == "l3" { ["--explain"].as_slice() } else { &[] };
    let arguments = [
        "--by",
        choice.by,
        "--size",
        &minutes(choice.size_min),
        "--every",
        &minutes(choice.every_min),
        "--disorder",
        &minutes(choice.disorder_min),
        "--workers",
        &workers.to_string(),
        "--batch",
        &batch.to_string(),
        "--tier",
        tier,
        "--format",
        "csv",
        "--late",
        late_file.to_str().unwrap(),
        "--report",
        report_file.to_str().unwrap(),
    ];
    let output = run(&[&arguments, explain].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // Before it runs and when it has.
    assert_eq!(said.matches("key_by ⇒ aggregate").count(), explain.len() * 2, "{said}");
    assert!(output.stdout == text.as_bytes(), "{workers} workers, batch {batch}: results differ");

    let found = fs::read_to_string(late_file).unwrap();
    let mut lines = found.lines();
    assert_eq!(lines.next(), Some("line,event_time,key"));
    let mut found: Vec<_> = lines.map(str::to_owned).collect();
    let mut late_sorted = late.clone();
    found.sort_unstable();
    late_sorted.sort_unstable();
    assert_eq!(found, late_sorted);

    let report = report(&report_file);
    let counts = [
        ("records_in", FLIGHTS.len() as u64),
        ("records_on_time", outcome.on_time),
        ("records_late", late.len() as u64),
        ("records_rejected", 0),
        ("results", outcome.results.len() as u64),
        ("missed_windows", outcome.missed_windows),
    ];
    for (name, count) in counts {
        assert_eq!(report[name], count as f64, "{name}");
    }
    assert!(report["elapsed_s"] > 0.0 && report["records_per_s"] > 0.0);
    assert_eq!(report.len(), 8);
}

#[test]
fn every_number_of_workers_and_every_batch_give_what_the_recomputation_gives() {
    let folder = scratch("every-way");
    for disorder_min in [720, 30] {
        let choice = Choice { by: "origin", size_min: 360, every_min: 60, disorder_min };
        for (row, workers) in WORKERS.into_iter().enumerate() {
            for (column, batch) in BATCHES.into_iter().enumerate() {
                let tier = ["l4", "l3", "auto"][(row + column) % 3];
                check(&choice, tier, workers, batch, &folder);
            }
        }
    }
}

#[test]
fn many_choices_of_windows_keys_and_disorder_agree_with_the_recomputation() {
    let folder = scratch("many-choices");
    let choices = [
        ("origin", 60, 60, 0),
        ("carrier", 360, 60, 120),
        ("dest", 100, 35, 660),
        ("carrier-dest", 1_440, 1_440, 1),
        ("carrier-dest", 91, 90, 240),
        ("origin", 2_880, 7, 30),
        ("carrier", 1, 1, 700),
        ("dest", 525_600, 525_600, 720),
    ];
    for (index, (by, size_min, every_min, disorder_min)) in choices.into_iter().enumerate() {
        let choice = Choice { by, size_min, every_min, disorder_min };
        check(&choice, "l4", [1, 2, 4][index % 3], [512, 64, 7][index % 3], &folder);
    }
}

#[test]
fn jsonl_and_table_say_the_same_as_csv() {
    let (text, ..) =
        expected(&Choice { by: "carrier", size_min: 360, every_min: 60, disorder_min: 720 }, FLIGHTS.len());
    let mut rows = text.lines();
    let columns: Vec<_> = rows.next().unwrap().split(',').collect();
    let json = String::from_utf8(run(&["--by", "carrier", "--format", "jsonl"]).stdout).unwrap();
    let table = String::from_utf8(run(&["--by", "carrier"]).stdout).unwrap();
    assert_eq!(json.lines().count(), text.lines().count() - 1);
    assert_eq!(table.lines().count(), text.lines().count());
    for ((row, json), table) in rows.zip(json.lines()).zip(table.lines().skip(1)) {
        let fields: Vec<_> = row.split(',').collect();
        assert_eq!(table.split_whitespace().collect::<Vec<_>>(), fields);
        let json: BTreeMap<String, serde_json::Value> = serde_json::from_str(json).unwrap();
        assert_eq!(json.len(), columns.len());
        for (column, field) in columns.iter().zip(&fields) {
            match &json[*column] {
                serde_json::Value::String(text) => assert_eq!(text, field),
                number => assert_eq!(number.as_f64(), field.parse().ok(), "{column} of {row}"),
            }
        }
    }
}

fn interrupt(child: &Child) {
    let process = child.id().try_into().expect("a process number fits");
    // SAFETY: the call has no preconditions; the child has not been waited for, so the number is still its own.
    let sent = unsafe { libc::kill(process, libc::SIGINT) };
    assert_eq!(sent, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn an_interrupt_drains_prints_the_windows_so_far_and_writes_the_report() {
    let report_file = scratch("interrupt").join("report");
    let mut child = Command::new(program())
        .args(["--format", "csv", "--by", "carrier-dest", "--report", report_file.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example runs");
    // Its output fills the pipe long before it has read everything; then it waits for us.
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    output.read_line(&mut text).unwrap();
    interrupt(&child);
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut noticed = String::new();
    errors.read_line(&mut noticed).unwrap();
    assert!(noticed.starts_with("interrupted: "), "{noticed}");
    output.read_to_string(&mut text).unwrap();
    errors.read_to_string(&mut noticed).unwrap();
    assert!(child.wait().unwrap().success(), "{noticed}");

    let report = report(&report_file);
    let read = (0..FLIGHTS.len()).find(|read| *read as f64 == report["records_in"]);
    let read = read.expect("it read everything before it was interrupted");
    let choice = Choice { by: "carrier-dest", size_min: 360, every_min: 60, disorder_min: 720 };
    assert!(text == expected(&choice, read).0, "the windows of the {read} flights read");
}
