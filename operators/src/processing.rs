//! Keyed operators of the user's own, with state and timers.

mod context;
mod timers;

pub use context::Context;

use std::{hash::Hash, time::Duration};

use nacreous_watermark::{Grid, Span, Timestamp, Watermark};

use crate::{
    Emit, Fault, KeyLimits, Keyed, KeyedState, Operator, Prepared, Record, Step, Supplies, Tally,
    key::SlotNumber,
};
use context::Moment;
use timers::Timers;

/// What a user does with the records of each key: keeps state, sets timers, emits.
///
/// Each parallel instance works on a clone of its own and sees all records of its keys. Records come as they
/// come, late ones too ([`Context::is_late`] tells); timers fire in order of event time, then of their keys' first
/// appearance. The record that moves the watermark past a timer is handled before that fires: where it matters that a
/// timer is overdue, `on_record` has to look for itself.
///
/// ```
/// # use nacreous_operators::{Context, Forked, KeyLimits, Keyed, Operator, Process, ProcessWith, Record, Step};
/// # use nacreous_watermark::{Timestamp, Watermark};
/// use std::{convert::Infallible, time::Duration};
///
/// /// Says of each sensor when it has been silent for ten nanoseconds.
/// #[derive(Clone)]
/// struct Silence;
///
/// const PATIENCE: Duration = Duration::from_nanos(10);
///
/// impl Process<&'static str, f64> for Silence {
///     type State = Timestamp; // when the sensor was last heard of
///     type Out = &'static str;
///     type Side = Infallible;
///
///     fn on_record(
///         &mut self,
///         _: f64,
///         last: &mut Timestamp,
///         context: &mut Context<'_, &'static str, Self::Out, Infallible>,
///     ) {
///         *last = context.time().max(*last);
///         context.set_timer(*last + PATIENCE);
///     }
///
///     fn on_timer(&mut self, last: &mut Timestamp, context: &mut Context<'_, &'static str, Self::Out, Infallible>) {
///         if context.time() == *last + PATIENCE {
///             context.emit(*context.key());
///         }
///     }
/// }
/// #
/// # let mut silence = ProcessWith::new(KeyLimits::default(), Silence);
/// # let mut out = Vec::new();
/// # for (nanos, key) in [(1, "attic"), (5, "cellar"), (9, "attic")] {
/// #     let value = Keyed { key, value: 21.5 };
/// #     silence.on_record(Record { time: Timestamp::from_nanos(nanos), value }, &mut out);
/// # }
/// # let watermark = Watermark::at(Timestamp::from_nanos(18));
/// # assert_eq!(silence.on_watermark(watermark, &mut out), Step::Done);
/// # assert_eq!(out, [Record { time: Timestamp::from_nanos(15), value: Forked::Main("cellar") }]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say what becomes of values of type `{T}` with keys of type `{K}`",
    note = "implement `Process<{K}, {T}>` for it"
)]
pub trait Process<K, T>: Clone + Send + 'static {
    /// What is kept for each key, and what it begins as. It is kept for good.
    type State: Default + Send + 'static;
    /// What comes out.
    type Out;
    /// What comes out beside it; [`Infallible`](std::convert::Infallible) if nothing does.
    type Side;

    /// Handles one record of the key that `context` names.
    fn on_record(
        &mut self,
        value: T,
        state: &mut Self::State,
        context: &mut Context<'_, K, Self::Out, Self::Side>,
    );

    /// Handles that the watermark has passed a time for which the key that `context` names has set a timer.
    fn on_timer(&mut self, state: &mut Self::State, context: &mut Context<'_, K, Self::Out, Self::Side>) {
        let _ = (state, context);
    }

    /// How long after it is due a timer may fire, in event time, so that not every record need bring a watermark.
    /// A millisecond unless said otherwise.
    ///
    /// Timers that are multiples of it since the Unix epoch fire as soon as they are due. The finer, the more
    /// watermarks there are to pass on.
    fn timer_resolution(&self) -> Duration {
        Duration::from_millis(1)
    }
}

/// What comes out of an operator with a side output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forked<O, S> {
    /// Into the main output.
    Main(O),
    /// Into the side output.
    Side(S),
}

/// Runs a [`Process`].
///
/// # Cost
/// A record: one key look-up and the user's function. A timer: a number of comparisons that grows with the
/// logarithm of the timers set, and the user's function. Keys and their state are kept for good.
pub struct ProcessWith<P: Process<K, T>, K, T> {
    user: P,
    limits: KeyLimits,
    state: KeyedState<K, P::State>,
    timers: Timers,
    /// Taken from the timers before there was room for what it emits.
    due: Option<(Timestamp, SlotNumber)>,
    /// The last watermark whose timers have all fired.
    passed: Watermark,
    /// What records are judged by.
    judge: Watermark,
    processed: u64,
    results: u64,
}

impl<K: Hash + Eq + 'static, T, P: Process<K, T>> ProcessWith<P, K, T> {
    /// An operator that has seen nothing yet.
    pub fn new(limits: KeyLimits, user: P) -> Self {
        Self {
            user,
            limits,
            state: KeyedState::new(limits),
            timers: Timers::new(),
            due: None,
            passed: Watermark::MIN,
            judge: Watermark::MIN,
            processed: 0,
            results: 0,
        }
    }

    /// The watermarks that make a difference, as far apart as the [resolution](Process::timer_resolution) of timers.
    pub fn edges(&self) -> Grid {
        let resolution = self.user.timer_resolution().max(Duration::from_nanos(1));
        let longest = Duration::from_nanos(i64::MAX.unsigned_abs());
        let period = Span::try_from(resolution.min(longest)).expect("no longer than event time reaches");
        // A timer fires once the watermark is past its time.
        Grid::new(period, 1)
    }
}

/// The clone knows no key and no timer: it serves another instance.
impl<K: Hash + Eq + 'static, T, P: Process<K, T>> Clone for ProcessWith<P, K, T> {
    fn clone(&self) -> Self {
        Self::new(self.limits, self.user.clone())
    }
}

impl<K, T, P> Operator<Keyed<K, T>> for ProcessWith<P, K, T>
where
    K: Hash + Eq + Send + 'static,
    P: Process<K, T>,
{
    type Out = Forked<P::Out, P::Side>;

    #[inline]
    fn on_record(&mut self, record: Record<Keyed<K, T>>, out: &mut impl Emit<Self::Out>) {
        let Record { time, value: Keyed { key, value } } = record;
        let Some((slot, key, state)) = self.state.entry(key, P::State::default) else { return };
        self.processed += 1;
        let late = time < self.judge.time();
        let moment = Moment { slot, time, emit_at: time, watermark: self.judge, late };
        let mut context = Context::new(key, moment, &mut self.timers, &mut self.results, out);
        self.user.on_record(value, state, &mut context);
    }

    /// Fires the timers that the watermark has passed.
    fn on_watermark(&mut self, watermark: Watermark, out: &mut impl Emit<Self::Out>) -> Step {
        if watermark <= self.passed {
            return Step::Done;
        }
        self.judge = self.judge.max(watermark);
        while let Some((time, slot)) = self.due.take().or_else(|| self.timers.fire(watermark)) {
            if !out.has_room() {
                self.due = Some((time, slot));
                return Step::More;
            }
            let (key, state) = self.state.at(slot);
            // Whoever comes after this operator has been promised nothing earlier than the last watermark.
            let emit_at = time.max(self.passed.time());
            let moment = Moment { slot, time, emit_at, watermark, late: false };
            let mut context = Context::new(key, moment, &mut self.timers, &mut self.results, out);
            self.user.on_timer(state, &mut context);
        }
        self.timers.rest();
        self.passed = watermark;
        Step::Done
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.judge = watermark.max(self.passed);
    }

    fn connect(&mut self, supplies: &mut impl Supplies) {
        self.state.connect(supplies);
        self.timers.connect(supplies);
    }

    fn prepare(&mut self, records: usize) -> Prepared {
        // One timer a record is what is usual.
        self.state.prepare(records).and(self.timers.prepare(records))
    }

    fn fault(&self) -> Option<Fault> {
        self.state.fault()
    }

    /// Every record counts as on time: the user's function has seen it.
    fn tally(&self) -> Tally {
        Tally { on_time: self.processed, results: self.results, ..Tally::default() }
    }
}

#[cfg(test)]
mod tests;
