use std::convert::Infallible;

use super::{Demand, Intake, Readiness, Source};
use crate::{downstream::MOVED_MAX, job::BoxError};

/// The items of an iterator.
pub(crate) struct IterSource<I> {
    /// Absent only while it is polled.
    items: Option<I>,
}

impl<I> IterSource<I> {
    pub(crate) fn new(items: I) -> Self {
        Self { items: Some(items) }
    }
}

impl<I> Source for IterSource<I>
where
    I: Iterator<Item: Send + 'static> + Send + 'static,
{
    type Item = I::Item;
    type Reject = Infallible;

    // HOT(source.iter)
    #[inline]
    fn poll(&mut self, intake: &mut impl Intake<I::Item, Infallible>) -> Result<Readiness, BoxError> {
        let demand = if size_of::<I>() > MOVED_MAX {
            let items = self.items.as_mut().expect("a source is not polled again after a panic");
            intake.accept_all(items).1
        } else {
            // In a variable of its own the compiler can keep its parts in registers: nobody else can see them.
            let items = self.items.take().expect("a source is not polled again after a panic");
            let (items, demand) = intake.accept_all(items);
            self.items = Some(items);
            demand
        };
        Ok(if demand == Demand::Enough { Readiness::Ready } else { Readiness::Ended })
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    /// All items of an iterator, in batches smaller than it.
    fn read<T: Send + 'static>(items: impl Iterator<Item = T> + Send + 'static) -> Vec<T> {
        let graph = Graph::new();
        let timed = graph.iter(items).event_time(|_| Timestamp::from_nanos(0), BoundedDisorder::NONE);
        let read = timed.collect();
        graph.run(JobOptions { batch: 7, ..JobOptions::default() }).expect("nothing fails");
        read.take().into_iter().map(|record| record.value).collect()
    }

    #[test]
    fn large_and_small_iterators_of_large_and_small_items_are_read_to_their_end() {
        let large = [3_u64; 100].into_iter();
        assert!(size_of_val(&large) > crate::downstream::MOVED_MAX, "it is polled where it is");
        assert_eq!(read(large), [3; 100]);
        assert!(read(0..100_u64).into_iter().eq(0..100));
        let texts: Vec<_> = (0..100_u64).map(|n| [n; 8]).collect();
        assert_eq!(read(texts.clone().into_iter()), texts);
        assert!(read(std::iter::empty::<u64>()).is_empty());
    }
}
