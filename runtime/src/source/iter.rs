use std::{convert::Infallible, ops::ControlFlow};

use super::{Demand, Intake, Readiness, Source};
use crate::job::BoxError;

/// The items of an iterator.
pub(crate) struct IterSource<I>(pub(crate) I);

impl<I> Source for IterSource<I>
where
    I: Iterator<Item: Send + 'static> + Send + 'static,
{
    type Item = I::Item;
    type Reject = Infallible;

    // HOT(source.iter)
    #[inline]
    fn poll(&mut self, intake: &mut impl Intake<I::Item, Infallible>) -> Result<Readiness, BoxError> {
        // Iterating from within lets adaptors such as `flat_map` run as the loops they are.
        let flow = self.0.try_for_each(|item| match intake.accept(item) {
            Demand::More => ControlFlow::Continue(()),
            Demand::Enough => ControlFlow::Break(()),
        });
        Ok(if flow.is_break() { Readiness::Ready } else { Readiness::Ended })
    }
}
