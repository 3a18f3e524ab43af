//! Single-writer cells that other threads sample: counters, watermarks, flags.
//!
//! # Protocol
//! Each cell has one writer. Writing is a plain store, never a read-modify-write; reading gives some value
//! that was written, later reads never an older one. Nothing else is handed over: a reader that must see
//! what the writer did before has to meet the writer in another way (a ring, a thread's end).

use crate::sync::{AtomicBool, AtomicU64, Ordering};

/// A number that one thread writes and others sample.
#[derive(Debug)]
pub struct Published(AtomicU64);

impl Published {
    /// A cell holding `value`.
    pub fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    /// Makes `value` the one that readers see. Only the cell's one writer calls this.
    #[inline]
    pub fn set(&self, value: u64) {
        // ORDERING(published): Relaxed; the number stands for itself, nothing is read on the strength of it
        self.0.store(value, Ordering::Relaxed);
    }

    /// The value as last seen by this thread: recent, but not a promise about anything else.
    #[inline]
    pub fn get(&self) -> u64 {
        // ORDERING(published): Relaxed; as in Published::set
        self.0.load(Ordering::Relaxed)
    }
}

/// A wish that is made known once and never taken back, such as "stop".
#[derive(Debug)]
pub struct Flag(AtomicBool);

impl Flag {
    /// A flag that is down.
    pub fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Raises the flag. Any thread may; it stays up.
    #[inline]
    pub fn raise(&self) {
        // ORDERING(flag): Relaxed; the wish stands for itself, nothing is read on the strength of it
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the flag is up, as far as this thread has seen.
    #[inline]
    pub fn is_raised(&self) -> bool {
        // ORDERING(flag): Relaxed; as in Flag::raise
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for Flag {
    fn default() -> Self {
        Self::new()
    }
}
