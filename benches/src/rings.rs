//! The channels against bare atomics and other crates: records of 24 bytes from one core to another.
//!
//! Every side moves the same records through the same number of slots and adds up all of their fields at the
//! other end. Where there is nothing to do, each spins with one pause at a time.

pub mod round_trip;
pub mod spsc;

use std::hint;

use crate::{
    comparison::{Outcome, Side},
    two_threads,
};

/// 24 bytes, like the records of a small stream.
#[derive(Debug, Clone, Copy, Default)]
pub struct Record {
    time: i64,
    key: u64,
    value: u64,
}

impl Record {
    /// The record with this number.
    #[inline(always)]
    pub fn new(number: u64) -> Self {
        Self { time: number as i64, key: number & 1023, value: number ^ 0x5555 }
    }

    /// All of it in one number.
    #[inline(always)]
    pub fn digest(&self) -> u64 {
        (self.time as u64).wrapping_add(self.key).wrapping_add(self.value)
    }
}

/// Calls `attempt` until it gives something, with a pause after each failure.
#[inline(always)]
pub fn until<R>(mut attempt: impl FnMut() -> Option<R>) -> R {
    loop {
        if let Some(result) = attempt() {
            return result;
        }
        hint::spin_loop();
    }
}

/// A side that sends `records` from one core to another; `make` makes both ends anew for each run.
fn transfer<P, C>(records: u64, make: impl Fn() -> (P, C) + 'static) -> Side
where
    P: FnOnce(u64) + Send,
    C: FnOnce(u64) -> u64 + Send,
{
    Box::new(move || {
        let (produce, consume) = make();
        let (time, digest) = two_threads::run(|| produce(records), || consume(records));
        Outcome { figure: records as f64 / 1e6 / time.as_secs_f64(), digest }
    })
}
