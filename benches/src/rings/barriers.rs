//! What it costs a producer to see to it that a sleeping consumer is woken.

use std::sync::atomic::{Ordering, fence};

use nacreous_channels::{
    idle::{Parker, Waker},
    spsc,
};

use super::{Record, Transfer, add_up, until};

const SLOTS: usize = 4_096;

/// Nothing: the consumer never sleeps.
pub fn none() -> Transfer {
    after_each(|_| {})
}

/// The waker of a consumer that is awake.
pub fn waker() -> Transfer {
    after_each(Waker::wake)
}

/// A full fence, as a waker needs it where the kernel does not help.
pub fn fence_only() -> Transfer {
    after_each(|_| fence(Ordering::SeqCst))
}

fn after_each(barrier: impl Fn(&Waker) + Send + Copy + 'static) -> Transfer {
    Transfer::new(move || {
        let (mut sender, mut receiver) = spsc::channel(SLOTS);
        let waker = Parker::new().waker();
        let produce = move |records| {
            for number in 0..records {
                until(|| sender.push(Record::new(number)).ok());
                barrier(&waker);
            }
        };
        (produce, move |records| add_up(records, || receiver.pop()))
    })
}
