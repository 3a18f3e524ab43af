//! Operators that others take the place of while a job runs: no record is lost, repeated or out of order, and what state there
//! is goes over to the next.

use std::{
    any::Any,
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    vec::Drain,
};

use nacreous::{BatchOperator, Failure, Replacer, Watermark, prelude::*, sink, source};

use crate::equivalence::BATCHES;

type Batch<'a, T> = Drain<'a, Record<T>>;

/// Numbers the records it has seen, and says which of its kind it is.
#[derive(Clone)]
struct Numbers {
    generation: usize,
    seen: i64,
}

impl BatchOperator<i64, (usize, i64, i64)> for Numbers {
    fn on_batch(&mut self, records: Batch<'_, i64>, out: &mut Vec<Record<(usize, i64, i64)>>) {
        out.extend(records.map(|Record { time, value }| {
            self.seen += 1;
            Record { time, value: (self.generation, self.seen, value) }
        }));
    }
}

/// The same by another type.
struct Counts(i64);

impl BatchOperator<i64, (usize, i64, i64)> for Counts {
    fn on_batch(&mut self, records: Batch<'_, i64>, out: &mut Vec<Record<(usize, i64, i64)>>) {
        for Record { time, value } in records {
            self.0 += 1;
            out.push(Record { time, value: (usize::MAX, self.0, value) });
        }
    }
}

/// Has the next of its kind take over, and the other type after the third.
fn next(
    old: Box<dyn BatchOperator<i64, (usize, i64, i64)>>,
) -> Box<dyn BatchOperator<i64, (usize, i64, i64)>> {
    let old: Box<dyn Any> = old;
    match old.downcast::<Numbers>() {
        Ok(numbers) if numbers.generation == 3 => Box::new(Counts(numbers.seen)),
        Ok(mut numbers) => {
            numbers.generation += 1;
            numbers
        }
        Err(other) => Box::new(Counts(other.downcast::<Counts>().expect("it is one of the two").0)),
    }
}

const TIERS: [Tier; 4] = [Tier::Fused, Tier::Boxed, Tier::Auto, Tier::Restless { seed: 5 }];

#[test]
fn others_take_over_with_the_state_there_is_at_any_moment() {
    for tier in TIERS {
        for (parts, workers) in [(1, 1), (1, 2), (3, 2)] {
            for batch in BATCHES {
                replace_at_any_moment(parts, JobOptions { workers, batch, tier, ..JobOptions::DEFAULT });
            }
        }
    }
}

fn replace_at_any_moment(parts: i64, options: JobOptions) {
    const RECORDS: i64 = 3_000;
    let graph = Graph::new();
    let numbers = graph.iters((0..parts).map(|part| (0..RECORDS).map(move |n| part + n * parts)));
    let numbers = numbers.event_time(|n| Timestamp::from_nanos(*n), BoundedDisorder::NONE);
    let (numbered, replacer) = numbers.map(|n| n).replaceable(Numbers { generation: 0, seen: 0 });
    let results = numbered.map(|result| result).collect();
    let job = graph.start(options).unwrap();
    for _ in 0..6 {
        replacer.replace(next);
        std::thread::yield_now();
    }
    let report = job.wait().unwrap();
    assert_eq!((report.records_on_time, report.records_in), (report.records_in, (parts * RECORDS) as u64));
    assert_eq!(replacer.pending(), 0, "nobody is left");
    let mut by_part = BTreeMap::<i64, Vec<_>>::new();
    results.take().into_iter().for_each(|result| {
        by_part.entry(result.value.2 % parts).or_default().push(result.value);
    });
    for (part, results) in by_part {
        assert!(results.iter().map(|result| result.1).eq(1..=RECORDS), "the state was kept: {options:?}");
        assert!(results.iter().map(|result| result.2).eq((0..RECORDS).map(|n| part + n * parts)));
        assert!(results.is_sorted_by_key(|result| result.0), "what came later came later: {options:?}");
    }
}

#[test]
fn what_was_asked_for_happens_in_its_order_before_the_next_record() {
    let (mut feeder, fed) = source::fed(64);
    let (handed, mut results) = sink::handed(64);
    let graph = Graph::new();
    let numbers = graph.source(fed).0.event_time(|_| Timestamp::MIN, BoundedDisorder::NONE);
    let (numbered, replacer) = numbers.replaceable(Numbers { generation: 0, seen: 0 });
    numbered.to(handed);
    replacer.replace(next);
    let job = graph.start(JobOptions::DEFAULT).unwrap();
    let mut generation_of = |n: i64| {
        feeder.send(n).unwrap();
        results.recv().map(|result| result.value)
    };
    assert_eq!(generation_of(7), Some((1, 1, 7)), "it was asked for before the job began");
    assert_eq!(replacer.pending(), 0);
    replacer.replace(next);
    replacer.clone().replace(next);
    assert_eq!(replacer.pending(), 1);
    assert_eq!(generation_of(8), Some((3, 2, 8)));
    replacer.replace(next);
    assert_eq!(generation_of(9), Some((usize::MAX, 3, 9)));
    drop(feeder);
    job.wait().unwrap();
    let gone = Arc::new(AtomicUsize::new(0));
    let kept = Arc::clone(&gone);
    replacer.replace(move |old| {
        kept.fetch_add(1, Ordering::Relaxed);
        old
    });
    assert_eq!((gone.load(Ordering::Relaxed), Arc::strong_count(&gone), replacer.pending()), (0, 1, 0));
}

#[test]
fn a_panic_while_one_takes_over_fails_the_job_and_names_the_operator() {
    let graph = Graph::new();
    let numbers = graph.iter(0..).event_time(|_| Timestamp::MIN, BoundedDisorder::NONE);
    let (numbered, replacer) = numbers.replaceable(Numbers { generation: 0, seen: 0 });
    numbered.named("numbers").discard();
    let job = graph.start(JobOptions::DEFAULT).unwrap();
    replacer.replace(|_| panic!("no such model"));
    let error = job.wait().expect_err("it has failed").failure;
    assert!(matches!(&error, Failure::Panicked { .. }), "{error}");
    assert!(
        error.to_string().contains("\"numbers\"") && error.to_string().contains("no such model"),
        "{error}"
    );
}

/// Sorts what is complete, as `order_by` does; says how large its batches were.
#[derive(Clone, Default)]
struct Sorts {
    held: Vec<Record<[i64; 8]>>,
    largest: Arc<AtomicUsize>,
}

impl BatchOperator<[i64; 8], [i64; 8]> for Sorts {
    fn on_batch(&mut self, records: Batch<'_, [i64; 8]>, _: &mut Vec<Record<[i64; 8]>>) {
        self.largest.fetch_max(records.len(), Ordering::Relaxed);
        self.held.extend(records);
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Vec<Record<[i64; 8]>>) {
        self.held.sort_by_key(|record| (record.time, record.value));
        let complete =
            self.held.partition_point(|record| record.time < watermark.time() || watermark.is_end());
        out.extend(self.held.drain(..complete));
    }
}

#[test]
fn large_records_come_in_batches_and_what_is_held_back_leaves_in_order() {
    for tier in TIERS {
        for batch in BATCHES {
            let graph = Graph::new();
            let numbers = graph.iter(0..2_000_i64).event_time(
                |n| Timestamp::from_nanos(n ^ 15),
                BoundedDisorder::new(crate::equivalence::nanos(15)).unwrap(),
            );
            let sorts = Sorts::default();
            let largest = Arc::clone(&sorts.largest);
            let (sorted, _): (_, Replacer<_, _>) = numbers.map(|n| [n ^ 15; 8]).replaceable(sorts);
            let sorted = sorted.map(|large| large[3]).collect();
            graph.run(JobOptions { workers: 2, batch, tier, ..JobOptions::DEFAULT }).unwrap();
            assert!(sorted.take().into_iter().map(|record| record.value).eq(0..2_000), "{tier:?}, {batch}");
            assert!(largest.load(Ordering::Relaxed) > batch / 2, "{tier:?}: {largest:?} of {batch}");
        }
    }
}
