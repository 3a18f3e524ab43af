use std::{hash::Hash, mem, sync::Arc};

use crossbeam_utils::CachePadded;
use nacreous_channels::{
    fill, scatter,
    spsc::{self, Producer},
};
use nacreous_operators::{Batch, Keyed, Record, Stamp, Step, hash_key};
use nacreous_watermark::Watermark;

use super::{AnyBatch, Change, Downstream, Extent, Flushed, Halt, Lap, Stepwise, both, hand_down};
use crate::{
    bell::{Bell, Post},
    lane::{Slot, UnplacedEdge},
    meter::{Counts, EdgeMeter},
    survey::{EdgeId, Survey},
};

/// How many batches an edge holds. Enough to ride out the scheduling of two threads, few enough that the
/// batches in flight stay in cache.
pub(crate) const SLOTS: usize = 64;

/// Where the two ends of an edge are.
pub(crate) struct Ends {
    pub(crate) producer: Arc<Post>,
    pub(crate) consumer: Arc<Post>,
}

/// Makes an edge between two tasks whose batches count as full at `batch` records.
pub(crate) fn edge<T: Send + 'static>(
    batch: usize,
    ends: Ends,
    id: EdgeId,
    meter: &Arc<EdgeMeter>,
) -> (EdgeOut<T>, UnplacedEdge<Batch<T>>) {
    edge_of(batch, Batch::new, ends, id, meter)
}

/// Makes an edge whose batches are made by `new`.
pub(super) fn edge_of<B: AnyBatch>(
    batch: usize,
    new: fn(usize) -> B,
    ends: Ends,
    id: EdgeId,
    meter: &Arc<EdgeMeter>,
) -> (Outgoing<B>, UnplacedEdge<B>) {
    let (producer, unplaced) = spsc::ring_unplaced(SLOTS);
    let (writer, reader) = (Bell::at(&ends.producer), Bell::at(&ends.consumer));
    let out = Outgoing {
        producer,
        open: CachePadded::new(new(batch)),
        stuck: CachePadded::new(new(batch)),
        sent: Watermark::MIN,
        judged_by: Watermark::MIN,
        read_at: Stamp::NONE,
        id,
        meter: Arc::clone(meter),
        accountable: false,
        post: ends.producer,
        reader,
    };
    let meter = Arc::clone(meter);
    (out, UnplacedEdge { unplaced, batch, new, id, meter, post: ends.consumer, writer })
}

/// The memory for records in an edge whose batches count as full at `batch` records.
pub(crate) fn edge_bytes<T>(batch: usize) -> u64 {
    /// The open batch and the stuck one.
    const OUTSIDE_THE_RING: usize = 2;
    ((SLOTS + OUTSIDE_THE_RING) * batch) as u64 * size_of::<Record<T>>() as u64
}

/// The producing end of an edge for records of one type.
pub(crate) type EdgeOut<T> = Outgoing<Batch<T>>;

/// The producing end of an edge: gathers records into a batch and hands it on when it is full.
///
/// A task takes input only while there is room, and at most a batch at a time. What comes of that still fits
/// when the ring fills up meanwhile: the full batch gets stuck, and the rest goes into another one. Only an
/// operator that makes many records out of one can make a batch grow.
pub(crate) struct Outgoing<B> {
    producer: Producer<Slot<B>>,
    /// The batch being filled. Handing it on swaps it with the empty one in the claimed slot.
    open: Slot<B>,
    /// A full batch for which the ring had no slot; else empty. It goes before the open one.
    stuck: Slot<B>,
    /// The last watermark put into a batch.
    sent: Watermark,
    /// What the records being gathered are judged by.
    judged_by: Watermark,
    /// When what is being gathered was read.
    read_at: Stamp,
    id: EdgeId,
    meter: Arc<EdgeMeter>,
    /// Whether the job keeps accounts of the records up to here, and not any further.
    accountable: bool,
    /// Where this end is.
    post: Arc<Post>,
    /// Behind the producer, so that it calls when the ring is closed.
    reader: Bell,
}

impl<B: AnyBatch> Outgoing<B> {
    /// The same edge, where the job keeps accounts of the records up to here, and not any further.
    pub(crate) fn accountable(self) -> Self {
        Self { accountable: true, ..self }
    }

    /// Hands the open batch on, behind the stuck one; false if that is not possible now.
    #[inline(never)]
    fn hand_on(&mut self) -> bool {
        if !self.hand_on_stuck() {
            return false;
        }
        let handed = hand_over(&mut self.producer, &mut self.open, &self.meter, &self.reader);
        if !handed {
            mem::swap(&mut self.open, &mut self.stuck);
        }
        self.open.judge_by(self.judged_by);
        self.open.stamp(self.read_at);
        handed
    }

    /// Whether the end of the stream has been put into it.
    pub(super) fn has_ended(&self) -> bool {
        self.sent.is_end()
    }

    /// Whether at least half of the ring has been read. If not, whoever reads has enough to do, and calls when it has: small
    /// batches would only use up the ring.
    fn is_reader_near(&mut self) -> bool {
        let (free, more) = self.producer.claim_many(SLOTS / 2);
        free.len() + more.len() == SLOTS / 2
    }

    /// Hands the stuck batch on, if there is one; false if that is not possible now.
    fn hand_on_stuck(&mut self) -> bool {
        self.stuck.is_empty() || hand_over(&mut self.producer, &mut self.stuck, &self.meter, &self.reader)
    }
}

/// Swaps a batch with the empty one in the next slot, publishes it and wakes whoever reads it; false if the ring
/// is full.
fn hand_over<B: AnyBatch>(
    producer: &mut Producer<Slot<B>>,
    batch: &mut Slot<B>,
    meter: &EdgeMeter,
    reader: &Bell,
) -> bool {
    let Some(slot) = producer.claim() else { return false };
    meter.sent().add_batch(batch.len());
    mem::swap(slot, batch);
    producer.publish();
    reader.ring();
    true
}

impl<B: AnyBatch> Stepwise for Outgoing<B> {
    fn stepwise(&mut self, batch: &mut dyn AnyBatch, _: &mut Lap) {
        if self.open.len() + batch.len() > self.open.full_at() {
            // If neither the ring nor the stuck batch has room, the open one grows.
            self.hand_on();
        }
        self.open.take(batch);
        if self.open.is_full() {
            self.hand_on();
        }
    }

    fn watermark(&mut self, watermark: Watermark) -> Step {
        if watermark > self.sent {
            self.sent = watermark;
            self.open.seal(watermark.into());
            self.hand_on();
        }
        Step::Done
    }

    /// All records of a batch are judged by the same watermark.
    fn judge_by(&mut self, watermark: Watermark) {
        if watermark != self.judged_by {
            self.judged_by = watermark;
            if self.open.len() > 0 {
                self.hand_on();
            }
            self.open.judge_by(watermark);
        }
    }

    /// A batch keeps the stamp of the oldest record in it.
    fn stamp(&mut self, read_at: Stamp) {
        self.read_at = read_at;
        // Of several lanes, the next batch may have waited for longer than the one before.
        if self.open.is_empty() || read_at < self.open.read_at() {
            self.open.stamp(read_at);
        }
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.stuck.is_empty()
    }

    fn is_wanted(&self) -> bool {
        !self.producer.is_closed()
    }

    fn flush(&mut self, extent: Extent) -> Result<Flushed, Halt> {
        if self.sent.is_end() && self.stuck.is_empty() && self.open.is_empty() {
            // The end has been handed on. That its reader may be gone by now is as it should be, and no
            // reason to keep other edges of the same task from handing theirs on.
            return Ok(Flushed::Clear);
        }
        if self.producer.is_closed() {
            if extent != Extent::Last {
                return Err(Halt::Disconnected);
            }
            // Nobody reads this edge any more, but others of the same task may be read: make room.
            self.stuck.clear();
            self.open.clear();
            return Ok(Flushed::Clear);
        }
        if !self.hand_on_stuck() {
            return Ok(Flushed::Blocked);
        }
        let due = self.open.is_full()
            || match extent {
                Extent::Full => false,
                Extent::Dry => !self.open.is_empty() && self.is_reader_near(),
                Extent::All | Extent::Last => !self.open.is_empty(),
            };
        Ok(if due && !self.hand_on() { Flushed::Blocked } else { Flushed::Clear })
    }

    fn count(&self, counts: &mut Counts) {
        if self.accountable {
            counts.tally.on_time += self.meter.sent().records();
        }
    }

    fn survey(&self, survey: &mut Survey) {
        survey.output(self.id);
    }

    fn change(&mut self, change: &mut Change<'_>) {
        if let Change::MoveTo(worker) = change {
            self.post.move_to(*worker);
        }
    }
}

impl<T> EdgeOut<T> {
    /// The batch being filled, and at how many records it is full.
    #[inline]
    fn open_batch(&mut self) -> (&mut Vec<Record<T>>, usize) {
        let full_at = self.open.full_at();
        (self.open.records_mut(), full_at)
    }
}

impl<T: Send + 'static> Downstream<T> for EdgeOut<T> {
    // HOT(edge.record)
    #[inline]
    fn record(&mut self, record: Record<T>) {
        self.open.push(record);
        if self.open.is_full() {
            self.hand_on();
        }
    }

    // HOT(edge.records)
    #[inline(always)]
    fn records(&mut self, mut records: impl Iterator<Item = Record<T>>) {
        loop {
            let full_at = self.open.full_at();
            if fill(self.open.records_mut(), full_at, &mut records) {
                return;
            }
            if !self.hand_on() && self.open.is_full() {
                // Neither the ring nor the stuck batch has room: the open one grows.
                return records.for_each(|record| self.record(record));
            }
        }
    }
}

/// The producing end of an exchange: one edge to each instance of the keyed side, chosen by the key's hash.
pub(crate) struct Route<K, T> {
    lanes: Vec<EdgeOut<Keyed<K, T>>>,
}

impl<K, T> Route<K, T> {
    pub(crate) fn new(lanes: Vec<EdgeOut<Keyed<K, T>>>) -> Self {
        assert!(!lanes.is_empty(), "an exchange needs somewhere to send to");
        Self { lanes }
    }
}

impl<K: Hash + Send + 'static, T: Send + 'static> Stepwise for Route<K, T> {
    fn stepwise(&mut self, batch: &mut dyn AnyBatch, _: &mut Lap) {
        hand_down(batch.of::<Keyed<K, T>>(), self);
    }

    fn watermark(&mut self, watermark: Watermark) -> Step {
        for lane in &mut self.lanes {
            if lane.watermark(watermark) == Step::More {
                return Step::More;
            }
        }
        Step::Done
    }

    fn judge_by(&mut self, watermark: Watermark) {
        self.lanes.iter_mut().for_each(|lane| lane.judge_by(watermark));
    }

    fn stamp(&mut self, read_at: Stamp) {
        self.lanes.iter_mut().for_each(|lane| lane.stamp(read_at));
    }

    fn has_room(&self) -> bool {
        self.lanes.iter().all(EdgeOut::has_room)
    }

    fn is_wanted(&self) -> bool {
        self.lanes.iter().any(EdgeOut::is_wanted)
    }

    fn flush(&mut self, extent: Extent) -> Result<Flushed, Halt> {
        flush_all(&mut self.lanes, extent)
    }

    fn count(&self, counts: &mut Counts) {
        self.lanes.iter().for_each(|lane| lane.count(counts));
    }

    fn survey(&self, survey: &mut Survey) {
        self.lanes.iter().for_each(|lane| lane.survey(survey));
    }

    fn change(&mut self, change: &mut Change<'_>) {
        self.lanes.iter_mut().for_each(|lane| lane.change(change));
    }
}

impl<K: Hash + Send + 'static, T: Send + 'static> Downstream<Keyed<K, T>> for Route<K, T> {
    // HOT(route.record)
    #[inline]
    fn record(&mut self, record: Record<Keyed<K, T>>) {
        let lane = match self.lanes.len() {
            1 => 0,
            lanes => lane_of(hash_key(&record.value.key), lanes),
        };
        self.lanes[lane].record(record);
    }

    // HOT(route.records)
    #[inline(always)]
    fn records(&mut self, mut records: impl Iterator<Item = Record<Keyed<K, T>>>) {
        let lanes = self.lanes.len();
        if lanes == 1 {
            return self.lanes[0].records(records);
        }
        if lanes > LANES_AT_ONCE {
            return records.for_each(|record| self.record(record));
        }
        loop {
            let open = self.lanes.iter_mut().map(EdgeOut::open_batch);
            let lane = |record: &Record<Keyed<K, T>>| lane_of(hash_key(&record.value.key), lanes);
            match scatter::<_, LANES_AT_ONCE>(open, &mut records, lane) {
                None => return,
                // Its batch is full: it is handed on, or grows.
                Some((lane, record)) => {
                    let lane = &mut self.lanes[lane];
                    if lane.open.is_full() {
                        lane.hand_on();
                    }
                    lane.record(record);
                }
            }
        }
    }
}

/// Records for more lanes than this are sent one by one.
const LANES_AT_ONCE: usize = 16;

/// Flushes each edge, whatever becomes of the others.
pub(super) fn flush_all<T: Send + 'static>(
    edges: &mut [EdgeOut<T>],
    extent: Extent,
) -> Result<Flushed, Halt> {
    let mut all = Ok(Flushed::Clear);
    for edge in edges {
        all = both(all, edge.flush(extent));
    }
    all
}

/// Spreads hashes evenly over `lanes`. Folds the hash first: a key table goes by its upper bits alone, and
/// would be filled unevenly if those were the same for all keys of a lane.
#[inline]
fn lane_of(hash: u64, lanes: usize) -> usize {
    let folded = (hash ^ (hash >> 32)) & u64::from(u32::MAX);
    ((folded * lanes as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use nacreous_channels::idle::Parker;
    use nacreous_operators::Signal;
    use nacreous_watermark::Timestamp;

    use super::*;
    use crate::lane::EdgeIn;

    /// An edge between two ends on this thread.
    fn edge<T: Send + 'static>(batch: usize) -> (EdgeOut<T>, EdgeIn<Batch<T>>) {
        let wakers = [Parker::new().waker(), Parker::new().waker()].into();
        let ends = Ends { producer: Post::new(&wakers, 0), consumer: Post::new(&wakers, 1) };
        let (out, unplaced) = super::edge(batch, ends, EdgeId(0), &Arc::new(EdgeMeter::new()));
        (out, unplaced.place())
    }

    #[test]
    fn keys_spread_over_all_lanes() {
        for lanes in 1..9 {
            let mut counts = vec![0_usize; lanes];
            for shift in [0, 8, 32, 48] {
                counts.fill(0);
                (0..8_000_u64).for_each(|key| counts[lane_of(hash_key(&(key << shift)), lanes)] += 1);
                let even = 8_000 / lanes;
                assert!(counts.iter().all(|count| count.abs_diff(even) < even / 2), "{lanes}: {counts:?}");
            }
        }
    }

    #[test]
    fn records_sent_together_go_where_they_go_one_by_one_also_when_lanes_are_full() {
        for lanes in [1, 2, 3, 8, LANES_AT_ONCE, LANES_AT_ONCE + 1] {
            for count in [0, 1, 100, 20 * lanes as u64 * SLOTS as u64] {
                let record = |key: u64| Record {
                    time: Timestamp::from_nanos(key.cast_signed()),
                    value: Keyed { key, value: key },
                };
                let sent = |together: bool| {
                    let (outs, mut ins): (Vec<_>, Vec<_>) = (0..lanes).map(|_| edge(4)).unzip();
                    let mut route = Route::new(outs);
                    if together {
                        route.records((0..count).map(record));
                    } else {
                        (0..count).for_each(|key| route.record(record(key)));
                    }
                    let mut seen = vec![Vec::new(); lanes];
                    loop {
                        let flushed = route.flush(Extent::All).unwrap();
                        for (consumer, seen) in ins.iter_mut().zip(&mut seen) {
                            while let Some(batch) = consumer.batch() {
                                seen.extend(batch.drain().map(|record| record.value.key));
                                consumer.release(1);
                            }
                        }
                        if flushed == Flushed::Clear {
                            return seen;
                        }
                    }
                };
                let together = sent(true);
                assert_eq!(together.iter().map(Vec::len).sum::<usize>() as u64, count);
                assert_eq!(together, sent(false), "{lanes} lanes, {count} records");
            }
        }
    }

    #[test]
    fn a_full_edge_blocks_and_loses_nothing() {
        let (mut out, mut consumer) = edge(2);
        let record = |value| Record { time: Timestamp::from_nanos(0), value };
        let mut sent = 0;
        while out.has_room() {
            out.record(record(sent));
            sent += 1;
        }
        assert_eq!(sent, 2 * (SLOTS + 1), "every slot and the stuck batch");
        assert!(matches!(out.flush(Extent::Full), Ok(Flushed::Blocked)));

        let mut seen = Vec::new();
        while let Some(batch) = consumer.batch() {
            seen.extend(batch.drain().map(|record| record.value));
            consumer.release(1);
            assert!(matches!(out.flush(Extent::All), Ok(Flushed::Clear)));
        }
        assert_eq!(seen, (0..sent).collect::<Vec<_>>());
        drop(consumer);
        assert!(matches!(out.flush(Extent::Full), Err(Halt::Disconnected)));
    }

    #[test]
    fn whoever_is_far_behind_gets_full_batches_and_whoever_is_not_gets_what_there_is() {
        let (mut out, mut consumer) = edge(4);
        let record = |value| Record { time: Timestamp::from_nanos(0), value };
        let mut sent = 0;
        while out.has_room() {
            out.record(record(sent));
            let _ = out.flush(Extent::Dry).unwrap();
            sent += 1;
        }
        assert!(sent > SLOTS * 2, "{sent} records fit into {SLOTS} slots");
        let mut lengths = Vec::new();
        let mut seen = Vec::new();
        while let Some(batch) = consumer.batch() {
            lengths.push(batch.len());
            seen.extend(batch.drain().map(|record| record.value));
            consumer.release(1);
            let _ = out.flush(Extent::Dry).unwrap();
        }
        assert_eq!(seen, (0..sent).collect::<Vec<_>>(), "nothing is kept from whoever has read all");
        assert!(lengths.starts_with(&[1; SLOTS / 2]) && lengths[SLOTS / 2 + 1..].contains(&4), "{lengths:?}");
    }

    #[test]
    fn a_reader_that_leaves_after_the_end_is_no_loss_but_one_that_leaves_before_is() {
        let (mut out, mut consumer) = edge::<i32>(2);
        assert_eq!(out.watermark(Watermark::END), Step::Done);
        assert_eq!(consumer.batch().and_then(|batch| batch.signal()), Some(Signal::End));
        drop(consumer);
        assert!(matches!(out.flush(Extent::All), Ok(Flushed::Clear)));

        let (mut out, consumer) = edge(2);
        for value in 0..2 * (SLOTS + 1) {
            out.record(Record { time: Timestamp::from_nanos(0), value });
        }
        assert_eq!(out.watermark(Watermark::END), Step::Done);
        drop(consumer);
        assert!(matches!(out.flush(Extent::All), Err(Halt::Disconnected)), "the end never got away");
        assert!(!out.has_room());
        assert!(matches!(out.flush(Extent::Last), Ok(Flushed::Clear)));
        assert!(out.has_room(), "what nobody will read must not block a task that still has others to serve");
    }
}
