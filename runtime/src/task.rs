//! Tasks: what a worker runs in turn. Each takes a bounded amount of input a step and never waits.

mod edge;
mod source;

pub(crate) use edge::EdgeTask;
pub(crate) use source::{SourceParts, SourceTask};

use nacreous_operators::Step;
use nacreous_watermark::Watermark;

use crate::{
    downstream::{Downstream, Extent, Flushed, Halt},
    job::Failure,
    meter::Counts,
};

/// One parallel instance of a chain, with its input and its outputs.
pub(crate) trait Task: Send {
    /// Does a bounded amount of work.
    fn step(&mut self) -> Result<Progress, Halt>;

    /// Hands on, as far as possible at once, what is complete; the task is dropped afterwards.
    fn abandon(&mut self);

    /// What became of the records that came through here.
    fn counts(&self) -> Counts;
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Something was done; there may be more to do.
    Made,
    /// Nothing could be done: no input, or no room for output.
    None,
    /// The task has done all it ever will.
    Finished,
}

/// The downstream of a task together with what it still owes it.
struct Outlet<D> {
    down: D,
    /// A watermark that what follows has not fully dealt with yet.
    owed: Option<Watermark>,
    /// Set when no more input will be taken: what is left is to hand on everything, then to end so.
    ending: Option<Result<(), Failure>>,
}

/// What a task may do next.
enum Next {
    /// Take more input: there is room for what comes of it.
    TakeInput,
    /// Not now.
    Wait(Progress),
}

impl<D> Outlet<D> {
    fn new(down: D) -> Self {
        Self { down, owed: None, ending: None }
    }

    /// Makes room and pays what is owed, as far as that goes; to be called before taking input.
    fn settle<T>(&mut self) -> Result<Next, Halt>
    where
        D: Downstream<T>,
    {
        if self.down.flush(Extent::Full)? == Flushed::Blocked {
            return Ok(Next::Wait(Progress::None));
        }
        if let Some(watermark) = self.owed {
            if self.down.watermark(watermark) == Step::More {
                return Ok(Next::Wait(Progress::Made));
            }
            self.owed = None;
            if watermark.is_end() {
                self.ending = Some(Ok(()));
            }
            return Ok(Next::Wait(Progress::Made));
        }
        if self.ending.is_none() {
            return Ok(Next::TakeInput);
        }
        if self.down.flush(Extent::All)? == Flushed::Blocked {
            return Ok(Next::Wait(Progress::None));
        }
        match self.ending.take() {
            Some(Err(failure)) => Err(Halt::Failed(failure)),
            _ => Ok(Next::Wait(Progress::Finished)),
        }
    }
}
