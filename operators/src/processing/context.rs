use nacreous_watermark::{Timestamp, Watermark};

use super::{Forked, timers::Timers};
use crate::{Emit, Record, key::SlotNumber};

/// What a [`Process`](super::Process) may know and do while it handles a record or a timer.
pub struct Context<'a, K, O, S> {
    key: &'a K,
    moment: Moment,
    timers: &'a mut Timers,
    results: &'a mut u64,
    out: &'a mut (dyn Emit<Forked<O, S>> + 'a),
}

/// What is being handled, and when.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) slot: SlotNumber,
    pub(super) time: Timestamp,
    /// The time of what is emitted.
    pub(super) emit_at: Timestamp,
    pub(super) watermark: Watermark,
    pub(super) late: bool,
}

impl<'a, K, O, S> Context<'a, K, O, S> {
    #[inline]
    pub(super) fn new(
        key: &'a K,
        moment: Moment,
        timers: &'a mut Timers,
        results: &'a mut u64,
        out: &'a mut (dyn Emit<Forked<O, S>> + 'a),
    ) -> Self {
        Self { key, moment, timers, results, out }
    }

    /// The key of the record or of the timer.
    #[inline]
    pub fn key(&self) -> &'a K {
        self.key
    }

    /// The record's time, or the time that the timer was set for.
    #[inline]
    pub fn time(&self) -> Timestamp {
        self.moment.time
    }

    /// The watermark that the record is judged by, or the one that made the timer fire.
    ///
    /// How far the latter is past the timer's time depends, behind a merge, on how far the inputs happened to have
    /// come: results that must be the same in each run should not depend on it.
    #[inline]
    pub fn watermark(&self) -> Watermark {
        self.moment.watermark
    }

    /// Whether the record is earlier than the watermark it is judged by. A timer is never late.
    #[inline]
    pub fn is_late(&self) -> bool {
        self.moment.late
    }

    /// Emits a value at the time of the record or timer.
    ///
    /// What a timer emits that was set for a time behind the watermark goes out at that watermark's time: so it is
    /// not late for whoever comes next. What is made of a late record is as late as the record.
    #[inline]
    pub fn emit(&mut self, value: O) {
        self.send(self.moment.emit_at, Forked::Main(value));
    }

    /// Emits a value at a later time than [`emit`](Self::emit) does. An earlier one is taken for that.
    #[inline]
    pub fn emit_at(&mut self, time: Timestamp, value: O) {
        self.send(time.max(self.moment.emit_at), Forked::Main(value));
    }

    /// Emits a value into the side output, at the time that [`emit`](Self::emit) would give it.
    #[inline]
    pub fn side(&mut self, value: S) {
        self.send(self.moment.emit_at, Forked::Side(value));
    }

    /// Has [`on_timer`](super::Process::on_timer) called for this key once the watermark is past `time`.
    ///
    /// A key has one timer for each time: setting it again changes nothing until it has fired. A timer for a time
    /// that the watermark has passed already fires with the next watermark.
    ///
    /// A timer may set others. Those for a later time fire with the same watermark, if it is past them too; one for
    /// its own time or an earlier one waits for the next watermark. At the end of the stream all timers fire, and
    /// those that they set, up to the latest time for which one was set before the end. So a timer that
    /// always sets the next does not keep the stream from ending.
    #[inline]
    pub fn set_timer(&mut self, time: Timestamp) {
        self.timers.set(time, self.moment.slot);
    }

    #[inline]
    fn send(&mut self, time: Timestamp, value: Forked<O, S>) {
        *self.results += 1;
        self.out.emit(Record { time, value });
    }
}
