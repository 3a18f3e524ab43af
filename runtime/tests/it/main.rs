//! The runtime from outside: whole graphs as a user runs them, and the example as a user starts it.

mod command_line;
mod equivalence;
mod flights;
mod lifecycle;
mod naive;
mod panics;
