mod clock;
mod pace;
mod run;

pub(crate) use clock::{Arrival, Clock};
use pace::Pace;
use run::{RunEnd, run};

use std::{
    num::NonZero,
    sync::Arc,
    time::{Duration, Instant},
};

use nacreous_operators::{Prepared, Record, Stamp, Step};
use nacreous_watermark::{BoundedDisorder, Cadence, Timestamp, Watermark};

use super::{Ending, Next, Outlet, Progress, Task};
use crate::{
    bell::{Bell, Post},
    control::Requests,
    downstream::{Change, Downstream, EdgeOut, Extent, Flushed, Halt, Loop, Stepwise, is_small},
    job::Failure,
    latency::stamp_since,
    meter::{Counts, Standing},
    operator_name::{Blame, OperatorName},
    source::{Demand, Intake, Readiness, Source},
    survey::Survey,
};

/// What a source task is made of, besides what follows it.
pub(crate) struct SourceParts<S: Source, C> {
    pub(crate) source: S,
    pub(crate) post: Arc<Post>,
    pub(crate) name: OperatorName,
    pub(crate) rejects: Option<EdgeOut<S::Reject>>,
    pub(crate) clock: C,
    pub(crate) time_name: OperatorName,
    pub(crate) disorder: BoundedDisorder,
    pub(crate) cadence: Cadence,
    /// Pass the watermark on also after this many records, wherever it stands.
    pub(crate) watermark_every: Option<NonZero<usize>>,
    /// How many records to take a step, at the least.
    pub(crate) batch: usize,
    pub(crate) requests: Arc<Requests>,
    /// The instant that stamps are told from, if records are to have some.
    pub(crate) stamped_from: Option<Instant>,
}

/// A task at the head of a stream: reads a source, gives each record its event time, makes watermarks.
pub(crate) struct SourceTask<S: Source, C, D> {
    source: S,
    /// Where the source calls.
    post: Arc<Post>,
    name: OperatorName,
    /// How many records to take a step.
    batch: usize,
    /// The same, where what follows sets no limit.
    pace: Option<Pace>,
    requests: Arc<Requests>,
    stamped_from: Option<Instant>,
    watermark_every: Option<NonZero<usize>>,
    /// How many records to take before the watermark is due to be passed on.
    until_due: usize,
    inlet: Inlet<S::Item, S::Reject, C, D>,
}

/// How often a source that brings nothing looks what time it is: seldom enough for its thread to sleep in between.
const TICK: Duration = Duration::from_millis(10);

/// Where a source puts what it reads.
struct Inlet<T, R, C, D> {
    name: OperatorName,
    rejects: Option<EdgeOut<R>>,
    clock: C,
    time_name: OperatorName,
    disorder: BoundedDisorder,
    cadence: Cadence,
    /// The least watermark that makes a difference downstream and has not been passed on.
    next_edge: Watermark,
    /// No record before this time can bring the watermark there, or has to be taken note of for any other reason.
    edge_at: Timestamp,
    /// Whether the watermark is wanted between edges too, so that the latest time must be known at all times.
    watch_all: bool,
    /// How many records this step may take, and how many of those are left; less than none once a source has gone on
    /// regardless. What was taken is counted from the two, once a step.
    allowed: isize,
    room: isize,
    /// When time was last seen to have gone on without a record.
    let_pass: Timestamp,
    records_in: u64,
    rejected: u64,
    outlet: Outlet,
    down: Loop<T, D>,
}

impl<S: Source, C, D: Downstream<S::Item>> SourceTask<S, C, D> {
    pub(crate) fn new(mut parts: SourceParts<S, C>, down: Loop<S::Item, D>) -> Self {
        parts.source.attach(Bell::at(&parts.post));
        if !D::HEEDS_WATERMARKS {
            (parts.cadence, parts.watermark_every) = (Cadence::default(), None);
        }
        let pace = (!D::IS_BOUNDED && parts.rejects.is_none()).then(|| Pace::new(parts.batch));
        let next_edge = parts.cadence.next_after(Watermark::MIN);
        let watch_all = parts.watermark_every.is_some();
        let edge_at = edge_at(&parts.disorder, next_edge, watch_all);
        let inlet = Inlet {
            name: parts.name,
            rejects: parts.rejects,
            clock: parts.clock,
            time_name: parts.time_name,
            disorder: parts.disorder,
            cadence: parts.cadence,
            next_edge,
            edge_at,
            watch_all,
            allowed: 0,
            room: 0,
            let_pass: Timestamp::MIN,
            records_in: 0,
            rejected: 0,
            outlet: Outlet::new(),
            down,
        };
        Self {
            source: parts.source,
            post: parts.post,
            name: parts.name,
            batch: parts.batch,
            pace,
            requests: parts.requests,
            stamped_from: parts.stamped_from,
            watermark_every: parts.watermark_every,
            until_due: parts.watermark_every.map_or(0, NonZero::get),
            inlet,
        }
    }
}

/// The least time that has to be looked at more closely.
fn edge_at(disorder: &BoundedDisorder, next_edge: Watermark, watch_all: bool) -> Timestamp {
    if watch_all { Timestamp::MIN } else { disorder.time_reaching(next_edge) }
}

impl<T, R, C, D> Intake<T, R> for Inlet<T, R, C, D>
where
    T: Send + 'static,
    R: Send + 'static,
    C: Clock<T>,
    D: Downstream<T>,
{
    // HOT(source.accept)
    #[inline(always)]
    fn accept(&mut self, value: T) -> Demand {
        self.room -= 1;
        let blame = Blame::on(&self.time_name);
        let time = self.clock.time_of(&value);
        blame.lift();
        // The record is judged by the watermark as it stood before it, and moves it afterwards.
        let record = Record { time, value };
        match self.down.fused() {
            Some(down) => down.record(record),
            None => self.down.record(record),
        }
        if D::HEEDS_WATERMARKS && time >= self.edge_at && !self.look_closer(time) {
            self.count_taken();
        }
        self.demand()
    }

    #[inline(always)]
    fn accept_all<I: Iterator<Item = T>>(&mut self, mut items: I) -> (I, Demand) {
        if const { !is_small::<T>() } {
            let has_enough = items.any(|item| self.accept(item) == Demand::Enough);
            return (items, if has_enough { Demand::Enough } else { Demand::More });
        }
        while self.room > 0 {
            // The record that ends a run is judged by the watermark as it stood before it, and moves it afterwards.
            let (source, clock) = ((items, &self.name), (&mut self.clock, &self.time_name));
            let (back, RunEnd { edge, is_over, .. }) = match self.down.fused() {
                Some(down) => run(source, clock, self.edge_at, &mut self.room, down),
                None => run(source, clock, self.edge_at, &mut self.room, &mut self.down),
            };
            items = back;
            if is_over {
                return (items, Demand::More);
            }
            if let Some(time) = edge
                && !self.look_closer(time)
            {
                self.count_taken();
            }
        }
        (items, self.say_enough())
    }

    fn reject(&mut self, reject: R) -> Demand {
        self.room -= 1;
        self.rejected += 1;
        if let Some(rejects) = &mut self.rejects {
            // A row that could not be read has no event time.
            rejects.record(Record { time: Timestamp::MIN, value: reject });
        }
        self.demand()
    }
}

impl<T: Send + 'static, R: Send + 'static, C, D: Downstream<T>> Inlet<T, R, C, D> {
    /// A record may have brought the watermark to an edge where something downstream may happen. If so it goes
    /// on at this very record, so that results do not depend on where a batch happens to end. False if what
    /// follows has more to do with it, or no room, so that no further record may be taken now.
    ///
    /// Times before `edge_at` need not be taken note of on the way here: they are less than this one.
    #[inline(never)]
    fn look_closer(&mut self, time: Timestamp) -> bool {
        self.disorder.observe(time);
        let watermark = self.disorder.watermark();
        let at_edge = watermark >= self.next_edge;
        if at_edge {
            match self.down.watermark(watermark) {
                Step::Done => self.outlet.stand.passed = watermark,
                Step::More => self.outlet.owed.push_back(watermark),
            }
            // Not before: a function that is called with each result does not wait for it.
            self.next_edge = self.cadence.next_after(watermark);
        }
        self.edge_at = edge_at(&self.disorder, self.next_edge, self.watch_all);
        !at_edge || self.outlet.owed.is_empty() && self.down.has_room()
    }

    /// Nothing comes at the moment. If time goes on even so, the watermark goes with it; whether it has.
    ///
    /// That depends on timing, but nothing else does: no record that comes later can be earlier.
    fn let_time_pass(&mut self) -> bool
    where
        C: Clock<T>,
    {
        let Some(now) = self.clock.now() else { return false };
        let settled = self.outlet.owed.is_empty() && self.down.has_room();
        if !settled || now < self.edge_at.max(self.let_pass + TICK) {
            return false;
        }
        self.let_pass = now;
        self.look_closer(now);
        if self.watch_all && self.outlet.owed.is_empty() {
            self.outlet.owed.push_back(self.disorder.watermark());
        }
        true
    }

    /// Says when what comes of this step was read.
    fn stamp(&mut self, read_at: Stamp) {
        self.rejects.iter_mut().for_each(|rejects| rejects.stamp(read_at));
        self.down.stamp(read_at);
    }

    /// Whether this step may take more.
    #[inline(always)]
    fn demand(&self) -> Demand {
        if self.room > 0 { Demand::More } else { self.say_enough() }
    }

    #[inline(never)]
    fn say_enough(&self) -> Demand {
        assert!(self.room == 0, "a source returns when it is told that it is enough");
        Demand::Enough
    }

    /// Allows so many records to be taken.
    fn allow(&mut self, records: usize) {
        let records = isize::try_from(records).expect("a batch fits in memory");
        (self.allowed, self.room) = (records, records);
    }

    /// Adds up what was taken of what was allowed; nothing is allowed from here on.
    fn count_taken(&mut self) {
        self.records_in += self.taken();
        self.allow(0);
    }

    /// Records taken and not yet added up.
    fn taken(&self) -> u64 {
        (self.allowed - self.room).unsigned_abs() as u64
    }

    fn flush_rejects(&mut self, extent: Extent) -> Result<Flushed, Halt> {
        self.rejects.as_mut().map_or(Ok(Flushed::Clear), |rejects| rejects.flush(extent))
    }

    /// The source has nothing more to read: the end follows what is owed already.
    fn end(&mut self) {
        if let Some(rejects) = &mut self.rejects {
            // An edge is done with a watermark at once.
            let _ = rejects.watermark(Watermark::END);
        }
        self.outlet.owed.push_back(Watermark::END);
    }
}

impl<S, C, D> SourceTask<S, C, D>
where
    S: Source,
    C: Clock<S::Item>,
    D: Downstream<S::Item>,
{
    fn take_input(&mut self) -> Result<Progress, Halt> {
        let inlet = &mut self.inlet;
        if let Some(began) = self.stamped_from {
            inlet.stamp(stamp_since(began));
        }
        if self.requests.fail.is_raised() {
            inlet.outlet.ending = Some(Ending::BrokenOff);
            return Ok(Progress::Made);
        }
        if self.requests.stop.is_raised() {
            inlet.end();
            return Ok(Progress::Made);
        }
        let pace = self.pace.as_ref().filter(|_| inlet.down.is_fused());
        let quantum = pace.map_or(self.batch, Pace::records);
        inlet.down.begin_lap();
        if inlet.down.prepare(quantum) == Prepared::Waiting {
            let _ = inlet.down.flush(Extent::Dry)?;
            return Ok(Progress::Blocked);
        }
        let before = inlet.records_in;
        inlet.allow(if self.watermark_every.is_some() { quantum.min(self.until_due) } else { quantum });
        let began = self.pace.as_mut().and_then(Pace::begins);
        let blame = Blame::on(&self.name);
        let readiness = self.source.poll(inlet);
        blame.lift();
        inlet.count_taken();
        let taken = inlet.records_in - before;
        if let Some(pace) = &mut self.pace {
            pace.ends(began, usize::try_from(taken).unwrap_or(usize::MAX));
        }
        self.pass_due_watermark(taken);

        let inlet = &mut self.inlet;
        match readiness {
            Ok(Readiness::Ready) => Ok(Progress::Made),
            Ok(idle @ (Readiness::Pending | Readiness::Waiting)) => {
                let moved = inlet.let_time_pass();
                let _ = inlet.down.flush(Extent::Dry)?;
                let _ = inlet.flush_rejects(Extent::Dry)?;
                Ok(match idle {
                    _ if taken > 0 || moved => Progress::Made,
                    Readiness::Pending => Progress::Unprompted,
                    _ => Progress::None,
                })
            }
            Ok(Readiness::Ended) => {
                inlet.end();
                Ok(Progress::Made)
            }
            // Said at once; the task leaves when what it has is handed on.
            Err(error) => Err(Halt::Failed(Failure::Source { operator: self.name, error })),
        }
    }

    /// Owes the watermark that is due after every so many records, counted from the first: not by batch or by
    /// time, so that it stands at the same records in every run.
    fn pass_due_watermark(&mut self, taken: u64) {
        let Some(every) = self.watermark_every else { return };
        self.until_due -= usize::try_from(taken).expect("no more was taken than was allowed");
        if self.until_due == 0 {
            self.until_due = every.get();
            self.inlet.outlet.owed.push_back(self.inlet.disorder.watermark());
        }
    }
}

impl<S, C, D> Task for SourceTask<S, C, D>
where
    S: Source,
    C: Clock<S::Item>,
    D: Downstream<S::Item>,
{
    fn step(&mut self) -> Result<Progress, Halt> {
        let inlet = &mut self.inlet;
        let extent = inlet.outlet.extent();
        if inlet.flush_rejects(extent)? == Flushed::Blocked {
            return Ok(Progress::Blocked);
        }
        match inlet.outlet.settle(&mut inlet.down, extent)? {
            Next::TakeInput => self.take_input(),
            Next::Return(progress) => Ok(progress),
        }
    }

    fn leave(&mut self, sound: bool) -> Result<Progress, Halt> {
        let rejects = self.inlet.flush_rejects(Extent::Last);
        let progress = self.inlet.outlet.leave(&mut self.inlet.down, sound)?;
        let waits = progress == Progress::Finished && rejects? == Flushed::Blocked;
        Ok(if waits { Progress::Blocked } else { progress })
    }

    fn counts(&self) -> Counts {
        // Within a poll, and after one that has panicked, the last records are yet to be added up.
        let records_in = self.inlet.records_in + self.inlet.taken();
        let mut counts = Counts { records_in, rejected: self.inlet.rejected, ..Counts::default() };
        self.inlet.down.count(&mut counts);
        counts
    }

    fn standing(&self) -> Standing {
        Standing { watermark: self.inlet.outlet.stand.passed, held_by: 0 }
    }

    fn survey(&self, survey: &mut Survey) {
        survey.unmeasured(self.name);
        if let Some(rejects) = &self.inlet.rejects {
            rejects.survey(survey);
        }
        survey.operator(self.inlet.time_name, self.inlet.down.before());
        self.inlet.down.survey(survey);
    }

    fn change(&mut self, change: &mut Change<'_>) {
        let Inlet { rejects, outlet, down, .. } = &mut self.inlet;
        if let Change::MoveTo(worker) = change {
            self.post.move_to(*worker);
            rejects.iter_mut().for_each(|rejects| rejects.change(&mut Change::MoveTo(*worker)));
        }
        outlet.change(down, change);
    }

    fn can_be_cut(&self) -> bool {
        self.inlet.outlet.is_even()
    }
}
