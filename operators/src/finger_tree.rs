//! Positions in order and what those between two come to. To become a tree on an arena; for now it allocates.
use crate::{Prepared, Supplies};
use std::{collections::BTreeMap, marker::PhantomData, ops::RangeInclusive};
pub(crate) struct FingerNodes<P, A>(PhantomData<fn(P, A)>);
impl<P, A> Default for FingerNodes<P, A> {
    fn default() -> Self {
        Self(PhantomData)
    }
}
impl<P, A> FingerNodes<P, A> {
    pub(crate) fn connect(&mut self, _: &mut impl Supplies) {}
    pub(crate) fn prepare(&mut self, _: usize) -> Prepared {
        Prepared::Ready
    }
}
pub(crate) struct FingerTree<P, A>(BTreeMap<P, A>);
impl<P, A> Default for FingerTree<P, A> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}
impl<P: Ord + Copy, A: Clone> FingerTree<P, A> {
    pub(crate) fn insert(&mut self, _: &mut FingerNodes<P, A>, p: P, a: A, combine: impl Fn(&A, &A) -> A) {
        match self.0.get_mut(&p) {
            Some(old) => *old = combine(old, &a),
            None => {
                self.0.insert(p, a);
            }
        }
    }
    pub(crate) fn get(&self, _: &FingerNodes<P, A>, p: P) -> Option<A> {
        self.0.get(&p).cloned()
    }
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    pub(crate) fn evict_before(&mut self, _: &mut FingerNodes<P, A>, p: P, _: impl Fn(&A, &A) -> A) {
        self.0 = self.0.split_off(&p);
    }
    pub(crate) fn range(
        &self,
        _: &FingerNodes<P, A>,
        r: RangeInclusive<P>,
        combine: impl Fn(&A, &A) -> A,
    ) -> Option<A> {
        if r.is_empty() {
            return None;
        }
        let mut all = self.0.range(r).map(|(_, a)| a);
        let first = all.next()?.clone();
        Some(all.fold(first, |acc, a| combine(&acc, a)))
    }
}
