use nacreous_watermark::{Timestamp, Watermark};

use crate::{
    Prepared, Record, Supplies,
    key::SlotNumber,
    pool::{Place, Pool},
    state::TimerQueue,
};

/// Records that are late by the watermark of their own input, while the others have not come as far.
///
/// What they change must not depend on how far the others happen to have come: they wait until all have passed that watermark.
pub(super) struct Held<T> {
    records: Pool<Record<T>>,
    /// How many there are.
    len: usize,
    /// How many have come.
    came: u64,
    /// When they are due, how many came before, and where they are.
    due: TimerQueue<Ticket>,
    /// Those that were held until the same watermark and are due, the latest first: their times are turned round. Those of one
    /// instant are in the order in which they came, which is the same for a key wherever it is kept.
    released: TimerQueue<Ticket>,
    /// The watermark that they were held until.
    until: Watermark,
}

/// How many came before it, and where it is.
type Ticket = (u64, SlotNumber);

impl<T> Held<T> {
    pub(super) fn new() -> Self {
        let (due, released) = (TimerQueue::new(), TimerQueue::new());
        Self { records: Pool::new(), len: 0, came: 0, due, released, until: Watermark::MIN }
    }

    pub(super) fn connect(&mut self, supplies: &mut impl Supplies)
    where
        T: Send + 'static,
    {
        self.records.connect(supplies);
        self.due.connect(supplies);
        self.released.connect(supplies);
    }

    /// As [`Operator::prepare`](crate::Operator::prepare), for so many records.
    pub(super) fn prepare(&mut self, records: usize) -> Prepared {
        let timers = self.due.prepare(records).and(self.released.prepare(self.len + records));
        timers.and(self.records.prepare(records))
    }

    /// Holds a record until all have passed this watermark.
    pub(super) fn hold(&mut self, own: Watermark, record: Record<T>) {
        let place = self.records.insert(record);
        self.len += 1;
        // A record was behind it, so it has passed an instant.
        let passed = Timestamp::from_nanos(own.time().as_nanos() - 1);
        self.due.push(passed, (self.came, SlotNumber::new(place.number())));
        self.came += 1;
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The least watermark that any are held until.
    pub(super) fn until(&self) -> Option<Watermark> {
        if self.released.first().is_some() {
            return Some(self.until);
        }
        let (passed, _) = self.due.first()?;
        Some(Watermark::at(Timestamp::from_nanos(passed.as_nanos() + 1)))
    }

    /// One of the records that are [held until](Self::until) the least watermark, the latest of them.
    pub(super) fn release(&mut self) -> Option<Record<T>> {
        if self.released.first().is_none() {
            self.until = self.until()?;
            while let Some((_, ticket)) = self.due.pop_due(self.until) {
                let record = self.records.get(Place::numbered(ticket.1.number()));
                self.released.push(Timestamp::from_nanos(!record.time.as_nanos()), ticket);
            }
        }
        let (_, (_, slot)) = self.released.pop_due(Watermark::END)?;
        self.len -= 1;
        Some(self.records.remove(Place::numbered(slot.number())))
    }
}
