//! A chain of map and filter pairs on numbers in memory: against the same loop written by hand, and against timely.
//!
//! What is compared is the engine, so a pair does little: a multiplication, a rotation, and a filter that takes out one
//! number in a thousand. (Were it one in ten, the rows would be about mispredicted branches: the compiler makes
//! arithmetic of the loop's last filter, so that it has one less of them.)

mod timely;

use std::{
    hint::black_box,
    sync::{Arc, Mutex, PoisonError},
};

use nacreous::{BoxedStream, Stream, Upstream, prelude::*};

use crate::comparison::{Comparison, Measure, Side, on_pinned_thread, timed};

/// 512 KiB of numbers, so that they are read from a cache and not from memory.
const BLOCK: usize = 64 << 10;
const PASSES: u64 = 512;
/// What a job has by itself.
const BATCH: usize = JobOptions::DEFAULT.batch;

/// The numbers of a run: a block of them several times over, other ones each time.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    block: &'static [u64],
    passes: u64,
}

impl Numbers {
    fn new(passes: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(44);
        let block: Vec<_> = (0..BLOCK).map(|_| random.u64(..)).collect();
        Self { block: block.leak(), passes }
    }

    fn iter(self) -> Iter {
        Iter { block: self.block, passes: self.passes, at: 0, pass: 0 }
    }

    fn records(self) -> u64 {
        self.block.len() as u64 * self.passes
    }

    fn comparison(self, id: &'static str, ours: fn(Self) -> u64, rival: fn(Self) -> u64) -> Comparison {
        let millions = self.records() as f64 / 1e6;
        let side = |run: fn(Self) -> u64| -> Side { timed(millions, move || run(self)) };
        Comparison { id, measure: Measure::Rate("M records/s"), ours: side(ours), rival: side(rival) }
    }
}

struct Iter {
    block: &'static [u64],
    passes: u64,
    at: usize,
    pass: u64,
}

impl Iterator for Iter {
    type Item = u64;

    #[inline(always)]
    fn next(&mut self) -> Option<u64> {
        if self.at == self.block.len() {
            self.at = 0;
            self.pass += 1;
            if self.pass == self.passes {
                self.block = &[];
            }
        }
        let number = self.block.get(self.at)?;
        self.at += 1;
        Some(number ^ self.pass)
    }
}

/// The multipliers of the four maps: odd, so that all numbers stay as likely as any.
const FACTORS: [u64; 4] =
    [0x9E37_79B9_7F4A_7C15, 0xD6E8_FEB8_6659_FD93, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9];

/// The map of the pair with this number.
#[inline(always)]
fn mapped<const PAIR: usize>(number: u64) -> u64 {
    number.wrapping_mul(FACTORS[PAIR]).rotate_left(29)
}

/// Every filter.
#[inline(always)]
fn passes(number: u64) -> bool {
    number & 1_023 != 0
}

/// One pair, against timely.
pub fn one_timely() -> Comparison {
    let rival = |numbers| on_pinned_thread(|| timely::one(numbers));
    Numbers::new(PASSES).comparison("chain/fused-1/timely", one_fused, rival)
}

/// Four pairs, against the loop.
pub fn four_hand() -> Comparison {
    Numbers::new(PASSES)
        .comparison("chain/fused-4/hand", four_fused, |numbers| on_pinned_thread(|| hand(numbers)))
}

/// Four pairs, against timely.
pub fn four_timely() -> Comparison {
    let rival = |numbers| on_pinned_thread(|| timely::four(numbers));
    Numbers::new(PASSES).comparison("chain/fused-4/timely", four_fused, rival)
}

/// Four pairs, each in a box, against timely.
pub fn boxed_timely() -> Comparison {
    let rival = |numbers| on_pinned_thread(|| timely::four(numbers));
    Numbers::new(PASSES).comparison("chain/boxed-4/timely", |numbers| four_boxed(numbers, BATCH), rival)
}

/// Four pairs in eight boxes, one for each operator, against timely, which has a buffer behind each as well.
pub fn eight_boxes_timely() -> Comparison {
    let rival = |numbers| on_pinned_thread(|| timely::four(numbers));
    Numbers::new(PASSES).comparison("chain/boxed-8/timely", eight_boxed, rival)
}

/// Four boxes that are called for each number, against the same for each batch: what it costs to go strictly one
/// by one.
pub fn one_by_one() -> Comparison {
    let rival = |numbers| four_boxed(numbers, BATCH);
    Numbers::new(PASSES).comparison("chain/boxed-1-by-1/boxed-512", |numbers| four_boxed(numbers, 1), rival)
}

/// The loops of chains, to be counted: each goes over so many blocks, and says how many numbers those are.
pub(crate) const LOOPS: [(&str, fn(u64) -> u64); 7] = [
    ("chain/hand-4", |passes| count(passes, hand)),
    ("chain/fused-1", |passes| count(passes, one_fused)),
    ("chain/fused-4", |passes| count(passes, four_fused)),
    ("chain/boxed-4", |passes| count(passes, |numbers| four_boxed(numbers, BATCH))),
    ("chain/boxed-8", |passes| count(passes, eight_boxed)),
    ("chain/stepwise-8", |passes| count(passes, |numbers| four(numbers, Tier::Boxed))),
    ("chain/edge", |passes| count(passes, by_an_edge)),
];

fn count(passes: u64, run: fn(Numbers) -> u64) -> u64 {
    let numbers = Numbers::new(passes);
    black_box(run(numbers));
    numbers.records()
}

/// A pair in a task of its own.
fn by_an_edge(numbers: Numbers) -> u64 {
    let graph = Graph::new();
    let chain = pair::<0, _>(source(&graph, numbers).isolate());
    sum_of(graph, chain, JobOptions::DEFAULT)
}

/// What one would write for four pairs.
fn hand(numbers: Numbers) -> u64 {
    let mut sum = 0_u64;
    for number in numbers.iter() {
        let number = mapped::<0>(number);
        if !passes(number) {
            continue;
        }
        let number = mapped::<1>(number);
        if !passes(number) {
            continue;
        }
        let number = mapped::<2>(number);
        if !passes(number) {
            continue;
        }
        let number = mapped::<3>(number);
        if passes(number) {
            sum = sum.wrapping_add(number);
        }
    }
    sum
}

fn one_fused(numbers: Numbers) -> u64 {
    let graph = Graph::new();
    let chain = pair::<0, _>(source(&graph, numbers));
    sum_of(graph, chain, JobOptions::DEFAULT)
}

fn four_fused(numbers: Numbers) -> u64 {
    four(numbers, Tier::Fused)
}

fn four(numbers: Numbers, tier: Tier) -> u64 {
    let graph = Graph::new();
    let chain = pair::<1, _>(pair::<0, _>(source(&graph, numbers)));
    let chain = pair::<3, _>(pair::<2, _>(chain));
    sum_of(graph, chain, JobOptions { tier, ..JobOptions::DEFAULT })
}

fn four_boxed(numbers: Numbers, batch: usize) -> u64 {
    let graph = Graph::new();
    let chain = pair::<1, _>(pair::<0, _>(source(&graph, numbers).boxed()).boxed());
    let chain = pair::<3, _>(pair::<2, _>(chain.boxed()).boxed());
    sum_of(graph, chain.boxed(), JobOptions { batch, ..JobOptions::DEFAULT })
}

fn eight_boxed(numbers: Numbers) -> u64 {
    let graph = Graph::new();
    let chain = boxed_pair::<1, _>(boxed_pair::<0, _>(source(&graph, numbers).boxed()));
    let chain = boxed_pair::<3, _>(boxed_pair::<2, _>(chain));
    sum_of(graph, chain, JobOptions::DEFAULT)
}

fn source(graph: &Graph, numbers: Numbers) -> Stream<u64, impl Upstream<Out = u64> + use<>> {
    let at_any_time = |number: &u64| Timestamp::from_nanos((number >> 1).cast_signed());
    graph.iter(numbers.iter()).event_time(at_any_time, BoundedDisorder::NONE)
}

fn pair<const PAIR: usize, U: Upstream<Out = u64>>(
    numbers: Stream<u64, U>,
) -> Stream<u64, impl Upstream<Out = u64> + use<PAIR, U>> {
    numbers.map(mapped::<PAIR>).filter(|number| passes(*number))
}

/// The same with a box for each of the two.
fn boxed_pair<const PAIR: usize, U: Upstream<Out = u64>>(numbers: Stream<u64, U>) -> BoxedStream<u64> {
    numbers.map(mapped::<PAIR>).boxed().filter(|number| passes(*number)).boxed()
}

/// Runs a graph and adds up what comes out.
fn sum_of(graph: Graph, numbers: Stream<u64, impl Upstream<Out = u64>>, options: JobOptions) -> u64 {
    let sum = Arc::default();
    let mut summed = Summed { sum: 0, out: Arc::clone(&sum) };
    let _ = numbers.for_each(move |number| summed.add(number.value));
    graph.run(options).expect("the job runs");
    *sum.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A sum that is told to others when it is complete.
struct Summed {
    sum: u64,
    out: Arc<Mutex<u64>>,
}

impl Summed {
    #[inline(always)]
    fn add(&mut self, number: u64) {
        self.sum = self.sum.wrapping_add(number);
    }
}

impl Drop for Summed {
    fn drop(&mut self) {
        *self.out.lock().unwrap_or_else(PoisonError::into_inner) = self.sum;
    }
}
