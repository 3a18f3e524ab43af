//! Slots that hold a value on its way, and nothing before and after.
//!
//! # Protocol
//!
//! | field | written by | read by |
//! |---|---|---|
//! | `stamp` of slot `i`: `!i` once a value was put in | sender | receiver |
//! | `head`: slots handed back so far | receiver | sender |
//! | value in slot `i` | sender while its stamp is older and `i < head + capacity`, receiver while its stamp is `!i` and `head ≤ i` | its owner |
//! | `sender_gone`, `receiver_gone` | the side it names, once, when dropped | the other side |
//! | `opened`: whether slots have stamps | receiver's side, before it hands over the first | whoever drops the channel |
//!
//! Slots are numbered by counters that run freely and wrap; slot `i` lies at `i & mask`. A value is published
//! by the stamp beside it: the receiver that finds the stamp has the value's first line too, so a value gets
//! across in one transfer between cores, where a counter on a line of its own would make it two. The way back
//! is by counter, which the sender looks at only when the channel seems full. So that a sender that waits there
//! gets room for many values at a time, the receiver hands slots back by the eighth of the capacity, and when
//! it finds no value. There is no read-modify-write and no fence. A channel begins full of slots without
//! values, which belong to the receiver: its side writes their first stamps and hands them over.
//!
//! The edges, each with the loom model in `channels/tests/loom/` that fails when either end is weakened
//! (`cargo xtask orderings` tries that):
//!
//! | edge | from | to | hands over | loom model |
//! |---|---|---|---|---|
//! | `stamp` | `Sender::push` | `Receiver::has_value` | the value beside the stamp | `a_pushed_value_is_seen_whole` |
//! | `head` | `Receiver::hand_back` | `Sender::refresh` | slots below the new head, for reuse | `a_vacated_slot_is_reused_only_after_the_value_is_out` |
//! | `sender_gone` | `Sender::drop` | `Receiver::is_closed` | that no stamp will follow | `everything_pushed_before_the_drop_is_popped` |
//!
//! `receiver_gone` hands nothing over: a sender that sees it merely stops.

use std::{fmt, mem::offset_of};

use crossbeam_utils::CachePadded;

use super::NotAdvised;
use crate::{
    Full,
    slots::{LINE, Own, Slots, Window},
    stamped::{Stamped, Untaken, filled, handful},
    sync::{Arc, AtomicBool, AtomicUsize, Ordering},
};

/// Makes a channel with room for `capacity` values, rounded up to a power of two (zero counts as one).
///
/// The receiver hands slots back by the eighth of the capacity, and whenever it finds nothing. So a channel may
/// count as full while up to an eighth of its slots are empty, until the receiver takes more or finds nothing.
///
/// ```
/// let (mut sender, mut receiver) = nacreous_channels::spsc::channel(2);
/// sender.push("one".to_owned()).unwrap();
/// sender.push("two".to_owned()).unwrap();
/// let full = sender.push("three".to_owned()).unwrap_err();
/// assert_eq!(full.0, "three");
/// assert_eq!(receiver.pop().as_deref(), Some("one"));
/// drop(sender);
/// assert!(receiver.is_closed());
/// assert_eq!(receiver.pop().as_deref(), Some("two"));
/// assert_eq!(receiver.pop(), None);
/// ```
///
/// The slots' memory is first touched by the thread that calls this; [`channel_unplaced`] leaves that to the
/// receiver's.
///
/// # Panics
/// If the rounded capacity, or its size in bytes, overflows.
///
/// # Cost
/// One allocation for the slots and one for the counter; none afterwards. A slot is a word longer than a value.
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, unplaced) = channel_unplaced(capacity);
    (sender, unplaced.place())
}

/// Makes a [`channel`] whose memory no thread has touched yet: the receiver's does so with
/// [`place`](UnplacedReceiver::place), so that it lies near it. Until then the channel is full.
///
/// # Panics
/// If the rounded capacity, or its size in bytes, overflows.
pub fn channel_unplaced<T>(capacity: usize) -> (Sender<T>, UnplacedReceiver<T>) {
    channel_at(0, capacity)
}

/// A channel whose counters have already run to `start`.
fn channel_at<T>(start: usize, capacity: usize) -> (Sender<T>, UnplacedReceiver<T>) {
    let slots = Slots::new(capacity);
    let head = start.wrapping_sub(slots.capacity());
    let senders = Own { slots: slots.window(), next: start, end: start };
    let receivers = slots.window();
    let shared = Arc::new(Shared {
        head: CachePadded::new(AtomicUsize::new(head)),
        sender_gone: AtomicBool::new(false),
        receiver_gone: AtomicBool::new(false),
        opened: AtomicBool::new(false),
        slots,
    });
    (
        Sender { shared: Arc::clone(&shared), own: senders },
        UnplacedReceiver(Receiver { shared, handful: handful(receivers.capacity()), slots: receivers, head }),
    )
}

/// The side that values go into. Dropping it closes the channel; the receiver still gets what was pushed.
///
/// On a line of its own, so that the senders of several channels may lie side by side.
#[repr(align(128))]
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
    /// From the next slot to fill up to a lap beyond `Shared::head` as last read.
    own: Own<Stamped<T>>,
}

/// The side that values come out of. Dropping it tells the sender, by [`Sender::is_closed`], to stop; what
/// nobody took is dropped with the last of the two.
///
/// On a line of its own, so that the receivers of several channels may lie side by side.
#[repr(align(128))]
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    slots: Window<Stamped<T>>,
    /// Values taken so far: the receiver's own copy of `Shared::head`.
    head: usize,
    /// Slots are handed back whenever `head` has none of these bits.
    handful: usize,
}

/// A receiver whose slots have not been touched yet.
pub struct UnplacedReceiver<T>(Receiver<T>);

#[repr(C)]
struct Shared<T> {
    head: CachePadded<AtomicUsize>,
    sender_gone: AtomicBool,
    receiver_gone: AtomicBool,
    opened: AtomicBool,
    slots: Slots<Stamped<T>>,
}

const _: () = {
    assert!(align_of::<Shared<u8>>() == LINE);
    assert!(offset_of!(Shared<u8>, sender_gone) >= LINE, "the counter has a line of its own");
};

// SAFETY: the protocol above gives each slot's value one owner at a time, and a change of owner is a Release
// store met by an Acquire load; so sharing the channel moves values between threads and never shares one.
unsafe impl<T: Send> Sync for Shared<T> {}
// SAFETY: as above; the last handle to go drops the values, which `T: Send` allows on any thread.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: a handle owns the values of its side, and sending it hands them over. `Window` says where slots lie,
// and the handle keeps them alive.
unsafe impl<T: Send> Send for Sender<T> {}
// SAFETY: by shared reference a handle tells numbers and reads atomics, and touches no value.
unsafe impl<T: Send> Sync for Sender<T> {}
// SAFETY: as for the sender.
unsafe impl<T: Send> Send for Receiver<T> {}
// SAFETY: as for the sender.
unsafe impl<T: Send> Sync for Receiver<T> {}

impl<T> UnplacedReceiver<T> {
    /// Makes the slots, on the thread that is to read them, and hands them to the sender.
    ///
    /// # Cost
    /// A page fault for each page of slots (4 KiB, or a huge page of 2 MiB).
    pub fn place(self) -> Receiver<T> {
        let mut receiver = self.0;
        let capacity = receiver.capacity();
        for step in 0..capacity {
            let number = receiver.head.wrapping_add(step);
            // SAFETY: the channel began full of slots yet to be made, and those are the receiver's.
            unsafe { receiver.slots.slot(number).write(Stamped::free(number.wrapping_add(capacity))) };
        }
        // ORDERING(opened): Relaxed; only this side writes it, and it is read after this side is gone
        receiver.shared.opened.store(true, Ordering::Relaxed);
        receiver.shared.slots.watch_mut(0, capacity);
        receiver.head = receiver.head.wrapping_add(capacity);
        receiver.hand_back();
        receiver
    }

    /// Asks the kernel to put the slots on huge pages: fewer translations to remember for a large channel.
    ///
    /// # Errors
    /// If the channel is too small, the system has no such advice, or the kernel refuses; it is unharmed.
    pub fn advise_huge_pages(&mut self) -> Result<(), NotAdvised> {
        self.0.shared.slots.advise_huge_pages()
    }
}

impl<T> Sender<T> {
    /// Moves a value into the channel.
    ///
    /// # Errors
    /// If the channel is full; the value comes back. Ask [`is_closed`](Self::is_closed) then: a channel that
    /// nobody reads stays full.
    // HOT(channel.push)
    #[inline]
    pub fn push(&mut self, value: T) -> Result<(), Full<T>> {
        if self.own.count() == 0 && self.refresh() == 0 {
            return Err(Full(value));
        }
        let Own { slots, next, .. } = &self.own;
        self.shared.slots.watch_mut(*next, 1);
        // SAFETY: slot `next` is the sender's and holds no value.
        unsafe { slots.value(*next).write(value) };
        // SAFETY: the slots were handed over, with their stamps.
        let stamp = unsafe { slots.stamp(*next) };
        // ORDERING(stamp): Release; pairs with Receiver::has_value
        stamp.store(filled(*next), Ordering::Release);
        self.own.give_away(1);
        Ok(())
    }

    /// Looks at the receiver's counter again; the free slots there are now.
    #[inline]
    fn refresh(&mut self) -> usize {
        // ORDERING(head): Acquire; pairs with Receiver::hand_back
        let head = self.shared.head.load(Ordering::Acquire);
        self.own.end = head.wrapping_add(self.capacity());
        self.own.count()
    }

    /// How many slots are in use: values on their way, and slots that the receiver has yet to hand back. All of
    /// them before they are placed.
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

    /// Whether the receiver is gone, so that nothing pushed from now on will ever be taken.
    #[inline]
    pub fn is_closed(&self) -> bool {
        // ORDERING(receiver_gone): Relaxed; nothing is read on the strength of it, the sender only stops
        self.shared.receiver_gone.load(Ordering::Relaxed)
    }

    /// The number of slots.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.own.slots.capacity()
    }
}

impl<T> Receiver<T> {
    /// Moves the oldest value out of the channel; `None` if there is none now.
    // HOT(channel.pop)
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

    /// The oldest value, where it lies; `None` if there is none now.
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
        // SAFETY: a receiver that is out in the world was placed, so the slots have stamps.
        let stamp = unsafe { self.slots.stamp(self.head) };
        // ORDERING(stamp): Acquire; pairs with Sender::push
        if stamp.load(Ordering::Acquire) != filled(self.head) {
            return false;
        }
        self.shared.slots.watch_mut(self.head, 1);
        true
    }

    /// Gives the slots below `head` to the sender.
    #[inline]
    fn hand_back(&mut self) {
        // ORDERING(head): Release; pairs with Sender::refresh
        self.shared.head.store(self.head, Ordering::Release);
    }

    /// Whether the sender is gone. Ask this first and pop afterwards: if it was true and the pop finds
    /// nothing, nothing will ever come.
    #[inline]
    pub fn is_closed(&self) -> bool {
        // ORDERING(sender_gone): Acquire; pairs with Sender::drop
        self.shared.sender_gone.load(Ordering::Acquire)
    }

    /// The number of slots.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.slots.capacity()
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // ORDERING(sender_gone): Release; pairs with Receiver::is_closed
        self.shared.sender_gone.store(true, Ordering::Release);
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
        // ORDERING(opened): Relaxed; read by the last owner, after `Arc` has ordered it behind all others
        if !self.opened.load(Ordering::Relaxed) {
            return;
        }
        // ORDERING(drop): Relaxed; read by the last owner, after `Arc` has ordered it behind all others
        let next = self.head.load(Ordering::Relaxed);
        self.slots.watch_mut(0, self.slots.capacity());
        // SAFETY: the slots were made when the channel was opened, and nobody else has it.
        unsafe { Untaken::drop_all(self.slots.window(), next) };
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("pushed", &self.own.next).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("popped", &self.head).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for UnplacedReceiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnplacedReceiver").field("capacity", &self.0.capacity()).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
