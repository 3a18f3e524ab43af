//! Each operator against the iterator method it is named after, and its counts against the number of records.

use nacreous_watermark::Timestamp;

use super::*;

/// Numbers with times in no order.
fn input(seed: u64) -> Vec<Record<i64>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut record =
        || Record { time: Timestamp::from_nanos(random.i64(-50..50)), value: random.i64(-20..20) };
    (0..200).map(|_| record()).collect()
}

fn run<O: Operator<i64>>(operator: &mut O, input: &[Record<i64>]) -> Vec<Record<O::Out>> {
    let mut out = Vec::new();
    input.iter().for_each(|record| operator.on_record(*record, &mut out));
    out
}

fn record<T>(time: Timestamp, value: T) -> Record<T> {
    Record { time, value }
}

/// What must hold of the counts of every operator that keeps nothing.
fn assert_balanced(tally: Tally, records_in: usize, records_out: usize) {
    assert_eq!(
        records_in as u64 + tally.added,
        records_out as u64 + tally.filtered,
        "in + added = out + filtered: {tally:?}"
    );
}

#[test]
fn filter_map_is_that_of_iterators() {
    let half = |n: i64| (n % 2 == 0).then_some(n / 2);
    for seed in 0..20 {
        let input = input(seed);
        let mut operator = FilterMap::new(half);
        let out = run(&mut operator, &input);
        let expected: Vec<_> =
            input.iter().filter_map(|r| half(r.value).map(|value| record(r.time, value))).collect();
        assert_eq!(out, expected, "seed {seed}");
        assert_eq!(operator.tally().filtered, input.iter().filter(|r| r.value % 2 != 0).count() as u64);
        assert_balanced(operator.tally(), input.len(), out.len());
    }
}

#[test]
fn flat_map_is_that_of_iterators() {
    let countdown = |n: i64| (0..n % 5).rev();
    for seed in 0..20 {
        let input = input(seed);
        let mut operator = FlatMap::new(countdown);
        let out = run(&mut operator, &input);
        let expected: Vec<_> =
            input.iter().flat_map(|r| countdown(r.value).map(|value| record(r.time, value))).collect();
        assert_eq!(out, expected, "seed {seed}");
        assert_eq!(operator.tally().filtered, input.iter().filter(|r| r.value % 5 <= 0).count() as u64);
        assert_balanced(operator.tally(), input.len(), out.len());
    }
}

#[test]
fn what_is_refused_comes_out_beside_the_rest() {
    let checked = |n: i64| u8::try_from(n).map_err(|_| n);
    for seed in 0..20 {
        let input = input(seed);
        let mut operator = TryMap::new(checked);
        let out = run(&mut operator, &input);
        let tried = |r: &Record<i64>| match checked(r.value) {
            Ok(value) => record(r.time, Tried::Done(value)),
            Err(n) => record(r.time, Tried::Refused(n)),
        };
        assert_eq!(out, input.iter().map(tried).collect::<Vec<_>>(), "seed {seed}");
        assert_eq!(operator.tally().rejected, input.iter().filter(|r| r.value < 0).count() as u64);
        assert_balanced(operator.tally(), input.len(), out.len());
    }
}

#[test]
fn a_split_gives_each_record_to_one_side() {
    for seed in 0..20 {
        let input = input(seed);
        let out = run(&mut SplitBy::new(|n: &i64| *n >= 0), &input);
        let (mut upper, mut lower) = (Vec::new(), Vec::new());
        for Record { time, value } in out {
            match value {
                Split::True(n) => upper.push(record(time, n)),
                Split::False(n) => lower.push(record(time, n)),
            }
        }
        let expected: (Vec<_>, Vec<_>) = input.iter().copied().partition(|r| r.value >= 0);
        assert_eq!((upper, lower), expected, "seed {seed}");
    }
}
