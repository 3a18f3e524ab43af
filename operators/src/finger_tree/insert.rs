use super::{
    Ends,
    nodes::{FingerNodes, Node, Standing},
    row::{MIN_ARITY, Row},
    sums::Change,
};
use crate::pool::Place;

/// Insertions into a tree, one after the other.
///
/// It stands at the node of the last one. For the next it climbs no higher than it must and then goes down; if that one is
/// further on, then what it leaves behind is as it will be, and is recomputed. Of what is on the way from here to
/// the top nothing is, until it ends.
pub(super) struct Insertion<'a, P, A, C> {
    change: Change<'a, P, A, C>,
    at: Place,
    until: Until<P>,
    /// Where the last one was.
    last: P,
}

/// Which positions are no more in the stretch of a subtree.
#[derive(Clone, Copy)]
enum Until<P> {
    NotKnown,
    /// Those from this one on.
    Position(P),
    /// None: the subtree goes to the end.
    End,
}

impl Ends {
    /// Where to begin to look for a position: a node in whose stretch it lies, and no higher than the nearer end requires.
    #[inline]
    pub(super) fn enter<P: Copy + Ord, A>(&self, nodes: &FingerNodes<P, A>, position: P) -> Place {
        if nodes.node(self.right).row.first() <= position {
            return self.right;
        }
        let root = &nodes.node(self.root).row;
        if position < root.first() {
            nodes.climb(self.left, |row| row.last() < position)
        } else if root.last() < position {
            nodes.climb(self.right, |row| position < row.first())
        } else {
            self.root
        }
    }
}

impl<'a, P: Copy + Ord, A: Clone, C: Fn(&A, &A) -> A> Insertion<'a, P, A, C> {
    /// None yet; it stands at the right finger.
    #[inline]
    pub(super) fn of(change: Change<'a, P, A, C>) -> Self {
        let at = change.ends.right;
        let last = change.nodes.node(at).row.last();
        Self { change, at, until: Until::End, last }
    }

    /// Inserts a value.
    pub(super) fn next(&mut self, position: P, value: A) {
        if position < self.last {
            self.leave();
            (self.at, self.until) = (self.change.ends.enter(self.change.nodes, position), Until::NotKnown);
        } else if !self.reaches(position) {
            self.climb(position);
        }
        self.insert(position, value);
        self.last = position;
    }

    /// Makes all aggregates what they are to be.
    pub(super) fn end(mut self) {
        self.leave();
        self.change.finish();
    }

    /// Whether a position behind the last one is in the stretch of the node.
    fn reaches(&mut self, position: P) -> bool {
        if position <= self.change.nodes.node(self.at).row.last() {
            return true;
        }
        if let Until::NotKnown = self.until {
            self.until = until(self.change.nodes, self.at);
        }
        match self.until {
            Until::Position(until) => position < until,
            Until::NotKnown | Until::End => true,
        }
    }

    /// Goes up to a node in whose stretch a position behind the last one lies.
    fn climb(&mut self, position: P) {
        let beyond = |node: &Node<P, A>| node.standing != Standing::Right && node.row.last() < position;
        while beyond(self.change.nodes.node(self.at)) && self.step_up() {}
        self.until = Until::NotKnown;
    }

    /// Goes up to the spine or the root.
    fn leave(&mut self) {
        while self.change.nodes.node(self.at).standing == Standing::Inside && self.step_up() {}
    }

    /// Goes to the parent, if there is one.
    fn step_up(&mut self) -> bool {
        let node = self.change.nodes.node(self.at);
        let Some(parent) = node.parent else { return false };
        if node.standing == Standing::Inside {
            self.change.refresh(self.at);
            self.change.mark(parent);
        }
        self.at = parent;
        true
    }

    /// Inserts a value below the node, in whose stretch it lies.
    fn insert(&mut self, position: P, value: A) {
        loop {
            let row = &self.change.nodes.node(self.at).row;
            let index = match row.search(position) {
                Ok(index) => return self.add_to(index, &value),
                Err(index) => index,
            };
            let Some(child) = row.child(index) else { return self.put(index, (position, value)) };
            if index < row.len() {
                self.until = Until::Position(row.position(index));
            }
            self.at = child;
        }
    }

    /// Combines what is in an entry of the node with what comes now.
    fn add_to(&mut self, index: usize, value: &A) {
        let Change { nodes, combine, .. } = &mut self.change;
        let (_, held) = nodes.node_mut(self.at).row.entry_mut(index);
        *held = combine(held, value);
        self.change.mark(self.at);
    }

    /// Puts an entry into the node, which is a leaf.
    fn put(&mut self, index: usize, entry: (P, A)) {
        if self.change.nodes.node(self.at).row.is_full() {
            return self.overflow(index, entry);
        }
        let Change { nodes, combine, .. } = &mut self.change;
        let node = nodes.node_mut(self.at);
        // At the very end, and at the very beginning, nothing but the entry is new.
        let sum = match (node.standing, &node.aggregate) {
            (Standing::Root | Standing::Right, Some(sum)) if index == node.row.len() => {
                combine(sum, &entry.1)
            }
            (Standing::Root | Standing::Left, Some(sum)) if index == 0 => combine(&entry.1, sum),
            _ => {
                node.row.insert(index, entry, None);
                return self.change.mark(self.at);
            }
        };
        node.aggregate = Some(sum);
        node.row.insert(index, entry, None);
    }

    /// Puts an entry into the node, a full leaf, which is split, and so are nodes above as long as they are full.
    fn overflow(&mut self, index: usize, entry: (P, A)) {
        let leaf = self.at;
        let (mut separator, mut behind) = self.change.split(leaf, index, entry, None);
        if goes_behind(index) {
            self.at = behind;
        } else {
            self.until = Until::Position(separator.0);
        }
        let (mut node, mut on_the_way) = (leaf, self.at);
        loop {
            let other = if on_the_way == node { behind } else { node };
            self.change.refresh(other);
            self.change.mark(on_the_way);
            let Some(parent) = self.change.nodes.node(node).parent else {
                return self.change.raise(node, separator, behind);
            };
            let row = &mut self.change.nodes.node_mut(parent).row;
            let index = row.index_of(node);
            if !row.is_full() {
                row.insert(index, separator, Some(behind));
                self.change.nodes.node_mut(behind).parent = Some(parent);
                return self.change.mark(parent);
            }
            let below = on_the_way;
            (separator, behind) = self.change.split(parent, index, separator, Some(behind));
            node = parent;
            on_the_way = self.change.nodes.node(below).parent.expect("only the root has none");
        }
    }
}

/// Whether an entry for this index of a full node is in the hinder one after the split.
fn goes_behind(index: usize) -> bool {
    index >= MIN_ARITY
}

impl<P: Copy + Ord, A: Clone, C: Fn(&A, &A) -> A> Change<'_, P, A, C> {
    /// Splits a full node and puts an entry, and a child behind it, into one of the two. The entry between them and the new
    /// node, the hinder one, are to be put into the parent. No aggregate of the two is known.
    fn split(&mut self, place: Place, index: usize, entry: (P, A), child: Option<Place>) -> ((P, A), Place) {
        let node = self.nodes.node_mut(place);
        let (level, standing) = (node.level, node.standing);
        node.aggregate = None;
        node.standing = match standing {
            Standing::Root | Standing::Left => Standing::Left,
            Standing::Right | Standing::Inside => Standing::Inside,
        };
        // The fore one has the larger half, if that is possible: what comes in order fills only the hinder one.
        let middle = if index > MIN_ARITY { MIN_ARITY } else { MIN_ARITY - 1 };
        let (separator, mut row) = node.row.split(middle);
        if goes_behind(index) {
            row.insert(index - middle - 1, entry, child);
        } else {
            node.row.insert(index, entry, child);
            self.nodes.adopt(place, index + 1);
        }
        let standing = match standing {
            Standing::Root | Standing::Right => Standing::Right,
            Standing::Left | Standing::Inside => Standing::Inside,
        };
        let behind = self.nodes.take(row, level, standing);
        self.nodes.adopt(behind, 0);
        if level == 0 && standing == Standing::Right {
            self.ends.right = behind;
        }
        (separator, behind)
    }

    /// Puts a new root above the two that the old one was split into.
    fn raise(&mut self, before: Place, separator: (P, A), behind: Place) {
        let level = self.nodes.node(before).level + 1;
        let root = self.nodes.take(Row::of(Some(before), separator, Some(behind)), level, Standing::Root);
        self.nodes.adopt(root, 0);
        self.ends.root = root;
        self.mark(root);
    }
}

/// Where the stretch of a subtree ends.
fn until<P: Copy + Ord, A>(nodes: &FingerNodes<P, A>, mut place: Place) -> Until<P> {
    loop {
        let node = nodes.node(place);
        let (Standing::Left | Standing::Inside, Some(above)) = (node.standing, node.parent) else {
            return Until::End;
        };
        let row = &nodes.node(above).row;
        let index = row.index_of(place);
        if index < row.len() {
            return Until::Position(row.position(index));
        }
        place = above;
    }
}
