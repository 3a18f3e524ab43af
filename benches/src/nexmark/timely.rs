//! The queries in timely dataflow, as its best users would write them: by hand, for these windows.
//!
//! The timestamp of a record is its slice of event time, so that the slice is not looked for again: the input advances
//! when an event of the next one comes, and an operator goes on when the frontier has passed a slice. Events that a query
//! does not ask for are left out before they are sent, and of the others goes what it asks for. On one worker nothing is
//! exchanged; the operators are as they would be on several: each has some of the keys, and what they find in a window
//! is brought together by another.
//!
//! # Settings
//! Batches, hash tables and when to take a step are as was best for [sums](crate::keyed_sum) and [joins](crate::join). Of
//! query 5, the bids of a slice are counted by themselves and added to those of the window when the slice is over: a look-up
//! for a bid in a table that fits a near cache, where Megaphone's has two in one for the whole window, when the bid comes in
//! and when it leaves.

use std::{cell::RefCell, collections::VecDeque, rc::Rc, time::Duration};

use hashbrown::{HashMap, HashSet};
use nacreous::Timestamp;
use rustc_hash::FxBuildHasher;
use timely::{
    container::CapacityContainerBuilder,
    dataflow::{
        InputHandle, StreamVec,
        channels::pact::Pipeline,
        operators::{Capability, Input, generic::Operator},
    },
    progress::frontier::MutableAntichain,
    worker::Worker,
};

use super::{
    Digestible, Replay, Replayed,
    queries::{self, Auction, Bid, Event, Person, Text, hot_items::HotItem, new_sellers::NewSeller},
};
use crate::comparison::Digest;

/// Records sent at a time.
const BATCH: usize = 4_096;

/// What an operator puts its results into.
type Vecs<T> = CapacityContainerBuilder<Vec<T>>;
/// Adds up what a stream ends in.
type Total = Rc<RefCell<Digest>>;

/// The auctions with the most bids in the last ten seconds.
pub(super) fn hot_items(events: Replay) -> u64 {
    let auction = |event: Replayed| event.bid().map(|bid| bid.auction);
    run(events, queries::hot_items::EVERY, auction, |auctions, total| {
        let most = auctions.unary_frontier::<Vecs<_>, _, _, _>(Pipeline, "count", |_, _| {
            let mut open = Open::<Counts>::new();
            let mut window = Window::default();
            move |(input, frontier), output| {
                input.for_each_time(|slice, batches| {
                    let counts = open.of(*slice.time(), || slice.retain(0));
                    let auctions = batches.flat_map(|batch| batch.drain(..));
                    auctions.for_each(|auction| *counts.entry(auction).or_insert(0) += 1);
                });
                while let Some(slice) = window.next(&mut open, frontier) {
                    let until = start(*slice.time() + 1, queries::hot_items::EVERY);
                    let Greatest { rank: bids, all } = window.most();
                    let item = |auction| (bids, HotItem { until, auction, bids });
                    output.session(&slice).give_iterator(all.into_iter().map(item));
                    window.slide(slice);
                }
            }
        });
        digest(greatest(most), total);
    })
}

/// The highest bids of each ten seconds.
pub(super) fn highest_bids(events: Replay) -> u64 {
    run(events, queries::highest_bids::SIZE, Replayed::bid, |bids, total| {
        let highest = bids.unary_frontier::<Vecs<_>, _, _, _>(Pipeline, "highest", |_, _| {
            let mut open = Open::<Greatest<Bid>>::new();
            move |(input, frontier), output| {
                input.for_each_time(|window, batches| {
                    let highest = open.of(*window.time(), || window.retain(0));
                    batches.flat_map(|batch| batch.drain(..)).for_each(|bid| highest.meet(bid.price, bid));
                });
                while let Some((window, highest)) = open.over(frontier) {
                    let bids = highest.all.into_iter().map(|bid| (highest.rank, bid));
                    output.session(&window).give_iterator(bids);
                }
            }
        });
        digest(greatest(highest), total);
    })
}

/// Who registered in ten seconds and opened an auction in the same.
pub(super) fn new_sellers(events: Replay) -> u64 {
    let person_or_seller = |Replayed { event, .. }: Replayed| match event {
        Event::Person(Person { id, name, .. }) => Some((*id, Some(*name))),
        Event::Auction(Auction { seller, .. }) => Some((*seller, None)),
        Event::Bid(_) => None,
    };
    run(events, queries::new_sellers::SIZE, person_or_seller, |halves, total| {
        let found = halves.unary_frontier::<Vecs<_>, _, _, _>(Pipeline, "new sellers", |_, _| {
            let mut open = Open::<(Vec<(u64, Text<16>)>, HashSet<u64, FxBuildHasher>)>::new();
            move |(input, frontier), output| {
                input.for_each_time(|window, batches| {
                    let (persons, sellers) = open.of(*window.time(), || window.retain(0));
                    batches.flat_map(|batch| batch.drain(..)).for_each(|(id, name)| match name {
                        Some(name) => persons.push((id, name)),
                        None => _ = sellers.insert(id),
                    });
                });
                while let Some((window, (mut persons, sellers))) = open.over(frontier) {
                    let from = start(*window.time(), queries::new_sellers::SIZE);
                    persons.retain(|(person, _)| sellers.contains(person));
                    let found = persons.into_iter().map(|(person, name)| NewSeller { from, person, name });
                    output.session(&window).give_iterator(found);
                }
            }
        });
        digest(found, total);
    })
}

/// When a slice begins.
fn start(slice: u64, length: Duration) -> Timestamp {
    Timestamp::from_nanos(slice.cast_signed() * nanos(length))
}

fn nanos(length: Duration) -> i64 {
    i64::try_from(length.as_nanos()).expect("some seconds")
}

/// Sends what is picked of the events, by slices of event time, and lets the dataflow keep pace.
fn run<D, P, F>(events: Replay, slice: Duration, pick: P, dataflow: F) -> u64
where
    D: Clone + 'static,
    P: Fn(Replayed) -> Option<D> + Send + Sync + 'static,
    F: FnOnce(StreamVec<'_, u64, D>, &Total) + Send + Sync + 'static,
{
    timely::execute_directly(move |worker| work(worker, events, nanos(slice), pick, dataflow))
}

fn work<D, P, F>(worker: &mut Worker, events: Replay, slice: i64, pick: P, dataflow: F) -> u64
where
    D: Clone + 'static,
    P: Fn(Replayed) -> Option<D>,
    F: FnOnce(StreamVec<'_, u64, D>, &Total),
{
    let total = Total::default();
    let mut input = InputHandle::<u64, Vecs<D>>::new();
    worker.dataflow(|scope| dataflow(scope.input_from(&mut input), &total));
    let mut batch = Vec::with_capacity(BATCH);
    let mut end = slice;
    for event in events.iter() {
        let Some(record) = pick(event) else { continue };
        let at = event.at().as_nanos();
        if at >= end {
            input.send_batch(&mut batch);
            let number = at / slice;
            input.advance_to(number.cast_unsigned());
            end = (number + 1) * slice;
            worker.step();
        } else if batch.len() == BATCH {
            input.send_batch(&mut batch);
            worker.step();
        }
        // The memory goes along with a batch; at most once in a while some comes back.
        if batch.capacity() < BATCH {
            batch.reserve(BATCH);
        }
        batch.push(record);
    }
    input.send_batch(&mut batch);
    drop(input);
    while worker.step_or_park(None) {}
    total.take().value()
}

/// What has come of the slices that are open, in order of time.
struct Open<S>(VecDeque<(Capability<u64>, S)>);

impl<S: Default> Open<S> {
    fn new() -> Self {
        Self(VecDeque::new())
    }

    fn of(&mut self, slice: u64, capability: impl FnOnce() -> Capability<u64>) -> &mut S {
        let at = self.0.partition_point(|(open, _)| *open.time() < slice);
        if self.0.get(at).is_none_or(|(open, _)| *open.time() != slice) {
            self.0.insert(at, (capability(), S::default()));
        }
        &mut self.0[at].1
    }

    /// The first one, if it is over.
    fn over(&mut self, frontier: &MutableAntichain<u64>) -> Option<(Capability<u64>, S)> {
        self.0.pop_front_if(|(open, _)| !frontier.less_equal(open.time()))
    }
}

/// Bids by auction.
type Counts = HashMap<u64, u64, FxBuildHasher>;

/// How many slices a window has.
const SLICES: u64 = queries::hot_items::SIZE.as_secs() / queries::hot_items::EVERY.as_secs();

/// The window at hand: what comes in is added to the counts, and what leaves is taken out.
#[derive(Default)]
struct Window {
    counts: Counts,
    slices: VecDeque<(u64, Counts)>,
    /// The next slice, if there is anything in the window.
    next: Option<Capability<u64>>,
}

impl Window {
    /// Takes the next slice in, if it is over. There need not be anything in it.
    fn next(&mut self, open: &mut Open<Counts>, frontier: &MutableAntichain<u64>) -> Option<Capability<u64>> {
        let next = match &self.next {
            Some(next) => *next.time(),
            None => *open.0.front()?.0.time(),
        };
        if frontier.less_equal(&next) {
            return None;
        }
        let Some((capability, slice)) = open.0.pop_front_if(|(open, _)| *open.time() == next) else {
            return self.next.take();
        };
        slice.iter().for_each(|(auction, bids)| *self.counts.entry(*auction).or_insert(0) += bids);
        self.slices.push_back((next, slice));
        Some(capability)
    }

    /// The auctions with the most bids.
    fn most(&self) -> Greatest<u64> {
        let mut most = Greatest::default();
        self.counts.iter().for_each(|(auction, bids)| most.meet(*bids, *auction));
        most
    }

    /// Lets go of the oldest slice.
    fn slide(&mut self, mut slice: Capability<u64>) {
        let next = *slice.time() + 1;
        while let Some((_, leaves)) = self.slices.pop_front_if(|(first, _)| *first + SLICES <= next) {
            for (auction, bids) in leaves {
                let left = self.counts.get_mut(&auction).expect("it was added");
                *left -= bids;
                if *left == 0 {
                    self.counts.remove(&auction);
                }
            }
        }
        slice.downgrade(&next);
        self.next = (!self.slices.is_empty()).then_some(slice);
    }
}

/// All of the greatest rank.
struct Greatest<D> {
    rank: u64,
    all: Vec<D>,
}

impl<D> Default for Greatest<D> {
    fn default() -> Self {
        Self { rank: 0, all: Vec::new() }
    }
}

impl<D> Greatest<D> {
    #[inline]
    fn meet(&mut self, rank: u64, record: D) {
        if rank >= self.rank {
            if rank > self.rank {
                self.rank = rank;
                self.all.clear();
            }
            self.all.push(record);
        }
    }
}

/// The records of the greatest rank at each time, of those that the workers have found.
fn greatest<D: Clone + 'static>(ranked: StreamVec<'_, u64, (u64, D)>) -> StreamVec<'_, u64, D> {
    ranked.unary_frontier::<Vecs<D>, _, _, _>(Pipeline, "greatest", |_, _| {
        let mut open = Open::<Greatest<D>>::new();
        move |(input, frontier), output| {
            input.for_each_time(|time, batches| {
                let greatest = open.of(*time.time(), || time.retain(0));
                let records = batches.flat_map(|batch| batch.drain(..));
                records.for_each(|(rank, record)| greatest.meet(rank, record));
            });
            while let Some((time, greatest)) = open.over(frontier) {
                output.session(&time).give_iterator(greatest.all.into_iter());
            }
        }
    })
}

/// Ends a stream in a digest.
fn digest<D: Digestible + Clone>(results: StreamVec<'_, u64, D>, total: &Total) {
    let total = Rc::clone(total);
    results.sink(Pipeline, "digest", move |(input, _)| {
        let mut total = total.borrow_mut();
        input.for_each(|_, results| results.drain(..).for_each(|result| result.digest(&mut total)));
    });
}
