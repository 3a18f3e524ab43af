use nacreous_watermark::Timestamp;

use crate::{
    Prepared, Supplies,
    pool::{Place, Pool},
};

/// The values of many keys, those of each key in order of time, in one pool.
///
/// Those of a key form a treap (Seidel and Aragon, Randomized Search Trees, 1996): a search tree by time that is a heap
/// by random priorities, and therefore about balanced whatever order the values come in. Here the priorities
/// come from a fixed seed, so that a run can be repeated.
#[derive(Debug)]
pub(super) struct Timeline<T> {
    nodes: Pool<Node<T>>,
    random: u32,
}

/// The values of one key: the root of their tree.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Root(Option<Place>);

#[derive(Debug)]
struct Node<T> {
    time: Timestamp,
    priority: u32,
    before: Option<Place>,
    after: Option<Place>,
    value: T,
}

impl<T> Timeline<T> {
    pub(super) fn new() -> Self {
        Self { nodes: Pool::new(), random: 0x9E37_79B9 }
    }

    /// As [`Operator::connect`](crate::Operator::connect).
    pub(super) fn connect(&mut self, supplies: &mut impl Supplies)
    where
        T: Send + 'static,
    {
        self.nodes.connect(supplies);
    }

    /// As [`Operator::prepare`](crate::Operator::prepare).
    pub(super) fn prepare(&mut self, records: usize) -> Prepared {
        self.nodes.prepare(records)
    }

    /// Puts a value behind those of its time.
    ///
    /// # Cost
    /// Expected logarithmic in the number of the key's values, with a small factor.
    pub(super) fn insert(&mut self, root: &mut Root, time: Timestamp, value: T) {
        let priority = self.next_priority();
        let node = self.nodes.insert(Node { time, priority, before: None, after: None, value });
        root.0 = Some(self.insert_below(root.0, node, time, priority));
    }

    /// The time of the first value.
    pub(super) fn earliest(&self, root: Root) -> Option<Timestamp> {
        let mut first = self.nodes.get(root.0?);
        while let Some(before) = first.before {
            first = self.nodes.get(before);
        }
        Some(first.time)
    }

    /// Shows the values of the times `from..=to`, in order.
    ///
    /// # Cost
    /// Expected logarithmic in the number of the key's values, and their number.
    pub(super) fn each(
        &self,
        root: Root,
        (from, to): (Timestamp, Timestamp),
        show: &mut impl FnMut(Timestamp, &T),
    ) {
        let Some(place) = root.0 else { return };
        let node = self.nodes.get(place);
        if from <= node.time {
            self.each(Root(node.before), (from, to), show);
            if node.time <= to {
                show(node.time, &node.value);
            }
        }
        if node.time <= to {
            self.each(Root(node.after), (from, to), show);
        }
    }

    /// Drops the values at the beginning for which `gone` says so of their time.
    pub(super) fn evict(&mut self, root: &mut Root, gone: impl Fn(Timestamp) -> bool + Copy) {
        let (first, rest) = self.split(root.0, gone);
        root.0 = rest;
        self.drop_all(first);
    }

    /// Xorshift (Marsaglia, 2003).
    fn next_priority(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random
    }

    /// The root of the tree with the node in it.
    fn insert_below(&mut self, root: Option<Place>, new: Place, time: Timestamp, priority: u32) -> Place {
        let Some(place) = root else { return new };
        let &Node { time: here, priority: above, before, after, .. } = self.nodes.get(place);
        if priority > above {
            let (before, after) = self.split(root, |other| other <= time);
            let node = self.nodes.get_mut(new);
            (node.before, node.after) = (before, after);
            return new;
        }
        if time < here {
            let before = self.insert_below(before, new, time, priority);
            self.nodes.get_mut(place).before = Some(before);
        } else {
            let after = self.insert_below(after, new, time, priority);
            self.nodes.get_mut(place).after = Some(after);
        }
        place
    }

    /// Cuts a tree in two: the first has the values at the beginning for which `first` says so of their time.
    fn split(
        &mut self,
        root: Option<Place>,
        first: impl Fn(Timestamp) -> bool + Copy,
    ) -> (Option<Place>, Option<Place>) {
        let Some(place) = root else { return (None, None) };
        let &Node { time, before, after, .. } = self.nodes.get(place);
        if first(time) {
            let (more, rest) = self.split(after, first);
            self.nodes.get_mut(place).after = more;
            (root, rest)
        } else {
            let (begin, more) = self.split(before, first);
            self.nodes.get_mut(place).before = more;
            (begin, root)
        }
    }

    fn drop_all(&mut self, root: Option<Place>) {
        let Some(place) = root else { return };
        let node = self.nodes.remove(place);
        self.drop_all(node.before);
        self.drop_all(node.after);
    }

    /// The number of values of all keys.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The number of values there has been memory for.
    #[cfg(test)]
    pub(super) fn cells(&self) -> usize {
        self.nodes.cells()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth<T>(timeline: &Timeline<T>, root: Option<Place>) -> usize {
        let Some(place) = root else { return 0 };
        let node = timeline.nodes.get(place);
        1 + depth(timeline, node.before).max(depth(timeline, node.after))
    }

    #[test]
    fn values_lie_in_order_of_time_then_of_arrival() {
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut timeline = Timeline::new();
            let mut keys = [(Root::default(), Vec::new()), (Root::default(), Vec::new())];
            for n in 0..300 {
                let (root, oracle) = &mut keys[random.usize(0..2)];
                let time = random.i64(0..60);
                if random.u8(0..20) == 0 {
                    timeline.evict(root, |other| other.as_nanos() < time);
                    oracle.retain(|(other, _)| *other >= time);
                } else {
                    timeline.insert(root, Timestamp::from_nanos(time), n);
                    let behind = oracle.partition_point(|(other, _)| *other <= time);
                    oracle.insert(behind, (time, n));
                }
                let (from, to) = (random.i64(-5..65), random.i64(-5..65));
                let mut seen = Vec::new();
                let range = (Timestamp::from_nanos(from), Timestamp::from_nanos(to));
                timeline.each(*root, range, &mut |time, n| seen.push((time.as_nanos(), *n)));
                let inside = oracle.iter().filter(|(time, _)| from <= *time && *time <= to);
                assert!(inside.eq(&seen), "seed {seed}, {from}..={to}");
                let earliest = oracle.first().map(|(time, _)| Timestamp::from_nanos(*time));
                assert_eq!(timeline.earliest(*root), earliest);
            }
            assert_eq!(timeline.len(), keys[0].1.len() + keys[1].1.len());
        }
    }

    #[test]
    fn a_tree_is_about_balanced_whatever_the_order() {
        let orders: [fn(i64) -> i64; 4] = [|n| n, |n| -n, |_| 0, |n| n ^ 0x5555];
        for order in orders {
            let mut timeline = Timeline::new();
            let mut root = Root::default();
            for n in 0..100_000 {
                timeline.insert(&mut root, Timestamp::from_nanos(order(n)), ());
            }
            assert!(depth(&timeline, root.0) < 60, "{}", depth(&timeline, root.0));
        }
    }
}
