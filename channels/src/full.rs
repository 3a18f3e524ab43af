//! What a push comes to when there is no room.

use std::fmt;

/// The ring is full: the value comes back. There is room again once the other side has taken something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Full<T>(
    /// What could not be pushed.
    pub T,
);

impl<T> fmt::Debug for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Full(..)")
    }
}

impl<T> fmt::Display for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the ring is full: push again once the other side has taken something")
    }
}

impl<T> std::error::Error for Full<T> {}
