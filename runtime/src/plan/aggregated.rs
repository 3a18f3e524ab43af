//! Windowed aggregates, in one stage or in two.

use std::{hash::Hash, marker::PhantomData};

use nacreous_operators::{
    Aggregate, Algebra, KeyLimits, Keyed, Order, Slicing, WindowMerge, WindowPartials, Windowed,
};

use super::{Assembly, Exchange, FromPort, Instances, Make, RouteMake, Stage, Then, Upstream};
use crate::operator_name::OperatorId;

/// With more keys than this expected in a window, records go to where their key is kept. An instance in front of that would
/// hold most of the keys as well, and spend as much on each record as the one behind.
const KEYS_IN_CACHE: usize = 8_192;

/// Whether the aggregate depends on the order of its records.
type OrderOf<A, T> = <<A as Aggregate<T>>::Algebra as Algebra<A, T>>::Order;

/// A keyed stream and an aggregate over windows of it.
pub(crate) struct Aggregated<U, K, A, T, W> {
    pub(crate) up: U,
    pub(crate) from: Instances,
    /// Those that share the keys.
    pub(crate) keyed: Instances,
    pub(crate) windows: W,
    pub(crate) aggregate: A,
    pub(crate) limits: KeyLimits,
    pub(crate) id: OperatorId,
    /// Whether the job keeps accounts of what comes in.
    pub(crate) accountable: bool,
    pub(crate) records: PhantomData<fn() -> (K, T)>,
}

impl<U, K, A, T, W> Aggregated<U, K, A, T, W> {
    /// Whether each instance is to add up its own records before they are brought together by key.
    ///
    /// Few numbers then go between threads in place of all records. But a limit on keys or memory holds for one keyed instance, and
    /// nobody in front of it knows how near it is. And what does not commute must have its records together.
    fn is_in_two_stages<O: Order>(&self, plan: &Assembly) -> bool {
        let KeyLimits { most, held, .. } = KeyLimits::default();
        let is_limited = self.limits.most < most || self.limits.held.most < held.most;
        let is_worth_it =
            !plan.is_straight(self.from, self.keyed) && self.limits.expected <= KEYS_IN_CACHE && !is_limited;
        O::IS_ANY && is_worth_it
    }
}

impl<U, K, A, T, W> Upstream for Aggregated<U, K, A, T, W>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    U: Upstream<Out = Keyed<K, T>>,
    A: Aggregate<T, Out: Send + 'static> + Clone + Send + 'static,
    W: Slicing + Send + 'static,
{
    type Out = Windowed<K, T, A::Out>;

    fn assemble(self, make: impl Make<Self::Out>, plan: &mut Assembly) {
        let in_two = self.is_in_two_stages::<OrderOf<A, T>>(plan);
        let Self { up, from, keyed, windows, aggregate, limits, id, accountable, .. } = self;
        if !in_two {
            let operator = OrderOf::<A, T>::fold(windows, aggregate, limits);
            let up = Exchange { up, from, keyed };
            return Then { up, stage: Stage { operator, id, accountable } }.assemble(make, plan);
        }
        let port = plan.new_port(keyed);
        let operator = WindowPartials::new(windows, aggregate.clone(), limits);
        let first = Then { up, stage: Stage { operator, id, accountable } };
        first.assemble(RouteMake { port, accountable: false }, plan);
        // Accounts have been kept of the records where they were added up.
        let operator = WindowMerge::new(aggregate, limits);
        Then { up: FromPort::at(port), stage: Stage { operator, id, accountable: false } }
            .assemble(make, plan);
    }
}
