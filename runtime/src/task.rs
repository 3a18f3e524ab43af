//! Tasks: what a worker runs in turn. Each takes a bounded amount of input a step and never waits.

mod edge;
mod source;

pub(crate) use edge::EdgeTask;
pub(crate) use source::{SourceParts, SourceTask};

use std::collections::VecDeque;

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

    /// Takes no more input, but hands on what is complete, as far as that goes now. To be called again until
    /// it is [`Progress::Finished`]; the task is dropped then.
    fn leave(&mut self) -> Result<Progress, Halt>;

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
    /// Watermarks that what follows has not fully dealt with yet, oldest first. Never more than a few: one
    /// that a record brought about, one that was due, and the end.
    owed: VecDeque<Watermark>,
    /// Set when no more input will be taken: what is left is to hand on everything, and that is it.
    ending: Option<Ending>,
}

/// How a task ends that ends in good order.
#[derive(Debug)]
enum Ending {
    /// The end of the input has come, and gone on.
    Complete,
    /// The input broke off: this task, or one before it, has failed. Its failure, if it was this one.
    BrokenOff(Option<Failure>),
}

/// What a task does after it has settled what it owes.
enum Next {
    /// It takes more input: there is room for what comes of it.
    TakeInput,
    /// It returns from its step with this.
    Return(Progress),
}

impl<D> Outlet<D> {
    fn new(down: D) -> Self {
        Self { down, owed: VecDeque::with_capacity(4), ending: None }
    }

    /// Makes room and pays what is owed, as far as that goes; to be called before taking input.
    fn settle<T>(&mut self) -> Result<Next, Halt>
    where
        D: Downstream<T>,
    {
        if self.down.flush(Extent::Full)? == Flushed::Blocked {
            return Ok(Next::Return(Progress::None));
        }
        if let Some(watermark) = self.owed.front().copied() {
            if self.down.watermark(watermark) == Step::Done {
                self.owed.pop_front();
                if watermark.is_end() {
                    self.ending = Some(Ending::Complete);
                }
            }
            return Ok(Next::Return(Progress::Made));
        }
        match &self.ending {
            None => return Ok(Next::TakeInput),
            Some(Ending::BrokenOff(_)) if self.down.break_off() == Step::More => {
                return Ok(Next::Return(Progress::Made));
            }
            Some(_) => {}
        }
        if self.down.flush(Extent::All)? == Flushed::Blocked {
            return Ok(Next::Return(Progress::None));
        }
        match self.ending.take() {
            Some(Ending::BrokenOff(Some(failure))) => Err(Halt::Failed(failure)),
            _ => Ok(Next::Return(Progress::Finished)),
        }
    }

    fn leave<T>(&mut self) -> Result<Progress, Halt>
    where
        D: Downstream<T>,
    {
        Ok(match self.down.flush(Extent::Last)? {
            Flushed::Clear => Progress::Finished,
            Flushed::Blocked => Progress::None,
        })
    }
}
