use std::io::{self, Cursor};

use super::*;
use crate::source::{Demand, text::LINE_BYTES_MAX};

type Outcome = (Vec<(u64, String, i64)>, Vec<(u64, String)>);

/// Takes records in portions, as a job does.
#[derive(Default)]
struct Taken {
    outcome: Outcome,
    room: usize,
}

impl Taken {
    fn demand(&mut self) -> Demand {
        self.room = self.room.saturating_sub(1);
        if self.room == 0 { Demand::Enough } else { Demand::More }
    }
}

impl Intake<(u64, String, i64), RejectedRow> for Taken {
    fn accept(&mut self, item: (u64, String, i64)) -> Demand {
        self.outcome.0.push(item);
        self.demand()
    }

    fn reject(&mut self, reject: RejectedRow) -> Demand {
        self.outcome.1.push((reject.line, reject.reason.to_string()));
        self.demand()
    }
}

/// A reader that gives a few bytes at a time.
struct Trickle(Cursor<Vec<u8>>, usize);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.1.min(buffer.len());
        self.0.read(&mut buffer[..length])
    }
}

fn read(text: &[u8], step: usize, room: usize) -> Result<Outcome, TextError> {
    let parse = |row: &Row<'_>| Ok((row.line(), row.text(0)?.to_owned(), row.parse(1)?));
    let reader = Trickle(Cursor::new(text.to_vec()), step);
    let mut source = CsvSource::new("test", reader, &["name", "n"], parse)?;
    let mut taken = Taken::default();
    loop {
        taken.room = room;
        match source.poll(&mut taken) {
            Ok(Readiness::Ended) => return Ok(taken.outcome),
            Ok(Readiness::Ready) => {}
            Ok(Readiness::Pending | Readiness::Waiting) => {
                assert!(taken.room < room, "it had nothing to pass on");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn good_rows_are_read_and_bad_ones_rejected_each_by_its_line() {
    let text = b"n,name,x\n\
        1,a,\n\
        \n\
        2,\"b, \"\"c\"\"\",\r\n\
        \x20 \t\n\
        3,d\n\
        4,e,,\n\
        five,f,\n\
        99999999999999999999,g,\n\
        6,\xff,\n\
        7,\"open,\n\
        8,h,last";
    let good: Vec<_> = [(2, "a", 1), (4, "b, \"c\"", 2), (12, "h", 8)]
        .map(|(line, name, n)| (line, name.to_owned(), n))
        .into();
    let bad: Vec<_> = [
        (6, "expected 3 fields, found 2"),
        (7, "expected 3 fields, found 4"),
        (8, "n: `five`: invalid digit found in string"),
        (9, "n: `99999999999999999999`: number too large to fit in target type"),
        (10, "name: invalid UTF-8"),
        (11, "a quoted field is not closed on this line"),
    ]
    .map(|(line, reason)| (line, reason.to_owned()))
    .into();
    for step in [1, 2, 7, 1_000] {
        for room in [1, 2, 100] {
            let outcome = read(text, step, room).unwrap();
            assert_eq!(outcome, (good.clone(), bad.clone()), "{step} bytes a read, {room} rows a poll");
        }
    }
}

#[test]
fn a_line_too_long_or_with_too_many_fields_is_rejected_and_the_next_one_read() {
    let mut text = b"\xEF\xBB\xBFname,n\n".to_vec();
    text.extend(vec![b'x'; LINE_BYTES_MAX + 1]);
    text.extend(b",1\na,1\n");
    text.extend(vec![b','; 100]);
    text.extend(b"\nb,2\n");
    for step in [4_096, 1 << 22] {
        let (good, bad) = read(&text, step, 10).unwrap();
        assert_eq!(good, [(3, "a".to_owned(), 1), (5, "b".to_owned(), 2)]);
        assert_eq!(bad.len(), 2);
        assert_eq!(bad[0], (2, "line longer than 1048576 bytes".to_owned()));
        assert_eq!(bad[1], (4, "expected 2 fields, found at least 18".to_owned()));
    }
}

#[test]
fn a_header_that_will_not_do_is_refused() {
    let message = |text: &[u8]| read(text, 10, 10).expect_err("refused").to_string();
    assert_eq!(message(b""), "cannot read test: it is empty; expected a header line that names the columns");
    let endless = "cannot read test: its header line is bad: line longer than 1048576 bytes";
    assert_eq!(message(&vec![b'x'; LINE_BYTES_MAX * 3]), endless);
    assert_eq!(message(b"name,m\n"), "cannot read test: its header has no column `n`; it has name, m");
    assert_eq!(
        message(b"\n \nn\0me,\n"),
        "cannot read test: its header has no column `name`; it has n\\u{0}me, "
    );
    assert_eq!(
        message(b"name,\"n\n"),
        "cannot read test: its header line is bad: a quoted field is not closed on this line"
    );
}
