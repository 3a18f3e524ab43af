//! The loops of data threads, for their instructions to be counted.

use crate::{chain, keyed_sum};

/// A loop: its id, and what goes over so many blocks of records and says how many records those are.
pub type Loop = (&'static str, fn(u64) -> u64);

/// All of them.
pub fn all() -> impl Iterator<Item = Loop> {
    chain::LOOPS.into_iter().chain([keyed_sum::LOOP])
}
