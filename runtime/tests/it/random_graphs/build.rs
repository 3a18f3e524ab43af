//! Programs as graphs of the runtime.

use std::{collections::BTreeMap, iter};

use fastrand::Rng;
use nacreous::{
    AbelianGroup, BoxedStream, Collected, Context, Counted, Either, Global, Group, Interval, JobReport,
    KeyedStream, Offset, Process, ResultKind, RunError, Stats, Stream, Upstream, every, every_records,
    prelude::*,
};

use super::{
    Item,
    generate::{Does, Input, Program, Step, Trigger, functions},
};
use crate::equivalence::nanos;

/// Fewer than there are, so that tables grow under way.
const FEW: usize = 1;

/// How the steps of a program hang together.
#[derive(Debug, Clone)]
pub(crate) enum Joints {
    /// Each step hands batches to the next, in one task where that is possible.
    Boxed,
    /// Each step is a task.
    Cut,
    /// One or the other, at random.
    Mixed(Rng),
}

impl Joints {
    /// In how many instances a keyed stream is to be, if that is said at all.
    fn parallelism(&mut self) -> Option<usize> {
        match self {
            Joints::Boxed | Joints::Cut => None,
            Joints::Mixed(random) => random.choice([None, Some(1), Some(2), Some(5)]).flatten(),
        }
    }
}

/// A stream with a joint behind it.
trait Joint {
    fn joint(self, joints: &mut Joints) -> BoxedStream<Item>;
}

impl<U: Upstream<Out = Item>> Joint for Stream<Item, U> {
    fn joint(self, joints: &mut Joints) -> BoxedStream<Item> {
        let cuts = match joints {
            Joints::Boxed => false,
            Joints::Cut => true,
            Joints::Mixed(random) => random.bool(),
        };
        if cuts { self.isolate().boxed() } else { self.boxed() }
    }
}

/// A stream grouped by the keys of its items, in some number of instances.
fn keyed<U: Upstream<Out = Item>>(
    on: Stream<Item, U>,
    parallelism: Option<usize>,
) -> KeyedStream<u16, Item, impl Upstream<Out = Keyed<u16, Item>>> {
    let keyed = on.key_by(|item| item.key).expect_keys(FEW);
    match parallelism {
        Some(instances) => keyed.parallelism(instances),
        None => keyed,
    }
}

/// Runs a program; what came out of each loose end, sorted.
pub(crate) fn run(
    program: &Program,
    mut joints: Joints,
    options: JobOptions,
) -> Result<(Vec<Vec<(i64, Item)>>, JobReport), RunError> {
    let graph = Graph::new();
    let mut streams: Vec<Option<BoxedStream<Item>>> =
        program.sources.iter().map(|input| Some(source(&graph, input, &mut joints))).collect();
    for step in &program.steps {
        let on = streams[step.on].take().expect("a stream is taken once");
        let and = if step.does.takes_two() { streams[step.and].take() } else { None };
        streams.extend(apply(*step, on, and, &mut joints).into_iter().map(Some));
    }
    let ends: Vec<Collected<Item>> = streams.into_iter().flatten().map(Stream::collect).collect();
    let report = graph.run(options)?;
    let outputs = ends.into_iter().map(|end| {
        let mut records: Vec<_> =
            end.take().into_iter().map(|record| (record.time.as_nanos(), record.value)).collect();
        records.sort_unstable();
        records
    });
    Ok((outputs.collect(), report))
}

fn source(graph: &Graph, input: &Input, joints: &mut Joints) -> BoxedStream<Item> {
    let disorder = BoundedDisorder::new(nanos(input.disorder)).expect("a span");
    let time_of = |(time, _): &(i64, Item)| Timestamp::from_nanos(*time);
    if let [whole] = &input.parts[..] {
        graph.iter(whole.clone()).event_time(time_of, disorder).map(|(_, item)| item).joint(joints)
    } else {
        graph.iters(input.parts.clone()).event_time(time_of, disorder).map(|(_, item)| item).joint(joints)
    }
}

fn apply(
    step: Step,
    on: BoxedStream<Item>,
    and: Option<BoxedStream<Item>>,
    joints: &mut Joints,
) -> Vec<BoxedStream<Item>> {
    match step.does {
        Does::Map(n) => vec![on.map(move |item| functions::map(item, n)).joint(joints)],
        Does::Filter(n) => vec![on.filter(move |item| functions::keeps(item, n)).joint(joints)],
        Does::FilterMap(n) => vec![on.filter_map(move |item| functions::filter_map(item, n)).joint(joints)],
        Does::FlatMap(n) => vec![on.flat_map(move |item| functions::flat_map(item, n)).joint(joints)],
        Does::TryMap(n) => {
            let (done, refused) = on.try_map(move |item| functions::try_map(item, n));
            vec![done.joint(joints), refused.joint(joints)]
        }
        Does::Split(n) => {
            let (these, others) = on.split(move |item| functions::keeps(item, n));
            vec![these.joint(joints), others.joint(joints)]
        }
        Does::BroadcastTwo => on.broadcast::<2>().map(|copy| copy.joint(joints)).into(),
        Does::BroadcastThree => on.broadcast::<3>().map(|copy| copy.joint(joints)).into(),
        Does::Merge => vec![on.merge(and.expect("a merge takes two")).joint(joints)],
        Does::Isolate => vec![on.isolate().boxed()],
        Does::OrderBy => vec![on.order_by(|item| *item).joint(joints)],
        Does::Chain(n) => {
            let chain =
                on.map(move |item| functions::map(item, n)).filter(move |item| functions::keeps(item, n));
            vec![chain.map(move |item| functions::map(item, n + 1)).joint(joints)]
        }
        Does::Reduce => {
            let reduced = keyed(on, joints.parallelism()).reduce(functions::reduce);
            vec![reduced.map(|keyed| keyed.value).joint(joints)]
        }
        Does::Scan => {
            let scanned = keyed(on, joints.parallelism()).scan(0, functions::scan);
            vec![scanned.map(|keyed| keyed.value).joint(joints)]
        }
        Does::Rekey(keys) => {
            let rekeyed = on.map(move |item| functions::rekeyed(item, keys));
            let first = keyed(rekeyed, joints.parallelism()).scan((), |_, item| item);
            vec![
                first
                    .key_by(|keyed| keyed.key)
                    .scan((), |_, keyed| keyed.value)
                    .map(|keyed| keyed.value)
                    .joint(joints),
            ]
        }
        Does::Process(size) => {
            let (sums, late) = keyed(on, joints.parallelism()).process(Sums(size));
            vec![sums.joint(joints), late.joint(joints)]
        }
        Does::WindowJoin { size, every } => {
            let windows = Sliding::new(nanos(size), nanos(every)).expect("a window");
            let parallelism = joints.parallelism();
            let other = keyed(and.expect("a join takes two"), parallelism);
            let (pairs, late) = keyed(on, parallelism).window(windows).join(other, functions::join);
            vec![
                pairs.map(|pair| pair.value).joint(joints),
                late.map(|late| either(late.value)).joint(joints),
            ]
        }
        Does::IntervalJoin { lower, upper } => {
            let interval = Interval::new(offset(lower), offset(upper)).expect("an interval");
            let parallelism = joints.parallelism();
            let other = keyed(and.expect("a join takes two"), parallelism);
            let (pairs, late) = keyed(on, parallelism).join(other, interval, functions::join);
            vec![
                pairs.map(|pair| pair.value).joint(joints),
                late.map(|late| either(late.value)).joint(joints),
            ]
        }
        Does::KeptWindow { size, every, allowed } => {
            let windows = Sliding::new(nanos(size), nanos(every)).expect("a window");
            let kept = keyed(on, joints.parallelism()).window(windows).allowed_lateness(nanos(allowed));
            let (counts, late) = kept.aggregate(count());
            let counts = counts.map(|count| functions::counted(count.key, count.number, count.value));
            vec![counts.joint(joints), late.map(|late| late.value).joint(joints)]
        }
        Does::Session { gap, odd } => {
            let keyed = keyed(on, joints.parallelism());
            let figures = stats(|item: &Item| item.value);
            if gap == odd {
                let (results, late) =
                    keyed.window(Session::with_gap(nanos(gap)).expect("a gap")).aggregate(figures);
                return vec![results.map(digest).joint(joints), late.map(|late| late.value).joint(joints)];
            }
            let gap_of = move |key: &u16| nanos(if key % 2 == 1 { odd } else { gap });
            let sessions = Session::with_gap_of(nanos(gap), gap_of).expect("a gap");
            let (results, late) = keyed.window(sessions).aggregate(figures);
            vec![results.map(digest).joint(joints), late.map(|late| late.value).joint(joints)]
        }
        Does::Counted { size, every } => {
            let windows = keyed(on, joints.parallelism()).window(Counted::new(size, every).expect("windows"));
            let (results, late) = windows.aggregate(stats(|item: &Item| item.value));
            vec![results.map(digest).joint(joints), late.map(|late| late.value).joint(joints)]
        }
        Does::WindowEach { size, every } => {
            let windows = [(size, every), (size * 2, size * 2)];
            let windows =
                windows.map(|(size, every)| Sliding::new(nanos(size), nanos(every)).expect("a window"));
            let families = keyed(on, joints.parallelism()).window(windows);
            let families = families.aggregate_each(stats(|item: &Item| item.value));
            let ends = families.map(|(results, late)| {
                [results.map(digest).joint(joints), late.map(|late| late.value).joint(joints)]
            });
            ends.into_iter().flatten().collect()
        }
        Does::Early { size, every: hop, trigger } => {
            let windows = Sliding::new(nanos(size), nanos(hop)).expect("a window");
            let windows = keyed(on, joints.parallelism()).window(windows);
            let figures = stats(|item: &Item| item.value);
            let records = |records| every_records(records).expect("a trigger");
            let (results, late) = match trigger {
                Trigger::Time(time) => {
                    boxed(windows.early(every(nanos(time)).expect("a trigger")).aggregate(figures))
                }
                Trigger::Records { records: n, purges: true } => {
                    boxed(windows.early(records(n).purging()).aggregate(figures))
                }
                Trigger::Records { records: n, .. } => boxed(windows.early(records(n)).aggregate(figures)),
            };
            vec![results.map(numbered).joint(joints), late.map(|late| late.value).joint(joints)]
        }
        Does::Global(records) => {
            let windows = keyed(on, joints.parallelism()).window(Global);
            let trigger = every_records(records).expect("a trigger");
            let (results, late) = windows.early(trigger).aggregate(stats(|item: &Item| item.value));
            vec![results.map(numbered).joint(joints), late.map(|late| late.value).joint(joints)]
        }
        Does::Window { size, every } => window(on, size, every, joints),
        Does::WindowInChain { size, every } => window(
            on.map(|item| functions::map(item, 3)).filter(|item| functions::keeps(item, 5)),
            size,
            every,
            joints,
        ),
    }
}

/// Results and late records, of whatever made them.
fn boxed<R: Send + 'static, L>(
    (results, late): (Stream<R, impl Upstream<Out = R>>, L),
) -> (BoxedStream<R>, L) {
    (results.boxed(), late)
}

fn numbered(result: WindowResult<u16, Stats>) -> Item {
    let (kind, number) = (result.kind, result.number);
    functions::numbered(digest(result), kind == ResultKind::Early, number)
}

fn digest(result: WindowResult<u16, Stats>) -> Item {
    let figures = result.value;
    functions::digest(result.key, figures.count, figures.sum, figures.min, figures.max)
}

pub(crate) fn window(
    on: Stream<Item, impl Upstream<Out = Item>>,
    size: i64,
    every: i64,
    joints: &mut Joints,
) -> Vec<BoxedStream<Item>> {
    let windows = Sliding::new(nanos(size), nanos(every)).expect("a window");
    let keyed = keyed(on, joints.parallelism());
    // Where keys are limited, records go to where their key is kept; else each instance adds up its own first.
    let keyed = if size % 2 == 1 { keyed.max_keys(1_000) } else { keyed };
    // A running accumulator, or a queue.
    if size % 3 > 0 {
        let (results, late) = keyed.window(windows).aggregate(Census);
        return vec![results.map(digest).joint(joints), late.map(|late| late.value).joint(joints)];
    }
    let (results, late) = keyed.window(windows).aggregate(stats(|item: &Item| item.value));
    vec![results.map(digest).joint(joints), late.map(|late| late.value).joint(joints)]
}

/// All values, and how often each was there: a group, though the least and the greatest are known.
#[derive(Clone)]
struct Census;

impl Aggregate<Item> for Census {
    type Acc = BTreeMap<i64, usize>;
    type Out = Stats;
    type Algebra = AbelianGroup;

    fn lift(&self, item: &Item, _: Timestamp) -> Self::Acc {
        BTreeMap::from([(item.value, 1)])
    }

    fn combine(&self, acc: &mut Self::Acc, other: &Self::Acc) {
        other.iter().for_each(|(value, count)| *acc.entry(*value).or_insert(0) += count);
    }

    fn finish(&self, acc: Self::Acc) -> Stats {
        let all = || acc.iter().flat_map(|(value, count)| iter::repeat_n(*value, *count));
        Stats {
            count: all().count() as u64,
            sum: all().map(i128::from).sum(),
            min: all().min().expect("a result is of some record"),
            max: all().max().expect("a result is of some record"),
        }
    }
}

impl Group<Item> for Census {
    fn subtract(&self, acc: &mut Self::Acc, other: &Self::Acc) {
        other.iter().for_each(|(value, count)| *acc.get_mut(value).expect("it was put in") -= count);
    }
}

fn either(value: Either<Item, Item>) -> Item {
    match value {
        Either::Left(item) | Either::Right(item) => item,
    }
}

fn offset(offset: i64) -> Offset {
    if offset < 0 { Offset::Before(nanos(-offset)) } else { Offset::After(nanos(offset)) }
}

/// Sums by key and stretch of time of this length, each emitted by a timer at its last instant. What is late for its
/// stretch goes to the side.
#[derive(Clone)]
pub(crate) struct Sums(pub(crate) i64);

impl Process<u16, Item> for Sums {
    type State = BTreeMap<i64, i64>;
    type Out = Item;
    type Side = Item;

    fn on_record(&mut self, item: Item, sums: &mut Self::State, context: &mut Context<'_, u16, Item, Item>) {
        let end = (context.time().as_nanos().div_euclid(self.0) + 1) * self.0;
        let last_instant = Timestamp::from_nanos(end - 1);
        if context.watermark().time() > last_instant {
            return context.side(item);
        }
        let sum = sums.entry(end - 1).or_default();
        *sum = sum.wrapping_add(item.value);
        context.set_timer(last_instant);
    }

    fn on_timer(&mut self, sums: &mut Self::State, context: &mut Context<'_, u16, Item, Item>) {
        if let Some(value) = sums.remove(&context.time().as_nanos()) {
            context.emit(Item { key: *context.key(), value });
        }
    }

    fn timer_resolution(&self) -> std::time::Duration {
        nanos(self.0)
    }
}
