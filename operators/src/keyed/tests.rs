//! Each operator against a map from key to state.

use std::collections::HashMap;

use nacreous_watermark::Timestamp;

use super::*;

type Input = Vec<Record<Keyed<u16, i64>>>;

/// Records of few keys or many, with times in no order.
fn input(seed: u64) -> Input {
    let mut random = fastrand::Rng::with_seed(seed);
    let keys = [1, 5, 3_000][random.usize(0..3)];
    let mut record = || Record {
        time: Timestamp::from_nanos(random.i64(-50..50)),
        value: Keyed { key: random.u16(0..keys), value: random.i64(-9..9) },
    };
    (0..4_000).map(|_| record()).collect()
}

fn run<O: Operator<Keyed<u16, i64>>>(operator: &mut O, input: &Input) -> Vec<Record<O::Out>> {
    let mut out = Vec::new();
    input.iter().for_each(|record| operator.on_record(*record, &mut out));
    let tally = Tally { on_time: out.len() as u64, results: out.len() as u64, ..Tally::default() };
    assert_eq!(operator.tally(), tally);
    out
}

/// Neither associative nor commutative, so that a wrong order shows.
fn digest(acc: i64, value: i64) -> i64 {
    acc.wrapping_mul(31).wrapping_add(value)
}

#[test]
fn a_reduction_runs_for_each_key_apart() {
    for seed in 0..30 {
        let input = input(seed);
        let mut reduce = Reduce::new(KeyLimits::default(), |acc: &mut i64, n| *acc = digest(*acc, n));
        let out = run(&mut reduce, &input);
        // The clone of an operator that knows keys knows none.
        assert_eq!(run(&mut reduce.clone(), &input), out);

        let mut state = HashMap::new();
        let expected = input.iter().map(|record| {
            let Keyed { key, value } = record.value;
            let next = state.get(&key).map_or(value, |acc| digest(*acc, value));
            state.insert(key, next);
            Record { time: record.time, value: Keyed { key, value: next } }
        });
        assert_eq!(out, expected.collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn a_scan_is_that_of_iterators_for_each_key_apart() {
    let step = |state: &mut i64, n: i64| {
        *state = digest(*state, n);
        (n, state.to_string())
    };
    for seed in 0..30 {
        let input = input(seed);
        let mut scan = Scan::new(KeyLimits::default(), 7, step);
        let out = run(&mut scan, &input);
        assert_eq!(run(&mut scan.clone(), &input), out);

        for key in input.iter().map(|record| record.value.key).take(50) {
            let values = |of: &Record<Keyed<u16, i64>>| (of.value.key == key).then_some(of.value.value);
            let of_key = input.iter().filter_map(values);
            let expected = of_key.scan(7, |state, n| Some(step(state, n))).collect::<Vec<_>>();
            let seen = out.iter().filter(|record| record.value.key == key).map(|record| &record.value.value);
            assert!(seen.eq(&expected), "seed {seed}, key {key}");
        }
        assert!(out.iter().map(|record| record.time).eq(input.iter().map(|record| record.time)));
        assert!(out.iter().map(|record| record.value.key).eq(input.iter().map(|record| record.value.key)));
    }
}

#[test]
fn a_key_beyond_the_limit_is_a_fault_and_counts_nowhere() {
    let limits = KeyLimits { expected: 1, most: 2, ..KeyLimits::default() };
    let mut reduce = Reduce::new(limits, |acc: &mut i64, n| *acc += n);
    let mut out = Vec::new();
    let mut take = |reduce: &mut Reduce<u16, i64, _>, key| {
        let value = Keyed { key, value: 1 };
        reduce.on_record(Record { time: Timestamp::from_nanos(0), value }, &mut out);
        reduce.tally().on_time
    };
    assert_eq!([take(&mut reduce, 5), take(&mut reduce, 6), take(&mut reduce, 5)], [1, 2, 3]);
    assert_eq!(reduce.fault(), None);
    assert_eq!(take(&mut reduce, 7), 3);
    assert_eq!(reduce.fault(), Some(Fault::TooManyKeys { most: 2 }));
    assert_eq!(reduce.clone().fault(), None);
}
