//! A process that logs what is asked of it, against a model with a plain list of timers.

use super::*;
use crate::narrow::Narrow;

/// What a record tells the process: how far away to set a timer, and how often and how far that is to set another.
#[derive(Debug, Clone, Copy)]
struct Plan {
    offset: i64,
    repeats: u32,
    step: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Log {
    key: u8,
    time: i64,
    /// What the state says: records and timers of the key so far.
    nth: u32,
    timer: bool,
    late: bool,
    judged_by: i64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Memory {
    nth: u32,
    repeats: u32,
    step: i64,
}

#[derive(Clone)]
struct Logger;

type Output = Forked<Log, u32>;

fn log(memory: &mut Memory, context: &mut Context<'_, u8, Log, u32>, timer: bool) {
    memory.nth += 1;
    let Memory { nth, .. } = *memory;
    let (key, time) = (*context.key(), context.time().as_nanos());
    let judged_by = context.watermark().time().as_nanos();
    context.emit(Log { key, time, nth, timer, late: context.is_late(), judged_by });
    if nth.is_multiple_of(3) {
        context.side(nth);
    }
}

impl Process<u8, Plan> for Logger {
    type State = Memory;
    type Out = Log;
    type Side = u32;

    fn on_record(&mut self, plan: Plan, memory: &mut Memory, context: &mut Context<'_, u8, Log, u32>) {
        log(memory, context, false);
        memory.repeats = plan.repeats;
        memory.step = plan.step;
        context.set_timer(Timestamp::from_nanos(context.time().as_nanos() + plan.offset));
    }

    fn on_timer(&mut self, memory: &mut Memory, context: &mut Context<'_, u8, Log, u32>) {
        log(memory, context, true);
        if memory.repeats > 0 {
            memory.repeats -= 1;
            context.set_timer(Timestamp::from_nanos(context.time().as_nanos() + memory.step));
        }
    }
}

/// The semantics word for word.
#[derive(Default)]
struct Model {
    /// Keys in order of appearance.
    keys: Vec<(u8, Memory)>,
    timers: Vec<(i64, usize)>,
    latest: i64,
    out: Vec<(i64, Output)>,
}

impl Model {
    fn log(&mut self, slot: usize, at: i64, log: Log) {
        let (key, memory) = &mut self.keys[slot];
        memory.nth += 1;
        let nth = memory.nth;
        self.out.push((at, Forked::Main(Log { key: *key, nth, ..log })));
        if nth % 3 == 0 {
            self.out.push((at, Forked::Side(nth)));
        }
    }

    fn record(&mut self, time: i64, key: u8, plan: Plan, judge: i64) {
        let known = self.keys.iter().position(|known| known.0 == key);
        let slot = known.unwrap_or_else(|| {
            self.keys.push((key, Memory::default()));
            self.keys.len() - 1
        });
        self.log(slot, time, Log { key, time, nth: 0, timer: false, late: time < judge, judged_by: judge });
        self.keys[slot].1.repeats = plan.repeats;
        self.keys[slot].1.step = plan.step;
        self.timers.push((time + plan.offset, slot));
        self.latest = self.latest.max(time + plan.offset);
    }

    fn watermark(&mut self, from: i64, to: i64, end: bool) {
        if to <= from {
            return; // It is no other watermark than before.
        }
        let latest = self.latest;
        let mut waiting = Vec::new();
        while let Some(&(time, slot)) = self.timers.iter().filter(|timer| end || timer.0 < to).min() {
            self.timers.retain(|timer| *timer != (time, slot));
            self.log(
                slot,
                time.max(from),
                Log { key: 0, time, nth: 0, timer: true, late: false, judged_by: to },
            );
            let memory = &mut self.keys[slot].1;
            if memory.repeats == 0 {
                continue;
            }
            memory.repeats -= 1;
            let next = time + memory.step;
            if memory.step <= 0 {
                waiting.push((next, slot));
            } else if !end || next <= latest {
                self.timers.push((next, slot));
                self.latest = self.latest.max(next);
            }
        }
        self.timers.extend(waiting);
    }
}

fn flat(out: &[Record<Output>]) -> Vec<(i64, Output)> {
    out.iter().map(|record| (record.time.as_nanos(), record.value)).collect()
}

#[test]
fn records_and_timers_come_as_the_model_says_however_narrow_the_output() {
    for seed in 0..2_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut process = ProcessWith::new(KeyLimits::default(), Logger);
        let mut model = Model { latest: i64::MIN, ..Model::default() };
        let mut out = Narrow::new(random.usize(1..6));
        let judged_apart = random.bool();
        let (mut merged, mut judge) = (i64::MIN, i64::MIN);
        let mut now = 0;
        for _ in 0..random.usize(0..120) {
            now += random.i64(0..10);
            match random.u8(0..6) {
                0 => {
                    let next = (now - random.i64(0..30)).max(merged);
                    model.watermark(merged, next, false);
                    out.advance(&mut process, Watermark::at(Timestamp::from_nanos(next)));
                    merged = next;
                    judge = judge.max(next);
                }
                1 if judged_apart => {
                    judge = merged.max(now - random.i64(-10..20));
                    process.judge_by(Watermark::at(Timestamp::from_nanos(judge)));
                }
                _ => {
                    let repeats = [0, 0, 2, 9, u32::MAX][random.usize(0..5)];
                    let step = if repeats > 9 { random.i64(1..20) } else { random.i64(-5..20) };
                    let plan = Plan { offset: random.i64(-20..40), repeats, step };
                    let (time, key) = (now - random.i64(0..40), random.u8(0..4));
                    model.record(time, key, plan, judge);
                    let value = Keyed { key, value: plan };
                    process.on_record(Record { time: Timestamp::from_nanos(time), value }, &mut out);
                }
            }
        }
        model.watermark(merged, i64::MAX, true);
        out.advance(&mut process, Watermark::END);
        let seen = flat(&out.seen);
        let differs = seen.iter().zip(&model.out).find(|(seen, expected)| seen != expected);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(seen.len(), model.out.len(), "seed {seed}");
        let tally = process.tally();
        assert_eq!(tally.results, model.out.len() as u64);
        let records = |log: &&(i64, Output)| matches!(log.1, Forked::Main(Log { timer: false, .. }));
        assert_eq!(tally.on_time, model.out.iter().filter(records).count() as u64);
        assert_eq!(tally, Tally { on_time: tally.on_time, results: tally.results, ..Tally::default() });
    }
}

/// Sets a timer for a fixed time after each record, and with each timer the next.
#[derive(Clone)]
struct Clock(i64);

impl Process<u8, ()> for Clock {
    type State = ();
    type Out = i64;
    type Side = ();

    fn on_record(&mut self, (): (), (): &mut (), context: &mut Context<'_, u8, i64, ()>) {
        context.set_timer(Timestamp::from_nanos(context.time().as_nanos() + self.0));
    }

    fn on_timer(&mut self, (): &mut (), context: &mut Context<'_, u8, i64, ()>) {
        context.emit_at(Timestamp::from_nanos(context.time().as_nanos() - 1), context.time().as_nanos());
        context.emit_at(Timestamp::from_nanos(context.time().as_nanos() + 2), context.time().as_nanos());
        context.set_timer(Timestamp::from_nanos(context.time().as_nanos() + self.0));
    }

    fn timer_resolution(&self) -> Duration {
        Duration::from_nanos(self.0.unsigned_abs())
    }
}

fn clock(period: i64, times: &[(i64, u8)], watermarks: &[i64]) -> Vec<(i64, Forked<i64, ()>)> {
    let mut process = ProcessWith::new(KeyLimits::default(), Clock(period));
    let mut out = Vec::new();
    for (time, key) in times {
        let value = Keyed { key: *key, value: () };
        process.on_record(Record { time: Timestamp::from_nanos(*time), value }, &mut out);
    }
    for watermark in watermarks {
        let watermark = Watermark::at(Timestamp::from_nanos(*watermark));
        assert_eq!(process.on_watermark(watermark, &mut out), Step::Done);
    }
    assert_eq!(process.on_watermark(Watermark::END, &mut out), Step::Done);
    out.iter().map(|record: &Record<_>| (record.time.as_nanos(), record.value)).collect()
}

#[test]
fn a_timer_that_always_sets_the_next_does_not_keep_the_stream_from_ending() {
    // The first key's goes on until the latest time that any was set for, and no further.
    let fired: Vec<_> = clock(10, &[(0, 1), (32, 2)], &[]);
    let fired: Vec<_> = fired.chunks(2).map(|twice| twice[0].1).collect();
    assert_eq!(fired, [10, 20, 30, 40, 42].map(Forked::Main));
    // Nor does one that sets itself.
    assert_eq!(clock(0, &[(0, 1)], &[5, 6]).len(), 3 * 2);
}

#[test]
fn nothing_is_emitted_earlier_than_its_timer_or_the_watermark() {
    let times: Vec<_> = clock(10, &[(0, 1)], &[11]).iter().map(|log| log.0).collect();
    assert_eq!(times, [10, 12, 20, 22], "at the timer's time, and two later");
    let times: Vec<_> = clock(0, &[(0, 1)], &[5, 8]).iter().map(|log| log.0).collect();
    assert_eq!(times, [0, 2, 5, 5, 8, 8], "at the watermark that the timer was behind");
}

#[test]
fn a_timer_at_a_multiple_of_the_resolution_fires_at_an_edge() {
    let mut edges = nacreous_watermark::Cadence::default();
    edges.add(ProcessWith::new(KeyLimits::default(), Clock(10)).edges());
    let edge = edges.next_after(Watermark::at(Timestamp::from_nanos(20)));
    assert_eq!(edge, Watermark::at(Timestamp::from_nanos(21)));
}
