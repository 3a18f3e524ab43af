//! Streams that come together, part, and are copied.

use std::array;

use nacreous_operators::{SplitBy, TryMap};

use super::Stream;
use crate::{
    graph::Role,
    operator_name::OperatorName,
    plan::{CopiesMake, ForwardMake, Instances, PortId, Upstream},
};

impl<T: Send + 'static, U: Upstream<Out = T>> Stream<T, U> {
    /// Brings two streams together. The records of each stay in order; those of one come between those of the other
    /// as they happen to arrive.
    ///
    /// The watermark is the lesser of the two, so a stream in which nothing happens holds back windows over both.
    /// Whether a record is late is judged by the watermark of the stream it came from, so that it does not depend on
    /// how far the other one is. What depends on the order of records across the two (`scan`, say) is up to chance.
    ///
    /// Streams of two graphs are refused when either is started.
    ///
    /// ```
    /// use nacreous::prelude::*;
    ///
    /// let graph = Graph::new();
    /// let numbers = |numbers: Vec<i64>| graph.iter(numbers).event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
    /// let all = numbers(vec![1, 3, 5]).merge(numbers(vec![2, 4])).order_by(|n| *n).collect();
    /// graph.run(JobOptions::default())?;
    /// let all: Vec<i64> = all.take().into_iter().map(|record| record.value).collect();
    /// assert_eq!(all, [1, 2, 3, 4, 5]);
    /// # Ok::<(), nacreous::RunError>(())
    /// ```
    ///
    /// # Cost
    /// Each of the two hands its records on in batches, by an edge; nothing is fused across it.
    #[track_caller]
    pub fn merge<V: Upstream<Out = T>>(self, other: Stream<T, V>) -> Stream<T> {
        let name = OperatorName::here(&"merge");
        self.carried.meets(&other.carried, name);
        let instances = self.carried.instances.meet(other.carried.instances);
        let accountable = self.carried.accountable && other.carried.accountable;
        let (graph, operator) = (self.carried.graph.clone(), self.carried.add_operator(name));
        let port = self.carried.add_port(operator, instances, Role::Main);
        self.carried.gather_into(port, accountable);
        other.carried.gather_into(port, accountable);
        Stream::at_port(&graph, port, accountable)
    }

    /// Parts the stream in two: values for which `predicate` is true, and the others. Both must end in a sink.
    #[track_caller]
    pub fn split<F>(self, predicate: F) -> (Stream<T, impl Upstream<Out = T> + use<T, U, F>>, Stream<T>)
    where
        F: FnMut(&T) -> bool + Clone + Send + 'static,
    {
        self.then(SplitBy::new(predicate), OperatorName::here(&"split")).part(Role::Main)
    }

    /// Turns each value into another, or refuses it: the stream of what came of it, and that of the reasons. Refused
    /// values are counted in the job's report, whether or not the second stream is used.
    ///
    /// ```
    /// use nacreous::prelude::*;
    ///
    /// let graph = Graph::new();
    /// let (numbers, refused) = graph
    ///     .iter(["1", "two", "3"])
    ///     .event_time(|_| Timestamp::from_nanos(0), BoundedDisorder::NONE)
    ///     .try_map(|text| text.parse::<i64>().map_err(|error| format!("{text}: {error}")));
    /// let (numbers, refused) = (numbers.collect(), refused.collect());
    /// let report = graph.run(JobOptions::default())?;
    /// assert_eq!((numbers.take().len(), report.records_rejected), (2, 1));
    /// assert_eq!(refused.take()[0].value, "two: invalid digit found in string");
    /// # Ok::<(), nacreous::RunError>(())
    /// ```
    #[track_caller]
    pub fn try_map<O, E, F>(self, f: F) -> (Stream<O, impl Upstream<Out = O> + use<T, U, O, E, F>>, Stream<E>)
    where
        O: Send + 'static,
        E: Send + 'static,
        F: FnMut(T) -> Result<O, E> + Clone + Send + 'static,
    {
        self.then(TryMap::new(f), OperatorName::here(&"try_map")).part(Role::Side)
    }

    /// Makes several streams of one: each record is cloned for each.
    ///
    /// How many is known from what the result is taken as: `let [a, b] = stream.broadcast();`. All of them must end in
    /// a sink; a slow one holds back the others.
    ///
    /// # Cost
    /// A clone of each record for each stream but the last, and an edge to each.
    #[track_caller]
    pub fn broadcast<const N: usize>(self) -> [Stream<T>; N]
    where
        T: Clone,
    {
        const { assert!(N > 0, "a broadcast needs at least one stream to go to") };
        let operator = self.carried.add_operator(OperatorName::here(&"broadcast"));
        let (instances, accountable) = (self.carried.instances, self.carried.accountable);
        let graph = self.carried.graph.clone();
        let ports: [PortId; N] = array::from_fn(|_| self.carried.add_port(operator, instances, Role::Main));
        self.carried.end(CopiesMake { ports: ports.to_vec(), accountable });
        ports.map(|port| Stream::at_port(&graph, port, accountable))
    }

    /// Cuts here: what follows is a task of its own, and the stream's type says nothing of what comes before.
    ///
    /// # Cost
    /// Records move to it in batches, by an edge; nothing is fused across it.
    #[track_caller]
    pub fn isolate(self) -> Stream<T> {
        let (name, instances) = (OperatorName::here(&"isolate"), self.carried.instances);
        self.isolate_in(instances, name)
    }

    /// Cuts here as [`isolate`](Self::isolate) does: what follows, up to where it is grouped or comes together with others,
    /// runs on one worker, the one of this number, counted from 0. (Its core is in the job's
    /// [report](crate::JobReport::workers).) A graph that asks for a worker that its job does not have is refused when it is
    /// started.
    ///
    /// ```
    /// use nacreous::prelude::*;
    ///
    /// let graph = Graph::new();
    /// let numbers = graph.iter(0..9_i64).event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
    /// numbers.map(|n| n * n).isolate_on(1).named("apart").map(|n| n + 1).isolate_on(0).discard();
    /// let plan = graph.plan(JobOptions { workers: 2, ..JobOptions::DEFAULT })?;
    /// let workers: Vec<_> = plan.explain().tasks.iter().map(|task| task.worker).collect();
    /// assert_eq!(workers, [0, 1, 0]);
    /// plan.start()?.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Cost
    /// That of `isolate`. Parallel instances come together there.
    #[track_caller]
    pub fn isolate_on(self, worker: usize) -> Stream<T> {
        self.isolate_in(Instances::At(worker), OperatorName::here(&"isolate_on"))
    }

    fn isolate_in(self, instances: Instances, name: OperatorName) -> Stream<T> {
        let operator = self.carried.add_operator(name);
        let accountable = self.carried.accountable;
        let graph = self.carried.graph.clone();
        let port = self.carried.add_port(operator, instances, Role::Main);
        self.carried.end(ForwardMake { port, accountable: false });
        Stream::at_port(&graph, port, accountable)
    }
}
