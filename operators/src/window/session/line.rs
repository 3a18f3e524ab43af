use std::iter;

use nacreous_watermark::{Timestamp, Watermark};

use crate::{
    Prepared, Supplies,
    pool::{Place, Pool},
};

/// The sessions of all keys.
pub(super) struct Lines<A>(Pool<Run<A>>);

/// The sessions of a key, from the newest on; between any two there is a gap.
#[derive(Default)]
pub(super) struct Line {
    newest: Option<Place>,
    /// When they are to be looked at, unless they are being looked at.
    pub(super) due: Option<Timestamp>,
}

/// A session.
pub(super) struct Run<A> {
    /// When its first record was, in nanoseconds.
    pub(super) first: i64,
    /// When its last was.
    pub(super) last: i64,
    /// What is kept of what it comes to.
    pub(super) sum: A,
    /// How many results there have been of it, or of one that it was joined with.
    pub(super) results: u32,
    /// Whether the last of them still says what it comes to.
    pub(super) has_fired: bool,
    older: Option<Place>,
}

/// The sessions that a record belongs to: it may join two.
pub(super) struct Touched {
    /// The newer one first.
    pub(super) runs: [Option<Place>; 2],
    /// The oldest session that is newer than the record, and that it does not belong to.
    pub(super) above: Option<Place>,
}

impl<A> Run<A> {
    /// A session of one record.
    pub(super) fn new(at: i64, sum: A) -> Self {
        Self { first: at, last: at, sum, results: 0, has_fired: false, older: None }
    }

    /// When its first record and its last were.
    pub(super) fn bounds(&self) -> (i64, i64) {
        (self.first, self.last)
    }

    /// Takes in a record at this time.
    pub(super) fn reach(&mut self, at: i64) {
        (self.first, self.last) = (self.first.min(at), self.last.max(at));
    }

    /// Where it ends.
    pub(super) fn end(&self, gap: i64) -> i64 {
        self.last.saturating_add(gap)
    }

    /// Whether it is closed at a watermark. What ends with time is only at the end of the stream.
    pub(super) fn is_closed(&self, gap: i64, at: Watermark) -> bool {
        self.end(gap) <= at.time().as_nanos()
    }

    /// When it is to be fired, or to be let go of.
    pub(super) fn due(&self, gap: i64, allowed: i64) -> Timestamp {
        let end = self.end(gap);
        Timestamp::from_nanos(if self.has_fired { end.saturating_add(allowed) } else { end })
    }
}

impl<A> Lines<A> {
    pub(super) fn new() -> Self {
        Self(Pool::new())
    }

    pub(super) fn connect(&mut self, supplies: &mut impl Supplies)
    where
        A: Send + 'static,
    {
        self.0.connect(supplies);
    }

    /// As [`Operator::prepare`](crate::Operator::prepare), for so many records.
    pub(super) fn prepare(&mut self, records: usize) -> Prepared {
        self.0.prepare(records)
    }

    pub(super) fn get(&self, place: Place) -> &Run<A> {
        self.0.get(place)
    }

    pub(super) fn get_mut(&mut self, place: Place) -> &mut Run<A> {
        self.0.get_mut(place)
    }

    /// The sessions of a key.
    pub(super) fn iter(&self, line: &Line) -> impl Iterator<Item = &Run<A>> {
        let run = |place: Option<Place>| place.map(|place| self.get(place));
        iter::successors(run(line.newest), move |newer| run(newer.older))
    }

    /// The sessions that a record at this time belongs to.
    #[inline]
    pub(super) fn touched(&self, line: &Line, at: i64, gap: i64) -> Touched {
        let mut touched = Touched { runs: [None; 2], above: None };
        let mut next = line.newest;
        while let Some(place) = next {
            let run = self.get(place);
            if later_by(at, run.last) >= gap.into() {
                break;
            }
            if later_by(run.first, at) >= gap.into() {
                touched.above = next;
            } else if touched.runs[0].is_none() {
                touched.runs[0] = next;
            } else {
                touched.runs[1] = next;
            }
            next = run.older;
        }
        touched
    }

    /// Puts in a session, behind one that is newer if there is one.
    pub(super) fn insert(&mut self, line: &mut Line, above: Option<Place>, run: Run<A>) -> &mut Run<A> {
        let older = match above {
            Some(above) => self.get(above).older,
            None => line.newest,
        };
        let place = self.0.insert(Run { older, ..run });
        match above {
            Some(above) => self.get_mut(above).older = Some(place),
            None => line.newest = Some(place),
        }
        self.get_mut(place)
    }

    /// Takes out the session before this one. There must be one.
    pub(super) fn remove_older(&mut self, place: Place) -> Run<A> {
        let older = self.get(place).older.expect("there is an older session");
        let run = self.0.remove(older);
        self.get_mut(place).older = run.older;
        run
    }

    /// Lets go of the sessions that are not to stay.
    pub(super) fn sift(&mut self, line: &mut Line, mut stays: impl FnMut(&mut Run<A>) -> bool) {
        let (mut above, mut next) = (None, line.newest);
        while let Some(place) = next {
            let run = self.get_mut(place);
            next = run.older;
            if stays(run) {
                above = Some(place);
                continue;
            }
            self.0.remove(place);
            match above {
                Some(above) => self.get_mut(above).older = next,
                None => line.newest = next,
            }
        }
    }

    /// How many sessions there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// By how much a time is later than another.
#[inline]
fn later_by(time: i64, than: i64) -> i128 {
    i128::from(time) - i128::from(than)
}
