use nacreous_operators::Record;
use nacreous_watermark::Timestamp;

use super::Clock;
use crate::operator_name::{Blame, OperatorName};

/// Records of an iterator up to where there is something to be done besides handling them.
///
/// It ends behind the record that may have brought the watermark to an edge, when no more may be taken, or with the
/// iterator.
pub(super) struct Run<'a, I, C> {
    pub(super) items: &'a mut I,
    pub(super) name: &'a OperatorName,
    pub(super) clock: &'a mut C,
    pub(super) time_name: &'a OperatorName,
    /// A record at this time or later ends the run.
    pub(super) edge_at: Timestamp,
    /// How many more may be taken in the run.
    left: isize,
    /// How many more could have been, had it not ended at an edge.
    spared: isize,
    /// The time of the record at which it ended.
    pub(super) edge: Option<Timestamp>,
    /// Whether the iterator has ended.
    pub(super) is_over: bool,
    /// Where to write how many may still be taken, when all is done or somebody panics.
    room: &'a mut isize,
}

impl<'a, I, C> Run<'a, I, C> {
    #[inline(always)]
    pub(super) fn new(
        (items, name): (&'a mut I, &'a OperatorName),
        (clock, time_name): (&'a mut C, &'a OperatorName),
        edge_at: Timestamp,
        room: &'a mut isize,
    ) -> Self {
        let left = *room;
        Self { items, name, clock, time_name, edge_at, left, spared: 0, edge: None, is_over: false, room }
    }
}

impl<T, I: Iterator<Item = T>, C: Clock<T>> Iterator for Run<'_, I, C> {
    type Item = Record<T>;

    // HOT(source.run)
    #[inline(always)]
    fn next(&mut self) -> Option<Record<T>> {
        if self.left <= 0 {
            return None;
        }
        let blame = Blame::on(self.name);
        let item = self.items.next();
        blame.lift();
        let Some(value) = item else {
            self.is_over = true;
            return None;
        };
        self.left -= 1;
        let blame = Blame::on(self.time_name);
        let time = self.clock.time_of(&value);
        blame.lift();
        if time >= self.edge_at {
            (self.left, self.spared) = (0, self.left);
            self.edge = Some(time);
        }
        Some(Record { time, value })
    }
}

impl<I, C> Drop for Run<'_, I, C> {
    #[inline(always)]
    fn drop(&mut self) {
        *self.room = self.left + self.spared;
    }
}
