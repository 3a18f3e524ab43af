//! What keys come to in windows, each by itself.

use std::cmp::Ordering;

use nacreous_watermark::Timestamp;

use crate::{
    Prepared, Supplies,
    key::SlotNumber,
    pool::{Place, Pool},
    window::TimeWindow,
};

/// The windows of all keys.
pub(super) struct Cells<A, S>(Pool<Cell<A, S>>);

/// The windows of a key, in order of their ends, then of their beginnings.
pub(super) struct Line {
    /// The key's number.
    pub(super) slot: SlotNumber,
    pub(super) oldest: Option<Place>,
    newest: Option<Place>,
    /// When they are to be looked at, unless they are being looked at.
    pub(super) due: Option<Timestamp>,
}

/// A window of a key.
pub(super) struct Cell<A, S> {
    pub(super) window: TimeWindow,
    /// What its records come to, unless they have been let go of, or have not been taken up.
    pub(super) acc: Option<A>,
    /// What they came to when it was last said, if that may have to be taken back.
    pub(super) said: Option<A>,
    /// How many results there have been.
    pub(super) results: u32,
    pub(super) trigger: S,
    /// Goes off after what is at the instant before it.
    pub(super) alarm: Option<Timestamp>,
    /// Whether it has not come to its end.
    pub(super) is_open: bool,
    pub(super) newer: Option<Place>,
    older: Option<Place>,
}

/// The last instant before a time. That of the end of time is itself: nothing ends there but with the stream.
pub(super) fn before(time: Timestamp) -> Timestamp {
    if time == Timestamp::MAX { time } else { Timestamp::from_nanos(time.as_nanos().saturating_sub(1)) }
}

impl TimeWindow {
    /// The last instant inside.
    pub(super) fn last(self) -> Timestamp {
        before(self.end)
    }

    /// The last instant at which it is kept.
    pub(super) fn kept_until(self, allowed: i64) -> Timestamp {
        before(Timestamp::from_nanos(self.end.as_nanos().saturating_add(allowed)))
    }

    /// Where it stands among others.
    fn rank(self) -> (Timestamp, Timestamp) {
        (self.end, self.start)
    }
}

impl Line {
    /// No windows yet.
    pub(super) fn new() -> Self {
        Self { slot: SlotNumber::new(0), oldest: None, newest: None, due: None }
    }
}

impl<A, S> Cell<A, S> {
    /// The next instant at which something happens to it.
    pub(super) fn due(&self, allowed: i64) -> Timestamp {
        if self.is_open {
            self.alarm.map_or_else(|| self.window.last(), before)
        } else {
            self.window.kept_until(allowed)
        }
    }
}

impl<A, S: Default> Cells<A, S> {
    pub(super) fn new() -> Self {
        Self(Pool::new())
    }

    pub(super) fn connect(&mut self, supplies: &mut impl Supplies)
    where
        A: Send + 'static,
        S: Send + 'static,
    {
        self.0.connect(supplies);
    }

    /// As [`Operator::prepare`](crate::Operator::prepare), for so many windows.
    pub(super) fn prepare(&mut self, windows: usize) -> Prepared {
        self.0.prepare(windows)
    }

    pub(super) fn get_mut(&mut self, place: Place) -> &mut Cell<A, S> {
        self.0.get_mut(place)
    }

    /// Where a window of a key is; it is begun if it is not there, and has not come to its end if that is not before `passed`.
    /// Sought from this one on, if that is not older.
    #[inline]
    pub(super) fn seek(
        &mut self,
        line: &mut Line,
        from: Option<Place>,
        window: TimeWindow,
        passed: Timestamp,
    ) -> Place {
        let from = from.filter(|place| self.0.get(*place).window.rank() >= window.rank());
        let (mut newer, mut older) = (None, from.or(line.newest));
        while let Some(place) = older {
            let cell = self.0.get(place);
            match cell.window.rank().cmp(&window.rank()) {
                Ordering::Equal => return place,
                Ordering::Less => break,
                Ordering::Greater => (newer, older) = (Some(place), cell.older),
            }
        }
        let (trigger, is_open) = (S::default(), window.last() >= passed);
        let cell =
            Cell { window, acc: None, said: None, results: 0, trigger, alarm: None, is_open, newer, older };
        let place = self.0.insert(cell);
        self.link(line, (older, Some(place)));
        self.link(line, (Some(place), newer));
        place
    }

    /// Lets go of a window.
    pub(super) fn remove(&mut self, line: &mut Line, place: Place) {
        let Cell { older, newer, .. } = self.0.remove(place);
        self.link(line, (older, newer));
    }

    /// Puts two windows next to each other, or one at an end of the line.
    fn link(&mut self, line: &mut Line, (older, newer): (Option<Place>, Option<Place>)) {
        match older {
            Some(place) => self.get_mut(place).newer = newer,
            None => line.oldest = newer,
        }
        match newer {
            Some(place) => self.get_mut(place).older = older,
            None => line.newest = older,
        }
    }

    /// How many chunks there are for windows.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.0.room().0
    }

    /// How many windows there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
