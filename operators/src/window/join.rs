use std::{collections::VecDeque, hash::Hash};

use nacreous_watermark::{Timestamp, Watermark};

use self::side::{Link, Run, Side};
use super::{
    Sliding, TimeWindow, WindowResult, Windowed,
    column::Column,
    columns::{Columns, InUse},
    sliding::SliceNumber,
};
use crate::{
    Either, Emit, Fault, KeyLimits, Keyed, KeyedState, Operator, Prepared, Record, Step, Supplies, Tally,
    key::SlotNumber,
};

mod side;

/// Joins each left record of a window with each right one of the same key and window.
///
/// A record counts in each of its windows that the watermark, as it stood before the record, has not closed. If that
/// leaves none it is late and goes out whole as [`Windowed::Late`]. When a window closes, its pairs go out in order of
/// their keys' first appearance, then of their left records, then of their right ones: slice by slice, and as they came
/// within each. (Tumbling windows are one slice each.)
///
/// # Cost
/// A record: one key look-up and a place at the end of its key's chain in its slice; a search among the open slices where
/// it does not lie in the same slice as the record before. A closing window: one pass over the keys used in each of its
/// slices, each chain followed once, then a call of the function for each pair. Memory: each record once, with eight
/// bytes besides, until its last window has closed, and eight bytes for each key and open slice; keys are kept for good.
/// It grows as that of [`WindowFold`](crate::WindowFold) does.
///
/// ```
/// use nacreous_operators::{Either, KeyLimits, Keyed, Operator, Record, Sliding, Step, WindowJoin, Windowed};
/// use nacreous_watermark::{Timestamp, Watermark};
/// use std::time::Duration;
///
/// let windows = Sliding::tumbling(Duration::from_nanos(10))?;
/// let mut join = WindowJoin::new(KeyLimits::default(), windows, |name: &&str, age: &u8| format!("{name}: {age}"));
/// let mut out = Vec::new();
/// for (nanos, value) in [(1, Either::Left("Ada")), (4, Either::Right(36)), (12, Either::Right(37))] {
///     let value = Keyed { key: 1, value };
///     join.on_record(Record { time: Timestamp::from_nanos(nanos), value }, &mut out);
/// }
/// assert_eq!(join.on_watermark(Watermark::END, &mut out), Step::Done);
/// let Windowed::Result(result) = &out[0].value else { panic!("nothing is late") };
/// assert_eq!((result.value.as_str(), out.len()), ("Ada: 36", 1));
/// # Ok::<(), nacreous_operators::WindowError>(())
/// ```
pub struct WindowJoin<K, L, R, F> {
    windows: Sliding,
    join: F,
    limits: KeyLimits,
    keys: KeyedState<K, ()>,
    left: Side<L>,
    right: Side<R>,
    /// The slices that have records and lie in an open window, in order of time.
    slices: VecDeque<Slice>,
    /// The slice that the last record went to.
    recent: Recent,
    /// Columns that are not in use.
    columns: Columns<Chains>,
    /// The number of the first window that has not fired: all windows before it are closed.
    open_from: i64,
    /// What the records that come are judged by, and the first window that it leaves open.
    own: (Watermark, i64),
    firing: Firing,
    tally: Tally,
}

/// The records of a key in a slice: the last of each side, from which the others are found.
#[derive(Clone, Copy)]
struct Chains {
    left: Link,
    right: Link,
}

struct Slice {
    number: SliceNumber,
    /// The numbers of the first and last window over it.
    windows: (i64, i64),
    column: Column<Chains>,
    left: Run,
    right: Run,
}

/// What the hot path needs of a slice, so that records near each other in time skip the search for it.
struct Recent {
    start: i64,
    /// In nanoseconds; zero if there is no recent slice.
    length: u64,
    index: usize,
    /// How many of the slice's windows are closed already to its records.
    missed: u64,
    /// How many of those have not fired.
    unfired: u32,
}

/// The window being emitted, which may take several calls if the output is narrow.
struct Firing {
    number: i64,
    window: TimeWindow,
    /// How many slices it has: the first ones.
    slices: usize,
    /// The slot number from which to go on.
    next: usize,
    group: Group,
    /// The keys to come after this one, the last first.
    slots: Vec<SlotNumber>,
    /// Where their chains end that have not been fetched.
    left_chains: Vec<Link>,
    right_chains: Vec<Link>,
}

/// The records of one key in a window.
struct Group {
    slot: SlotNumber,
    /// The last first.
    left: Vec<Link>,
    right: Vec<Link>,
    /// How many left ones have pairs still to come, and with how many right ones the first of them has.
    rest: (usize, usize),
}

/// Keys whose records are fetched at a time: so many that memory is kept busy, so few that they stay in cache.
const FETCHED: usize = 64;

/// Records of a key in a window that there is room for from the beginning.
const INITIAL_MEMBERS: usize = 64;

impl Chains {
    const EMPTY: Self = Self { left: Link::NOWHERE, right: Link::NOWHERE };

    /// Those of a key that has none yet in the slice, or is not among those expected.
    #[inline(never)]
    fn elsewhere(column: &mut Column<Self>, slot: SlotNumber) -> &mut Self {
        column.reach_beyond(slot.index());
        if column.get(slot).is_none() {
            column.begin(slot, Self::EMPTY);
        }
        column.get(slot).expect("they have just been begun")
    }
}

impl Slice {
    fn new(number: SliceNumber, windows: (i64, i64), column: Column<Chains>) -> Self {
        Self { number, windows, column, left: Run::default(), right: Run::default() }
    }

    /// How many of its windows come before the one with this number.
    fn windows_before(&self, number: i64) -> u32 {
        saturated(number.abs_diff(self.windows.0))
    }
}

impl Recent {
    const NONE: Self = Self { start: 0, length: 0, index: 0, missed: 0, unfired: 0 };

    #[inline(always)]
    fn contains(&self, time: Timestamp) -> bool {
        time.as_nanos().wrapping_sub(self.start).cast_unsigned() < self.length
    }
}

impl InUse<Chains> for &mut VecDeque<Slice> {
    fn slices(&self) -> usize {
        self.len()
    }

    fn columns<'a>(&'a mut self) -> impl Iterator<Item = &'a mut Column<Chains>>
    where
        Chains: 'a,
    {
        self.iter_mut().map(|slice| &mut slice.column)
    }
}

impl Firing {
    fn new() -> Self {
        let zero = Timestamp::from_nanos(0);
        Self {
            number: 0,
            window: TimeWindow { start: zero, end: zero },
            slices: 0,
            next: 0,
            group: Group {
                slot: SlotNumber::new(0),
                left: Vec::with_capacity(INITIAL_MEMBERS),
                right: Vec::with_capacity(INITIAL_MEMBERS),
                rest: (0, 0),
            },
            slots: Vec::with_capacity(FETCHED),
            left_chains: Vec::with_capacity(FETCHED),
            right_chains: Vec::with_capacity(FETCHED),
        }
    }
}

/// A number of windows by which an input is ahead. None is ahead by more than fit.
fn saturated(windows: u64) -> u32 {
    u32::try_from(windows).unwrap_or(u32::MAX)
}

impl<K: Hash + Eq + Clone, L, R, F> WindowJoin<K, L, R, F> {
    /// Joins pairs with `join`.
    pub fn new<O>(limits: KeyLimits, windows: Sliding, join: F) -> Self
    where
        F: FnMut(&L, &R) -> O,
    {
        Self::empty(limits, windows, join)
    }

    fn empty(limits: KeyLimits, windows: Sliding, join: F) -> Self {
        Self {
            windows,
            join,
            limits,
            keys: KeyedState::new(limits),
            left: Side::new(),
            right: Side::new(),
            slices: VecDeque::with_capacity(64),
            recent: Recent::NONE,
            columns: Columns::new(limits.base_length()),
            open_from: i64::MIN,
            own: (Watermark::MIN, i64::MIN),
            firing: Firing::new(),
            tally: Tally::default(),
        }
    }

    /// Makes the slice of `time` the recent one; the number of windows missed if they are all closed.
    #[inline(never)]
    fn turn_to(&mut self, time: Timestamp) -> Result<(), u64> {
        let number = self.windows.slice_at(time);
        let (first, last) = self.windows.windows_over(number);
        let (_, own_open) = self.own;
        let judged_from = own_open.max(self.open_from);
        let closed = judged_from.saturating_sub(first).clamp(0, (last - first).saturating_add(1));
        let missed = closed.unsigned_abs();
        if last < judged_from {
            return Err(missed);
        }
        // Windows that have fired need not be told from those that its records do not count in.
        let unfired = if own_open <= self.open_from { 0 } else { saturated(missed) };
        let index = self.slices.binary_search_by_key(&number, |slice| slice.number).unwrap_or_else(|index| {
            let column = self.columns.take(self.slices.len(), self.keys.reach());
            self.slices.insert(index, Slice::new(number, (first, last), column));
            index
        });
        let (start, length) = self.windows.extent(number);
        self.recent = Recent { start, length, index, missed, unfired };
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn emit_late<O>(
        &mut self,
        record: Record<Keyed<K, Either<L, R>>>,
        missed: u64,
        out: &mut impl Emit<Windowed<K, Either<L, R>, O>>,
    ) {
        self.tally.late += 1;
        self.tally.missed_windows = self.tally.missed_windows.saturating_add(missed);
        out.emit(Record { time: record.time, value: Windowed::Late(record.value) });
    }

    /// Begins to fire the window with this number. Its slices are at the front, as it is the oldest open one.
    fn begin_firing(&mut self, number: i64) {
        let firing = &mut self.firing;
        firing.number = number;
        firing.window = self.windows.window(number);
        firing.slices = self.slices.iter().take_while(|slice| slice.windows.0 <= number).count();
        firing.next = 0;
    }

    /// Lets go of the slices whose last window was the one before `open_from`.
    fn retire(&mut self) {
        while let Some(slice) = self.slices.pop_front_if(|slice| slice.windows.1 < self.open_from) {
            self.left.release(slice.left);
            self.right.release(slice.right);
            self.columns.put_back(slice.column);
        }
    }

    /// Gathers the records of the next key in the window being fired; false if there is none.
    fn gather_next(&mut self) -> bool {
        if self.firing.slots.is_empty() {
            self.fetch();
        }
        let Firing { number, slices, group, slots, .. } = &mut self.firing;
        let Some(slot) = slots.pop() else { return false };
        group.slot = slot;
        group.left.clear();
        group.right.clear();
        for slice in self.slices.iter().take(*slices).rev() {
            if let Some(chains) = slice.column.find(slot) {
                let closed = slice.windows_before(*number);
                self.left.gather(chains.left, closed, &mut group.left);
                self.right.gather(chains.right, closed, &mut group.right);
            }
        }
        group.rest = (group.left.len(), group.right.len());
        true
    }

    /// Finds the next keys in the window being fired, and fetches their records.
    fn fetch(&mut self) {
        let Firing { slices, next, slots, left_chains, right_chains, .. } = &mut self.firing;
        let slices = self.slices.iter().take(*slices);
        while slots.len() < FETCHED
            && let Some(slot) = slices.clone().filter_map(|slice| slice.column.first_from(*next)).min()
        {
            for chains in slices.clone().filter_map(|slice| slice.column.find(slot)) {
                left_chains.extend(chains.left.somewhere());
                right_chains.extend(chains.right.somewhere());
            }
            *next = slot.index() + 1;
            slots.push(slot);
        }
        slots.reverse();
        self.left.fetch(left_chains);
        self.right.fetch(right_chains);
    }

    /// Emits what is left of the pairs of the key at hand.
    #[inline]
    fn emit_pairs<O>(&mut self, out: &mut impl Emit<Windowed<K, Either<L, R>, O>>) -> Step
    where
        F: FnMut(&L, &R) -> O,
    {
        let Firing { window, group: Group { slot, left: lefts, right: rights, rest }, .. } = &mut self.firing;
        let time = Timestamp::from_nanos(window.end.as_nanos().saturating_sub(1));
        let key = self.keys.key(*slot);
        while let Some(left) = lefts[..rest.0].last() {
            let left = self.left.value(*left);
            while let Some(right) = rights[..rest.1].last() {
                if !out.has_room() {
                    return Step::More;
                }
                rest.1 -= 1;
                let value = (self.join)(left, self.right.value(*right));
                self.tally.results += 1;
                let result = WindowResult { window: *window, key: key.clone(), value };
                out.emit(Record { time, value: Windowed::Result(result) });
            }
            *rest = (rest.0 - 1, rights.len());
        }
        Step::Done
    }

    /// Emits what is left of the window being fired.
    fn fire<O>(&mut self, out: &mut impl Emit<Windowed<K, Either<L, R>, O>>) -> Step
    where
        F: FnMut(&L, &R) -> O,
    {
        loop {
            if self.firing.group.rest.0 > 0 && self.emit_pairs(out) == Step::More {
                return Step::More;
            }
            if !self.gather_next() {
                self.firing.slices = 0;
                return Step::Done;
            }
        }
    }
}

/// The clone has the same windows, function and limits and holds nothing: it serves another instance.
impl<K: Hash + Eq + Clone, L, R, F: Clone> Clone for WindowJoin<K, L, R, F> {
    fn clone(&self) -> Self {
        Self::empty(self.limits, self.windows, self.join.clone())
    }
}

impl<K, L, R, O, F> Operator<Keyed<K, Either<L, R>>> for WindowJoin<K, L, R, F>
where
    K: Hash + Eq + Clone + Send + 'static,
    L: Send + 'static,
    R: Send + 'static,
    F: FnMut(&L, &R) -> O,
{
    type Out = Windowed<K, Either<L, R>, O>;

    #[inline(always)]
    fn on_record(&mut self, record: Record<Keyed<K, Either<L, R>>>, out: &mut impl Emit<Self::Out>) {
        let Record { time, value: Keyed { key, value } } = record;
        if !self.recent.contains(time)
            && let Err(missed) = self.turn_to(time)
        {
            return self.emit_late(Record { time, value: Keyed { key, value } }, missed, out);
        }
        let Some(slot) = self.keys.intern(key, || ()) else { return };
        let Recent { index, missed, unfired, .. } = self.recent;
        self.tally.on_time += 1;
        self.tally.missed_windows = self.tally.missed_windows.saturating_add(missed);
        let slice = &mut self.slices[index];
        let chains = match slice.column.in_base(slot) {
            Some(chains) => chains,
            None => Chains::elsewhere(&mut slice.column, slot),
        };
        match value {
            Either::Left(value) => {
                chains.left = self.left.push(&mut slice.left, value, chains.left, unfired);
            }
            Either::Right(value) => {
                chains.right = self.right.push(&mut slice.right, value, chains.right, unfired);
            }
        }
    }

    /// Fires the windows that end at or before the watermark, oldest first.
    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl Emit<Self::Out>) -> Step {
        self.recent = Recent::NONE;
        let open_from = self.windows.first_open(watermark);
        loop {
            if self.fire(out) == Step::More {
                return Step::More;
            }
            self.retire();
            // Windows without records are passed over, however many there are.
            let Some(oldest) = self.slices.front() else { break };
            let number = oldest.windows.0.max(self.open_from);
            if number >= open_from {
                break;
            }
            self.begin_firing(number);
            self.open_from = number + 1;
        }
        self.open_from = self.open_from.max(open_from);
        Step::Done
    }

    fn judge_by(&mut self, watermark: Watermark) {
        let (before, open_before) = self.own;
        if watermark != before {
            let open = self.windows.first_open(watermark);
            self.own = (watermark, open);
            if open != open_before {
                self.recent = Recent::NONE;
            }
        }
    }

    fn connect(&mut self, supplies: &mut impl Supplies) {
        self.keys.connect(supplies);
        self.columns.connect(supplies);
        self.left.connect(supplies);
        self.right.connect(supplies);
    }

    fn prepare(&mut self, records: usize) -> Prepared {
        let keys = self.keys.prepare(records);
        let needed = self.keys.len().saturating_add(records).min(self.keys.reach());
        let columns = self.columns.prepare(needed, self.keys.reach(), &mut self.slices);
        // All are asked, so that none is late for want of another.
        let sides = self.left.prepare(records).and(self.right.prepare(records));
        keys.and(columns).and(sides)
    }

    fn fault(&self) -> Option<Fault> {
        self.keys.fault()
    }

    fn tally(&self) -> Tally {
        self.tally
    }
}

#[cfg(test)]
mod tests;
