use std::{marker::PhantomData, sync::Arc};

use nacreous_operators::{Record, Stamp, Step};
use nacreous_watermark::Watermark;

use super::{AnyBatch, Change, Downstream, Extent, Flushed, Halt, Lap, MOVED_MAX, Stepwise, hand_down};
use crate::{
    latency::Gauge,
    meter::{CostMeter, Counts},
    operator_name::{Blame, OperatorName},
    survey::Survey,
};

/// The end of a stream in a function, which is called in the loop that the records come out of: nothing is gathered.
pub(crate) struct CallEnd<T, F> {
    /// Absent only while records come.
    f: Option<F>,
    name: OperatorName,
    /// Whether the records are a source's own, not results: the job keeps accounts of those.
    accountable: bool,
    taken: u64,
    cost: Arc<CostMeter>,
    /// How long records took to come here, where somebody wants to know; and how many of them it knows of.
    gauge: Option<(Gauge, u64)>,
    records: PhantomData<fn(T)>,
}

impl<T, F> CallEnd<T, F> {
    pub(crate) fn new(f: F, name: OperatorName, accountable: bool, gauge: Option<Gauge>) -> Self {
        Self {
            gauge: gauge.map(|gauge| (gauge, 0)),
            f: Some(f),
            name,
            accountable,
            taken: 0,
            cost: Arc::new(CostMeter::new()),
            records: PhantomData,
        }
    }

    /// Counts what has come.
    #[inline]
    fn note(&mut self) {
        if let Some((gauge, noted)) = &mut self.gauge {
            gauge.count(self.taken - *noted);
            *noted = self.taken;
        }
    }
}

/// Brings a function back, also if it panics: what it has captured is dropped with the task, and not while unwinding, where
/// another panic would end the process.
struct Lent<'a, F> {
    f: Option<F>,
    home: &'a mut Option<F>,
}

impl<F> Drop for Lent<'_, F> {
    #[inline(always)]
    fn drop(&mut self) {
        *self.home = self.f.take();
    }
}

impl<T: Send + 'static, F: FnMut(Record<T>) + Send + 'static> Stepwise for CallEnd<T, F> {
    fn stepwise(&mut self, batch: &mut dyn AnyBatch, lap: &mut Lap) {
        let records = batch.len();
        hand_down(batch.of::<T>(), self);
        lap.charge(&self.cost, records);
    }

    fn watermark(&mut self, _: Watermark) -> Step {
        self.note();
        Step::Done
    }

    fn judge_by(&mut self, _: Watermark) {}

    fn stamp(&mut self, read_at: Stamp) {
        self.note();
        if let Some((gauge, _)) = &mut self.gauge {
            gauge.stamp(read_at, false);
        }
    }

    #[inline(always)]
    fn has_room(&self) -> bool {
        true
    }

    fn is_wanted(&self) -> bool {
        true
    }

    fn flush(&mut self, _: Extent) -> Result<Flushed, Halt> {
        self.note();
        Ok(Flushed::Clear)
    }

    fn count(&self, counts: &mut Counts) {
        if self.accountable {
            counts.tally.on_time += self.taken;
        }
    }

    fn survey(&self, survey: &mut Survey) {
        survey.operator(self.name, &self.cost);
    }

    fn change(&mut self, _: &mut Change<'_>) {}
}

impl<T: Send + 'static, F: FnMut(Record<T>) + Send + 'static> Downstream<T> for CallEnd<T, F> {
    const HEEDS_WATERMARKS: bool = false;
    const IS_BOUNDED: bool = false;

    #[inline(always)]
    fn first(&self) -> Option<OperatorName> {
        Some(self.name)
    }

    #[inline(always)]
    fn record(&mut self, record: Record<T>) {
        if let Some(f) = &mut self.f {
            let blame = Blame::on(&self.name);
            f(record);
            blame.lift();
            self.taken += 1;
        }
    }

    // HOT(call.records)
    #[inline(always)]
    fn records(&mut self, records: impl Iterator<Item = Record<T>>) {
        if size_of::<F>() > MOVED_MAX {
            return records.for_each(|record| self.record(record));
        }
        // In variables of their own, what the function has captured and the count can stay in registers: nobody else can
        // see them.
        let mut lent = Lent { f: self.f.take(), home: &mut self.f };
        let Some(f) = &mut lent.f else { return };
        let mut taken = 0;
        records.for_each(|record| {
            let blame = Blame::on(&self.name);
            f(record);
            blame.lift();
            taken += 1;
        });
        self.taken += taken;
        drop(lent);
        self.note();
    }
}
