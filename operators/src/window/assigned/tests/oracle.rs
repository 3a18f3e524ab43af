//! The semantics, record by record and instant by instant.

use std::collections::BTreeSet;

use super::*;

/// A key's window.
#[derive(Debug, Default)]
struct Naive {
    /// Times of the records that it has and has not let go of.
    records: Vec<i64>,
    /// Those that it had when it last said something, if it has not let go of them.
    said: Option<Vec<i64>>,
    results: u32,
    is_closed: bool,
    /// How many records came while it was open.
    came: u32,
    alarm: Option<i64>,
}

/// The windows of a key.
struct OfKey<'a> {
    case: &'a Case,
    key: u32,
    /// By end and start.
    windows: BTreeMap<(i64, i64), Naive>,
    said: Vec<Said>,
}

/// The last instant of a millisecond.
fn passes(time: i64) -> i64 {
    i64::try_from((i128::from(time).div_euclid(1_000_000) + 1) * 1_000_000 - 1).unwrap_or(i64::MAX)
}

fn seen(watermark: i64) -> i64 {
    if watermark == i64::MIN { watermark } else { watermark.div_euclid(1_000_000) * 1_000_000 }
}

/// The instant after which something at a time comes; the end of time comes after all.
fn instant(time: i64) -> i128 {
    if time == i64::MAX { time.into() } else { i128::from(time) - 1 }
}

impl Case {
    /// The starts and ends of a record's windows, in the order in which they are assigned.
    fn windows_of(&self, key: u32, time: i64) -> Vec<(i64, i64)> {
        let inside = |(start, end): &(i64, i64)| *start <= time && time < *end;
        match &self.windows {
            Windows::Global => vec![(i64::MIN, i64::MAX)],
            Windows::Sliding { size, every } => {
                let last = time.div_euclid(*every);
                let numbers = (last - size / every - 1..=last).rev();
                numbers.map(|number| (number * every, number * every + size)).filter(inside).collect()
            }
            Windows::Periods(starts) => {
                let bounds: Vec<_> = [&[i64::MIN], &starts[..], &[i64::MAX]].concat();
                bounds.windows(2).map(|pair| (pair[0], pair[1])).filter(inside).collect()
            }
            Windows::Odd { unit } => odd(key, time, *unit)
                .into_iter()
                .map(|window| (window.start.as_nanos(), window.end.as_nanos()))
                .filter(|(start, end)| start < end && (time < *end || *end == i64::MAX))
                .collect(),
        }
    }

    /// Whether a window that ends there is kept by this watermark.
    fn keeps(&self, end: i64, watermark: i64) -> bool {
        let until = i128::from(end) + i128::from(self.allowed);
        until > watermark.into() || until >= i64::MAX.into()
    }

    pub(super) fn naive(&self, inputs: &[Input<u32>]) -> Outcome {
        let mut outcome = Outcome::default();
        let mut ordered = BTreeMap::<u32, Vec<i64>>::new();
        let mut behind = BTreeMap::<u32, Vec<(i64, i64)>>::new();
        for (time, key, watermark) in judged(inputs) {
            let watermark = seen(watermark);
            let windows = self.windows_of(key, time);
            let missed =
                windows.iter().filter(|(_, end)| time < watermark && !self.keeps(*end, watermark)).count();
            outcome.missed += missed as u64;
            if missed == windows.len() {
                outcome.late.push((time, key));
                continue;
            }
            outcome.on_time += 1;
            if time < watermark {
                behind.entry(key).or_default().push((watermark, time));
            } else {
                ordered.entry(key).or_default().push(time);
            }
        }
        let keys: BTreeSet<_> = ordered.keys().chain(behind.keys()).copied().collect();
        for key in keys {
            let mut ordered = ordered.remove(&key).unwrap_or_default();
            let mut behind = behind.remove(&key).unwrap_or_default();
            ordered.sort_unstable();
            behind.sort_unstable_by_key(|(watermark, time)| (*watermark, -time));
            let mut of_key = OfKey { case: self, key, windows: BTreeMap::new(), said: Vec::new() };
            let mut ordered = &ordered[..];
            for (watermark, time) in behind {
                of_key.pass(&mut ordered, watermark.into());
                of_key.add_behind(time, watermark);
            }
            of_key.pass(&mut ordered, i128::from(i64::MAX) + 1);
            if !of_key.said.is_empty() {
                outcome.results.insert(key, of_key.said);
            }
        }
        outcome.late.sort_unstable();
        outcome
    }
}

impl OfKey<'_> {
    /// All that happens before a watermark: what is next of the next record, the alarms and the ends.
    fn pass(&mut self, ordered: &mut &[i64], watermark: i128) {
        loop {
            let record = ordered.first().map(|time| (i128::from(*time), 0, (0, 0)));
            let alarms = self.windows.iter().filter_map(|(window, naive)| Some((naive.alarm?, window)));
            let alarms = alarms.map(|(alarm, window)| (instant(alarm), 1, *window));
            let open = self.windows.iter().filter(|(_, naive)| !naive.is_closed);
            let ends = open.map(|(window, _)| (instant(window.0), 1, *window));
            let Some((at, what, window)) = record.into_iter().chain(alarms).chain(ends).min() else { return };
            if at >= watermark {
                return;
            }
            if what == 0 {
                let time = ordered[0];
                *ordered = &ordered[1..];
                for (start, end) in self.case.windows_of(self.key, time) {
                    self.add((end, start), time, time);
                }
            } else if self.windows[&window].alarm.is_some() {
                self.go_off(window);
            } else {
                self.window(window).is_closed = true;
                self.say(window, ResultKind::OnTime, window.0.saturating_sub(1));
            }
        }
    }

    fn window(&mut self, window: (i64, i64)) -> &mut Naive {
        self.windows.entry(window).or_default()
    }

    /// Adds a record to an open window, as if it were at `now`.
    fn add(&mut self, window: (i64, i64), time: i64, now: i64) {
        let early = self.case.early;
        let naive = self.window(window);
        naive.records.push(time);
        naive.came += 1;
        let says = match early {
            Early::Never => false,
            Early::Records(n) => naive.came.is_multiple_of(n),
            Early::Time(every) => {
                let next = i64::try_from((i128::from(now).div_euclid(every.into()) + 1) * i128::from(every));
                naive.alarm = naive.alarm.or(Some(next.unwrap_or(i64::MAX)));
                false
            }
            Early::Restless(patience) => {
                naive.alarm = Some(now.saturating_add(patience));
                naive.came.is_multiple_of(2)
            }
        };
        naive.alarm = naive.alarm.filter(|alarm| *alarm < window.0);
        if says {
            self.say(window, ResultKind::Early, now);
            self.let_go(window, self.case.purges);
        }
    }

    fn go_off(&mut self, window: (i64, i64)) {
        let (early, mut purges) = (self.case.early, self.case.purges);
        let naive = self.window(window);
        let alarm = naive.alarm.take().expect("it goes off");
        if let Early::Restless(patience) = early {
            let next = Some(alarm.saturating_add(2 * patience));
            naive.alarm = next.filter(|next| *next < window.0 && window.0 < i64::MAX);
            purges |= naive.came.is_multiple_of(3);
        }
        self.say(window, ResultKind::Early, alarm - 1);
        self.let_go(window, purges);
    }

    fn let_go(&mut self, window: (i64, i64), purges: bool) {
        if purges {
            let naive = self.window(window);
            (naive.records, naive.said) = (Vec::new(), None);
        }
    }

    /// Adds a record that was behind a watermark.
    fn add_behind(&mut self, time: i64, watermark: i64) {
        for (start, end) in self.case.windows_of(self.key, time) {
            let window = (end, start);
            if end == i64::MAX || end > watermark {
                self.add(window, time, watermark);
            } else if self.case.keeps(end, watermark) {
                self.window(window).is_closed = true;
                self.window(window).records.push(time);
                self.say(window, ResultKind::Correction, end - 1);
            }
        }
    }

    fn say(&mut self, window: (i64, i64), kind: ResultKind, at: i64) {
        let naive = self.windows.entry(window).or_default();
        if naive.records.is_empty() {
            return;
        }
        let mut say = |kind, number, records: &[i64]| {
            let sum = records.iter().map(|time| i128::from(*time)).sum();
            self.said.push((window.1, window.0, kind, number, (records.len() as u64, sum), passes(at)));
        };
        if self.case.retracts
            && let Some(before) = &naive.said
        {
            say(ResultKind::Retraction, naive.results - 1, before);
        }
        say(kind, naive.results, &naive.records);
        naive.said = Some(naive.records.clone());
        naive.results += 1;
    }
}
