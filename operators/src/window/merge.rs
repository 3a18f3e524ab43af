//! Windows in two stages: parts of them where the records are, wholes where the keys are.

use std::{collections::VecDeque, convert::Infallible, hash::Hash, marker::PhantomData, mem};

use nacreous_watermark::{Timestamp, Watermark};

use super::{
    ResultKind, Slicing, Sliding, TimeWindow, WindowFold, WindowResult, Windowed,
    tables::{InUse, Tables},
};
use crate::{
    Aggregate, Algebra, Emit, Fault, KeyLimits, Keyed, Operator, Prepared, Record, Step, Supplies, Tally,
    state::KeyTable,
};

/// What the first of two stages tells the second of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partial<A, T> {
    /// What the key's records in a window come to, as far as one instance of the first stage has seen them.
    Acc(TimeWindow, A),
    /// A record found all its windows closed.
    Late(T),
}

/// The first of two stages: aggregates as [`WindowFold`] does, and passes accumulators on where that has results.
///
/// Whether a record is late, or misses some of its windows, is decided here.
pub struct WindowPartials<K, A: Aggregate<T>, T, W = Sliding>(WindowFold<K, Unfinished<A>, T, W>);

/// An aggregate without its last step.
#[derive(Debug, Clone)]
pub(super) struct Unfinished<A>(pub(super) A);

/// The algebra that it keeps.
pub(super) enum Same<G> {
    #[expect(dead_code, reason = "it stands for a type")]
    Never(Infallible, PhantomData<G>),
}

impl<T, A: Aggregate<T>, G: Algebra<A, T>> Algebra<Unfinished<A>, T> for Same<G> {
    type Algorithm = G::Algorithm;
    type Order = G::Order;

    #[inline(always)]
    fn subtract(aggregate: &Unfinished<A>, acc: &mut A::Acc, other: &A::Acc) {
        G::subtract(&aggregate.0, acc, other);
    }
}

impl<T, A: Aggregate<T>> Aggregate<T> for Unfinished<A> {
    type Acc = A::Acc;
    type Out = A::Acc;
    type Algebra = Same<A::Algebra>;

    #[inline(always)]
    fn lift(&self, value: &T, time: Timestamp) -> A::Acc {
        self.0.lift(value, time)
    }

    #[inline(always)]
    fn add(&self, acc: &mut A::Acc, value: &T, time: Timestamp) {
        self.0.add(acc, value, time);
    }

    #[inline(always)]
    fn combine(&self, acc: &mut A::Acc, other: &A::Acc) {
        self.0.combine(acc, other);
    }

    #[inline(always)]
    fn finish(&self, acc: A::Acc) -> A::Acc {
        acc
    }
}

/// Lets a fold emit partial results.
struct AsPartials<'a, E>(&'a mut E);

impl<K, A, T, E: Emit<Keyed<K, Partial<A, T>>>> Emit<Windowed<K, T, A>> for AsPartials<'_, E> {
    #[inline]
    fn emit(&mut self, Record { time, value }: Record<Windowed<K, T, A>>) {
        let value = match value {
            Windowed::Result(WindowResult { window, key, value, .. }) => {
                Keyed { key, value: Partial::Acc(window, value) }
            }
            Windowed::Late(Keyed { key, value }) => Keyed { key, value: Partial::Late(value) },
        };
        self.0.emit(Record { time, value });
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.0.has_room()
    }
}

impl<T, K: Hash + Eq + Clone + 'static, A: Aggregate<T>, W: Slicing> WindowPartials<K, A, T, W> {
    /// An operator that has seen nothing yet, for so many keys.
    pub fn new(windows: W, aggregate: A, limits: KeyLimits) -> Self {
        Self(WindowFold::new(windows, Unfinished(aggregate)).with_limits(limits))
    }
}

/// The clone has seen nothing: it serves another instance.
impl<T, K, A, W> Clone for WindowPartials<K, A, T, W>
where
    K: Hash + Eq + Clone + 'static,
    A: Aggregate<T> + Clone,
    W: Slicing,
{
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T, K, A, W> Operator<Keyed<K, T>> for WindowPartials<K, A, T, W>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    A: Aggregate<T>,
    W: Slicing,
{
    type Out = Keyed<K, Partial<A::Acc, T>>;

    #[inline(always)]
    fn on_record(&mut self, record: Record<Keyed<K, T>>, out: &mut impl Emit<Self::Out>) {
        self.0.on_record(record, &mut AsPartials(out));
    }

    #[inline(always)]
    fn on_records(
        &mut self,
        records: impl Iterator<Item = Record<Keyed<K, T>>>,
        out: &mut impl Emit<Self::Out>,
    ) {
        self.0.on_records(records, &mut AsPartials(out));
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl Emit<Self::Out>) -> Step {
        self.0.on_watermark(watermark, &mut AsPartials(out))
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.0.judge_by(watermark);
    }

    fn connect(&mut self, supplies: &mut impl Supplies) {
        self.0.connect(supplies);
    }

    fn prepare(&mut self, records: usize) -> Prepared {
        self.0.prepare(records)
    }

    fn fault(&self) -> Option<Fault> {
        self.0.fault()
    }

    /// Results are counted where they are whole.
    fn tally(&self) -> Tally {
        Tally { results: 0, ..self.0.tally() }
    }
}

/// The second of two stages: puts together what the instances of the first have for the same window and key.
///
/// What is late passes through.
///
/// # Cost
/// A look-up of the key in its window for each accumulator that comes. Memory as that of [`WindowFold`].
pub struct WindowMerge<K, A: Aggregate<T>, T> {
    aggregate: A,
    /// The windows that something has come for and that have not fired, in order.
    open: VecDeque<Open<K, A::Acc>>,
    /// Which of them the last accumulator belonged to.
    recent: usize,
    tables: Tables<K, A::Acc>,
    /// The window being emitted; its table is absent if there is none.
    firing: Open<K, A::Acc>,
    fault: Option<Fault>,
    results: u64,
    values: PhantomData<fn(T)>,
}

struct Open<K, A> {
    window: TimeWindow,
    table: KeyTable<K, A>,
}

impl<K, A> InUse<K, A> for &mut VecDeque<Open<K, A>> {
    fn slices(&self) -> usize {
        self.len()
    }

    fn tables<'a>(&'a mut self) -> impl Iterator<Item = &'a mut KeyTable<K, A>>
    where
        K: 'a,
        A: 'a,
    {
        self.iter_mut().map(|open| &mut open.table)
    }
}

/// Spare tables kept while few windows are open.
const SPARE_MIN: usize = 2;

impl<T, K: Hash + Eq + Clone + 'static, A: Aggregate<T>> WindowMerge<K, A, T> {
    /// An operator that has seen nothing yet, for so many keys in a window.
    pub fn new(aggregate: A, limits: KeyLimits) -> Self {
        let zero = Timestamp::from_nanos(0);
        Self {
            aggregate,
            open: VecDeque::with_capacity(64),
            recent: 0,
            tables: Tables::new(limits, SPARE_MIN),
            firing: Open { window: TimeWindow { start: zero, end: zero }, table: KeyTable::absent() },
            fault: None,
            results: 0,
            values: PhantomData,
        }
    }

    /// Whether all windows have fired.
    #[cfg(test)]
    pub(super) fn holds_nothing(&self) -> bool {
        self.open.is_empty()
    }

    fn add(&mut self, window: TimeWindow, key: K, acc: A::Acc) {
        if self.open.get(self.recent).is_none_or(|open| open.window != window) {
            self.turn_to(window);
        }
        let table = &mut self.open[self.recent].table;
        match table.find(&key) {
            Ok(slot) => self.aggregate.combine(&mut table.at_mut(slot).1, &acc),
            Err(hash) => {
                self.tables.begin(table, (key, hash), acc, &mut self.fault);
                let keys = table.len();
                self.tables.note(keys);
            }
        }
    }

    #[inline(never)]
    fn turn_to(&mut self, window: TimeWindow) {
        self.recent = self.open.binary_search_by_key(&window, |open| open.window).unwrap_or_else(|index| {
            let table = self.tables.take(self.open.len());
            self.open.insert(index, Open { window, table });
            index
        });
    }

    /// Emits what is left of the window being fired, keys in the order in which they came.
    fn fire(&mut self, out: &mut impl Emit<Windowed<K, T, A::Out>>) -> Step {
        let Open { window, table } = &mut self.firing;
        loop {
            if !out.has_room() && !table.is_emptied() {
                return Step::More;
            }
            let Some((key, acc)) = table.take_next() else { break };
            self.results += 1;
            out.emit(window.result(key, self.aggregate.finish(acc), ResultKind::OnTime, 0));
        }
        self.tables.put_back(mem::replace(table, KeyTable::absent()));
        Step::Done
    }
}

/// The clone has seen nothing: it serves another instance.
impl<T, K: Hash + Eq + Clone + 'static, A: Aggregate<T> + Clone> Clone for WindowMerge<K, A, T> {
    fn clone(&self) -> Self {
        Self::new(self.aggregate.clone(), self.tables.limits())
    }
}

impl<T, K, A> Operator<Keyed<K, Partial<A::Acc, T>>> for WindowMerge<K, A, T>
where
    K: Hash + Eq + Clone + Send + 'static,
    A: Aggregate<T>,
{
    type Out = Windowed<K, T, A::Out>;

    #[inline]
    fn on_record(&mut self, record: Record<Keyed<K, Partial<A::Acc, T>>>, out: &mut impl Emit<Self::Out>) {
        let Record { time, value: Keyed { key, value } } = record;
        match value {
            Partial::Acc(window, acc) => self.add(window, key, acc),
            Partial::Late(value) => out.emit(Record { time, value: Windowed::Late(Keyed { key, value }) }),
        }
    }

    /// Fires the windows that end at or before the watermark, oldest first.
    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl Emit<Self::Out>) -> Step {
        loop {
            if self.fire(out) == Step::More {
                return Step::More;
            }
            // A window that ends with time is only over at the end of the stream, when the first stage hands it on.
            let is_over = |open: &mut Open<K, A::Acc>| open.window.end <= watermark.time();
            let Some(mut oldest) = self.open.pop_front_if(is_over) else { break };
            oldest.table.begin_to_empty();
            self.firing = oldest;
        }
        Step::Done
    }

    fn connect(&mut self, supplies: &mut impl Supplies) {
        self.tables.connect(supplies);
    }

    fn prepare(&mut self, records: usize) -> Prepared {
        self.tables.prepare(records, &mut self.open)
    }

    fn fault(&self) -> Option<Fault> {
        self.fault
    }

    fn tally(&self) -> Tally {
        let held = self.open.iter().map(|open| open.table.len() as u64).sum();
        Tally { results: self.results, held, ..Tally::default() }
    }
}

#[cfg(test)]
mod tests;
