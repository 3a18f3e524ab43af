//! Each query against the same done naively, over all events at once, on one worker and on two.

mod naive;

use std::{
    collections::BTreeMap,
    fmt::Debug,
    time::{Duration, SystemTime},
};

use nacreous::{Stream, Upstream, prelude::*};

use super::queries::{self, Event, Workload, workload::disorder_of};

/// A hundred seconds, in which events come out of order by up to one.
const WORKLOAD: Workload = Workload { events: 50_000, rate: 500, group: 500 };

/// Results with their times.
type Results<T> = Vec<(Timestamp, T)>;

/// The events, such that several have the most of something: all prices are rounded down to a digit, and in the second
/// half there are few bids.
fn events() -> Vec<Event> {
    let mut events = WORKLOAD.generate();
    for event in &mut events {
        match event {
            Event::Person(_) => {}
            Event::Auction(auction) => auction.reserve = one_digit(auction.reserve),
            Event::Bid(bid) => bid.price = one_digit(bid.price),
        }
    }
    let mut number = 0..;
    events.retain(|event| {
        let number = number.next().unwrap_or(0);
        event.bid().is_none() || number < WORKLOAD.events / 2 || number % 200 == 7
    });
    events
}

fn one_digit(price: u64) -> u64 {
    price - price % 10_u64.pow(price.ilog10())
}

fn source(graph: &Graph) -> Stream<Event, impl Upstream<Out = Event> + use<>> {
    let events = events();
    let disorder = disorder_of(&events).expect("a second");
    graph.iter(events).event_time(Event::at, disorder)
}

/// Compares as sorted multisets. `source` is the function above: the type of its stream has no name.
fn check<S, T, U>(source: fn(&Graph) -> S, query: fn(S) -> Stream<T, U>, naive: fn(&[Event]) -> Results<T>)
where
    T: Ord + Debug + Send + 'static,
    U: Upstream<Out = T>,
{
    let events = events();
    let mut expected = naive(&events);
    assert!(expected.len() > 10, "{} results say little", expected.len());
    expected.sort_unstable();
    for workers in [1, 2] {
        let graph = Graph::new();
        let results = query(source(&graph)).collect();
        let report = graph.run(JobOptions { workers, ..JobOptions::DEFAULT }).expect("the job runs");
        let mut results: Results<T> = results.take().into_iter().map(|r| (r.time, r.value)).collect();
        results.sort_unstable();
        if let Some(at) = (0..expected.len()).find(|at| results.get(*at) != expected.get(*at)) {
            panic!("{workers} workers, result {at}: {:?}, not {:?}", results.get(at), expected.get(at));
        }
        assert_eq!(results.len(), expected.len(), "{workers} workers");
        assert_eq!((report.records_in, report.records_late), (events.len() as u64, 0));
    }
}

#[test]
fn events_come_out_of_order_and_none_twice() {
    let mut events = WORKLOAD.generate();
    assert!(!events.is_sorted_by_key(Event::at));
    events.sort_unstable();
    let in_order = Workload { group: 1, ..WORKLOAD }.generate();
    assert!(in_order.is_sorted_by_key(Event::at));
    let mut sorted = in_order;
    sorted.sort_unstable();
    assert_eq!(events, sorted);
}

#[test]
fn query_0() {
    check(source, queries::pass_through, naive::pass_through);
}

#[test]
fn query_1() {
    check(source, queries::in_euros, naive::in_euros);
}

#[test]
fn query_2() {
    check(source, queries::selected, naive::selected);
}

#[test]
fn query_3() {
    check(source, queries::local_items, naive::local_items);
}

#[test]
fn query_4() {
    check(source, queries::category_prices, naive::category_prices);
}

#[test]
fn query_5() {
    check(source, queries::hot_items, naive::hot_items);
}

#[test]
fn query_6() {
    check(source, queries::seller_prices, naive::seller_prices);
}

#[test]
fn query_7() {
    check(source, queries::highest_bids, naive::highest_bids);
}

#[test]
fn query_8() {
    check(source, queries::new_sellers, naive::new_sellers);
}

#[test]
fn query_9() {
    check(source, queries::winning_bids, naive::winning_bids);
}

#[test]
fn query_11() {
    check(source, queries::bid_sessions, naive::bid_sessions);
}

/// When events are read is up to the run, but each is read once, between its beginning and its end.
#[test]
fn query_12() {
    let events = events();
    let expected = naive::bids_of_bidders(&events);
    let window = |time: SystemTime| {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).expect("a clock that is set");
        Timestamp::from_nanos(0) + Duration::from_secs(since.as_secs() / 10 * 10)
    };
    for workers in [1, 2] {
        let graph = Graph::new();
        let counts = queries::bid_counts(graph.iter(events.clone()).arrival_time()).collect();
        let began = window(SystemTime::now());
        let report = graph.run(JobOptions { workers, ..JobOptions::DEFAULT }).expect("the job runs");
        let ended = window(SystemTime::now());
        assert_eq!((report.records_in, report.records_late), (events.len() as u64, 0));
        let mut found = BTreeMap::new();
        for Record { time, value } in counts.take() {
            assert!(
                (began..=ended).contains(&value.from),
                "{value:?} is not between {began:?} and {ended:?}"
            );
            assert_eq!(time.as_nanos(), value.from.as_nanos() + 9_999_999_999);
            *found.entry(value.bidder).or_insert(0) += value.bids;
        }
        assert_eq!(found, expected, "{workers} workers");
    }
}
