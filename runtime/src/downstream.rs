//! What follows a point in a task: operators fused one into the next, down to an edge or a sink.
//!
//! A task pushes records and watermarks into a [`Downstream`]; the whole nest compiles into one loop. Only
//! its ends hold batches, and only there can it be full: the task asks for room before it takes more input,
//! which is how backpressure travels.

mod boxed;
mod call;
mod edge;
mod fork;
mod sink;

pub(crate) use boxed::Boxed;
pub(crate) use call::CallEnd;
pub(crate) use edge::{EdgeOut, Ends, Route, SLOTS, Slot, edge, edge_bytes};
pub(crate) use fork::{Copies, Fork, SideFork};
pub(crate) use sink::SinkEnd;

use nacreous_operators::{Batch, Emit, Operator, Prepared, Record, Step};
use nacreous_watermark::Watermark;

use crate::{
    job::Failure,
    meter::Counts,
    operator_name::{Blame, OperatorName},
    survey::Survey,
};

/// The rest of a task, from some point on.
pub trait Downstream<T>: Send {
    /// Whether watermarks before the end make a difference to anything from here on, in this task or in another.
    const HEEDS_WATERMARKS: bool = true;

    /// Whether there must be room, or memory, for the records that come: not where each is dealt with at once, and
    /// nothing is kept of it.
    const IS_BOUNDED: bool = true;

    /// The operator that comes next, if there is one: whoever calls it has its panics put down to it.
    fn first(&self) -> Option<OperatorName> {
        None
    }

    /// Takes a record. Always succeeds; after [`Flushed::Clear`] there is room for a whole input batch.
    fn record(&mut self, record: Record<T>);

    /// Takes all records of an iterator, at most as many as there is room for.
    #[inline(always)]
    fn records(&mut self, records: impl Iterator<Item = Record<T>>) {
        records.for_each(|record| self.record(record));
    }

    /// Takes a watermark, as [`Operator::on_watermark`] does: again with the same one until it is done.
    fn watermark(&mut self, watermark: Watermark) -> Step;

    /// Says which watermark the records that follow are judged by, as [`Operator::judge_by`] does.
    fn judge_by(&mut self, watermark: Watermark);

    /// Does a bounded amount of upkeep before up to this many records come, and says whether there is memory for
    /// what they may begin, as [`Operator::prepare`] does.
    fn prepare(&mut self, records: usize) -> Prepared {
        let _ = records;
        Prepared::Ready
    }

    /// Takes the news that nothing more comes although there was no end, as [`Operator::on_break_off`] does.
    fn break_off(&mut self) -> Step {
        Step::Done
    }

    /// Whether another record fits without growing anything.
    fn has_room(&self) -> bool;

    /// Whether anybody still takes what comes out at the far end.
    fn is_wanted(&self) -> bool;

    /// Hands on what has gathered at the ends.
    fn flush(&mut self, extent: Extent) -> Result<Flushed, Halt>;

    /// Adds what became of records from here on.
    fn count(&self, counts: &mut Counts);

    /// Adds what there is from here on.
    fn survey(&self, survey: &mut Survey);
}

/// Hands all records of a batch down. A function of its own so that the loop, into which all that follows is compiled, has
/// the registers to itself.
// HOT(hand-down)
#[inline(never)]
pub(crate) fn hand_down<T, D: Downstream<T>>(batch: &mut Batch<T>, down: &mut D) {
    if is_small::<T>() {
        down.records(batch.drain());
    } else {
        batch.drain().for_each(|record| down.record(record));
    }
}

/// What is larger, in bytes, is not moved to a loop and back for each batch: an iterator, or a function with what it has
/// captured.
pub(crate) const MOVED_MAX: usize = 256;

/// Whether a record should go down as one of an iterator's: whether it fits into a few registers.
///
/// A larger one would be copied from each adaptor of the iterator to the next. Whoever reads a part of a copy that has just
/// been made, in pieces other than it was made of, waits until it has come to rest in the cache, and all that waits for
/// memory in front of it: with strings of 24 bytes for keys, that made a record twice as slow.
pub(crate) const fn is_small<T>() -> bool {
    size_of::<Record<T>>() <= 40
}

/// How much to hand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Batches that are full or end in a signal.
    Full,
    /// Everything: the input has run dry.
    All,
    /// Everything, for the last time, to whoever still reads: the task is leaving.
    Last,
}

/// Whether all that was to be handed on has been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Flushed {
    /// Yes, and there is room for the output of another input batch.
    Clear,
    /// No: an edge is full. Take no more input, and try again later.
    Blocked,
}

/// Why a task cannot go on.
#[derive(Debug)]
pub enum Halt {
    /// Whoever read its output is gone.
    Disconnected,
    /// It failed.
    Failed(Failure),
}

/// An operator and what follows it.
pub(crate) struct Fused<O, D> {
    pub(crate) operator: O,
    pub(crate) name: OperatorName,
    /// Whether its input are the records of a source, for which the job keeps accounts.
    pub(crate) accountable: bool,
    pub(crate) down: D,
}

/// Lets an operator emit into what follows.
struct Feed<'a, D> {
    down: &'a mut D,
    /// The operator.
    name: &'a OperatorName,
}

impl<T, D: Downstream<T>> Emit<T> for Feed<'_, D> {
    #[inline(always)]
    fn emit(&mut self, record: Record<T>) {
        self.down.record(record);
    }

    #[inline(always)]
    fn emit_all(&mut self, records: impl Iterator<Item = Record<T>>) {
        let next = self.down.first().unwrap_or(*self.name);
        self.down.records(Blamed { records, name: self.name, next });
    }

    #[inline(always)]
    fn has_room(&self) -> bool {
        self.down.has_room()
    }
}

/// What an operator makes of records, either when somebody further down asks for them, who is not to blame if that
/// panics, or for somebody further down to be called with, whom the operator is not to blame for.
struct Blamed<'a, I> {
    records: I,
    name: &'a OperatorName,
    /// Who is called.
    next: OperatorName,
}

impl<I: Iterator> Iterator for Blamed<'_, I> {
    type Item = I::Item;

    #[inline(always)]
    fn next(&mut self) -> Option<I::Item> {
        let blame = Blame::on(self.name);
        let record = self.records.next();
        blame.lift();
        record
    }

    #[inline(always)]
    fn fold<B, F: FnMut(B, I::Item) -> B>(self, init: B, f: F) -> B {
        let Self { records, name, next } = self;
        let blame = Blame::on(name);
        let all = records.fold(init, blaming(&next, f));
        blame.lift();
        all
    }
}

/// The same function, with its panics put down to an operator. (Made by one that knows nothing of the iterator, as that would
/// come to be part of the name of its type, once more for each operator of a chain.)
#[inline(always)]
fn blaming<B, T>(name: &OperatorName, mut f: impl FnMut(B, T) -> B) -> impl FnMut(B, T) -> B {
    move |before, record| {
        let blame = Blame::on(name);
        let after = f(before, record);
        blame.lift();
        after
    }
}

impl<T, O, D> Downstream<T> for Fused<O, D>
where
    O: Operator<T> + Send,
    D: Downstream<O::Out>,
{
    const HEEDS_WATERMARKS: bool = O::HEEDS_WATERMARKS || D::HEEDS_WATERMARKS;
    // One that does not heed them keeps nothing.
    const IS_BOUNDED: bool = O::HEEDS_WATERMARKS || D::IS_BOUNDED;

    #[inline(always)]
    fn first(&self) -> Option<OperatorName> {
        Some(self.name)
    }

    #[inline(always)]
    fn record(&mut self, record: Record<T>) {
        let blame = Blame::on(&self.name);
        self.operator.on_record(record, &mut Feed { down: &mut self.down, name: &self.name });
        blame.lift();
    }

    #[inline(always)]
    fn records(&mut self, records: impl Iterator<Item = Record<T>>) {
        let blame = Blame::on(&self.name);
        self.operator.on_records(records, &mut Feed { down: &mut self.down, name: &self.name });
        blame.lift();
    }

    fn watermark(&mut self, watermark: Watermark) -> Step {
        let blame = Blame::on(&self.name);
        let step =
            self.operator.on_watermark(watermark, &mut Feed { down: &mut self.down, name: &self.name });
        blame.lift();
        match step {
            Step::Done => self.down.watermark(watermark),
            Step::More => Step::More,
        }
    }

    fn break_off(&mut self) -> Step {
        let blame = Blame::on(&self.name);
        let step = self.operator.on_break_off(&mut Feed { down: &mut self.down, name: &self.name });
        blame.lift();
        match step {
            Step::Done => self.down.break_off(),
            Step::More => Step::More,
        }
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.operator.judge_by(watermark);
        self.down.judge_by(watermark);
    }

    #[inline]
    fn prepare(&mut self, records: usize) -> Prepared {
        match self.operator.prepare(records) {
            Prepared::Ready => self.down.prepare(records),
            Prepared::Waiting => Prepared::Waiting,
        }
    }

    #[inline(always)]
    fn has_room(&self) -> bool {
        self.down.has_room()
    }

    fn is_wanted(&self) -> bool {
        self.down.is_wanted()
    }

    #[inline]
    fn flush(&mut self, extent: Extent) -> Result<Flushed, Halt> {
        match self.operator.fault() {
            Some(fault) if extent != Extent::Last => {
                Err(Halt::Failed(Failure::Operator { operator: self.name, fault }))
            }
            _ => self.down.flush(extent),
        }
    }

    fn count(&self, counts: &mut Counts) {
        let tally = self.operator.tally();
        if self.accountable {
            counts.tally += tally;
        } else {
            counts.tally.results += tally.results;
        }
        self.down.count(counts);
    }

    fn survey(&self, survey: &mut Survey) {
        survey.operator(self.name);
        self.down.survey(survey);
    }
}

/// Clear only if both are; either's halt. Both have been flushed by then: what becomes of one must not keep
/// the other from handing on what it has.
fn both(a: Result<Flushed, Halt>, b: Result<Flushed, Halt>) -> Result<Flushed, Halt> {
    Ok(if a? == Flushed::Clear { b? } else { b.map(|_| Flushed::Blocked)? })
}
