//! How windows that overlap are put together of their slices.
//!
//! The aggregate's algebra chooses: [`Running`] for groups, [`DabaLite`] for all others. [`using`] forces another one.
//!
//! | algorithm | aggregates | a slice that comes in | one that leaves | a result |
//! |---|---|---|---|---|
//! | [`Running`] | groups | 1 combination | 1 subtraction | none |
//! | [`DabaLite`] | all | 3 at most | 2 at most | 1 |
//! | [`TwoStacks`] | all | 1 | 1 on average; at times as many as there are slices | 1 |
//! | [`Recompute`] | all | none | none | as many as there are slices |
//! | [`FingerTree`] | all | about the logarithm of how far from the newest it is | about 1 on average | about the logarithm of the slices |
//!
//! An aggregate that does not commute is put together of no slices: see [`OrderedFold`](crate::OrderedFold).
//!
//! What a record that comes late adds to a window which is put together already goes into a finger tree beside the queue.

use std::{convert::Infallible, marker::PhantomData};

use nacreous_watermark::Timestamp;

use super::{Aggregate, Algebra};
use crate::queue::{self, InRows, Queue};

/// A way to put together windows that overlap.
pub trait Algorithm {
    /// What is kept of each key.
    #[doc(hidden)]
    type Queue<A: Clone + Send + 'static>: Queue<A>;

    /// What does for two aggregates in one.
    #[doc(hidden)]
    type And<B: Algorithm>: Algorithm;

    /// Whether it takes out what was combined.
    #[doc(hidden)]
    const SUBTRACTS: bool = false;

    /// What it is and why it was taken, for people.
    const EXPLANATION: &'static str;
}

/// One running accumulator for each key: a slice is added when it comes in, and taken out when it leaves.
#[derive(Debug, Clone, Copy)]
pub struct Running;

/// DABA Lite: see [`DabaLite`](crate::DabaLite).
#[derive(Debug, Clone, Copy)]
pub struct DabaLite;

/// Two stacks: less to do than with [`DabaLite`] on average, but now and then all slices of a key at once.
#[derive(Debug, Clone, Copy)]
pub struct TwoStacks;

/// A finger B-tree of slices for each key: see [`FingerTree`](crate::FingerTree). For windows that are kept after they have fired.
#[derive(Debug, Clone, Copy)]
pub struct FingerTree;

/// Each window is put together anew. For comparisons.
#[derive(Debug, Clone, Copy)]
pub struct Recompute;

impl Algorithm for Running {
    type And<B: Algorithm> = B;
    const SUBTRACTS: bool = true;
    type Queue<A: Clone + Send + 'static> = InRows<queue::Running<A>>;
    const EXPLANATION: &'static str = "a running accumulator for each key, as the aggregate is a group";
}

impl Algorithm for DabaLite {
    type And<B: Algorithm> = Self;
    type Queue<A: Clone + Send + 'static> = InRows<queue::Stretches<queue::Spot, A>>;
    const EXPLANATION: &'static str = "DABA Lite for each key, as the aggregate is not known to be a group";
}

impl Algorithm for TwoStacks {
    type And<B: Algorithm> = Self;
    type Queue<A: Clone + Send + 'static> = InRows<queue::TwoStacks<A>>;
    const EXPLANATION: &'static str = "two stacks for each key, as chosen";
}

impl Algorithm for FingerTree {
    type And<B: Algorithm> = Self;
    type Queue<A: Clone + Send + 'static> = queue::Kept;
    const EXPLANATION: &'static str = "a finger tree for each key, of which windows can be asked for again";
}

impl Algorithm for Recompute {
    type And<B: Algorithm> = Self;
    type Queue<A: Clone + Send + 'static> = InRows<queue::Recompute>;
    const EXPLANATION: &'static str = "put together anew for each window, as chosen";
}

/// An aggregate whose windows are put together by an algorithm of the user's choice; see [`using`].
#[derive(Debug, Clone)]
pub struct Using<G, A>(A, PhantomData<G>);

/// Has the windows of `aggregate` put together by this algorithm: [`DabaLite`], [`TwoStacks`], [`FingerTree`] or
/// [`Recompute`]. Of one that does not commute there are no slices to put together, and no choice.
///
/// ```
/// use nacreous_operators::{algorithm::{TwoStacks, using}, stats};
///
/// let aggregate = using(TwoStacks, stats(|n: &i64| *n));
/// ```
pub fn using<G: Any, A>(_: G, aggregate: A) -> Using<G, A> {
    Using(aggregate, PhantomData)
}

/// An [`Algorithm`] that does for any aggregate.
pub trait Any: Algorithm + Clone {}

impl Any for DabaLite {}
impl Any for TwoStacks {}
impl Any for FingerTree {}
impl Any for Recompute {}

/// The algebra of an aggregate for which an algorithm was chosen.
#[derive(Debug)]
pub enum Chosen<G> {
    #[doc(hidden)]
    Never(Infallible, PhantomData<G>),
}

impl<T, G: Any, A: Aggregate<T>> Algebra<Using<G, A>, T> for Chosen<G> {
    type Algorithm = G;
    type Order = <A::Algebra as Algebra<A, T>>::Order;

    fn subtract(_: &Using<G, A>, _: &mut A::Acc, _: &A::Acc) {
        unreachable!("none of these algorithms takes anything out")
    }
}

impl<T, G: Any, A: Aggregate<T>> Aggregate<T> for Using<G, A> {
    type Acc = A::Acc;
    type Out = A::Out;
    type Algebra = Chosen<G>;

    #[inline]
    fn lift(&self, value: &T, time: Timestamp) -> A::Acc {
        self.0.lift(value, time)
    }

    #[inline]
    fn add(&self, acc: &mut A::Acc, value: &T, time: Timestamp) {
        self.0.add(acc, value, time);
    }

    #[inline]
    fn combine(&self, acc: &mut A::Acc, other: &A::Acc) {
        self.0.combine(acc, other);
    }

    #[inline]
    fn finish(&self, acc: A::Acc) -> A::Out {
        self.0.finish(acc)
    }
}
