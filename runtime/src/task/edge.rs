use std::mem;

use nacreous_channels::lanes::{Lanes, Poll};
use nacreous_operators::Prepared;
use nacreous_watermark::Valve;

use super::{Ending, Next, Outlet, Progress, Task};
use crate::{
    downstream::{AnyBatch, Change, Extent, Front, Halt, Stand, Tail},
    lane::{EdgeIn, UnplacedEdge},
    meter::{Counts, Standing},
    survey::{EdgeId, Survey},
};

/// How many batches in a row are taken from one lane while others may be waiting.
const QUOTA: usize = 1;

/// A task fed by edges: takes batches from its lanes in turn and merges their watermarks.
pub(crate) struct EdgeTask<B> {
    inputs: Vec<EdgeId>,
    /// What the lanes are made of, until they are.
    unplaced: Vec<UnplacedEdge<B>>,
    lanes: Lanes<EdgeIn<B>>,
    valve: Valve,
    /// The lane that has promised least.
    held_by: usize,
    outlet: Outlet,
    down: Box<dyn Front<B>>,
}

impl<B: AnyBatch> EdgeTask<B> {
    /// A task over these lanes, at least one.
    pub(crate) fn new(unplaced: Vec<UnplacedEdge<B>>, down: Box<dyn Front<B>>) -> Self {
        let valve = Valve::new(unplaced.len());
        let lanes = Lanes::new([], QUOTA);
        let inputs = unplaced.iter().map(|edge| edge.id).collect();
        Self { inputs, unplaced, lanes, valve, held_by: 0, outlet: Outlet::new(), down }
    }
}

impl EdgeTask<Box<dyn AnyBatch>> {
    /// A task of what was cut off another one, which had come so far.
    pub(crate) fn tail(edge: UnplacedEdge<Box<dyn AnyBatch>>, down: Box<Tail>, stand: Stand) -> Self {
        let mut task = Self::new(vec![edge], down);
        task.outlet.stand = stand;
        task
    }
}

impl<B: AnyBatch> Task for EdgeTask<B> {
    fn place(&mut self) {
        let edges = mem::take(&mut self.unplaced);
        if edges.is_empty() {
            // It has come from another worker, with all it has.
            return;
        }
        self.lanes = Lanes::new(edges.into_iter().map(UnplacedEdge::place), QUOTA);
    }

    // HOT(edge-task.step)
    fn step(&mut self) -> Result<Progress, Halt> {
        let extent = self.outlet.extent();
        match self.outlet.settle(&mut *self.down, extent)? {
            Next::TakeInput => {}
            Next::Return(progress) => return Ok(progress),
        }
        if self.outlet.ending == Some(Ending::GoingBack) {
            return Ok(if self.down.go_back() { Progress::Finished } else { Progress::Blocked });
        }
        match self.lanes.poll() {
            Poll::Ready(lane) => {
                let edge = &mut self.lanes[lane];
                let batch = edge.batch().expect("the lane was just seen to have a batch");
                if self.down.prepare(batch.len()) == Prepared::Waiting {
                    let _ = self.down.flush(Extent::Dry)?;
                    return Ok(Progress::Blocked);
                }
                let records = batch.len();
                self.outlet.judge_by(&mut *self.down, self.valve.of(lane).max(batch.judged_by()));
                let (signal, read_at) = (batch.signal(), batch.read_at());
                if read_at.is_some() {
                    self.down.stamp(read_at);
                }
                self.down.batch(batch);
                edge.release(records);
                if let Some(signal) = signal {
                    self.outlet.owed.extend(self.valve.advance(lane, signal.watermark()));
                    self.held_by = self.valve.held_by();
                }
                Ok(Progress::Made)
            }
            Poll::Empty => {
                let _ = self.down.flush(Extent::Dry)?;
                self.lanes.iter_mut().for_each(EdgeIn::ran_dry);
                Ok(Progress::None)
            }
            Poll::Ended(_) => {
                if self.lanes.open() == 0 && self.down.is_recalled() {
                    self.outlet.ending = Some(Ending::GoingBack);
                } else if self.lanes.open() == 0 {
                    // Some lane ended without saying so, else the merged watermark had ended the task:
                    // whoever fed it died. What is complete is handed on, but no window fires that might
                    // miss records, and nobody further down is told of an end.
                    self.outlet.ending = Some(Ending::BrokenOff);
                }
                Ok(Progress::Made)
            }
        }
    }

    fn leave(&mut self, sound: bool) -> Result<Progress, Halt> {
        self.outlet.leave(&mut *self.down, sound)
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.down.count(&mut counts);
        counts
    }

    fn standing(&self) -> Standing {
        Standing { watermark: self.outlet.stand.passed, held_by: self.held_by }
    }

    fn survey(&self, survey: &mut Survey) {
        survey.inputs.extend(&self.inputs);
        self.down.survey(survey);
    }

    fn change(&mut self, change: &mut Change<'_>) {
        if let Change::MoveTo(worker) = change {
            self.unplaced.iter_mut().for_each(|edge| edge.post.move_to(*worker));
            self.lanes.iter_mut().for_each(|edge| edge.move_to(*worker));
        }
        self.outlet.change(&mut *self.down, change);
    }

    fn can_be_cut(&self) -> bool {
        self.outlet.is_even()
    }
}
