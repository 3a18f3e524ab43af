use std::ops::AddAssign;

use nacreous_watermark::Watermark;

use crate::{Record, Supplies};

/// One step of a dataflow: takes records and watermarks in, pushes any number of records out.
///
/// Operators are composed by the runtime into chains that compile into one loop. State is plain fields.
/// Results must depend only on the sequence of records and watermarks, never on how it was cut into
/// batches.
pub trait Operator<I> {
    /// What comes out.
    type Out;

    /// Whether watermarks make a difference to it. One that looks at each record by itself, and keeps nothing of it, need
    /// not be told of any but the end.
    const HEEDS_WATERMARKS: bool = true;

    /// Whether all records of a batch are wanted at once, with [`on_records`](Self::on_records), also where they are so large
    /// that it is faster to hand them on one by one.
    const WANTS_BATCHES: bool = false;

    /// Handles one record.
    fn on_record(&mut self, record: Record<I>, out: &mut impl Emit<Self::Out>);

    /// Handles all records of an iterator, as one by one with [`on_record`](Self::on_record).
    ///
    /// An operator that makes one record of one hands on an iterator in turn, so that nothing happens before somebody
    /// further down asks for a record. One that keeps state may then look its state up once for all of them.
    #[inline(always)]
    fn on_records(&mut self, records: impl Iterator<Item = Record<I>>, out: &mut impl Emit<Self::Out>) {
        records.for_each(|record| self.on_record(record, out));
    }

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

    /// Says which watermark the records that follow are judged by: that of the input they come from.
    ///
    /// Behind a merge, [`on_watermark`](Self::on_watermark) brings the least over all inputs, which an input that is
    /// ahead has long passed. Whether a record is late must not depend on how far the *others* have come, so it is
    /// judged by its own input's watermark: this one, until it is called again. It is never behind the merged one.
    /// Without a merge it is never called: the one watermark there is judges.
    fn judge_by(&mut self, watermark: Watermark) {
        let _ = watermark;
    }

    /// Connects the operator's state to where its memory comes from. Called at most once, before all else.
    fn connect(&mut self, supplies: &mut impl Supplies) {
        let _ = supplies;
    }

    /// Does a bounded amount of upkeep before up to this many records are taken, and says whether there is memory
    /// for the state that they may begin.
    ///
    /// An operator that is not asked, or is given more records than that, makes do, at the cost of a stall.
    fn prepare(&mut self, records: usize) -> Prepared {
        let _ = records;
        Prepared::Ready
    }

    /// Why the operator cannot go on, once something has happened that it must not pass over.
    fn fault(&self) -> Option<Fault> {
        None
    }

    /// What became of the records so far.
    fn tally(&self) -> Tally {
        Tally::default()
    }
}

/// Whether an operator can take more records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Prepared {
    /// Yes.
    Ready,
    /// Not before it gets the memory it has asked for.
    Waiting,
}

impl Prepared {
    /// Ready if both are.
    pub fn and(self, other: Self) -> Self {
        if self == Self::Ready { other } else { self }
    }
}

/// Why an operator cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A key more than the user allows.
    #[error(
        "more than {most} distinct keys, the limit set with `max_keys`; raise it, or key by something coarser"
    )]
    TooManyKeys {
        /// The limit.
        most: usize,
    },
    /// Windows hold more than the user allows.
    #[error(
        "windows hold {most} accumulators and waiting records, the limit set with `max_held`; raise it, make windows \
         shorter, or have what exceeds it go out late with `Beyond::Late`"
    )]
    TooMuchHeld {
        /// The limit.
        most: usize,
    },
}

/// Where an operator's output goes.
pub trait Emit<T> {
    /// Takes a record. Always succeeds; see [`has_room`](Self::has_room).
    fn emit(&mut self, record: Record<T>);

    /// Takes all records of an iterator, one after the other.
    #[inline(always)]
    fn emit_all(&mut self, records: impl Iterator<Item = Record<T>>)
    where
        Self: Sized,
    {
        records.for_each(|record| self.emit(record));
    }

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
    /// Records made beyond one for each that came in: copies, and what a `flat_map` makes of one.
    pub added: u64,
    /// Records that a function of the user's refused.
    pub rejected: u64,
    /// Records that went into state: added to at least one window, reduced, matched with others, processed.
    pub on_time: u64,
    /// Records that found all their windows closed, or no memory.
    pub late: u64,
    /// Those of them that found no memory.
    pub refused: u64,
    /// (record, window) pairs lost because the window was closed, whether the record was late or not.
    pub missed_windows: u64,
    /// Results made out of state.
    pub results: u64,
    /// Accumulators that windows hold at the moment, and records that wait for something.
    pub held: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.filtered += other.filtered;
        self.added += other.added;
        self.rejected += other.rejected;
        self.on_time += other.on_time;
        self.late += other.late;
        self.refused += other.refused;
        self.missed_windows += other.missed_windows;
        self.results += other.results;
        self.held += other.held;
    }
}
