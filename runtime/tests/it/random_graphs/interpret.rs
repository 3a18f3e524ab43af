//! Programs interpreted one operator after the other, on vectors.
//!
//! All that disorder has to do with the outcome is in one number for each record: the watermark of its own input as it
//! stood before the record, which is what the record is judged by. What is made out of state is never late.

use std::collections::{BTreeMap, HashMap};

use super::{
    Item,
    generate::{Does, Input, Program, Step, Trigger, functions},
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
        program.sources.iter().map(|input| new(read(input, &program.edges()), true)).collect();
    let mut late = 0;
    for step in &program.steps {
        let on = streams[step.on].take().expect("a stream is taken once");
        let and = if step.does.takes_two() { streams[step.and].take() } else { None };
        let own = on.own && and.as_ref().is_none_or(|and| and.own);
        let keeps_accounts = on.own;
        let late_for_each = late_for_each(*step, &on.facts);
        let made = apply(*step, on.facts, and.map(|and| and.facts));
        let (own, side_own) = match step.does {
            Does::Window { .. }
            | Does::WindowInChain { .. }
            | Does::KeptWindow { .. }
            | Does::Session { .. }
            | Does::Counted { .. }
            | Does::Early { .. }
            | Does::Global(_) => {
                late += if keeps_accounts { made[1].len() as u64 } else { 0 };
                (false, false)
            }
            Does::WindowEach { .. } => {
                late += if keeps_accounts { late_for_each } else { 0 };
                (false, false)
            }
            Does::WindowJoin { .. } | Does::IntervalJoin { .. } => {
                late += if own { made[1].len() as u64 } else { 0 };
                (false, false)
            }
            Does::Reduce | Does::Scan | Does::Rekey(_) | Does::Process(_) => (false, false),
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

/// What a source reads, of one part after the other: each is judged as if it were alone.
fn read(input: &Input, edges: &[(i64, i64)]) -> Facts {
    input.parts.iter().flat_map(|part| read_part(part, input.disorder, edges)).collect()
}

/// What a part reads. Its watermark is passed on where it comes to an edge, and judges from then on.
fn read_part(records: &[(i64, Item)], disorder: i64, edges: &[(i64, i64)]) -> Facts {
    let (mut latest, mut judged_by) = (i64::MIN, i64::MIN);
    let fact = |&(time, item): &(i64, Item)| {
        let fact = Fact { time, item, judged_by };
        latest = latest.max(time);
        let watermark = latest - disorder;
        let crosses = |(period, phase): &(i64, i64)| {
            judged_by == i64::MIN
                || (watermark - phase).div_euclid(*period) > (judged_by - phase).div_euclid(*period)
        };
        if watermark > judged_by && edges.iter().any(crosses) {
            judged_by = watermark;
        }
        fact
    };
    records.iter().map(fact).collect()
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
        Does::Process(size) => process(on, size),
        Does::WindowJoin { size, every } => window_join(&on, &and.expect("a join takes two"), size, every),
        Does::IntervalJoin { lower, upper } => {
            interval_join(on, and.expect("a join takes two"), lower, upper)
        }
        Does::KeptWindow { size, every, allowed } => kept_window(&on, size, every, allowed),
        Does::Session { gap, odd } => session(on, gap, odd),
        Does::Counted { size, every } => counted(on, size as usize, every as usize),
        Does::Early { size, every, trigger } => early(&on, trigger, |fact| windows_over(fact, size, every)),
        Does::Global(records) => {
            early(&on, Trigger::Records { records, purges: false }, |_| vec![(i64::MIN, i64::MAX)])
        }
        Does::Window { size, every } => window(&on, size, every),
        Does::WindowEach { size, every } => {
            let [mut one, other] = [window(&on, size, every), window(&on, size * 2, size * 2)];
            one.extend(other);
            one
        }
        Does::WindowInChain { size, every } => {
            let mapped = on.iter().map(|fact| Fact { item: functions::map(fact.item, 3), ..*fact });
            let kept: Facts = mapped.filter(|fact| functions::keeps(&fact.item, 5)).collect();
            window(&kept, size, every)
        }
    }
}

/// How many records are late for both families of windows.
fn late_for_each(step: Step, on: &[Fact]) -> u64 {
    let Does::WindowEach { size, every } = step.does else { return 0 };
    let is_late = |fact: &&Fact| {
        let families = [(size, every), (size * 2, size * 2)];
        families.iter().all(|(size, every)| open_windows(fact, *size, *every).next().is_none())
    };
    on.iter().filter(is_late).count() as u64
}

/// Sums, and what was late for its stretch of time.
fn process(on: Facts, size: i64) -> Vec<Facts> {
    let mut sums: BTreeMap<(i64, u16), i64> = BTreeMap::new();
    let mut side = Facts::new();
    for fact in on {
        let last_instant = (fact.time.div_euclid(size) + 1) * size - 1;
        if fact.judged_by > last_instant {
            side.push(fact);
        } else {
            let sum = sums.entry((last_instant, fact.item.key)).or_default();
            *sum = sum.wrapping_add(fact.item.value);
        }
    }
    let sum = |((time, key), value)| Fact { time, item: Item { key, value }, judged_by: i64::MIN };
    vec![sums.into_iter().map(sum).collect(), side]
}

fn window_join(left: &[Fact], right: &[Fact], size: i64, every: i64) -> Vec<Facts> {
    let mut pairs = Facts::new();
    for l in left {
        for r in right.iter().filter(|r| r.item.key == l.item.key) {
            let both = open_windows(l, size, every);
            for start in both.filter(|start| open_windows(r, size, every).any(|other| other == *start)) {
                let item = functions::join(&l.item, &r.item);
                pairs.push(Fact { time: start + size - 1, item, judged_by: i64::MIN });
            }
        }
    }
    let is_late = |fact: &&Fact| open_windows(fact, size, every).next().is_none();
    let late = left.iter().chain(right).filter(is_late).map(|fact| Fact { judged_by: i64::MIN, ..*fact });
    vec![pairs, late.collect()]
}

fn interval_join(left: Facts, right: Facts, lower: i64, upper: i64) -> Vec<Facts> {
    let is_late = |fact: &Fact| fact.time < fact.judged_by;
    let (late_left, left): (Facts, Facts) = left.into_iter().partition(is_late);
    let (late_right, right): (Facts, Facts) = right.into_iter().partition(is_late);
    let pairs = left.iter().flat_map(|l| {
        let partners = right
            .iter()
            .filter(move |r| r.item.key == l.item.key && (l.time + lower..=l.time + upper).contains(&r.time));
        partners.map(|r| {
            let item = functions::join(&l.item, &r.item);
            Fact { time: l.time.max(r.time), item, judged_by: i64::MIN }
        })
    });
    let late = late_left.into_iter().chain(late_right);
    vec![pairs.collect(), late.map(|fact| Fact { judged_by: i64::MIN, ..fact }).collect()]
}

/// The starts of the windows that a record counts in.
fn open_windows(fact: &Fact, size: i64, every: i64) -> impl Iterator<Item = i64> {
    let Fact { time, judged_by, .. } = *fact;
    let last = time.div_euclid(every);
    let starts = (last - size / every - 1..=last).map(move |number| number * every);
    starts.filter(move |start| *start <= time && time < start + size && start + size > judged_by)
}

/// Counts and corrections of them, and records that come later than is allowed.
fn kept_window(on: &[Fact], size: i64, every: i64, allowed: i64) -> Vec<Facts> {
    let mut windows: BTreeMap<(i64, u16), [u64; 2]> = BTreeMap::new();
    let mut late = Facts::new();
    for fact in on {
        let kept = Fact { judged_by: fact.judged_by.saturating_sub(allowed), ..*fact };
        let open: Vec<_> = open_windows(fact, size, every).collect();
        let kept: Vec<_> = open_windows(&kept, size, every).collect();
        if kept.is_empty() {
            late.push(Fact { judged_by: i64::MIN, ..*fact });
        }
        for start in kept {
            let [on_time, corrections] = windows.entry((start, fact.item.key)).or_default();
            *if open.contains(&start) { on_time } else { corrections } += 1;
        }
    }
    let results = windows.into_iter().flat_map(|((start, key), [on_time, corrections])| {
        // The first result is of all that were on time, if any were; then there is one for each of the others.
        let counts = (on_time..=on_time + corrections).filter(|count| *count > 0).zip(0..);
        counts.map(move |(count, before)| {
            let item = functions::counted(key, before, count);
            Fact { time: start + size - 1, item, judged_by: i64::MIN }
        })
    });
    vec![results.collect(), late]
}

/// The last instant before a watermark is seen to have passed this one.
fn passes(time: i64, resolution: i64) -> i64 {
    time.saturating_add(resolution - 1 - time.rem_euclid(resolution))
}

/// What the records of a key come to, and when it is said.
fn figures(records: &[Fact], time: i64) -> Fact {
    let values = || records.iter().map(|fact| fact.item.value);
    let sum = values().map(i128::from).sum();
    let (min, max) = (values().min().expect("not empty"), values().max().expect("not empty"));
    let item = functions::digest(records[0].item.key, records.len() as u64, sum, min, max);
    Fact { time, item, judged_by: i64::MIN }
}

/// Sessions and late records. First come those that were not behind their watermark; then, for each watermark, those that were,
/// the latest first.
fn session(on: Facts, least: i64, odd: i64) -> Vec<Facts> {
    let resolution = (least / 16).max(1);
    let gap = |fact: &Fact| if fact.item.key % 2 == 1 { odd } else { least };
    let seen = |fact: &Fact| match fact.judged_by {
        i64::MIN => i64::MIN,
        watermark => watermark.div_euclid(resolution) * resolution,
    };
    let (mut behind, on_time): (Facts, Facts) = on.into_iter().partition(|fact| fact.time < seen(fact));
    behind.sort_unstable_by_key(|fact| (seen(fact), -fact.time));
    let end =
        |session: &Facts| session.iter().map(|fact| fact.time).max().expect("not empty") + gap(&session[0]);
    let start = |session: &Facts| session.iter().map(|fact| fact.time).min().expect("not empty");
    let (mut open, mut closed, mut late): (Vec<Facts>, Vec<Facts>, Facts) = Default::default();
    let belongs = |fact: &Fact, session: &Facts| {
        session[0].item.key == fact.item.key
            && fact.time < end(session)
            && start(session) - fact.time < gap(fact)
    };
    for fact in on_time.into_iter().chain(behind) {
        if fact.time < seen(&fact) {
            let (over, rest) = open.into_iter().partition(|session| end(session) <= seen(&fact));
            closed.extend::<Vec<_>>(over);
            open = rest;
            if fact.time + gap(&fact) <= seen(&fact) && !open.iter().any(|session| belongs(&fact, session)) {
                late.push(Fact { judged_by: i64::MIN, ..fact });
                continue;
            }
        }
        let (joined, rest): (Vec<_>, Vec<_>) = open.into_iter().partition(|session| belongs(&fact, session));
        open = rest;
        open.push(joined.into_iter().flatten().chain([fact]).collect());
    }
    let result = |session: Facts| figures(&session, passes(end(&session) - 1, resolution));
    vec![closed.into_iter().chain(open).map(result).collect(), late]
}

/// Windows of so many records, and late ones.
fn counted(on: Facts, size: usize, every: usize) -> Vec<Facts> {
    const RESOLUTION: i64 = 1_000_000;
    let seen = |fact: &Fact| match fact.judged_by {
        i64::MIN => i64::MIN,
        watermark => watermark.div_euclid(RESOLUTION) * RESOLUTION,
    };
    let (late, mut on_time): (Facts, Facts) = on.into_iter().partition(|fact| fact.time < seen(fact));
    on_time.sort_by_key(|fact| fact.time);
    let mut keys: BTreeMap<u16, Facts> = BTreeMap::new();
    on_time.into_iter().for_each(|fact| keys.entry(fact.item.key).or_default().push(fact));
    let windows = keys.values().flat_map(|records| records.windows(size).step_by(every));
    let result = |window: &[Fact]| figures(window, passes(window[size - 1].time, RESOLUTION));
    let late = late.into_iter().map(|fact| Fact { judged_by: i64::MIN, ..fact });
    vec![windows.map(result).collect(), late.collect()]
}

/// The starts and ends of the windows that a record lies in.
fn windows_over(fact: &Fact, size: i64, every: i64) -> Vec<(i64, i64)> {
    let all = Fact { judged_by: i64::MIN, ..*fact };
    open_windows(&all, size, every).map(|start| (start, start + size)).collect()
}

/// Results, early ones among them, and late records. Each window is looked at by itself: its records are taken up in order of time,
/// those behind a watermark at that, before the others and the latest first.
fn early(on: &[Fact], trigger: Trigger, windows: impl Fn(&Fact) -> Vec<(i64, i64)>) -> Vec<Facts> {
    const RESOLUTION: i64 = 1_000_000;
    let mut records: BTreeMap<(i64, i64, u16), Vec<(i64, Fact)>> = BTreeMap::new();
    let mut late = Facts::new();
    for fact in on {
        let seen = match fact.judged_by {
            i64::MIN => i64::MIN,
            watermark => watermark.div_euclid(RESOLUTION) * RESOLUTION,
        };
        let open: Vec<_> = windows(fact).into_iter().filter(|(_, end)| *end > seen).collect();
        if open.is_empty() {
            late.push(Fact { judged_by: i64::MIN, ..*fact });
        }
        for (start, end) in open {
            records.entry((end, start, fact.item.key)).or_default().push((fact.time.max(seen), *fact));
        }
    }
    let mut results = Facts::new();
    for ((end, _, _), mut records) in records {
        records.sort_by_key(|(now, fact)| (*now, fact.time == *now, -fact.time));
        let (mut added, mut alarm, mut count, mut number) = (Facts::new(), None, 0, 0);
        let mut say = |added: &Facts, is_early, time: i64| {
            let said = figures(added, passes(time, RESOLUTION));
            results.push(Fact { item: functions::numbered(said.item, is_early, number), ..said });
            number += 1;
        };
        for (now, fact) in records {
            if let Some(alarm) = alarm.take_if(|alarm| *alarm <= now) {
                say(&added, true, alarm - 1);
            }
            added.push(fact);
            count += 1;
            match trigger {
                Trigger::Time(time) => {
                    let next = (now.div_euclid(time) + 1) * time;
                    alarm = alarm.or(Some(next)).filter(|alarm| *alarm < end);
                }
                Trigger::Records { records, purges } if count % records == 0 => {
                    say(&added, true, now);
                    if purges {
                        added.clear();
                    }
                }
                Trigger::Records { .. } => {}
            }
        }
        if let Some(alarm) = alarm {
            say(&added, true, alarm - 1);
        }
        if !added.is_empty() {
            say(&added, false, end - 1);
        }
    }
    vec![results, late]
}

/// Results and late records.
fn window(on: &[Fact], size: i64, every: i64) -> Vec<Facts> {
    let mut windows: BTreeMap<(i64, u16), Vec<i64>> = BTreeMap::new();
    let mut late = Facts::new();
    for fact in on {
        let open: Vec<_> = open_windows(fact, size, every).collect();
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
