use nacreous_channels::{
    lanes::{Lanes, Poll},
    spsc::Consumer,
};
use nacreous_watermark::Valve;

use super::{Ending, Next, Outlet, Progress, Task};
use crate::{
    downstream::{Downstream, Extent, Halt, Slot},
    meter::Counts,
};

/// How many batches in a row are taken from one lane while others may be waiting.
const QUOTA: usize = 1;

/// A task fed by edges: takes batches from its lanes in turn and merges their watermarks.
pub(crate) struct EdgeTask<T, D> {
    lanes: Lanes<Consumer<Slot<T>>>,
    valve: Valve,
    /// Lanes that may still deliver something.
    open_lanes: usize,
    outlet: Outlet<D>,
}

impl<T: Send, D: Downstream<T>> EdgeTask<T, D> {
    /// A task over these lanes, at least one.
    pub(crate) fn new(lanes: Vec<Consumer<Slot<T>>>, down: D) -> Self {
        let (valve, open_lanes) = (Valve::new(lanes.len()), lanes.len());
        Self { lanes: Lanes::new(lanes, QUOTA), valve, open_lanes, outlet: Outlet::new(down) }
    }
}

impl<T: Send, D: Downstream<T>> Task for EdgeTask<T, D> {
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
                let batch = edge.peek().expect("the lane was just seen to have a batch");
                let signal = batch.signal();
                for record in batch.drain() {
                    self.outlet.down.record(record);
                }
                edge.release();
                if let Some(signal) = signal {
                    self.outlet.owed.extend(self.valve.advance(lane, signal.watermark()));
                }
                Ok(Progress::Made)
            }
            Poll::Empty => {
                let _ = self.outlet.down.flush(Extent::All)?;
                Ok(Progress::None)
            }
            Poll::Ended(_) => {
                self.open_lanes -= 1;
                if self.open_lanes == 0 {
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
}
