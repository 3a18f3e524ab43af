//! How windows close: what they come to is emitted, and what lies in no other window is let go.

use std::hash::Hash;

use nacreous_watermark::{Timestamp, Watermark};

use super::{Closing, OrderedFold, begins, extent, joined, later};
use crate::{
    Aggregate, Emit, Step, Windowed,
    key::SlotNumber,
    state::TimerQueue,
    window::{ResultKind, Slicing, budget::Budget},
};

/// What stands for a watermark that has passed the windows before this one, where their numbers stand for times.
fn before(window: i64) -> Watermark {
    if window == i64::MAX { Watermark::END } else { Watermark::at(Timestamp::from_nanos(window)) }
}

impl<T, K: Hash + Eq + Clone + 'static, A: Aggregate<T>, W: Slicing> OrderedFold<K, A, T, W> {
    /// Fires the windows that end at or before the watermark, the oldest first.
    pub(super) fn fire_until(
        &mut self,
        watermark: Watermark,
        budget: &mut Budget,
        out: &mut impl Emit<Windowed<K, T, A::Out>>,
    ) -> Step {
        let closing = Closing::at(watermark, &self.windows, self.lateness);
        let open_from = before(closing.open_from);
        let next = |firing: &mut TimerQueue| {
            let (number, slot) = firing.pop_due(open_from)?;
            Some((number.as_nanos(), slot))
        };
        while let Some((number, slot)) = self.due.take().or_else(|| next(&mut self.firing)) {
            if !out.has_room() {
                self.due = Some((number, slot));
                return Step::More;
            }
            let results = self.tally.results;
            self.fire(number, slot, out);
            if self.tally.results == results && budget.is_spent() {
                return Step::More;
            }
        }
        while let Some((last, slot)) = self.leaving.pop_due(before(closing.kept_from)) {
            let is_so = slot.index() < self.keys.len()
                && self.keys.at(slot).1.leaves.take_if(|leaves| *leaves == last.as_nanos()).is_some();
            if is_so {
                self.let_go(slot, closing.kept_from);
            }
            if budget.is_spent() {
                return Step::More;
            }
        }
        self.placed.leave_before(closing.kept_from);
        self.closing = self.closing.max(closing);
        Step::Done
    }

    /// Fires a window for a key, if that is the next one for it.
    fn fire(&mut self, window: i64, slot: SlotNumber, out: &mut impl Emit<Windowed<K, T, A::Out>>) {
        let Self { windows, lateness, aggregate, keys, records, firing, tally, .. } = self;
        // It may be that of a key that is gone, or for which another window is next.
        if slot.index() >= keys.len() {
            return;
        }
        let (key, line) = keys.at(slot);
        if line.fires.take_if(|fires| *fires == window).is_none() {
            return;
        }
        let acc = line.records.range(records, extent(windows, window), joined(aggregate));
        let acc = acc.expect("a window fires for the keys that have records in it");
        tally.results += 1;
        out.emit(windows.window(window).result(key.clone(), aggregate.finish(acc), ResultKind::OnTime, 0));
        let rest = begins(windows, window + 1).and_then(|begin| line.records.first_from(records, begin));
        if let Some((time, _)) = rest {
            let (first, _) = windows.windows_over(windows.slice_at(time));
            let fires = first.max(window + 1);
            line.fires = Some(fires);
            firing.push(Timestamp::from_nanos(fires), slot);
        }
        if lateness.allowed == 0 {
            self.let_go(slot, window + 1);
        }
    }

    /// Lets go of the records of a key that lie in windows before this one only; and of the key, if it has no others.
    fn let_go(&mut self, slot: SlotNumber, kept_from: i64) {
        let Self { windows, lateness, aggregate, keys, records, results, firing, leaving, .. } = self;
        let (_, line) = keys.at(slot);
        match begins(windows, kept_from) {
            Some(begin) => line.records.evict_before(records, begin, joined(aggregate)),
            None => line.records.clear(records),
        }
        line.results.evict_before(results, kept_from, later);
        if let Some((first, _)) = line.records.first(records) {
            if lateness.allowed > 0 {
                let (_, last) = windows.windows_over(windows.slice_at(first));
                line.leaves = Some(last);
                leaving.push(Timestamp::from_nanos(last), slot);
            }
            return;
        }
        line.results.clear(results);
        if keys.remove(slot).is_some() {
            // The last key has this number now.
            let (_, line) = keys.at(slot);
            line.fires.into_iter().for_each(|fires| firing.push(Timestamp::from_nanos(fires), slot));
            line.leaves.into_iter().for_each(|leaves| leaving.push(Timestamp::from_nanos(leaves), slot));
        }
    }
}
