use std::{collections::VecDeque, hash::Hash, ops::Range};

use nacreous_watermark::{Timestamp, Watermark};

use super::{Sliding, TimeWindow, WindowResult, Windowed, sliding::SliceNumber};
use crate::{
    Either, Emit, Fault, KeyLimits, Keyed, KeyedState, Operator, Prepared, Record, Step, Supplies, Tally,
    key::SlotNumber,
    pool::{Place, Pool},
};

/// Joins each left record of a window with each right one of the same key and window.
///
/// A record counts in each of its windows that the watermark, as it stood before the record, has not closed. If that
/// leaves none it is late and goes out whole as [`Windowed::Late`]. When a window closes, its pairs go out in order of
/// their keys' first appearance, then as their left records came, then as their right ones did.
///
/// # Cost
/// A record: one key look-up and a search among the open slices. A closing window: its records are sorted, then a call
/// of the function for each pair. Memory: each record once, until its last window has closed; keys are kept for good.
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
    /// Records so far.
    arrivals: u64,
    /// The number of the first window that has not fired: all windows before it are closed.
    open_from: i64,
    /// The number of the first window that is open for the records to come. Behind a merge, this may be later.
    judge_from: i64,
    firing: Firing,
    tally: Tally,
}

/// The records of one of the two streams.
struct Side<T>(Pool<Held<T>>);

struct Held<T> {
    value: T,
    slot: SlotNumber,
    arrival: u64,
    /// The number of the first window it counts in.
    open_from: i64,
    /// The next of its slice and side.
    next: Option<Place>,
}

/// The records of a slice and side, as they came: the first and the last.
#[derive(Clone, Copy, Default)]
struct List(Option<(Place, Place)>);

struct Slice {
    number: SliceNumber,
    /// The numbers of the first and last window over it.
    windows: (i64, i64),
    left: List,
    right: List,
}

/// A record of the window being fired. They are ordered by key, then by arrival.
#[derive(Clone, Copy)]
struct Member {
    slot: SlotNumber,
    arrival: u64,
    place: Place,
}

/// The window being emitted, which may take several calls if the output is narrow.
struct Firing {
    window: TimeWindow,
    left: Vec<Member>,
    right: Vec<Member>,
    /// The position among the left ones, and among the right ones, of the pair to go on with.
    next: (usize, usize),
    /// The key whose pairs these are, and where its right records lie.
    group: (Option<SlotNumber>, Range<usize>),
}

/// Records of a window that there is room for from the beginning.
const INITIAL_MEMBERS: usize = 1_024;

impl<T> Side<T> {
    #[inline]
    fn append(&mut self, list: &mut List, held: Held<T>) {
        let place = self.0.insert(held);
        let first = list.0.map_or(place, |(first, last)| {
            self.0.get_mut(last).next = Some(place);
            first
        });
        list.0 = Some((first, place));
    }

    /// Adds those of a slice that count in the window with this number.
    fn gather(&self, list: List, number: i64, members: &mut Vec<Member>) {
        let mut next = list.0.map(|(first, _)| first);
        while let Some(place) = next {
            let held = self.0.get(place);
            if held.open_from <= number {
                members.push(Member { slot: held.slot, arrival: held.arrival, place });
            }
            next = held.next;
        }
    }

    fn release(&mut self, list: List) {
        let mut next = list.0.map(|(first, _)| first);
        while let Some(place) = next {
            next = self.0.remove(place).next;
        }
    }
}

impl Firing {
    fn new() -> Self {
        let zero = Timestamp::from_nanos(0);
        Self {
            window: TimeWindow { start: zero, end: zero },
            left: Vec::with_capacity(INITIAL_MEMBERS),
            right: Vec::with_capacity(INITIAL_MEMBERS),
            next: (0, 0),
            group: (None, 0..0),
        }
    }

    fn clear(&mut self) {
        self.left.clear();
        self.right.clear();
        self.next = (0, 0);
        self.group = (None, 0..0);
    }

    /// The next pair. It stays the next until the right position is moved on.
    #[inline]
    fn pair(&mut self) -> Option<(Member, Member)> {
        loop {
            let left = *self.left.get(self.next.0)?;
            if self.group.0 != Some(left.slot) {
                self.turn_to(left.slot);
            }
            if self.next.1 < self.group.1.end {
                return Some((left, self.right[self.next.1]));
            }
            self.next = (self.next.0 + 1, self.group.1.start);
        }
    }

    fn turn_to(&mut self, slot: SlotNumber) {
        let passed = self.group.1.end;
        let start = passed + self.right[passed..].partition_point(|member| member.slot < slot);
        let end = start + self.right[start..].partition_point(|member| member.slot == slot);
        self.group = (Some(slot), start..end);
        self.next.1 = start;
    }
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
            left: Side(Pool::new()),
            right: Side(Pool::new()),
            slices: VecDeque::with_capacity(64),
            arrivals: 0,
            open_from: i64::MIN,
            judge_from: i64::MIN,
            firing: Firing::new(),
            tally: Tally::default(),
        }
    }

    /// The index of the slice with this number, which is added if it is new.
    fn slice(&mut self, number: SliceNumber, windows: (i64, i64)) -> usize {
        self.slices.binary_search_by_key(&number, |slice| slice.number).unwrap_or_else(|index| {
            let slice = Slice { number, windows, left: List::default(), right: List::default() };
            self.slices.insert(index, slice);
            index
        })
    }

    /// Puts together the window with this number. Its slices are at the front, as it is the oldest open one.
    fn assemble(&mut self, number: i64) {
        let Firing { window, left, right, .. } = &mut self.firing;
        *window = self.windows.window(number);
        for slice in self.slices.iter().take_while(|slice| slice.windows.0 <= number) {
            self.left.gather(slice.left, number, left);
            self.right.gather(slice.right, number, right);
        }
        left.sort_unstable_by_key(|member| (member.slot, member.arrival));
        right.sort_unstable_by_key(|member| (member.slot, member.arrival));
    }

    /// Lets go of the slices whose last window was the one before `open_from`.
    fn retire(&mut self) {
        while let Some(slice) = self.slices.pop_front_if(|slice| slice.windows.1 < self.open_from) {
            self.left.release(slice.left);
            self.right.release(slice.right);
        }
    }

    /// Emits what is left of the window being fired.
    fn fire<O>(&mut self, out: &mut impl Emit<Windowed<K, Either<L, R>, O>>) -> Step
    where
        F: FnMut(&L, &R) -> O,
    {
        while let Some((left, right)) = self.firing.pair() {
            if !out.has_room() {
                return Step::More;
            }
            self.firing.next.1 += 1;
            let window = self.firing.window;
            let value = (self.join)(&self.left.0.get(left.place).value, &self.right.0.get(right.place).value);
            let key = self.keys.at(left.slot).0.clone();
            self.tally.results += 1;
            let last_instant = Timestamp::from_nanos(window.end.as_nanos().saturating_sub(1));
            let result = WindowResult { window, key, value };
            out.emit(Record { time: last_instant, value: Windowed::Result(result) });
        }
        self.firing.clear();
        Step::Done
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

    #[inline]
    fn on_record(&mut self, record: Record<Keyed<K, Either<L, R>>>, out: &mut impl Emit<Self::Out>) {
        let Record { time, value: Keyed { key, value } } = record;
        let number = self.windows.slice_at(time);
        let (first, last) = self.windows.windows_over(number);
        let closed = self.judge_from.saturating_sub(first).clamp(0, (last - first).saturating_add(1));
        if last >= self.judge_from {
            let Some((slot, ..)) = self.keys.entry(key, || ()) else { return };
            let (arrival, open_from) = (self.arrivals, self.judge_from);
            self.arrivals += 1;
            self.tally.on_time += 1;
            let index = self.slice(number, (first, last));
            let slice = &mut self.slices[index];
            match value {
                Either::Left(value) => {
                    self.left.append(&mut slice.left, Held { value, slot, arrival, open_from, next: None });
                }
                Either::Right(value) => {
                    self.right.append(&mut slice.right, Held { value, slot, arrival, open_from, next: None });
                }
            }
        } else {
            self.tally.late += 1;
            out.emit(Record { time, value: Windowed::Late(Keyed { key, value }) });
        }
        self.tally.missed_windows = self.tally.missed_windows.saturating_add(closed.unsigned_abs());
    }

    /// Fires the windows that end at or before the watermark, oldest first.
    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl Emit<Self::Out>) -> Step {
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
            self.assemble(number);
            self.open_from = number + 1;
        }
        self.open_from = self.open_from.max(open_from);
        self.judge_from = self.judge_from.max(self.open_from);
        Step::Done
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.judge_from = self.windows.first_open(watermark).max(self.open_from);
    }

    fn connect(&mut self, supplies: &mut impl Supplies) {
        self.keys.connect(supplies);
        self.left.0.connect(supplies);
        self.right.0.connect(supplies);
    }

    fn prepare(&mut self, records: usize) -> Prepared {
        let records_fit = self.left.0.prepare(records).and(self.right.0.prepare(records));
        self.keys.prepare(records).and(records_fit)
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
