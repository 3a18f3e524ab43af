mod families;
mod kinds;
mod triggered;

use std::{hash::Hash, marker::PhantomData, time::Duration};

use nacreous_operators::{Aggregate, Beyond, Either, HeldLimit, Keyed, Sliding, WindowJoin, WindowResult};
use nacreous_watermark::Span;

use super::{
    Stream,
    carried::Carried,
    keyed::{KeyedStream, Sharing, together},
};
use crate::{graph::Role, operator_name::OperatorName, plan::Upstream};
use kinds::Site;
pub use kinds::{Aggregable, KeptWindows, Sliced, Timed, Windows};
pub use triggered::EarlyWindows;

/// A keyed stream cut into windows: of `Sliding::tumbling` each record lies in one, of `Sliding::new` in size ÷ hop, of `Session`
/// in that which it makes with those around it, of `Periods` in that which has begun last, of `Counted` with a number of others of its key,
/// of `Global` in the one there is, of `assigned_by` in those that a function says.
/// An array of several `Sliding` is for [`aggregate_each`](Self::aggregate_each).
#[must_use = "a stream does nothing until it ends in a sink"]
pub struct WindowedStream<K, T, U, W = Sliding> {
    carried: Carried<U>,
    sharing: Sharing,
    windows: W,
    records: PhantomData<fn() -> (K, T)>,
}

impl<K, T, U, W> WindowedStream<K, T, U, W> {
    pub(super) fn new(carried: Carried<U>, sharing: Sharing, windows: W) -> Self {
        Self { carried, sharing, windows, records: PhantomData }
    }
}

impl<K, T, U, W> WindowedStream<K, T, U, W> {
    /// How much each instance of the operator that follows may hold: accumulators, one for each key in each slice (or session) of a
    /// window that is open or kept, and records that wait for something. It is in the job's [report](crate::JobReport::held). What
    /// becomes of a record that would need one more is said by `beyond`: it fails the job, or goes out with the late records and
    /// is [counted apart](crate::JobReport::records_refused). Nothing vanishes.
    ///
    /// A [join](Self::join) holds records. Windows that [share slices](Self::aggregate_each) hold so much in the slices and in each family,
    /// and take [`Beyond::Fail`] alone: a graph that asks them for the other is refused when it is started.
    ///
    /// A limit is there to keep a job alive. Which records exceed it depends on how many keys an instance has, and so on the number of
    /// workers.
    ///
    /// ```
    /// use nacreous::{Beyond, prelude::*};
    /// use std::time::Duration;
    ///
    /// let graph = Graph::new();
    /// let (counts, beyond) = graph
    ///     .iter(["ada", "bob", "cyd", "ada"])
    ///     .event_time(|_| Timestamp::from_nanos(0), BoundedDisorder::NONE)
    ///     .key_by(|name| *name)
    ///     .window(Sliding::tumbling(Duration::from_secs(1))?)
    ///     .max_held(2, Beyond::Late)
    ///     .aggregate(count());
    /// let (counts, beyond) = (counts.collect(), beyond.collect());
    /// let report = graph.run(JobOptions::default())?;
    /// let counts: Vec<_> = counts.take().into_iter().map(|count| (count.value.key, count.value.value)).collect();
    /// assert_eq!(counts, [("ada", 2), ("bob", 1)]);
    /// assert_eq!((beyond.take()[0].value.key, report.records_late, report.records_refused), ("cyd", 1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Cost
    /// A comparison for each key that is new in a slice; for each record of sessions and of numbers of records. All records go to
    /// where their key is kept: there is no adding up in front of it.
    pub fn max_held(mut self, most: usize, beyond: Beyond) -> Self {
        self.sharing.limits.held = HeldLimit { most, beyond };
        self
    }
}

impl<K, T, U, W: Timed> WindowedStream<K, T, U, W> {
    /// Keeps windows for so long after they have fired, in event time: a record that comes behind the watermark, but not further
    /// than that, corrects each of its windows that has fired already.
    ///
    /// A window has one result on time, then one [correction](crate::ResultKind::Correction) for each late record of the key, at once,
    /// which says what all records so far come to; [`WindowResult::kind`] and [`number`](WindowResult::number) tell them apart. A
    /// correction's time is its window's last instant, as that of any result, and so behind the watermark: to whatever comes
    /// next it is a late record. ([`order_by`](Stream::order_by) lets late records pass at once, so where keys are in several
    /// instances a correction may come out of it before what it corrects.) More than 292 years is for ever.
    ///
    /// ```
    /// use nacreous::{ResultKind, prelude::*};
    /// use std::time::Duration;
    ///
    /// let graph = Graph::new();
    /// let (counts, late) = graph
    ///     .iter([1, 2, 12, 3, 31, 4]) // 3 and 4 are late
    ///     .event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE)
    ///     .key_by(|_| ())
    ///     .window(Sliding::tumbling(Duration::from_nanos(10))?)
    ///     .allowed_lateness(Duration::from_nanos(20))
    ///     .aggregate(count());
    /// let (counts, late) = (counts.collect(), late.collect());
    /// graph.run(JobOptions::default())?;
    /// let of_first: Vec<_> = counts.take().into_iter().filter(|count| count.value.window.start.as_nanos() == 0).collect();
    /// let said: Vec<_> = of_first.iter().map(|count| (count.value.kind, count.value.number, count.value.value)).collect();
    /// assert_eq!(said, [(ResultKind::OnTime, 0, 2), (ResultKind::Correction, 1, 3)]);
    /// assert_eq!(late.take()[0].value.value, 4); // the watermark is 31, more than 20 behind the end of its window
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Cost
    /// Records that are not late: as without, but for a look-up and an insertion into a tree for each key in a window that
    /// closes. A late one: for each window that it corrects a search in its key's tree, which takes about as long as the logarithm
    /// of the number of slices that are kept. Memory: each key with its accumulator, in each slice of a window that is kept. All
    /// records go to where their key is kept: there is no adding up in front of it.
    pub fn allowed_lateness(self, lateness: Duration) -> WindowedStream<K, T, U, KeptWindows<W>> {
        let Self { carried, sharing, windows, .. } = self;
        let allowed = Span::at_most(lateness);
        windows.close(&mut carried.graph.borrow_mut().needs.cadence, allowed);
        WindowedStream::new(carried, sharing, KeptWindows::new(windows, allowed))
    }
}

impl<K, T, U, W> WindowedStream<K, T, U, KeptWindows<W>> {
    /// Has each correction preceded by a [retraction](crate::ResultKind::Retraction) of what it corrects, for whoever adds results up.
    pub fn retracting(mut self) -> Self {
        self.windows.retract();
        self
    }
}

impl<K, T, U, W> WindowedStream<K, T, U, W>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    U: Upstream<Out = Keyed<K, T>>,
{
    /// Aggregates the records of each key in each window: the stream of results, and that of late records.
    ///
    /// A result leaves when the watermark passes the end of its window, one for each key with records in
    /// it. A record that finds all its windows closed is late. Late records are counted in the job's
    /// report whether or not the second stream is used.
    ///
    /// The stream of late records has no watermark before its end, since they are behind any: windows over
    /// it, and `order_by`, bring their results when the job ends.
    ///
    /// ```
    /// use nacreous::prelude::*;
    /// use std::time::Duration;
    ///
    /// let graph = Graph::new();
    /// let (sums, late) = graph
    ///     .iter([1, 4, 12, 3]) // in order, but for the last
    ///     .event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE)
    ///     .key_by(|_| ())
    ///     .window(Sliding::tumbling(Duration::from_nanos(10))?)
    ///     .aggregate(sum(|n: &i64| *n));
    /// let (sums, late) = (sums.collect(), late.collect());
    /// graph.run(JobOptions::default())?;
    /// let sums: Vec<_> = sums.take().into_iter().map(|sum| (sum.value.window.start.as_nanos(), sum.value.value)).collect();
    /// assert_eq!(sums, [(0, 5), (10, 12)]);
    /// assert_eq!(late.take()[0].value.value, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Sessions
    /// Of [`Session`](crate::Session) windows, a result has the bounds of the session, from its first record to a gap after its last.
    /// A record is late if it belongs to no session that is open, and one of its own would have ended: it is behind the watermark by
    /// the gap or more. Whether it is is decided when the watermark moves on.
    ///
    /// With [allowed lateness](Self::allowed_lateness), a late record that belongs to a session which has fired corrects it; it may make
    /// it longer, or join it to another one, and then the correction has other bounds. If corrections are
    /// [retracting](WindowedStream::retracting), what was said of each session that is part of the new one is taken back. Those of which
    /// the end is not closed yet say what they come to later.
    ///
    /// ```
    /// use nacreous::prelude::*;
    /// use std::time::Duration;
    ///
    /// let graph = Graph::new();
    /// let (visits, _late) = graph
    ///     .iter([("ada", 0), ("bob", 20), ("ada", 9), ("ada", 30)])
    ///     .event_time(|(_, at)| Timestamp::from_nanos(*at), BoundedDisorder::new(Duration::from_nanos(15))?)
    ///     .key_by(|(user, _)| *user)
    ///     .window(Session::with_gap(Duration::from_nanos(10))?)
    ///     .aggregate(count());
    /// let visits = visits.collect();
    /// graph.run(JobOptions::default())?;
    /// let visit = |v: WindowResult<_, _>| (v.key, v.window.start.as_nanos(), v.window.end.as_nanos(), v.value);
    /// let visits: Vec<_> = visits.take().into_iter().map(|record| visit(record.value)).collect();
    /// assert_eq!(visits, [("ada", 0, 19, 2), ("bob", 20, 30, 1), ("ada", 30, 40, 1)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// [`Session::with_gap_of`](crate::Session::with_gap_of) gives each key a gap of its own:
    ///
    /// ```
    /// use nacreous::prelude::*;
    /// use std::time::Duration;
    ///
    /// let graph = Graph::new();
    /// let least = Duration::from_nanos(10);
    /// let patience = move |user: &&str| if *user == "ada" { least * 3 } else { least };
    /// let (visits, _late) = graph
    ///     .iter([("ada", 0), ("bob", 0), ("ada", 25), ("bob", 25)])
    ///     .event_time(|(_, at)| Timestamp::from_nanos(*at), BoundedDisorder::NONE)
    ///     .key_by(|(user, _)| *user)
    ///     .window(Session::with_gap_of(least, patience)?)
    ///     .aggregate(count());
    /// let visits = visits.collect();
    /// graph.run(JobOptions::default())?;
    /// let visit = |v: WindowResult<_, _>| (v.key, v.window.start.as_nanos(), v.window.end.as_nanos(), v.value);
    /// let visits: Vec<_> = visits.take().into_iter().map(|record| visit(record.value)).collect();
    /// assert_eq!(visits, [("bob", 0, 10, 1), ("bob", 25, 35, 1), ("ada", 0, 55, 2)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Numbers of records
    /// Of [`Counted`](crate::Counted) windows, a result's bounds are from the first record to the last. Records are counted in order of
    /// event time, when the watermark has passed them; one behind the watermark is late. A window that is not full when the stream
    /// ends has no result.
    ///
    /// ```
    /// use nacreous::{Counted, prelude::*};
    /// use std::time::Duration;
    ///
    /// let graph = Graph::new();
    /// let (sums, _late) = graph
    ///     .iter([2, 1, 3, 5, 4, 6]) // out of order by one
    ///     .event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::new(Duration::from_nanos(2))?)
    ///     .key_by(|_| ())
    ///     .window(Counted::new(3, 2)?)
    ///     .aggregate(sum(|n: &i64| *n));
    /// let sums = sums.collect();
    /// graph.run(JobOptions::default())?;
    /// let sums: Vec<_> = sums.take().into_iter().map(|sum| sum.value.value).collect();
    /// assert_eq!(sums, [1 + 2 + 3, 3 + 4 + 5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Aggregates that do not commute
    /// An aggregate whose algebra is [`Monoid`](crate::Monoid) has the records of a window in order of event time, however they come;
    /// those of one instant in the order in which they come. (Where streams were brought together before, that order is up to chance
    /// between them, for records of one instant.) A correction has the late record in its place, too.
    ///
    /// ```
    /// use nacreous::{Monoid, prelude::*};
    /// use std::time::Duration;
    ///
    /// /// By how much a price has risen at most from one moment of a window to a later one.
    /// #[derive(Clone)]
    /// struct Rise;
    ///
    /// impl Aggregate<(i64, i64)> for Rise {
    ///     /// The least, the greatest, and the rise.
    ///     type Acc = (i64, i64, i64);
    ///     type Out = i64;
    ///     type Algebra = Monoid;
    ///
    ///     fn lift(&self, (_, price): &(i64, i64), _: Timestamp) -> Self::Acc {
    ///         (*price, *price, 0)
    ///     }
    ///
    ///     fn combine(&self, acc: &mut Self::Acc, later: &Self::Acc) {
    ///         let rise = later.1 - acc.0;
    ///         *acc = (acc.0.min(later.0), acc.1.max(later.1), acc.2.max(later.2).max(rise));
    ///     }
    ///
    ///     fn finish(&self, (_, _, rise): Self::Acc) -> i64 {
    ///         rise
    ///     }
    /// }
    ///
    /// let graph = Graph::new();
    /// let (rises, _late) = graph
    ///     .iter([(2, 30), (1, 10), (3, 20), (11, 50), (12, 5)]) // the price of 10 was before that of 30
    ///     .event_time(|(at, _)| Timestamp::from_nanos(*at), BoundedDisorder::new(Duration::from_nanos(5))?)
    ///     .key_by(|_| ())
    ///     .window(Sliding::tumbling(Duration::from_nanos(10))?)
    ///     .aggregate(Rise);
    /// let rises = rises.collect();
    /// graph.run(JobOptions::default())?;
    /// let rises: Vec<_> = rises.take().into_iter().map(|rise| rise.value.value).collect();
    /// assert_eq!(rises, [30 - 10, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Windows that a function says
    /// Of [`assigned_by`](crate::assigned_by), each window is aggregated by itself. A window counts if it ends after it begins, and after
    /// the record; a record that has none is late.
    ///
    /// ```
    /// use nacreous::{TimeWindow, assigned_by, prelude::*};
    ///
    /// let graph = Graph::new();
    /// let at = Timestamp::from_nanos;
    /// // (lot, when the bid was made, when bidding for the lot ends, amount)
    /// let bids = [("vase", 3, 20, 5), ("lamp", 7, 9, 8), ("lamp", 8, 9, 11), ("vase", 12, 20, 6), ("lamp", 12, 9, 12)];
    /// let (highest, late) = graph
    ///     .iter(bids)
    ///     .event_time(move |(_, made, _, _)| at(*made), BoundedDisorder::NONE)
    ///     .key_by(|(lot, ..)| *lot)
    ///     .window(assigned_by(move |(_, _, ends, _): &(&str, i64, i64, i64), _| [TimeWindow { start: at(0), end: at(*ends) }]))
    ///     .aggregate(max(|(_, _, _, amount): &(&str, i64, i64, i64)| *amount));
    /// let (highest, late) = (highest.collect(), late.collect());
    /// graph.run(JobOptions::default())?;
    /// let highest: Vec<_> = highest.take().into_iter().map(|max| (max.value.key, max.value.value)).collect();
    /// assert_eq!(highest, [("lamp", 11), ("vase", 6)]);
    /// assert_eq!(late.take()[0].value.value.3, 12); // the lamp was sold
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Cost
    /// A record: one look-up of its key, however many windows it lies in. A window that closes: nothing but its results if
    /// windows do not overlap; else a look-up for each key in the slice that has come in, and a visit to each key in the window,
    /// however many slices that has. Keys that are integers less than the number expected are found without a hash.
    ///
    /// Sessions: besides, a search among the key's sessions from the newest on. A record that is behind the watermark is kept until that
    /// moves on. Memory: keys with open sessions, and those; nothing is kept of others. Sources pass a watermark on every sixteenth of
    /// the least gap, or every millisecond if that is less, which ends a batch.
    ///
    /// Numbers of records: a record waits for the watermark, a number of comparisons that grows with the logarithm of those that wait;
    /// then it is one look-up of its key, and up to three combinations. Memory: the records that wait, and each key there ever was with
    /// what its last records come to. Sources pass a watermark on every millisecond of event time, which ends a batch.
    ///
    /// Aggregates that do not commute: besides, an insertion of each record into a tree for each key, which takes about as long as the
    /// logarithm of how many records of the key it comes before or behind, whichever are fewer; and for each result a search there.
    /// Memory: each record, as its accumulator, until all its windows are closed. All records go to where their key is kept: there is
    /// no adding up in front of it.
    ///
    /// [`Global`](crate::Global), and windows that a function says: as with [`early`](Self::early) results.
    #[track_caller]
    pub fn aggregate<A>(
        self,
        aggregate: A,
    ) -> (
        Stream<WindowResult<K, A::Out>, impl Upstream<Out = WindowResult<K, A::Out>> + use<K, T, U, A, W>>,
        Stream<Keyed<K, T>>,
    )
    where
        A: Aggregate<T, Out: Send + 'static> + Clone + Send + 'static,
        W: Aggregable<K, T, A>,
    {
        let Self { carried, sharing, windows, .. } = self;
        let name = OperatorName::here(&"aggregate");
        windows.aggregate(Site { carried, sharing, name }, aggregate).part(Role::Side)
    }
}

impl<K, T, U> WindowedStream<K, T, U>
where
    K: Hash + Eq + Clone + Send + 'static,
    T: Send + 'static,
    U: Upstream<Out = Keyed<K, T>>,
{
    /// Joins each record of a window with each of the other stream that has the same key and lies in the same window:
    /// the stream of pairs, and that of late records.
    ///
    /// The pairs of a window leave when the watermarks of both streams have passed its end. A record that finds all its
    /// windows closed by the watermark of its own stream is late.
    ///
    /// The pairs of a key come in order of the other stream's records, then of this one's. How those of several keys are
    /// mixed depends on the keys' hashes and on how many records came before: it is always the same if the records of both
    /// streams come in the same order. [`expect_keys`](KeyedStream::expect_keys) says what the first windows are laid out
    /// for; later ones are by those before them.
    ///
    /// # Cost
    /// A record is written once, beside others whose keys have similar hashes. A window that closes is passed over once,
    /// in parts that fit the innermost cache: a table of this stream's records, in which the other's are looked up. Put the
    /// stream with fewer records first, if there is a choice.
    #[track_caller]
    pub fn join<R, V, O, F>(
        self,
        other: KeyedStream<K, R, V>,
        f: F,
    ) -> (
        Stream<WindowResult<K, O>, impl Upstream<Out = WindowResult<K, O>> + use<K, T, U, R, V, O, F>>,
        Stream<Keyed<K, Either<T, R>>>,
    )
    where
        R: Send + 'static,
        V: Upstream<Out = Keyed<K, R>>,
        O: Send + 'static,
        F: FnMut(&T, &R) -> O + Clone + Send + 'static,
    {
        let name = OperatorName::here(&"join");
        let instances = self.sharing.instances_with(other.sharing, &self.carried, name);
        let operator = WindowJoin::new(self.sharing.limits, self.windows, f);
        Stream::of_results(together(self.carried, other.carried, instances, name).then(operator, name))
            .part(Role::Side)
    }
}
