//! What follows a point in a task: operators fused one into the next, down to an edge or a sink.
//!
//! A task pushes records and watermarks into a [`Downstream`]; the whole nest compiles into one loop. Only
//! its ends hold batches, and only there can it be full: the task asks for room before it takes more input,
//! which is how backpressure travels.

mod edge;
mod sink;

pub(crate) use edge::{EdgeOut, Ends, Route, SLOTS, Slot, edge, edge_bytes};
pub(crate) use sink::SinkEnd;

use nacreous_operators::{Emit, Keyed, Operator, Record, Step, WindowResult, Windowed};
use nacreous_watermark::Watermark;

use crate::{
    job::Failure,
    meter::Counts,
    operator_name::{Blame, OperatorName},
};

/// The rest of a task, from some point on.
pub trait Downstream<T>: Send {
    /// Takes a record. Always succeeds; after [`Flushed::Clear`] there is room for a whole input batch.
    fn record(&mut self, record: Record<T>);

    /// Takes a watermark, as [`Operator::on_watermark`] does: again with the same one until it is done.
    fn watermark(&mut self, watermark: Watermark) -> Step;

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
struct Feed<'a, D>(&'a mut D);

impl<T, D: Downstream<T>> Emit<T> for Feed<'_, D> {
    #[inline(always)]
    fn emit(&mut self, record: Record<T>) {
        self.0.record(record);
    }

    #[inline(always)]
    fn has_room(&self) -> bool {
        self.0.has_room()
    }
}

impl<T, O, D> Downstream<T> for Fused<O, D>
where
    O: Operator<T> + Send,
    D: Downstream<O::Out>,
{
    #[inline(always)]
    fn record(&mut self, record: Record<T>) {
        let blame = Blame::on(&self.name);
        self.operator.on_record(record, &mut Feed(&mut self.down));
        blame.lift();
    }

    fn watermark(&mut self, watermark: Watermark) -> Step {
        let blame = Blame::on(&self.name);
        let step = self.operator.on_watermark(watermark, &mut Feed(&mut self.down));
        blame.lift();
        match step {
            Step::Done => self.down.watermark(watermark),
            Step::More => Step::More,
        }
    }

    fn break_off(&mut self) -> Step {
        let blame = Blame::on(&self.name);
        let step = self.operator.on_break_off(&mut Feed(&mut self.down));
        blame.lift();
        match step {
            Step::Done => self.down.break_off(),
            Step::More => Step::More,
        }
    }

    #[inline(always)]
    fn has_room(&self) -> bool {
        self.down.has_room()
    }

    fn is_wanted(&self) -> bool {
        self.down.is_wanted()
    }

    fn flush(&mut self, extent: Extent) -> Result<Flushed, Halt> {
        self.down.flush(extent)
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
}

/// Sends the results of a window onwards and its late records to the side.
pub(crate) struct LateFork<K, T, D> {
    pub(crate) results: D,
    /// `None` if nobody takes the late records; they are still counted.
    pub(crate) late: Option<EdgeOut<Keyed<K, T>>>,
}

impl<K, T, R, D> Downstream<Windowed<K, T, R>> for LateFork<K, T, D>
where
    K: Send,
    T: Send,
    D: Downstream<WindowResult<K, R>>,
{
    #[inline]
    fn record(&mut self, record: Record<Windowed<K, T, R>>) {
        let time = record.time;
        match (record.value, &mut self.late) {
            (Windowed::Result(value), _) => self.results.record(Record { time, value }),
            (Windowed::Late(value), Some(late)) => late.record(Record { time, value }),
            (Windowed::Late(_), None) => {}
        }
    }

    /// Late records are told of the end alone. They are behind the watermark already, so it promises nothing
    /// about those to come; and windows over them would otherwise depend on how fast each instance is.
    fn watermark(&mut self, watermark: Watermark) -> Step {
        if self.results.watermark(watermark) == Step::More {
            return Step::More;
        }
        match &mut self.late {
            Some(late) if watermark.is_end() => late.watermark(watermark),
            _ => Step::Done,
        }
    }

    fn break_off(&mut self) -> Step {
        self.results.break_off()
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.results.has_room() && self.late.as_ref().is_none_or(EdgeOut::has_room)
    }

    fn is_wanted(&self) -> bool {
        self.results.is_wanted()
    }

    fn flush(&mut self, extent: Extent) -> Result<Flushed, Halt> {
        let late = self.late.as_mut().map_or(Ok(Flushed::Clear), |late| late.flush(extent));
        both(self.results.flush(extent), late)
    }

    fn count(&self, counts: &mut Counts) {
        self.results.count(counts);
    }
}

/// Clear only if both are; either's halt. Both have been flushed by then: what becomes of one must not keep
/// the other from handing on what it has.
fn both(a: Result<Flushed, Halt>, b: Result<Flushed, Halt>) -> Result<Flushed, Halt> {
    Ok(if a? == Flushed::Clear { b? } else { b.map(|_| Flushed::Blocked)? })
}
