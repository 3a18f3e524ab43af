use nacreous_watermark::{Timestamp, Watermark};

use crate::{Prepared, Supplies, key::SlotNumber, state::TimerQueue};

/// The timers of one operator, with what keeps them from going round for ever.
#[derive(Debug)]
pub(super) struct Timers {
    queue: TimerQueue,
    /// Set by a timer for its own time or an earlier one: they wait for the next watermark.
    waiting: Vec<(Timestamp, SlotNumber)>,
    /// The latest timer set before the end of the stream.
    latest: Timestamp,
    /// The time of the timer that fires now.
    firing: Option<Timestamp>,
    ending: bool,
}

impl Timers {
    pub(super) fn new() -> Self {
        let queue = TimerQueue::new();
        Self { queue, waiting: Vec::new(), latest: Timestamp::MIN, firing: None, ending: false }
    }

    pub(super) fn connect(&mut self, supplies: &mut impl Supplies) {
        self.queue.connect(supplies);
    }

    pub(super) fn prepare(&mut self, timers: usize) -> Prepared {
        self.queue.prepare(timers)
    }

    /// Sets a timer, unless the stream ends and it could go on for ever.
    #[inline]
    pub(super) fn set(&mut self, time: Timestamp, slot: SlotNumber) {
        match self.firing {
            Some(now) if time <= now => self.waiting.push((time, slot)),
            Some(_) if self.ending && time > self.latest => {}
            _ => {
                self.latest = self.latest.max(time);
                self.queue.push(time, slot);
            }
        }
    }

    /// The next timer that `watermark` makes fire. Until [`rest`](Self::rest), it is the one that sets others.
    pub(super) fn fire(&mut self, watermark: Watermark) -> Option<(Timestamp, SlotNumber)> {
        self.ending = watermark.is_end();
        let due = self.queue.pop_due(watermark);
        self.firing = due.map(|(time, _)| time);
        due
    }

    /// All timers that were due have fired.
    pub(super) fn rest(&mut self) {
        self.firing = None;
        for (time, slot) in self.waiting.drain(..) {
            self.queue.push(time, slot);
        }
    }
}
