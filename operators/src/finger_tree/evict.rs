use super::{
    nodes::Standing,
    row::{MAX_ARITY, MIN_ARITY},
    sums::Change,
};
use crate::pool::Place;

impl<P: Copy + Ord, A: Clone, C: Fn(&A, &A) -> A> Change<'_, P, A, C> {
    /// Takes out the first entry, which is not the only one.
    pub(super) fn evict(mut self) -> (P, A) {
        let leaf = self.ends.left;
        let entry = self.nodes.node_mut(leaf).row.remove_first();
        self.mark(leaf);
        self.settle(leaf);
        self.finish();
        entry
    }

    /// Takes out all before a position; the last entry is not among them.
    pub(super) fn evict_before(mut self, position: P) {
        let mut place = self.nodes.climb(self.ends.left, |row| row.last() < position);
        loop {
            self.cut(place, position);
            let below = self.nodes.node(place).row.child(0);
            self.settle(place);
            match below {
                Some(below) => place = below,
                None => break,
            }
        }
        self.ends.left = place;
        self.finish();
    }

    /// Takes out of a node all that lies before a position, but leaves the child within which the position lies. The node
    /// is of the left spine then, and may have too few children, though at least that one.
    fn cut(&mut self, place: Place, position: P) {
        let row = &self.nodes.node(place).row;
        let gone = row.count(|other| other < position);
        for index in 0..gone {
            if let Some(child) = self.nodes.node(place).row.child(index) {
                self.nodes.retire(child);
            }
        }
        let node = self.nodes.node_mut(place);
        node.row.cut(gone);
        if node.standing != Standing::Root {
            node.standing = Standing::Left;
        }
        self.mark(place);
    }

    /// Gives a node of the left spine, and those above it, as many children as they must have.
    fn settle(&mut self, mut place: Place) {
        loop {
            let node = self.nodes.node(place);
            let Some(parent) = node.parent else {
                if node.row.len() == 0 && !node.is_leaf() {
                    self.lower(place);
                }
                return;
            };
            if node.row.arity() >= MIN_ARITY {
                return;
            }
            self.fill(place, parent);
            place = parent;
        }
    }

    /// Fills up a node of the left spine from the next one, which it may take up as a whole. (As it is the first child, that
    /// one is a child of the same parent.)
    fn fill(&mut self, place: Place, parent: Place) {
        let next = self.nodes.node(parent).row.child(1).expect("a parent has two children or more");
        let (here, there) = (self.nodes.node(place).row.arity(), self.nodes.node(next).row.arity());
        if here + there <= MAX_ARITY {
            let between = self.nodes.node_mut(parent).row.remove_first();
            let row = self.nodes.node_mut(next).row.take();
            self.nodes.node_mut(place).row.append(between, row);
            self.nodes.retire(next);
        } else {
            let moved = (here + there).div_ceil(2) - here;
            let (front, separator) = self.nodes.node_mut(next).row.take_front(moved);
            let between = std::mem::replace(self.nodes.node_mut(parent).row.entry_mut(0), separator);
            self.nodes.node_mut(place).row.append(between, front);
            self.refresh(next);
        }
        self.nodes.adopt(place, here);
        self.mark(parent);
    }

    /// Makes the only child of the root the root.
    fn lower(&mut self, root: Place) {
        let child = self.nodes.node_mut(root).row.remove_only_child().expect("an inner node has a child");
        self.nodes.retire(root);
        self.ends.root = child;
        let node = self.nodes.node_mut(child);
        (node.parent, node.standing) = (None, Standing::Root);
        if node.is_leaf() {
            (self.ends.left, self.ends.right) = (child, child);
        }
        self.stale.root = true;
        // Those noted before were above. What the new root covers is no more to be counted in below.
        (self.stale.left, self.stale.right) = (node.row.child(0), node.row.last_child());
    }
}
