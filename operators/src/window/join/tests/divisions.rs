//! Windows whose slices are divided differently, as the number of records changes.

use super::*;

const HOP: i64 = 1_000;

type Pairs = Vec<(i64, u32, u32, u32)>;

/// A time, a key, a name, and whether it is a left one.
type Item = (i64, u32, u32, bool);

/// Records by hop: so many in each, a few of them of the hop before.
fn records(rates: &[u32], random: &mut fastrand::Rng) -> Vec<Vec<Item>> {
    let mut names = 0..;
    let hop = |(start, rate): (i64, &u32)| {
        let one = |_| {
            let early = if start > 0 && random.u8(..) < 20 { HOP } else { 0 };
            // One key has more than others, and there are others with few.
            let key = if random.u8(..) < 4 { 0 } else { random.u32(0..=rate / 2) };
            let name = names.next().expect("there is always one more");
            (start * HOP + random.i64(0..HOP) - early, key, name, random.bool())
        };
        (0..*rate).map(one).collect()
    };
    (0..).zip(rates).map(hop).collect()
}

/// The pairs in the order in which they come, and how many different divisions slices of one window had.
fn joined(hops: &[Vec<Item>], size: i64, limits: KeyLimits, cut: &mut fastrand::Rng) -> (Pairs, usize) {
    let nanos = |n: i64| Duration::from_nanos(n.unsigned_abs());
    let windows = Sliding::new(nanos(size), nanos(HOP)).unwrap();
    let mut join = WindowJoin::new(limits, windows, |left: &u32, right: &u32| (*left, *right));
    let mut out = Narrow::new(if cut.bool() { 1 } else { cut.usize(1..2_000) });
    let mut divisions = 1;
    for (hop, items) in (0..).zip(hops) {
        for &(time, key, name, is_left) in items {
            if cut.u8(..) == 0 {
                let _ = join.prepare(cut.usize(1..1_000));
            }
            let value = if is_left { Either::Left(name) } else { Either::Right(name) };
            let record = Record { time: Timestamp::from_nanos(time), value: Keyed { key, value } };
            join.on_record(record, &mut out);
        }
        let different: BTreeSet<_> = join.slices.iter().map(|slice| slice.division).collect();
        divisions = divisions.max(different.len());
        out.advance(&mut join, Watermark::at(Timestamp::from_nanos(hop * HOP)));
    }
    out.advance(&mut join, Watermark::END);
    assert_eq!((join.left.len(), join.right.len(), join.fault()), (0, 0, None));
    let pair = |record: Record<Windowed<u32, Either<u32, u32>, (u32, u32)>>| match record.value {
        Windowed::Result(WindowResult { window, key, value: (left, right), .. }) => {
            (window.start.as_nanos(), key, left, right)
        }
        Windowed::Late(_) => panic!("nothing is late"),
    };
    (out.seen.into_iter().map(pair).collect(), divisions)
}

fn naive(hops: &[Vec<Item>], size: i64) -> Pairs {
    let mut sides = BTreeMap::<(i64, u32), [Vec<u32>; 2]>::new();
    for &(time, key, name, is_left) in hops.iter().flatten() {
        let last = time.div_euclid(HOP) * HOP;
        for start in (0..).map(|back| last - back * HOP).take_while(|start| start + size > time) {
            sides.entry((start, key)).or_default()[usize::from(is_left)].push(name);
        }
    }
    let mut pairs = Vec::new();
    for ((start, key), [rights, lefts]) in sides {
        pairs.extend(
            lefts.iter().flat_map(|left| rights.iter().map(move |right| (start, key, *left, *right))),
        );
    }
    pairs.sort_unstable();
    pairs
}

#[test]
fn slices_that_are_divided_differently_make_up_one_window_and_the_order_is_always_the_same() {
    for (seed, size) in (0..).zip([HOP, 3 * HOP, 2 * HOP + 300]) {
        let mut random = fastrand::Rng::with_seed(seed);
        let hops = records(&[200, 6_000, 20_000, 300, 9_000, 10, 10], &mut random);
        // What is expected divides nothing: the records that came must.
        let limits = KeyLimits { expected: 0, ..KeyLimits::default() };
        let (pairs, divisions) = joined(&hops, size, limits, &mut random);
        assert!(divisions > 1, "size {size}: the test tries what it is about");
        for _ in 0..2 {
            assert!(joined(&hops, size, limits, &mut random).0 == pairs, "size {size}: another order");
        }
        let mut sorted = pairs;
        sorted.sort_unstable();
        assert!(sorted == naive(&hops, size), "size {size}: other pairs");
    }
}

#[test]
fn as_many_keys_as_are_allowed_may_be_in_a_window_and_no_more() {
    let mut random = fastrand::Rng::with_seed(7);
    let hops = records(&[3_000, 4_000, 500], &mut random);
    let mut keys = BTreeMap::<i64, BTreeSet<u32>>::new();
    for &(time, key, ..) in hops.iter().flatten() {
        let last = time.div_euclid(HOP);
        (last - 1..=last).for_each(|window| _ = keys.entry(window).or_default().insert(key));
    }
    let most = keys.values().map(BTreeSet::len).max().unwrap();
    let expected = naive(&hops, 2 * HOP);
    for expected_keys in [0, 100_000] {
        let limits = KeyLimits { expected: expected_keys, most, ..KeyLimits::default() };
        let (mut pairs, _) = joined(&hops, 2 * HOP, limits, &mut random);
        pairs.sort_unstable();
        assert!(pairs == expected, "a limit that is kept makes no difference");
    }
    let windows = Sliding::tumbling(Duration::from_nanos(10)).unwrap();
    for most in 0..5 {
        let limits = KeyLimits { most, ..KeyLimits::default() };
        let mut join = WindowJoin::new(limits, windows, |(): &(), (): &()| ());
        let mut out = Vec::new();
        // Two left keys, two right ones, one of both; and as many others in a window that is not over.
        let items =
            [(1, true), (1, false), (2, true), (3, false), (3, false), (11, true), (12, true), (13, true)];
        for (key, is_left) in items {
            let value = if is_left { Either::Left(()) } else { Either::Right(()) };
            let time = Timestamp::from_nanos(key);
            join.on_record(Record { time, value: Keyed { key, value } }, &mut out);
        }
        assert_eq!(join.fault(), None, "it is found when the window closes");
        assert_eq!(join.on_watermark(Watermark::at(Timestamp::from_nanos(10)), &mut out), Step::Done);
        assert_eq!(join.fault(), (most < 3).then_some(Fault::TooManyKeys { most }));
        assert_eq!(out.len(), usize::from(most >= 3), "the window goes out whole or not at all");
    }
}

#[test]
fn records_that_an_input_has_passed_do_not_count_however_they_are_divided() {
    let windows = Sliding::new(Duration::from_nanos(20), Duration::from_nanos(10)).unwrap();
    for expected in [0, 1_000_000] {
        let limits = KeyLimits { expected, ..KeyLimits::default() };
        let mut join = WindowJoin::new(limits, windows, |left: &u32, right: &u32| (*left, *right));
        let mut out = Vec::new();
        let mut add = |join: &mut WindowJoin<_, _, _, _>, judge, value| {
            join.judge_by(Watermark::at(Timestamp::from_nanos(judge)));
            for key in 0..1_000 {
                let record = Record { time: Timestamp::from_nanos(5), value: Keyed { key, value } };
                join.on_record(record, &mut out);
            }
        };
        // The second left ones and the first right ones do not count in the window that ends at 10.
        for (judge, value) in
            [(0, Either::Left(1)), (12, Either::Left(2)), (12, Either::Right(3)), (0, Either::Right(4))]
        {
            add(&mut join, judge, value);
        }
        assert_eq!(join.tally().missed_windows, 2_000);
        assert_eq!(join.on_watermark(Watermark::END, &mut out), Step::Done);
        let mut counts = BTreeMap::<_, usize>::new();
        for record in out {
            let Windowed::Result(WindowResult { window, value, .. }) = record.value else { panic!("late") };
            *counts.entry((window.end.as_nanos(), value)).or_default() += 1;
        }
        let pairs = [(10, (1, 4)), (20, (1, 3)), (20, (1, 4)), (20, (2, 3)), (20, (2, 4))];
        assert_eq!(counts, pairs.map(|pair| (pair, 1_000)).into());
    }
}

#[test]
fn a_key_whose_records_do_not_count_in_a_window_is_none_of_its_keys() {
    let windows = Sliding::new(Duration::from_nanos(20), Duration::from_nanos(10)).unwrap();
    for third in [Either::Left(()), Either::Right(())] {
        let limits = KeyLimits { most: 2, ..KeyLimits::default() };
        let mut join = WindowJoin::new(limits, windows, |(): &(), (): &()| ());
        let mut out = Vec::new();
        // The last does not count in the window that ends at 10, and is a key too many in the one that ends at 20.
        for (judge, key, value) in [(0, 1, Either::Left(())), (0, 2, Either::Right(())), (12, 3, third)] {
            join.judge_by(Watermark::at(Timestamp::from_nanos(judge)));
            let value = Keyed { key, value };
            join.on_record(Record { time: Timestamp::from_nanos(5), value }, &mut out);
        }
        assert_eq!(join.on_watermark(Watermark::at(Timestamp::from_nanos(10)), &mut out), Step::Done);
        assert_eq!(join.fault(), None);
        assert_eq!(join.on_watermark(Watermark::END, &mut out), Step::Done);
        assert_eq!(join.fault(), Some(Fault::TooManyKeys { most: 2 }));
    }
}
