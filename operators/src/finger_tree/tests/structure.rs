//! Whether a tree is built as it must be.

use super::*;
use crate::pool::Place;

/// What is to be seen of a tree on a walk through it.
struct Walk<'a> {
    nodes: &'a Nodes,
    values: Vec<(i64, String)>,
    leaves: Vec<Place>,
}

/// Checks the order, the depth and the number of children of all nodes, the fingers, and what each node covers.
pub(super) fn check(tree: &FingerTree, nodes: &Nodes, oracle: &BTreeMap<i64, String>) {
    let mut walk = Walk { nodes, values: Vec::new(), leaves: Vec::new() };
    if let Some(ends) = &tree.ends {
        assert_eq!(nodes.node(ends.root).parent, None);
        walk.node(ends.root, Standing::Root);
        assert_eq!(walk.leaves.first(), Some(&ends.left));
        assert_eq!(walk.leaves.last(), Some(&ends.right));
        walk.spine(ends.root, Standing::Left);
        walk.spine(ends.root, Standing::Right);
    }
    assert!(walk.values.iter().map(|(position, value)| (position, value)).eq(oracle));
}

impl Walk<'_> {
    /// Checks a node and all below, and what it covers, but for that of spines. Returns all texts below.
    fn node(&mut self, place: Place, standing: Standing) -> String {
        let node = self.nodes.node(place);
        let least = if standing == Standing::Root { 2 } else { MIN_ARITY };
        assert!((least..=MAX_ENTRIES + 1).contains(&node.row.arity()), "{} children", node.row.arity());
        assert_eq!(node.standing, standing);
        let children = node.row.children().count();
        assert_eq!(children, if node.is_leaf() { 0 } else { node.row.arity() });
        if node.is_leaf() {
            self.leaves.push(place);
        }
        let mut pieces = Vec::new();
        for index in 0..=node.row.len() {
            let child = node.row.child(index).map(|child| self.child(place, child, index));
            pieces.push(child.unwrap_or_default());
            if index < node.row.len() {
                let entry = node.row.entry(index);
                self.values.push(entry.clone());
                pieces.push(entry.1.clone());
            }
        }
        match standing {
            Standing::Root => assert_eq!(self.covered(place), pieces[1..pieces.len() - 1].concat()),
            Standing::Inside => assert_eq!(self.covered(place), pieces.concat()),
            Standing::Left | Standing::Right => {}
        }
        pieces.concat()
    }

    fn child(&mut self, parent: Place, child: Place, index: usize) -> String {
        let (above, below) = (self.nodes.node(parent), self.nodes.node(child));
        assert_eq!((below.parent, below.level + 1), (Some(parent), above.level));
        let standing = match above.standing {
            Standing::Root | Standing::Left if index == 0 => Standing::Left,
            Standing::Root | Standing::Right if index == above.row.len() => Standing::Right,
            _ => Standing::Inside,
        };
        self.node(child, standing)
    }

    /// Checks what the nodes of a spine cover.
    fn spine(&self, root: Place, side: Standing) {
        let left = side == Standing::Left;
        let child = |place: Place| {
            let row = &self.nodes.node(place).row;
            if left { row.child(0) } else { row.last_child() }
        };
        let mut above = String::new();
        let mut next = child(root);
        while let Some(place) = next {
            let row = &self.nodes.node(place).row;
            let pieces = if left { 1..2 * row.len() + 1 } else { 0..2 * row.len() };
            let join = |one: &String, other: &String| format!("{one}{other}");
            let here = self.nodes.sum(None, place, pieces, join).unwrap_or_default();
            above = if left { here + &above } else { above + &here };
            assert_eq!(self.covered(place), above);
            next = child(place);
        }
    }

    fn covered(&self, place: Place) -> &str {
        self.nodes.covered(place)
    }
}
