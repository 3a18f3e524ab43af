//! Where a stream parts: into a main one and a side output, or into copies.

use nacreous_operators::{
    Forked, Joined, Keyed, OfFamily, Prepared, Record, Split, Stamp, Step, Tried, WindowResult, Windowed,
};
use nacreous_watermark::Watermark;

use super::{
    AnyBatch, Change, Downstream, EdgeOut, Extent, Flushed, Halt, Joint, Lap, Stepwise, both,
    edge::flush_all, hand_down,
};
use crate::{meter::Counts, survey::Survey};

/// What an operator with two outputs emits: each value goes to one of them.
pub(crate) trait Fork {
    /// What goes on.
    type Main;
    /// What goes to the side.
    type Side;

    /// Whether the side output holds late records. They are behind the watermark already, so it promises nothing
    /// about those to come, and is not passed on; windows over them would otherwise depend on how fast each instance
    /// is. The end is.
    const SIDE_IS_LATE: bool = false;

    /// `Ok` if it goes on, `Err` if to the side.
    fn part(self) -> Result<Self::Main, Self::Side>;
}

impl<K, T, R> Fork for Windowed<K, T, R> {
    type Main = WindowResult<K, R>;
    type Side = Keyed<K, T>;

    const SIDE_IS_LATE: bool = true;

    #[inline]
    fn part(self) -> Result<WindowResult<K, R>, Keyed<K, T>> {
        match self {
            Self::Result(result) => Ok(result),
            Self::Late(late) => Err(late),
        }
    }
}

impl<T> Fork for Split<T> {
    type Main = T;
    type Side = T;

    #[inline]
    fn part(self) -> Result<T, T> {
        match self {
            Self::True(value) => Ok(value),
            Self::False(value) => Err(value),
        }
    }
}

impl<O, E> Fork for Tried<O, E> {
    type Main = O;
    type Side = E;

    #[inline]
    fn part(self) -> Result<O, E> {
        match self {
            Self::Done(value) => Ok(value),
            Self::Refused(reason) => Err(reason),
        }
    }
}

impl<O, S> Fork for Forked<O, S> {
    type Main = O;
    type Side = S;

    #[inline]
    fn part(self) -> Result<O, S> {
        match self {
            Self::Main(value) => Ok(value),
            Self::Side(value) => Err(value),
        }
    }
}

impl<K, T, O> Fork for Joined<K, T, O> {
    type Main = Keyed<K, O>;
    type Side = Keyed<K, T>;

    const SIDE_IS_LATE: bool = true;

    #[inline]
    fn part(self) -> Result<Keyed<K, O>, Keyed<K, T>> {
        match self {
            Self::Pair(pair) => Ok(pair),
            Self::Late(late) => Err(late),
        }
    }
}

/// Sends some records onwards and the others out by a side output.
pub(crate) struct SideFork<F: Fork, D> {
    pub(crate) main: Joint<F::Main, D>,
    /// `None` if nobody takes them; they are still counted.
    pub(crate) side: Option<EdgeOut<F::Side>>,
}

impl<F, D> Stepwise for SideFork<F, D>
where
    F: Fork<Main: Send + 'static, Side: Send + 'static> + 'static,
    D: Downstream<F::Main> + 'static,
{
    fn stepwise(&mut self, batch: &mut dyn AnyBatch, lap: &mut Lap) {
        let Self { main, side } = self;
        batch
            .of::<F>()
            .drain()
            .for_each(|record| part(record, |record| main.push(record, |_| {}, lap), side.as_mut()));
        main.hand_on(lap);
    }

    fn watermark(&mut self, watermark: Watermark) -> Step {
        if self.main.watermark(watermark) == Step::More {
            return Step::More;
        }
        match &mut self.side {
            Some(side) if watermark.is_end() || !F::SIDE_IS_LATE => side.watermark(watermark),
            _ => Step::Done,
        }
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.main.judge_by(watermark);
        if let Some(side) = &mut self.side
            && !F::SIDE_IS_LATE
        {
            side.judge_by(watermark);
        }
    }

    fn stamp(&mut self, read_at: Stamp) {
        self.main.stamp(read_at);
        self.side.iter_mut().for_each(|side| side.stamp(read_at));
    }

    #[inline]
    fn prepare(&mut self, records: usize) -> Prepared {
        self.main.prepare(records)
    }

    fn break_off(&mut self) -> Step {
        self.main.break_off()
    }

    #[inline(always)]
    fn has_room(&self) -> bool {
        self.main.has_room() && self.side.as_ref().is_none_or(EdgeOut::has_room)
    }

    fn is_wanted(&self) -> bool {
        self.main.is_wanted()
    }

    #[inline]
    fn flush(&mut self, extent: Extent) -> Result<Flushed, Halt> {
        let side = self.side.as_mut().map_or(Ok(Flushed::Clear), |side| side.flush(extent));
        both(self.main.flush(extent), side)
    }

    fn count(&self, counts: &mut Counts) {
        self.main.count(counts);
    }

    fn survey(&self, survey: &mut Survey) {
        if let Some(side) = &self.side {
            side.survey(survey);
        }
        self.main.survey(survey);
    }

    fn change(&mut self, change: &mut Change<'_>) {
        if let Change::MoveTo(_) = change {
            self.side.iter_mut().for_each(|side| side.change(change));
        }
        self.main.change(change);
    }
}

impl<F, D> Downstream<F> for SideFork<F, D>
where
    F: Fork<Main: Send + 'static, Side: Send + 'static> + 'static,
    D: Downstream<F::Main> + 'static,
{
    #[inline]
    fn record(&mut self, record: Record<F>) {
        part(record, |record| self.main.fused().record(record), self.side.as_mut());
    }
}

/// Passes a record to where it belongs.
#[inline]
fn part<F: Fork<Side: Send + 'static>>(
    record: Record<F>,
    mut main: impl FnMut(Record<F::Main>),
    side: Option<&mut EdgeOut<F::Side>>,
) {
    let time = record.time;
    match (record.value.part(), side) {
        (Ok(value), _) => main(Record { time, value }),
        (Err(value), Some(side)) => side.record(Record { time, value }),
        (Err(_), None) => {}
    }
}

/// Sends each record out by several edges, a clone to each.
pub(crate) struct Copies<T> {
    outs: Vec<EdgeOut<T>>,
    /// Records copied, if the job keeps accounts of them: of each, all copies but one were added.
    copied: Option<u64>,
}

impl<T> Copies<T> {
    /// At least one edge.
    pub(crate) fn new(outs: Vec<EdgeOut<T>>, accountable: bool) -> Self {
        assert!(!outs.is_empty(), "copies need somewhere to go");
        Self { outs, copied: accountable.then_some(0) }
    }
}

impl<T: Clone + Send + 'static> Stepwise for Copies<T> {
    fn stepwise(&mut self, batch: &mut dyn AnyBatch, _: &mut Lap) {
        hand_down(batch.of::<T>(), self);
    }

    fn watermark(&mut self, watermark: Watermark) -> Step {
        // An edge is done with a watermark at once.
        self.outs.iter_mut().for_each(|out| _ = out.watermark(watermark));
        Step::Done
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.outs.iter_mut().for_each(|out| out.judge_by(watermark));
    }

    fn stamp(&mut self, read_at: Stamp) {
        self.outs.iter_mut().for_each(|out| out.stamp(read_at));
    }

    #[inline(always)]
    fn has_room(&self) -> bool {
        self.outs.iter().all(EdgeOut::has_room)
    }

    fn is_wanted(&self) -> bool {
        self.outs.iter().any(EdgeOut::is_wanted)
    }

    fn flush(&mut self, extent: Extent) -> Result<Flushed, Halt> {
        flush_all(&mut self.outs, extent)
    }

    fn count(&self, counts: &mut Counts) {
        counts.tally.added += self.copied.unwrap_or(0) * (self.outs.len() as u64 - 1);
    }

    fn survey(&self, survey: &mut Survey) {
        self.outs.iter().for_each(|out| out.survey(survey));
    }

    fn change(&mut self, change: &mut Change<'_>) {
        self.outs.iter_mut().for_each(|out| out.change(change));
    }
}

impl<T: Clone + Send + 'static> Downstream<T> for Copies<T> {
    #[inline]
    fn record(&mut self, record: Record<T>) {
        self.copied = self.copied.map(|copied| copied + 1);
        let Some((last, others)) = self.outs.split_last_mut() else { return };
        others.iter_mut().for_each(|out| out.record(record.clone()));
        last.record(record);
    }
}

/// Sends each record out by the edge of its family.
pub(crate) struct Deal<T> {
    outs: Vec<EdgeOut<T>>,
}

impl<T> Deal<T> {
    /// An edge for each family.
    pub(crate) fn new(outs: Vec<EdgeOut<T>>) -> Self {
        Self { outs }
    }
}

impl<T: Send + 'static> Stepwise for Deal<T> {
    fn stepwise(&mut self, batch: &mut dyn AnyBatch, _: &mut Lap) {
        hand_down(batch.of::<OfFamily<T>>(), self);
    }

    fn watermark(&mut self, watermark: Watermark) -> Step {
        // An edge is done with a watermark at once.
        self.outs.iter_mut().for_each(|out| _ = out.watermark(watermark));
        Step::Done
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.outs.iter_mut().for_each(|out| out.judge_by(watermark));
    }

    fn stamp(&mut self, read_at: Stamp) {
        self.outs.iter_mut().for_each(|out| out.stamp(read_at));
    }

    #[inline(always)]
    fn has_room(&self) -> bool {
        self.outs.iter().all(EdgeOut::has_room)
    }

    fn is_wanted(&self) -> bool {
        self.outs.iter().any(EdgeOut::is_wanted)
    }

    fn flush(&mut self, extent: Extent) -> Result<Flushed, Halt> {
        flush_all(&mut self.outs, extent)
    }

    fn count(&self, _: &mut Counts) {}

    fn survey(&self, survey: &mut Survey) {
        self.outs.iter().for_each(|out| out.survey(survey));
    }

    fn change(&mut self, change: &mut Change<'_>) {
        self.outs.iter_mut().for_each(|out| out.change(change));
    }
}

impl<T: Send + 'static> Downstream<OfFamily<T>> for Deal<T> {
    #[inline]
    fn record(&mut self, Record { time, value: OfFamily { family, value } }: Record<OfFamily<T>>) {
        self.outs[family].record(Record { time, value });
    }
}
