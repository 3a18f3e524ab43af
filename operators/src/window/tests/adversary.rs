//! Inputs made to break windows, each by what it does to them.

use fastrand::Rng;

use super::Item;
use crate::interleaving::{Arrival, Input, random_input};

/// All there are, by name.
pub(super) const ALL: [(&str, fn(&mut Script<'_>)); 12] = [
    ("at random", at_random),
    ("fully reversed", reversed),
    ("one far late in each window", one_far_late),
    ("swapped at each distance", swapped),
    ("one nanosecond around each boundary", around_boundaries),
    ("equal times", equal_times),
    ("a burst, then silence", bursts),
    ("bridged by one late record", bridged),
    ("a day ahead", a_day_ahead),
    ("at the extremes of time", at_the_extremes),
    ("watermarks that jump", jumps),
    ("drained to one slice and filled again", drained),
];

/// A day, in nanoseconds.
const DAY: i64 = 86_400_000_000_000;

/// What the windows are like that an input is to break.
#[derive(Debug, Clone)]
pub(super) struct Scene {
    /// How long they are, or the gap between sessions: two at least.
    pub(super) size: i64,
    /// How long the parts are that they consist of.
    pub(super) slice: i64,
    /// Where some of them begin and end.
    pub(super) edges: Vec<i64>,
    pub(super) keys: u32,
    /// Whether records of one instant have one value, so that it makes no difference which of them comes first.
    pub(super) tied: bool,
    /// By how much all times are stretched.
    pub(super) unit: i64,
}

/// An input as it is written.
pub(super) struct Script<'a> {
    random: &'a mut Rng,
    scene: &'a Scene,
    watermark: i64,
    input: Input<Item>,
}

impl Scene {
    /// One input.
    pub(super) fn input(&self, write: fn(&mut Script<'_>), random: &mut Rng) -> Input<Item> {
        let mut script = Script { random, scene: self, watermark: i64::MIN, input: Input::new() };
        for _ in 0..script.random.usize(1..4) {
            write(&mut script);
        }
        script.input
    }
}

impl Script<'_> {
    fn record(&mut self, time: i64) {
        let time = time.saturating_mul(self.scene.unit);
        let key = self.random.u32(0..self.scene.keys);
        let value = match self.random.u8(..) {
            _ if self.scene.tied => time.wrapping_mul(7).rem_euclid(19) - 9,
            0 => i64::MIN,
            1 => i64::MAX,
            _ => self.random.i64(-9..9),
        };
        self.input.push(Arrival::Record(time, (key, value)));
    }

    /// Moves the watermark on, if that is further than it has come.
    fn watermark(&mut self, at: i64) {
        let at = at.saturating_mul(self.scene.unit).min(i64::MAX - 1);
        if at > self.watermark {
            self.watermark = at;
            self.input.push(Arrival::Watermark(at));
        }
    }

    /// A time to begin at: about where the watermark is.
    fn start(&mut self) -> i64 {
        let watermark = if self.watermark == i64::MIN { 0 } else { self.watermark / self.scene.unit };
        watermark + self.random.i64(-300..300)
    }

    /// So many sizes of a window, or less.
    fn sizes(&mut self, most: i64) -> i64 {
        self.random.i64(0..=most * self.scene.size)
    }
}

fn at_random(script: &mut Script<'_>) {
    let start = script.start();
    for arrival in random_input(script.random, |_| ()) {
        match arrival {
            Arrival::Record(time, ()) => script.record(start + time),
            Arrival::Watermark(at) => script.watermark(start + at),
        }
    }
}

fn reversed(script: &mut Script<'_>) {
    let mut from = script.start();
    for _ in 0..script.random.i64(1..5) {
        let step = script.random.i64(1..=script.scene.size);
        let records = script.random.i64(2..25);
        let lag = script.sizes(8);
        for nth in (0..records).rev() {
            script.record(from + nth * step);
            // It moves with the first only, the latest of them.
            script.watermark(from + nth * step - lag);
        }
        from += records * step;
        let at = from - script.sizes(2);
        script.watermark(at);
    }
}

fn one_far_late(script: &mut Script<'_>) {
    let (start, size) = (script.start(), script.scene.size);
    let lag = script.random.i64(0..=size / 2);
    for window in 0..script.random.i64(2..12) {
        let from = start + window * size;
        let records = script.random.i64(1..8);
        let late = script.random.i64(0..records);
        for nth in 0..records {
            let at = from + nth * size / records;
            script.record(at);
            script.watermark(at - lag);
            if nth == late {
                let back = size + script.sizes(3);
                script.record(at - back);
            }
        }
    }
}

fn swapped(script: &mut Script<'_>) {
    let (start, step) = (script.start(), script.random.i64(1..=script.scene.slice));
    let mut times: Vec<i64> = (0..script.random.i64(20..60)).map(|nth| start + nth * step).collect();
    let mut at = 0;
    for distance in 1.. {
        if at + distance >= times.len() {
            break;
        }
        times.swap(at, at + distance);
        at += distance + 1;
    }
    let lag = script.sizes(1);
    for time in times {
        script.record(time);
        script.watermark(time - lag);
    }
}

fn around_boundaries(script: &mut Script<'_>) {
    let edges = script.scene.edges.clone();
    let first = script.random.usize(0..edges.len());
    for edge in edges.into_iter().skip(first).take(12) {
        let mut times = [edge - 1, edge, edge + 1, edge + script.random.i64(-1..=1)];
        script.random.shuffle(&mut times);
        let moves = script.random.usize(0..times.len());
        for (nth, time) in times.into_iter().enumerate() {
            script.record(time);
            if nth == moves {
                let at = edge + script.random.i64(-1..=1);
                script.watermark(at);
            }
        }
    }
}

fn equal_times(script: &mut Script<'_>) {
    let mut at = script.start();
    for _ in 0..script.random.i64(1..6) {
        // What has the time of the watermark is not behind it; what comes after it has moved on by one is.
        for watermark in [at - 1, at, at + 1] {
            for _ in 0..script.random.i64(0..8) {
                script.record(at);
            }
            script.watermark(watermark);
        }
        let back = script.random.i64(0..2);
        script.record(at - back);
        at += script.sizes(2);
    }
}

fn bursts(script: &mut Script<'_>) {
    let mut at = script.start();
    for _ in 0..script.random.i64(1..5) {
        for _ in 0..script.random.i64(5..25) {
            let time = at + script.random.i64(0..=script.scene.slice);
            script.record(time);
        }
        if script.random.bool() {
            let until = at + script.sizes(1);
            script.watermark(until);
        }
        at += script.sizes(200);
        script.watermark(at);
    }
}

fn bridged(script: &mut Script<'_>) {
    let (mut at, size) = (script.start(), script.scene.size);
    for _ in 0..script.random.i64(1..6) {
        let mut islands = vec![at];
        for _ in 0..script.random.i64(1..6) {
            // Too far from each other for one session, and near enough for one record between them.
            at += size + script.random.i64(0..size);
            islands.push(at);
        }
        let mut bridges: Vec<i64> = islands.windows(2).map(|two| two[0].midpoint(two[1])).collect();
        script.random.shuffle(&mut islands);
        script.random.shuffle(&mut bridges);
        islands.into_iter().for_each(|time| script.record(time));
        let fires = at - script.sizes(3) + size;
        script.watermark(fires);
        for time in bridges {
            script.record(time);
            let on = script.sizes(1);
            script.watermark(fires + on);
        }
        at += script.sizes(3);
    }
}

fn a_day_ahead(script: &mut Script<'_>) {
    let mut at = script.start();
    let follows = script.random.u8(0..3) == 0;
    for _ in 0..script.random.i64(10..60) {
        at += script.random.i64(0..=script.scene.slice);
        let ahead = script.random.u8(..) < 20;
        let time = if ahead { at + DAY } else { at };
        script.record(time);
        if !ahead || follows {
            let lag = script.random.i64(0..=script.scene.size);
            script.watermark(time - lag);
        }
    }
}

fn at_the_extremes(script: &mut Script<'_>) {
    let size = script.scene.size;
    let (first, last) = (i64::MIN, i64::MAX);
    let near =
        [first, first + 1, first + size - 1, first + size, -size, -1, 0, 1, size, last - size, last - 1];
    let mut times: Vec<i64> = near.into_iter().chain([last]).collect();
    if script.random.bool() {
        script.random.shuffle(&mut times);
    }
    for _ in 0..script.random.usize(1..3) {
        for time in times.clone() {
            script.record(time);
            if script.random.u8(0..3) == 0 {
                let at = times[script.random.usize(0..times.len())];
                // If it were at the end at once, there would be nothing left to see.
                let at = if script.random.bool() { at } else { at.min(0) };
                script.watermark(at);
            }
        }
    }
}

fn jumps(script: &mut Script<'_>) {
    let mut at = script.start();
    for _ in 0..script.random.i64(2..8) {
        let over = script.sizes(6);
        for _ in 0..script.random.i64(1..12) {
            let time = at + script.random.i64(0..=over);
            script.record(time);
            if script.random.u8(0..6) == 0 {
                script.watermark(at + over);
            }
        }
        at += over;
        script.watermark(at);
    }
}

fn drained(script: &mut Script<'_>) {
    let Scene { size, slice, .. } = *script.scene;
    let mut at = script.start();
    for _ in 0..script.random.i64(2..6) {
        for _ in 0..script.random.i64(1..20) {
            script.record(at);
            at += slice;
            // As much goes as comes, or nothing goes.
            if script.random.u8(0..4) == 0 {
                script.watermark(at - slice);
            }
        }
        // All windows without the last record have ended.
        script.watermark(at - slice + size);
        at += script.random.i64(0..=1) * size;
    }
}
