use nacreous_watermark::{Timestamp, Watermark};

use super::slot_vec::{SlotVec, touched};
use crate::{Block, Prepared, Supplies, key::SlotNumber, supply::Stock};

/// Timers, each for something at an instant of event time, usually a key, that go off in order of time, then of what they are for.
///
/// A binary heap in segments. Nothing moves when it grows; it grows ahead of need if [`prepare`](Self::prepare) is called
/// and heeded, else a timer may have to wait for the allocator.
///
/// # Cost
/// A timer set or gone off: comparisons that grow with the logarithm of the timers set. Memory: 16 bytes each.
#[derive(Debug)]
pub(crate) struct TimerQueue<S = SlotNumber> {
    /// No timer is before the one at half its place (places count from one).
    heap: SlotVec<Timer<S>>,
    len: usize,
    stock: Stock<TimerBlock<S>, usize>,
    /// Whether a segment has been asked for that is not here yet.
    awaited: bool,
}

type Timer<S> = (Timestamp, S);

/// A further segment for timers; what is asked for is its length.
pub(crate) struct TimerBlock<S>(Vec<Timer<S>>);

impl<S> TimerBlock<S> {
    fn make(length: usize) -> Self {
        Self(touched(length))
    }
}

impl<S: Send + 'static> Block for TimerBlock<S> {
    type Want = usize;

    fn make(length: usize) -> Self {
        Self::make(length)
    }
}

/// Timers that fit before the memory grows.
const INITIAL_TIMERS: usize = 1_024;

impl<S: Copy + Ord> TimerQueue<S> {
    /// No timers, and memory for a thousand.
    pub(crate) fn new() -> Self {
        Self::with_base(INITIAL_TIMERS)
    }

    fn with_base(length: usize) -> Self {
        let heap = SlotVec::with_base(touched(length), length);
        Self { heap, len: 0, stock: Stock::on_the_spot(TimerBlock::make), awaited: false }
    }

    /// Sets a timer. One set twice goes off once, if it has not gone off in between.
    pub(crate) fn push(&mut self, time: Timestamp, slot: S) {
        if self.len == self.heap.capacity() {
            self.make_room();
        }
        self.heap.push((time, slot));
        self.len += 1;
        self.sift_up();
    }

    /// Whether there is a timer that the watermark has passed; if it is the end, whether there is any.
    pub(crate) fn is_due(&self, watermark: Watermark) -> bool {
        self.first().is_some_and(|(time, _)| *time < watermark.time() || watermark.is_end())
    }

    /// The next timer that the watermark has passed, or that there is at all if it is the end.
    pub(crate) fn pop_due(&mut self, watermark: Watermark) -> Option<Timer<S>> {
        if !self.is_due(watermark) {
            return None;
        }
        let next = *self.first()?;
        while self.first() == Some(&next) {
            self.pop();
        }
        Some(next)
    }

    /// As [`Operator::connect`](crate::Operator::connect).
    pub(crate) fn connect(&mut self, supplies: &mut impl Supplies)
    where
        S: Send + 'static,
    {
        self.stock.connect(supplies);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// For how many there is memory.
    #[cfg(test)]
    pub(crate) fn room(&self) -> usize {
        self.heap.capacity()
    }

    /// As [`Operator::prepare`](crate::Operator::prepare), for so many timers to be set.
    pub(crate) fn prepare(&mut self, timers: usize) -> Prepared {
        loop {
            self.take_in();
            let capacity = self.heap.capacity();
            let is_short = self.len.saturating_add(timers) > capacity;
            let is_low = is_short || self.len >= capacity / 4 * 3;
            if is_low && !self.awaited && self.stock.ask(capacity) {
                self.awaited = true;
            } else {
                return if is_short { Prepared::Waiting } else { Prepared::Ready };
            }
        }
    }

    /// The timer that goes off next.
    pub(crate) fn first(&self) -> Option<&Timer<S>> {
        (self.len > 0).then(|| self.heap.at(0))
    }

    fn pop(&mut self) {
        if let Some(last) = self.heap.pop() {
            self.len -= 1;
            if self.len > 0 {
                *self.heap.at_mut(0) = last;
                self.sift_down();
            }
        }
    }

    /// Brings the last timer to its place.
    fn sift_up(&mut self) {
        let mut place = self.len;
        while place > 1 && self.heap.at(place - 1) < self.heap.at(place / 2 - 1) {
            self.swap(place, place / 2);
            place /= 2;
        }
    }

    /// Brings the first timer to its place.
    fn sift_down(&mut self) {
        let mut place = 1;
        while place * 2 <= self.len {
            let (left, right) = (place * 2, place * 2 + 1);
            let right_is_next = right <= self.len && self.heap.at(right - 1) < self.heap.at(left - 1);
            let next = if right_is_next { right } else { left };
            if self.heap.at(place - 1) <= self.heap.at(next - 1) {
                break;
            }
            self.swap(place, next);
            place = next;
        }
    }

    /// Swaps the timers at two places, counted from one.
    fn swap(&mut self, one: usize, other: usize) {
        let timer = *self.heap.at(one - 1);
        *self.heap.at_mut(one - 1) = *self.heap.at(other - 1);
        *self.heap.at_mut(other - 1) = timer;
    }

    fn take_in(&mut self) {
        while let Some(TimerBlock(segment)) = self.stock.take() {
            self.awaited = false;
            if self.heap.can_add(&segment) {
                self.heap.add_segment(segment);
            } else {
                self.stock.give_back(TimerBlock(segment));
            }
        }
    }

    /// Makes room for a timer on the spot, which is a stall: only where nobody prepared for it.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self) {
        self.take_in();
        if self.len == self.heap.capacity() {
            self.heap.add_segment(touched(self.heap.capacity()));
        }
    }
}

/// The clone has no timers: it serves another instance.
impl<S: Copy + Ord> Clone for TimerQueue<S> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::supply::tests::{Late, Never};

    #[test]
    fn timers_go_off_as_from_a_sorted_set() {
        for seed in 0..300 {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut timers = TimerQueue::with_base(1 << random.u32(0..5));
            match seed % 4 {
                0 => {}
                1 => timers.connect(&mut Never),
                _ => timers.connect(&mut Late::new(seed)),
            }
            let heed = seed % 4 != 1 && random.bool();
            let mut oracle = BTreeSet::new();
            let mut watermark = 0;
            for _ in 0..300 {
                let more = random.usize(0..10);
                while timers.prepare(more) == Prepared::Waiting && heed {}
                assert!(
                    !heed || timers.heap.capacity() - timers.len >= more,
                    "seed {seed}: ready without room"
                );
                for _ in 0..more {
                    let time = Timestamp::from_nanos(watermark + random.i64(-3..60));
                    let slot = SlotNumber::new(random.u32(0..4));
                    timers.push(time, slot);
                    oracle.insert((time, slot));
                }
                watermark += random.i64(0..9);
                let at = Watermark::at(Timestamp::from_nanos(watermark));
                while let Some(timer) = timers.pop_due(at) {
                    assert!(timer.0 < at.time());
                    assert_eq!(oracle.pop_first(), Some(timer), "seed {seed}");
                    if random.u8(..) < 20 {
                        // Set again by what it set off: it goes off again.
                        timers.push(timer.0, timer.1);
                        oracle.insert(timer);
                    }
                }
                assert!(oracle.first().is_none_or(|(time, _)| *time >= at.time()), "seed {seed}");
            }
            timers.push(Timestamp::MAX, SlotNumber::new(9));
            oracle.insert((Timestamp::MAX, SlotNumber::new(9)));
            while let Some(timer) = timers.pop_due(Watermark::END) {
                assert_eq!(oracle.pop_first(), Some(timer), "seed {seed}");
            }
            assert!(oracle.is_empty() && timers.len == 0, "seed {seed}");
        }
    }
}
