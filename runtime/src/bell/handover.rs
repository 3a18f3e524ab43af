//! A channel between a data thread and a thread of the user's, either of which may wait for the other.

use std::time::Instant;

use nacreous_channels::{Full, spsc};

use super::{Bell, Callee, Caller, Courtesy, line};

/// Makes a channel with room for `capacity` values, rounded up to a power of two (zero counts as one).
///
/// # Panics
/// If the rounded capacity, or its size in bytes, overflows.
pub(crate) fn handover<T>(capacity: usize) -> (Giver<T>, Taker<T>) {
    let (sender, receiver) = spsc::channel(capacity);
    let (call_taker, taker_called) = line();
    let (call_giver, giver_called) = line();
    let courtesy = Courtesy::new(call_giver, receiver.capacity());
    (
        Giver { sender, taker: call_taker, called: giver_called },
        Taker { outlet: Outlet { receiver, giver: courtesy }, called: taker_called },
    )
}

/// The side that values go into.
// The channel is to be closed before the taker is called for the last time: fields are dropped in this order.
pub(crate) struct Giver<T> {
    sender: spsc::Sender<T>,
    taker: Caller,
    called: Callee,
}

/// The side that values come out of.
pub(crate) struct Taker<T> {
    outlet: Outlet<T>,
    called: Callee,
}

/// What values come out of. As for the giver, fields are dropped in this order.
struct Outlet<T> {
    receiver: spsc::Receiver<T>,
    giver: Courtesy,
}

/// What there was to take.
pub(crate) enum Taken<T> {
    /// A value.
    One(T),
    /// Nothing at the moment.
    NoneYet,
    /// Nothing ever again: the giver is gone.
    NoneEver,
}

impl<T> Giver<T> {
    /// Moves a value into the channel. The taker is yet to be [called](Self::call).
    #[inline]
    pub(crate) fn put(&mut self, value: T) -> Result<(), Full<T>> {
        self.sender.push(value)
    }

    /// Wakes the taker, if it waits, to what has been put.
    #[inline]
    pub(crate) fn call(&mut self) {
        self.taker.call();
    }

    /// Moves a value in, waiting on this thread until there is room. It comes back if the taker is gone.
    pub(crate) fn give(&mut self, value: T) -> Result<(), T> {
        if self.is_closed() {
            return Err(value);
        }
        let Self { sender, taker, called } = self;
        let mut refused = sender.push(value).err();
        if refused.is_some() {
            called.wait_for(None, || {
                refused = sender.push(refused.take()?.0).err();
                (refused.is_none() || sender.is_closed()).then_some(())
            });
        }
        taker.call();
        refused.map_or(Ok(()), |Full(value)| Err(value))
    }

    /// At least so many values can be put without waiting.
    #[inline]
    pub(crate) fn room(&self) -> usize {
        self.sender.capacity() - self.sender.len()
    }

    /// Whether the taker is gone.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Whose bell the taker rings when there is room again.
    pub(crate) fn is_at(&self, bell: &Bell) {
        self.called.is_at(bell);
    }
}

impl<T> Taker<T> {
    /// Takes the oldest value, and calls the giver if there has come to be room worth calling for.
    #[inline]
    pub(crate) fn take(&mut self) -> Taken<T> {
        self.outlet.take()
    }

    /// Takes the oldest value, waiting on this thread until there is one, or until `deadline`.
    pub(crate) fn await_one(&mut self, deadline: Option<Instant>) -> Taken<T> {
        let Self { outlet, called } = self;
        let taken = called.wait_for(deadline, || match outlet.take() {
            Taken::NoneYet => None,
            taken => Some(taken),
        });
        taken.unwrap_or(Taken::NoneYet)
    }

    /// Whose bell the giver rings when there is more.
    pub(crate) fn is_at(&self, bell: &Bell) {
        self.called.is_at(bell);
    }
}

impl<T> Outlet<T> {
    #[inline]
    fn take(&mut self) -> Taken<T> {
        match self.receiver.pop() {
            Some(value) => self.took(value),
            None => self.take_last(),
        }
    }

    /// There was nothing: is that for ever?
    fn take_last(&mut self) -> Taken<T> {
        let closed = self.receiver.is_closed();
        self.giver.found_nothing();
        match self.receiver.pop() {
            Some(value) => self.took(value),
            None if closed => Taken::NoneEver,
            None => Taken::NoneYet,
        }
    }

    #[inline]
    fn took(&mut self, value: T) -> Taken<T> {
        self.giver.took_one();
        Taken::One(value)
    }
}
