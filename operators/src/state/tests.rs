//! Keyed state against a map, through many growths, with memory that comes at once, late, or never.

use std::{cell::Cell, collections::HashMap, hash::Hasher};

use super::*;
use crate::supply::tests::{Late, Never};

fn limits(expected: usize) -> KeyLimits {
    KeyLimits { expected, ..KeyLimits::default() }
}

thread_local! {
    static HASHED: Cell<usize> = const { Cell::new(0) };
}

/// A key that counts how often it is hashed: once when it is looked up, once when it migrates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counted(u64);

impl Hash for Counted {
    fn hash<H: Hasher>(&self, state: &mut H) {
        HASHED.set(HASHED.get() + 1);
        self.0.hash(state);
    }
}

/// The most keys that one call hashed.
#[derive(Debug, Default)]
struct Hashed {
    prepare: usize,
    entry: usize,
}

fn hashed<R>(most: &mut usize, call: impl FnOnce() -> R) -> R {
    HASHED.set(0);
    let result = call();
    *most = HASHED.get().max(*most);
    result
}

/// Looks up keys of which many are new, batch by batch, and compares with a map.
fn compare(state: &mut KeyedState<Counted, u64>, seed: u64, heed: bool) -> Hashed {
    let mut random = fastrand::Rng::with_seed(seed);
    let range = 1 << random.u32(1..15);
    let stride = 1 << random.u32(0..40);
    let batch = random.usize(1..100);
    let mut oracle = HashMap::new();
    let mut most = Hashed::default();
    for round in 0..20_000 / batch {
        let mut waits = 0;
        while hashed(&mut most.prepare, || state.prepare(batch)) == Prepared::Waiting && heed {
            waits += 1;
            assert!(waits < 1_000, "seed {seed}, round {round}: waits for what does not come");
        }
        for _ in 0..batch {
            let key = random.u64(0..range) * stride;
            let next = oracle.len();
            let (expected, sum) = oracle.entry(key).or_insert((next, 0));
            *sum += 1;
            hashed(&mut most.entry, || {
                let (slot, found, value) = state.entry(Counted(key), || 0).expect("as many as one likes");
                *value += 1;
                assert_eq!((slot.index(), found.0, *value), (*expected, key, *sum), "seed {seed}");
            });
        }
        assert_eq!(state.len(), oracle.len());
    }
    let all = state.iter().map(|(key, sum)| (key.0, *sum)).enumerate();
    assert!(all.into_iter().all(|(slot, (key, sum))| oracle[&key] == (slot, sum)), "seed {seed}");
    most
}

/// A key looked up in line and out of line, and those that migrate with a new one.
const HASHED_BY_ENTRY: usize = 2 + 8;

#[test]
fn state_agrees_with_a_map_and_no_call_lets_many_keys_migrate() {
    for seed in 0..100 {
        let mut state = KeyedState::new(limits(1 << (seed % 9)));
        if seed % 2 == 0 {
            state.connect(&mut Late::new(seed));
        }
        let most = compare(&mut state, seed, true);
        assert!(most.entry <= HASHED_BY_ENTRY, "seed {seed}: {most:?}");
        assert!(most.prepare <= MIGRATE_PER_PREPARE, "seed {seed}: {most:?}");
    }
}

#[test]
fn state_whose_memory_comes_when_nobody_waits_for_it_or_never_agrees_with_a_map() {
    for seed in 0..60 {
        let mut state = KeyedState::new(limits(1 << (seed % 9)));
        match seed % 2 {
            0 => state.connect(&mut Late::new(seed)),
            _ => state.connect(&mut Never),
        }
        compare(&mut state, seed, false);
    }
}

#[test]
fn state_that_nobody_prepares_grows_step_by_step_too() {
    let mut state = KeyedState::new(limits(16));
    let mut most = 0;
    for key in 0..100_000 {
        hashed(&mut most, || state.intern(Counted(key), || ()));
    }
    assert!(most <= HASHED_BY_ENTRY, "{most}");
}

#[test]
fn as_many_records_as_no_growth_would_give_at_once_are_prepared_for() {
    for seed in 0..20 {
        let mut state = KeyedState::<u64, u64>::new(limits(16));
        state.connect(&mut Late::new(seed));
        let mut waits = 0;
        while state.prepare(100_000) == Prepared::Waiting {
            waits += 1;
            assert!(waits < 10_000);
        }
        state.connect(&mut Never);
        for key in 0..100_000 {
            assert!(state.table.has_room(), "seed {seed}: at {key}");
            assert!(state.entry(key, || 0).is_some());
        }
    }
}

#[test]
fn a_key_beyond_those_allowed_is_refused_and_known_ones_go_on() {
    for (expected, most) in [(1, 0), (1, 1), (16, 100), (1_000, 100), (16, 24), (16, 25)] {
        let mut state = KeyedState::new(KeyLimits { expected, most, ..KeyLimits::default() });
        state.connect(&mut Never);
        for round in 0..3 {
            for key in 0..most {
                let (slot, ..) = state.entry(key, || round).expect("an allowed key");
                assert_eq!((slot.index(), state.fault().is_some()), (key, round > 0));
            }
            for key in most..most + 10 {
                assert!(state.entry(key, || panic!("begun although refused")).is_none());
            }
            assert_eq!(state.fault(), Some(Fault::TooManyKeys { most }));
            assert_eq!(state.len(), most);
            assert_eq!(state.prepare(1_000), Prepared::Ready, "no more is needed than is allowed");
        }
    }
}

#[test]
fn keys_with_heap_are_interned_too() {
    let mut state = KeyedState::new(limits(1));
    let slots = ["a", "b", "a", "c", "b"].map(|key| state.intern(key.to_owned(), || ()).unwrap().index());
    assert_eq!(slots, [0, 1, 0, 2, 1]);
    let clone = state.clone();
    assert!(clone.is_empty() && !state.is_empty());
    assert_eq!(state.at(SlotNumber::new(2)).0, "c");
}

#[test]
fn memory_that_is_not_needed_any_more_goes_back_and_is_not_freed_here() {
    let mut late = Late::new(7);
    let mut state = KeyedState::<u64, u64>::new(limits(16));
    state.connect(&mut late);
    for key in 0..10_000 {
        while state.prepare(1) == Prepared::Waiting {}
        assert!(state.entry(key, || 0).is_some());
    }
    // Indices of 32, 64, ... and 8192 places have been outgrown; larger ones may be under way.
    assert!(late.given_back() >= 9, "{}", late.given_back());
}

#[test]
fn no_more_memory_is_asked_for_than_the_keys_allowed_need() {
    let mut late = Late::new(3);
    let mut state = KeyedState::<u64, u64>::new(KeyLimits { expected: 64, most: 64, ..KeyLimits::default() });
    state.connect(&mut late);
    for key in 0..100 {
        assert_eq!(state.prepare(50), Prepared::Ready);
        assert_eq!(state.entry(key, || 0).is_some(), key < 64);
    }
    assert_eq!(late.asked(), 0);
}
