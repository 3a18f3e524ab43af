//! The join in timely dataflow, as its best users would write it.
//!
//! The timestamp of a record is its window. When a window is over, its left records are put into a table, and the right
//! ones are looked up in it.
//!
//! # Settings
//! Tried in turn (timely 0.31; M records/s of both streams): looking each record up in a table of the other side when
//! it comes, and putting it into one of its own, 25; when the window is over, 35. Batches of 512, 33; 1,024, 34; 4,096
//! and 16,384, 35.

use std::{cell::RefCell, collections::VecDeque, mem, rc::Rc};

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use timely::{
    container::CapacityContainerBuilder,
    dataflow::{
        InputHandle, StreamVec,
        channels::pact::Pipeline,
        operators::{Capability, Input, generic::Operator},
    },
    worker::Worker,
};

use super::{Side, Streams, WINDOW_NANOS, add};
use crate::comparison::Digest;

/// Records sent at a time.
const BATCH: usize = 4_096;

type Pairs = CapacityContainerBuilder<Vec<(u64, u64, u64)>>;
/// A key and a value.
type Half = (u64, u64);

/// On this thread.
pub(super) fn run(streams: Streams) -> u64 {
    timely::execute_directly(move |worker| work(worker, streams))
}

fn work(worker: &mut Worker, streams: Streams) -> u64 {
    let digest = Rc::default();
    let mut inputs = [InputHandle::new(), InputHandle::new()];
    worker.dataflow(|scope| {
        let [left, right] = inputs.each_mut().map(|input| scope.input_from(input));
        dataflow(left, right, &digest);
    });
    let mut senders = inputs.map(Sender::new);
    let [left, right] = &mut senders;
    // By turns, as they would come.
    for (lefts, rights) in streams.left.chunks(BATCH).zip(streams.right.chunks(BATCH)) {
        lefts.iter().for_each(|side| left.send(*side));
        rights.iter().for_each(|side| right.send(*side));
        worker.step();
    }
    senders.into_iter().for_each(Sender::end);
    while worker.step_or_park(None) {}
    digest.take().value()
}

/// Sends records in batches.
struct Sender {
    input: InputHandle<u64, CapacityContainerBuilder<Vec<Half>>>,
    batch: Vec<Half>,
    /// Of the window at hand.
    end: i64,
}

impl Sender {
    fn new(input: InputHandle<u64, CapacityContainerBuilder<Vec<Half>>>) -> Self {
        Self { input, batch: Vec::with_capacity(BATCH), end: WINDOW_NANOS }
    }

    #[inline]
    fn send(&mut self, Side { time, key, value }: Side) {
        if time >= self.end {
            self.input.send_batch(&mut self.batch);
            let window = time / WINDOW_NANOS;
            self.input.advance_to(window.cast_unsigned());
            self.end = (window + 1) * WINDOW_NANOS;
        } else if self.batch.len() == BATCH {
            self.input.send_batch(&mut self.batch);
        }
        if self.batch.capacity() < BATCH {
            self.batch.reserve(BATCH);
        }
        self.batch.push((key, value));
    }

    fn end(mut self) {
        self.input.send_batch(&mut self.batch);
    }
}

/// The records of one window so far, as they came: nothing is copied.
#[derive(Default)]
struct Open {
    left: Vec<Vec<Half>>,
    right: Vec<Vec<Half>>,
}

/// The left records of a window by key.
#[derive(Default)]
struct Table {
    /// The last record of each key.
    last: HashMap<u64, u32, FxBuildHasher>,
    /// Each record's value, and the one of its key before it.
    records: Vec<(u64, u32)>,
}

const NONE: u32 = u32::MAX;

impl Table {
    fn fill(&mut self, batches: &[Vec<Half>]) {
        self.last.clear();
        self.records.clear();
        for (key, value) in batches.iter().flatten() {
            let number = u32::try_from(self.records.len()).expect("a window has less than 2^32 records");
            let before = self.last.insert(*key, number).unwrap_or(NONE);
            self.records.push((*value, before));
        }
    }

    #[inline]
    fn for_each(&self, key: u64, mut f: impl FnMut(u64)) {
        let mut number = self.last.get(&key).copied().unwrap_or(NONE);
        while number != NONE {
            let (value, before) = self.records[number as usize];
            f(value);
            number = before;
        }
    }
}

fn dataflow(left: StreamVec<'_, u64, Half>, right: StreamVec<'_, u64, Half>, digest: &Rc<RefCell<Digest>>) {
    let pairs = left.binary_frontier::<_, Pairs, _, _, _, _>(right, Pipeline, Pipeline, "join", |_, _| {
        let mut open = VecDeque::<(Capability<u64>, Open)>::new();
        let mut table = Table::default();
        move |(left, left_frontier), (right, right_frontier), output| {
            left.for_each_time(|window, batches| {
                let at = place(&mut open, *window.time(), || window.retain(0));
                open[at].1.left.extend(batches.map(mem::take));
            });
            right.for_each_time(|window, batches| {
                let at = place(&mut open, *window.time(), || window.retain(0));
                open[at].1.right.extend(batches.map(mem::take));
            });
            let is_over =
                |window: &u64| !left_frontier.less_equal(window) && !right_frontier.less_equal(window);
            while let Some((window, Open { left, right })) =
                open.pop_front_if(|(window, _)| is_over(window.time()))
            {
                table.fill(&left);
                let mut session = output.session(&window);
                for (key, right) in right.into_iter().flatten() {
                    table.for_each(key, |left| session.give((key, left, right)));
                }
            }
        }
    });
    let digest = Rc::clone(digest);
    pairs.sink(Pipeline, "digest", move |(input, _)| {
        let mut digest = digest.borrow_mut();
        input.for_each(|window, pairs| {
            let start = window.time().cast_signed() * WINDOW_NANOS;
            pairs.drain(..).for_each(|(key, left, right)| add(&mut digest, start, key, left, right));
        });
    });
}

/// Where a window is among the open ones, which are in order; it is put there if it is new.
fn place<C>(open: &mut VecDeque<(C, Open)>, time: u64, capability: impl FnOnce() -> C) -> usize
where
    C: std::ops::Deref<Target = u64>,
{
    let at = open.partition_point(|(window, _)| **window < time);
    if open.get(at).is_none_or(|(window, _)| **window != time) {
        open.insert(at, (capability(), Open::default()));
    }
    at
}
