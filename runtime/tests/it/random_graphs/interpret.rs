//! Programs interpreted one operator after the other, on vectors.
//!
//! All that disorder has to do with the outcome is in one number for each record: the watermark of its own input as it
//! stood before the record, which is what the record is judged by. What is made out of state is never late.

use std::collections::{BTreeMap, HashMap};

use super::{
    Item,
    generate::{Does, Input, Program, Step, functions},
};

#[derive(Debug, Clone, Copy)]
struct Fact {
    time: i64,
    item: Item,
    judged_by: i64,
}

pub(crate) struct Expected {
    /// What comes out of each loose end, sorted.
    pub(crate) outputs: Vec<Vec<(i64, Item)>>,
    /// Records of sources that were late, and not those made of them.
    pub(crate) late: u64,
}

type Facts = Vec<Fact>;

/// The facts of a stream, and whether they are a source's own.
struct Stream {
    facts: Facts,
    own: bool,
}

pub(crate) fn run(program: &Program) -> Expected {
    let new = |facts, own| Some(Stream { facts, own });
    let mut streams: Vec<Option<Stream>> =
        program.sources.iter().map(|input| new(read(input), true)).collect();
    let mut late = 0;
    for step in &program.steps {
        let on = streams[step.on].take().expect("a stream is taken once");
        let and = if step.does.takes_two() { streams[step.and].take() } else { None };
        let own = on.own && and.as_ref().is_none_or(|and| and.own);
        let keeps_accounts = on.own;
        let made = apply(*step, on.facts, and.map(|and| and.facts));
        let (own, side_own) = match step.does {
            Does::Window { .. } | Does::WindowInChain { .. } => {
                late += if keeps_accounts { made[1].len() as u64 } else { 0 };
                (false, false)
            }
            Does::Reduce | Does::Scan | Does::Rekey(_) => (false, false),
            Does::TryMap(_) => (own, false),
            _ => (own, own),
        };
        for (number, facts) in made.into_iter().enumerate() {
            streams.push(new(facts, if number == 0 { own } else { side_own }));
        }
    }
    let outputs = streams.into_iter().flatten().map(|stream| {
        let mut records: Vec<_> = stream.facts.into_iter().map(|fact| (fact.time, fact.item)).collect();
        records.sort_unstable();
        records
    });
    Expected { outputs: outputs.collect(), late }
}

fn read(input: &Input) -> Facts {
    let mut latest = i64::MIN;
    let fact = |&(time, item): &(i64, Item)| {
        let judged_by = latest.saturating_sub(input.disorder);
        latest = latest.max(time);
        Fact { time, item, judged_by }
    };
    input.records.iter().map(fact).collect()
}

fn apply(step: Step, on: Facts, and: Option<Facts>) -> Vec<Facts> {
    let each = |f: &dyn Fn(Item) -> Vec<Item>| -> Facts {
        on.iter().flat_map(|fact| f(fact.item).into_iter().map(|item| Fact { item, ..*fact })).collect()
    };
    match step.does {
        Does::Map(n) => vec![each(&|item| vec![functions::map(item, n)])],
        Does::Filter(n) => vec![each(&|item| if functions::keeps(&item, n) { vec![item] } else { vec![] })],
        Does::FilterMap(n) => vec![each(&|item| functions::filter_map(item, n).into_iter().collect())],
        Does::FlatMap(n) => vec![each(&|item| functions::flat_map(item, n).collect())],
        Does::TryMap(n) => vec![
            each(&|item| functions::try_map(item, n).into_iter().collect()),
            each(&|item| functions::try_map(item, n).err().into_iter().collect()),
        ],
        Does::Split(n) => {
            let (these, others) = on.iter().partition(|fact| functions::keeps(&fact.item, n));
            vec![these, others]
        }
        Does::BroadcastTwo => vec![on.clone(), on],
        Does::BroadcastThree => vec![on.clone(), on.clone(), on],
        Does::Merge => vec![on.into_iter().chain(and.expect("a merge takes two")).collect()],
        Does::Isolate | Does::OrderBy => vec![on],
        Does::Chain(n) => vec![each(&|item| {
            let item = functions::map(item, n);
            if functions::keeps(&item, n) { vec![functions::map(item, n + 1)] } else { vec![] }
        })],
        Does::Reduce => {
            let mut state = HashMap::new();
            let reduced = on.into_iter().map(|fact| {
                let acc = state.entry(fact.item.key).and_modify(|acc| functions::reduce(acc, fact.item));
                Fact { item: *acc.or_insert(fact.item), ..fact }
            });
            vec![reduced.collect()]
        }
        Does::Scan => {
            let mut state = HashMap::new();
            let scan = |fact: Fact| {
                let seen = state.entry(fact.item.key).or_insert(0);
                Fact { item: functions::scan(seen, fact.item), ..fact }
            };
            vec![on.into_iter().map(scan).collect()]
        }
        Does::Rekey(keys) => vec![each(&|item| vec![functions::rekeyed(item, keys)])],
        Does::Window { size, every } => window(&on, size, every),
        Does::WindowInChain { size, every } => {
            let mapped = on.iter().map(|fact| Fact { item: functions::map(fact.item, 3), ..*fact });
            let kept: Facts = mapped.filter(|fact| functions::keeps(&fact.item, 5)).collect();
            window(&kept, size, every)
        }
    }
}

/// Results and late records.
fn window(on: &[Fact], size: i64, every: i64) -> Vec<Facts> {
    let mut windows: BTreeMap<(i64, u16), Vec<i64>> = BTreeMap::new();
    let mut late = Facts::new();
    for fact in on {
        let last = fact.time.div_euclid(every);
        let starts = (last - size / every - 1..=last).map(|number| number * every);
        let over = starts.filter(|start| *start <= fact.time && fact.time < start + size);
        let open: Vec<_> = over.filter(|start| start + size > fact.judged_by).collect();
        if open.is_empty() {
            late.push(Fact { judged_by: i64::MIN, ..*fact });
        }
        for start in open {
            windows.entry((start, fact.item.key)).or_default().push(fact.item.value);
        }
    }
    let result = |((start, key), values): ((i64, u16), Vec<i64>)| {
        let sum = values.iter().map(|value| i128::from(*value)).sum();
        let (min, max) = (values.iter().min().expect("not empty"), values.iter().max().expect("not empty"));
        let item = functions::digest(key, values.len() as u64, sum, *min, *max);
        Fact { time: start + size - 1, item, judged_by: i64::MIN }
    };
    vec![windows.into_iter().map(result).collect(), late]
}
