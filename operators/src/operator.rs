use std::ops::AddAssign;

use nacreous_watermark::Watermark;

use crate::Record;

/// One step of a dataflow: takes records and watermarks in, pushes any number of records out.
///
/// Operators are composed by the runtime into chains that compile into one loop. State is plain fields.
/// Results must depend only on the sequence of records and watermarks, never on how it was cut into
/// batches.
pub trait Operator<I> {
    /// What comes out.
    type Out;

    /// Handles one record.
    fn on_record(&mut self, record: Record<I>, out: &mut impl Emit<Self::Out>);

    /// Handles a watermark: emits what it completes. [`Watermark::END`] is the end of the stream.
    ///
    /// Before each record it looks whether there [is room](Emit::has_room) for it and returns
    /// [`Step::More`] if not; it is then called again with the same watermark, before anything else, and
    /// goes on where it stopped. It may also be called again after it was done, and then does nothing.
    /// The caller passes the watermark on once the operator is done.
    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl Emit<Self::Out>) -> Step {
        let _ = (watermark, out);
        Step::Done
    }

    /// Handles that the input has broken off without an end: something before this operator has failed.
    ///
    /// An operator that only holds records back emits them, as [`on_watermark`](Self::on_watermark) does; one
    /// whose results would lack records that never came emits nothing. Nothing follows.
    fn on_break_off(&mut self, out: &mut impl Emit<Self::Out>) -> Step {
        let _ = out;
        Step::Done
    }

    /// What became of the records so far.
    fn tally(&self) -> Tally {
        Tally::default()
    }
}

/// Where an operator's output goes.
pub trait Emit<T> {
    /// Takes a record. Always succeeds; see [`has_room`](Self::has_room).
    fn emit(&mut self, record: Record<T>);

    /// Whether another record fits into the memory at hand.
    ///
    /// An operator that emits an unbounded number of records at once asks before each; one that emits a
    /// few for each of its own inputs need not.
    fn has_room(&self) -> bool {
        true
    }
}

impl<T> Emit<T> for Vec<Record<T>> {
    fn emit(&mut self, record: Record<T>) {
        self.push(record);
    }
}

/// Whether a watermark has been dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// All it completes has been emitted.
    Done,
    /// The output is full: call again with the same watermark when it has room.
    More,
}

/// Counts of what became of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Records that a filter took out.
    pub filtered: u64,
    /// Records added to at least one window.
    pub on_time: u64,
    /// Records that found all their windows closed.
    pub late: u64,
    /// (record, window) pairs lost because the window was closed, whether the record was late or not.
    pub missed_windows: u64,
    /// Results that windows emitted.
    pub results: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.filtered += other.filtered;
        self.on_time += other.on_time;
        self.late += other.late;
        self.missed_windows += other.missed_windows;
        self.results += other.results;
    }
}
