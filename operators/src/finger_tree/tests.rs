mod costs;
mod memory;
mod structure;

use std::{
    cell::Cell,
    collections::BTreeMap,
    ops::{Bound, RangeBounds},
};

use super::*;
use row::{MAX_ENTRIES, MIN_ARITY};

type Nodes = FingerNodes<i64, String>;

/// A tree beside a map from which all is simply recomputed; the values are texts, so order matters.
#[derive(Default)]
struct Checked {
    tree: FingerTree,
    oracle: BTreeMap<i64, String>,
    combined: Cell<usize>,
    /// How many values have come, so that each has a text of its own.
    come: usize,
}

impl Checked {
    fn of(nodes: &mut Nodes, positions: impl IntoIterator<Item = i64>) -> Self {
        let mut checked = Self::default();
        positions.into_iter().for_each(|position| checked.insert(nodes, position));
        checked
    }

    /// Does something to the tree with a function that counts how often it is called. No operation but that on many values
    /// at once may call it more often than a few times for each level.
    fn within<R>(
        &mut self,
        most: usize,
        act: impl FnOnce(&mut FingerTree, &dyn Fn(&String, &String) -> String) -> R,
    ) -> R {
        let Self { tree, combined, .. } = self;
        combined.set(0);
        let result = act(tree, &|one, other| {
            combined.set(combined.get() + 1);
            format!("{one}{other}")
        });
        assert!(combined.get() <= most, "{} combinations, and not {most}", combined.get());
        result
    }

    fn next_value(&mut self) -> String {
        self.come += 1;
        format!("{}.", self.come)
    }

    fn note(&mut self, position: i64, value: &str) {
        self.oracle.entry(position).or_default().push_str(value);
    }

    fn insert(&mut self, nodes: &mut Nodes, position: i64) {
        let value = self.next_value();
        self.note(position, &value);
        let most = self.change_most(nodes);
        self.within(most, |tree, combine| tree.insert(nodes, position, value, combine));
    }

    fn insert_all(&mut self, nodes: &mut Nodes, positions: &[i64]) {
        let values: Vec<_> = positions.iter().map(|position| (*position, self.next_value())).collect();
        values.iter().for_each(|(position, value)| self.note(*position, value));
        self.within(usize::MAX, |tree, combine| tree.insert_all(nodes, values, combine));
        assert!(self.combined.get() <= self.change_most(nodes) * positions.len());
    }

    fn evict(&mut self, nodes: &mut Nodes) {
        let most = self.change_most(nodes);
        let gone = self.within(most, |tree, combine| tree.evict(nodes, combine));
        assert_eq!(gone, self.oracle.pop_first());
    }

    fn evict_before(&mut self, nodes: &mut Nodes, position: i64) {
        self.oracle = self.oracle.split_off(&position);
        let most = self.change_most(nodes);
        self.within(most, |tree, combine| tree.evict_before(nodes, position, combine));
    }

    fn clear(&mut self, nodes: &mut Nodes) {
        self.oracle.clear();
        self.tree.clear(nodes);
    }

    fn range(&mut self, nodes: &Nodes, range: impl RangeBounds<i64> + Clone + std::fmt::Debug) {
        let most = self.range_most(nodes);
        let found = self.within(most, |tree, combine| tree.range(nodes, range.clone(), combine));
        let inside = self.oracle.iter().filter(|(position, _)| range.contains(position));
        let expected: String = inside.map(|(_, value)| value.as_str()).collect();
        assert_eq!(found.unwrap_or_default(), expected, "in {range:?}");
        if let Bound::Included(start) = range.start_bound() {
            let next = self.oracle.range(start..).next().map(|(position, _)| *position);
            assert_eq!(self.tree.first_from(nodes, *start), next, "from {start}");
        }
    }

    /// Whether the tree is built as it must be, and comes to what it must.
    fn check(&mut self, nodes: &Nodes) {
        structure::check(&self.tree, nodes, &self.oracle);
        let found = self.within(2, |tree, combine| tree.query(nodes, combine));
        let expected: String = self.oracle.values().map(String::as_str).collect();
        assert_eq!(found.is_none(), self.oracle.is_empty());
        assert_eq!(found.unwrap_or_default(), expected);
        assert_eq!(self.tree.is_empty(), self.oracle.is_empty());
        let ends = (self.tree.first(nodes), self.tree.last(nodes));
        let keys = (self.oracle.keys().next().copied(), self.oracle.keys().next_back().copied());
        assert_eq!(ends, keys);
    }

    fn levels(&self, nodes: &Nodes) -> usize {
        self.tree.ends.as_ref().map_or(0, |ends| nodes.node(ends.root).level + 1)
    }

    /// On each level one node of each spine, and two others; none has more pieces than that. And a value that is there.
    fn change_most(&self, nodes: &Nodes) -> usize {
        4 * (4 * MIN_ARITY - 2) * self.levels(nodes) + 1
    }

    /// On each level two nodes.
    fn range_most(&self, nodes: &Nodes) -> usize {
        2 * (4 * MIN_ARITY - 2) * self.levels(nodes)
    }

    fn size(&self) -> usize {
        self.oracle.len()
    }

    /// A position near the beginning, near the end, or anywhere; one that is there, or not.
    fn any_position(&self, random: &mut fastrand::Rng) -> i64 {
        let index = match random.u8(0..3) {
            0 => random.usize(0..3),
            1 => self.size().saturating_sub(random.usize(0..4)),
            _ => random.usize(0..=self.size()),
        };
        let near = self.oracle.keys().nth(index).copied().unwrap_or(500);
        near + random.i64(-2..=2)
    }
}

#[test]
fn values_may_come_in_any_order() {
    let orders: [fn(i64) -> i64; 6] =
        [|n| n, |n| -n, |_| 7, |n| n % 5, |n| n ^ 0x55, |n| if n % 2 == 0 { n } else { -n }];
    for order in orders {
        let (mut nodes, mut checked) = (Nodes::new(), Checked::default());
        for n in 0..600 {
            checked.insert(&mut nodes, order(n));
            checked.check(&nodes);
        }
        while !checked.tree.is_empty() {
            checked.evict(&mut nodes);
            checked.check(&nodes);
        }
        checked.evict(&mut nodes);
    }
}

#[test]
fn any_sequence_of_operations_on_trees_that_share_nodes_comes_to_what_it_is() {
    for seed in 0..120 {
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut nodes = Nodes::new();
        let mut trees: [Checked; 3] = Default::default();
        for _ in 0..12 {
            // Now they grow, now they shrink.
            let come = random.u8(..);
            for _ in 0..random.usize(0..80) {
                let checked = &mut trees[random.usize(0..3)];
                any_operation(checked, &mut nodes, &mut random, come);
                checked.check(&nodes);
            }
            trees.iter_mut().for_each(|checked| checked.check(&nodes));
            memory::check(&trees, &nodes);
        }
    }
}

fn any_operation(checked: &mut Checked, nodes: &mut Nodes, random: &mut fastrand::Rng, come: u8) {
    let position = checked.any_position(random);
    match (random.u8(..) < come, random.u8(0..20)) {
        (true, 0..3) => {
            let wide = if random.bool() { 10 } else { 1_000 };
            let mut positions: Vec<_> =
                (0..random.usize(0..90)).map(|_| position + random.i64(-wide..wide)).collect();
            if random.u8(0..4) > 0 {
                positions.sort_unstable();
            }
            checked.insert_all(nodes, &positions);
        }
        (true, _) => checked.insert(nodes, position),
        (false, 0) => checked.clear(nodes),
        (false, 1..3) => checked.evict_before(nodes, position),
        (false, 3..6) => checked.range(nodes, position..=checked.any_position(random)),
        (false, 6) => {
            let found = checked.tree.get(nodes, position);
            assert_eq!(found, checked.oracle.get(&position));
        }
        (false, _) => checked.evict(nodes),
    }
}

#[test]
fn whatever_is_before_a_position_can_go_at_once() {
    for size in (0..40).chain([64, 100, 250]) {
        for built in [0, 1, 2] {
            for boundary in 0..=size + 1 {
                let mut nodes = Nodes::new();
                let mut checked = Checked::default();
                let positions = (1..=size).map(|n| 2 * n);
                match built {
                    0 => positions.for_each(|n| checked.insert(&mut nodes, n)),
                    1 => positions.rev().for_each(|n| checked.insert(&mut nodes, n)),
                    _ => checked.insert_all(&mut nodes, &positions.collect::<Vec<_>>()),
                }
                // At a position that is there, or just behind it.
                checked.evict_before(&mut nodes, 2 * boundary + boundary % 2);
                checked.check(&nodes);
                // And what is left is a tree as any other.
                checked.evict(&mut nodes);
                checked.check(&nodes);
                checked.insert(&mut nodes, 2 * boundary + 5);
                checked.insert(&mut nodes, 0);
                checked.check(&nodes);
            }
        }
    }
}

#[test]
fn much_can_go_at_once_again_and_again() {
    for seed in 0..60 {
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut nodes = Nodes::new();
        let mut checked = Checked::of(&mut nodes, (0..700).map(|n| n * 367 % 1_009));
        while !checked.tree.is_empty() {
            let most = if random.bool() { 6 } else { 200 };
            let skip = random.usize(0..most);
            let position =
                checked.oracle.keys().nth(skip).map_or(2_000, |position| position + random.i64(0..2));
            checked.evict_before(&mut nodes, position);
            checked.check(&nodes);
        }
    }
}

#[test]
fn many_values_can_come_at_once_wherever_they_lie() {
    for there in [0, 1, 7, 8, 30, 64, 200] {
        for coming in [0, 1, 2, 7, 8, 40, 300] {
            let ways: [fn(i64) -> i64; 7] = [
                |n| n - 1_000,
                |n| n + 2_000,
                |n| 10 * n + 5,
                |n| 10 * n,
                |n| 7 * n - 50,
                |n| 305 + n % 4,
                |n| -(7 * n % 1_000),
            ];
            for way in ways {
                let mut nodes = Nodes::new();
                let mut checked = Checked::of(&mut nodes, (0..there).map(|n| 10 * n));
                let mut positions: Vec<_> = (0..coming).map(way).collect();
                checked.insert_all(&mut nodes, &positions);
                checked.check(&nodes);
                positions.sort_unstable();
                positions.iter_mut().for_each(|position| *position += 2);
                checked.insert_all(&mut nodes, &positions);
                checked.check(&nodes);
            }
        }
    }
}

#[test]
fn many_values_can_come_at_once_into_every_gap() {
    for there in [12, 40, 90] {
        for coming in [1, 3, 9, 20] {
            for gap in -1..there {
                let mut nodes = Nodes::new();
                let mut checked = Checked::of(&mut nodes, (0..there).map(|n| 100 * n));
                let positions: Vec<_> = (0..coming).map(|n| 100 * gap + 2 * n).collect();
                checked.insert_all(&mut nodes, &positions);
                checked.check(&nodes);
            }
        }
    }
}

#[test]
fn any_range_comes_to_what_is_in_it() {
    for size in (0..26).chain([60, 150]) {
        let mut nodes = Nodes::new();
        let mut checked = Checked::of(&mut nodes, (0..size).map(|n| 2 * (n * 11 % size)));
        for from in -1..=2 * size {
            for to in -1..=2 * size {
                checked.range(&nodes, from..to);
            }
            checked.range(&nodes, from..=from + 1);
            checked.range(&nodes, from..);
            checked.range(&nodes, ..from);
            checked.range(&nodes, (Bound::Excluded(from), Bound::Included(2 * size)));
            assert_eq!(checked.tree.get(&nodes, from), checked.oracle.get(&from));
        }
        checked.range(&nodes, ..);
    }
}

#[test]
fn the_first_and_the_last_position_there_can_be_are_as_any_other() {
    let mut nodes = Nodes::new();
    for others in [0, 1, 20, 200] {
        let mut checked = Checked::of(&mut nodes, (0..others).map(|n| n - 100));
        for position in [i64::MAX, i64::MIN, i64::MAX, i64::MIN, i64::MAX - 1, i64::MIN + 1] {
            checked.insert(&mut nodes, position);
            checked.check(&nodes);
        }
        checked.insert_all(&mut nodes, &[i64::MIN, 0, i64::MAX]);
        checked.evict_before(&mut nodes, i64::MIN);
        checked.check(&nodes);
        checked.range(&nodes, i64::MIN..i64::MAX);
        checked.range(&nodes, i64::MIN..=i64::MAX);
        checked.range(&nodes, i64::MAX..);
        checked.evict_before(&mut nodes, i64::MAX);
        checked.check(&nodes);
        assert_eq!(checked.size(), 1);
        checked.clear(&mut nodes);
    }
}

#[test]
fn a_tree_that_is_drained_to_its_last_value_and_filled_again_goes_on() {
    let mut nodes = Nodes::new();
    for most in [1, 2, 3, 7, 8, 9, 40, 200] {
        let mut checked = Checked::default();
        for round in 0..6 {
            (0..most).for_each(|n| checked.insert(&mut nodes, 1_000 * round + n));
            checked.check(&nodes);
            if round % 2 == 0 {
                (1..most).for_each(|_| checked.evict(&mut nodes));
            } else {
                checked.evict_before(&mut nodes, 1_000 * round + most - 1);
            }
            checked.check(&nodes);
        }
        (0..7).for_each(|_| checked.evict(&mut nodes));
        checked.insert(&mut nodes, 0);
        checked.check(&nodes);
        checked.clear(&mut nodes);
    }
}
