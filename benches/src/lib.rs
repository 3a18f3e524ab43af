//! Benchmarks of NacreousLute: each against a rival or a floor, in one process, in turn.
//!
//! | module | what it is |
//! |---|---|
//! | [`chain`] | a chain of map and filter pairs, against the same loop written by hand, and against timely |
//! | [`clock`] | reads the processor's cycle counter |
//! | [`comparison`] | runs ours and the rival alternately and states the ratio with its spread |
//! | [`flight_delays`] | the main job, against a plain loop over the same file |
//! | [`growth`] | the slowest record while keyed state grows, against a table that rehashes at once |
//! | [`join`] | two streams to join in tumbling windows, and how timely joins them |
//! | [`keyed_sum`] | a keyed tumbling sum in memory, against the same loop over a hash table, and against timely |
//! | [`loops`] | the loops of data threads, for their instructions to be counted |
//! | [`nexmark`] | queries over an auction house: what each takes, and three of them against timely |
//! | [`rings`] | the channels, against bare atomics and other crates |
//! | [`plan`] | jobs that find out by themselves how to run, against all ways there are |
//! | [`two_threads`] | a producer and a consumer on cores of their own, timed together |
//! | [`windows`] | windows that overlap, against a loop by hand, other ways to put them together, and a wheel |
//!
//! `cargo run --release -p nacreous-benches --bin scorecard` runs them all.

pub mod chain;
pub mod clock;
pub mod comparison;
pub mod flight_delays;
pub mod growth;
pub mod join;
pub mod keyed_sum;
pub mod latency;
pub mod loops;
pub mod nexmark;
pub mod plan;
pub mod rings;
pub mod two_threads;
pub mod windows;
