use std::any::Any;

use nacreous_operators::{Batch, Signal, Stamp};
use nacreous_watermark::Watermark;

/// A batch of records of some type or other.
///
/// What is not called for each record need not be compiled for each type of record.
pub trait AnyBatch: Any + Send {
    // These are as in `Batch`.

    fn len(&self) -> usize;
    fn full_at(&self) -> usize;
    fn signal(&self) -> Option<Signal>;
    fn seal(&mut self, signal: Signal);
    fn judged_by(&self) -> Watermark;
    fn judge_by(&mut self, watermark: Watermark);
    fn read_at(&self) -> Stamp;
    fn stamp(&mut self, read_at: Stamp);

    fn touch(&mut self);

    /// Drops all there is.
    fn clear(&mut self);

    /// As [`Batch::append`], with a batch of the same type.
    fn take(&mut self, other: &mut dyn AnyBatch);

    /// Whether there is nothing in it, neither record nor signal.
    fn is_empty(&self) -> bool {
        self.len() == 0 && self.signal().is_none()
    }

    /// Whether it is time to hand it on: enough records, or a signal.
    fn is_full(&self) -> bool {
        self.len() >= self.full_at() || self.signal().is_some()
    }
}

impl dyn AnyBatch {
    /// The batch, which is known to be of this type.
    pub(crate) fn of<T: 'static>(&mut self) -> &mut Batch<T> {
        let batch: &mut dyn Any = self;
        batch.downcast_mut().expect("what follows an operator takes what comes out of it")
    }
}

impl<T: Send + 'static> AnyBatch for Batch<T> {
    #[inline]
    fn len(&self) -> usize {
        Self::len(self)
    }

    #[inline]
    fn full_at(&self) -> usize {
        Self::full_at(self)
    }

    #[inline]
    fn signal(&self) -> Option<Signal> {
        Self::signal(self)
    }

    fn seal(&mut self, signal: Signal) {
        Self::seal(self, signal);
    }

    #[inline]
    fn judged_by(&self) -> Watermark {
        Self::judged_by(self)
    }

    #[inline]
    fn judge_by(&mut self, watermark: Watermark) {
        Self::judge_by(self, watermark);
    }

    #[inline]
    fn read_at(&self) -> Stamp {
        Self::read_at(self)
    }

    #[inline]
    fn stamp(&mut self, read_at: Stamp) {
        Self::stamp(self, read_at);
    }

    fn touch(&mut self) {
        Self::touch(self);
    }

    fn clear(&mut self) {
        self.drain();
    }

    fn take(&mut self, other: &mut dyn AnyBatch) {
        self.append(other.of());
    }
}

impl AnyBatch for Box<dyn AnyBatch> {
    fn len(&self) -> usize {
        (**self).len()
    }

    fn full_at(&self) -> usize {
        (**self).full_at()
    }

    fn signal(&self) -> Option<Signal> {
        (**self).signal()
    }

    fn seal(&mut self, signal: Signal) {
        (**self).seal(signal);
    }

    fn judged_by(&self) -> Watermark {
        (**self).judged_by()
    }

    fn judge_by(&mut self, watermark: Watermark) {
        (**self).judge_by(watermark);
    }

    fn read_at(&self) -> Stamp {
        (**self).read_at()
    }

    fn stamp(&mut self, read_at: Stamp) {
        (**self).stamp(read_at);
    }

    fn touch(&mut self) {
        (**self).touch();
    }

    fn clear(&mut self) {
        (**self).clear();
    }

    fn take(&mut self, other: &mut dyn AnyBatch) {
        (**self).take(other);
    }
}
