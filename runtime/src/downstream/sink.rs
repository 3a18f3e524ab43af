use std::sync::Arc;

use nacreous_channels::fill;
use nacreous_operators::{Record, Stamp, Step};
use nacreous_watermark::Watermark;

use super::{AnyBatch, Change, Downstream, Extent, Flushed, Halt, Lap, Stepwise, hand_down};
use crate::{
    bell::Post,
    job::{BoxError, Failure},
    latency::Gauge,
    meter::{CallMark, CostMeter, Counts},
    operator_name::{Blame, OperatorName},
    sink::Sink,
    survey::Survey,
};

/// The end of a stream: gathers records into a batch and has the sink write it.
pub(crate) struct SinkEnd<T, S> {
    sink: S,
    post: Arc<Post>,
    name: OperatorName,
    /// Whether the sink's own code is running.
    mark: Arc<CallMark>,
    /// Records to be written. There is memory for twice as many as count as full: a task looks for room
    /// only before it takes a batch.
    open: Vec<Record<T>>,
    full_at: usize,
    /// Whether the records are a source's own, not results: the job keeps accounts of those.
    accountable: bool,
    written: u64,
    /// Whether the sink may hold something back: a header from the beginning, then what was written to it.
    dirty: bool,
    /// It has returned an error or panicked.
    failed: bool,
    /// What it takes to write records, where that is timed.
    cost: Arc<CostMeter>,
    timed: bool,
    /// How long records took to come here, where somebody wants to know.
    gauge: Option<Gauge>,
}

impl<T, S> SinkEnd<T, S> {
    /// `post` is where the bell rings that the sink was given.
    pub(crate) fn new(
        sink: S,
        post: Arc<Post>,
        name: OperatorName,
        batch: usize,
        accountable: bool,
        gauge: Option<Gauge>,
    ) -> Self {
        Self {
            gauge,
            sink,
            post,
            name,
            mark: Arc::new(CallMark::new()),
            open: Vec::with_capacity(batch * 2),
            full_at: batch,
            accountable,
            written: 0,
            dirty: true,
            failed: false,
            cost: Arc::new(CostMeter::new()),
            timed: false,
        }
    }
}

impl<T, S: Sink<T>> SinkEnd<T, S> {
    /// Has the sink write what it has room for.
    fn write(&mut self) -> Result<Flushed, Halt> {
        if self.failed {
            self.open.clear();
            return Ok(Flushed::Clear);
        }
        // Stays so if the sink panics: it is not asked to write again, only to flush what came before.
        self.failed = true;
        let blame = Blame::on(&self.name);
        let count = self.sink.room().min(self.open.len());
        if count == 0 {
            blame.lift();
            self.failed = false;
            return Ok(Flushed::Blocked);
        }
        self.dirty = true;
        if let Some(gauge) = &mut self.gauge {
            gauge.note(&self.open[..count], count == self.open.len());
        }
        let mut lap = Lap::begin(self.timed);
        let mut records = self.open.drain(..count);
        self.mark.enter();
        let written = self.sink.write(&mut records);
        self.mark.leave();
        blame.lift();
        drop(records);
        lap.charge(&self.cost, count);
        self.failed = false;
        self.written += count as u64;
        self.check(written)?;
        Ok(if self.open.is_empty() { Flushed::Clear } else { Flushed::Blocked })
    }

    /// A sink that has failed is not called again.
    fn check(&mut self, outcome: Result<(), BoxError>) -> Result<(), Halt> {
        outcome.map_err(|error| {
            (self.failed, self.dirty) = (true, false);
            Halt::Failed(Failure::Sink { operator: self.name, error })
        })
    }
}

impl<T: Send + 'static, S: Sink<T>> Stepwise for SinkEnd<T, S> {
    fn stepwise(&mut self, batch: &mut dyn AnyBatch, _: &mut Lap) {
        hand_down(batch.of::<T>(), self);
    }

    fn watermark(&mut self, _: Watermark) -> Step {
        Step::Done
    }

    fn judge_by(&mut self, _: Watermark) {}

    fn stamp(&mut self, read_at: Stamp) {
        if let Some(gauge) = &mut self.gauge {
            gauge.stamp(read_at, !self.open.is_empty());
        }
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.open.len() < self.full_at
    }

    fn is_wanted(&self) -> bool {
        !self.failed
    }

    fn flush(&mut self, extent: Extent) -> Result<Flushed, Halt> {
        let due = self.open.len() >= self.full_at || (extent != Extent::Full && !self.open.is_empty());
        if due && self.write()? == Flushed::Blocked {
            return Ok(Flushed::Blocked);
        }
        if extent != Extent::Full && self.dirty {
            self.dirty = false;
            let blame = Blame::on(&self.name);
            self.mark.enter();
            let flushed = self.sink.flush();
            self.mark.leave();
            blame.lift();
            self.check(flushed)?;
        }
        Ok(Flushed::Clear)
    }

    fn count(&self, counts: &mut Counts) {
        if self.accountable {
            counts.tally.on_time += self.written;
        }
    }

    fn survey(&self, survey: &mut Survey) {
        survey.sink(self.name, &self.mark, &self.cost);
    }

    fn change(&mut self, change: &mut Change<'_>) {
        match change {
            Change::GoOn { manner, .. } => self.timed = manner.timed,
            Change::MoveTo(worker) => self.post.move_to(*worker),
            Change::Cut { .. } | Change::Recall { .. } => {}
        }
    }
}

impl<T: Send + 'static, S: Sink<T>> Downstream<T> for SinkEnd<T, S> {
    const HEEDS_WATERMARKS: bool = false;

    #[inline(always)]
    fn first(&self) -> Option<OperatorName> {
        Some(self.name)
    }

    #[inline]
    fn record(&mut self, record: Record<T>) {
        self.open.push(record);
    }

    // HOT(sink.records)
    #[inline(always)]
    fn records(&mut self, mut records: impl Iterator<Item = Record<T>>) {
        if !fill(&mut self.open, usize::MAX, &mut records) {
            self.open.extend(records);
        }
    }
}
