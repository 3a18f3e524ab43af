use std::{collections::VecDeque, hash::Hash};

use nacreous_watermark::{Timestamp, Watermark};

use self::{
    division::Division,
    firing::Firing,
    matches::Pair,
    side::{Node, Runs, Side},
};
use super::{ResultKind, Slicing, Sliding, WindowResult, Windowed, refusal::refuse, slicing::SliceNumber};
use crate::{Either, Emit, Fault, KeyLimits, Keyed, Operator, Prepared, Record, Step, Supplies, Tally};

mod census;
mod division;
mod firing;
mod matches;
mod side;

/// Joins each left record of a window with each right one of the same key and window.
///
/// A record counts in each of its windows that the watermark, as it stood before the record, has not closed. If that
/// leaves none it is late and goes out whole as [`Windowed::Late`]. When a window closes, its pairs go out. Those of a key
/// are in order of their right records, then of their left ones: slice by slice, and as they came within each.
/// (Tumbling windows are one slice each.) How the pairs of several keys are mixed depends on the hashes of the keys and
/// on how many records came before, so it is the same whenever the same records and watermarks come in the same order.
///
/// More than [`KeyLimits::most`] distinct keys in one window are a fault, found when it closes. No key is kept beyond its
/// records.
///
/// # Cost
/// A record: its key is hashed, and it is written at the end of those of its partition in its slice; a search among the
/// open slices where it does not lie in the same slice as the record before. A closing window: partition by partition a
/// table of the left records, then a look into it for each right one, and a call of the function for each pair. That is
/// quick because a partition fits the innermost cache, which takes a division that suits the number of records: it is
/// chosen for each slice by those before it, and at first by [`KeyLimits::expected`]. With a limit on the keys they are
/// counted besides, with a look-up for each record.
///
/// Memory: each record once, with eight bytes besides, until its last window has closed; and, in each open slice, up to 64
/// records that have not come for each partition and side, of which there are 256 at most. It grows as that of
/// [`WindowFold`](crate::WindowFold) does, except the tables for one partition: that of left records grows on the
/// spot if there are more than ever before, and more than 2,048; that of keys, where they are limited, if there are more.
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
    left: Side<K, L>,
    right: Side<K, R>,
    /// The slices that have records and lie in an open window, in order of time.
    slices: VecDeque<Slice>,
    /// The slice that the last record went to.
    recent: Recent,
    /// About how many left records were in the last slice that has been let go, or are expected in one.
    usual: usize,
    /// The number of the first window that has not fired: all windows before it are closed.
    open_from: i64,
    /// What the records that come are judged by, and the first window that it leaves open.
    own: (Watermark, i64),
    firing: Firing,
    /// How many records there are, but for those of the recent slice that came since it is.
    held: u64,
    fault: Option<Fault>,
    tally: Tally,
}

struct Slice {
    number: SliceNumber,
    /// The numbers of the first and last window over it.
    windows: (i64, i64),
    division: Division,
    /// How many it has, but for those that came while it is the recent one.
    records: u64,
    left: Runs,
    right: Runs,
}

/// What the hot path needs of a slice, so that records near each other in time skip the search for it.
struct Recent {
    number: Option<SliceNumber>,
    start: i64,
    /// In nanoseconds; zero if there is no recent slice.
    length: u64,
    division: Division,
    /// How many records have gone to it.
    records: u64,
    /// How many there may be.
    room: u64,
    /// How many of the slice's windows are closed already to its records.
    missed: u64,
    /// How many of those have not fired.
    unfired: u32,
}

/// So many keys are no limit.
const UNLIMITED: usize = u32::MAX as usize;

impl Slice {
    /// How many of its windows come before the one with this number.
    fn windows_before(&self, number: i64) -> u32 {
        saturated(number.abs_diff(self.windows.0))
    }
}

impl Recent {
    const NONE: Self = Self {
        number: None,
        start: 0,
        length: 0,
        division: Division::ONE,
        records: 0,
        room: 0,
        missed: 0,
        unfired: 0,
    };

    #[inline(always)]
    fn contains(&self, time: Timestamp) -> bool {
        time.as_nanos().wrapping_sub(self.start).cast_unsigned() < self.length
    }
}

/// A number of windows by which an input is ahead. None is ahead by more than fit.
fn saturated(windows: u64) -> u32 {
    u32::try_from(windows).unwrap_or(u32::MAX)
}

impl<K: Hash + Eq + Clone + 'static, L, R, F> WindowJoin<K, L, R, F> {
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
            left: Side::new(),
            right: Side::new(),
            slices: VecDeque::with_capacity(64),
            recent: Recent::NONE,
            // Each key has a left record in a window, if nothing else is known.
            usual: limits.expected.min(limits.most) / slices_of(windows),
            open_from: i64::MIN,
            own: (Watermark::MIN, i64::MIN),
            firing: Firing::new(),
            held: 0,
            fault: None,
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
            self.begin_slice(index, number, (first, last));
            index
        });
        let (start, length) = self.windows.extent(number);
        let Slice { division, left, right, .. } = self.slices[index];
        self.leave_recent();
        self.left.open(left);
        self.right.open(right);
        let room = (self.limits.held.most as u64).saturating_sub(self.held);
        let number = Some(number);
        self.recent = Recent { number, start, length, division, records: 0, room, missed, unfired };
        Ok(())
    }

    /// Makes no slice the recent one.
    fn leave_recent(&mut self) {
        self.tally = self.tally();
        let Recent { number, records, .. } = self.recent;
        if let Some(number) = number
            && let Ok(index) = self.slices.binary_search_by_key(&number, |slice| slice.number)
        {
            self.slices[index].records += records;
            self.held += records;
        }
        self.recent = Recent::NONE;
        self.left.close();
        self.right.close();
    }

    /// What became of the records so far.
    fn tally(&self) -> Tally {
        let Recent { records, missed, .. } = self.recent;
        let mut tally = self.tally;
        tally.on_time += records;
        tally.missed_windows = tally.missed_windows.saturating_add(missed.saturating_mul(records));
        tally.held = self.held + records;
        tally
    }

    fn begin_slice(&mut self, index: usize, number: SliceNumber, windows: (i64, i64)) {
        let division = self.next_division();
        let (left, right) = (self.left.begin(division), self.right.begin(division));
        self.slices.insert(index, Slice { number, windows, division, records: 0, left, right });
    }

    /// How a slice would be divided that began now.
    ///
    /// As no other fact than the records and watermarks so far bears on it, nor does any on the order of pairs.
    fn next_division(&self) -> Division {
        let fullest = self.slices.iter().map(|slice| self.left.records(slice.left, slice.division)).max();
        Division::of(self.usual.max(fullest.unwrap_or(0)), slices_of(self.windows))
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

    /// Does not take a record for which there may be no memory.
    fn refuse<O>(
        &mut self,
        record: Record<Keyed<K, Either<L, R>>>,
        out: &mut impl Emit<Windowed<K, Either<L, R>, O>>,
    ) {
        refuse(self.limits.held, record, (&mut self.fault, &mut self.tally), out);
    }

    /// Begins to fire the window with this number. Its slices are at the front, as it is the oldest open one.
    fn begin_firing(&mut self, number: i64) {
        let Self { firing, slices, left, right, limits: KeyLimits { most, .. }, .. } = self;
        firing.begin(number, self.windows.window(number), slices);
        if *most < UNLIMITED && !firing.has_at_most(*most, slices, left, right) {
            self.fault = Some(Fault::TooManyKeys { most: *most });
        }
    }

    /// Lets go of the slices whose last window was the one before `open_from`.
    fn retire(&mut self) {
        while let Some(slice) = self.slices.pop_front_if(|slice| slice.windows.1 < self.open_from) {
            self.usual = self.left.records(slice.left, slice.division);
            self.held -= slice.records;
            self.left.release(slice.left);
            self.right.release(slice.right);
        }
    }

    /// Emits what is left of the window being fired.
    fn fire<O>(&mut self, out: &mut impl Emit<Windowed<K, Either<L, R>, O>>) -> Step
    where
        F: FnMut(&L, &R) -> O,
    {
        loop {
            if self.emit_pairs(out) == Step::More {
                return Step::More;
            }
            if !self.firing.find(&self.slices, &mut self.left, &mut self.right) {
                return Step::Done;
            }
        }
    }

    /// Emits what is left of the pairs found last.
    #[inline]
    fn emit_pairs<O>(&mut self, out: &mut impl Emit<Windowed<K, Either<L, R>, O>>) -> Step
    where
        F: FnMut(&L, &R) -> O,
    {
        let window = self.firing.window;
        let time = Timestamp::from_nanos(window.end.as_nanos().saturating_sub(1));
        let rights = self.firing.rights(&self.right);
        let pairs = self.firing.pairs();
        let (mut seen, mut results) = (0, 0);
        for Pair { left, right } in pairs {
            if !out.has_room() {
                break;
            }
            seen += 1;
            let (left, right) = (self.left.node(*left), &rights[*right as usize]);
            if left.key == right.key {
                results += 1;
                let value = (self.join)(&left.value, &right.value);
                let result = WindowResult {
                    window,
                    key: right.key.clone(),
                    value,
                    kind: ResultKind::OnTime,
                    number: 0,
                };
                out.emit(Record { time, value: Windowed::Result(result) });
            }
        }
        let step = if seen < pairs.len() { Step::More } else { Step::Done };
        self.firing.advance(seen);
        self.tally.results += results;
        step
    }
}

/// About how many slices make up a window: as many as there are windows over a slice, or twice that.
fn slices_of(windows: Sliding) -> usize {
    let (first, last) = windows.windows_over(windows.slice_at(Timestamp::from_nanos(0)));
    usize::try_from(last.abs_diff(first)).unwrap_or(usize::MAX).saturating_add(1)
}

/// The clone has the same windows, function and limits and holds nothing: it serves another instance.
impl<K: Hash + Eq + Clone + 'static, L, R, F: Clone> Clone for WindowJoin<K, L, R, F> {
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
        if self.recent.records == self.recent.room {
            return self.refuse(Record { time, value: Keyed { key, value } }, out);
        }
        self.recent.records += 1;
        let Recent { division, unfired: missed, .. } = self.recent;
        let hash = matches::hash(&key);
        let partition = division.partition(hash);
        match value {
            Either::Left(value) => {
                self.left.push(partition, || Node { key, value, hash, missed });
            }
            Either::Right(value) => {
                self.right.push(partition, || Node { key, value, hash, missed });
            }
        }
    }

    /// Fires the windows that end at or before the watermark, oldest first.
    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl Emit<Self::Out>) -> Step {
        self.leave_recent();
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
                self.leave_recent();
            }
        }
    }

    fn connect(&mut self, supplies: &mut impl Supplies) {
        self.left.connect(supplies);
        self.right.connect(supplies);
    }

    fn prepare(&mut self, records: usize) -> Prepared {
        let division = self.next_division();
        // Both are asked, so that neither is late for want of the other.
        let left = self.left.prepare(records, division);
        left.and(self.right.prepare(records, division))
    }

    fn fault(&self) -> Option<Fault> {
        self.fault
    }

    fn tally(&self) -> Tally {
        Self::tally(self)
    }
}

#[cfg(test)]
mod tests;
