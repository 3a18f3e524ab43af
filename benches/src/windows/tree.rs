//! A tree of slices that come in out of order, by itself.

use std::collections::BTreeMap;

use nacreous_operators::{FingerNodes, FingerTree};

use super::greater;
use crate::comparison::{Comparison, Digest, Measure, on_pinned_thread, timed};

/// How many slices a window has.
const SLICES: usize = 4_096;
/// How often one comes, the oldest leaves, and all are asked for.
const TURNS: usize = 1 << 16;
/// One comes after fewer later ones than that.
const DISORDER: usize = 500;

/// What is compared.
trait Slices: Default {
    fn insert(&mut self, slice: i64, value: u64);
    fn evict(&mut self);
    fn greatest(&self) -> u64;
}

#[derive(Default)]
struct Tree {
    nodes: FingerNodes<i64, u64>,
    tree: FingerTree,
}

impl Slices for Tree {
    fn insert(&mut self, slice: i64, value: u64) {
        self.tree.insert(&mut self.nodes, slice, value, greater);
    }

    fn evict(&mut self) {
        let _ = self.tree.evict(&mut self.nodes, greater);
    }

    fn greatest(&self) -> u64 {
        self.tree.query(&self.nodes, greater).unwrap_or(0)
    }
}

impl Slices for BTreeMap<i64, u64> {
    fn insert(&mut self, slice: i64, value: u64) {
        self.entry(slice).and_modify(|found| *found = greater(found, &value)).or_insert(value);
    }

    fn evict(&mut self) {
        let _ = self.pop_first();
    }

    fn greatest(&self) -> u64 {
        self.values().fold(0, |one, other| greater(&one, other))
    }
}

/// Slices in the order in which they come, and what they come to.
fn arrivals() -> Vec<(i64, u64)> {
    let mut random = fastrand::Rng::with_seed(47);
    let mut arrivals: Vec<_> = (0..SLICES + TURNS)
        .map(|slice| (slice + random.usize(0..DISORDER), (slice as i64, random.u64(..))))
        .collect();
    arrivals.sort_by_key(|(arrival, _)| *arrival);
    arrivals.into_iter().map(|(_, slice)| slice).collect()
}

/// Windows of four thousand slices, each slice up to five hundred out of order, against a tree that is gone through for each.
pub fn out_of_order_btreemap() -> Comparison {
    let arrivals: &[_] = arrivals().leak();
    let thousands = TURNS as f64 / 1e3;
    Comparison {
        id: "window/out-of-order-fiba/btreemap",
        measure: Measure::Rate("k slices/s"),
        ours: timed(thousands, move || on_pinned_thread(|| turns::<Tree>(arrivals))),
        rival: timed(thousands, move || on_pinned_thread(|| turns::<BTreeMap<_, _>>(arrivals))),
    }
}

/// A digest of what the window came to, each turn.
fn turns<S: Slices>(arrivals: &[(i64, u64)]) -> u64 {
    let (filling, turning) = arrivals.split_at(SLICES);
    let (mut slices, mut digest) = (S::default(), Digest::default());
    filling.iter().for_each(|(slice, value)| slices.insert(*slice, *value));
    for (slice, value) in turning {
        slices.insert(*slice, *value);
        slices.evict();
        digest.add(&[slices.greatest()]);
    }
    digest.value()
}
