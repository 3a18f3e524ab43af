use std::ops::{Bound, RangeBounds};

use super::{Ends, nodes::FingerNodes};
use crate::pool::Place;

impl<P: Copy + Ord, A: Clone> FingerNodes<P, A> {
    /// What the values of all positions within a range come to.
    pub(super) fn range(
        &self,
        ends: &Ends,
        range: &impl RangeBounds<P>,
        combine: impl Fn(&A, &A) -> A,
    ) -> Option<A> {
        let (before, until) = (before(range), until(range));
        let mut place = ends.root;
        // Down to where the ways to both its ends part: no child between them is on a spine.
        loop {
            let row = &self.node(place).row;
            let (from, to) = (row.count(&before), row.count(&until));
            if from < to {
                let inner = self.sum(None, place, 2 * from + 1..2 * to, &combine)?;
                let sum = self.before(row.child(from), inner, &before, &combine);
                return self.behind(row.child(to), Some(sum), &until, &combine);
            }
            place = row.child(from).filter(|_| from == to)?;
        }
    }

    /// What comes of a subtree but its first values, for which it is so, and then of a sum.
    fn before(
        &self,
        mut subtree: Option<Place>,
        mut sum: A,
        is_so: impl Fn(P) -> bool,
        combine: impl Fn(&A, &A) -> A,
    ) -> A {
        while let Some(place) = subtree {
            let row = &self.node(place).row;
            let gone = row.count(&is_so);
            if let Some(rest) = self.sum(None, place, 2 * gone + 1..2 * row.len() + 1, &combine) {
                sum = combine(&rest, &sum);
            }
            subtree = row.child(gone);
        }
        sum
    }

    /// What comes of a sum, and then of a subtree's first values, for which it is so.
    fn behind(
        &self,
        mut subtree: Option<Place>,
        mut sum: Option<A>,
        is_so: impl Fn(P) -> bool,
        combine: impl Fn(&A, &A) -> A,
    ) -> Option<A> {
        while let Some(place) = subtree {
            let row = &self.node(place).row;
            let inside = row.count(&is_so);
            sum = self.sum(sum, place, 0..2 * inside, &combine);
            subtree = row.child(inside);
        }
        sum
    }
}

impl<P: Copy + Ord, A> FingerNodes<P, A> {
    /// The first position that is not before this one.
    pub(super) fn first_from(&self, ends: &Ends, position: P) -> Option<P> {
        let (mut found, mut next) = (None, Some(ends.root));
        while let Some(place) = next {
            let row = &self.node(place).row;
            let before = row.count(|other| other < position);
            if before < row.len() {
                found = Some(row.position(before));
            }
            next = row.child(before);
        }
        found
    }
}

/// Whether a position is before a range.
fn before<P: Copy + Ord>(range: &impl RangeBounds<P>) -> impl Fn(P) -> bool {
    let start = range.start_bound().cloned();
    move |position| match start {
        Bound::Included(start) => position < start,
        Bound::Excluded(start) => position <= start,
        Bound::Unbounded => false,
    }
}

/// Whether a position is before the end of a range.
fn until<P: Copy + Ord>(range: &impl RangeBounds<P>) -> impl Fn(P) -> bool {
    let end = range.end_bound().cloned();
    move |position| match end {
        Bound::Included(end) => position <= end,
        Bound::Excluded(end) => position < end,
        Bound::Unbounded => true,
    }
}
