//! The consuming ends of edges.

use crossbeam_utils::CachePadded;
use nacreous_channels::{
    lanes::Lane,
    spsc::{Consumer, UnplacedConsumer},
};
use nacreous_operators::Batch;

use crate::downstream::{Bell, SLOTS, Slot};

/// The consuming end of an edge whose batches do not exist yet.
pub(crate) struct UnplacedEdge<T> {
    pub(crate) unplaced: UnplacedConsumer<Slot<T>>,
    /// How many records the batches hold.
    pub(crate) batch: usize,
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
        let mut edge = EdgeIn { consumer: self.unplaced.place(new), released: 0, writer: self.writer };
        edge.call_writer();
        edge
    }
}

/// The consuming end of an edge.
pub(crate) struct EdgeIn<T> {
    consumer: Consumer<Slot<T>>,
    /// Batches given back since whoever writes them was last called.
    released: usize,
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

    /// Gives the oldest batch back.
    #[inline]
    pub(crate) fn release(&mut self) {
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
