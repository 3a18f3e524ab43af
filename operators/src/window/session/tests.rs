//! Sessions against a naive recomputation of every result, however the inputs are interleaved.

mod ordered;

use std::collections::BTreeMap;

use super::*;
use crate::{
    interleaving::{Arrival, Input, judged, play, random_input},
    narrow::Narrow,
    supply::tests::{Late, Never},
    window::times::Times,
};

/// Start, end, kind, number, and what it comes to.
type Said = (i64, i64, ResultKind, u32, (u64, i128));

#[derive(Debug, Default, PartialEq)]
struct Outcome {
    results: BTreeMap<u32, Vec<Said>>,
    /// Time and key.
    late: Vec<(i64, u32)>,
}

impl Outcome {
    fn sorted(mut self) -> Self {
        self.late.sort_unstable();
        self.results.values_mut().for_each(|said| said.sort_unstable());
        self
    }
}

#[derive(Debug, Clone, Copy)]
struct Case {
    gap: i64,
    /// What odd keys ask for, if they ask.
    asked: Option<Duration>,
    allowed: i64,
    retracts: bool,
}

#[derive(Debug, Clone)]
struct Naive {
    key: u32,
    first: i64,
    last: i64,
    came_to: (u64, i128),
    results: u32,
    has_fired: bool,
}

impl Case {
    fn random(random: &mut fastrand::Rng) -> Self {
        let allowed = match random.u8(0..4) {
            0 => i64::MAX,
            1 => 0,
            _ => random.i64(0..200),
        };
        let asked = match random.u8(0..8) {
            0..4 => None,
            4 => Some(Duration::MAX),
            _ => Some(Duration::from_nanos(random.u64(0..120))),
        };
        Self { gap: random.i64(1..60), asked, allowed, retracts: random.bool() }
    }

    fn least(self) -> Duration {
        Duration::from_nanos(self.gap.unsigned_abs())
    }

    fn session(self) -> Session {
        Session::with_gap(self.least()).unwrap()
    }

    fn gap_of(self, key: u32) -> i64 {
        match self.asked {
            Some(asked) if key % 2 == 1 => i64::try_from(asked.as_nanos()).unwrap_or(i64::MAX).max(self.gap),
            _ => self.gap,
        }
    }

    fn end(self, session: &Naive) -> i64 {
        session.last.saturating_add(self.gap_of(session.key))
    }

    /// Whether a record at this time belongs to a session.
    fn touches(self, session: &Naive, time: i64) -> bool {
        let gap = self.gap_of(session.key);
        let away = |time: i64, than: i64| i128::from(time) - i128::from(than) >= gap.into();
        !away(time, session.last) && !away(session.first, time)
    }

    /// What the semantics say, watermark by watermark: first come the records that were not behind theirs, then, for each watermark,
    /// those that were, the latest first.
    fn naive(self, inputs: &[Input<u32>]) -> Outcome {
        let seen = |watermark: i64| {
            if watermark == i64::MIN {
                return watermark;
            }
            self.session()
                .resolution()
                .seen(Watermark::at(Timestamp::from_nanos(watermark)))
                .time()
                .as_nanos()
        };
        let mut sessions: BTreeMap<u32, Vec<Naive>> = BTreeMap::new();
        let mut outcome = Outcome::default();
        let mut behind: BTreeMap<i64, Vec<(i64, u32)>> = BTreeMap::new();
        for (time, key, watermark) in judged(inputs) {
            if time < seen(watermark) {
                behind.entry(seen(watermark)).or_default().push((time, key));
            } else {
                self.add(&mut sessions, &mut outcome, (time, key), i64::MIN);
            }
        }
        for (watermark, mut records) in behind {
            self.fire(&mut sessions, &mut outcome, watermark);
            records.sort_unstable_by_key(|(time, _)| -time);
            for (time, key) in records {
                let kept = time.saturating_add(self.gap_of(key)).saturating_add(self.allowed) > watermark;
                if kept
                    || sessions
                        .get(&key)
                        .is_some_and(|sessions| sessions.iter().any(|session| self.touches(session, time)))
                {
                    self.add(&mut sessions, &mut outcome, (time, key), watermark);
                } else {
                    outcome.late.push((time, key));
                }
            }
        }
        self.fire(&mut sessions, &mut outcome, i64::MAX);
        outcome.sorted()
    }

    fn add(
        self,
        sessions: &mut BTreeMap<u32, Vec<Naive>>,
        outcome: &mut Outcome,
        (time, key): (i64, u32),
        watermark: i64,
    ) {
        let of_key = sessions.entry(key).or_default();
        let results = outcome.results.entry(key).or_default();
        let mut joined =
            Naive { key, first: time, last: time, came_to: (1, time.into()), results: 0, has_fired: false };
        of_key.retain(|session| {
            if !self.touches(session, time) {
                return true;
            }
            if session.has_fired && self.retracts {
                let end = self.end(session);
                let number = session.results - 1;
                results.push((session.first, end, ResultKind::Retraction, number, session.came_to));
            }
            joined.first = joined.first.min(session.first);
            joined.last = joined.last.max(session.last);
            joined.came_to.0 += session.came_to.0;
            joined.came_to.1 += session.came_to.1;
            joined.results = joined.results.max(session.results);
            false
        });
        if self.end(&joined) <= watermark {
            results.push((
                joined.first,
                self.end(&joined),
                ResultKind::Correction,
                joined.results,
                joined.came_to,
            ));
            joined.results += 1;
            joined.has_fired = true;
        }
        of_key.push(joined);
    }

    fn fire(self, sessions: &mut BTreeMap<u32, Vec<Naive>>, outcome: &mut Outcome, watermark: i64) {
        for (key, of_key) in sessions {
            let results = outcome.results.entry(*key).or_default();
            of_key.retain_mut(|session| {
                let end = self.end(session);
                if end <= watermark && !session.has_fired {
                    let again = session.results > 0;
                    let kind = if again { ResultKind::Correction } else { ResultKind::OnTime };
                    results.push((session.first, end, kind, session.results, session.came_to));
                    session.results += 1;
                    session.has_fired = true;
                }
                end.saturating_add(self.allowed) > watermark
            });
        }
    }

    /// The same from the operator, the inputs interleaved at random.
    fn run(self, inputs: &[Input<u32>], random: &mut fastrand::Rng) -> Outcome {
        let Some(asked) = self.asked else { return self.run_in(self.session(), inputs, random) };
        let gap_of = move |key: &u32| if key % 2 == 1 { asked } else { Duration::ZERO };
        self.run_in(Session::with_gap_of(self.least(), gap_of).unwrap(), inputs, random)
    }

    fn run_in<G: Gaps<u32>>(
        self,
        session: Session<G>,
        inputs: &[Input<u32>],
        random: &mut fastrand::Rng,
    ) -> Outcome {
        let limits = KeyLimits { expected: 1 << random.u32(0..6), ..KeyLimits::default() };
        let mut fold = SessionFold::new(session, Times, limits);
        if self.allowed > 0 || self.retracts {
            let allowed = Duration::from_nanos(self.allowed.unsigned_abs()).try_into().unwrap();
            fold = fold.with_lateness(allowed, self.retracts);
        }
        match random.u8(0..3) {
            0 => {}
            1 => fold.connect(&mut Late::new(random.u64(..))),
            _ => fold.connect(&mut Never),
        }
        let mut out = Narrow::new(random.usize(1..6));
        play(inputs, &mut fold, &mut out, random, |key| Keyed { key, value: key });
        out.advance(&mut fold, Watermark::END);
        assert_eq!((fold.keys.len(), fold.lines.len()), (0, 0), "nothing is kept in the end");
        let tally = fold.tally();
        let mut outcome = Outcome::default();
        let mut results = 0;
        for Record { time, value } in out.seen {
            match value {
                Windowed::Late(late) => outcome.late.push((time.as_nanos(), late.key)),
                Windowed::Result(WindowResult { window, key, value, kind, number }) => {
                    results += 1;
                    assert!(time.as_nanos() >= window.end.as_nanos() - 1);
                    let said = (window.start.as_nanos(), window.end.as_nanos(), kind, number, value);
                    outcome.results.entry(key).or_default().push(said);
                }
            }
        }
        assert_eq!((tally.results, tally.late), (results, outcome.late.len() as u64));
        outcome.sorted()
    }
}

fn random_inputs(random: &mut fastrand::Rng) -> Vec<Input<u32>> {
    let keys = 1 << random.u32(0..4);
    (0..random.usize(1..4)).map(|_| random_input(random, |random| random.u32(0..keys))).collect()
}

#[test]
fn any_interleaving_of_inputs_gives_what_the_naive_recomputation_gives() {
    let (mut corrections, mut retractions, mut late, mut longer) = (0, 0, 0, 0);
    for seed in 0..3_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let case = Case::random(&mut random);
        let inputs = random_inputs(&mut random);
        let mut expected = case.naive(&inputs);
        expected.results.retain(|_, said| !said.is_empty());
        let kinds = |wanted| expected.results.values().flatten().filter(|said| said.2 == wanted).count();
        corrections += kinds(ResultKind::Correction);
        retractions += kinds(ResultKind::Retraction);
        late += expected.late.len();
        let of_their_own = expected.results.iter().filter(|(key, _)| case.gap_of(**key) > case.gap);
        longer += of_their_own.map(|(_, said)| said.len()).sum::<usize>();
        for _ in 0..3 {
            assert_eq!(case.run(&inputs, &mut random), expected, "seed {seed}: {case:?}: {inputs:?}");
        }
    }
    assert!(corrections > 1_000 && retractions > 500 && late > 1_000, "{corrections}, {retractions}, {late}");
    assert!(longer > 1_000, "{longer}");
}

/// Of whatever was not late, sorted: what is left when everything that was taken back is taken out.
#[test]
fn with_unlimited_lateness_what_stands_in_the_end_is_what_sorted_records_fall_into() {
    for seed in 0..500 {
        let mut random = fastrand::Rng::with_seed(seed);
        let case = Case { allowed: i64::MAX, retracts: true, ..Case::random(&mut random) };
        let inputs = random_inputs(&mut random);
        let found = case.run(&inputs, &mut random);
        assert!(found.late.is_empty(), "seed {seed}");
        let mut times: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
        judged(&inputs).into_iter().for_each(|(time, key, _)| times.entry(key).or_default().push(time));
        for (key, mut times) in times {
            times.sort_unstable();
            let gap = case.gap_of(key);
            let runs = times.chunk_by(|one, next| i128::from(*next) - i128::from(*one) < gap.into());
            let expected: Vec<_> = runs
                .map(|run| {
                    let sum = run.iter().map(|time| i128::from(*time)).sum::<i128>();
                    (run[0], run[run.len() - 1].saturating_add(gap), (run.len() as u64, sum))
                })
                .collect();
            let mut standing = Vec::new();
            let said = &found.results[&key];
            let (back, said): (Vec<&Said>, Vec<&Said>) =
                said.iter().partition(|said| said.2 == ResultKind::Retraction);
            let taken_back =
                |said: &Said| back.iter().any(|back| (back.0, back.1, back.3) == (said.0, said.1, said.3));
            said.iter()
                .filter(|said| !taken_back(said))
                .for_each(|said| standing.push((said.0, said.1, said.4)));
            standing.sort_unstable();
            assert_eq!(standing, expected, "seed {seed}, key {key}, gap {gap}");
        }
    }
}

fn said(gap: i64, arrivals: &[(i64, bool)]) -> Vec<(i64, i64, u64)> {
    let case = Case { gap, asked: None, allowed: 0, retracts: false };
    let arrival = |&(at, is_record): &(i64, bool)| {
        if is_record { Arrival::Record(at, 0) } else { Arrival::Watermark(at) }
    };
    let inputs = [arrivals.iter().map(arrival).collect::<Vec<_>>()];
    let outcome = case.run(&inputs, &mut fastrand::Rng::with_seed(1));
    outcome
        .results
        .into_values()
        .flatten()
        .map(|(start, end, _, _, (count, _))| (start, end, count))
        .collect()
}

#[test]
fn a_record_one_gap_after_the_last_begins_a_session_and_one_just_before_does_not() {
    assert_eq!(said(10, &[(0, true), (10, true)]), [(0, 10, 1), (10, 20, 1)]);
    assert_eq!(said(10, &[(0, true), (9, true)]), [(0, 19, 2)]);
    assert_eq!(said(10, &[(9, true), (0, true), (19, true)]), [(0, 19, 2), (19, 29, 1)]);
}

#[test]
fn one_record_joins_two_sessions() {
    assert_eq!(said(10, &[(0, true), (15, true), (7, true)]), [(0, 25, 3)]);
    // It is behind the watermark, further than a gap, but the session it belongs to is open.
    assert_eq!(said(10, &[(20, true), (15, true), (7, true), (25, false), (0, true)]), [(0, 30, 4)]);
}

#[test]
fn times_at_the_extremes_are_counted() {
    let (first, last) = (i64::MIN, i64::MAX);
    assert_eq!(said(10, &[(last, true)]), [(last, last, 1)]);
    let expected = [(first, first + 11, 2), (last - 1, last, 2)];
    assert_eq!(said(10, &[(first, true), (last, true), (last - 1, true), (first + 1, true)]), expected);
    let longest = said(i64::MAX, &[(first, true), (0, true), (last, true)]);
    assert_eq!(longest.iter().map(|(.., count)| count).sum::<u64>(), 3);
}

#[test]
fn a_gap_is_no_less_than_the_least_and_no_more_than_time() {
    let asked = |asked: Duration| {
        let sessions = Session::with_gap_of(Duration::from_nanos(7), move |_: &u32| asked).unwrap();
        sessions.gap(&0)
    };
    assert_eq!(asked(Duration::ZERO), 7);
    assert_eq!(asked(Duration::from_nanos(6)), 7);
    assert_eq!(asked(Duration::from_nanos(8)), 8);
    assert_eq!(asked(Duration::MAX), i64::MAX);
    let gap_of = |_: &u32| Duration::from_secs(1);
    assert_eq!(Session::with_gap_of(Duration::ZERO, gap_of).unwrap_err(), WindowError::NoGap);
    assert!(matches!(Session::with_gap_of(Duration::MAX, gap_of), Err(WindowError::Span(_))));
}

#[test]
fn keys_without_a_session_do_not_count_towards_the_limit() {
    let limits = KeyLimits { expected: 16, most: 50, ..KeyLimits::default() };
    let session = Session::with_gap(Duration::from_nanos(100)).unwrap();
    let mut fold = SessionFold::new(session, Times, limits);
    let mut out = Narrow::new(usize::MAX);
    for key in 0..10_000_u32 {
        let at = i64::from(key) * 10;
        let time = Timestamp::from_nanos(at);
        fold.on_record(Record { time, value: Keyed { key, value: key } }, &mut out);
        out.advance(&mut fold, Watermark::at(time));
        assert_eq!(fold.fault(), None, "key {key}");
    }
    out.advance(&mut fold, Watermark::END);
    assert_eq!(out.seen.len(), 10_000);
}

/// Puts values one behind the other, so that the order in which they come shows.
#[derive(Clone)]
struct InTurn;

impl Aggregate<u32> for InTurn {
    type Acc = Vec<u32>;
    type Out = Vec<u32>;
    type Algebra = crate::CommutativeMonoid;

    fn lift(&self, value: &u32, _: Timestamp) -> Vec<u32> {
        vec![*value]
    }

    fn combine(&self, acc: &mut Vec<u32>, other: &Vec<u32>) {
        acc.extend(other);
    }

    fn finish(&self, acc: Vec<u32>) -> Vec<u32> {
        acc
    }
}

#[test]
fn what_a_key_comes_to_in_between_does_not_depend_on_the_others() {
    let session = Session::with_gap(Duration::from_nanos(10)).unwrap();
    let of_the_first = |others: u32, seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut fold = SessionFold::new(session, InTurn, KeyLimits::default());
        fold = fold.with_lateness(Duration::from_nanos(1_000).try_into().unwrap(), false);
        let mut out = Narrow::new(usize::MAX);
        for n in 0..300_u32 {
            // Many are late, and of one instant.
            let time = i64::from(n / 4) - 40 * i64::from(n % 3 > 0);
            for key in 0..=others {
                if key == 0 || random.bool() {
                    let value = Keyed { key, value: n };
                    fold.on_record(Record { time: Timestamp::from_nanos(time / 5 * 5), value }, &mut out);
                }
            }
            if n % 20 == 0 {
                out.advance(&mut fold, Watermark::at(Timestamp::from_nanos(i64::from(n / 4))));
            }
        }
        out.advance(&mut fold, Watermark::END);
        let said = out.seen.into_iter().filter_map(|record| match record.value {
            Windowed::Result(result) => (result.key == 0).then_some((record.time, result)),
            Windowed::Late(_) => None,
        });
        said.collect::<Vec<_>>()
    };
    let alone = of_the_first(0, 0);
    assert!(alone.iter().filter(|(_, said)| said.kind == ResultKind::Correction).count() > 50);
    for seed in 0..20 {
        assert_eq!(of_the_first(7, seed), alone, "seed {seed}");
    }
}
