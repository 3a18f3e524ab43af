//! Whether all nodes are in a tree or can be taken again.

use super::*;
use crate::{Prepared, supply::tests::Late};

/// Checks that of all nodes.
pub(super) fn check<'a>(trees: impl IntoIterator<Item = &'a Checked>, nodes: &Nodes) {
    let taken = trees.into_iter().filter_map(|checked| checked.tree.ends.as_ref());
    let taken: usize = taken.map(|ends| nodes.below(ends.root)).sum();
    assert_eq!(taken + nodes.retired().1, nodes.len());
}

fn longer(one: &u64, other: &u64) -> u64 {
    *one.max(other)
}

#[test]
fn a_tree_is_a_small_handle() {
    fn goes_to_other_threads<T: Send>() -> usize {
        size_of::<T>()
    }
    assert_eq!(goes_to_other_threads::<FingerTree>(), 12);
    assert!(goes_to_other_threads::<FingerNodes<i64, String>>() < 256);
}

#[test]
fn nodes_let_go_are_taken_again_to_the_last() {
    let mut nodes = FingerNodes::new();
    let mut trees: Vec<_> = (0..50).map(|_| FingerTree::new()).collect();
    let mut most = 0;
    for round in 0..20 {
        for n in 0..20_000_u64 {
            let position = if round % 2 == 0 { n } else { n * 7_919 % 20_011 };
            trees[(n % 50) as usize].insert(&mut nodes, position, n, longer);
        }
        let there = nodes.len() - nodes.retired().1;
        most = most.max(there);
        assert_eq!(nodes.len(), most, "no more nodes than were in trees at once");
        for (n, tree) in trees.iter_mut().enumerate() {
            match n % 3 {
                0 => tree.clear(&mut nodes),
                1 => tree.evict_before(&mut nodes, 30_000, longer),
                _ => while tree.evict(&mut nodes, longer).is_some() {},
            }
            assert!(tree.is_empty());
        }
        assert_eq!(nodes.retired().1, nodes.len());
    }
}

#[test]
fn a_window_that_slides_stays_within_its_nodes() {
    let mut nodes = FingerNodes::new();
    let mut tree = FingerTree::new();
    let mut after_filling = 0;
    for n in 0..400_000_u64 {
        tree.insert(&mut nodes, n ^ 0x3f, n, longer);
        if n >= 10_000 && n % 100 == 0 {
            tree.evict_before(&mut nodes, n - 10_000, longer);
        }
        if n == 20_000 {
            after_filling = nodes.len();
        }
    }
    assert!(nodes.len() <= after_filling + after_filling / 10, "{} nodes", nodes.len());
}

#[test]
fn whoever_heeds_it_never_makes_room_on_the_spot() {
    for seed in 0..30 {
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut nodes = FingerNodes::new();
        nodes.connect(&mut Late::new(seed));
        let mut trees: Vec<_> = (0..40).map(|_| FingerTree::new()).collect();
        for round in 0..150 {
            let more = random.usize(1..700);
            while nodes.prepare(more) == Prepared::Waiting {}
            let room = nodes.room();
            for n in 0..more {
                let position = if round % 3 == 0 { n as u64 } else { random.u64(0..1_000_000) };
                trees[random.usize(0..40)].insert(&mut nodes, position, 1, longer);
            }
            assert_eq!(nodes.room(), room);
            if random.u8(0..10) == 0 {
                trees[random.usize(0..40)].evict_before(&mut nodes, random.u64(0..1_100_000), longer);
            }
        }
    }
}

#[test]
fn there_is_room_for_it_even_if_each_value_splits_a_root() {
    let mut nodes = FingerNodes::new();
    nodes.connect(&mut Late::new(1));
    let mut trees: Vec<_> = (0..3_000).map(|_| FingerTree::new()).collect();
    for n in 0..4 * MAX_ENTRIES as u64 {
        while nodes.prepare(trees.len()) == Prepared::Waiting {}
        let room = nodes.room();
        trees.iter_mut().for_each(|tree| tree.insert(&mut nodes, n, n, longer));
        assert_eq!(nodes.room(), room);
    }
}
