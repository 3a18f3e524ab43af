//! Rings and nothing else: what carries data between the pinned threads of NacreousLute.
//!
//! | module | what it is |
//! |---|---|
//! | [`spsc`] | one producer, one consumer: slots filled and read in place, or values that move |
//! | [`lanes`] | fan-in of data: a ring for each producer, polled in turn or merged by rank |
//! | [`mpsc`] | many senders, one receiver: for control messages and low rates |
//! | [`broadcast`] | one producer, several consumers, each of which sees everything |
//! | [`published`] | single-writer cells that other threads sample: counters, watermarks, flags |
//! | [`idle`] | what a thread does when there is nothing to do, and how it is woken |
//!
//! Nothing here blocks, and nothing allocates once it is made. This crate knows nothing of streams, and it is
//! the only home of atomics in the project: whoever checks a memory order has only these files to read. Each
//! module with atomics opens with its protocol.

pub mod broadcast;
pub mod idle;
pub mod lanes;
pub mod mpsc;
pub mod published;
pub mod spsc;

mod full;
mod slots;
mod stamped;
mod sync;

pub use full::Full;
