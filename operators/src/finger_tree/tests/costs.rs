//! How often values are combined.

use super::*;

/// A tree of numbers that counts how often they are combined.
#[derive(Default)]
struct Counted {
    nodes: FingerNodes<u64, u64>,
    tree: FingerTree,
    combined: Cell<usize>,
}

impl Counted {
    fn of(positions: impl IntoIterator<Item = u64>) -> Self {
        let mut counted = Self::default();
        positions.into_iter().for_each(|position| _ = counted.insert(position));
        counted
    }

    fn count(
        &mut self,
        act: impl FnOnce(&mut FingerTree, &mut FingerNodes<u64, u64>, &dyn Fn(&u64, &u64) -> u64),
    ) -> usize {
        let Self { nodes, tree, combined } = self;
        combined.set(0);
        act(tree, nodes, &|one, other| {
            combined.set(combined.get() + 1);
            *one.max(other)
        });
        combined.get()
    }

    fn insert(&mut self, position: u64) -> usize {
        self.count(|tree, nodes, combine| tree.insert(nodes, position, 1, combine))
    }

    fn evict(&mut self) -> usize {
        self.count(|tree, nodes, combine| _ = tree.evict(nodes, combine))
    }

    fn evict_before(&mut self, position: u64) -> usize {
        self.count(|tree, nodes, combine| tree.evict_before(nodes, position, combine))
    }
}

fn per(count: usize, of: u64) -> f64 {
    count as f64 / of as f64
}

#[test]
fn in_order() {
    for window in [1, 10, 100, 1_000, 10_000, 100_000] {
        let mut counted = Counted::of(0..window);
        let (mut ins, mut ev) = (0, 0);
        for n in window..window + 100_000 {
            ins += counted.insert(n);
            ev += counted.evict();
        }
        println!("in order, window {window}: insert {:.2} evict {:.2}", per(ins, 100_000), per(ev, 100_000));
    }
}

#[test]
fn out_of_order() {
    for window in [1 << 11, 1 << 17] {
        for exponent in 0..=16 {
            let distance = 1 << exponent;
            if 2 * distance > window {
                continue;
            }
            let mut counted = Counted::of((0..window).map(|n| 2 * n));
            let mut count = 0;
            for n in window..window + 30_000 {
                counted.insert(2 * n);
                count += counted.insert(2 * (n - distance) + 1);
                counted.evict();
                counted.evict();
            }
            println!("out of order, window {window}, distance {distance}: {:.2}", per(count, 30_000));
        }
    }
}

#[test]
fn many_go() {
    for exponent in 0..15 {
        let many = 1 << exponent;
        let mut counted = Counted::of(0..1 << 17);
        let mut count = 0;
        let rounds = (1 << 17) / many;
        for n in 1..rounds {
            count += counted.evict_before(n * many);
        }
        println!("bulk evict of {many}: {:.2}", per(count, rounds));
    }
}

#[test]
fn many_come() {
    for behind in [0, 10_000] {
        for exponent in 0..14 {
            let many = 1_u64 << exponent;
            let mut counted = Counted::of((0..1 << 17).map(|n| 100 * n));
            let values = (0..many).map(|n| (100 * ((1 << 17) - 1 - behind) + 100 * behind * n / many + 1, 1));
            let count = counted.count(|tree, nodes, combine| tree.insert_all(nodes, values, combine));
            println!("bulk insert of {many} over {behind}: {:.2}", per(count, many));
        }
    }
}
