//! The channels against bare atomics and other crates: records of 24 bytes from one core to another.
//!
//! Every side moves the same records and adds up all of their fields at the other end, through the same number of
//! slots, or each through as many as suit it best where a comparison says so. Where there is nothing to do, each spins with one pause at a time.

pub mod barriers;
pub mod broadcast;
pub mod fan_in;
pub mod mpsc;
pub mod round_trip;
pub mod spsc;
pub mod tail;

use std::{hint, time::Duration};

use crate::{
    comparison::{Measure, Outcome, Side},
    two_threads,
};

const RATE: Measure = Measure::Rate("M records/s");

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

/// Sends records from one core to another and adds them up there; each run makes its rings anew.
pub struct Transfer(Box<dyn FnMut(u64) -> (Duration, u64)>);

impl Transfer {
    /// `make` makes both ends: the one sends so many records, the other returns the digest of as many.
    fn new<P, C>(make: impl Fn() -> (P, C) + 'static) -> Self
    where
        P: FnOnce(u64) + Send,
        C: FnOnce(u64) -> u64 + Send,
    {
        Self(Box::new(move |records| {
            let (produce, consume) = make();
            two_threads::run(|| produce(records), || consume(records))
        }))
    }

    /// How long so many records take, and their digest.
    pub fn run(&mut self, records: u64) -> (Duration, u64) {
        (self.0)(records)
    }

    /// A side of a comparison that sends so many records a run.
    fn side(mut self, records: u64) -> Side {
        Box::new(move || {
            let (time, digest) = self.run(records);
            Outcome { figure: records as f64 / 1e6 / time.as_secs_f64(), digest }
        })
    }
}

/// Takes so many records, one by one, and adds them up.
#[inline(always)]
fn add_up(records: u64, mut take: impl FnMut() -> Option<Record>) -> u64 {
    (0..records).fold(0_u64, |digest, _| digest.wrapping_add(until(&mut take).digest()))
}

/// Adds records to a digest.
#[inline(always)]
fn add<'a>(digest: u64, records: impl Iterator<Item = &'a Record>) -> u64 {
    records.fold(digest, |digest, record| digest.wrapping_add(record.digest()))
}
