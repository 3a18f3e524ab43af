//! Rows of csv and lines of JSON, read by serde: good ones come out, bad ones are rejected with a reason, whatever the
//! input looks like.

use std::{
    fs,
    io::{self, Cursor, Read, Write},
    path::PathBuf,
    time::Duration,
};

use nacreous::{
    Failure, RunError,
    prelude::*,
    source::{CsvRows, JsonLines, RejectedRow, Source, TextError},
};
use serde::{Deserialize, de::DeserializeOwned};

use crate::equivalence::WORKERS;

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Sale {
    item: String,
    price: f64,
    count: Option<u8>,
}

type Outcome = Result<(Vec<Sale>, Vec<(u64, String)>), (Box<JobReport>, String)>;

/// Runs a source to its end, and checks that no row went missing on the way.
fn run<S>(source: S, workers: usize) -> Outcome
where
    S: Source<Item = Sale, Reject = RejectedRow>,
{
    let graph = Graph::new();
    let (sales, rejected) = graph.source(source);
    let at_once = BoundedDisorder::new(Duration::ZERO).unwrap();
    let sales = sales.event_time(|_| Timestamp::from_nanos(0), at_once).map(|sale| sale).collect();
    let rejected = rejected.collect();
    match graph.run(JobOptions { workers, batch: 16, ..JobOptions::DEFAULT }) {
        Ok(report) => {
            let sales: Vec<_> = sales.take().into_iter().map(|record| record.value).collect();
            let rejected: Vec<_> = rejected.take().into_iter().map(|record| record.value).collect();
            assert_eq!(report.records_in, (sales.len() + rejected.len()) as u64);
            assert_eq!(report.records_rejected, rejected.len() as u64);
            Ok((sales, rejected.into_iter().map(|row| (row.line, row.reason.to_string())).collect()))
        }
        Err(RunError::Job(error)) => {
            assert!(matches!(error.failure, Failure::Source { .. }), "{error}");
            Err((error.report.clone(), error.to_string()))
        }
        Err(error) => panic!("{error}"),
    }
}

fn csv(text: &[u8], workers: usize) -> Outcome {
    run(CsvRows::new("sales", Cursor::new(text.to_vec())).expect("a good header"), workers)
}

fn json(text: &[u8], workers: usize) -> Outcome {
    run(JsonLines::new("sales", Cursor::new(text.to_vec())), workers)
}

fn sale(item: &str, price: f64, count: Option<u8>) -> Sale {
    Sale { item: item.to_owned(), price, count }
}

fn rejected(rows: &[(u64, &str)]) -> Vec<(u64, String)> {
    rows.iter().map(|(line, reason)| (*line, (*reason).to_owned())).collect()
}

#[test]
fn rows_of_csv_become_values_and_bad_ones_are_rejected_each_by_its_line() {
    let mut text = b"\xEF\xBB\xBF\r\ncount,unused,price,item\r\n\
        1,,2.5,tea\r\n\
        \r\n\
        ,x,3,\"black, \"\"strong\"\"\"\r\n\
        300,,1,big\n\
        1,,cheap,odd\n\
        1,,2\n\
        1,,2,a,b\n\
        1,,2,\"open\n\
        1,,2,\xff\xfe\n\
        \0\x01\x02\n"
        .to_vec();
    text.extend(vec![b'x'; (1 << 20) + 1]);
    text.extend(b"\n2,,4,last");
    let good =
        vec![sale("tea", 2.5, Some(1)), sale("black, \"strong\"", 3.0, None), sale("last", 4.0, Some(2))];
    let bad = rejected(&[
        (6, "count: `300`: number too large to fit in target type"),
        (7, "price: `cheap`: invalid float literal"),
        (8, "expected 4 fields, found 3"),
        (9, "expected 4 fields, found 5"),
        (10, "a quoted field is not closed on this line"),
        (11, "item: invalid UTF-8"),
        (12, "expected 4 fields, found 1"),
        (13, "line longer than 1048576 bytes"),
    ]);
    for workers in WORKERS {
        assert_eq!(csv(&text, workers).unwrap(), (good.clone(), bad.clone()), "{workers} workers");
    }
    // A header that lacks a field spoils every row, and says why.
    let (none, all) = csv(b"item,count\ntea,1\ncoffee,2\n", 1).unwrap();
    assert_eq!(none, []);
    assert_eq!(all, rejected(&[(2, "missing field `price`"), (3, "missing field `price`")]));
}

#[test]
fn lines_of_json_become_values_and_bad_ones_are_rejected_each_by_its_line() {
    let mut text = b"\xEF\xBB\xBF{\"item\":\"tea\",\"price\":2.5,\"count\":1}\r\n\
        \r\n\
        {\"price\":3,\"unused\":[{}],\"item\":\"a \\\"b\\\"\"}\n\
        {\"item\":\"tea\",\"price\":2.5\n\
        {\"item\":\"tea\",\"price\":2.5} x\n\
        {\"item\":\"tea\"}\n\
        {\"item\":\"tea\",\"price\":\"dear\\n\"}\n\
        {\"item\":\"\xff\",\"price\":1}\n\
        [[[[\n\
        \0\x01\x02\n"
        .to_vec();
    text.extend(vec![b'['; 1 << 20]);
    text.extend(b"\n\"");
    text.extend(vec![b'x'; 1 << 20]);
    text.extend(b"\"\n{\"item\":\"last\",\"price\":4}");
    let good = vec![sale("tea", 2.5, Some(1)), sale("a \"b\"", 3.0, None), sale("last", 4.0, None)];
    let bad = rejected(&[
        (4, "byte 25: EOF while parsing an object"),
        (5, "byte 28: trailing characters"),
        (6, "byte 14: missing field `price`"),
        (7, "byte 30: invalid type: string \"dear\\n\", expected f64"),
        (8, "byte 10: invalid unicode code point"),
        (9, "byte 1: invalid type: sequence, expected a string"),
        (10, "byte 1: expected value"),
        (11, "byte 1: invalid type: sequence, expected a string"),
        (12, "line longer than 1048576 bytes"),
    ]);
    for workers in WORKERS {
        assert_eq!(json(&text, workers).unwrap(), (good.clone(), bad.clone()), "{workers} workers");
    }
    assert_eq!(json(b"", 1).unwrap(), (vec![], vec![]));
    assert_eq!(json(b"\n \r\n\t\n", 1).unwrap(), (vec![], vec![]));
    // A message that quotes its input is cut to a length that one can read.
    let (_, long) =
        json(format!("{{\"item\":1,\"price\":\"{}\"}}", "y".repeat(5_000)).as_bytes(), 1).unwrap();
    assert!(long[0].1.len() < 300, "{}", long[0].1);
}

#[test]
fn noise_is_rejected_and_the_good_rows_within_it_are_found() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for round in 0..200 {
        let (mut as_csv, mut as_json) = (b"item,price,count\n".to_vec(), Vec::new());
        let mut good = Vec::new();
        let mut lines = 0;
        for number in 0..random.usize(..60) {
            if random.bool() {
                let item = format!("n{number}");
                as_csv.extend(format!("{item},{number}.5,\n").bytes());
                as_json.extend(format!("{{\"item\":\"{item}\",\"price\":{number}.5}}\n").bytes());
                good.push(sale(&item, number as f64 + 0.5, None));
            } else {
                // Never blank, never a good row: no line break within, and a comma too many for one.
                let noise: Vec<_> = (0..random.usize(..90)).map(|_| random.u8(..)).collect();
                let noise: Vec<_> = noise.into_iter().filter(|byte| !b"\n\r".contains(byte)).collect();
                let line = [b",,,", noise.as_slice(), b"\n"].concat();
                as_csv.extend(&line);
                as_json.extend(&line);
            }
            lines += 1;
        }
        let workers = WORKERS[round % WORKERS.len()];
        for (outcome, header) in [(csv(&as_csv, workers), 1), (json(&as_json, workers), 0)] {
            let (found, bad) = outcome.unwrap();
            assert_eq!(found, good);
            assert_eq!(found.len() + bad.len(), lines);
            assert!(bad.is_sorted() && bad.iter().all(|(line, _)| *line > header));
        }
    }
}

/// A reader that gives what it has, and then an error.
struct Broken(Cursor<Vec<u8>>);

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::ErrorKind::BrokenPipe.into()),
            read => Ok(read),
        }
    }
}

#[test]
fn an_input_that_breaks_off_fails_the_job_after_what_was_read() {
    let text = Cursor::new(b"{\"item\":\"tea\",\"price\":1}\n{\"item\":\"cof".to_vec());
    let (report, message) = run(JsonLines::new("the pipe", Broken(text)), 1).unwrap_err();
    assert_eq!(report.records_on_time, 1);
    assert!(message.contains("cannot read the pipe: broken pipe"), "{message}");
}

/// A file that is gone when this is.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("nacreous-{}-{name}", std::process::id()));
        fs::write(&path, content).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn from_path<T>(opened: Result<T, TextError>) -> String {
    opened.err().expect("it cannot be opened").to_string()
}

fn rows<T: DeserializeOwned>(path: &PathBuf) -> Result<CsvRows<nacreous::source::TextFile, T>, TextError> {
    CsvRows::from_path(path)
}

#[test]
fn files_are_read_compressed_or_not_and_errors_name_them() {
    let many: String = (0..5_000).map(|n| format!("item {n},{n},\n")).collect();
    let text = format!("item,price,count\n{many}");
    let plain = Scratch::new("sales.csv", text.as_bytes());
    let packed = Scratch::new("sales.csv.gz", &gzip(text.as_bytes()));
    for path in [&plain.0, &packed.0] {
        let (sales, bad) = run(rows(path).unwrap(), 2).unwrap();
        assert_eq!((sales.len(), bad.len()), (5_000, 0));
        assert_eq!(sales[4_999], sale("item 4999", 4_999.0, None));
    }

    let whole = gzip(text.as_bytes());
    let cut = Scratch::new("cut.csv.gz", &whole[..whole.len() - 100]);
    let (report, message) = run(rows(&cut.0).unwrap(), 1).unwrap_err();
    assert!(report.records_on_time > 1_000, "what could be read was read: {report:?}");
    assert!(message.contains(&format!("cannot read {}", cut.0.display())), "{message}");

    let noise = Scratch::new("noise.csv.gz", b"\x00\xff not gzip at all");
    let missing = std::env::temp_dir().join("nacreous-no-such-file.jsonl");
    let empty = Scratch::new("empty.csv", b"");
    let blank = Scratch::new("blank.csv", b"\xEF\xBB\xBF \r\n\n  ");
    let directory = std::env::temp_dir();
    for (path, message) in [
        (&noise.0, from_path(rows::<Sale>(&noise.0))),
        (&missing, from_path(JsonLines::<_, Sale>::from_path(&missing))),
        (&empty.0, from_path(rows::<Sale>(&empty.0))),
        (&blank.0, from_path(rows::<Sale>(&blank.0))),
        (&directory, from_path(JsonLines::<_, Sale>::from_path(&directory))),
    ] {
        assert!(message.starts_with(&format!("cannot read {}: ", path.display())), "{message}");
    }
    for nothing in [&empty.0, &blank.0] {
        assert!(from_path(rows::<Sale>(nothing)).contains("expected a header line"));
    }
    let (none, bad) = run(JsonLines::from_path(&empty.0).unwrap(), 1).unwrap();
    assert_eq!((none.len(), bad.len()), (0, 0));
}
