use nacreous_channels::fill;
use nacreous_operators::{Batch, Prepared, Record, Stamp, Step};
use nacreous_watermark::Watermark;

use super::{AnyBatch, Change, Downstream, Extent, Flushed, Front, Halt, Lap, Loop, Stepwise};
use crate::{meter::Counts, survey::Survey};

/// Where a loop ends and another begins, in one task: gathers records into a batch, for what follows to be called with.
///
/// Before a task takes input it has everything flushed, so there is room in what follows for all that comes of it.
pub(crate) struct Boxed<T> {
    batch: Batch<T>,
    next: Box<dyn Front<Batch<T>>>,
}

impl<T: Send + 'static> Boxed<T> {
    /// A place for batches of so many records.
    pub(crate) fn new<D: Downstream<T> + 'static>(batch: usize, next: Loop<T, D>) -> Self {
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

impl<T: Send + 'static> Stepwise for Boxed<T> {
    fn stepwise(&mut self, batch: &mut dyn AnyBatch, lap: &mut Lap) {
        self.next.stepwise(batch, lap);
    }

    fn watermark(&mut self, watermark: Watermark) -> Step {
        self.hand_on();
        self.next.watermark(watermark)
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.hand_on();
        self.next.judge_by(watermark);
    }

    fn stamp(&mut self, read_at: Stamp) {
        self.hand_on();
        self.next.stamp(read_at);
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

    fn change(&mut self, change: &mut Change<'_>) {
        self.hand_on();
        self.next.change(change);
    }
}

impl<T: Send + 'static> Downstream<T> for Boxed<T> {
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
}
