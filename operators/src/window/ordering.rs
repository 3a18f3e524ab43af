use std::hash::Hash;

use nacreous_watermark::Span;

use super::{
    OrderedFold, Slicing, WindowFold, Windowed,
    session::{Contents, Records, Sums},
};
use crate::{
    Aggregate, KeyLimits, Keyed, Operator,
    algorithm::{FingerTree, Using, using},
};

/// Whether it makes a difference in which order accumulators are combined: which operators there are for each.
pub trait Order {
    /// What does for two aggregates in one.
    #[doc(hidden)]
    type And<O: Order>: Order;

    /// Whether it makes none.
    const IS_ANY: bool;

    /// How windows are put together, for people, if that does not depend on the aggregate's algorithm.
    #[doc(hidden)]
    const EXPLANATION: Option<&'static str> = None;

    /// Aggregates over windows.
    #[doc(hidden)]
    type Fold<K, A, T, W>: Operator<Keyed<K, T>, Out = Windowed<K, T, A::Out>> + Clone + Send + 'static
    where
        K: Hash + Eq + Clone + Send + 'static,
        T: Send + 'static,
        A: Aggregate<T> + Clone + Send + 'static,
        W: Slicing + Send + 'static;

    /// Aggregates over windows that are kept after they have fired.
    #[doc(hidden)]
    type Kept<K, A, T, W>: Operator<Keyed<K, T>, Out = Windowed<K, T, A::Out>> + Clone + Send + 'static
    where
        K: Hash + Eq + Clone + Send + 'static,
        T: Send + 'static,
        A: Aggregate<T> + Clone + Send + 'static,
        W: Slicing + Send + 'static;

    /// What sessions come to.
    #[doc(hidden)]
    type Sessions<A: Aggregate<T>, T>: Contents<A, T>;

    #[doc(hidden)]
    fn fold<K, A, T, W>(windows: W, aggregate: A, limits: KeyLimits) -> Self::Fold<K, A, T, W>
    where
        K: Hash + Eq + Clone + Send + 'static,
        T: Send + 'static,
        A: Aggregate<T> + Clone + Send + 'static,
        W: Slicing + Send + 'static;

    #[doc(hidden)]
    fn kept<K, A, T, W>(
        windows: W,
        aggregate: A,
        limits: KeyLimits,
        lateness: (Span, bool),
    ) -> Self::Kept<K, A, T, W>
    where
        K: Hash + Eq + Clone + Send + 'static,
        T: Send + 'static,
        A: Aggregate<T> + Clone + Send + 'static,
        W: Slicing + Send + 'static;
}

/// It makes no difference.
#[derive(Debug, Clone, Copy)]
pub enum AnyOrder {}

/// What is later goes behind what is earlier.
#[derive(Debug, Clone, Copy)]
pub enum InOrder {}

/// What two accumulators come to, the older first.
pub(super) fn joined<T, A: Aggregate<T>>(aggregate: &A) -> impl Fn(&A::Acc, &A::Acc) -> A::Acc {
    |one, other| {
        let mut joined = one.clone();
        aggregate.combine(&mut joined, other);
        joined
    }
}

impl Order for AnyOrder {
    type And<O: Order> = O;

    const IS_ANY: bool = true;

    type Fold<K, A, T, W>
        = WindowFold<K, A, T, W>
    where
        K: Hash + Eq + Clone + Send + 'static,
        T: Send + 'static,
        A: Aggregate<T> + Clone + Send + 'static,
        W: Slicing + Send + 'static;

    type Kept<K, A, T, W>
        = WindowFold<K, Using<FingerTree, A>, T, W>
    where
        K: Hash + Eq + Clone + Send + 'static,
        T: Send + 'static,
        A: Aggregate<T> + Clone + Send + 'static,
        W: Slicing + Send + 'static;

    type Sessions<A: Aggregate<T>, T> = Sums;

    fn fold<K, A, T, W>(windows: W, aggregate: A, limits: KeyLimits) -> WindowFold<K, A, T, W>
    where
        K: Hash + Eq + Clone + Send + 'static,
        T: Send + 'static,
        A: Aggregate<T> + Clone + Send + 'static,
        W: Slicing + Send + 'static,
    {
        WindowFold::new(windows, aggregate).with_limits(limits)
    }

    fn kept<K, A, T, W>(
        windows: W,
        aggregate: A,
        limits: KeyLimits,
        (allowed, retracts): (Span, bool),
    ) -> WindowFold<K, Using<FingerTree, A>, T, W>
    where
        K: Hash + Eq + Clone + Send + 'static,
        T: Send + 'static,
        A: Aggregate<T> + Clone + Send + 'static,
        W: Slicing + Send + 'static,
    {
        let fold = WindowFold::new(windows, using(FingerTree, aggregate)).with_limits(limits);
        fold.with_lateness(allowed, retracts)
    }
}

impl Order for InOrder {
    type And<O: Order> = Self;

    const IS_ANY: bool = false;

    const EXPLANATION: Option<&'static str> =
        Some("a finger tree of records for each key, as the aggregate is not known to commute");

    type Fold<K, A, T, W>
        = OrderedFold<K, A, T, W>
    where
        K: Hash + Eq + Clone + Send + 'static,
        T: Send + 'static,
        A: Aggregate<T> + Clone + Send + 'static,
        W: Slicing + Send + 'static;

    type Kept<K, A, T, W>
        = OrderedFold<K, A, T, W>
    where
        K: Hash + Eq + Clone + Send + 'static,
        T: Send + 'static,
        A: Aggregate<T> + Clone + Send + 'static,
        W: Slicing + Send + 'static;

    type Sessions<A: Aggregate<T>, T> = Records;

    fn fold<K, A, T, W>(windows: W, aggregate: A, limits: KeyLimits) -> OrderedFold<K, A, T, W>
    where
        K: Hash + Eq + Clone + Send + 'static,
        T: Send + 'static,
        A: Aggregate<T> + Clone + Send + 'static,
        W: Slicing + Send + 'static,
    {
        OrderedFold::new(windows, aggregate, limits)
    }

    fn kept<K, A, T, W>(
        windows: W,
        aggregate: A,
        limits: KeyLimits,
        (allowed, retracts): (Span, bool),
    ) -> OrderedFold<K, A, T, W>
    where
        K: Hash + Eq + Clone + Send + 'static,
        T: Send + 'static,
        A: Aggregate<T> + Clone + Send + 'static,
        W: Slicing + Send + 'static,
    {
        OrderedFold::new(windows, aggregate, limits).with_lateness(allowed, retracts)
    }
}
