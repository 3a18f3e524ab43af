//! The consuming ends of edges.

use std::sync::Arc;

use crate::{
    bell::{Bell, Post},
    downstream::{AnyBatch, SLOTS},
    meter::EdgeMeter,
    survey::EdgeId,
};
use crossbeam_utils::CachePadded;
use nacreous_channels::{
    lanes::Lane,
    spsc::{Consumer, UnplacedConsumer},
};

/// A slot of the ring under an edge. Padded: the two sides work on neighbouring batches.
pub(crate) type Slot<B> = CachePadded<B>;

/// The consuming end of an edge whose batches do not exist yet.
pub(crate) struct UnplacedEdge<B> {
    pub(crate) unplaced: UnplacedConsumer<Slot<B>>,
    /// How many records the batches hold.
    pub(crate) batch: usize,
    /// Makes one for so many.
    pub(crate) new: fn(usize) -> B,
    pub(crate) id: EdgeId,
    pub(crate) meter: Arc<EdgeMeter>,
    /// Where this end is.
    pub(crate) post: Arc<Post>,
    pub(crate) writer: Bell,
}

impl<B: AnyBatch> UnplacedEdge<B> {
    /// Makes the batches, on the thread that is to read them.
    pub(crate) fn place(self) -> EdgeIn<B> {
        let new = || {
            let mut batch = (self.new)(self.batch);
            batch.touch();
            CachePadded::new(batch)
        };
        let mut edge = EdgeIn {
            consumer: self.unplaced.place(new),
            released: 0,
            meter: self.meter,
            post: self.post,
            writer: self.writer,
        };
        edge.call_writer();
        edge
    }
}

/// The consuming end of an edge.
pub(crate) struct EdgeIn<B> {
    consumer: Consumer<Slot<B>>,
    /// Batches given back since whoever writes them was last called.
    released: usize,
    meter: Arc<EdgeMeter>,
    /// Where this end is.
    post: Arc<Post>,
    /// Behind the consumer, so that it calls when the ring is closed.
    writer: Bell,
}

/// A writer that waits for room is called when so many batches are free: it is not woken for each of them.
const ROOM_WORTH_A_CALL: usize = SLOTS / 2;

impl<B> EdgeIn<B> {
    /// The oldest batch; give it back with [`release`](Self::release).
    #[inline]
    pub(crate) fn batch(&mut self) -> Option<&mut B> {
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

    /// Is about to move to another worker.
    pub(crate) fn move_to(&mut self, worker: usize) {
        self.post.move_to(worker);
    }

    fn call_writer(&mut self) {
        self.released = 0;
        self.writer.ring();
    }
}

impl<B> Lane for EdgeIn<B> {
    type Value = Slot<B>;

    #[inline]
    fn peek(&mut self) -> Option<&Slot<B>> {
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
        bell::Post,
        downstream::{Downstream, Ends, Extent, Flushed, Stepwise, edge},
        meter::EdgeMeter,
        survey::EdgeId,
    };

    #[test]
    fn a_writer_that_sleeps_before_the_edge_is_placed_is_called_when_it_is() {
        let (writer, reader) = (Parker::new(), Parker::new());
        let wakers = [writer.waker(), reader.waker()].into();
        let ends = Ends { producer: Post::new(&wakers, 0), consumer: Post::new(&wakers, 1) };
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
