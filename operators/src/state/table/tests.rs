use super::*;
use crate::state::touched;

fn table(keys: usize) -> KeyTable<u64> {
    KeyTable::new(SlotVec::with_base(touched(keys), keys), empty_index(keys * 2))
}

#[test]
fn usual_keys_hardly_collide() {
    let probes = |keys: &dyn Fn(u64) -> u64| {
        let mut table = table(1_024);
        let keys: Vec<_> = (0..1_000).map(keys).collect();
        for key in &keys {
            let hash = table.find(key).expect_err("keys are distinct");
            _ = table.insert(*key, hash);
        }
        let distance = |key: &u64| {
            let home = home(hash_key(key), table.shift);
            let at = (0..).find(|step| {
                let slot = table.index[(home + step) & (table.index.len() - 1)];
                table.keys.at(slot as usize) == key
            });
            at.expect("the key is in the table")
        };
        keys.iter().map(distance).sum::<usize>()
    };
    assert!(probes(&|n| n) < 50, "consecutive keys");
    for shift in [3, 8, 16, 32, 48] {
        assert!(probes(&|n| n << shift) < 1_000, "keys that are multiples of 2^{shift}");
    }
    assert!(probes(&|n| n * 1_000_000_000) < 1_000, "seconds in nanoseconds");
    assert!(probes(&|n| (n as f64).to_bits()) < 1_000, "floats");
}

#[test]
fn a_migration_that_begins_at_three_quarters_ends_before_the_room_does() {
    for keys in [8, 16, 64, 1_024] {
        let mut table = table(keys);
        table.add_keys(touched(keys));
        let put = |table: &mut KeyTable<u64>| {
            let key = table.len() as u64;
            let hash = table.find(&key).expect_err("counts up");
            table.insert(key, hash).1
        };
        while table.index_headroom() > 0 {
            assert_eq!(put(&mut table), None);
        }
        assert_eq!(table.len(), keys * 2 / 4 * 3);
        assert_eq!(table.offer_index(empty_index(keys * 4)), None);
        assert_eq!(table.index_headroom(), keys * 4 / 4 * 3 - table.len(), "all that the larger one takes");
        let mut old = None;
        while old.is_none() {
            assert!(table.has_room(), "at {} of {}", table.len(), keys * 2);
            old = put(&mut table);
        }
        assert_eq!(old.map(|old| old.len()), Some(keys * 2));
        assert!((0..table.len()).all(|slot| table.find(&(slot as u64)).map(SlotNumber::index) == Ok(slot)));
    }
}

#[test]
fn an_index_that_is_of_no_use_comes_back() {
    let mut table = table(8);
    assert_eq!(table.offer_index(empty_index(16)).map(|index| index.len()), Some(16), "not larger");
    assert_eq!(table.offer_index(empty_index(32)), None);
    assert_eq!(
        table.offer_index(empty_index(32)).map(|index| index.len()),
        Some(32),
        "not larger than the next"
    );
    assert_eq!(table.offer_index(empty_index(64)), None);
    assert_eq!(table.offer_index(empty_index(128)).map(|index| index.len()), Some(64), "replaced");
    assert_eq!(table.index_capacity(), 96);
}

#[test]
fn a_migration_that_begins_too_late_is_not_counted_on() {
    let mut table = table(64);
    table.add_keys(touched(64));
    for key in 0..110 {
        let hash = table.find(&key).expect_err("counts up");
        _ = table.insert(key, hash);
    }
    assert_eq!(table.offer_index(empty_index(256)), None);
    assert_eq!(table.index_headroom(), 2, "seven eighths of 128 less those there are");
    assert_eq!(table.migrate(100), None);
    assert_eq!(table.index_headroom(), 192 - 110, "the ten that are left migrate with two more");
}
