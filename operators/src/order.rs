use nacreous_watermark::Watermark;

use crate::{Emit, Operator, Record, Step};

/// Puts records in order of event time, then of a key: holds each back until the watermark has passed it.
///
/// Records equal in both come out in no fixed order. A record that comes behind the watermark is too late to
/// come in order: it goes out with the next watermark.
///
/// # Cost
/// A watermark looks at every record held and sorts those that it has passed. Memory: the records held, for
/// some thousand of which there is room from the beginning; it doubles when that is not enough.
#[derive(Debug)]
pub struct OrderBy<T, F> {
    key: F,
    held: Vec<Record<T>>,
    /// Passed by the watermark, to be emitted from the end: the earliest stands last.
    ready: Vec<Record<T>>,
}

/// Records that fit before the memory grows.
const INITIAL_RECORDS: usize = 4_096;

impl<T, F> OrderBy<T, F> {
    /// Orders records of one time by `key`.
    pub fn new(key: F) -> Self {
        let room = || Vec::with_capacity(INITIAL_RECORDS);
        Self { key, held: room(), ready: room() }
    }

    /// Moves what the watermark has passed from `held` to `ready`.
    fn release<K: Ord>(&mut self, watermark: Watermark)
    where
        F: FnMut(&T) -> K,
    {
        let passed = |record: &mut Record<T>| watermark.is_end() || record.time < watermark.time();
        self.ready.extend(self.held.extract_if(.., passed));
        let key = &mut self.key;
        self.ready
            .sort_unstable_by(|a, b| b.time.cmp(&a.time).then_with(|| key(&b.value).cmp(&key(&a.value))));
    }
}

/// The clone has the same key and holds nothing: it serves another instance.
impl<T, F: Clone> Clone for OrderBy<T, F> {
    fn clone(&self) -> Self {
        Self::new(self.key.clone())
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
            self.ready.pop().into_iter().for_each(|record| out.emit(record));
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
