//! Windows of so many records of a key.

#[cfg(test)]
mod tests;

use std::{hash::Hash, marker::PhantomData, time::Duration};

use nacreous_watermark::{Grid, Timestamp, Watermark};

use super::{
    ResultKind, SliceNumber, Slicing, Sliding, TimeWindow, WindowError, WindowResult, Windowed,
    budget::Budget, refusal::refuse, resolution::Resolution,
};
use crate::{
    Aggregate, Algebra, Emit, Fault, KeyLimits, Keyed, KeyedState, Operator, Prepared, Record, Step,
    Supplies, Tally,
    algorithm::{Algorithm, DabaLite},
    key::SlotNumber,
    pool::{Place, Pool},
    queue::{Combine, Memory, Queue},
    state::TimerQueue,
};

/// Windows of so many records of a key, one beginning every so many.
///
/// Records are counted in order of event time; those of one instant in the order in which they come. So they wait until the
/// watermark has passed them: one that comes later would make all windows after it others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// How windows lie among the records of a key, numbered from zero: as others in time.
    records: Sliding,
    size: u32,
}

impl Counted {
    /// Windows of `size` records that follow each other.
    ///
    /// # Errors
    /// If the size is zero.
    pub fn tumbling(size: u32) -> Result<Self, WindowError> {
        Self::new(size, size)
    }

    /// Windows of `size` records, one beginning with every so many-th.
    ///
    /// # Errors
    /// If either is zero, or windows would leave gaps.
    pub fn new(size: u32, every: u32) -> Result<Self, WindowError> {
        if size == 0 || every == 0 {
            return Err(WindowError::NoRecords { size, every });
        }
        if every > size {
            return Err(WindowError::RecordGaps { size, every });
        }
        let nanos = |records: u32| Duration::from_nanos(records.into());
        Ok(Self { records: Sliding::new(nanos(size), nanos(every))?, size })
    }

    /// The instants at which a window may fire: every millisecond.
    pub fn ends(&self) -> Grid {
        Resolution::USUAL.grid()
    }

    fn slice(&self, record: i64) -> SliceNumber {
        self.records.slice_at(Timestamp::from_nanos(record))
    }

    /// The number of the window that ends with this record, if one does.
    fn ending_with(&self, record: i64) -> Option<i64> {
        let ends = Watermark::at(Timestamp::from_nanos(record + 1));
        let last = self.records.first_open(ends) - 1;
        let ends_here = self.records.window(last).end == ends.time();
        (ends_here && record + 1 >= self.size.into()).then_some(last)
    }
}

/// Aggregates the records of each key over [`Counted`] windows.
///
/// A window that is not full when the stream ends does not fire. A record behind the watermark of its own input is late.
///
/// # Cost
/// A record: a number of comparisons that grows with the logarithm of those that wait, a look-up of its key, and if windows overlap
/// up to three combinations for each slice. Memory: the records that wait; each key there ever was, and what it comes to
/// in each slice of its open windows.
pub struct CountFold<K, A: Aggregate<T>, T> {
    windows: Counted,
    limits: KeyLimits,
    aggregate: A,
    keys: KeyedState<K, Progress<A::Acc>>,
    memory: <Slices<A::Acc> as Queue<Span<A::Acc>>>::Memory,
    /// Records that the watermark has not passed, by time and then by how many came before them.
    order: TimerQueue<(u64, SlotNumber)>,
    waiting: Pool<Keyed<K, T>>,
    came: u64,
    judge: Watermark,
    passed: Watermark,
    fault: Option<Fault>,
    tally: Tally,
}

/// What slices of records come to, and the time of the first.
type Span<A> = (Timestamp, A);
type Slices<A> = <DabaLite as Algorithm>::Queue<Span<A>>;

/// How far a key has come.
struct Progress<A: Clone + Send + 'static> {
    /// How many records there have been.
    records: i64,
    /// What those of the slice come to that is not complete.
    slice: Option<Span<A>>,
    /// Those that are, as far as they are in a window that is not.
    slices: Slices<A>,
}

/// Combines slices in their order.
struct By<'a, A, T>(&'a A, PhantomData<fn(T)>);

impl<T, A: Aggregate<T>> Combine<Span<A::Acc>> for By<'_, A, T> {
    fn combine(&self, (_, acc): &mut Span<A::Acc>, (_, other): &Span<A::Acc>) {
        self.0.combine(acc, other);
    }

    fn subtract(&self, (_, acc): &mut Span<A::Acc>, (_, other): &Span<A::Acc>) {
        A::Algebra::subtract(self.0, acc, other);
    }
}

impl<T, K: Hash + Eq + Clone + 'static, A: Aggregate<T>> CountFold<K, A, T> {
    /// An operator that has seen nothing yet.
    pub fn new(windows: Counted, aggregate: A, limits: KeyLimits) -> Self {
        Self {
            windows,
            limits,
            aggregate,
            keys: KeyedState::new(limits),
            memory: Default::default(),
            order: TimerQueue::new(),
            waiting: Pool::new(),
            came: 0,
            judge: Watermark::MIN,
            passed: Watermark::MIN,
            fault: None,
            tally: Tally::default(),
        }
    }

    /// Does not take a record for which there may be no memory.
    fn refuse(&mut self, record: Record<Keyed<K, T>>, out: &mut impl Emit<Windowed<K, T, A::Out>>) {
        refuse(self.limits.held, record, (&mut self.fault, &mut self.tally), out);
    }

    /// Whether no record waits.
    #[cfg(test)]
    pub(super) fn holds_nothing(&self) -> bool {
        self.waiting.len() == 0 && self.order.len() == 0
    }

    /// Counts a record that nothing can come before any more.
    fn count(
        &mut self,
        time: Timestamp,
        Keyed { key, value }: Keyed<K, T>,
        out: &mut impl Emit<Windowed<K, T, A::Out>>,
    ) {
        let Self { windows, aggregate, keys, memory, tally, .. } = self;
        let begin = || Progress { records: 0, slice: None, slices: Slices::default() };
        let Some((_, key, progress)) = keys.entry(key, begin) else { return };
        tally.on_time += 1;
        let (record, by) = (progress.records, By(aggregate, PhantomData));
        progress.records += 1;
        match &mut progress.slice {
            Some((_, acc)) => aggregate.add(acc, &value, time),
            none => *none = Some((time, aggregate.lift(&value, time))),
        }
        let slice = windows.slice(record);
        if windows.slice(record + 1) != slice
            && let Some(whole) = progress.slice.take()
        {
            progress.slices.insert(memory, slice.get(), whole, &by);
        }
        let Some(window) = windows.ending_with(record) else { return };
        let slices = windows.records.slices_in(window);
        let came_to = progress.slices.query(memory, slices, &by);
        progress.slices.evict_before(memory, windows.records.first_slice(window + 1), &by);
        let (start, acc) = came_to.expect("a window that ends has slices");
        let end = Timestamp::from_nanos(time.as_nanos().saturating_add(1));
        let number = 0;
        let value = aggregate.finish(acc);
        let result = WindowResult {
            window: TimeWindow { start, end },
            key: key.clone(),
            value,
            kind: ResultKind::OnTime,
            number,
        };
        tally.results += 1;
        let time = Resolution::USUAL.passes(time.as_nanos());
        out.emit(Record { time, value: Windowed::Result(result) });
    }
}

/// The clone has seen nothing: it serves another instance.
impl<T, K: Hash + Eq + Clone + 'static, A: Aggregate<T> + Clone> Clone for CountFold<K, A, T> {
    fn clone(&self) -> Self {
        Self::new(self.windows, self.aggregate.clone(), self.limits)
    }
}

impl<T, K, A> Operator<Keyed<K, T>> for CountFold<K, A, T>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    A: Aggregate<T>,
{
    type Out = Windowed<K, T, A::Out>;

    #[inline]
    fn on_record(&mut self, Record { time, value }: Record<Keyed<K, T>>, out: &mut impl Emit<Self::Out>) {
        if Watermark::at(time) < self.judge {
            self.tally.late += 1;
            return out.emit(Record { time, value: Windowed::Late(value) });
        }
        if self.waiting.len() + self.keys.len() >= self.limits.held.most {
            return self.refuse(Record { time, value }, out);
        }
        let place = self.waiting.insert(value);
        self.order.push(time, (self.came, SlotNumber::new(place.number())));
        self.came += 1;
    }

    /// Counts the records that it has passed.
    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl Emit<Self::Out>) -> Step {
        self.passed = self.passed.max(Resolution::USUAL.seen(watermark));
        self.judge = self.judge.max(self.passed);
        let mut budget = Budget::new();
        while self.order.is_due(self.passed) {
            if !out.has_room() || budget.is_spent() {
                return Step::More;
            }
            let (time, (_, slot)) = self.order.pop_due(self.passed).expect("one is due");
            let record = self.waiting.remove(Place::numbered(slot.number()));
            self.count(time, record, out);
        }
        Step::Done
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.judge = Resolution::USUAL.seen(watermark).max(self.passed);
    }

    fn connect(&mut self, supplies: &mut impl Supplies) {
        self.keys.connect(supplies);
        self.memory.connect(supplies);
        self.order.connect(supplies);
        self.waiting.connect(supplies);
    }

    fn prepare(&mut self, records: usize) -> Prepared {
        // What waits may all be counted before it is asked again.
        let counted = self.order.len() + records;
        let state = self.keys.prepare(counted).and(self.memory.prepare(counted, 0));
        state.and(self.order.prepare(records)).and(self.waiting.prepare(records))
    }

    fn fault(&self) -> Option<Fault> {
        self.fault.or(self.keys.fault())
    }

    fn tally(&self) -> Tally {
        Tally { held: (self.waiting.len() + self.keys.len()) as u64, ..self.tally }
    }
}
