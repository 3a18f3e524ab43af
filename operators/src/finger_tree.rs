//! What values at positions come to, whatever order they come in.

mod evict;
mod insert;
mod nodes;
mod range;
mod row;
mod sums;
#[cfg(test)]
mod tests;

pub use nodes::FingerNodes;

use std::ops::RangeBounds;

use crate::pool::Place;
use insert::Insertion;
use nodes::Standing;
use row::Row;
use sums::Change;

/// What values come to, combined in the order of their positions, while values come in anywhere and leave in front: FiBA, the
/// finger B-tree aggregator (Tangwongsan, Hirzel and Schneider, *Optimal and general out-of-order sliding-window aggregation*,
/// VLDB 2019; *Out-of-order sliding-window aggregation with efficient bulk evictions and insertions*, VLDB 2023).
///
/// Combining must be associative; it need not be commutative, and what was combined need not be able to be taken out again. The
/// function that combines is given with each call, the older of two first, and must always be the same.
///
/// A tree is no more than a handle: what is in it lies in [`FingerNodes`], which any number of trees share, and which are
/// given with each call too.
///
/// ```
/// use nacreous_operators::{FingerNodes, FingerTree};
///
/// let longest = |one: &&'static str, other: &&'static str| if other.len() > one.len() { *other } else { *one };
/// let mut nodes = FingerNodes::new();
/// let mut names = FingerTree::new();
/// for (born, name) in [(1906, "grace"), (1815, "augusta ada"), (1912, "alan")] {
///     names.insert(&mut nodes, born, name, longest);
/// }
/// assert_eq!(names.query(&nodes, longest), Some("augusta ada"));
/// assert_eq!(names.range(&nodes, 1900..1910, longest), Some("grace"));
/// names.evict_before(&mut nodes, 1900, longest);
/// assert_eq!(names.query(&nodes, longest), Some("grace"));
/// ```
///
/// # How it works
/// Values lie in a B-tree, in inner nodes as well. Those nodes along its left and right edges are its spines, and the leaves
/// at their ends its fingers. What a node covers depends on where it stands:
///
/// | node | covers |
/// |---|---|
/// | the root | what is in it, and all below but its first and its last child |
/// | on the left spine | the same but for its first child only, and what its parent covers if that is not the root |
/// | on the right spine | the same but for its last child only, and what its parent covers if that is not the root |
/// | any other | what is in it, and all below |
///
/// So the two fingers and the root are all that a query takes. And whatever changes near an end changes what few nodes
/// cover: those from there up to the spine, and from there down to the finger.
///
/// # Cost
/// Where `n` is how many values there are, and `d` how many there are between a position and the nearer end:
///
/// | | combinations and steps | at worst |
/// |---|---|---|
/// | [`query`](Self::query) | 2 | 2 |
/// | [`insert`](Self::insert) | O(log d), amortized | O(log n) |
/// | [`insert_all`](Self::insert_all) of m sorted values | O(m log (d / m)), amortized | O(m log n) |
/// | [`evict`](Self::evict) | O(1), amortized | O(log n) |
/// | [`evict_before`](Self::evict_before) of m values | O(log m), amortized | O(log n) |
/// | [`range`](Self::range) | O(log n) | O(log n) |
/// | [`first_from`](Self::first_from) | O(log n), no combination | O(log n) |
/// | [`clear`](Self::clear) | 1 | 1 |
///
/// Nothing but the nodes takes memory. A tree that is dropped leaves its values in them, to no use: [`clear`](Self::clear) it
/// first.
///
/// # Panics
/// A tree used with other nodes than those it was filled with panics or gives what has no meaning, and spoils them for the
/// other trees. So does one that is used again after a function that combines has panicked.
#[derive(Debug, Default)]
pub struct FingerTree {
    ends: Option<Ends>,
}

/// Where a tree begins: none of these is missing if it has a value.
#[derive(Debug)]
struct Ends {
    root: Place,
    /// The left finger: the first leaf.
    left: Place,
    /// The right finger: the last leaf.
    right: Place,
}

impl FingerTree {
    /// An empty tree.
    pub const fn new() -> Self {
        Self { ends: None }
    }

    /// Whether there are no values.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ends.is_none()
    }

    /// The first position there is a value at.
    #[inline]
    pub fn first<P: Copy + Ord, A>(&self, nodes: &FingerNodes<P, A>) -> Option<P> {
        self.ends.as_ref().map(|ends| nodes.node(ends.left).row.first())
    }

    /// The last position there is a value at.
    #[inline]
    pub fn last<P: Copy + Ord, A>(&self, nodes: &FingerNodes<P, A>) -> Option<P> {
        self.ends.as_ref().map(|ends| nodes.node(ends.right).row.last())
    }

    /// The first position from this one on that there is a value at.
    pub fn first_from<P: Copy + Ord, A>(&self, nodes: &FingerNodes<P, A>, position: P) -> Option<P> {
        let ends = self.ends.as_ref()?;
        let first = nodes.node(ends.left).row.first();
        if first >= position { Some(first) } else { nodes.first_from(ends, position) }
    }

    /// The value at a position. As fast as [`insert`](Self::insert).
    pub fn get<'n, P: Copy + Ord, A>(&self, nodes: &'n FingerNodes<P, A>, position: P) -> Option<&'n A> {
        let ends = self.ends.as_ref()?;
        let mut place = ends.enter(nodes, position);
        loop {
            let row = &nodes.node(place).row;
            match row.search(position) {
                Ok(index) => return Some(&row.entry(index).1),
                Err(index) => place = row.child(index)?,
            }
        }
    }

    /// What all values come to; none if there are none. Combines at most twice.
    #[inline]
    pub fn query<P, A: Clone>(&self, nodes: &FingerNodes<P, A>, combine: impl Fn(&A, &A) -> A) -> Option<A> {
        let ends = self.ends.as_ref()?;
        let middle = nodes.covered(ends.root);
        if nodes.node(ends.root).is_leaf() {
            return Some(middle.clone());
        }
        let fore = combine(nodes.covered(ends.left), middle);
        Some(combine(&fore, nodes.covered(ends.right)))
    }

    /// What the values at the positions of a range come to; none if there are none.
    pub fn range<P: Copy + Ord, A: Clone>(
        &self,
        nodes: &FingerNodes<P, A>,
        range: impl RangeBounds<P>,
        combine: impl Fn(&A, &A) -> A,
    ) -> Option<A> {
        nodes.range(self.ends.as_ref()?, &range, combine)
    }

    /// Takes in a value. If there is one at its position, it is combined with that one, as the newer of the two.
    #[inline]
    pub fn insert<P: Copy + Ord, A: Clone>(
        &mut self,
        nodes: &mut FingerNodes<P, A>,
        position: P,
        value: A,
        combine: impl Fn(&A, &A) -> A,
    ) {
        self.insert_all(nodes, [(position, value)], combine);
    }

    /// Takes in one value after the other, as [`insert`](Self::insert). Positions may come in any order. If they are sorted,
    /// each is sought from the one before it, and what a node covers is recomputed when all within have come.
    pub fn insert_all<P: Copy + Ord, A: Clone>(
        &mut self,
        nodes: &mut FingerNodes<P, A>,
        values: impl IntoIterator<Item = (P, A)>,
        combine: impl Fn(&A, &A) -> A,
    ) {
        let mut values = values.into_iter();
        let ends = match &mut self.ends {
            Some(ends) => ends,
            none => {
                let Some((position, value)) = values.next() else { return };
                none.insert(Ends::of(nodes, position, value))
            }
        };
        let mut insertion = Insertion::of(Change::of(nodes, ends, combine));
        values.for_each(|(position, value)| insertion.next(position, value));
        insertion.end();
    }

    /// Lets the value of the first position go, and returns both.
    #[inline]
    pub fn evict<P: Copy + Ord, A: Clone>(
        &mut self,
        nodes: &mut FingerNodes<P, A>,
        combine: impl Fn(&A, &A) -> A,
    ) -> Option<(P, A)> {
        let ends = self.ends.as_mut()?;
        let root = nodes.node_mut(ends.root);
        if root.is_leaf() && root.row.len() == 1 {
            let (entry, _) = root.row.split(0);
            self.clear(nodes);
            return Some(entry);
        }
        Some(Change::of(nodes, ends, combine).evict())
    }

    /// Lets all values before a position go. They are not walked through.
    pub fn evict_before<P: Copy + Ord, A: Clone>(
        &mut self,
        nodes: &mut FingerNodes<P, A>,
        position: P,
        combine: impl Fn(&A, &A) -> A,
    ) {
        let Some(ends) = &mut self.ends else { return };
        if nodes.node(ends.right).row.last() < position {
            self.clear(nodes);
        } else if nodes.node(ends.left).row.first() < position {
            Change::of(nodes, ends, combine).evict_before(position);
        }
    }

    /// Lets all values go.
    pub fn clear<P, A>(&mut self, nodes: &mut FingerNodes<P, A>) {
        if let Some(ends) = self.ends.take() {
            nodes.retire(ends.root);
        }
    }
}

impl Ends {
    /// Those of a tree of one value.
    fn of<P: Copy + Ord, A: Clone>(nodes: &mut FingerNodes<P, A>, position: P, value: A) -> Self {
        let sum = value.clone();
        let root = nodes.take(Row::of(None, (position, value), None), 0, Standing::Root);
        nodes.node_mut(root).aggregate = Some(sum);
        Self { root, left: root, right: root }
    }
}
