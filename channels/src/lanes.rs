//! Fan-in: several producers into one consumer, each over a lane of its own.
//!
//! There is no contended line, a slow producer delays only itself, and each producer's order is kept. Two
//! orders among the lanes are on offer:
//!
//! | | next comes from | the order depends on |
//! |---|---|---|
//! | [`Lanes`] | the lanes in turn, some from each | who published when |
//! | [`Ranked`] | the lane whose oldest value ranks lowest | what was published, and nothing else |
//!
//! ```
//! use nacreous_channels::{lanes::{Lanes, Poll}, spsc};
//!
//! let (mut a, from_a) = spsc::channel(8);
//! let (mut b, from_b) = spsc::channel(8);
//! let mut lanes = Lanes::new([from_a, from_b], 1);
//! a.push("a1").unwrap();
//! a.push("a2").unwrap();
//! b.push("b1").unwrap();
//!
//! let mut seen = Vec::new();
//! while let Poll::Ready(lane) = lanes.poll() {
//!     seen.extend(lanes[lane].pop());
//! }
//! assert_eq!(seen, ["a1", "b1", "a2"]);
//! ```

mod ranked;

use std::ops::{Index, IndexMut};

pub use self::ranked::Ranked;
use crate::{
    broadcast, mpsc,
    spsc::{Consumer, Receiver},
};

/// A consumer's end that can be polled as one lane of several.
pub trait Lane {
    /// What comes through it.
    type Value;

    /// The oldest value, if there is one now.
    fn peek(&mut self) -> Option<&Self::Value>;

    /// Whether its producer is gone. If so, and nothing is found afterwards, nothing will ever come.
    fn is_closed(&self) -> bool;
}

/// Lanes polled in turn.
#[derive(Debug)]
pub struct Lanes<L> {
    lanes: Vec<L>,
    /// The lanes that may still deliver something.
    open: Vec<usize>,
    /// The position among the open lanes that is looked at first.
    turn: usize,
    /// How often the lane whose turn it is may still be returned before the turn passes on.
    left: usize,
    quota: usize,
}

/// What a poll of the lanes found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Poll {
    /// The lane with this index has something: take it from there.
    Ready(usize),
    /// There is nothing to take now.
    Empty,
    /// The producer of the lane with this index is gone and all it published was taken. Said once a lane.
    Ended(usize),
}

impl<L: Lane> Lanes<L> {
    /// Takes over the consuming end of each lane. A lane is returned up to `quota` times in a row, at least
    /// once, while it has something: more is cheaper and makes the others wait for longer.
    pub fn new(lanes: impl IntoIterator<Item = L>, quota: usize) -> Self {
        let lanes: Vec<L> = lanes.into_iter().collect();
        let open = (0..lanes.len()).collect();
        let quota = quota.max(1);
        Self { lanes, open, turn: 0, left: quota, quota }
    }

    /// The next lane that has something, or that has come to its end.
    ///
    /// # Cost
    /// A look at each lane until one has something. An empty lane costs a load of a line that its producer writes,
    /// and one of a line that nobody does, besides handing back slots; one that has ended costs nothing.
    // HOT(lanes.poll)
    #[inline]
    pub fn poll(&mut self) -> Poll {
        if self.left > 0
            && let Some(&lane) = self.open.get(self.turn)
            && self.has_something(lane)
        {
            self.left -= 1;
            return Poll::Ready(lane);
        }
        self.pass_on()
    }

    /// All lanes, also those that have ended, in the order of their indices.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut L> {
        self.lanes.iter_mut()
    }

    /// How many lanes have not ended yet.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    #[inline]
    fn has_something(&mut self, lane: usize) -> bool {
        self.lanes[lane].peek().is_some()
    }

    /// The lane whose turn it was is empty or has had its share.
    fn pass_on(&mut self) -> Poll {
        let count = self.open.len();
        for step in 1..=count {
            let position = (self.turn + step) % count;
            let lane = self.open[position];
            let mut found = self.has_something(lane);
            let closed = !found && self.lanes[lane].is_closed();
            if closed {
                // The close was seen first, so this look finds whatever was published before it.
                found = self.has_something(lane);
            }
            if found {
                (self.turn, self.left) = (position, self.quota - 1);
                return Poll::Ready(lane);
            }
            if closed {
                return self.end(position);
            }
        }
        Poll::Empty
    }

    #[cold]
    fn end(&mut self, position: usize) -> Poll {
        let lane = self.open.remove(position);
        // The lane before the one that comes next, so that the turn passes on to that.
        self.turn = if position == 0 { self.open.len().saturating_sub(1) } else { position - 1 };
        self.left = 0;
        Poll::Ended(lane)
    }
}

impl<L> Index<usize> for Lanes<L> {
    type Output = L;

    #[inline]
    fn index(&self, lane: usize) -> &L {
        &self.lanes[lane]
    }
}

impl<L> IndexMut<usize> for Lanes<L> {
    #[inline]
    fn index_mut(&mut self, lane: usize) -> &mut L {
        &mut self.lanes[lane]
    }
}

impl<S> Lane for Consumer<S> {
    type Value = S;

    #[inline]
    fn peek(&mut self) -> Option<&S> {
        Consumer::peek(self).map(|slot| &*slot)
    }

    #[inline]
    fn is_closed(&self) -> bool {
        Consumer::is_closed(self)
    }
}

impl<T> Lane for Receiver<T> {
    type Value = T;

    #[inline]
    fn peek(&mut self) -> Option<&T> {
        Receiver::peek(self)
    }

    #[inline]
    fn is_closed(&self) -> bool {
        Receiver::is_closed(self)
    }
}

impl<S> Lane for broadcast::Consumer<S> {
    type Value = S;

    #[inline]
    fn peek(&mut self) -> Option<&S> {
        broadcast::Consumer::peek(self)
    }

    #[inline]
    fn is_closed(&self) -> bool {
        broadcast::Consumer::is_closed(self)
    }
}

impl<T> Lane for mpsc::Receiver<T> {
    type Value = T;

    #[inline]
    fn peek(&mut self) -> Option<&T> {
        mpsc::Receiver::peek(self)
    }

    #[inline]
    fn is_closed(&self) -> bool {
        mpsc::Receiver::is_closed(self)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
