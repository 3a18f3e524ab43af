use std::convert::Infallible;

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
        for item in &mut self.0 {
            if intake.accept(item) == Demand::Enough {
                return Ok(Readiness::Ready);
            }
        }
        Ok(Readiness::Ended)
    }
}
