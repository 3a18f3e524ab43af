use std::{ops::RangeInclusive, time::Duration};

use nacreous_watermark::{Grid, Span, SpanError, Timestamp, Watermark, whole_periods};

use super::{Slicing, TimeWindow, slicing::SliceNumber};

/// Windows of one size, one starting at every multiple of a hop since the Unix epoch, or [so much later](Self::with_offset).
///
/// With the hop equal to the size they tumble: each instant lies in exactly one. Size and hop need not
/// divide. The windows are numbered: number `k` is `[k · every, k · every + size)`, shifted by the offset, and `k` may be negative.
///
/// Time is cut into *slices* at every start and every end of a window, so that each slice lies wholly
/// inside or outside each window. Where the size is a multiple of the hop, a slice is a hop; elsewhere each
/// hop has two, a head before the cut where a window ends and a tail behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sliding {
    size: i64,
    every: i64,
    /// Where the windows begin: a number of nanoseconds less than `every` after each multiple of it.
    offset: i64,
    /// How far into each hop a window ends; zero where the size is a multiple of the hop.
    cut: i64,
}

/// A window that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
    /// The size or the hop is zero.
    #[error("a window's size and its `every` must be longer than zero, got size {size:?} every {every:?}")]
    Zero {
        /// The size asked for.
        size: Duration,
        /// The hop asked for.
        every: Duration,
    },
    /// The hop is longer than the size, which would leave gaps that no window covers.
    #[error("windows of {size:?} every {every:?} would leave gaps: `every` must not be longer than the size")]
    Gaps {
        /// The size asked for.
        size: Duration,
        /// The hop asked for.
        every: Duration,
    },
    /// No records in a window, or none between the beginnings of two.
    #[error(
        "windows of {size} records every {every}: each must be of one record at least, and begin one after the last at least"
    )]
    NoRecords {
        /// How many a window was to have.
        size: u32,
        /// After how many the next was to begin.
        every: u32,
    },
    /// Windows begin further apart than they are long.
    #[error(
        "windows of {size} records every {every} would leave gaps: `every` must not be more than the size"
    )]
    RecordGaps {
        /// How many a window was to have.
        size: u32,
        /// After how many the next was to begin.
        every: u32,
    },
    /// The gap between sessions is zero.
    #[error("the gap that ends a session must be longer than zero")]
    NoGap,
    /// No instant at which a period begins.
    #[error("there must be an instant at which a period begins")]
    NoPeriod,
    /// Periods begin at instants that are not in order.
    #[error("periods must begin one after the other, but {} ns comes after {} ns", after.as_nanos(), before.as_nanos())]
    Order {
        /// The one given first.
        before: Timestamp,
        /// The one given after it, which is not later.
        after: Timestamp,
    },
    /// An early result after no records.
    #[error("early results must be one record apart at least")]
    EveryNoRecords,
    /// An early result after no time.
    #[error("the time between early results must be longer than zero")]
    EveryNoTime,
    /// The size, or the gap, is longer than event time reaches.
    #[error("a window that long cannot be: {0}")]
    Span(#[from] SpanError),
}

impl Sliding {
    /// Windows of `size`, one starting every `every`.
    ///
    /// # Errors
    /// If either is zero, the hop is longer than the size, or the size is longer than 292 years.
    pub fn new(size: Duration, every: Duration) -> Result<Self, WindowError> {
        if size.is_zero() || every.is_zero() {
            return Err(WindowError::Zero { size, every });
        }
        if every > size {
            return Err(WindowError::Gaps { size, every });
        }
        let (size, every) = (Span::try_from(size)?.as_nanos(), Span::try_from(every)?.as_nanos());
        Ok(Self { size, every, offset: 0, cut: size % every })
    }

    /// Windows of `size` that follow each other without overlap.
    ///
    /// # Errors
    /// If the size is zero or longer than 292 years.
    pub fn tumbling(size: Duration) -> Result<Self, WindowError> {
        Self::new(size, size)
    }

    /// The same windows, so much later: windows of a day with an offset of eight hours begin at eight o'clock UTC. For a time that is
    /// ahead of UTC, take what is left of the hop: 23 hours for one hour ahead. (Days of a time zone that knows summer time
    /// are not all of one length: see [`Periods`](super::Periods).)
    #[must_use]
    pub fn with_offset(self, offset: Duration) -> Self {
        let every = u128::from(self.every.unsigned_abs());
        let offset = i64::try_from(offset.as_nanos() % every).expect("less than a hop");
        Self { offset, ..self }
    }

    /// The instants at which a window ends.
    pub fn ends(&self) -> Grid {
        let every = Duration::from_nanos(self.every.unsigned_abs());
        let period = Span::try_from(every).expect("the hop was a span when the windows were made");
        let begins = Grid::new(period, self.size.rem_euclid(self.every));
        begins.later(Span::at_most(Duration::from_nanos(self.offset.unsigned_abs())))
    }

    /// Windows without overlap that all of these consist of, the longest that there are.
    pub(super) fn dividing<const N: usize>(all: [Self; N]) -> Self {
        let offset = all[0].offset;
        let lengths = all.into_iter().flat_map(|Self { size, every, .. }| [size, every]);
        let apart = all.into_iter().map(|other| other.offset - offset);
        let length = lengths.chain(apart).fold(0, |one, other| gcd(one, other.unsigned_abs()));
        let length = i64::try_from(length).expect("it divides a hop");
        Self { size: length, every: length, offset: offset % length, cut: 0 }
    }

    /// How many windows that [divide](Self::dividing) these a slice consists of, at the most.
    pub(super) fn in_slice(&self, dividing: Self) -> usize {
        usize::try_from(self.every / dividing.every).unwrap_or(usize::MAX)
    }

    /// A window that may reach beyond all of time.
    #[cold]
    #[inline(never)]
    fn window_at_an_end(&self, number: i64) -> TimeWindow {
        let start = i128::from(number) * i128::from(self.every) + i128::from(self.offset);
        TimeWindow { start: clamped(start), end: clamped(start + i128::from(self.size)) }
    }

    /// The number of a hop's head or tail.
    ///
    /// Hops that have both are longer than a nanosecond, so twice as many can be numbered. Of those of two nanoseconds each instant is
    /// a slice, and has its time for a number: with any other there would be none left for the first or the last. But the last two
    /// instants of time share one, so that there is a number left behind all slices.
    fn number(&self, hop: i64, tail: bool) -> SliceNumber {
        let mut number = self.first_of(hop.into()) + i128::from(tail);
        if self.cut != 0 {
            number = number.min(i128::from(i64::MAX) - 1);
        }
        SliceNumber::new(i64::try_from(number).expect("no more slices than instants"))
    }

    /// The number of a hop's first slice, wherever that lies.
    fn first_of(&self, hop: i128) -> i128 {
        if self.cut == 0 { hop } else { hop * 2 + self.shift() }
    }

    /// What slices of heads and tails are numbered from.
    fn shift(&self) -> i128 {
        if self.every == 2 { self.offset.into() } else { 0 }
    }

    /// The hop that the slice lies in, and whether in its tail.
    fn place(&self, slice: SliceNumber) -> (i64, bool) {
        if self.cut == 0 {
            return (slice.get(), true);
        }
        let number = i128::from(slice.get()) - self.shift();
        let hop = i64::try_from(number >> 1).expect("half as many hops as slices");
        (hop, number & 1 == 1)
    }
}

impl Slicing for Sliding {
    fn tumble(&self) -> bool {
        self.size == self.every
    }

    fn window(&self, number: i64) -> TimeWindow {
        let within = || {
            let start = number.checked_mul(self.every)?.checked_add(self.offset)?;
            Some((start, start.checked_add(self.size)?))
        };
        match within() {
            Some((start, end)) => {
                TimeWindow { start: Timestamp::from_nanos(start), end: Timestamp::from_nanos(end) }
            }
            None => self.window_at_an_end(number),
        }
    }

    fn first_open(&self, watermark: Watermark) -> i64 {
        if watermark.is_end() {
            return i64::MAX;
        }
        let covered =
            i128::from(watermark.time().as_nanos()) - i128::from(self.size) - i128::from(self.offset);
        clamped(whole_periods(covered, self.every) + 1).as_nanos()
    }

    fn slice_at(&self, time: Timestamp) -> SliceNumber {
        let time = i128::from(time.as_nanos()) - i128::from(self.offset);
        let hops = whole_periods(time, self.every);
        // An offset is less than a hop, so there are no more hops for it but one, where they are longer than a nanosecond.
        let hop = i64::try_from(hops).expect("no more hops than instants");
        self.number(hop, self.cut > 0 && time - hops * i128::from(self.every) >= self.cut.into())
    }

    fn first_slice(&self, window: i64) -> i64 {
        clamped(self.first_of(window.into())).as_nanos()
    }

    fn slices_in(&self, window: i64) -> RangeInclusive<i64> {
        let hops = window.saturating_add(self.size / self.every);
        let last = if self.cut == 0 { hops - 1 } else { self.first_slice(hops) };
        self.first_slice(window)..=last
    }

    fn extent(&self, slice: SliceNumber) -> (i64, u64) {
        let (hop, tail) = self.place(slice);
        let hop = i128::from(hop) * i128::from(self.every) + i128::from(self.offset);
        let cut = hop + i128::from(self.cut);
        let (start, end) = if tail { (cut, hop + i128::from(self.every)) } else { (hop, cut) };
        let (start, end) = (clamped(start).as_nanos(), clamped(end).as_nanos());
        (start, end.abs_diff(start))
    }

    /// With a hop of 1 ns the last two instants of time share a window, so that there is a number left to
    /// say "all windows are closed".
    fn windows_over(&self, slice: SliceNumber) -> (i64, i64) {
        let (hop, tail) = self.place(slice);
        let first = hop.saturating_sub(self.size / self.every - i64::from(tail));
        (first.min(i64::MAX - 1), hop.min(i64::MAX - 1))
    }
}

/// The greatest common divisor; that of zero and another number is the other.
fn gcd(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { gcd(other, one % other) }
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to the range first")]
fn clamped(nanos: i128) -> Timestamp {
    Timestamp::from_nanos(nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sliding(size: u64, every: u64) -> Sliding {
        Sliding::new(Duration::from_nanos(size), Duration::from_nanos(every)).unwrap()
    }

    #[test]
    fn slices_and_windows_agree_with_the_definition() {
        for size in 1..20_i64 {
            for every in 1..=size {
                let offset = (size * 7).rem_euclid(every);
                let windows = sliding(size.unsigned_abs(), every.unsigned_abs());
                let windows = windows.with_offset(Duration::from_nanos((offset + 3 * every).unsigned_abs()));
                for time in -50..50 {
                    let at = Timestamp::from_nanos(time);
                    let slice = windows.slice_at(at);
                    let (first, last) = windows.windows_over(slice);
                    for number in -60..60 {
                        let window = windows.window(number);
                        assert_eq!(window.start, Timestamp::from_nanos(number * every + offset));
                        let inside = window.start <= at && at < window.end;
                        assert_eq!(inside, (first..=last).contains(&number), "{windows:?} {time} {number}");
                        let slices = windows.slices_in(number);
                        assert_eq!(inside, slices.contains(&slice.get()), "{windows:?} {time} {number}");
                        assert_eq!(*slices.start(), windows.first_slice(number));
                        let open = windows.first_open(Watermark::at(at)) <= number;
                        assert_eq!(open, window.end > at, "{windows:?} {time} {number}");
                    }
                    let (start, length) = windows.extent(slice);
                    for other in -50..50 {
                        let inside = (start..start + i64::try_from(length).unwrap()).contains(&other);
                        assert_eq!(inside, windows.slice_at(Timestamp::from_nanos(other)) == slice);
                    }
                }
            }
        }
    }

    #[test]
    fn windows_that_divide_others_meet_all_of_their_bounds_and_no_longer_ones_do() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let unit = random.u64(1..4);
            let one = |random: &mut fastrand::Rng| {
                let every = random.u64(1..8) * unit;
                let windows = sliding(every + random.u64(0..8) * unit, every);
                windows.with_offset(Duration::from_nanos(random.u64(0..3) * random.u64(0..4) * unit))
            };
            let all = [one(&mut random), one(&mut random), one(&mut random)];
            let bounds: Vec<_> = all
                .iter()
                .flat_map(|windows| (-9..9).map(|number| windows.window(number)))
                .flat_map(|window| [window.start.as_nanos(), window.end.as_nanos()])
                .collect();
            let meets = |length: i64| bounds.iter().all(|bound| (bound - bounds[0]).rem_euclid(length) == 0);
            let dividing = Sliding::dividing(all);
            assert!(dividing.tumble());
            assert_eq!((1..100).filter(|length| meets(*length)).max(), Some(dividing.size), "{all:?}");
            assert_eq!((bounds[0] - dividing.offset).rem_euclid(dividing.size), 0, "{all:?}");
            for windows in all {
                let (_, length) =
                    windows.extent(windows.slice_at(Timestamp::from_nanos(random.i64(-50..50))));
                let slices = length / dividing.size.unsigned_abs();
                assert!(slices <= windows.in_slice(dividing) as u64, "{all:?}");
            }
        }
    }

    #[test]
    fn impossible_windows_are_refused() {
        let new = |size, every| Sliding::new(Duration::from_secs(size), Duration::from_secs(every));
        assert!(matches!(new(0, 0), Err(WindowError::Zero { .. })));
        assert!(matches!(new(1, 0), Err(WindowError::Zero { .. })));
        assert!(matches!(new(1, 2), Err(WindowError::Gaps { .. })));
        assert!(matches!(new(10_000_000_000, 1), Err(WindowError::Span(_))));
    }

    #[test]
    fn the_extremes_of_time_do_not_overflow() {
        for (size, every) in
            [(1, 1), (3, 2), (7, 3), (i64::MAX, 1), (i64::MAX, i64::MAX), (i64::MAX, i64::MAX - 1)]
        {
            let windows = sliding(size.unsigned_abs(), every.unsigned_abs());
            let windows = windows.with_offset(Duration::from_nanos((every - 1).unsigned_abs()));
            for time in [Timestamp::MIN, Timestamp::from_nanos(0), Timestamp::MAX] {
                let slice = windows.slice_at(time);
                let (first, last) = windows.windows_over(slice);
                assert!(first <= last);
                let (start, _) = windows.extent(slice);
                assert!(start <= time.as_nanos());
                assert!(windows.window(last).start <= time);
                assert!(windows.first_open(Watermark::MIN) <= last, "nothing is closed at the beginning");
                assert!(windows.first_open(Watermark::END) > last, "everything is closed in the end");
            }
        }
    }
}
