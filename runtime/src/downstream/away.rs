//! Tasks that are cut in two: what leads from one part to the other, and the way back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nacreous_channels::{idle::Waker, published::Flag};
use nacreous_operators::{Prepared, Stamp, Step};
use nacreous_watermark::Watermark;

use super::{
    AnyBatch, Change, Ends, Extent, Flushed, Front, Halt, Lap, Manner, Stand, Stepwise,
    edge::{Outgoing, edge_of},
};
use crate::{
    bell::Post,
    meter::{Counts, EdgeMeter},
    survey::{EdgeId, Survey},
    task::{EdgeTask, Task},
};

/// What it takes to cut a task in two.
pub struct Knife<'a> {
    /// How many records the batches between the two hold.
    pub(crate) batch: usize,
    /// Of all workers.
    pub(crate) wakers: &'a Arc<[Waker]>,
    /// The worker that has the task.
    pub(crate) from: usize,
    /// The worker that the part which is cut off goes to.
    pub(crate) to: usize,
    pub(crate) edge: EdgeId,
    pub(crate) meter: &'a Arc<EdgeMeter>,
}

/// What leads to a part of the task that was cut off.
pub(super) struct Away {
    /// Gone once that part was asked to come back, and everything has been handed on to it.
    out: Option<Outgoing<Box<dyn AnyBatch>>>,
    recalled: bool,
    /// The other part was given the end of the stream. It is not coming back.
    ended: bool,
    /// The worker to come back to.
    home: usize,
    /// What records are judged by from here on.
    judged_by: Watermark,
    /// When what goes on here was read.
    read_at: Stamp,
    berth: Arc<Berth>,
}

/// Where a part that was cut off is left when it comes back.
struct Berth {
    recalled: Flag,
    returned: Mutex<Option<Box<dyn Stepwise>>>,
}

impl Berth {
    fn returned(&self) -> MutexGuard<'_, Option<Box<dyn Stepwise>>> {
        self.returned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Away {
    /// Makes a task of what is cut off, and what leads to it. `new` makes the batches between the two.
    pub(super) fn cut(
        mut rest: Box<dyn Stepwise>,
        new: fn(usize) -> Box<dyn AnyBatch>,
        knife: &Knife<'_>,
        stand: Stand,
    ) -> (Box<Self>, Box<dyn Task>) {
        let post = |worker| Post::new(knife.wakers, worker);
        let ends = Ends { producer: post(knife.from), consumer: post(knife.to) };
        let (out, unplaced) = edge_of(knife.batch, new, ends, knife.edge, knife.meter);
        let berth = Arc::new(Berth { recalled: Flag::new(), returned: Mutex::new(None) });
        rest.change(&mut Change::MoveTo(knife.to));
        // It is compiled as a loop only together with what it was cut off from.
        rest.change(&mut Change::go_on(Manner::STEPWISE));
        let tail = Tail { rest: Some(rest), berth: Arc::clone(&berth), timed: false };
        let task = Box::new(EdgeTask::tail(unplaced, Box::new(tail), stand));
        let (home, judged_by, read_at) = (knife.from, stand.judging, Stamp::NONE);
        (
            Box::new(Self { out: Some(out), recalled: false, ended: false, home, judged_by, read_at, berth }),
            task,
        )
    }

    /// What was cut off, if it has come back.
    pub(super) fn take_back(&mut self) -> Option<Box<dyn Stepwise>> {
        if self.out.is_some() {
            return None;
        }
        let mut returned = self.berth.returned().take()?;
        returned.change(&mut Change::MoveTo(self.home));
        returned.judge_by(self.judged_by);
        if self.read_at.is_some() {
            returned.stamp(self.read_at);
        }
        Some(returned)
    }
}

impl Stepwise for Away {
    fn stepwise(&mut self, batch: &mut dyn AnyBatch, lap: &mut Lap) {
        self.out.iter_mut().for_each(|out| out.stepwise(batch, lap));
    }

    fn watermark(&mut self, watermark: Watermark) -> Step {
        self.out.as_mut().map_or(Step::Done, |out| out.watermark(watermark))
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.judged_by = watermark;
        self.out.iter_mut().for_each(|out| out.judge_by(watermark));
    }

    fn stamp(&mut self, read_at: Stamp) {
        self.read_at = read_at;
        self.out.iter_mut().for_each(|out| out.stamp(read_at));
    }

    fn has_room(&self) -> bool {
        self.out.as_ref().is_some_and(Outgoing::has_room)
    }

    /// Not by one that has gone: a part that comes back is waited for before this is asked.
    fn is_wanted(&self) -> bool {
        self.out.as_ref().is_some_and(Outgoing::is_wanted)
    }

    /// Once all that there was has been handed on to a part that is to come back, nothing more goes until it has.
    fn flush(&mut self, extent: Extent) -> Result<Flushed, Halt> {
        if let Some(out) = &mut self.out {
            let flushed = out.flush(if self.recalled { extent.max(Extent::All) } else { extent })?;
            if !self.recalled || flushed == Flushed::Blocked {
                return Ok(flushed);
            }
            self.ended = out.has_ended();
            self.berth.recalled.raise();
            // The other part finds the edge closed, and comes back.
            self.out = None;
        }
        // With the other task gone, it has either come back or never will.
        if Arc::strong_count(&self.berth) > 1 || self.berth.returned().is_some() {
            return Ok(Flushed::Blocked);
        }
        if self.ended || extent == Extent::Last { Ok(Flushed::Clear) } else { Err(Halt::Disconnected) }
    }

    fn count(&self, _: &mut Counts) {}

    fn survey(&self, survey: &mut Survey) {
        survey.lacks_a_part();
        self.out.iter().for_each(|out| out.survey(survey));
    }

    fn change(&mut self, change: &mut Change<'_>) {
        match change {
            Change::GoOn { lacks_a_part, .. } => *lacks_a_part = true,
            Change::MoveTo(worker) => {
                self.home = *worker;
                self.out.iter_mut().for_each(|out| out.change(change));
            }
            Change::Recall { asked } => {
                *asked = !self.recalled && self.out.as_ref().is_some_and(|out| !out.has_ended());
                self.recalled |= *asked;
            }
            Change::Cut { .. } => {}
        }
    }
}

/// What was cut off, at the head of a task of its own.
pub(crate) struct Tail {
    /// Gone once it has gone back.
    rest: Option<Box<dyn Stepwise>>,
    berth: Arc<Berth>,
    timed: bool,
}

impl Stepwise for Tail {
    fn stepwise(&mut self, batch: &mut dyn AnyBatch, lap: &mut Lap) {
        self.rest.iter_mut().for_each(|rest| rest.stepwise(batch, lap));
    }

    fn watermark(&mut self, watermark: Watermark) -> Step {
        self.rest.as_mut().map_or(Step::Done, |rest| rest.watermark(watermark))
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.rest.iter_mut().for_each(|rest| rest.judge_by(watermark));
    }

    fn stamp(&mut self, read_at: Stamp) {
        self.rest.iter_mut().for_each(|rest| rest.stamp(read_at));
    }

    fn prepare(&mut self, records: usize) -> Prepared {
        self.rest.as_mut().map_or(Prepared::Ready, |rest| rest.prepare(records))
    }

    fn break_off(&mut self) -> Step {
        self.rest.as_mut().map_or(Step::Done, |rest| rest.break_off())
    }

    fn has_room(&self) -> bool {
        self.rest.as_ref().is_none_or(|rest| rest.has_room())
    }

    fn is_wanted(&self) -> bool {
        self.rest.as_ref().is_none_or(|rest| rest.is_wanted())
    }

    fn flush(&mut self, extent: Extent) -> Result<Flushed, Halt> {
        self.rest.as_mut().map_or(Ok(Flushed::Clear), |rest| rest.flush(extent))
    }

    fn count(&self, counts: &mut Counts) {
        self.rest.iter().for_each(|rest| rest.count(counts));
    }

    fn survey(&self, survey: &mut Survey) {
        self.rest.iter().for_each(|rest| rest.survey(survey));
    }

    fn change(&mut self, change: &mut Change<'_>) {
        if let Change::GoOn { manner, .. } = change {
            manner.stepwise = true;
            self.timed = manner.timed;
        }
        self.rest.iter_mut().for_each(|rest| rest.change(change));
    }
}

impl Front<Box<dyn AnyBatch>> for Tail {
    fn batch(&mut self, batch: &mut Box<dyn AnyBatch>) {
        let mut lap = Lap::begin(self.timed);
        self.rest.iter_mut().for_each(|rest| rest.stepwise(&mut **batch, &mut lap));
        batch.clear();
    }

    fn is_recalled(&self) -> bool {
        self.berth.recalled.is_raised()
    }

    fn go_back(&mut self) -> bool {
        let goes = Survey::of(self).is_whole();
        if goes {
            *self.berth.returned() = self.rest.take();
        } else {
            self.change(&mut Change::Recall { asked: false });
        }
        goes
    }
}
