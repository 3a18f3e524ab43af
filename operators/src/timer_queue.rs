use std::{cmp::Reverse, collections::BinaryHeap};

use nacreous_watermark::{Timestamp, Watermark};

use crate::key::SlotNumber;

/// Timers in order of time, then of slot number. A timer set twice is one.
#[derive(Debug, Default)]
pub(crate) struct TimerQueue(BinaryHeap<Reverse<(Timestamp, SlotNumber)>>);

impl TimerQueue {
    /// Sets a timer.
    pub(crate) fn push(&mut self, time: Timestamp, slot: SlotNumber) {
        self.0.push(Reverse((time, slot)));
    }

    /// Takes out the first of the timers that `watermark` has passed.
    pub(crate) fn pop_due(&mut self, watermark: Watermark) -> Option<(Timestamp, SlotNumber)> {
        let Reverse(first) = *self.0.peek()?;
        if first.0 >= watermark.time() && !watermark.is_end() {
            return None;
        }
        while self.0.peek() == Some(&Reverse(first)) {
            self.0.pop();
        }
        Some(first)
    }
}
