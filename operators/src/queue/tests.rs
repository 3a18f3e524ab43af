//! Every way to keep a queue against simply recomputing it; the values are texts, so order matters.

use std::{cell::Cell, collections::VecDeque};

use super::*;
use crate::{queue::rows::Keep, supply::tests::Late};

/// Puts texts one behind the other, and counts how often.
#[derive(Default)]
struct Texts(Cell<usize>);

impl Combine<String> for Texts {
    fn combine(&self, acc: &mut String, other: &String) {
        self.0.set(self.0.get() + 1);
        acc.push_str(other);
    }

    fn subtract(&self, acc: &mut String, other: &String) {
        assert!(acc.starts_with(other.as_str()), "{other:?} leaves {acc:?}");
        acc.drain(..other.len());
    }
}

/// Any number of queues in one memory, each beside an oracle, and how often each operation may combine.
struct Checked<F> {
    rows: Rows<String>,
    queues: Vec<(InRows<F>, VecDeque<(i64, String)>)>,
    most: [usize; 3],
}

impl<F: Keep<String>> Checked<F> {
    fn new(queues: usize, most: [usize; 3]) -> Self {
        let queues = (0..queues).map(|_| (InRows::default(), VecDeque::new()));
        Self { rows: Rows::default(), queues: queues.collect(), most }
    }

    fn insert(&mut self, nth: usize, slice: i64, text: &str) {
        let (queue, oracle) = &mut self.queues[nth];
        let by = Texts::default();
        queue.insert(&mut self.rows, slice, text.to_owned(), &by);
        oracle.push_back((slice, text.to_owned()));
        assert!(by.0.get() <= self.most[0], "{} combinations to insert", by.0.get());
        self.check(nth);
    }

    fn evict_before(&mut self, nth: usize, slice: i64) {
        let (queue, oracle) = &mut self.queues[nth];
        let by = Texts::default();
        queue.evict_before(&mut self.rows, slice, &by);
        let before = oracle.len();
        while oracle.pop_front_if(|(oldest, _)| *oldest < slice).is_some() {}
        let (left, combined) = (before - oracle.len(), by.0.get());
        assert!(combined <= left * self.most[1], "{combined} combinations for {left} that leave");
        self.check(nth);
    }

    fn check(&self, nth: usize) {
        let (queue, oracle) = &self.queues[nth];
        let by = Texts::default();
        let found = queue.query(&self.rows, i64::MIN..=i64::MAX, &by);
        let expected: String = oracle.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(found.unwrap_or_default(), expected);
        assert_eq!(queue.is_empty(), oracle.is_empty());
        assert!(by.0.get() <= self.most[2], "{} combinations to ask", by.0.get());
    }
}

fn any_sequence<F: Keep<String>>(most: [usize; 3]) {
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let queues = random.usize(1..4);
        let mut checked = Checked::<F>::new(queues, most);
        checked.rows.connect(&mut Late::new(seed));
        let mut slices = vec![(0, 0); queues];
        for _ in 0..30 {
            // Now they grow, now they shrink, now they stay as they are.
            let come = random.u8(..);
            for _ in 0..random.usize(0..60) {
                let nth = random.usize(0..queues);
                let (oldest, newest) = &mut slices[nth];
                if random.u8(..) < come {
                    while checked.rows.prepare(1, 0) == Prepared::Waiting {}
                    *newest += random.i64(1..3);
                    checked.insert(nth, *newest, ["a", "bc", "d", "e", "f"][random.usize(0..5)]);
                } else {
                    *oldest = (*oldest + random.i64(0..4)).min(*newest + 1);
                    checked.evict_before(nth, *oldest);
                }
            }
        }
        (0..queues).for_each(|nth| checked.evict_before(nth, i64::MAX));
        assert_eq!(checked.rows.in_use(), 0, "an empty queue has no memory");
    }
}

#[test]
fn daba_lite_in_rows_comes_to_what_it_is_and_never_combines_more_than_that() {
    any_sequence::<Stretches<Spot, String>>([3, 2, 1]);
}

#[test]
fn a_running_accumulator_combines_once() {
    any_sequence::<Running<String>>([1, 0, 0]);
}

#[test]
fn two_stacks_come_to_the_same() {
    any_sequence::<TwoStacks<String>>([1, usize::MAX / 1_000, 1]);
}

#[test]
fn recomputing_comes_to_the_same() {
    any_sequence::<Recompute>([0, 0, usize::MAX]);
}

#[test]
fn a_queue_that_is_drained_to_its_last_value_and_filled_again_goes_on() {
    for most in [1, 2, 7, 8, 9, 40] {
        let mut checked = Checked::<Stretches<Spot, String>>::new(1, [3, 2, 1]);
        for round in 0..6 {
            (0..most).for_each(|n| checked.insert(0, round * most + n, if n % 2 == 0 { "x" } else { "y" }));
            (0..most).for_each(|n| checked.evict_before(0, round * most + n));
        }
        checked.evict_before(0, i64::MAX);
        checked.insert(0, 6 * most, "z");
    }
}
