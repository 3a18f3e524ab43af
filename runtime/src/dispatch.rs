//! An exchange by itself: what it takes to send records off, for the benchmark of that.

use std::sync::Arc;

use nacreous_channels::idle::Parker;
use nacreous_operators::{Batch, Keyed, Record};
use nacreous_watermark::Timestamp;

use crate::{
    bell::Post,
    downstream::{Downstream, Ends, Extent, Flushed, Route, Stepwise, edge},
    lane::{EdgeIn, UnplacedEdge},
    meter::EdgeMeter,
    survey::EdgeId,
};

/// Both ends of an exchange, on one thread.
pub struct Dispatch {
    route: Route<u64, u64>,
    readers: Vec<EdgeIn<Batch<Keyed<u64, u64>>>>,
}

impl Dispatch {
    /// An exchange with so many lanes, whose batches count as full at so many records.
    ///
    /// # Panics
    /// If there are no lanes.
    pub fn new(lanes: usize, batch: usize) -> Self {
        let wakers = [Parker::new().waker(), Parker::new().waker()].into();
        let lane = |id| {
            let ends = Ends { producer: Post::new(&wakers, 0), consumer: Post::new(&wakers, 1) };
            edge(batch, ends, EdgeId(id), &Arc::new(EdgeMeter::new()))
        };
        let (outs, unplaced): (Vec<_>, Vec<_>) = (0..lanes).map(lane).unzip();
        let readers = unplaced.into_iter().map(UnplacedEdge::place).collect();
        Self { route: Route::new(outs), readers }
    }

    /// Sends numbers off, each by its own hash, and publishes all. False if there was no room for some.
    #[inline(never)]
    pub fn send(&mut self, numbers: &[u64]) -> bool {
        let record = |number: &u64| {
            let (key, value) = (*number, *number);
            Record { time: Timestamp::from_nanos(0), value: Keyed { key, value } }
        };
        self.route.records(numbers.iter().map(record));
        matches!(self.route.flush(Extent::All), Ok(Flushed::Clear))
    }

    /// Reads all there is: how many numbers, and their sum.
    pub fn receive(&mut self) -> (u64, u64) {
        let (mut count, mut sum) = (0, 0_u64);
        for reader in &mut self.readers {
            while let Some(batch) = reader.batch() {
                let records = batch.len();
                batch.drain().for_each(|record| sum = sum.wrapping_add(record.value.value));
                reader.release(records);
                count += records as u64;
            }
        }
        (count, sum)
    }
}
