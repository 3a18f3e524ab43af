//! What a queue of values comes to, while values come in behind and leave in front.
//!
//! Unlike [windows](crate::Sliding), these are plain structures: they know neither keys nor time.

mod daba_lite;

pub use daba_lite::DabaLite;
