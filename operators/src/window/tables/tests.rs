use std::iter;

use super::*;
use crate::supply::tests::Late;

/// No tables are in use.
struct NoneInUse;

impl<K, A> InUse<K, A> for NoneInUse {
    fn slices(&self) -> usize {
        0
    }

    fn tables<'a>(&'a mut self) -> impl Iterator<Item = &'a mut KeyTable<K, A>>
    where
        K: 'a,
        A: 'a,
    {
        iter::empty()
    }
}

#[test]
fn all_tables_come_to_have_room_for_as_many_keys_as_the_longest_has() {
    for seed in 0..100 {
        let limits = KeyLimits { expected: 16, ..KeyLimits::default() };
        let mut tables = Tables::<u64, u64>::new(limits, 3);
        tables.connect(&mut Late::new(seed));
        // Some are taken, so that others are asked for while few keys are known, and come when there are many.
        let taken = [tables.take(0), tables.take(0)];
        for keys in [0, 100, 3_000] {
            tables.note(keys);
            let mut waits = 0;
            while tables.prepare(50, NoneInUse) == Prepared::Waiting {
                waits += 1;
                assert!(waits < 10_000, "seed {seed}: waits for what does not come");
            }
            assert!(tables.spare.last().is_some_and(|table| table.headroom() >= keys + 50), "seed {seed}");
        }
        for _ in 0..1_000 {
            _ = tables.prepare(50, NoneInUse);
        }
        assert!(tables.is_settled && tables.spare.len() >= 3, "seed {seed}");
        assert!(tables.spare.iter().all(|table| table.headroom() >= 3_050), "seed {seed}");
        let awaited = &tables.awaited;
        assert_eq!((awaited.tables, awaited.indexes, awaited.segments), (0, 0, 0), "seed {seed}");
        // Those that come back are too small, and grow.
        taken.into_iter().for_each(|table| tables.put_back(table));
        tables.note(3_001);
        for _ in 0..1_000 {
            _ = tables.prepare(50, NoneInUse);
        }
        assert!(tables.spare.iter().all(|table| table.headroom() >= 3_051), "seed {seed}");
    }
}
