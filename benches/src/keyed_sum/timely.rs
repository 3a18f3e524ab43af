//! The same job in timely dataflow, as its best users would write it.
//!
//! The timestamp of a record is its window, so the window is not looked for again and the time need not be sent: the
//! input advances when a record of the next one comes, and the operator emits a window when the frontier has passed it.
//!
//! # Settings
//! Tried one against another in turn, on two cores of an AMD EPYC that had other work to do as well (timely 0.31;
//! M records/s, medians of 5 to 9 runs; what is marked * is the least certain):
//!
//! | | | taken |
//! |---|---|---|
//! | how records get in | `send` one by one, 201; a source operator, 251; `send_batch`, 265 | `send_batch` |
//! | batch, with a step after each | 512, 155; 1,024, 223; 2,048, 243; 4,096, 265; for tables 16,384 as 4,096 | 4,096 |
//! | what is sent | the whole record, 213; key and value, 251 (from a source operator) | key and value |
//! | two workers: who reads | one of them, 55 to 102; both by turns, 90 to 118 | both |
//! | two workers: records a turn * (`SHARE`) | 1,024, 90 to 110; 16,384, 96 to 118; in the best runs 1,024 | 1,024 |
//! | two workers: buffers | timely's own of 8 KiB, 99 to 105; 2,048 records, 106 to 118; more, no better | 2,048 records |
//! | two workers: pinned * | yes, 69 to 88; no, 90 to 118; the best run pinned, 204, and not, 196 | no |
//! | many keys: state | a hash table for each window, 68; numbers for the keys and vectors, 22 | tables |
//! | hash tables: hasher | FxHash 68, foldhash 71; for strings 14 and 18 | foldhash |
//!
//! What is not tried: adding up on each worker before the exchange, which ours does, as it does by itself for so few keys;
//! the row is about what exchanging records costs against that. And sending references into the block: either side could
//! do so.

use std::{cell::RefCell, collections::VecDeque, hash::Hash, mem, rc::Rc};

use timely::{
    Config,
    container::{CapacityContainerBuilder, ContainerBuilder, LengthPreservingContainerBuilder, PushInto},
    dataflow::{
        InputHandle, StreamVec,
        channels::pact::{ExchangeCore, ParallelizationContract, Pipeline},
        operators::{Capability, Input, generic::Operator},
    },
    worker::Worker,
};

use super::{DENSE_KEYS, Key, Reading, Readings, WINDOW_NANOS, add};
use crate::comparison::Digest;

/// Records sent at a time.
const BATCH: usize = 4_096;
/// Records in a buffer between two workers.
const BUFFER: usize = 2_048;

/// The sums of one window.
pub(super) trait Sums<K>: Default + 'static {
    fn add(&mut self, key: K, value: i64);

    /// Takes them out and leaves the memory for another window.
    fn drain(&mut self) -> impl Iterator<Item = (K, i64)>;
}

/// By key, and whether there is one.
pub(super) struct Dense(Vec<(i64, bool)>);

impl Default for Dense {
    fn default() -> Self {
        Self(vec![(0, false); DENSE_KEYS])
    }
}

impl Sums<u64> for Dense {
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "an index")]
    fn add(&mut self, key: u64, value: i64) {
        let (sum, is_there) = &mut self.0[key as usize];
        *sum += value;
        *is_there = true;
    }

    fn drain(&mut self) -> impl Iterator<Item = (u64, i64)> {
        let sums = (0..).zip(&mut self.0);
        sums.filter(|(_, (_, is_there))| *is_there).map(|(key, sum)| (key, mem::take(sum).0))
    }
}

/// For keys that are not numbered from zero. The hasher is foldhash.
#[derive(Default)]
pub(super) struct Table<K>(hashbrown::HashMap<K, i64>);

impl<K: Hash + Eq + Copy + Default + 'static> Sums<K> for Table<K> {
    #[inline]
    fn add(&mut self, key: K, value: i64) {
        *self.0.entry(key).or_insert(0) += value;
    }

    fn drain(&mut self) -> impl Iterator<Item = (K, i64)> {
        self.0.drain()
    }
}

/// On this thread.
pub(super) fn run<K: Key, S: Sums<K>>(readings: Readings<K>) -> u64 {
    timely::execute_directly(move |worker| work::<K, S>(worker, Pipeline, readings.iter()))
}

/// On two threads, each of which reads half of the records, and has half of the keys.
pub(super) fn run_on_two<S: Sums<u64>>(readings: Readings<u64>) -> u64 {
    let work = move |worker: &mut Worker| {
        let to_worker = ExchangeCore::<Buffers<_>, _>::new_core(|(key, _): &(u64, i64)| *key);
        let part = readings.part(worker.index(), worker.peers());
        work::<u64, S>(worker, to_worker, part)
    };
    let workers = timely::execute(Config::process(2), work).expect("threads can be started");
    workers.join().into_iter().fold(0, |digest, part| digest.wrapping_add(part.expect("it does not panic")))
}

/// What one worker does: its part of the digest.
fn work<K: Key, S: Sums<K>>(
    worker: &mut Worker,
    pact: impl ParallelizationContract<u64, Vec<(K, i64)>>,
    readings: impl Iterator<Item = Reading<K>>,
) -> u64 {
    let digest = Rc::default();
    let mut input = InputHandle::<u64, CapacityContainerBuilder<Vec<(K, i64)>>>::new();
    worker.dataflow(|scope| dataflow::<K, S, _>(scope.input_from(&mut input), pact, &digest));
    let mut batch = Vec::with_capacity(BATCH);
    let mut end = WINDOW_NANOS;
    readings.for_each(|Reading { time, key, value }| {
        if time >= end {
            input.send_batch(&mut batch);
            let window = time / WINDOW_NANOS;
            input.advance_to(window.cast_unsigned());
            end = (window + 1) * WINDOW_NANOS;
            worker.step();
        } else if batch.len() == BATCH {
            input.send_batch(&mut batch);
            worker.step();
        }
        // The memory goes along with a batch; at most once in a while some comes back.
        if batch.capacity() < BATCH {
            batch.reserve(BATCH);
        }
        batch.push((key, value));
    });
    input.send_batch(&mut batch);
    drop(input);
    while worker.step_or_park(None) {}
    digest.take().value()
}

fn dataflow<K: Key, S: Sums<K>, P: ParallelizationContract<u64, Vec<(K, i64)>>>(
    readings: StreamVec<'_, u64, (K, i64)>,
    pact: P,
    digest: &Rc<RefCell<Digest>>,
) {
    let sums = readings.unary_frontier(pact, "sum", |_, _| {
        let mut open = VecDeque::<(Capability<u64>, S)>::new();
        let mut spare = Vec::<S>::new();
        move |(input, frontier), output| {
            input.for_each_time(|window, batches| {
                let known = open.iter().position(|(open, _)| open.time() == window.time());
                let at = known.unwrap_or_else(|| {
                    open.push_back((window.retain(0), spare.pop().unwrap_or_default()));
                    open.len() - 1
                });
                let sums = &mut open[at].1;
                batches.flat_map(|batch| batch.drain(..)).for_each(|(key, value)| sums.add(key, value));
            });
            // Workers are not more than a window apart, so that windows begin in order.
            while let Some((window, mut sums)) =
                open.pop_front_if(|(open, _)| !frontier.less_equal(open.time()))
            {
                let start = window.time().cast_signed() * WINDOW_NANOS;
                output.session(&window).give_iterator(sums.drain().map(|(key, sum)| (start, key, sum)));
                spare.push(sums);
            }
        }
    });
    let digest = Rc::clone(digest);
    sums.container::<Vec<_>>().sink(Pipeline, "digest", move |(input, _)| {
        let mut digest = digest.borrow_mut();
        input.for_each(|_, sums| {
            sums.drain(..).for_each(|(start, key, sum)| add(&mut digest, start, &key, sum));
        });
    });
}

/// Larger than timely's own, which have 8 KiB.
struct Buffers<T> {
    filling: Vec<T>,
    full: VecDeque<Vec<T>>,
    handed_out: Vec<T>,
}

impl<T> Default for Buffers<T> {
    fn default() -> Self {
        Self { filling: Vec::new(), full: VecDeque::new(), handed_out: Vec::new() }
    }
}

impl<T> PushInto<T> for Buffers<T> {
    #[inline]
    fn push_into(&mut self, item: T) {
        if self.filling.capacity() == 0 {
            self.filling.reserve(BUFFER);
        }
        self.filling.push(item);
        if self.filling.len() >= BUFFER {
            self.full.push_back(mem::take(&mut self.filling));
        }
    }
}

impl<T> ContainerBuilder for Buffers<T> {
    type Container = Vec<T>;

    #[inline]
    fn extract(&mut self) -> Option<&mut Vec<T>> {
        self.handed_out = self.full.pop_front()?;
        Some(&mut self.handed_out)
    }

    #[inline]
    fn finish(&mut self) -> Option<&mut Vec<T>> {
        if !self.filling.is_empty() {
            self.full.push_back(mem::take(&mut self.filling));
        }
        self.extract()
    }
}

impl<T> LengthPreservingContainerBuilder for Buffers<T> {}
