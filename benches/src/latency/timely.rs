//! The pipelines in timely dataflow.
//!
//! # Settings
//! What is due is sent at once, and the worker takes a step after each look at the clock, whether there was anything or not: to
//! wait for more records, or to step less often, made each percentile longer. Workers never park. Threads are pinned to the cores
//! that ours have. Time is advanced once a window where there are any. Between two workers it is advanced all ten microseconds: what
//! goes to another worker waits there until a container is full or time goes on. At a million records a second that made, in the best of
//! some rounds:
//!
//! | time is advanced | p50, µs | p99 |
//! |---|---|---|
//! | each microsecond | the workers do not keep up | |
//! | each 5 µs | 5.6 | 121 |
//! | each 10 µs | 7.8 | 40 |
//! | each 20 µs | 13.2 | 49 |
//! | each 50 µs | 29.1 | 64 |
//! | never | 262 | 513 |

use std::{collections::VecDeque, mem};

use nacreous::Latencies;
use timely::{
    Config,
    container::CapacityContainerBuilder,
    dataflow::{
        InputHandle,
        channels::pact::{Exchange, Pipeline},
        operators::{Capability, Input, generic::Operator},
    },
};

use super::{
    KEYS, WINDOW,
    load::{Measured, Round, now},
};

/// Containers of timely's own size.
type Vecs<T> = CapacityContainerBuilder<Vec<T>>;

/// In nanoseconds.
const ADVANCE_EVERY: u64 = 10_000;

fn pin(worker: usize) {
    let core = core_affinity::get_core_ids().and_then(|cores| cores.get(worker).copied());
    core.map(core_affinity::set_for_current);
}

/// From an input on one worker to a sink on another, with an operator in between.
pub(crate) fn two_hop(round: &Round) -> Latencies {
    let measured = Measured::default();
    let (round, found) = (round.clone(), measured.clone());
    let work = move |worker: &mut timely::worker::Worker| {
        pin(worker.index());
        let mut input = InputHandle::<u64, Vecs<(u64, u64)>>::new();
        // Both workers build the same operators; the records come to the second one.
        let mut meter = (worker.index() == 1).then(|| found.meter(&round));
        worker.dataflow(|scope| {
            let mut last = vec![0; usize::try_from(KEYS).expect("a thousand")];
            scope
                .input_from(&mut input)
                .unary::<Vecs<_>, _, _, _>(Exchange::new(|_: &(u64, u64)| 1), "scan", move |_, _| {
                    move |input, output| {
                        input.for_each_time(|time, batches| {
                            let ticks = batches.flat_map(|batch| batch.drain(..));
                            output.session(&time).give_iterator(ticks.map(|(due, number)| {
                                let key = number % KEYS;
                                last[usize::try_from(key).expect("a thousand")] = due;
                                (key, due)
                            }));
                        });
                    }
                })
                .sink(Exchange::new(|_: &(u64, u64)| 1), "meter", move |(input, _)| {
                    let now = now();
                    input.for_each(|_, ticks| {
                        let meter = meter.as_mut().expect("nothing comes to the other");
                        ticks.drain(..).for_each(|(_, due)| meter.note(due, now));
                    });
                });
        });
        if worker.index() == 0 {
            let mut pacer = round.begin();
            let mut advanced = 0;
            while !pacer.is_over() {
                let now = now();
                let mut came = false;
                while let Some(tick) = pacer.due(now) {
                    input.send((tick.due, tick.number));
                    came = true;
                }
                if came && now >= advanced + ADVANCE_EVERY {
                    // Else what is between the workers would wait until a container is full.
                    input.advance_to(now);
                    advanced = now;
                }
                worker.step();
            }
        }
        drop(input);
        while worker.step() {}
    };
    let workers = timely::execute(Config::process(2), work).expect("threads can be started");
    workers.join().into_iter().for_each(|part| part.expect("it does not panic"));
    measured.take()
}

/// Sums by key in tumbling windows.
pub(crate) fn sums(round: &Round, keys: u64) -> Latencies {
    let measured = Measured::default();
    let (round, found) = (round.clone(), measured.clone());
    timely::execute_directly(move |worker| {
        pin(0);
        let length = u64::try_from(WINDOW.as_nanos()).expect("milliseconds");
        let mut meter = found.meter(&round);
        let mut input = InputHandle::<u64, Vecs<(u64, i64)>>::new();
        worker.dataflow(|scope| {
            scope
                .input_from(&mut input)
                .unary_frontier::<Vecs<_>, _, _, _>(Pipeline, "sum", |_, _| {
                    let mut open = VecDeque::<(Capability<u64>, Vec<i64>)>::new();
                    let mut spare = Vec::new();
                    let none = move || vec![0_i64; usize::try_from(keys).expect("thousands")];
                    move |(input, frontier), output| {
                        input.for_each_time(|window, batches| {
                            if open.back().is_none_or(|(newest, _)| newest.time() != window.time()) {
                                open.push_back((window.retain(0), spare.pop().unwrap_or_else(none)));
                            }
                            let (_, sums) = open.back_mut().expect("it was put in");
                            batches.flat_map(|batch| batch.drain(..)).for_each(|(key, value)| {
                                sums[usize::try_from(key).expect("thousands")] += value;
                            });
                        });
                        while let Some((window, mut sums)) =
                            open.pop_front_if(|(open, _)| !frontier.less_equal(open.time()))
                        {
                            let end = (*window.time() + 1) * length;
                            let results = (0_u64..).zip(&mut sums).filter(|(_, sum)| **sum != 0);
                            output
                                .session(&window)
                                .give_iterator(results.map(|(key, sum)| (end, key, mem::take(sum))));
                            spare.push(sums);
                        }
                    }
                })
                .sink(Pipeline, "meter", move |(input, _)| {
                    let now = now();
                    input.for_each(|_, sums| sums.drain(..).for_each(|(end, _, _)| meter.note(end, now)));
                });
        });
        let mut pacer = round.begin();
        let mut window = 0;
        while !pacer.is_over() {
            let now = now();
            let mut came = false;
            while let Some(tick) = pacer.due(now) {
                if tick.due / length > window {
                    window = tick.due / length;
                    input.advance_to(window);
                }
                input.send((tick.number % keys, tick.number.cast_signed()));
                came = true;
            }
            if came {
                input.flush();
            }
            worker.step();
        }
        drop(input);
        while worker.step() {}
    });
    measured.take()
}
