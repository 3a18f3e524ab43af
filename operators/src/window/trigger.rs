//! When a window has results before its end.

use std::{marker::PhantomData, time::Duration};

use nacreous_watermark::{Span, Timestamp};

use super::WindowError;

/// Decides when a window says what its records so far come to, before it ends: [`every_records`], [`every`], what a function
/// given to [`triggered_by`] decides, or one of your own. What it says at its end comes of itself.
///
/// It decides for each key and window apart, by a state that is kept for as long as the window is open. It is asked in order of
/// event time, when the watermark has passed the record or the alarm, so it sees the same whatever order the records came in.
///
/// A trigger that says a thing ten seconds after the first record:
///
/// ```
/// use nacreous_operators::{Trigger, Verdict};
/// use nacreous_watermark::Timestamp;
/// use std::time::Duration;
///
/// #[derive(Clone)]
/// struct AfterTenSeconds;
///
/// impl<T> Trigger<T> for AfterTenSeconds {
///     type State = Option<Timestamp>; // when the ten seconds are over
///
///     fn on_record(&self, over: &mut Self::State, _: &T, now: Timestamp) -> Verdict {
///         over.get_or_insert(now + Duration::from_secs(10));
///         Verdict::Wait
///     }
///
///     fn alarm(&self, over: &Self::State) -> Option<Timestamp> {
///         *over
///     }
///
///     fn on_alarm(&self, _: &mut Self::State, _: Timestamp) -> Verdict {
///         Verdict::Fire
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say when windows of values of type `{T}` have early results",
    note = "there are `every_records(100)?`, `every(Duration::from_secs(1))?`, \
            `triggered_by(|state: &mut _, value: &{T}, now| …)`, and others by `impl Trigger<{T}>`"
)]
pub trait Trigger<T>: Clone + Send + 'static {
    /// What it keeps for each key and window.
    type State: Default + Clone + Send + 'static;

    /// A record has been added. `now` is its time or, if it came behind the watermark, that: it never goes back.
    fn on_record(&self, state: &mut Self::State, value: &T, now: Timestamp) -> Verdict;

    /// An alarm goes off: no record before it is yet to come, and those at its instant have not come.
    fn on_alarm(&self, state: &mut Self::State, now: Timestamp) -> Verdict {
        let _ = (state, now);
        Verdict::Wait
    }

    /// When the next alarm is to go off, if any. Asked each time after the state may have changed.
    ///
    /// One that is not later than the `now` which that was at does not go off, nor does one at the window's end or after it. In
    /// a window without an end, no alarm follows on an alarm, but on a record: when the stream ends, they would never.
    fn alarm(&self, state: &Self::State) -> Option<Timestamp> {
        let _ = state;
        None
    }
}

/// Whether a window is to say what its records so far come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub enum Verdict {
    /// Not now.
    Wait,
    /// It is.
    Fire,
    /// It is, and then to let go of them: what it says next is of those that come after.
    FireAndPurge,
}

/// Nothing before the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtEnd;

/// After so many records of a key: see [`every_records`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EveryRecords(u32);

/// At multiples of a time: see [`every`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Every(Span);

/// When a function says so: see [`triggered_by`].
#[derive(Debug)]
pub struct TriggeredBy<S, F> {
    f: F,
    state: PhantomData<fn() -> S>,
}

/// Lets go of what it has said: see [`EveryRecords::purging`] and [`Every::purging`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purging<G>(G);

/// An early result with every so many-th record of a key in a window.
///
/// # Errors
/// If that is zero.
pub fn every_records(records: u32) -> Result<EveryRecords, WindowError> {
    if records == 0 { Err(WindowError::EveryNoRecords) } else { Ok(EveryRecords(records)) }
}

/// An early result at each multiple of this time since the Unix epoch, of what a key's records in a window before that instant come
/// to, if there was one since the last.
///
/// Results leave when the watermark has passed the instant, a millisecond later than that at most.
///
/// # Errors
/// If the time is zero, or longer than 292 years.
pub fn every(time: Duration) -> Result<Every, WindowError> {
    if time.is_zero() {
        return Err(WindowError::EveryNoTime);
    }
    Ok(Every(Span::try_from(time)?))
}

/// Early results when a function says so. It is given the state of the key and window, a record's value, and when it is taken up.
///
/// ```
/// use nacreous_operators::{Verdict, triggered_by};
///
/// // An early result each time that a thousand have been spent.
/// let trigger = triggered_by(|spent: &mut u64, price: &u64, _| {
///     *spent += price;
///     if *spent < 1_000 {
///         return Verdict::Wait;
///     }
///     *spent = 0;
///     Verdict::Fire
/// });
/// # fn is_one(_: impl nacreous_operators::Trigger<u64>) {}
/// # is_one(trigger);
/// ```
pub fn triggered_by<T, S, F>(f: F) -> TriggeredBy<S, F>
where
    S: Default + Clone + Send + 'static,
    F: Fn(&mut S, &T, Timestamp) -> Verdict + Clone + Send + 'static,
{
    TriggeredBy { f, state: PhantomData }
}

impl EveryRecords {
    /// The same, and each result lets go of what it says: it is of so many records, and that at the end of those left.
    #[must_use]
    pub fn purging(self) -> Purging<Self> {
        Purging(self)
    }
}

impl Every {
    /// The same, and each result lets go of what it says: it is of the records since the one before.
    #[must_use]
    pub fn purging(self) -> Purging<Self> {
        Purging(self)
    }
}

impl<T> Trigger<T> for AtEnd {
    type State = ();

    #[inline]
    fn on_record(&self, (): &mut (), _: &T, _: Timestamp) -> Verdict {
        Verdict::Wait
    }
}

impl<T> Trigger<T> for EveryRecords {
    /// How many there were since the last result.
    type State = u32;

    #[inline]
    fn on_record(&self, records: &mut u32, _: &T, _: Timestamp) -> Verdict {
        *records += 1;
        if *records < self.0 {
            return Verdict::Wait;
        }
        *records = 0;
        Verdict::Fire
    }
}

impl<T> Trigger<T> for Every {
    /// When the next result is due, if there was a record since the last.
    type State = Option<Timestamp>;

    #[inline]
    fn on_record(&self, due: &mut Self::State, _: &T, now: Timestamp) -> Verdict {
        due.get_or_insert_with(|| {
            let time = self.0.as_nanos();
            let multiple = now.as_nanos().div_euclid(time).saturating_add(1);
            Timestamp::from_nanos(multiple.saturating_mul(time))
        });
        Verdict::Wait
    }

    fn on_alarm(&self, due: &mut Self::State, _: Timestamp) -> Verdict {
        *due = None;
        Verdict::Fire
    }

    #[inline]
    fn alarm(&self, due: &Self::State) -> Option<Timestamp> {
        *due
    }
}

impl<S, F: Clone> Clone for TriggeredBy<S, F> {
    fn clone(&self) -> Self {
        Self { f: self.f.clone(), state: PhantomData }
    }
}

impl<T, S, F> Trigger<T> for TriggeredBy<S, F>
where
    S: Default + Clone + Send + 'static,
    F: Fn(&mut S, &T, Timestamp) -> Verdict + Clone + Send + 'static,
{
    type State = S;

    fn on_record(&self, state: &mut S, value: &T, now: Timestamp) -> Verdict {
        (self.f)(state, value, now)
    }
}

impl<T, G: Trigger<T>> Trigger<T> for Purging<G> {
    type State = G::State;

    fn on_record(&self, state: &mut G::State, value: &T, now: Timestamp) -> Verdict {
        self.0.on_record(state, value, now).purging()
    }

    fn on_alarm(&self, state: &mut G::State, now: Timestamp) -> Verdict {
        self.0.on_alarm(state, now).purging()
    }

    fn alarm(&self, state: &G::State) -> Option<Timestamp> {
        self.0.alarm(state)
    }
}

impl Verdict {
    /// The same, and nothing said is kept.
    fn purging(self) -> Self {
        if self == Self::Fire { Self::FireAndPurge } else { self }
    }
}
