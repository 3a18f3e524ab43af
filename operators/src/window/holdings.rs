use std::collections::VecDeque;

/// How many accumulators there are, and when they leave: those of one number go together, the least first.
#[derive(Debug)]
pub(super) struct Holdings {
    /// In order of the numbers.
    counts: VecDeque<(i64, usize)>,
    all: usize,
}

impl Holdings {
    pub(super) fn new() -> Self {
        Self { counts: VecDeque::with_capacity(64), all: 0 }
    }

    /// How many there are.
    pub(super) fn all(&self) -> usize {
        self.all
    }

    /// Notes that so many more have come of this number.
    pub(super) fn note(&mut self, number: i64, accumulators: usize) {
        self.all += accumulators;
        match self.counts.binary_search_by_key(&number, |(number, _)| *number) {
            Ok(index) => self.counts[index].1 += accumulators,
            Err(index) => self.counts.insert(index, (number, accumulators)),
        }
    }

    /// Notes that those of all numbers before this one have left.
    pub(super) fn leave_before(&mut self, number: i64) {
        while let Some((_, accumulators)) = self.counts.pop_front_if(|(first, _)| *first < number) {
            self.all -= accumulators;
        }
    }

    /// Whether there are any of this number or a later one.
    pub(super) fn reach(&self, number: i64) -> bool {
        self.counts.back().is_some_and(|(last, _)| *last >= number)
    }

    /// Whether there are none before this number.
    pub(super) fn are_from(&self, number: i64) -> bool {
        self.counts.front().is_none_or(|(first, _)| *first >= number)
    }
}
