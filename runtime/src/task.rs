//! Tasks: what a worker runs in turn. Each takes a bounded amount of input a step and never waits.

mod edge;
mod source;

pub(crate) use edge::EdgeTask;
pub(crate) use source::{Arrival, Clock, SourceParts, SourceTask};

use std::collections::VecDeque;

use nacreous_operators::Step;
use nacreous_watermark::Watermark;

use crate::{
    downstream::{Downstream, Extent, Flushed, Halt},
    meter::{Counts, Standing},
    survey::Survey,
};

/// One parallel instance of a chain, with its input and its outputs.
pub(crate) trait Task: Send {
    /// Makes what is to lie near the thread that the task runs on. Called once, on that thread, before all else.
    fn place(&mut self) {}

    /// Does a bounded amount of work.
    fn step(&mut self) -> Result<Progress, Halt>;

    /// Takes no more input, but finishes and hands on what is complete, as far as that goes now. To be called
    /// again until it is [`Progress::Finished`]; the task is dropped then. Its operators are left alone unless
    /// they are `sound`: one that has panicked may be in any state.
    fn leave(&mut self, sound: bool) -> Result<Progress, Halt>;

    /// What became of the records that came through here.
    fn counts(&self) -> Counts;

    /// How far event time has come here.
    fn standing(&self) -> Standing;

    /// Says what the task is made of.
    fn survey(&self, survey: &mut Survey);
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Something was done; there may be more to do.
    Made,
    /// Nothing could be done for want of input. Whoever changes that wakes this worker.
    None,
    /// Nothing could be done for want of room for output, or of memory. Whoever changes that wakes this worker.
    Blocked,
    /// Nothing could be done, and nobody says when that changes: look again soon.
    Unprompted,
    /// The task has done all it ever will.
    Finished,
}

/// The downstream of a task together with what it still owes it.
struct Outlet<D> {
    down: D,
    /// Watermarks that what follows has not fully dealt with yet, oldest first. Never more than a few: one
    /// that a record brought about, one that was due, and the end.
    owed: VecDeque<Watermark>,
    /// The last watermark that what follows has dealt with: what is made out of state is judged by it.
    passed: Watermark,
    /// What the records that what follows is being given are judged by.
    judging: Watermark,
    /// Set when no more input will be taken: what is left is to hand on everything, and that is it.
    ending: Option<Ending>,
    /// Steps since everything was last handed on.
    steps: u32,
}

/// How a task ends that ends in good order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The end of the input has come, and gone on.
    Complete,
    /// The input broke off: something before this task has failed.
    BrokenOff,
}

/// How many steps a task takes at the most before it hands on also what does not fill a batch: input that never
/// runs dry must not hold anything back for ever.
const STEPS_MAX: u32 = 64;

/// What a task does after it has settled what it owes.
enum Next {
    /// It takes more input: there is room for what comes of it.
    TakeInput,
    /// It returns from its step with this.
    Return(Progress),
}

impl<D> Outlet<D> {
    fn new(down: D) -> Self {
        let owed = VecDeque::with_capacity(4);
        Self { down, owed, passed: Watermark::MIN, judging: Watermark::MIN, ending: None, steps: 0 }
    }

    /// Says which watermark the records that follow are judged by.
    #[inline]
    fn judge_by<T>(&mut self, watermark: Watermark)
    where
        D: Downstream<T>,
    {
        if watermark != self.judging {
            self.judging = watermark;
            self.down.judge_by(watermark);
        }
    }

    /// How much to hand on in the step that begins now.
    fn extent(&mut self) -> Extent {
        self.steps += 1;
        if self.steps < STEPS_MAX && self.ending.is_none() {
            return Extent::Full;
        }
        self.steps = 0;
        Extent::All
    }

    /// Makes room and pays what is owed, as far as that goes; to be called before taking input.
    fn settle<T>(&mut self, extent: Extent) -> Result<Next, Halt>
    where
        D: Downstream<T>,
    {
        if self.down.flush(extent)? == Flushed::Blocked {
            return Ok(Next::Return(Progress::Blocked));
        }
        if self.pay_one() {
            return Ok(Next::Return(Progress::Made));
        }
        match self.ending {
            None => return Ok(Next::TakeInput),
            Some(Ending::BrokenOff) if self.down.break_off() == Step::More => {
                return Ok(Next::Return(Progress::Made));
            }
            Some(_) => {}
        }
        Ok(Next::Return(match self.down.flush(Extent::All)? {
            Flushed::Clear => Progress::Finished,
            Flushed::Blocked => Progress::Blocked,
        }))
    }

    fn leave<T>(&mut self, sound: bool) -> Result<Progress, Halt>
    where
        D: Downstream<T>,
    {
        if self.down.flush(Extent::Last)? == Flushed::Blocked {
            return Ok(Progress::Blocked);
        }
        if sound && self.down.is_wanted() {
            if self.pay_one() {
                return Ok(Progress::Made);
            }
            if self.ending != Some(Ending::Complete) && self.down.break_off() == Step::More {
                return Ok(Progress::Made);
            }
        }
        Ok(match self.down.flush(Extent::Last)? {
            Flushed::Clear => Progress::Finished,
            Flushed::Blocked => Progress::Blocked,
        })
    }

    /// Has what follows deal with the oldest watermark owed, as far as there is room; false if none is owed.
    fn pay_one<T>(&mut self) -> bool
    where
        D: Downstream<T>,
    {
        let Some(watermark) = self.owed.front().copied() else { return false };
        self.judge_by(self.passed);
        if self.down.watermark(watermark) == Step::Done {
            self.owed.pop_front();
            self.passed = watermark;
            if watermark.is_end() {
                self.ending = Some(Ending::Complete);
            }
        }
        true
    }
}
