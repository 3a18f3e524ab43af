use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
};

use nacreous_watermark::{Timestamp, Watermark};

use crate::{Emit, Operator, Record, Step};

/// Puts records in order of event time, then of a key: holds each back until the watermark has passed it.
///
/// Records equal in both come out in no fixed order. A record that comes behind the watermark of its own input is too
/// late to come in order: it goes out at once.
///
/// # Cost
/// A record costs a number of comparisons that grows with the logarithm of the records held. Memory: the
/// records held and their keys, for some thousand of which there is room from the beginning; it doubles when
/// that is not enough.
#[derive(Debug)]
pub struct OrderBy<T, K, F> {
    key: F,
    /// The earliest on top.
    held: BinaryHeap<Reverse<Held<T, K>>>,
    /// What records that come now are judged by.
    judged_by: Watermark,
    /// The last watermark passed on.
    passed: Watermark,
}

/// A record held back, ordered by its time and key.
#[derive(Debug)]
struct Held<T, K> {
    time: Timestamp,
    key: K,
    value: T,
}

/// Records that fit before the memory grows.
const INITIAL_RECORDS: usize = 4_096;

impl<T, K: Ord, F> OrderBy<T, K, F> {
    /// Orders records of one time by `key`.
    pub fn new(key: F) -> Self {
        Self {
            key,
            held: BinaryHeap::with_capacity(INITIAL_RECORDS),
            judged_by: Watermark::MIN,
            passed: Watermark::MIN,
        }
    }
}

/// The clone has the same key and holds nothing: it serves another instance.
impl<T, K: Ord, F: Clone> Clone for OrderBy<T, K, F> {
    fn clone(&self) -> Self {
        Self::new(self.key.clone())
    }
}

impl<T, K: Ord, F: FnMut(&T) -> K> Operator<T> for OrderBy<T, K, F> {
    type Out = T;

    fn on_record(&mut self, record: Record<T>, out: &mut impl Emit<T>) {
        let Record { time, value } = record;
        if time < self.judged_by.max(self.passed).time() {
            // Held back, it would be judged anew, by how far the other inputs have come.
            return out.emit(Record { time, value });
        }
        self.held.push(Reverse(Held { time, key: (self.key)(&value), value }));
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl Emit<T>) -> Step {
        let passed = |time| time < watermark.time() || watermark.is_end();
        while self.held.peek().is_some_and(|Reverse(next)| passed(next.time)) {
            if !out.has_room() {
                return Step::More;
            }
            let next = self.held.pop().into_iter();
            next.for_each(|Reverse(Held { time, value, .. })| out.emit(Record { time, value }));
        }
        self.passed = self.passed.max(watermark);
        Step::Done
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.judged_by = watermark;
    }

    fn on_break_off(&mut self, out: &mut impl Emit<T>) -> Step {
        self.on_watermark(Watermark::END, out)
    }
}

impl<T, K: Ord> Ord for Held<T, K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.time.cmp(&other.time).then_with(|| self.key.cmp(&other.key))
    }
}

impl<T, K: Ord> PartialOrd for Held<T, K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T, K: Ord> PartialEq for Held<T, K> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T, K: Ord> Eq for Held<T, K> {}

#[cfg(test)]
mod tests {
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
        let mut text = |order: &mut OrderBy<char, _, _>, watermark| {
            while order.on_watermark(watermark, &mut Narrow(&mut seen, 1)) == Step::More {}
            seen.iter().map(|record| record.value).collect::<String>()
        };
        assert_eq!(text(&mut order, Watermark::at(Timestamp::from_nanos(5))), "z");
        assert_eq!(text(&mut order, Watermark::at(Timestamp::from_nanos(6))), "zab");
        assert_eq!(text(&mut order, Watermark::END), "zabx");
    }
}
