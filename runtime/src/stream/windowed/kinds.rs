//! The kinds of windows, and which operator aggregates over each.

use std::hash::Hash;

use nacreous_operators::{
    Aggregate, Algebra, CountFold, Counted, Gaps, Keyed, Operator, Order, Periods, Session, SessionFold,
    Slicing, Sliding, Windowed,
    algorithm::{Algorithm, FingerTree},
};
use nacreous_watermark::{Cadence, Span};

use crate::{
    operator_name::OperatorName,
    plan::Upstream,
    stream::{Stream, carried::Carried, keyed::Sharing},
};

/// A way to cut a keyed stream into windows: [`Sliding`] or an array of several, [`Periods`], [`Session`], [`Counted`],
/// [`Global`](crate::Global), or what a function says that is given to [`assigned_by`](crate::assigned_by).
pub trait Windows: Clone {
    /// Adds the watermarks at which windows close, each so much later, to those that make a difference.
    #[doc(hidden)]
    fn close(&self, cadence: &mut Cadence, later: Span);
}

/// Windows over which an aggregate of type `A` can be taken: all, with any aggregate. (One that does not commute is refused when it is
/// compiled where windows are aggregated each by itself: with early results, of all time, or as a function says.)
#[diagnostic::on_unimplemented(
    message = "no aggregate can be taken over `{Self}`",
    note = "there are `Sliding`, `Periods`, `Session`, `Counted`, `Global` and `assigned_by(|value: &{T}, time| …)`; \
            the aggregate's values must be `Send`",
    note = "over several `Sliding` at once there is `aggregate_each`"
)]
pub trait Aggregable<K, T, A: Aggregate<T>>: Sized {
    /// Puts an operator that aggregates on a stream.
    #[doc(hidden)]
    fn aggregate<U: Upstream<Out = Keyed<K, T>>>(
        self,
        site: Site<U>,
        aggregate: A,
    ) -> Stream<Windowed<K, T, A::Out>, impl Upstream<Out = Windowed<K, T, A::Out>>>;
}

/// The keyed stream that is cut into windows, and what is known of the operator that does it.
pub struct Site<U> {
    pub(super) carried: Carried<U>,
    pub(super) sharing: Sharing,
    pub(super) name: OperatorName,
}

impl<U: Upstream> Site<U> {
    /// Has an operator take all records where their keys are kept.
    pub(super) fn in_one_stage<K, T, R, O>(
        self,
        operator: O,
    ) -> Stream<Windowed<K, T, R>, impl Upstream<Out = Windowed<K, T, R>>>
    where
        U: Upstream<Out = Keyed<K, T>>,
        K: Hash + Send + 'static,
        T: Send + 'static,
        R: Send + 'static,
        O: Operator<Keyed<K, T>, Out = Windowed<K, T, R>> + Clone + Send + 'static,
    {
        Stream::of_results(self.carried.exchange(self.sharing.instances).then(operator, self.name))
    }
}

/// Windows whose bounds are times, so that they can be kept for records that come late: all but [`Counted`] and
/// [`Global`](crate::Global) without early results, for which nothing is late.
pub trait Timed: Windows {}

impl Timed for Sliding {}
impl Timed for Periods {}
impl<G: Clone> Timed for Session<G> {}

/// Windows that are made of slices: [`Sliding`] and [`Periods`].
pub trait Sliced: Timed + Slicing + Send + 'static {}

impl Sliced for Sliding {}
impl Sliced for Periods {}

impl Windows for Sliding {
    fn close(&self, cadence: &mut Cadence, later: Span) {
        cadence.add(self.ends().later(later));
    }
}

impl Windows for Periods {
    fn close(&self, cadence: &mut Cadence, later: Span) {
        cadence.add_instants(self.starts(), later);
    }
}

/// A session is let go of at one of the instants at which others may fire.
impl<G: Clone> Windows for Session<G> {
    fn close(&self, cadence: &mut Cadence, _: Span) {
        cadence.add(self.ends());
    }
}

impl Windows for Counted {
    fn close(&self, cadence: &mut Cadence, _: Span) {
        cadence.add(self.ends());
    }
}

/// Windows that are kept for a while after they have fired: see [`allowed_lateness`](super::WindowedStream::allowed_lateness).
#[derive(Debug, Clone)]
pub struct KeptWindows<W> {
    pub(super) windows: W,
    pub(super) allowed: Span,
    pub(super) retracts: bool,
}

impl<W: Timed> KeptWindows<W> {
    pub(super) fn new(windows: W, allowed: Span) -> Self {
        Self { windows, allowed, retracts: false }
    }
}

impl<W> KeptWindows<W> {
    pub(super) fn retract(&mut self) {
        self.retracts = true;
    }
}

impl<K, T, A, W> Aggregable<K, T, A> for W
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    A: Aggregate<T, Out: Send + 'static> + Clone + Send + 'static,
    W: Sliced,
{
    fn aggregate<U: Upstream<Out = Keyed<K, T>>>(
        self,
        Site { carried, sharing, name }: Site<U>,
        aggregate: A,
    ) -> Stream<Windowed<K, T, A::Out>, impl Upstream<Out = Windowed<K, T, A::Out>>> {
        let name = name.explained(match &<A::Algebra as Algebra<A, T>>::Order::EXPLANATION {
            Some(explanation) => explanation,
            None if self.tumble() => &"each window is one slice: nothing is put together",
            None => &<A::Algebra as Algebra<A, T>>::Algorithm::EXPLANATION,
        });
        Stream::of_results(carried.aggregated(sharing.instances, self, aggregate, sharing.limits, name))
    }
}

impl<K, T, A, W> Aggregable<K, T, A> for KeptWindows<W>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    A: Aggregate<T, Out: Send + 'static> + Clone + Send + 'static,
    W: Sliced,
{
    fn aggregate<U: Upstream<Out = Keyed<K, T>>>(
        self,
        site: Site<U>,
        aggregate: A,
    ) -> Stream<Windowed<K, T, A::Out>, impl Upstream<Out = Windowed<K, T, A::Out>>> {
        let name = site.name.explained(match &<A::Algebra as Algebra<A, T>>::Order::EXPLANATION {
            Some(explanation) => explanation,
            None => &FingerTree::EXPLANATION,
        });
        let lateness = (self.allowed, self.retracts);
        let operator = <A::Algebra as Algebra<A, T>>::Order::kept(
            self.windows,
            aggregate,
            site.sharing.limits,
            lateness,
        );
        Site { name, ..site }.in_one_stage(operator)
    }
}

impl<K, T, A, G> Aggregable<K, T, A> for Session<G>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    A: Aggregate<T, Out: Send + 'static> + Clone + Send + 'static,
    G: Gaps<K>,
{
    fn aggregate<U: Upstream<Out = Keyed<K, T>>>(
        self,
        site: Site<U>,
        aggregate: A,
    ) -> Stream<Windowed<K, T, A::Out>, impl Upstream<Out = Windowed<K, T, A::Out>>> {
        let operator = SessionFold::new(self, aggregate, site.sharing.limits);
        site.in_one_stage(operator)
    }
}

impl<K, T, A, G> Aggregable<K, T, A> for KeptWindows<Session<G>>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    A: Aggregate<T, Out: Send + 'static> + Clone + Send + 'static,
    G: Gaps<K>,
{
    fn aggregate<U: Upstream<Out = Keyed<K, T>>>(
        self,
        site: Site<U>,
        aggregate: A,
    ) -> Stream<Windowed<K, T, A::Out>, impl Upstream<Out = Windowed<K, T, A::Out>>> {
        let operator = SessionFold::new(self.windows, aggregate, site.sharing.limits)
            .with_lateness(self.allowed, self.retracts);
        site.in_one_stage(operator)
    }
}

impl<K, T, A> Aggregable<K, T, A> for Counted
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    A: Aggregate<T, Out: Send + 'static> + Clone + Send + 'static,
{
    fn aggregate<U: Upstream<Out = Keyed<K, T>>>(
        self,
        site: Site<U>,
        aggregate: A,
    ) -> Stream<Windowed<K, T, A::Out>, impl Upstream<Out = Windowed<K, T, A::Out>>> {
        let operator = CountFold::new(self, aggregate, site.sharing.limits);
        site.in_one_stage(operator)
    }
}
