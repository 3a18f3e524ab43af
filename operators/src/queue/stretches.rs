//! The algorithm of [`DabaLite`](super::DabaLite), whatever the values lie in.

use super::{
    Combine, Rows,
    rows::{Keep, Spot},
};

/// Where values lie in order.
pub(super) trait Spots<A> {
    type Spot: Copy + Eq;

    fn at(&self, spot: Self::Spot) -> &A;
    fn after(&self, spot: Self::Spot) -> Self::Spot;
    fn before(&self, spot: Self::Spot) -> Self::Spot;
}

/// Such that values come in at one end and leave at the other.
pub(super) trait Ring<A>: Spots<A> {
    /// Puts a value of a slice at the end, which is then behind it.
    fn push(&mut self, end: Self::Spot, slice: i64, value: A) -> Self::Spot;

    /// Takes out the first value, and says where the next is.
    fn pop(&mut self, front: Self::Spot) -> (Self::Spot, A);

    /// Puts another value in the place of one.
    fn put(&mut self, spot: Self::Spot, value: A);
}

/// The stretches of a queue, as [`DabaLite`](super::DabaLite) describes them.
#[derive(Debug, Clone)]
pub struct Stretches<S, A> {
    front: S,
    left: S,
    right: S,
    turned: S,
    back: S,
    end: S,
    /// What comes from `right` to `back`, if `left` is not `right`.
    middle: Option<A>,
    /// What comes from `back` to the end.
    newest: Option<A>,
}

impl<S: Copy + Eq, A: Clone> Stretches<S, A> {
    /// Without values; the first will be there.
    pub(super) fn at(spot: S) -> Self {
        let (middle, newest) = (None, None);
        Self { front: spot, left: spot, right: spot, turned: spot, back: spot, end: spot, middle, newest }
    }

    /// Where the first value is, and where the next will be.
    #[inline]
    pub(super) fn ends(&self) -> (S, S) {
        (self.front, self.end)
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.front == self.end
    }

    #[inline]
    pub(super) fn query(&self, spots: &impl Spots<A, Spot = S>, combine: impl Fn(&A, &A) -> A) -> Option<A> {
        let oldest = if self.front == self.back { None } else { Some(spots.at(self.front)) };
        match (oldest, &self.newest) {
            (Some(oldest), Some(newest)) => Some(combine(oldest, newest)),
            (one, other) => one.or(other.as_ref()).cloned(),
        }
    }

    #[inline]
    pub(super) fn insert(
        &mut self,
        ring: &mut impl Ring<A, Spot = S>,
        slice: i64,
        value: A,
        combine: impl Fn(&A, &A) -> A,
    ) {
        self.newest = Some(match &self.newest {
            Some(newest) => combine(newest, &value),
            None => value.clone(),
        });
        self.end = ring.push(self.end, slice, value);
        self.step(ring, combine);
    }

    /// Lets the oldest value go. There must be one.
    #[inline]
    pub(super) fn evict(&mut self, ring: &mut impl Ring<A, Spot = S>, combine: impl Fn(&A, &A) -> A) {
        (self.front, _) = ring.pop(self.front);
        self.step(ring, combine);
    }

    /// Keeps the stretches in order. Combines at most twice.
    #[inline]
    fn step(&mut self, ring: &mut impl Ring<A, Spot = S>, combine: impl Fn(&A, &A) -> A) {
        if self.left == self.back {
            (self.left, self.right) = (self.front, self.back);
            (self.turned, self.back) = (self.end, self.end);
            self.middle = self.newest.take();
        }
        if self.front == self.back {
            (self.middle, self.newest) = (None, None);
            return;
        }
        if self.left == self.right {
            // And so is `turned`: what it holds comes to `back` already.
            self.left = ring.after(self.left);
            (self.right, self.turned) = (self.left, self.left);
            return;
        }
        let before = self.turned;
        self.turned = ring.before(before);
        if before != self.back {
            let joined = combine(ring.at(self.turned), ring.at(before));
            ring.put(self.turned, joined);
        }
        if let Some(middle) = &self.middle {
            let joined = combine(ring.at(self.left), middle);
            ring.put(self.left, joined);
        }
        self.left = ring.after(self.left);
    }
}

/// DABA Lite in a row of its own.
impl<A: Clone + Send + 'static> Keep<A> for Stretches<Spot, A> {
    fn begin(spot: Spot) -> Self {
        Self::at(spot)
    }

    #[inline]
    fn ends(&self) -> (Spot, Spot) {
        self.ends()
    }

    #[inline]
    fn insert(&mut self, rows: &mut Rows<A>, slice: i64, value: A, by: &impl Combine<A>) {
        self.insert(rows, slice, value, |one, other| by.joined(one, other));
    }

    #[inline]
    fn evict(&mut self, rows: &mut Rows<A>, by: &impl Combine<A>) {
        self.evict(rows, |one, other| by.joined(one, other));
    }

    #[inline]
    fn query(&self, rows: &Rows<A>, by: &impl Combine<A>) -> Option<A> {
        self.query(rows, |one, other| by.joined(one, other))
    }
}
