//! The same chains in timely dataflow: an operator for each map and each filter.
//!
//! All numbers are of one time, so that there is no progress to be tracked but that of batches.

use std::{cell::Cell, rc::Rc};

use timely::{
    container::CapacityContainerBuilder,
    dataflow::{
        InputHandle, StreamVec,
        channels::pact::Pipeline,
        operators::{
            Input,
            generic::Operator,
            vec::{Filter, Map},
        },
    },
};

use super::{Numbers, mapped, passes};

/// Numbers sent at a time. Tried one against another, for four pairs: 512, 38; 1,024, 63; 2,048, 56; 4,096, 75; 8,192, 68;
/// 16,384, 50 M/s.
const BATCH: usize = 4_096;

pub(super) fn one(numbers: Numbers) -> u64 {
    run(numbers, pair::<0>)
}

pub(super) fn four(numbers: Numbers) -> u64 {
    run(numbers, |numbers| pair::<3>(pair::<2>(pair::<1>(pair::<0>(numbers)))))
}

fn pair<const PAIR: usize>(numbers: StreamVec<'_, u64, u64>) -> StreamVec<'_, u64, u64> {
    numbers.map(mapped::<PAIR>).filter(|number| passes(*number))
}

fn run(numbers: Numbers, chain: fn(StreamVec<'_, u64, u64>) -> StreamVec<'_, u64, u64>) -> u64 {
    timely::execute_directly(move |worker| {
        let sum = Rc::new(Cell::new(0_u64));
        let mut input = InputHandle::<u64, CapacityContainerBuilder<Vec<u64>>>::new();
        worker.dataflow(|scope| {
            let sum = Rc::clone(&sum);
            chain(scope.input_from(&mut input)).sink(Pipeline, "sum", move |(input, _)| {
                input.for_each(|_, numbers| {
                    sum.set(numbers.drain(..).fold(sum.get(), u64::wrapping_add));
                });
            });
        });
        let mut batch = Vec::with_capacity(BATCH);
        numbers.iter().for_each(|number| {
            if batch.len() == BATCH {
                input.send_batch(&mut batch);
                worker.step();
            }
            if batch.capacity() < BATCH {
                batch.reserve(BATCH);
            }
            batch.push(number);
        });
        input.send_batch(&mut batch);
        drop(input);
        while worker.step_or_park(None) {}
        sum.get()
    })
}
