//! Several families of windows over one stream, which share slices.

use std::{array, hash::Hash};

use nacreous_operators::{
    Aggregate, Beyond, Keyed, OfFamily, Operator, SharedFold, Sliding, WindowResult, Windowed,
    algorithm::{FingerTree, using},
};
use nacreous_watermark::{Cadence, Span};

use super::{KeptWindows, Timed, WindowedStream, Windows};
use crate::{
    graph::{GraphError, Role},
    operator_name::OperatorName,
    plan::{DealMake, PortId, Upstream},
    stream::Stream,
};

/// Several at once: see [`aggregate_each`](WindowedStream::aggregate_each).
impl<const N: usize> Windows for [Sliding; N] {
    fn close(&self, cadence: &mut Cadence, later: Span) {
        self.iter().for_each(|windows| windows.close(cadence, later));
    }
}

impl<const N: usize> Timed for [Sliding; N] {}

impl<K, T, U, const N: usize> WindowedStream<K, T, U, [Sliding; N]>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Clone + Send + 'static,
    U: Upstream<Out = Keyed<K, T>>,
{
    /// Aggregates the records of each key in each window of several families: for each the stream of results, and that of the
    /// records that are late for it. It comes to what [`aggregate`](WindowedStream::aggregate) would, over a copy of the stream for
    /// each family; but a record is added up once, in a slice of time that all of them share.
    ///
    /// ```
    /// use nacreous::prelude::*;
    /// use std::time::Duration;
    ///
    /// let graph = Graph::new();
    /// let [short, long] = [10, 40].map(Duration::from_nanos);
    /// let [(short, _), (long, _)] = graph
    ///     .iter(0..80_i64)
    ///     .event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE)
    ///     .key_by(|n| n % 2)
    ///     .window([Sliding::tumbling(short)?, Sliding::new(long, short)?])
    ///     .aggregate_each(count());
    /// let (short, long) = (short.collect(), long.collect());
    /// graph.run(JobOptions::default())?;
    /// assert_eq!((short.take().len(), long.take().len()), (2 * 8, 2 * 11));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The results of each family must end in a sink. Each family takes its records by an edge. In the job's report a record counts
    /// as late if it is late for all families; those that it is late for get a clone of it.
    ///
    /// # Cost
    /// A record: one look-up of its key, as with windows that do not overlap. A slice that closes: a look-up and a combination for each
    /// of its keys in each family, and a clone of the key. The slices are as long as the greatest common divisor of all sizes, hops
    /// and differences of offsets: windows of a minute, of five and of an hour share slices of a minute, but those of 7 and of 11
    /// seconds share slices of one, and then there is less to be won. Memory: keys in the slices that are open, and as much
    /// for each family as if it were alone, with room for what is in the slices.
    #[track_caller]
    pub fn aggregate_each<A>(
        self,
        aggregate: A,
    ) -> [(
        Stream<WindowResult<K, A::Out>, impl Upstream<Out = WindowResult<K, A::Out>> + use<K, T, U, A, N>>,
        Stream<Keyed<K, T>>,
    ); N]
    where
        A: Aggregate<T, Out: Send + 'static> + Clone + Send + 'static,
    {
        let name = OperatorName::here(&"aggregate_each");
        let operator = SharedFold::new(self.windows, aggregate, self.sharing.limits);
        self.dealt(operator, name.explained(&"all families of windows are put together from the same slices"))
    }
}

impl<K, T, U, const N: usize> WindowedStream<K, T, U, KeptWindows<[Sliding; N]>>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Clone + Send + 'static,
    U: Upstream<Out = Keyed<K, T>>,
{
    /// As [`aggregate_each`](WindowedStream::aggregate_each) without lateness; windows of all families are kept.
    #[track_caller]
    pub fn aggregate_each<A>(
        self,
        aggregate: A,
    ) -> [(
        Stream<WindowResult<K, A::Out>, impl Upstream<Out = WindowResult<K, A::Out>> + use<K, T, U, A, N>>,
        Stream<Keyed<K, T>>,
    ); N]
    where
        A: Aggregate<T, Out: Send + 'static> + Clone + Send + 'static,
    {
        let name = OperatorName::here(&"aggregate_each");
        let KeptWindows { windows, allowed, retracts } = self.windows;
        let operator = SharedFold::new(windows, using(FingerTree, aggregate), self.sharing.limits)
            .with_lateness(allowed, retracts);
        self.dealt(
            operator,
            name.explained(&"all families of windows are put together from the same slices, and kept"),
        )
    }
}

impl<K, T, U, W> WindowedStream<K, T, U, W>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    U: Upstream<Out = Keyed<K, T>>,
{
    /// The streams of the families that an operator deals its results to.
    fn dealt<R, O, const N: usize>(
        self,
        operator: O,
        name: OperatorName,
    ) -> [(
        Stream<WindowResult<K, R>, impl Upstream<Out = WindowResult<K, R>> + use<K, T, U, W, R, O, N>>,
        Stream<Keyed<K, T>>,
    ); N]
    where
        R: Send + 'static,
        O: Operator<Keyed<K, T>, Out = OfFamily<Windowed<K, T, R>>> + Clone + Send + 'static,
    {
        if self.sharing.limits.held.beyond == Beyond::Late {
            self.carried.graph.borrow_mut().refuse(GraphError::SharedBeyond(name));
        }
        let carried = self.carried.exchange(self.sharing.instances).then(operator, name);
        let (graph, instances) = (carried.graph.clone(), carried.instances);
        let ports: [PortId; N] = array::from_fn(|_| carried.add_port(carried.last, instances, Role::Main));
        carried.end(DealMake { ports: ports.to_vec() });
        ports.map(|port| Stream::<Windowed<K, T, R>>::at_port(&graph, port, false).part(Role::Side))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::prelude::*;

    #[test]
    fn families_that_are_to_refuse_records_are_refused() {
        for (beyond, starts) in [(crate::Beyond::Fail, true), (crate::Beyond::Late, false)] {
            let graph = Graph::new();
            let numbers =
                graph.iter(0..9_i64).event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
            let windows =
                [10, 20].map(|size| Sliding::tumbling(Duration::from_nanos(size)).expect("windows"));
            let families =
                numbers.key_by(|n| n % 3).window(windows).max_held(9, beyond).aggregate_each(count());
            let _ = families.map(|(counts, _)| counts.discard());
            let error = graph.run(JobOptions::default()).err().map(|error| error.to_string());
            assert_eq!(error.is_none(), starts, "{error:?}");
            assert!(
                error.is_none_or(
                    |error| error.contains("`aggregate_each` (") && error.contains("Beyond::Fail")
                )
            );
        }
    }
}
