//! How often values are combined and positions compared. No more often, here, than the bounds say with small factors.

use std::cmp::Ordering;

use super::*;

thread_local! {
    static COMBINED: Cell<usize> = const { Cell::new(0) };
    static COMPARED: Cell<usize> = const { Cell::new(0) };
}

/// A position that counts how often it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position(u64);

impl Ord for Position {
    fn cmp(&self, other: &Self) -> Ordering {
        COMPARED.set(COMPARED.get() + 1);
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn longer(one: &u64, other: &u64) -> u64 {
    COMBINED.set(COMBINED.get() + 1);
    *one.max(other)
}

/// What operations of one kind have cost.
#[derive(Default)]
struct Cost {
    times: usize,
    combined: usize,
    compared: usize,
}

impl Cost {
    fn add(&mut self, times: usize, act: impl FnOnce()) {
        COMBINED.set(0);
        COMPARED.set(0);
        act();
        self.times += times;
        self.combined += COMBINED.get();
        self.compared += COMPARED.get();
    }

    /// Both are no more than that, on average.
    #[track_caller]
    fn is_at_most(&self, combined_max: f64, compared_max: f64, what: &str) {
        let mean = |count: usize| count as f64 / self.times as f64;
        let (combined, compared) = (mean(self.combined), mean(self.compared));
        println!("{what}: {combined:.2} combinations, {compared:.2} comparisons");
        assert!(combined <= combined_max, "{what}: {combined} combinations, and not {combined_max}");
        assert!(compared <= compared_max, "{what}: {compared} comparisons, and not {compared_max}");
    }
}

#[derive(Default)]
struct Counted {
    nodes: FingerNodes<Position, u64>,
    tree: FingerTree,
}

impl Counted {
    fn of(positions: impl IntoIterator<Item = u64>) -> Self {
        let mut counted = Self::default();
        positions.into_iter().for_each(|position| counted.insert(position));
        counted
    }

    fn insert(&mut self, position: u64) {
        self.tree.insert(&mut self.nodes, Position(position), 1, longer);
    }

    fn insert_all(&mut self, positions: impl IntoIterator<Item = u64>) {
        let values = positions.into_iter().map(|position| (Position(position), 1));
        self.tree.insert_all(&mut self.nodes, values, longer);
    }

    fn evict(&mut self) {
        self.tree.evict(&mut self.nodes, longer);
    }

    fn evict_before(&mut self, position: u64) {
        self.tree.evict_before(&mut self.nodes, Position(position), longer);
    }
}

#[test]
fn in_order_it_takes_so_few_steps_whatever_the_number_of_values() {
    for window in [1, 10, 100, 1_000, 10_000, 100_000] {
        let mut counted = Counted::of(0..window);
        let (mut inserts, mut evictions) = (Cost::default(), Cost::default());
        for n in window..window + 50_000 {
            inserts.add(1, || counted.insert(n));
            evictions.add(1, || counted.evict());
        }
        inserts.is_at_most(5.0, 7.1, "an insertion");
        evictions.is_at_most(7.6, 0.0, "an eviction");
    }
}

#[test]
fn against_the_order_it_takes_so_few_steps_whatever_the_number_of_values() {
    let mut counted = Counted::of([1 << 20]);
    for exponent in 10..17 {
        let mut inserts = Cost::default();
        for n in 1 << exponent..2 << exponent {
            inserts.add(1, || counted.insert((1 << 20) - n));
        }
        inserts.is_at_most(7.0, 6.0, "an insertion");
    }
}

#[test]
fn an_insertion_takes_steps_by_the_distance_from_the_end() {
    for window in [1 << 11, 1 << 14, 1 << 17] {
        for exponent in 0..16 {
            let distance = 1 << exponent;
            if 2 * distance > window {
                break;
            }
            let mut counted = Counted::of((0..window).map(|n| 2 * n));
            let mut cost = Cost::default();
            for n in window..window + 5_000 {
                counted.insert(2 * n);
                cost.add(1, || counted.insert(2 * (n - distance) + 1));
                counted.evict();
                counted.evict();
            }
            let steps = f64::from(exponent);
            let what = format!("an insertion {distance} from the end of {window}");
            cost.is_at_most(10.0 + 8.0 * steps, 15.0 + 5.0 * steps, &what);
        }
    }
}

#[test]
fn that_many_go_takes_steps_by_the_logarithm_of_their_number() {
    for exponent in 0..15 {
        let many = 1 << exponent;
        let mut counted = Counted::of(0..1 << 17);
        let mut cost = Cost::default();
        for n in 1..(1 << 17) / many {
            cost.add(1, || counted.evict_before(n * many));
        }
        let steps = f64::from(exponent);
        cost.is_at_most(10.0 + 5.0 * steps, 12.0 + 4.0 * steps, &format!("that {many} go"));
    }
}

#[test]
fn that_many_come_takes_steps_by_how_thin_they_are() {
    let there = 1 << 17;
    for distance in [1_000, 50_000] {
        for exponent in 0..15 {
            let many = 1 << exponent;
            let mut counted = Counted::of((0..there).map(|n| 1_000_000 * n));
            let start = 1_000_000 * (there - distance) + 1;
            let mut cost = Cost::default();
            cost.add(1 << exponent, || {
                counted.insert_all((0..many).map(|n| start + 1_000_000 * distance * n / many));
            });
            let thin = (distance as f64 / many as f64).log2().max(0.0);
            let what = format!("that one of {many} comes within {distance}");
            cost.is_at_most(10.0 + 6.0 * thin, 20.0 + 5.0 * thin, &what);
        }
    }
}

#[test]
fn that_many_come_into_one_gap_takes_few_steps_for_each() {
    let there = 1 << 12;
    // Some of these gaps are at the end of a leaf, of that of a larger subtree, and at the entries between.
    for gap in 2_000..2_200 {
        let mut counted = Counted::of((0..there).map(|n| 1_000_000 * n));
        let mut cost = Cost::default();
        cost.add(1_000, || counted.insert_all((1..=1_000).map(|n| 1_000_000 * gap + n)));
        cost.is_at_most(2.0, 9.0, &format!("that one of 1000 comes behind {gap}"));
    }
}

#[test]
fn what_goes_at_once_is_not_walked_through() {
    let mut counted = Counted::of(0..1 << 20);
    let mut cost = Cost::default();
    cost.add(1, || counted.evict_before((1 << 20) - 500));
    cost.is_at_most(150.0, 80.0, "that a million go");
    let (listed, retired) = counted.nodes.retired();
    assert!(listed < 100 && retired > 100_000, "{listed} of {retired} nodes");
}
