//! What a task does about what has gathered for others: when it hands it on, and when it keeps it.

use std::sync::{Arc, Mutex};

use nacreous_channels::idle::Parker;
use nacreous_operators::{Batch, Prepared, Record, Stamp};
use nacreous_watermark::Timestamp;

use super::*;
use crate::{
    bell::Post,
    downstream::{AnyBatch, Downstream, EdgeOut, Ends, Front, Lap, edge},
    meter::EdgeMeter,
    survey::EdgeId,
};

/// Takes note of how much it was to hand on, and of the batches in between.
#[derive(Clone, Default)]
struct Downwards(Arc<Mutex<Noted>>);

#[derive(Default)]
struct Noted {
    seen: Vec<Seen>,
    /// It has no room.
    is_full: bool,
    /// It has no memory.
    lacks_memory: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Flush(Extent),
    Batch,
}

impl Downwards {
    fn set(&self, is_full: bool, lacks_memory: bool) {
        let mut noted = self.0.lock().unwrap();
        (noted.is_full, noted.lacks_memory) = (is_full, lacks_memory);
    }

    /// What it has seen since it was last asked.
    fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.0.lock().unwrap().seen)
    }
}

impl Stepwise for Downwards {
    fn stepwise(&mut self, batch: &mut dyn AnyBatch, _: &mut Lap) {
        batch.clear();
    }

    fn watermark(&mut self, _: Watermark) -> Step {
        Step::Done
    }

    fn judge_by(&mut self, _: Watermark) {}

    fn stamp(&mut self, _: Stamp) {}

    fn prepare(&mut self, _: usize) -> Prepared {
        if self.0.lock().unwrap().lacks_memory { Prepared::Waiting } else { Prepared::Ready }
    }

    fn has_room(&self) -> bool {
        true
    }

    fn is_wanted(&self) -> bool {
        true
    }

    fn flush(&mut self, extent: Extent) -> Result<Flushed, Halt> {
        let mut noted = self.0.lock().unwrap();
        noted.seen.push(Seen::Flush(extent));
        Ok(if noted.is_full { Flushed::Blocked } else { Flushed::Clear })
    }

    fn count(&self, _: &mut Counts) {}

    fn survey(&self, _: &mut Survey) {}

    fn change(&mut self, _: &mut Change<'_>) {}
}

impl Front<Batch<u64>> for Downwards {
    fn batch(&mut self, batch: &mut Batch<u64>) {
        batch.clear();
        self.0.lock().unwrap().seen.push(Seen::Batch);
    }
}

/// A task behind an edge whose batches are one record long, the edge, and what the task hands things to.
fn task() -> (EdgeOut<u64>, EdgeTask<Batch<u64>>, Downwards) {
    let wakers = [Parker::new().waker(), Parker::new().waker()].into();
    let ends = Ends { producer: Post::new(&wakers, 0), consumer: Post::new(&wakers, 1) };
    let (out, unplaced) = edge(1, ends, EdgeId(0), &Arc::new(EdgeMeter::new()));
    let down = Downwards::default();
    let mut task = EdgeTask::new(vec![unplaced], Box::new(down.clone()));
    task.place();
    (out, task, down)
}

fn send(out: &mut EdgeOut<u64>) {
    out.record(Record { time: Timestamp::MIN, value: 0 });
}

#[test]
fn a_task_whose_input_runs_dry_hands_on_what_somebody_waits_for() {
    let (mut out, mut task, down) = task();
    send(&mut out);
    assert_eq!(task.step().unwrap(), Progress::Made);
    assert_eq!(down.seen(), [Seen::Flush(Extent::Full), Seen::Batch], "there may be more input");
    assert_eq!(task.step().unwrap(), Progress::None);
    assert_eq!(down.seen(), [Seen::Flush(Extent::Full), Seen::Flush(Extent::Dry)]);
}

#[test]
fn a_task_that_cannot_go_on_hands_on_what_somebody_else_waits_for() {
    for (is_full, lacks_memory) in [(true, false), (false, true)] {
        let (mut out, mut task, down) = task();
        send(&mut out);
        down.set(is_full, lacks_memory);
        assert_eq!(task.step().unwrap(), Progress::Blocked);
        assert_eq!(down.seen(), [Seen::Flush(Extent::Full), Seen::Flush(Extent::Dry)]);
        down.set(false, false);
        assert_eq!(task.step().unwrap(), Progress::Made);
        assert_eq!(down.seen(), [Seen::Flush(Extent::Full), Seen::Batch], "the batch has waited");
    }
}

#[test]
fn input_that_never_runs_dry_holds_nothing_back_for_ever_and_keeps_small_batches_from_whoever_is_far_behind()
{
    let (mut out, mut task, down) = task();
    let mut extents = Vec::new();
    for _ in 0..2 * STEPS_MAX {
        send(&mut out);
        assert_eq!(task.step().unwrap(), Progress::Made);
        extents.extend(down.seen().into_iter().filter(|seen| *seen != Seen::Batch));
    }
    let dry = |step: &(usize, &Seen)| *step.1 == Seen::Flush(Extent::Dry);
    let dry: Vec<usize> = extents.iter().enumerate().filter(dry).map(|(step, _)| step + 1).collect();
    assert_eq!(
        dry,
        [64, 128],
        "each so many steps, and never all there is, which would fill the ring with small batches"
    );
    assert!(!extents.contains(&Seen::Flush(Extent::All)));
}
