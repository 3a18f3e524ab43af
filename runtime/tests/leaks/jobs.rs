//! Small jobs put together at random, each ended in a way and at a moment of its own.

use std::{
    convert::Infallible,
    io::{BufWriter, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
        mpsc,
    },
    time::Duration,
    vec,
};

use fastrand::Rng;
use nacreous::{
    BoxError, Context, Failure, Interval, JobError, JobStatus, Offset, Process, Runtime, Stream, Upstream,
    prelude::*,
    sink::{JsonLinesSink, Sink},
    source::{self, Feeder, TcpLines},
};

const PATIENCE: Duration = Duration::from_secs(60);

/// Keys of consecutive numbers, and the length of a window in which each is there once.
const KEYS: i64 = 7;

/// What a job is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Window,
    SlidingWindow,
    Merge,
    WindowJoin,
    IntervalJoin,
    Process,
    Branches,
    Reduce,
    Fed,
    Tcp,
}

const SHAPES: [Shape; 10] = [
    Shape::Window,
    Shape::SlidingWindow,
    Shape::Merge,
    Shape::WindowJoin,
    Shape::IntervalJoin,
    Shape::Process,
    Shape::Branches,
    Shape::Reduce,
    Shape::Fed,
    Shape::Tcp,
];

/// How a job ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Its input does.
    OfInput,
    Stop,
    StopWithin(Duration),
    Cancel,
    DropHandle,
    /// A function panics at the moment.
    Panic,
    /// A sink takes so many records and no more.
    FullSink,
}

/// A job's life.
#[derive(Debug, Clone, Copy)]
struct Story {
    shape: Shape,
    end: End,
    /// The number of the record at which something happens; at once if it is zero.
    moment: i64,
    options: JobOptions,
}

impl Story {
    fn of(random: &mut Rng) -> Self {
        let ends = [
            End::OfInput,
            End::Stop,
            End::StopWithin(Duration::from_micros(random.u64(..2_000))),
            End::Cancel,
            End::DropHandle,
            End::Panic,
            End::FullSink,
        ];
        let moments = [0, random.i64(0..50), random.i64(0..3_000)];
        let restless = Tier::Restless { seed: random.u64(..) };
        let options = JobOptions {
            workers: random.usize(1..=4),
            batch: *random.choice(&[1, 7, 64]).unwrap(),
            tier: *random.choice(&[Tier::Fused, Tier::Auto, restless]).unwrap(),
            ..JobOptions::DEFAULT
        };
        Self {
            shape: *random.choice(&SHAPES).unwrap(),
            end: *random.choice(&ends).unwrap(),
            moment: *random.choice(&moments).unwrap(),
            options,
        }
    }

    /// The numbers that a source brings.
    fn numbers(self) -> std::ops::Range<i64> {
        0..if self.end == End::OfInput { self.moment } else { i64::MAX }
    }

    /// What the sinks should have added up, if the sources have read so many records and all was worked off.
    fn total(self, records_in: u64) -> Option<i64> {
        let records = i64::try_from(records_in).unwrap();
        match self.shape {
            Shape::SlidingWindow | Shape::Branches => Some(records * 2),
            // Each number is on both sides, if both sides have come as far.
            Shape::WindowJoin | Shape::IntervalJoin => (self.end == End::OfInput).then_some(records / 2),
            // It is written to a file.
            Shape::Fed => Some(0),
            _ => Some(records),
        }
    }
}

/// A job ready to be started, and the test's ends of it.
struct Prepared {
    graph: Graph,
    ends: Ends,
}

struct Ends {
    story: Story,
    total: Arc<AtomicI64>,
    reached: mpsc::Receiver<()>,
    input: Input,
}

/// What the test has to bring.
enum Input {
    Nothing,
    Records(Box<Feeder<i64>>),
    Lines(SocketAddr),
}

/// Adds up what it takes, until it is full.
#[derive(Clone)]
struct Adder {
    total: Arc<AtomicI64>,
    room: i64,
}

impl Sink<i64> for Adder {
    fn write(&mut self, records: &mut vec::Drain<'_, Record<i64>>) -> Result<(), BoxError> {
        for record in records {
            self.total.fetch_add(record.value, Ordering::Relaxed);
            self.room -= 1;
            if self.room < 0 {
                return Err("it is full".into());
            }
        }
        Ok(())
    }
}

/// Counts the records of each key in each stretch of time, and says so when that is over.
#[derive(Clone)]
struct Stretches;

impl Process<i64, i64> for Stretches {
    type State = i64;
    type Out = i64;
    type Side = Infallible;

    fn on_record(&mut self, _: i64, count: &mut i64, context: &mut Context<'_, i64, i64, Infallible>) {
        *count += 1;
        let end = (context.time().as_nanos() / 100 + 1) * 100;
        context.set_timer(Timestamp::from_nanos(end));
    }

    fn on_timer(&mut self, count: &mut i64, context: &mut Context<'_, i64, i64, Infallible>) {
        context.emit(std::mem::take(count));
    }

    fn timer_resolution(&self) -> Duration {
        Duration::from_nanos(100)
    }
}

fn windows(size: i64, every: i64) -> Sliding {
    let nanos = |n: i64| Duration::from_nanos(n.unsigned_abs());
    Sliding::new(nanos(size), nanos(every)).unwrap()
}

fn prepare(story: Story) -> Prepared {
    let graph = Graph::new();
    let (reach, reached) = mpsc::channel();
    let total = Arc::default();
    let room = if story.end == End::FullSink { story.moment } else { i64::MAX };
    let adder = Adder { total: Arc::clone(&total), room };
    let time_of = move |n: &i64| {
        if *n == story.moment {
            let _ = reach.send(());
        }
        Timestamp::from_nanos(*n)
    };
    let at_once = || BoundedDisorder::new(Duration::ZERO).unwrap();
    let trapped = move |n: i64| {
        assert!(n != story.moment || story.end != End::Panic, "trap");
        n
    };
    let input = match story.shape {
        Shape::Fed => {
            let (feeder, fed) = source::fed(16);
            let sink = JsonLinesSink::create("/dev/null").unwrap();
            let numbers = graph.source(fed).0.event_time(time_of, at_once()).map(trapped);
            if story.end == End::FullSink {
                numbers.to(adder)
            } else {
                numbers.to(sink)
            };
            Input::Records(Box::new(feeder))
        }
        Shape::Tcp => {
            let lines = TcpLines::bind("127.0.0.1:0", |line: &str, _: SocketAddr| line.parse::<i64>());
            let lines = lines.unwrap().end_after_last_client();
            let address = lines.local_addr();
            graph.source(lines).0.event_time(time_of, at_once()).map(trapped).map(|_| 1).to(adder);
            Input::Lines(address)
        }
        _ => {
            let numbers = graph.iter(story.numbers()).event_time(time_of, at_once()).map(trapped);
            let others = || {
                let numbers = graph.iter(story.numbers());
                numbers.event_time(|n| Timestamp::from_nanos(*n), at_once()).isolate()
            };
            extend(story.shape, numbers, others, adder);
            Input::Nothing
        }
    };
    Prepared { graph, ends: Ends { story, total, reached, input } }
}

/// Puts the operators that the job is about on its stream, or streams, and ends them.
fn extend(
    shape: Shape,
    numbers: Stream<i64, impl Upstream<Out = i64>>,
    others: impl FnOnce() -> Stream<i64>,
    adder: Adder,
) {
    let key = |n: &i64| n % KEYS;
    match shape {
        Shape::Window | Shape::SlidingWindow => {
            let every = if shape == Shape::Window { 100 } else { 50 };
            let (counts, late) = numbers.key_by(key).window(windows(100, every)).aggregate(count());
            counts.map(|count| count.value.cast_signed()).to(adder);
            late.discard();
        }
        Shape::Merge => {
            numbers.merge(others()).map(|_| 1).to(adder);
        }
        Shape::WindowJoin => {
            let others = others().key_by(key);
            let (pairs, late) =
                numbers.key_by(key).window(windows(KEYS, KEYS)).join(others, |one, other| one - other + 1);
            pairs.map(|pair| pair.value).to(adder);
            late.discard();
        }
        Shape::IntervalJoin => {
            let near = Offset::After(Duration::from_nanos(3));
            let interval = Interval::new(Offset::Before(Duration::from_nanos(3)), near).unwrap();
            let others = others().key_by(key);
            let (pairs, late) = numbers.key_by(key).join(others, interval, |one, other| one - other + 1);
            pairs.map(|pair| pair.value).to(adder);
            late.discard();
        }
        Shape::Process => {
            let (counts, _) = numbers.key_by(key).process(Stretches);
            counts.to(adder);
        }
        Shape::Branches => {
            let (even, odd) = numbers.split(|n| n % 2 == 0);
            let [one, other] = even.broadcast();
            let copies = one.merge(other).merge(odd.flat_map(|n| [n, n]).isolate());
            copies.order_by(|n| *n).map(|_| 1).to(adder);
        }
        Shape::Reduce => {
            numbers.key_by(key).reduce(|latest, n| *latest = n).map(|_| 1).to(adder);
        }
        Shape::Fed | Shape::Tcp => unreachable!("it has operators of its own"),
    }
}

impl Ends {
    /// Brings the job what it is waiting for. That it ends meanwhile is not for the one who brings it to see.
    fn bring(&mut self) {
        let Story { moment, end, .. } = self.story;
        // The last one is what something happens at; where nothing does, there is none.
        let count = if end == End::OfInput { moment } else { moment + 1 };
        match &mut self.input {
            Input::Nothing => {}
            Input::Records(feeder) => _ = (0..count).try_for_each(|n| feeder.send(n)),
            Input::Lines(address) => {
                let Ok(client) = TcpStream::connect(*address) else { return };
                let mut lines = BufWriter::new(client);
                let _ = (0..count).try_for_each(|n| writeln!(lines, "{n}")).and_then(|()| lines.flush());
            }
        }
        if end == End::OfInput {
            self.input = Input::Nothing;
        }
    }

    /// Waits for the moment, and does then what is to be done.
    fn end(mut self, job: JobHandle) {
        let story = self.story;
        let outside = matches!(story.end, End::Stop | End::StopWithin(_) | End::Cancel | End::DropHandle);
        if story.moment > 0 || !outside {
            self.bring();
        }
        // A client that has left is the end of the input, which may come before the moment is noticed.
        if story.moment > 0 && outside {
            self.reached.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("never reached: {story:?}"));
        }
        match story.end {
            End::Stop => job.stop(Duration::MAX),
            End::StopWithin(deadline) => job.stop(deadline),
            End::Cancel => job.cancel(),
            End::DropHandle => return drop(job),
            End::OfInput | End::Panic | End::FullSink => {}
        }
        assert!(job.wait_timeout(PATIENCE), "it does not end: {story:?}, {:#?}", job.why_blocked());
        let status = job.status();
        self.check(status, &job.wait());
    }

    fn check(&self, status: JobStatus, outcome: &Result<JobReport, JobError>) {
        let story = self.story;
        let what = format!("{status:?}, {outcome:?}: {story:?}");
        match (story.end, outcome) {
            (End::Panic, Err(JobError { failure: Failure::Panicked { message, .. }, .. })) => {
                assert!(message.contains("trap"), "{what}");
            }
            (End::FullSink, Err(JobError { failure: Failure::Sink { .. }, .. })) => {}
            // Its input, which the test brings, is over before the sink is full.
            (End::FullSink, Ok(_)) => assert!(!matches!(self.input, Input::Nothing), "{what}"),
            (End::Cancel, Ok(_)) => assert!(status != JobStatus::Failed, "{what}"),
            (End::StopWithin(_), Ok(_)) if status == JobStatus::Cancelled => {}
            (End::OfInput | End::Stop | End::StopWithin(_), Ok(report)) => {
                assert_eq!(status, JobStatus::Finished, "{what}");
                if let Some(total) = story.total(report.records_in) {
                    assert_eq!(self.total.load(Ordering::Relaxed), total, "{what}");
                }
            }
            _ => panic!("{what}"),
        }
    }
}

/// A job's life from its beginning to its end; for some, in the company of others.
pub(crate) fn cycle(seed: u64) {
    let mut random = Rng::with_seed(seed);
    if random.u8(..10) == 0 {
        return hosted(&mut random);
    }
    let story = Story::of(&mut random);
    let Prepared { graph, ends } = prepare(story);
    ends.end(graph.start(story.options).unwrap());
}

/// Several jobs at once: one panics, some end, and one is left to the runtime to end.
fn hosted(random: &mut Rng) {
    let runtime = Runtime::new();
    let mut start = |end| {
        let story = Story { end, ..Story::of(random) };
        let Prepared { graph, ends } = prepare(story);
        (runtime.start(graph, story.options).unwrap(), ends)
    };
    let (left, mut left_ends) = start(End::Cancel);
    let (failing, failing_ends) = start(End::Panic);
    let finishing = [(); 2].map(|()| start(End::OfInput));
    left_ends.bring();
    failing_ends.end(failing);
    finishing.into_iter().for_each(|(job, ends)| ends.end(job));
    // Nothing but the runtime ends it, unless its client has.
    let ended_by_client = left_ends.story.shape == Shape::Tcp;
    assert!(ended_by_client || !left.status().is_final(), "{:?}", left_ends.story);
    drop(runtime);
    assert!(ended_by_client || left.status() == JobStatus::Cancelled, "{:?}", left_ends.story);
    let status = left.status();
    left_ends.check(status, &left.wait());
}
