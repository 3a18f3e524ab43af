//! How records are put into windows, each by itself.

use std::iter;

use nacreous_watermark::{Grid, Timestamp};

use super::{Periods, Slicing, Sliding, TimeWindow, resolution::Resolution};

/// Says in which windows a record lies: [`Sliding`], [`Periods`], [`Global`], or what a function says that is given to
/// [`assigned_by`].
///
/// A window counts if it ends after it begins, and after the record; it may begin later than the record is. Others are passed
/// over, and a record that has none is late. One named twice has the record twice.
///
/// It is asked more than once for a record, and must say the same each time.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say in which windows a record of type `{T}` lies, each by itself",
    note = "there are `Sliding`, `Periods`, `Global` and `assigned_by(|value: &{T}, time| …)`; \
            `allowed_lateness` is said after `early`"
)]
pub trait Assigner<T>: Clone + Send + 'static {
    /// The windows of a record with this value, at this time. Faster if those that end last come first.
    fn windows(&self, value: &T, time: Timestamp) -> impl Iterator<Item = TimeWindow>;
}

/// One window of all time. It ends when the stream does, so nothing is late for it.
///
/// By itself it has one result for each key, at the end. What makes it of use before are early results, by a
/// [`Trigger`](super::Trigger).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Global;

/// Windows that a function assigns: see [`assigned_by`].
#[derive(Debug, Clone, Copy)]
pub struct AssignedBy<F>(F);

/// Windows that a function assigns: it is given a record's value and time, and says in which windows it lies, of any length.
///
/// ```
/// use nacreous_operators::{Assigner, TimeWindow, assigned_by};
/// use nacreous_watermark::Timestamp;
/// use std::time::Duration;
///
/// // A bid lies in the window of its auction, which is as long as the seller has it be.
/// struct Bid {
///     opened: Timestamp,
///     length: Duration,
/// }
///
/// let auctions = assigned_by(|bid: &Bid, _| [TimeWindow { start: bid.opened, end: bid.opened + bid.length }]);
/// let opened = Timestamp::from_nanos(100);
/// let bid = Bid { opened, length: Duration::from_nanos(50) };
/// let windows: Vec<_> = auctions.windows(&bid, Timestamp::from_nanos(120)).collect();
/// assert_eq!(windows, [TimeWindow { start: opened, end: Timestamp::from_nanos(150) }]);
/// ```
///
/// See [`Assigner`] for which windows count.
pub fn assigned_by<T, I, F>(f: F) -> AssignedBy<F>
where
    F: Fn(&T, Timestamp) -> I + Clone + Send + 'static,
    I: IntoIterator<Item = TimeWindow>,
{
    AssignedBy(f)
}

impl Global {
    /// The instants at which an early result may come, of whatever windows: every millisecond.
    pub fn ends(self) -> Grid {
        Resolution::USUAL.grid()
    }

    const WINDOW: TimeWindow = TimeWindow { start: Timestamp::MIN, end: Timestamp::MAX };
}

impl<T> Assigner<T> for Global {
    fn windows(&self, _: &T, _: Timestamp) -> impl Iterator<Item = TimeWindow> {
        iter::once(Self::WINDOW)
    }
}

impl<T> Assigner<T> for Sliding {
    fn windows(&self, _: &T, time: Timestamp) -> impl Iterator<Item = TimeWindow> {
        sliced(self, time)
    }
}

impl<T> Assigner<T> for Periods {
    fn windows(&self, _: &T, time: Timestamp) -> impl Iterator<Item = TimeWindow> {
        sliced(self, time)
    }
}

impl<T, F, I> Assigner<T> for AssignedBy<F>
where
    F: Fn(&T, Timestamp) -> I + Clone + Send + 'static,
    I: IntoIterator<Item = TimeWindow>,
{
    fn windows(&self, value: &T, time: Timestamp) -> impl Iterator<Item = TimeWindow> {
        (self.0)(value, time).into_iter()
    }
}

/// The windows over the slice that an instant lies in, the last first.
fn sliced(windows: &impl Slicing, time: Timestamp) -> impl Iterator<Item = TimeWindow> {
    let (first, last) = windows.windows_over(windows.slice_at(time));
    (first..=last).rev().map(|number| windows.window(number))
}
