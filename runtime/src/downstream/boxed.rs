use nacreous_channels::fill;
use nacreous_operators::{Batch, Prepared, Record, Step};
use nacreous_watermark::Watermark;

use super::{Downstream, Extent, Flushed, Halt, hand_down};
use crate::{meter::Counts, survey::Survey};

/// What follows a point of a task, without its type: a call costs a jump to where it is, so it takes batches.
pub(crate) trait BatchDownstream<T>: Send {
    /// Takes all records of a batch, and leaves it empty.
    fn batch(&mut self, batch: &mut Batch<T>);

    // The rest is as in `Downstream`.

    fn watermark(&mut self, watermark: Watermark) -> Step;
    fn judge_by(&mut self, watermark: Watermark);
    fn prepare(&mut self, records: usize) -> Prepared;
    fn break_off(&mut self) -> Step;
    fn has_room(&self) -> bool;
    fn is_wanted(&self) -> bool;
    fn flush(&mut self, extent: Extent) -> Result<Flushed, Halt>;
    fn count(&self, counts: &mut Counts);
    fn survey(&self, survey: &mut Survey);
}

impl<T, D: Downstream<T>> BatchDownstream<T> for D {
    fn batch(&mut self, batch: &mut Batch<T>) {
        hand_down(batch, self);
    }

    fn watermark(&mut self, watermark: Watermark) -> Step {
        Downstream::watermark(self, watermark)
    }

    fn judge_by(&mut self, watermark: Watermark) {
        Downstream::judge_by(self, watermark);
    }

    fn prepare(&mut self, records: usize) -> Prepared {
        Downstream::prepare(self, records)
    }

    fn break_off(&mut self) -> Step {
        Downstream::break_off(self)
    }

    fn has_room(&self) -> bool {
        Downstream::has_room(self)
    }

    fn is_wanted(&self) -> bool {
        Downstream::is_wanted(self)
    }

    fn flush(&mut self, extent: Extent) -> Result<Flushed, Halt> {
        Downstream::flush(self, extent)
    }

    fn count(&self, counts: &mut Counts) {
        Downstream::count(self, counts);
    }

    fn survey(&self, survey: &mut Survey) {
        Downstream::survey(self, survey);
    }
}

/// Where a fused loop ends and another begins, in one task: gathers records into a batch, for what follows to be called
/// with.
///
/// Nothing stays here between two steps: before a task takes input it has everything flushed, so there is room in what
/// follows for all that comes of it.
pub(crate) struct Boxed<T> {
    batch: Batch<T>,
    next: Box<dyn BatchDownstream<T>>,
}

impl<T: Send> Boxed<T> {
    /// A place for batches of so many records.
    pub(crate) fn new(batch: usize, next: impl Downstream<T> + 'static) -> Self {
        Self { batch: Batch::new(batch), next: Box::new(next) }
    }

    /// Hands on what has gathered.
    #[inline(never)]
    fn hand_on(&mut self) {
        if self.batch.has_records() {
            self.next.batch(&mut self.batch);
        }
    }
}

impl<T: Send> Downstream<T> for Boxed<T> {
    // HOT(boxed.record)
    #[inline]
    fn record(&mut self, record: Record<T>) {
        self.batch.push(record);
        if self.batch.is_full() {
            self.hand_on();
        }
    }

    // HOT(boxed.records)
    #[inline(always)]
    fn records(&mut self, mut records: impl Iterator<Item = Record<T>>) {
        let full_at = self.batch.full_at();
        while !fill(self.batch.records_mut(), full_at, &mut records) {
            self.hand_on();
        }
    }

    fn watermark(&mut self, watermark: Watermark) -> Step {
        self.hand_on();
        self.next.watermark(watermark)
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.hand_on();
        self.next.judge_by(watermark);
    }

    fn prepare(&mut self, records: usize) -> Prepared {
        self.next.prepare(records)
    }

    fn break_off(&mut self) -> Step {
        self.hand_on();
        self.next.break_off()
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.next.has_room()
    }

    fn is_wanted(&self) -> bool {
        self.next.is_wanted()
    }

    fn flush(&mut self, extent: Extent) -> Result<Flushed, Halt> {
        self.hand_on();
        self.next.flush(extent)
    }

    fn count(&self, counts: &mut Counts) {
        self.next.count(counts);
    }

    fn survey(&self, survey: &mut Survey) {
        survey.next_loop();
        self.next.survey(survey);
    }
}
