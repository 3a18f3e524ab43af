use std::mem;

use nacreous_channels::lanes::{Lanes, Poll};
use nacreous_operators::Prepared;
use nacreous_watermark::Valve;

use super::{Ending, Next, Outlet, Progress, Task};
use crate::{
    downstream::{Downstream, Extent, Halt, hand_down},
    lane::{EdgeIn, UnplacedEdge},
    meter::{Counts, Standing},
    survey::Survey,
};

/// How many batches in a row are taken from one lane while others may be waiting.
const QUOTA: usize = 1;

/// A task fed by edges: takes batches from its lanes in turn and merges their watermarks.
pub(crate) struct EdgeTask<T, D> {
    /// What the lanes are made of, until they are.
    unplaced: Vec<UnplacedEdge<T>>,
    lanes: Lanes<EdgeIn<T>>,
    valve: Valve,
    /// The lane that has promised least.
    held_by: usize,
    outlet: Outlet<D>,
}

impl<T: Send, D: Downstream<T>> EdgeTask<T, D> {
    /// A task over these lanes, at least one.
    pub(crate) fn new(unplaced: Vec<UnplacedEdge<T>>, down: D) -> Self {
        let valve = Valve::new(unplaced.len());
        let lanes = Lanes::new([], QUOTA);
        Self { unplaced, lanes, valve, held_by: 0, outlet: Outlet::new(down) }
    }
}

impl<T: Send, D: Downstream<T>> Task for EdgeTask<T, D> {
    fn place(&mut self) {
        let edges = mem::take(&mut self.unplaced);
        self.lanes = Lanes::new(edges.into_iter().map(UnplacedEdge::place), QUOTA);
    }

    // HOT(edge-task.step)
    fn step(&mut self) -> Result<Progress, Halt> {
        let extent = self.outlet.extent();
        match self.outlet.settle(extent)? {
            Next::TakeInput => {}
            Next::Return(progress) => return Ok(progress),
        }
        match self.lanes.poll() {
            Poll::Ready(lane) => {
                let edge = &mut self.lanes[lane];
                let batch = edge.batch().expect("the lane was just seen to have a batch");
                if self.outlet.down.prepare(batch.len()) == Prepared::Waiting {
                    return Ok(Progress::Blocked);
                }
                let records = batch.len();
                self.outlet.judge_by(self.valve.of(lane).max(batch.judged_by()));
                let signal = batch.signal();
                hand_down(batch, &mut self.outlet.down);
                edge.release(records);
                if let Some(signal) = signal {
                    self.outlet.owed.extend(self.valve.advance(lane, signal.watermark()));
                    self.held_by = self.valve.held_by();
                }
                Ok(Progress::Made)
            }
            Poll::Empty => {
                let _ = self.outlet.down.flush(Extent::All)?;
                self.lanes.iter_mut().for_each(EdgeIn::ran_dry);
                Ok(Progress::None)
            }
            Poll::Ended(_) => {
                if self.lanes.open() == 0 {
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
        self.outlet.leave(sound)
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.outlet.down.count(&mut counts);
        counts
    }

    fn standing(&self) -> Standing {
        Standing { watermark: self.outlet.passed, held_by: self.held_by }
    }

    fn survey(&self, survey: &mut Survey) {
        survey.inputs.extend(self.unplaced.iter().map(|edge| edge.id));
        self.outlet.down.survey(survey);
    }
}
