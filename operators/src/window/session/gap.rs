use std::{fmt, time::Duration};

use super::{Session, WindowError};

/// How long the keys of a stream are silent at the end of a session: one gap for all, or each its own.
pub trait Gaps<K>: Clone + Send + 'static {
    /// What is asked for a key; `None` for the least there is.
    #[doc(hidden)]
    fn of(&self, key: &K) -> Option<Duration>;
}

/// The same gap for every key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OneGap;

impl<K> Gaps<K> for OneGap {
    #[inline]
    fn of(&self, _: &K) -> Option<Duration> {
        None
    }
}

/// The gap that a function says for each key.
#[derive(Clone, Copy)]
pub struct GapOf<F>(F);

impl<K, F: Fn(&K) -> Duration + Clone + Send + 'static> Gaps<K> for GapOf<F> {
    #[inline]
    fn of(&self, key: &K) -> Option<Duration> {
        Some((self.0)(key))
    }
}

impl<F> fmt::Debug for GapOf<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GapOf(..)")
    }
}

impl Session {
    /// Sessions that end when there has been no record of their key for as long as `gap_of` says, and never for less than `least`:
    /// what it says less than that counts as `least`, what is more than 292 years as that.
    ///
    /// `gap_of` is asked anew for each record, and has to say the same of a key whenever it is asked. `least` decides how finely
    /// watermarks are told apart, and how often sources pass one on, so it had better not be much less than what is said.
    ///
    /// ```
    /// # use nacreous_operators::Session;
    /// use std::time::Duration;
    ///
    /// // People hesitate for longer than machines do.
    /// let least = Duration::from_secs(10);
    /// let visits = Session::with_gap_of(least, move |name: &&str| if name.starts_with("bot") { least } else { least * 6 })?;
    /// # let _ = visits;
    /// # Ok::<(), nacreous_operators::WindowError>(())
    /// ```
    ///
    /// # Errors
    /// If `least` is zero, or longer than 292 years.
    pub fn with_gap_of<K, F>(least: Duration, gap_of: F) -> Result<Session<GapOf<F>>, WindowError>
    where
        F: Fn(&K) -> Duration + Clone + Send + 'static,
    {
        Session::of(least, GapOf(gap_of))
    }
}
