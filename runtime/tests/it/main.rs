//! The runtime from outside: whole graphs as a user runs them, and the example as a user starts it.
#![allow(
    clippy::unwrap_used,
    reason = "also in the helpers of tests a failure is best shown where it happens"
)]

mod arrival;
mod command_line;
mod compile_fail;
mod control;
mod equivalence;
mod examples;
mod families;
mod flights;
mod io_feeder;
mod io_generator;
mod io_results;
mod io_rows;
mod io_table;
mod io_tcp;
mod io_text;
mod latency;
mod lifecycle;
mod naive;
mod ordered;
mod panics;
mod parts;
mod planning;
mod random_graphs;
mod replacing;
mod sources;
mod threads;
mod tiers;
