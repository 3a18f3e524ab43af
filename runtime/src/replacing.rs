//! Operators that another can take the place of while a job runs.

use std::{
    any::Any,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    vec::Drain,
};

use nacreous_operators::{Emit, Operator, Record, Step, Supplies, Tally};
use nacreous_watermark::Watermark;

use crate::inbox::Inbox;

/// An operator of the user's own that works on whole batches: see [`Stream::replaceable`](crate::Stream::replaceable).
///
/// It runs on a data thread: what takes long holds up all that the thread does. `out` keeps its memory from batch to batch.
pub trait BatchOperator<I, O>: Any + Send {
    /// Takes the records of a batch, in order, and puts what it makes of them into `out`, which is empty. Records that are not
    /// taken are dropped.
    ///
    /// How many records make up a batch is up to the job and to chance: results must not depend on it.
    fn on_batch(&mut self, records: Drain<'_, Record<I>>, out: &mut Vec<Record<O>>);

    /// Event time has come so far: puts what that completes into `out`, which is empty. [`Watermark::END`] is the end of the
    /// stream.
    fn on_watermark(&mut self, watermark: Watermark, out: &mut Vec<Record<O>>) {
        let _ = (watermark, out);
    }

    /// The records that follow are judged by this watermark: one of a time behind it is late. Not called where that is the last
    /// [`on_watermark`](Self::on_watermark) was called with, as it is unless streams were merged before.
    fn judge_by(&mut self, watermark: Watermark) {
        let _ = watermark;
    }
}

/// Makes one operator of another: what takes its place.
type Replace<I, O> = Arc<dyn Fn(Box<dyn BatchOperator<I, O>>) -> Box<dyn BatchOperator<I, O>> + Send + Sync>;

/// Puts another operator in the place of one that was made [replaceable](crate::Stream::replaceable), while the job runs or
/// before that.
pub struct Replacer<I, O>(Arc<Mutex<Instances<I, O>>>);

/// Whom to tell.
struct Instances<I, O> {
    running: Vec<Weak<Inbox<Replace<I, O>>>>,
    /// What was asked for before there were any.
    before: Vec<Replace<I, O>>,
}

impl<I: 'static, O: 'static> Replacer<I, O> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Instances { running: Vec::new(), before: Vec::new() })))
    }

    /// Has each instance make another operator of the one it has, between two batches, and go on with that.
    ///
    /// `with` takes the old operator, and with it the state: [`Any`] tells what it is, so that it can be kept, changed, or turned
    /// into another. It is called once for each instance, on its data thread, which waits for it: what can be made before
    /// had better be, and moved or shared into it. If it panics, the job fails, and the operator is named.
    ///
    /// No record is lost, repeated or overtaken by another. Before which one it happens is up to chance, and another for each
    /// instance; where an instance gets no records, it happens with the first that comes, or the next watermark. What
    /// was asked for first happens first.
    pub fn replace(
        &self,
        with: impl Fn(Box<dyn BatchOperator<I, O>>) -> Box<dyn BatchOperator<I, O>> + Send + Sync + 'static,
    ) {
        let with: Replace<I, O> = Arc::new(with);
        let mut instances = self.instances();
        if instances.running.is_empty() {
            instances.before.push(with);
        } else {
            let running = instances.running.iter().filter_map(Weak::upgrade);
            running.for_each(|inbox| inbox.leave(Arc::clone(&with)));
        }
    }

    /// How many instances have something before them that was asked for. None, once the job has ended.
    pub fn pending(&self) -> usize {
        let instances = self.instances();
        instances.running.iter().filter_map(Weak::upgrade).filter(|inbox| !inbox.is_empty()).count()
    }

    fn instances(&self) -> MutexGuard<'_, Instances<I, O>> {
        lock(&self.0)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whatever was done under the lock was done whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<I, O> Clone for Replacer<I, O> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<I, O> fmt::Debug for Replacer<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replacer").field("instances", &lock(&self.0).running.len()).finish_non_exhaustive()
    }
}

/// An operator in a place where another can come.
pub(crate) struct Replaceable<B, I, O> {
    /// What each instance begins with a clone of.
    first: B,
    replacer: Replacer<I, O>,
    place: Place<I, O>,
    input: Vec<Record<I>>,
    /// What has been made. After a watermark, the last first.
    made: Vec<Record<O>>,
    /// The last watermark it was told.
    passed: Watermark,
    tally: Tally,
}

/// Where the operator is that runs.
struct Place<I, O> {
    /// Gone after a function that was to make another of it has panicked.
    operator: Option<Box<dyn BatchOperator<I, O>>>,
    inbox: Arc<Inbox<Replace<I, O>>>,
    /// How much of what was left there has been done.
    seen: u64,
}

impl<I: 'static, O: 'static> Place<I, O> {
    /// The operator that is to run now.
    #[inline]
    fn current(&mut self) -> &mut dyn BatchOperator<I, O> {
        if self.inbox.has_more_than(self.seen) {
            self.replace();
        }
        let operator = self.operator.as_mut();
        &mut **operator
            .expect("an operator is asked for nothing before it is connected, or after it has panicked")
    }

    #[cold]
    fn replace(&mut self) {
        for with in self.inbox.take(&mut self.seen) {
            self.operator = self.operator.take().map(&*with);
        }
    }
}

impl<B, I: 'static, O: 'static> Replaceable<B, I, O> {
    pub(crate) fn new(first: B, replacer: &Replacer<I, O>) -> Self {
        Self {
            first,
            replacer: replacer.clone(),
            place: Place { operator: None, inbox: Arc::default(), seen: 0 },
            input: Vec::new(),
            made: Vec::new(),
            passed: Watermark::MIN,
            tally: Tally::default(),
        }
    }
}

/// An instance that has not begun.
impl<B: Clone, I: 'static, O: 'static> Clone for Replaceable<B, I, O> {
    fn clone(&self) -> Self {
        Self::new(self.first.clone(), &self.replacer)
    }
}

impl<B, I, O> Operator<I> for Replaceable<B, I, O>
where
    B: BatchOperator<I, O> + Clone,
    I: Send + 'static,
    O: Send + 'static,
{
    type Out = O;
    const WANTS_BATCHES: bool = true;

    fn connect(&mut self, _: &mut impl Supplies) {
        let mut instances = self.replacer.instances();
        let inbox = Arc::new(Inbox::new(instances.before.clone()));
        instances.running.push(Arc::downgrade(&inbox));
        self.place = Place { operator: Some(Box::new(self.first.clone())), inbox, seen: 0 };
    }

    fn on_record(&mut self, record: Record<I>, out: &mut impl Emit<O>) {
        self.on_records(std::iter::once(record), out);
    }

    // HOT(replaceable.batch)
    fn on_records(&mut self, records: impl Iterator<Item = Record<I>>, out: &mut impl Emit<O>) {
        self.input.extend(records);
        self.tally.on_time += self.input.len() as u64;
        self.place.current().on_batch(self.input.drain(..), &mut self.made);
        self.tally.results += self.made.len() as u64;
        out.emit_all(self.made.drain(..));
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl Emit<O>) -> Step {
        if watermark > self.passed {
            self.passed = watermark;
            self.place.current().on_watermark(watermark, &mut self.made);
            self.tally.results += self.made.len() as u64;
            self.made.reverse();
        }
        while out.has_room() {
            let Some(record) = self.made.pop() else { return Step::Done };
            out.emit(record);
        }
        if self.made.is_empty() { Step::Done } else { Step::More }
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.place.current().judge_by(watermark);
    }

    fn tally(&self) -> Tally {
        self.tally
    }
}
