//! Records that lie in many slices: which of two loops takes them, and the one that computes the slice of each.

use std::hash::Hash;

use super::{Closing, WindowFold};
use crate::{Aggregate, Keyed, Record, window::Slicing};

/// Which loop takes a run of records.
///
/// Where records lie near each other, the question whether one is of the same slice as the one before is foreseen, and costs next to
/// nothing. Where many come out of order it is not, and it takes less to compute the slice of each.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Dispersal {
    /// In how many runs slices are to be computed yet; below zero, how many runs are let pass before that is tried again.
    runs: i32,
}

/// In how many runs slices are computed before it is found out anew whether that is needed.
const RUNS: i32 = 64;
/// How many runs are let pass once it did not help.
const PASSED: i32 = 16;
/// Slices are computed where more than one record in so many is of another slice than the one before, and as long as no more
/// than that come to a slice or a key that is new.
const ONE_IN: u64 = 16;

/// So many slices are moved at once in the queue, so that all lie in a row: a few microseconds, at most once for each slice that begins.
const MOVED_MAX: usize = 64;

impl Dispersal {
    /// Whether slices are to be computed in the next run.
    #[inline]
    pub(super) fn is_wide(&self) -> bool {
        self.runs > 0
    }

    /// A run in which slices were not computed: how many records there were, and how many of them were of another slice than the one
    /// before.
    #[inline]
    pub(super) fn near(&mut self, records: u64, strays: u64) {
        if self.runs < 0 {
            self.runs += 1;
        } else if self.runs == 0 && strays * ONE_IN > records {
            self.runs = RUNS;
        }
    }

    /// A run in which they were: how many records there were, and how many of them had to be taken in another way.
    #[inline]
    pub(super) fn wide(&mut self, records: u64, others: u64) {
        self.runs = if others * ONE_IN > records { -PASSED } else { self.runs - 1 };
    }
}

impl<T, K: Hash + Eq + Clone + 'static, A: Aggregate<T>, W: Slicing> WindowFold<K, A, T, W> {
    /// Whether all windows of the slices there are are open for the input that records come from. They are not while it is ahead of
    /// others; then each record has to be asked about.
    #[inline]
    pub(super) fn slices_are_open(&self) -> bool {
        let (_, own) = self.own;
        let Closing { open_from, .. } = own.max(self.closing);
        self.slices.front().is_none_or(|first| first.first >= open_from)
    }

    /// Adds records to the accumulators of their keys, each in its slice, where all [are open](Self::slices_are_open); comes back with
    /// the first for which there is no slice, or none at the place where it would be if no slice were missing, or whose key is not
    /// known there. There is no recent slice then.
    // HOT(window.dispersed)
    #[inline(always)]
    pub(super) fn add_dispersed(
        &mut self,
        records: &mut impl Iterator<Item = Record<Keyed<K, T>>>,
    ) -> Option<Record<Keyed<K, T>>> {
        self.leave_recent();
        debug_assert!(self.slices_are_open(), "some records may be behind");
        let Self { slices, aggregate, a_slice_in, tally, .. } = self;
        let Some(begin) = slices.front().map(|first| first.start) else { return records.next() };
        // Where they go round the end of the queue's memory. What is not looked at comes back.
        let slices =
            if slices.len() <= MOVED_MAX { slices.make_contiguous() } else { slices.as_mut_slices().0 };
        let a_slice_in = *a_slice_in;
        let mut added = 0;
        let rest = loop {
            let Some(record) = records.next() else { break None };
            let time = record.time.as_nanos();
            let at = slices_within(time.wrapping_sub(begin).cast_unsigned(), a_slice_in);
            let Some(slice) = slices.get_mut(at).filter(|slice| slice.contains(time)) else {
                break Some(record);
            };
            let mut base = slice.table.base();
            let Ok(acc) = base.value(&record.value.key) else { break Some(record) };
            aggregate.add(acc, &record.value.value, record.time);
            added += 1;
        };
        tally.on_time += added;
        rest
    }
}

/// How many slices fit into a time, where `a_slice_in` is a slice's share of the longest time there is.
#[inline(always)]
pub(super) fn slices_within(time: u64, a_slice_in: u64) -> usize {
    let slices = (u128::from(time) * u128::from(a_slice_in)) >> u64::BITS;
    usize::try_from(slices).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nacreous_watermark::{Timestamp, Watermark};

    use super::*;
    use crate::{
        Operator,
        window::{Sliding, Windowed, budget::advance},
    };

    type Fold = WindowFold<i64, crate::Sum<fn(&i64) -> i64>, i64>;

    fn fold() -> Fold {
        let windows = Sliding::new(Duration::from_nanos(30), Duration::from_nanos(10)).unwrap();
        WindowFold::new(windows, crate::sum((|n| *n) as fn(&i64) -> i64))
    }

    fn record(time: i64) -> Record<Keyed<i64, i64>> {
        let value = Keyed { key: time % 3, value: time };
        Record { time: Timestamp::from_nanos(time), value }
    }

    /// How many were late, and the results.
    fn results(fold: &mut Fold, mut out: Vec<Record<Windowed<i64, i64, i64>>>) -> (usize, Vec<String>) {
        advance(fold, Watermark::END, &mut out);
        let (results, late): (Vec<_>, Vec<_>) =
            out.into_iter().partition(|record| matches!(record.value, Windowed::Result(_)));
        (late.len(), results.iter().map(|record| format!("{record:?}")).collect())
    }

    #[test]
    fn slices_are_computed_while_records_come_out_of_order_and_what_comes_of_it_is_the_same() {
        for seed in 0..20 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut one_by_one, mut in_runs) = (fold(), fold());
            let (mut out, mut other_out) = (Vec::new(), Vec::new());
            let mut wide = 0;
            for run in 0..200 {
                // Ahead by a slice with each run but for some gaps; now and then in order; some behind all others.
                let now = (run + run / 7 * 3) * 10;
                let orderly = run / 50 % 2 == 1;
                let mut times: Vec<i64> = (0..200).map(|_| now + random.i64(-60..10)).collect();
                if orderly {
                    times.sort_unstable();
                }
                // Some come from an input that is ahead of the others, for which some windows are closed already.
                let is_ahead = random.u8(0..8) == 0;
                let own = Watermark::at(Timestamp::from_nanos(now - if is_ahead { 25 } else { 60 }));
                one_by_one.judge_by(own);
                in_runs.judge_by(own);
                times.iter().for_each(|time| one_by_one.on_record(record(*time), &mut out));
                if random.bool() {
                    // Whatever is known of the records.
                    in_runs.dispersal = Dispersal { runs: RUNS };
                }
                wide += usize::from(in_runs.dispersal.is_wide());
                in_runs.on_records(times.iter().map(|time| record(*time)), &mut other_out);
                let watermark = Watermark::at(Timestamp::from_nanos(now - 60));
                advance(&mut one_by_one, watermark, &mut out);
                advance(&mut in_runs, watermark, &mut other_out);
            }
            assert!(wide >= 50, "seed {seed}: slices were computed in {wide} of 200 runs");
            assert_eq!(in_runs.tally(), one_by_one.tally(), "seed {seed}");
            assert_eq!(results(&mut in_runs, other_out), results(&mut one_by_one, out), "seed {seed}");
        }
    }

    #[test]
    fn slices_are_computed_only_while_records_come_out_of_order() {
        let mut fold = fold();
        let run = |fold: &mut Fold, step: i64| {
            fold.on_records((0..1_000).map(|n| record(n * step % 60)), &mut Vec::new());
            fold.dispersal.is_wide()
        };
        assert!(run(&mut fold, 7), "each record is of another slice than the one before");
        let until_found_out = (0..2 * RUNS).take_while(|_| run(&mut fold, 0)).count();
        assert_eq!(until_found_out, 63, "all records are of one slice: it ends with the 64th run");
        assert!(!run(&mut fold, 0));
    }

    #[test]
    fn slices_are_computed_again_as_soon_as_an_input_that_is_ahead_has_had_its_turn() {
        let mut fold = fold();
        let at = |nanos| Watermark::at(Timestamp::from_nanos(nanos));
        let mut run = |own: Watermark| {
            fold.judge_by(own);
            fold.on_records((0..1_200).map(|n| record(n * 7 % 60)), &mut Vec::new());
            assert!(fold.dispersal.is_wide());
            (fold.tally().on_time, fold.held.len(), fold.tally().late, fold.dispersal.runs)
        };
        assert_eq!(run(at(0)), (1_200, 0, 0, RUNS));
        assert_eq!(run(at(0)), (2_400, 0, 0, RUNS - 1));
        // Of sixty times, ten are in windows that have all ended, and of twenty more some have: they wait.
        assert_eq!(run(at(30)), (3_000, 400, 200, RUNS - 1));
        assert_eq!(run(at(0)), (4_200, 400, 200, RUNS - 2));
    }

    #[test]
    fn records_in_order_do_not_have_their_slices_computed_however_few_there_are_between_watermarks() {
        let mut fold = fold();
        for n in 0..1_000 {
            fold.on_records([record(n), record(n)].into_iter(), &mut Vec::new());
            assert!(!fold.dispersal.is_wide(), "{n}");
            advance(&mut fold, Watermark::at(Timestamp::from_nanos(n)), &mut Vec::new());
        }
    }

    #[test]
    fn where_many_records_bring_new_keys_slices_are_seldom_computed() {
        let mut fold = fold();
        let (mut next, mut wide) = (0, 0);
        for _ in 0..100 {
            // Three of four bring a new key, and each fourth is of the other slice or of the same.
            let records = (0..64).map(|n| {
                next += 1;
                let (time, key) = if n % 4 == 0 { (n % 8 + 5, 0) } else { (n % 20, next) };
                Record { time: Timestamp::from_nanos(time), value: Keyed { key, value: 1 } }
            });
            fold.on_records(records, &mut Vec::new());
            wide += usize::from(fold.dispersal.is_wide());
        }
        assert!((1..=7).contains(&wide), "{wide} of 100 runs");
    }
}
