//! Records written as csv and as JSON: read back they are what they were; what cannot be written fails the job and
//! leaves no half row.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use nacreous::{
    Failure, JobError, RunError,
    prelude::*,
    sink::{CsvSink, JsonLinesSink, OutputFile, Sink, UnwritableRecord, WriteError},
    source::{self, CsvRows, JsonLines, open_text},
};
use serde::{Deserialize, Serialize};

use crate::equivalence::{BATCHES, WORKERS};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Sale {
    item: String,
    price: f64,
    count: Option<u8>,
}

/// Texts that have to be quoted or escaped among others, but no line breaks: a row that is read is one line.
fn sales() -> Vec<Sale> {
    let items = ["tea", "a,b", "say \"x\"", "\u{e9}\u{1f600}", " ", "'"];
    (0..3_000_u32)
        .map(|n| Sale {
            item: format!("{}{n}", items[n as usize % items.len()]),
            price: f64::from(n) / 8.0,
            count: u8::try_from(n).ok(),
        })
        .collect()
}

/// A file that is gone when this is, if there was one.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("nacreous-{}-{name}", std::process::id())))
    }

    fn text(&self) -> String {
        let mut text = String::new();
        open_text(&self.0, |file| file).unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn in_order() -> BoundedDisorder {
    BoundedDisorder::new(Duration::ZERO).unwrap()
}

fn write<T: Send + 'static>(
    values: Vec<T>,
    sink: impl Sink<T>,
    options: JobOptions,
) -> Result<JobReport, JobError> {
    let graph = Graph::new();
    graph.iter(values).event_time(|_| Timestamp::from_nanos(0), in_order()).map(|value| value).to(sink);
    graph.run(options).map_err(|error| match error {
        RunError::Job(error) => error,
        error => panic!("{error}"),
    })
}

fn read(source: impl source::Source<Item = Sale>) -> Vec<Sale> {
    let graph = Graph::new();
    let read = graph.source(source).0.event_time(|_| Timestamp::from_nanos(0), in_order()).collect();
    let report = graph.run(JobOptions::default()).unwrap();
    assert_eq!(report.records_rejected, 0);
    read.take().into_iter().map(|record| record.value).collect()
}

#[test]
fn what_is_written_can_be_read_back() {
    for workers in WORKERS {
        for batch in BATCHES {
            let options = JobOptions { workers, batch, ..JobOptions::DEFAULT };
            for name in ["back.csv", "back.csv.gz"] {
                let file = Scratch::new(name);
                write(sales(), CsvSink::create(&file.0).unwrap(), options).unwrap();
                assert_eq!(read(CsvRows::from_path(&file.0).unwrap()), sales());
            }
            for name in ["back.jsonl", "back.jsonl.GZ"] {
                let file = Scratch::new(name);
                write(sales(), JsonLinesSink::create(&file.0).unwrap(), options).unwrap();
                assert_eq!(read(JsonLines::from_path(&file.0).unwrap()), sales());
            }
        }
    }
}

#[test]
fn a_stream_without_records_leaves_a_file_without_rows() {
    for name in ["none.csv", "none.csv.gz"] {
        let file = Scratch::new(name);
        write(Vec::<Sale>::new(), CsvSink::create(&file.0).unwrap(), JobOptions::default()).unwrap();
        assert_eq!(file.text(), "");
    }
    // Without names for fields there is no header.
    let file = Scratch::new("pairs.csv");
    write(vec![(1, "a"), (2, "b\nc")], CsvSink::create(&file.0).unwrap(), JobOptions::default()).unwrap();
    assert_eq!(file.text(), "1,a\n2,\"b\nc\"\n");
}

#[derive(Serialize)]
struct Fragile {
    n: u32,
    #[serde(serialize_with = "never_seven")]
    text: u32,
}

/// Fails when half of the row is written.
fn never_seven<S: serde::Serializer>(n: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    match n {
        7 => Err(serde::ser::Error::custom("seven is not to be written")),
        n => serializer.serialize_str(&"x".repeat(*n as usize)),
    }
}

#[test]
fn a_record_that_makes_no_row_fails_the_job_and_all_before_it_is_written_whole() {
    for workers in WORKERS {
        for batch in BATCHES {
            let options = JobOptions { workers, batch, ..JobOptions::DEFAULT };
            let rows = || (0..20).map(|n| Fragile { n, text: n }).collect();
            let (csv, json) = (Scratch::new("fragile.csv.gz"), Scratch::new("fragile.jsonl"));
            let errors = [
                (write(rows(), CsvSink::create(&csv.0).unwrap(), options), &csv),
                (write(rows(), JsonLinesSink::create(&json.0).unwrap(), options), &json),
            ];
            for (outcome, file) in errors {
                let error = outcome.expect_err("seven");
                let Failure::Sink { error, .. } = &error.failure else { panic!("{error}") };
                let unwritable = error.downcast_ref::<UnwritableRecord>().expect("it says which record");
                assert_eq!((unwritable.number, &unwritable.target), (8, &file.0.display().to_string()));
                assert!(unwritable.problem.contains("seven is not"), "{error}");
                let text = file.text();
                let last = text.lines().last().unwrap();
                assert!(last == "6,xxxxxx" || last == "{\"n\":6,\"text\":\"xxxxxx\"}", "{text}");
                assert!(text.ends_with('\n'));
            }
        }
    }
    // A map has no place in a row, and one with keys that are no texts has none in JSON.
    let file = Scratch::new("map");
    let map = || vec![BTreeMap::from([((1, 2), 3)])];
    let csv = write(map(), CsvSink::create(&file.0).unwrap(), JobOptions::default()).expect_err("a map");
    let json =
        write(map(), JsonLinesSink::create(&file.0).unwrap(), JobOptions::default()).expect_err("its keys");
    for error in [csv, json] {
        let expected = format!("cannot write {}: record 1 makes no row: ", file.0.display());
        assert!(error.to_string().contains(&expected), "{error}");
    }
}

/// Keeps what is written and flushed; takes no more than so much.
#[derive(Clone)]
struct Kept {
    bytes: Arc<Mutex<(Vec<u8>, usize)>>,
    bytes_max: usize,
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = self.bytes.lock().unwrap();
        if kept.0.len() + bytes.len() > self.bytes_max {
            return Err(io::ErrorKind::StorageFull.into());
        }
        kept.0.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut kept = self.bytes.lock().unwrap();
        kept.1 = kept.0.len();
        Ok(())
    }
}

#[test]
fn rows_are_there_when_the_input_runs_dry_and_a_full_disk_fails_the_job() {
    for workers in WORKERS {
        let (mut feeder, fed) = source::fed(8);
        let kept = Kept { bytes: Arc::default(), bytes_max: usize::MAX };
        let graph = Graph::new();
        let (numbers, _) = graph.source(fed);
        let numbers = numbers.event_time(|_| Timestamp::from_nanos(0), in_order());
        numbers.map(|n: u32| (n, n + 1)).to(CsvSink::new("memory", kept.clone()));
        let job = graph.start(JobOptions { workers, batch: 512, ..JobOptions::DEFAULT }).unwrap();
        for n in 0..3 {
            feeder.send(n).unwrap();
            while kept.bytes.lock().unwrap().1 != 4 * (n as usize + 1) {
                assert!(!job.wait_timeout(Duration::from_millis(1)), "it waits for its feeder");
            }
        }
        drop(feeder);
        job.wait().unwrap();

        let full = Kept { bytes: Arc::default(), bytes_max: 100_000 };
        let many: Vec<_> = sales().into_iter().cycle().take(20_000).collect();
        let outcome = write(
            many,
            JsonLinesSink::new("the disk", full.clone()),
            JobOptions { workers, batch: 7, ..JobOptions::DEFAULT },
        );
        let error = outcome.expect_err("the disk is full");
        assert!(error.to_string().contains("cannot write the disk: "), "{error}");
        let Failure::Sink { error, .. } = error.failure else { panic!("{error}") };
        assert!(error.is::<WriteError>());
        assert!(full.bytes.lock().unwrap().0.ends_with(b"}\n"), "what is there is whole");
    }
    let nowhere = std::env::temp_dir().join("nacreous-no-such-folder").join("x.csv");
    let error = CsvSink::create(&nowhere).err().expect("there is no such folder").to_string();
    assert!(error.starts_with(&format!("cannot write {}: ", nowhere.display())), "{error}");
}

#[test]
fn a_compressed_file_is_complete_after_each_flush() {
    let path = Scratch::new("flushed.txt.gz");
    let mut file = OutputFile::create(&path.0).unwrap();
    for round in 1..4 {
        file.write_all(b"line\n").unwrap();
        file.flush().unwrap();
        file.flush().unwrap();
        assert_eq!(path.text(), "line\n".repeat(round));
    }
    file.write_all(b"last").unwrap();
    drop(file);
    assert_eq!(path.text(), "line\nline\nline\nlast");
}
