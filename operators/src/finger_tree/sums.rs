//! What nodes cover, and how that is kept right.

use std::ops::Range;

use super::{
    Ends,
    nodes::{FingerNodes, Standing},
};
use crate::pool::Place;

/// A change of a tree: what is to be done to it, and the nodes whose aggregates are to be recomputed at its end.
///
/// Those of nodes inside are recomputed on the way, when all below them is as it will be. Those of a spine depend on the
/// ones above, so they come last, from the highest that was changed down to the finger.
pub(super) struct Change<'a, P, A, C> {
    pub(super) nodes: &'a mut FingerNodes<P, A>,
    pub(super) ends: &'a mut Ends,
    pub(super) combine: C,
    pub(super) stale: Stale,
}

/// What is to be recomputed.
#[derive(Default)]
pub(super) struct Stale {
    pub(super) root: bool,
    /// From this node on, down the left spine.
    pub(super) left: Option<Place>,
    /// From this node on, down the right spine.
    pub(super) right: Option<Place>,
}

impl<P, A> FingerNodes<P, A> {
    /// What comes of a sum, if there is one, and then of some [pieces](super::row::Row) of a node; its children among them
    /// are inside.
    #[inline]
    pub(super) fn sum(
        &self,
        before: Option<A>,
        place: Place,
        pieces: Range<usize>,
        combine: impl Fn(&A, &A) -> A,
    ) -> Option<A>
    where
        A: Clone,
    {
        let node = self.node(place);
        let join = |sum: Option<A>, piece: &A| {
            Some(match sum {
                Some(sum) => combine(&sum, piece),
                None => piece.clone(),
            })
        };
        if node.is_leaf() {
            return node.row.values(pieces.start / 2..pieces.end / 2).fold(before, join);
        }
        pieces.fold(before, |sum, piece| {
            let child = if piece % 2 == 0 { node.row.child(piece / 2) } else { None };
            join(sum, child.map_or_else(|| &node.row.entry(piece / 2).1, |child| self.covered(child)))
        })
    }

    /// The aggregate of a node.
    #[inline]
    pub(super) fn covered(&self, place: Place) -> &A {
        self.node(place).aggregate.as_ref().expect("an aggregate is known before it is used")
    }

    /// The parent, if a spine node's aggregate goes on with that.
    #[inline]
    fn above(&self, place: Place) -> Option<&A> {
        let parent = self.node(place).parent?;
        if self.node(parent).standing == Standing::Root { None } else { Some(self.covered(parent)) }
    }
}

impl<'a, P, A: Clone, C: Fn(&A, &A) -> A> Change<'a, P, A, C> {
    pub(super) fn of(nodes: &'a mut FingerNodes<P, A>, ends: &'a mut Ends, combine: C) -> Self {
        Self { nodes, ends, combine, stale: Stale::default() }
    }

    /// Recomputes the aggregate of a node that stands inside, or notes that this is to be done at the end.
    pub(super) fn refresh(&mut self, place: Place) {
        if self.nodes.node(place).standing == Standing::Inside {
            self.recompute(place);
        } else {
            self.mark(place);
        }
    }

    /// Notes that a node's aggregate is to be recomputed; nothing happens if it stands inside.
    pub(super) fn mark(&mut self, place: Place) {
        let stale = match self.nodes.node(place).standing {
            Standing::Root => return self.stale.root = true,
            Standing::Left => &mut self.stale.left,
            Standing::Right => &mut self.stale.right,
            Standing::Inside => return,
        };
        let level = self.nodes.node(place).level;
        // Of two on a level it is the later one: the other may not stand there any more.
        if stale.is_none_or(|other| self.nodes.node(other).level <= level) {
            *stale = Some(place);
        }
    }

    /// Recomputes what was noted.
    pub(super) fn finish(&mut self) {
        if self.stale.root {
            self.recompute(self.ends.root);
        }
        let mut next = self.stale.left;
        while let Some(place) = next {
            self.recompute(place);
            next = self.nodes.node(place).row.child(0);
        }
        let mut next = self.stale.right;
        while let Some(place) = next {
            self.recompute(place);
            next = self.nodes.node(place).row.last_child();
        }
    }

    fn recompute(&mut self, place: Place) {
        let (nodes, combine) = (&*self.nodes, &self.combine);
        let node = nodes.node(place);
        let end = 2 * node.row.len();
        let sum = match node.standing {
            Standing::Root => nodes.sum(None, place, 1..end, combine),
            Standing::Left => {
                let sum = nodes.sum(None, place, 1..end + 1, combine);
                match (sum, nodes.above(place)) {
                    (Some(sum), Some(above)) => Some(combine(&sum, above)),
                    (sum, _) => sum,
                }
            }
            Standing::Right => nodes.sum(nodes.above(place).cloned(), place, 0..end, combine),
            Standing::Inside => nodes.sum(None, place, 0..end + 1, combine),
        };
        self.nodes.node_mut(place).aggregate = sum;
    }
}
