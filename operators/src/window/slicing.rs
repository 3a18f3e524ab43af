use std::ops::RangeInclusive;

use nacreous_watermark::{Timestamp, Watermark};

use super::TimeWindow;

/// How windows lie in time, and of which slices they consist. Both are numbered, in order of time.
///
/// A slice lies wholly inside or outside each window; the windows that it lies in follow each other.
pub trait Slicing: Clone {
    /// Whether each instant lies in one window alone.
    fn tumble(&self) -> bool;

    /// The window with this number. Bounds outside the range of time are cut to it.
    fn window(&self, number: i64) -> TimeWindow;

    /// The number of the first window that `watermark` leaves open.
    fn first_open(&self, watermark: Watermark) -> i64;

    /// The slice that an instant lies in.
    fn slice_at(&self, time: Timestamp) -> SliceNumber;

    /// The slice's first instant and its length in nanoseconds, cut to the range of time.
    fn extent(&self, slice: SliceNumber) -> (i64, u64);

    /// The numbers of the first and the last window that the slice lies in.
    fn windows_over(&self, slice: SliceNumber) -> (i64, i64);

    /// The number of the first slice in the window with this number.
    fn first_slice(&self, window: i64) -> i64;

    /// The numbers of the slices in the window with this number.
    fn slices_in(&self, window: i64) -> RangeInclusive<i64>;
}

/// The number of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SliceNumber(i64);

impl SliceNumber {
    pub(super) fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number alone.
    pub(super) fn get(self) -> i64 {
        self.0
    }
}
