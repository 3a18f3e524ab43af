use std::{hash::Hash, marker::PhantomData};

use nacreous_operators::{KeyLimits, Keyed, Sliding};

use super::{Stream, carried::Carried, windowed::WindowedStream};
use crate::plan::Upstream;

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
    /// The records with their keys, as a stream that is not grouped: to be grouped by another key, say.
    pub fn ungroup(self) -> Stream<Keyed<K, T>, U> {
        Stream { carried: self.carried, records: PhantomData }
    }
}
