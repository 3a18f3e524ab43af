use std::{marker::PhantomData, sync::Arc};

use nacreous_operators::{Emit, Operator, Prepared, Record, Stamp, Step};
use nacreous_watermark::Watermark;

use super::{AnyBatch, Change, Downstream, Extent, Flushed, Halt, Joint, Lap, Stepwise, is_small};
use crate::{
    bell::Post,
    job::Failure,
    meter::{CostMeter, Counts},
    operator_name::{Blame, OperatorName},
    survey::Survey,
};

/// What is to be known of an operator, besides what it does.
pub(crate) struct OperatorPlace {
    pub(crate) name: OperatorName,
    /// Whether its input are the records of a source, for which the job keeps accounts.
    pub(crate) accountable: bool,
    pub(crate) cost: Arc<CostMeter>,
    /// Where it is called when there is memory.
    pub(crate) post: Arc<Post>,
}

/// An operator and what follows it.
pub(crate) struct Fused<I, O, T, D> {
    operator: O,
    place: OperatorPlace,
    down: Joint<T, D>,
    records: PhantomData<fn(I)>,
}

impl<I, O, T, D> Fused<I, O, T, D> {
    pub(crate) fn new(operator: O, place: OperatorPlace, down: Joint<T, D>) -> Self {
        Self { operator, place, down, records: PhantomData }
    }
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
pub(super) struct Blamed<'a, I> {
    pub(super) records: I,
    pub(super) name: &'a OperatorName,
    /// Who is called.
    pub(super) next: OperatorName,
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

impl<I, O, T, D> Stepwise for Fused<I, O, T, D>
where
    I: Send + 'static,
    O: Operator<I, Out = T> + Send + 'static,
    T: Send + 'static,
    D: Downstream<T> + 'static,
{
    // HOT(fused.stepwise)
    #[inline(never)]
    fn stepwise(&mut self, batch: &mut dyn AnyBatch, lap: &mut Lap) {
        let batch = batch.of::<I>();
        let records = batch.len();
        let blame = Blame::on(&self.place.name);
        let mut out = self.down.gather(&self.place.name, &self.place.cost, lap);
        if const { is_small::<I>() || O::WANTS_BATCHES } {
            self.operator.on_records(batch.drain(), &mut out);
        } else {
            batch.drain().for_each(|record| self.operator.on_record(record, &mut out));
        }
        blame.lift();
        lap.charge(&self.place.cost, records);
        self.down.hand_on(lap);
    }

    fn watermark(&mut self, watermark: Watermark) -> Step {
        let Self { operator, place: OperatorPlace { name, cost, .. }, down, .. } = self;
        let blame = Blame::on(name);
        let step = if down.is_stepwise() {
            operator.on_watermark(watermark, &mut down.gather(name, cost, &mut Lap::begin(false)))
        } else {
            operator.on_watermark(watermark, &mut Feed { down: down.fused(), name })
        };
        blame.lift();
        self.settle(step, |down| down.watermark(watermark))
    }

    fn break_off(&mut self) -> Step {
        let Self { operator, place: OperatorPlace { name, cost, .. }, down, .. } = self;
        let blame = Blame::on(name);
        let step = if down.is_stepwise() {
            operator.on_break_off(&mut down.gather(name, cost, &mut Lap::begin(false)))
        } else {
            operator.on_break_off(&mut Feed { down: down.fused(), name })
        };
        blame.lift();
        self.settle(step, Joint::break_off)
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.operator.judge_by(watermark);
        self.down.judge_by(watermark);
    }

    fn stamp(&mut self, read_at: Stamp) {
        self.down.stamp(read_at);
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
                Err(Halt::Failed(Failure::Operator { operator: self.place.name, fault }))
            }
            _ => self.down.flush(extent),
        }
    }

    fn count(&self, counts: &mut Counts) {
        let tally = self.operator.tally();
        if self.place.accountable {
            counts.tally += tally;
        } else {
            counts.tally.results += tally.results;
            counts.tally.held += tally.held;
        }
        self.down.count(counts);
    }

    fn survey(&self, survey: &mut Survey) {
        survey.operator(self.place.name, &self.place.cost);
        self.down.survey(survey);
    }

    fn change(&mut self, change: &mut Change<'_>) {
        if let Change::MoveTo(worker) = change {
            self.place.post.move_to(*worker);
        }
        self.down.change(change);
    }
}

impl<I, O, T: Send + 'static, D: Downstream<T>> Fused<I, O, T, D> {
    /// Hands on what the operator has emitted, and has what follows do likewise if the operator is done.
    #[inline]
    fn settle(&mut self, step: Step, next: impl FnOnce(&mut Joint<T, D>) -> Step) -> Step {
        self.down.hand_on(&mut Lap::begin(false));
        match step {
            Step::Done => next(&mut self.down),
            Step::More => Step::More,
        }
    }
}

impl<I, O, T, D> Downstream<I> for Fused<I, O, T, D>
where
    I: Send + 'static,
    O: Operator<I, Out = T> + Send + 'static,
    T: Send + 'static,
    D: Downstream<T> + 'static,
{
    const HEEDS_WATERMARKS: bool = O::HEEDS_WATERMARKS || D::HEEDS_WATERMARKS;
    // One that does not heed them keeps nothing.
    const IS_BOUNDED: bool = O::HEEDS_WATERMARKS || D::IS_BOUNDED;
    const WANTS_BATCHES: bool = O::WANTS_BATCHES;

    #[inline(always)]
    fn first(&self) -> Option<OperatorName> {
        Some(self.place.name)
    }

    #[inline(always)]
    fn record(&mut self, record: Record<I>) {
        let blame = Blame::on(&self.place.name);
        self.operator.on_record(record, &mut Feed { down: self.down.fused(), name: &self.place.name });
        blame.lift();
    }

    #[inline(always)]
    fn records(&mut self, records: impl Iterator<Item = Record<I>>) {
        let blame = Blame::on(&self.place.name);
        self.operator.on_records(records, &mut Feed { down: self.down.fused(), name: &self.place.name });
        blame.lift();
    }
}
