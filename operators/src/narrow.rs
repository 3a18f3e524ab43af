//! An output for tests that takes a number of records at a time.

use nacreous_watermark::Watermark;

use crate::{Emit, Operator, Record, Step};

/// Has room for `room` records; takes more if it must.
pub(crate) struct Narrow<T> {
    pub(crate) seen: Vec<Record<T>>,
    /// The watermarks that were dealt with, and how many records there had been after each.
    pub(crate) passed: Vec<(Watermark, usize)>,
    room: usize,
    width: usize,
}

impl<T> Narrow<T> {
    pub(crate) fn new(width: usize) -> Self {
        Self { seen: Vec::new(), passed: Vec::new(), room: width, width }
    }

    /// Has an operator deal with a watermark, however often it stops for want of room, or has done enough at once.
    pub(crate) fn advance<I>(&mut self, operator: &mut impl Operator<I, Out = T>, watermark: Watermark) {
        while operator.on_watermark(watermark, self) == Step::More {
            self.room = self.width;
        }
        let seen = self.seen.len();
        assert_eq!(operator.on_watermark(watermark, self), Step::Done, "a second time it has nothing to do");
        assert_eq!(self.seen.len(), seen, "a second time nothing comes out");
        self.passed.push((watermark, seen));
    }
}

impl<T> Emit<T> for Narrow<T> {
    fn emit(&mut self, record: Record<T>) {
        self.room = self.room.saturating_sub(1);
        self.seen.push(record);
    }

    fn has_room(&self) -> bool {
        self.room > 0
    }
}
