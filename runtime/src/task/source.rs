use std::sync::Arc;

use nacreous_channels::published::Flag;
use nacreous_operators::{Record, Step};
use nacreous_watermark::{BoundedDisorder, Cadence, Timestamp, Watermark};

use super::{Next, Outlet, Progress, Task};
use crate::{
    downstream::{Downstream, EdgeOut, Extent, Flushed, Halt},
    job::Failure,
    meter::Counts,
    operator_name::{Blame, OperatorName},
    source::{Demand, Intake, Readiness, Source},
};

/// What a source task is made of, besides what follows it.
pub(crate) struct SourceParts<S: Source, F> {
    pub(crate) source: S,
    pub(crate) name: OperatorName,
    pub(crate) rejects: Option<EdgeOut<S::Reject>>,
    pub(crate) time_of: F,
    pub(crate) time_name: OperatorName,
    pub(crate) disorder: BoundedDisorder,
    pub(crate) cadence: Cadence,
    /// How many records to take a step.
    pub(crate) quantum: usize,
    /// Raised when the source is to stop as if its input had ended.
    pub(crate) stop: Arc<Flag>,
}

/// A task at the head of a stream: reads a source, gives each record its event time, makes watermarks.
pub(crate) struct SourceTask<S: Source, F, D> {
    source: S,
    name: OperatorName,
    quantum: usize,
    stop: Arc<Flag>,
    inlet: Inlet<S::Reject, F, D>,
}

/// Where a source puts what it reads.
struct Inlet<R, F, D> {
    rejects: Option<EdgeOut<R>>,
    time_of: F,
    time_name: OperatorName,
    disorder: BoundedDisorder,
    cadence: Cadence,
    /// The least watermark that makes a difference downstream and has not been passed on.
    next_edge: Watermark,
    /// No record before this time can bring the watermark there.
    edge_at: Timestamp,
    /// How many more records to take in this step. What was taken is counted from it, once a step.
    room: usize,
    records_in: u64,
    rejected: u64,
    outlet: Outlet<D>,
}

impl<S: Source, F, D> SourceTask<S, F, D> {
    pub(crate) fn new(parts: SourceParts<S, F>, down: D) -> Self {
        let next_edge = parts.cadence.next_after(Watermark::MIN);
        let edge_at = parts.disorder.time_reaching(next_edge);
        let inlet = Inlet {
            rejects: parts.rejects,
            time_of: parts.time_of,
            time_name: parts.time_name,
            disorder: parts.disorder,
            cadence: parts.cadence,
            next_edge,
            edge_at,
            room: 0,
            records_in: 0,
            rejected: 0,
            outlet: Outlet::new(down),
        };
        Self { source: parts.source, name: parts.name, quantum: parts.quantum, stop: parts.stop, inlet }
    }
}

impl<T, R, F, D> Intake<T, R> for Inlet<R, F, D>
where
    T: Send,
    R: Send,
    F: FnMut(&T) -> Timestamp + Send,
    D: Downstream<T>,
{
    // HOT(source.accept)
    #[inline(always)]
    fn accept(&mut self, value: T) -> Demand {
        let blame = Blame::on(&self.time_name);
        let time = (self.time_of)(&value);
        blame.lift();
        // The record is judged by the watermark as it stood before it, and moves it afterwards.
        self.outlet.down.record(Record { time, value });
        self.disorder.observe(time);
        let demand = self.demand();
        if time >= self.edge_at && !self.pass_edge::<T>() {
            return Demand::Enough;
        }
        demand
    }

    fn reject(&mut self, reject: R) -> Demand {
        self.rejected += 1;
        if let Some(rejects) = &mut self.rejects {
            // A row that could not be read has no event time.
            rejects.record(Record { time: Timestamp::MIN, value: reject });
        }
        self.demand()
    }
}

impl<R: Send, F, D> Inlet<R, F, D> {
    /// The watermark has crossed an edge where something downstream may happen: it goes on at this very
    /// record, so that results do not depend on where a batch happens to end. False if what follows has
    /// more to do with it, or no room, so that no further record may be taken now.
    #[inline(never)]
    fn pass_edge<T>(&mut self) -> bool
    where
        D: Downstream<T>,
    {
        let watermark = self.disorder.watermark();
        if watermark < self.next_edge {
            return true;
        }
        self.next_edge = self.cadence.next_after(watermark);
        self.edge_at = self.disorder.time_reaching(self.next_edge);
        if self.outlet.down.watermark(watermark) == Step::More {
            self.outlet.owed = Some(watermark);
            return false;
        }
        self.outlet.down.has_room()
    }

    /// One record less to take in this step.
    #[inline(always)]
    fn demand(&mut self) -> Demand {
        self.room = self.room.wrapping_sub(1);
        if self.room == 0 { Demand::Enough } else { Demand::More }
    }

    /// Hands on the rejects; false if there is no room for more.
    fn flush_rejects(&mut self, extent: Extent) -> Result<Flushed, Halt> {
        self.rejects.as_mut().map_or(Ok(Flushed::Clear), |rejects| rejects.flush(extent))
    }
}

impl<S, F, D> Task for SourceTask<S, F, D>
where
    S: Source,
    F: FnMut(&S::Item) -> Timestamp + Send,
    D: Downstream<S::Item>,
{
    fn step(&mut self) -> Result<Progress, Halt> {
        let inlet = &mut self.inlet;
        let ending = inlet.outlet.ending.is_some();
        if inlet.flush_rejects(if ending { Extent::All } else { Extent::Full })? == Flushed::Blocked {
            return Ok(Progress::None);
        }
        match inlet.outlet.settle()? {
            Next::TakeInput => {}
            Next::Wait(progress) => return Ok(progress),
        }
        inlet.room = self.quantum;
        let blame = Blame::on(&self.name);
        let readiness = match self.stop.is_raised() {
            true => Ok(Readiness::Ended),
            false => self.source.poll(inlet),
        };
        blame.lift();
        let taken = self.quantum.wrapping_sub(inlet.room);
        inlet.records_in += taken as u64;
        match readiness {
            Ok(Readiness::Ready) => Ok(Progress::Made),
            Ok(Readiness::Pending) => {
                let _ = inlet.outlet.down.flush(Extent::All)?;
                let _ = inlet.flush_rejects(Extent::All)?;
                Ok(if taken == 0 { Progress::None } else { Progress::Made })
            }
            Ok(Readiness::Ended) => {
                if let Some(rejects) = &mut inlet.rejects {
                    let _ = rejects.watermark(Watermark::END);
                }
                inlet.outlet.owed = Some(Watermark::END);
                Ok(Progress::Made)
            }
            Err(error) => {
                let failure = Failure::Source { operator: self.name, error };
                inlet.outlet.ending = Some(Err(failure));
                Ok(Progress::Made)
            }
        }
    }

    fn abandon(&mut self) {
        let _ = self.inlet.flush_rejects(Extent::All);
        let _ = self.inlet.outlet.down.flush(Extent::All);
    }

    fn counts(&self) -> Counts {
        let mut counts =
            Counts { records_in: self.inlet.records_in, rejected: self.inlet.rejected, ..Counts::default() };
        self.inlet.outlet.down.count(&mut counts);
        counts
    }
}
