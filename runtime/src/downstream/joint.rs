//! Where one operator of a task ends and the next begins: fused there, or with a batch in between.

use std::{any::Any, mem, sync::Arc};

use nacreous_channels::fill;
use nacreous_operators::{Batch, Emit, Prepared, Record, Stamp, Step};
use nacreous_watermark::Watermark;

use super::{
    AnyBatch, Change, Downstream, Extent, Flushed, Halt, Knife, Lap, Manner, Stand, Stepwise, away::Away,
    fused::Blamed, hand_down,
};
use crate::{
    meter::{CostMeter, Counts},
    operator_name::OperatorName,
    survey::Survey,
    task::Task,
};

/// What follows an operator, or comes first in a task.
///
/// Fused, what follows is called with records as they come. Stepwise, they gather here first. What follows has a place of its
/// own in memory, so that it can be moved to another task.
pub(crate) struct Joint<T, D> {
    next: Next<D>,
    /// Empty between two steps of the task, but for what a source has brought to the head of its loop.
    gathered: Batch<T>,
    stepwise: bool,
}

/// Where what follows is.
enum Next<D> {
    /// In this task.
    Here(Box<D>),
    /// In a task of its own, at the other end of an edge.
    Away(Box<Away>),
    /// On its way from the one to the other.
    Between,
}

impl<T: Send + 'static, D: Stepwise + 'static> Joint<T, D> {
    /// A joint for batches of so many records.
    pub(crate) fn new(batch: usize, next: D) -> Self {
        Self { next: Next::Here(Box::new(next)), gathered: Batch::new(batch), stepwise: false }
    }

    /// Whether records gather here.
    #[inline]
    pub(super) fn is_stepwise(&self) -> bool {
        self.stepwise
    }

    /// Where an operator puts its output that is to gather here.
    #[inline]
    pub(super) fn gather<'a>(
        &'a mut self,
        name: &'a OperatorName,
        cost: &'a CostMeter,
        lap: &'a mut Lap,
    ) -> Gather<'a, T, D> {
        Gather { joint: self, name, cost, lap }
    }

    /// Takes what comes one at a time; calls `before` before it hands on a batch of that.
    #[inline]
    pub(super) fn push(&mut self, record: Record<T>, before: impl FnOnce(&mut Lap), lap: &mut Lap) {
        self.gathered.push(record);
        if self.gathered.is_full() {
            before(lap);
            self.hand_on(lap);
        }
    }

    /// Takes what comes, a batch at a time; calls `before` each time before it hands one on.
    #[inline(always)]
    fn fill(
        &mut self,
        mut records: impl Iterator<Item = Record<T>>,
        mut before: impl FnMut(&mut Lap),
        lap: &mut Lap,
    ) {
        let full_at = self.gathered.full_at();
        while !fill(self.gathered.records_mut(), full_at, &mut records) {
            before(lap);
            self.hand_on(lap);
        }
    }

    /// Hands on what has gathered.
    #[inline(never)]
    pub(super) fn hand_on(&mut self, lap: &mut Lap) {
        if self.gathered.has_records() {
            self.next.pass(&mut self.gathered, lap);
        }
    }

    // What is called once a step is compiled into what calls it; the rest is not.

    #[inline]
    pub(super) fn watermark(&mut self, watermark: Watermark) -> Step {
        match &mut self.next {
            Next::Here(next) => next.watermark(watermark),
            _ => self.rest_mut().watermark(watermark),
        }
    }

    #[inline]
    pub(super) fn judge_by(&mut self, watermark: Watermark) {
        match &mut self.next {
            Next::Here(next) => next.judge_by(watermark),
            _ => self.rest_mut().judge_by(watermark),
        }
    }

    #[inline]
    pub(super) fn stamp(&mut self, read_at: Stamp) {
        match &mut self.next {
            Next::Here(next) => next.stamp(read_at),
            _ => self.rest_mut().stamp(read_at),
        }
    }

    #[inline]
    pub(super) fn prepare(&mut self, records: usize) -> Prepared {
        match &mut self.next {
            Next::Here(next) => next.prepare(records),
            _ => Prepared::Ready,
        }
    }

    #[inline(always)]
    pub(super) fn has_room(&self) -> bool {
        match &self.next {
            Next::Here(next) => next.has_room(),
            _ => self.rest().has_room(),
        }
    }

    #[inline]
    pub(super) fn flush(&mut self, extent: Extent) -> Result<Flushed, Halt> {
        match &mut self.next {
            Next::Here(next) => next.flush(extent),
            _ => self.flush_away(extent),
        }
    }

    #[cold]
    fn flush_away(&mut self, extent: Extent) -> Result<Flushed, Halt> {
        if let Next::Away(away) = &mut self.next
            && let Some(returned) = away.take_back()
        {
            let returned: Box<dyn Any> = returned;
            self.next = Next::Here(returned.downcast().expect("what comes back is what was cut off here"));
        }
        self.rest_mut().flush(extent)
    }

    #[inline]
    pub(super) fn count(&self, counts: &mut Counts) {
        if let Next::Here(next) = &self.next {
            next.count(counts);
        }
    }

    /// What follows, to be called without being compiled into what calls it.
    fn rest(&self) -> &dyn Stepwise {
        match &self.next {
            Next::Here(next) => &**next,
            Next::Away(away) => &**away,
            Next::Between => nothing_there(),
        }
    }

    fn rest_mut(&mut self) -> &mut dyn Stepwise {
        match &mut self.next {
            Next::Here(next) => &mut **next,
            Next::Away(away) => &mut **away,
            Next::Between => nothing_there(),
        }
    }

    pub(super) fn break_off(&mut self) -> Step {
        self.rest_mut().break_off()
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.rest().is_wanted()
    }

    pub(super) fn survey(&self, survey: &mut Survey) {
        survey.joint();
        if self.stepwise {
            survey.next_loop();
        }
        self.rest().survey(survey);
    }

    pub(super) fn change(&mut self, change: &mut Change<'_>) {
        match change {
            Change::GoOn { manner, .. } => self.stepwise = manner.stepwise,
            Change::Cut { at: 0, knife, stand, task } => return *task = self.cut(knife, *stand),
            Change::Cut { at, .. } => *at -= 1,
            Change::MoveTo(_) | Change::Recall { .. } => {}
        }
        self.rest_mut().change(change);
    }

    /// Makes a task of its own of what follows.
    fn cut(&mut self, knife: &Knife<'_>, stand: Stand) -> Option<Box<dyn Task>> {
        match mem::replace(&mut self.next, Next::Between) {
            Next::Here(next) => {
                let (away, task) = Away::cut(next, |batch| Box::new(Batch::<T>::new(batch)), knife, stand);
                self.next = Next::Away(away);
                Some(task)
            }
            other => {
                self.next = other;
                None
            }
        }
    }
}

impl<D: Stepwise> Next<D> {
    /// Hands a batch on.
    fn pass(&mut self, batch: &mut dyn AnyBatch, lap: &mut Lap) {
        match self {
            Self::Here(next) => next.stepwise(batch, lap),
            Self::Away(away) => away.stepwise(batch, lap),
            Self::Between => nothing_there(),
        }
    }
}

impl<T: Send + 'static, D: Downstream<T> + 'static> Joint<T, D> {
    /// What follows, in a loop that is run as one: all of it is here.
    #[inline(always)]
    pub(super) fn fused(&mut self) -> &mut D {
        match &mut self.next {
            Next::Here(next) => next,
            _ => not_whole(),
        }
    }
}

#[cold]
#[inline(never)]
fn nothing_there() -> ! {
    unreachable!("what follows is never between two tasks for longer than it takes to cut it off")
}

#[cold]
#[inline(never)]
fn not_whole() -> ! {
    unreachable!("a loop that is not whole is run stepwise")
}

/// Lets an operator emit into the batch behind it.
pub(super) struct Gather<'a, T, D> {
    joint: &'a mut Joint<T, D>,
    /// The operator.
    name: &'a OperatorName,
    /// What it takes.
    cost: &'a CostMeter,
    lap: &'a mut Lap,
}

impl<T: Send + 'static, D: Stepwise + 'static> Emit<T> for Gather<'_, T, D> {
    #[inline]
    fn emit(&mut self, record: Record<T>) {
        self.joint.push(record, |lap| lap.charge(self.cost, 0), self.lap);
    }

    #[inline(always)]
    fn emit_all(&mut self, records: impl Iterator<Item = Record<T>>) {
        let records = Blamed { records, name: self.name, next: *self.name };
        self.joint.fill(records, |lap| lap.charge(self.cost, 0), self.lap);
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.joint.has_room()
    }
}

/// What is compiled into one loop: operators of a task, from the first one or from one that was [boxed](crate::Stream::boxed)
/// on. Its head knows whether they are run as one, or each by itself.
pub(crate) struct Loop<T, D> {
    head: Joint<T, D>,
    timed: bool,
    /// Runs while records are brought, if they are timed.
    lap: Lap,
    /// What it takes to bring a record here.
    before: Arc<CostMeter>,
}

/// The front of a loop, without the type of what is in it.
pub(crate) trait Front<B>: Stepwise {
    /// Takes all records of a batch, and leaves it empty.
    fn batch(&mut self, batch: &mut B);

    /// Whether it was cut off another task, and is asked for by that.
    fn is_recalled(&self) -> bool {
        false
    }

    /// Goes back to where it was cut off. False if something is yet to come back here before that.
    fn go_back(&mut self) -> bool {
        true
    }
}

impl<T: Send + 'static, D: Downstream<T> + 'static> Loop<T, D> {
    /// A loop of what follows, for batches of so many records.
    pub(crate) fn new(batch: usize, next: D) -> Self {
        let before = Arc::new(CostMeter::new());
        Self { head: Joint::new(batch, next), timed: false, lap: Lap::begin(false), before }
    }

    /// What is in the loop, if all of it runs as one. Else the loop itself takes records, and gathers them.
    #[inline(always)]
    pub(crate) fn fused(&mut self) -> Option<&mut D> {
        if self.head.stepwise { None } else { Some(self.head.fused()) }
    }

    /// Whether all of it runs as one, without anything being gathered on the way.
    pub(crate) fn is_fused(&self) -> bool {
        !self.head.stepwise
    }

    /// From now on it takes time to bring records here.
    pub(crate) fn begin_lap(&mut self) {
        self.lap = Lap::begin(self.timed);
    }

    /// What it takes to bring a record here.
    pub(crate) fn before(&self) -> &Arc<CostMeter> {
        &self.before
    }
}

impl<T: Send + 'static, D: Downstream<T> + 'static> Front<Batch<T>> for Loop<T, D> {
    fn batch(&mut self, batch: &mut Batch<T>) {
        if self.head.stepwise {
            self.head.next.pass(batch, &mut Lap::begin(self.timed));
        } else {
            hand_down(batch, self.head.fused());
        }
    }
}

impl<T: Send + 'static, D: Downstream<T> + 'static> Stepwise for Loop<T, D> {
    fn stepwise(&mut self, batch: &mut dyn AnyBatch, lap: &mut Lap) {
        self.head.next.pass(batch, lap);
    }

    fn watermark(&mut self, watermark: Watermark) -> Step {
        self.head.hand_on(&mut Lap::begin(self.timed));
        self.head.watermark(watermark)
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.head.hand_on(&mut Lap::begin(self.timed));
        self.head.judge_by(watermark);
    }

    fn stamp(&mut self, read_at: Stamp) {
        self.head.hand_on(&mut Lap::begin(self.timed));
        self.head.stamp(read_at);
    }

    #[inline]
    fn prepare(&mut self, records: usize) -> Prepared {
        self.head.prepare(records)
    }

    fn break_off(&mut self) -> Step {
        self.head.hand_on(&mut Lap::begin(self.timed));
        self.head.break_off()
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.head.has_room()
    }

    fn is_wanted(&self) -> bool {
        self.head.is_wanted()
    }

    #[inline]
    fn flush(&mut self, extent: Extent) -> Result<Flushed, Halt> {
        self.head.hand_on(&mut Lap::begin(self.timed));
        self.head.flush(extent)
    }

    fn count(&self, counts: &mut Counts) {
        self.head.count(counts);
    }

    fn survey(&self, survey: &mut Survey) {
        self.head.survey(survey);
    }

    fn change(&mut self, change: &mut Change<'_>) {
        self.head.hand_on(&mut Lap::begin(self.timed));
        self.head.change(change);
        let (manner, is_whole) = match change {
            Change::GoOn { manner, lacks_a_part } => (*manner, !*lacks_a_part),
            Change::Cut { task: Some(_), .. } => (Manner { stepwise: false, timed: self.timed }, false),
            _ => return,
        };
        self.timed = manner.timed;
        if !is_whole && !manner.stepwise {
            self.head.change(&mut Change::go_on(Manner { stepwise: true, ..manner }));
        }
    }
}

/// Takes records that come one by one, or from an iterator, and gathers them: for a loop that is run stepwise.
impl<T: Send + 'static, D: Downstream<T> + 'static> Downstream<T> for Loop<T, D> {
    const HEEDS_WATERMARKS: bool = D::HEEDS_WATERMARKS;
    const IS_BOUNDED: bool = D::IS_BOUNDED;

    #[inline]
    fn record(&mut self, record: Record<T>) {
        let Self { head, lap, before, .. } = self;
        let full_at = head.gathered.full_at();
        head.push(record, |lap| lap.charge(before, full_at), lap);
    }

    #[inline(always)]
    fn records(&mut self, records: impl Iterator<Item = Record<T>>) {
        let Self { head, lap, before, .. } = self;
        let full_at = head.gathered.full_at();
        head.fill(records, |lap| lap.charge(before, full_at), lap);
    }
}
