//! A bounded ring between one producer and one consumer.
//!
//! | made by | slots | for |
//! |---|---|---|
//! | [`ring`] | made once, filled and read where they lie, one at a time or in runs | batches, and records that are `Copy` |
//! | [`channel`] | hold a value on its way and nothing else | values that move from one thread to the other |
//!
//! In a [`ring`] the producer [claims](Producer::claim) the next free slot, fills it where it lies and
//! [publishes](Producer::publish) it; the consumer [peeks](Consumer::peek) at the oldest published slot, works
//! on it where it lies and [releases](Consumer::release) it.
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
//! Either way nothing is allocated after the ring is made, and an end that is dropped closes the ring: what was
//! published before can still be read.

mod channel;
mod ring;

pub use self::{
    channel::{Receiver, Sender, UnplacedReceiver, channel, channel_unplaced},
    ring::{Consumer, Producer, UnplacedConsumer, ring, ring_unplaced},
};
pub use crate::slots::NotAdvised;
