//! The consuming ends of edges.

use std::sync::Arc;

use crossbeam_utils::CachePadded;
use nacreous_channels::{
    lanes::Lane,
    spsc::{Consumer, UnplacedConsumer},
};
use nacreous_operators::Batch;

use crate::{
    bell::Bell,
    downstream::{SLOTS, Slot},
    meter::EdgeMeter,
    survey::EdgeId,
};

/// The consuming end of an edge whose batches do not exist yet.
pub(crate) struct UnplacedEdge<T> {
    pub(crate) unplaced: UnplacedConsumer<Slot<T>>,
    /// How many records the batches hold.
    pub(crate) batch: usize,
    pub(crate) id: EdgeId,
    pub(crate) meter: Arc<EdgeMeter>,
    pub(crate) writer: Bell,
}

impl<T> UnplacedEdge<T> {
    /// Makes the batches, on the thread that is to read them.
    pub(crate) fn place(self) -> EdgeIn<T> {
        let new = || {
            let mut batch = Batch::new(self.batch);
            batch.touch();
            CachePadded::new(batch)
        };
        let mut edge = EdgeIn {
            consumer: self.unplaced.place(new),
            released: 0,
            meter: self.meter,
            writer: self.writer,
        };
        edge.call_writer();
        edge
    }
}

/// The consuming end of an edge.
pub(crate) struct EdgeIn<T> {
    consumer: Consumer<Slot<T>>,
    /// Batches given back since whoever writes them was last called.
    released: usize,
    meter: Arc<EdgeMeter>,
    /// Behind the consumer, so that it calls when the ring is closed.
    writer: Bell,
}

/// A writer that waits for room is called when so many batches are free: it is not woken for each of them.
const ROOM_WORTH_A_CALL: usize = SLOTS / 2;

impl<T> EdgeIn<T> {
    /// The oldest batch; give it back with [`release`](Self::release).
    #[inline]
    pub(crate) fn batch(&mut self) -> Option<&mut Batch<T>> {
        self.consumer.peek().map(|slot| &mut **slot)
    }

    /// Gives the oldest batch back, from which so many records were taken.
    #[inline]
    pub(crate) fn release(&mut self, records: usize) {
        self.meter.received().add_batch(records);
        self.consumer.release();
        self.released += 1;
        if self.released == ROOM_WORTH_A_CALL {
            self.call_writer();
        }
    }

    /// There is nothing left to read: whoever waits for room is to know of all there is.
    #[inline]
    pub(crate) fn ran_dry(&mut self) {
        if self.released > 0 {
            self.call_writer();
        }
    }

    fn call_writer(&mut self) {
        self.released = 0;
        self.writer.ring();
    }
}

impl<T> Lane for EdgeIn<T> {
    type Value = Slot<T>;

    #[inline]
    fn peek(&mut self) -> Option<&Slot<T>> {
        self.consumer.peek().map(|slot| &*slot)
    }

    #[inline]
    fn is_closed(&self) -> bool {
        self.consumer.is_closed()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Arc, mpsc},
        thread,
        time::Duration,
    };

    use nacreous_channels::idle::{Idle, Parker, Strategy};
    use nacreous_operators::Record;
    use nacreous_watermark::Timestamp;

    use crate::{
        bell::Bell,
        downstream::{Downstream, Ends, Extent, Flushed, edge},
        meter::EdgeMeter,
        survey::EdgeId,
    };

    #[test]
    fn a_writer_that_sleeps_before_the_edge_is_placed_is_called_when_it_is() {
        let (writer, reader) = (Parker::new(), Parker::new());
        let ends = Ends { producer: Bell::new(writer.waker()), consumer: Bell::new(reader.waker()) };
        let (mut out, unplaced) = edge(1, ends, EdgeId(0), &Arc::new(EdgeMeter::new()));
        let (send_asleep, asleep) = mpsc::channel();
        let (send_done, done) = mpsc::channel();
        let writing = thread::spawn(move || {
            let mut idle = Idle::new(writer);
            // Nothing but a call ends such a park within the test.
            let strategy = Strategy { spins: 0, yields: 0, park: Some(Duration::from_secs(3_600)) };
            out.record(Record { time: Timestamp::from_nanos(0), value: 7 });
            while out.flush(Extent::All).unwrap() == Flushed::Blocked {
                let _ = send_asleep.send(());
                idle.wait(strategy);
            }
            send_done.send(()).unwrap();
        });
        // Once to announce that it parks, and once to park: from here on it looks again only when it is called.
        asleep.recv().unwrap();
        asleep.recv().unwrap();
        let mut edge = unplaced.place();
        done.recv_timeout(Duration::from_secs(20)).expect("the writer was called");
        writing.join().unwrap();
        assert_eq!(edge.batch().map(|batch| batch.len()), Some(1));
    }
}
