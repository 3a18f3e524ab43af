//! What windows should come to, recomputed as the semantics are worded: record by record, window by window,
//! with nothing shared with the code under test.

use std::{collections::BTreeMap, mem};

/// Count, sum, least, greatest.
pub(crate) type Figures = (u64, i128, i64, i64);

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome<K> {
    /// By window end, window start and key: the order in which an ordered stream brings them.
    pub results: BTreeMap<(i64, i64, K), Figures>,
    /// The positions in the input of the late records.
    pub late: Vec<usize>,
    pub on_time: u64,
    pub missed_windows: u64,
}

/// Windows `[k · every, k · every + size)` over records of (time, key, value), in any unit of time.
pub(crate) fn windows<K: Clone + Ord>(
    input: impl IntoIterator<Item = (i64, K, i64)>,
    size: i64,
    every: i64,
    disorder: i64,
) -> Outcome<K> {
    let mut outcome = Outcome { results: BTreeMap::new(), late: Vec::new(), on_time: 0, missed_windows: 0 };
    let mut watermark = i64::MIN;
    for (position, (time, key, value)) in input.into_iter().enumerate() {
        let mut start = time.div_euclid(every) * every;
        let mut open = 0;
        while start + size > time {
            if start + size <= watermark {
                outcome.missed_windows += 1;
            } else {
                open += 1;
                let at = (start + size, start, key.clone());
                let figures = outcome.results.entry(at).or_insert((0, 0, i64::MAX, i64::MIN));
                figures.0 += 1;
                figures.1 += i128::from(value);
                figures.2 = figures.2.min(value);
                figures.3 = figures.3.max(value);
            }
            start -= every;
        }
        if open == 0 {
            outcome.late.push(position);
        } else {
            outcome.on_time += 1;
        }
        watermark = watermark.max(time - disorder);
    }
    outcome
}

/// How long windows that have fired are kept, and whether what they said is taken back when they are corrected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lateness {
    pub allowed: i64,
    pub retracts: bool,
}

/// One result, as it leaves.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Firing<K> {
    pub start: i64,
    pub end: i64,
    pub key: K,
    pub kind: &'static str,
    pub number: u32,
    /// The positions in the input of the records that it is of.
    pub records: Vec<usize>,
}

/// What was said of the records of a key in a window.
struct Kept<K> {
    said: Firing<K>,
    /// Whether the window has fired and not been open again since.
    has_fired: bool,
    /// How many results it has had.
    results: u32,
}

impl<K: Clone> Kept<K> {
    fn new(start: i64, end: i64, key: K) -> Self {
        let said = Firing { start, end, key, kind: "", number: 0, records: Vec::new() };
        Self { said, has_fired: false, results: 0 }
    }

    fn retract(&self) -> Firing<K> {
        Firing { kind: "retraction", number: self.results - 1, ..self.said.clone() }
    }

    fn fire(&mut self, kind: &'static str) -> Firing<K> {
        self.has_fired = true;
        self.results += 1;
        Firing { kind, number: self.results - 1, ..self.said.clone() }
    }
}

/// Windows `[k · every, k · every + size)` over records of (time, key), kept to be corrected: all results, those of a key as they
/// come, and the positions of the late records.
pub(crate) fn kept_windows<K: Clone + Ord>(
    input: impl IntoIterator<Item = (i64, K)>,
    (size, every): (i64, i64),
    disorder: i64,
    Lateness { allowed, retracts }: Lateness,
) -> (Vec<Firing<K>>, Vec<usize>) {
    let mut windows = BTreeMap::<(i64, K), Kept<K>>::new();
    let (mut firings, mut late) = (Vec::new(), Vec::new());
    let mut watermark = i64::MIN;
    for (position, (time, key)) in input.into_iter().enumerate() {
        let newest = time.div_euclid(every) * every;
        let starts = (0..).map(|back| newest - back * every).take_while(|start| start + size > time);
        let mut kept: Vec<_> = starts.filter(|start| start + size + allowed > watermark).collect();
        kept.reverse();
        if kept.is_empty() {
            late.push(position);
        }
        for start in kept {
            let end = start + size;
            let new = || Kept::new(start, end, key.clone());
            let window = windows.entry((end, key.clone())).or_insert_with(new);
            if window.has_fired && retracts {
                firings.push(window.retract());
            }
            window.said.records.push(position);
            if end <= watermark {
                firings.push(window.fire("correction"));
            }
        }
        watermark = watermark.max(time - disorder);
        let passed = windows.iter_mut().take_while(|((end, _), _)| *end <= watermark);
        let open = passed.filter(|(_, window)| !window.has_fired);
        firings.extend(open.map(|(_, window)| window.fire("on_time")));
        while windows.first_entry().is_some_and(|first| first.key().0 + allowed <= watermark) {
            windows.pop_first();
        }
    }
    let open = windows.values_mut().filter(|window| !window.has_fired);
    firings.extend(open.map(|window| window.fire("on_time")));
    (firings, late)
}

/// Sessions that end a gap after their last record, kept to be corrected: as [`kept_windows`].
///
/// What is behind the watermark is taken up when that moves on, the latest first.
pub(crate) fn sessions<K: Clone + Ord>(
    input: impl IntoIterator<Item = (i64, K)>,
    gap: i64,
    disorder: i64,
    lateness: Lateness,
) -> (Vec<Firing<K>>, Vec<usize>) {
    let mut sessions = Sessions { gap, lateness, watermark: i64::MIN, open: Vec::new(), firings: Vec::new() };
    let (mut behind, mut late) = (Vec::<(i64, usize, K)>::new(), Vec::new());
    let records = input.into_iter().enumerate().map(|(position, (time, key))| (time, position, key));
    let mut newest = i64::MIN;
    for record in records.map(Some).chain([None]) {
        let moved_to = match record {
            Some((time, position, key)) => {
                newest = newest.max(time);
                if time < sessions.watermark {
                    behind.push((time, position, key));
                } else {
                    sessions.add(time, position, key);
                }
                newest - disorder
            }
            None => i64::MAX,
        };
        if moved_to > sessions.watermark {
            behind.sort_by_key(|(time, position, _)| (-time, *position));
            for (time, position, key) in behind.drain(..) {
                if sessions.takes(time, &key) {
                    sessions.add(time, position, key);
                } else {
                    late.push(position);
                }
            }
            sessions.move_to(moved_to);
        }
    }
    (sessions.firings, late)
}

struct Sessions<K> {
    gap: i64,
    lateness: Lateness,
    watermark: i64,
    open: Vec<Kept<K>>,
    firings: Vec<Firing<K>>,
}

impl<K: Clone + Ord> Sessions<K> {
    /// Whether a record belongs to a session: it is less than the gap from one of its records.
    fn touches(&self, session: &Kept<K>, time: i64, key: &K) -> bool {
        let Firing { start, end, key: its, .. } = &session.said;
        its == key && time > start - self.gap && time < *end
    }

    /// Whether there is still a session for a record, or one of its own would be kept.
    fn takes(&self, time: i64, key: &K) -> bool {
        time + self.gap + self.lateness.allowed > self.watermark
            || self.open.iter().any(|session| self.touches(session, time, key))
    }

    fn add(&mut self, time: i64, position: usize, key: K) {
        let open = mem::take(&mut self.open).into_iter();
        let (mut joined, apart): (Vec<_>, _) = open.partition(|session| self.touches(session, time, &key));
        self.open = apart;
        joined.sort_by_key(|session| -session.said.start);
        let fired = joined.iter().filter(|session| session.has_fired && self.lateness.retracts);
        self.firings.extend(fired.map(Kept::retract));
        let mut session = Kept::new(time, time + self.gap, key);
        session.said.records.push(position);
        for part in joined {
            session.said.start = session.said.start.min(part.said.start);
            session.said.end = session.said.end.max(part.said.end);
            session.said.records.extend(part.said.records);
            session.results = session.results.max(part.results);
        }
        if session.said.end <= self.watermark {
            self.firings.push(session.fire("correction"));
        }
        self.open.push(session);
    }

    /// Fires what has ended, and lets go of what is not kept any more.
    fn move_to(&mut self, watermark: i64) {
        self.watermark = watermark;
        self.open.sort_by_key(|session| session.said.end);
        let ended = self.open.iter_mut().take_while(|session| session.said.end <= watermark);
        for session in ended.filter(|session| !session.has_fired) {
            let kind = if session.results == 0 { "on_time" } else { "correction" };
            self.firings.push(session.fire(kind));
        }
        self.open.retain(|session| session.said.end.saturating_add(self.lateness.allowed) > watermark);
    }
}
