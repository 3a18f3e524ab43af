//! Several inputs of one operator, merged in any order that keeps each input's own, for tests.

use nacreous_watermark::{Timestamp, Watermark};

use crate::{Operator, Prepared, Record, narrow::Narrow};

/// What an input brings.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Arrival<T> {
    Record(i64, T),
    Watermark(i64),
}

/// One input, from its beginning to its end.
pub(crate) type Input<T> = Vec<Arrival<T>>;

/// An input of records with disorder, and watermarks that come behind some of them or not.
pub(crate) fn random_input<T>(
    random: &mut fastrand::Rng,
    mut value: impl FnMut(&mut fastrand::Rng) -> T,
) -> Input<T> {
    let (disorder, lag) = (random.i64(1..80), random.i64(0..100));
    let jumps = random.bool();
    let watermarks = random.u8(1..9);
    let mut now = random.i64(-50..50);
    let mut watermark = i64::MIN;
    (0..random.usize(0..80))
        .map(|_| {
            now += if jumps && random.u8(..) < 6 { random.i64(0..300) } else { random.i64(0..6) };
            if random.u8(0..10) < watermarks {
                watermark = watermark.max(now - random.i64(0..=lag));
                Arrival::Watermark(watermark)
            } else {
                Arrival::Record(now - random.i64(0..disorder), value(random))
            }
        })
        .collect()
}

/// Each record with the watermark of its own input as it stood before the record, input by input.
pub(crate) fn judged<T: Copy>(inputs: &[Input<T>]) -> Vec<(i64, T, i64)> {
    let judged = |input: &Input<T>| {
        let mut watermark = i64::MIN;
        let judged = input.iter().filter_map(|arrival| match *arrival {
            Arrival::Record(time, value) => Some((time, value, watermark)),
            Arrival::Watermark(next) => {
                watermark = next;
                None
            }
        });
        judged.collect::<Vec<_>>()
    };
    inputs.iter().flat_map(judged).collect()
}

/// Feeds the inputs to an operator in a random order, as a merge would; returns the values in that order.
///
/// A single input is not merged: nobody says what its records are judged by.
pub(crate) fn play<T: Copy, I, O: Operator<I>>(
    inputs: &[Input<T>],
    operator: &mut O,
    out: &mut Narrow<O::Out>,
    random: &mut fastrand::Rng,
    mut make: impl FnMut(T) -> I,
) -> Vec<T> {
    let mut rest: Vec<_> = inputs.iter().map(|input| (input.iter(), Watermark::MIN)).collect();
    let (mut merged, mut judge) = (Watermark::MIN, Watermark::MIN);
    let mut order = Vec::new();
    let heeds = random.bool();
    // Some inputs are read in long runs, so that they get far ahead of the others.
    let patience = random.u8(0..8);
    let mut at = 0;
    while rest.iter().any(|(_, watermark)| !watermark.is_end()) {
        if random.u8(0..=patience) == 0 {
            at = random.usize(0..rest.len());
        }
        let (input, watermark) = &mut rest[at];
        match input.next() {
            Some(Arrival::Record(time, value)) => {
                if inputs.len() > 1 && judge != *watermark {
                    judge = *watermark;
                    operator.judge_by(judge);
                }
                let mut records = vec![(*time, *value)];
                while random.bool()
                    && let Some((Arrival::Record(time, value), rest)) = input.as_slice().split_first()
                {
                    records.push((*time, *value));
                    *input = rest.iter();
                }
                // It waits for memory, but not for ever: that may never come.
                let mut waits = if heeds { 100 } else { 0 };
                while waits > 0 && operator.prepare(records.len()) == Prepared::Waiting {
                    waits -= 1;
                }
                order.extend(records.iter().map(|(_, value)| *value));
                let mut record =
                    |(time, value)| Record { time: Timestamp::from_nanos(time), value: make(value) };
                match &records[..] {
                    [alone] => operator.on_record(record(*alone), out),
                    _ => operator.on_records(records.into_iter().map(record), out),
                }
                continue;
            }
            Some(Arrival::Watermark(nanos)) => *watermark = Watermark::at(Timestamp::from_nanos(*nanos)),
            None => {
                *watermark = Watermark::END;
                at = random.usize(0..rest.len());
            }
        }
        let least = rest.iter().map(|(_, watermark)| *watermark).min().unwrap_or(Watermark::END);
        if least > merged {
            merged = least;
            out.advance(operator, merged);
        }
    }
    order
}
