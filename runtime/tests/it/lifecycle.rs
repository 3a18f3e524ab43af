//! Starting, stopping, cancelling; what is refused; what a slow sink does to everything before it.

use std::{
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicI64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use nacreous::{BoxError, Failure, GraphError, JobStatus, RunError, prelude::*, sink::Sink};

const PATIENCE: Duration = Duration::from_secs(30);

fn in_order() -> BoundedDisorder {
    BoundedDisorder::new(Duration::ZERO).unwrap()
}

/// Counts without end, each number a nanosecond later.
fn endless() -> impl Iterator<Item = i64> + Send + 'static {
    0_i64..
}

#[test]
fn a_graph_that_cannot_run_is_refused_and_says_where() {
    let options = JobOptions::default();
    assert!(matches!(Graph::new().start(options), Err(GraphError::Empty)));

    let graph = Graph::new();
    let line = line!() + 1;
    let loose = graph.iter(0..3_i64).event_time(|n| Timestamp::from_nanos(*n), in_order());
    let error = graph.start(options).expect_err("the stream ends nowhere").to_string();
    drop(loose);
    let place = format!("{}:{line}:", file!());
    assert!(error.contains("`event_time`") && error.contains(&place), "{error} should name {place}");

    // A side output is in use, but the operator that feeds it leads nowhere itself.
    let graph = Graph::new();
    let window = || Sliding::tumbling(Duration::from_nanos(5)).unwrap();
    let stream = graph.iter(0..3_i64).event_time(|n| Timestamp::from_nanos(*n), in_order());
    let (counts, late) = stream.key_by(|n| *n).window(window()).aggregate(count());
    counts.for_each(|_| ());
    let (_, later) = late.key_by(|late| late.key).window(window()).aggregate(count());
    later.for_each(|_| ());
    let error = graph.start(options).expect_err("the second window leads nowhere").to_string();
    assert!(error.contains("`aggregate`"), "{error}");

    // An operator brings two graphs together: neither starts.
    let (one, other) = (Graph::new(), Graph::new());
    let stream = |graph: &Graph| graph.iter(0..3_i64).event_time(|n| Timestamp::from_nanos(*n), in_order());
    stream(&one).merge(stream(&other)).discard();
    for graph in [one, other] {
        let error = graph.start(options).expect_err("half of it is elsewhere").to_string();
        assert!(error.contains("`merge`") && error.contains("two graphs"), "{error}");
    }

    for (workers, batch) in [(0, 1), (257, 1), (1, 0), (1, 65_537), (usize::MAX, usize::MAX)] {
        let graph = Graph::new();
        graph.iter(0..3_i64).event_time(|n| Timestamp::from_nanos(*n), in_order()).for_each(|_| ());
        let error =
            graph.start(JobOptions { workers, batch, ..JobOptions::default() }).expect_err("out of range");
        assert!(matches!(error, GraphError::Workers { .. } | GraphError::Batch { .. }), "{error}");
    }
}

#[test]
fn stopping_drains_what_was_read_and_closes_all_windows() {
    for workers in [1, 2, 4] {
        let graph = Graph::new();
        let (counts, _) = graph
            .iter(endless())
            .event_time(|n| Timestamp::from_nanos(*n), in_order())
            .key_by(|n| n % 5)
            .window(Sliding::tumbling(Duration::from_millis(1)).unwrap())
            .aggregate(count());
        let counts = counts.collect();
        let job = graph.start(JobOptions { workers, batch: 512, ..JobOptions::default() }).unwrap();
        while job.records_in() < 1_500_000 {
            assert!(!job.wait_timeout(Duration::from_millis(1)), "an endless job has ended");
        }
        job.stop(Duration::MAX);
        assert!(job.wait_timeout(PATIENCE), "it does not stop");
        assert_eq!(job.status(), JobStatus::Finished);
        let report = job.wait().expect("stopping is no failure");
        let counted: u64 = counts.take().iter().map(|record| record.value.value).sum();
        assert_eq!(counted, report.records_in, "{workers} workers");
    }
}

#[test]
fn cancelling_and_dropping_the_handle_end_a_job_that_would_never_end() {
    for workers in [1, 2, 4] {
        let start = || {
            let graph = Graph::new();
            let stream = graph.iter(endless()).event_time(|n| Timestamp::from_nanos(*n), in_order());
            let (counts, _) = stream
                .key_by(|n| n % 5)
                .window(Sliding::tumbling(Duration::from_millis(1)).unwrap())
                .aggregate(count());
            counts.for_each(|_| ());
            graph.start(JobOptions { workers, batch: 7, ..JobOptions::default() }).unwrap()
        };
        let job = start();
        job.cancel();
        assert!(job.wait_timeout(PATIENCE), "it does not end");
        assert_eq!(job.status(), JobStatus::Cancelled);
        job.wait().expect("a cancelled job has not failed");
        drop(start());
    }
}

/// When it is dropped, says so and waits until it is let go.
struct DropsSlowly {
    dropping: mpsc::SyncSender<()>,
    go: mpsc::Receiver<()>,
}

impl Drop for DropsSlowly {
    fn drop(&mut self) {
        let _ = self.dropping.send(());
        let _ = self.go.recv_timeout(PATIENCE);
    }
}

#[test]
fn a_job_that_is_cancelled_when_it_has_done_everything_has_finished() {
    let tiers = [Tier::Fused, Tier::Boxed, Tier::ByHand, Tier::Auto];
    for (tier, workers) in tiers.into_iter().flat_map(|tier| [(tier, 1), (tier, 3)]) {
        let (dropping, dropped) = mpsc::sync_channel(1);
        let (go, wait) = mpsc::sync_channel(1);
        let held = DropsSlowly { dropping, go: wait };
        let graph = Graph::new();
        graph.iter(0..1_000_i64).event_time(|n| Timestamp::from_nanos(*n), in_order()).for_each(move |_| {
            let _kept_until_the_operator_goes = &held;
        });
        let job = graph.start(JobOptions { tier, workers, ..JobOptions::default() }).unwrap();
        dropped.recv_timeout(PATIENCE).expect("all was read, and the operator goes");
        job.cancel();
        // Long enough for workers that have nothing to do to see it.
        thread::sleep(Duration::from_millis(20));
        go.send(()).unwrap();
        assert!(job.wait_timeout(PATIENCE));
        assert_eq!(job.status(), JobStatus::Finished, "{tier:?}, {workers} workers");
        assert_eq!(job.wait().unwrap().records_in, 1_000);
    }
}

/// Takes nothing until it is opened.
struct Gate(Arc<(Mutex<bool>, Condvar)>, Arc<AtomicI64>);

impl Sink<i64> for Gate {
    fn write(&mut self, records: &mut std::vec::Drain<'_, Record<i64>>) -> Result<(), BoxError> {
        let (open, opened) = &*self.0;
        let closed = opened.wait_while(open.lock().unwrap(), |open| !*open).unwrap();
        drop(closed);
        for record in records {
            assert_eq!(self.1.fetch_add(1, Ordering::Relaxed), record.value, "in order, none missing");
        }
        Ok(())
    }
}

#[test]
fn a_slow_sink_holds_the_source_back_and_nothing_is_lost() {
    const BATCH: usize = 16;
    const RECORDS: i64 = 100_000;
    let (gate, taken) = (Arc::new((Mutex::new(false), Condvar::new())), Arc::new(AtomicI64::new(0)));
    let graph = Graph::new();
    let (windows, _) = graph
        .iter(0..RECORDS)
        .event_time(|n| Timestamp::from_nanos(*n), in_order())
        .key_by(|_| ())
        .window(Sliding::tumbling(Duration::from_nanos(1)).unwrap())
        .aggregate(sum(|n: &i64| *n));
    // Four workers: the source, three instances of the window, and the sink behind them on the last.
    windows.map(|window| window.value).to(Gate(Arc::clone(&gate), Arc::clone(&taken)));
    let job = graph.start(JobOptions { workers: 4, batch: BATCH, ..JobOptions::default() }).unwrap();

    // The source comes to a halt: its count stands still while nothing is taken.
    let mut read = (0, 0);
    while read.1 < 20 {
        assert!(!job.wait_timeout(Duration::from_millis(5)));
        let now = job.records_in();
        read = if now == read.0 && now > 0 { (now, read.1 + 1) } else { (now, 0) };
    }
    assert!(read.0 < 10_000, "{} records are under way, more than the edges hold", read.0);
    assert_eq!(taken.load(Ordering::Relaxed), 0);

    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    let report = job.wait().expect("it only had to wait");
    assert_eq!(taken.load(Ordering::Relaxed), RECORDS);
    assert_eq!(report.results, RECORDS.unsigned_abs());
}

/// Takes a few records, then no more.
struct Full(usize);

impl Sink<i64> for Full {
    fn write(&mut self, records: &mut std::vec::Drain<'_, Record<i64>>) -> Result<(), BoxError> {
        self.0 = self.0.checked_sub(records.len()).ok_or("the disk is full")?;
        Ok(())
    }
}

#[test]
fn a_sink_that_fails_stops_even_an_endless_source() {
    for workers in [1, 2, 4] {
        let graph = Graph::new();
        let (sums, _) = graph
            .iter(endless())
            .event_time(|n| Timestamp::from_nanos(*n), in_order())
            .key_by(|n| n % 7)
            .window(Sliding::tumbling(Duration::from_nanos(10)).unwrap())
            .aggregate(sum(|n: &i64| *n));
        sums.map(|sum| sum.value).to(Full(1_000));
        let outcome = graph.run(JobOptions { workers, batch: 32, ..JobOptions::default() });
        let Err(RunError::Job(error)) = outcome else { panic!("{outcome:?}") };
        assert!(matches!(error.failure, Failure::Sink { .. }), "{error}");
        assert!(error.to_string().ends_with(": the disk is full"), "{error}");
    }
}

#[test]
#[should_panic(expected = "this graph has been started")]
fn a_stream_cannot_be_ended_after_the_start() {
    let graph = Graph::new();
    let stream = graph.iter(0..3_i64).event_time(|n| Timestamp::from_nanos(*n), in_order());
    assert!(graph.start(JobOptions::default()).is_err());
    stream.for_each(|_| ());
}

#[test]
fn a_job_may_drop_its_own_handle() {
    let slot: Arc<Mutex<Option<JobHandle>>> = Arc::default();
    let ended = Arc::new(AtomicI64::new(0));
    /// Says that the sink, and with it the job's last task, is gone.
    struct Gone(Arc<AtomicI64>);
    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.store(1, Ordering::Relaxed);
        }
    }
    let graph = Graph::new();
    let (own, gone) = (Arc::clone(&slot), Gone(Arc::clone(&ended)));
    let stream = graph.iter(endless()).event_time(|n| Timestamp::from_nanos(*n), in_order());
    stream.for_each(move |_| {
        let _ = &gone;
        drop(own.lock().unwrap().take());
    });
    let mut held = slot.lock().unwrap();
    *held = Some(graph.start(JobOptions::default()).unwrap());
    drop(held);
    while ended.load(Ordering::Relaxed) == 0 {
        thread::yield_now();
    }
}

#[test]
fn a_record_that_comes_after_a_pause_wakes_the_threads_it_passes_through() {
    const RECORDS: usize = 41;
    let (send_delay, delays) = mpsc::channel();
    let began = std::time::Instant::now();
    let records = (0..=RECORDS).map(move |number| {
        // The pause is the subject: long enough for all other threads to park.
        thread::sleep(Duration::from_millis(3));
        (number, began.elapsed())
    });
    let graph = Graph::new();
    let first_is_far_ahead = |(number, _): &(usize, Duration)| match number {
        0 => Timestamp::from_nanos(1_000),
        _ => Timestamp::from_nanos(0),
    };
    let window = Sliding::tumbling(Duration::from_nanos(5)).unwrap();
    let stream = graph.iter(records).event_time(first_is_far_ahead, in_order());
    let (counts, late) = stream.key_by(|(number, _)| *number).window(window).aggregate(count());
    counts.for_each(|_| ());
    // From the source's thread over a keyed one to that of the sink.
    late.for_each(move |record| send_delay.send(began.elapsed() - record.value.value.1).unwrap());
    graph.run(JobOptions { workers: 3, batch: 1, ..JobOptions::default() }).unwrap();
    let mut delays: Vec<Duration> = delays.iter().collect();
    delays.sort();
    assert_eq!(delays.len(), RECORDS);
    // A thread that nobody wakes looks round every 100 ms, and would meet a record halfway on average.
    assert!(delays[RECORDS / 2] < Duration::from_millis(20), "{delays:?}");
}
