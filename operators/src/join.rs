//! Joins of two keyed streams.

mod interval;
mod timeline;

pub use interval::{Interval, IntervalError, Offset};

use std::{hash::Hash, time::Duration};

use nacreous_watermark::{Grid, Span, Timestamp, Watermark};

use crate::{
    Emit, Fault, KeyLimits, Keyed, KeyedState, Operator, Prepared, Record, Step, Supplies, Tally,
    state::TimerQueue,
};
use timeline::{Root, Timeline};

/// A value of one of two streams that have become one, as a join takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Either<L, R> {
    /// Of the left stream.
    Left(L),
    /// Of the right one.
    Right(R),
}

/// What comes out of a join without windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined<K, T, O> {
    /// What the function made of a left and a right record. Its record's time is the later one of theirs.
    Pair(Keyed<K, O>),
    /// A record came behind the watermark, and was joined with nothing. Its record's time is its own.
    Late(Keyed<K, T>),
}

/// Joins each left record with each right one of the same key whose time lies in an [`Interval`] around its own.
///
/// A pair goes out as soon as the second of the two has come. All pairs of a record go out at once, those with earlier
/// partners first, so a batch that has no room for them grows. A record behind the watermark is late: it goes out as
/// [`Joined::Late`], and is joined with nothing, also where a partner is still there. So results do not depend on
/// how two streams happen to be interleaved.
///
/// # Cost
/// A record: one key look-up, and searches whose expected cost grows with the logarithm of the key's records on either
/// side, then a call of the function for each pair. Memory: each record, until the watermark leaves no partner to come,
/// which is looked for each time a watermark passes the first instant at which a key may lose one; keys are
/// kept for good.
///
/// ```
/// use nacreous_operators::{
///     Either, Interval, IntervalJoin, Joined, KeyLimits, Keyed, Offset::{After, Before}, Operator, Record,
/// };
/// use nacreous_watermark::Timestamp;
/// use std::time::Duration;
///
/// let interval = Interval::new(Before(Duration::from_nanos(1)), After(Duration::from_nanos(10)))?;
/// let mut join = IntervalJoin::new(KeyLimits::default(), interval, |order: &u32, paid: &u32| paid - order);
/// let mut out = Vec::new();
/// for (nanos, value) in [(5, Either::Left(30)), (12, Either::Right(35)), (40, Either::Right(30))] {
///     let value = Keyed { key: "cash", value };
///     join.on_record(Record { time: Timestamp::from_nanos(nanos), value }, &mut out);
/// }
/// let pair = Joined::Pair(Keyed { key: "cash", value: 5 });
/// assert_eq!(out, [Record { time: Timestamp::from_nanos(12), value: pair }]);
/// # Ok::<(), nacreous_operators::IntervalError>(())
/// ```
pub struct IntervalJoin<K, L, R, F> {
    /// Where a left record finds its right partners.
    ahead: Interval,
    /// Where a right record finds its left partners.
    back: Interval,
    join: F,
    limits: KeyLimits,
    keys: KeyedState<K, Waiting>,
    left: Timeline<L>,
    right: Timeline<R>,
    /// When to look at a key for records without a partner to come.
    evictions: TimerQueue,
    /// The last watermark.
    passed: Watermark,
    /// What records are judged by.
    judge: Watermark,
    tally: Tally,
}

/// The records of a key that may still find partners.
#[derive(Debug, Clone, Copy, Default)]
struct Waiting {
    left: Root,
    right: Root,
    /// The next eviction, if there is anything to evict. Others that are set for the key are out of date.
    eviction: Option<Timestamp>,
}

impl<K: Hash + Eq + Clone + 'static, L, R, F> IntervalJoin<K, L, R, F> {
    /// Joins pairs with `join`.
    pub fn new<O>(limits: KeyLimits, interval: Interval, join: F) -> Self
    where
        F: FnMut(&L, &R) -> O,
    {
        Self::empty(limits, interval, join)
    }

    /// The watermarks that make a difference: one every millisecond of event time, by which records are judged late and
    /// let go.
    pub fn edges(&self) -> Grid {
        let millisecond = Span::try_from(Duration::from_millis(1)).expect("event time reaches that far");
        Grid::new(millisecond, 0)
    }

    fn empty(limits: KeyLimits, interval: Interval, join: F) -> Self {
        Self {
            ahead: interval,
            back: interval.reversed(),
            join,
            limits,
            keys: KeyedState::new(limits),
            left: Timeline::new(),
            right: Timeline::new(),
            evictions: TimerQueue::new(),
            passed: Watermark::MIN,
            judge: Watermark::MIN,
            tally: Tally::default(),
        }
    }
}

/// The clone has the same interval, function and limits and holds nothing: it serves another instance.
impl<K: Hash + Eq + Clone + 'static, L, R, F: Clone> Clone for IntervalJoin<K, L, R, F> {
    fn clone(&self) -> Self {
        Self::empty(self.limits, self.ahead, self.join.clone())
    }
}

impl<K, L, R, O, F> Operator<Keyed<K, Either<L, R>>> for IntervalJoin<K, L, R, F>
where
    K: Hash + Eq + Clone + Send + 'static,
    L: Send + 'static,
    R: Send + 'static,
    F: FnMut(&L, &R) -> O,
{
    type Out = Joined<K, Either<L, R>, O>;

    #[inline]
    fn on_record(&mut self, record: Record<Keyed<K, Either<L, R>>>, out: &mut impl Emit<Self::Out>) {
        let Record { time, value: Keyed { key, value } } = record;
        if time < self.judge.time() {
            self.tally.late += 1;
            return out.emit(Record { time, value: Joined::Late(Keyed { key, value }) });
        }
        let Some((slot, key, waiting)) = self.keys.entry(key, Waiting::default) else { return };
        self.tally.on_time += 1;
        let Self { left, right, join, tally, .. } = self;
        let mut emit = |partner: Timestamp, value| {
            tally.results += 1;
            let pair = Joined::Pair(Keyed { key: key.clone(), value });
            out.emit(Record { time: time.max(partner), value: pair });
        };
        let last = match value {
            Either::Left(value) => {
                if let Some(range) = self.ahead.around(time) {
                    right.each(waiting.right, range, &mut |at, partner| emit(at, join(&value, partner)));
                }
                let last = self.ahead.last(time);
                if last >= self.passed.time() {
                    left.insert(&mut waiting.left, time, value);
                }
                last
            }
            Either::Right(value) => {
                if let Some(range) = self.back.around(time) {
                    left.each(waiting.left, range, &mut |at, partner| emit(at, join(partner, &value)));
                }
                let last = self.back.last(time);
                if last >= self.passed.time() {
                    right.insert(&mut waiting.right, time, value);
                }
                last
            }
        };
        if last >= self.passed.time() && waiting.eviction.is_none_or(|eviction| last < eviction) {
            waiting.eviction = Some(last);
            self.evictions.push(last, slot);
        }
    }

    /// Drops the records that have no partner to come. Emits nothing.
    fn on_watermark(&mut self, watermark: Watermark, _: &mut impl Emit<Self::Out>) -> Step {
        let Self { ahead, back, left, right, .. } = self;
        let gone = |last: Timestamp| last < watermark.time() || watermark.is_end();
        while let Some((time, slot)) = self.evictions.pop_due(watermark) {
            let (_, waiting) = self.keys.at(slot);
            if waiting.eviction != Some(time) {
                continue;
            }
            left.evict(&mut waiting.left, |time| gone(ahead.last(time)));
            right.evict(&mut waiting.right, |time| gone(back.last(time)));
            let next_left = left.earliest(waiting.left).map(|time| ahead.last(time));
            let next_right = right.earliest(waiting.right).map(|time| back.last(time));
            waiting.eviction = next_left.into_iter().chain(next_right).min();
            if let Some(next) = waiting.eviction {
                self.evictions.push(next, slot);
            }
        }
        self.passed = self.passed.max(watermark);
        self.judge = self.judge.max(watermark);
        Step::Done
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.judge = watermark.max(self.passed);
    }

    fn connect(&mut self, supplies: &mut impl Supplies) {
        self.keys.connect(supplies);
        self.left.connect(supplies);
        self.right.connect(supplies);
        self.evictions.connect(supplies);
    }

    fn prepare(&mut self, records: usize) -> Prepared {
        self.keys
            .prepare(records)
            .and(self.left.prepare(records))
            .and(self.right.prepare(records))
            .and(self.evictions.prepare(records))
    }

    fn fault(&self) -> Option<Fault> {
        self.keys.fault()
    }

    fn tally(&self) -> Tally {
        self.tally
    }
}

#[cfg(test)]
mod tests;
