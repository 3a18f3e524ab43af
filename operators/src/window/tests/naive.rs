//! What the semantics say, word for word, with all records at hand.

use std::{cmp::Reverse, collections::BTreeMap};

use super::{Figures, Item, Outcome, Said};
use crate::{
    ResultKind,
    interleaving::{Input, judged},
    window::Lateness,
};

/// Records of a key, each with its time and value.
type Records = Vec<(i64, i64)>;

/// What records come to.
pub(super) type CameTo<'a> = &'a dyn Fn(&[(i64, i64)]) -> Figures;

/// The last multiple of a resolution that a watermark has come to.
fn seen(watermark: i64, resolution: i64) -> i64 {
    if watermark == i64::MIN { watermark } else { watermark.saturating_sub(watermark.rem_euclid(resolution)) }
}

/// Windows whose bounds are known beforehand: each record counts in each of its windows that is kept; it is on time for those that
/// the watermark of its input, as it stood before it, has not closed, and corrects the others one by one.
///
/// With several inputs, corrections may come in another order.
pub(super) fn timed(
    inputs: &[Input<Item>],
    windows_of: impl Fn(i64) -> Vec<(i64, i64)>,
    lateness: Lateness,
    came_to: CameTo<'_>,
) -> Outcome {
    /// Those that were on time, and those that were not.
    type Contents = (Records, Records);
    let mut outcome = Outcome::default();
    let mut windows: BTreeMap<(u32, i64, i64), Contents> = BTreeMap::new();
    for (time, (key, value), watermark) in judged(inputs) {
        let mut is_late = true;
        for (start, end) in windows_of(time) {
            if i128::from(end) + i128::from(lateness.allowed) <= watermark.into() {
                outcome.missed += 1;
                continue;
            }
            is_late = false;
            let (on_time, after) = windows.entry((key, start, end)).or_default();
            if end > watermark { on_time } else { after }.push((time, value));
        }
        outcome.count(time, (key, value), is_late);
    }
    for (window, (mut records, after)) in windows {
        let said = outcome.results.entry(window).or_default();
        let mut number = 0;
        if !records.is_empty() {
            said.push((ResultKind::OnTime, 0, came_to(&records)));
            number += 1;
        }
        for record in after {
            if lateness.retracts && number > 0 {
                said.push((ResultKind::Retraction, number - 1, came_to(&records)));
            }
            records.push(record);
            said.push((ResultKind::Correction, number, came_to(&records)));
            number += 1;
        }
    }
    outcome.sorted()
}

/// Windows of so many records, in order of their times.
pub(super) fn counted(
    inputs: &[Input<Item>],
    (size, every): (usize, usize),
    resolution: i64,
    came_to: CameTo<'_>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut keys: BTreeMap<u32, Records> = BTreeMap::new();
    for (time, (key, value), watermark) in judged(inputs) {
        let is_late = time < seen(watermark, resolution);
        if !is_late {
            keys.entry(key).or_default().push((time, value));
        }
        outcome.count(time, (key, value), is_late);
    }
    for (key, mut records) in keys {
        records.sort_by_key(|(time, _)| *time);
        for window in records.windows(size).step_by(every) {
            let (start, end) = (window[0].0, window[size - 1].0.saturating_add(1));
            let said = outcome.results.entry((key, start, end)).or_default();
            said.push((ResultKind::OnTime, 0, came_to(window)));
        }
    }
    outcome.sorted()
}

/// A session.
struct Session {
    first: i64,
    last: i64,
    records: Records,
    /// How many results there have been.
    results: u32,
    has_fired: bool,
}

/// Windows that end where there is no record for a gap.
pub(super) struct Sessions<'a> {
    pub(super) gap: i64,
    pub(super) lateness: Lateness,
    /// How finely watermarks are told apart.
    pub(super) resolution: i64,
    pub(super) came_to: CameTo<'a>,
}

impl Sessions<'_> {
    /// Watermark by watermark: first come the records that were not behind theirs; then, for each watermark, those that were, the
    /// latest first.
    pub(super) fn outcome(&self, inputs: &[Input<Item>]) -> Outcome {
        let mut outcome = Outcome::default();
        let mut keys: BTreeMap<u32, Vec<Session>> = BTreeMap::new();
        let mut behind: BTreeMap<i64, Vec<(i64, Item)>> = BTreeMap::new();
        for (time, item, watermark) in judged(inputs) {
            let watermark = seen(watermark, self.resolution);
            if time < watermark {
                behind.entry(watermark).or_default().push((time, item));
            } else {
                outcome.count(time, item, false);
                self.add(&mut keys, &mut outcome, (time, item), i64::MIN);
            }
        }
        for (watermark, mut records) in behind {
            self.fire(&mut keys, &mut outcome, watermark);
            records.sort_by_key(|(time, _)| Reverse(*time));
            for (time, item) in records {
                let is_kept = self.is_kept(time, watermark);
                let belongs =
                    |of_key: &Vec<Session>| of_key.iter().any(|session| self.touches(session, time));
                let is_late = !is_kept && !keys.get(&item.0).is_some_and(belongs);
                outcome.count(time, item, is_late);
                if is_late {
                    outcome.missed += 1;
                } else {
                    self.add(&mut keys, &mut outcome, (time, item), watermark);
                }
            }
        }
        self.fire(&mut keys, &mut outcome, i64::MAX);
        outcome.sorted()
    }

    fn end(&self, last: i64) -> i64 {
        last.saturating_add(self.gap)
    }

    /// Whether a session with this last record is kept.
    fn is_kept(&self, last: i64, watermark: i64) -> bool {
        self.end(last).saturating_add(self.lateness.allowed) > watermark
    }

    /// Whether a record at this time belongs to a session.
    fn touches(&self, session: &Session, time: i64) -> bool {
        let away = |time: i64, than: i64| i128::from(time) - i128::from(than) >= self.gap.into();
        !away(time, session.last) && !away(session.first, time)
    }

    fn say(&self, outcome: &mut Outcome, key: u32, session: &Session, kind: ResultKind, number: u32) {
        let said: &mut Vec<Said> =
            outcome.results.entry((key, session.first, self.end(session.last))).or_default();
        said.push((kind, number, (self.came_to)(&session.records)));
    }

    fn add(
        &self,
        keys: &mut BTreeMap<u32, Vec<Session>>,
        outcome: &mut Outcome,
        (time, (key, value)): (i64, Item),
        watermark: i64,
    ) {
        let of_key = keys.entry(key).or_default();
        let records = vec![(time, value)];
        let mut joined = Session { first: time, last: time, records, results: 0, has_fired: false };
        for session in of_key.extract_if(.., |session| self.touches(session, time)) {
            if session.has_fired && self.lateness.retracts {
                self.say(outcome, key, &session, ResultKind::Retraction, session.results - 1);
            }
            joined.first = joined.first.min(session.first);
            joined.last = joined.last.max(session.last);
            joined.records.extend(session.records);
            joined.results = joined.results.max(session.results);
        }
        if self.end(joined.last) <= watermark {
            self.say(outcome, key, &joined, ResultKind::Correction, joined.results);
            joined.results += 1;
            joined.has_fired = true;
        }
        of_key.push(joined);
    }

    fn fire(&self, keys: &mut BTreeMap<u32, Vec<Session>>, outcome: &mut Outcome, watermark: i64) {
        for (key, of_key) in keys {
            of_key.retain_mut(|session| {
                if self.end(session.last) <= watermark && !session.has_fired {
                    let again = session.results > 0;
                    let kind = if again { ResultKind::Correction } else { ResultKind::OnTime };
                    self.say(outcome, *key, session, kind, session.results);
                    session.results += 1;
                    session.has_fired = true;
                }
                self.is_kept(session.last, watermark)
            });
        }
    }
}
