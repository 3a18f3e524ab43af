use super::row::{MIN_ARITY, Row};
use crate::{
    Prepared, Supplies,
    pool::{Place, Pool},
};

/// The memory of many [`FingerTree`](super::FingerTree)s, used again and again.
///
/// It is made of nodes of up to seven entries each; a tree of a single value takes one. They come from the allocator a
/// thousand at a time, ahead of need if [`prepare`](Self::prepare) is called and heeded, and go back to it with the whole.
///
/// Nodes that a tree has let go are taken again before others. What was in them is dropped only then: of values that hold
/// memory of their own, this is kept until that day.
#[derive(Debug)]
pub struct FingerNodes<P, A> {
    pool: Pool<Node<P, A>>,
    /// The first of the nodes that can be taken again, each with all below it; the next is its parent.
    retired: Option<Place>,
    /// There are no fewer nodes among these and below them.
    retired_min: usize,
    /// The levels of the highest tree there ever was.
    levels_max: usize,
}

/// A node of a tree.
#[derive(Debug)]
pub(super) struct Node<P, A> {
    pub(super) row: Row<P, A>,
    /// What is in the node and about it comes to, see [`Standing`]; none while that is not known.
    pub(super) aggregate: Option<A>,
    pub(super) parent: Option<Place>,
    /// Zero for a leaf. A node stays on its level.
    pub(super) level: usize,
    pub(super) standing: Standing,
}

/// Where in its tree a node stands, which tells what its aggregate covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// At the top: all that is in it, but neither its first nor its last child.
    Root,
    /// Below the root at the left edge: all that is in it but its first child, and what its parent covers, if that is not
    /// the root.
    Left,
    /// As that, at the right edge.
    Right,
    /// Neither: all that is in it, and all below.
    Inside,
}

impl<P, A> Node<P, A> {
    pub(super) fn is_leaf(&self) -> bool {
        self.level == 0
    }
}

impl<P, A> FingerNodes<P, A> {
    /// Memory for a thousand nodes.
    pub fn new() -> Self {
        Self { pool: Pool::new(), retired: None, retired_min: 0, levels_max: 0 }
    }

    /// As [`Operator::connect`](crate::Operator::connect).
    pub fn connect(&mut self, supplies: &mut impl Supplies)
    where
        P: Send + 'static,
        A: Send + 'static,
    {
        self.pool.connect(supplies);
    }

    /// As [`Operator::prepare`](crate::Operator::prepare), for so many insertions, each of which may be in any of the trees:
    /// each may take as many nodes as the highest tree there ever was has levels, and one.
    pub fn prepare(&mut self, values: usize) -> Prepared {
        // Each may split a node on each level, and the root into two below a new one. (That a tree grows higher on the way
        // makes no difference: its new root is split only after several of the old one's height.)
        let nodes = values.saturating_mul(self.levels_max + 1);
        self.pool.prepare(nodes.saturating_sub(self.retired_min))
    }

    #[inline]
    pub(super) fn node(&self, place: Place) -> &Node<P, A> {
        self.pool.get(place)
    }

    #[inline]
    pub(super) fn node_mut(&mut self, place: Place) -> &mut Node<P, A> {
        self.pool.get_mut(place)
    }

    /// A node with this in it, of an aggregate not yet known.
    pub(super) fn take(&mut self, row: Row<P, A>, level: usize, standing: Standing) -> Place {
        self.levels_max = self.levels_max.max(level + 1);
        let node = Node { row, aggregate: None, parent: None, level, standing };
        let Some(place) = self.retired else { return self.pool.insert(node) };
        self.retired_min -= self.nodes_min(place);
        let old = std::mem::replace(self.node_mut(place), node);
        self.retired = old.parent;
        old.row.children().for_each(|child| self.retire(child));
        place
    }

    /// Lets a node be taken again, and all below it.
    pub(super) fn retire(&mut self, place: Place) {
        self.retired_min += self.nodes_min(place);
        self.node_mut(place).parent = self.retired.replace(place);
    }

    /// Makes a node the parent of its children, from one of them on.
    pub(super) fn adopt(&mut self, parent: Place, from: usize) {
        for index in from..self.node(parent).row.arity() {
            let Some(child) = self.node(parent).row.child(index) else { return };
            self.node_mut(child).parent = Some(parent);
        }
    }

    /// The first node from here up that has not the position it is sought for beyond it; the root if none.
    #[inline]
    pub(super) fn climb(&self, mut place: Place, beyond: impl Fn(&Row<P, A>) -> bool) -> Place {
        while let Some(parent) = self.node(place).parent.filter(|_| beyond(&self.node(place).row)) {
            place = parent;
        }
        place
    }

    /// No fewer nodes are in the subtree of a node: each child has as many below it as there must be.
    fn nodes_min(&self, place: Place) -> usize {
        let node = self.node(place);
        let below =
            (0..node.level).fold(0_usize, |nodes, _| nodes.saturating_mul(MIN_ARITY).saturating_add(1));
        below.saturating_mul(node.row.children().count()).saturating_add(1)
    }

    /// How many nodes there are: in trees, or retired.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.pool.len()
    }

    #[cfg(test)]
    pub(crate) fn room(&self) -> (usize, usize) {
        self.pool.room()
    }

    /// The nodes that can be taken again: those exposed, and all.
    #[cfg(test)]
    pub(crate) fn retired(&self) -> (usize, usize) {
        let (mut listed, mut count, mut count_min) = (0, 0, 0);
        let mut next = self.retired;
        while let Some(place) = next {
            listed += 1;
            count += self.below(place);
            count_min += self.nodes_min(place);
            next = self.node(place).parent;
        }
        assert_eq!(self.retired_min, count_min);
        assert!(count_min <= count);
        (listed, count)
    }

    /// The nodes of a subtree.
    #[cfg(test)]
    pub(super) fn below(&self, place: Place) -> usize {
        1 + self.node(place).row.children().map(|child| self.below(child)).sum::<usize>()
    }
}

impl<P, A> Default for FingerNodes<P, A> {
    fn default() -> Self {
        Self::new()
    }
}
