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

// Both sides of a ring agree on the type of what it carries, lifetimes included: one side cannot be taken for that
// of a ring of shorter-lived values.
//
/// ```compile_fail
/// use nacreous_channels::spsc::{Sender, channel};
/// fn shorter<'a>(sender: Sender<&'static str>) -> Sender<&'a str> { sender }
/// ```
/// ```compile_fail
/// use nacreous_channels::spsc::Producer;
/// fn shorter<'a>(producer: Producer<&'static str>) -> Producer<&'a str> { producer }
/// ```
/// ```compile_fail
/// use nacreous_channels::spsc::Consumer;
/// fn shorter<'a>(consumer: Consumer<&'static str>) -> Consumer<&'a str> { consumer }
/// ```
/// ```compile_fail
/// use nacreous_channels::mpsc::Sender;
/// fn shorter<'a>(sender: Sender<&'static str>) -> Sender<&'a str> { sender }
/// ```
/// ```compile_fail
/// use nacreous_channels::broadcast::Producer;
/// fn shorter<'a>(producer: Producer<&'static str>) -> Producer<&'a str> { producer }
/// ```
/// The same compiles where nothing is shortened, so it is for this reason that the others do not:
/// ```
/// use nacreous_channels::{broadcast, mpsc, spsc};
/// fn same(sender: spsc::Sender<&'static str>) -> spsc::Sender<&'static str> { sender }
/// fn none(_: mpsc::Sender<&'static str>, _: broadcast::Producer<&'static str>) {}
/// ```
#[cfg(doctest)]
struct InvarianceOfHandles;

pub mod broadcast;
pub mod idle;
pub mod lanes;
pub mod mpsc;
pub mod published;
pub mod spsc;

mod fill;
mod full;
#[cfg(all(test, not(loom)))]
mod ledger;
mod scatter;
mod slots;
mod stamped;
mod sync;

pub use fill::fill;
pub use full::Full;
pub use scatter::scatter;
