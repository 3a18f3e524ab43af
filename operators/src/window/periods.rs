use std::{ops::RangeInclusive, sync::Arc};

use nacreous_watermark::{Timestamp, Watermark};

use super::{Slicing, TimeWindow, WindowError, slicing::SliceNumber};

/// Windows that follow each other, each as long as it happens to be: calendar days or months, shifts, sessions of an exchange.
///
/// Each begins at an instant that is given and ends where the next begins. What comes before the first lies in a window of its own,
/// without a beginning, and the last has no end: it fires when the stream ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Periods {
    starts: Arc<[Timestamp]>,
}

impl Periods {
    /// Windows that begin at these instants.
    ///
    /// ```
    /// use nacreous_operators::Periods;
    /// use nacreous_watermark::Timestamp;
    ///
    /// // Months of 2013, in UTC.
    /// let days = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    /// let months = Periods::starting(days.map(|day| Timestamp::from_nanos((15_706 + day) * 86_400_000_000_000)))?;
    /// # Ok::<(), nacreous_operators::WindowError>(())
    /// ```
    ///
    /// # Errors
    /// If there are none, or they are not in order, or two are the same.
    pub fn starting(starts: impl IntoIterator<Item = Timestamp>) -> Result<Self, WindowError> {
        let starts: Arc<[_]> = starts.into_iter().collect();
        match starts.windows(2).find(|pair| pair[0] >= pair[1]) {
            Some(pair) => Err(WindowError::Order { before: pair[0], after: pair[1] }),
            None if starts.is_empty() => Err(WindowError::NoPeriod),
            None => Ok(Self { starts }),
        }
    }

    /// The instants at which a window begins, and the one before it ends.
    pub fn starts(&self) -> &Arc<[Timestamp]> {
        &self.starts
    }

    /// How many begin at an instant or before it.
    fn begun_by(&self, time: Timestamp) -> i64 {
        let begun = self.starts.partition_point(|start| *start <= time);
        i64::try_from(begun).expect("no more than fit in memory")
    }

    /// When the window with this number begins; if there is none, the end of time.
    fn start(&self, number: i64) -> Timestamp {
        match usize::try_from(number) {
            Err(_) | Ok(0) => Timestamp::MIN,
            Ok(begun) => self.starts.get(begun - 1).copied().unwrap_or(Timestamp::MAX),
        }
    }
}

/// Each window is a slice.
impl Slicing for Periods {
    fn tumble(&self) -> bool {
        true
    }

    fn window(&self, number: i64) -> TimeWindow {
        TimeWindow { start: self.start(number), end: self.start(number.saturating_add(1)) }
    }

    fn first_open(&self, watermark: Watermark) -> i64 {
        if watermark.is_end() { i64::MAX } else { self.begun_by(watermark.time()) }
    }

    fn slice_at(&self, time: Timestamp) -> SliceNumber {
        SliceNumber::new(self.begun_by(time))
    }

    fn extent(&self, slice: SliceNumber) -> (i64, u64) {
        let TimeWindow { start, end } = self.window(slice.get());
        (start.as_nanos(), end.as_nanos().abs_diff(start.as_nanos()))
    }

    fn windows_over(&self, slice: SliceNumber) -> (i64, i64) {
        (slice.get(), slice.get())
    }

    fn first_slice(&self, window: i64) -> i64 {
        window
    }

    fn slices_in(&self, window: i64) -> RangeInclusive<i64> {
        window..=window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn periods(starts: &[i64]) -> Result<Periods, WindowError> {
        Periods::starting(starts.iter().map(|nanos| Timestamp::from_nanos(*nanos)))
    }

    #[test]
    fn each_instant_lies_in_the_window_that_has_begun_last() {
        let starts = [-20, -3, 0, 1, 50];
        let periods = periods(&starts).unwrap();
        for time in (-60..60).chain([i64::MIN, i64::MIN + 1, i64::MAX - 1]) {
            let at = Timestamp::from_nanos(time);
            let slice = periods.slice_at(at);
            let begun = starts.iter().filter(|start| **start <= time).count();
            assert_eq!(periods.windows_over(slice), (begun as i64, begun as i64));
            let window = periods.window(begun as i64);
            assert!(window.start <= at && at < window.end, "{time}");
            assert_eq!(periods.slices_in(begun as i64), slice.get()..=slice.get());
            let (start, length) = periods.extent(slice);
            assert_eq!((start, length), (window.start.as_nanos(), window.end.as_nanos().abs_diff(start)));
            for number in 0..=5 {
                let is_open = periods.window(number).end > at;
                assert_eq!(periods.first_open(Watermark::at(at)) <= number, is_open, "{time} {number}");
            }
        }
        assert_eq!(periods.first_open(Watermark::END), i64::MAX);
    }

    #[test]
    fn instants_that_are_no_order_are_refused() {
        assert_eq!(periods(&[]), Err(WindowError::NoPeriod));
        let [before, after] = [7, 7].map(Timestamp::from_nanos);
        assert_eq!(periods(&[1, 7, 7, 9]), Err(WindowError::Order { before, after }));
        let message = periods(&[9, 7]).unwrap_err().to_string();
        assert_eq!(message, "periods must begin one after the other, but 7 ns comes after 9 ns");
    }
}
