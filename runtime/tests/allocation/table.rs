//! A graph for each operator, without end, of records that are `Copy`: what is said of the steady state is tried on each.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
    vec::Drain,
};

use nacreous::{
    BatchOperator, BoxError, Context, Interval, Monoid, Offset, Process, Stream, Upstream,
    prelude::*,
    source::{Demand, Intake, Readiness, Source},
};

/// What a test has happen on the data threads while a graph runs.
pub(crate) trait Probe: Clone + Send + 'static {
    /// The first source reads the record with this number.
    fn reads(&mut self, number: i64);

    /// The operator that the row is about, or what follows it, has a record in its hands.
    fn works(&mut self);
}

/// A graph that is about one operator.
pub(crate) struct Row<P> {
    pub(crate) name: &'static str,
    build: fn(&Graph, Keys, P),
}

/// Which key a record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// One of a hundred, from the beginning.
    Few,
    /// One of a thousand for the first records, and then each a new one, until there are so many as this.
    Growing(i64),
}

/// With keys that grow, the number of the first record that has a new one.
pub(crate) const GROWTH_BEGINS: i64 = 100_000;

impl Keys {
    fn of(self, number: i64) -> i64 {
        match self {
            Self::Few => number % 100,
            Self::Growing(_) if number < GROWTH_BEGINS => number % 1_000,
            Self::Growing(keys) => 1_000 + (number - GROWTH_BEGINS) % (keys - 1_000),
        }
    }
}

impl<P: Probe> Row<P> {
    /// A graph in which all operators are, and that nobody but the job's handle ends.
    pub(crate) fn graph(&self, keys: Keys, probe: P) -> Graph {
        let graph = Graph::new();
        (self.build)(&graph, keys, probe);
        graph
    }

    /// A row for each operator.
    pub(crate) fn all() -> Vec<Self> {
        let row = |name, build| Self { name, build };
        let stateless = [
            row("map", |graph, _, mut probe| {
                watched(graph, probe.clone()).map(seen_by(&mut probe)).discard();
            }),
            row("filter", |graph, _, mut probe| {
                let mut seen = seen_by(&mut probe);
                watched(graph, probe).filter(move |n| seen(*n) % 3 > 0).discard();
            }),
            row("filter_map", |graph, _, mut probe| {
                let mut seen = seen_by(&mut probe);
                watched(graph, probe).filter_map(move |n| (seen(n) % 3 > 0).then_some(n)).discard();
            }),
            row("flat_map", |graph, _, mut probe| {
                let mut seen = seen_by(&mut probe);
                watched(graph, probe).flat_map(move |n| [seen(n), n]).discard();
            }),
            row("inspect", |graph, _, mut probe| {
                let mut seen = seen_by(&mut probe);
                watched(graph, probe).inspect(move |record| _ = seen(record.value)).discard();
            }),
            row("try_map", |graph, _, mut probe| {
                let mut seen = seen_by(&mut probe);
                let tried =
                    watched(graph, probe).try_map(move |n| if seen(n) % 3 > 0 { Ok(n) } else { Err(n) });
                tried.0.discard();
                tried.1.discard();
            }),
            row("merge", |graph, _, mut probe| {
                let seen = seen_by(&mut probe);
                watched(graph, probe).merge(numbers(graph)).map(seen).discard();
            }),
            row("split", |graph, _, mut probe| {
                let mut seen = seen_by(&mut probe);
                let (these, others) = watched(graph, probe).split(move |n| seen(*n) % 3 > 0);
                these.discard();
                others.discard();
            }),
            row("broadcast", |graph, _, mut probe| {
                let seen = seen_by(&mut probe);
                let [one, other] = watched(graph, probe).broadcast();
                one.map(seen).discard();
                other.discard();
            }),
            row("order_by", |graph, _, mut probe| {
                let mut seen = seen_by(&mut probe);
                watched(graph, probe).order_by(move |n| seen(*n)).discard();
            }),
            row("replaceable", |graph, _, probe| {
                watched(graph, probe.clone()).replaceable(Passes(probe)).0.discard();
            }),
            row("isolate", |graph, _, mut probe| {
                watched(graph, probe.clone()).isolate().map(seen_by(&mut probe)).discard();
            }),
            row("map of a source in parts", |graph, _, mut probe| {
                watched_parts(graph, probe.clone()).map(seen_by(&mut probe)).discard();
            }),
            row("window over a source in parts", |graph, keys, mut probe| {
                let mut seen = seen_by(&mut probe);
                let windows = Sliding::tumbling(micros(1_000)).unwrap();
                let keyed = watched_parts(graph, probe).key_by(move |n| keys.of(*n)).window(windows);
                let (sums, late) = keyed.aggregate(stats(|n: &i64| *n));
                sums.map(move |sum| seen(sum.value.min)).discard();
                late.discard();
            }),
        ];
        stateless.into_iter().chain(Self::keyed()).collect()
    }

    /// A row for each operator that keeps state by key.
    pub(crate) fn keyed() -> Vec<Self> {
        let row = |name, build| Self { name, build };
        vec![
            row("tumbling window", |graph, keys, probe| window(graph, keys, probe, 1)),
            row("sliding window", |graph, keys, probe| window(graph, keys, probe, 4)),
            row("sliding window of a group", |graph, keys, mut probe| {
                let mut seen = seen_by(&mut probe);
                let size = window_size(keys);
                let windows = Sliding::new(micros(size), micros(size / 4)).unwrap();
                let keyed = watched(graph, probe).key_by(move |n| keys.of(*n)).window(windows);
                let (sums, late) = keyed.aggregate(sum(|n: &i64| *n));
                sums.map(move |sum| seen(sum.value)).discard();
                late.discard();
            }),
            row("sliding window whose records are late, kept", |graph, keys, mut probe| {
                let mut seen = seen_by(&mut probe);
                let size = window_size(keys);
                let windows = Sliding::new(micros(size), micros(size / 4)).unwrap();
                let keyed = disordered(graph, probe, size).key_by(move |n| keys.of(*n)).window(windows);
                let kept = keyed.allowed_lateness(micros(size)).retracting();
                let (sums, late) = kept.aggregate(stats(|n: &i64| *n));
                sums.map(move |sum| seen(sum.value.min)).discard();
                late.discard();
            }),
            row("sliding window whose records are late", |graph, keys, mut probe| {
                let mut seen = seen_by(&mut probe);
                let size = window_size(keys);
                let windows = Sliding::new(micros(size), micros(size / 4)).unwrap();
                let keyed = disordered(graph, probe, size).key_by(move |n| keys.of(*n)).window(windows);
                let (sums, late) = keyed.aggregate(stats(|n: &i64| *n));
                sums.map(move |sum| seen(sum.value.min)).discard();
                late.discard();
            }),
            row("sliding window whose records are out of order", |graph, keys, mut probe| {
                let mut seen = seen_by(&mut probe);
                // Long enough for most records not to bring a key that is new to their slice.
                let size = window_size(keys).max(16_000);
                let windows = Sliding::new(micros(size), micros(size / 4)).unwrap();
                let keyed = scattered(graph, probe, size).key_by(move |n| keys.of(*n)).window(windows);
                let (sums, late) = keyed.aggregate(stats(|n: &i64| *n));
                sums.map(move |sum| seen(sum.value.min)).discard();
                late.discard();
            }),
            row("windows of two families whose records are late", |graph, keys, mut probe| {
                let mut seen = seen_by(&mut probe);
                let size = window_size(keys);
                let windows =
                    [Sliding::new(micros(size), micros(size / 4)), Sliding::tumbling(micros(size / 2))];
                let windows = windows.map(Result::unwrap);
                let keyed = disordered(graph, probe, size).key_by(move |n| keys.of(*n)).window(windows);
                let [(sums, late), (others, others_late)] = keyed.aggregate_each(stats(|n: &i64| *n));
                sums.map(move |sum| seen(sum.value.min)).discard();
                late.discard();
                others.discard();
                others_late.discard();
            }),
            row("sessions", |graph, keys, mut probe| {
                let mut seen = seen_by(&mut probe);
                let size = window_size(keys);
                let sessions = Session::with_gap(micros(40)).unwrap();
                let keyed = disordered(graph, probe, size).key_by(move |n| keys.of(*n)).window(sessions);
                let (sums, late) = keyed.allowed_lateness(micros(size)).aggregate(stats(|n: &i64| *n));
                sums.map(move |sum| seen(sum.value.min)).discard();
                late.discard();
            }),
            row("windows of so many records", |graph, keys, mut probe| {
                let mut seen = seen_by(&mut probe);
                let windows = nacreous::Counted::new(6, 2).unwrap();
                let keyed = disordered(graph, probe, 500).key_by(move |n| keys.of(*n)).window(windows);
                let (sums, late) = keyed.aggregate(stats(|n: &i64| *n));
                sums.map(move |sum| seen(sum.value.min)).discard();
                late.discard();
            }),
            row("sliding window of what does not commute", |graph, keys, mut probe| {
                let mut seen = seen_by(&mut probe);
                let size = window_size(keys);
                let windows = Sliding::new(micros(size), micros(size / 4)).unwrap();
                let keyed = disordered(graph, probe, size).key_by(move |n| keys.of(*n)).window(windows);
                let (products, late) = keyed.aggregate(Matrices);
                products.map(move |product| seen(product.value)).discard();
                late.discard();
            }),
            row("sliding window of what does not commute, kept", |graph, keys, mut probe| {
                let mut seen = seen_by(&mut probe);
                let size = window_size(keys);
                let windows = Sliding::new(micros(size), micros(size / 4)).unwrap();
                let keyed = disordered(graph, probe, size).key_by(move |n| keys.of(*n)).window(windows);
                let (products, late) = keyed.allowed_lateness(micros(size)).aggregate(Matrices);
                products.map(move |product| seen(product.value)).discard();
                late.discard();
            }),
            row("session of what does not commute", |graph, keys, mut probe| {
                let mut seen = seen_by(&mut probe);
                // Each key has a record in a hundred, and is silent for long every now and then.
                let times = |n: &i64| Timestamp::from_nanos((n + n / 1_000 * 1_000) * 1_000);
                let mut reads = probe;
                let numbers = (0_i64..).inspect(move |number| reads.reads(*number));
                let timed = graph.iter(numbers).event_time(times, BoundedDisorder::NONE);
                let sessions = Session::with_gap(micros(window_size(keys) / 2)).unwrap();
                let (products, late) =
                    timed.key_by(move |n| keys.of(*n)).window(sessions).aggregate(Matrices);
                products.map(move |product| seen(product.value)).discard();
                late.discard();
            }),
            row("windows with early results", |graph, keys, mut probe| {
                let mut seen = seen_by(&mut probe);
                let size = window_size(keys);
                let windows = Sliding::tumbling(micros(size)).unwrap();
                let keyed = disordered(graph, probe, size).key_by(move |n| keys.of(*n)).window(windows);
                let early = keyed.early(nacreous::every(micros(size / 3)).unwrap());
                let (sums, late) =
                    early.allowed_lateness(micros(size)).retracting().aggregate(stats(|n: &i64| *n));
                sums.map(move |sum| seen(sum.value.min)).discard();
                late.discard();
            }),
            row("all of time, with early results", |graph, keys, mut probe| {
                let mut seen = seen_by(&mut probe);
                let keyed =
                    disordered(graph, probe, 500).key_by(move |n| keys.of(*n)).window(nacreous::Global);
                let early = keyed.early(nacreous::every_records(2).unwrap());
                let (sums, late) = early.aggregate(stats(|n: &i64| *n));
                sums.map(move |sum| seen(sum.value.min)).discard();
                late.discard();
            }),
            row("reduce", |graph, keys, mut probe| {
                let mut seen = seen_by(&mut probe);
                let keyed = watched(graph, probe).key_by(move |n| keys.of(*n));
                keyed.reduce(move |latest, n| *latest = seen(n)).discard();
            }),
            row("scan", |graph, keys, mut probe| {
                let mut seen = seen_by(&mut probe);
                let keyed = watched(graph, probe).key_by(move |n| keys.of(*n));
                keyed
                    .scan(0_i64, move |sum, n| {
                        *sum = sum.wrapping_add(seen(n));
                        *sum
                    })
                    .discard();
            }),
            row("process", |graph, keys, probe| {
                let keyed = watched(graph, probe.clone()).key_by(move |n| keys.of(*n));
                keyed.process(Heard(probe)).0.discard();
            }),
            row("window join", |graph, keys, mut probe| {
                let mut seen = seen_by(&mut probe);
                let other = numbers(graph).key_by(move |n| keys.of(*n));
                let windows = Sliding::tumbling(micros(500)).unwrap();
                let keyed = watched(graph, probe).key_by(move |n| keys.of(*n)).window(windows);
                let (pairs, late) = keyed.join(other, move |one, other| seen(*one) - other);
                pairs.discard();
                late.discard();
            }),
            row("interval join", |graph, keys, mut probe| {
                let mut seen = seen_by(&mut probe);
                let other = numbers(graph).key_by(move |n| keys.of(*n));
                let interval = Interval::new(Offset::Before(micros(50)), Offset::After(micros(50))).unwrap();
                let keyed = watched(graph, probe).key_by(move |n| keys.of(*n));
                let (pairs, late) = keyed.join(other, interval, move |one, other| seen(*one) - other);
                pairs.discard();
                late.discard();
            }),
        ]
    }
}

/// Numbers, one a microsecond, the first source's.
fn watched<P: Probe>(graph: &Graph, mut probe: P) -> Stream<i64, impl Upstream<Out = i64> + use<P>> {
    timed(graph, (0_i64..).inspect(move |number| probe.reads(*number)))
}

/// The same numbers, of which one in eleven is behind the watermark, by up to so many microseconds.
fn disordered<P: Probe>(
    graph: &Graph,
    mut probe: P,
    behind: u64,
) -> Stream<i64, impl Upstream<Out = i64> + use<P>> {
    let behind = behind.cast_signed();
    let time = move |n: &i64| Timestamp::from_nanos((n - i64::from(n % 11 == 0) * (n * 7 % behind)) * 1_000);
    let numbers = (0_i64..).inspect(move |number| probe.reads(*number));
    graph.iter(numbers).event_time(time, BoundedDisorder::NONE)
}

/// The same numbers, of which nearly each is behind the one before or ahead of it by some part of so many microseconds, and none late.
fn scattered<P: Probe>(
    graph: &Graph,
    mut probe: P,
    by: u64,
) -> Stream<i64, impl Upstream<Out = i64> + use<P>> {
    let (most, bound) = (by.cast_signed(), BoundedDisorder::new(micros(by)).unwrap());
    let numbers = (0_i64..).inspect(move |number| probe.reads(*number));
    graph.iter(numbers).event_time(move |n| Timestamp::from_nanos((n - n * 7_919 % most) * 1_000), bound)
}

/// The same numbers in two parts, of which the first is watched.
fn watched_parts<P: Probe>(graph: &Graph, probe: P) -> Stream<i64, impl Upstream<Out = i64> + use<P>> {
    let reached: Arc<[AtomicI64; 2]> = Arc::default();
    let part = |own, probe| PartInStep { next: 0, own, reached: Arc::clone(&reached), probe };
    let (parts, _) = graph.sources([part(0, Some(probe)), part(1, None)]);
    parts.event_time(|n| Timestamp::from_nanos(n * 1_000), BoundedDisorder::NONE)
}

/// One of two parts that wait for each other: one that gets ahead has windows held for as long as it is.
struct PartInStep<P> {
    next: i64,
    /// Which of the two it is.
    own: usize,
    /// How far each has come.
    reached: Arc<[AtomicI64; 2]>,
    probe: Option<P>,
}

impl<P> PartInStep<P> {
    fn is_ahead(&self) -> bool {
        self.reached[self.own].store(self.next, Ordering::Relaxed);
        self.next > self.reached[1 - self.own].load(Ordering::Relaxed) + 10_000
    }
}

impl<P: Probe> Source for PartInStep<P> {
    type Item = i64;
    type Reject = Infallible;

    fn poll(&mut self, intake: &mut impl Intake<i64, Infallible>) -> Result<Readiness, BoxError> {
        if self.is_ahead() {
            return Ok(Readiness::Pending);
        }
        loop {
            if let Some(probe) = &mut self.probe {
                probe.reads(self.next);
            }
            self.next += 1;
            if intake.accept(self.next - 1) == Demand::Enough {
                return Ok(Readiness::Ready);
            }
        }
    }
}

/// Numbers, one a microsecond, of another source. It is made as the first one: of two that are not, one may get ahead of
/// the other in event time for ever, and a join holds what lies between.
fn numbers(graph: &Graph) -> Stream<i64, impl Upstream<Out = i64> + use<>> {
    timed(graph, 0_i64..)
}

fn timed<I>(graph: &Graph, numbers: I) -> Stream<i64, impl Upstream<Out = i64> + use<I>>
where
    I: Iterator<Item = i64> + Send + 'static,
{
    let at_once = BoundedDisorder::new(Duration::ZERO).unwrap();
    graph.iter(numbers).event_time(|n| Timestamp::from_nanos(n * 1_000), at_once)
}

/// The product of a matrix for each number: one that depends on the order.
#[derive(Clone)]
struct Matrices;

const PRIME: u64 = 1_000_000_007;

impl Aggregate<i64> for Matrices {
    type Acc = [[u64; 2]; 2];
    type Out = i64;
    type Algebra = Monoid;

    fn lift(&self, number: &i64, _: Timestamp) -> Self::Acc {
        [[number.unsigned_abs() % PRIME, 1], [1, 0]]
    }

    fn combine(&self, acc: &mut Self::Acc, later: &Self::Acc) {
        *acc = acc.map(|row| [0, 1].map(|at| (row[0] * later[0][at] + row[1] * later[1][at]) % PRIME));
    }

    fn finish(&self, acc: Self::Acc) -> i64 {
        acc[0][0].cast_signed()
    }
}

fn micros(count: u64) -> Duration {
    Duration::from_micros(count)
}

/// Passes a number on and says so.
fn seen_by<P: Probe>(probe: &mut P) -> impl FnMut(i64) -> i64 + Clone + Send + 'static + use<P> {
    let mut probe = probe.clone();
    move |number| {
        probe.works();
        number
    }
}

/// What grows with keys is a window: then it is long enough to hold many of them. In microseconds.
fn window_size(keys: Keys) -> u64 {
    if let Keys::Growing(_) = keys { 100_000 } else { 1_000 }
}

fn window<P: Probe>(graph: &Graph, keys: Keys, mut probe: P, slices: u64) {
    let size = window_size(keys);
    let mut seen = seen_by(&mut probe);
    let windows = Sliding::new(micros(size), micros(size / slices)).unwrap();
    let keyed = watched(graph, probe).key_by(move |n| keys.of(*n)).window(windows);
    let (sums, late) = keyed.aggregate(stats(|n: &i64| *n));
    sums.map(move |sum| seen(sum.value.min)).discard();
    late.discard();
}

/// Sets a timer with each record, and says how many there were since the last.
#[derive(Clone)]
struct Heard<P>(P);

impl<P: Probe> Process<i64, i64> for Heard<P> {
    type State = i64;
    type Out = i64;
    type Side = Infallible;

    fn on_record(&mut self, _: i64, count: &mut i64, context: &mut Context<'_, i64, i64, Infallible>) {
        self.0.works();
        *count += 1;
        let end = (context.time().as_nanos() / 1_000_000 + 1) * 1_000_000;
        context.set_timer(Timestamp::from_nanos(end));
    }

    fn on_timer(&mut self, count: &mut i64, context: &mut Context<'_, i64, i64, Infallible>) {
        context.emit(std::mem::take(count));
    }
}

/// Passes on what comes.
#[derive(Clone)]
struct Passes<P>(P);

impl<P: Probe> BatchOperator<i64, i64> for Passes<P> {
    fn on_batch(&mut self, records: Drain<'_, Record<i64>>, out: &mut Vec<Record<i64>>) {
        out.extend(records.inspect(|_| self.0.works()));
    }
}
