//! A bounded ring from one producer to several consumers, each of which sees everything.
//!
//! Slots are made once, filled where they lie, and read where they lie by all consumers, by shared reference.
//! Nothing is lost: the slowest consumer holds the producer back.
//!
//! ```
//! let (mut producer, [mut a, mut b]) = nacreous_channels::broadcast::ring(4, || 0_u64);
//! *producer.claim().expect("a new ring has room") = 42;
//! producer.publish();
//! assert_eq!((a.peek(), b.peek()), (Some(&42), Some(&42)));
//! a.release();
//! assert_eq!((a.peek(), b.peek()), (None, Some(&42)));
//! ```
//!
//! # Protocol
//!
//! | field | written by | read by |
//! |---|---|---|
//! | `tail`: slots published so far | producer | consumers |
//! | `head` of each consumer: slots it has released so far | that consumer | producer |
//! | `gone` of each consumer | that consumer, once, when dropped | producer |
//! | slot `i` | producer while `tail ≤ i`, and `i < head + capacity` for each consumer that is not gone | producer, and each consumer while `head ≤ i < tail` |
//! | `producer_gone` | producer, once, when dropped | consumers |
//!
//! Each consumer has a cursor on a line of its own. The producer remembers the slowest, and looks at the cursors
//! again only when the ring seems full. There is no read-modify-write and no fence.
//!
//! The edges, each with the loom model in `channels/tests/loom/` that fails when either end is weakened
//! (`cargo xtask orderings` tries that):
//!
//! | edge | from | to | hands over | loom model |
//! |---|---|---|---|---|
//! | `tail` | `Producer::publish_many` | `Consumer::refresh` | the contents of slots below the new tail | `each_consumer_sees_a_slot_whole` |
//! | `head` | `Consumer::release_many` | `Producer::refresh` | slots below the slowest head, for reuse | `a_slot_is_reused_only_after_the_slowest_is_done` |
//! | `gone` | `Consumer::drop` | `Producer::refresh` | the slots it had not released | `a_consumer_that_leaves_holds_nobody_back` |
//! | `producer_gone` | `Producer::drop` | `Consumer::is_closed` | that `tail` is final | `everything_broadcast_before_the_drop_is_read` |

use std::{fmt, mem::offset_of};

use crossbeam_utils::CachePadded;

use crate::{
    slots::{LINE, Own, Slots},
    sync::{Arc, AtomicBool, AtomicUsize, Ordering},
};

/// Makes a ring of `capacity` slots, rounded up to a power of two (zero counts as one), each made by `slot`, and
/// `N` consumers, at least one.
///
/// The slots' memory is first touched by the thread that calls this: with several readers, no place is near all.
///
/// # Panics
/// If the rounded capacity, or its size in bytes, overflows; or if `slot` panics.
///
/// # Cost
/// One allocation for the slots, one for the cursors and one for the counter; none afterwards.
pub fn ring<S, const N: usize>(capacity: usize, slot: impl FnMut() -> S) -> (Producer<S>, [Consumer<S>; N]) {
    const { assert!(N > 0, "a ring that nobody reads") };
    let (producer, consumers) = ring_at(0, capacity, N, slot);
    let Ok(consumers) = consumers.try_into() else { unreachable!("there are as many as were asked for") };
    (producer, consumers)
}

/// As [`ring`], for a number of consumers that is known only at run time.
///
/// # Panics
/// As [`ring`], and if `consumers` is zero.
pub fn ring_to<S>(
    capacity: usize,
    consumers: usize,
    slot: impl FnMut() -> S,
) -> (Producer<S>, Vec<Consumer<S>>) {
    assert!(consumers > 0, "a ring that nobody reads");
    ring_at(0, capacity, consumers, slot)
}

/// A ring whose counters have already run to `start`.
fn ring_at<S>(
    start: usize,
    capacity: usize,
    consumers: usize,
    mut slot: impl FnMut() -> S,
) -> (Producer<S>, Vec<Consumer<S>>) {
    let slots = Slots::<S>::new(capacity);
    let capacity = slots.capacity();
    let mut shared = Shared {
        tail: CachePadded::new(AtomicUsize::new(start)),
        producer_gone: AtomicBool::new(false),
        cursors: (0..consumers).map(|_| CachePadded::new(Cursor::at(start))).collect(),
        filled: 0,
        slots,
    };
    for index in 0..capacity {
        let value = slot();
        // SAFETY: nobody else has the slots yet.
        unsafe { shared.slots.window().slot(index).write(value) };
        shared.filled = index + 1;
    }
    let shared = Arc::new(shared);
    let consumer = |number| {
        let own = Own { slots: shared.slots.window(), next: start, end: start };
        Consumer { shared: Arc::clone(&shared), number, own }
    };
    let consumers = (0..consumers).map(consumer).collect();
    let own = Own { slots: shared.slots.window(), next: start, end: start.wrapping_add(capacity) };
    (Producer { shared, own }, consumers)
}

/// The side that fills slots. Dropping it closes the ring; the consumers still read what was published.
#[repr(align(128))]
pub struct Producer<S> {
    shared: Arc<Shared<S>>,
    /// From `Shared::tail` up to a lap beyond the slowest consumer's head as last read.
    own: Own<S>,
}

/// One of the sides that read. Dropping it lets the others go on without it.
#[repr(align(128))]
pub struct Consumer<S> {
    shared: Arc<Shared<S>>,
    /// Its position among the cursors.
    number: usize,
    /// From its head up to `Shared::tail` as last read; shared with the other consumers.
    own: Own<S>,
}

#[repr(C)]
struct Shared<S> {
    tail: CachePadded<AtomicUsize>,
    producer_gone: AtomicBool,
    cursors: Box<[CachePadded<Cursor>]>,
    /// How many slots were made, from the first.
    filled: usize,
    slots: Slots<S>,
}

/// How far a consumer has got.
struct Cursor {
    head: AtomicUsize,
    gone: AtomicBool,
}

const _: () = {
    assert!(offset_of!(Shared<u8>, producer_gone) >= LINE, "the counter has a line of its own");
    assert!(size_of::<CachePadded<Cursor>>().is_multiple_of(LINE));
};

// SAFETY: the protocol above gives a slot to the producer alone or to consumers that only read it, and a change
// is a Release store met by an Acquire load; `S: Send` for the former, `S: Sync` for the latter.
unsafe impl<S: Send + Sync> Sync for Shared<S> {}
// SAFETY: as above; the last handle to go drops the slots, which `S: Send` allows on any thread.
unsafe impl<S: Send + Sync> Send for Shared<S> {}
// SAFETY: the producer owns its slots, and sending it hands them over. `Own` says where slots lie, and the
// handle keeps them alive.
unsafe impl<S: Send + Sync> Send for Producer<S> {}
// SAFETY: by shared reference a handle tells numbers and reads atomics, and touches no slot.
unsafe impl<S: Send + Sync> Sync for Producer<S> {}
// SAFETY: a consumer shares slots with others, which `S: Sync` allows.
unsafe impl<S: Send + Sync> Send for Consumer<S> {}
// SAFETY: by shared reference a handle tells numbers and reads atomics, and touches no slot.
unsafe impl<S: Send + Sync> Sync for Consumer<S> {}

impl Cursor {
    fn at(start: usize) -> Self {
        Self { head: AtomicUsize::new(start), gone: AtomicBool::new(false) }
    }
}

impl<S> Drop for Shared<S> {
    fn drop(&mut self) {
        // SAFETY: the first `filled` slots were made and never moved out of, and nobody else has the ring.
        unsafe { self.slots.drop_values(self.filled) };
    }
}

impl<S> Producer<S> {
    /// The next free slot, holding whatever it held a lap ago; `None` if the ring is full: the slowest consumer
    /// has yet to release a slot.
    ///
    /// Claiming again without publishing gives the same slot.
    // HOT(broadcast.claim)
    #[inline]
    pub fn claim(&mut self) -> Option<&mut S> {
        if self.own.count() == 0 && self.refresh() == 0 {
            return None;
        }
        self.shared.slots.watch_mut(self.own.next, 1);
        // SAFETY: slot `next` is the producer's. The reference borrows `self` mutably, so it ends before the
        // next call to `publish`.
        Some(unsafe { &mut *self.own.first() })
    }

    /// The next free slots, `count` of them if there are so many, else all there are, as two runs: the second
    /// one is empty unless the memory wraps. A prefix of them can be [published](Self::publish_many).
    #[inline]
    pub fn claim_many(&mut self, count: usize) -> (&mut [S], &mut [S]) {
        let free = self.own.count();
        let count = count.min(if free < count { self.refresh() } else { free });
        self.shared.slots.watch_mut(self.own.next, count);
        let (first, second) = self.own.runs(count);
        // SAFETY: as in `claim`, for `count` slots.
        let first = unsafe { &mut *first };
        // SAFETY: as in `claim`; the two runs do not overlap.
        (first, unsafe { &mut *second })
    }

    /// Hands the claimed slot to the consumers.
    ///
    /// # Panics
    /// If no slot was free at the last claim: there is nothing to publish then.
    // HOT(broadcast.publish)
    #[inline]
    pub fn publish(&mut self) {
        self.publish_many(1);
    }

    /// Hands the first `count` claimed slots to the consumers, with a single store.
    ///
    /// # Panics
    /// If fewer slots were free at the last claim.
    #[inline]
    pub fn publish_many(&mut self, count: usize) {
        assert!(count <= self.own.count(), "only claimed slots can be published");
        let tail = self.own.give_away(count);
        // ORDERING(tail): Release; pairs with Consumer::refresh
        self.shared.tail.store(tail, Ordering::Release);
    }

    /// Looks at all cursors again; the free slots there are now.
    #[cold]
    #[inline(never)]
    fn refresh(&mut self) -> usize {
        let tail = self.own.next;
        let mut furthest_behind = None;
        for cursor in &self.shared.cursors {
            // ORDERING(gone): Acquire; pairs with Consumer::drop
            if cursor.gone.load(Ordering::Acquire) {
                continue;
            }
            // ORDERING(head): Acquire; pairs with Consumer::release_many
            let behind = tail.wrapping_sub(cursor.head.load(Ordering::Acquire));
            furthest_behind = furthest_behind.max(Some(behind));
        }
        // With nobody left the ring stays as it is, and so becomes full.
        if let Some(behind) = furthest_behind {
            self.own.end = tail.wrapping_sub(behind).wrapping_add(self.capacity());
        }
        self.own.count()
    }

    /// How many slots the consumer with this number has yet to release: it may have released more by now. Of those
    /// that are not gone, the one for which this is largest holds the others up; one that is gone holds up nobody,
    /// and its number grows.
    ///
    /// # Panics
    /// If there is no such consumer.
    #[inline]
    pub fn lag(&self, consumer: usize) -> usize {
        // ORDERING(lag): Relaxed; a number to look at, no slot is touched on the strength of it
        self.own.next.wrapping_sub(self.shared.cursors[consumer].head.load(Ordering::Relaxed))
    }

    /// Whether all consumers are gone, so that nothing published from now on will ever be read.
    pub fn is_closed(&self) -> bool {
        // ORDERING(closed): Relaxed; nothing is read on the strength of it, the producer only stops
        self.shared.cursors.iter().all(|cursor| cursor.gone.load(Ordering::Relaxed))
    }

    /// The number of slots.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.own.slots.capacity()
    }
}

impl<S> Consumer<S> {
    /// The oldest slot that this consumer has not released; `None` if there is none now.
    // HOT(broadcast.peek)
    #[inline]
    pub fn peek(&mut self) -> Option<&S> {
        if self.own.count() == 0 && self.refresh() == 0 {
            return None;
        }
        self.shared.slots.watch(self.own.next, 1);
        // SAFETY: slot `next` is published and not released by this consumer, so the producer keeps away. The
        // reference borrows `self` mutably, so it ends before the next call to `release`.
        Some(unsafe { &*self.own.first() })
    }

    /// The oldest slots that this consumer has not released, `count` of them if there are so many, else all
    /// there are, as two runs: the second one is empty unless the memory wraps. A prefix of them can be
    /// [released](Self::release_many).
    #[inline]
    pub fn peek_many(&mut self, count: usize) -> (&[S], &[S]) {
        let seen = self.own.count();
        let count = count.min(if seen < count { self.refresh() } else { seen });
        self.shared.slots.watch(self.own.next, count);
        let (first, second) = self.own.runs(count);
        // SAFETY: as in `peek`, for `count` slots.
        let first = unsafe { &*first };
        // SAFETY: as in `peek`.
        (first, unsafe { &*second })
    }

    /// Moves on to the next slot; the producer reuses this one when every other consumer has moved on too.
    ///
    /// # Panics
    /// If nothing was published at the last peek: there is nothing to release then.
    // HOT(broadcast.release)
    #[inline]
    pub fn release(&mut self) {
        self.release_many(1);
    }

    /// Moves on by `count` slots, with a single store.
    ///
    /// # Panics
    /// If fewer slots were published at the last peek.
    #[inline]
    pub fn release_many(&mut self, count: usize) {
        assert!(count <= self.own.count(), "only slots that were peeked at can be released");
        let head = self.own.give_away(count);
        // ORDERING(head): Release; pairs with Producer::refresh
        self.shared.cursors[self.number].head.store(head, Ordering::Release);
    }

    /// Looks at the producer's counter again; the published slots there are now.
    #[inline]
    fn refresh(&mut self) -> usize {
        // ORDERING(tail): Acquire; pairs with Producer::publish_many
        self.own.end = self.shared.tail.load(Ordering::Acquire);
        self.own.count()
    }

    /// How many slots are published and not released by this consumer; there may be more by now.
    #[inline]
    pub fn len(&self) -> usize {
        // ORDERING(len): Relaxed; a number to look at, no slot is touched on the strength of it
        self.shared.tail.load(Ordering::Relaxed).wrapping_sub(self.own.next)
    }

    /// Whether this consumer has released all that is published.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the producer is gone. Ask this first and peek afterwards: if it was true and the peek finds
    /// nothing, nothing will ever come.
    #[inline]
    pub fn is_closed(&self) -> bool {
        // ORDERING(producer_gone): Acquire; pairs with Producer::drop
        self.shared.producer_gone.load(Ordering::Acquire)
    }

    /// The number of slots.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.own.slots.capacity()
    }
}

impl<S> Drop for Producer<S> {
    fn drop(&mut self) {
        // ORDERING(producer_gone): Release; pairs with Consumer::is_closed
        self.shared.producer_gone.store(true, Ordering::Release);
    }
}

impl<S> Drop for Consumer<S> {
    fn drop(&mut self) {
        // ORDERING(gone): Release; pairs with Producer::refresh
        self.shared.cursors[self.number].gone.store(true, Ordering::Release);
    }
}

impl<S> fmt::Debug for Producer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("published", &self.own.next).finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for Consumer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("number", &self.number)
            .field("released", &self.own.next)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
