//! Aggregates that do not commute: their records are in order of event time in any windows, whatever the number of workers, the
//! batches and the tier.

use std::collections::BTreeMap;

use fastrand::Rng;
use nacreous::{Aggregable, Counted, Monoid, Periods, ResultKind, Upstream, WindowedStream, prelude::*};

use crate::equivalence::{BATCHES, WORKERS, nanos};

/// A record's time, its key, and how many came before it.
type Item = (i64, u16, usize);

/// Which records there are, one behind the other.
#[derive(Clone)]
struct Sequence;

impl Aggregate<Item> for Sequence {
    type Acc = Vec<usize>;
    type Out = Vec<usize>;
    type Algebra = Monoid;

    fn lift(&self, item: &Item, _: Timestamp) -> Vec<usize> {
        vec![item.2]
    }

    fn combine(&self, acc: &mut Vec<usize>, later: &Vec<usize>) {
        acc.extend(later);
    }

    fn finish(&self, acc: Vec<usize>) -> Vec<usize> {
        acc
    }
}

/// Start, end, key, number, kind and records.
type Said = (i64, i64, u16, u32, ResultKind, Vec<usize>);

#[derive(Debug, Clone, Copy)]
enum Kind {
    Sliding,
    Kept,
    Periods,
    Session,
    KeptSession,
    Counted,
}

const DISORDER: i64 = 15;
const SIZE: i64 = 60;
const EVERY: i64 = 25;

/// Times with disorder, of which many are the same.
fn input(random: &mut Rng) -> Vec<Item> {
    let mut now = 0;
    let mut next = |number| {
        now += random.i64(0..7) * i64::from(random.bool());
        (now - random.i64(0..40) * i64::from(random.u8(0..4) == 0), random.u16(0..6), number)
    };
    (0..800).map(&mut next).collect()
}

/// All that is said, sorted, and which records were late.
fn run(input: &[Item], kind: Kind, options: JobOptions) -> (Vec<Said>, Vec<usize>) {
    let graph = Graph::new();
    let disorder = BoundedDisorder::new(nanos(DISORDER)).unwrap();
    let items = graph.iter(input.to_vec()).event_time(|item| Timestamp::from_nanos(item.0), disorder);
    let keyed = items.key_by(|item| item.1);
    let sliding = Sliding::new(nanos(SIZE), nanos(EVERY)).unwrap();
    let session = Session::with_gap(nanos(9)).unwrap();
    match kind {
        Kind::Sliding => said(graph, keyed.window(sliding), options),
        Kind::Kept => said(graph, keyed.window(sliding).allowed_lateness(nanos(10)).retracting(), options),
        Kind::Periods => {
            let starts = [0, 200, 230, 1_000].map(Timestamp::from_nanos);
            said(graph, keyed.window(Periods::starting(starts).unwrap()), options)
        }
        Kind::Session => said(graph, keyed.window(session), options),
        Kind::KeptSession => {
            said(graph, keyed.window(session).allowed_lateness(nanos(50)).retracting(), options)
        }
        Kind::Counted => said(graph, keyed.window(Counted::new(7, 3).unwrap()), options),
    }
}

fn said<U, W>(
    graph: Graph,
    windowed: WindowedStream<u16, Item, U, W>,
    options: JobOptions,
) -> (Vec<Said>, Vec<usize>)
where
    U: Upstream<Out = Keyed<u16, Item>>,
    W: Aggregable<u16, Item, Sequence>,
{
    let (results, late) = windowed.aggregate(Sequence);
    let (results, late) = (results.collect(), late.collect());
    graph.run(options).unwrap();
    let said = |result: WindowResult<u16, Vec<usize>>| {
        let WindowResult { window, key, value, kind, number, .. } = result;
        (window.start.as_nanos(), window.end.as_nanos(), key, number, kind, value)
    };
    let mut results: Vec<_> = results.take().into_iter().map(|record| said(record.value)).collect();
    results.sort_unstable();
    let mut late: Vec<_> = late.take().into_iter().map(|record| record.value.value.2).collect();
    late.sort_unstable();
    (results, late)
}

/// What sliding windows come to on time, as the semantics are worded.
fn naive(input: &[Item]) -> BTreeMap<(i64, i64, u16), Vec<usize>> {
    let mut windows: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut watermark = i64::MIN;
    for &(time, key, number) in input {
        let last = time.div_euclid(EVERY) * EVERY;
        let starts = (0..).map(|back| last - back * EVERY).take_while(|start| start + SIZE > time);
        for start in starts.filter(|start| start + SIZE > watermark) {
            windows.entry((start, start + SIZE, key)).or_default().push((time, number));
        }
        watermark = watermark.max(time - DISORDER);
    }
    let sorted = |mut records: Vec<(i64, usize)>| {
        records.sort_unstable();
        records.into_iter().map(|(_, number)| number).collect()
    };
    windows.into_iter().map(|(of, records)| (of, sorted(records))).collect()
}

#[test]
fn what_does_not_commute_comes_to_the_same_over_workers_batches_and_tiers() {
    let kinds = [Kind::Sliding, Kind::Kept, Kind::Periods, Kind::Session, Kind::KeptSession, Kind::Counted];
    for seed in 0..2 {
        let input = input(&mut Rng::with_seed(seed));
        for kind in kinds {
            let what = format!("seed {seed}: {kind:?}");
            let one = JobOptions { workers: 1, batch: 1, ..JobOptions::DEFAULT };
            let expected = run(&input, kind, one);
            check(&input, kind, &expected.0, &what);
            for (workers, batch) in
                WORKERS.into_iter().flat_map(|workers| BATCHES.map(|batch| (workers, batch)))
            {
                let tier = if workers == batch { Tier::Fused } else { Tier::Restless { seed } };
                let options = JobOptions { workers, batch, tier, ..JobOptions::DEFAULT };
                assert_eq!(
                    run(&input, kind, options),
                    expected,
                    "{what}, {workers} workers, batch {batch}, {tier:?}"
                );
            }
        }
    }
}

/// Whether records are in order, which is not that in which they came; in sliding windows, whether they are all there.
fn check(input: &[Item], kind: Kind, said: &[Said], what: &str) {
    let place = |number: &usize| (input[*number].0, *number);
    assert!(said.iter().all(|(.., numbers)| numbers.is_sorted_by_key(place)), "{what}");
    let disordered = said.iter().filter(|(.., numbers)| !numbers.is_sorted()).count();
    assert!(disordered > 10, "{what}: {disordered}");
    if matches!(kind, Kind::Sliding | Kind::Kept) {
        let on_time = said.iter().filter(|said| said.4 == ResultKind::OnTime);
        let on_time = on_time.map(|(start, end, key, .., numbers)| ((*start, *end, *key), numbers.clone()));
        assert_eq!(on_time.collect::<BTreeMap<_, _>>(), naive(input), "{what}");
    }
}
