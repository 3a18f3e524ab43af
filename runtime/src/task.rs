//! Tasks: what a worker runs in turn. Each takes a bounded amount of input a step and never waits.

mod edge;
mod source;

pub(crate) use edge::EdgeTask;
pub(crate) use source::{Arrival, Clock, SourceParts, SourceTask};

use std::collections::VecDeque;

use nacreous_operators::Step;
use nacreous_watermark::Watermark;

use crate::{
    downstream::{Change, Extent, Flushed, Halt, Stand, Stepwise},
    meter::{Counts, Standing},
    survey::Survey,
};

/// One parallel instance of a chain, with its input and its outputs.
pub trait Task: Send {
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

    /// Changes it, between two steps.
    fn change(&mut self, change: &mut Change<'_>);

    /// Whether it can be cut in two now: not while it is owed anything, as both parts would be.
    fn can_be_cut(&self) -> bool;
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
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

/// What a task still owes to what follows in it.
struct Outlet {
    /// Watermarks that what follows has not fully dealt with yet, oldest first. Never more than a few: one
    /// that a record brought about, one that was due, and the end.
    owed: VecDeque<Watermark>,
    /// What is made out of state is judged by the last watermark that was dealt with.
    stand: Stand,
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
    /// It was cut off another task, and goes back to that.
    GoingBack,
}

/// How many steps a task takes at the most before it hands on also what does not fill a batch, to whoever waits for it: input that
/// never runs dry must not hold anything back for ever.
const STEPS_MAX: u32 = 64;

/// What a task does after it has settled what it owes.
enum Next {
    /// It takes more input: there is room for what comes of it.
    TakeInput,
    /// It returns from its step with this.
    Return(Progress),
}

impl Outlet {
    fn new() -> Self {
        let owed = VecDeque::with_capacity(4);
        Self { owed, stand: Stand::BEGIN, ending: None, steps: 0 }
    }

    /// Says which watermark the records that follow are judged by.
    #[inline]
    fn judge_by(&mut self, down: &mut dyn Stepwise, watermark: Watermark) {
        if watermark != self.stand.judging {
            self.stand.judging = watermark;
            down.judge_by(watermark);
        }
    }

    /// Changes what follows.
    fn change(&self, down: &mut dyn Stepwise, change: &mut Change<'_>) {
        if let Change::Cut { stand, .. } = change {
            *stand = self.stand;
        }
        down.change(change);
        if let Change::Cut { task: Some(_), .. } = change {
            // The edge to what was cut off does not know.
            down.judge_by(self.stand.judging);
        }
    }

    /// Whether what follows has been given all it is owed, and there is more to come.
    fn is_even(&self) -> bool {
        self.ending.is_none() && self.owed.is_empty()
    }

    /// How much to hand on in the step that begins now.
    fn extent(&mut self) -> Extent {
        self.steps += 1;
        if self.steps < STEPS_MAX && self.ending.is_none() {
            return Extent::Full;
        }
        self.steps = 0;
        if self.ending.is_none() { Extent::Dry } else { Extent::All }
    }

    /// Makes room and pays what is owed, as far as that goes; to be called before taking input.
    fn settle(&mut self, down: &mut dyn Stepwise, extent: Extent) -> Result<Next, Halt> {
        if down.flush(extent)? == Flushed::Blocked {
            // Nothing comes to what has gathered for others until this is over.
            let _ = down.flush(Extent::Dry)?;
            return Ok(Next::Return(Progress::Blocked));
        }
        if self.pay_one(down) {
            return Ok(Next::Return(Progress::Made));
        }
        match self.ending {
            None | Some(Ending::GoingBack) => return Ok(Next::TakeInput),
            Some(Ending::BrokenOff) if down.break_off() == Step::More => {
                return Ok(Next::Return(Progress::Made));
            }
            Some(_) => {}
        }
        Ok(Next::Return(match down.flush(Extent::All)? {
            Flushed::Clear => Progress::Finished,
            Flushed::Blocked => Progress::Blocked,
        }))
    }

    fn leave(&mut self, down: &mut dyn Stepwise, sound: bool) -> Result<Progress, Halt> {
        if down.flush(Extent::Last)? == Flushed::Blocked {
            return Ok(Progress::Blocked);
        }
        if sound && down.is_wanted() {
            if self.pay_one(down) {
                return Ok(Progress::Made);
            }
            if self.ending != Some(Ending::Complete) && down.break_off() == Step::More {
                return Ok(Progress::Made);
            }
        }
        Ok(match down.flush(Extent::Last)? {
            Flushed::Clear => Progress::Finished,
            Flushed::Blocked => Progress::Blocked,
        })
    }

    /// Has what follows deal with the oldest watermark owed, as far as there is room; false if none is owed.
    fn pay_one(&mut self, down: &mut dyn Stepwise) -> bool {
        let Some(watermark) = self.owed.front().copied() else { return false };
        self.judge_by(down, self.stand.passed);
        if down.watermark(watermark) == Step::Done {
            self.owed.pop_front();
            self.stand.passed = watermark;
            if watermark.is_end() {
                self.ending = Some(Ending::Complete);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
