use std::collections::VecDeque;

use nacreous_watermark::Watermark;

use crate::{Emit, Operator, Record, Step};

/// Puts records in order of event time, then of a key: holds each back until the watermark has passed it.
///
/// Records equal in both come out in no fixed order. Late records are not expected here: one that comes
/// behind the watermark goes out with the next watermark.
#[derive(Debug, Clone)]
pub struct OrderBy<T, F> {
    key: F,
    held: Vec<Record<T>>,
    /// Passed by the watermark and in order, to be emitted.
    ready: VecDeque<Record<T>>,
}

/// Records that fit before the memory grows.
const INITIAL_RECORDS: usize = 4_096;

impl<T, F> OrderBy<T, F> {
    /// Orders records of one time by `key`. There is memory for some thousand records; it doubles when more
    /// have to be held back at once.
    pub fn new(key: F) -> Self {
        Self {
            key,
            held: Vec::with_capacity(INITIAL_RECORDS),
            ready: VecDeque::with_capacity(INITIAL_RECORDS),
        }
    }

    fn release<K: Ord>(&mut self, watermark: Watermark)
    where
        F: FnMut(&T) -> K,
    {
        let key = &mut self.key;
        self.held
            .sort_unstable_by(|a, b| a.time.cmp(&b.time).then_with(|| key(&a.value).cmp(&key(&b.value))));
        let passed = match watermark.is_end() {
            true => self.held.len(),
            false => self.held.partition_point(|record| record.time < watermark.time()),
        };
        self.ready.extend(self.held.drain(..passed));
    }
}

impl<T, K: Ord, F: FnMut(&T) -> K> Operator<T> for OrderBy<T, F> {
    type Out = T;

    fn on_record(&mut self, record: Record<T>, _: &mut impl Emit<T>) {
        self.held.push(record);
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl Emit<T>) -> Step {
        if self.ready.is_empty() {
            self.release(watermark);
        }
        while !self.ready.is_empty() {
            if !out.has_room() {
                return Step::More;
            }
            self.ready.pop_front().into_iter().for_each(|record| out.emit(record));
        }
        Step::Done
    }
}

#[cfg(test)]
mod tests {
    use nacreous_watermark::Timestamp;

    use super::*;

    /// Takes one record at a time.
    struct Narrow<'a>(&'a mut Vec<Record<char>>, usize);

    impl Emit<char> for Narrow<'_> {
        fn emit(&mut self, record: Record<char>) {
            assert!(self.has_room());
            self.1 -= 1;
            self.0.push(record);
        }

        fn has_room(&self) -> bool {
            self.1 > 0
        }
    }

    #[test]
    fn records_leave_in_order_once_the_watermark_has_passed_them_however_narrow_the_output() {
        let mut order = OrderBy::new(|value: &char| *value);
        let mut seen = Vec::new();
        for (nanos, value) in [(5, 'b'), (9, 'x'), (3, 'z'), (5, 'a')] {
            let record = Record { time: Timestamp::from_nanos(nanos), value };
            order.on_record(record, &mut Vec::new());
        }
        let mut text = |order: &mut OrderBy<char, _>, watermark| {
            while order.on_watermark(watermark, &mut Narrow(&mut seen, 1)) == Step::More {}
            seen.iter().map(|record| record.value).collect::<String>()
        };
        assert_eq!(text(&mut order, Watermark::at(Timestamp::from_nanos(5))), "z");
        assert_eq!(text(&mut order, Watermark::at(Timestamp::from_nanos(6))), "zab");
        assert_eq!(text(&mut order, Watermark::END), "zabx");
    }
}
