//! Records printed as a table.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use nacreous::{
    Failure,
    prelude::*,
    sink::{TableSink, UnwritableRecord},
    source,
};
use serde::Serialize;

use crate::equivalence::WORKERS;

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn in_order() -> BoundedDisorder {
    BoundedDisorder::new(Duration::ZERO).unwrap()
}

fn print<T: Serialize + Send + 'static>(values: Vec<T>, workers: usize) -> (String, Option<Failure>) {
    let (paper, graph) = (Paper::default(), Graph::new());
    let values = graph.iter(values).event_time(|_| Timestamp::from_nanos(0), in_order());
    values.map(|value| value).to(TableSink::new("paper", paper.clone()));
    let outcome = graph.start(JobOptions { workers, batch: 7, ..JobOptions::DEFAULT }).unwrap().wait();
    (paper.text(), outcome.err().map(|error| error.failure))
}

#[derive(Serialize)]
struct Stock {
    item: String,
    count: i64,
    price: Option<f64>,
    remark: &'static str,
}

fn stock(item: &str, count: i64, price: Option<f64>, remark: &'static str) -> Stock {
    Stock { item: item.to_owned(), count, price, remark }
}

#[test]
fn cells_stand_under_their_names_numbers_to_the_right() {
    let rows = || {
        vec![
            stock("tea", 8, Some(2.5), ""),
            stock("caf\u{e9}, black", -1_024, None, "new\nline"),
            stock(&"x".repeat(100), 0, Some(-10.0), ""),
        ]
    };
    let x = "x".repeat(64);
    let table = format!(
        "{item:<65}  count  price  remark\n\
         {tea:<65}      8    2.5\n\
         {cafe:<65}  -1024         new\\nline\n\
         {x}\u{2026}      0  -10.0\n",
        item = "item",
        tea = "tea",
        cafe = "caf\u{e9}, black",
    );
    for workers in WORKERS {
        let (printed, failure) = print(rows(), workers);
        assert!(failure.is_none());
        assert_eq!(printed, table);
    }
    assert_eq!(print(vec![(1, "a"), (10, "b")], 1).0, " 1  a\n10  b\n", "no names, no header");
    assert_eq!(print(Vec::<Stock>::new(), 1).0, "");
}

#[test]
fn every_row_is_printed_however_many_there_are_and_the_header_again_where_columns_grow() {
    let (printed, _) = print((0..2_500_i64).map(|n| stock("tea", n, None, "")).collect(), 2);
    let lines: Vec<_> = printed.lines().collect();
    let headers: Vec<_> = (0..lines.len()).filter(|line| lines[*line].starts_with("item")).collect();
    assert_eq!(headers, [0], "`count` is wide enough for all of them");
    assert_eq!(lines.len(), 2_501);
    assert_eq!(lines[2_500], "tea    2499");

    let (mut feeder, fed) = source::fed(4);
    let (paper, graph) = (Paper::default(), Graph::new());
    let rows = graph.source(fed).0.event_time(|_| Timestamp::from_nanos(0), in_order());
    rows.to(TableSink::new("paper", paper.clone()));
    let job = graph.start(JobOptions::default()).unwrap();
    let mut expected = String::new();
    for (row, printed) in [
        (stock("tea", 1, None, "a"), "item  count  price  remark\ntea       1         a\n"),
        (stock("milk", 2, None, "b"), "milk      2         b\n"),
        (stock("coffee", 3, None, "c"), "item    count  price  remark\ncoffee      3         c\n"),
    ] {
        feeder.send(row).unwrap();
        expected.push_str(printed);
        while paper.text() != expected {
            assert!(expected.starts_with(&paper.text()), "{}", paper.text());
            assert!(!job.wait_timeout(Duration::from_millis(1)), "it waits for its feeder");
        }
    }
    drop(feeder);
    job.wait().unwrap();
}

#[test]
fn a_record_that_makes_no_row_fails_the_job_after_those_before_it_are_printed() {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Odd {
        Row(i64, i64),
        Longer(i64, i64, i64),
    }
    for workers in WORKERS {
        let (printed, failure) = print(vec![Odd::Row(1, 2), Odd::Row(3, 4), Odd::Longer(5, 6, 7)], workers);
        assert_eq!(printed, "1  2\n3  4\n");
        let Some(Failure::Sink { error, .. }) = failure else { panic!("{failure:?}") };
        assert_eq!(error.downcast_ref::<UnwritableRecord>().map(|record| record.number), Some(3), "{error}");
    }
}
