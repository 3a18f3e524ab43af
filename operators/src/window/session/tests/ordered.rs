//! Aggregates that do not commute, beside one that does and has all the records: the sessions are the same, and in each are
//! its records in order.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::window::sequence::Sequence;

/// All values, whatever their order.
#[derive(Clone)]
struct All;

impl Aggregate<u32> for All {
    type Acc = BTreeSet<u32>;
    type Out = Vec<u32>;
    type Algebra = crate::CommutativeMonoid;

    fn lift(&self, value: &u32, _: Timestamp) -> BTreeSet<u32> {
        BTreeSet::from([*value])
    }

    fn combine(&self, acc: &mut BTreeSet<u32>, other: &BTreeSet<u32>) {
        acc.extend(other);
    }

    fn finish(&self, acc: BTreeSet<u32>) -> Vec<u32> {
        acc.into_iter().collect()
    }
}

type Out = Vec<Record<Windowed<u32, u32, Vec<u32>>>>;

/// What comes out, and the values in the order in which they came. All is kept that is needed, and nothing in the end.
fn run<A: Aggregate<u32, Out = Vec<u32>>>(
    case: Case,
    aggregate: A,
    inputs: &[Input<u32>],
    random: &mut fastrand::Rng,
    check: impl Fn(&SessionFold<u32, A, u32>),
) -> (Out, Vec<u32>, Tally) {
    let keys = random.u32(1..5);
    let mut fold = SessionFold::new(case.session(), aggregate, KeyLimits::default());
    if case.allowed > 0 || case.retracts {
        fold = fold
            .with_lateness(Span::at_most(Duration::from_nanos(case.allowed.unsigned_abs())), case.retracts);
    }
    match random.u64(0..3) {
        0 => {}
        1 => fold.connect(&mut Late::new(7)),
        _ => fold.connect(&mut Never),
    }
    let mut out = Narrow::new(random.usize(1..6));
    let order = play(inputs, &mut fold, &mut out, random, |value| Keyed { key: value % keys, value });
    out.advance(&mut fold, Watermark::END);
    assert_eq!((fold.keys.len(), fold.lines.len()), (0, 0), "nothing is kept in the end");
    check(&fold);
    (out.seen, order, fold.tally())
}

#[test]
fn the_records_of_a_session_are_in_order_of_time_and_then_as_they_came() {
    let (mut again, mut disordered) = (0, 0);
    for seed in 0..1_500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let case = Case::random(&mut random);
        let mut value = 0;
        let inputs: Vec<Input<u32>> = (0..random.usize(1..4))
            .map(|_| {
                random_input(&mut random, |_| {
                    value += 1;
                    value
                })
            })
            .collect();
        let times: BTreeMap<u32, i64> =
            judged(&inputs).into_iter().map(|(time, value, _)| (value, time)).collect();
        let (found, order, tally) = run(case, Sequence, &inputs, &mut random.clone(), |fold| {
            let (_, retired) = fold.memory.retired();
            assert_eq!(retired, fold.memory.len(), "nor are records");
        });
        let (mut expected, other_order, other_tally) = run(case, All, &inputs, &mut random, |_| {});
        assert_eq!((&order, tally), (&other_order, other_tally));
        let came: BTreeMap<u32, usize> = order.iter().copied().zip(0..).collect();
        for record in &mut expected {
            let Windowed::Result(result) = &mut record.value else { continue };
            again += usize::from(result.kind != ResultKind::OnTime);
            result.value.sort_unstable_by_key(|value| (times[value], came[value]));
            disordered += usize::from(!result.value.is_sorted_by_key(|value| came[value]));
        }
        assert_eq!(found, expected, "seed {seed}: {case:?}: {inputs:?}");
    }
    assert!(again > 1_000 && disordered > 1_000, "{again} again, {disordered} not as they came");
}

#[test]
fn whoever_heeds_it_never_makes_room_on_the_spot() {
    for seed in 0..8 {
        let mut random = fastrand::Rng::with_seed(seed);
        let session = Session::with_gap(Duration::from_nanos(50)).unwrap();
        let mut fold = SessionFold::<u32, _, u32>::new(session, Sequence, KeyLimits::default());
        fold.connect(&mut Late::new(seed));
        let mut out = Narrow::new(usize::MAX);
        for n in 0..12_000_u32 {
            while fold.prepare(1) == Prepared::Waiting {}
            let room = fold.memory.room();
            let now = i64::from(n);
            // An input that is ahead: many records are behind its watermark, and held.
            fold.judge_by(Watermark::at(Timestamp::from_nanos(now)));
            let value = Keyed { key: random.u32(0..2_000), value: n };
            fold.on_record(Record { time: Timestamp::from_nanos(now - random.i64(-9..45)), value }, &mut out);
            if n % 6_000 == 5_999 {
                out.advance(&mut fold, Watermark::at(Timestamp::from_nanos(now)));
            }
            assert_eq!(fold.memory.room(), room, "seed {seed}, record {n}: made on the spot");
        }
        assert!(fold.memory.room().0 > 2, "it has grown");
    }
}
