//! What a job shows of itself while it runs and in the end, what it does when asked to end, and several jobs under one
//! roof.

use std::{
    fs,
    ops::Range,
    panic::Location,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
    vec,
};

use fastrand::Rng;
use nacreous::{
    Bell, Blockage, BoxError, Failure, GraphError, JobError, JobReport, JobStatus, Runtime, SourceStream,
    Stall, Stream, Upstream, Watermark, prelude::*, sink::Sink, source, source::Source,
};

use crate::equivalence::{BATCHES, WORKERS};

const PATIENCE: Duration = Duration::from_secs(30);

fn at_once() -> BoundedDisorder {
    BoundedDisorder::new(Duration::ZERO).unwrap()
}

fn windows(nanos: u64) -> Sliding {
    Sliding::tumbling(Duration::from_nanos(nanos)).unwrap()
}

/// The numbers, each a nanosecond later than the one before.
fn timed<S: Source<Item = i64>>(numbers: SourceStream<S>) -> Stream<i64, impl Upstream<Out = i64> + use<S>> {
    numbers.event_time(|n| Timestamp::from_nanos(*n), at_once())
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_micros(100));
    }
}

/// Waits for a job to end, and says how it did.
fn end_of(job: JobHandle) -> (JobStatus, Result<JobReport, JobError>) {
    assert!(job.wait_timeout(PATIENCE), "it does not end: {:?}, {:?}", job.status(), job.why_blocked());
    (job.status(), job.wait())
}

/// A sink that has no room until its gate is opened.
struct Gated {
    gate: Gate,
    taken: Arc<Mutex<Vec<i64>>>,
}

#[derive(Clone, Default)]
struct Gate(Arc<(AtomicBool, Mutex<Option<Bell>>)>);

impl Gate {
    fn open(&self) {
        self.0.0.store(true, Ordering::Release);
        self.0.1.lock().unwrap().iter().for_each(Bell::ring);
    }
}

impl Sink<i64> for Gated {
    fn attach(&mut self, bell: Bell) {
        *self.gate.0.1.lock().unwrap() = Some(bell);
    }

    fn room(&self) -> usize {
        if self.gate.0.0.load(Ordering::Acquire) { usize::MAX } else { 0 }
    }

    fn write(&mut self, records: &mut vec::Drain<'_, Record<i64>>) -> Result<(), BoxError> {
        self.taken.lock().unwrap().extend(records.map(|record| record.value));
        Ok(())
    }
}

/// A job whose source, endless unless it is given a range, stands before a gate, on two tasks if there are two workers.
fn before_a_gate(numbers: Range<i64>, options: JobOptions) -> (JobHandle, Gate, Arc<Mutex<Vec<i64>>>) {
    let (gate, taken) = (Gate::default(), Arc::default());
    let graph = Graph::new();
    let ahead = timed(graph.iter(numbers).named("numbers")).named("ahead").isolate();
    let slow = ahead.map(|n| n).named("slow");
    slow.to(Gated { gate: gate.clone(), taken: Arc::clone(&taken) }).named("gate");
    (graph.start(options).unwrap(), gate, taken)
}

#[test]
fn seen_from_outside_a_life_only_moves_forward_and_ends_once() {
    for seed in 0..200 {
        let mut random = Rng::with_seed(seed);
        let (panics_at, ends_at) = (random.i64(..20_000).max(-1), random.i64(0..20_000));
        let graph = Graph::new();
        let numbers = timed(graph.iter(0..ends_at)).map(move |n| {
            assert!(n != panics_at, "the trap");
            n
        });
        let (counts, _) = numbers.key_by(|n| n % 5).window(windows(100)).aggregate(count());
        counts.discard();
        let tier = if seed % 2 == 0 { Tier::Restless { seed } } else { Tier::Auto };
        let options = JobOptions { workers: random.usize(1..=4), batch: 7, tier, ..JobOptions::DEFAULT };
        let job = graph.start(options).unwrap();
        let seen = thread::scope(|scope| {
            let watching = scope.spawn(|| {
                let mut seen = vec![JobStatus::Created];
                while seen.last().is_some_and(|last| !last.is_final()) {
                    let now = job.status();
                    if seen.last() != Some(&now) {
                        seen.push(now);
                    }
                }
                // What has ended stays so.
                seen.extend((0..100).map(|_| job.status()));
                seen.dedup();
                seen
            });
            let moment = random.u64(0..20_000);
            while job.records_in() < moment && !job.status().is_final() {
                thread::yield_now();
            }
            for _ in 0..random.usize(0..3) {
                match random.u8(0..3) {
                    0 => job.stop(Duration::MAX),
                    1 => job.stop(Duration::from_micros(random.u64(0..500))),
                    _ => job.cancel(),
                }
            }
            watching.join().unwrap()
        });
        assert!(seen.is_sorted_by(|one, next| one < next), "seed {seed}: {seen:?}");
        let finals = seen.iter().filter(|status| status.is_final()).count();
        assert_eq!(finals, 1, "seed {seed}: {seen:?}");
        let (status, outcome) = end_of(job);
        assert_eq!(seen.last(), Some(&status), "seed {seed}: {seen:?}");
        assert_eq!(outcome.is_err(), status == JobStatus::Failed, "seed {seed}: {seen:?}");
    }
}

#[test]
fn a_job_that_drains_before_the_deadline_finishes_and_one_that_cannot_is_cancelled_soon_after() {
    const DEADLINE: Duration = Duration::from_millis(100);
    for workers in WORKERS {
        let options = JobOptions { workers, batch: 64, ..JobOptions::DEFAULT };
        // The gate is opened after the job was asked to stop: it drains in time.
        let (job, gate, taken) = before_a_gate(0..i64::MAX, options);
        until("records before the gate", || job.records_in() > 100);
        job.stop(PATIENCE);
        until("it drains", || job.status() == JobStatus::Draining);
        gate.open();
        let (status, outcome) = end_of(job);
        assert_eq!(status, JobStatus::Finished);
        let read = i64::try_from(outcome.unwrap().records_in).unwrap();
        assert_eq!(*taken.lock().unwrap(), (0..read).collect::<Vec<_>>(), "{workers} workers");

        // It never is.
        let (job, _gate, taken) = before_a_gate(0..i64::MAX, options);
        until("records before the gate", || job.records_in() > 100);
        let asked = Instant::now();
        job.stop(DEADLINE);
        let (status, outcome) = end_of(job);
        let took = asked.elapsed();
        assert_eq!(status, JobStatus::Cancelled);
        outcome.expect("a cancelled job has not failed");
        assert!(took >= DEADLINE, "{workers} workers: cancelled after {took:?}");
        assert!(took < DEADLINE + Duration::from_secs(5), "{workers} workers: cancelled after {took:?}");
        assert!(taken.lock().unwrap().is_empty(), "the gate was never open");
    }
}

#[test]
fn the_earlier_of_two_deadlines_holds_and_none_is_none() {
    let (job, _gate, _) = before_a_gate(0..i64::MAX, JobOptions::DEFAULT);
    until("records before the gate", || job.records_in() > 100);
    job.stop(Duration::MAX);
    job.stop(Duration::from_secs(3_600));
    job.stop(Duration::from_millis(10));
    job.stop(Duration::from_secs(3_600));
    assert_eq!(end_of(job).0, JobStatus::Cancelled);
}

/// What a graph of one operator of each kind should come to, by arithmetic.
const RECORDS: u64 = 30_000;

/// A graph in which every number of a report is to be other than zero, and its outputs: results and late records.
fn of_all_kinds(graph: &Graph) -> [nacreous::Collected<u64>; 2] {
    // Each hundredth record is far behind.
    let time_of = |n: &u64| Timestamp::from_nanos(if n % 100 == 99 { 0 } else { n.cast_signed() });
    let numbers = graph.iter(0..RECORDS).event_time(time_of, at_once());
    let (numbers, refused) = numbers.try_map(|n| if n % 10 == 3 { Err(n) } else { Ok(n) });
    refused.discard();
    let [one, other] = numbers.filter(|n| n % 10 != 4).broadcast();
    let (counts, late) = one.key_by(|n| n % 8).window(windows(1_000)).aggregate(count());
    other.map(|n| n).isolate().discard();
    [counts.map(|count| count.value).collect(), late.map(|late| late.value).collect()]
}

#[test]
fn the_figures_of_a_report_agree_with_each_other_and_with_what_came_out() {
    for workers in WORKERS {
        for batch in BATCHES {
            let graph = Graph::new();
            let [counts, late] = of_all_kinds(&graph);
            let options = JobOptions { workers, batch, ..JobOptions::DEFAULT };
            let job = graph.start(options).unwrap();
            // Figures of a job that runs only grow.
            let mut earlier = job.report();
            while !job.status().is_final() {
                let now = job.report();
                for (before, after) in figures(&earlier).into_iter().zip(figures(&now)) {
                    assert!(before <= after, "{options:?}: {earlier:#?} became {now:#?}");
                }
                earlier = now;
            }
            let asked = job.report();
            let report = job.wait().unwrap();
            let what = format!("{options:?}: {report:#?}");
            assert_eq!(asked, report, "asked after the end and handed out in the end");

            let (counts, late) = (counts.take(), late.take());
            assert_eq!(report.records_in, RECORDS, "{what}");
            assert_eq!(report.records_rejected, RECORDS / 10, "{what}");
            assert_eq!(report.records_filtered, RECORDS / 10, "{what}");
            assert_eq!(report.records_added, RECORDS / 10 * 8, "{what}");
            // The first of those far behind is not, as its window is still open then; and so for ten of them.
            assert_eq!(report.records_late, RECORDS / 100 - 10, "{what}");
            assert_eq!(late.len() as u64, report.records_late, "{what}");
            assert_eq!(report.records_on_time + report.records_late, RECORDS / 10 * 16, "{what}");
            assert_eq!(counts.len() as u64, report.results, "{what}");
            let counted: u64 = counts.iter().map(|count| count.value).sum();
            assert_eq!(counted, RECORDS / 10 * 8 - report.records_late, "{what}");
            check_tasks_and_edges(&report, workers, &what);
        }
    }
}

/// All counters of a report.
fn figures(report: &JobReport) -> Vec<u64> {
    let JobReport { records_in, records_added, records_on_time, records_late, .. } = *report;
    let JobReport { records_rejected, records_filtered, results, missed_windows, .. } = *report;
    let mut all = vec![
        records_in,
        records_added,
        records_on_time,
        records_late,
        records_rejected,
        records_filtered,
        results,
        missed_windows,
    ];
    for task in &report.tasks {
        all.extend([task.records_in, task.batches_in, task.records_out, task.batches_out]);
        all.extend([task.records_late, task.records_rejected, task.results, task.finished.into()]);
    }
    for edge in &report.edges {
        all.extend([edge.records_in, edge.batches_in, edge.records_out, edge.batches_out]);
    }
    all
}

/// What tasks and edges say adds up to what the job says.
fn check_tasks_and_edges(report: &JobReport, workers: usize, what: &str) {
    let is_source = |task: &&nacreous::TaskReport| task.operators[0].kind() == "iter";
    let tasks = report.tasks.as_slice();
    let (sources, others): (Vec<_>, Vec<_>) = tasks.iter().partition(is_source);
    let edges = |figure: fn(&nacreous::EdgeReport) -> u64| report.edges.iter().map(figure).sum::<u64>();
    let all = |figure: fn(&nacreous::TaskReport) -> u64| tasks.iter().map(figure).sum::<u64>();
    assert_eq!(sources.iter().map(|task| task.records_in).sum::<u64>(), report.records_in, "{what}");
    assert_eq!(
        others.iter().map(|task| task.records_in).sum::<u64>(),
        edges(|edge| edge.records_out),
        "{what}"
    );
    assert_eq!(all(|task| task.batches_in), edges(|edge| edge.batches_out), "{what}");
    assert_eq!(all(|task| task.records_out), edges(|edge| edge.records_in), "{what}");
    assert_eq!(all(|task| task.batches_out), edges(|edge| edge.batches_in), "{what}");
    assert_eq!(all(|task| task.records_late), report.records_late, "{what}");
    assert_eq!(all(|task| task.records_rejected), report.records_rejected, "{what}");
    assert_eq!(all(|task| task.results), report.results, "{what}");
    for edge in &report.edges {
        assert_eq!((edge.records_in, edge.batches_in), (edge.records_out, edge.batches_out), "{what}");
        assert_eq!((edge.occupancy, edge.capacity), (0, 64), "{what}");
    }
    assert_eq!(report.workers.len(), workers, "{what}");
    for task in tasks {
        assert!(task.finished && task.worker < workers && task.blocked <= report.elapsed, "{what}");
        let side = ["aggregate", "try_map"].contains(&task.operators[0].kind());
        assert!(side || task.watermark == Watermark::END, "{what}");
    }
    for worker in 0..workers {
        assert!(report.workers[worker].idle <= report.elapsed, "{what}");
    }
    assert!(report.stalls.is_empty(), "{what}");
}

fn is_edge_full(blockage: &Blockage, from: &str, to: &str) -> bool {
    matches!(blockage, Blockage::EdgeFull { from: f, to: t } if f.label() == Some(from) && t.label() == Some(to))
}

fn is_no_room(blockage: &Blockage, whose: &str) -> bool {
    matches!(blockage, Blockage::NoRoom { operators } if operators.iter().any(|o| o.label() == Some(whose)))
}

#[test]
fn a_sink_without_room_shows_as_what_holds_back_the_others_until_it_has_some() {
    for workers in WORKERS {
        let options = JobOptions { workers, batch: 16, ..JobOptions::DEFAULT };
        let (job, gate, _) = before_a_gate(0..100_000, options);
        until("the full edge and the sink without room are named", || {
            let why = job.why_blocked();
            why.iter().any(|why| is_edge_full(why, "ahead", "slow"))
                && why.iter().any(|why| is_no_room(why, "gate"))
        });
        let line = job.why_blocked().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(line.contains("\"slow\"") && line.contains("does not keep up"), "{line}");
        let held = job.report();
        let full = held.edges.iter().filter(|edge| edge.occupancy == edge.capacity).count();
        assert_eq!(full, 1, "{held:#?}");
        // All tasks are blocked by now, and have been for longer when asked later.
        until("blocked time grows", || {
            let later = job.report();
            let mut pairs = held.tasks.iter().zip(&later.tasks);
            pairs.all(|(held, later)| later.blocked > held.blocked)
        });
        let held = job.report();
        gate.open();
        let status_and_why = {
            assert!(job.wait_timeout(PATIENCE), "it does not end");
            (job.status(), job.why_blocked())
        };
        assert_eq!(status_and_why, (JobStatus::Finished, Vec::new()), "{workers} workers");
        let report = job.wait().unwrap();
        for (task, held) in report.tasks.iter().zip(&held.tasks) {
            assert!(task.blocked >= held.blocked && task.blocked <= report.elapsed, "{report:#?}");
        }
    }
}

#[test]
fn a_merge_that_waits_for_a_silent_source_says_for_which() {
    for workers in WORKERS {
        let ((mut loud, loud_source), (quiet, quiet_source)) = (source::fed(64), source::fed(64));
        let graph = Graph::new();
        let loud_stream = timed(graph.source(loud_source).0.named("loud")).named("loud times");
        let quiet_stream = timed(graph.source(quiet_source).0.named("quiet")).named("quiet times");
        let merged = loud_stream.merge(quiet_stream).map(|n| n).named("merged");
        let (counts, _) = merged.key_by(|_| ()).window(windows(10)).aggregate(count());
        let counts = counts.map(|count| count.value).collect();
        let stall_limit = Duration::from_millis(40);
        let job = graph.start(JobOptions { workers, batch: 16, stall_limit, ..JobOptions::DEFAULT }).unwrap();
        let mut sent = 0;
        let mut talk = || {
            (0..10).for_each(|_| {
                loud.send(sent).unwrap();
                sent += 1;
            });
        };
        let names = |why: &[Blockage], wanted: &dyn Fn(&Blockage) -> bool| why.iter().any(wanted);
        let by_quiet = |why: &Blockage| {
            matches!(
                why,
                Blockage::Watermark { held_by, at, .. }
                    if held_by.label() == Some("quiet times") && *at == Watermark::MIN
            )
        };
        let quiet_itself = |why: &Blockage| {
            matches!(
                why,
                Blockage::SourceWatermark { source, part: None, at } if source.label() == Some("quiet") && *at == Watermark::MIN
            )
        };
        until("the silent source is named", || {
            talk();
            let why = job.why_blocked();
            names(&why, &by_quiet) && names(&why, &quiet_itself)
        });
        let lines = job.why_blocked().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(lines.contains("held back by `event_time` \"quiet times\""), "{lines}");
        // It says a word, and ends.
        quiet.close();
        until("the loud one goes on alone", || {
            talk();
            let why = job.why_blocked();
            !names(&why, &by_quiet) && !names(&why, &quiet_itself)
        });
        loud.close();
        let report = end_of(job).1.unwrap();
        assert_eq!(report.records_in, sent.unsigned_abs());
        let counted: u64 = counts.take().iter().map(|count| count.value).sum();
        assert_eq!(counted, report.records_in);
    }
}

#[test]
fn sources_that_get_on_are_blamed_for_nothing() {
    let graph = Graph::new();
    let one = timed(graph.iter(0_i64..));
    let other = timed(graph.iter(0_i64..));
    let (counts, _) = one.merge(other).key_by(|n| n % 5).window(windows(100)).aggregate(count());
    counts.discard();
    // A quarter of it is how long something must stand still: longer than a busy machine keeps a thread waiting.
    let stall_limit = Duration::from_secs(4);
    let job = graph.start(JobOptions { workers: 1, batch: 16, stall_limit, ..JobOptions::DEFAULT }).unwrap();
    let mut asked = 0;
    let stand = |why: &Blockage| matches!(why, Blockage::Watermark { .. } | Blockage::SourceWatermark { .. });
    while job.report().elapsed < Duration::from_millis(2_500) {
        let why = job.why_blocked();
        assert!(!why.iter().any(stand), "after {asked} times: {why:?}");
        asked += 1;
    }
    job.cancel();
    assert_eq!(end_of(job).0, JobStatus::Cancelled);
}

/// Holds its thread from when it is taken hold of until it is let go.
#[derive(Clone, Default)]
struct Hold(Arc<AtomicBool>);

impl Hold {
    fn release(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn wait(&self) {
        let began = Instant::now();
        while !self.0.load(Ordering::Relaxed) {
            assert!(began.elapsed() < PATIENCE * 2, "never released: the test has failed");
            thread::yield_now();
        }
    }
}

/// Where a graph holds its thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    Source,
    Chain,
    Sink,
}

fn held_at(holder: Holder, hold: &Hold, stall_limit: Duration) -> JobHandle {
    let (in_source, in_chain, in_sink) = (hold.clone(), hold.clone(), hold.clone());
    let wait_if = |here: bool, hold: &Hold| {
        if here {
            hold.wait();
        }
    };
    let graph = Graph::new();
    let numbers = (0..1_000_i64).inspect(move |_| wait_if(holder == Holder::Source, &in_source));
    let numbers = timed(graph.iter(numbers).named("source")).named("times").isolate();
    let chain = numbers.inspect(move |_| wait_if(holder == Holder::Chain, &in_chain)).named("chain");
    let sink = Calls(move || wait_if(holder == Holder::Sink, &in_sink));
    chain.to(sink).named("sink");
    graph.start(JobOptions { workers: 1, batch: 16, stall_limit, ..JobOptions::DEFAULT }).unwrap()
}

/// A sink that calls a function for each record: one that is not fused with what comes before it.
struct Calls<F>(F);

impl<T, F: FnMut() + Send + 'static> Sink<T> for Calls<F> {
    fn write(&mut self, records: &mut vec::Drain<'_, Record<T>>) -> Result<(), BoxError> {
        records.for_each(|_| self.0());
        Ok(())
    }
}

fn labels(operators: &[nacreous::OperatorName]) -> Vec<&str> {
    operators.iter().filter_map(nacreous::OperatorName::label).collect()
}

#[test]
fn an_operator_that_holds_its_thread_is_named_and_so_are_those_that_wait_for_the_thread() {
    const LIMIT: Duration = Duration::from_millis(40);
    for (holder, held, not_run) in [
        (Holder::Source, ["source", "times"].as_slice(), ["chain", "sink"].as_slice()),
        (Holder::Chain, &["chain"], &["source", "times"]),
        (Holder::Sink, &["sink"], &["source", "times"]),
    ] {
        let hold = Hold::default();
        let job = held_at(holder, &hold, LIMIT);
        until("the one that holds the thread, and the one that waits for it", || {
            let why = job.why_blocked();
            let holds =
                |why: &Blockage| matches!(why, Blockage::Held(stall) if labels(&stall.operators) == held);
            let waits = |why: &Blockage| matches!(why, Blockage::NotRun { operators, worker: 0 } if labels(operators) == not_run);
            why.iter().any(holds) && why.iter().any(waits)
        });
        let stalls = job.report().stalls;
        let [Stall { over: false, worker: 0, lasted, .. }] = stalls[..] else { panic!("{stalls:?}") };
        assert!(lasted >= LIMIT, "{lasted:?}");
        assert!(stalls[0].to_string().contains("is holding worker 0"), "{}", stalls[0]);
        until("it is said to last longer", || job.report().stalls[0].lasted >= LIMIT * 2);
        hold.release();
        assert!(job.wait_timeout(PATIENCE), "it does not end");
        assert_eq!(job.why_blocked(), [], "{holder:?}: of a job that has ended");
        let report = job.wait().unwrap();
        assert_eq!(report.records_in, 1_000);
        let [Stall { over: true, .. }] = report.stalls[..] else { panic!("{:?}", report.stalls) };
        assert!(report.stalls[0].to_string().contains("held worker 0"), "{}", report.stalls[0]);
    }
}

#[test]
fn a_stall_is_over_while_the_job_goes_on() {
    let hold = Hold::default();
    let held = hold.clone();
    let graph = Graph::new();
    let numbers = timed(graph.iter(0_i64..)).inspect(move |record| {
        if record.value == 1_000 {
            held.wait();
        }
    });
    numbers.discard();
    let stall_limit = Duration::from_millis(40);
    let job = graph.start(JobOptions { stall_limit, ..JobOptions::DEFAULT }).unwrap();
    until("it stalls", || !job.report().stalls.is_empty());
    hold.release();
    until("it is over", || job.report().stalls[0].over);
    assert!(!job.why_blocked().iter().any(|why| matches!(why, Blockage::Held(_) | Blockage::NotRun { .. })));
    job.cancel();
    assert_eq!(end_of(job).1.unwrap().stalls.len(), 1);
}

fn threads_of(job: u64) -> Vec<String> {
    let prefix = format!("nl{job}-");
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with(&prefix)).collect()
}

/// The sums of each key among the numbers, as a job of a runtime.
fn sums_in(runtime: &Runtime, numbers: Range<i64>, workers: usize) -> (JobHandle, nacreous::Collected<i64>) {
    let graph = Graph::new();
    let (sums, _) =
        timed(graph.iter(numbers)).key_by(|n| n % 3).window(windows(1_000)).aggregate(sum(|n: &i64| *n));
    let sums = sums.map(|sum| sum.value).collect();
    let options = JobOptions { workers, batch: 16, ..JobOptions::DEFAULT };
    (runtime.start(graph, options).unwrap(), sums)
}

#[test]
fn a_job_that_fails_leaves_the_others_of_its_runtime_running() {
    for workers in WORKERS {
        let runtime = Runtime::new();
        let others: Vec<_> = (1..4).map(|n| sums_in(&runtime, 0..50_000 * n, workers)).collect();
        let (endless, _) = sums_in(&runtime, 0..i64::MAX, workers);
        let graph = Graph::new();
        timed(graph.iter(0..10_i64)).inspect(|record| assert!(record.value != 5, "five")).discard();
        let failing = runtime.start(graph, JobOptions { workers, ..JobOptions::DEFAULT }).unwrap();
        let number = failing.number();
        let (status, outcome) = end_of(failing);
        assert_eq!(status, JobStatus::Failed);
        assert!(matches!(outcome.unwrap_err().failure, Failure::Panicked { .. }));
        assert!(!runtime.jobs().iter().any(|job| job.number == number), "it has ended");
        for (n, (job, sums)) in (1_i64..).zip(others) {
            assert_eq!(end_of(job).0, JobStatus::Finished);
            let records = n * 50_000;
            assert_eq!(sums.take().iter().map(|sum| sum.value).sum::<i64>(), records * (records - 1) / 2);
        }
        assert_eq!(runtime.jobs().iter().map(|job| job.number).collect::<Vec<_>>(), [endless.number()]);
        until("the one without end goes on", || endless.records_in() > 10_000);
        drop(runtime);
        assert_eq!(endless.status(), JobStatus::Cancelled);
        let number = endless.number();
        endless.wait().expect("a cancelled job has not failed");
        until("its threads are gone", || threads_of(number).is_empty());
    }
}

#[test]
fn a_runtime_that_stops_drains_all_its_jobs() {
    let runtime = Runtime::new();
    let jobs: Vec<_> = WORKERS.map(|workers| sums_in(&runtime, 0..i64::MAX, workers)).into();
    for (job, _) in &jobs {
        until("it runs", || job.records_in() > 1_000);
    }
    runtime.stop(PATIENCE);
    assert!(runtime.jobs().is_empty());
    for (job, sums) in jobs {
        let (status, outcome) = end_of(job);
        assert_eq!(status, JobStatus::Finished);
        let records = i64::try_from(outcome.unwrap().records_in).unwrap();
        assert_eq!(sums.take().iter().map(|sum| sum.value).sum::<i64>(), records * (records - 1) / 2);
    }
}

#[test]
fn a_job_may_drop_the_runtime_that_hosts_it() {
    let slot: Arc<Mutex<Option<Runtime>>> = Arc::default();
    let graph = Graph::new();
    let own = Arc::clone(&slot);
    timed(graph.iter(0_i64..)).for_each(move |_| drop(own.lock().unwrap().take()));
    let mut held = slot.lock().unwrap();
    let runtime = held.insert(Runtime::new());
    let job = runtime.start(graph, JobOptions::DEFAULT).unwrap();
    drop(held);
    assert_eq!(end_of(job).0, JobStatus::Cancelled);
}

#[test]
fn two_operators_of_one_name_are_refused_with_the_places_of_both() {
    let graph = Graph::new();
    let first = line!() + 1;
    let twice = timed(graph.iter(0..3_i64)).map(|n| n).named("twice");
    let second = line!() + 1;
    twice.discard().named("twice");
    let error = graph.start(JobOptions::DEFAULT).expect_err("two are named alike");
    assert!(matches!(error, GraphError::SameName { .. }), "{error}");
    let text = error.to_string();
    let place = |kind: &str, line: u32| format!("`{kind}` \"twice\" ({}:{line}:", file!());
    assert!(text.contains(&place("map", first)) && text.contains(&place("discard", second)), "{text}");
}

type Numbers = Stream<i64>;

/// A stream left without an end, and everything else of its graph ended.
struct Loose {
    /// The operator that it comes from.
    kind: &'static str,
    place: &'static Location<'static>,
    build: fn(Numbers, Numbers),
}

#[track_caller]
fn loose(kind: &'static str, build: fn(Numbers, Numbers)) -> Loose {
    Loose { kind, place: Location::caller(), build }
}

#[test]
#[rustfmt::skip]
#[expect(unused_must_use, reason = "that streams are left without an end is the subject")]
fn a_stream_without_an_end_is_refused_by_the_name_and_the_line_of_its_operator() {
    // Each operator on the line of its row, which is where the message should point.
    let rows = [
        loose("map", |one, two| { one.map(|n| n); two.discard(); }),
        loose("filter", |one, two| { one.filter(|_| true); two.discard(); }),
        loose("split", |one, two| { one.split(|_| true).1.discard(); two.discard(); }),
        loose("split", |one, two| { one.split(|_| true).0.discard(); two.discard(); }),
        loose("broadcast", |one, two| { let [a, _] = one.broadcast(); a.discard(); two.discard(); }),
        loose("broadcast", |one, two| { let [_, b] = one.broadcast(); b.discard(); two.discard(); }),
        loose("merge", |one, two| { one.merge(two); }),
        loose("isolate", |one, two| { one.isolate(); two.discard(); }),
        loose("key_by", |one, two| { one.key_by(|n| *n); two.discard(); }),
        loose("reduce", |one, two| { one.key_by(|n| *n).reduce(|a, b| *a += b); two.discard(); }),
        loose("scan", |one, two| { one.key_by(|n| *n).scan(0, |_, n| n); two.discard(); }),
        loose("try_map", |one, two| { one.try_map(Ok::<_, ()>).1.discard(); two.discard(); }),
        loose("process", |one, two| { one.key_by(|n| *n).process(Nothing).1.discard(); two.discard(); }),
        loose("aggregate", |one, two| { one.key_by(|n| *n).window(windows(5)).aggregate(count()).1.discard(); two.discard(); }),
        loose("join", |one, two| { one.key_by(|n| *n).window(windows(5)).join(two.key_by(|n| *n), |a, _| *a).1.discard(); }),
        loose("order_by", |one, two| { one.order_by(|n| *n); two.discard(); }),
    ];
    for Loose { kind, place, build } in rows {
        let graph = Graph::new();
        build(timed(graph.iter(0..3_i64)).isolate(), timed(graph.iter(0..3_i64)).isolate());
        let error = graph.start(JobOptions::DEFAULT).expect_err("a stream leads nowhere");
        let GraphError::NoSink(operator) = &error else { panic!("{kind}: {error}") };
        assert_eq!(operator.kind(), kind, "{error}");
        let found = (operator.location().file(), operator.location().line());
        assert_eq!(found, (place.file(), place.line()), "{kind}: {error}");
        assert!(error.to_string().contains(&format!("`{kind}` ({}:{}:", place.file(), place.line())), "{error}");
    }
}

/// Takes records and makes nothing of them.
#[derive(Clone)]
struct Nothing;

impl nacreous::Process<i64, i64> for Nothing {
    type State = ();
    type Out = i64;
    type Side = i64;

    fn on_record(&mut self, _: i64, (): &mut (), _: &mut nacreous::Context<'_, i64, i64, i64>) {}
}
