use crate::{
    bell::Bell,
    job::BoxError,
    source::{Intake, Readiness, Source},
};

/// A part of a source, or what stands for the parts of one that has none: it ends at once.
pub(crate) struct Part<S>(Option<S>);

impl<S> Part<S> {
    /// All parts: at least one.
    pub(crate) fn all(parts: Vec<S>) -> impl Iterator<Item = Self> {
        let stand_in = parts.is_empty().then_some(Self(None));
        parts.into_iter().map(|part| Self(Some(part))).chain(stand_in)
    }
}

impl<S: Source> Source for Part<S> {
    type Item = S::Item;
    type Reject = S::Reject;

    fn attach(&mut self, bell: Bell) {
        if let Some(part) = &mut self.0 {
            part.attach(bell);
        }
    }

    #[inline]
    fn poll(&mut self, intake: &mut impl Intake<S::Item, S::Reject>) -> Result<Readiness, BoxError> {
        self.0.as_mut().map_or(Ok(Readiness::Ended), |part| part.poll(intake))
    }
}
