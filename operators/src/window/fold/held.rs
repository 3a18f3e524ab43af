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
    /// When they are due, and where they are.
    due: TimerQueue,
}

impl<T> Held<T> {
    pub(super) fn new() -> Self {
        Self { records: Pool::new(), due: TimerQueue::new() }
    }

    pub(super) fn connect(&mut self, supplies: &mut impl Supplies)
    where
        T: Send + 'static,
    {
        self.records.connect(supplies);
        self.due.connect(supplies);
    }

    /// As [`Operator::prepare`](crate::Operator::prepare), for so many records.
    pub(super) fn prepare(&mut self, records: usize) -> Prepared {
        self.records.prepare(records).and(self.due.prepare(records))
    }

    /// Holds a record until all have passed this watermark.
    pub(super) fn hold(&mut self, own: Watermark, record: Record<T>) {
        let place = self.records.insert(record);
        self.due.push(before(own), SlotNumber::new(place.number()));
    }

    /// The watermark that the next one is held until.
    pub(super) fn until(&self) -> Option<Watermark> {
        let (time, _) = self.due.first()?;
        Some(Watermark::at(Timestamp::from_nanos(time.as_nanos() + 1)))
    }

    /// A record that is not held any longer, once all have passed `watermark`.
    pub(super) fn release(&mut self, watermark: Watermark) -> Option<Record<T>> {
        let (_, slot) = self.due.pop_due(watermark)?;
        Some(self.records.remove(Place::numbered(slot.number())))
    }
}

/// The last instant that a watermark has passed. It has passed one, as a record was behind it.
fn before(watermark: Watermark) -> Timestamp {
    Timestamp::from_nanos(watermark.time().as_nanos() - 1)
}
