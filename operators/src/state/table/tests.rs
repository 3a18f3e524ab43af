use std::{collections::HashMap, fmt, iter};

use super::*;

/// A key that is not an integer to the table, which would find it without a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key(u64);

fn table(keys: usize) -> KeyTable<Key, ()> {
    KeyTable::new(keys, keys * 2)
}

/// How many places further than its home a key is, all of a thousand together, in an index half full.
fn probes<K: Hash + Eq + 'static>(key: impl Fn(u64) -> K) -> usize {
    let mut table = KeyTable::new(1_024, 2_048);
    for key in (0..1_000).map(&key) {
        let hash = table.find(&key).expect_err("keys are distinct");
        _ = table.insert(key, hash, ());
    }
    let distance = |key: K| {
        let home = home(hash_key(&key), table.shift);
        let at = (0..).find(|step| {
            let slot = table.index[(home + step) & (table.index.len() - 1)];
            slot != FREE && table.entries.at(slot as usize).0 == key
        });
        at.expect("the key is in the table")
    };
    (0..1_000).map(key).map(distance).sum()
}

#[test]
fn usual_keys_hardly_collide() {
    assert!(probes(Key) < 50, "consecutive keys");
    for shift in [3, 8, 16, 32, 48] {
        assert!(probes(|n| Key(n << shift)) < 1_000, "keys that are multiples of 2^{shift}");
    }
    assert!(probes(|n| Key(n * 1_000_000_000)) < 1_000, "seconds in nanoseconds");
    assert!(probes(|n| Key((n as f64).to_bits())) < 1_000, "floats");
}

/// With a hash that is random it would be 500.
#[test]
fn usual_texts_hardly_collide() {
    for length in 0..40 {
        let around = "x".repeat(length);
        let of_length = |text: fn(u64, &str) -> String| probes(|n| text(n, &around));
        let probes = [
            of_length(|n, around| format!("{around}{n}")),
            of_length(|n, around| format!("{around}{n:06}")),
            of_length(|n, around| format!("{n:05x}{around}")),
            of_length(|n, around| format!("{}-{around}{}", n % 32, n / 32)),
            of_length(|n, around| around.chars().chain(n.to_string().chars().rev()).collect()),
        ];
        assert!(probes.iter().all(|probes| *probes < 1_000), "{length} bytes besides the number: {probes:?}");
    }
}

#[test]
fn a_migration_that_begins_at_three_quarters_ends_before_the_room_does() {
    for keys in [8, 16, 64, 1_024] {
        let mut table = table(keys);
        table.add_segment(touched(keys));
        let put = |table: &mut KeyTable<Key, ()>| {
            let key = Key(table.len() as u64);
            let hash = table.find(&key).expect_err("counts up");
            table.insert(key, hash, ()).1
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
        assert!(
            (0..table.len()).all(|slot| table.find(&Key(slot as u64)).map(SlotNumber::index) == Ok(slot))
        );
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
    table.add_segment(touched(64));
    for key in (0..110).map(Key) {
        let hash = table.find(&key).expect_err("counts up");
        _ = table.insert(key, hash, ());
    }
    assert_eq!(table.offer_index(empty_index(256)), None);
    assert_eq!(table.index_headroom(), 2, "seven eighths of 128 less those there are");
    assert_eq!(table.migrate(100), None);
    assert_eq!(table.index_headroom(), 192 - 110, "the ten that are left migrate with two more");
}

/// Keys of a type come and go in a table that is emptied again and again, and grows meanwhile.
fn compare<K: Hash + Eq + Clone + fmt::Debug + 'static>(key: impl Fn(u64) -> K) {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let range = 1 << random.u32(1..14);
        let mut table = KeyTable::<K, u64>::new(16 << random.u32(0..4), 16 << random.u32(0..3));
        for _ in 0..random.usize(1..6) {
            let mut oracle = HashMap::new();
            let mut order = Vec::new();
            for _ in 0..random.usize(0..range + 1) {
                let key = key(random.u64(0..range as u64));
                let next = oracle.len();
                oracle.entry(key.clone()).and_modify(|(_, sum)| *sum += 1).or_insert_with(|| {
                    order.push(key.clone());
                    (next, 1)
                });
                match table.base().value(&key) {
                    Ok(sum) => *sum += 1,
                    Err(stopped) => {
                        let Err((key, begun)) = table.insert_in_base(stopped, key, 1) else { continue };
                        match table.find(&key) {
                            Ok(slot) => table.at_mut(slot).1 += 1,
                            Err(hash) => {
                                if !table.has_room() {
                                    table.make_room();
                                }
                                _ = table.insert(key, hash, begun);
                            }
                        }
                    }
                }
                if random.u8(..) == 0 && table.index_length() < 1 << 14 {
                    _ = table.offer_index(empty_index(table.next_index_length(table.len())));
                }
            }
            assert_eq!(table.len(), oracle.len(), "seed {seed}");
            for (key, (slot, sum)) in &oracle {
                let found = table.find(key).map(|slot| (slot.index(), table.entries.at(slot.index()).1));
                assert_eq!(found, Ok((*slot, *sum)), "seed {seed}: {key:?}");
            }
            assert!(table.iter().map(|(key, _)| key).eq(&order));
            if random.bool() {
                table.begin_to_empty();
                let taken: Vec<_> = iter::from_fn(|| table.take_next()).map(|(key, _)| key).collect();
                assert_eq!(taken, order, "seed {seed}");
                assert!(table.is_emptied());
            } else {
                table.begin_to_empty();
                while table.take_next().is_some() {}
            }
            assert!(order.iter().all(|key| table.find(key).is_err() && table.len() == 0), "seed {seed}");
            assert!(table.index.iter().chain(&table.next).chain(&table.direct).all(|slot| *slot == FREE));
        }
    }
}

#[test]
fn a_table_agrees_with_a_map_when_it_is_used_again_and_again() {
    compare(|n| n);
    compare(|n| n * 1_000);
    compare(|n| n.cast_signed() - 50);
    compare(|n| u16::try_from(n).expect("few"));
    compare(Key);
    compare(|_| ());
    compare(|n| format!("key {n}"));
}

/// Keys come and go, beside a map.
fn compare_with_removal<K: Hash + Eq + Clone + fmt::Debug + 'static>(key: impl Fn(u64) -> K) {
    for seed in 0..100 {
        let mut random = fastrand::Rng::with_seed(seed);
        let range = 1 << random.u32(2..12);
        let mut table = KeyTable::<K, u64>::new(16, 16);
        let mut oracle: HashMap<K, u64> = HashMap::new();
        // Now they become more, now fewer.
        let mut come = random.u8(..);
        for n in 0..random.u64(0..5_000) {
            if random.u8(..) == 0 {
                come = random.u8(..);
            }
            let key = key(random.u64(0..range));
            let found = table.find(&key);
            match found {
                Ok(slot) if random.u8(..) > come => {
                    let last = table.len() - 1;
                    let moved = table.entries.at(last).0.clone();
                    let (taken, from) = table.remove(slot);
                    assert_eq!(Some(taken.1), oracle.remove(&key), "seed {seed}: {key:?}");
                    assert_eq!(taken.0, key);
                    let expected = (slot.index() != last).then_some(last);
                    assert_eq!(from.map(SlotNumber::index), expected);
                    assert!(from.is_none() || table.at_mut(slot).0 == moved, "the last gets its number");
                }
                Ok(slot) => assert_eq!(Some(&table.at_mut(slot).1), oracle.get(&key), "seed {seed}: {key:?}"),
                Err(hash) => {
                    assert_eq!(oracle.insert(key.clone(), n), None, "seed {seed}: {key:?}");
                    if !table.has_room() {
                        table.make_room();
                    }
                    _ = table.insert(key, hash, n);
                }
            }
            if random.u8(..) < 4 && table.index_length() < 1 << 12 {
                _ = table.take_index(empty_index(table.next_index_length(table.len())));
            }
            if random.u8(..) < 16 {
                _ = table.migrate(random.usize(0..40));
            }
        }
        assert_eq!(table.len(), oracle.len());
        for (key, value) in &oracle {
            let slot = table.find(key).expect("it is in the map");
            assert_eq!(table.at_mut(slot), &mut (key.clone(), *value), "seed {seed}");
        }
        while table.len() > 0 {
            let slot = SlotNumber::new(random.u32(0..number(table.len())));
            let ((key, value), _) = table.remove(slot);
            assert_eq!(oracle.remove(&key), Some(value));
        }
        assert!(table.index.iter().chain(&table.next).chain(&table.direct).all(|slot| *slot == FREE));
    }
}

#[test]
fn keys_can_be_taken_out_one_by_one_also_while_others_migrate() {
    compare_with_removal(|n| n);
    compare_with_removal(|n| n * 1_000);
    compare_with_removal(|n| Key(n << 48));
    compare_with_removal(|_| ());
    compare_with_removal(|n| format!("key {n}"));
}
