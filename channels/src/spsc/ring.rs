//! Slots that are made once, and filled and read where they lie.
//!
//! # Protocol
//!
//! | field | written by | read by |
//! |---|---|---|
//! | `tail`: slots published so far | producer | consumer |
//! | `head`: slots released so far | consumer | producer |
//! | slot `i` | producer while `tail ≤ i < head + capacity`, consumer while `head ≤ i < tail` | its owner |
//! | `producer_gone`, `consumer_gone` | the side it names, once, when dropped | the other side |
//! | `filled`: slots that were made | consumer's side, before it releases the first | whoever drops the ring |
//!
//! Both counters run freely and wrap; slot `i` lies at `i & mask`. Each side keeps its own counter in its
//! handle and the last value it saw of the other's: the shared line is read only when the ring looks full
//! or empty. There is no read-modify-write and no fence. A ring begins full, of slots that do not exist yet
//! and that belong to the consumer: its side makes them, and hands them over like slots it has read.
//!
//! The edges, each with the loom model in `channels/tests/loom/` that fails when either end is weakened
//! (`cargo xtask orderings` tries that):
//!
//! | edge | from | to | hands over | loom model |
//! |---|---|---|---|---|
//! | `tail` | `Producer::publish_many` | `Consumer::refresh` | the contents of slots below the new tail | `a_published_slot_is_seen_whole` |
//! | `head` | `Consumer::release_many` | `Producer::refresh` | slots below the new head, for reuse | `a_released_slot_is_reused_only_after_the_consumer_is_done` |
//! | `producer_gone` | `Producer::drop` | `Consumer::is_closed` | that `tail` is final | `everything_published_before_the_drop_is_read` |
//!
//! `consumer_gone` hands nothing over: a producer that sees it merely stops.

use std::{fmt, mem::offset_of};

use crossbeam_utils::CachePadded;

use super::NotAdvised;
use crate::{
    Full,
    slots::{LINE, Own, Slots},
    sync::{Arc, AtomicBool, AtomicUsize, Ordering},
};

/// Makes a ring of `capacity` slots, rounded up to a power of two (zero counts as one), each made by `slot`.
///
/// The slots are made, and so their memory is first touched, by the thread that calls this;
/// [`ring_unplaced`] leaves that to the consumer's.
///
/// # Panics
/// If the rounded capacity, or its size in bytes, overflows; or if `slot` panics.
///
/// # Cost
/// One allocation for the slots and one for the counters; none afterwards.
pub fn ring<S>(capacity: usize, slot: impl FnMut() -> S) -> (Producer<S>, Consumer<S>) {
    let (producer, unplaced) = ring_unplaced(capacity);
    (producer, unplaced.place(slot))
}

/// Makes a ring whose slots do not exist yet: the consumer's thread makes them with
/// [`place`](UnplacedConsumer::place), so that their memory lies near it. Until then the ring is full.
///
/// ```
/// let (mut producer, unplaced) = nacreous_channels::spsc::ring_unplaced(4);
/// assert!(producer.claim().is_none());
/// let consumer = std::thread::spawn(move || {
///     let mut consumer = unplaced.place(|| 0);
///     while consumer.peek().is_none() {
///         std::hint::spin_loop();
///     }
///     consumer.peek().copied()
/// });
/// while producer.claim().is_none() {
///     std::hint::spin_loop();
/// }
/// *producer.claim().unwrap() = 7;
/// producer.publish();
/// assert_eq!(consumer.join().unwrap(), Some(7));
/// ```
///
/// # Panics
/// If the rounded capacity, or its size in bytes, overflows.
pub fn ring_unplaced<S>(capacity: usize) -> (Producer<S>, UnplacedConsumer<S>) {
    ring_at(0, capacity)
}

/// A ring whose counters have already run to `start`.
fn ring_at<S>(start: usize, capacity: usize) -> (Producer<S>, UnplacedConsumer<S>) {
    let slots = Slots::new(capacity);
    let (tail, head) = (start, start.wrapping_sub(slots.capacity()));
    let producers = Own { slots: slots.window(), next: tail, end: tail };
    let consumers = Own { slots: slots.window(), next: head, end: tail };
    let shared = Arc::new(Shared {
        tail: CachePadded::new(AtomicUsize::new(tail)),
        head: CachePadded::new(AtomicUsize::new(head)),
        producer_gone: AtomicBool::new(false),
        consumer_gone: AtomicBool::new(false),
        filled: AtomicUsize::new(0),
        slots,
    });
    (
        Producer { shared: Arc::clone(&shared), own: producers },
        UnplacedConsumer(Consumer { shared, own: consumers }),
    )
}

/// The side that fills slots. Dropping it closes the ring; the consumer still reads what was published.
///
/// On a line of its own, so that the producers of several rings may lie side by side.
#[repr(align(128))]
pub struct Producer<S> {
    shared: Arc<Shared<S>>,
    /// From `Shared::tail` up to a lap beyond `Shared::head` as last read.
    own: Own<S>,
}

/// The side that empties slots. Dropping it tells the producer, by [`Producer::is_closed`], to stop.
///
/// On a line of its own, so that the consumers of several rings may lie side by side.
#[repr(align(128))]
pub struct Consumer<S> {
    shared: Arc<Shared<S>>,
    /// From `Shared::head` up to `Shared::tail` as last read.
    own: Own<S>,
}

/// A consumer whose slots are yet to be made.
pub struct UnplacedConsumer<S>(Consumer<S>);

#[repr(C)]
struct Shared<S> {
    tail: CachePadded<AtomicUsize>,
    head: CachePadded<AtomicUsize>,
    producer_gone: AtomicBool,
    consumer_gone: AtomicBool,
    filled: AtomicUsize,
    slots: Slots<S>,
}

const _: () = {
    assert!(align_of::<Shared<u8>>() == LINE);
    assert!(offset_of!(Shared<u8>, head) - offset_of!(Shared<u8>, tail) >= LINE, "counters share no line");
    assert!(offset_of!(Shared<u8>, producer_gone) - offset_of!(Shared<u8>, head) >= LINE);
};

// SAFETY: the protocol above gives each slot one owner at a time, and a change of owner is a Release store
// met by an Acquire load; so sharing the ring moves values of `S` between threads and never shares one.
unsafe impl<S: Send> Sync for Shared<S> {}
// SAFETY: as above; the last handle to go drops the slots, which `S: Send` allows on any thread.
unsafe impl<S: Send> Send for Shared<S> {}
// SAFETY: a handle owns the slots of its side, and sending it hands them over. `Window` says where slots lie,
// and the handle keeps them alive.
unsafe impl<S: Send> Send for Producer<S> {}
// SAFETY: by shared reference a handle tells numbers and reads atomics, and touches no slot.
unsafe impl<S: Send> Sync for Producer<S> {}
// SAFETY: as for the producer.
unsafe impl<S: Send> Send for Consumer<S> {}
// SAFETY: as for the producer.
unsafe impl<S: Send> Sync for Consumer<S> {}

impl<S> Drop for Shared<S> {
    fn drop(&mut self) {
        // ORDERING(filled): Relaxed; read by the last owner, after `Arc` has ordered it behind all others
        let filled = self.filled.load(Ordering::Relaxed);
        // SAFETY: the first `filled` slots were made and never moved out of, and nobody else has the ring.
        unsafe { self.slots.drop_values(filled) };
    }
}

impl<S> UnplacedConsumer<S> {
    /// Makes the slots, on the thread that is to read them.
    ///
    /// # Panics
    /// If `slot` panics. The slots made so far are dropped, and the producer finds the ring closed.
    ///
    /// # Cost
    /// A page fault for each page of slots (4 KiB, or a huge page of 2 MiB), and what `slot` costs.
    pub fn place(self, mut slot: impl FnMut() -> S) -> Consumer<S> {
        let mut consumer = self.0;
        let capacity = consumer.capacity();
        consumer.shared.slots.watch_mut(0, capacity);
        for index in 0..capacity {
            let value = slot();
            // SAFETY: the ring began full of slots yet to be made, and what is published is the consumer's.
            unsafe { consumer.own.slots.slot(index).write(value) };
            // ORDERING(filled): Relaxed; only this side writes it, and it is read after this side is gone
            consumer.shared.filled.store(index + 1, Ordering::Relaxed);
        }
        consumer.release_many(capacity);
        consumer
    }

    /// Asks the kernel to put the slots on huge pages: fewer translations to remember for a large ring.
    ///
    /// # Errors
    /// If the ring is too small, the system has no such advice, or the kernel refuses. The ring is unharmed.
    pub fn advise_huge_pages(&mut self) -> Result<(), NotAdvised> {
        self.0.shared.slots.advise_huge_pages()
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
        if self.own.count() == 0 && self.refresh() == 0 {
            return None;
        }
        self.shared.slots.watch_mut(self.own.next, 1);
        // SAFETY: there is room, so slot `tail` is free, and free slots are the producer's. The reference
        // borrows `self` mutably, so it ends before the next call to `publish`.
        Some(unsafe { &mut *self.own.first() })
    }

    /// The next free slots, `count` of them if there are so many, else all there are. They come as two runs:
    /// the second one is empty unless the memory wraps. A prefix of them can be
    /// [published](Self::publish_many).
    ///
    /// ```
    /// let (mut producer, mut consumer) = nacreous_channels::spsc::ring(4, || 0);
    /// let (slots, _) = producer.claim_many(3);
    /// slots.copy_from_slice(&[1, 2, 3]);
    /// producer.publish_many(2);
    /// assert_eq!(consumer.peek_many(usize::MAX), (&mut [1, 2][..], &mut [][..]));
    /// ```
    // HOT(ring.claim-many)
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

    /// Hands the claimed slot to the consumer.
    ///
    /// # Panics
    /// If no slot was free at the last claim: there is nothing to publish then.
    // HOT(ring.publish)
    #[inline]
    pub fn publish(&mut self) {
        self.publish_many(1);
    }

    /// Hands the first `count` claimed slots to the consumer, with a single store.
    ///
    /// # Panics
    /// If fewer slots were free at the last claim.
    // HOT(ring.publish-many)
    #[inline]
    pub fn publish_many(&mut self, count: usize) {
        assert!(count <= self.own.count(), "only claimed slots can be published");
        let tail = self.own.give_away(count);
        // ORDERING(tail): Release; pairs with Consumer::refresh
        self.shared.tail.store(tail, Ordering::Release);
    }

    /// Looks at the consumer's counter again; the free slots there are now.
    #[inline]
    fn refresh(&mut self) -> usize {
        // ORDERING(head): Acquire; pairs with Consumer::release_many
        let head = self.shared.head.load(Ordering::Acquire);
        self.own.end = head.wrapping_add(self.capacity());
        self.own.count()
    }

    /// Puts a value into the next slot in place of what is there, and publishes it.
    ///
    /// # Errors
    /// If the ring is full; the value comes back.
    #[inline]
    pub fn push(&mut self, value: S) -> Result<(), Full<S>> {
        let Some(slot) = self.claim() else { return Err(Full(value)) };
        *slot = value;
        self.publish();
        Ok(())
    }

    /// How many slots the consumer has yet to release: it may have released more by now. All of them before
    /// they are made.
    #[inline]
    pub fn len(&self) -> usize {
        // ORDERING(len): Relaxed; a number to look at, no slot is touched on the strength of it
        self.own.next.wrapping_sub(self.shared.head.load(Ordering::Relaxed))
    }

    /// Whether every slot is free.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
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
        self.own.slots.capacity()
    }
}

impl<S> Consumer<S> {
    /// The oldest published slot; `None` if there is none now.
    ///
    /// Peeking again without releasing gives the same slot.
    // HOT(ring.peek)
    #[inline]
    pub fn peek(&mut self) -> Option<&mut S> {
        if self.own.count() == 0 && self.refresh() == 0 {
            return None;
        }
        self.shared.slots.watch_mut(self.own.next, 1);
        // SAFETY: something is published, so slot `head` is the consumer's. The reference borrows `self`
        // mutably, so it ends before the next call to `release`.
        Some(unsafe { &mut *self.own.first() })
    }

    /// The oldest published slots, `count` of them if there are so many, else all there are. They come as two
    /// runs: the second one is empty unless the memory wraps. A prefix of them can be
    /// [released](Self::release_many).
    // HOT(ring.peek-many)
    #[inline]
    pub fn peek_many(&mut self, count: usize) -> (&mut [S], &mut [S]) {
        let seen = self.own.count();
        let count = count.min(if seen < count { self.refresh() } else { seen });
        self.shared.slots.watch_mut(self.own.next, count);
        let (first, second) = self.own.runs(count);
        // SAFETY: as in `peek`, for `count` slots.
        let first = unsafe { &mut *first };
        // SAFETY: as in `peek`; the two runs do not overlap.
        (first, unsafe { &mut *second })
    }

    /// Gives the slot last peeked at back to the producer, which reuses what is in it.
    ///
    /// # Panics
    /// If nothing was published at the last peek: there is nothing to release then.
    // HOT(ring.release)
    #[inline]
    pub fn release(&mut self) {
        self.release_many(1);
    }

    /// Gives the first `count` slots last peeked at back to the producer, with a single store.
    ///
    /// # Panics
    /// If fewer slots were published at the last peek.
    // HOT(ring.release-many)
    #[inline]
    pub fn release_many(&mut self, count: usize) {
        assert!(count <= self.own.count(), "only slots that were peeked at can be released");
        let head = self.own.give_away(count);
        // ORDERING(head): Release; pairs with Producer::refresh
        self.shared.head.store(head, Ordering::Release);
    }

    /// Looks at the producer's counter again; the published slots there are now.
    #[inline]
    fn refresh(&mut self) -> usize {
        // ORDERING(tail): Acquire; pairs with Producer::publish_many
        self.own.end = self.shared.tail.load(Ordering::Acquire);
        self.own.count()
    }

    /// Copies the oldest value out of its slot and releases that.
    #[inline]
    pub fn pop(&mut self) -> Option<S>
    where
        S: Copy,
    {
        let value = *self.peek()?;
        self.release();
        Some(value)
    }

    /// How many slots are published; more may have been by now.
    #[inline]
    pub fn len(&self) -> usize {
        // ORDERING(len): Relaxed; a number to look at, no slot is touched on the strength of it
        self.shared.tail.load(Ordering::Relaxed).wrapping_sub(self.own.next)
    }

    /// Whether nothing is published.
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
        // ORDERING(consumer_gone): Relaxed; the slots stay alive by reference count, nothing is handed over
        self.shared.consumer_gone.store(true, Ordering::Relaxed);
    }
}

impl<S> fmt::Debug for Producer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").field("published", &self.own.next).finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for Consumer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("released", &self.own.next).finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for UnplacedConsumer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnplacedConsumer").field("capacity", &self.0.capacity()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
