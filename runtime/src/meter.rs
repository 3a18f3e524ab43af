//! What a task has done so far, published for the control plane to sample.

use std::ops::AddAssign;

use crossbeam_utils::CachePadded;
use nacreous_channels::published::Published;
use nacreous_operators::Tally;

/// Counts of records, summed over operators or tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Records that sources have read, rejected ones included.
    pub records_in: u64,
    /// Records that sources could not make sense of.
    pub rejected: u64,
    /// What operators say became of records.
    pub tally: Tally,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.records_in += other.records_in;
        self.rejected += other.rejected;
        self.tally += other.tally;
    }
}

/// The counts of one task: written by its worker, sampled by anyone, on cache lines of its own.
#[derive(Debug)]
pub(crate) struct Meter(CachePadded<[Published; 9]>);

impl Meter {
    pub(crate) fn new() -> Self {
        Self(CachePadded::new([0; 9].map(Published::new)))
    }

    pub(crate) fn publish(&self, counts: &Counts) {
        let Counts { records_in, rejected, tally } = *counts;
        let Tally { filtered, added, rejected: refused, on_time, late, missed_windows, results } = tally;
        let values = [records_in, rejected, filtered, added, refused, on_time, late, missed_windows, results];
        self.0.iter().zip(values).for_each(|(cell, value)| cell.set(value));
    }

    pub(crate) fn sample(&self) -> Counts {
        let [records_in, rejected, filtered, added, refused, on_time, late, missed_windows, results] =
            self.0.each_ref().map(Published::get);
        Counts {
            records_in,
            rejected,
            tally: Tally { filtered, added, rejected: refused, on_time, late, missed_windows, results },
        }
    }
}
