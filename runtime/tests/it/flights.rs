//! The example on its real input, as a user starts it, against a naive recomputation.

use std::{
    collections::{BTreeMap, BTreeSet},
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
    naive::{self, Firing, Lateness, Outcome},
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
    row: String,
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
        Flight { row: line.to_owned(), departed_at: number(1), carrier, origin, dest, arr_delay: number(7) }
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
    formats_agree(&["--by", "carrier"], &text);
    for options in [
        // Some windows have a single flight, and so no variance.
        &["--agg", "variance", "--by", "carrier-dest", "--size", "1d", "--every", "1d"][..],
        &["--agg", "top", "--session", "2h", "--disorder", "2h", "--lateness", "1d", "--retract"],
    ] {
        let text = String::from_utf8(run(&[options, &["--format", "csv"]].concat()).stdout).unwrap();
        assert!(text.lines().count() > 1_000, "{options:?}");
        formats_agree(options, &text);
    }
}

fn formats_agree(options: &[&str], text: &str) {
    let mut rows = text.lines();
    let columns: Vec<_> = rows.next().unwrap().split(',').collect();
    let json = String::from_utf8(run(&[options, &["--format", "jsonl"]].concat()).stdout).unwrap();
    let table = String::from_utf8(run(options).stdout).unwrap();
    assert_eq!(json.lines().count(), text.lines().count() - 1);
    assert_eq!(table.lines().count(), text.lines().count());
    for ((row, json), table) in rows.zip(json.lines()).zip(table.lines().skip(1)) {
        let fields: Vec<_> = row.split(',').collect();
        let or_none = |field: &&str| if field.is_empty() { "-".to_owned() } else { (*field).to_owned() };
        assert_eq!(
            table.split_whitespace().collect::<Vec<_>>(),
            fields.iter().map(or_none).collect::<Vec<_>>()
        );
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

/// How windows are cut, and how long they are kept, as options say it and in minutes.
struct Cut {
    options: &'static [&'static str],
    /// The gap of sessions, or the size of windows and how often one starts.
    minutes: Result<i64, (i64, i64)>,
    disorder_min: i64,
    allowed_min: i64,
    retracts: bool,
}

const CUTS: [Cut; 4] = [
    Cut {
        options: &["--size", "4h", "--every", "90m", "--disorder", "12h"],
        minutes: Err((240, 90)),
        disorder_min: 720,
        allowed_min: 0,
        retracts: false,
    },
    Cut {
        options: &["--size", "6h", "--every", "3h", "--disorder", "2h", "--lateness", "3h"],
        minutes: Err((360, 180)),
        disorder_min: 120,
        allowed_min: 180,
        retracts: false,
    },
    Cut {
        options: &["--session", "90m", "--disorder", "2h"],
        minutes: Ok(90),
        disorder_min: 120,
        allowed_min: 0,
        retracts: false,
    },
    Cut {
        options: &["--session", "1h", "--disorder", "30m", "--lateness", "2h", "--retract"],
        minutes: Ok(60),
        disorder_min: 30,
        allowed_min: 120,
        retracts: true,
    },
];

impl Cut {
    /// All results that there should be, and the late flights.
    fn firings(&self, flights: &[&Flight], by: &str) -> (Vec<Firing<String>>, Vec<usize>) {
        let input = flights.iter().map(|flight| (flight.departed_at, flight.key(by)));
        let lateness = Lateness { allowed: self.allowed_min * 60, retracts: self.retracts };
        let disorder = self.disorder_min * 60;
        let (mut firings, late) = match self.minutes {
            Ok(gap) => naive::sessions(input, gap * 60, disorder, lateness),
            Err((size, every)) => naive::kept_windows(input, (size * 60, every * 60), disorder, lateness),
        };
        if self.allowed_min == 0 {
            firings.sort_by(|one, other| (one.end, &one.key).cmp(&(other.end, &other.key)));
        }
        (firings, late)
    }

    /// The row of a result.
    fn row(&self, firing: &Firing<String>, figures: &str) -> String {
        let Firing { start, end, key, kind, number, .. } = firing;
        let row = format!("{},{},{key},{figures}", time(*start), time(*end));
        if self.allowed_min > 0 { format!("{row},{kind},{number}") } else { row }
    }

    /// Checks the rows of a run: where windows are kept, those of each key.
    fn check(&self, found: &str, header: &str, expected: &[String], tolerance: f64) {
        let mut found = found.lines();
        let kept = if self.allowed_min > 0 { ",kind,number" } else { "" };
        assert_eq!(
            found.next(),
            Some(format!("window_start,window_end,key,{header}{kept}").as_str()),
            "{:?}",
            self.options
        );
        let (mut found, mut expected): (Vec<_>, Vec<_>) =
            (found.collect(), expected.iter().map(String::as_str).collect());
        if self.allowed_min > 0 {
            let key = |row: &&str| row.split(',').nth(2).map(str::to_owned);
            found.sort_by_cached_key(key);
            expected.sort_by_cached_key(key);
        }
        let differ = found.iter().zip(&expected).find(|(found, expected)| !agree(found, expected, tolerance));
        assert_eq!(differ, None, "{:?}", self.options);
        assert_eq!(found.len(), expected.len(), "{:?}", self.options);
    }
}

/// Whether two rows are the same, but for numbers that differ by a part of them.
fn agree(found: &str, expected: &str, tolerance: f64) -> bool {
    let number = |field: &str| field.parse::<f64>().unwrap_or(f64::NAN);
    let fields = found.split(',').zip(expected.split(','));
    let all = fields.clone().count() == expected.split(',').count();
    all && { fields }.all(|(found, expected)| {
        let (near, exact) = (number(found), number(expected));
        found == expected || (near - exact).abs() < exact.abs() * tolerance + f64::EPSILON
    })
}

/// What an aggregate makes of flights, as csv. Decimals that are only near the truth are not rounded.
fn figures(agg: &str, flights: &[&Flight]) -> String {
    let mut delays: Vec<_> = flights.iter().map(|flight| flight.arr_delay).collect();
    delays.sort_unstable();
    let (count, sum) = (delays.len(), delays.iter().sum::<i64>());
    let mean = sum as f64 / count as f64;
    let text = |number: Option<&i64>| number.map_or(String::new(), i64::to_string);
    match agg {
        "stats" => format!("{count},{mean:.3},{},{}", delays[0], delays[count - 1]),
        "count" => count.to_string(),
        "sum" => sum.to_string(),
        "mean" => format!("{mean:.3}"),
        "min" => delays[0].to_string(),
        "max" => delays[count - 1].to_string(),
        "variance" if count == 1 => format!("{mean:.3},,"),
        "variance" => {
            let squares = delays.iter().map(|delay| (*delay as f64 - mean).powi(2)).sum::<f64>();
            let variance = squares / (count - 1) as f64;
            format!("{mean:.3},{variance:.3},{:.3}", variance.sqrt())
        }
        "quantiles" | "median" => {
            [50, 90, 99].map(|percent| delays[(count - 1) * percent / 100].to_string()).join(",")
        }
        "distinct" => flights.iter().map(|flight| &flight.dest).collect::<BTreeSet<_>>().len().to_string(),
        "top" => [1, 2, 3].map(|place| text(count.checked_sub(place).map(|at| &delays[at]))).join(","),
        "first-last" => {
            let at = |flight: &&&Flight| (flight.departed_at, flight.arr_delay);
            let [first, last] = [flights.iter().min_by_key(at), flights.iter().max_by_key(at)];
            [first, last].map(|flight| text(flight.map(|flight| &flight.arr_delay))).join(",")
        }
        _ => unreachable!("{agg}"),
    }
}

/// The aggregates, and the columns that they have.
const AGGREGATES: [(&str, &str); 12] = [
    ("stats", "count,mean_delay_min,min_delay_min,max_delay_min"),
    ("count", "count"),
    ("sum", "sum_delay_min"),
    ("mean", "mean_delay_min"),
    ("min", "min_delay_min"),
    ("max", "max_delay_min"),
    ("variance", "mean_delay_min,variance_delay_min2,stddev_delay_min"),
    ("quantiles", "p50_delay_min,p90_delay_min,p99_delay_min"),
    ("median", "p50_delay_min,p90_delay_min,p99_delay_min"),
    ("distinct", "destinations"),
    ("top", "worst_delay_min,second_delay_min,third_delay_min"),
    ("first-last", "first_delay_min,last_delay_min"),
];

#[test]
fn every_aggregate_over_every_kind_of_window_agrees_with_the_recomputation() {
    // Late flights that departed at once are taken up by sessions in an order of their own.
    let mut seen = BTreeSet::new();
    let flights: Vec<_> = FLIGHTS[..12_000]
        .iter()
        .filter(|flight| seen.insert((flight.carrier.as_str(), flight.departed_at)))
        .collect();
    let file = scratch("aggregates").join("in.csv");
    let header = "landed_at,departed_at,carrier,flight,origin,dest,dep_delay_min,arr_delay_min,distance_mi";
    let rows: Vec<_> = flights.iter().map(|flight| flight.row.as_str()).collect();
    fs::write(&file, format!("{header}\n{}\n", rows.join("\n"))).unwrap();
    for (turn, cut) in CUTS.iter().enumerate() {
        let (firings, _) = cut.firings(&flights, "carrier");
        for (agg, columns) in AGGREGATES {
            let row = |firing: &Firing<String>| {
                let flights: Vec<_> = firing.records.iter().map(|at| flights[*at]).collect();
                cut.row(firing, &figures(agg, &flights))
            };
            let expected: Vec<_> = firings.iter().map(row).collect();
            let workers = ["1", "2"][turn % 2];
            let arguments = ["--by", "carrier", "--format", "csv", "--agg", agg, "--workers", workers];
            let input = ["--input", file.to_str().unwrap()];
            let output = run(&[&arguments[..], &input, cut.options].concat());
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let tolerance = if matches!(agg, "quantiles" | "median") { 0.011 } else { 0.0 };
            cut.check(&String::from_utf8(output.stdout).unwrap(), columns, &expected, tolerance);
        }
    }
}

#[test]
fn sessions_and_corrections_of_the_whole_year_agree_with_the_recomputation_however_they_run() {
    let folder = scratch("kept");
    let flights: Vec<_> = FLIGHTS.iter().collect();
    for cut in &CUTS[1..] {
        let (firings, mut late) = cut.firings(&flights, "origin");
        let row = |firing: &Firing<String>| cut.row(firing, &firing.records.len().to_string());
        let expected: Vec<_> = firings.iter().map(row).collect();
        late.sort_unstable();
        let ways = ["l3", "l4", "auto"].into_iter().flat_map(|tier| [(tier, "1"), (tier, "2")]);
        // With several instances, the results of one may go ahead of those of another.
        for (tier, workers) in ways.chain([("l4", "4")]) {
            let path = |name: &str| folder.join(format!("{name}-{tier}-{workers}"));
            let (late_file, report_file) = (path("late"), path("report"));
            let arguments = ["--format", "csv", "--agg", "count", "--tier", tier, "--workers", workers];
            let files = ["--late", late_file.to_str().unwrap(), "--report", report_file.to_str().unwrap()];
            let output = run(&[&arguments[..], &files, cut.options].concat());
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            cut.check(&String::from_utf8(output.stdout).unwrap(), "count", &expected, 0.0);

            let report = report(&report_file);
            let on_time = FLIGHTS.len() - late.len();
            let counts =
                [("results", expected.len()), ("records_late", late.len()), ("records_on_time", on_time)];
            for (name, count) in counts {
                assert_eq!(report[name], count as f64, "{name} of {:?}", cut.options);
            }
            let found = fs::read_to_string(late_file).unwrap();
            let line = |row: &str| row.split(',').next().and_then(|line| line.parse::<usize>().ok());
            let mut found: Vec<_> = found.lines().skip(1).filter_map(line).map(|line| line - 2).collect();
            found.sort_unstable();
            assert_eq!(found, late, "{:?}", cut.options);
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
