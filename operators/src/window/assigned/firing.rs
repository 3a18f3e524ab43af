//! What happens as the watermark passes: records are taken up, alarms go off, windows end.

use std::hash::Hash;

use nacreous_watermark::{Timestamp, Watermark};

use super::{
    AssignedFold, RESOLUTION, Waiting,
    cells::{Cell, before},
};
use crate::{
    Aggregate, Emit, Record, Step, Tally,
    key::SlotNumber,
    pool::Place,
    window::{Assigner, ResultKind, Trigger, Verdict, WindowResult, Windowed, budget::Budget},
};

/// A line that is being looked at, which may take several calls if the output is narrow.
pub(super) struct Looking {
    line: Place,
    /// The instant that this is done for.
    now: Timestamp,
    /// The first of its windows that has not been looked at.
    next: Option<Place>,
    /// When those that have been are to be again.
    due: Option<Timestamp>,
}

/// Says what windows of a key come to.
pub(super) struct Teller<'a, K, A, O> {
    pub(super) key: &'a K,
    pub(super) aggregate: &'a A,
    pub(super) retracts: bool,
    pub(super) tally: &'a mut Tally,
    pub(super) out: &'a mut O,
}

impl<K: Clone, A, O> Teller<'_, K, A, O> {
    /// Says what a window comes to, by reason of something at this instant; nothing of one that has let go of its records.
    pub(super) fn tell<T, S>(&mut self, cell: &mut Cell<A::Acc, S>, kind: ResultKind, time: Timestamp)
    where
        A: Aggregate<T>,
        O: Emit<Windowed<K, T, A::Out>>,
    {
        let Some(acc) = &cell.acc else { return };
        let acc = acc.clone();
        if self.retracts
            && let Some(said) = cell.said.replace(acc.clone())
        {
            self.emit(cell, said, (ResultKind::Retraction, cell.results - 1), time);
        }
        self.emit(cell, acc, (kind, cell.results), time);
        cell.results += 1;
    }

    /// Does what a trigger says.
    pub(super) fn heed<T, S>(&mut self, cell: &mut Cell<A::Acc, S>, verdict: Verdict, time: Timestamp)
    where
        A: Aggregate<T>,
        O: Emit<Windowed<K, T, A::Out>>,
    {
        if verdict == Verdict::Wait {
            return;
        }
        self.tell(cell, ResultKind::Early, time);
        if verdict == Verdict::FireAndPurge {
            (cell.acc, cell.said) = (None, None);
        }
    }

    fn emit<T, S>(
        &mut self,
        cell: &Cell<A::Acc, S>,
        acc: A::Acc,
        (kind, number): (ResultKind, u32),
        time: Timestamp,
    ) where
        A: Aggregate<T>,
        O: Emit<Windowed<K, T, A::Out>>,
    {
        self.tally.results += 1;
        let (key, value) = (self.key.clone(), self.aggregate.finish(acc));
        let result = WindowResult { window: cell.window, key, value, kind, number };
        let time = RESOLUTION.passes(time.as_nanos());
        self.out.emit(Record { time, value: Windowed::Result(result) });
    }
}

impl<T, K, A, W, G> AssignedFold<K, A, T, W, G>
where
    K: Hash + Eq + Clone + 'static,
    A: Aggregate<T>,
    W: Assigner<T>,
    G: Trigger<T>,
{
    /// Does all that comes before a watermark, in order of time: of one instant, records first.
    pub(super) fn pass(
        &mut self,
        watermark: Watermark,
        budget: &mut Budget,
        out: &mut impl Emit<Windowed<K, T, A::Out>>,
    ) -> Step {
        loop {
            if self.look(out) == Step::More {
                return Step::More;
            }
            let record = self.order.first().map(|(time, _)| *time);
            let timer = self.timers.first().map(|(time, _)| *time);
            let is_record = record.is_some_and(|record| timer.is_none_or(|timer| record <= timer));
            if is_record && self.order.is_due(watermark) {
                if !out.has_room() {
                    return Step::More;
                }
                self.take_up_next(watermark, out);
            } else if let Some((time, slot)) = self.timers.pop_due(watermark) {
                self.begin_to_look(Place::numbered(slot.number()), time);
            } else {
                self.passed = self.passed.max(watermark);
                return Step::Done;
            }
            if budget.is_spent() {
                return Step::More;
            }
        }
    }

    fn take_up_next(&mut self, watermark: Watermark, out: &mut impl Emit<Windowed<K, T, A::Out>>) {
        let (time, (_, slot)) = self.order.pop_due(watermark).expect("one is due");
        let Waiting { line, value } = self.waiting.remove(Place::numbered(slot.number()));
        self.take_up(Record { time, value: Waiting { line, value } }, time, out);
    }

    /// Looks at a line from its oldest window on, if that is when it is to be done. (The timer may be that of one that is gone, or
    /// is to be looked at earlier.)
    fn begin_to_look(&mut self, place: Place, now: Timestamp) {
        if let Some(line) = self.lines.find_mut(place)
            && line.due.take_if(|due| *due == now).is_some()
        {
            self.looking = Some(Looking { line: place, now, next: line.oldest, due: None });
        }
    }

    /// Goes on looking at a line.
    fn look(&mut self, out: &mut impl Emit<Windowed<K, T, A::Out>>) -> Step {
        let Some(Looking { line: place, now, mut next, mut due }) = self.looking.take() else {
            return Step::Done;
        };
        let Self { trigger, lateness, aggregate, keys, lines, cells, tally, .. } = self;
        let line = lines.get_mut(place);
        let (key, _) = keys.at(line.slot);
        let mut teller = Teller { key, aggregate: &*aggregate, retracts: lateness.retracts, tally, out };
        while let Some(at) = next {
            let cell = cells.get_mut(at);
            if cell.is_open && cell.due(lateness.allowed) <= now {
                if !teller.out.has_room() {
                    self.looking = Some(Looking { line: place, now, next, due });
                    return Step::More;
                }
                go_off(cell, trigger, &mut teller);
            }
            next = cell.newer;
            let again = cell.due(lateness.allowed);
            if !cell.is_open && again <= now {
                cells.remove(line, at);
            } else {
                due = Some(due.map_or(again, |due| due.min(again)));
            }
        }
        self.leave(place, due);
        Step::Done
    }

    /// Has a line looked at again, or lets go of its key if it has no windows.
    fn leave(&mut self, place: Place, due: Option<Timestamp>) {
        let line = self.lines.get_mut(place);
        line.due = due;
        if let Some(due) = due {
            return self.timers.push(due, SlotNumber::new(place.number()));
        }
        let slot = self.lines.remove(place).slot;
        if self.keys.remove(slot).is_some() {
            // The last key has this number now.
            let (_, moved) = self.keys.at(slot);
            self.lines.get_mut(*moved).slot = slot;
        }
    }
}

/// Has an open window's alarm go off, or its end come if it has none.
fn go_off<T, K, A, G, O>(cell: &mut Cell<A::Acc, G::State>, trigger: &G, teller: &mut Teller<'_, K, A, O>)
where
    K: Clone,
    A: Aggregate<T>,
    G: Trigger<T>,
    O: Emit<Windowed<K, T, A::Out>>,
{
    let Some(alarm) = cell.alarm.take() else {
        cell.is_open = false;
        return teller.tell(cell, ResultKind::OnTime, cell.window.last());
    };
    let verdict = trigger.on_alarm(&mut cell.trigger, alarm);
    // In a window without an end there would always be another.
    if cell.window.end < Timestamp::MAX {
        let next = trigger.alarm(&cell.trigger);
        cell.alarm = next.filter(|next| alarm < *next && *next < cell.window.end);
    }
    teller.heed(cell, verdict, before(alarm));
}
