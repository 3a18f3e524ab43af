use std::{hash::Hash, marker::PhantomData};

use nacreous_operators::{KeyLimits, Keyed, Operator, Reduce, Scan, Sliding};

use super::{Stream, carried::Carried, windowed::WindowedStream};
use crate::{
    operator_name::OperatorName,
    plan::{Exchange, Then, Upstream},
};

/// A stream whose records are grouped by a key.
#[must_use = "a stream does nothing until it ends in a sink"]
pub struct KeyedStream<K, T, U> {
    carried: Carried<U>,
    limits: KeyLimits,
    records: PhantomData<fn() -> (K, T)>,
}

impl<K, T, U> KeyedStream<K, T, U> {
    pub(super) fn new(carried: Carried<U>, limits: KeyLimits) -> Self {
        Self { carried, limits, records: PhantomData }
    }

    /// How many distinct keys to have memory for from the beginning, over all workers. More are taken as well: memory
    /// for them is prepared beside the data threads.
    pub fn expect_keys(mut self, keys: usize) -> Self {
        self.limits.expected = keys;
        self
    }

    /// How many distinct keys an instance of the operator that follows may meet at the most. One more fails the job,
    /// rather than to take more memory.
    pub fn max_keys(mut self, keys: usize) -> Self {
        self.limits.most = keys;
        self
    }

    /// Cuts the stream into windows of event time.
    pub fn window(self, windows: Sliding) -> WindowedStream<K, T, U> {
        self.carried.graph.borrow_mut().needs.cadence.add(windows.ends());
        WindowedStream::new(self.carried, self.limits, windows)
    }
}

impl<K, T, U> KeyedStream<K, T, U>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    U: Upstream<Out = Keyed<K, T>>,
{
    /// Reduces the values of each key to one, and emits it after each: the first value of a key is what it begins with,
    /// and `f` adds each later one to it.
    ///
    /// The values of a key come in the order of the stream. Where several streams were brought together before, or a
    /// keyed stream is grouped anew, that order is up to chance between them: `f` had better not depend on it there.
    #[track_caller]
    pub fn reduce<F>(self, f: F) -> Stream<Keyed<K, T>, impl Upstream<Out = Keyed<K, T>> + use<K, T, U, F>>
    where
        T: Clone,
        F: FnMut(&mut T, T) + Clone + Send + 'static,
    {
        let limits = self.limits;
        self.stateful(Reduce::new(limits, f), OperatorName::here("reduce"))
    }

    /// Turns each value into another by way of a state kept for each key, as [`Iterator::scan`] does: `initial` is what
    /// it begins with. For the order in which values come see [`reduce`](Self::reduce).
    #[track_caller]
    pub fn scan<S, O, F>(
        self,
        initial: S,
        f: F,
    ) -> Stream<Keyed<K, O>, impl Upstream<Out = Keyed<K, O>> + use<K, T, U, S, O, F>>
    where
        S: Clone + Send + 'static,
        O: Send + 'static,
        F: FnMut(&mut S, T) -> O + Clone + Send + 'static,
    {
        let limits = self.limits;
        self.stateful(Scan::new(limits, initial, f), OperatorName::here("scan"))
    }

    /// The stream of what an operator with state makes of this one, on the workers that share the keys.
    fn stateful<O>(self, operator: O, name: OperatorName) -> Stream<O::Out, Then<Exchange<U>, O>>
    where
        O: Operator<Keyed<K, T>, Out: Send + 'static> + Clone + Send + 'static,
    {
        let mut carried = self.carried.exchange().then(operator, name);
        carried.accountable = false;
        Stream { carried, records: PhantomData }
    }

    /// The records with their keys, as a stream that is not grouped: to be grouped by another key, say.
    pub fn ungroup(self) -> Stream<Keyed<K, T>, U> {
        Stream { carried: self.carried, records: PhantomData }
    }
}
