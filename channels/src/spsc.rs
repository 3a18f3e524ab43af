//! A bounded ring of pre-allocated slots between one producer and one consumer.
//!
//! The producer [claims](Producer::claim) the next free slot, fills it where it lies and
//! [publishes](Producer::publish) it; the consumer [peeks](Consumer::peek) at the oldest published slot,
//! works on it where it lies and [releases](Consumer::release) it. Ownership of a slot passes by a
//! counter, so nothing is copied and nothing is allocated after [`ring`] returns.
//!
//! ```
//! let (mut producer, mut consumer) = nacreous_channels::spsc::ring(4, || 0_u64);
//! *producer.claim().expect("a new ring has room") = 42;
//! producer.publish();
//! assert_eq!(consumer.peek(), Some(&mut 42));
//! consumer.release();
//! assert_eq!(consumer.peek(), None);
//! ```
//!
//! # Protocol
//!
//! | field | written by | read by |
//! |---|---|---|
//! | `tail`: slots published so far | producer | consumer |
//! | `head`: slots released so far | consumer | producer |
//! | slot `i` | producer while `tail ≤ i < head + capacity`, consumer while `head ≤ i < tail` | its owner |
//! | `producer_gone`, `consumer_gone` | the side it names, once, when dropped | the other side |
//!
//! Both counters run freely and wrap; slot `i` lies at `i & mask`. Each side keeps its own counter in its
//! handle and the last value it saw of the other's: the shared line is read only when the ring looks full
//! or empty. There is no read-modify-write and no fence. The edges, each with the loom model in
//! `channels/tests/loom.rs` that fails when either end is weakened (`cargo xtask orderings` tries that):
//!
//! | edge | from | to | hands over | loom model |
//! |---|---|---|---|---|
//! | `tail` | `Producer::publish` | `Consumer::peek_slow` | the contents of slots below the new tail | `a_published_slot_is_seen_whole` |
//! | `head` | `Consumer::release` | `Producer::claim_slow` | slots below the new head, for reuse | `a_released_slot_is_reused_only_after_the_consumer_is_done` |
//! | `producer_gone` | `Producer::drop` | `Consumer::is_closed` | that `tail` is final | `everything_published_before_the_drop_is_read` |
//!
//! `consumer_gone` hands nothing over: a producer that sees it merely stops.

use std::fmt;

use crossbeam_utils::CachePadded;

use crate::sync::{Arc, AtomicBool, AtomicUsize, Ordering, UnsafeCell};

/// Makes a ring of `capacity` slots, rounded up to a power of two (zero counts as one), each filled by `slot`.
///
/// # Panics
/// If the rounded capacity overflows `usize`, or if `slot` panics.
///
/// # Cost
/// One allocation for the slots and one for the counters; none afterwards.
pub fn ring<S>(capacity: usize, mut slot: impl FnMut() -> S) -> (Producer<S>, Consumer<S>) {
    let capacity = capacity.checked_next_power_of_two().expect("the capacity fits in usize");
    let slots: Box<[_]> = (0..capacity).map(|_| UnsafeCell::new(slot())).collect();
    let shared = Arc::new(Shared {
        tail: CachePadded::new(AtomicUsize::new(0)),
        head: CachePadded::new(AtomicUsize::new(0)),
        producer_gone: AtomicBool::new(false),
        consumer_gone: AtomicBool::new(false),
        slots,
    });
    (
        Producer { shared: Arc::clone(&shared), tail: 0, head_seen: 0 },
        Consumer { shared, head: 0, tail_seen: 0 },
    )
}

/// The side that fills slots. Dropping it closes the ring; the consumer still reads what was published.
pub struct Producer<S> {
    shared: Arc<Shared<S>>,
    /// Slots published so far: the producer's own copy of `Shared::tail`.
    tail: usize,
    /// `Shared::head` as last read: a lower bound of it.
    head_seen: usize,
}

/// The side that empties slots. Dropping it tells the producer, by [`Producer::is_closed`], to stop.
pub struct Consumer<S> {
    shared: Arc<Shared<S>>,
    /// Slots released so far: the consumer's own copy of `Shared::head`.
    head: usize,
    /// `Shared::tail` as last read: a lower bound of it.
    tail_seen: usize,
}

struct Shared<S> {
    tail: CachePadded<AtomicUsize>,
    head: CachePadded<AtomicUsize>,
    producer_gone: AtomicBool,
    consumer_gone: AtomicBool,
    slots: Box<[UnsafeCell<S>]>,
}

// SAFETY: the protocol above gives each slot one owner at a time, and a change of owner is a Release store
// met by an Acquire load; so sharing the ring moves values of `S` between threads and never shares one.
unsafe impl<S: Send> Sync for Shared<S> {}
// SAFETY: as above; the last handle to go drops the slots, which `S: Send` allows on any thread.
unsafe impl<S: Send> Send for Shared<S> {}

impl<S> Shared<S> {
    /// The slot with the free-running number `index`.
    ///
    /// # Safety
    /// The caller owns that slot by the protocol, and lets go of the reference before it gives the slot away.
    #[inline(always)]
    #[expect(clippy::mut_from_ref, reason = "the protocol, not the borrow, makes the reference unique")]
    unsafe fn slot(&self, index: usize) -> &mut S {
        let cell = &self.slots[index & (self.slots.len() - 1)];
        // SAFETY: the caller owns the slot, so no other reference to it exists; it is always initialised.
        cell.with_mut(|slot| unsafe { &mut *slot })
    }
}

impl<S> Producer<S> {
    /// The next free slot, holding whatever it held when it was last released; `None` if the ring is full.
    ///
    /// Claiming again without publishing gives the same slot: a claim that is given up costs nothing and
    /// publishes nothing.
    // HOT(ring.claim)
    #[inline]
    pub fn claim(&mut self) -> Option<&mut S> {
        if self.tail.wrapping_sub(self.head_seen) == self.capacity() && !self.claim_slow() {
            return None;
        }
        // SAFETY: `tail - head < capacity`, so slot `tail` is free, and free slots are the producer's. The
        // reference borrows `self` mutably, so it ends before the next call to `publish`.
        Some(unsafe { self.shared.slot(self.tail) })
    }

    /// Looks at the consumer's counter again; true if there is room now.
    #[cold]
    #[inline(never)]
    fn claim_slow(&mut self) -> bool {
        // ORDERING(head): Acquire; pairs with Consumer::release
        self.head_seen = self.shared.head.load(Ordering::Acquire);
        self.tail.wrapping_sub(self.head_seen) != self.capacity()
    }

    /// Hands the claimed slot to the consumer.
    ///
    /// # Panics
    /// If no slot was free at the last claim: there is nothing to publish then.
    // HOT(ring.publish)
    #[inline]
    pub fn publish(&mut self) {
        assert!(self.tail.wrapping_sub(self.head_seen) < self.capacity(), "publish needs a claimed slot");
        self.tail = self.tail.wrapping_add(1);
        // ORDERING(tail): Release; pairs with Consumer::peek_slow
        self.shared.tail.store(self.tail, Ordering::Release);
    }

    /// Whether the consumer is gone, so that nothing published from now on will ever be read.
    #[inline]
    pub fn is_closed(&self) -> bool {
        // ORDERING(consumer_gone): Relaxed; nothing is read on the strength of it, the producer only stops
        self.shared.consumer_gone.load(Ordering::Relaxed)
    }

    /// The number of slots.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.shared.slots.len()
    }
}

impl<S> Consumer<S> {
    /// The oldest published slot; `None` if there is none now.
    ///
    /// Peeking again without releasing gives the same slot.
    // HOT(ring.peek)
    #[inline]
    pub fn peek(&mut self) -> Option<&mut S> {
        if self.head == self.tail_seen && !self.peek_slow() {
            return None;
        }
        // SAFETY: `head < tail`, so slot `head` is published, and published slots are the consumer's. The
        // reference borrows `self` mutably, so it ends before the next call to `release`.
        Some(unsafe { self.shared.slot(self.head) })
    }

    /// Looks at the producer's counter again; true if something is published now.
    #[cold]
    #[inline(never)]
    fn peek_slow(&mut self) -> bool {
        // ORDERING(tail): Acquire; pairs with Producer::publish
        self.tail_seen = self.shared.tail.load(Ordering::Acquire);
        self.tail_seen != self.head
    }

    /// Gives the slot last peeked at back to the producer, which reuses what is in it.
    ///
    /// # Panics
    /// If nothing was published at the last peek: there is nothing to release then.
    // HOT(ring.release)
    #[inline]
    pub fn release(&mut self) {
        assert!(self.head != self.tail_seen, "release needs a slot that was peeked at");
        self.head = self.head.wrapping_add(1);
        // ORDERING(head): Release; pairs with Producer::claim_slow
        self.shared.head.store(self.head, Ordering::Release);
    }

    /// Whether the producer is gone. Ask this first and peek afterwards: if it was true and the peek finds
    /// nothing, nothing will ever come.
    #[inline]
    pub fn is_closed(&self) -> bool {
        // ORDERING(producer_gone): Acquire; pairs with Producer::drop
        self.shared.producer_gone.load(Ordering::Acquire)
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
        // ORDERING(consumer_gone): Relaxed; the slots stay alive by reference count, nothing is handed over
        self.shared.consumer_gone.store(true, Ordering::Relaxed);
    }
}

impl<S> fmt::Debug for Producer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("published", &self.tail).finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for Consumer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("released", &self.head).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
