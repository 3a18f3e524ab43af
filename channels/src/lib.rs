//! Rings and nothing else: what carries data between the pinned threads of NacreousLute.
//!
//! | module | what it is |
//! |---|---|
//! | [`spsc`] | the ring: one producer, one consumer, pre-allocated slots filled and read in place |
//! | [`lanes`] | fan-in: several rings into one consumer, polled in turn |
//! | [`published`] | single-writer cells that other threads sample: counters, watermarks, flags |
//! | [`idle`] | what a thread does when there is nothing to do |
//!
//! This crate knows nothing of streams, and it is the only home of atomics in the project: whoever
//! checks a memory order has only these files to read. Each module with atomics opens with its protocol.

pub mod idle;
pub mod lanes;
pub mod published;
pub mod spsc;

mod sync;
