//! Queries over an auction house, those of the example `nexmark`: what each takes, and three of them against timely.
//!
//! What timely does is written for the query at hand, by windows: that is its strength, and ours is that it need not be. Both
//! sides read the same events, by reference, and leave out the kinds that a query does not ask for before they ask for their time.
//! It is a stretch of them, several times over and later each time: were they read from memory, it would be the memory that
//! is compared, beyond some hundred million events a second.

#[cfg(test)]
#[path = "../../runtime/examples/nexmark/tests/naive.rs"]
#[expect(dead_code, reason = "the tests of the example use more of it")]
mod naive;
#[path = "../../runtime/examples/nexmark/queries/lib.rs"]
#[expect(dead_code, unused_imports, reason = "the example and its tests use more of it")]
mod queries;
mod timely;

use std::{
    hint::black_box,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
    vec,
};

use nacreous::{BoxError, Stream, Upstream, prelude::*, sink::Sink};
use serde::Serialize;

use self::queries::{Bid, Event, Workload, hot_items::HotItem, new_sellers::NewSeller};
use crate::comparison::{Comparison, Digest, Measure, on_pinned_thread, timed};

/// Eight million events in order of time, over 800 seconds: 13 MB of them, forty times.
static EVENTS: LazyLock<Replay> = LazyLock::new(|| Replay { block: generated(200_000), passes: 40 });

fn generated(events: usize) -> &'static [Event] {
    // A job's source outlives whoever starts it, so they live as long as the program.
    Workload { events, rate: Workload::RATE, group: 1 }.generate().leak()
}

/// The auctions with the most bids in the last ten seconds, every two seconds.
pub fn hot_items_timely() -> Comparison {
    comparison("nexmark/q5/timely", hot_items, timely::hot_items)
}

/// The highest bids of each ten seconds.
pub fn highest_bids_timely() -> Comparison {
    comparison("nexmark/q7/timely", highest_bids, timely::highest_bids)
}

/// Who registered in ten seconds and opened an auction in the same.
pub fn new_sellers_timely() -> Comparison {
    comparison("nexmark/q8/timely", new_sellers, timely::new_sellers)
}

/// Runs over all events; a digest of the results.
type Run = fn(Replay) -> u64;

/// Events in order of time, several times over, each time later by as long as they take.
#[derive(Clone, Copy)]
struct Replay {
    block: &'static [Event],
    passes: u32,
}

/// An event, and by how many nanoseconds it is later than it says.
#[derive(Clone, Copy)]
struct Replayed {
    event: &'static Event,
    later: i64,
}

/// The events of a replay. (Asked one by one, nested iterators take longer than all else that is done with an event.)
struct Passes {
    block: &'static [Event],
    passes: u32,
    span: i64,
    later: i64,
    at: usize,
}

impl Replay {
    const fn len(self) -> usize {
        self.block.len() * self.passes as usize
    }

    fn iter(self) -> Passes {
        let Self { block, passes } = self;
        let seconds = i64::try_from(block.len() / Workload::RATE).expect("some seconds");
        Passes { block, passes, span: seconds * 1_000_000_000, later: 0, at: 0 }
    }
}

impl Iterator for Passes {
    type Item = Replayed;

    #[inline(always)]
    fn next(&mut self) -> Option<Replayed> {
        if self.at == self.block.len() && self.passes > 1 {
            (self.at, self.passes, self.later) = (0, self.passes - 1, self.later + self.span);
        }
        let event = self.block.get(self.at)?;
        self.at += 1;
        Some(Replayed { event, later: self.later })
    }
}

impl Replayed {
    #[inline]
    fn at(self) -> Timestamp {
        Timestamp::from_nanos(self.event.at().as_nanos() + self.later)
    }

    /// The bid, if it is one.
    #[inline]
    fn bid(self) -> Option<Bid> {
        self.event.bid().map(|bid| Bid { at: self.at(), ..bid })
    }
}

impl AsRef<Event> for Replayed {
    #[inline]
    fn as_ref(&self) -> &Event {
        self.event
    }
}

fn comparison(id: &'static str, ours: Run, rival: Run) -> Comparison {
    let events = *EVENTS;
    let millions = events.len() as f64 / 1e6;
    Comparison {
        id,
        measure: Measure::Rate("M records/s"),
        ours: timed(millions, move || ours(events)),
        rival: timed(millions, move || on_pinned_thread(|| rival(events))),
    }
}

fn hot_items(events: Replay) -> u64 {
    let graph = Graph::new();
    let bids = events.iter().filter(|event| event.bid().is_some());
    let results = queries::hot_items(replayed(&graph, bids));
    digested(graph, results)
}

fn highest_bids(events: Replay) -> u64 {
    let graph = Graph::new();
    let bids = events.iter().filter(|event| event.bid().is_some());
    let results = queries::highest_bids(replayed(&graph, bids));
    digested(graph, results)
}

fn new_sellers(events: Replay) -> u64 {
    let graph = Graph::new();
    let others = events.iter().filter(|event| event.bid().is_none());
    let results = queries::new_sellers(replayed(&graph, others));
    digested(graph, results)
}

fn replayed<I>(graph: &Graph, events: I) -> Stream<Replayed, impl Upstream<Out = Replayed> + use<I>>
where
    I: Iterator<Item = Replayed> + Send + 'static,
{
    graph.iter(events).event_time(|event| event.at(), BoundedDisorder::NONE)
}

/// Events by reference.
fn source<I>(graph: &Graph, events: I) -> Stream<&'static Event, impl Upstream<Out = &'static Event> + use<I>>
where
    I: Iterator<Item = &'static Event> + Send + 'static,
{
    graph.iter(events).event_time(|event| event.at(), BoundedDisorder::NONE)
}

/// What the results come to, which are the same on both sides.
trait Digestible: Send + 'static {
    fn digest(&self, digest: &mut Digest);
}

impl Digestible for HotItem {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&[self.until.as_nanos().cast_unsigned(), self.auction, self.bids]);
    }
}

impl Digestible for Bid {
    fn digest(&self, digest: &mut Digest) {
        digest.add(&[self.at.as_nanos().cast_unsigned(), self.auction, self.bidder, self.price]);
    }
}

impl Digestible for NewSeller {
    fn digest(&self, digest: &mut Digest) {
        let name = u128::from_le_bytes(self.name.0);
        #[expect(clippy::cast_possible_truncation, reason = "its halves")]
        let (low, high) = (name as u64, (name >> 64) as u64);
        digest.add(&[self.from.as_nanos().cast_unsigned(), self.person, low, high]);
    }
}

/// Runs the graph; the digest of the results.
fn digested<T: Digestible>(graph: Graph, results: Stream<T, impl Upstream<Out = T>>) -> u64 {
    let (send, digest) = mpsc::channel();
    let _ = results.to(Digested { digest: Digest::default(), send });
    graph.run(JobOptions::default()).expect("the job runs");
    digest.recv().expect("the sink says what it saw")
}

/// Adds results to a digest as they come, as the rival does, and tells it in the end.
struct Digested {
    digest: Digest,
    send: mpsc::Sender<u64>,
}

impl<T: Digestible> Sink<T> for Digested {
    fn write(&mut self, results: &mut vec::Drain<'_, Record<T>>) -> Result<(), BoxError> {
        results.for_each(|record| record.value.digest(&mut self.digest));
        Ok(())
    }
}

impl Drop for Digested {
    fn drop(&mut self) {
        // Whoever asked is gone only if the job failed.
        let _ = self.send.send(self.digest.value());
    }
}

/// The numbers of the queries there are.
pub const QUERIES: [u8; 11] = queries::QUERIES;

/// Events in order of time, to run queries over.
#[derive(Clone, Copy)]
pub struct Events(&'static [Event]);

impl Events {
    /// Generates so many, which live as long as the program.
    pub fn new(events: usize) -> Self {
        Self(generated(events))
    }
}

/// What a query took.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// From the start of the first data thread to the end of the last.
    pub elapsed: Duration,
    /// How many results there were.
    pub results: u64,
    /// How often the data thread allocated while it read the second half of the events.
    pub allocations: u64,
}

/// Runs a query over all events, on one worker. `allocations` says how often the thread it is called on has allocated.
///
/// # Panics
/// If there is no such query, or it fails.
pub fn figure(query: u8, Events(events): Events, allocations: fn() -> u64) -> Figure {
    let (half, last) = (events.len() / 2, events.len().saturating_sub(1));
    let [allocated, results] = [(); 2].map(|()| Arc::new(AtomicU64::new(0)));
    let in_second_half = Arc::clone(&allocated);
    let mut before = 0;
    // The source is read on the worker that all else runs on.
    let watched = events.iter().enumerate().map(move |(number, event)| {
        if number == half {
            before = allocations();
        } else if number == last {
            // The end closes all windows at once; what that takes is not of the steady state.
            in_second_half.store(allocations() - before, Ordering::Relaxed);
        }
        event
    });
    let graph = Graph::new();
    queries::query(query, source(&graph, watched), Counted(Arc::clone(&results)));
    let report = graph.run(JobOptions::default()).expect("the job runs");
    let [allocations, results] = [allocated, results].map(|count| count.load(Ordering::Relaxed));
    Figure { elapsed: report.elapsed, results, allocations }
}

/// A digest of the results of a query over all events, on one worker, with their times.
///
/// # Panics
/// If there is no such query, or it fails.
pub fn digest(query: u8, Events(events): Events) -> u64 {
    let (send, digest) = mpsc::channel();
    let graph = Graph::new();
    queries::query(query, source(&graph, events.iter()), Written { digest: Digest::default(), send });
    graph.run(JobOptions::default()).expect("the job runs");
    digest.recv().expect("the sink says what it saw")
}

/// Adds results to a digest as they are written, and tells it in the end.
struct Written {
    digest: Digest,
    send: mpsc::Sender<u64>,
}

impl<T: Serialize> Sink<T> for Written {
    fn write(&mut self, results: &mut vec::Drain<'_, Record<T>>) -> Result<(), BoxError> {
        results.try_for_each(|Record { time, value }| {
            self.digest.add(&written(time, &value)?);
            Ok(())
        })
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        // Whoever asked is gone only if the job failed.
        let _ = self.send.send(self.digest.value());
    }
}

/// A result and its time, as numbers.
fn written(time: Timestamp, result: &impl Serialize) -> Result<Vec<u64>, serde_json::Error> {
    let text = serde_json::to_vec(result)?;
    Ok([time.as_nanos().cast_unsigned()].into_iter().chain(text.into_iter().map(u64::from)).collect())
}

/// Counts results.
struct Counted(Arc<AtomicU64>);

impl<T: Send + 'static> Sink<T> for Counted {
    fn write(&mut self, results: &mut vec::Drain<'_, Record<T>>) -> Result<(), BoxError> {
        self.0.fetch_add(results.len() as u64, Ordering::Relaxed);
        results.for_each(|result| drop(black_box(result)));
        Ok(())
    }
}

/// Results with their times.
#[cfg(test)]
type Results<T> = Vec<(Timestamp, T)>;

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks a query, as it is timed, by what its definition comes to.
    fn check<T: Serialize>(query: u8, naive: fn(&[Event]) -> Results<T>) {
        let events: &[Event] = Workload { events: 50_000, rate: 500, group: 1 }.generate().leak();
        let (expected, mut digest) = (naive(events), Digest::default());
        assert!(expected.len() >= 10, "query {query}: {} results say little", expected.len());
        for (time, result) in &expected {
            digest.add(&written(*time, result).expect("results can be written"));
        }
        assert_eq!(super::digest(query, Events(events)), digest.value(), "query {query}");
        let figure = figure(query, Events(events), || 0);
        assert_eq!(figure.results, expected.len() as u64, "query {query}");
    }

    #[test]
    fn the_queries_come_to_what_their_definitions_say() {
        check(0, naive::pass_through);
        check(1, naive::in_euros);
        check(2, naive::selected);
        check(3, naive::local_items);
        check(4, naive::category_prices);
        check(5, naive::hot_items);
        check(6, naive::seller_prices);
        check(7, naive::highest_bids);
        check(8, naive::new_sellers);
        check(9, naive::winning_bids);
        check(11, naive::bid_sessions);
    }

    #[test]
    fn timely_comes_to_the_same_results() {
        // A second less than two windows of ten, four times.
        let events = Replay { block: generated(190_000), passes: 4 };
        for (ours, rival) in [
            (hot_items as Run, timely::hot_items as Run),
            (highest_bids, timely::highest_bids),
            (new_sellers, timely::new_sellers),
        ] {
            let digest = rival(events);
            assert_ne!(digest, 0);
            assert_eq!(ours(events), digest);
        }
    }
}
