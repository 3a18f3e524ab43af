//! Joins of two keyed streams.

/// A value of one of two streams that have become one, as a join takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Either<L, R> {
    /// Of the left stream.
    Left(L),
    /// Of the right one.
    Right(R),
}
