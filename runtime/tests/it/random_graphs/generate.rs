//! Programs: what a graph does, as data.

use fastrand::Rng;

use super::Item;

/// A graph: sources, then operators, each on streams that came before it. A stream that no operator takes ends in a
/// sink.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) sources: Vec<Input>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Debug)]
pub(crate) struct Input {
    /// Its parts: one, unless it is cut into several.
    pub(crate) parts: Vec<Vec<(i64, Item)>>,
    /// How far out of order each part says that its records come.
    pub(crate) disorder: i64,
}

/// An operator and the streams it takes. Streams are numbered in the order in which they come about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) does: Does,
    pub(crate) on: usize,
    /// For those that take two.
    pub(crate) and: usize,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Does {
    Map(i64),
    Filter(i64),
    FilterMap(i64),
    FlatMap(i64),
    /// Refuses multiples.
    TryMap(i64),
    Split(i64),
    BroadcastTwo,
    BroadcastThree,
    Merge,
    Isolate,
    OrderBy,
    /// A map, a filter and another map, fused.
    Chain(i64),
    Reduce,
    Scan,
    /// A tumbling sum put together by hand, with timers.
    Process(i64),
    WindowJoin {
        size: i64,
        every: i64,
    },
    IntervalJoin {
        lower: i64,
        upper: i64,
    },
    /// Grouped by another key, and by the same one again.
    Rekey(u16),
    Window {
        size: i64,
        every: i64,
    },
    /// Of two families that share slices: these, and such as are twice as long and do not overlap.
    WindowEach {
        size: i64,
        every: i64,
    },
    /// Windows that are kept for a while after they have fired. What comes of it goes nowhere but into a sink: how late a correction
    /// is to others depends on how far the inputs happen to have come.
    KeptWindow {
        size: i64,
        every: i64,
        allowed: i64,
    },
    /// Sessions that end after such a gap, and those of odd keys after another, which is no less.
    Session {
        gap: i64,
        odd: i64,
    },
    /// Windows of so many records, one beginning every so many.
    Counted {
        size: u32,
        every: u32,
    },
    /// Windows with results before their end.
    Early {
        size: i64,
        every: i64,
        trigger: Trigger,
    },
    /// All of time, with a result after each so many records.
    Global(u32),
    /// With a map and a filter before it and a map behind it, all fused where there is one worker.
    WindowInChain {
        size: i64,
        every: i64,
    },
}

/// When there are results before the end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trigger {
    /// At multiples of a time.
    Time(i64),
    /// After so many records; what has been said is let go of or not.
    Records { records: u32, purges: bool },
}

/// What is known of a stream while a program is being made.
#[derive(Debug, Clone, Copy)]
struct Known {
    taken: bool,
    /// Its records come in one order, whatever the number of workers.
    ordered: bool,
}

const STEPS_MAX: usize = 12;
const PARTS_MAX: usize = 4;
/// So that a few `flat_map`s in a row do not make millions.
const RECORDS_MAX: usize = 400;

impl Program {
    pub(crate) fn generate(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let sources: Vec<_> = (0..random.usize(1..=3)).map(|_| Input::generate(&mut random)).collect();
        let known = |input: &Input| Known { taken: false, ordered: input.parts.len() == 1 };
        let mut streams: Vec<_> = sources.iter().map(known).collect();
        let mut steps = Vec::new();
        for _ in 0..random.usize(1..=STEPS_MAX) {
            let free: Vec<_> = (0..streams.len()).filter(|stream| !streams[*stream].taken).collect();
            let Some(on) = random.choice(&free).copied() else { break };
            let other: Vec<_> = free.iter().copied().filter(|stream| *stream != on).collect();
            let and = random.choice(&other).copied();
            let does = Does::generate(&mut random, streams[on], and.is_some());
            let and = and.filter(|_| does.takes_two()).unwrap_or(on);
            (streams[on].taken, streams[and].taken) = (true, true);
            let known =
                Known { taken: does.goes_nowhere(), ordered: streams[on].ordered && does.keeps_order() };
            streams.extend((0..does.outputs()).map(|_| known));
            steps.push(Step { does, on, and });
        }
        Self { sources, steps }
    }

    /// The watermarks that some operator waits for: the period and the phase of each kind.
    pub(crate) fn edges(&self) -> Vec<(i64, i64)> {
        let edges = self.steps.iter().filter_map(|step| match step.does {
            Does::Window { size, every }
            | Does::WindowInChain { size, every }
            | Does::WindowEach { size, every }
            | Does::WindowJoin { size, every } => Some((every, size % every)),
            Does::KeptWindow { size, every, .. } | Does::Early { size, every, .. } => {
                Some((every, size % every))
            }
            Does::Process(size) => Some((size, 1)),
            Does::Session { gap, .. } => Some(((gap / 16).max(1), 0)),
            Does::IntervalJoin { .. } | Does::Counted { .. } | Does::Global(_) => Some((1_000_000, 0)),
            _ => None,
        });
        let others = self.steps.iter().filter_map(|step| match step.does {
            Does::KeptWindow { size, every, allowed } => Some((every, (size + allowed) % every)),
            Does::WindowEach { size, .. } => Some((size * 2, 0)),
            Does::Early { .. } => Some((1_000_000, 0)),
            _ => None,
        });
        edges.chain(others).collect()
    }
}

impl Input {
    fn generate(random: &mut Rng) -> Self {
        let disorder = if random.bool() { 0 } else { random.i64(0..100) };
        let parts = if random.u8(0..3) == 0 { random.usize(2..=PARTS_MAX) } else { 1 };
        let keys = 1 << random.u32(0..9);
        Self { parts: (0..parts).map(|_| part(random, RECORDS_MAX / parts, keys)).collect(), disorder }
    }
}

/// Up to so many records, out of order in one of several ways.
fn part(random: &mut Rng, records_max: usize, keys: u16) -> Vec<(i64, Item)> {
    let count = random.usize(0..records_max);
    let behind = random.i64(1..150);
    let mode = random.u8(0..4);
    let mut now = random.i64(-500..500);
    let record = |n: usize| {
        now += match mode {
            0 => random.i64(0..4),
            1 => i64::from(n.is_multiple_of(40)) * 200,
            _ => random.i64(0..10),
        };
        let time = match mode {
            2 => now - random.i64(0..behind),
            3 if random.u8(..) < 3 => now + random.i64(0..3_000),
            _ => now,
        };
        (time, Item { key: random.u16(0..keys), value: random.i64(-1_000..1_000) })
    };
    (0..count).map(record).collect()
}

impl Does {
    fn generate(random: &mut Rng, on: Known, two: bool) -> Self {
        let n = random.i64(2..7);
        let size = random.i64(1..120);
        let every = if random.bool() { size } else { random.i64(1.max(size / 8)..=size) };
        loop {
            return match random.u8(0..32) {
                0 => Self::Map(n),
                1 => Self::Filter(n),
                2 => Self::FilterMap(n),
                3 => Self::FlatMap(n),
                4 => Self::TryMap(n),
                5 => Self::Split(n),
                6 => Self::BroadcastTwo,
                7 => Self::BroadcastThree,
                8 | 9 if two => Self::Merge,
                10 => Self::Isolate,
                11 => Self::OrderBy,
                12 => Self::Chain(n),
                13 if on.ordered => Self::Reduce,
                14 if on.ordered => Self::Scan,
                15 => Self::Rekey(random.u16(1..9)),
                16 => Self::Window { size, every },
                17 => Self::WindowInChain { size, every },
                18 => Self::Process(size),
                19 | 20 if two => Self::WindowJoin { size: 1 + size / 8, every: 1 + every.min(size) / 8 },
                21 | 22 if two => {
                    let lower = random.i64(-10..10);
                    Self::IntervalJoin { lower, upper: lower + random.i64(0..10) }
                }
                23 => Self::KeptWindow { size, every, allowed: random.i64(1..200) },
                24 | 25 => {
                    let gap = size.min(60);
                    Self::Session { gap, odd: gap + random.i64(0..60) * i64::from(random.bool()) }
                }
                26 if on.ordered => {
                    let size = random.u32(1..9);
                    Self::Counted { size, every: random.u32(1..=size) }
                }
                27 => Self::Early { size, every, trigger: Trigger::Time(random.i64(1..100)) },
                28 if on.ordered => {
                    let trigger = Trigger::Records { records: random.u32(1..5), purges: random.bool() };
                    Self::Early { size, every, trigger }
                }
                29 if on.ordered => Self::Global(random.u32(1..50)),
                30 | 31 => Self::WindowEach { size, every },
                _ => continue,
            };
        }
    }

    pub(crate) fn takes_two(self) -> bool {
        matches!(self, Self::Merge | Self::WindowJoin { .. } | Self::IntervalJoin { .. })
    }

    fn outputs(self) -> usize {
        match self {
            Self::TryMap(_) | Self::Split(_) | Self::BroadcastTwo => 2,
            Self::Window { .. } | Self::WindowInChain { .. } | Self::Process(_) => 2,
            Self::KeptWindow { .. } | Self::Session { .. } | Self::Counted { .. } => 2,
            Self::Early { .. } | Self::Global(_) => 2,
            Self::WindowJoin { .. } | Self::IntervalJoin { .. } => 2,
            Self::BroadcastThree => 3,
            Self::WindowEach { .. } => 4,
            _ => 1,
        }
    }

    fn goes_nowhere(self) -> bool {
        matches!(self, Self::KeptWindow { .. } | Self::Global(_))
    }

    /// Whether its output comes in one order if its input does.
    fn keeps_order(self) -> bool {
        matches!(
            self,
            Self::Map(_)
                | Self::Filter(_)
                | Self::FilterMap(_)
                | Self::FlatMap(_)
                | Self::TryMap(_)
                | Self::Split(_)
                | Self::BroadcastTwo
                | Self::BroadcastThree
                | Self::Isolate
                | Self::Chain(_)
        )
    }
}

/// What the functions given to operators do, for the graph and the interpreter alike.
pub(crate) mod functions {
    use super::Item;

    pub(crate) fn map(item: Item, n: i64) -> Item {
        Item { value: item.value.wrapping_mul(n).wrapping_add(1), ..item }
    }

    pub(crate) fn keeps(item: &Item, n: i64) -> bool {
        item.value.rem_euclid(n) != 0
    }

    pub(crate) fn filter_map(item: Item, n: i64) -> Option<Item> {
        keeps(&item, n).then(|| map(item, n))
    }

    pub(crate) fn flat_map(item: Item, n: i64) -> impl Iterator<Item = Item> + 'static {
        (0..item.value.rem_euclid(n).min(3))
            .map(move |copy| Item { value: item.value.wrapping_add(copy), ..item })
    }

    pub(crate) fn try_map(item: Item, n: i64) -> Result<Item, Item> {
        filter_map(item, n).ok_or(item)
    }

    pub(crate) fn reduce(acc: &mut Item, item: Item) {
        acc.value = acc.value.wrapping_mul(3).wrapping_add(item.value);
    }

    pub(crate) fn scan(seen: &mut i64, item: Item) -> Item {
        *seen = seen.wrapping_mul(5).wrapping_add(item.value);
        Item { value: *seen, ..item }
    }

    pub(crate) fn rekeyed(item: Item, keys: u16) -> Item {
        let key = item.value.rem_euclid(i64::from(keys));
        Item { key: u16::try_from(key).expect("less than the number of keys"), ..item }
    }

    pub(crate) fn join(left: &Item, right: &Item) -> Item {
        Item { value: left.value.wrapping_mul(7).wrapping_sub(right.value), ..*left }
    }

    /// What a count of a window comes to that has had so many results before.
    pub(crate) fn counted(key: u16, before: u32, count: u64) -> Item {
        Item { key, value: count.cast_signed() * 1_000 + i64::from(before) }
    }

    /// The figures of a result, one of an early one or not, that had so many before it.
    pub(crate) fn numbered(figures: Item, is_early: bool, before: u32) -> Item {
        let said = i64::from(before) * 2 + i64::from(is_early);
        Item { value: figures.value.wrapping_mul(31).wrapping_add(said), ..figures }
    }

    /// What the figures of a window come to, in one number.
    pub(crate) fn digest(key: u16, count: u64, sum: i128, min: i64, max: i64) -> Item {
        let sum = i64::try_from(sum.rem_euclid(1 << 62)).expect("62 bits");
        let digest = sum.wrapping_mul(31).wrapping_add(count.cast_signed()).wrapping_mul(31);
        Item { key, value: digest.wrapping_add(min).wrapping_mul(31).wrapping_add(max) }
    }
}
