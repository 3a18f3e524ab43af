use std::{marker::PhantomData, ops::ControlFlow};

use nacreous_operators::Record;
use nacreous_watermark::Timestamp;

use super::Clock;
use crate::{
    downstream::Downstream,
    operator_name::{Blame, OperatorName},
};

/// Hands records of an iterator down, up to where there is something to be done besides handling them: behind the record
/// that may have brought the watermark to an edge, when there is no more `room`, or at the end of the iterator, which
/// comes back.
///
/// A function of its own, into which all that follows is compiled, and with the iterator in a variable of its own: so
/// the loop has the registers to itself. As a part of the task's step it would share them with all that the step does
/// before and after.
#[inline(never)]
pub(super) fn run<T, I: Iterator<Item = T>, C: Clock<T>, D: Downstream<T>>(
    (mut items, name): (I, &OperatorName),
    (clock, time_name): (&mut C, &OperatorName),
    edge_at: Timestamp,
    room: &mut isize,
    down: &mut D,
) -> (I, RunEnd) {
    let next = down.first().unwrap_or(*time_name);
    let mut told = RunEnd::default();
    down.records(Run {
        items: &mut items,
        name,
        clock,
        time_name,
        next,
        edge_at,
        left: *room,
        room,
        told: &mut told,
        down: PhantomData::<fn(&D)>,
    });
    (items, told)
}

/// What a run ended with, if not when there was no more room.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RunEnd {
    /// The time of a record that may have brought the watermark to an edge.
    pub(super) edge: Option<Timestamp>,
    /// The end of the iterator.
    pub(super) is_over: bool,
    /// How many more could have been taken, had it not ended at an edge.
    spared: isize,
}

/// The records of a run.
struct Run<'a, I, C, D> {
    items: &'a mut I,
    name: &'a OperatorName,
    clock: &'a mut C,
    time_name: &'a OperatorName,
    /// Who is called with a record.
    next: OperatorName,
    /// A record at this time or later ends the run, if what follows heeds watermarks.
    edge_at: Timestamp,
    /// How many more may be taken in the run.
    left: isize,
    /// Where to write how many may still be taken, when all is done or somebody panics.
    room: &'a mut isize,
    /// Where to write how it ended. (Not kept here until then: a loop has few registers for what changes in it.)
    told: &'a mut RunEnd,
    down: PhantomData<fn(&D)>,
}

impl<T, I: Iterator<Item = T>, C: Clock<T>, D: Downstream<T>> Iterator for Run<'_, I, C, D> {
    type Item = Record<T>;

    // HOT(source.run)
    #[inline(always)]
    fn next(&mut self) -> Option<Record<T>> {
        if self.left <= 0 {
            return None;
        }
        let blame = Blame::on(self.name);
        let item = self.items.next();
        blame.lift();
        let Some(value) = item else {
            self.told.is_over = true;
            return None;
        };
        self.left -= 1;
        let blame = Blame::on(self.time_name);
        let time = self.clock.time_of(&value);
        blame.lift();
        if D::HEEDS_WATERMARKS && time >= self.edge_at {
            *self.told = RunEnd { edge: Some(time), is_over: false, spared: self.left };
            self.left = 0;
        }
        Some(Record { time, value })
    }

    /// As `next` until there is none, with one look at the end of each round instead of two.
    // HOT(source.run.fold)
    #[inline(always)]
    fn fold<B, F: FnMut(B, Record<T>) -> B>(mut self, init: B, mut f: F) -> B {
        if self.left <= 0 {
            return init;
        }
        let Self { items, name, clock, time_name, next, edge_at, left, told, .. } = &mut self;
        let blame = Blame::on(name);
        let folded = items.try_fold(init, |before, value| {
            let blame = Blame::on(time_name);
            let time = clock.time_of(&value);
            blame.lift();
            *left -= 1;
            let blame = Blame::on(next);
            let after = f(before, Record { time, value });
            blame.lift();
            if D::HEEDS_WATERMARKS && time >= *edge_at {
                **told = RunEnd { edge: Some(time), is_over: false, spared: *left };
                *left = 0;
            }
            if *left == 0 { ControlFlow::Break(after) } else { ControlFlow::Continue(after) }
        });
        blame.lift();
        match folded {
            ControlFlow::Break(folded) => folded,
            ControlFlow::Continue(folded) => {
                told.is_over = true;
                folded
            }
        }
    }
}

impl<I, C, D> Drop for Run<'_, I, C, D> {
    #[inline(always)]
    fn drop(&mut self) {
        *self.room = self.left + self.told.spared;
    }
}
