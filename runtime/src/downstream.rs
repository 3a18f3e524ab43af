//! What follows a point in a task: operators fused one into the next, down to an edge or a sink.
//!
//! A task pushes records and watermarks into a [`Downstream`]; the whole nest compiles into one loop. Only
//! its ends hold batches, and only there can it be full: the task asks for room before it takes more input,
//! which is how backpressure travels.

mod any_batch;
mod away;
mod boxed;
mod call;
mod edge;
mod fork;
mod fused;
mod joint;
mod sink;

use std::{any::Any, time::Instant};

pub(crate) use any_batch::AnyBatch;
pub(crate) use away::{Knife, Tail};
pub(crate) use boxed::Boxed;
pub(crate) use call::CallEnd;
pub(crate) use edge::{EdgeOut, Ends, Route, SLOTS, edge, edge_bytes};
pub(crate) use fork::{Copies, Deal, Fork, SideFork};
pub(crate) use fused::{Fused, OperatorPlace};
pub(crate) use joint::{Front, Joint, Loop};
pub(crate) use sink::SinkEnd;

use nacreous_operators::{Batch, Prepared, Record, Stamp, Step};
use nacreous_watermark::Watermark;

use crate::{
    job::Failure,
    meter::{CostMeter, Counts},
    operator_name::OperatorName,
    survey::Survey,
    task::Task,
};

/// The rest of a task from some point on, without the type of what it is made of. Records come to it in batches, and one
/// operator deals with all of a batch before the next one does.
pub trait Stepwise: Any + Send {
    /// Takes all records of a batch, and leaves it empty: the first operator here deals with them, and hands what comes of it
    /// on as a batch.
    fn stepwise(&mut self, batch: &mut dyn AnyBatch, lap: &mut Lap);

    /// Takes a watermark, as [`Operator::on_watermark`] does: again with the same one until it is done.
    fn watermark(&mut self, watermark: Watermark) -> Step;

    /// Says which watermark the records that follow are judged by, as [`Operator::judge_by`] does.
    fn judge_by(&mut self, watermark: Watermark);

    /// Says when the oldest of what follows was read. Not called where nobody wants to know.
    fn stamp(&mut self, read_at: Stamp);

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

    /// Changes what there is from here on. This is between two steps of the task, with nothing under way between operators.
    fn change(&mut self, change: &mut Change<'_>);
}

/// A change of a task, while the job runs.
pub enum Change<'a> {
    /// Operators work in another manner. A task that lacks a part of it cannot be fused, and says so.
    GoOn {
        /// The manner.
        manner: Manner,
        /// Whether a part of it is in another task.
        lacks_a_part: bool,
    },
    /// It moves to this worker: whoever calls it is to call it there.
    MoveTo(usize),
    /// What is behind the joint of this number, counted from the first here, becomes a task of its own.
    Cut {
        /// How many joints are passed over.
        at: usize,
        /// What is needed for that.
        knife: &'a Knife<'a>,
        /// How far the task has come.
        stand: Stand,
        /// What became of it. `None` if there is no such joint, or what is behind it is elsewhere already.
        task: Option<Box<dyn Task>>,
    },
    /// What was cut off is to be brought back. Nothing goes in until it is there.
    Recall {
        /// Whether there is something that will come.
        asked: bool,
    },
}

/// How far a task has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stand {
    /// The last watermark that what follows in it has dealt with.
    pub(crate) passed: Watermark,
    /// What the records that it is being given are judged by.
    pub(crate) judging: Watermark,
}

impl Stand {
    /// Nowhere.
    pub(crate) const BEGIN: Self = Self { passed: Watermark::MIN, judging: Watermark::MIN };
}

impl Change<'_> {
    /// To another manner.
    pub(crate) fn go_on(manner: Manner) -> Self {
        Self::GoOn { manner, lacks_a_part: false }
    }
}

/// The rest of a task, from some point on.
pub trait Downstream<T>: Stepwise {
    /// Whether watermarks before the end make a difference to anything from here on, in this task or in another.
    const HEEDS_WATERMARKS: bool = true;

    /// Whether there must be room, or memory, for the records that come: not where each is dealt with at once, and
    /// nothing is kept of it.
    const IS_BOUNDED: bool = true;

    /// Whether all records of a batch are wanted at once, however large they are.
    const WANTS_BATCHES: bool = false;

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
}

/// How the operators of a task work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// Each by itself, a batch at a time; else all together, in one loop.
    pub(crate) stepwise: bool,
    /// Stepwise, with a look at the clock before each.
    pub(crate) timed: bool,
}

impl Manner {
    /// In one loop.
    pub(crate) const FUSED: Self = Self { stepwise: false, timed: false };
    /// Each by itself.
    pub(crate) const STEPWISE: Self = Self { stepwise: true, timed: false };
    /// Each by itself, to find out what each takes.
    pub(crate) const TIMED: Self = Self { stepwise: true, timed: true };
}

/// A clock that is read whenever another operator takes over, so that each is charged with what it took; or none.
pub struct Lap(Option<Instant>);

impl Lap {
    /// One that starts now, if it is to run at all.
    pub(crate) fn begin(timed: bool) -> Self {
        Self(timed.then(Instant::now))
    }

    /// What has passed since the last charge is what these records took.
    #[inline]
    pub(crate) fn charge(&mut self, cost: &CostMeter, records: usize) {
        if let Some(since) = &mut self.0 {
            let now = Instant::now();
            cost.add(now - *since, records);
            *since = now;
        }
    }
}

/// Hands all records of a batch down. A function of its own so that the loop, into which all that follows is compiled, has
/// the registers to itself.
// HOT(hand-down)
#[inline(never)]
pub(crate) fn hand_down<T, D: Downstream<T>>(batch: &mut Batch<T>, down: &mut D) {
    if const { is_small::<T>() || D::WANTS_BATCHES } {
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// Batches that are full or end in a signal.
    Full,
    /// What somebody waits for: the input has run dry. Whoever is far behind does not, and gets full batches.
    Dry,
    /// Everything: there may be no other occasion, or not for long.
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

/// Clear only if both are; either's halt. Both have been flushed by then: what becomes of one must not keep
/// the other from handing on what it has.
fn both(a: Result<Flushed, Halt>, b: Result<Flushed, Halt>) -> Result<Flushed, Halt> {
    Ok(if a? == Flushed::Clear { b? } else { b.map(|_| Flushed::Blocked)? })
}
