//! Fan-in: several rings into one consumer, polled in turn.
//!
//! Each producer has a lane of its own, so there is no contended line, a slow producer delays only itself,
//! and each producer's order is kept. Lanes are visited round-robin with a quota of one slot a visit.

use crate::spsc::Consumer;

/// The consumers of several rings, polled as one input.
#[derive(Debug)]
pub struct Lanes<S> {
    lanes: Vec<Lane<S>>,
    /// The lane that the next poll looks at first.
    next: usize,
}

#[derive(Debug)]
struct Lane<S> {
    consumer: Consumer<S>,
    /// Its end was reported, and is not reported again.
    ended: bool,
}

/// What a poll of the lanes found.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Poll<'a, S> {
    /// The oldest slot of the lane with this index; give it back with [`Lanes::release`].
    Slot(usize, &'a mut S),
    /// Nothing is published on any lane now.
    Empty,
    /// The producer of the lane with this index is gone and all it published was read. Said once a lane.
    Ended(usize),
}

impl<S> Lanes<S> {
    /// Takes over the consuming side of each lane.
    pub fn new(consumers: impl IntoIterator<Item = Consumer<S>>) -> Self {
        let lanes = consumers.into_iter().map(|consumer| Lane { consumer, ended: false }).collect();
        Self { lanes, next: 0 }
    }

    /// The oldest slot of the next lane that has one.
    ///
    /// # Cost
    /// One look at each lane until one has a slot; an empty lane costs one load of its producer's counter.
    // HOT(lanes.poll)
    #[inline]
    pub fn poll(&mut self) -> Poll<'_, S> {
        match self.ready_lane() {
            Some(lane) => self.slot_of(lane),
            None => self.poll_ended(),
        }
    }

    /// Gives the slot last polled from `lane` back to its producer.
    ///
    /// # Panics
    /// If `lane` is out of range or has no slot to give back.
    #[inline]
    pub fn release(&mut self, lane: usize) {
        self.lanes[lane].consumer.release();
    }

    #[inline]
    fn ready_lane(&mut self) -> Option<usize> {
        let count = self.lanes.len();
        for step in 0..count {
            let lane = (self.next + step) % count;
            if self.lanes[lane].consumer.peek().is_some() {
                self.next = lane + 1;
                return Some(lane);
            }
        }
        None
    }

    #[inline]
    fn slot_of(&mut self, lane: usize) -> Poll<'_, S> {
        Poll::Slot(lane, self.lanes[lane].consumer.peek().expect("the lane was just seen to have a slot"))
    }

    /// Every lane is empty: is one of them empty for good?
    #[cold]
    #[inline(never)]
    fn poll_ended(&mut self) -> Poll<'_, S> {
        let Some(lane) = self.lanes.iter().position(|lane| !lane.ended && lane.consumer.is_closed()) else {
            return Poll::Empty;
        };
        // The close was seen first, so this look at the lane finds whatever was published before it.
        if self.lanes[lane].consumer.peek().is_some() {
            return self.slot_of(lane);
        }
        self.lanes[lane].ended = true;
        Poll::Ended(lane)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::spsc::{Producer, ring};

    fn send(producer: &mut Producer<u32>, value: u32) {
        *producer.claim().expect("room in the ring") = value;
        producer.publish();
    }

    #[test]
    fn lanes_are_visited_in_turn_and_each_keeps_its_order() {
        let (mut a, consumer_a) = ring(4, || 0);
        let (mut b, consumer_b) = ring(4, || 0);
        let mut lanes = Lanes::new([consumer_a, consumer_b]);
        for value in [1, 2, 3] {
            send(&mut a, value);
        }
        send(&mut b, 10);

        let mut seen = Vec::new();
        while let Poll::Slot(lane, value) = lanes.poll() {
            seen.push((lane, *value));
            lanes.release(lane);
        }
        assert_eq!(seen, [(0, 1), (1, 10), (0, 2), (0, 3)]);
    }

    #[test]
    fn each_end_is_said_once_and_after_the_last_slot() {
        let (mut a, consumer_a) = ring(4, || 0);
        let (b, consumer_b) = ring(4, || 0);
        let mut lanes = Lanes::new([consumer_a, consumer_b]);
        send(&mut a, 7);
        drop(a);
        assert_eq!(lanes.poll(), Poll::Slot(0, &mut 7));
        lanes.release(0);
        assert_eq!(lanes.poll(), Poll::Ended(0));
        assert_eq!(lanes.poll(), Poll::Empty);
        drop(b);
        assert_eq!(lanes.poll(), Poll::Ended(1));
        assert_eq!(lanes.poll(), Poll::Empty);
    }
}
