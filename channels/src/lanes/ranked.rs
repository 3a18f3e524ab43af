//! Lanes taken from in an order that the values alone decide.

use std::ops::{Index, IndexMut};

use super::{Lane, Poll};

/// Lanes of which the next value is always the one that ranks lowest among the oldest of all lanes; of equals,
/// that of the first lane.
///
/// The order in which values come out depends on what each lane carries and on nothing else: not on who
/// published first, nor on when anyone polled. Where the ranks in each lane never fall, they never fall in the
/// merged order either. The price is that an open lane without a value holds up all others: a lane with
/// nothing to say must close, or send something that ranks high.
///
/// ```
/// use nacreous_channels::{lanes::{Poll, Ranked}, spsc};
///
/// let (mut a, from_a) = spsc::channel(8);
/// let (mut b, from_b) = spsc::channel(8);
/// let mut lanes = Ranked::new([from_a, from_b], |number: &u64| *number);
/// b.push(2).unwrap();
/// assert_eq!(lanes.poll(), Poll::Empty, "there may be a 1 to come from a");
/// assert_eq!(lanes.awaited(), Some(0));
/// a.push(3).unwrap();
/// assert_eq!(lanes.poll(), Poll::Ready(1));
/// assert_eq!(lanes[1].pop(), Some(2));
/// drop(b);
/// assert_eq!(lanes.poll(), Poll::Ended(1));
/// assert_eq!(lanes.poll(), Poll::Ready(0));
/// ```
#[derive(Debug)]
pub struct Ranked<L, R, F> {
    lanes: Vec<L>,
    /// The rank of each lane's oldest value, if it is known to have one.
    oldest: Vec<Oldest<R>>,
    rank: F,
    /// The lane last returned, from which something may have been taken.
    taken: Option<usize>,
    awaited: Option<usize>,
}

/// What is known of the head of a lane.
#[derive(Debug, Clone, Copy)]
enum Oldest<R> {
    Unknown,
    Ranks(R),
    Ended { said: bool },
}

impl<L: Lane, R: Ord + Copy, F: Fn(&L::Value) -> R> Ranked<L, R, F> {
    /// Takes over the consuming end of each lane; `rank` is asked for the oldest value of a lane when
    /// it comes to the front, and again if a lane that was returned is not taken from.
    pub fn new(lanes: impl IntoIterator<Item = L>, rank: F) -> Self {
        let lanes: Vec<L> = lanes.into_iter().collect();
        let oldest = lanes.iter().map(|_| Oldest::Unknown).collect();
        Self { lanes, oldest, rank, taken: None, awaited: None }
    }

    /// The lane to take from next, if each open lane has a value. Take one value and no more from it, and from
    /// no other lane.
    ///
    /// # Cost
    /// One comparison for each lane, and a look at the lane last returned; also at lanes that had no value.
    #[inline]
    pub fn poll(&mut self) -> Poll {
        if let Some(lane) = self.taken.take() {
            self.oldest[lane] = Oldest::Unknown;
        }
        self.awaited = None;
        let mut lowest: Option<(R, usize)> = None;
        for lane in 0..self.lanes.len() {
            if let Oldest::Unknown = self.oldest[lane] {
                self.oldest[lane] = self.look(lane);
            }
            match self.oldest[lane] {
                Oldest::Unknown => {
                    self.awaited = self.awaited.or(Some(lane));
                }
                Oldest::Ranks(rank) => {
                    if lowest.is_none_or(|(other, _)| rank < other) {
                        lowest = Some((rank, lane));
                    }
                }
                Oldest::Ended { said: false } => {
                    self.oldest[lane] = Oldest::Ended { said: true };
                    return Poll::Ended(lane);
                }
                Oldest::Ended { said: true } => {}
            }
        }
        match lowest {
            Some((_, lane)) if self.awaited.is_none() => {
                self.taken = Some(lane);
                Poll::Ready(lane)
            }
            _ => Poll::Empty,
        }
    }

    fn look(&mut self, lane: usize) -> Oldest<R> {
        // Asked first, so that a lane that is found empty afterwards has come to its end.
        let closed = self.lanes[lane].is_closed();
        match self.lanes[lane].peek() {
            Some(value) => Oldest::Ranks((self.rank)(value)),
            None if closed => Oldest::Ended { said: false },
            None => Oldest::Unknown,
        }
    }

    /// The first lane that the last poll found open and without a value: the one that all others wait for.
    pub fn awaited(&self) -> Option<usize> {
        self.awaited
    }
}

impl<L, R, F> Index<usize> for Ranked<L, R, F> {
    type Output = L;

    #[inline]
    fn index(&self, lane: usize) -> &L {
        &self.lanes[lane]
    }
}

impl<L, R, F> IndexMut<usize> for Ranked<L, R, F> {
    #[inline]
    fn index_mut(&mut self, lane: usize) -> &mut L {
        &mut self.lanes[lane]
    }
}
