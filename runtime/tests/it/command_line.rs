//! The example fed nonsense: a clear line and the right exit status, and never a panic.

use std::{fs, path::PathBuf};

use crate::flights::{run, scratch};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/nyc-landings-2013.csv.gz");

const HEADER: &str =
    "landed_at,departed_at,carrier,flight,origin,dest,dep_delay_min,arr_delay_min,distance_mi";

/// Ends with this status and one line on standard error that says so.
fn refused(arguments: &[&str], status: i32, says: &str) {
    let output = run(arguments);
    let errors = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {errors}");
    let complaints: Vec<_> = errors.lines().filter(|line| line.starts_with("flight_delays: ")).collect();
    let [line] = complaints[..] else { panic!("{arguments:?}: not one line: {errors}") };
    assert!(line.contains(says), "{arguments:?}: {line}");
    assert!(!errors.contains("panicked"), "{arguments:?}: {errors}");
}

#[test]
fn a_wrong_command_line_ends_with_status_2() {
    for (arguments, says) in [
        (&["--frobnicate"][..], "--frobnicate"),
        (&["surplus"], "surplus"),
        (&["--size"], "--size"),
        (&["--size", "6"], "such as"),
        (&["--size", "h"], "whole number"),
        (&["--size", "-6h"], "-6"),
        (&["--size", "1.5h"], "whole number"),
        (&["--size", "6 h"], "whole number"),
        (&["--size", "6ü"], "such as"),
        (&["--size", ""], "such as"),
        (&["--size", "0h", "--every", "0h"], "longer than zero"),
        (&["--every", "0s"], "longer than zero"),
        (&["--size", "1h", "--every", "2h"], "gaps"),
        (&["--size", "99999999999999999999d"], "292 years"),
        (&["--size", "9999999d"], "292 years"),
        (&["--disorder", "9999999d"], "292 years"),
        (&["--disorder", "18446744073709551615d"], "292 years"),
        (&["--session", "0s"], "--session: the gap that ends a session must be longer than zero"),
        (&["--session", "9999999d"], "292 years"),
        (&["--session", "soon"], "'--session <GAP>': a duration is a number and a unit"),
        (&["--session", "1h", "--size", "2h"], "'--session <GAP>' cannot be used with '--size <DUR>'"),
        (&["--session", "1h", "--every", "1h"], "'--session <GAP>' cannot be used with '--every <DUR>'"),
        (&["--session", "6h", "--size", "6h", "--every", "1h"], "cannot be used with"),
        (&["--lateness", "x"], "'--lateness <DUR>': a duration is a number and a unit"),
        (&["--retract"], "--retract: nothing is corrected, and so taken back, unless windows are kept"),
        (&["--retract", "--lateness", "0s"], "add --lateness, such as --lateness 6h"),
        (&["--retract", "--session", "1h", "--output", "/nowhere/at/all"], "add --lateness"),
        (&["--agg", "what"], "first-last"),
        (&["--by", "pilot"], "carrier-dest"),
        (&["--format", "xml"], "jsonl"),
        (&["--workers", "0"], "1 to 256"),
        (&["--workers", "100000"], "1 to 256"),
        (&["--workers", "two"], "two"),
        (&["--batch", "0"], "1 to 65536"),
        (&["--batch", "18446744073709551615"], "1 to 65536"),
        (&["--by", "origin", "--by", "dest"], "multiple times"),
        (&["--size", "0s", "--input", "/nowhere"], "longer than zero"),
        (&["--late", "/tmp/nacreous-same", "--output", "/tmp/nacreous-same"], "same file"),
        (&["--output", DATA], "same file"),
        (&["--workers", "256", "--batch", "65536"], "4096 MiB"),
    ] {
        refused(arguments, 2, says);
    }
}

#[test]
fn what_cannot_be_read_or_written_ends_with_status_1() {
    let folder = scratch("io");
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let data = fs::read(DATA).unwrap();
    let mut corrupt = data.clone();
    corrupt[2_000_000..2_000_008].fill(0);
    let inputs = [
        (file("truncated.csv.gz", &data[..2_000_000]), "truncated.csv.gz"),
        (file("corrupt.csv.gz", &corrupt), "corrupt.csv.gz"),
        (file("text.csv.gz", b"not gzip at all, whatever its name says"), "text.csv.gz"),
        (file("empty.csv.gz", b""), "empty.csv.gz"),
        (file("empty.csv", b""), "expected a header"),
        (file("other.csv", b"a,b\n1,2\n"), "no column `landed_at`"),
        (file("quote.csv", b"\"a,b\n1,2\n"), "header line is bad"),
        (folder.join("missing.csv").to_str().unwrap().to_owned(), "missing.csv"),
        (folder.to_str().unwrap().to_owned(), "directory"),
    ];
    for (input, says) in &inputs {
        refused(&["--input", input], 1, says);
        refused(&["--input", input, "--workers", "3"], 1, says);
    }
    for option in ["--output", "--late", "--rejected", "--report"] {
        refused(&[option, "/nowhere/at/all"], 1, "/nowhere/at/all");
        refused(&[option, "/"], 1, "cannot write /");
    }
    for option in ["--output", "--report", "--late"] {
        refused(&[option, "/dev/full", "--disorder", "30m"], 1, "cannot write /dev/full");
        refused(&[option, "/dev/full", "--disorder", "30m", "--workers", "4"], 1, "cannot write /dev/full");
    }
}

#[test]
fn a_file_is_emptied_only_when_everything_else_is_in_order() {
    let folder = scratch("kept");
    let kept = folder.join("kept.csv");
    fs::write(&kept, "what was there before").unwrap();
    let kept = kept.to_str().unwrap();
    for (arguments, status) in [
        (&["--workers", "0"][..], 2),
        (&["--size", "0s"], 2),
        (&["--session", "0s"], 2),
        (&["--retract"], 2),
        (&["--input", "/nowhere"], 1),
        (&["--late", "/nowhere/at/all"], 1),
        (&["--report", "/nowhere/at/all"], 1),
    ] {
        refused(&[arguments, &["--output", kept]].concat(), status, "");
        assert_eq!(fs::read_to_string(kept).unwrap(), "what was there before", "{arguments:?}");
    }
}

#[test]
fn who_stops_reading_one_output_takes_nothing_from_another() {
    let folder = scratch("side-output");
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (output, report) = (path("output"), path("report"));
    for workers in ["1", "2", "4"] {
        let arguments = ["--format", "csv", "--disorder", "0s", "--size", "1h", "--workers", workers];
        let files = ["--output", &output, "--late", "/dev/full", "--report", &report];
        refused(&[&arguments[..], &files].concat(), 1, "cannot write /dev/full");
        let rows = fs::read_to_string(&output).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
        assert_eq!(report["results"].as_u64(), Some(rows.lines().count() as u64 - 1), "{workers} workers");
        assert!(rows.ends_with('\n'));
    }
}

#[test]
fn results_complete_before_the_input_broke_off_are_written_and_reported() {
    let folder = scratch("broken-off");
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (input, output, report) = (path("truncated.csv.gz"), path("output"), path("report"));
    fs::write(&input, &fs::read(DATA).unwrap()[..2_000_000]).unwrap();
    let whole = String::from_utf8(run(&["--format", "csv"]).stdout).unwrap();
    for workers in ["1", "2", "4"] {
        let arguments = ["--input", &input, "--format", "csv", "--output", &output, "--report", &report];
        refused(&[&arguments[..], &["--workers", workers]].concat(), 1, "truncated.csv.gz");
        let written = fs::read_to_string(&output).unwrap();
        assert!(whole.starts_with(&written), "{workers} workers: what was written is a part of the whole");
        let rows = written.lines().count() - 1;
        assert!(rows > 10_000, "{workers} workers: only {rows} rows were written");
        let report: serde_json::Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
        assert_eq!(report["results"].as_u64(), Some(rows as u64), "{workers} workers");
    }
}

#[test]
fn bad_rows_are_rejected_one_by_one_and_the_rest_goes_on() {
    let folder = scratch("bad-rows");
    let good = "1357040580,1357037940,B6,1806,JFK,BOS,0,-4,187";
    let mut text = Vec::new();
    let mut expected = vec!["line,reason".to_owned()];
    let mut line = 1;
    let mut add = |row: &[u8], reason: Option<&str>| {
        line += 1;
        text.extend_from_slice(row);
        text.push(b'\n');
        expected.extend(reason.map(|reason| format!("{line},{reason}")));
    };
    add(good.as_bytes(), None);
    add(b"", None);
    add(b"1357040580,1357037940,B6", Some("\"expected 9 fields, found 3\""));
    add(b"   ", None);
    add(format!("{good},x").as_bytes(), Some("\"expected 9 fields, found 10\""));
    add(
        b"soon,1357037940,B6,1806,JFK,BOS,0,-4,187",
        Some("landed_at: `soon`: invalid digit found in string"),
    );
    add(
        b"1357040580,1357037940,B6,1806,JFK,BOS,0,none,187",
        Some("arr_delay_min: `none`: invalid digit found in string"),
    );
    add(
        b"1357040580,1357037940,B6,1806,JFK,BOS,0,,187",
        Some("arr_delay_min: ``: cannot parse integer from empty string"),
    );
    add(
        b"1357040580,1357037940,B6,1806,JFK,BOS,0,99999999999,187",
        Some("arr_delay_min: `99999999999`: number too large to fit in target type"),
    );
    add(
        b"1357040580,9999999999999,B6,1806,JFK,BOS,0,-4,187",
        Some("departed_at: `9999999999999`: not within the years 1677 to 2262"),
    );
    add(b"1357040580,1357037940,B6,-6,JFK,BOS,0,-4,187", Some("flight: `-6`: invalid digit found in string"));
    add(b"1357040580,1357037940,B6,1806,J\xffK,BOS,0,-4,187", Some("origin: invalid UTF-8"));
    add(b"1357040580,1357037940,B6,1806,,BOS,0,-4,187", Some("origin: ``: a code must not be empty"));
    add(
        b"1357040580,1357037940,B6,1806,JFKJFKJFK,BOS,0,-4,187",
        Some("origin: `JFKJFKJFK`: a code has at most 8 bytes"),
    );
    add(
        b"1357040580,1357037940,\"B6,1806,JFK,BOS,0,-4,187",
        Some("a quoted field is not closed on this line"),
    );
    add(good.as_bytes(), None);
    let text = [format!("{HEADER}\n").as_bytes(), &text].concat();

    let path = |name: &str| folder.join(name);
    let (input, rejected, report): (PathBuf, PathBuf, PathBuf) =
        (path("in.csv"), path("rejected"), path("report"));
    // With and without a line break at the very end, and with line breaks of either kind.
    let windows_text = String::from_utf8_lossy(&text).replace('\n', "\r\n");
    assert!(windows_text.contains('\u{fffd}'), "the invalid byte was replaced");
    for (text, utf8) in
        [(&text[..], false), (&text[..text.len() - 1], false), (windows_text.as_bytes(), true)]
    {
        fs::write(&input, text).unwrap();
        for workers in ["1", "4"] {
            let output = run(&[
                "--input",
                input.to_str().unwrap(),
                "--format",
                "csv",
                "--workers",
                workers,
                "--rejected",
                rejected.to_str().unwrap(),
                "--report",
                report.to_str().unwrap(),
            ]);
            assert!(output.status.success());
            let mut expected = expected.clone();
            if utf8 {
                // What replaced the invalid byte makes for a code as good as any.
                expected.retain(|line| !line.contains("UTF-8"));
            }
            let found = fs::read_to_string(&rejected).unwrap();
            assert_eq!(found.lines().collect::<Vec<_>>(), expected);
            let report: serde_json::Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
            assert_eq!(report["records_rejected"].as_u64(), Some(expected.len() as u64 - 1));
            assert_eq!(report["records_in"].as_u64(), Some(14), "blank lines are not counted");
            let results = String::from_utf8(output.stdout).unwrap();
            assert_eq!(results.lines().filter(|row| row.contains(",JFK,2,-4.000,-4,-4")).count(), 6);
        }
    }
}

#[test]
fn an_input_without_records_makes_a_header_and_a_report() {
    let folder = scratch("no-records");
    let input = folder.join("in.csv");
    fs::write(&input, format!("{HEADER}\n")).unwrap();
    let output = run(&["--input", input.to_str().unwrap(), "--format", "csv"]);
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 1);
}

#[test]
fn help_names_every_option() {
    let help = String::from_utf8(run(&["--help"]).stdout).unwrap();
    for option in [
        "--input",
        "--by",
        "--agg",
        "--size",
        "--every",
        "--session",
        "--disorder",
        "--lateness",
        "--retract",
        "--workers",
        "--batch",
        "--format",
        "--output",
        "--late",
        "--rejected",
        "--report",
    ] {
        assert!(help.contains(option), "{option}");
    }
}
