//! A bounded channel from many senders to one receiver, for control messages and inputs of a low rate.
//!
//! Senders claim their slots by compare-and-swap on a shared counter, which costs each of them a line that all
//! others write. Where the rate is high, give each producer a [lane](crate::lanes) of its own.
//!
//! ```
//! let (mut sender, mut receiver) = nacreous_channels::mpsc::channel(8);
//! let mut other = sender.clone();
//! std::thread::spawn(move || other.push("from afar").unwrap()).join().unwrap();
//! sender.push("from here").unwrap();
//! assert_eq!(receiver.pop(), Some("from afar"));
//! assert_eq!(receiver.pop(), Some("from here"));
//! drop(sender);
//! assert!(receiver.is_closed());
//! ```
//!
//! # Protocol
//!
//! | field | written by | read by |
//! |---|---|---|
//! | `tail`: slots claimed so far | senders, by compare-and-swap | senders |
//! | `stamp` of slot `i`: `!i` once a value was put in | the sender that moved `tail` from `i` | receiver |
//! | `head`: slots handed back so far | receiver | senders |
//! | value in slot `i` | that sender while the stamp is older, receiver while it is `!i` and `head ≤ i` | its owner |
//! | `senders`: how many there are | senders, when cloned and when dropped | receiver |
//! | `receiver_gone` | receiver, once, when dropped | senders |
//! | `contention`: compare-and-swaps that failed | senders | anyone |
//!
//! A sender claims a number only when the slot is free as far as it knows of `head`, so a claim never waits; and
//! nobody waits for a sender that has claimed and not yet published: other senders go on to the next slots, and
//! the receiver finds nothing until the value is there. A value is made before its slot is claimed and moved in
//! by copying, so no panic leaves a claimed slot behind.
//!
//! The edges, each with the loom model in `channels/tests/loom/` that fails when either end is weakened
//! (`cargo xtask orderings` tries that):
//!
//! | edge | from | to | hands over | loom model |
//! |---|---|---|---|---|
//! | `stamp` | `Sender::push` | `Receiver::has_value` | the value beside the stamp | `values_of_two_senders_are_seen_whole` |
//! | `head` | `Receiver::hand_back` | `Sender::refresh` | slots below the new head, for the next lap | `a_popped_slot_is_claimed_only_after_the_value_is_out` |
//! | `senders` | `Sender::drop` | `Receiver::is_closed` | that no value will follow | `what_senders_pushed_before_they_went_is_popped` |
//!
//! The claim itself hands nothing over, so `tail` is relaxed: it gives out numbers, and the rest is done by `stamp`
//! and `head`. `receiver_gone` makes a sender stop, no more.

use std::{
    fmt,
    mem::{self, offset_of},
};

use crossbeam_utils::CachePadded;

use crate::{
    Full,
    slots::{LINE, Slots, Window},
    stamped::{Stamped, Untaken, filled, handful},
    sync::{Arc, AtomicBool, AtomicU64, AtomicUsize, Ordering, hint},
};

/// Makes a channel with room for `capacity` values, rounded up to a power of two (zero counts as one).
///
/// The receiver hands slots back by the eighth of the capacity, and whenever it finds nothing. So a channel may
/// count as full while up to an eighth of its slots are empty, until the receiver takes more or finds nothing. The
/// slots' memory is first touched by the thread that calls this.
///
/// # Panics
/// If the rounded capacity, or its size in bytes, overflows.
///
/// # Cost
/// One allocation for the slots and one for the counters; none afterwards. A slot is a word longer than a value.
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    channel_at(0, capacity)
}

/// A channel whose counters have already run to `start`.
fn channel_at<T>(start: usize, capacity: usize) -> (Sender<T>, Receiver<T>) {
    let slots = Slots::<Stamped<T>>::new(capacity);
    let (senders, receivers) = (slots.window(), slots.window());
    for step in 0..slots.capacity() {
        let number = start.wrapping_add(step);
        // SAFETY: nobody else has the slots yet.
        unsafe { senders.slot(number).write(Stamped::free(number)) };
    }
    let shared = Arc::new(Shared {
        tail: CachePadded::new(AtomicUsize::new(start)),
        head: CachePadded::new(AtomicUsize::new(start)),
        contention: [(); SHARDS].map(|()| CachePadded::new(AtomicU64::new(0))),
        senders: AtomicUsize::new(1),
        receiver_gone: AtomicBool::new(false),
        slots,
    });
    let handful = handful(receivers.capacity());
    (
        Sender {
            shared: Arc::clone(&shared),
            slots: senders,
            next: start,
            head_seen: start,
            on_a_run: false,
            shard: 0,
        },
        Receiver { shared, slots: receivers, head: start, handful },
    )
}

/// A side that values go into; clone it for each thread that sends. When the last one is dropped the channel is
/// closed; the receiver still gets what was pushed.
///
/// On a line of its own, so that several may lie side by side.
#[repr(align(128))]
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
    slots: Window<Stamped<T>>,
    /// The slot to try next: the one after the last that was claimed, as far as this sender knows.
    next: usize,
    /// `Shared::head` as last read: a lower bound of it.
    head_seen: usize,
    /// The last claim succeeded at the first attempt.
    on_a_run: bool,
    /// Which of the counters of contention is this sender's.
    shard: usize,
}

/// For how many pauses of the processor (10 to 60 ns each) a beaten sender waits.
const PAUSES: u32 = 32;

/// Counters of contention: senders that beat each other are not to fight over a counter as well.
const SHARDS: usize = 8;

/// The side that values come out of. Dropping it tells the senders, by [`Sender::is_closed`], to stop; what
/// nobody took is dropped with the last of them.
#[repr(align(128))]
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    slots: Window<Stamped<T>>,
    /// Values taken so far.
    head: usize,
    /// Slots are handed back whenever `head` has none of these bits.
    handful: usize,
}

#[repr(C)]
struct Shared<T> {
    tail: CachePadded<AtomicUsize>,
    head: CachePadded<AtomicUsize>,
    contention: [CachePadded<AtomicU64>; SHARDS],
    senders: AtomicUsize,
    receiver_gone: AtomicBool,
    slots: Slots<Stamped<T>>,
}

const _: () = {
    assert!(offset_of!(Shared<u8>, head) - offset_of!(Shared<u8>, tail) >= LINE);
    assert!(offset_of!(Shared<u8>, contention) - offset_of!(Shared<u8>, head) >= LINE);
    assert!(offset_of!(Shared<u8>, senders) - offset_of!(Shared<u8>, contention) >= LINE);
};

// SAFETY: the protocol above gives each slot's value one owner at a time, and a change of owner is a Release
// store met by an Acquire load; so sharing the channel moves values between threads and never shares one.
unsafe impl<T: Send> Sync for Shared<T> {}
// SAFETY: as above; the last handle to go drops the values, which `T: Send` allows on any thread.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: a sender touches only the slots it has claimed. `Window` says where slots lie, and the handle keeps
// them alive.
unsafe impl<T: Send> Send for Sender<T> {}
// SAFETY: by shared reference a sender tells numbers and reads atomics, and touches no value.
unsafe impl<T: Send> Sync for Sender<T> {}
// SAFETY: a receiver owns the filled slots, and sending it hands them over.
unsafe impl<T: Send> Send for Receiver<T> {}
// SAFETY: by shared reference a receiver tells numbers and reads atomics, and touches no value.
unsafe impl<T: Send> Sync for Receiver<T> {}

/// The stamp of the slot with the free-running number `index`.
#[inline(always)]
fn stamp<T>(slots: &Window<Stamped<T>>, index: usize) -> &AtomicUsize {
    // SAFETY: all slots are made before there are handles.
    unsafe { slots.stamp(index) }
}

impl<T> Sender<T> {
    /// Moves a value into the channel.
    ///
    /// # Errors
    /// If the channel is full; the value comes back. Ask [`is_closed`](Self::is_closed) then: a channel that
    /// nobody reads stays full.
    ///
    /// # Cost
    /// A compare-and-swap on a line that all senders write, and another for each time that one of them was
    /// faster.
    #[inline]
    pub fn push(&mut self, value: T) -> Result<(), Full<T>> {
        let Some(index) = self.claim() else { return Err(Full(value)) };
        self.shared.slots.watch_mut(index, 1);
        // SAFETY: this thread has claimed slot `index`, which was free: it holds no value.
        unsafe { self.slots.value(index).write(value) };
        // ORDERING(stamp): Release; pairs with Receiver::has_value
        stamp(&self.slots, index).store(filled(index), Ordering::Release);
        Ok(())
    }

    /// The number of a free slot that is now this sender's; `None` if the channel is full.
    #[inline]
    fn claim(&mut self) -> Option<usize> {
        let mut defeats = 0;
        loop {
            if self.free() == 0 && self.refresh() == 0 {
                return None;
            }
            match self.try_claim() {
                Ok(index) => {
                    self.on_a_run = defeats == 0;
                    return Some(index);
                }
                Err(furthest) => {
                    self.next = furthest;
                    self.step_back(defeats);
                    defeats += 1;
                }
            }
        }
    }

    /// Free slots from `next` on, as far as is known of the receiver; none if `next` is known to be out of date.
    #[inline(always)]
    fn free(&self) -> usize {
        self.capacity().saturating_sub(self.next.wrapping_sub(self.head_seen))
    }

    /// Looks at both counters again; the free slots there are now. None only if the channel was full when the
    /// receiver's counter was read: were it read once, it could be out of date by the time the other one is.
    #[inline]
    fn refresh(&mut self) -> usize {
        loop {
            // ORDERING(head): Acquire; pairs with Receiver::hand_back
            let head = self.shared.head.load(Ordering::Acquire);
            let moved = mem::replace(&mut self.head_seen, head) != head;
            // ORDERING(claim): Relaxed; a number to try, and not behind `head_seen`, which was acquired before
            self.next = self.shared.tail.load(Ordering::Relaxed);
            if self.free() > 0 || !moved {
                return self.free();
            }
        }
    }

    /// Claims the slot `next`, if no other sender has; else says how far the others have got.
    ///
    /// There is no look at the counter before: that would fetch the line once for reading and once more for
    /// writing. After a failure it is here for writing, and the next try finds it so.
    #[inline]
    fn try_claim(&mut self) -> Result<usize, usize> {
        let (index, further) = (self.next, self.next.wrapping_add(1));
        // ORDERING(claim): Relaxed; gives out a number, the slot was handed over by `head`
        let order = Ordering::Relaxed;
        self.shared.tail.compare_exchange(index, further, order, order)?;
        self.next = further;
        Ok(index)
    }

    /// Another sender has been there. One that was on a run of its own is up against a busy one, and waits a little
    /// so that each gets a run of values through in turn; after that it tries again at once, with the line at hand,
    /// and so its turn comes. One that is beaten each time it comes along merely pushes seldom, and does not wait the
    /// first time.
    #[cold]
    #[inline(never)]
    fn step_back(&self, defeats: u32) {
        // ORDERING(contention): Relaxed; a number to look at, nothing is read on the strength of it
        self.shared.contention[self.shard].fetch_add(1, Ordering::Relaxed);
        if (defeats + u32::from(!self.on_a_run)).is_multiple_of(2) {
            (0..PAUSES).for_each(|_| hint::spin_loop());
        }
    }

    /// How often, over all senders, one tried for a slot that another had claimed meanwhile: compare it with what
    /// was pushed. Senders that take turns fail once a push, which costs them little. What says that they are in each
    /// other's way is that it keeps growing while all of them are busy: there lanes are better.
    pub fn contention(&self) -> u64 {
        contention(&self.shared)
    }

    /// Whether the receiver is gone, so that nothing pushed from now on will ever be taken.
    #[inline]
    pub fn is_closed(&self) -> bool {
        // ORDERING(receiver_gone): Relaxed; nothing is read on the strength of it, the sender only stops
        self.shared.receiver_gone.load(Ordering::Relaxed)
    }

    /// The number of slots.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.slots.capacity()
    }
}

fn contention<T>(shared: &Shared<T>) -> u64 {
    // ORDERING(contention): Relaxed; a number to look at, nothing is read on the strength of it
    shared.contention.iter().map(|shard| shard.load(Ordering::Relaxed)).sum()
}

impl<T> Receiver<T> {
    /// Moves the oldest value out of the channel; `None` if there is none now, or if the sender whose turn it is
    /// has claimed its slot and is yet to fill it.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        if !self.has_value() {
            self.hand_back();
            return None;
        }
        // SAFETY: slot `head` holds a value and is the receiver's. It is read once: `head` passes it next.
        let value = unsafe { self.slots.value(self.head).read() };
        self.head = self.head.wrapping_add(1);
        if self.head & self.handful == 0 {
            self.hand_back();
        }
        Some(value)
    }

    /// The oldest value, where it lies; `None` as for [`pop`](Self::pop).
    #[inline]
    pub fn peek(&mut self) -> Option<&T> {
        if !self.has_value() {
            self.hand_back();
            return None;
        }
        // SAFETY: slot `head` holds a value and is the receiver's, as long as it is not popped; and that takes
        // `&mut self`.
        Some(unsafe { &*self.slots.value(self.head) })
    }

    /// Whether slot `head` holds a value, and so belongs to this side.
    #[inline(always)]
    fn has_value(&mut self) -> bool {
        // ORDERING(stamp): Acquire; pairs with Sender::push
        if stamp(&self.slots, self.head).load(Ordering::Acquire) != filled(self.head) {
            return false;
        }
        self.shared.slots.watch_mut(self.head, 1);
        true
    }

    /// Gives the slots below `head` to the senders.
    #[inline]
    fn hand_back(&mut self) {
        // ORDERING(head): Release; pairs with Sender::refresh
        self.shared.head.store(self.head, Ordering::Release);
    }

    /// Values claimed by senders and not taken yet; there may be more by now, and some may still be on their
    /// way into their slots.
    #[inline]
    pub fn len(&self) -> usize {
        // ORDERING(len): Relaxed; a number to look at, no slot is touched on the strength of it
        self.shared.tail.load(Ordering::Relaxed).wrapping_sub(self.head)
    }

    /// Whether no sender has claimed a slot that was not taken yet.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether all senders are gone. Ask this first and pop afterwards: if it was true and the pop finds
    /// nothing, nothing will ever come.
    #[inline]
    pub fn is_closed(&self) -> bool {
        // ORDERING(senders): Acquire; pairs with Sender::drop
        self.shared.senders.load(Ordering::Acquire) == 0
    }

    /// As [`Sender::contention`].
    pub fn contention(&self) -> u64 {
        contention(&self.shared)
    }

    /// The number of slots.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.slots.capacity()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        // ORDERING(count): Relaxed; the sender that is cloned keeps the number from falling to zero meanwhile
        let others = self.shared.senders.fetch_add(1, Ordering::Relaxed);
        Self {
            shared: Arc::clone(&self.shared),
            slots: self.shared.slots.window(),
            next: self.next,
            head_seen: self.head_seen,
            on_a_run: false,
            shard: others % SHARDS,
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // ORDERING(senders): Release; pairs with Receiver::is_closed
        self.shared.senders.fetch_sub(1, Ordering::Release);
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.hand_back();
        // ORDERING(receiver_gone): Relaxed; the slots stay alive by reference count, nothing is handed over
        self.shared.receiver_gone.store(true, Ordering::Relaxed);
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // ORDERING(drop): Relaxed; read by the last owner, after `Arc` has ordered it behind all others
        let next = self.head.load(Ordering::Relaxed);
        self.slots.watch_mut(0, self.slots.capacity());
        // SAFETY: all slots were made with the channel, and nobody else has it.
        unsafe { Untaken::drop_all(self.slots.window(), next) };
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("popped", &self.head).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
